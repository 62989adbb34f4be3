#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/exec/exec.h"

static void expect(const char *command, const char *joined)
{
    struct fw_err err = {0};
    char all[512] = "";
    char **argv = fw_exec_split(command, &err);
    if (!argv)
        fail_msg("%s: %s", command, err.msg);
    for (size_t i = 0; argv[i]; i++) {
        strncat(all, "[", sizeof all - strlen(all) - 1);
        strncat(all, argv[i], sizeof all - strlen(all) - 1);
        strncat(all, "]", sizeof all - strlen(all) - 1);
    }
    assert_string_equal(all, joined);
    free(argv);
}

static void test_words(void **state)
{
    (void)state;
    expect("cp {in.a} 'b c'", "[cp][{in.a}][b c]");
    expect("  a\t b  ", "[a][b]");
    expect("a", "[a]");
    expect("a '' \"\"", "[a][][]");
    expect("a\\ b \"x\\\"y\\z\" 'q\"\\'", "[a b][x\"y\\z][q\"\\]");
    expect("pre'mid'\"post\"", "[premidpost]");
    expect("x --a=b=c y~z a#b", "[x][--a=b=c][y~z][a#b]");
    expect("x '$HOME' '*' \\$y \\|", "[x][$HOME][*][$y][|]");
    expect("cat cd exit", "[cat][cd][exit]");
}

static void refuse(const char *command, int code)
{
    struct fw_err err = {0};
    char **argv = fw_exec_split(command, &err);
    if (argv || err.code != code)
        fail_msg("'%s' gave %d (%s)", command, err.code, err.msg);
}

static void test_refusals(void **state)
{
    (void)state;
    static const char *const shell[] = {"a | b",   "a > f",  "a < f",    "a && b", "a; b",
                                        "a $X",    "a *.c",  "a \"$X\"", "a `b`",  "(a)",
                                        "a\nb",    "A=1 b",  "ls ~/x",   "# note", "a &",
                                        "a [x]",   "cd x",   "exit 1",   "! a",    "a \"`b`\"",
                                        "if true", ". file", "export A", "a b?",   "x\\\ny"};
    static const char *const wrong[] = {"", "   ", "a 'b", "a \"b", "a \\", "'", "\"\\\""};
    for (size_t i = 0; i < sizeof shell / sizeof *shell; i++)
        refuse(shell[i], FW_ENOTFOUND);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        refuse(wrong[i], FW_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
