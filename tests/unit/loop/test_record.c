#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
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

static json_t *fold_text(const char *journal_text)
{
    char json[4096]; /* journals are written here with ' for " */
    snprintf(json, sizeof json, "%s", journal_text);
    for (char *c = json; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    json_t *journal = json_loads(json, 0, NULL), *record = NULL;
    assert_non_null(journal);
    assert_int_equal(fw_record_fold(journal, &record, NULL), FW_OK);
    json_decref(journal);
    return record;
}

static const json_t *iteration(const json_t *record, size_t k)
{
    return json_array_get(json_object_get(record, "iterations"), k);
}

static void assert_fixes(const json_t *it, double kept, double dropped)
{
    double a = -1, b = -1;
    fw_record_fixes(it, &a, &b);
    assert_true(a == kept);
    assert_true(b == dropped);
}

/* Worse as a whole, better for what an ablation left of its one stage. */
static void test_ablation(void **state)
{
    (void)state;
    json_t *r = fold_text(
        "[{'type':'proposed','iteration':1,'snapshot':'c1','parts':[{'stage':'relabel','kind':"
        "'relabel','counts':{'relabel':77,'confirm':5}}]},"
        "{'type':'gate','iteration':1,'gate':{'verdict':'worse','gain':-0.1067},"
        "'second':{'verdict':'improved','gain':0.03},'state':'kept','champion_iteration':1,"
        "'fixes':[{'part':'relabel','gain':-0.1067,'kept':'partly'}],'ablation':["
        "{'part':'relabel: a','fixes':30,'kept':true},{'part':'relabel: b','fixes':47,'kept':false}"
        "],'result':{'snapshot':'s1','report':{'score':{'value':0.7}}}}]");
    const json_t *it = iteration(r, 0);
    assert_string_equal(text(json_object_get(it, "gate"), "verdict"), "worse");
    assert_string_equal(text(json_object_get(it, "gate_after_ablation"), "verdict"), "improved");
    assert_string_equal(text(fw_record_gate(it), "verdict"), "improved");
    assert_string_equal(text(json_array_get(json_object_get(it, "fixes"), 0), "kept"), "partly");
    assert_fixes(it, 30, 47);
    json_decref(r);
}

static void test_fixes_without_ablation(void **state)
{
    (void)state;
    json_t *it = json_pack("{s:s, s:{s:s}, s:[], s:[{s:i, s:i, s:b}, {s:i, s:b}]}", "state", "kept",
                           "gate", "verdict", "improved", "ablation", "fixes", "relabel", 7,
                           "confirm", 3, "kept", 1, "add", 5, "kept", 0);
    assert_string_equal(text(fw_record_gate(it), "verdict"), "improved");
    assert_fixes(it, 7, 5);
    json_object_set_new(it, "state", json_string("rolled back"));
    assert_fixes(it, 0, 12);
    json_decref(it);
    assert_null(fw_record_gate(NULL));
    assert_fixes(NULL, 0, 0);
}

/* clang-format off */
#define PROVISIONAL(k, n, fates)                                                                   \
    "{'type':'proposed','iteration':" #k ",'snapshot':'c',"                                        \
    "'parts':[{'stage':'a','counts':{'relabel':" #n "}}]},"                                        \
    "{'type':'gate','iteration':" #k ",'gate':{'verdict':'undecided'},'state':'provisional',"      \
    "'fixes':[{'part':'a','kept':true}],'fates':[" fates "]},"
#define SETTLED(k, state, fates)                                                                   \
    "{'type':'gate','iteration':" #k ",'state':'" state "','fates':[" fates "]},"
#define LEFT "{'type':'provisional','snapshot':'h','ref':'refs/p'}"
#define INHERITED "{'type':'inherited','snapshot':'h'},"

static const char several[] = "["
    PROVISIONAL(1, 3, "")
    PROVISIONAL(2, 4, "")
    SETTLED(3, "kept", "{'from':1,'to':3,'fate':'kept'}")
    PROVISIONAL(4, 5, "")
    SETTLED(5, "rolled back", "{'from':4,'to':5,'fate':'rejected'}")
    PROVISIONAL(6, 8, "")
    PROVISIONAL(7, 9, "")
    SETTLED(8, "rolled back", "{'from':6,'to':8,'fate':'rejected','fixes':[['relabel','x']]}")
    LEFT "]";
static const char inherited[] = "[" INHERITED PROVISIONAL(1, 3, "") LEFT "]";
static const char inherited_settled[] =
    "[" INHERITED PROVISIONAL(1, 3, "{'inherited':true,'fate':'kept'}") LEFT "]";
/* clang-format on */

static void assert_left(const char *journal, int fixes, bool earlier)
{
    json_t *r = fold_text(journal);
    const json_t *left = json_object_get(r, "provisional");
    assert_int_equal(json_integer_value(json_object_get(left, "fixes")), fixes);
    assert_int_equal(json_is_true(json_object_get(left, "inherited")), earlier);
    assert_string_equal(text(left, "ref"), "refs/p");
    json_decref(r);
}

/* Provisional fixes become kept with the gate that proves them, and rolled back with one that takes
 * them back too; the fate of single fixes leaves the others alone. What is left is counted. */
static void test_provisional(void **state)
{
    (void)state;
    static const char *const states[] = {"kept",        "kept",        "kept",       "rolled back",
                                         "rolled back", "provisional", "provisional"};
    json_t *r = fold_text(several);
    for (size_t i = 0; i < sizeof states / sizeof *states; i++)
        assert_string_equal(text(iteration(r, i), "state"), states[i]);
    json_decref(r);
    assert_left(several, 17, false);
    assert_left(inherited, 3, true);
    assert_left(inherited_settled, 3, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_prefix_folds),      cmocka_unit_test(test_whole),
        cmocka_unit_test(test_status_follows_sessions), cmocka_unit_test(test_ablation),
        cmocka_unit_test(test_fixes_without_ablation),  cmocka_unit_test(test_provisional),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
