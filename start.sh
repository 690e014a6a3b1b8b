#!/usr/bin/env bash
# Builds docker-mcp-server when needed and becomes it; standard output carries only the protocol.
#
#   ./start.sh [FLAGS…]     serve (flags and commands are the server's own: ./start.sh --help)
#   ./start.sh demo         show a real session on real containers
#   ./start.sh build        build only, and print the path of the binary
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

# On Linux the binary is static. Proc macros cannot be, so the target is always named.
host=$(rustc -vV | sed -n 's/^host: //p')
[[ $host == *-linux-gnu ]] && export RUSTFLAGS="${RUSTFLAGS:-} -C target-feature=+crt-static"
binary="${CARGO_TARGET_DIR:-target}/$host/release/docker-mcp-server"

build() {
    if [[ ! -x $binary || -n $(find src Cargo.toml Cargo.lock -newer "$binary" -print -quit) ]]; then
        cargo build --release --quiet --locked --target "$host" >&2
        touch "$binary"
    fi
}

# A docker that works, or a private one; sets DEMO_IMAGE to an image that it has or can pull.
provide_engine() {
    local settings
    if ! docker version --format '{{.Server.Version}}' >/dev/null 2>&1; then
        settings=$(tests/engine up main)
        # shellcheck source=/dev/null
        . "$settings"
    fi
    # The private engines have an image of their own, because they may have no way to a registry.
    if docker image inspect docker-mcp-test:1 >/dev/null 2>&1; then
        export DEMO_IMAGE=docker-mcp-test:1
    fi
}

case "${1:-}" in
    demo)
        provide_engine
        build
        # The example is not part of the release: it needs no static linking.
        exec env -u RUSTFLAGS cargo run --quiet --locked --example demo -- "$binary"
        ;;
    build)
        build
        echo "$binary"
        ;;
    *)
        build
        exec "$binary" "$@"
        ;;
esac
