// Runs the official conformance suite through Sluice in pass-through mode, in front of each of our fixture servers, and
// the suite's client scenarios against the side of Sluice that talks to servers.
//
//     run.mjs [--direct] [--only WORD] [--tap FILE] [--json FILE] [--markdown FILE]
//
// --direct leaves Sluice out (only fixtures over HTTP): what the fixtures themselves pass. --only runs what has that
// word in its name.

import fs from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { fileURLToPath } from 'node:url';

import { BACKENDS, startBackend } from './backends.mjs';
import { Gateway, newFile, NODE, NotSupported, passThrough, PATIENCE, start, startFixture, SUITE } from './gateway.mjs';
import { Results } from './results.mjs';
import { Verdict } from './tap.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const RUN_MS = 90000, SCENARIO_MS = 15000; // one run of the suite; one scenario in it
const REVISIONS = ['2025-11-25', '2026-07-28'];

// The suite's scenarios for clients that are about what a gateway does towards a server (not authorization).
const CLIENT_SCENARIOS = {
	'2025-11-25': ['initialize', 'tools_call', 'elicitation-sep1034-client-defaults', 'sse-retry',
		'json-schema-2020-12-preservation'],
	'2026-07-28': ['tools_call', 'request-metadata', 'sep-2322-client-request-state', 'http-standard-headers',
		'http-custom-headers', 'http-invalid-tool-headers', 'json-schema-ref-no-deref',
		'json-schema-2020-12-preservation'],
};

// Of an extension that neither SDK implements: without a server that has it there is nothing to see.
const LEFT_OUT = /^tasks-/;

const { values: options } = parseArgs({
	options: {
		direct: { type: 'boolean' }, only: { type: 'string' }, tap: { type: 'string' }, json: { type: 'string' },
		markdown: { type: 'string' },
	},
});
const wanted = name => options.only === undefined || name.includes(options.only);

// --- the suite

/** Runs it; its results are then in the directory. */
async function runSuite(args, out, more = {}) {
	const child = start(NODE, [SUITE, ...args, '-o', out], { stdio: 'ignore', ...more });
	const timer = setTimeout(() => child.kill('SIGKILL'), RUN_MS * PATIENCE);
	await child.exited;
	clearTimeout(timer);
}

/** What is wrong with a scenario; a check that only warns is told as well, for it is a SHOULD that is not kept. */
function problemOf(checks) {
	const bad = checks.filter(({ status }) => status === 'FAILURE' || status === 'WARNING');
	if (bad.length > 0) {
		const words = bad.map(({ id, status, errorMessage }) =>
			`${id}${status === 'WARNING' ? ' (warning)' : ''}: ${errorMessage ?? ''}`);
		return words.join('; ').replaceAll('\n', ' ').slice(0, 600);
	}
	return checks.some(({ status }) => status === 'SUCCESS') ? undefined : 'nothing was checked';
}

/** Problems by scenario, from the directories that a run left: KIND-SCENARIO-TIME, or SCENARIO-TIME. */
function readResults(out) {
	const problems = new Map();
	for (const folder of fs.existsSync(out) ? fs.readdirSync(out, { recursive: true }) : []) {
		if (path.basename(folder) !== 'checks.json') continue;
		const name = path.dirname(folder).replace(/^server-/, '').replace(/-\d{4}-\d\d-\d\dT[\d-]+Z$/, '');
		problems.set(name, problemOf(JSON.parse(fs.readFileSync(path.join(out, folder), 'utf8'))));
	}
	return problems;
}

/** The scenarios of a revision, in the suite's own words. */
function scenariosOf(revision) {
	const text = fs.readFileSync(path.join(path.dirname(SUITE), `../requirements/${revision}.yaml`), 'utf8');
	const scored = /^server:\n((?: +- .*\n)+)/m.exec(text)[1].match(/[^\s-][^\n]*/g);
	const others = [...text.matchAll(/scenario: (\S+)\n +leg: server/g)].map(([, name]) => name);
	return { scored, all: [...scored, ...others].filter(name => !LEFT_OUT.test(name)) };
}

async function runServerScenarios(results, name, revision, url, refusal) {
	const { scored, all } = scenariosOf(revision), out = newFile('suite');
	if (refusal === undefined) {
		const timeout = String(SCENARIO_MS * PATIENCE);
		await runSuite(['server', '--url', url, '--requirements', revision, '--timeout', timeout], out);
	}
	const problems = readResults(out);
	for (const scenario of all) {
		const problem = problems.has(scenario) ? problems.get(scenario) : refusal ?? 'it did not run';
		results.add(`${name}/${revision}/${scenario}`, problem, { scored: scored.includes(scenario) });
	}
}

