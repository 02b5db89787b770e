#!/usr/bin/env bash
# The guide's targets against the demo: loadtest.sh UPSTREAM-BINARY [LOADTEST-OPTION...]
#
# Starts the demo server, with its claims in ./bench-out, has the load tester ask all
# endpoints at once at more than the guide's rates, and exits by the table: 0, 1 when
# requests failed, 98 when this machine was too slow to tell, 99 when a target was
# missed. RECORDS, RATE and TIME change its size.
set -euo pipefail
upstream=$(realpath "$1")
shift
cd "$(dirname "$0")/.."
out=$PWD/bench-out/loadtest
mkdir -p "$out"
host=${HOST:-http://localhost:8720}
export UPSTREAM_DATABASE=sqlite:$out/demo.db

"$upstream" demo --records "${RECORDS:-250000}" --listen "${host#http://}" >"$out/demo.txt" 2>&1 &
server=$!
trap 'kill $server 2>/dev/null; wait $server 2>/dev/null || true' EXIT
echo "starting the demo server"
until curl -sf "$host/readyz" >/dev/null; do
	kill -0 $server 2>/dev/null || { cat "$out/demo.txt" >&2; exit 1; }
	sleep .2
done
"$upstream" loadtest --headless --host "$host" --arrival-rate "${RATE:-4000}" --run-time "${TIME:-30s}" --only-summary \
	--json "$out/result.json" --html "$out/report.html" --junit "$out/targets.xml" --summary "$out/summary.md" "$@"
