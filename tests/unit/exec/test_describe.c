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

#include "pipeline/base/clock.h"
#include "pipeline/base/fs.h"
#include "pipeline/exec/describe.h"

#define GOOD                                                                                       \
    "{\"protocol\":1,\"name\":\"mine\",\"version\":\"%s\",\"kind\":\"train\",\"code\":[\"lib\"]}"

static char dir[64], path[128];

static int setup(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/fw-describe-XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    snprintf(path, sizeof path, "%s/plugins", dir);
    if (fw_fs_mkdirs(path, NULL) != FW_OK)
        return -1;
    snprintf(path, sizeof path, "%s/plugins/mine", dir);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return fw_fs_remove(dir, NULL);
}

static void put(const char *rel, const char *text)
{
    char full[256];
    snprintf(full, sizeof full, "%s/%s", dir, rel);
    assert_int_equal(fw_fs_write_atomic(full, text, strlen(text), NULL), FW_OK);
    assert_int_equal(chmod(full, 0755), 0);
}

/* A plugin that counts how often it is asked. */
static void plugin(const char *version)
{
    char text[512];
    snprintf(text, sizeof text,
             "#!/bin/sh\necho x >>%s/asked\necho chatter >&2\ncat <<'END'\n" GOOD "\nEND\n", dir,
             version);
    put("plugins/mine", text);
    usleep(30000); /* the clock's grain: a fresh file is not trusted */
}

static size_t asked(void)
{
    char full[128];
    struct stat st;
    snprintf(full, sizeof full, "%s/asked", dir);
    return stat(full, &st) == 0 ? (size_t)st.st_size / 2 : 0;
}

static void expect(const char *version)
{
    struct fw_err err = {0};
    char *found = NULL;
    json_t *d = NULL;
    if (fw_describe_run(dir, "mine", &found, &d, &err) != FW_OK)
        fail_msg("%s", err.msg);
    assert_string_equal(found, path);
    assert_string_equal(json_string_value(json_object_get(d, "version")), version);
    free(found);
    json_decref(d);
}

static void test_asked_once(void **state)
{
    (void)state;
    put("flywheel.yaml", "");
    put("plugins/lib", "1");
    plugin("1");
    expect("1");
    expect("1");
    assert_int_equal(asked(), 1);
    plugin("2"); /* changed */
    expect("2");
    assert_int_equal(asked(), 2);
    put("plugins/lib", "other"); /* so is its code */
    expect("2");
    expect("2");
    assert_int_equal(asked(), 3);
}

static void test_kept_answers_are_not_trusted(void **state)
{
    (void)state;
    put("flywheel.yaml", "");
    plugin("1");
    expect("1");
    static const char *const rubbish[] = {"", "{", "[]", "{\"x\":1}"};
    for (size_t i = 0; i < sizeof rubbish / sizeof *rubbish; i++) {
        put(".flywheel/describe.json", rubbish[i]);
        expect("1");
        assert_int_equal(asked(), i + 2);
    }
    struct fw_buf kept = {0};
    char full[128];
    snprintf(full, sizeof full, "%s/.flywheel/describe.json", dir);
    assert_int_equal(fw_fs_read(full, 0, &kept, NULL), FW_OK);
    char *protocol = strstr(kept.p, "\"protocol\": 1");
    assert_non_null(protocol);
    protocol[12] = '7';
    put(".flywheel/describe.json", kept.p);
    fw_buf_release(&kept);
    expect("1");
}

static void test_nothing_is_kept_outside_a_project(void **state)
{
    (void)state;
    plugin("1");
    expect("1");
    expect("1");
    assert_int_equal(asked(), 2);
    char state_dir[128];
    snprintf(state_dir, sizeof state_dir, "%s/.flywheel", dir);
    assert_false(fw_fs_exists(state_dir));
    put("flywheel.yaml", "");
    put(".flywheel", "a file in the way: nothing can be kept");
    expect("1");
}

static void refuse(const char *text, const char *says, const char *hint)
{
    struct fw_err err = {0};
    char *found = NULL;
    json_t *d = NULL;
    put("plugins/mine", text);
    int rc = fw_describe_run(dir, "mine", &found, &d, &err);
    if (rc != FW_EINVAL || !strstr(err.msg, says) || !strstr(err.hint, hint) ||
        !strstr(err.msg, "plugin 'mine'"))
        fail_msg("%d '%s' hint '%s'", rc, err.msg, err.hint);
    assert_null(found);
    assert_null(d);
}

static void test_bad_plugins(void **state)
{
    (void)state;
    refuse("#!/bin/sh\necho 'Usage: mine'\n", "not a JSON object: 'Usage: mine'",
           "print one object");
    refuse("#!/bin/sh\n", "it printed nothing", "");
    refuse("#!/bin/sh\necho first >&2; echo 'no module named x' >&2; exit 3\n",
           "`describe` failed with exit code 3", "it said: no module named x");
    refuse("#!/bin/sh\nkill -SEGV $$\n", "killed by signal 11 (Segmentation fault)", "");
    refuse("#!/bin/sh\necho '{\"protocol\":9}'\n",
           "it speaks protocol 9; this flywheel speaks protocol 1", "newer flywheel");
    refuse("#!/bin/sh\nexec yes\n", "printed more than 1 MiB", "");
    refuse("#!/no/such/sh\n", "interpreter /no/such/sh does not exist", "");
    refuse("echo\n", "neither a program nor a script", "add #!/bin/sh");
}

static void test_hangs(void **state)
{
    (void)state;
    struct fw_err err = {0};
    json_t *d = NULL;
    put("plugins/mine", "#!/bin/sh\ntrap '' TERM\nsleep 60\n");
    int64_t t0 = fw_clock_ms();
    assert_int_equal(fw_describe_ask(dir, path, 300, &d, &err), FW_EINVAL);
    assert_in_range(fw_clock_ms() - t0, 290, 5000);
    assert_non_null(strstr(err.msg, "`describe` did not end within 0.3 s"));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_asked_once),
        T(test_kept_answers_are_not_trusted),
        T(test_nothing_is_kept_outside_a_project),
        T(test_bad_plugins),
        T(test_hangs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
