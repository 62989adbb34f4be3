#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "files.h"

#include "stages/relabel/candidates.h"
#include "stages/relabel/consensus.h"

static const char *const names[] = {"a", "b", "c"};
static const struct fw_task_info classes = {FW_CLASSIFICATION, names, 3};

static int agree(int n, int x, int y, int z)
{
    int answers[] = {x, y, z};
    return fw_consensus(answers, (size_t)n);
}

static void test_consensus(void **state)
{
    (void)state;
    assert_int_equal(agree(2, 1, 1, 0), 1);
    assert_int_equal(agree(2, 1, 2, 0), -1);
    assert_int_equal(agree(3, 1, 2, 2), 2);
    assert_int_equal(agree(3, 2, 1, 2), 2);
    assert_int_equal(agree(3, 0, 1, 2), -1);
    assert_int_equal(agree(1, 2, 0, 0), 2);
    assert_int_equal(agree(3, -1, 2, -1), 2); /* a single answer stands for itself */
    assert_int_equal(agree(3, -1, -1, -1), -1);
    assert_int_equal(agree(3, -1, 1, 0), -1);
    int four[] = {0, 0, 1, 1}, five[] = {2, 0, 0, 1, 1};
    assert_int_equal(fw_consensus(four, 4), -1);
    assert_int_equal(fw_consensus(five, 5), -1);
    assert_int_equal(fw_consensus(four, 0), -1);
}

static void test_agreement(void **state)
{
    (void)state;
    const int a[] = {0, 1, 2, 1, -1}, b[] = {0, 1, 1, -1, 2};
    assert_true(fabs(fw_percent_agreement(a, b, 5) - 2.0 / 3) < 1e-12);
    assert_true(isnan(fw_percent_agreement(a + 4, b + 4, 1)));
    /* Fleiss 1971's example as in Wikipedia: 10 items, 14 raters, 5 classes; kappa by NumPy */
    const int table[] = {0, 0, 0, 0, 14, 0, 2, 6, 4, 2, 0, 0, 3, 5, 6, 0, 3,
                         9, 2, 0, 2, 2,  8, 1, 1, 7, 7, 0, 0, 0, 3, 2, 6, 3,
                         0, 2, 5, 3, 2,  2, 6, 5, 2, 1, 0, 0, 2, 2, 3, 7};
    assert_true(fabs(fw_fleiss_kappa(table, 10, 5) - 0.20993070442195522) < 1e-12);
    const int one[] = {2, 0, 2, 0};
    assert_true(isnan(fw_fleiss_kappa(one, 2, 2)));
    const int single[] = {1, 0, 0, 1};
    assert_true(isnan(fw_fleiss_kappa(single, 2, 2)));
}

static void test_candidates(void **state)
{
    (void)state;
    struct fw_dataset *ds = NULL;
    struct fw_asked asked = {.closed = {0}};
    struct fw_candidate *c = NULL;
    size_t n = 0;
    put("d/samples.jsonl", "{\"id\":\"1\",\"label\":\"a\",\"split\":\"train\"}\n"
                           "{\"id\":\"2\",\"label\":\"b\",\"split\":\"train\"}\n"
                           "{\"id\":\"3\",\"split\":\"train\"}\n"
                           "{\"id\":\"4\",\"label\":\"b\",\"split\":\"train\"}\n"
                           "{\"id\":\"5\",\"label\":\"b\",\"split\":\"dev\"}\n"
                           "{\"id\":\"6\",\"label\":\"c\",\"split\":\"train\"}\n");
    put("h.jsonl", "{\"op\":\"relabel\",\"id\":\"2\",\"to\":\"a\",\"verdict\":\"rejected\"}\n"
                   "{\"op\":\"add\",\"id\":\"6\"}\n{\"op\":\"guideline\",\"id\":\"a\"}\n");
    assert_int_equal(fw_dataset_load(in_dir("d"), &classes, &ds, NULL), FW_OK);
    assert_int_equal(fw_asked_load(in_dir("h.jsonl"), ds, &asked, NULL), FW_OK);
    json_t *analysis = json_pack(
        "{s:[{s:s,s:s,s:f},{s:s,s:s},{s:s},{s:s},{s:s},{s:s},{s:s},{s:s,s:s}]}", "suspects", "id",
        "4", "suggested", "c", "score", 0.1, "id", "2", "suggested", "a", "id", "3", "id", "5",
        "id", "gone", "id", "4", "id", "6", "id", "1", "suggested", "b");
    assert_int_equal(fw_candidates(analysis, ds, &asked, 0, &c, &n, NULL), FW_OK);
    assert_int_equal(n, 3); /* 2 was asked, 3 has no label, 5 is dev, 4 once */
    assert_string_equal(c[0].sample->id, "4");
    assert_string_equal(c[0].suggested, "c");
    assert_string_equal(c[1].sample->id, "6");
    assert_string_equal(c[2].sample->id, "1");
    const struct fw_answer answers[] = {{"ann", 2}, {"bob", -1}, {"cleo", 2}};
    json_t *fix = fw_relabel_fix(&c[0], &classes, answers, 3, 2);
    char *text = json_dumps(fix, JSON_COMPACT);
    assert_string_equal(
        text, "{\"op\":\"relabel\",\"id\":\"4\",\"from\":\"b\",\"to\":\"c\",\"reason\":\"2 of "
              "2 labellers say 'c'\",\"by\":[\"ann\",\"cleo\"],\"labels\":[{\"by\":\"ann\","
              "\"label\":\"c\"},{\"by\":\"cleo\",\"label\":\"c\"}],\"cost\":{\"labels\":2}}");
    free(text);
    json_decref(fix);
    fix = fw_relabel_fix(&c[1], &classes, answers, 1, 2);
    assert_string_equal(json_string_value(json_object_get(fix, "op")), "confirm");
    assert_string_equal(json_string_value(json_object_get(fix, "label")), "c");
    json_decref(fix);
    free(c);
    assert_int_equal(fw_candidates(analysis, ds, &asked, 1, &c, &n, NULL), FW_OK);
    assert_int_equal(n, 1);
    free(c);
    json_decref(analysis);
    fw_asked_release(&asked);
    fw_dataset_free(ds);
    assert_int_equal(fw_asked_load(NULL, NULL, &asked, NULL), FW_OK);
    assert_int_equal(fw_asked_load("/dev/null", NULL, &asked, NULL), FW_OK);
    fw_asked_release(&asked);
}

