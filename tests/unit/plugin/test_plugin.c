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

#define HEAD "{\"protocol\":1,\"name\":\"x\",\"version\":\"1\",\"kind\":\"train\""

static char dir[64];

static int setup(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/fw-plugin-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    return fw_fs_remove(dir, NULL);
}

/* ---- describe ---- */

static void test_describe(void **state)
{
    (void)state;
    struct fw_err err = {0};
    json_t *d = NULL;
    const char *text = HEAD "}";
    assert_int_equal(fw_plugin_parse_describe(text, strlen(text), &d, &err), FW_OK);
    assert_true(json_is_true(json_object_get(d, "deterministic")));
    assert_true(json_is_false(json_object_get(d, "network")));
    assert_true(json_is_object(json_object_get(d, "params")));
    assert_true(fw_plugin_has_kind(d, FW_TRAIN) && !fw_plugin_has_kind(d, FW_EVALUATE));
    json_decref(d);
    text = "{\"protocol\":1,\"name\":\"x\",\"version\":\"1\",\"kind\":[\"train\",\"evaluate\"],"
           "\"params\":{\"C\":{\"type\":\"number\",\"default\":1,\"minimum\":0,\"maximum\":9,"
           "\"description\":\"d\",\"required\":false},\"k\":{\"type\":[\"string\",\"null\"],"
           "\"enum\":[\"a\",null]}},\"code\":[\"lib/a.py\"],\"network\":true,\"own\":1}\n";
    assert_int_equal(fw_plugin_parse_describe(text, strlen(text), &d, &err), FW_OK);
    assert_true(fw_plugin_has_kind(d, FW_EVALUATE) && !fw_plugin_has_kind(d, FW_DRIFT));
    assert_true(json_is_true(json_object_get(d, "network")));
    json_decref(d);
}

static void test_describe_refusals(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"", "it printed nothing"},
        {" \n", "it printed nothing"},
        {"usage: x [options]\nmore", "not a JSON object: 'usage: x [options]'"},
        {"\x1b[31mred", "'?[31mred'"},
        {"[1]", "not a JSON object: '[1]'"},
        {"{\"protocol\":1,\"protocol\":1}", "not a JSON object"},
        {"{\"name\":\"x\"}", "\"protocol\" must be"},
        {"{\"protocol\":2,\"anything\":0}",
         "it speaks protocol 2; this flywheel speaks protocol 1"},
        {"{\"protocol\":\"1\"}", "\"protocol\" must be the number 1"},
        {"{\"protocol\":1}", "\"name\" must be"},
        {"{\"protocol\":1,\"name\":\"x\"}", "\"version\" must be"},
        {"{\"protocol\":1,\"name\":\"x\",\"version\":1}", "\"version\" must be"},
        {"{\"protocol\":1,\"name\":\"x\",\"version\":\"1\"}", "\"kind\" must be"},
        {"{\"protocol\":1,\"name\":\"x\",\"version\":\"1\",\"kind\":\"tarin\"}", "\"kind\" must"},
        {"{\"protocol\":1,\"name\":\"x\",\"version\":\"1\",\"kind\":[]}", "\"kind\" must be"},
        {HEAD ",\"inputs\":\"dataset\"}", "\"inputs\" must be"},
        {HEAD ",\"outputs\":[1]}", "\"outputs\" must be"},
        {HEAD ",\"params\":[]}", "\"params\" must be"},
        {HEAD ",\"params\":{\"C\":1}}", "parameter 'C' must be an object"},
        {HEAD ",\"params\":{\"C\":{\"type\":\"float\"}}}", "\"type\" of parameter 'C'"},
        {HEAD ",\"params\":{\"C\":{\"type\":[]}}}", "\"type\" of parameter 'C'"},
        {HEAD ",\"params\":{\"C\":{\"minimum\":\"0\"}}}", "\"minimum\" of parameter 'C'"},
        {HEAD ",\"params\":{\"C\":{\"enum\":[]}}}", "\"enum\" of parameter 'C'"},
        {HEAD ",\"params\":{\"C\":{\"required\":1}}}", "\"required\" of parameter 'C'"},
        {HEAD ",\"required\":\"C\"}", "\"required\" must be"},
        {HEAD ",\"deterministic\":\"yes\"}", "\"deterministic\" must be"},
        {HEAD ",\"network\":null}", "\"network\" must be"},
        {HEAD ",\"code\":[\"../x\"]}", "\"code\" names '../x'"},
        {HEAD ",\"code\":[\"/etc\"]}", "\"code\" names '/etc'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fw_err err = {0};
        json_t *d = NULL;
        size_t n = strlen(cases[i][0]);
        char *exact = malloc(n); /* not terminated: reading on is caught */
        memcpy(exact, cases[i][0], n);
        int rc = fw_plugin_parse_describe(exact, n, &d, &err);
        free(exact);
        if (rc != FW_EINVAL || !strstr(err.msg, cases[i][1]) || d)
            fail_msg("%s: %d '%s'", cases[i][0], rc, err.msg);
    }
}

