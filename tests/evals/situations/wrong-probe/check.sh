#!/usr/bin/env bash
. "$(dirname "$0")/../../lib.sh"
within 10 http_has http://127.0.0.1:22007/ 'api says 42' || fail "front does not answer"
c=$(container_of api)
is_healthy "$c" || fail "api is not healthy"
docker exec "$c" sh -c 'mv /w/answer /w/away'
within 10 bash -c "[[ \$(docker inspect -f '{{.State.Health.Status}}' $c) == unhealthy ]]" || fail "the health check does not notice that the api does not answer"
docker exec "$c" sh -c 'mv /w/away /w/answer'
bystander_ok ev-blog
solved
