#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pipeline/base/fs.h"
#include "pipeline/cache/cache.h"

static char dir[64], out[80];
static const char KEY[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

static int setup(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/fw-cache-XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    snprintf(out, sizeof out, "%s/out", dir);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return fw_fs_remove(dir, NULL);
}

static void put_file(const char *rel, const char *text)
{
    char path[256], *slash;
    snprintf(path, sizeof path, "%s/%s", out, rel);
    slash = strrchr(path, '/');
    *slash = '\0';
    assert_int_equal(fw_fs_mkdirs(path, NULL), FW_OK);
    *slash = '/';
    assert_int_equal(fw_fs_write_atomic(path, text, strlen(text), NULL), FW_OK);
}

static json_t *a_result(int n)
{
    return json_pack("{s:{s:{s:s,s:s}},s:i}", "outputs", "model", "path", "out/model", "digest",
                     "abc", "n", n);
}

static void put(int n, const char *text)
{
    struct fw_err err = {0};
    json_t *result = a_result(n);
    put_file("model/weights", text);
    put_file("model/deep/er/meta", "m");
    if (fw_cache_put(dir, KEY, out, result, &err) != FW_OK)
        fail_msg("%s", err.msg);
    json_decref(result);
    assert_false(fw_fs_exists(out));
}

static int get(void)
{
    json_t *result = NULL;
    int rc = fw_cache_get(dir, KEY, &result, NULL);
    int n = rc == FW_OK ? (int)json_integer_value(json_object_get(result, "n")) : rc;
    json_decref(result);
    return n;
}

static char *read_weights(void)
{
    struct fw_buf text = {0};
    char *path = fw_cache_path(dir, KEY, "out/model/weights");
    assert_int_equal(fw_fs_read(path, 0, &text, NULL), FW_OK);
    free(path);
    return fw_buf_steal(&text);
}

static void test_put_and_get(void **state)
{
    (void)state;
    assert_int_equal(get(), FW_ENOTFOUND);
    put(7, "w");
    assert_int_equal(get(), 7);
    char *text = read_weights();
    assert_string_equal(text, "w");
    free(text);
}

static void test_outputs_become_read_only(void **state)
{
    (void)state;
    put(1, "w");
    struct stat st;
    char *path = fw_cache_path(dir, KEY, "out/model/weights");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0222, 0);
    free(path);
}

static void test_the_first_stays(void **state)
{
    (void)state;
    put(1, "first");
    put(2, "second");
    assert_int_equal(get(), 1);
    char *text = read_weights();
    assert_string_equal(text, "first");
    free(text);
}

static void damage(const char *rel, const char *text)
{
    char *path = fw_cache_path(dir, KEY, rel);
    if (text)
        assert_int_equal(fw_fs_write_atomic(path, text, strlen(text), NULL), FW_OK);
    else
        assert_int_equal(fw_fs_remove(path, NULL), FW_OK);
    free(path);
}

static void test_damage_is_not_found(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"result.json", NULL},           {"result.json", ""},
        {"result.json", "{\"a\":1}"},    {"out/model/weights", NULL},
        {"out/model/weights", "longer"}, {"out/model", NULL},
        {"out/model/deep/er/meta", NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        put(1, "w");
        damage(cases[i][0], cases[i][1]);
        assert_int_equal(get(), FW_ENOTFOUND);
        char *entry = fw_cache_path(dir, KEY, ".");
        assert_false(fw_fs_exists(entry));
        free(entry);
        /* and putting over a damaged one mends it */
        put(1, "w");
        damage(cases[i][0], cases[i][1]);
        put(3, "x");
        assert_int_equal(get(), 3);
        assert_int_equal(fw_fs_remove(dir, NULL), FW_OK);
    }
    assert_int_equal(fw_fs_mkdirs(dir, NULL), FW_OK);
}

static void test_a_torn_result_at_every_byte(void **state)
{
    (void)state;
    put(5, "w");
    struct fw_buf text = {0};
    char *path = fw_cache_path(dir, KEY, "result.json");
    assert_int_equal(fw_fs_read(path, 0, &text, NULL), FW_OK);
    for (size_t n = 0; n < text.len; n++) {
        put(5, "w");
        assert_int_equal(get(), 5);
        assert_int_equal(fw_fs_write_atomic(path, text.p, n, NULL), FW_OK);
        assert_int_equal(get(), FW_ENOTFOUND);
    }
    free(path);
    fw_buf_release(&text);
}

static void test_refusals(void **state)
{
    (void)state;
    json_t *result = a_result(1), *got = NULL;
    assert_int_equal(fw_cache_get(dir, "../../etc", &got, NULL), FW_EINVAL);
    put_file("model", "x");
    char link[256];
    snprintf(link, sizeof link, "%s/link", out);
    assert_int_equal(symlink("/etc/passwd", link), 0);
    struct fw_err err = {0};
    assert_int_equal(fw_cache_put(dir, KEY, out, result, &err), FW_EINVAL);
    assert_non_null(strstr(err.msg, "link"));
    assert_true(fw_fs_exists(out)); /* left where it was */
    assert_int_equal(get(), FW_ENOTFOUND);
    json_decref(result);
}

static void test_key(void **state)
{
    (void)state;
    char a[FW_SHA256_HEX], b[FW_SHA256_HEX], c[FW_SHA256_HEX];
    json_t *x = json_loads("{\"p\":{\"a\":1,\"b\":2.5},\"seed\":1}", 0, NULL);
    json_t *y = json_loads("{\"seed\":1,\"p\":{\"b\":2.5,\"a\":1}}", 0, NULL);
    json_t *z = json_loads("{\"seed\":2,\"p\":{\"b\":2.5,\"a\":1}}", 0, NULL);
    assert_int_equal(fw_cache_key(x, a, NULL), FW_OK);
    assert_int_equal(fw_cache_key(y, b, NULL), FW_OK);
    assert_int_equal(fw_cache_key(z, c, NULL), FW_OK);
    assert_string_equal(a, b);
    assert_string_not_equal(a, c);
    json_decref(x);
    json_decref(y);
    json_decref(z);
}

/* Killed at any moment: the entry is whole or absent, and cleaning leaves no rest. */
static void test_killed_while_putting(void **state)
{
    (void)state;
    int whole = 0, absent = 0;
    for (int round = 0; round < 60; round++) {
        put_file("model/weights", "w");
        put_file("model/deep/er/meta", "m");
        pid_t pid = fork();
        if (pid == 0) {
            json_t *result = a_result(9);
            (void)fw_cache_put(dir, KEY, out, result, NULL);
            json_decref(result);
            _exit(0);
        }
        usleep((useconds_t)(round * 40));
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        assert_int_equal(fw_cache_clean(dir, NULL), FW_OK);
        int n = get();
        whole += n == 9;
        absent += n == FW_ENOTFOUND;
        char entry[256];
        snprintf(entry, sizeof entry, "%s/cache", dir);
        if (n == 9) {
            assert_int_equal(fw_fs_remove(entry, NULL), FW_OK);
        } else if (fw_fs_exists(entry)) {
            assert_int_equal(rmdir(entry), 0); /* nothing is left in it */
        }
        assert_int_equal(fw_fs_remove(out, NULL), FW_OK);
    }
    assert_int_equal(whole + absent, 60);
    assert_true(absent > 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_put_and_get),
        T(test_outputs_become_read_only),
        T(test_the_first_stays),
        T(test_damage_is_not_found),
        T(test_a_torn_result_at_every_byte),
        T(test_refusals),
        T(test_key),
        T(test_killed_while_putting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
