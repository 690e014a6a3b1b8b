#!/usr/bin/env python3
"""What get-logs costs on a container that has logged much, beside the bare docker client.

    . "$(tests/engine up main)"
    tests/bench/logs.py "$(./start.sh build)" [MEGABYTES]

Makes a container with so much log (default 1000 MB) from DOCKER_MCP_TEST_IMAGE, or uses one that an
earlier run has left with KEEP=1. Prints for several questions the time of the answer, that of the
bare client's `logs` with the same options, the ratio (medians of ROUNDS, in turn), and the most memory
that the server held. Budgets: ratio 1.2, 50 MB.
"""
import json
import os
import statistics
import subprocess
import sys
import time

NAME = "docker-mcp-bench-logs"
IMAGE = os.environ.get("DOCKER_MCP_TEST_IMAGE", "docker-mcp-test:1")
ROUNDS = int(os.environ.get("ROUNDS", "5"))
# Arguments of get-logs, and what docker is asked for with them.
QUESTIONS = [
    ("the last 100 lines", {}, ["--tail=100"]),
    ("the last 10,000 lines", {"tail": 10000}, ["--tail=10000"]),
    ("a search in all lines", {"grep": "number 99[0-9]*7 "}, []),
    ("the first line that fits", {"grep": "number 500[0-9]*7 ", "first": 1}, []),
    ("the lines of an hour", {"since": "1h", "tail": 1000}, ["--since=1h"]),
]


def docker(*words):
    return subprocess.run(["docker", *words], check=True, capture_output=True, text=True).stdout.strip()


def make(megabytes):
    if NAME in docker("ps", "--all", "--format={{.Names}}").split():
        return
    # 100 bytes a line; docker writes some 80 more to its file for each.
    line = "this is line number %s of a log that somebody has let grow for far too long without a limit, 100 b"
    script = f"seq {megabytes * 10000} | awk '{{printf \"{line}\\n\", $1}}'"
    docker("run", "--detach", "--name", NAME, IMAGE, "sh", "-c", script)
    docker("wait", NAME)


class Server:
    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.id = 0
        self.ask("initialize", {
            "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"},
        })
        self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def send(self, message):
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()

    def ask(self, method, params):
        self.id += 1
        self.send({"jsonrpc": "2.0", "id": self.id, "method": method, "params": params})
        while True:
            answer = json.loads(self.process.stdout.readline())
            if answer.get("id") == self.id:
                return answer["result"]

    def call(self, tool, arguments):
        result = self.ask("tools/call", {"name": tool, "arguments": arguments})
        assert not result.get("isError"), result
        return result["content"][0]["text"]

    def memory(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            return int(next(line for line in status if line.startswith("VmHWM")).split()[1]) / 1024

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def timed(act):
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def main():
    program = sys.argv[1]
    make(int(sys.argv[2]) if len(sys.argv) > 2 else 1000)
    size = docker("inspect", "--format={{.LogPath}}", NAME)
    if os.access(size, os.R_OK):
        print(f"log file  {os.path.getsize(size):,} bytes")
    server = Server(program)
    print(f"idle      {server.memory():.1f} MB resident at most")
    for name, arguments, options in QUESTIONS:
        ours, bare = [], []
        for _ in range(ROUNDS):
            ours.append(timed(lambda: server.call("get-logs", {"container_name": NAME, **arguments})))
            # The server looks at the container first, as everybody has to who wants to tell its state.
            bare.append(timed(lambda: (docker("inspect", NAME), docker("logs", *options, "--", NAME))))
        ours, bare = statistics.median(ours), statistics.median(bare)
        print(f"{name:26} {ours * 1000:7.0f} ms, docker {bare * 1000:7.0f} ms, ratio {ours / bare:.2f};"
              f" {server.memory():.1f} MB resident at most")
    server.end()
    if not os.environ.get("KEEP"):
        docker("rm", "--force", NAME)


main()
