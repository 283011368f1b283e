// The matrix: clients of both official SDKs, over each transport, times servers of every kind behind Sluice, times
// features. Each cell works, or ends with the error that expected.txt gives the reason for; none hangs.
//
//     run.mjs [--direct] [--only WORD[,WORD...]] [--tap FILE] [--json FILE] [--markdown FILE]
//
// --direct leaves Sluice out, where a client can speak with the server itself: what the fixtures and this test can do.
// All that Sluice says in it, to clients and to servers, is held against the official schemas.

import fs from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { fileURLToPath } from 'node:url';

import { BACKENDS, startBackend } from '../conformance/backends.mjs';
import { CLIENTS, connect } from '../conformance/clients.mjs';
import {
	BINARY, environment, fixtureCommand, Gateway, newFile, NODE, NotSupported, passThrough, PATIENCE, startFixture,
	writeConfig,
} from '../conformance/gateway.mjs';
import { Results } from '../conformance/results.mjs';
import { HttpTap, judgeFile, Verdict } from '../conformance/tap.mjs';
import { FEATURES } from './features.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const CELL_MS = 8000, CONNECT_MS = 15000;
const CONFIGURED_ROOT = 'file:///configured';

const { values: options } = parseArgs({
	options: {
		direct: { type: 'boolean' }, only: { type: 'string' }, tap: { type: 'string' }, json: { type: 'string' },
		markdown: { type: 'string' },
	},
});
const words = options.only?.split(',') ?? [];
const wanted = name => words.every(word => name.includes(word));
const featuresOf = row => Object.keys(FEATURES).filter(feature => wanted(`${row}/${feature}`));

const results = new Results(options.direct ? undefined : path.join(here, 'expected.txt')), verdict = new Verdict();

/** Waits no longer than that; a promise that is neither kept nor broken then is one that hangs. */
async function within(ms, run) {
	const late = new AbortController();
	const timer = setTimeout(() => late.abort(), ms * PATIENCE);
	const hangs = new Promise(resolve => late.signal.addEventListener('abort', () => setTimeout(resolve, 100, 'hangs')));
	try {
		return await Promise.race([run(late.signal), hangs]);
	} finally {
		clearTimeout(timer);
	}
}

async function runCell(row, feature, client, about) {
	let problem, late;
	const began = Date.now();
	const limit = CELL_MS * PATIENCE;
	try {
		const ended = await within(CELL_MS, signal => {
			late = signal;
			return FEATURES[feature](client, { signal, timeout: limit, maxTotalTimeout: limit }, about);
		});
		if (ended === 'hangs') problem = 'it hangs';
	} catch (error) {
		problem = `${error.code ?? ''} ${error.message}`.trim().replaceAll('\n', ' ');
		if (late.aborted || /timed out/i.test(problem)) problem = `it hangs: ${problem}`;
	}
	results.add(`${row}/${feature}`, problem, { hangs: problem?.startsWith('it hangs'), ms: Date.now() - began });
}

/** One client with one server: all features. */
async function runRow(row, kind, where, about) {
	const features = featuresOf(row);
	let client;
	try {
		client = await within(CONNECT_MS, signal => connect(kind, where, { signal, timeout: CONNECT_MS * PATIENCE }));
		if (client === 'hangs') throw new Error('it cannot connect: it hangs');
		for (const feature of features) await runCell(row, feature, client, about);
	} catch (error) {
		for (const feature of features) results.add(`${row}/${feature}`, `it cannot connect: ${error.message}`);
	} finally {
		await within(CONNECT_MS, async () => client?.close?.()).catch(() => {});
	}
}

const tapped = (file, command) => [NODE, path.join(here, '../conformance/tap-stdio.mjs'), file, ...command];

function refuse(rows, why) {
	for (const [row] of rows) {
		for (const feature of [...featuresOf(row), 'schema']) results.add(`${row}/${feature}`, why);
	}
}

/** With those settings as well, or without when Sluice has not got them yet; and the configuration. */
async function startGateway(server, more) {
	const config = passThrough({ ...server, ...more });
	try {
		return [await Gateway.start(config), config];
	} catch (error) {
		if (!(error instanceof NotSupported) || Object.keys(more).length === 0) throw error;
		return startGateway(server, {});
	}
}

