#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "files.h"

#include "pipeline/base/npy.h"
#include "stages/contract.h"
#include "stages/data/predictions.h"

static const char *const names[] = {"a", "b", "c"};
static const struct fw_task_info classes = {FW_CLASSIFICATION, names, 3};
static const struct fw_task_info numbers = {FW_REGRESSION, NULL, 0};

static void test_lines(void **state)
{
    (void)state;
    struct fw_predictions *p = NULL;
    put("p.jsonl", "{\"id\":\"x\",\"prediction\":\"b\",\"probs\":[0.2,0.5,0.3]}\n"
                   "{\"id\":\"y\",\"probs\":{\"c\":0.9,\"a\":0.1}}\n");
    assert_int_equal(fw_predictions_load(in_dir("p.jsonl"), &classes, &p, NULL), FW_OK);
    assert_int_equal(p->n, 2);
    assert_true(p->has_probs);
    assert_int_equal(p->pred[0], 1);
    assert_int_equal(p->pred[1], 2);
    assert_true(p->probs[3] == 0.1f && p->probs[4] == 0 && p->probs[5] == 0.9f);
    assert_int_equal(fw_predictions_find(p, "y"), 1);
    assert_int_equal(fw_predictions_find(p, "z"), -1);
    assert_string_equal(p->ids[1], "y");
    fw_predictions_free(p);
    put("one/predictions.jsonl", "{\"id\":\"x\",\"prediction\":\"c\"}\n");
    assert_int_equal(fw_predictions_load(in_dir("one"), &classes, &p, NULL), FW_OK);
    assert_false(p->has_probs);
    assert_true(p->probs[0] == 0 && p->probs[2] == 1);
    fw_predictions_free(p);
    put("v.jsonl", "{\"id\":\"x\",\"prediction\":-1.5}\n");
    assert_int_equal(fw_predictions_load(in_dir("v.jsonl"), &numbers, &p, NULL), FW_OK);
    assert_true(p->value[0] == -1.5 && !p->pred && !p->probs);
    fw_predictions_free(p);
}

static void test_arrays(void **state)
{
    (void)state;
    struct fw_predictions *p = NULL;
    struct fw_err err = {0};
    const float probs[] = {.1f, .8f, .1f, .4f, .2f, .4f}, far[] = {1, 2, 3, 4};
    put("n/ids.txt", "x\ny\r\n");
    assert_int_equal(fw_npy_write_floats(in_dir("n/probs.npy"), probs, 2, 3, NULL), FW_OK);
    assert_int_equal(fw_npy_write_floats(in_dir("n/embeddings.npy"), far, 2, 2, NULL), FW_OK);
    assert_int_equal(fw_predictions_load(in_dir("n"), &classes, &p, NULL), FW_OK);
    assert_int_equal(p->pred[0], 1);
    assert_int_equal(p->pred[1], 0); /* ties to the lower class */
    assert_int_equal(p->d, 2);
    assert_true(p->embeddings[3] == 4);
    assert_int_equal(fw_predictions_find(p, "y"), 1);
    fw_predictions_free(p);
    p = NULL;
    assert_int_equal(fw_npy_write_floats(in_dir("n/probs.npy"), probs, 3, 2, NULL), FW_OK);
    assert_int_equal(fw_predictions_load(in_dir("n"), &classes, &p, &err), FW_EINVAL);
    assert_non_null(strstr(err.msg, "3 rows for 2 ids"));
    const float wrong[] = {.1f, .8f, .1f, .4f, .9f, .4f};
    assert_int_equal(fw_npy_write_floats(in_dir("n/probs.npy"), wrong, 2, 3, NULL), FW_OK);
    assert_int_equal(fw_predictions_load(in_dir("n"), &classes, &p, &err), FW_EINVAL);
    assert_non_null(strstr(err.msg, "sample 'y' (row 2): the probabilities sum to 1.7"));
    assert_null(p);
    assert_int_equal(fw_npy_write_floats(in_dir("n/values.npy"), probs, 2, 0, NULL), FW_OK);
    fw_fs_remove(in_dir("n/embeddings.npy"), NULL);
    assert_int_equal(fw_predictions_load(in_dir("n"), &numbers, &p, NULL), FW_OK);
    assert_true(p->value[1] == (double).8f);
    fw_predictions_free(p);
}

