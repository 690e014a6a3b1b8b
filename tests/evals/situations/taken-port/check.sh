#!/usr/bin/env bash
. "$(dirname "$0")/../../lib.sh"
[[ $(tr -d '[:space:]' <"$project/url.txt" 2>/dev/null) =~ ^http://(127.0.0.1|localhost):22012/?$ ]] || fail "url.txt does not name port 22012"
within 10 http_has http://127.0.0.1:22012/ 'see http://\(127.0.0.1\|localhost\):22012' || fail "it does not answer there, or SELF_URL is another one"
[[ $(of "$(container_of status)" '{{(index (index .HostConfig.PortBindings "80/tcp") 0).HostIp}}') == 127.0.0.1 ]] || fail "it is open to the network"
http_has http://127.0.0.1:22010/ 'ev-wiki is here' || fail "collateral damage: the wiki does not answer"
bystander_ok ev-wiki; bystander_ok ev-blog
solved
