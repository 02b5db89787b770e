#!/usr/bin/env bash
# The load tester itself, measured: bench-load.sh UPSTREAM-BINARY
#
# Three things, against a server that answers 1 kB to whatever is asked: whether what
# it tells is true where a server stalls; requests for each second of processor time
# the generator takes, beside other generators in the same run (those that are
# installed: wrk, hey, locust, k6) and bare loops that count nothing; what ten million requests and ten thousand users
# take. QUICK=1 leaves out the long ones.
set -euo pipefail
upstream=$(realpath "$1")
cd "$(dirname "$0")/.."
out=$PWD/bench-out/load
mkdir -p "$out"
server=127.0.0.1:8712
host=http://$server
go build -o "$out/loadserver" scripts/loadserver.go
go build -o "$out/loadbare" scripts/loadbare.go
pid=
trap '[ -z "$pid" ] || kill $pid 2>/dev/null' EXIT
start() { # server options
	[ -z "$pid" ] || { kill "$pid"; wait "$pid" 2>/dev/null || true; }
	! curl -sf "$host/served" >/dev/null || { echo "another server listens at $server" >&2; exit 1; }
	"$out/loadserver" -listen "$server" "$@" 2>"$out/server.log" &
	pid=$!
	for _ in $(seq 50); do curl -sf "$host/served" >/dev/null && break; sleep .1; done
}
field() { python3 -c 'import json, sys; r = json.load(open(sys.argv[1])); print(eval(sys.argv[2], {"r": r, "total": r["total"]}))' "$1" "$2"; }
load() { "$upstream" loadtest --headless --host "$host" --only-summary --json "$out/result.json" "$@" 2>"$out/load.log" || true; }

echo "a server that stalls 200 ms every 2 s, 500 a second: truth p95 100 ms, p99 180 ms"
printf '%-8s %8s %9s %9s %9s %12s %9s %9s\n' engine workers requests p95 p99 "service p99" "slip p99" server
for engine in std fast; do
	for users in 300 10; do
		start -stall 200ms -every 2s
		load --engine "$engine" -u "$users" -T health --arrival-rate 500 -t 20s --seed 1
		printf '%-8s %8s %9s %9s %9s %12s %9s %9s\n' "$engine" "$users" $(field "$out/result.json" \
			'"%d %.1f %.1f %.1f %.2f" % (total["requests"], total["response_ms"]["p95"], total["response_ms"]["p99"], total["service_ms"]["p99"], r["slip_ms_p99"])') "$(curl -s "$host/served")"
	done
done

# cost NAME COMMAND...: requests for each second of processor time, by the server's count.
cost() {
	local name=$1 before after
	shift
	before=$(curl -s "$host/served")
	/usr/bin/env bash -c 'TIMEFORMAT="%U %S"; time "$@" >"$0" 2>&1' "$out/$name.txt" "$@" 2>"$out/$name.time" || true
	after=$(curl -s "$host/served")
	awk -v name="$name" -v n=$((after - before)) '{ printf "%-24s %10d %12.0f\n", name, n, n / ($1 + $2) }' "$out/$name.time"
}
echo
echo "50 users without waits, 1 kB answers, 10 s"
printf '%-24s %10s %12s\n' generator requests "per CPU s"
start
cat >"$out/locustfile.py" <<'PY'
from locust import HttpUser, constant, task
from locust.contrib.fasthttp import FastHttpUser


class Http(HttpUser):
    wait_time = constant(0)

    @task
    def get(self):
        self.client.get("/api/v1/health/")


class Fast(FastHttpUser):
    wait_time = constant(0)

    @task
    def get(self):
        self.client.get("/api/v1/health/")
PY
cat >"$out/k6.js" <<'JS'
import http from 'k6/http';
export const options = { vus: 50, duration: '10s' };
export default function () { http.get(`${__ENV.HOST}/api/v1/health/`); }
JS
cost upstream-std "$upstream" loadtest --headless --host "$host" -u 50 -r 1000 -T health --no-wait -t 10s --only-summary
cost upstream-fast "$upstream" loadtest --headless --host "$host" -u 50 -r 1000 -T health --no-wait -t 10s --only-summary --engine fast
cost bare-net-http "$out/loadbare" -engine std -host "$host"
cost bare-fasthttp "$out/loadbare" -engine fast -host "$host"
! command -v wrk >/dev/null || cost wrk wrk -t1 -c50 -d10s "$host/api/v1/health/"
! command -v hey >/dev/null || cost hey hey -c 50 -z 10s "$host/api/v1/health/"
! command -v k6 >/dev/null || HOST=$host cost k6 k6 run -q "$out/k6.js"
if command -v locust >/dev/null; then
	cost locust-http locust -f "$out/locustfile.py" --headless --only-summary -H "$host" -u 50 -r 50 -t 10s Http
	cost locust-fasthttp locust -f "$out/locustfile.py" --headless --only-summary -H "$host" -u 50 -r 50 -t 10s Fast
fi
[ -z "${QUICK:-}" ] || exit 0

echo
echo "memory over ten million requests, fast engine, in MB each ten seconds"
start
"$upstream" loadtest --headless --host "$host" -u 50 -r 1000 -T health --no-wait --engine fast -t 1h --only-summary --json "$out/long.json" 2>"$out/long.log" &
generator=$!
while [ "$(curl -s "$host/served")" -lt 10000000 ] && kill -0 $generator 2>/dev/null; do
	sleep 10
	printf '%s ' "$(awk '/VmRSS/ { print int($2 / 1024) }' /proc/$generator/status)"
done
kill -INT $generator
wait $generator || true
field "$out/long.json" '"\n%d requests, %d failures" % (total["requests"], total["failures"])'

echo
echo "10,000 users with waits of 1 to 3 s, the generator on one core"
start
ulimit -n "$(ulimit -Hn)"
GOMAXPROCS=1 load -u 10000 -r 1000 -T health -t 40s
field "$out/result.json" '"%d requests, %.0f a second, %d failures, slip p99 %.2f ms, %.0f %% of a core" % (total["requests"], total["rps"], total["failures"], r["slip_ms_p99"], 100 * r["generator_cpu"])'