static void test_refusals(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        {"{\"prediction\":\"a\"}\n", "p:1: 'id' is missing"},
        {"{\"id\":\"x\"}\n", "p:1: neither 'prediction' nor 'probs'"},
        {"{\"id\":\"x\",\"prediction\":\"q\"}\n", "p:1: 'prediction' names an unknown class 'q'"},
        {"{\"id\":\"x\",\"prediction\":1}\n", "p:1: 'prediction' is not a class name"},
        {"{\"id\":\"x\",\"prediction\":\"a\"}\n{\"id\":\"x\",\"prediction\":\"a\"}\n",
         "p:2: id 'x' appears twice"},
        {"{\"id\":\"x\",\"probs\":[0.5,0.5]}\n", "p:1: 'probs' has 2 numbers for 3 classes"},
        {"{\"id\":\"x\",\"probs\":[0.5,0.4,0]}\n", "p:1: the probabilities sum to 0.9"},
        {"{\"id\":\"x\",\"probs\":[1.5,-0.5,0]}\n", "p:1: probability 1.5 of class 1"},
        {"{\"id\":\"x\",\"probs\":[NaN,0.5,0]}\n", "p:1: NaN"},
        {"{\"id\":\"x\",\"probs\":{\"q\":1}}\n", "p:1: 'probs' names an unknown class 'q'"},
        {"{\"id\":\"x\",\"probs\":{\"a\":\"1\"}}\n", "p:1: 'probs' of class 'a' is not"},
        {"{\"id\":\"x\",\"probs\":[1,0,0]}\n{\"id\":\"y\",\"prediction\":\"a\"}\n",
         "p:2: some predictions have 'probs'"},
        {"rubbish", "p:1: not valid JSON"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct fw_predictions *p = NULL;
        struct fw_err err = {0};
        put("p", bad[i][0]);
        assert_int_equal(fw_predictions_load(in_dir("p"), &classes, &p, &err), FW_EINVAL);
        assert_null(p);
        if (strncmp(said(&err), bad[i][1], strlen(bad[i][1])) != 0)
            fail_msg("%s said '%s'", bad[i][0], said(&err));
    }
    struct fw_predictions *p = NULL;
    struct fw_err err = {0};
    fw_fs_mkdirs(in_dir("empty"), NULL);
    assert_int_equal(fw_predictions_load(in_dir("empty"), &classes, &p, &err), FW_EINVAL);
    assert_non_null(strstr(err.msg, "neither predictions.jsonl nor ids.txt"));
}

