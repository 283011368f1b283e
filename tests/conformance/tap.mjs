// Listens in between Sluice and a peer, and holds each message that Sluice sends against the schema of its revision.
//
// Over HTTP a small proxy forwards everything as it is, byte by byte; over stdio tap-stdio.mjs writes down the lines,
// which are read here when the run is over.

import fs from 'node:fs';
import http from 'node:http';

import { check, REVISIONS } from './schema.mjs';

const VERSION = 'io.modelcontextprotocol/protocolVersion';
const NEWEST_LEGACY = '2025-11-25';

const known = revision => REVISIONS.includes(revision) ? revision : undefined;

/** What was seen in all taps of a run, and what was wrong with it, by place. */
export class Verdict {
	#places = new Map();

	/** Messages that match are not judged. */
	constructor(except = () => false) {
		this.except = except;
	}

	#at(where) {
		if (!this.#places.has(where)) this.#places.set(where, { messages: 0, violations: [] });
		return this.#places.get(where);
	}

	judge(where, revision, message, method) {
		this.#at(where).messages++;
		if (this.except(message)) return;
		for (const error of check(revision, message, method)) this.blame(where, revision, error, JSON.stringify(message));
	}

	blame(where, revision, error, message) {
		this.#at(where).violations.push(`revision ${revision}: ${error}: ${message.slice(0, 300)}`);
	}

	/** What is wrong with what Sluice said there. */
	problem(where) {
		const { messages, violations } = this.#at(where);
		if (messages === 0) return 'no message was seen';
		return violations.length > 0 ? `${violations.length} times in ${messages} messages: ${violations[0]}` : undefined;
	}

	get messages() {
		return [...this.#places.values()].reduce((sum, { messages }) => sum + messages, 0);
	}
}

/** One conversation: what was asked by whom, and in which revision. Sluice is the client in it, or the server. */
class Talk {
	#asked = { client: new Map(), server: new Map() };

	constructor(verdict, where, sluice) {
		Object.assign(this, { verdict, where, sluice, revision: undefined });
	}

	take(from, message, hint) {
		for (const part of Array.isArray(message) ? message : [message]) this.#take(from, part, hint);
	}

	#take(from, message, hint) {
		const other = from === 'client' ? 'server' : 'client';
		let revision, method;
		if (message.method === undefined) {
			({ revision, method } = this.#asked[other].get(message.id) ?? {});
			this.#asked[other].delete(message.id);
			if (method === 'initialize') this.revision = revision = known(message.result?.protocolVersion) ?? revision;
		} else {
			revision = known(message.params?._meta?.[VERSION]);
			if (message.method === 'initialize') revision ??= known(message.params?.protocolVersion) ?? NEWEST_LEGACY;
		}
		revision ??= this.revision ?? known(hint) ?? NEWEST_LEGACY;
		if (message.method !== undefined && message.id !== undefined) {
			this.#asked[from].set(message.id, { revision, method: message.method });
		}
		if (message.params?._meta?.[VERSION] !== undefined) this.last = revision;
		if (from === this.sluice) this.verdict.judge(this.where, revision, message, method);
	}
}

// --- stdio

/** Judges what tap-stdio.mjs wrote: on each line who it is from, and what it says. */
export function judgeFile(verdict, where, sluice, file) {
	if (!fs.existsSync(file)) return;
	let talk = new Talk(verdict, where, sluice);
	for (const line of fs.readFileSync(file, 'utf8').split('\n')) {
		const [from, text] = [line.slice(0, 6), line.slice(7)];
		if (from === 'opened') talk = new Talk(verdict, where, sluice);
		if (from !== 'client' && from !== 'server') continue;
		const message = parse(verdict, where, from === sluice, text);
		if (message) talk.take(from, message, talk.last);
	}
}

function parse(verdict, where, ours, text) {
	try {
		return JSON.parse(text);
	} catch {
		if (ours) verdict.blame(where, 'unknown', 'not JSON', text);
		return undefined;
	}
}

// --- HTTP

/** Calls back with the data of each event, and with the event's name. */
function eventReader(take) {
	let rest = '';
	return chunk => {
		const from = Math.max(0, rest.length - 1);
		rest += chunk.replaceAll('\r\n', '\n');
		for (let end = rest.indexOf('\n\n', from); end >= 0; rest = rest.slice(end + 2), end = rest.indexOf('\n\n')) {
			const lines = rest.slice(0, end).split('\n');
			const field = name => lines.filter(line => line.startsWith(`${name}:`))
				.map(line => line.slice(name.length + 1).replace(/^ /, ''));
			if (field('data').length > 0) take(field('data').join('\n'), field('event')[0] ?? 'message');
		}
	};
}

/** A proxy in front of `target` (an origin such as http://127.0.0.1:4000) in whose talks Sluice is client or server. */
export class HttpTap {
	#talks = new Map(); // by session

	static async start(verdict, where, sluice, target) {
		const tap = new HttpTap();
		Object.assign(tap, { verdict, where, sluice, target: new URL(target) });
		tap.agent = new http.Agent({ keepAlive: true });
		tap.server = http.createServer((request, response) => tap.#forward(request, response));
		await new Promise(resolve => tap.server.listen(0, '127.0.0.1', resolve));
		tap.url = `http://127.0.0.1:${tap.server.address().port}`;
		return tap;
	}

	stop() {
		this.server.close();
		this.server.closeAllConnections();
		this.agent.destroy();
	}

	#newTalk() {
		return new Talk(this.verdict, this.where, this.sluice);
	}

	#forward(request, response) {
		const session = request.headers['mcp-session-id'] ??
			new URL(request.url, this.target).searchParams.get('sessionId') ?? undefined;
		const talk = this.#talks.get(session) ?? this.#newTalk();
		const revision = request.headers['mcp-protocol-version'];
		const headers = { ...request.headers, host: this.target.host };
		const onward = http.request({
			host: this.target.hostname, port: this.target.port, path: request.url, method: request.method, headers,
			agent: this.agent,
		});
		const body = [];
		request.on('data', chunk => body.push(chunk));
		request.on('end', () => this.#take(talk, 'client', Buffer.concat(body).toString(), revision));
		request.pipe(onward);
		onward.on('response', answer => {
			const opened = answer.headers['mcp-session-id'];
			if (opened !== undefined && session === undefined) this.#talks.set(opened, talk);
			this.#listen(talk, answer, revision);
			response.writeHead(answer.statusCode, answer.headers);
			response.flushHeaders();
			answer.pipe(response);
			answer.on('error', () => response.destroy());
			answer.on('aborted', () => response.destroy());
		});
		onward.on('error', () => response.destroy());
		response.on('close', () => onward.destroy());
	}

	#listen(talk, answer, revision) {
		const kind = answer.headers['content-type'] ?? '';
		const decoder = new TextDecoder();
		if (kind.startsWith('text/event-stream')) {
			const read = eventReader((data, name) => {
				const id = name === 'endpoint' && new URLSearchParams(data.split('?')[1]).get('sessionId');
				if (id) this.#talks.set(id, talk);
				else if (name === 'message') this.#take(talk, 'server', data, revision);
			});
			answer.on('data', chunk => read(decoder.decode(chunk, { stream: true })));
		} else if (kind.startsWith('application/json')) {
			const body = [];
			answer.on('data', chunk => body.push(chunk));
			answer.on('end', () => this.#take(talk, 'server', Buffer.concat(body).toString(), revision));
		}
	}

	#take(talk, from, text, revision) {
		if (text.trim() === '') return;
		const message = parse(this.verdict, this.where, from === this.sluice, text);
		if (message) talk.take(from, message, revision);
	}
}