static void put(const char *rel, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", dir, rel);
    assert_int_equal(fw_fs_write_atomic(path, text, strlen(text), NULL), FW_OK);
}

static void test_digest(void **state)
{
    (void)state;
    char path[128], a[65], b[65], lib[128];
    snprintf(path, sizeof path, "%s/tool", dir);
    snprintf(lib, sizeof lib, "%s/lib", dir);
    assert_int_equal(fw_fs_mkdirs(lib, NULL), FW_OK);
    json_t *d =
        json_pack("{s:s,s:s,s:[s,s]}", "name", "x", "version", "1", "code", "lib", "one.py");
    put("tool", "v1");
    put("one.py", "1");
    put("lib/two.py", "2");
    put("beside", "not declared");
    assert_int_equal(fw_plugin_digest(path, d, a, NULL), FW_OK);
    put("beside", "changed");
    assert_int_equal(fw_plugin_digest(path, d, b, NULL), FW_OK);
    assert_string_equal(a, b);
    static const char *const changes[][3] = {
        {"tool", "v2", "v1"}, {"one.py", "x", "1"}, {"lib/two.py", "x", "2"}};
    for (size_t i = 0; i < 3; i++) {
        put(changes[i][0], changes[i][1]);
        assert_int_equal(fw_plugin_digest(path, d, b, NULL), FW_OK);
        assert_string_not_equal(a, b);
        put(changes[i][0], changes[i][2]);
    }
    json_object_set_new(d, "version", json_string("2"));
    assert_int_equal(fw_plugin_digest(path, d, b, NULL), FW_OK);
    assert_string_not_equal(a, b);
    struct fw_err err = {0};
    json_object_set_new(d, "code", json_pack("[s]", "gone.py"));
    assert_int_equal(fw_plugin_digest(path, d, b, &err), FW_EIO);
    assert_non_null(strstr(err.msg, "gone.py"));
    json_decref(d);
}

/* ---- environment and request ---- */

static const char *get(char **env, const char *name)
{
    size_t n = strlen(name);
    for (; *env; env++)
        if (!strncmp(*env, name, n) && (*env)[n] == '=')
            return *env + n + 1;
    return NULL;
}

static void test_env(void **state)
{
    (void)state;
    struct fw_err err = {0};
    setenv("SECRET_OF_OURS", "x", 1);
    json_t *r = json_loads(
        "{\"protocol\":1,\"run\":\"r1\",\"iteration\":3,\"stage\":\"train\",\"node\":\"train[1]\","
        "\"kind\":\"train\",\"seed\":18446744,\"scratch\":\"/s\",\"split\":null,"
        "\"inputs\":{\"dataset\":\"/d\"},\"outputs\":{\"my-model\":\"/"
        "m\"},\"matrix\":{\"lr\":\"a\"},"
        "\"params\":{\"C\":0.5,\"on\":true,\"text\":\"a b\\n\",\"list\":[1, \"x\"],\"none\":null},"
        "\"resources\":{\"cpus\":2.5}}",
        0, NULL);
    assert_non_null(r);
    const char *declared[] = {"LANG=de_DE", "MINE=1=2", "OMP_NUM_THREADS=9", NULL};
    char **env = fw_plugin_env(r, "/req.json", declared, &err);
    assert_non_null(env);
    const char *const want[][2] = {{"FLYWHEEL_REQUEST", "/req.json"},
                                   {"FLYWHEEL_EVENTS_FD", "3"},
                                   {"FLYWHEEL_PROTOCOL", "1"},
                                   {"FLYWHEEL_RUN", "r1"},
                                   {"FLYWHEEL_ITERATION", "3"},
                                   {"FLYWHEEL_NODE", "train[1]"},
                                   {"FLYWHEEL_SEED", "18446744"},
                                   {"FLYWHEEL_IN_DATASET", "/d"},
                                   {"FLYWHEEL_OUT_MY_MODEL", "/m"},
                                   {"FLYWHEEL_PARAM_C", "0.5"},
                                   {"FLYWHEEL_PARAM_ON", "true"},
                                   {"FLYWHEEL_PARAM_TEXT", "a b\n"},
                                   {"FLYWHEEL_MATRIX_LR", "a"},
                                   {"FLYWHEEL_PARAM_LIST", "[1,\"x\"]"},
                                   {"TMPDIR", "/s"},
                                   {"LANG", "de_DE"},
                                   {"MINE", "1=2"},
                                   {"OMP_NUM_THREADS", "9"},
                                   {"OPENBLAS_NUM_THREADS", "2"},
                                   {"PATH", getenv("PATH")}};
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        const char *value = get(env, want[i][0]);
        if (!value || strcmp(value, want[i][1]))
            fail_msg("%s is '%s'", want[i][0], value ? value : "not set");
    }
    assert_null(get(env, "SECRET_OF_OURS"));
    assert_null(get(env, "FLYWHEEL_PARAM_NONE"));
    assert_null(get(env, "FLYWHEEL_SPLIT"));
    free(env);
    json_decref(r);
}

