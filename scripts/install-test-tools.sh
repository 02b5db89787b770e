#!/bin/sh
# Installs what the tests run for real: PostgreSQL, from Debian's packages. CI
# calls it; a developer on Debian or Ubuntu may. What is there is left alone.
set -eu

as_root() {
	if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

have_postgres() {
	command -v initdb >/dev/null 2>&1 || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1
}

if ! have_postgres; then
	as_root apt-get update -q
	# No cluster of Debian's own: the tests make and remove theirs.
	as_root mkdir -p /etc/postgresql-common
	echo "create_main_cluster = false" | as_root tee /etc/postgresql-common/createcluster.conf >/dev/null
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends postgresql
fi
have_postgres
