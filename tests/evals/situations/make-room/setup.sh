#!/usr/bin/env bash
. "$(dirname "$0")/../../lib.sh"
begin
bystander ev-blog
cat >compose.yaml <<Y
name: ev-make-room
services:
  api:
    image: ev-make-room-api
    build:
      context: .
      labels: {com.docker.compose.project: ev-make-room}
    init: true
    stop_grace_period: 1s
    volumes: ["data:/data"]
  job:
    image: ev-make-room-api
    command: ["true"]
    depends_on: [api]
volumes: {data: {}}
Y
for version in 1 2 3; do
    printf 'FROM %s\nRUN echo %s >/version && head -c 1000000 /dev/urandom >/blob\nCMD ["sleep", "100000"]\n' "$image" "$version" >Dockerfile
    quiet docker compose build api
done
quiet docker compose up -d
docker compose wait job >/dev/null 2>&1 || true
for volume in backup old-data scratch; do
    quiet docker volume create --label com.docker.compose.project=ev-make-room "ev-make-room_$volume"
    echo "$volume" | vol_put "ev-make-room_$volume" MARKER
done
of "$(container_of api)" '{{.Id}}' >"$state/api"
docker image ls -q --no-trunc --filter dangling=true --filter label=com.docker.compose.project=ev-make-room >"$state/dangling"
