// The fixture server for the stateless revision 2026-07-28, on version 2 of the official SDK.
//
//     fixture-modern.mjs stdio | http [PORT] [--dual]
//
// With --dual it serves the stateful revisions as well. Over HTTP it prints its address; the endpoint is /mcp.

import { randomBytes, randomUUID } from 'node:crypto';

import { NodeStreamableHTTPServerTransport, toNodeHandler } from '@modelcontextprotocol/node';
import {
	classifyInboundRequest, createMcpHandler, createRequestStateCodec, inputRequired, isInitializeRequest, ProtocolError,
	Server,
} from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';

import { EventStore, readBody, refuse, serve } from './http.mjs';
import { complete, NAME, prompts, resources, RpcError, tools, VERSION } from './surface.mjs';

const RETRY_MS = 500;
const CAPABILITIES = 'io.modelcontextprotocol/clientCapabilities';
const SEND_CHANGED = {
	tools: 'sendToolListChanged',
	prompts: 'sendPromptListChanged',
	resources: 'sendResourceListChanged',
};
const NOTIFY_CHANGED = { tools: 'toolsChanged', prompts: 'promptsChanged', resources: 'resourcesChanged' };

const codec = createRequestStateCodec({ key: randomBytes(32) });
const live = new Set(); // servers that stay: of stdio, and of stateful sessions
let modern; // the handler for stateless requests over HTTP

/** Thrown by ask(): the call ends with questions, and comes again with the answers. */
class Questions {
	constructor(inputRequests, requestState) {
		this.result = { inputRequests, ...requestState && { requestState } };
	}
}

function announce(kind) {
	modern?.notify[NOTIFY_CHANGED[kind]]();
	for (const { server } of live) server[SEND_CHANGED[kind]]().catch(() => {});
}

function announceUpdate(uri) {
	modern?.notify.resourceUpdated(uri);
	for (const { server, watched } of live) {
		if (watched === undefined || watched.has(uri)) server.sendResourceUpdated({ uri }).catch(() => {});
	}
}

const isAnswer = answer => typeof answer === 'object' && answer !== null && !Array.isArray(answer);

/** What a handler of surface.mjs gets. */
function contextOf(server, context) {
	const { mcpReq, http } = context;
	const token = mcpReq._meta?.progressToken;
	const earlier = mcpReq.requestState()?.answers ?? {};
	return {
		signal: mcpReq.signal,
		capabilities: mcpReq.envelope?.[CAPABILITIES] ?? server.getClientCapabilities() ?? {},
		async ask(requests, { keep = false } = {}) {
			const answers = { ...earlier, ...mcpReq.inputResponses };
			const open = Object.entries(requests).filter(([key]) => !isAnswer(answers[key]));
			if (open.length > 0) {
				throw new Questions(Object.fromEntries(open), keep && await codec.mint({ answers, nonce: randomUUID() }));
			}
			return Object.fromEntries(Object.keys(requests).map(key => [key, answers[key]]));
		},
		async progress(progress, total, message) {
			if (token === undefined) return;
			const params = { progressToken: token, progress, total, message };
			await mcpReq.notify({ method: 'notifications/progress', params });
		},
		log: (level, data) => mcpReq.log(level, data, NAME),
		changed: announce,
		updated: announceUpdate,
		hangUp: () => http?.closeSSE?.(),
	};
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
		requestState: { verify: codec.verify },
	});
	const on = (method, handler) => server.setRequestHandler(method, async ({ params }, context) => {
		try {
			return await handler(params, contextOf(server, context));
		} catch (error) {
			if (error instanceof Questions) return inputRequired(error.result);
			if (error instanceof RpcError) throw new ProtocolError(error.code, error.message, error.data);
			throw error;
		}
	});
	on('tools/list', tools.list);
	on('tools/call', tools.call);
	on('prompts/list', prompts.list);
	on('prompts/get', prompts.get);
	on('resources/list', resources.list);
	on('resources/templates/list', resources.templates);
	on('completion/complete', complete);
	on('resources/read', ({ uri }) => {
		const result = resources.read(uri);
		if (result === null) throw new RpcError(-32602, 'Resource not found', { uri });
		return result;
	});
	return server;
}

/** A server that stays for a session, and keeps what the session watches. */
function newSession() {
	const server = newServer(), watched = new Set();
	server.setRequestHandler('resources/subscribe', ({ params }) => (watched.add(params.uri), {}));
	server.setRequestHandler('resources/unsubscribe', ({ params }) => (watched.delete(params.uri), {}));
	const session = { server, watched };
	live.add(session);
	server.onclose = () => live.delete(session);
	return server;
}

// --- transports

function serveOverStdio(dual) {
	const create = ({ era }) => {
		if (era === 'legacy') return newSession();
		const session = { server: newServer() }; // whom the SDK tells only what its listeners asked for
		live.add(session);
		session.server.onclose = () => live.delete(session);
		return session.server;
	};
	serveStdio(create, { legacy: dual ? 'serve' : 'reject' });
}

function serveOverHttp(port, dual) {
	const sessions = new Map();
	modern = createMcpHandler(newServer, { legacy: 'reject', onerror: () => {} });
	const handle = toNodeHandler(modern);

	async function open() {
		const transport = new NodeStreamableHTTPServerTransport({
			sessionIdGenerator: randomUUID,
			eventStore: new EventStore(),
			retryInterval: RETRY_MS,
			onsessioninitialized: id => void sessions.set(id, transport),
			onsessionclosed: id => void sessions.delete(id),
		});
		await newSession().connect(transport);
		return transport;
	}

	async function handleLegacy(request, response, body) {
		const id = request.headers['mcp-session-id'];
		if (id !== undefined && !sessions.has(id)) return refuse(response, 404, -32001, 'Session not found');
		if (id === undefined && !isInitializeRequest(body)) {
			return refuse(response, 400, -32000, 'Bad Request: Mcp-Session-Id header is required');
		}
		await (sessions.get(id) ?? await open()).handleRequest(request, response, body);
	}

	serve(port, {
		async '/mcp'(request, response) {
			const body = request.method === 'POST' ? await readBody(request) : undefined;
			if (request.method === 'POST' && body === undefined) return refuse(response, 400, -32700, 'Parse error');
			const { kind } = classifyInboundRequest({
				httpMethod: request.method,
				protocolVersionHeader: request.headers['mcp-protocol-version'],
				mcpMethodHeader: request.headers['mcp-method'],
				body,
			});
			if (dual && kind === 'legacy') return handleLegacy(request, response, body);
			await handle(request, response, body);
		},
	});
}

const words = process.argv.slice(2).filter(word => word !== '--dual');
const dual = process.argv.includes('--dual');
if (words[0] === 'stdio') serveOverStdio(dual);
else if (words[0] === 'http') serveOverHttp(Number(words[1] ?? 0), dual);
else throw new Error('fixture-modern.mjs stdio | http [PORT] [--dual]');
