#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "files.h"

#include "stages/data/dataset.h"

static const char *const names[] = {"ham", "spam"};
static const struct fw_task_info classes = {FW_CLASSIFICATION, names, 2};
static const struct fw_task_info numbers = {FW_REGRESSION, NULL, 0};

static void test_rows(void **state)
{
    (void)state;
    struct fw_dataset *ds = NULL;
    put("d/samples.jsonl",
        "{\"id\":\"a\",\"split\":\"train\",\"text\":\"hi\\u00e9\",\"label\":\"spam\",\"shift\":1}\n"
        "\n"
        "{\"id\":\"b\",\"file_name\":\"img/b.png\",\"label\":null}\r\n"
        "{\"id\":\"c\",\"features\":[1,-2.5,3e2],\"label\":\"ham\",\"split\":\"dev\"}");
    assert_int_equal(fw_dataset_load(in_dir("d"), &classes, &ds, NULL), FW_OK);
    assert_int_equal(ds->n, 3);
    assert_string_equal(ds->root, in_dir("d"));
    const struct fw_sample *a = &ds->samples[0], *b = &ds->samples[1], *c = &ds->samples[2];
    assert_string_equal(a->text, "hi\xc3\xa9");
    assert_int_equal(a->klass, 1);
    assert_string_equal(a->label, "spam");
    assert_null(a->file_name);
    assert_non_null(strstr(a->raw, "\"shift\":1}"));
    assert_int_equal(a->raw_len, strlen(a->raw));
    assert_int_equal(b->klass, -1);
    assert_null(b->label);
    assert_string_equal(b->split, "");
    assert_string_equal(b->file_name, "img/b.png");
    assert_int_equal(c->n_features, 3);
    assert_true(c->features[1] == -2.5f && c->features[2] == 300);
    assert_ptr_equal(fw_dataset_find(ds, "c"), c);
    assert_null(fw_dataset_find(ds, "d"));
    fw_dataset_free(ds);
}

static void test_numbers(void **state)
{
    (void)state;
    struct fw_dataset *ds = NULL;
    put("r/samples.jsonl", "{\"id\":\"a\",\"label\":2.5}\n{\"id\":\"b\"}\n");
    assert_int_equal(fw_dataset_load(in_dir("r"), &numbers, &ds, NULL), FW_OK);
    assert_true(ds->samples[0].value == 2.5 && isnan(ds->samples[1].value));
    fw_dataset_free(ds);
}

static void test_many_ids(void **state)
{
    (void)state;
    struct fw_buf b = {0};
    struct fw_dataset *ds = NULL;
    for (int i = 0; i < 3000; i++)
        fw_buf_printf(&b, "{\"id\":\"s%d\"}\n", i);
    put("m/samples.jsonl", b.p);
    assert_int_equal(fw_dataset_load(in_dir("m"), &classes, &ds, NULL), FW_OK);
    for (int i = 0; i < 3000; i++) {
        char id[16];
        snprintf(id, sizeof id, "s%d", i);
        assert_ptr_equal(fw_dataset_find(ds, id), &ds->samples[i]);
    }
    fw_dataset_free(ds);
    fw_buf_release(&b);
}

static void test_refusals(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        {"{\"id\":\"a\"}\n{\"id\":\"a\"}\n", "samples.jsonl:2: id 'a' appears twice"},
        {"{\"label\":\"ham\"}\n", "samples.jsonl:1: the sample has no id"},
        {"{\"id\":\"\"}\n", "samples.jsonl:1: the sample has no id"},
        {"{\"id\":7}\n", "samples.jsonl:1: 'id' is not a text"},
        {"{\"id\":\"a\\u0000b\"}\n", "samples.jsonl:1: 'id' holds a NUL"},
        {"\n{\"id\":\"a\",\"label\":\"egg\"}\n", "samples.jsonl:2: label 'egg' is not one of"},
        {"{\"id\":\"a\",\"label\":3}\n", "samples.jsonl:1: label 3 is not a class name"},
        {"{\"id\":\"a\",\"file_name\":\"../x\"}\n", "samples.jsonl:1: file_name '../x' leaves"},
        {"{\"id\":\"a\",\"file_name\":\"/etc/x\"}\n", "samples.jsonl:1: file_name '/etc/x' leaves"},
        {"{\"id\":\"a\",\"features\":[1,\"x\"]}\n", "samples.jsonl:1: 'features': not an array"},
        {"{\"id\":\"a\",\"features\":[1e300]}\n", "samples.jsonl:1: 'features' holds 1e+300"},
        {"{\"id\":\"a\",\"label\":NaN}\n", "samples.jsonl:1: NaN"},
        {"{\"id\":\"a\"\n", "samples.jsonl:1: not valid JSON"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct fw_dataset *ds = NULL;
        struct fw_err err = {0};
        put("bad/samples.jsonl", bad[i][0]);
        assert_int_equal(fw_dataset_load(in_dir("bad"), &classes, &ds, &err), FW_EINVAL);
        assert_null(ds);
        if (strncmp(said(&err), bad[i][1], strlen(bad[i][1])) != 0)
            fail_msg("%s said '%s'", bad[i][0], said(&err));
    }
    struct fw_dataset *ds = NULL;
    struct fw_err err = {0};
    put("bad/samples.jsonl", "{\"id\":\"a\",\"label\":\"x\"}\n");
    assert_int_equal(fw_dataset_load(in_dir("bad"), &numbers, &ds, &err), FW_EINVAL);
    assert_int_equal(fw_dataset_load(in_dir("absent"), &numbers, &ds, &err), FW_EIO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_many_ids),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, make_dir, drop_dir);
}
