#!/usr/bin/env bash
. "$(dirname "$0")/../../lib.sh"
cd "$project"
sed -i 's/\r$//' srv/start.sh
docker compose up -d --force-recreate
