// Speaks to docker-mcp-server with the official clients for Node: 1.x and 2.x, in both eras.
//
// usage: client.mjs PROGRAM FOLDER-WITH-A-DOCKER

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Client as Client1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport as Transport1 } from '@modelcontextprotocol/sdk/client/stdio.js';
import { Client as Client2 } from '@modelcontextprotocol/client';
import { StdioClientTransport as Transport2 } from '@modelcontextprotocol/client/stdio';

const [program, folder] = process.argv.slice(2);
const environment = { PATH: `${folder}:/usr/bin:/bin`, LOG_LEVEL: 'error' };
const who = { name: 'tests', version: '1' };
const options = { timeout: 20_000 };

function text(result) {
    assert.equal(result.content.length, 1);
    return result.content[0].text;
}

async function session(label, client, Transport, call, expected) {
    await client.connect(new Transport({ command: program, env: environment, stderr: 'inherit' }), options);
    if (client.getNegotiatedProtocolVersion) {
        assert.equal(client.getNegotiatedProtocolVersion(), expected);
    }
    assert.equal(client.getServerVersion().name, 'docker-mcp-server');
    assert.match(client.getInstructions(), /Docker on this machine/);

    const { tools } = await client.listTools();
    assert(tools.some((tool) => tool.name === 'list-containers'));
    assert(tools.every((tool) => tool.inputSchema.type === 'object'));

    const good = await call('list-containers', { all: 'true' });
    assert(!good.isError, JSON.stringify(good));
    assert.equal(good.structuredContent.containers[0].name, 'web');
    assert.deepEqual(JSON.parse(text(good)), good.structuredContent);

    const bad = await call('inspect-container', { container_name: 'nosuch' });
    assert.equal(bad.isError, true);
    assert.equal(bad.structuredContent, undefined);
    assert.match(text(bad), /^Error: DKR-002 /);

    const wrong = await call('list-containers', { filter: {} });
    assert.equal(wrong.isError, true);
    assert.match(text(wrong), /did you mean `filters`\?/);

    await assert.rejects(call('no-such-tool', {}), (error) => error.code === -32602 && /unknown tool/.test(error.message));

    const cancelled = new AbortController();
    setTimeout(() => cancelled.abort('the person changed their mind'), 300);
    await assert.rejects(call('inspect-container', { container_name: 'slow' }, { signal: cancelled.signal }));
    assert(!(await call('list-containers', {})).isError);

    const closing = performance.now();
    await client.close();
    const closed = performance.now() - closing;
    assert(closed < 1500, `it took ${closed} ms to close`);
    console.log(`ok  node ${label}: ${expected}, ${tools.length} tools, closed in ${closed.toFixed()} ms`);
}

function version(name) {
    return JSON.parse(readFileSync(new URL(`node_modules/@modelcontextprotocol/${name}/package.json`, import.meta.url))).version;
}

const old = new Client1(who);
await session(`sdk ${version('sdk')}`, old, Transport1,
    (name, args, more) => old.callTool({ name, arguments: args }, undefined, { ...options, ...more }), '2025-11-25');

for (const [mode, expected] of [['legacy', '2025-11-25'], ['auto', '2026-07-28'], [{ pin: '2026-07-28' }, '2026-07-28']]) {
    const client = new Client2(who, { versionNegotiation: { mode } });
    await session(`client ${version('client')}, ${mode.pin ?? mode}`, client, Transport2,
        (name, args, more) => client.callTool({ name, arguments: args }, { ...options, ...more }), expected);
}
