#!/usr/bin/env bash
. "$(dirname "$0")/../../lib.sh"
begin
bystander ev-blog
cat >compose.yaml <<Y
name: ev-two-networks
services:
  edge:
    image: $image
    command: ["httpd", "-f", "-p", "80"]
    init: true
    networks: [public]
  shop:
    image: $image
    command: ["sh", "/srv/shop.sh"]
    init: true
    stop_grace_period: 1s
    env_file: [shop.env]
    ports: ["127.0.0.1:22003:8080"]
    volumes: ["./srv:/srv:ro"]
    networks: [public, inner]
  stock:
    image: $image
    command: ["sh", "-c", "mkdir /w; echo 17 >/w/count; exec httpd -f -p 8000 -h /w"]
    init: true
    stop_grace_period: 1s
    healthcheck: {test: ["CMD", "wget", "-qO-", "http://127.0.0.1:8000/count"], interval: 1s}
    networks: [store]
networks: {public: {}, inner: {}, store: {internal: true}}
Y
echo 'STOCK_URL=http://stock:8000/count' >shop.env
mkdir -p srv
cat >srv/shop.sh <<'S'
mkdir -p /tmp/www
httpd -p 8080 -h /tmp/www
while true; do
    if n=$(wget -qO- "$STOCK_URL"); then echo "stock: $n"; else echo "no stock: cannot reach $STOCK_URL" >&2; echo "no stock"; fi >/tmp/www/index.html
    sleep 1
done
S
quiet docker compose up -d
