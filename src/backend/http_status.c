#include "backend/http_status.h"

#include <stddef.h>

#define BEFORE END_BACKEND_UNAVAILABLE, OUTCOME_NOT_SENT
#define AFTER END_BACKEND_UNAVAILABLE, OUTCOME_UNKNOWN

/* The first row that has the status in its range. */
/* clang-format off */
static const struct row {
	int from, to;
	struct http_verdict verdict;
} rows[] = {
	{ 200, 299, { END_BAD_ANSWER, OUTCOME_UNKNOWN,  false, "took the request and did not answer it" } },
	{ 300, 399, { END_BAD_ANSWER, OUTCOME_NOT_SENT, false, "wants us to go elsewhere, and redirects are not followed" } },
	{ 401, 401, { BEFORE, false, "asks for credentials, or for others: see \"headers\"" } },
	{ 403, 403, { BEFORE, false, "forbids it: see \"headers\"" } },
	{ 404, 404, { BEFORE, false, "knows no such path, or no such session" } },
	{ 405, 405, { BEFORE, false, "does not take this method at this path" } },
	{ 406, 406, { BEFORE, false, "offers no answer that we can read" } },
	{ 407, 407, { BEFORE, true,  "is behind a proxy that asks for credentials" } },
	{ 408, 408, { BEFORE, true,  "gave up waiting for our request" } },
	{ 413, 413, { BEFORE, false, "says that the request is too large" } },
	{ 415, 415, { BEFORE, false, "does not take JSON" } },
	{ 421, 421, { BEFORE, false, "does not serve this host" } },
	{ 429, 429, { BEFORE, true,  "has had too many requests" } },
	{ 400, 499, { END_BAD_ANSWER, OUTCOME_UNKNOWN, false, "refused the request" } },
	{ 503, 503, { BEFORE, true,  "is not available" } },
	{ 502, 502, { AFTER,  true,  "is behind a gateway that cannot reach it" } },
	{ 504, 504, { AFTER,  true,  "is behind a gateway that has waited for too long" } },
	{ 500, 599, { AFTER,  true,  "failed" } },
	{ 0,   999, { END_BAD_ANSWER, OUTCOME_UNKNOWN, false, "answered with a status that means nothing" } },
};
/* clang-format on */

const struct http_verdict *http_verdict(int status)
{
	const struct row *row = rows;

	while (status < row->from || status > row->to)
		row++;
	return &row->verdict;
}

bool http_status_is_no_post(int status)
{
	return status >= 400 && status < 500 && status != 401 && status != 403 && status != 407 && status != 408 &&
	       status != 429;
}