async function runBackend(name, backend) {
	const rows = CLIENTS.map(kind => [`${kind}/${name}`, kind]).filter(([row]) => featuresOf(row).length > 0);
	if (rows.length === 0) return;
	const began = Date.now();
	const { server, stop } = await startBackend(backend, verdict, name);
	const shared = backend.transport === 'stdio' && backend.isolation === undefined && backend.era === 'legacy';
	const about = { era: backend.era, ...shared && { roots: CONFIGURED_ROOT } };
	let gateway, told;
	try {
		const [started, config] = await startGateway(server, shared ? { roots: [{ uri: CONFIGURED_ROOT }] } : {});
		gateway = started;
		for (const [row, kind] of rows) {
			const file = newFile('lines'), tap = await HttpTap.start(verdict, row, 'server', gateway.origin);
			const serve = [BINARY, 'serve', '--admin', 'off', '--config', writeConfig(config)];
			const command = tapped(file, serve);
			await runRow(row, kind, { origin: tap.url, command, env: environment() }, about);
			tap.stop();
			judgeFile(verdict, row, 'server', file);
			results.add(`${row}/schema`, verdict.problem(row));
		}
	} catch (error) {
		told = error instanceof NotSupported ? `not built yet: ${error.message}` : error.message;
		refuse(rows, told);
	} finally {
		if (gateway) results.add(`servers/${name}/exit`, await gateway.stop());
		await stop();
	}
	results.add(`servers/${name}/schema`, told ?? verdict.problem(name));
	console.log(`${name}: ${((Date.now() - began) / 1000).toFixed(1)} s`);
}

/** Whether they can do without a gateway: the same transport, and an era in common. */
function match(kind, { era, transport, isolation }) {
	const modern = kind.endsWith('-modern');
	if (kind.split('-')[1] !== transport || isolation !== undefined) return false;
	return era === 'dual' || (era === 'modern') === modern;
}

/** The SDKs' own messages are held against the schemas as well: what they say must be right. */
async function runDirect(name, backend) {
	const kinds = CLIENTS.filter(kind => match(kind, backend) && featuresOf(`direct-${kind}/${name}`).length > 0);
	for (const kind of kinds) {
		const row = `direct-${kind}/${name}`, file = newFile('lines');
		const fixture = backend.transport === 'stdio' ? undefined : await startFixture(backend.era, backend.transport);
		const first = fixture && await HttpTap.start(verdict, row, 'server', fixture.origin);
		const second = fixture && await HttpTap.start(verdict, row, 'client', first.url);
		const command = tapped(file, fixtureCommand(backend.era, backend.transport));
		await runRow(row, kind, { origin: second?.url, command, env: environment() }, backend);
		second?.stop();
		first?.stop();
		await fixture?.stop();
		for (const side of ['client', 'server']) judgeFile(verdict, row, side, file);
		// The fixtures give content of all kinds to all clients; with a gateway in front that is the gateway's to mend.
		if (!row.includes('2025-03-26')) results.add(`${row}/schema`, verdict.problem(row));
	}
}

// --- for docs/conformance.md

const COLUMNS = [...Object.keys(FEATURES), 'schema'];

/** What works between a client and a server, in a word if possible. */
function summary(cells, kind, backend) {
	const bad = COLUMNS.filter(column => cells.get(`${kind}/${backend}/${column}`)?.state !== 'passed');
	if (bad.length >= COLUMNS.length - 1) return '-';
	return bad.length === 0 ? 'all' : `all but ${bad.join(', ')}`;
}

function markdown() {
	const cells = new Map(results.all.map(result => [result.name, result])), backends = Object.keys(BACKENDS);
	const head = `| client | ${backends.map(name => `\`${name}\``).join(' | ')} |`;
	const lines = [head, `|---|${'---|'.repeat(backends.length)}`];
	for (const kind of CLIENTS) {
		lines.push(`| \`${kind}\` | ${backends.map(backend => summary(cells, kind, backend)).join(' | ')} |`);
	}
	return `${lines.join('\n')}\n`;
}

// --- all of it

const run = options.direct ? runDirect : runBackend;
for (const [name, backend] of Object.entries(BACKENDS)) await run(name, backend);
console.log(`${verdict.messages} messages were held against the schemas`);
if (options.json) fs.writeFileSync(options.json, JSON.stringify(results.all, null, '\t'));
if (options.markdown) fs.writeFileSync(options.markdown, markdown());
process.exit(results.report(options.tap) === 0 ? 0 : 1);
