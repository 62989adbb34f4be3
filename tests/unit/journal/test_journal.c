#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pipeline/base/clock.h"
#include "pipeline/base/fs.h"
#include "pipeline/journal/journal.h"

static char dir[] = "/tmp/fw-journal-XXXXXX";
static char path[128];

static int setup(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/fw-journal-XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    snprintf(path, sizeof path, "%s/runs/1/journal.jsonl", dir);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return fw_fs_remove(dir, NULL);
}

static void append(struct fw_journal *j, const char *json, bool sync)
{
    struct fw_err err = {0};
    json_t *record = json_loads(json, 0, NULL);
    assert_non_null(record);
    if (fw_journal_append(j, record, sync, &err) != FW_OK)
        fail_msg("%s", err.msg);
    json_decref(record);
}

static struct fw_journal *open_it(size_t want, json_t **out)
{
    struct fw_err err = {0};
    struct fw_journal *j = NULL;
    json_t *records = NULL;
    if (fw_journal_open(path, true, &j, &records, &err) != FW_OK)
        fail_msg("%s", err.msg);
    assert_int_equal(json_array_size(records), want);
    if (out)
        *out = records;
    else
        json_decref(records);
    return j;
}

static void test_append_and_read_back(void **state)
{
    (void)state;
    struct fw_journal *j = open_it(0, NULL);
    append(j, "{\"type\":\"start\",\"n\":1,\"text\":\"a\\nb \xc3\xa9\"}", true);
    append(j, "{}", false);
    append(j, "{\"x\":0.1,\"deep\":{\"sum\":\"mine\"}}", true);
    json_t *seen = NULL, *again = NULL;
    assert_int_equal(fw_journal_read(path, &seen, NULL), FW_OK); /* while it is open */
    assert_int_equal(json_array_size(seen), 3);
    fw_journal_close(j);
    j = open_it(3, &again);
    assert_true(json_equal(seen, again));
    json_t *first = json_array_get(again, 0);
    assert_null(json_object_get(first, "sum"));
    assert_string_equal(json_string_value(json_object_get(first, "text")), "a\nb \xc3\xa9");
    assert_int_equal(json_object_size(json_array_get(again, 1)), 0);
    json_decref(seen);
    json_decref(again);
    fw_journal_close(j);
}

static void test_absent(void **state)
{
    (void)state;
    struct fw_journal *j = NULL;
    json_t *records = NULL;
    assert_int_equal(fw_journal_open(path, false, &j, &records, NULL), FW_ENOTFOUND);
    assert_int_equal(fw_journal_read(path, &records, NULL), FW_ENOTFOUND);
    assert_null(j);
    assert_null(records);
}

static void test_refuses_a_sum_of_its_own(void **state)
{
    (void)state;
    struct fw_journal *j = open_it(0, NULL);
    json_t *record = json_pack("{s:s}", "sum", "x");
    assert_int_equal(fw_journal_append(j, record, true, NULL), FW_EINVAL);
    json_decref(record);
    fw_journal_close(j);
    fw_journal_close(open_it(0, NULL));
}

static struct fw_buf three(void)
{
    struct fw_journal *j = open_it(0, NULL);
    for (int i = 0; i < 3; i++)
        append(j, "{\"type\":\"node\",\"v\":[1,2,3]}", i == 2);
    fw_journal_close(j);
    struct fw_buf text = {0};
    assert_int_equal(fw_fs_read(path, 0, &text, NULL), FW_OK);
    return text;
}

static void test_cut_at_every_byte(void **state)
{
    (void)state;
    struct fw_buf text = three();
    size_t line = text.len / 3;
    for (size_t cut = 0; cut <= text.len; cut++) {
        json_t *records = NULL;
        assert_int_equal(fw_fs_write_atomic(path, text.p, cut, NULL), FW_OK);
        assert_int_equal(fw_journal_read(path, &records, NULL), FW_OK);
        assert_int_equal(json_array_size(records), cut / line);
        json_decref(records);
        /* the next record goes where the torn one was */
        struct fw_journal *j = open_it(cut / line, NULL);
        append(j, "{\"type\":\"next\"}", true);
        fw_journal_close(j);
        fw_journal_close(open_it(cut / line + 1, NULL));
    }
    fw_buf_release(&text);
}

static void test_damage_at_every_byte(void **state)
{
    (void)state;
    struct fw_buf text = three();
    size_t line = text.len / 3;
    for (size_t i = 0; i < text.len; i++) {
        struct fw_err err = {0};
        json_t *records = NULL;
        size_t good = 0;
        char old = text.p[i];
        text.p[i] ^= 1;
        int rc = fw_sum_decode_all(text.p, text.len, &records, &good, &err);
        if (i < 2 * line - 1 || i == 2 * line - 1) {
            assert_int_equal(rc, i == 2 * line - 1 ? FW_OK : FW_ECORRUPT);
        } else {
            assert_int_equal(rc, FW_OK);
            assert_int_equal(good, 2 * line);
        }
        if (rc == FW_OK)
            assert_in_range(json_array_size(records), 1, 2);
        json_decref(records);
        text.p[i] = old;
    }
    text.p[10] ^= 1;
    assert_int_equal(fw_fs_write_atomic(path, text.p, text.len, NULL), FW_OK);
    struct fw_err err = {0};
    struct fw_journal *j = NULL;
    assert_int_equal(fw_journal_open(path, true, &j, NULL, &err), FW_ECORRUPT);
    assert_non_null(strstr(err.msg, "line 1"));
    fw_buf_release(&text);
}

