// What our fixture servers offer, said once: the tools, prompts and resources that the scenarios of the official
// conformance suite ask for by name, and those of the matrix. The two adapters, fixture-legacy.mjs on the SDK's first
// major version and fixture-modern.mjs on its second, serve it.
//
// A handler gets the arguments and a context with
//   ask(requests, { keep })  answers of the client, by key; in a stateless revision it may throw, and the call comes
//                            again with the answers; with `keep`, answers of earlier rounds travel in requestState
//   progress(n, total, message), log(level, data), signal, capabilities
//   changed(kind), updated(uri), hangUp()

import { setTimeout as pause } from 'node:timers/promises';

export const NAME = 'fixture', VERSION = '1.0.0';

const PIXEL = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
const SILENCE = 'UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAAAAA==';

/** An error that is to reach the client as a JSON-RPC error. */
export class RpcError extends Error {
	constructor(code, message, data) {
		super(message);
		this.code = code;
		this.data = data;
	}
}

// --- what can change while the server runs

export const world = { extraTool: false, extraPrompt: false, extraResource: false, cancelled: 0, running: 0 };

// --- bricks

const text = text => ({ type: 'text', text });
const image = () => ({ type: 'image', data: PIXEL, mimeType: 'image/png' });
const says = (...words) => ({ content: [text(words.join(' '))] });
const object = (properties = {}, required = []) => ({ type: 'object', properties, required });
const string = (description, more = {}) => ({ type: 'string', description, ...more });
const number = description => ({ type: 'number', description });

const form = (message, properties, required = Object.keys(properties)) => ({
	method: 'elicitation/create',
	params: { message, requestedSchema: object(properties, required) },
});
const sampling = (prompt, maxTokens = 100) => ({
	method: 'sampling/createMessage',
	params: { messages: [{ role: 'user', content: text(prompt) }], maxTokens },
});
const roots = () => ({ method: 'roots/list', params: {} });

const said = ({ content }) => [content].flat().map(block => block.text ?? block.type).join(' ');
const filled = answer => `action=${answer.action}, content=${JSON.stringify(answer.content ?? {})}`;

/** A tool that asks one question and tells the answer. */
const asking = (description, schema, question, tell) => ({
	description,
	inputSchema: schema,
	async run(args, context) {
		const { answer } = await context.ask({ answer: question(args) });
		return says(tell(answer));
	},
});

// --- tools

const choices = (...pairs) => pairs.map(([value, title]) => ({ const: value, title }));

const ENUMS = {
	untitledSingle: { type: 'string', enum: ['option1', 'option2', 'option3'] },
	titledSingle: {
		type: 'string',
		oneOf: choices(['value1', 'First Option'], ['value2', 'Second Option'], ['value3', 'Third Option']),
	},
	legacyEnum: {
		type: 'string',
		enum: ['opt1', 'opt2', 'opt3'],
		enumNames: ['Option One', 'Option Two', 'Option Three'],
	},
	untitledMulti: { type: 'array', items: { type: 'string', enum: ['option1', 'option2', 'option3'] } },
	titledMulti: {
		type: 'array',
		items: { anyOf: choices(['value1', 'First Choice'], ['value2', 'Second Choice'], ['value3', 'Third Choice']) },
	},
};

const DEFAULTS = {
	name: string('User name', { default: 'John Doe' }),
	age: { type: 'integer', description: 'User age', default: 30 },
	score: { type: 'number', description: 'User score', default: 95.5 },
	status: { type: 'string', description: 'User status', enum: ['active', 'inactive', 'pending'], default: 'active' },
	verified: { type: 'boolean', description: 'Verification status', default: true },
};

const SCHEMA_2020_12 = {
	$schema: 'https://json-schema.org/draft/2020-12/schema',
	type: 'object',
	$defs: {
		address: {
			$anchor: 'addressDef',
			type: 'object',
			properties: { street: { type: 'string' }, city: { type: 'string' } },
		},
	},
	properties: {
		name: { type: 'string' },
		address: { $ref: '#/$defs/address' },
		contactMethod: { type: 'string', enum: ['phone', 'email'] },
		phone: { type: 'string' },
		email: { type: 'string' },
	},
	allOf: [{ anyOf: [{ required: ['phone'] }, { required: ['email'] }] }],
	if: { properties: { contactMethod: { const: 'phone' } }, required: ['contactMethod'] },
	then: { required: ['phone'] },
	else: { required: ['email'] },
	additionalProperties: false,
};

