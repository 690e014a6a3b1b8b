#!/usr/bin/env bash
. "$(dirname "$0")/../../lib.sh"
docker rm "$(container_of job)"
docker image prune -f --filter label=com.docker.compose.project=ev-make-room
docker volume rm ev-make-room_old-data ev-make-room_scratch
