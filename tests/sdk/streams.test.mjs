// Streams that break, and the legacy transport (HTTP+SSE), with the official clients.

import assert from 'node:assert/strict';
import net from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { ToolListChangedNotificationSchema } from '@modelcontextprotocol/sdk/types.js';

import { allServers, example, HttpGateway, sessionKey, temporaryDirectory, test, until } from './gateway.mjs';

const legacyClients = new Set(); // those that are open connect again for ever, and node does not end

/** Runs with a gateway that is stopped in any case; a gateway that has been stopped already is left alone. */
async function withGateway(config, run, ...options) {
	const gateway = await HttpGateway.start(config, ...options);
	try {
		await run(gateway);
	} finally {
		await Promise.all([...legacyClients].map(client => client.close()));
		if (gateway.child.exitCode === null && gateway.child.signalCode === null) await gateway.stop();
	}
}

const text = async (client, name, args, options) =>
	(await client.callTool({ name, arguments: args }, undefined, options)).content[0].text;

/** A connected client of the legacy transport. */
async function sseClient(gateway, path = '/sse', options = {}) {
	const client = new Client({ name: 'sdk-test', version: '1' });
	client.onclose = () => legacyClients.delete(client);
	legacyClients.add(client);
	await client.connect(new SSEClientTransport(new URL(`${gateway.url}${path}`), options));
	return client;
}

/** A TCP proxy with one address for whoever is behind it; it can cut what goes through it. */
class Proxy {
	static async start(target) {
		const proxy = new Proxy();
		proxy.target = target;
		proxy.sockets = new Set();
		proxy.server = net.createServer(near => {
			const { hostname, port } = new URL(proxy.target);
			const far = net.connect(Number(port), hostname);
			for (const [from, to] of [[near, far], [far, near]]) {
				proxy.sockets.add(from);
				from.pipe(to);
				from.on('error', () => to.destroy());
				from.on('close', () => (proxy.sockets.delete(from), to.destroy()));
			}
		});
		await new Promise(resolve => proxy.server.listen(0, '127.0.0.1', resolve));
		proxy.url = `http://127.0.0.1:${proxy.server.address().port}`;
		return proxy;
	}

	cut() {
		for (const socket of this.sockets) socket.resetAndDestroy();
	}

	stop() {
		this.cut();
		return new Promise(resolve => this.server.close(resolve));
	}
}

// --- the legacy transport

test('a legacy client uses every server over its one stream', async () => {
	const directory = temporaryDirectory();
	await withGateway({ mcpServers: allServers(directory) }, async gateway => {
		const client = await sseClient(gateway);
		assert.equal(client.getServerVersion().name, 'sluice');
		const { tools } = await client.listTools();
		for (const server of ['everything', 'filesystem', 'memory', 'ex']) {
			assert.ok(tools.some(({ name }) => name.startsWith(`${server}__`)), server);
		}
		const seen = [];
		const [echo, sum, done] = await Promise.all([
			text(client, 'everything__echo', { message: 'legacy' }),
			text(client, 'everything__get-sum', { a: 2, b: 3 }),
			text(client, 'ex__progress', { steps: 3, ms: 50 }, { onprogress: ({ progress }) => seen.push(progress) }),
		]);
		assert.deepEqual([echo, sum, done], ['Echo: legacy', 'The sum of 2 and 3 is 5.', 'done']);
		// This client forgets about a call's progress with its answer, also about what came in the same packet before it.
		assert.ok(seen.length > 0 && seen.every((progress, i) => progress === i + 1), `${seen}`);
		assert.equal((await text(client, 'ex__big', { bytes: 1000000 })).length, 1000000);
		await assert.rejects(text(client, 'nobody__nothing'), { code: -32602 });
		await client.close();
		await until(async () => (await gateway.inFlight()) === 0, 'the end of all calls');
	});
});

test('legacy clients get their own answers, on the path of one server too', async () => {
	await withGateway({ mcpServers: { ex: example() } }, async gateway => {
		const clients = await Promise.all(Array.from({ length: 20 }, (_, i) =>
			sseClient(gateway, i % 2 ? '/mcp/server/ex/sse' : '/mcp/sse')));
		await Promise.all(clients.map(async (client, i) => {
			for (let n = 0; n < 5; n++) {
				const name = i % 2 ? 'echo' : 'ex__echo', message = `client ${i} call ${n}`;
				assert.equal(await text(client, name, { text: message }), message);
			}
		}));
		await Promise.all(clients.map(client => client.close()));
	});
});

test('a legacy client hears that a list has changed, and can cancel', async () => {
	await withGateway({ mcpServers: { ex: example() } }, async gateway => {
		const client = await sseClient(gateway);
		let told = 0;
		client.setNotificationHandler(ToolListChangedNotificationSchema, () => void told++);
		await client.listTools();
		await text(client, 'ex__change');
		await until(() => told > 0, 'the notification');
		const controller = new AbortController();
		const call = assert.rejects(text(client, 'ex__sleep', { ms: 600000 }, { signal: controller.signal }));
		await until(async () => (await gateway.inFlight()) === 1, 'the call in flight');
		controller.abort('enough');
		await call;
		await until(async () => (await gateway.inFlight()) === 0, 'the end of the call');
		await client.close();
	});
});

