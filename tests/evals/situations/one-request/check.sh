#!/usr/bin/env bash
. "$(dirname "$0")/../../lib.sh"
docker logs "$(container_of edge)" >"$state/edge"
id=$(awk '$3 == 502 {sub("request=", "", $4); print $4; exit}' "$state/edge")
[[ -s $project/answer.txt ]] || fail "there is no answer.txt"
{ read -r a; read -r b; read -r c; } <"$project/answer.txt" || true
[[ $a == *"$id"* ]] || fail "the request is $id, not $a"
[[ $b == *ledger* ]] || fail "the service is ledger, not $b"
[[ $c == *"period 2026-02 is closed"* ]] || fail "the reason is another one than $c"
solved