const NAME_FORM = () => form('What is your name?', { name: { type: 'string' } });

const conformanceTools = {
	test_simple_text: {
		description: 'Text',
		async run() {
			return says('This is a simple text response for testing.');
		},
	},
	test_image_content: {
		description: 'An image',
		run: () => ({ content: [image()] }),
	},
	test_audio_content: {
		description: 'A sound',
		run: () => ({ content: [{ type: 'audio', data: SILENCE, mimeType: 'audio/wav' }] }),
	},
	test_embedded_resource: {
		description: 'An embedded resource',
		run: () => ({
			content: [{
				type: 'resource',
				resource: {
					uri: 'test://embedded-resource',
					mimeType: 'text/plain',
					text: 'This is an embedded resource content.',
				},
			}],
		}),
	},
	test_multiple_content_types: {
		description: 'Text, an image and a resource',
		run: () => ({
			content: [text('Multiple content types test:'), image(), {
				type: 'resource',
				resource: {
					uri: 'test://mixed-content-resource',
					mimeType: 'application/json',
					text: JSON.stringify({ test: 'data', value: 123 }),
				},
			}],
		}),
	},
	test_tool_with_logging: {
		description: 'Three log messages',
		async run(args, context) {
			for (const words of ['Tool execution started', 'Tool processing data', 'Tool execution completed']) {
				await context.log('info', words);
				await pause(50);
			}
			return says('Tool with logging executed successfully');
		},
	},
	test_tool_with_progress: {
		description: 'Three reports of progress',
		async run(args, context) {
			for (const done of [0, 50, 100]) {
				await context.progress(done, 100, `Completed step ${done} of 100`);
				await pause(50);
			}
			return says('done');
		},
	},
	test_error_handling: {
		description: 'An error of the tool',
		run: () => ({ isError: true, content: [text('This tool intentionally returns an error for testing')] }),
	},
	test_sampling: asking('Asks for a sample', object({ prompt: string('The prompt') }, ['prompt']),
		({ prompt }) => sampling(prompt), answer => `LLM response: ${said(answer)}`),
	test_elicitation: asking('Asks the user', object({ message: string('The message') }, ['message']),
		({ message }) => form(message, { username: string("User's response"), email: string("User's email address") }),
		answer => `User response: ${filled(answer)}`),
	test_elicitation_sep1034_defaults: asking('Asks with defaults', object(),
		() => form('Please review and update the form fields with defaults', DEFAULTS, []),
		answer => `Elicitation completed: ${filled(answer)}`),
	test_elicitation_sep1330_enums: asking('Asks with all kinds of choices', object(),
		() => form('Please select options from the enum fields', ENUMS, []),
		answer => `Elicitation completed: ${filled(answer)}`),
	test_reconnection: {
		description: 'Hangs up before it answers',
		async run(args, context) {
			context.hangUp();
			await pause(100);
			return says('Reconnection test completed successfully.');
		},
	},
	json_schema_2020_12_tool: {
		description: 'Tool with JSON Schema 2020-12 features',
		inputSchema: SCHEMA_2020_12,
		run: args => says('JSON Schema 2020-12 tool called with:', JSON.stringify(args)),
	},
	test_custom_header: {
		description: 'A parameter that HTTP clients repeat in a header',
		inputSchema: object({ region: string('A region', { 'x-mcp-header': 'Region' }) }, ['region']),
		run: ({ region }) => says('region:', region),
	},
	test_missing_capability: {
		description: 'Needs sampling',
		async run(args, context) {
			const { answer } = await context.ask({ answer: sampling('Say something') });
			return says(said(answer));
		},
	},
	test_streaming_elicitation: asking('Asks on its stream', object(),
		() => form('Go on?', { ok: { type: 'boolean' } }), filled),
	test_logging_tool: {
		description: 'Logs, if it is to log',
		async run(args, context) {
			await context.log('info', 'a line of the log');
			return says('logged');
		},
	},
};

