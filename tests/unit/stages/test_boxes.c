#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "files.h"
#include "stages/data/boxes.h"

static void test_lines(void **state)
{
    (void)state;
    struct fw_box_sets s;
    struct fw_err err = {0};
    put("g.jsonl", "{\"id\":\"x\",\"boxes\":[{\"box\":[1,2,3,4],\"class\":\"dog\"},"
                   "{\"box\":[0,0,5,5],\"class\":\"cat\",\"crowd\":true,\"area\":7}]}\n"
                   "{\"id\":\"y\"}\n{\"id\":\"z\",\"boxes\":[]}\n");
    put("p.jsonl",
        "{\"id\":\"z\",\"boxes\":[{\"box\":[1,1,1,1],\"class\":\"cat\",\"score\":0.5}]}\n");
    assert_int_equal(fw_box_sets_load(in_dir("g.jsonl"), in_dir("p.jsonl"), &s, &err), FW_OK);
    assert_int_equal(s.n, 3);
    assert_int_equal(s.k, 2);
    assert_string_equal(s.classes[0], "cat");
    assert_string_equal(s.ids[1], "y");
    assert_int_equal(s.given.start[1], 2);
    assert_int_equal(s.given.start[3], 2);
    assert_int_equal(s.given.v[0].klass, 1);
    assert_true(s.given.v[0].x1 == 4 && s.given.v[0].y1 == 6 && s.given.v[0].area == 12);
    assert_true(s.given.v[1].crowd && s.given.v[1].area == 7);
    assert_int_equal(s.predicted.start[2], 0);
    assert_int_equal(s.predicted.start[3], 1);
    assert_true(s.predicted.v[0].score == 0.5f);
    fw_box_sets_release(&s);
}

static const char coco[] =
    "{\"images\":[{\"id\":7},{\"id\":9}],\"categories\":[{\"id\":3,\"name\":\"dog\"},"
    "{\"id\":1,\"name\":\"cat\"}],\"annotations\":[{\"image_id\":9,\"category_id\":3,"
    "\"bbox\":[1,2,3,4],\"area\":9,\"iscrowd\":1},{\"image_id\":7,\"category_id\":1,"
    "\"bbox\":[0,0,1,1],\"iscrowd\":0}]}";

static void test_coco(void **state)
{
    (void)state;
    struct fw_box_sets s;
    struct fw_err err = {0};
    put("g.json", coco);
    put("p.json", "[{\"image_id\":7,\"category_id\":3,\"bbox\":[1,1,2,2],\"score\":1}]");
    assert_int_equal(fw_box_sets_load(in_dir("g.json"), in_dir("p.json"), &s, &err), FW_OK);
    assert_int_equal(s.n, 2);
    assert_string_equal(s.ids[0], "7");
    assert_string_equal(s.classes[0], "dog");
    assert_int_equal(s.given.v[0].klass, 1);
    assert_true(s.given.v[1].crowd && s.given.v[1].area == 9);
    assert_int_equal(s.predicted.start[1], 1);
    assert_int_equal(s.predicted.v[0].klass, 0);
    fw_box_sets_release(&s);
    assert_int_equal(fw_box_sets_load(in_dir("g.json"), NULL, &s, &err), FW_OK);
    assert_int_equal(s.predicted.start[2], 0);
    fw_box_sets_release(&s);
}

static void refuse(const char *given, const char *predicted, const char *says)
{
    struct fw_box_sets s;
    struct fw_err err = {0};
    bool json = given[0] == '{' && strstr(given, "images");
    const char *g = put(json ? "b.json" : "b.jsonl", given);
    const char *p = predicted ? put(json ? "q.json" : "q.jsonl", predicted) : NULL;
    assert_int_equal(fw_box_sets_load(g, p, &s, &err), FW_EINVAL);
    assert_string_equal(said(&err), says);
}

static void test_refusals(void **state)
{
    (void)state;
    const char *one = "{\"id\":\"x\",\"boxes\":[{\"box\":[1,2,3,4],\"class\":\"a\"}]}\n";
    refuse("\n", NULL, "b.jsonl:0: there are no images");
    refuse("{\"id\":\"x\"}\n{\"id\":\"x\"}\n", NULL, "b.jsonl:2: image 'x' appears twice");
    refuse("{\"boxes\":[]}\n", NULL, "b.jsonl:1: the image has no id");
    refuse("{\"id\":\"x\",\"boxes\":3}\n", NULL, "b.jsonl:1: 'boxes' is not a list");
    refuse("{\"id\":\"x\",\"boxes\":[{\"class\":\"a\",\"box\":[1,2,-3,4]}]}\n", NULL,
           "b.jsonl:1: box 1: 'box' is not [x, y, width, height] in pixels, sides of at least 0");
    refuse("{\"id\":\"x\",\"boxes\":[{\"box\":[1,2,3,4]}]}\n", NULL,
           "b.jsonl:1: box 1: a box has no 'class'");
    refuse(one, "{\"id\":\"y\"}\n", "q.jsonl:1: image 'y' has no line in the given boxes");
    refuse(one, "{\"id\":\"x\",\"boxes\":[{\"box\":[1,2,3,4],\"class\":\"a\"}]}\n",
           "q.jsonl:1: box 1: a predicted box has no 'score' from 0 to 1");
    refuse(one, "{\"id\":\"x\",\"boxes\":[{\"box\":[1,2,3,4],\"class\":\"b\",\"score\":1}]}\n",
           "q.jsonl:1: box 1: no given box has the class 'b'");
    refuse("{\"images\":[]}", NULL, "b.json:0: images, annotations or categories are missing");
    refuse(coco, "[{\"image_id\":8,\"category_id\":3,\"bbox\":[1,1,2,2],\"score\":1}]",
           "q.json:0: prediction 1: image_id 8 is none of the images");
    refuse(coco, "[{\"image_id\":7,\"category_id\":2,\"bbox\":[1,1,2,2],\"score\":1}]",
           "q.json:0: prediction 1: category_id 2 is none of the categories");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_lines), cmocka_unit_test(test_coco),
                                       cmocka_unit_test(test_refusals)};
    return cmocka_run_group_tests(tests, make_dir, drop_dir);
}