test('a legacy client goes on after its stream was cut, without knowing', async () => {
	await withGateway({ mcpServers: { ex: example() } }, async gateway => {
		const proxy = await Proxy.start(gateway.url);
		const client = await sseClient({ url: proxy.url });
		try {
			assert.equal(await text(client, 'ex__echo', { text: 'before' }), 'before');
			proxy.cut();
			// What it POSTs before it has connected again goes to an address that is gone: an error at once.
			await until(async () => {
				try {
					return (await text(client, 'ex__echo', { text: 'after' })) === 'after';
				} catch {
					return false;
				}
			}, 'an answer on the new stream');
		} finally {
			await client.close();
			await proxy.stop();
		}
	});
});

test('a legacy client goes on at another gateway', async () => {
	const config = () => ({ mcpServers: { ex: example() }, session: { keys: [key] } });
	const key = sessionKey();
	const old = await HttpGateway.start(config()), next = await HttpGateway.start(config());
	const proxy = await Proxy.start(old.url);
	const client = await sseClient({ url: proxy.url });
	try {
		assert.equal(await text(client, 'ex__echo', { text: 'before' }), 'before');
		proxy.target = next.url;
		await old.stop();
		await until(async () => {
			try {
				return (await text(client, 'ex__echo', { text: 'after' })) === 'after';
			} catch {
				return false;
			}
		}, 'an answer of the other gateway');
	} finally {
		await client.close();
		await proxy.stop();
		await next.stop();
	}
});

test('a legacy call in flight at SIGTERM gets its answer, and a new one an error with a reason', async () => {
	await withGateway({ mcpServers: { ex: example() } }, async gateway => {
		const client = await sseClient(gateway);
		const answer = text(client, 'ex__sleep', { ms: 1500 });
		await until(async () => (await gateway.inFlight()) === 1, 'the call in flight');
		const stopped = gateway.stop();
		await until(() => gateway.log.events.some(({ event, to }) => event === 'phase' && to === 'draining'), 'the drain');
		await assert.rejects(text(client, 'ex__echo', { text: 'late' }), ({ code, data }) => {
			assert.equal(code, -32603);
			assert.deepEqual([data.reason, data.outcome, data.retryable], ['draining', 'not_sent', true]);
			return true;
		});
		const [last, slept] = await Promise.all([stopped, answer]);
		assert.equal(slept, 'slept');
		assert.deepEqual([last.completed, last.aborted, last.refused], [1, 0, 1]);
		await client.close();
	});
});

// --- streams with ids

test('a call goes on when its connection was cut, and no progress is lost', async () => {
	await withGateway({ mcpServers: { ex: example() } }, async gateway => {
		const proxy = await Proxy.start(gateway.url);
		const client = await HttpGateway.prototype.client.call({ url: proxy.url });
		client.onerror = () => {}; // it tells of each cut
		try {
			const seen = [];
			const onprogress = ({ progress }) => {
				seen.push(progress);
				if (progress === 3) proxy.cut();
			};
			assert.equal(await text(client, 'ex__progress', { steps: 20, ms: 100 }, { onprogress }), 'done');
			assert.deepEqual(seen, Array.from({ length: 20 }, (_, i) => i + 1));
		} finally {
			await client.close();
			await proxy.stop();
		}
	});
});

test('a call that was lost with its gateway fails at once when the client is back at another one', async () => {
	const config = () => ({ mcpServers: { ex: example() }, session: { keys: [key] } });
	const key = sessionKey();
	const old = await HttpGateway.start(config()), next = await HttpGateway.start(config());
	const proxy = await Proxy.start(old.url);
	const client = await HttpGateway.prototype.client.call({ url: proxy.url });
	client.onerror = () => {};
	try {
		let begun;
		const onprogress = ({ progress }) => {
			if (progress !== 2) return;
			begun = Date.now();
			proxy.target = next.url;
			old.child.kill('SIGKILL');
		};
		const lost = text(client, 'ex__progress', { steps: 1000, ms: 50 }, { onprogress, timeout: 50000 });
		await assert.rejects(lost, ({ code, data }) => {
			assert.equal(code, -32603);
			assert.deepEqual([data.reason, data.outcome], ['backend_exited', 'unknown']);
			return true;
		});
		assert.ok(Date.now() - begun < 15000, 'well before its own time is up');
		assert.equal(await text(client, 'ex__echo', { text: 'on' }), 'on');
		await pause(2500); // it comes back once more after an error, wrongly, and is told to stop
		assert.equal(await text(client, 'ex__echo', { text: 'still' }), 'still');
		await old.exited;
		await until(() => old.processes().length === 0, 'the end of the old servers');
	} finally {
		await client.close();
		await proxy.stop();
		await next.stop();
	}
});
