#!/usr/bin/env python3
"""score.py LOGDIR: a table scenario × arm of what `run finish` left in LOGDIR/NAME-ARM, then the sums.

read: bytes of docker output that the agent read (stdout and stderr; for dm the answers). Of `dk … | grep` only the
upper bound is known, so piped output is a column of its own. defs: bytes of definitions (dm list and help; dk --help).
LOGDIR/NAME-ARM/usage.json, if somebody puts it there ({"tokens": N, "turns": N}), is shown too.
"""
import json, os, sys

def lines(path):
    try: return [json.loads(l) for l in open(path) if l.strip()]
    except OSError: return []

def figures(folder):
    try: r = json.load(open(f"{folder}/result.json"))
    except (OSError, ValueError): return None
    log = lines(f"{folder}/agent.log")
    f = {"solved": r["solved"], "why": r["why"], "wall": r["wall_s"], "calls": 0, "read": 0, "piped": 0, "defs": 0, "errors": 0, "docker_s": 0.0, "leaks": 0}
    for l in log:
        f["leaks"] += bool(l.get("leak"))
        if "what" in l:
            f["defs" if l["what"] in ("list", "help") else "read"] += l["out_bytes"]
            f["calls"] += l["what"] == "call"; f["errors"] += l["is_error"]
        else:
            n, a = l["out_bytes"] + l["err_bytes"], l["args"]
            if "--help" in a or a[:1] == ["help"]: f["defs"] += n
            elif l.get("piped"): f["piped"] += l["out_bytes"]; f["read"] += l["err_bytes"]
            else: f["read"] += n
            f["calls"] += 1; f["errors"] += l["exit"] != 0 and not l.get("cut")
        f["docker_s"] += l["ms"] / 1000
    try: f["tokens"] = json.load(open(f"{folder}/usage.json")).get("tokens")
    except (OSError, ValueError): f["tokens"] = None
    return f

def main():
    top = sys.argv[1] if len(sys.argv) == 2 else sys.exit(__doc__)
    cols = ["solved", "calls", "errors", "read", "piped", "defs", "docker_s", "wall", "leaks", "tokens"]
    print("| scenario | arm | " + " | ".join(cols) + " | why not |\n|" + "---|" * (len(cols) + 3))
    sums = {}
    for name in sorted(os.listdir(top)):
        if "-" not in name or not (f := figures(os.path.join(top, name))): continue
        s, arm = name.rsplit("-", 1)
        show = {**f, "solved": "yes" if f["solved"] else "NO", "docker_s": round(f["docker_s"], 1), "tokens": f["tokens"] or ""}
        print(f"| {s} | {arm} | " + " | ".join(str(show[c]) for c in cols) + f" | {'' if f['solved'] else f['why']} |")
        t = sums.setdefault(arm, {"n": 0, **{c: 0 for c in cols}}); t["n"] += 1
        for c in cols: t[c] += f[c] or 0
    print()
    for arm, t in sorted(sums.items()):
        print(f"{arm}: {t['solved']} of {t['n']} solved; per scenario {t['calls'] / t['n']:.1f} calls, {t['errors'] / t['n']:.1f} errors, "
              f"{t['read'] / t['n'] / 1000:.1f} kB read, {t['piped'] / t['n'] / 1000:.1f} kB piped, {t['defs'] / t['n'] / 1000:.1f} kB definitions, {t['wall'] / t['n']:.0f} s; {t['leaks']} calls showed a password")

main()
