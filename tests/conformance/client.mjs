// The client under test in the suite's client scenarios: Sluice, with the suite's server behind it, and the official
// SDK in front, which lists all there is and uses it. Called by the suite with the server's URL as the last argument;
// what went wrong goes to the file CLIENT_LOG. The SDK speaks the scenario's revision, so that Sluice does towards the
// server; only where Sluice itself is to answer the server's questions an older client is in front.

import fs from 'node:fs';

import {
	Client as ClientTwo, StreamableHTTPClientTransport as TransportTwo,
} from '@modelcontextprotocol/client';
import { Client as ClientOne } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as TransportOne } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ElicitRequestSchema, ResultSchema } from '@modelcontextprotocol/sdk/types.js';

import { Gateway, passThrough, PATIENCE } from './gateway.mjs';

const CALL_MS = 12000;
const UNRELATED = 'test_mrtr_unrelated'; // to be called while another call waits for its answers
const ECHO = 'json_schema_echo';         // wants to hear the schema of the other tool

const MODERN = '2026-07-28';
const QUESTIONS = 'sep-2322-client-request-state';
const INFO = { name: 'conformance', version: '1' };
const CAPABILITIES = { elicitation: { form: { applyDefaults: true } }, sampling: {}, roots: {} };

const scenario = process.env.MCP_CONFORMANCE_SCENARIO;
const modern = process.env.MCP_CONFORMANCE_PROTOCOL_VERSION === MODERN && scenario !== QUESTIONS;
const { toolCalls = [] } = JSON.parse(process.env.MCP_CONFORMANCE_CONTEXT ?? '{}');

const note = words => process.env.CLIENT_LOG && fs.appendFileSync(process.env.CLIENT_LOG, `${words}\n`);

function argumentsFor({ name, inputSchema }, tools) {
	if (name === ECHO) return { schema: tools.find(tool => tool.name !== ECHO).inputSchema };
	const values = { number: 5, integer: 5, boolean: true, string: 'word' };
	const properties = Object.entries(inputSchema?.properties ?? {});
	return Object.fromEntries(properties.map(([key, { type }]) => [key, values[type] ?? 'word']));
}

async function use(client) {
	const ask = async (method, params = {}) => {
		try {
			const request = { method, params }, options = { timeout: CALL_MS * PATIENCE };
			if (!modern) return await client.request(request, ResultSchema, options);
			// Which repeats arguments in headers; a list it would not show as it came.
			return await (method === 'tools/call' ? client.callTool(params, options) : client.request(request, options));
		} catch (error) {
			note(`${method} ${params.name ?? ''}: ${error.message}`);
			return {};
		}
	};
	client.setRequestHandler(modern ? 'elicitation/create' : ElicitRequestSchema, async () => {
		if (scenario === QUESTIONS) await ask('tools/call', { name: UNRELATED, arguments: {} });
		return { action: 'accept', content: scenario.includes('defaults') ? {} : { confirmed: true } };
	});
	const offers = client.getServerCapabilities() ?? {};
	const { tools = [] } = offers.tools ? await ask('tools/list') : {};
	if (modern && offers.tools) await client.listTools();
	const given = toolCalls.map(({ name }) => name);
	const own = tools.filter(({ name }) => !given.includes(name) && name !== UNRELATED)
		.map(tool => ({ name: tool.name, arguments: argumentsFor(tool, tools) }));
	for (const call of [...toolCalls, ...own]) await ask('tools/call', call);
	const { resources = [] } = offers.resources ? await ask('resources/list') : {};
	for (const { uri } of resources) await ask('resources/read', { uri });
	const { prompts = [] } = offers.prompts ? await ask('prompts/list') : {};
	for (const { name } of prompts) await ask('prompts/get', { name });
}

let gateway;
try {
	gateway = await Gateway.start(passThrough({ url: process.argv.at(-1), type: 'http' }));
	const url = new URL(`${gateway.origin}/mcp`);
	const versionNegotiation = { mode: { pin: MODERN } };
	const client = modern ? new ClientTwo(INFO, { capabilities: CAPABILITIES, versionNegotiation })
		: new ClientOne(INFO, { capabilities: CAPABILITIES });
	await client.connect(modern ? new TransportTwo(url) : new TransportOne(url));
	await use(client);
	await client.close();
} catch (error) {
	note(error.message);
} finally {
	await gateway?.stop();
}
process.exit();
