#!/usr/bin/env bash
. "$(dirname "$0")/../../lib.sh"
within 10 http_has http://127.0.0.1:22001/ Orders || fail "it does not answer"
is_steady "$(container_of web)" || fail "it does not stay up"
docker compose --project-directory "$project" up -d --force-recreate >/dev/null 2>&1 || true
within 10 http_has http://127.0.0.1:22001/ Orders || fail "it does not answer after the next deployment"
bystander_ok ev-blog
solved
