#include "mcp/task.h"

static struct span member(struct span object, const char *key, enum json_type type)
{
	struct span value = json_type_of(object) == JSON_OBJECT ? json_member(object, key) : SPAN_NONE;

	return json_type_of(value) == type ? value : SPAN_NONE;
}

struct span task_related(struct span meta)
{
	return member(member(meta, META_RELATED_TASK, JSON_OBJECT), "taskId", JSON_STRING);
}

struct span task_in_result(const struct message *result, enum method asked, bool augmented)
{
	switch (asked) {
	case METHOD_TOOLS_CALL:
		if (augmented)
			return member(member(result->result, "task", JSON_OBJECT), "taskId", JSON_STRING);
		if (!json_string_is(result->result_type, SPAN("task")))
			return SPAN_NONE;
		return member(result->result, "taskId", JSON_STRING);
	case METHOD_TASKS_GET:
	case METHOD_TASKS_UPDATE:
	case METHOD_TASKS_CANCEL:
		return member(result->result, "taskId", JSON_STRING);
	default:
		return SPAN_NONE;
	}
}

bool task_is_over(struct span task)
{
	struct span status = member(task, "status", JSON_STRING);

	return json_string_is(status, SPAN("completed")) || json_string_is(status, SPAN("failed")) ||
	       json_string_is(status, SPAN("cancelled"));
}

int64_t task_ttl(struct span task)
{
	int64_t ms;

	return json_to_i64(member(task, "ttl", JSON_NUMBER), &ms) && ms >= 0 ? ms : -1;
}

bool task_extension_in(struct span capabilities)
{
	struct span extensions = member(capabilities, "extensions", JSON_OBJECT);

	return span_is_set(member(extensions, EXTENSION_TASKS, JSON_OBJECT));
}
