#!/usr/bin/env bash
. "$(dirname "$0")/../../lib.sh"
begin
bystander ev-blog
cat >compose.yaml <<Y
name: ev-wrong-probe
services:
  api:
    image: $image
    command: ["sh", "-c", "mkdir /w; echo 42 >/w/answer; echo listening on \$\$PORT; exec httpd -f -p \$\$PORT -h /w"]
    init: true
    stop_grace_period: 1s
    env_file: [api.env]
    healthcheck: {test: ["CMD", "wget", "-qO-", "http://127.0.0.1:8080/answer"], interval: 1s, timeout: 1s, retries: 3}
  front:
    image: $image
    command: ["sh", "-c", "mkdir /w; echo \"front: api says \$\$(wget -qO- \$\$API)\" >/w/index.html; exec httpd -f -p 80 -h /w"]
    init: true
    stop_grace_period: 1s
    environment: {API: "http://api:9090/answer"}
    ports: ["127.0.0.1:22007:80"]
    depends_on: {api: {condition: service_healthy}}
Y
echo PORT=9090 >api.env
docker compose up -d >>"$state/setup.log" 2>&1 || true
