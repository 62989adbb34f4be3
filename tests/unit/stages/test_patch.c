#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "files.h"

#include "stages/data/patch.h"

static void test_good(void **state)
{
    (void)state;
    struct fw_patch *p = NULL;
    put("p.jsonl",
        "{\"op\":\"relabel\",\"id\":\"a\",\"from\":\"x\",\"to\":\"y\",\"cost\":{\"labels\":2,"
        "\"money\":0.5},"
        "\"by\":[\"ann\"],\"labels\":[{\"by\":\"ann\",\"label\":\"y\"}],\"extra\":1}\n"
        "\n"
        "{\"op\":\"remove\",\"id\":\"b\",\"reason\":\"blurred\"}\n"
        "{\"op\":\"add\",\"sample\":{\"id\":\"n1\",\"file_name\":\"img/n1.png\",\"label\":\"x\"},"
        "\"parent\":\"a\"}\n"
        "{\"op\":\"add\",\"sample\":{\"text\":\"t\"}}\n"
        "{\"op\":\"confirm\",\"id\":\"c\",\"label\":\"x\",\"cost\":{\"labels\":3}}\n"
        "{\"op\":\"guideline\",\"class\":\"x\",\"text\":\"Only x.\"}\n"
        "{\"op\":\"relabel\",\"id\":\"d\",\"from\":1,\"to\":2}\n");
    assert_int_equal(fw_patch_load(in_dir("p.jsonl"), &p, NULL), FW_OK);
    assert_int_equal(p->n, 7);
    assert_null(p->dir);
    assert_int_equal(p->fixes[1].op, FW_OP_REMOVE);
    assert_int_equal(p->fixes[1].line, 3);
    assert_string_equal(p->fixes[2].id, "n1");
    assert_null(p->fixes[3].id);
    assert_null(p->fixes[5].id);
    assert_int_equal(json_integer_value(json_object_get(p->fixes[0].json, "extra")), 1);
    double labels = 0, money = 0;
    for (size_t i = 0; i < p->n; i++) {
        labels += fw_fix_labels(&p->fixes[i]);
        money += fw_fix_money(&p->fixes[i]);
    }
    assert_true(labels == 5 && money == 0.5);
    fw_patch_free(p);
    put("none", "");
    assert_int_equal(fw_patch_load(in_dir("none"), &p, NULL), FW_OK);
    assert_int_equal(p->n, 0);
    fw_patch_free(p);
}