static bool among(const struct fw_ids *set, const char *id)
{
    return fw_ids_find(set, id) >= 0;
}

/* An answer counts as far as it is in the data. */
static void test_history_against_the_labels(void **state)
{
    (void)state;
    struct fw_dataset *ds = NULL;
    struct fw_asked asked = {.closed = {0}};
    put("d/samples.jsonl", "{\"id\":\"took\",\"label\":\"b\",\"split\":\"train\"}\n"
                           "{\"id\":\"lost\",\"label\":\"a\",\"split\":\"train\"}\n"
                           "{\"id\":\"refused\",\"label\":\"a\",\"split\":\"train\"}\n"
                           "{\"id\":\"aside\",\"label\":\"a\",\"split\":\"train\"}\n"
                           "{\"id\":\"changed\",\"label\":\"c\",\"split\":\"train\"}\n"
                           "{\"id\":\"good\",\"label\":\"a\",\"split\":\"train\"}\n"
                           "{\"id\":\"moved\",\"label\":\"a\",\"split\":\"train\"}\n"
                           "{\"id\":\"stays\",\"label\":\"a\",\"split\":\"train\"}\n");
    put("h.jsonl", "{\"op\":\"relabel\",\"id\":\"took\",\"to\":\"b\",\"verdict\":\"provisional\"}\n"
                   "{\"op\":\"relabel\",\"id\":\"lost\",\"to\":\"b\",\"verdict\":\"provisional\"}\n"
                   "{\"op\":\"relabel\",\"id\":\"refused\",\"to\":\"b\",\"verdict\":\"rejected\"}\n"
                   "{\"op\":\"relabel\",\"id\":\"aside\",\"to\":\"b\",\"verdict\":\"aside\"}\n"
                   "{\"op\":\"relabel\",\"id\":\"changed\",\"to\":\"b\",\"verdict\":\"kept\"}\n"
                   "{\"op\":\"confirm\",\"id\":\"good\",\"to\":\"a\",\"verdict\":\"confirmed\"}\n"
                   "{\"op\":\"confirm\",\"id\":\"moved\",\"to\":\"b\",\"verdict\":\"confirmed\"}\n"
                   "{\"op\":\"remove\",\"id\":\"stays\",\"to\":\"\",\"verdict\":\"rejected\"}\n"
                   "{\"op\":\"relabel\",\"id\":\"gone\",\"to\":\"b\",\"verdict\":\"rejected\"}\n");
    assert_int_equal(fw_dataset_load(in_dir("d"), &classes, &ds, NULL), FW_OK);
    assert_int_equal(fw_asked_load(in_dir("h.jsonl"), ds, &asked, NULL), FW_OK);
    assert_true(among(&asked.right, "took") && among(&asked.right, "good"));
    assert_int_equal(asked.right.n, 2);
    assert_false(among(&asked.closed, "lost")); /* it may be asked again */
    assert_int_equal(asked.closed.n, 7);
    fw_asked_release(&asked);
    fw_dataset_free(ds);
    const struct fw_task_info numbers = {FW_REGRESSION, NULL, 0};
    put("d/samples.jsonl", "{\"id\":\"x\",\"label\":7,\"split\":\"train\"}\n"
                           "{\"id\":\"y\",\"label\":7,\"split\":\"train\"}\n");
    put("h.jsonl",
        "{\"op\":\"relabel\",\"id\":\"x\",\"to\":\"7.0\",\"verdict\":\"provisional\"}\n"
        "{\"op\":\"relabel\",\"id\":\"y\",\"to\":\"8.0\",\"verdict\":\"provisional\"}\n");
    memset(&asked, 0, sizeof asked);
    assert_int_equal(fw_dataset_load(in_dir("d"), &numbers, &ds, NULL), FW_OK);
    assert_int_equal(fw_asked_load(in_dir("h.jsonl"), ds, &asked, NULL), FW_OK);
    assert_true(among(&asked.right, "x") && !among(&asked.closed, "y"));
    fw_asked_release(&asked);
    fw_dataset_free(ds);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_consensus),
        cmocka_unit_test(test_agreement),
        cmocka_unit_test(test_candidates),
        cmocka_unit_test(test_history_against_the_labels),
    };
    return cmocka_run_group_tests(tests, make_dir, drop_dir);
}
