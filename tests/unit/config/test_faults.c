#include "unit.h"

#include "load.h"

#define SERVER(members) "{\"mcpServers\":{\"a\":{\"command\":\"sh\"" members "}}}"
#define URL(url, members) "{\"mcpServers\":{\"a\":{\"url\":\"" url "\"" members "}}}"
#define TOOLS(list) SERVER(",\"cli\":true,\"tools\":[" list "]")
#define SCHEMA(schema) TOOLS("{\"name\":\"t\",\"inputSchema\":" schema "}")
#define PROPERTY(property) SCHEMA("{\"type\":\"object\",\"properties\":{" property "}}")
#define KEYS(keys) "{\"session\":{\"keys\":[" keys "]}}"
#define SECRET "\"secret\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\""
#define TWELVE "abcdefghijkl"

/* clang-format off */
static const struct row { const char *json, *message; } errors[] = {
	/* the file as a whole */
	{ "[]",                                         "the file: must be an object" },
	{ "{\"mcpServers\":",                           "line 1, column 15:" },
	{ "{\"mcpServers\":[]}",                        "mcpServers: must be an object" },
	{ "{\"mcpServer\":{}}",                         "mcpServer: unknown key, did you mean \"mcpServers\"?" },
	{ "{\"zzz\":1}",                                "zzz: unknown key\n" },
	{ "{\"namespace\":\"sometimes\"}",              "namespace: must be \"always\" or \"never\"" },
	{ "{\"namespace\":true}",                       "namespace: must be a string" },
	{ "{\"serverAuth\":{}}",                        "serverAuth: not supported yet: authentication of clients" },
	{ "{\"audit\":{}}",                             "audit: not supported yet: the audit log" },
	{ "{\"telemetry\":{}}",                         "telemetry: not supported yet" },

	/* names of servers */
	{ "{\"mcpServers\":{\"a__b\":{\"command\":\"x\"}}}", "mcpServers.a__b: a server's name has no \"__\"" },
	{ "{\"mcpServers\":{\"a b\":{\"command\":\"x\"}}}",  "a server's name is made of letters, digits" },
	{ "{\"mcpServers\":{\"\":{\"command\":\"x\"}}}",     "a server needs a name" },
	{ "{\"mcpServers\":{\"" TWELVE TWELVE TWELVE "\":{\"command\":\"x\"}}}", "at most 32 characters" },
	{ "{\"mcpServers\":{\"a\":{\"command\":\"x\"}},\"servers\":{\"a\":{\"command\":\"y\"}}}", "servers.a: there are two servers of this name" },
	{ "{\"mcpServers\":{\"a\":\"npx\"}}",           "mcpServers.a: must be an object" },

	/* which kind of server it is */
	{ "{\"mcpServers\":{\"a\":{}}}",                "mcpServers.a: needs a \"command\"" },
	{ "{\"mcpServers\":{\"a\":{\"command\":null}}}", "mcpServers.a: needs a \"command\"" },
	{ "{\"mcpServers\":{\"a\":{\"command\":\"\"}}}", "mcpServers.a.command: must not be empty" },
	{ "{\"mcpServers\":{\"a\":{\"command\":\"${E}\"}}}", "mcpServers.a.command: must not be empty" },
	{ URL("ftp://x", ""),                           "mcpServers.a.url: " },
	{ URL("http://", ""),                           "mcpServers.a.url: " },
	{ URL("http://x/#y", ""),                       "mcpServers.a.url: " },
	{ URL("http://me:secret@x/", ""),               "mcpServers.a.url: must not name a user" },
	{ URL("${NONE}", ""),                           "mcpServers.a.url: the environment variable NONE is not set" },
	{ "{\"mcpServers\":{\"a\":{\"url\":7}}}",         "mcpServers.a.url: must be a string" },
	{ URL("http://x", ",\"type\":\"stdio\""),       "mcpServers.a.type: must be \"http\", \"sse\" or \"auto\"" },
	{ URL("http://x", ",\"cli\":true"),             "mcpServers.a.cli: a server that has a \"url\" cannot have this" },
	{ URL("http://x", ",\"headers\":[]"),           "mcpServers.a.headers: must be an object" },
	{ URL("http://x", ",\"headers\":{\"A\":1}"),    "mcpServers.a.headers.A: must be a string" },
	{ URL("http://x", ",\"headers\":{\"A b\":\"\"}"), "not a name that an HTTP header can have" },
	{ URL("http://x", ",\"headers\":{\"\":\"\"}"),  "not a name that an HTTP header can have" },
	{ URL("http://x", ",\"headers\":{\"A\":\"b\\nc\"}"), "mcpServers.a.headers.A: not a value that an HTTP header can have" },
	{ URL("http://x", ",\"headers\":{\"A\":\"b \"}"), "mcpServers.a.headers.A: not a value that an HTTP header can have" },
	{ URL("http://x", ",\"headers\":{\"A\":\"${NONE}\"}"), "mcpServers.a.headers.A: the environment variable NONE" },
	{ URL("http://x", ",\"headers\":{\"A\":\"b\",\"a\":\"c\"}"), "mcpServers.a.headers.a: is there twice" },
	{ URL("http://x", ",\"headers\":{\"host\":\"b\"}"), "mcpServers.a.headers.host: is a header that Sluice makes itself" },
	{ URL("http://x", ",\"headers\":{\"mcp-session-id\":\"b\"}"), "is a header that Sluice makes itself" },
	{ URL("http://x", ",\"headers\":{\"Content-Length\":\"b\"}"), "is a header that Sluice makes itself" },
	{ URL("http://x", ",\"headers\":{\"Proxy-Authorization\":\"b\"}"), "is a header that Sluice makes itself" },
	{ URL("http://x", ",\"tls\":[]"),               "mcpServers.a.tls: must be an object" },
	{ URL("http://x", ",\"tls\":{\"cert\":\"a\"}"), "mcpServers.a.tls: has one of \"cert\" and \"key\"" },
	{ URL("http://x", ",\"tls\":{\"cacert\":\"a\"}"), "mcpServers.a.tls.cacert: unknown key" },
	{ SERVER(",\"url\":\"http://x\""),              "has a \"command\" and a \"url\"" },
	{ SERVER(",\"headers\":{}"),                    "mcpServers.a.headers: only a server that has a \"url\"" },
	{ SERVER(",\"tls\":{}"),                        "mcpServers.a.tls: only a server that has a \"url\"" },
	{ SERVER(",\"type\":\"http\""),                 "mcpServers.a.type: must be \"stdio\"" },
	{ SERVER(",\"type\":\"streamableHttp\""),       "mcpServers.a.type: must be \"stdio\"" },
	{ SERVER(",\"type\":\"ftp\""),                  "mcpServers.a.type: must be \"auto\", \"stdio\", \"local\", \"http\"" },
	{ SERVER(",\"cli\":true,\"cliDepth\":0"),       "mcpServers.a.cliDepth: must be a whole number from 1 to 8" },
	{ SERVER(",\"cli\":true,\"cliHelp\":\" \""),    "mcpServers.a.cliHelp: must not be empty" },
	{ SERVER(",\"cli\":true,\"cliHelp\":[]"),       "mcpServers.a.cliHelp: must not be empty" },
	{ SERVER(",\"cli\":true,\"cliHelp\":7"),        "mcpServers.a.cliHelp: must be a string" },
	{ SERVER(",\"cli\":true,\"cliOnly\":\"x\""),    "mcpServers.a.cliOnly: must be an array" },
	{ SERVER(",\"cli\":true,\"type\":\"http\""),    "mcpServers.a.type: must be \"stdio\"" },
	{ SERVER(",\"cli\":1"),                         "mcpServers.a.cli: must be true or false" },
	{ SERVER(",\"cli_only\":[]"),                   "mcpServers.a.cli_only: only a server that has \"cli\": true" },
	{ SERVER(",\"tools\":[]"),                      "mcpServers.a.tools: only a server that has \"cli\": true" },

	/* tools of a command-line program */
	{ TOOLS("7"),                                   "mcpServers.a.tools[0]: must be an object" },
	{ TOOLS("{}"),                                  "mcpServers.a.tools[0]: needs a \"name\"" },
	{ TOOLS("{\"name\":\"a b\"}"),                  "mcpServers.a.tools[0].name: a tool's name is made of" },
	{ TOOLS("{\"name\":\"a\"},{\"name\":\"a\"}"), "mcpServers.a.tools[1].name: there are two tools of this name" },
	{ TOOLS("{\"name\":\"a\",\"arg\":[]}"),         "mcpServers.a.tools[0].arg: unknown key, did you mean \"args\"" },
	{ SCHEMA("[]"),                                 "mcpServers.a.tools[0].inputSchema: must be an object" },
	{ SCHEMA("{}"),                                 "mcpServers.a.tools[0].inputSchema: the type of a tool's arguments" },
	{ SCHEMA("{\"type\":\"array\"}"),               "mcpServers.a.tools[0].inputSchema.type: the type of a tool's arguments" },
	{ SCHEMA("{\"type\":\"object\",\"required\":1}"), "mcpServers.a.tools[0].inputSchema.required: must be an array of strings" },
	{ PROPERTY("\"-x\":{}"),                        "inputSchema.properties.-x: not a name that a flag can have" },
	{ PROPERTY("\"x=y\":{}"),                       "not a name that a flag can have" },
	{ PROPERTY("\"x\":{\"type\":\"object\"}"),      "inputSchema.properties.x: must be a string, boolean, integer or number" },
	{ PROPERTY("\"x\":{\"type\":\"array\",\"items\":{\"type\":\"array\"}}"), "inputSchema.properties.x: must be a string, boolean" },
	{ PROPERTY("\"x\":{\"enum\":[1]}"),             "inputSchema.properties.x: the values of an enum must be strings" },
	{ PROPERTY("\"args\":{\"type\":\"integer\"}"),  "inputSchema.properties.args: must be an array of strings, or a string" },

	/* its keys */
	{ SERVER(",\"comand\":\"npx\""),                "mcpServers.a.comand: unknown key, did you mean \"command\"?" },
	{ SERVER(",\"args\":\"-y\""),                   "mcpServers.a.args: must be an array" },
	{ SERVER(",\"args\":[\"-y\",7]"),               "mcpServers.a.args[1]: must be a string" },
	{ SERVER(",\"args\":[\"x\",\"${NONE}\"]"),      "mcpServers.a.args[1]: the environment variable NONE is not set" },
	{ SERVER(",\"cwd\":\"a\\u0000b\""),             "mcpServers.a.cwd: holds a NUL" },
	{ SERVER(",\"env\":[]"),                        "mcpServers.a.env: must be an object" },
	{ SERVER(",\"env\":{\"A\":{}}"),                "mcpServers.a.env.A: must be a string" },
	{ SERVER(",\"env\":{\"A\":\"${NONE}\"}"),       "mcpServers.a.env.A: the environment variable NONE is not set" },
	{ SERVER(",\"env\":{\"A=B\":\"x\"}"),           "not a name that an environment variable can have" },
	{ SERVER(",\"env\":{\"\":\"x\"}"),              "not a name that an environment variable can have" },
	{ SERVER(",\"env\":{\"A\\u0000\":\"x\"}"),      "not a name that an environment variable can have" },
	{ SERVER(",\"env\":{\"SLUICE_BACKEND\":\"x\"}"), "mcpServers.a.env.SLUICE_BACKEND: is set by Sluice" },
	{ SERVER(",\"inheritEnv\":[\"A\",\"*\"]"),      "mcpServers.a.inheritEnv[1]: must be the name of an environment variable" },
	{ SERVER(",\"disabled\":\"yes\""),              "mcpServers.a.disabled: must be true or false" },
	{ SERVER(",\"startup\":\"egaer\""),             "mcpServers.a.startup: must be \"required\", \"eager\" or \"lazy\"" },
	{ SERVER(",\"startupTimeout\":\"0s\""),         "mcpServers.a.startupTimeout: must be from 10ms to 1h" },
	{ SERVER(",\"startupTimeout\":\"2h\""),         "mcpServers.a.startupTimeout: must be from 10ms to 1h" },
	{ SERVER(",\"requestTimeout\":\"soon\""),       "mcpServers.a.requestTimeout: must be a duration such as" },
	{ SERVER(",\"requestTimeout\":-1"),             "mcpServers.a.requestTimeout: must be a duration such as" },
	{ SERVER(",\"requestTimeout\":[]"),             "mcpServers.a.requestTimeout: must be a duration such as" },
	{ SERVER(",\"requestTimeout\":\"${NONE}\""),    "mcpServers.a.requestTimeout: the environment variable NONE is not set" },
	{ SERVER(",\"idleTimeout\":\"Adaptive\""),      "mcpServers.a.idleTimeout: must be \"adaptive\", \"never\" or a duration" },
	{ SERVER(",\"idleTimeout\":\"1ms\""),           "mcpServers.a.idleTimeout: must be from 10ms to 24h" },
	{ SERVER(",\"idleTimeout\":\"1m\",\"idle_timeout\":\"2m\""), "mcpServers.a.idle_timeout: the same as \"idleTimeout\", which is given too" },
	{ SERVER(",\"minIdleTimeout\":\"5m\",\"maxIdleTimeout\":\"1m\""), "mcpServers.a.maxIdleTimeout: less than minIdleTimeout" },
	{ SERVER(",\"stop\":\"2s\""),                   "mcpServers.a.stop: must be an object" },
	{ SERVER(",\"stop\":{\"eof\":\"11m\"}"),        "mcpServers.a.stop.eof: must be from 0s to 10m" },
	{ SERVER(",\"stop\":{\"kill\":\"1s\"}"),        "mcpServers.a.stop.kill: unknown key" },
	{ SERVER(",\"isolation\":\"none\""),            "mcpServers.a.isolation: must be \"shared\", \"lease\" or \"session\"" },
	{ SERVER(",\"maxProcesses\":0"),                "mcpServers.a.maxProcesses: must be" },
	{ SERVER(",\"maxProcesses\":1025"),             "mcpServers.a.maxProcesses: must be" },
	{ SERVER(",\"toolAcl\":{}"),                    "mcpServers.a.toolAcl: not supported yet: access control" },
	{ SERVER(",\"tool_acl\":{}"),                   "mcpServers.a.tool_acl: not supported yet: access control" },
	{ SERVER(",\"roots\":{}"),                      "mcpServers.a.roots: must be an array" },
	{ SERVER(",\"roots\":[\"/srv\"]"),              "mcpServers.a.roots[0]: must start with file://" },
	{ SERVER(",\"roots\":[1]"),                     "mcpServers.a.roots[0]: must be an object" },
	{ SERVER(",\"roots\":[{\"uri\":\"file:///\",\"name\":1}]"), "mcpServers.a.roots[0].name: must be a string" },
	{ SERVER(",\"roots\":[{\"name\":\"srv\"}]"),    "mcpServers.a.roots[0]: needs a \"uri\"" },
	{ SERVER(",\"roots\":[{\"uri\":\"/srv\"}]"),    "mcpServers.a.roots[0].uri: must start with file://" },
	{ SERVER(",\"roots\":[{\"path\":\"/srv\"}]"),   "mcpServers.a.roots[0].path: unknown key" },

	/* the other blocks */
	{ "{\"lifecycle\":[]}",                         "lifecycle: must be an object" },
	{ "{\"lifecycle\":{\"gracePeriod\":\"25h\"}}",  "lifecycle.gracePeriod: must be from 0s to 24h" },
	{ "{\"lifecycle\":{\"graceperiod\":\"25s\"}}",  "unknown key, did you mean \"gracePeriod\"?" },
	{ "{\"lifecycle\":{\"lameDuck\":{\"max\":true}}}", "lifecycle.lameDuck.max: must be a duration" },
	{ "{\"lifecycle\":{\"readiness\":{\"onRequiredLoss\":\"die\"}}}", "lifecycle.readiness.onRequiredLoss: must be \"stay\" or \"fail\"" },
	{ "{\"lifecycle\":{\"terminationLog\":\"\"}}",  "lifecycle.terminationLog: must not be empty" },
	{ "{\"http\":{\"tls\":{}}}",                    "http.tls: a server needs a certificate and its key" },
	{ "{\"http\":{\"maxBodyBytes\":\"8MiB\"}}",     "http.maxBodyBytes: must be a whole number from 1024 to 1073741824" },
	{ "{\"http\":{\"maxHeaderBytes\":1023}}",       "http.maxHeaderBytes: must be a whole number from 1024 to 1048576" },
	{ "{\"http\":{\"maxHeaderBytes\":1048577}}",    "http.maxHeaderBytes: must be a whole number" },
	{ "{\"http\":{\"allowedHosts\":[\"a\",\"b:80\"]}}", "http.allowedHosts[1]: must be the name of a host" },
	{ "{\"http\":{\"allowedHosts\":[\"http://b\"]}}", "http.allowedHosts[0]: must be the name of a host" },
	{ "{\"http\":{\"allowedHosts\":[\"[::1\"]}}",   "http.allowedHosts[0]: must be the name of a host" },
	{ "{\"http\":{\"allowedHosts\":[\"[1]\"]}}",    "http.allowedHosts[0]: must be the name of a host" },
	{ "{\"http\":{\"allowedHosts\":[\"\"]}}",       "http.allowedHosts[0]: must be the name of a host" },
	{ "{\"http\":{\"allowedOrigins\":[\"*\"]}}",    "http.allowedOrigins[0]: must be an origin" },
	{ "{\"http\":{\"allowedOrigins\":[\"https://a/b\"]}}", "http.allowedOrigins[0]: must be an origin" },
	{ "{\"http\":{\"allowedOrigins\":[\"https://a:b\"]}}", "http.allowedOrigins[0]: must be an origin" },
	{ "{\"http\":{\"allowedOrigins\":[\"https://\"]}}", "http.allowedOrigins[0]: must be an origin" },
	{ "{\"http\":{\"allowedOrigins\":[\"://a\"]}}", "http.allowedOrigins[0]: must be an origin" },
	{ "{\"http\":{\"allowedOrigins\":[7]}}",        "http.allowedOrigins[0]: must be a string" },
	{ "{\"http\":{\"basePath\":\"tools\"}}",        "http.basePath: must be empty, or start with a slash" },
	{ "{\"http\":{\"basePath\":\"/tools/\"}}",      "http.basePath: must be empty, or start with a slash" },
	{ "{\"http\":{\"basePath\":\"/a//b\"}}",        "http.basePath: must be empty, or start with a slash" },
	{ "{\"http\":{\"basePath\":\"/a?b\"}}",         "http.basePath: must be empty, or start with a slash" },
	{ "{\"limits\":{\"maxDepth\":1.5}}",            "limits.maxDepth: must be a whole number from 8 to 1000" },
	{ "{\"limits\":{\"maxDepth\":-8}}",             "limits.maxDepth: must be a whole number" },
	{ "{\"limits\":{\"maxDepth\":1e2}}",            "limits.maxDepth: must be a whole number" },
	{ "{\"limits\":{\"maxInFlight\":0}}",           "limits.maxInFlight: must be a whole number from 1" },
	{ "{\"limits\":{\"maxInFlight\":99999999999999999999}}", "limits.maxInFlight: must be a whole number" },
	{ "{\"limits\":{\"maxInflight\":1}}",           "unknown key, did you mean \"maxInFlight\"?" },
	{ "{\"session\":{\"idleTimeout\":\"8d\"}}",     "session.idleTimeout: must be a duration" },
	{ "{\"log\":{\"level\":\"verbose\"}}",          "log.level: must be error, warn, info, debug or trace" },
	{ "{\"log\":{\"level\":\"info,=debug\"}}",      "log.level: must be error, warn, info, debug or trace" },
	{ "{\"log\":{\"level\":\"\"}}",                 "log.level: must be error, warn, info, debug or trace" },
	{ "{\"log\":{\"format\":\"xml\"}}",             "log.format: must be \"text\" or \"json\"" },

	/* session keys */
	{ "{\"session\":{\"keys\":{}}}",                "session.keys: must be an array" },
	{ KEYS("7"),                                    "session.keys[0]: must be an object" },
	{ KEYS("{" SECRET "}"),                         "session.keys[0]: needs an \"id\" and a \"secret\"" },
	{ KEYS("{\"id\":\"a\"}"),                       "session.keys[0]: needs an \"id\" and a \"secret\"" },
	{ KEYS("{\"id\":\"\"," SECRET "}"),             "session.keys[0].id: must not be empty" },
	{ KEYS("{\"id\":\"a\",\"secret\":\"AAEC\"}"),   "session.keys[0].secret: must be 32 bytes in base64" },
	{ KEYS("{\"id\":\"a\",\"secret\":\"!\"}"),      "session.keys[0].secret: must be 32 bytes in base64" },
	{ KEYS("{\"id\":\"a\",\"key\":\"x\"," SECRET "}"), "session.keys[0].key: unknown key" },
	{ KEYS("{\"id\":\"a\"," SECRET "},{\"id\":\"a\"," SECRET "}"), "session.keys[1].id: there is another key of this id" },
	{ KEYS("1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17"), "session.keys: at most 16 keys" },
};

