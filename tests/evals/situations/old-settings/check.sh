#!/usr/bin/env bash
. "$(dirname "$0")/../../lib.sh"
url=http://127.0.0.1:22008/
within 10 http_has $url 'Good morning' || fail "the greeting is the old one"
http_has $url 'in green' || fail "the colour is the old one"
http_has $url 'visitors: 311' || fail "the visitors are lost"
docker compose --project-directory "$project" up -d >/dev/null 2>&1 || true
within 10 http_has $url 'Good morning in green, visitors: 311' || fail "it is lost at the next deployment"
bystander_ok ev-blog
solved
