#!/usr/bin/env bash
. "$(dirname "$0")/../../lib.sh"
cd "$project"
sed -i 's/22010/22012/' .env
docker compose up -d
echo http://127.0.0.1:22012/ >url.txt
