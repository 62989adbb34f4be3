#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "files.h"

#include "stages/data/dataset.h"
#include "stages/error_analysis/trusted.h"

static const char *const names[] = {"a", "b"};
static const struct fw_task_info task = {FW_CLASSIFICATION, names, 2};

/* 40 samples with a file each; t0 and t20 are predicted otherwise with certainty. t40 has no label,
 * t41 no prediction. */
static void make_data(const char *fold)
{
    struct fw_buf rows = {0}, probs = {0};
    for (int i = 0; i < 40; i++) {
        char name[32];
        snprintf(name, sizeof name, "d/f/%d", i);
        put(name, "x");
        fw_buf_printf(&rows, "{\"id\":\"t%d\", \"file_name\":\"f/%d\",\"label\":\"%s\"}\n", i, i,
                      names[i / 20]);
        double p = (i % 20 == 0) == (i < 20) ? .03 : .95;
        fw_buf_printf(&probs, "{\"id\":\"t%d\",\"probs\":[%g,%g]}\n", i, p, 1 - p);
    }
    fw_buf_puts(&rows, "{\"id\":\"t40\",\"file_name\":\"f/0\",\"label\":null}\n"
                       "{\"id\":\"t41\",\"text\":\"x\",\"label\":\"a\"}\n");
    fw_buf_puts(&probs, "{\"id\":\"t40\",\"probs\":[1,0]}\n");
    put("d/samples.jsonl", rows.p);
    put("fold.jsonl", fold ? fold : probs.p);
    fw_buf_release(&rows);
    fw_buf_release(&probs);
}

static struct fw_dataset *trust(const char *history)
{
    struct fw_dataset *ds = NULL;
    struct fw_err err = {0};
    char out[128];
    snprintf(out, sizeof out, "%s", in_dir("out"));
    fw_fs_remove(out, NULL);
    if (fw_trusted_write(in_dir("d"), in_dir("fold.jsonl"), history, &task, out, &err) != FW_OK ||
        fw_dataset_load(out, &task, &ds, &err) != FW_OK)
        fail_msg("%s", err.msg);
    return ds;
}

static void test_drops_what_looks_wrong(void **state)
{
    (void)state;
    struct stat a, b;
    make_data(NULL);
    struct fw_dataset *ds = trust(NULL);
    assert_int_equal(ds->n, 40);
    assert_null(fw_dataset_find(ds, "t0"));
    assert_null(fw_dataset_find(ds, "t20"));
    assert_non_null(fw_dataset_find(ds, "t40"));
    assert_non_null(fw_dataset_find(ds, "t41"));
    /* rows keep their bytes, files are the same inodes, and only those that rows name */
    assert_string_equal(fw_dataset_find(ds, "t1")->raw,
                        "{\"id\":\"t1\", \"file_name\":\"f/1\",\"label\":\"a\"}");
    assert_int_equal(stat(in_dir("d/f/1"), &a), 0);
    assert_int_equal(stat(in_dir("out/f/1"), &b), 0);
    assert_int_equal(a.st_ino, b.st_ino);
    assert_true(fw_fs_exists(in_dir("out/f/0"))); /* t40 names it */
    assert_false(fw_fs_exists(in_dir("out/f/20")));
    fw_dataset_free(ds);
}

static void test_people_are_believed(void **state)
{
    (void)state;
    make_data(NULL);
    put("history.jsonl",
        "{\"op\":\"confirm\",\"id\":\"t0\",\"to\":\"a\",\"verdict\":\"confirmed\"}\n");
    struct fw_dataset *ds = trust(in_dir("history.jsonl"));
    assert_non_null(fw_dataset_find(ds, "t0"));
    assert_null(fw_dataset_find(ds, "t20"));
    fw_dataset_free(ds);
}

static void test_edges(void **state)
{
    (void)state;
    struct fw_buf fold = {0};
    struct fw_err err = {0};
    /* without probabilities: those predicted otherwise; a class that would lose all keeps all */
    for (int i = 0; i < 40; i++)
        fw_buf_printf(&fold, "{\"id\":\"t%d\",\"prediction\":\"a\"}\n", i);
    make_data(fold.p);
    struct fw_dataset *ds = trust(NULL);
    assert_int_equal(ds->n, 42);
    fw_dataset_free(ds);
    fw_buf_release(&fold);
    make_data(""); /* no predictions at all: all is trusted */
    ds = trust(NULL);
    assert_int_equal(ds->n, 42);
    fw_dataset_free(ds);
    struct fw_task_info numbers = {FW_REGRESSION, NULL, 0};
    assert_int_equal(
        fw_trusted_write(in_dir("d"), in_dir("fold.jsonl"), NULL, &numbers, in_dir("o2"), &err),
        FW_EINVAL);
    assert_true(fw_trusted_write(in_dir("nowhere"), in_dir("fold.jsonl"), NULL, &task, in_dir("o2"),
                                 &err) < 0);
    assert_non_null(strstr(err.msg, "nowhere"));
    assert_false(fw_fs_exists(in_dir("o2")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_drops_what_looks_wrong),
        cmocka_unit_test(test_people_are_believed),
        cmocka_unit_test(test_edges),
    };
    return cmocka_run_group_tests(tests, make_dir, drop_dir);
}
