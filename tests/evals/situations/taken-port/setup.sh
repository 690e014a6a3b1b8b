#!/usr/bin/env bash
. "$(dirname "$0")/../../lib.sh"
begin
bystander ev-wiki 22010
bystander ev-blog 22011
cat >compose.yaml <<Y
name: ev-taken-port
services:
  status:
    image: $image
    command: ["sh", "-c", "mkdir /w; echo \"all is well, see \$\$SELF_URL\" >/w/index.html; exec httpd -f -p 80 -h /w"]
    init: true
    stop_grace_period: 1s
    environment: {SELF_URL: "\${SELF_URL}"}
    ports: ["127.0.0.1:\${STATUS_PORT}:80"]
Y
printf 'STATUS_PORT=22010\nSELF_URL=http://127.0.0.1:22010/\n' >.env
docker compose up -d >>"$state/setup.log" 2>&1 || true