static const struct row warnings[] = {
	{ "{}",                                             "warning: no server is configured" },
	{ SERVER(",\"cwd\":\"/nonexistent\""),              "warning: mcpServers.a.cwd: there is no such directory: /nonexistent" },
	{ SERVER(",\"cwd\":\"/dev/null\""),                 "warning: mcpServers.a.cwd: there is no such directory: /dev/null" },
	{ "{\"servers\":{\"a\":{\"command\":\"/nonexistent\"}}}", "warning: servers.a.command: there is no such program: /nonexistent" },
	{ "{\"servers\":{\"a\":{\"command\":\"nonexistent\"}}}", "warning: servers.a.command: there is no such program in PATH: nonexistent" },
	{ SERVER(",\"requestTimeout\":\"5m\",\"maxRequestTimeout\":\"1m\""), "warning: mcpServers.a.maxRequestTimeout: less than requestTimeout: 5m is used" },
	{ SERVER(",\"envFile\":\".env\""),                  "warning: mcpServers.a.envFile: ignored: write its variables into \"env\"" },
	{ SERVER(",\"disabledTools\":[\"x\"]"),             "warning: mcpServers.a.disabledTools: ignored: write \"exclude\"" },
	{ SERVER(",\"excludeTools\":[\"x\"]"),              "warning: mcpServers.a.excludeTools: ignored: write \"exclude\"" },
	{ SERVER(",\"includeTools\":[\"x\"]"),              "warning: mcpServers.a.includeTools: ignored: write \"include\"" },
	{ SERVER(",\"timeout\":5,\"alwaysAllow\":[\"x\"]"), "info: ignored, as other clients' keys: timeout, alwaysAllow\n" },
	{ "{\"inputs\":[],\"mcpServers\":{\"a\":{\"command\":\"sh\",\"timeout\":1},\"b\":{\"command\":\"sh\",\"timeout\":1}}}",
	                                                    "info: ignored, as other clients' keys: inputs, timeout\n" },
};
/* clang-format on */

