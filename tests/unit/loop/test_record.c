#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/loop/record.h"

static const char *const lines[] = {
    "{\"type\":\"run\",\"run\":\"r1\",\"name\":\"n\",\"at\":\"A\",\"wall_ms\":1,\"budget\":{"
    "\"labels\":50}}",
    "{\"type\":\"stage\",\"iteration\":0,\"node\":\"train\",\"stage\":\"train\",\"label\":\"\","
    "\"state\":\"failed\","
    "\"seconds\":2,\"attempts\":1}",
    "{\"type\":\"stage\",\"iteration\":0,\"node\":\"train\",\"stage\":\"train\",\"label\":\"\","
    "\"state\":\"done\","
    "\"seconds\":3,\"attempts\":2}",
    "{\"type\":\"measured\",\"iteration\":0,\"snapshot\":\"s0\",\"score\":{\"value\":0.5}}",
    "{\"type\":\"iteration\",\"iteration\":1}",
    "{\"type\":\"analysis\",\"iteration\":1,\"analysis\":{\"slices\":[]}}",
    "{\"type\":\"proposed\",\"iteration\":1,\"head\":\"s0\",\"snapshot\":\"c1\",\"aside\":[],"
    "\"aside_total\":0,"
    "\"parts\":[{\"stage\":\"relabel\",\"kind\":\"relabel\",\"counts\":{\"relabel\":7},\"labels\":"
    "9,\"money\":0}]}",
    "{\"type\":\"measured\",\"iteration\":1,\"snapshot\":\"c1\",\"parent\":\"s0\",\"score\":{"
    "\"value\":0.7}}",
    "{\"type\":\"gate\",\"iteration\":1,\"gate\":{\"verdict\":\"improved\"},\"ablation\":[],"
    "\"state\":\"kept\","
    "\"fixes\":[{\"part\":\"relabel\",\"gain\":0.2,\"kept\":true}],\"champion_iteration\":1,"
    "\"looks\":1,"
    "\"labels\":9,\"result\":{\"snapshot\":\"s1\",\"report\":{\"score\":{\"value\":0.7}}}}",
    "{\"type\":\"parked\",\"text\":\"waiting for labels\",\"at\":\"B\"}",
    "{\"type\":\"resumed\",\"at\":\"C\"}",
    "{\"type\":\"nothing\",\"iteration\":2}",
    "{\"type\":\"iteration\",\"iteration\":2}",
    "{\"type\":\"analysis\",\"iteration\":2,\"analysis\":null}",
    "{\"type\":\"stop\",\"reason\":\"nothing-left\",\"text\":\"t\"}",
    "{\"type\":\"end\",\"at\":\"D\",\"wall_ms\":5000}",
};

static json_t *fold(size_t n)
{
    json_t *journal = json_array(), *record = NULL;
    for (size_t i = 0; i < n; i++)
        json_array_append_new(journal, json_loads(lines[i], 0, NULL));
    assert_int_equal(fw_record_fold(journal, &record, NULL), FW_OK);
    json_decref(journal);
    return record;
}

static const char *text(const json_t *o, const char *key)
{
    return json_string_value(json_object_get(o, key));
}

static void test_every_prefix_folds(void **state)
{
    (void)state;
    for (size_t n = 0; n <= sizeof lines / sizeof *lines; n++)
        json_decref(fold(n));
}

static void test_whole(void **state)
{
    (void)state;
    json_t *r = fold(sizeof lines / sizeof *lines);
    const json_t *its = json_object_get(r, "iterations"), *it = json_array_get(its, 1);
    const json_t *fix = json_array_get(json_object_get(it, "fixes"), 0);
    assert_string_equal(text(r, "status"), "stopped");
    assert_string_equal(text(r, "ended"), "D");
    assert_int_equal(json_array_size(its), 2); /* iteration 2 only looked */
    assert_string_equal(text(it, "snapshot"), "s1");
    assert_true(json_is_true(json_object_get(it, "champion")));
    assert_false(json_is_true(json_object_get(json_array_get(its, 0), "champion")));
    assert_true(json_number_value(json_object_get(fix, "gain")) == 0.2);
    assert_int_equal(json_integer_value(json_object_get(fix, "relabel")), 7);
    assert_string_equal(text(json_object_get(r, "champion"), "snapshot"), "s1");
    const json_t *labels = json_object_get(json_object_get(r, "budget"), "labels");
    assert_true(json_number_value(json_object_get(labels, "used")) == 9);
    assert_true(json_number_value(json_object_get(labels, "limit")) == 50);
    const json_t *stages = json_object_get(json_array_get(its, 0), "stages");
    assert_int_equal(json_array_size(stages), 1); /* the second attempt replaces the first */
    assert_string_equal(text(json_array_get(stages, 0), "state"), "done");
    json_decref(r);
}

static void test_status_follows_sessions(void **state)
{
    (void)state;
    json_t *r = fold(4);
    assert_string_equal(text(r, "status"), "running");
    json_decref(r);
    r = fold(10);
    assert_string_equal(text(r, "status"), "parked");
    assert_string_equal(text(json_array_get(json_object_get(r, "waiting"), 0), "reason"),
                        "waiting for labels");
    json_decref(r);
    r = fold(11);
    assert_string_equal(text(r, "status"), "running");
    assert_int_equal(json_array_size(json_object_get(r, "waiting")), 0);
    json_decref(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_prefix_folds),
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_status_follows_sessions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
