#!/bin/sh
# Installs what the tests run for real: PostgreSQL and Redis, from Debian's
# packages. CI calls it; a developer on Debian or Ubuntu may. What is there is
# left alone.
set -eu

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
