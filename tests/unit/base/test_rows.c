#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/base/rows.h"

static int parse(struct fw_rows *r, const char *line, struct fw_row *row, struct fw_err *err)
{
    return fw_row_parse(r, line, strlen(line), row, err);
}

static void test_fields_and_spans(void **state)
{
    (void)state;
    struct fw_rows *r = fw_rows_new();
    struct fw_row row;
    struct fw_err err = {0};
    const char *line = " {\"id\": \"a\\u00e9\\\"]\", \"n\" : -1.5e3 , \"b\":true,\"z\":null,"
                       "\"box\":[{\"x\":\"}]\"},2], \"o\":{\"k\":[1]} } ";
    assert_int_equal(parse(r, line, &row, &err), FW_OK);
    assert_int_equal(row.n, 6);
    assert_string_equal(fw_row_str(&row, "id"), "a\xc3\xa9\"]");
    assert_true(fw_row_get(&row, "n")->number == -1500);
    assert_memory_equal(fw_row_get(&row, "n")->raw, "-1.5e3", 6);
    assert_int_equal(fw_row_get(&row, "n")->raw_len, 6);
    assert_true(fw_row_get(&row, "b")->boolean);
    assert_int_equal(fw_row_get(&row, "z")->type, FW_NULL);
    const struct fw_field *box = fw_row_get(&row, "box");
    assert_int_equal(box->raw_len, strlen("[{\"x\":\"}]\"},2]"));
    assert_memory_equal(box->raw, "[{\"x\":\"}]\"},2]", box->raw_len);
    assert_null(fw_row_get(&row, "absent"));
    fw_rows_free(r);
}

static void test_refusals(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        {"[1]", "not a JSON object"},
        {"{\"a\":1,\"a\":2}", "appears twice"},
        {"{\"a\":NaN}", "NaN"},
        {"{\"a\":\"\xff\"}", "UTF-8"},
        {"{\"a\":1} x", "not valid JSON"},
        {"{\"a\":", "not valid JSON"},
        {"{\"a\":1e999}", "number"},
    };
    struct fw_rows *r = fw_rows_new();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct fw_row row;
        struct fw_err err = {0};
        assert_int_equal(parse(r, bad[i][0], &row, &err), FW_EINVAL);
        if (!strstr(err.msg, bad[i][1]))
            fail_msg("%s: said '%s'", bad[i][0], err.msg);
    }
    fw_rows_free(r);
}

static void test_numbers(void **state)
{
    (void)state;
    struct fw_rows *r = fw_rows_new();
    struct fw_row row;
    struct fw_err err = {0};
    double *v = NULL;
    size_t n = 0;
    assert_int_equal(parse(r, "{\"f\":[1,2.5,-3],\"g\":[1,\"x\"]}", &row, &err), FW_OK);
    assert_int_equal(fw_field_numbers(fw_row_get(&row, "f"), &v, &n, &err), FW_OK);
    assert_int_equal(n, 3);
    assert_true(v[1] == 2.5);
    free(v);
    assert_int_equal(fw_field_numbers(fw_row_get(&row, "g"), &v, &n, &err), FW_EINVAL);
    fw_rows_free(r);
}

static int count(void *ctx, const struct fw_row *row, int line, struct fw_err *err)
{
    (void)row;
    (void)err;
    *(int *)ctx = line;
    return FW_OK;
}

static void test_lines(void **state)
{
    (void)state;
    struct fw_err err = {0};
    int last = 0;
    const char *text = "{\"a\":1}\n\n{\"a\":2}";
    assert_int_equal(fw_rows_each_mem("x.jsonl", text, strlen(text), count, &last, &err), FW_OK);
    assert_int_equal(last, 3);
    text = "{\"a\":1}\n{\"a\":}\n";
    assert_int_equal(fw_rows_each_mem("x.jsonl", text, strlen(text), count, &last, &err),
                     FW_EINVAL);
    assert_string_equal(err.file, "x.jsonl");
    assert_int_equal(err.line, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields_and_spans),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
