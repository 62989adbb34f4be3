#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "stages/error_analysis/slice.h"

static const char row_text[] =
    "{\"id\":\"x\",\"label\":\"pitted\",\"width\":850.5,\"shift\":\"night\","
    "\"line\":3,\"wet\":true,\"none\":null,\"who\":\"O'Neil\",\"a.b-c\":1,\"f\":[1.5, "
    "-2,3e1,null,7],\"g\":[\"a,b\",4],\"h\":[[1],2]}";

static bool match(const char *text)
{
    struct fw_rows *rows = fw_rows_new();
    struct fw_slice *s = NULL;
    struct fw_row row;
    struct fw_err err = {0};
    assert_int_equal(fw_row_parse(rows, row_text, strlen(row_text), &row, NULL), FW_OK);
    if (fw_slice_parse(text, &s, &err) != FW_OK)
        fail_msg("%s: %s at %d", text, err.msg, err.col);
    bool hit = fw_slice_match(s, &row);
    fw_slice_free(s);
    fw_rows_free(rows);
    return hit;
}

static void test_matching(void **state)
{
    (void)state;
    static const char *const yes[] = {
        "class == 'pitted'",
        "label == \"pitted\"",
        "width < 900",
        "width >= 850.5",
        "width != 1",
        "line in [1, 2, 3]",
        "line not in [4]",
        "shift in ['day', 'night']",
        "shift > 'day'",
        "not shift == 'day'",
        "not (width > 900)",
        "line == 3 and shift == 'night'",
        "line == 4 or wet == true",
        "(line == 4 or line == 3) and not wet == false",
        "a.b-c == 1",
        "who == \"O'Neil\"",
        "shift",
        "not width2 < 900",                       /* absent: the comparison is false */
        "line == 4 and line == 3 or wet == true", /* and before or */
        "wet == true or line == 4 and line == 5",
        "width2 is missing",
        "none is missing",
        "width is not missing",
        "not (width is missing) and line == 3",
        "shift contains 'igh'",
        "shift contains ''",
        "shift starts_with 'nig'",
        "not line contains '3'",
        "f[0] == 1.5",
        "f[1] < 0 and f[2] == 30",
        "f[4] in [7]",
        "f[5] is missing",
        "f[3] is missing",
        "shift[0] is missing",
    };
    static const char *const no[] = {
        "class == 'a'",
        "width > 900",
        "width2 < 900",
        "width2 != 1",
        "none == 1",
        "none",
        "absent",
        "line == '3'",
        "shift != 3", /* other types */
        "line not in [3]",
        "wet == false",
        "shift < 'day'",
        "not wet == true",
        "(line == 4 or line == 3) and wet == false",
        "width is missing",
        "none is not missing",
        "shift contains 'day'",
        "shift starts_with 'ight'",
        "shift starts_with 'nights'",
        "f[3] == 7",
        "f[5] == 7",
        "f == 1.5",
        "g[1] == 4",
        "h[1] == 2",
    };
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
        if (!match(yes[i]))
            fail_msg("should match: %s", yes[i]);
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        if (match(no[i]))
            fail_msg("should not match: %s", no[i]);
}

static void test_bare_field(void **state)
{
    (void)state;
    struct fw_slice *s;
    assert_int_equal(fw_slice_parse("  shift ", &s, NULL), FW_OK);
    assert_string_equal(fw_slice_field(s), "shift");
    fw_slice_free(s);
    assert_int_equal(fw_slice_parse("shift == 1", &s, NULL), FW_OK);
    assert_null(fw_slice_field(s));
    fw_slice_free(s);
}

static void test_errors_have_columns(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int col;
        const char *says;
    } bad[] = {
        {"", 1, "missing"},
        {"width <", 8, "value is missing"},
        {"width < tall", 9, "in quotes"},
        {"width = 3", 7, "=="},
        {"shift == 'night", 10, "closing quote"},
        {"line in 3", 9, "list"},
        {"line in [3, 4", 14, "']'"},
        {"(a == 1", 1, "not closed"},
        {"a == 1 b == 2", 8, "and / or"},
        {"a == 1 and", 11, "missing"},
        {"a and b == 1", 1, "comparison"},
        {"a not b", 7, "in [..]"},
        {"3 == a", 1, "field name"},
        {"a == 1e999", 6, "value"},
        {"a == 3x", 6, "value"},
        {"a is 3", 6, "'missing'"},
        {"a contains 3", 12, "text in quotes"},
        {"a contains", 11, "missing at the end"},
        {"f[x] == 1", 3, "whole number"},
        {"f[] == 1", 3, "whole number"},
        {"f[1", 4, "whole number"},
        {"f[1]", 5, "needs a comparison"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct fw_slice *s = NULL;
        struct fw_err err = {0};
        assert_int_equal(fw_slice_parse(bad[i].text, &s, &err), FW_EINVAL);
        assert_null(s);
        if (err.col != bad[i].col || !strstr(err.msg, bad[i].says))
            fail_msg("%s: column %d, '%s'", bad[i].text, err.col, err.msg);
    }
    static const char *const hints[][2] = {{"a == 1 adn b == 2", "'and'"},
                                           {"a == 1 && b == 2", "'and'"},
                                           {"a == 1 || b == 2", "'or'"},
                                           {"a contians 'x'", "'contains'"}};
    for (size_t i = 0; i < sizeof hints / sizeof *hints; i++) {
        struct fw_slice *s = NULL;
        struct fw_err err = {0};
        assert_int_equal(fw_slice_parse(hints[i][0], &s, &err), FW_EINVAL);
        if (!strstr(err.hint, hints[i][1]))
            fail_msg("%s: hint '%s'", hints[i][0], err.hint);
    }
    char deep[300];
    memset(deep, '(', sizeof deep - 1);
    deep[sizeof deep - 1] = '\0';
    struct fw_slice *s;
    assert_int_equal(fw_slice_parse(deep, &s, NULL), FW_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matching),
        cmocka_unit_test(test_bare_field),
        cmocka_unit_test(test_errors_have_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
