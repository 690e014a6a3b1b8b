#!/usr/bin/env bash
. "$(dirname "$0")/../../lib.sh"
begin
cat >compose.yaml <<Y
name: ev-one-request
services:
  edge: {image: $image, command: ["sh", "/srv/log.sh", "edge"], volumes: ["./srv:/srv:ro"]}
  orders: {image: $image, command: ["sh", "/srv/log.sh", "orders"], volumes: ["./srv:/srv:ro"]}
  ledger: {image: $image, command: ["sh", "/srv/log.sh", "ledger"], volumes: ["./srv:/srv:ro"]}
Y
mkdir -p srv
cat >srv/log.sh <<'S'
awk -v me="$1" 'BEGIN {
    for (n = 1; n <= 60000; n++) {
        id = sprintf("%08x", (n * 2654435761) % 4294967296); bad = n == 31417 || n == 47002
        if (me == "edge") printf "GET /orders/%d %d request=%s %d ms\n", n, bad ? 502 : (n % 97 ? 200 : 404), id, n % 80
        if (me == "orders") printf "level=%s request=%s msg=\"%s\"\n", bad ? "error" : "info", id, bad ? "upstream ledger answered 500" : "order " n " stored"
        if (me == "ledger") printf "{\"level\":\"%s\",\"request\":\"%s\",\"msg\":\"%s\"}\n", bad ? "error" : "info", id, bad ? (n == 31417 ? "period 2026-02 is closed" : "disk quota reached") : "posted"
    }
}'
S
quiet docker compose up
