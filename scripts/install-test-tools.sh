#!/bin/sh
# Installs what the tests run for real: PostgreSQL, Redis, Locust and Chromium, from
# Debian's packages, a recent Locust from PyPI, and npm, which bundles the page that
# Chromium is to show. CI calls it; a developer on Debian or Ubuntu may. What is there
# is left alone.
set -eu
cd "$(dirname "$0")/.."

as_root() {
	if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

install() {
	as_root apt-get update -q
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$1"
}

have_postgres() {
	command -v initdb >/dev/null 2>&1 || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1
}

have_redis() {
	command -v redis-server >/dev/null 2>&1
}

have_locust() {
	command -v locust >/dev/null 2>&1 || [ -x bin/locust ]
}

have_npm() {
	command -v npm >/dev/null 2>&1
}

have_chromium() {
	command -v chromium >/dev/null 2>&1
}

if ! have_postgres; then
	# No cluster of Debian's own: the tests make and remove theirs.
	as_root mkdir -p /etc/postgresql-common
	echo "create_main_cluster = false" | as_root tee /etc/postgresql-common/createcluster.conf >/dev/null
	install postgresql
fi
have_postgres

if ! have_redis; then
	# No service of Debian's own: the tests start and stop theirs. 101 tells the
	# package that its service is not to be started.
	policy=/usr/sbin/policy-rc.d
	if [ ! -e $policy ]; then
		printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null
		as_root chmod +x $policy
		trap 'as_root rm -f $policy' EXIT
	fi
	install redis-server
	if [ -d /run/systemd/system ]; then as_root systemctl disable --now redis-server; fi
fi
have_redis

# Two versions of Locust, whose masters our workers work for: Debian's and a recent one,
# where PyPI can be reached. That goes into a cache, so that CI may keep it; ./bin is in
# the PATH of make.
recent_locust() {
	venv=${XDG_CACHE_HOME:-$HOME/.cache}/upstream/locust-2.47.0
	if ! [ -x "$venv/bin/locust" ]; then
		python3 -c 'import ensurepip' 2>/dev/null || install python3-venv
		python3 -m venv "$venv" && "$venv/bin/pip" install -q locust==2.47.0 || return 1
	fi
	mkdir -p bin
	ln -sf "$venv/bin/locust" bin/locust-recent
	bin/locust-recent --version
}
recent_locust || echo "A RECENT LOCUST CAN'T BE INSTALLED: tests with its master are left out" >&2

if ! have_locust; then
	as_root apt-get update -q
	if apt-cache policy python3-locust | grep -q 'Candidate: [0-9]'; then
		install python3-locust
	else
		ln -sf locust-recent bin/locust
	fi
fi
have_locust

if ! have_npm; then install npm; fi
have_npm

if ! have_chromium; then install chromium; fi
have_chromium
