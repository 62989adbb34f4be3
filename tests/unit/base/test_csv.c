#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/base/csv.h"

/* Renders what was read as "line:[field|field*]", a star on quoted fields. */
static int render(void *ctx, const struct fw_csv_field *f, size_t n, int line, struct fw_err *err)
{
    (void)err;
    struct fw_buf *out = ctx;
    fw_buf_printf(out, "%d:[", line);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(f[i].p[f[i].len], '\0');
        fw_buf_printf(out, "%s%s%s", i ? "|" : "", f[i].p, f[i].quoted ? "*" : "");
    }
    fw_buf_puts(out, "]");
    return FW_OK;
}

static void expect_sep(const char *text, char sep, const char *want)
{
    struct fw_buf out = {0};
    struct fw_err err = {0};
    fw_buf_puts(&out, "");
    assert_int_equal(fw_csv_each_mem("x.csv", text, strlen(text), sep, render, &out, &err), FW_OK);
    assert_string_equal(out.p, want);
    fw_buf_release(&out);
}

static void test_records(void **state)
{
    (void)state;
    expect_sep("", ',', "");
    expect_sep("a,b\n1,2\n", ',', "1:[a|b]2:[1|2]");
    expect_sep("\xef\xbb\xbf"
               "a,b\r\n1,\r\n",
               ',', "1:[a|b]2:[1|]");
    expect_sep("a,\"b,\"\"c\"\"\nd\",e\n\nz", ',', "1:[a|b,\"c\"\nd*|e]4:[z]");
    expect_sep("a,\"\"\n\"\"\n", ',', "1:[a|*]2:[*]");
    expect_sep("it's 5\" wide,x", ',', "1:[it's 5\" wide|x]");
    expect_sep("a\tb,c\n", '\t', "1:[a|b,c]");
    expect_sep("a\rb,c", ',', "1:[a\rb|c]");
}

static void refuse(const char *text, int line, const char *word)
{
    struct fw_buf out = {0};
    struct fw_err err = {0};
    assert_int_equal(fw_csv_each_mem("x.csv", text, strlen(text), ',', render, &out, &err),
                     FW_EINVAL);
    assert_string_equal(err.file, "x.csv");
    assert_int_equal(err.line, line);
    assert_non_null(strstr(err.msg, word));
    fw_buf_release(&out);
}

static void test_refusals(void **state)
{
    (void)state;
    refuse("a,b\n1,\"2\n3\n", 2, "never closed");
    refuse("a\n\"x\ny\"z\n", 3, "behind the closing quote");
}

static int stop(void *ctx, const struct fw_csv_field *f, size_t n, int line, struct fw_err *err)
{
    (void)f;
    (void)n;
    (void)err;
    *(int *)ctx = line;
    return line == 2 ? FW_EBUSY : FW_OK;
}

static void test_stops_where_told(void **state)
{
    (void)state;
    int last = 0;
    struct fw_err err = {0};
    assert_int_equal(fw_csv_each_mem("x", "a\nb\nc\n", 6, ',', stop, &last, &err), FW_EBUSY);
    assert_int_equal(last, 2);
}

static void test_what_is_written_reads_back(void **state)
{
    (void)state;
    static const char *const texts[] = {"plain", "", "a,b", "say \"hi\"", "two\nlines", " edge "};
    struct fw_buf out = {0}, seen = {0}, want = {0};
    struct fw_err err = {0};
    fw_buf_puts(&want, "1:[");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (i)
            fw_buf_putc(&out, ',');
        fw_csv_put(&out, texts[i], strlen(texts[i]), ',');
        fw_buf_printf(&want, "%s%s%s", i ? "|" : "", texts[i], i ? "*" : "");
    }
    fw_buf_puts(&want, "]");
    assert_int_equal(fw_csv_each_mem("x", out.p, out.len, ',', render, &seen, &err), FW_OK);
    assert_string_equal(seen.p, want.p);
    fw_buf_release(&out);
    fw_buf_release(&seen);
    fw_buf_release(&want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_stops_where_told),
        cmocka_unit_test(test_what_is_written_reads_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
