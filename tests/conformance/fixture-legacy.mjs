// The fixture server for the stateful revisions (2024-11-05 to 2025-11-25), on version 1 of the official SDK.
//
//     fixture-legacy.mjs stdio | http [PORT] | sse [PORT]
//
// Over HTTP it prints its address; the endpoint is /mcp, or /sse for the HTTP+SSE transport of 2024-11-05.

import { randomUUID } from 'node:crypto';

import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { SSEServerTransport } from '@modelcontextprotocol/sdk/server/sse.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import * as types from '@modelcontextprotocol/sdk/types.js';

import { EventStore, readBody, refuse, serve } from './http.mjs';
import { complete, NAME, prompts, resources, RpcError, tools, VERSION } from './surface.mjs';

const RETRY_MS = 500;
const LEVELS = ['debug', 'info', 'notice', 'warning', 'error', 'critical', 'alert', 'emergency'];
const ANSWERS = {
	'elicitation/create': types.ElicitResultSchema,
	'sampling/createMessage': types.CreateMessageResultSchema,
	'roots/list': types.ListRootsResultSchema,
};

const servers = new Set(); // one for each session

function announce(kind) {
	const method = `notifications/${kind}/list_changed`;
	for (const { server } of servers) server.notification({ method }).catch(() => {});
}

function announceUpdate(uri) {
	for (const { server, watched } of servers) {
		if (watched.has(uri)) server.sendResourceUpdated({ uri }).catch(() => {});
	}
}

/** What a handler of surface.mjs gets. */
function contextOf(session, extra) {
	const token = extra._meta?.progressToken;
	const notify = (method, params) => extra.sendNotification({ method, params });
	return {
		signal: extra.signal,
		capabilities: session.server.getClientCapabilities() ?? {},
		async ask(requests) {
			const answer = async ([key, { method, params }]) =>
				[key, await extra.sendRequest({ method, params }, ANSWERS[method])];
			return Object.fromEntries(await Promise.all(Object.entries(requests).map(answer)));
		},
		async progress(progress, total, message) {
			if (token === undefined) return;
			await notify('notifications/progress', { progressToken: token, progress, total, message });
		},
		async log(level, data) {
			if (LEVELS.indexOf(level) < LEVELS.indexOf(session.level)) return;
			await notify('notifications/message', { level, logger: NAME, data });
		},
		changed: announce,
		updated: announceUpdate,
		hangUp: () => extra.closeSSEStream?.(),
	};
}

/** An error with the code that it names; the SDK would write "MCP error" before its message once more. */
function asRpc(error) {
	if (!(error instanceof RpcError)) throw error;
	throw Object.assign(new Error(error.message), { code: error.code, data: error.data });
}

function newServer() {
	const server = new Server({ name: NAME, version: VERSION }, {
		capabilities: {
			tools: { listChanged: true },
			prompts: { listChanged: true },
			resources: { subscribe: true, listChanged: true },
			completions: {},
			logging: {},
		},
		instructions: 'A server for tests.',
	});
	const session = { server, watched: new Set(), level: 'debug' };
	const on = (schema, handler) => server.setRequestHandler(schema, async ({ params }, extra) => {
		try {
			return await handler(params, contextOf(session, extra));
		} catch (error) {
			return asRpc(error);
		}
	});
	on(types.ListToolsRequestSchema, tools.list);
	on(types.CallToolRequestSchema, tools.call);
	on(types.ListPromptsRequestSchema, prompts.list);
	on(types.GetPromptRequestSchema, prompts.get);
	on(types.ListResourcesRequestSchema, resources.list);
	on(types.ListResourceTemplatesRequestSchema, resources.templates);
	on(types.CompleteRequestSchema, complete);
	on(types.ReadResourceRequestSchema, ({ uri }) => {
		const result = resources.read(uri);
		if (result === null) throw new RpcError(-32002, 'Resource not found', { uri });
		return result;
	});
	on(types.SubscribeRequestSchema, ({ uri }) => (session.watched.add(uri), {}));
	on(types.UnsubscribeRequestSchema, ({ uri }) => (session.watched.delete(uri), {}));
	on(types.SetLevelRequestSchema, ({ level }) => (session.level = level, {}));
	servers.add(session);
	server.onclose = () => servers.delete(session);
	return server;
}

// --- transports

function serveHttp(port) {
	const sessions = new Map();

	async function open() {
		const transport = new StreamableHTTPServerTransport({
			sessionIdGenerator: randomUUID,
			eventStore: new EventStore(),
			retryInterval: RETRY_MS,
			onsessioninitialized: id => void sessions.set(id, transport),
			onsessionclosed: id => void sessions.delete(id),
		});
		await newServer().connect(transport);
		return transport;
	}

	serve(port, {
		async '/mcp'(request, response) {
			const id = request.headers['mcp-session-id'];
			const body = request.method === 'POST' ? await readBody(request) : undefined;
			if (request.method === 'POST' && body === undefined) return refuse(response, 400, -32700, 'Parse error');
			if (id !== undefined && !sessions.has(id)) return refuse(response, 404, -32001, 'Session not found');
			if (id === undefined && !types.isInitializeRequest(body)) {
				return refuse(response, 400, -32000, 'Bad Request: Mcp-Session-Id header is required');
			}
			await (sessions.get(id) ?? await open()).handleRequest(request, response, body);
		},
	});
}

function serveSse(port) {
	const sessions = new Map();
	serve(port, {
		async '/sse'(request, response) {
			if (request.method !== 'GET') return refuse(response, 405, -32000, 'Method not allowed');
			const transport = new SSEServerTransport('/messages', response);
			sessions.set(transport.sessionId, transport);
			response.on('close', () => sessions.delete(transport.sessionId));
			await newServer().connect(transport);
		},
		async '/messages'(request, response) {
			const id = new URL(request.url, 'http://localhost').searchParams.get('sessionId');
			const transport = sessions.get(id);
			if (!transport) return refuse(response, 404, -32001, 'Session not found');
			await transport.handlePostMessage(request, response);
		},
	});
}

const [kind, port = '0'] = process.argv.slice(2);
const start = {
	stdio: () => newServer().connect(new StdioServerTransport()),
	http: () => serveHttp(Number(port)),
	sse: () => serveSse(Number(port)),
}[kind];
if (!start) throw new Error('fixture-legacy.mjs stdio | http [PORT] | sse [PORT]');
await start();
