#!/usr/bin/env bash
. "$(dirname "$0")/../../lib.sh"
cd "$project"
sed -i 's/8080/9090/' compose.yaml
docker compose up -d
