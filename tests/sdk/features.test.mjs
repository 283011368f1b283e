// What an official client can do, over either front, with npm's servers and ours behind one gateway.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe } from 'node:test';

import {
	LoggingMessageNotificationSchema, McpError, ToolListChangedNotificationSchema,
} from '@modelcontextprotocol/sdk/types.js';

import { allServers, HttpGateway, PATIENCE, StdioGateway, temporaryDirectory, test, until } from './gateway.mjs';

const LONG = 'everything__trigger-long-running-operation';

for (const [front, start] of [['HTTP', HttpGateway.start], ['stdio', StdioGateway.start]]) {
	describe(`over ${front}`, () => {
		let gateway, client, directory;

		before(async () => {
			directory = temporaryDirectory();
			gateway = await start({ mcpServers: allServers(directory) });
			client = await gateway.client();
		});

		after(async () => {
			await client?.close();
			await gateway?.stop();
		});

		const call = (name, args = {}, options) => client.callTool({ name, arguments: args }, undefined, options);

		const text = async (...what) => {
			const { content, isError } = await call(...what);
			assert.ok(!isError, JSON.stringify(content));
			return content[0].text;
		};

		const idle = () => until(async () => (await gateway.inFlight()) === 0, 'no call in flight');

		test('the gateway says who it is and what it can', () => {
			assert.equal(client.getServerVersion().name, 'sluice');
			const can = client.getServerCapabilities();
			for (const what of ['tools', 'resources', 'prompts', 'logging', 'completions']) assert.ok(can[what], what);
		});

		test('the tools of all servers are in one list, in the order of the configuration', async () => {
			const { tools, nextCursor } = await client.listTools();
			const servers = tools.map(tool => tool.name.split('__')[0]);
			assert.deepEqual([...new Set(servers)], ['everything', 'filesystem', 'memory', 'ex']);
			assert.deepEqual(servers, [...servers].sort((a, b) => order(a) - order(b)));
			assert.equal(nextCursor, undefined);
			const sum = tools.find(tool => tool.name === 'everything__get-sum');
			assert.deepEqual(sum.inputSchema.required, ['a', 'b']);
			assert.ok(tools.find(tool => tool.name === 'filesystem__write_file').annotations.destructiveHint);
		});

		test('a call goes to the server that its name says', async () => {
			assert.equal(await text('everything__echo', { message: 'hällo \u{1f600}' }), 'Echo: hällo \u{1f600}');
			assert.equal(await text('everything__get-sum', { a: 2, b: 40 }), 'The sum of 2 and 40 is 42.');
			assert.equal(await text('ex__echo', { text: 'hi' }), 'hi');
		});

		test('files are written, listed and read', async () => {
			const file = path.join(directory, 'a.txt');
			await text('filesystem__write_file', { path: file, content: 'one\ntwo' });
			assert.equal(fs.readFileSync(file, 'utf8'), 'one\ntwo');
			assert.equal(await text('filesystem__read_text_file', { path: file, tail: 1 }), 'two');
			assert.match(await text('filesystem__list_directory', { path: directory }), /\[FILE\] a\.txt/);
		});

		test('what a server refuses comes as its own error', async () => {
			const { isError, content } = await call('filesystem__read_text_file', { path: '/etc/passwd' });
			assert.ok(isError);
			assert.match(content[0].text, /outside allowed directories/);
		});

		test('a structured result passes the check of its schema', async () => {
			await client.listTools(); // the client learns the schemas
			const weather = await call('everything__get-structured-content', { location: 'Chicago' });
			assert.deepEqual(weather.structuredContent,
				{ temperature: 36, conditions: 'Light rain / drizzle', humidity: 82 });
			const entity = { name: `Ada ${front}`, entityType: 'person', observations: ['wrote the first program'] };
			await call('memory__create_entities', { entities: [entity] });
			const { structuredContent } = await call('memory__open_nodes', { names: [entity.name] });
			assert.deepEqual(structuredContent, { entities: [entity], relations: [] });
		});

		test('an image comes whole', async () => {
			const { content } = await call('everything__get-tiny-image');
			const image = content.find(item => item.type === 'image');
			const bytes = Buffer.from(image.data, 'base64');
			assert.equal(image.mimeType, 'image/png');
			assert.equal(bytes.subarray(1, 4).toString(), 'PNG');
			assert.equal(bytes.subarray(-8, -4).toString(), 'IEND');
		});

		test('a big result comes whole', async () => {
			const bytes = 3000000;
			assert.equal(await text('ex__big', { bytes }), '0123456789abcdef'.repeat(bytes / 16));
		});

		test('progress comes in order, before the result', async () => {
			const seen = [];
			const onprogress = ({ progress, total }) => seen.push([progress, total]);
			// The SDK drops a progress message that it reads at one go with the result: here it cannot.
			await text('ex__progress', { steps: 5, ms: 100 }, { onprogress });
			assert.deepEqual(seen, [1, 2, 3, 4, 5].map(step => [step, 5]));
		});

		test('progress keeps a call alive beyond its timeout', async () => {
			const timeout = 1000 * PATIENCE;
			const options = { onprogress() {}, resetTimeoutOnProgress: true, timeout };
			assert.match(await text(LONG, { duration: (timeout * 2) / 1000, steps: 10 }, options), /completed/);
		});

		test('an aborted call ends, at the client and behind', async () => {
			const abort = new AbortController();
			const answer = call('ex__sleep', { ms: 600000 }, { signal: abort.signal, timeout: 900000 });
			await until(async () => (await gateway.inFlight()) === 1, 'the call in flight');
			abort.abort('changed my mind');
			await assert.rejects(answer, /changed my mind/);
			await idle();
			assert.equal(await text('ex__echo', { text: 'next' }), 'next');
		});

		test('a call that the client gave up in time ends behind too', async () => {
			await assert.rejects(call('ex__sleep', { ms: 600000 }, { timeout: 300 }), { code: -32001 });
			await idle();
			assert.equal(await text('ex__echo', { text: 'next' }), 'next');
		});

		test('log messages come from the level on that was set', async () => {
			const seen = [];
			client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => void seen.push(params));
			await client.setLoggingLevel('warning');
			await text('ex__log', { level: 'info', text: 'not this' });
			await text('ex__log', { level: 'error', text: 'this' });
			await until(() => seen.some(({ data }) => data === 'this'), 'the message');
			assert.deepEqual(seen.filter(({ logger }) => logger?.endsWith('tools')).map(({ data }) => data), ['this']);
			await client.setLoggingLevel('debug');
			await text('everything__toggle-simulated-logging'); // says one thing at once
			await until(() => seen.some(({ data }) => /-level message|level-message/.test(data)), 'a simulated message');
			await text('everything__toggle-simulated-logging');
		});

		test('arguments of prompts and templates are completed', async () => {
			const ref = { type: 'ref/prompt', name: 'everything__completable-prompt' };
			const department = await client.complete({ ref, argument: { name: 'department', value: 'S' } });
			assert.deepEqual(department.completion.values, ['Sales', 'Support']);
			const argument = { name: 'name', value: '' };
			const name = await client.complete({ ref, argument, context: { arguments: { department: 'Sales' } } });
			assert.deepEqual(name.completion.values, ['David', 'Eve', 'Frank']);
			const template = { type: 'ref/resource', uri: 'demo://resource/dynamic/text/{resourceId}' };
			const id = await client.complete({ ref: template, argument: { name: 'resourceId', value: '7' } });
			assert.deepEqual(id.completion.values, ['7']);
		});

		test('prompts are listed and got', async () => {
			const { prompts } = await client.listPrompts();
			assert.ok(prompts.some(({ name }) => name === 'everything__args-prompt'));
			assert.ok(prompts.some(({ name }) => name === 'ex__review'));
			const args = { city: 'Zürich', state: 'ZH' };
			const { messages } = await client.getPrompt({ name: 'everything__args-prompt', arguments: args });
			assert.match(messages[0].content.text, /Zürich, ZH/);
			await assert.rejects(client.getPrompt({ name: 'ex__review' }), { code: -32602 });
		});

		test('resources and templates are listed and read', async () => {
			const { resources } = await client.listResources();
			assert.ok(resources.some(({ uri }) => uri === 'example://text'));
			assert.ok(resources.some(({ uri }) => uri.startsWith('demo://resource/static/')));
			const { resourceTemplates } = await client.listResourceTemplates();
			assert.ok(resourceTemplates.some(t => t.uriTemplate === 'demo://resource/dynamic/text/{resourceId}'));
			const [seven] = (await client.readResource({ uri: 'demo://resource/dynamic/text/7' })).contents;
			assert.match(seven.text, /^Resource 7: /);
			const [binary] = (await client.readResource({ uri: 'example://binary' })).contents;
			assert.equal(binary.blob, 'AAECA/8=');
		});

		test('an error comes with its code, message and data', async () => {
			const data = { why: ['because', 1, null] };
			await assert.rejects(call('ex__error', { code: -32077, message: 'as I wished', data }), error => {
				assert.ok(error instanceof McpError);
				assert.deepEqual([error.code, error.data], [-32077, data]);
				assert.match(error.message, /as I wished/);
				return true;
			});
			await assert.rejects(call('nobody__nothing'), { code: -32602 });
			await assert.rejects(client.readResource({ uri: 'nobody://nothing' }), { code: -32002 });
		});

		test('a server that dies ends its call with a reason, and comes back', async () => {
			await assert.rejects(call('ex__crash'), ({ code, data }) => {
				assert.equal(code, -32603);
				assert.deepEqual([data.reason, data.outcome, data.backend], ['backend_exited', 'unknown', 'ex']);
				return true;
			});
			assert.equal(await text('ex__echo', { text: 'again' }), 'again');
		});

		test('a changed list is told', async () => {
			let told = 0;
			client.setNotificationHandler(ToolListChangedNotificationSchema, () => void told++);
			await text('ex__change');
			await until(() => told > 0, 'the notification');
			const { tools } = await client.listTools();
			assert.ok(tools.some(({ name }) => name === 'ex__added_1'));
		});

		test('many calls at once get each its own answer', async () => {
			const numbers = Array.from({ length: 100 }, (_, n) => n);
			const sums = await Promise.all(numbers.map(n => n % 2
				? text('everything__get-sum', { a: n, b: 1 })
				: text('ex__echo', { text: `The sum of ${n} and 1 is ${n + 1}.` })));
			assert.deepEqual(sums, numbers.map(n => `The sum of ${n} and 1 is ${n + 1}.`));
			await idle();
		});

		test('a ping is answered', async () => {
			assert.deepEqual(await client.ping(), {});
		});
	});
}

function order(server) {
	return ['everything', 'filesystem', 'memory', 'ex'].indexOf(server);
}
