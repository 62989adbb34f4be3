#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/loop/history.h"

static struct fw_fix relabel(const char *id, const char *to)
{
    return (struct fw_fix){.op = FW_OP_RELABEL,
                           .id = id,
                           .json = json_pack("{s:s, s:s, s:s, s:s}", "op", "relabel", "id", id,
                                             "from", "z", "to", to)};
}

static bool refused(const struct fw_history *h, const char *id, const char *to)
{
    char why[200];
    struct fw_fix fix = relabel(id, to);
    const char *said = fw_history_refuses(h, &fix, why, sizeof why);
    json_decref(fix.json);
    return said != NULL;
}

static void test_rejected_is_remembered(void **state)
{
    (void)state;
    struct fw_history *h = fw_history_new();
    struct fw_fix a = relabel("1", "x"), b = relabel("2", "x");
    assert_int_equal(fw_history_add(h, "r", 1, "relabel", &a, "provisional", NULL), FW_OK);
    assert_int_equal(fw_history_add(h, "r", 2, "relabel", &b, "provisional", NULL), FW_OK);
    assert_false(refused(h, "1", "x"));
    assert_int_equal(fw_history_fate(h, "r", 1, 1, NULL, "rejected", NULL), FW_OK);
    assert_true(refused(h, "1", "x"));
    assert_false(refused(h, "1", "y")); /* another label is another fix */
    assert_false(refused(h, "2", "x"));
    assert_int_equal(fw_history_fate(h, "r", 1, 2, NULL, "kept", NULL), FW_OK);
    assert_true(refused(h, "1", "x")); /* a fate is final */
    json_decref(a.json);
    json_decref(b.json);
    fw_history_free(h);
}

static void test_from_journal(void **state)
{
    (void)state;
    json_t *journal = json_loads(
        "[{\"type\":\"run\",\"run\":\"r1\"},"
        "{\"type\":\"proposed\",\"iteration\":1,\"parts\":[{\"stage\":\"relabel\","
        "\"taken\":[[\"relabel\",\"1\",\"x\"],[\"relabel\",\"2\",\"x\"],[\"confirm\",\"3\",\"z\"]]}"
        "]},"
        "{\"type\":\"gate\",\"iteration\":1,\"fates\":["
        "{\"from\":1,\"to\":1,\"fate\":\"rejected\",\"fixes\":[[\"relabel\",\"1\",\"x\"]]},"
        "{\"from\":1,\"to\":1,\"fate\":\"kept\"}]}]",
        0, NULL);
    struct fw_history *h = fw_history_new();
    struct fw_buf lines = {0};
    assert_non_null(journal);
    assert_int_equal(fw_history_add_journal(h, journal, NULL), FW_OK);
    assert_true(refused(h, "1", "x"));
    assert_false(refused(h, "2", "x"));
    assert_int_equal(fw_history_write(h, &lines, NULL), FW_OK);
    assert_non_null(strstr(lines.p,
                           "{\"op\":\"confirm\",\"id\":\"3\",\"to\":\"z\",\"iteration\":1,"
                           "\"stage\":\"relabel\",\"run\":\"r1\",\"verdict\":\"confirmed\"}\n"));
    assert_non_null(strstr(lines.p,
                           "\"id\":\"2\",\"to\":\"x\",\"iteration\":1,\"stage\":\"relabel\","
                           "\"run\":\"r1\",\"verdict\":\"kept\"}"));
    fw_buf_release(&lines);
    fw_history_free(h);
    json_decref(journal);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rejected_is_remembered),
        cmocka_unit_test(test_from_journal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
