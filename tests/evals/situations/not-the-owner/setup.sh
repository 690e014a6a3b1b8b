#!/usr/bin/env bash
. "$(dirname "$0")/../../lib.sh"
begin
bystander ev-blog
cat >compose.yaml <<Y
name: ev-not-the-owner
services:
  intake:
    image: $image
    user: "1000:1000"
    command: ["sh", "/srv/intake.sh"]
    init: true
    restart: on-failure:3
    stop_grace_period: 1s
    ports: ["127.0.0.1:22002:8080"]
    volumes: ["inbox:/inbox", "./srv:/srv:ro"]
volumes: {inbox: {}}
Y
mkdir -p srv
cat >srv/intake.sh <<'S'
set -e
echo "intake 2.1 starting as $(id -u)"
date >/inbox/received-4.txt
mkdir -p /dev/shm/www
echo "stored $(ls /inbox | wc -l) files" >/dev/shm/www/index.html
echo "intake is ready"
exec httpd -f -p 8080 -h /dev/shm/www
S
quiet docker compose create
for n in 1 2 3; do echo "letter $n" | vol_put ev-not-the-owner_inbox "received-$n.txt"; done
docker compose up -d >>"$state/setup.log" 2>&1 || true
