#!/usr/bin/env python3
"""What a call costs beside the bare command line and the raw socket, in one interleaved run.

    . "$(tests/engine up main)" && tests/bench/calls.py "$(./start.sh build)" [ROUNDS]

Makes a compose project of three services in a folder of its own and removes it again. For each
operation: the server and `docker` in turn, ROUNDS times (default 15); the median and the 95th
percentile in milliseconds, their ratio, and the processor time of a call, with that of the docker
processes that it starts. `first` is a read after a change, `again` one after which nothing happened.
The floor is one GET over the socket, which this server never opens. Run it on a quiet machine: the
server answers from its cache only while a processor is free.
"""
import http.client
import json
import os
import pathlib
import socket
import statistics
import subprocess
import sys
import tempfile
import time

IMAGE = os.environ.get("DOCKER_MCP_TEST_IMAGE", "docker-mcp-test:1")
PROJECT = "bench-calls"
SERVICE = "trap exit TERM; while :; do sleep 1 & wait; done"
TICK = os.sysconf("SC_CLK_TCK")


class Server:
    def __init__(self, program, folder):
        self.process = subprocess.Popen(
            [program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=folder
        )
        self.id = 0
        info = {"name": "bench", "version": "1"}
        self.ask("initialize", {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": info})
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
        assert not result.get("isError"), f"{tool}: {result}"
        return result

    def cpu(self):
        """Of it and of the children that it has waited for, in milliseconds."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(") ", 1)[1].split()
        return sum(map(int, fields[11:15])) * 1000 / TICK


class Socket(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost")
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)

    def get(self, path):
        self.request("GET", path)
        return self.getresponse().read()


def docker(*arguments):
    subprocess.run(["docker", *arguments], check=True, capture_output=True)


def timed(work):
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


def told(times):
    return f"{statistics.median(times):.1f} / {sorted(times)[int(len(times) * 0.95)]:.1f}"


def main():
    program, rounds = os.path.abspath(sys.argv[1]), int((sys.argv + [15])[2])
    with tempfile.TemporaryDirectory() as folder:
        services = "".join(
            f"  s{n}:\n    image: {IMAGE}\n    command: [sh, -c, '{SERVICE}']\n" for n in range(3)
        )
        pathlib.Path(folder, "compose.yaml").write_text(f"name: {PROJECT}\nservices:\n{services}")
        server = Server(program, folder)
        server.call("deploy-compose", {"project_name": PROJECT})
        # Until it listens to events and knows where compose is.
        time.sleep(5)
        try:
            measure(server, folder, rounds)
        finally:
            server.call("compose-down", {"project_name": PROJECT})


def measure(server, folder, rounds):
    one, two = f"{PROJECT}-s0-1", f"{PROJECT}-s1-1"
    compose = ["compose", "--project-directory", folder]

    def change():
        docker("pause", two)
        docker("unpause", two)

    operations = [
        ("list-containers, again", None, "list-containers", {"all": True}, ["ps", "--all"]),
        ("list-containers, first", change, "list-containers", {"all": True}, ["ps", "--all"]),
        ("inspect-container, again", None, "inspect-container", {"container_name": one}, ["inspect", one]),
        ("list-images, again", None, "list-images", {}, ["images"]),
        ("list-all-resources, again", None, "list-all-resources", {}, ["ps"]),
        ("compose-ps, again", None, "compose-ps", {"project_name": PROJECT}, [*compose, "ps"]),
        ("compose-ps, first", change, "compose-ps", {"project_name": PROJECT}, [*compose, "ps"]),
        ("get-logs, 100 lines", None, "get-logs", {"container_name": one}, ["logs", "--tail", "100", one]),
        ("exec-container", None, "exec-container", {"container_name": one, "command": ["true"]}, ["exec", one, "true"]),
        (
            "compose-exec",
            None,
            "compose-exec",
            {"project_name": PROJECT, "service": "s0", "command": ["true"]},
            [*compose, "exec", "-T", "s0", "true"],
        ),
        ("deploy-compose, unchanged", None, "deploy-compose", {"project_name": PROJECT}, [*compose, "up", "-d"]),
        ("diagnose of the project", None, "diagnose", {"project_name": PROJECT}, ["ps"]),
    ]
    print("| operation | server, ms (median / p95) | docker, ms | ratio | processor, ms |")
    print("| --- | --- | --- | --- | --- |")
    for name, before, tool, arguments, command in operations:
        ours, theirs, used = [], [], 0.0
        server.call(tool, arguments)
        for _ in range(rounds):
            if before:
                before()
            began = server.cpu()
            ours.append(timed(lambda: server.call(tool, arguments)))
            used += server.cpu() - began
            theirs.append(timed(lambda: docker(*command)))
        ratio = statistics.median(ours) / statistics.median(theirs)
        print(f"| {name} | {told(ours)} | {told(theirs)} | {ratio:.2f} | {used / rounds:.1f} |", flush=True)
    host = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    if host.startswith("unix://"):
        raw = Socket(host.removeprefix("unix://"))
        floor = [timed(lambda: raw.get("/containers/json?all=1")) for _ in range(rounds)]
        print(f"\nOne list over the socket: {told(floor)} ms.")
    at_once = 50
    single = statistics.median(timed(lambda: server.call("list-containers", {"all": True})) for _ in range(rounds))
    together = timed(lambda: many(server, at_once))
    print(f"\n{at_once} lists at once: {together:.1f} ms, one: {single:.1f} ms.")


def many(server, count):
    first = server.id + 1
    for _ in range(count):
        server.id += 1
        params = {"name": "list-containers", "arguments": {"all": True}}
        server.send({"jsonrpc": "2.0", "id": server.id, "method": "tools/call", "params": params})
    left = set(range(first, server.id + 1))
    while left:
        left.discard(json.loads(server.process.stdout.readline()).get("id"))


if __name__ == "__main__":
    main()
