// The end of `sluice serve` as the official client brings it about: it ends our stdin, sends SIGTERM 2 s later and
// SIGKILL after 2 s more.

import assert from 'node:assert/strict';

import { allServers, example, PATIENCE, StdioGateway, temporaryDirectory, test, until } from './gateway.mjs';

const CLIENT_TERM_MS = 2000, CLIENT_KILL_MS = 4000;

/** Closes the client; how long that took, and the last line of the log. */
async function timedStop(gateway) {
	const began = performance.now();
	const last = await gateway.stop();
	return { last, ms: performance.now() - began };
}

test('an idle gateway and its servers leave at the end of stdin', async t => {
	const gateway = await StdioGateway.start({ mcpServers: allServers(temporaryDirectory()) });
	assert.equal(gateway.processes().length, 5);
	const { last, ms } = await timedStop(gateway);
	t.diagnostic(`gone after ${ms.toFixed()} ms`);
	assert.deepEqual([last.reason, last.backends_stopped, last.backends_killed], ['stdin_eof', 4, 0]);
	if (PATIENCE === 1) assert.ok(!last.forced && ms < CLIENT_TERM_MS, `it took ${ms} ms`);
});

test('a call in flight that does not end is cut before the client loses patience', async t => {
	const gateway = await StdioGateway.start({ mcpServers: allServers(temporaryDirectory()) });
	const client = await gateway.client();
	const answer = client.callTool({ name: 'ex__sleep', arguments: { ms: 600000 } });
	const cut = assert.rejects(answer, ({ code, data }) => code === -32603 && data.reason === 'draining');
	await until(async () => (await gateway.inFlight()) === 1, 'the call in flight');
	const { last, ms } = await timedStop(gateway);
	await cut;
	t.diagnostic(`gone after ${ms.toFixed()} ms`);
	assert.deepEqual([last.reason, last.aborted, last.backends_killed], ['stdin_eof', 1, 0]);
	assert.ok(ms < CLIENT_KILL_MS * PATIENCE, `it took ${ms} ms`);
});

test('a server that minds neither end of stdin nor SIGTERM is killed before the client loses patience', async t => {
	const { command } = example();
	const stubborn = { command: 'sh', args: ['-c', `trap "" TERM; '${command}'; sleep 600`], startup: 'required' };
	const gateway = await StdioGateway.start({ mcpServers: { stubborn, ex: example() } });
	assert.equal(gateway.processes().length, 4);
	const { last, ms } = await timedStop(gateway);
	t.diagnostic(`gone after ${ms.toFixed()} ms`);
	assert.deepEqual([last.reason, last.backends_killed], ['stdin_eof', 1]);
	assert.ok(ms < CLIENT_KILL_MS * PATIENCE, `it took ${ms} ms`);
});
