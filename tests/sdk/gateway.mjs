// Starts the real binary in front of real servers, gives official clients of it, and sees to it that nothing is left
// behind. Settings: SLUICE (the binary; build/sluice), EXAMPLE_SERVER (beside it, in examples/), SLUICE_TEST_PATIENCE (a
// factor for all time limits).

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import readline from 'node:readline';
import nodeTest from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';

const here = path.dirname(fileURLToPath(import.meta.url));
const BINARY = process.env.SLUICE ?? path.join(here, '../../build/sluice');
const EXAMPLE = process.env.EXAMPLE_SERVER ?? path.join(path.dirname(BINARY), 'examples/example-server');
export const PATIENCE = Number(process.env.SLUICE_TEST_PATIENCE ?? 1);
const NO_LAME_DUCK = { lameDuck: { min: '0s', quiet: '0s', max: '0s' } };
const MARK = 'SLUICE_SDK_TEST'; // in the environment of all that a gateway starts, so that we know it again
const TEST_MS = 60000, WAIT_MS = 15000;

/** A test that ends: after a minute as a failure. */
export function test(title, run) {
	nodeTest(title, { timeout: TEST_MS * PATIENCE }, run);
}

/** Polls; returns the first true value. */
export async function until(condition, what) {
	const deadline = Date.now() + WAIT_MS * PATIENCE;
	for (;;) {
		const value = await condition();
		if (value) return value;
		assert.ok(Date.now() < deadline, `${what} did not come true in ${WAIT_MS * PATIENCE} ms`);
		await pause(20);
	}
}

// --- configurations

function npm(name, args = [], env = {}) {
	const program = path.join(here, 'node_modules/@modelcontextprotocol', name, 'dist/index.js');
	return { command: process.execPath, args: [program, ...args], env, startup: 'required' };
}

export function example(...args) {
	return { command: EXAMPLE, args, startup: 'required' };
}

/** npm's three servers and ours in C, which work in that directory. */
export function allServers(directory) {
	return {
		everything: npm('server-everything'),
		filesystem: npm('server-filesystem', [directory]),
		memory: npm('server-memory', [], { MEMORY_FILE_PATH: path.join(directory, 'memory.jsonl') }),
		ex: example(),
	};
}

/** A directory for one gateway's files; removed when the test file ends. */
export function temporaryDirectory() {
	const directory = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'sluice-sdk-')));
	directories.add(directory);
	return directory;
}

export function sessionKey() {
	return { id: 'k1', secret: Buffer.from(randomUUID().replaceAll('-', '')).toString('base64') };
}

// --- what is left at the end of a test file

const directories = new Set();
const marks = new Set(); // of gateways whose end no test has seen: one failed

process.once('exit', () => {
	for (const pid of [...marks].flatMap(processesOf)) {
		try {
			process.kill(pid, 'SIGKILL');
		} catch {} // it has just ended
	}
	for (const directory of directories) fs.rmSync(directory, { recursive: true, force: true });
});

// --- processes

/** The pids of a gateway and all that it started. */
function processesOf(mark) {
	return fs.readdirSync('/proc').filter(name => /^\d+$/.test(name)).map(Number).filter(pid => {
		try {
			return fs.readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0').includes(`${MARK}=${mark}`);
		} catch {
			return false; // ended, or not ours
		}
	});
}

/** What a gateway logs, as objects. */
class Log {
	constructor(stream) {
		this.events = [];
		this.lines = [];
		this.ended = new Promise(resolve => {
			readline.createInterface({ input: stream }).on('line', line => this.take(line)).on('close', resolve);
		});
	}

	take(line) {
		this.lines.push(line);
		try {
			this.events.push(JSON.parse(line));
		} catch {} // shown with the rest when something fails
	}

	wait(event) {
		return until(() => this.events.find(e => e.event === event), `the event ${event}`);
	}
}

class Gateway {
	constructor({ mcpServers, ...more }) {
		this.mark = randomUUID();
		this.directory = temporaryDirectory();
		marks.add(this.mark);
		for (const [name, server] of Object.entries(mcpServers)) {
			if (server.command) mcpServers[name] = { ...server, env: { ...server.env, [MARK]: this.mark } };
		}
		this.file = path.join(this.directory, 'servers.json');
		fs.writeFileSync(this.file, JSON.stringify({ mcpServers, lifecycle: NO_LAME_DUCK, ...more }));
		this.arguments = ['--config', this.file, '--log-format', 'json'];
		this.environment = { PATH: process.env.PATH, [MARK]: this.mark };
	}

	processes() {
		return processesOf(this.mark);
	}

	/** Checks what must hold at each end. */
	async checkEnd() {
		const last = await this.log.wait('shutdown_complete');
		assert.equal(last.exit_code, 0, this.log.lines.join('\n'));
		await until(() => this.processes().length === 0, 'the end of all processes');
		marks.delete(this.mark);
		return last;
	}
}

// --- over HTTP

/** `sluice serve --http` on a port that it picks; ready when the promise is kept. */
export class HttpGateway extends Gateway {
	static async start(config, ...more) {
		const gateway = new HttpGateway(config);
		const address = ['--http', '127.0.0.1:0', '--admin', 'off'];
		gateway.child = spawn(BINARY, ['serve', ...address, ...gateway.arguments, ...more], {
			env: gateway.environment,
			stdio: ['ignore', 'ignore', 'pipe'],
		});
		gateway.exited = once(gateway.child, 'exit');
		gateway.log = new Log(gateway.child.stderr);
		gateway.url = `http://${(await gateway.log.wait('listening')).address}`;
		await until(async () => (await fetch(`${gateway.url}/readyz`)).status === 200, 'readiness');
		return gateway;
	}

	/** A connected client; `transport` are options of the SDK. */
	async client(transport = {}) {
		const client = new Client({ name: 'sdk-test', version: '1' });
		await client.connect(new StreamableHTTPClientTransport(new URL(`${this.url}/mcp`), transport));
		return client;
	}

	async inFlight() {
		return (await (await fetch(`${this.url}/health`)).json()).in_flight;
	}

	async stop(signal = 'SIGTERM') {
		this.child.kill(signal);
		const [code, killed] = await this.exited;
		await this.log.ended;
		assert.deepEqual([code, killed], [0, null], this.log.lines.join('\n'));
		return this.checkEnd();
	}
}

// --- over stdio

/** `sluice serve`, started by the SDK itself as a client does it. */
export class StdioGateway extends Gateway {
	static async start(config) {
		const gateway = new StdioGateway(config);
		gateway.transport = new StdioClientTransport({
			command: BINARY,
			args: ['serve', '--admin', '127.0.0.1:0', ...gateway.arguments],
			env: gateway.environment,
			stderr: 'pipe',
		});
		gateway.log = new Log(gateway.transport.stderr);
		gateway.theClient = new Client({ name: 'sdk-test', version: '1' });
		await gateway.theClient.connect(gateway.transport);
		gateway.admin = `http://${(await gateway.log.wait('admin_listening')).address}`;
		await until(async () => (await fetch(`${gateway.admin}/readyz`)).status === 200, 'readiness');
		return gateway;
	}

	async client() {
		return this.theClient;
	}

	async inFlight() {
		return (await (await fetch(`${this.admin}/health`)).json()).in_flight;
	}

	/** Closes as the SDK does it: end of stdin, SIGTERM after 2 s, SIGKILL 2 s later. */
	async stop() {
		await this.theClient.close();
		await this.log.ended;
		return this.checkEnd();
	}
}
