// Clients of both major versions of the official SDK behind one face. Each answers what a server may ask: a sample, a
// form, its roots.
//
//     const client = await connect(kind, { origin, command }); await client.close()
//
// `origin` is where Sluice serves over HTTP, `command` what starts it over stdio. client.era is that of the connection.

import {
	Client as ClientTwo, SSEClientTransport as SseTwo, StreamableHTTPClientTransport as HttpTwo,
} from '@modelcontextprotocol/client';
import { StdioClientTransport as StdioTwo } from '@modelcontextprotocol/client/stdio';
import { Client as ClientOne } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport as SseOne } from '@modelcontextprotocol/sdk/client/sse.js';
import { StdioClientTransport as StdioOne } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport as HttpOne } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import * as types from '@modelcontextprotocol/sdk/types.js';

const LOG_LEVEL = 'io.modelcontextprotocol/logLevel';
const MODERN = '2026-07-28';
const INFO = { name: 'matrix', version: '1' };
const CAPABILITIES = { sampling: {}, elicitation: {}, roots: {} };

export const ROOT = 'file:///of/the/client';
const ANSWERS = {
	'sampling/createMessage': () =>
		({ role: 'assistant', model: 'none', stopReason: 'endTurn', content: { type: 'text', text: 'a sample' } }),
	'elicitation/create': () => ({ action: 'accept', content: { username: 'ada', email: 'ada@example.org' } }),
	'roots/list': () => ({ roots: [{ uri: ROOT, name: 'root' }] }),
};
const REQUESTS = {
	'sampling/createMessage': types.CreateMessageRequestSchema,
	'elicitation/create': types.ElicitRequestSchema,
	'roots/list': types.ListRootsRequestSchema,
};
const NOTIFICATIONS = {
	'notifications/message': types.LoggingMessageNotificationSchema,
	'notifications/resources/updated': types.ResourceUpdatedNotificationSchema,
	'notifications/tools/list_changed': types.ToolListChangedNotificationSchema,
};

const stdio = ([command, ...args], env) => ({ command, args, env, stderr: 'ignore' });

/** What both have in common. */
class Either {
	era = 'legacy';

	constructor(client) {
		this.client = client;
	}

	async list(options) {
		const [tools, prompts, resources, templates] = await Promise.all([
			this.client.listTools({}, options), this.client.listPrompts({}, options), this.client.listResources({}, options),
			this.client.listResourceTemplates({}, options),
		]);
		return { ...tools, ...prompts, ...resources, ...templates };
	}

	prompt(params, options) {
		return this.client.getPrompt(params, options);
	}

	read(uri, options) {
		return this.client.readResource({ uri }, options);
	}

	complete(params, options) {
		return this.client.complete(params, options);
	}

	/** Changes of the list of tools; the promise is kept with a function that ends it. */
	async watchTools() {
		return () => {}; // a stateful session is told without being asked
	}

	close() {
		return this.client.close();
	}
}

class One extends Either {
	notFound = -32002;

	constructor() {
		super(new ClientOne(INFO, { capabilities: CAPABILITIES }));
		for (const [method, answer] of Object.entries(ANSWERS)) {
			this.client.setRequestHandler(REQUESTS[method], answer);
		}
	}

	on(method, handler) {
		this.client.setNotificationHandler(NOTIFICATIONS[method], ({ params }) => handler(params));
	}

	call(name, args, options) {
		return this.client.callTool({ name, arguments: args }, undefined, options);
	}

	/** Calls with all of the log wanted. */
	async callLoud(name, args, options) {
		await this.client.setLoggingLevel('debug', options);
		return this.call(name, args, options);
	}

	/** Watches a resource; the promise is kept with a function that ends it. */
	async watch(uri, options) {
		await this.client.subscribeResource({ uri }, options);
		return () => this.client.unsubscribeResource({ uri }, options);
	}
}

class Two extends Either {
	notFound = -32602; // into which it turns the code of the older revisions

	/** `older`: the one revision that it speaks. */
	constructor(mode, older) {
		super(new ClientTwo(INFO, {
			capabilities: CAPABILITIES,
			versionNegotiation: { mode },
			...older && { supportedProtocolVersions: [older] },
		}));
		for (const [method, answer] of Object.entries(ANSWERS)) this.client.setRequestHandler(method, answer);
		if (mode !== 'legacy') this.era = 'modern';
	}

	on(method, handler) {
		this.client.setNotificationHandler(method, ({ params }) => handler(params));
	}

	call(name, args, options) {
		return this.client.callTool({ name, arguments: args }, options);
	}

	async callLoud(name, args, options) {
		if (this.era === 'modern') {
			return this.client.callTool({ name, arguments: args, _meta: { [LOG_LEVEL]: 'debug' } }, options);
		}
		await this.client.setLoggingLevel('debug', options);
		return this.call(name, args, options);
	}

	async watchTools(options) {
		if (this.era === 'legacy') return super.watchTools();
		const subscription = await this.client.listen({ toolsListChanged: true }, options);
		if (!subscription.honoredFilter.toolsListChanged) throw new Error('changes of the tools are not acknowledged');
		return () => subscription.close();
	}

	async watch(uri, options) {
		if (this.era === 'modern') {
			const subscription = await this.client.listen({ resourceSubscriptions: [uri] }, options);
			if (!subscription.honoredFilter.resourceSubscriptions?.includes(uri)) throw new Error(`${uri} is not acknowledged`);
			return () => subscription.close();
		}
		await this.client.subscribeResource({ uri }, options);
		return () => this.client.unsubscribeResource({ uri }, options);
	}
}

const PIN = { pin: MODERN };
const at = (origin, path) => new URL(path, origin);

// Each makes a client, and the way to the gateway.
const KINDS = {
	'v1-http': ({ origin }) => [new One(), new HttpOne(at(origin, '/mcp'))],
	'v1-stdio': ({ command, env }) => [new One(), new StdioOne(stdio(command, env))],
	'v1-sse': ({ origin }) => [new One(), new SseOne(at(origin, '/sse'))],
	'v2-http-modern': ({ origin }) => [new Two(PIN), new HttpTwo(at(origin, '/mcp'))],
	'v2-http-legacy': ({ origin }) => [new Two('legacy'), new HttpTwo(at(origin, '/mcp'))],
	'v2-http-2025-06-18': ({ origin }) => [new Two('legacy', '2025-06-18'), new HttpTwo(at(origin, '/mcp'))],
	'v2-http-2025-03-26': ({ origin }) => [new Two('legacy', '2025-03-26'), new HttpTwo(at(origin, '/mcp'))],
	'v2-stdio-modern': ({ command, env }) => [new Two(PIN), new StdioTwo(stdio(command, env))],
	'v2-sse': ({ origin }) => [new Two('legacy'), new SseTwo(at(origin, '/sse'))],
};
export const CLIENTS = Object.keys(KINDS);

export async function connect(kind, where, options) {
	const [client, transport] = KINDS[kind](where);
	await client.client.connect(transport, options);
	return client;
}