static const char *const environment[] = { "PATH=/usr/bin:/bin", "E=", NULL };

static void test_each_fault_is_told_with_its_path(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		struct loaded l = load_text(errors[i].json, environment);
		if (l.config != NULL || strstr(messages_of(&l), errors[i].message) == NULL)
			fail_msg("%s: wanted \"%s\", got \"%s\"", errors[i].json, errors[i].message, messages_of(&l));
		assert_null(strstr(messages_of(&l), "warning: no server"));
		unload(&l);
	}
}

static void test_what_can_be_lived_with_is_a_warning(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(warnings) / sizeof(warnings[0]); i++) {
		struct loaded l = load_text(warnings[i].json, environment);
		if (l.config == NULL || strstr(messages_of(&l), warnings[i].message) == NULL)
			fail_msg("%s: wanted \"%s\", got \"%s\"", warnings[i].json, warnings[i].message,
			        messages_of(&l));
		unload(&l);
	}
}

static void test_all_faults_of_a_file_are_told_at_once(void **state)
{
	struct loaded l = load_text("{\n"
	                            "  // the first server\n"
	                            "  \"mcpServers\": {\n"
	                            "    \"github\": { \"command\": \"sh\", \"startup\": \"now\" },\n"
	                            "    \"files\": { \"comand\": \"sh\" }\n"
	                            "  },\n"
	                            "  \"lifecycle\": { \"gracePeriod\": \"long\" }\n"
	                            "}\n",
	        environment);

	(void)state;
	assert_string_equal(messages_of(&l),
	        "<env:MCP_SERVERS_CONFIG>:4:45: mcpServers.github.startup: must be \"required\", \"eager\" or \"lazy\"\n"
	        "<env:MCP_SERVERS_CONFIG>:5:26: mcpServers.files.comand: unknown key, did you mean \"command\"?\n"
	        "<env:MCP_SERVERS_CONFIG>:5:14: mcpServers.files: needs a \"command\"\n"
	        "<env:MCP_SERVERS_CONFIG>:7:33: lifecycle.gracePeriod: must be a duration such as \"250ms\", \"30s\", "
	        "\"2m\" or \"1h\"\n");
	assert_int_equal(l.messages.count[CONFIG_ERROR], 4);
	unload(&l);
}