static void test_refusals(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        {"[]", "p:1: a fix is one JSON object"},
        {"{\"op\":1}", "p:1: 'op' is missing"},
        {"{\"op\":\"fly\"}", "p:1: unknown op 'fly'"},
        {"\n{\"op\":\"relabel\",\"id\":\"a\",\"from\":\"x\"}", "p:2: relabel: 'to' is missing"},
        {"{\"op\":\"relabel\",\"from\":\"x\",\"to\":\"y\"}", "p:1: relabel: 'id' is missing"},
        {"{\"op\":\"relabel\",\"id\":\"a\",\"from\":\"x\",\"to\":\"x\"}",
         "p:1: relabel: 'from' and 'to'"},
        {"{\"op\":\"remove\",\"id\":7}", "p:1: remove: 'id' is not a text"},
        {"{\"op\":\"remove\",\"id\":\"a\",\"id\":\"b\"}", "p:1: not valid JSON: duplicate"},
        {"{\"op\":\"add\",\"id\":\"a\"}", "p:1: add: 'sample' is missing"},
        {"{\"op\":\"add\",\"sample\":{\"id\":\"a\"}}", "p:1: add: 'sample' has no content"},
        {"{\"op\":\"add\",\"sample\":{\"text\":\"a\",\"split\":\"dev\"}}",
         "p:1: add: 'sample' names a split"},
        {"{\"op\":\"add\",\"sample\":{\"file_name\":\"../a\"}}",
         "p:1: add: file_name '../a' leaves"},
        {"{\"op\":\"confirm\",\"id\":\"a\"}", "p:1: confirm: 'label' is missing"},
        {"{\"op\":\"guideline\",\"class\":\"a\",\"text\":\"\"}", "p:1: guideline: 'text' is empty"},
        {"{\"op\":\"remove\",\"id\":\"a\",\"cost\":{\"labels\":-1}}", "p:1: remove: 'cost.labels'"},
        {"{\"op\":\"remove\",\"id\":\"a\",\"by\":\"ann\"}", "p:1: remove: 'by' is not a list"},
        {"{\"op\":\"remove\",\"id\":\"a\",\"labels\":[1]}", "p:1: remove: 'labels' is not a list"},
        {"{\"op\":\"remove\",\"id\":\"a\",\"part\":\"\"}", "p:1: remove: 'part' is not a name"},
        {"{\"op\":\"remove\",\"id\":\"a\",\"part\":\"a b\"}", "p:1: remove: 'part' is not a name"},
        {"{\"op\":\"remove\",\"id\":\"a\",\"part\":7}", "p:1: remove: 'part' is not a name"},
        {"{\"op\":\"remove\",\"id\":\"a\\u0000\"}", "p:1: not valid JSON"},
        {"{\"op\":\"remove\"", "p:1: not valid JSON"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct fw_patch *p = NULL;
        struct fw_err err = {0};
        put("p", bad[i][0]);
        assert_int_equal(fw_patch_load(in_dir("p"), &p, &err), FW_EINVAL);
        assert_null(p);
        if (strncmp(said(&err), bad[i][1], strlen(bad[i][1])) != 0)
            fail_msg("%s said '%s'", bad[i][0], said(&err));
    }
    struct fw_patch *p = NULL;
    struct fw_err err = {0};
    fw_fs_mkdirs(in_dir("folder"), NULL);
    assert_int_equal(fw_patch_load(in_dir("folder"), &p, &err), FW_EINVAL);
    assert_non_null(strstr(err.msg, "holds no patch.jsonl"));
}

static void test_writer(void **state)
{
    (void)state;
    struct fw_patch_writer *w = NULL;
    struct fw_patch *p = NULL;
    struct fw_buf text = {0};
    struct fw_err err = {0};
    put("src.png", "picture");
    assert_int_equal(fw_patch_writer_open(in_dir("out/patch"), &w, NULL), FW_OK);
    assert_int_equal(fw_patch_writer_file(w, in_dir("src.png"), "img/1.png", NULL), FW_OK);
    assert_int_equal(fw_patch_writer_bytes(w, "abc", 3, "img/2.bin", NULL), FW_OK);
    assert_int_equal(fw_patch_writer_bytes(w, "abc", 3, "../2.bin", &err), FW_EINVAL);
    assert_int_equal(fw_patch_writer_add(w,
                                         json_pack("{s:s,s:{s:s},s:f}", "op", "add", "sample",
                                                   "file_name", "img/1.png", "score", 0.03),
                                         NULL),
                     FW_OK);
    assert_int_equal(fw_patch_writer_add(w, json_pack("{s:s}", "op", "remove"), &err), FW_EINVAL);
    assert_int_equal(fw_patch_writer_close(w, NULL), FW_OK);
    assert_int_equal(fw_patch_load(in_dir("out/patch"), &p, NULL), FW_OK);
    assert_int_equal(p->n, 1);
    assert_string_equal(p->dir, in_dir("out/patch"));
    fw_patch_free(p);
    assert_int_equal(fw_fs_read(in_dir("out/patch/files/img/1.png"), 0, &text, NULL), FW_OK);
    assert_string_equal(text.p, "picture");
    fw_buf_clear(&text);
    assert_int_equal(fw_fs_read(in_dir("out/patch/patch.jsonl"), 0, &text, NULL), FW_OK);
    assert_non_null(strstr(text.p, "\"score\":0.03}\n"));
    fw_buf_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_writer),
    };
    return cmocka_run_group_tests(tests, make_dir, drop_dir);
}
