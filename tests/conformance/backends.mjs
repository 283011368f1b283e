// The kinds of servers behind Sluice, and how one is started, with a tap in between.

import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { fixtureCommand, newFile, NODE, startFixture } from './gateway.mjs';
import { HttpTap, judgeFile } from './tap.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));

// Over stdio the process is shared by default; with `session` each client session has its own.
export const BACKENDS = {
	'legacy-stdio': { era: 'legacy', transport: 'stdio' },
	'legacy-stdio-session': { era: 'legacy', transport: 'stdio', isolation: 'session' },
	'legacy-http': { era: 'legacy', transport: 'http' },
	'legacy-sse': { era: 'legacy', transport: 'sse' },
	'modern-stdio': { era: 'modern', transport: 'stdio' },
	'modern-http': { era: 'modern', transport: 'http' },
	'dual-stdio': { era: 'dual', transport: 'stdio' },
	'dual-http': { era: 'dual', transport: 'http' },
};

/** Starts a fixture with taps around it; the server's part of the configuration, and how to end it all. */
export async function startBackend({ era, transport, isolation }, verdict, where) {
	const more = isolation ? { isolation } : {};
	if (transport === 'stdio') {
		const file = newFile('lines');
		const [command, ...args] = fixtureCommand(era, transport);
		return {
			server: { command: NODE, args: [path.join(here, 'tap-stdio.mjs'), file, command, ...args], ...more },
			stop: async () => judgeFile(verdict, where, 'client', file),
		};
	}
	const fixture = await startFixture(era, transport);
	const tap = await HttpTap.start(verdict, where, 'client', fixture.origin);
	return {
		server: { url: tap.url + fixture.path, type: transport, ...more },
		async stop() {
			tap.stop();
			await fixture.stop();
		},
	};
}