// Several rounds, state that travels with the client: revision 2026-07-28. A server of an older one asks for the same.
const roundTools = {
	test_input_required_result_elicitation: {
		description: 'One question to the user',
		async run(args, context) {
			const { user_name: answer } = await context.ask({ user_name: NAME_FORM() });
			return says(`Hello, ${answer.content?.name}!`);
		},
	},
	test_input_required_result_sampling: {
		description: 'One question to the model',
		async run(args, context) {
			const { capital_question: answer } = await context.ask({
				capital_question: sampling('What is the capital of France?'),
			});
			return says(said(answer));
		},
	},
	test_input_required_result_list_roots: {
		description: 'One question for the roots',
		async run(args, context) {
			const { client_roots: answer } = await context.ask({ client_roots: roots() });
			return says('roots:', answer.roots.map(({ uri }) => uri).join(' '));
		},
	},
	test_input_required_result_request_state: {
		description: 'One question, and state that travels',
		async run(args, context) {
			const { confirm } = await context.ask(
				{ confirm: form('Please confirm', { ok: { type: 'boolean' } }) }, { keep: true });
			return says('state-ok', filled(confirm));
		},
	},
	test_input_required_result_multiple_inputs: {
		description: 'Three questions at once',
		async run(args, context) {
			const answers = await context.ask({
				user_name: NAME_FORM(),
				greeting: sampling('Generate a greeting', 50),
				client_roots: roots(),
			}, { keep: true });
			return says(answers.user_name.content?.name, said(answers.greeting), answers.client_roots.roots.length);
		},
	},
	test_input_required_result_multi_round: {
		description: 'One question after the other',
		async run(args, context) {
			const one = await context.ask(
				{ step1: form('Step 1: What is your name?', { name: { type: 'string' } }) }, { keep: true });
			const two = await context.ask(
				{ step2: form('Step 2: What is your favorite color?', { color: { type: 'string' } }) }, { keep: true });
			return says(one.step1.content?.name, 'likes', two.step2.content?.color);
		},
	},
	test_input_required_result_tampered_state: {
		description: 'State that nobody may change on its way',
		async run(args, context) {
			const { confirm } = await context.ask(
				{ confirm: form('Please confirm', { ok: { type: 'boolean' } }) }, { keep: true });
			return says(filled(confirm));
		},
	},
	test_input_required_result_capabilities: {
		description: 'Asks only what the client can answer',
		async run(args, context) {
			const questions = {};
			if (context.capabilities.sampling) questions.model = sampling('Say something');
			if (context.capabilities.elicitation) questions.user = NAME_FORM();
			const answers = Object.keys(questions).length === 0 ? {} : await context.ask(questions);
			return says('answered:', Object.keys(answers).sort().join(' '));
		},
	},
};

// Not in the list, as in the suite's own reference server: a gateway must forward names that it has not seen.
const hiddenTools = {
	test_trigger_tool_change: {
		run(args, context) {
			world.extraTool = !world.extraTool;
			context.changed('tools');
			return says('changed');
		},
	},
	test_trigger_prompt_change: {
		run(args, context) {
			world.extraPrompt = !world.extraPrompt;
			context.changed('prompts');
			return says('changed');
		},
	},
};

const matrixTools = {
	echo: {
		description: 'Says what it hears',
		inputSchema: object({ text: string('What to say') }, ['text']),
		run: ({ text }) => says(text),
	},
	wait: {
		description: 'Waits until it is cancelled',
		inputSchema: object({ ms: number('At most so long') }),
		async run({ ms = 30000 }, context) {
			world.running++;
			try {
				await context.progress(1, 2, 'waiting');
				await pause(ms, undefined, { signal: context.signal });
				return says('waited');
			} catch (error) {
				if (context.signal.aborted) world.cancelled++;
				throw error;
			} finally {
				world.running--;
			}
		},
	},
	cancelled: {
		description: 'How many calls were cancelled',
		run: () => says(world.cancelled),
	},
	big: {
		description: 'A big answer',
		inputSchema: object({ bytes: number('How big') }, ['bytes']),
		run: ({ bytes }) => says('x'.repeat(bytes)),
	},
	refuse: {
		description: 'An error of the protocol',
		run() {
			throw new RpcError(-32602, 'no such thing', { why: 'it is a test' });
		},
	},
	structured: {
		description: 'A structured answer',
		outputSchema: object({ sum: number('The sum') }, ['sum']),
		run: () => ({ structuredContent: { sum: 3 }, content: [text('{"sum":3}')] }),
	},
	links: {
		description: 'What older revisions have no name for',
		run: () => ({
			content: [
				{ type: 'resource_link', uri: 'test://static-text', name: 'static-text', mimeType: 'text/plain' },
				{ type: 'audio', data: SILENCE, mimeType: 'audio/wav' },
			],
		}),
	},
	touch: {
		description: 'Changes the watched resource',
		run(args, context) {
			context.updated('test://watched-resource');
			return says('touched');
		},
	},
};

