#!/bin/sh
# Measures the commands at full size, as a user would run them. With
# UPSTREAM_TEST_POSTGRES=postgres://… (an empty database) PostgreSQL is measured too.
# 10 million claims take minutes: BENCH_10M=1 asks for them.
set -eu
binary=$(realpath "${1:-bin/upstream}")
out=bench-out
rm -rf "$out"
mkdir -p "$out"
cd "$out"
measure() { # what, command: prints wall seconds and peak memory
	what=$1
	shift
	/usr/bin/time -f "%e s, %M kB peak" -o time.txt "$@" >output.txt 2>errors.txt || { cat errors.txt; exit 1; }
	printf '%-60s %s\n' "$what" "$(cat time.txt)"
	tail -n 3 output.txt
}

sizes="10000 100000 1000000"
if [ "${BENCH_10M:-}" = 1 ]; then sizes="$sizes 10000000"; fi
for n in $sizes; do
	export UPSTREAM_DATABASE="sqlite:claims-$n.db"
	"$binary" customer create Bench >/dev/null
	measure "generate $n claims, SQLite" "$binary" generate-synthetic-data --records "$n" --customer 1
	"$binary" benchmark-drift --customer 1 --runs 9 --json "benchmark-$n.json"
	"$binary" rollup verify
done

"$binary" generate-synthetic-data --records 1000000 --random-ids --format csv --output claims.csv
export UPSTREAM_DATABASE="sqlite:ingest.db"
"$binary" customer create Bench >/dev/null
measure "ingest a CSV of 1000000 claims with random ids, SQLite" "$binary" ingest --customer 1 claims.csv
measure "the same again" "$binary" ingest --customer 1 claims.csv
"$binary" rollup verify

if [ -n "${UPSTREAM_TEST_POSTGRES:-}" ]; then
	export UPSTREAM_DATABASE="$UPSTREAM_TEST_POSTGRES"
	"$binary" customer create "Bench 1" >/dev/null
	measure "generate 1000000 claims, PostgreSQL" "$binary" generate-synthetic-data --records 1000000 --customer 1
	"$binary" benchmark-drift --customer 1 --runs 9
	"$binary" customer create "Bench 2" >/dev/null
	measure "ingest a CSV of 1000000 claims with random ids, PostgreSQL" "$binary" ingest --customer 2 claims.csv
	"$binary" rollup verify
fi