/* A disk that is full in the middle of a record: nothing of it stays, and the next one is whole. */
static void test_full_disk(void **state)
{
    (void)state;
    struct fw_journal *j = open_it(0, NULL);
    append(j, "{\"type\":\"one\"}", true);
    struct rlimit old, small = {.rlim_cur = 60};
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small.rlim_max = old.rlim_max;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    json_t *record = json_pack("{s:s}", "type", "a record that does not fit into sixty bytes");
    struct fw_err err = {0};
    int rc = fw_journal_append(j, record, true, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    signal(SIGXFSZ, handler);
    assert_int_equal(rc, FW_EIO);
    assert_non_null(strstr(err.msg, path));
    json_decref(record);
    append(j, "{\"type\":\"two\"}", true);
    fw_journal_close(j);
    json_t *records = NULL;
    j = open_it(2, &records);
    assert_string_equal(json_string_value(json_object_get(json_array_get(records, 1), "type")),
                        "two");
    json_decref(records);
    fw_journal_close(j);
}

/* Killed while it writes: every acknowledged record is there, and the file opens. */
static void test_killed_while_writing(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        int ack[2];
        assert_int_equal(pipe(ack), 0);
        assert_int_equal(fw_fs_remove(path, NULL), FW_OK);
        pid_t pid = fork();
        if (pid == 0) {
            struct fw_journal *j = NULL;
            json_t *record = json_pack("{s:s}", "type", "node");
            if (fw_journal_open(path, true, &j, NULL, NULL) == FW_OK)
                while (fw_journal_append(j, record, true, NULL) == FW_OK &&
                       write(ack[1], "x", 1) == 1)
                    ;
            _exit(1);
        }
        close(ack[1]);
        char bytes[4096];
        ssize_t acked = read(ack[0], bytes, 1);
        usleep((useconds_t)(round * 300));
        kill(pid, SIGKILL);
        for (ssize_t n; (n = read(ack[0], bytes, sizeof bytes)) > 0;)
            acked += n;
        close(ack[0]);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        json_t *records = NULL;
        assert_int_equal(fw_journal_read(path, &records, NULL), FW_OK);
        assert_in_range(json_array_size(records), acked, acked + 1);
        json_decref(records);
    }
}

static void test_lock(void **state)
{
    (void)state;
    struct fw_err err = {0};
    struct fw_lock *lock = NULL, *second = NULL;
    assert_int_equal(fw_lock_take(dir, "flywheel run", false, &lock, &err), FW_OK);
    assert_true(fw_lock_held(dir));
    assert_int_equal(fw_lock_take(dir, "flywheel resume", false, &second, &err), FW_EBUSY);
    char pid[32];
    snprintf(pid, sizeof pid, "pid %d", (int)getpid());
    assert_non_null(strstr(err.msg, pid));
    assert_non_null(strstr(err.msg, "flywheel run"));
    assert_null(second);
    fw_lock_release(lock);
    assert_false(fw_lock_held(dir));
    assert_int_equal(fw_lock_take(dir, "flywheel resume", false, &second, &err), FW_OK);
    fw_lock_release(second);
}

static pid_t hold(int for_ms)
{
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct fw_lock *lock = NULL;
        if (fw_lock_take(dir, "holder", false, &lock, NULL) == FW_OK &&
            write(ready[1], "x", 1) == 1)
            usleep((useconds_t)for_ms * 1000);
        _exit(0);
    }
    char c;
    close(ready[1]);
    assert_int_equal(read(ready[0], &c, 1), 1);
    close(ready[0]);
    return pid;
}

static void test_lock_waits(void **state)
{
    (void)state;
    pid_t pid = hold(300);
    struct fw_lock *lock = NULL;
    int64_t t0 = fw_clock_ms();
    assert_int_equal(fw_lock_take(dir, "me", true, &lock, NULL), FW_OK);
    assert_in_range(fw_clock_ms() - t0, 100, 5000);
    fw_lock_release(lock);
    waitpid(pid, NULL, 0);
}

static void test_the_dead_hold_nothing(void **state)
{
    (void)state;
    pid_t pid = hold(60000);
    struct fw_lock *lock = NULL;
    struct fw_err err = {0};
    assert_int_equal(fw_lock_take(dir, "me", false, &lock, &err), FW_EBUSY);
    assert_non_null(strstr(err.msg, "holder"));
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    assert_int_equal(fw_lock_take(dir, "me", false, &lock, &err), FW_OK);
    fw_lock_release(lock);
}

static void on_alarm(int sig)
{
    (void)sig;
}

static void test_a_signal_ends_the_wait(void **state)
{
    (void)state;
    pid_t pid = hold(60000);
    struct sigaction sa = {.sa_handler = on_alarm}, old;
    sigaction(SIGALRM, &sa, &old);
    alarm(1);
    struct fw_lock *lock = NULL;
    assert_int_equal(fw_lock_take(dir, "me", true, &lock, NULL), FW_ECANCELLED);
    sigaction(SIGALRM, &old, NULL);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_append_and_read_back),
        T(test_absent),
        T(test_refuses_a_sum_of_its_own),
        T(test_cut_at_every_byte),
        T(test_damage_at_every_byte),
        T(test_full_disk),
        T(test_killed_while_writing),
        T(test_lock),
        T(test_lock_waits),
        T(test_the_dead_hold_nothing),
        T(test_a_signal_ends_the_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
