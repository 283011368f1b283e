#include "front/sse_id.h"

#include "crypto/base64.h"
#include "front/event_id.h"

void sse_id_begin(struct buf *out, struct span token)
{
	buf_reset(out);
	buf_add(out, token);
}

void sse_id_add_call(struct buf *out, struct span json)
{
	if (json.n > SSE_ID_CALL_BYTES_MAX)
		return;
	buf_add_char(out, '~');
	base64url_encode(json, out);
}

struct span sse_id_token(struct span text, struct span *rest)
{
	struct span token = SPAN("");

	*rest = text;
	span_next(rest, '~', &token);
	return token;
}

bool sse_id_next_call(struct span *rest, unsigned *count, struct buf *json)
{
	struct span text;

	while (*count < SSE_ID_CALLS_MAX && span_next(rest, '~', &text)) {
		(*count)++;
		buf_reset(json);
		if (event_id_call(&(struct event_id){ .call = text }, json))
			return true;
	}
	return false;
}
