// Results by name, held against the list of those that are known not to pass.
//
// Such a list has a name or a pattern (`*` stands for anything, `{a,b}` for one of them) on each line, and after a
// colon and a blank the reason. Below the line `[not built yet]` are those that wait for a part of Sluice: when one of
// them passes it is told and no more. Elsewhere a listed name that passes is a failure, for its reason is wrong, and so
// is one that hangs, for what cannot be done is to be said.

import fs from 'node:fs';

const escape = text => text.replace(/[.+?^$()|[\]\\]/g, '\\$&');

function asRegExp(pattern) {
	const alternatives = escape(pattern).replace(/\{([^}]*)\}/g, (all, words) => `(?:${words.split(',').join('|')})`);
	return new RegExp(`^${alternatives.replaceAll('*', '.*')}$`);
}

export function readExpected(file) {
	const entries = [];
	let waits = false;
	for (const [i, line] of fs.readFileSync(file, 'utf8').split('\n').entries()) {
		if (line.trim() === '' || line.startsWith('#')) continue;
		if (line.startsWith('[')) {
			waits = line.trim() === '[not built yet]';
			continue;
		}
		const colon = line.indexOf(': ');
		if (colon < 0) throw new Error(`${file}:${i + 1}: there is no reason`);
		entries.push({ pattern: asRegExp(line.slice(0, colon).trim()), reason: line.slice(colon + 2).trim(), waits });
	}
	return entries;
}

export class Results {
	all = [];

	/** With a file of those that are known, or without: then all must pass. `waiting` are those that are not built yet. */
	constructor(file, { waiting = true } = {}) {
		this.expected = (file === undefined ? [] : readExpected(file)).filter(({ waits }) => waiting || !waits);
	}

	/** `problem` is what went wrong, or undefined. */
	add(name, problem, more = {}) {
		const known = this.expected.find(({ pattern }) => pattern.test(name));
		const entry = more.hangs && known && !known.waits ? undefined : known;
		const state = problem === undefined
			? (entry === undefined || entry.waits ? 'passed' : 'unexpected')
			: (entry === undefined ? 'failed' : 'expected');
		this.all.push({ name, state, problem, reason: entry?.reason, waits: entry?.waits ?? false, ...more });
	}

	count(...states) {
		return this.all.filter(({ state }) => states.includes(state)).length;
	}

	/** What there is to say, with all names of which it is said. */
	#lines() {
		const lines = new Map();
		const say = (line, name) => lines.set(line, [...lines.get(line) ?? [], name]);
		for (const { name, state, problem, reason } of this.all) {
			if (state === 'failed') say(`FAILED NAME: ${problem.slice(0, 300)}`, name);
			if (state === 'unexpected') say(`FAILED NAME: passes, but the list says: ${reason}`, name);
			if (state === 'passed' && reason !== undefined) say(`PASSES NAME: can leave the list: ${reason}`, name);
		}
		return lines;
	}

	/** Tells people, and writes the counts in the form of `node --test` for tools/count-results. */
	report(tapFile) {
		for (const [line, names] of this.#lines()) {
			const [first, ...rest] = names;
			console.log(line.replace('NAME', rest.length > 0 ? `${first} and ${rest.length} more` : first));
		}
		const waiting = this.all.filter(({ state, waits }) => state === 'expected' && waits).length;
		const good = this.count('passed'), known = this.count('expected'), bad = this.count('failed', 'unexpected');
		if (known > 0) console.log(`SKIPPED ${known} of ${this.all.length} are known to fail; ${waiting} wait for a part`);
		console.log(`${good} pass, ${bad} are not as listed`);
		if (tapFile) fs.writeFileSync(tapFile, `TAP version 13\n# pass ${good}\n# fail ${bad}\n`);
		return bad;
	}
}
