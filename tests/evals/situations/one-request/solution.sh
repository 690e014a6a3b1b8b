#!/usr/bin/env bash
. "$(dirname "$0")/../../lib.sh"
docker logs "$(container_of edge)" >"$state/edge"
id=$(awk '$3 == 502 {sub("request=", "", $4); print $4; exit}' "$state/edge")
printf '%s\nledger\nperiod 2026-02 is closed\n' "$id" >"$project/answer.txt"
