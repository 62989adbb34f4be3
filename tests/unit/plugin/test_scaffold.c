/* `plugin new`: what it writes, and what it refuses to touch. That the plugins work is tried by
 * tests/cli/plugin.sh. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "pipeline/base/buf.h"
#include "pipeline/base/fs.h"
#include "pipeline/plugin/scaffold.h"

static char root[64];

static int make_root(void **state)
{
    (void)state;
    snprintf(root, sizeof(root), "/tmp/fw-scaffold-XXXXXX");
    return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state)
{
    (void)state;
    return fw_fs_remove(root, NULL);
}

static void in_root(char *out, size_t size, const char *rel)
{
    snprintf(out, size, "%s/%s", root, rel);
}

static int count_file(void *ctx, const char *rel, const struct stat *st, struct fw_err *err)
{
    (void)rel;
    (void)st;
    (void)err;
    ++*(int *)ctx;
    return 0;
}

static int files_below(const char *path)
{
    int n = 0;
    assert_int_equal(fw_fs_walk(path, count_file, &n, NULL), FW_OK);
    return n;
}

/* Every kind in every language: the words of the template are filled in, and scripts can be run. */
static void test_every_kind_and_language(void **state)
{
    (void)state;
    char dir[128], path[256];
    in_root(dir, sizeof(dir), "a/plugins");
    for (int kind = 0; kind < FW_KINDS; kind++) {
        for (int lang = 0; lang < FW_LANGS; lang++) {
            char name[32];
            struct fw_err err = {0};
            struct fw_buf text = {0};
            snprintf(name, sizeof(name), "p%d-%d", kind, lang);
            assert_int_equal(fw_scaffold_write(dir, name, kind, lang, &err), FW_OK);
            snprintf(path, sizeof(path), "%s/%s/%s%s", dir, name, name,
                     lang == FW_LANG_C ? ".c" : "");
            assert_int_equal(fw_fs_read(path, 0, &text, &err), FW_OK);
            assert_int_equal(fw_fs_is_executable(path), lang != FW_LANG_C);
            assert_non_null(strstr(text.p, name));
            assert_non_null(strstr(text.p, fw_kind_name(kind)));
            assert_null(strstr(text.p, "@NAME@"));
            assert_null(strstr(text.p, "@PATH@"));
            assert_null(strstr(text.p, "@DIR@"));
            assert_null(strstr(text.p, "@CASES@"));
            fw_buf_release(&text);
        }
    }
}

static void test_helper_stands_beside_the_plugin(void **state)
{
    (void)state;
    char path[128];
    struct fw_err err = {0};
    assert_int_equal(fw_scaffold_write(root, "h", FW_TRAIN, FW_LANG_PYTHON, &err), FW_OK);
    in_root(path, sizeof(path), "h/flywheel_plugin.py");
    assert_true(fw_fs_exists(path));
    assert_int_equal(fw_scaffold_write(root, "g", FW_TRAIN, FW_LANG_C, &err), FW_OK);
    in_root(path, sizeof(path), "g/flywheel_plugin.h");
    assert_true(fw_fs_exists(path));
    in_root(path, sizeof(path), "g/Makefile");
    assert_true(fw_fs_exists(path));
}

static void test_never_overwrites(void **state)
{
    (void)state;
    char path[128];
    struct fw_err err = {0};
    struct fw_buf text = {0};
    in_root(path, sizeof(path), "mine");
    assert_int_equal(fw_fs_write_atomic(path, "mine", 4, &err), FW_OK);
    assert_int_equal(fw_scaffold_write(root, "mine", FW_TRAIN, FW_LANG_SH, &err), FW_EEXISTS);
    assert_non_null(strstr(err.msg, "exists already"));
    assert_int_equal(fw_fs_read(path, 0, &text, &err), FW_OK);
    assert_string_equal(text.p, "mine");
    fw_buf_release(&text);

    in_root(path, sizeof(path), "empty");
    assert_int_equal(fw_fs_mkdirs(path, &err), FW_OK);
    assert_int_equal(fw_scaffold_write(root, "empty", FW_TRAIN, FW_LANG_SH, &err), FW_EEXISTS);
    assert_int_equal(files_below(path), 0);
    assert_int_equal(files_below(root), 1); /* no temporary folder is left */
}

static void test_names_that_will_not_do(void **state)
{
    (void)state;
    static const char *const names[] = {"",    "a/b", "../x", "-x",   "_x",
                                        "a b", "A",   "x.y",  "a\"b", "é"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct fw_err err = {0};
        assert_int_equal(fw_scaffold_write(root, names[i], FW_TRAIN, FW_LANG_SH, &err), FW_EINVAL);
    }
    assert_int_equal(files_below(root), 0);
}

static void test_languages(void **state)
{
    (void)state;
    enum fw_lang lang = FW_LANG_SH;
    assert_int_equal(fw_lang_parse("python", &lang), 0);
    assert_int_equal(lang, FW_LANG_PYTHON);
    assert_string_equal(fw_lang_name(FW_LANG_C), "c");
    assert_int_equal(fw_lang_parse("rust", &lang), FW_ENOTFOUND);
}

#define ROOTED(test) cmocka_unit_test_setup_teardown(test, make_root, remove_root)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROOTED(test_every_kind_and_language), ROOTED(test_helper_stands_beside_the_plugin),
        ROOTED(test_never_overwrites),        ROOTED(test_names_that_will_not_do),
        cmocka_unit_test(test_languages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
