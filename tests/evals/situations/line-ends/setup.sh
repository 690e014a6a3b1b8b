#!/usr/bin/env bash
. "$(dirname "$0")/../../lib.sh"
begin
bystander ev-blog
cat >compose.yaml <<Y
name: ev-line-ends
services:
  web:
    image: $image
    entrypoint: ["/srv/start.sh"]
    init: true
    restart: unless-stopped
    stop_grace_period: 1s
    ports: ["127.0.0.1:22001:80"]
    volumes: ["./srv:/srv:ro"]
Y
mkdir -p srv/www
echo "<h1>Orders</h1>" >srv/www/index.html
printf '#!/bin/sh\r\necho "orders are served"\r\nexec httpd -f -p 80 -h /srv/www\r\n' >srv/start.sh
chmod +x srv/start.sh
docker compose up -d >>"$state/setup.log" 2>&1 || true
