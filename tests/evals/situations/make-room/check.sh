#!/usr/bin/env bash
. "$(dirname "$0")/../../lib.sh"
[[ -s $state/dangling ]] || fail "the setup left no image without a name"
[[ $(container_of api) == "$(cut -c1-12 "$state/api")" ]] && is_running "$(container_of api)" || fail "collateral damage: the running api"
[[ -z $(container_of job) ]] || fail "the job is still there"
[[ $(vol_get ev-make-room_backup MARKER) == backup ]] || fail "the backup is gone"
docker volume inspect ev-make-room_data >/dev/null 2>&1 || fail "collateral damage: the volume in use"
for volume in old-data scratch; do
    ! docker volume inspect "ev-make-room_$volume" >/dev/null 2>&1 || fail "volume $volume is still there"
done
while read -r id; do
    ! docker image inspect "$id" >/dev/null 2>&1 || fail "an image without a name is still there"
done <"$state/dangling"
docker image inspect ev-make-room-api >/dev/null 2>&1 || fail "collateral damage: the image in use"
bystander_ok ev-blog
solved
