#include "mcp/meta.h"

#include "json/scan.h"

static void keep(struct request_meta *m, struct span *to, struct span value)
{
	m->twice = m->twice || span_is_set(*to);
	if (!span_is_set(*to))
		*to = value;
}

struct request_meta meta_read(struct span meta)
{
	struct request_meta m = { .twice = false };
	const struct {
		struct span key;
		struct span *to;
	} keys[] = {
		{ SPAN(META_VERSION), &m.version },
		{ SPAN(META_CAPABILITIES), &m.capabilities },
		{ SPAN(META_CLIENT), &m.info },
		{ SPAN(META_LEVEL), &m.level },
		{ SPAN(META_SUBSCRIPTION), &m.subscription },
	};
	struct span name, value;

	if (json_type_of(meta) != JSON_OBJECT)
		return m;
	for (struct json_walk w = json_walk(meta); json_next(&w, &name, &value);)
		for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
			if (json_string_is((struct span){ name.p - 1, name.n + 2 }, keys[i].key))
				keep(&m, keys[i].to, value);
	return m;
}
