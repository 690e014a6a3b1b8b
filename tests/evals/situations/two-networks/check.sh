#!/usr/bin/env bash
. "$(dirname "$0")/../../lib.sh"
within 10 http_has http://127.0.0.1:22003/ 'stock: 17' || fail "the shop does not know the stock"
networks=$(of "$(container_of stock)" '{{range $k, $v := .NetworkSettings.Networks}}{{$k}} {{end}}')
[[ $networks != *public* ]] || fail "stock is on the network public"
docker exec "$(container_of edge)" wget -qO- http://stock:8000/count >/dev/null 2>&1 && fail "edge reaches the stock"
docker compose --project-directory "$project" up -d --force-recreate >/dev/null 2>&1 || true
within 15 http_has http://127.0.0.1:22003/ 'stock: 17' || fail "it is lost at the next deployment"
bystander_ok ev-blog
solved
