#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "files.h"
#include "stages/data/labelled.h"

static const char *const names[] = {"a", "b"};
static const struct fw_task_info classes = {FW_CLASSIFICATION, names, 2};
static const struct fw_task_info numbers = {FW_REGRESSION, NULL, 0};

static int load_csv(const char *text, const struct fw_task_info *task, struct fw_predictions **p,
                    struct fw_err *err)
{
    *err = (struct fw_err){0};
    return fw_predictions_load(put("p.csv", text), task, p, err);
}

static void test_csv_predictions(void **state)
{
    (void)state;
    struct fw_predictions *p;
    struct fw_err err;
    assert_int_equal(
        load_csv("id,b,note,a\nx,0.25,\"say, \"\"b\"\"\",0.75\ny,0.6,,0.4\n", &classes, &p, &err),
        FW_OK);
    assert_int_equal(p->n, 2);
    assert_true(p->has_probs);
    assert_int_equal(p->pred[0], 0);
    assert_int_equal(p->pred[1], 1);
    assert_true(fabsf(p->probs[2] - 0.4f) < 1e-6f);
    fw_predictions_free(p);
    assert_int_equal(load_csv("prediction,id\nb,x\n", &classes, &p, &err), FW_OK);
    assert_false(p->has_probs);
    assert_int_equal(p->pred[0], 1);
    fw_predictions_free(p);
    assert_int_equal(load_csv("id,prediction\nx,-2.5e1\n", &numbers, &p, &err), FW_OK);
    assert_true(p->value[0] == -25);
    fw_predictions_free(p);
}

static void test_csv_refusals(void **state)
{
    (void)state;
    struct fw_predictions *p;
    struct fw_err err;
    const char *const cases[][2] = {
        {"", "p.csv:0: the file is empty"},
        {"id,a\nx,1\n", "p.csv:1: 1 of the 2 classes have a column of probabilities"},
        {"id,x\nx,1\n", "p.csv:1: there is neither a column 'prediction' nor one for each class"},
        {"a,b\n1,0\n", "p.csv:1: there is no column 'id'"},
        {"id,a,b\nx,1,0\ny,nan,1\n", "p.csv:3: 'nan' is not a number"},
        {"id,a,b\nx,1\n", "p.csv:2: 2 fields, and the head has 3"},
        {"id,a,b\nx,0.7,0.7\n", "p.csv:1: the probabilities sum to 1.4, not 1"},
        {"id,prediction\nx,c\n", "p.csv:1: 'prediction' names an unknown class 'c'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(load_csv(cases[i][0], &classes, &p, &err), FW_EINVAL);
        assert_string_equal(said(&err), cases[i][1]);
    }
}

static void test_join(void **state)
{
    (void)state;
    struct fw_dataset *ds;
    struct fw_predictions *p;
    struct fw_labelled l;
    struct fw_err err = {0};
    char id[24];
    put("d/samples.jsonl", "{\"id\":\"x\",\"label\":\"a\"}\n{\"id\":\"y\",\"label\":\"b\"}\n"
                           "{\"id\":\"z\"}\n");
    put("p.jsonl", "{\"id\":\"z\",\"probs\":[0.5,0.5]}\n{\"id\":\"q\",\"probs\":[0,1]}\n"
                   "{\"id\":\"x\",\"probs\":[0.1,0.9]}\n");
    assert_int_equal(fw_dataset_load(in_dir("d"), &classes, &ds, &err), FW_OK);
    assert_int_equal(fw_predictions_load(in_dir("p.jsonl"), &classes, &p, &err), FW_OK);
    assert_int_equal(fw_labelled_join(ds, &classes, p, &l, &err), FW_OK);
    assert_int_equal(l.n, 2);
    assert_int_equal(l.unpredicted, 1);
    assert_int_equal(l.unknown, 1);
    assert_string_equal(fw_labelled_id(&l, 1, id), "z");
    assert_int_equal(l.klass[0], 0);
    assert_int_equal(l.klass[1], -1);
    assert_int_equal(l.pred[0], 1);
    assert_true(fabsf(l.probs.f[1] - 0.9f) < 1e-6f);
    fw_labelled_release(&l);
    fw_predictions_free(p);
    put("p.jsonl", "{\"id\":\"q\",\"prediction\":\"a\"}\n");
    assert_int_equal(fw_predictions_load(in_dir("p.jsonl"), &classes, &p, &err), FW_OK);
    assert_int_equal(fw_labelled_join(ds, &classes, p, &l, &err), FW_EINVAL);
    assert_non_null(strstr(err.hint, "the first are 'q' and 'x'"));
    assert_int_equal(fw_labelled_join(ds, &classes, NULL, &l, &err), FW_OK);
    assert_int_equal(l.n, 3);
    assert_null(l.pred);
    fw_labelled_release(&l);
    fw_predictions_free(p);
    fw_dataset_free(ds);
}

static void put_npy(const char *name, const float *v, size_t n, size_t d)
{
    assert_int_equal(fw_npy_write_floats(in_dir(name), v, n, d, NULL), FW_OK);
}

static void test_arrays(void **state)
{
    (void)state;
    const float y[] = {1, 0, -1}, p[] = {0.2f, 0.8f, 0.3f, 0.7f, 1, 0}, wrong[] = {0, 2, 1};
    struct fw_labelled l;
    struct fw_err err = {0};
    char id[24];
    put_npy("y.npy", y, 3, 0);
    put_npy("p.npy", p, 3, 2);
    put_npy("wrong.npy", wrong, 3, 0);
    put_npy("short.npy", y, 2, 0);
    assert_int_equal(
        fw_labelled_arrays(in_dir("y.npy"), in_dir("p.npy"), in_dir("p.npy"), NULL, 0, &l, &err),
        FW_OK);
    assert_int_equal(l.n, 3);
    assert_string_equal(l.task.classes[1], "1");
    assert_int_equal(l.klass[2], -1);
    assert_null(l.pred);
    assert_int_equal(fw_labelled_predict(&l, &err), FW_OK);
    assert_int_equal(l.pred[1], 1);
    assert_int_equal(l.d, 2);
    assert_string_equal(fw_labelled_id(&l, 2, id), "2");
    fw_labelled_release(&l);
    assert_int_equal(
        fw_labelled_arrays(in_dir("wrong.npy"), in_dir("p.npy"), NULL, names, 2, &l, &err),
        FW_EINVAL);
    assert_string_equal(err.msg, "label 1 is 2, not a class from 0 to 1");
    assert_int_equal(
        fw_labelled_arrays(in_dir("short.npy"), in_dir("p.npy"), NULL, names, 2, &l, &err),
        FW_EINVAL);
    assert_string_equal(err.msg, "2 labels for 3 rows of probabilities");
    assert_int_equal(fw_labelled_arrays(in_dir("y.npy"), in_dir("p.npy"), NULL, names, 1, &l, &err),
                     FW_EINVAL);
    assert_int_equal(fw_labelled_arrays(in_dir("y.npy"), in_dir("y.npy"), NULL, names, 2, &l, &err),
                     FW_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_csv_predictions),
        cmocka_unit_test(test_csv_refusals),
        cmocka_unit_test(test_join),
        cmocka_unit_test(test_arrays),
    };
    return cmocka_run_group_tests(tests, make_dir, drop_dir);
}
