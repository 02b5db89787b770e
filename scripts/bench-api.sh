#!/usr/bin/env bash
# The API's speed: bench-api.sh UPSTREAM-BINARY [DATABASE-URL] [CLAIMS]
#
# Serves a database of a million claims, which it makes where it is new, and asks
# with wrk on the same machine: each endpoint alone, beside a bare net/http handler
# that sends the same bytes; then all at once at the rates of the guide, alone and
# beside a bulk load. wrk comes from Debian's packages.
set -euo pipefail
upstream=$(realpath "$1")
cd "$(dirname "$0")/.."
out=$PWD/bench-out/api
mkdir -p "$out/bodies"
export UPSTREAM_DATABASE=${2:-sqlite:$out/bench.db}
claims=${3:-1000000}
seconds=${SECONDS_EACH:-8}
host=http://127.0.0.1:8710
bare=http://127.0.0.1:8711

command -v wrk >/dev/null || { echo "install wrk first: apt-get install wrk" >&2; exit 1; }
if ! "$upstream" customer list --json | grep -q '"API bench"'; then
	id=$("$upstream" customer create "API bench" --json | sed -n 's/.*"id": \([0-9]*\).*/\1/p')
	"$upstream" generate-synthetic-data --records "$claims" --customer "$id"
	"$upstream" detect-drift --customer "$id" --json >/dev/null
	echo "correct horse battery" | "$upstream" user create bench --customer "$id" --role analyst --password-file -
fi
customer=$("$upstream" user list --json | tr -d '\n ' | grep -o '"username":"bench","customer":[0-9]*' | grep -o '[0-9]*$')

go build -o "$out/bare" scripts/bare.go
"$upstream" serve --listen 127.0.0.1:8710 --admin off --rate-limit off --drain 0s 2>"$out/serve.log" &
server=$!
trap 'kill $server ${ceiling:-} 2>/dev/null; wait 2>/dev/null || true' EXIT
for _ in $(seq 100); do curl -sf "$host/readyz" >/dev/null && break; sleep .1; done
curl -sf "$host/api/v1/auth/token/" -H 'Content-Type: application/json' -d '{"username":"bench","password":"correct horse battery"}' |
	sed 's/.*"access":"\([^"]*\)".*/\1/' >"$out/token"
token=$(cat "$out/token")
get() { curl -sf -H "Authorization: Bearer $token" "$host/api/v1/$1"; }
cat >"$out/percentiles.lua" <<'LUA'
done = function(_, latency, _)
	io.write(string.format("p95 %.1fms\np99 %.1fms\n", latency:percentile(95) / 1000, latency:percentile(99) / 1000))
end
LUA
ask() { wrk -t2 -c32 -d"${seconds}s" -s "$out/percentiles.lua" -H "Authorization: Bearer $token" "$1"; }
percentile() { awk -v p="$1" '$1 == p { print $2 }' "$2"; }
rss() { awk '/VmRSS/ { print int($2 / 1024) " MB" }' "/proc/$server/status"; }

# The last page by cursor, found by walking the whole list.
last=$(python3 - "$host" "$token" <<'PY'
import json, sys, urllib.request
host, token = sys.argv[1:]
def get(path):
    return json.load(urllib.request.urlopen(urllib.request.Request(host + path, headers={"Authorization": "Bearer " + token})))
page, seen = get("/api/v1/claims/?page_size=500"), 0
count, before = page["count"], None
while True:
    seen += len(page["results"])
    if not page["next"]:
        break
    before = page["next"]
    page = get(before)
if seen != count:
    sys.exit(f"walked {seen} of {count} claims")
print(before.replace("/api/v1/", "").replace("page_size=500", "page_size=50"))
PY
)
cat >"$out/endpoints" <<END
health health/
dashboard dashboard/
drift-feed drift-events/
payer-summary claims/payer_summary/
claims-page-1 claims/
claims-page-100 claims/?page=100
claims-last-by-cursor $last
claims-of-a-payer claims/?payer=Aetna
END
while read -r name path; do get "$path" >"$out/bodies/$name"; done <"$out/endpoints"
"$out/bare" 127.0.0.1:8711 "$out/bodies" &
ceiling=$!
sleep .5

echo "each alone, 32 connections, $seconds s"
printf '%-28s %10s %9s %9s %10s %6s\n' endpoint requests/s p95 p99 bare/s ratio
while read -r name path; do
	ask "$host/api/v1/$path" >"$out/$name.txt"
	ask "$bare/$name" >"$out/$name.bare.txt"
	grep -q 'Non-2xx' "$out/$name.txt" && { cat "$out/$name.txt" >&2; exit 1; }
	awk -v name="$name" -v p95="$(percentile p95 "$out/$name.txt")" -v p99="$(percentile p99 "$out/$name.txt")" '
		/Requests\/sec/ { r[FNR == NR ? 0 : 1] = $2; if (FNR == NR) a = $2; else b = $2 }
		END { printf "%-28s %10.0f %9s %9s %10.0f %6.2f\n", name, a, p95, p99, b, a / b }' "$out/$name.txt" "$out/$name.bare.txt"
done <"$out/endpoints"
kill $ceiling
echo "memory of the server: $(rss)"

# At 3,400 a second the guide's users ask each endpoint at least as often as the guide.
together() {
	"$upstream" loadtest --headless --host "$host" --username bench --password "correct horse battery" \
		--arrival-rate 3400 --run-time 15s --only-summary --exit-code-on-error 0 --json "$out/together.json" 2>"$out/together.txt" || true
	python3 - "$out/together.json" <<'PY'
import json, sys
r = json.load(open(sys.argv[1]))
print("%-34s %6s %8s %8s %8s %8s" % ("endpoint", "a sec", "failed", "p50", "p95", "p99"))
for e in r["endpoints"]:
    s = e["steady"]
    if s["requests"]:
        print("%-34s %6.0f %8d %8.2f %8.2f %8.2f" % (e["name"], s["rps"], s["failures"], s["p50_ms"]["at"], s["p95_ms"]["at"], s["p99_ms"]["at"]))
print(r["exit_reason"], "The generator's own lateness: p99 %.2f ms." % r["slip_ms_p99"])
PY
}
echo
echo "all at once, above the guide's rates"
together
echo
echo "the same beside a bulk load of the same customer"
"$upstream" generate-synthetic-data --records 1000000 --customer "$customer" --seed "$RANDOM" >"$out/load.txt" 2>&1 &
load=$!
together
wait $load
tail -1 "$out/load.txt"
echo "memory of the server: $(rss)"
