#include "unit.h"

#include "mcp/rewrite.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* Where `part` stands first in `text`. */
static struct span find(struct span text, const char *part)
{
	return (struct span){ memmem(text.p, text.n, part, strlen(part)), strlen(part) };
}

#define assert_put(pieces, literal)                                   \
	do {                                                          \
		struct buf out_ = { 0 };                              \
		pieces_put(&out_, &(pieces));                         \
		assert_span(buf_span(&out_), literal);                \
		assert_int_equal((pieces).size, sizeof(literal) - 1); \
		assert_true((pieces).n <= PIECES_MAX);                \
		buf_free(&out_);                                      \
	} while (0)

static const struct span text = SPAN("{\"id\":1,\"name\":\"a\",\"token\":\"t\"}");

static void test_spans_are_replaced_in_any_order(void **state)
{
	struct splice splices[] = {
		{ find(text, "\"t\""), SPAN("77") },
		{ find(text, "1"), SPAN("\"long id\"") },
		{ find(text, "\"a\""), SPAN("\"b\"") },
	};
	struct pieces p = pieces_splice(text, splices, COUNT(splices));

	(void)state;
	assert_put(p, "{\"id\":\"long id\",\"name\":\"b\",\"token\":77}");
}

static void test_what_is_not_in_the_text_is_left_out(void **state)
{
	struct splice splices[] = { { SPAN_NONE, SPAN("x") }, { find(text, "1"), SPAN("2") },
		{ SPAN_NONE, SPAN("y") } };
	struct pieces p = pieces_splice(text, splices, COUNT(splices));

	(void)state;
	assert_put(p, "{\"id\":2,\"name\":\"a\",\"token\":\"t\"}");
}

static void test_without_splices_the_text_is_one_piece(void **state)
{
	struct pieces p = pieces_splice(text, NULL, 0), q = pieces_of(text);

	(void)state;
	assert_int_equal(p.n, 1);
	assert_ptr_equal(p.at[0].p, text.p);
	assert_int_equal(q.n, 1);
	assert_put(q, "{\"id\":1,\"name\":\"a\",\"token\":\"t\"}");
}

static void test_text_is_taken_out_and_put_in(void **state)
{
	struct span object = SPAN("{}ab");
	struct splice splices[] = {
		{ { object.p + 2, 1 }, SPAN_NONE },
		{ { object.p + 2, 0 }, SPAN("3") },
		{ { object.p + 1, 0 }, SPAN("1") },
		{ { object.p + 1, 0 }, SPAN("2") },
		{ { object.p + 4, 0 }, SPAN("4") },
		{ { object.p, 0 }, SPAN("0") },
	};
	struct pieces p = pieces_splice(object, splices, COUNT(splices));

	(void)state;
	assert_put(p, "0{12}3b4");
}

static void test_the_whole_text_can_be_replaced(void **state)
{
	struct splice splice = { text, SPAN("{}") };
	struct pieces p = pieces_splice(text, &splice, 1);

	(void)state;
	assert_int_equal(p.n, 1);
	assert_put(p, "{}");
}

static void test_as_many_as_allowed_fit(void **state)
{
	struct span letters = SPAN("a1b2c3d4e5f6g7h8i1j2k3l4m5n6o7p8q");
	struct splice splices[SPLICES_MAX];

	(void)state;
	for (unsigned i = 0; i < SPLICES_MAX; i++)
		splices[SPLICES_MAX - 1 - i] = (struct splice){ { letters.p + 2 * i + 1, 1 }, SPAN("-") };
	struct pieces p = pieces_splice(letters, splices, SPLICES_MAX);
	assert_int_equal(p.n, PIECES_MAX);
	assert_put(p, "a-b-c-d-e-f-g-h-i-j-k-l-m-n-o-p-q");
}

static void test_pieces_are_appended(void **state)
{
	struct pieces p = pieces_of(SPAN("data: "));

	(void)state;
	pieces_append(&p, SPAN("{}"));
	pieces_append(&p, SPAN(""));
	pieces_append(&p, SPAN_NONE);
	pieces_append(&p, SPAN("\n\n"));
	assert_int_equal(p.n, 3);
	assert_put(p, "data: {}\n\n");
}

static void test_what_waits_in_the_buffer_is_kept(void **state)
{
	struct buf out = { 0 };
	struct pieces p = pieces_of(SPAN("{\n}"));

	(void)state;
	buf_add(&out, SPAN("before\n"));
	pieces_put(&out, &p);
	pieces_put_line(&out, &p);
	assert_span(buf_span(&out), "before\n{\n}{ }");
	buf_free(&out);
}

static void test_a_line_has_no_line_breaks(void **state)
{
	struct span pretty = SPAN("{\r\n\t\"id\": 1,\n\t\"s\": \"\\n\"\r\n}\n");
	struct splice splice = { find(pretty, "1"), SPAN("[\n]") };
	struct pieces p = pieces_splice(pretty, &splice, 1);
	struct buf out = { 0 };

	(void)state;
	pieces_put_line(&out, &p);
	assert_span(buf_span(&out), "{  \t\"id\": [ ], \t\"s\": \"\\n\"  } ");
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spans_are_replaced_in_any_order),
		cmocka_unit_test(test_what_is_not_in_the_text_is_left_out),
		cmocka_unit_test(test_without_splices_the_text_is_one_piece),
		cmocka_unit_test(test_text_is_taken_out_and_put_in),
		cmocka_unit_test(test_the_whole_text_can_be_replaced),
		cmocka_unit_test(test_as_many_as_allowed_fit),
		cmocka_unit_test(test_pieces_are_appended),
		cmocka_unit_test(test_what_waits_in_the_buffer_is_kept),
		cmocka_unit_test(test_a_line_has_no_line_breaks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