static void test_write_and_merge(void **state)
{
    (void)state;
    const char *const ids[] = {"x", "y\"1"};
    const int one[] = {0, 1}, two[] = {1, 2};
    const float p1[] = {.6f, .4f, 0, .1f, .8f, .1f}, p2[] = {.1f, .9f, 0, .2f, .2f, .6f};
    struct fw_predictions *p = NULL;
    assert_int_equal(fw_predictions_write(in_dir("s1"), &classes, 2, ids, one, NULL, p1, NULL), 0);
    assert_int_equal(fw_predictions_write(in_dir("s2"), &classes, 2, ids, two, NULL, p2, NULL), 0);
    const char *const seeds[] = {in_dir("s1"), in_dir("s2")};
    assert_int_equal(fw_predictions_merge(seeds, 2, &classes, in_dir("mean"), NULL), FW_OK);
    assert_int_equal(fw_predictions_load(in_dir("mean"), &classes, &p, NULL), FW_OK);
    assert_int_equal(p->n, 2);
    assert_int_equal(p->pred[0], 1);
    assert_true(fabsf(p->probs[0] - .35f) < 1e-6f && fabsf(p->probs[5] - .35f) < 1e-6f);
    assert_int_equal(fw_predictions_find(p, "y\"1"), 1);
    fw_predictions_free(p);
    /* folds: other ids; what was predicted stays, although another class is more probable */
    const char *const other[] = {"z"};
    const int third[] = {2};
    const float p3[] = {.5f, .3f, .2f};
    assert_int_equal(fw_predictions_write(in_dir("f2"), &classes, 1, other, third, NULL, p3, NULL),
                     0);
    const char *const folds[] = {in_dir("s1"), in_dir("f2")};
    assert_int_equal(fw_predictions_merge(folds, 2, &classes, in_dir("fold"), NULL), FW_OK);
    assert_int_equal(fw_predictions_load(in_dir("fold"), &classes, &p, NULL), FW_OK);
    assert_int_equal(p->n, 3);
    assert_int_equal(p->pred[2], 2);
    fw_predictions_free(p);
    /* votes without probabilities: ties to the lower class */
    assert_int_equal(fw_predictions_write(in_dir("v1"), &classes, 2, ids, one, NULL, NULL, NULL),
                     0);
    assert_int_equal(fw_predictions_write(in_dir("v2"), &classes, 2, ids, two, NULL, NULL, NULL),
                     0);
    const char *const votes[] = {in_dir("v2"), in_dir("v1")};
    assert_int_equal(fw_predictions_merge(votes, 2, &classes, in_dir("vote"), NULL), FW_OK);
    assert_int_equal(fw_predictions_load(in_dir("vote"), &classes, &p, NULL), FW_OK);
    assert_true(!p->has_probs && p->pred[0] == 0 && p->pred[1] == 1);
    fw_predictions_free(p);
    const double v1[] = {1, 2}, v2[] = {3, 2.5};
    assert_int_equal(fw_predictions_write(in_dir("r1"), &numbers, 2, ids, NULL, v1, NULL, NULL), 0);
    assert_int_equal(fw_predictions_write(in_dir("r2"), &numbers, 2, ids, NULL, v2, NULL, NULL), 0);
    const char *const values[] = {in_dir("r1"), in_dir("r2")};
    assert_int_equal(fw_predictions_merge(values, 2, &numbers, in_dir("r"), NULL), FW_OK);
    assert_int_equal(fw_predictions_load(in_dir("r"), &numbers, &p, NULL), FW_OK);
    assert_true(p->value[0] == 2 && p->value[1] == 2.25);
    fw_predictions_free(p);
}

static void test_npy(void **state)
{
    (void)state;
    /* version 1, uint16, as NumPy writes it */
    char file[128 + 6] = "\x93NUMPY\x01\x00\x76\x00{'descr': '<u2', 'fortran_order': False, "
                         "'shape': (3,), }";
    memset(file + 10 + strlen(file + 10), ' ', 127 - 10 - strlen(file + 10));
    file[127] = '\n';
    memcpy(file + 128, "\x01\x00\x02\x00\x00\x01", 6);
    struct fw_npy npy;
    struct fw_err err = {0};
    assert_int_equal(fw_npy_parse(file, sizeof file, &npy, NULL), FW_OK);
    assert_true(npy.n == 3 && npy.ndim == 1 && fw_npy_at(&npy, 2) == 256);
    assert_int_equal(fw_npy_parse(file, sizeof file - 1, &npy, &err), FW_EINVAL);
    assert_non_null(strstr(err.msg, "shorter than its shape"));
    static const char *const bad[][2] = {
        {"{'descr': '>f4', 'fortran_order': False, 'shape': (1,), }", "big-endian"},
        {"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", "type '|O'"},
        {"{'descr': '<f4', 'fortran_order': True, 'shape': (1,), }", "order='C'"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'x': 1}", "unknown key"},
        {"{'descr': '<f4', 'shape': (1,), }", "not complete"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }",
         "too large"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296,4294967296,2), }",
         "too large"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1), }", "dimensions"},
        {"['descr']", "not a dictionary"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        memset(file + 10, ' ', 118);
        memcpy(file + 10, bad[i][0], strlen(bad[i][0]));
        assert_int_equal(fw_npy_parse(file, sizeof file, &npy, &err), FW_EINVAL);
        if (!strstr(err.msg, bad[i][1]))
            fail_msg("%s: said '%s'", bad[i][0], err.msg);
    }
}

