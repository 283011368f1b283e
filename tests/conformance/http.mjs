// What the fixture servers over HTTP share: a server on a loopback address that checks Host and Origin and says where
// it listens, on one line of stdout.

import http from 'node:http';

const LOCAL = /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/;

/** Whether a page of another site cannot be behind that request; otherwise it has been answered. */
function isLocal(request, response) {
	const { host = '', origin } = request.headers;
	const from = origin === undefined ? '' : origin.replace(/^https?:\/\//, '');
	if (LOCAL.test(host) && (origin === undefined || LOCAL.test(from))) return true;
	refuse(response, 403, -32000, 'Host or Origin is not allowed');
	return false;
}

export function refuse(response, status, code, message) {
	response.writeHead(status, { 'content-type': 'application/json' });
	response.end(JSON.stringify({ jsonrpc: '2.0', error: { code, message } }));
}

export async function readBody(request) {
	const chunks = [];
	for await (const chunk of request) chunks.push(chunk);
	try {
		return JSON.parse(Buffer.concat(chunks).toString());
	} catch {
		return undefined;
	}
}

/** Serves until SIGTERM. `routes` are functions by path. */
export function serve(port, routes) {
	const server = http.createServer(async (request, response) => {
		if (!isLocal(request, response)) return;
		const route = routes[new URL(request.url, 'http://localhost').pathname];
		if (!route) return refuse(response, 404, -32601, 'no such path');
		try {
			await route(request, response);
		} catch (error) {
			console.error(error);
			if (!response.headersSent) refuse(response, 500, -32603, String(error));
		}
	});
	server.keepAliveTimeout = 60000;
	server.listen(port, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}`));
	process.once('SIGTERM', () => process.exit(0));
}

/** The sessions' events, for clients that come back: kept for ever, as a test is short. */
export class EventStore {
	#events = [];

	async storeEvent(stream, message) {
		this.#events.push({ stream, message });
		return `${stream}.${this.#events.length}`;
	}

	async replayEventsAfter(last, { send }) {
		const dot = last.lastIndexOf('.');
		const stream = last.slice(0, dot), seen = Number(last.slice(dot + 1));
		for (const [i, event] of this.#events.entries()) {
			const real = event.message && Object.keys(event.message).length > 0; // not the one that opens a stream
			if (i >= seen && event.stream === stream && real) await send(`${stream}.${i + 1}`, event.message);
		}
		return stream;
	}
}
