#include "backend/command_answer.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

#include "mcp/jsonrpc.h"
#include "json/write.h"

static void put_result(struct buf *out, uint64_t id, struct span text, bool is_error)
{
	struct json_writer w = json_writer(out);

	json_open(&w, '{');
	json_member_text(&w, "jsonrpc", SPAN("2.0"));
	json_member_int(&w, "id", (int64_t)id);
	json_key(&w, "result");
	rpc_write_tool_text(&w, text, is_error);
	json_close(&w, '}');
}

static void end_line(struct buf *text)
{
	struct span so_far = buf_span(text);

	if (so_far.n > 0 && so_far.p[so_far.n - 1] != '\n')
		buf_add_char(text, '\n');
}

/* Without the beginning of a character whose end was cut off. */
static struct span whole_characters(struct span s)
{
	size_t back = 0;

	while (back < 3 && back < s.n && ((unsigned char)s.p[s.n - 1 - back] & 0xC0) == 0x80)
		back++;
	if (back < s.n && (unsigned char)s.p[s.n - 1 - back] >= 0xC0)
		s.n -= back + 1;
	return s;
}

static void put_out(struct buf *text, const struct run_result *r)
{
	if (r->out_bytes == r->out.n) {
		buf_add(text, r->out);
		return;
	}
	buf_add(text, whole_characters(r->out));
	end_line(text);
	buf_printf(text, "[the rest of the output was left out: %zu of %" PRIu64 " bytes are shown]", r->out.n,
	        r->out_bytes);
}

static void put_err(struct buf *text, const struct run_result *r)
{
	if (r->err.n == 0)
		return;
	end_line(text);
	buf_printf(text, r->err_bytes > r->err.n ? "[stderr, its last %zu bytes]\n" : "[stderr]\n", r->err.n);
	buf_add(text, r->err);
}

static void put_end(struct buf *text, const struct run_result *r)
{
	end_line(text);
	if (r->flooded)
		buf_printf(text, "[stopped: it wrote more than it may]");
	else if (r->how.signaled)
		buf_printf(text, "[killed by signal %d (%s)]", r->how.code, strsignal(r->how.code));
	else
		buf_printf(text, "[exit code %d]", r->how.code);
}

void command_answer_run(struct buf *out, uint64_t id, const struct run_result *r)
{
	bool failed = r->how.signaled || r->how.code != 0 || r->flooded;
	struct buf text = { 0 };

	put_out(&text, r);
	if (failed) {
		put_err(&text, r);
		put_end(&text, r);
	}
	put_result(out, id, buf_size(&text) > 0 ? buf_span(&text) : SPAN("[no output]"), failed);
	buf_free(&text);
}

void command_answer_fault(struct buf *out, uint64_t id, const char *sentence)
{
	put_result(out, id, span_of(sentence), true);
}

void command_answer_error(struct buf *out, uint64_t id, int code, const char *sentence)
{
	char raw[24];

	snprintf(raw, sizeof(raw), "%" PRIu64, id);
	rpc_put_error(out, span_of(raw), code, span_of(sentence));
}
