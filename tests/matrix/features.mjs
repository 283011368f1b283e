// What each cell of the matrix does. A feature is right when its function ends; what it throws is what is wrong.

import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';

import { ROOT } from '../conformance/clients.mjs';
import { PATIENCE } from '../conformance/gateway.mjs';
import { prompts, resources, tools } from '../conformance/surface.mjs';

const WORDS = 'ünï "quoted" \\ \u0000\t\u{1F30A} end';
const TOLD_MS = 4000;
const BIG = 5 * 1024 * 1024;
const WATCHED = 'test://watched-resource', MISSING = 'test://there/is/nothing';

const text = ({ content }) => content.map(block => block.text).join('\n');
const names = list => list.map(({ name }) => name).sort();

/** Waits for what is told without being asked for. */
async function until(condition, what, { signal }) {
	const deadline = Date.now() + TOLD_MS * PATIENCE;
	while (!await condition()) {
		if (signal.aborted || Date.now() > deadline) throw new Error(`nothing was seen of ${what}`);
		await pause(20);
	}
}

/** The error that a promise is broken with. */
async function failure(promise) {
	try {
		await promise;
	} catch (error) {
		return error;
	}
	throw new Error('there was no error');
}

export const FEATURES = {
	async list(client, options) {
		const seen = await client.list(options);
		assert.deepEqual(names(seen.tools), names(tools.list().tools));
		const { inputSchema } = tools.list().tools.find(({ name }) => name === 'json_schema_2020_12_tool');
		assert.deepEqual(seen.tools.find(({ name }) => name === 'json_schema_2020_12_tool').inputSchema, inputSchema);
		assert.deepEqual(names(seen.prompts), names(prompts.list().prompts));
		assert.deepEqual(names(seen.resources), names(resources.list().resources));
		assert.deepEqual(names(seen.resourceTemplates), names(resources.templates().resourceTemplates));
	},

	async call(client, options) {
		assert.equal(text(await client.call('echo', { text: WORDS }, options)), WORDS);
		assert.deepEqual((await client.call('structured', {}, options)).structuredContent, { sum: 3 });
		const { content } = await client.call('test_multiple_content_types', {}, options);
		assert.deepEqual(content.map(({ type }) => type), ['text', 'image', 'resource']);
		const args = { name: 'test_prompt_with_arguments', arguments: { arg1: 'a', arg2: 'b' } };
		const prompt = await client.prompt(args, options);
		assert.match(prompt.messages[0].content.text, /arg1='a', arg2='b'/);
		const { contents } = await client.read('test://template/7/data', options);
		assert.equal(JSON.parse(contents[0].text).id, '7');
	},

	/** Kinds of content that not each revision knows: they come as they are, or as what the client's revision has. */
	async content(client, options) {
		const { content: [link, audio] } = await client.call('links', {}, options);
		assert.match(link.uri ?? link.text, /test:\/\/static-text/);
		assert.match(audio.mimeType ?? audio.resource?.mimeType ?? audio.text, /audio\/wav/);
	},

	async progress(client, options) {
		const seen = [];
		const onprogress = ({ progress, total }) => void seen.push([progress, total]);
		await client.call('test_tool_with_progress', {}, { ...options, onprogress });
		assert.deepEqual(seen, [[0, 100], [50, 100], [100, 100]]);
	},

	async cancel(client, options) {
		const count = async () => Number(text(await client.call('cancelled', {}, options)));
		const before = await count(), stop = new AbortController();
		let running = false;
		const call = client.call('wait', {}, { ...options, signal: stop.signal, onprogress: () => void (running = true) });
		const ended = failure(call);
		await Promise.race([ended, until(() => running, 'the call', options)]);
		assert.ok(running, 'the call did not run');
		stop.abort('the user is tired of it');
		await ended;
		await until(async () => await count() === before + 1, 'the cancellation on the server', options);
	},

	async logging(client, options) {
		const seen = [];
		client.on('notifications/message', ({ data }) => void seen.push(data));
		await client.callLoud('test_tool_with_logging', {}, options);
		const all = ['Tool execution started', 'Tool processing data', 'Tool execution completed'];
		await until(() => seen.length >= 3, 'three messages of the log', options);
		assert.deepEqual(seen, all);
	},

	async sampling(client, options) {
		const said = text(await client.call('test_sampling', { prompt: 'say something' }, options));
		assert.equal(said, 'LLM response: a sample');
	},

	async elicitation(client, options) {
		const said = text(await client.call('test_elicitation', { message: 'who are you?' }, options));
		assert.equal(said, 'User response: action=accept, content={"username":"ada","email":"ada@example.org"}');
	},

	async roots(client, options, { roots = ROOT }) {
		assert.equal(text(await client.call('test_input_required_result_list_roots', {}, options)), `roots: ${roots}`);
	},

	async subscribe(client, options) {
		const seen = [];
		client.on('notifications/resources/updated', ({ uri }) => void seen.push(uri));
		const end = await client.watch(WATCHED, options);
		await client.call('touch', {}, options);
		await until(() => seen.length > 0, 'the update', options);
		assert.equal(seen[0], WATCHED);
		await end();
	},

	async changes(client, options) {
		let told = 0;
		client.on('notifications/tools/list_changed', () => void told++);
		const end = await client.watchTools(options);
		for (const there of [true, false]) { // and as it was
			const before = told;
			await client.call('test_trigger_tool_change', {}, options);
			await until(() => told > before, 'word of the change', options);
			assert.equal(names((await client.list(options)).tools).includes('extra'), there);
		}
		await end();
	},

	async completion(client, options) {
		const ref = { type: 'ref/prompt', name: 'test_prompt_with_arguments' };
		const { completion } = await client.complete({ ref, argument: { name: 'arg1', value: 'par' } }, options);
		assert.deepEqual(completion.values, ['paris', 'park', 'party']);
	},

	async big(client, options) {
		assert.equal(text(await client.call('big', { bytes: BIG }, options)).length, BIG);
		const words = 'y'.repeat(BIG / 4); // and the other way
		assert.equal(text(await client.call('echo', { text: words }, options)), words);
	},

	async errors(client, options, { era }) {
		assert.equal((await client.call('test_error_handling', {}, options)).isError, true);
		const refused = await failure(client.call('refuse', {}, options));
		assert.equal(refused.code, -32602, refused.message);
		assert.match(refused.message, /no such thing/);
		assert.deepEqual(refused.data, { why: 'it is a test' });
		const missing = await failure(client.read(MISSING, options));
		// The second version of the SDK has one code for all revisions; a gateway in front of its older side passes it on.
		assert.ok(missing.code === client.notFound || era === 'dual' && missing.code === -32602, missing.message);
		assert.equal(missing.data?.uri, MISSING);
	},
};