/** The suite sends answers that are none, and Sluice leaves it to the server to say so. */
function isBrokenOnPurpose({ params }) {
	const answers = params?.inputResponses;
	return answers === null || answers?.user_name === 12345;
}

// --- servers behind Sluice

async function runThroughSluice(results, verdict, name, backend) {
	const { server, stop } = await startBackend(backend, verdict, name);
	let gateway, refusal;
	try {
		gateway = await Gateway.start(passThrough(server));
	} catch (error) {
		refusal = error instanceof NotSupported ? `not built yet: ${error.message}` : error.message;
	}
	for (const revision of REVISIONS) {
		if (wanted(`${name}/${revision}`)) {
			await runServerScenarios(results, name, revision, `${gateway?.origin}/mcp`, refusal);
		}
	}
	if (gateway) results.add(`${name}/exit`, await gateway.stop());
	await stop();
	results.add(`${name}/schema`, refusal ?? verdict.problem(name));
}

async function runDirect(results, name, { era, transport }) {
	const fixture = await startFixture(era, transport);
	for (const revision of REVISIONS) {
		if (era === 'dual' || (era === 'modern') === (revision === '2026-07-28')) {
			await runServerScenarios(results, `direct-${name}`, revision, fixture.origin + fixture.path);
		}
	}
	await fixture.stop();
}

// --- Sluice as a client

async function runClientScenarios(results) {
	for (const [revision, scenarios] of Object.entries(CLIENT_SCENARIOS)) {
		for (const scenario of scenarios) {
			const name = `client/${revision}/${scenario}`, out = newFile('suite');
			if (!wanted(name)) continue;
			const command = `${NODE} ${path.join(here, 'client.mjs')}`;
			const log = newFile('log');
			await runSuite(['client', '--command', command, '--scenario', scenario, '--spec-version', revision,
				'--timeout', String(30000 * PATIENCE)], out, { env: { ...process.env, CLIENT_LOG: log } });
			const problems = readResults(out);
			const said = fs.existsSync(log) ? fs.readFileSync(log, 'utf8').trim() : '';
			const problem = problems.size === 0 ? 'it did not run' : [...problems.values()][0];
			results.add(name, problem && said ? `${problem}; ${said}` : problem);
		}
	}
}

// --- for docs/conformance.md

const passing = results => `${results.filter(({ state }) => state === 'passed').length} of ${results.length}`;

function markdown({ all }) {
	const lines = ['| server | revision | scored | not scored | not passing |', '|---|---|---|---|---|'];
	for (const name of [...Object.keys(BACKENDS), 'client']) {
		for (const revision of REVISIONS) {
			const here = all.filter(result => result.name.startsWith(`${name}/${revision}/`));
			const scored = here.filter(({ scored = true }) => scored), others = here.filter(({ scored }) => scored === false);
			const bad = here.filter(({ state }) => state !== 'passed').map(({ name }) => name.split('/')[2]);
			const which = bad.length === here.length ? 'all' : bad.join(', ');
			lines.push(`| \`${name}\` | ${revision} | ${passing(scored)} | ${passing(others)} | ${which} |`);
		}
	}
	return `${lines.join('\n')}\n`;
}

// --- all of it

const results = new Results(path.join(here, 'expected.txt'), { waiting: !options.direct });
const verdict = new Verdict(isBrokenOnPurpose);
for (const [name, backend] of Object.entries(BACKENDS)) {
	if (!REVISIONS.some(revision => wanted(`${name}/${revision}`))) continue;
	const began = Date.now();
	if (!options.direct) await runThroughSluice(results, verdict, name, backend);
	else if (backend.transport === 'http') await runDirect(results, name, backend);
	console.log(`${name}: ${((Date.now() - began) / 1000).toFixed(1)} s`);
}
if (!options.direct) {
	await runClientScenarios(results);
	console.log(`${verdict.messages} messages to servers were held against the schemas`);
}
if (options.json) fs.writeFileSync(options.json, JSON.stringify(results.all, null, '\t'));
if (options.markdown) fs.writeFileSync(options.markdown, markdown(results));
process.exitCode = results.report(options.tap) === 0 ? 0 : 1;
