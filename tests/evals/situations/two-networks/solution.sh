#!/usr/bin/env bash
. "$(dirname "$0")/../../lib.sh"
cd "$project"
sed -i 's/networks: \[public, inner\]/networks: [public, inner, store]/' compose.yaml
docker compose up -d