static void test_messages_are_bounded_and_the_rest_is_counted(void **state)
{
	struct buf json = { 0 };
	size_t kept = 0;

	(void)state;
	buf_add(&json, SPAN("{\"a0\":1"));
	for (unsigned i = 1; i < 1000; i++)
		buf_printf(&json, ",\"a%u\":1", i);
	buf_add(&json, SPAN("}\0"));
	struct loaded l = load_text(buf_span(&json).p, NULL);
	for (const struct config_message *m = l.messages.first; m != NULL; m = m->next)
		kept++;
	assert_int_equal(kept, CONFIG_MAX_MESSAGES);
	assert_int_equal(l.messages.count[CONFIG_ERROR], 1000);
	unload(&l);
	buf_free(&json);
}

static void test_no_message_tells_a_secret(void **state)
{
	static const char *const secrets[] = { "S=hush-hush", NULL };
	struct loaded l = load_text(
	        "{\"mcpServers\":{\"a\":{\"command\":\"sh\",\"startup\":\"${S}\",\"idleTimeout\":\"${S}\"}},"
	        "\"session\":{\"keys\":[{\"id\":\"a\",\"secret\":\"${S}\"}]},\"http\":{\"basePath\":\"${S}\"}}",
	        secrets);

	(void)state;
	assert_int_equal(l.messages.count[CONFIG_ERROR], 4);
	assert_null(strstr(messages_of(&l), "hush"));
	unload(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_fault_is_told_with_its_path),
		cmocka_unit_test(test_what_can_be_lived_with_is_a_warning),
		cmocka_unit_test(test_all_faults_of_a_file_are_told_at_once),
		cmocka_unit_test(test_messages_are_bounded_and_the_rest_is_counted),
		cmocka_unit_test(test_no_message_tells_a_secret),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
