"""Speaks to docker-mcp-server with the official Python client, in both eras of the protocol.

usage: client.py PROGRAM FOLDER-WITH-A-DOCKER
"""

import asyncio
import json
import sys
import time
from importlib.metadata import version

from mcp import Client, StdioServerParameters

PROGRAM, FOLDER = sys.argv[1:]


def expect(what: bool, otherwise: object) -> None:
    if not what:
        raise SystemExit(f"python: surprise: {otherwise}")


def text(result) -> str:
    expect(len(result.content) == 1, result)
    return result.content[0].text


async def session(mode: str, expected: str) -> None:
    server = StdioServerParameters(
        command=PROGRAM, args=[], env={"PATH": f"{FOLDER}:/usr/bin:/bin", "LOG_LEVEL": "error"}
    )
    async with Client(server, mode=mode, read_timeout_seconds=20) as client:
        expect(client.protocol_version == expected, client.protocol_version)
        if mode != expected:  # with a pinned version nobody is introduced
            expect(client.server_info.name == "docker-mcp-server", client.server_info)
            expect("Docker on this machine" in client.instructions, client.instructions)

        tools = (await client.list_tools()).tools
        names = [tool.name for tool in tools]
        expect("list-containers" in names, names)
        expect(all(tool.input_schema["type"] == "object" for tool in tools), "a schema is no object")

        good = await client.call_tool("list-containers", {"all": "true"})
        expect(not good.is_error, good)
        expect(good.structured_content["containers"][0]["name"] == "web", good)
        expect(json.loads(text(good)) == good.structured_content, good)

        bad = await client.call_tool("inspect-container", {"container_name": "nosuch"})
        expect(bad.is_error and bad.structured_content is None, bad)
        expect(text(bad).startswith("Error: DKR-002 "), bad)

        wrong = await client.call_tool("list-containers", {"filter": {}})
        expect(wrong.is_error and "did you mean `filters`?" in text(wrong), wrong)

        try:
            await client.call_tool("no-such-tool", {})
            expect(False, "an unknown tool was called")
        except Exception as error:
            expect("unknown tool" in str(error), repr(error))

        try:
            slow = client.call_tool("inspect-container", {"container_name": "slow"})
            await asyncio.wait_for(slow, 0.3)
            expect(False, "a call that hangs was answered")
        except asyncio.TimeoutError:
            pass
        again = await client.call_tool("list-containers", {})
        expect(not again.is_error, again)
        if mode == "legacy":
            await client.send_ping()
        closing = time.monotonic()
    closed = time.monotonic() - closing
    expect(closed < 1.5, f"it took {closed:.1f} s to close")
    print(
        f"ok  python mcp {version('mcp')}, {mode}: {expected}, {len(tools)} tools, "
        f"closed in {closed * 1000:.0f} ms"
    )


async def main() -> None:
    await session("legacy", "2025-11-25")
    await session("auto", "2026-07-28")
    await session("2026-07-28", "2026-07-28")


asyncio.run(main())
