#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../stages/files.h"
#include "pipeline/snap/source.h"

struct loaded {
    struct fw_dataset *ds;
    struct fw_task_info task;
    const char **classes;
    struct fw_buf warnings;
    struct fw_import_problems problems;
    struct fw_err err;
};

static int load(const char *path, bool regression, struct loaded *l)
{
    *l = (struct loaded){.ds = NULL};
    return fw_source_load(path, regression, &l->ds, &l->task, &l->classes, &l->warnings,
                          &l->problems, &l->err);
}

static void release(struct loaded *l)
{
    fw_dataset_free(l->ds);
    free(l->classes);
    fw_buf_release(&l->warnings);
}

static void test_jsonl(void **state)
{
    (void)state;
    struct loaded l;
    put("x.jsonl", "{\"label\":\"dog\",\"age\":3}\n\n{\"id\":\"q\",\"label\":\"cat\"}\n{}\n");
    assert_int_equal(load(in_dir("x.jsonl"), false, &l), FW_OK);
    assert_int_equal(l.ds->n, 3);
    assert_int_equal(l.task.n_classes, 2);
    assert_string_equal(l.task.classes[0], "cat");
    assert_string_equal(l.ds->samples[0].id, "1");
    assert_string_equal(l.ds->samples[1].id, "q");
    assert_int_equal(l.ds->samples[0].klass, 1);
    assert_int_equal(l.ds->samples[2].klass, -1);
    release(&l);
    put("x.jsonl", "{\"label\":1.5}\n{\"label\":2}\n");
    assert_int_equal(load(in_dir("x.jsonl"), false, &l), FW_OK);
    assert_int_equal(l.task.task, FW_REGRESSION);
    assert_true(l.ds->samples[1].value == 2);
    release(&l);
}

/* Columns of numbers stay metadata, and neither content nor label is needed. */
static void test_csv(void **state)
{
    (void)state;
    struct loaded l;
    put("x.csv", "id,label,width\na,3,900\nb,4,1e3\n");
    assert_int_equal(load(in_dir("x.csv"), false, &l), FW_OK);
    assert_int_equal(l.task.task, FW_CLASSIFICATION);
    assert_string_equal(l.task.classes[1], "4");
    assert_int_equal(l.ds->samples[0].n_features, 0);
    assert_non_null(strstr(l.ds->samples[1].raw, "\"width\":1e3"));
    release(&l);
    assert_int_equal(load(in_dir("x.csv"), true, &l), FW_OK);
    assert_int_equal(l.task.task, FW_REGRESSION);
    assert_true(l.ds->samples[1].value == 4);
    release(&l);
    put("x.csv", "id,width\na,900\n");
    assert_int_equal(load(in_dir("x.csv"), false, &l), FW_OK);
    assert_int_equal(l.task.n_classes, 0);
    release(&l);
}

static void test_problems(void **state)
{
    (void)state;
    struct loaded l;
    put("x.jsonl",
        "{\"id\":\"a\",\"label\":\"x\"}\n{\"id\":\n{\"id\":\"a\",\"label\":\"x\"}\n{\"id\":7}\n");
    assert_int_equal(load(in_dir("x.jsonl"), false, &l), FW_EINVAL);
    assert_int_equal(l.problems.n, 3);
    assert_int_equal(l.problems.list[0].line, 2);
    assert_int_equal(l.problems.list[1].line, 3);
    assert_non_null(strstr(l.problems.list[1].msg, "appears twice"));
    assert_int_equal(l.problems.list[2].line, 4);
    release(&l);
    put("x.jsonl", "{\"label\":\"x\"}\n{\"label\":1}\n");
    assert_int_equal(load(in_dir("x.jsonl"), false, &l), FW_EINVAL);
    assert_non_null(strstr(l.err.msg, "some labels are numbers and some are texts"));
    release(&l);
    put("x.jsonl", "\n");
    assert_int_equal(load(in_dir("x.jsonl"), false, &l), FW_EINVAL);
    assert_non_null(strstr(l.err.msg, "holds no samples"));
    release(&l);
    assert_int_equal(load(in_dir("nothing"), false, &l), FW_ENOTFOUND);
    release(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_jsonl),
        cmocka_unit_test(test_csv),
        cmocka_unit_test(test_problems),
    };
    return cmocka_run_group_tests(tests, make_dir, drop_dir);
}
