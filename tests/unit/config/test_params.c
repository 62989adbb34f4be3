#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "pipeline/base/buf.h"
#include "pipeline/config/params.h"

static const char describe[] =
    "{\"params\":{"
    "\"C\":{\"type\":\"number\",\"default\":1,\"minimum\":0},"
    "\"bins\":{\"type\":\"integer\",\"maximum\":64},"
    "\"mode\":{\"enum\":[\"a\",\"b\",3]},"
    "\"list\":{\"type\":\"array\",\"items\":{\"type\":[\"integer\",\"null\"],\"minimum\":1}},"
    "\"either\":{\"type\":[\"string\",\"boolean\"],\"required\":true},"
    "\"path\":{\"type\":\"string\"}},"
    "\"required\":[\"path\"]}";

static void on_problem(void *ctx, const char *param, const char *message, const char *hint)
{
    fw_buf_printf(ctx, "%s: %s%s%s\n", param ? param : "-", message, hint[0] ? "; " : "", hint);
}

static void expect(const char *params, const char *said, const char *result)
{
    struct fw_buf out = {0};
    json_t *d = json_loads(describe, 0, NULL), *p = json_loads(params, 0, NULL), *r = NULL;
    fw_buf_puts(&out, "");
    int n = fw_params_check(d, p, &r, on_problem, &out);
    char *text = r ? json_dumps(r, JSON_SORT_KEYS | JSON_COMPACT) : NULL;
    assert_string_equal(out.p ? out.p : "", said);
    assert_int_equal(n == 0, said[0] == '\0');
    if (result)
        assert_string_equal(text, result);
    else
        assert_null(text);
    free(text);
    json_decref(d);
    json_decref(p);
    json_decref(r);
    fw_buf_release(&out);
}

static void test_good(void **state)
{
    (void)state;
    expect("{\"either\":true,\"path\":\"p\"}", "", "{\"C\":1.0,\"either\":true,\"path\":\"p\"}");
    /* one spelling: a number is real, an integer is whole */
    expect(
        "{\"either\":\"x\",\"path\":\"p\",\"C\":2,\"bins\":8.0,\"mode\":3,\"list\":[1,2.0,null]}",
        "",
        "{\"C\":2.0,\"bins\":8,\"either\":\"x\",\"list\":[1,2,null],\"mode\":3,\"path\":\"p\"}");
}

static void test_bad(void **state)
{
    (void)state;
    expect("{\"either\":1,\"path\":2}",
           "either: expected a text or true or false\npath: expected a text\n", NULL);
    expect("{\"either\":\"x\"}", "path: the plugin needs this parameter\n", NULL);
    expect("{\"path\":\"x\"}", "either: the plugin needs this parameter\n", NULL);
    expect("{\"either\":\"x\",\"path\":\"p\",\"C\":-1,\"bins\":65,\"mode\":\"c\",\"list\":[0,1.5],"
           "\"bin\":1,\"nothing\":1}",
           "C: must be at least 0\n"
           "bins: must be at most 64\n"
           "mode: must be one of \"a\", \"b\", 3\n"
           "list: item 1: must be at least 1\n"
           "list: item 2: expected a whole number or nothing\n"
           "bin: the plugin has no such parameter; did you mean 'bins'?\n"
           "nothing: the plugin has no such parameter; it has: C bins mode list either path\n",
           NULL);
}

static void test_plugin_without_params(void **state)
{
    (void)state;
    struct fw_buf out = {0};
    json_t *d = json_object(), *p = json_pack("{s:i}", "x", 1), *r = NULL;
    assert_int_equal(fw_params_check(d, NULL, &r, on_problem, &out), 0);
    assert_int_equal(json_object_size(r), 0);
    json_decref(r);
    assert_int_equal(fw_params_check(d, p, &r, on_problem, &out), 1);
    assert_string_equal(out.p, "x: the plugin has no such parameter; it has none\n");
    json_decref(d);
    json_decref(p);
    fw_buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_plugin_without_params),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
