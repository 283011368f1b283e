#include "backend/wanted.h"

#include <stdlib.h>

#include "base/mem.h"
#include "json/write.h"

void wanted_init(struct wanted *w)
{
	*w = (struct wanted){ 0 };
	list_init(&w->all);
}

static void drop(struct wanted *w, struct wanted_uri *uri)
{
	map_remove(&w->by_text, wanted_text(uri));
	list_unlink(&uri->node);
	free(uri);
}

void wanted_clear(struct wanted *w)
{
	list_each (node, &w->all)
		drop(w, list_entry(node, struct wanted_uri, node));
	map_free(&w->by_text);
}

static void add(struct wanted *w, struct span text)
{
	struct wanted_uri *uri = mem_zalloc(sizeof(*uri) + text.n);

	memcpy(uri->text, text.p, text.n);
	uri->size = text.n;
	list_append(&w->all, &uri->node);
	map_put(&w->by_text, wanted_text(uri), uri);
}

bool wanted_set(struct wanted *w, struct span text, bool wanted)
{
	struct wanted_uri *uri = map_get(&w->by_text, text);

	if ((uri != NULL) == wanted)
		return false;
	if (wanted)
		add(w, text);
	else
		drop(w, uri);
	return true;
}

bool wanted_put_listen(struct buf *out, const struct backend_hello *hello, bool lists, const struct wanted *w)
{
	bool updates = hello->subscribe && wanted_any(w);
	struct json_writer to = json_writer(out);

	json_open(&to, '{');
	json_key(&to, "notifications");
	json_open(&to, '{');
	json_member_bool(&to, "toolsListChanged", lists && hello->tools);
	json_member_bool(&to, "promptsListChanged", lists && hello->prompts);
	json_member_bool(&to, "resourcesListChanged", lists && hello->resources);
	if (updates) {
		json_key(&to, "resourceSubscriptions");
		json_open(&to, '[');
		wanted_each(uri, w) json_raw(&to, wanted_text(uri));
		json_close(&to, ']');
	}
	json_close(&to, '}');
	json_close(&to, '}');
	return updates || (lists && (hello->tools || hello->prompts || hello->resources));
}