const shownTools = { ...conformanceTools, ...roundTools, ...matrixTools };
const allTools = { ...shownTools, ...hiddenTools };

export const tools = {
	list() {
		const shown = Object.entries(shownTools).map(([name, { description, inputSchema = object(), outputSchema }]) =>
			({ name, description, inputSchema, ...outputSchema && { outputSchema } }));
		if (world.extraTool) shown.push({ name: 'extra', description: 'Comes and goes', inputSchema: object() });
		return { tools: shown };
	},
	async call({ name, arguments: args = {} }, context) {
		const tool = allTools[name];
		if (!tool) throw new RpcError(-32602, `Unknown tool: ${name}`);
		return tool.run(args, context);
	},
};

// --- prompts

const user = content => ({ role: 'user', content });
const argument = name => ({ name, description: `The argument ${name}`, required: true });

const allPrompts = {
	test_simple_prompt: {
		description: 'A prompt without arguments',
		get: () => [user(text('This is a simple prompt for testing.'))],
	},
	test_prompt_with_arguments: {
		description: 'A prompt with arguments',
		arguments: [argument('arg1'), argument('arg2')],
		get: ({ arg1, arg2 }) => [user(text(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`))],
	},
	test_prompt_with_embedded_resource: {
		description: 'A prompt with a resource in it',
		arguments: [argument('resourceUri')],
		get: ({ resourceUri }) => [
			user({
				type: 'resource',
				resource: {
					uri: resourceUri,
					mimeType: 'text/plain',
					text: 'Embedded resource content for testing.',
				},
			}),
			user(text('Please process the embedded resource above.')),
		],
	},
	test_prompt_with_image: {
		description: 'A prompt with an image in it',
		get: () => [user(image()), user(text('Please analyze the image above.'))],
	},
	test_input_required_result_prompt: {
		description: 'A prompt that asks the user',
		async get(args, context) {
			const { user_context: answer } = await context.ask({
				user_context: form('What context should the prompt use?', { context: { type: 'string' } }),
			});
			return [user(text(`Use this context: ${answer.content?.context}`))];
		},
	},
};

export const prompts = {
	list() {
		const shown = Object.entries(allPrompts).map(([name, { description, arguments: args }]) =>
			({ name, description, ...args && { arguments: args } }));
		if (world.extraPrompt) shown.push({ name: 'extra', description: 'Comes and goes' });
		return { prompts: shown };
	},
	async get({ name, arguments: args = {} }, context) {
		const prompt = allPrompts[name];
		if (!prompt) throw new RpcError(-32602, `Unknown prompt: ${name}`);
		return { messages: await prompt.get(args, context) };
	},
};

// --- resources

const TEMPLATE = /^test:\/\/template\/([^/]+)\/data$/;

const allResources = {
	'test://static-text': {
		name: 'static-text',
		mimeType: 'text/plain',
		content: () => ({ text: 'This is the content of the static text resource.' }),
	},
	'test://static-binary': { name: 'static-binary', mimeType: 'image/png', content: () => ({ blob: PIXEL }) },
	'test://watched-resource': {
		name: 'watched-resource',
		mimeType: 'text/plain',
		content: () => ({ text: 'Watched resource content' }),
	},
};

export const resources = {
	list: () => ({
		resources: Object.entries(allResources).map(([uri, { name, mimeType }]) =>
			({ uri, name, description: `The resource ${name}`, mimeType })),
	}),
	templates: () => ({
		resourceTemplates: [{
			uriTemplate: 'test://template/{id}/data',
			name: 'template',
			description: 'Data by id',
			mimeType: 'application/json',
		}],
	}),
	/** The contents, or null for what is not there: each revision says that in its own way. */
	read(uri) {
		const resource = allResources[uri];
		if (resource) return { contents: [{ uri, mimeType: resource.mimeType, ...resource.content() }] };
		const id = TEMPLATE.exec(uri)?.[1];
		if (id === undefined) return null;
		const data = { id, templateTest: true, data: `Data for ID: ${id}` };
		return { contents: [{ uri, mimeType: 'application/json', text: JSON.stringify(data) }] };
	},
};

// --- completion

const WORDS = ['paris', 'park', 'party'];

export function complete({ argument }) {
	const values = WORDS.filter(word => word.startsWith(argument.value));
	return { completion: { values, total: values.length, hasMore: false } };
}
