// What only HTTP has, with the official client: sessions, many clients, the end of the gateway seen from outside.

import assert from 'node:assert/strict';

import { ToolListChangedNotificationSchema } from '@modelcontextprotocol/sdk/types.js';

import { allServers, example, HttpGateway, sessionKey, temporaryDirectory, test, until } from './gateway.mjs';

/** Runs with a gateway that is stopped in any case; a gateway that has been stopped already is left alone. */
async function withGateway(config, run, ...options) {
	const gateway = await HttpGateway.start(config, ...options);
	try {
		await run(gateway);
	} finally {
		if (gateway.child.exitCode === null) await gateway.stop();
	}
}

const text = async (client, name, args, options) =>
	(await client.callTool({ name, arguments: args }, undefined, options)).content[0].text;

/** All pages of a list, each of which has at most `most` items. */
async function walk(list, key, most) {
	const items = [];
	let cursor;
	do {
		const page = await list(cursor === undefined ? {} : { cursor });
		assert.ok(page[key].length > 0 && page[key].length <= most, `${page[key].length} items on a page`);
		items.push(...page[key]);
		cursor = page.nextCursor;
	} while (cursor !== undefined);
	return items;
}

test('lists come in pages, and the pages are the list', async () => {
	const mcpServers = () => ({ ...allServers(temporaryDirectory()), more: example('--tools', '20') });
	const whole = {}, paged = {};
	for (const [lists, pageItems] of [[whole, 1000], [paged, 3]]) {
		await withGateway({ mcpServers: mcpServers(), limits: { pageItems } }, async gateway => {
			const client = await gateway.client();
			lists.tools = await walk(params => client.listTools(params), 'tools', pageItems);
			lists.prompts = await walk(params => client.listPrompts(params), 'prompts', pageItems);
			lists.resources = await walk(params => client.listResources(params), 'resources', pageItems);
			lists.templates =
				await walk(params => client.listResourceTemplates(params), 'resourceTemplates', pageItems);
			await assert.rejects(client.listTools({ cursor: 'made up' }), { code: -32602 });
			await client.close();
		});
	}
	assert.deepEqual(paged, whole);
	assert.equal(new Set(whole.tools.map(({ name }) => name)).size, whole.tools.length);
});

test('a session that its client ends is gone, and only that one', async () => {
	await withGateway({ mcpServers: { ex: example() } }, async gateway => {
		const [client, other] = [await gateway.client(), await gateway.client()];
		const { sessionId } = client.transport;
		await client.transport.terminateSession();
		assert.equal(client.transport.sessionId, undefined);
		const late = await gateway.client({ sessionId }); // which makes the client skip initialize
		await assert.rejects(late.listTools(), { code: 404 });
		assert.equal(await text(other, 'ex__echo', { text: 'still here' }), 'still here');
		await Promise.all([client, late, other].map(c => c.close()));
	});
});

test('forty clients at once get each its own answers', async () => {
	await withGateway({ mcpServers: allServers(temporaryDirectory()) }, async gateway => {
		await Promise.all(Array.from({ length: 40 }, async (_, i) => {
			const client = await gateway.client();
			for (let n = 0; n < 5; n++) {
				const message = `client ${i} call ${n}`, seen = [];
				const onprogress = ({ progress }) => seen.push(progress);
				const [echo, sum, ours, done] = await Promise.all([
					text(client, 'everything__echo', { message }),
					text(client, 'everything__get-sum', { a: 1000 * i, b: n }),
					text(client, 'ex__echo', { text: message }),
					text(client, 'ex__progress', { steps: 1 + i % 4, ms: 5 }, { onprogress }),
				]);
				assert.deepEqual([echo, ours, done], [`Echo: ${message}`, message, 'done']);
				assert.equal(sum, `The sum of ${1000 * i} and ${n} is ${1000 * i + n}.`);
				assert.deepEqual(seen, [1, 2, 3, 4].slice(0, 1 + i % 4));
			}
			await client.close();
		}));
		assert.equal(await gateway.inFlight(), 0);
	});
});

test('a client goes on where it was when another gateway with the same keys takes over', async () => {
	const config = () => ({ mcpServers: { ex: example() }, session: { keys: [key] } });
	const key = sessionKey();
	let gateway = await HttpGateway.start(config());
	// One address, whoever is behind it, as a Service has.
	const fetchThere = (url, init) => fetch(`${gateway.url}${new URL(url).pathname}`, init);
	const reconnectionOptions = { initialReconnectionDelay: 50, maxReconnectionDelay: 500,
		reconnectionDelayGrowFactor: 1.5, maxRetries: 100 };
	const client = await gateway.client({ fetch: fetchThere, reconnectionOptions });
	try {
		let told = 0;
		client.setNotificationHandler(ToolListChangedNotificationSchema, () => void told++);
		const { sessionId } = client.transport;
		assert.equal(await text(client, 'ex__echo', { text: 'before' }), 'before');
		const next = await HttpGateway.start(config());
		const old = gateway;
		gateway = next;
		await old.stop();
		assert.equal(await text(client, 'ex__echo', { text: 'after' }), 'after');
		assert.equal(client.transport.sessionId, sessionId);
		await until(async () => {
			await text(client, 'ex__change'); // until the stream for notifications is there again
			return told > 0;
		}, 'a notification of the new gateway');
	} finally {
		await client.close();
		await gateway.stop();
	}
});

test('a call in flight at SIGTERM gets its answer', async () => {
	await withGateway({ mcpServers: { ex: example() } }, async gateway => {
		const client = await gateway.client();
		const answer = text(client, 'ex__sleep', { ms: 700 });
		await until(async () => (await gateway.inFlight()) === 1, 'the call in flight');
		const [last, slept] = await Promise.all([gateway.stop(), answer]);
		assert.equal(slept, 'slept');
		assert.deepEqual([last.reason, last.completed, last.aborted, last.refused], ['SIGTERM', 1, 0, 0]);
		await client.close();
	});
});

test('a call that outlives the grace period gets an error that says so', async () => {
	await withGateway({ mcpServers: { ex: example() } }, async gateway => {
		const client = await gateway.client();
		const answer = assert.rejects(text(client, 'ex__sleep', { ms: 600000 }), ({ code, data }) => {
			assert.equal(code, -32603);
			assert.deepEqual([data.reason, data.outcome, data.backend], ['draining', 'unknown', 'ex']);
			return true;
		});
		await until(async () => (await gateway.inFlight()) === 1, 'the call in flight');
		const [last] = await Promise.all([gateway.stop(), answer]);
		assert.deepEqual([last.reason, last.completed, last.aborted], ['SIGTERM', 0, 1]);
		await client.close();
	}, '--grace-period', '4s');
});
