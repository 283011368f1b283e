// The official example server over HTTP (Streamable HTTP and HTTP+SSE) behind Sluice, with an official client in front.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import path from 'node:path';
import { after, before, describe } from 'node:test';
import { fileURLToPath } from 'node:url';

import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { CreateMessageRequestSchema, ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';

import { HttpGateway, test, until } from './gateway.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const program = path.join(here, 'node_modules/@modelcontextprotocol/server-everything/dist/index.js');

async function freePort() {
	const server = net.createServer().listen(0, '127.0.0.1');
	await once(server, 'listening');
	const { port } = server.address();
	server.close();
	return port;
}

/** The example server, listening. */
async function startServer(mode, port) {
	const child = spawn(process.execPath, [program, mode], {
		env: { PATH: process.env.PATH, PORT: String(port) }, stdio: ['ignore', 'ignore', 'ignore'],
	});
	await until(() => new Promise(resolve => {
		const socket = net.connect(port, '127.0.0.1', () => resolve(true) ?? socket.destroy());
		socket.on('error', () => resolve(false));
	}), 'the server listening');
	return child;
}

for (const [mode, where, type] of [['streamableHttp', '/mcp', 'auto'], ['sse', '/sse', 'auto'], ['sse', '/sse', 'sse']]) {
	describe(`a server of the SDK over ${mode}, type ${type}`, () => {
		let server, port, gateway, client;

		before(async () => {
			port = await freePort();
			server = await startServer(mode, port);
			const url = `http://127.0.0.1:${port}${where}`;
			gateway = await HttpGateway.start({ mcpServers: { everything: { url, type, startup: 'required' } } });
			client = await gateway.client();
		});

		after(async () => {
			await client?.close();
			await gateway?.stop();
			server?.kill('SIGKILL');
		});

		const call = (name, args = {}, options) => client.callTool({ name: `everything__${name}`, arguments: args }, undefined, options);

		test('tools, resources and prompts', async () => {
			const { tools } = await client.listTools();
			assert.ok(tools.find(tool => tool.name === 'everything__echo'));
			assert.equal((await call('echo', { message: 'hällo' })).content[0].text, 'Echo: hällo');
			assert.ok((await client.listResources()).resources.length > 0);
			assert.ok((await client.listPrompts()).prompts.length > 0);
			const weather = await call('get-structured-content', { location: 'Chicago' });
			assert.ok(weather.structuredContent);
		});

		test('progress', async () => {
			const seen = [];
			await call('trigger-long-running-operation', { duration: 1, steps: 4 }, { onprogress: p => seen.push(p.progress) });
			assert.deepEqual(seen, [1, 2, 3, 4]);
		});

		test('a call is cancelled', async () => {
			const cancel = new AbortController();
			const pending = call('trigger-long-running-operation', { duration: 30, steps: 30 }, { signal: cancel.signal });
			setTimeout(() => cancel.abort(), 300);
			await assert.rejects(pending);
			await until(async () => (await gateway.inFlight()) === 0, 'no call in flight');
			assert.equal((await call('echo', { message: 'again' })).content[0].text, 'Echo: again');
		});

		test('sampling and elicitation reach the client and come back', async () => {
			const able = new Client({ name: 'able', version: '1' }, { capabilities: { sampling: {}, elicitation: {} } });
			able.setRequestHandler(CreateMessageRequestSchema, () => ({
				model: 'm', role: 'assistant', content: { type: 'text', text: 'from the client' },
			}));
			able.setRequestHandler(ElicitRequestSchema, () => ({ action: 'decline' }));
			await able.connect(new StreamableHTTPClientTransport(new URL(`${gateway.url}/mcp`)));
			const ask = (name, args) => able.callTool({ name: `everything__${name}`, arguments: args });
			const sampled = await ask('trigger-sampling-request', { prompt: 'x', maxTokens: 10 });
			assert.match(JSON.stringify(sampled.content), /from the client/);
			const elicited = await ask('trigger-elicitation-request', {});
			assert.match(JSON.stringify(elicited.content), /declin/);
			await able.close();
		});

		test('the server is started anew, and nobody has to connect again', async () => {
			server.kill('SIGKILL');
			await once(server, 'exit');
			server = await startServer(mode, port);
			assert.equal((await call('echo', { message: 'back' })).content[0].text, 'Echo: back');
		});
	});
}