static void test_env_refusals(void **state)
{
    (void)state;
    struct fw_err err = {0};
    json_t *r = json_loads("{\"params\":{\"a-b\":1,\"a_b\":2}}", 0, NULL);
    assert_null(fw_plugin_env(r, "/r", NULL, &err));
    assert_non_null(strstr(err.msg, "FLYWHEEL_PARAM_A_B"));
    json_decref(r);
    const char *ours[] = {"FLYWHEEL_SEED=1", NULL}, *bad[] = {"NOVALUE", NULL};
    assert_null(fw_plugin_env(NULL, NULL, ours, &err));
    assert_non_null(strstr(err.msg, "FLYWHEEL_SEED"));
    assert_null(fw_plugin_env(NULL, NULL, bad, &err));
    /* too long for the system: left to the request */
    char *big = malloc(200001);
    memset(big, 'x', 200000);
    big[200000] = '\0';
    r = json_pack("{s:{s:s,s:i}}", "params", "big", big, "n", 1);
    char **env = fw_plugin_env(r, "/r", NULL, &err);
    assert_null(get(env, "FLYWHEEL_PARAM_BIG"));
    assert_non_null(get(env, "FLYWHEEL_PARAM_N"));
    free(env);
    free(big);
    json_decref(r);
}

static void test_request(void **state)
{
    (void)state;
    char path[128];
    snprintf(path, sizeof path, "%s/request.json", dir);
    json_t *r = json_pack("{s:i,s:{s:f}}", "protocol", 1, "params", "C", 0.1);
    assert_int_equal(fw_request_write(path, r, NULL), FW_OK);
    assert_int_equal(fw_request_write(path, r, NULL), FW_OK); /* over the one before */
    json_t *back = json_load_file(path, 0, NULL);
    assert_true(json_equal(r, back));
    json_decref(back);
    struct fw_err err = {0};
    assert_int_equal(fw_request_write("/no/such/folder/r", r, &err), FW_EIO);
    assert_non_null(strstr(err.msg, "/no/such/folder/r"));
    json_decref(r);
}

/* ---- the end of a log ---- */

static void tail(const char *text, size_t n, int lines, const char *want)
{
    char path[128];
    struct fw_buf out = {0};
    snprintf(path, sizeof path, "%s/log", dir);
    assert_int_equal(fw_fs_write_atomic(path, text, n, NULL), FW_OK);
    assert_int_equal(fw_log_tail(path, lines, &out, NULL), FW_OK);
    assert_string_equal(out.p ? out.p : "", want);
    fw_buf_release(&out);
}

static void test_log_tail(void **state)
{
    (void)state;
#define TAIL(text, lines, want) tail(text, sizeof(text) - 1, lines, want)
    TAIL("", 5, "");
    TAIL("\n\n", 5, "");
    TAIL("one\ntwo\nthree\n", 2, "two\nthree\n");
    TAIL("one\ntwo\nthree", 2, "two\nthree\n");
    TAIL("one\ntwo", 9, "one\ntwo\n");
    TAIL("one\n\nthree\n\n", 2, "\nthree\n");
    TAIL("one", 0, "");
    TAIL("\x1b[2Jred\0\x7f\ttab", 5, "\\x1b[2Jred\\x00\\x7f\ttab\n");
    TAIL("gr\xc3\xbc\xc3\x9f \xff\xc0\xaf \xc2\x9b", 5,
         "gr\xc3\xbc\xc3\x9f \\xff\\xc0\\xaf \\xc2\\x9b\n");
    TAIL("cut \xe2\x82", 5, "cut \\xe2\\x82\n");
    TAIL("  1%\r 50%\r100%\r\nend", 5, "100%\nend\n");
    char *big = malloc(600000);
    memset(big, 'x', 600000);
    struct fw_buf want = {0};
    fw_buf_puts(&want, "...");
    for (int i = 0; i < 500; i++)
        fw_buf_putc(&want, 'x');
    fw_buf_puts(&want, "...\n");
    tail(big, 600000, 3, want.p);
    fw_buf_release(&want);
    free(big);
    struct fw_err err = {0};
    struct fw_buf out = {0};
    assert_int_equal(fw_log_tail("/no/log", 3, &out, &err), FW_EIO);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_describe),     T(test_describe_refusals), T(test_digest),   T(test_env),
        T(test_env_refusals), T(test_request),           T(test_log_tail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