static void test_contract(void **state)
{
    (void)state;
    struct fw_err err = {0};
    const char *const ids[] = {"x", "y"};
    put("c/predictions.jsonl",
        "{\"id\":\"x\",\"prediction\":\"a\"}\n{\"id\":\"y\",\"prediction\":\"a\"}\n");
    assert_int_equal(
        fw_contract_check(FW_EVALUATE, "predictions", in_dir("c"), &classes, ids, 2, &err), FW_OK);
    assert_int_equal(
        fw_contract_check(FW_EVALUATE, "predictions", in_dir("c"), &classes, ids, 1, &err),
        FW_EINVAL);
    assert_non_null(strstr(err.msg, "a sample that was not given: 'y'"));
    put("c/predictions.jsonl", "{\"id\":\"y\",\"prediction\":\"a\"}\n");
    assert_int_equal(
        fw_contract_check(FW_EVALUATE, "predictions", in_dir("c"), &classes, ids, 2, &err),
        FW_EINVAL);
    assert_non_null(strstr(err.msg, "leave out 1 of 2 samples, the first is 'x'"));
    assert_int_equal(
        fw_contract_check(FW_EVALUATE, "predictions", in_dir("c"), &classes, NULL, 0, &err), FW_OK);
    assert_int_equal(fw_contract_check(FW_TRAIN, "model", in_dir("nope"), &classes, NULL, 0, &err),
                     FW_EINVAL);
    assert_non_null(strstr(err.msg, "was not written"));
    put("model", "");
    assert_int_equal(fw_contract_check(FW_TRAIN, "model", in_dir("model"), &classes, NULL, 0, &err),
                     FW_EINVAL);
    fw_fs_mkdirs(in_dir("folder/deep"), NULL);
    assert_int_equal(
        fw_contract_check(FW_TRAIN, "model", in_dir("folder"), &classes, NULL, 0, &err), FW_EINVAL);
    put("folder/deep/w", "1");
    assert_int_equal(
        fw_contract_check(FW_TRAIN, "model", in_dir("folder"), &classes, NULL, 0, &err), FW_OK);
    put("drift.json", "{\"version\":1}");
    assert_int_equal(
        fw_contract_check(FW_DRIFT, "drift", in_dir("drift.json"), &classes, NULL, 0, &err),
        FW_EINVAL);
    assert_int_equal(
        fw_contract_check(FW_DRIFT, "extra", in_dir("drift.json"), &classes, NULL, 0, &err), FW_OK);
    put("analysis.json", "{\"version\":1}");
    assert_int_equal(fw_contract_check(FW_ERROR_ANALYSIS, "analysis", in_dir("analysis.json"),
                                       &classes, NULL, 0, &err),
                     FW_EINVAL);
    assert_non_null(strstr(err.msg, "'metric' is missing"));
    put("patch", "{\"op\":\"fly\"}");
    assert_int_equal(
        fw_contract_check(FW_RELABEL, "patch", in_dir("patch"), &classes, NULL, 0, &err),
        FW_EINVAL);
}

static void test_kinds(void **state)
{
    (void)state;
    enum fw_kind kind;
    for (int k = 0; k < FW_KINDS; k++) {
        assert_int_equal(fw_kind_parse(fw_kind_name((enum fw_kind)k), &kind), FW_OK);
        assert_int_equal(kind, k);
    }
    assert_int_equal(fw_kind_parse("training", &kind), FW_ENOTFOUND);
    assert_true(fw_kind_proposes(FW_AUGMENT) && !fw_kind_proposes(FW_ERROR_ANALYSIS));
    assert_string_equal(fw_kind_output(FW_TARGETED_COLLECTION), "patch");
    assert_null(fw_kind_output(FW_CUSTOM));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),    cmocka_unit_test(test_arrays),
        cmocka_unit_test(test_refusals), cmocka_unit_test(test_write_and_merge),
        cmocka_unit_test(test_npy),      cmocka_unit_test(test_contract),
        cmocka_unit_test(test_kinds),
    };
    return cmocka_run_group_tests(tests, make_dir, drop_dir);
}
