#!/bin/sh
# Runs every fuzz target of the module for the given time.
set -eu
time=${1:-20s}
for package in $(go list ./...); do
	for target in $(go test -list '^Fuzz' "$package" | grep '^Fuzz' || true); do
		echo "== $package $target"
		# Without the limit Go may spend all the time minimising large seeds.
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" -fuzzminimizetime 1x -parallel 2 "$package"
	done
done
