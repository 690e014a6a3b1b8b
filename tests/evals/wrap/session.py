#!/usr/bin/env python3
"""session.py start|stop: holds one MCP session with the server, for `dm`.

Environment: DMS_BIN (the server's binary; DMS_ARGS: further arguments), DMS_CWD (the project folder, where
the server is started), DM_SOCK (the unix socket that `dm` talks to), DOCKER_HOST/DOCKER_CONFIG/PATH for docker.
One request a connection: a JSON line {method, params}; one answer: {result} or {error}.
"""
import json, os, queue, shlex, signal, socket, subprocess, sys, threading, time

SOCK = os.environ["DM_SOCK"]

def serve():
    cwd = os.environ["DMS_CWD"]
    env = {k: v for k, v in os.environ.items() if k not in ("AGENT_LOG", "DM_SOCK", "DMS_BIN", "DMS_CWD", "DMS_ARGS")}
    env["CLAUDE_PROJECT_DIR"] = cwd
    p = subprocess.Popen([os.environ["DMS_BIN"], *shlex.split(os.environ.get("DMS_ARGS", ""))], cwd=cwd, env=env,
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=open(SOCK + ".stderr", "ab"))
    lock, waiting, count = threading.Lock(), {}, [0]
    def send(m):
        with lock: p.stdin.write((json.dumps(m) + "\n").encode()); p.stdin.flush()
    def reader():
        for raw in p.stdout:
            try: m = json.loads(raw)
            except ValueError: continue
            if "method" in m and "id" in m:  # a request of the server
                if m["method"] == "roots/list": send({"jsonrpc": "2.0", "id": m["id"], "result": {"roots": [{"uri": "file://" + cwd, "name": os.path.basename(cwd)}]}})
                elif m["method"] == "ping": send({"jsonrpc": "2.0", "id": m["id"], "result": {}})
                else: send({"jsonrpc": "2.0", "id": m["id"], "error": {"code": -32601, "message": "not supported"}})
            elif m.get("id") in waiting: waiting[m["id"]].put(m)
        for q in list(waiting.values()): q.put({"error": {"message": "the server has ended"}})
        os.path.exists(SOCK) and os.unlink(SOCK)
        os._exit(1)
    def request(method, params, timeout=1200):
        with lock: count[0] += 1; i = count[0]; waiting[i] = queue.Queue()
        if method == "tools/call": params = {**params, "_meta": {"progressToken": i}}
        send({"jsonrpc": "2.0", "id": i, "method": method, "params": params})
        try: m = waiting[i].get(timeout=timeout)
        except queue.Empty: m = {"error": {"message": f"no answer in {timeout} s"}}
        del waiting[i]
        return {k: m[k] for k in ("result", "error") if k in m}
    threading.Thread(target=reader, daemon=True).start()
    hello = request("initialize", {"protocolVersion": "2025-06-18", "capabilities": {"roots": {}}, "clientInfo": {"name": "evals", "version": "1"}}, 20)
    send({"jsonrpc": "2.0", "method": "notifications/initialized", "params": {}})
    listen = socket.socket(socket.AF_UNIX); listen.bind(SOCK); listen.listen(16)
    def stop(*_):
        os.path.exists(SOCK) and os.unlink(SOCK)
        p.stdin.close()
        try: p.wait(5)
        except subprocess.TimeoutExpired: p.kill()
        os._exit(0)
    signal.signal(signal.SIGTERM, stop)
    def handle(c):
        try:
            m = json.loads(c.makefile("r").readline())
            answer = hello if m["method"] == "hello" else request(m["method"], m["params"])
            c.sendall((json.dumps(answer) + "\n").encode())
        except (OSError, ValueError, KeyError): pass
        finally: c.close()
    while True:
        c, _ = listen.accept()
        threading.Thread(target=handle, args=(c,), daemon=True).start()

def main():
    pidfile, what = SOCK + ".pid", (sys.argv + [""])[1]
    if what == "start":
        if os.path.exists(SOCK): sys.exit(f"{SOCK} exists already: session.py stop")
        if os.fork() == 0:
            os.setsid()
            null = os.open(os.devnull, os.O_RDWR); [os.dup2(null, fd) for fd in (0, 1, 2)]
            with open(pidfile, "w") as f: f.write(str(os.getpid()))
            serve()
        for _ in range(200):
            if os.path.exists(SOCK): return
            time.sleep(0.05)
        sys.exit("the server did not start; see " + SOCK + ".stderr")
    elif what == "stop":
        try: pid = int(open(pidfile).read()); os.kill(pid, signal.SIGTERM)
        except (OSError, ValueError): return
        for _ in range(140):
            try: os.kill(pid, 0)
            except OSError: break
            time.sleep(0.05)
        os.path.exists(pidfile) and os.unlink(pidfile)
    else: sys.exit(__doc__)

main()
