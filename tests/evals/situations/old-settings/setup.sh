#!/usr/bin/env bash
. "$(dirname "$0")/../../lib.sh"
begin
bystander ev-blog
cat >compose.yaml <<Y
name: ev-old-settings
services:
  page:
    image: $image
    command: ["sh", "/srv/page.sh"]
    init: true
    stop_grace_period: 1s
    environment: {COLOUR: "\${COLOUR}"}
    ports: ["127.0.0.1:22008:8080"]
    volumes: ["./page.sh:/srv/page.sh:ro", "./settings.conf:/srv/settings.conf:ro", "visitors:/visitors"]
volumes: {visitors: {}}
Y
printf 'services:\n  page:\n    environment: {COLOUR: blue}\n' >compose.override.yaml
echo COLOUR=blue >.env
echo 'greeting=Hello' >settings.conf
cat >page.sh <<'S'
. /srv/settings.conf
mkdir -p /w
httpd -p 8080 -h /w
while true; do echo "$greeting in $COLOUR, visitors: $(cat /visitors/count)" >/w/index.html; sleep 1; done
S
quiet docker compose create
echo 311 | vol_put ev-old-settings_visitors count
quiet docker compose up -d
# As editors do it: a new file takes the old one's place.
printf 'greeting="Good morning"\n' >settings.conf.new && mv settings.conf.new settings.conf
echo COLOUR=green >.env
quiet docker compose up -d
