#!/usr/bin/env bash
. "$(dirname "$0")/../../lib.sh"
within 10 http_has http://127.0.0.1:22002/ 'stored 4 files' || fail "it does not say that 4 files are stored"
c=$(container_of intake)
is_steady "$c" || fail "it does not stay up"
[[ $(docker exec "$c" id -u) != 0 ]] || fail "it runs as root"
for n in 1 2 3; do
    [[ $(vol_get ev-not-the-owner_inbox "received-$n.txt") == "letter $n" ]] || fail "letter $n is lost"
done
docker compose --project-directory "$project" up -d --force-recreate >/dev/null 2>&1 || true
within 10 http_has http://127.0.0.1:22002/ 'stored 4 files' || fail "it fails again after the next deployment"
bystander_ok ev-blog
solved
