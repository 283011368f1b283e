// Runs a command and writes down the lines that pass through its stdin and stdout: tap-stdio.mjs FILE COMMAND [ARG...]

import { spawn } from 'node:child_process';
import fs from 'node:fs';

const [file, command, ...args] = process.argv.slice(2);
const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
const note = (from, line) => fs.appendFileSync(file, `${from} ${line}\n`);

function pass(from, source, target) {
	let rest = '';
	const decoder = new TextDecoder();
	source.on('data', chunk => {
		target.write(chunk);
		const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
		rest = lines.pop();
		for (const line of lines) note(from, line);
	});
	source.on('end', () => target.end());
	target.on('error', () => {}); // it has gone; its exit says so
}

note('opened', command);
pass('client', process.stdin, child.stdin);
pass('server', child.stdout, process.stdout);
process.on('SIGTERM', () => child.kill('SIGTERM'));
process.on('SIGINT', () => child.kill('SIGINT'));
child.on('exit', (code, signal) => process.exit(signal ? 128 : code));
