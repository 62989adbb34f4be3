#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/stat.h>
#include <unistd.h>

#include "pipeline/base/fs.h"
#include "pipeline/plugin/plugin.h"

static char dir[64];

static int setup(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/fw-plugin-XXXXXX");
    unsetenv("FLYWHEEL_PLUGIN_PATH");
    return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    unsetenv("FLYWHEEL_PLUGIN_PATH");
    return fw_fs_remove(dir, NULL);
}

static void put(const char *rel, int mode)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", dir, rel);
    char *slash = strrchr(path, '/');
    *slash = '\0';
    assert_int_equal(fw_fs_mkdirs(path, NULL), FW_OK);
    *slash = '/';
    assert_int_equal(fw_fs_write_atomic(path, "#!/bin/sh\n", 10, NULL), FW_OK);
    assert_int_equal(chmod(path, (mode_t)mode), 0);
}

static void found(const char *name, const char *rel)
{
    struct fw_err err = {0};
    char *path = NULL, want[256];
    snprintf(want, sizeof want, "%s/%s", dir, rel);
    if (fw_plugin_find(dir, name, &path, &err) != FW_OK)
        fail_msg("%s: %s", name, err.msg);
    assert_string_equal(path, want);
    free(path);
}

static void missing(const char *name, int code, const char *says, const char *hint)
{
    struct fw_err err = {0};
    char *path = NULL;
    int rc = fw_plugin_find(dir, name, &path, &err);
    if (rc != code || !strstr(err.msg, says) || !strstr(err.hint, hint))
        fail_msg("%s: %d '%s' hint '%s'", name, rc, err.msg, err.hint);
    assert_null(path);
}

static void test_where(void **state)
{
    (void)state;
    put("plugins/plain", 0755);
    put("plugins/folder/folder", 0755);
    put("plugins/both/both", 0755);
    put("more/both", 0755);
    put("more/only", 0755);
    put("tools/mine.sh", 0755);
    char more[128];
    snprintf(more, sizeof more, "/no/such/folder::more:%s/other", dir);
    setenv("FLYWHEEL_PLUGIN_PATH", more, 1);
    found("plain", "plugins/plain");
    found("folder", "plugins/folder/folder");
    found("both", "plugins/both/both"); /* the project's own come first */
    found("only", "more/only");
    put("other/last", 0755);
    found("last", "other/last");
    found("tools/mine.sh", "tools/mine.sh");
    found("./tools/mine.sh", "tools/mine.sh");
    found("plugins/folder", "plugins/folder/folder");
    char path[128];
    snprintf(path, sizeof path, "%s/tools/mine.sh", dir);
    found(path, "tools/mine.sh");
}

static void test_not_there(void **state)
{
    (void)state;
    put("plugins/linear", 0755);
    put("plugins/notes", 0644);
    put("plugins/empty/readme", 0644);
    missing("liner", FW_ENOTFOUND, "there is no plugin 'liner'", "did you mean 'linear'?");
    missing("lniear", FW_ENOTFOUND, "there is no plugin 'lniear'", "did you mean 'linear'?");
    missing("something", FW_ENOTFOUND, "there is no plugin 'something'", "there are: linear;");
    missing("notes", FW_EINVAL, "is not executable", "chmod +x");
    missing("empty", FW_ENOTFOUND, "no plugin 'empty'", "");
    missing("plugins/empty", FW_ENOTFOUND, "folder without a program 'empty'", "");
    missing("./nowhere", FW_ENOTFOUND, "does not exist", "");
    missing("", FW_EINVAL, "no name", "");
    missing("..", FW_EINVAL, "no name", "");
}

static void test_list(void **state)
{
    (void)state;
    put("plugins/zeta", 0755);
    put("plugins/alpha/alpha", 0755);
    put("plugins/notes.txt", 0644);
    put("plugins/.hidden", 0755);
    put("more/alpha", 0755);
    put("more/beta", 0755);
    setenv("FLYWHEEL_PLUGIN_PATH", "more", 1);
    json_t *list = fw_plugin_list(dir), *one;
    assert_non_null(list);
    struct fw_buf names = {0};
    size_t i;
    json_array_foreach(list, i, one)
    {
        const char *path = json_string_value(json_object_get(one, "path"));
        if (strncmp(path, dir, strlen(dir)) == 0) /* others may stand beside the test */
            fw_buf_printf(&names, "%s=%s ", json_string_value(json_object_get(one, "name")),
                          path + strlen(dir) + 1);
    }
    assert_string_equal(names.p, "alpha=plugins/alpha/alpha beta=more/beta zeta=plugins/zeta ");
    fw_buf_release(&names);
    json_decref(list);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {T(test_where), T(test_not_there), T(test_list)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
