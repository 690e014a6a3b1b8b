#!/usr/bin/env python3
"""How soon the server answers after exec, and what it holds in memory when idle.

    tests/bench/start.py "$(./start.sh build)"

Prints the size of the binary, the time from exec to the answer of `initialize` (best and median of
50), the same for a program that does nothing, and the resident memory after one call and a second.
"""
import json
import os
import statistics
import subprocess
import sys
import time

REQUEST = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}},
}
LINE = json.dumps(REQUEST).encode() + b"\n"


def start(program):
    began = time.perf_counter()
    server = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    server.stdin.write(LINE)
    server.stdin.flush()
    answer = json.loads(server.stdout.readline())
    took = (time.perf_counter() - began) * 1000
    assert answer["result"]["serverInfo"]["name"] == "docker-mcp-server", answer
    return server, took


def end(server):
    server.stdin.close()
    server.wait()


def nothing():
    began = time.perf_counter()
    subprocess.run(["true"], check=True)
    return (time.perf_counter() - began) * 1000


def main():
    program = sys.argv[1]
    times, floor = [], []
    for _ in range(50):
        server, took = start(program)
        end(server)
        times.append(took)
        floor.append(nothing())
    print(f"size      {os.path.getsize(program):,} bytes")
    print(f"answer    best {min(times):.1f} ms, median {statistics.median(times):.1f} ms")
    print(f"`true`    best {min(floor):.1f} ms, median {statistics.median(floor):.1f} ms")
    server, _ = start(program)
    server.stdin.write(b'{"jsonrpc":"2.0","method":"notifications/initialized"}\n')
    call = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "list-containers", "arguments": {}}}
    server.stdin.write(json.dumps(call).encode() + b"\n")
    server.stdin.flush()
    server.stdout.readline()
    time.sleep(1)
    with open(f"/proc/{server.pid}/status", encoding="ascii") as status:
        print(*(line.strip() for line in status if line.startswith(("VmRSS", "VmHWM"))), sep="\n")
    end(server)


main()
