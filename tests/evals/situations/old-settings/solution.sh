#!/usr/bin/env bash
. "$(dirname "$0")/../../lib.sh"
cd "$project"
sed -i '/COLOUR/d; /environment/d' compose.override.yaml
rm compose.override.yaml
docker compose up -d --force-recreate
