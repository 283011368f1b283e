// Whether a message is what the official JSON schema of its revision says. The schemas are those that the conformance
// suite carries in its bundle; where ../shared has the published files, these are used instead, and they alone know
// 2024-11-05, which is otherwise judged by 2025-03-26. Messages of the two newest revisions are also held against the
// schemas of the SDK's own, which are in npm's @modelcontextprotocol/core and are not kept apart by revision.

import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import * as core from '@modelcontextprotocol/core';
import Ajv from 'ajv';
import Ajv2020 from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';

const here = path.dirname(fileURLToPath(import.meta.url));
const SHARED = process.env.MCP_SCHEMAS ?? path.join(here, '../../../shared/data/mcp-schema');
const SUITE = path.join(here, 'node_modules/@modelcontextprotocol/conformance/dist/index.js');
const MODERN = '2026-07-28', NEWEST = ['2025-11-25', MODERN];
export const REVISIONS = ['2024-11-05', '2025-03-26', '2025-06-18', '2025-11-25', MODERN];

// --- where the schemas come from

/** The text of the object literal that begins there; braces in strings do not count. */
function literalAt(source, begin) {
	let depth = 0, quote = null;
	for (let i = begin; i < source.length; i++) {
		const character = source[i];
		if (quote !== null) {
			if (character === '\\') i++;
			else if (character === quote) quote = null;
		} else if (character === '"' || character === "'" || character === '`') quote = character;
		else if (character === '{') depth++;
		else if (character === '}' && --depth === 0) return source.slice(begin, i + 1);
	}
	throw new Error('the suite has no whole schema in it');
}

/** A schema has no date in it, so we know it by what its revision brought. */
function revisionOf(schema) {
	const names = schema.$defs ?? schema.definitions;
	if ('DiscoverResult' in names) return MODERN;
	if ('GetTaskResult' in names) return '2025-11-25';
	return 'ElicitResult' in names ? '2025-06-18' : '2025-03-26';
}

function schemasOfSuite() {
	const source = fs.readFileSync(SUITE, 'utf8'), schemas = {};
	for (const { index } of source.matchAll(/\{\$schema:`[^`]*`,(definitions|\$defs):/g)) {
		const schema = new Function(`"use strict"; return ${literalAt(source, index)}`)();
		schemas[revisionOf(schema)] = schema;
	}
	return schemas;
}

function loadSchemas() {
	const schemas = schemasOfSuite();
	for (const revision of REVISIONS) {
		const file = path.join(SHARED, `${revision}.json`);
		if (fs.existsSync(file)) schemas[revision] = JSON.parse(fs.readFileSync(file, 'utf8'));
	}
	schemas['2024-11-05'] ??= schemas['2025-03-26'];
	return schemas;
}

// --- what is in them

/** The published schemas say integer in two places where the specification has a number. */
function mend(schema) {
	const names = schema.$defs ?? schema.definitions;
	for (const key of ['minimum', 'maximum', 'default']) {
		const property = names.NumberSchema?.properties?.[key];
		if (property?.type === 'integer') property.type = 'number';
	}
	const values = names.ElicitResult?.properties?.content?.additionalProperties;
	for (const choice of values?.anyOf ?? [values]) {
		if (Array.isArray(choice?.type)) choice.type = choice.type.map(type => type === 'integer' ? 'number' : type);
	}
	return schema;
}

// Results whose names do not follow from the request's.
const RESULTS = {
	ping: 'EmptyResult',
	'logging/setLevel': 'EmptyResult',
	'resources/subscribe': 'EmptyResult',
	'resources/unsubscribe': 'EmptyResult',
	'elicitation/create': 'ElicitResult',
};
const RESULTS_OF_TASKS = { task: 'CreateTaskResult' };

class Rules {
	#validators = new Map();

	constructor(revision, schema) {
		this.newest = NEWEST.includes(revision);
		const options = { strict: false, allErrors: true };
		this.ajv = schema.$schema.includes('2020-12') ? new Ajv2020.default(options) : new Ajv.default(options);
		addFormats.default(this.ajv);
		this.ajv.addFormat('byte', true);
		this.path = '$defs' in schema ? '$defs' : 'definitions';
		this.names = schema[this.path];
		this.ajv.addSchema({ ...mend(structuredClone(schema)), $id: 'mcp://schema' });
		this.messages = {}; // definitions of requests and notifications, by method
		for (const [name, { properties }] of Object.entries(this.names)) {
			const method = properties?.method?.const;
			if (method !== undefined) this.messages[method] ??= name;
		}
	}

	errors(name, value) {
		let validate = this.#validators.get(name);
		if (!validate) {
			validate = this.ajv.compile({ $ref: `mcp://schema#/${this.path}/${name}` });
			this.#validators.set(name, validate);
		}
		const parsed = this.newest ? core[`${name}Schema`]?.safeParse(value) : undefined;
		const ofCore = (parsed?.error?.issues ?? []).map(({ path, message }) => `${name}/${path.join('/')} ${message} (SDK)`);
		if (validate(value)) return ofCore.slice(0, 6);
		const errors = validate.errors.map(({ instancePath, message }) => `${name}${instancePath} ${message}`);
		return [...errors, ...ofCore].slice(0, 6);
	}

	first(...names) {
		return names.find(name => name in this.names);
	}

	resultOf(method, result) {
		if (result?.resultType === 'input_required') return this.first('InputRequiredResult');
		if (result?.task !== undefined && this.names.CreateTaskResult) return RESULTS_OF_TASKS.task;
		if (result?.resultType === 'task') return 'Result';
		const request = this.messages[method];
		return this.first(RESULTS[method], request?.replace(/Request$/, 'Result'), 'Result');
	}
}

const schemas = loadSchemas(), rules = {};

/** What is wrong with a message of that revision; `method` is that of the request which a response answers. */
export function check(revision, message, method) {
	rules[revision] ??= new Rules(revision, schemas[revision]);
	const rule = rules[revision];
	if (Array.isArray(message)) {
		return revision === '2025-03-26' ? message.flatMap(part => check(revision, part, method)) : ['an array'];
	}
	if (message.method !== undefined) {
		const name = rule.messages[message.method];
		return rule.errors(name ?? ('id' in message ? 'JSONRPCRequest' : 'JSONRPCNotification'), message);
	}
	if (message.error !== undefined) return rule.errors(rule.first('JSONRPCErrorResponse', 'JSONRPCError'), message);
	const errors = rule.errors(rule.first('JSONRPCResultResponse', 'JSONRPCResponse'), message);
	const { result } = message;
	return method === undefined ? errors : [...errors, ...rule.errors(rule.resultOf(method, result), result)];
}
