#include "base/end_reason.h"

#include <assert.h>

static const struct end_reason_row {
	const char *name;
	int http_status;
	const char *sentence;
} rows[END_REASON_COUNT] = {
#define X(symbol, name, status, sentence) [END_##symbol] = { name, status, sentence },
	END_REASONS(X)
#undef X
};

static const struct end_reason_row *row(enum end_reason why)
{
	assert(why < END_REASON_COUNT);
	return &rows[why];
}

const char *end_reason_name(enum end_reason why)
{
	return row(why)->name;
}

const char *end_reason_sentence(enum end_reason why)
{
	return row(why)->sentence;
}

int end_reason_http_status(enum end_reason why)
{
	return row(why)->http_status;
}

const char *outcome_name(enum outcome o)
{
	static const char *const names[] = {
		[OUTCOME_KNOWN] = "known",
		[OUTCOME_NOT_SENT] = "not_sent",
		[OUTCOME_UNKNOWN] = "unknown",
	};

	assert(o <= OUTCOME_UNKNOWN);
	return names[o];
}
