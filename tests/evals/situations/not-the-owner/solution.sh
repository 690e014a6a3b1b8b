#!/usr/bin/env bash
. "$(dirname "$0")/../../lib.sh"
docker run --rm --network none -v ev-not-the-owner_inbox:/v "$image" chown -R 1000:1000 /v
cd "$project"
docker compose up -d
