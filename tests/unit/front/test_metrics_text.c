#include "unit.h"

#include "front/metrics_text.h"

static void test_a_family_says_what_it_is_and_its_samples_follow(void **state)
{
	struct buf out = { 0 };

	(void)state;
	metrics_family(&out, "x_sessions", METRIC_GAUGE, "Client sessions in memory.");
	metrics_sample(&out, "x_sessions", NULL, 0, 12);
	assert_span(buf_span(&out), "# HELP x_sessions Client sessions in memory.\n"
	                            "# TYPE x_sessions gauge\n"
	                            "x_sessions 12\n");
	buf_free(&out);
}

static void test_labels_are_escaped_and_those_that_are_not_set_left_out(void **state)
{
	const struct metric_label labels[] = { { "a", SPAN_NONE }, { "b", SPAN("say \"hi\"\n\\") }, { "c", SPAN("") } };
	struct buf out = { 0 };

	(void)state;
	metrics_sample(&out, "x", labels, 3, UINT64_MAX);
	metrics_sample(&out, "y", labels, 1, 0);
	assert_span(buf_span(&out), "x{b=\"say \\\"hi\\\"\\n\\\\\",c=\"\"} 18446744073709551615\ny 0\n");
	buf_free(&out);
}

static void test_seconds_have_as_many_digits_as_it_takes(void **state)
{
	struct buf out = { 0 };

	(void)state;
	metrics_seconds(&out, "a", NULL, 0, 0);
	metrics_seconds(&out, "a", NULL, 0, 1);
	metrics_seconds(&out, "a", NULL, 0, 60000);
	metrics_seconds(&out, "a", NULL, 0, 1795694916159);
	metrics_seconds(&out, "a", NULL, 0, 2050);
	metrics_seconds(&out, "a", NULL, 0, -1500);
	assert_span(buf_span(&out), "a 0\na 0.001\na 60\na 1795694916.159\na 2.05\na -1.5\n");
	buf_free(&out);
}

static void test_buckets_of_a_histogram_are_cumulative(void **state)
{
	const struct metric_label labels[] = { { "backend", SPAN("a") } };
	struct histogram h = { 0 };
	struct buf out = { 0 };

	(void)state;
	histogram_add(&h, 1);
	histogram_add(&h, 7);
	histogram_add(&h, 700000);
	metrics_histogram(&out, "t_seconds", labels, 1, &h);
	assert_span(buf_span(&out), "t_seconds_bucket{backend=\"a\",le=\"0.001\"} 1\n"
	                            "t_seconds_bucket{backend=\"a\",le=\"0.002\"} 1\n"
	                            "t_seconds_bucket{backend=\"a\",le=\"0.005\"} 1\n"
	                            "t_seconds_bucket{backend=\"a\",le=\"0.01\"} 2\n"
	                            "t_seconds_bucket{backend=\"a\",le=\"0.025\"} 2\n"
	                            "t_seconds_bucket{backend=\"a\",le=\"0.05\"} 2\n"
	                            "t_seconds_bucket{backend=\"a\",le=\"0.1\"} 2\n"
	                            "t_seconds_bucket{backend=\"a\",le=\"0.25\"} 2\n"
	                            "t_seconds_bucket{backend=\"a\",le=\"0.5\"} 2\n"
	                            "t_seconds_bucket{backend=\"a\",le=\"1\"} 2\n"
	                            "t_seconds_bucket{backend=\"a\",le=\"2.5\"} 2\n"
	                            "t_seconds_bucket{backend=\"a\",le=\"5\"} 2\n"
	                            "t_seconds_bucket{backend=\"a\",le=\"10\"} 2\n"
	                            "t_seconds_bucket{backend=\"a\",le=\"30\"} 2\n"
	                            "t_seconds_bucket{backend=\"a\",le=\"60\"} 2\n"
	                            "t_seconds_bucket{backend=\"a\",le=\"120\"} 2\n"
	                            "t_seconds_bucket{backend=\"a\",le=\"300\"} 2\n"
	                            "t_seconds_bucket{backend=\"a\",le=\"600\"} 2\n"
	                            "t_seconds_bucket{backend=\"a\",le=\"+Inf\"} 3\n"
	                            "t_seconds_sum{backend=\"a\"} 700.008\n"
	                            "t_seconds_count{backend=\"a\"} 3\n");
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_family_says_what_it_is_and_its_samples_follow),
		cmocka_unit_test(test_labels_are_escaped_and_those_that_are_not_set_left_out),
		cmocka_unit_test(test_seconds_have_as_many_digits_as_it_takes),
		cmocka_unit_test(test_buckets_of_a_histogram_are_cumulative),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
