#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "stages/relabel/annotations.h"

static struct fw_annotations *read_as(const char *text, const struct fw_annotations_format *f)
{
    struct fw_err err = {0};
    struct fw_annotations *a = fw_annotations_new();
    assert_non_null(a);
    if (fw_annotations_read_mem(a, "t.csv", text, strlen(text), f, &err) != FW_OK ||
        fw_annotations_index(a, &err) != FW_OK)
        fail_msg("%s:%d: %s", err.file, err.line, err.msg);
    return a;
}

static void refuses(const char *text, const struct fw_annotations_format *f, int line,
                    const char *message)
{
    struct fw_err err = {0};
    struct fw_annotations *a = fw_annotations_new();
    assert_int_equal(fw_annotations_read_mem(a, "t.csv", text, strlen(text), f, &err), FW_EINVAL);
    assert_int_equal(err.line, line);
    assert_string_equal(err.file, "t.csv");
    if (!strstr(err.msg, message))
        fail_msg("no '%s' in '%s'", message, err.msg);
    fw_annotations_free(a);
}

/* Every answer of a task stands in both orders. */
static void check_orders(const struct fw_annotations *a)
{
    assert_int_equal(a->task_at[a->tasks], a->n);
    assert_int_equal(a->labeller_at[a->labellers], a->n);
    for (size_t w = 0; w < a->labellers; w++)
        for (size_t i = a->labeller_at[w]; i < a->labeller_at[w + 1]; i++) {
            bool found = false;
            assert_true(i == a->labeller_at[w] || a->task[i] > a->task[i - 1]);
            for (size_t j = a->task_at[a->task[i]]; j < a->task_at[a->task[i] + 1]; j++)
                found = found || (a->labeller[j] == w && a->klass[j] == a->answer[i]);
            assert_true(found);
        }
}

static void test_csv(void **state)
{
    (void)state;
    struct fw_annotations *a = read_as("worker,item,label,truth\n"
                                       "ann,x,10,9\nbob,x,9,9\nann,y,9,\nbob,y,,\ncleo,y,10,\n"
                                       "ann,x,9,9\n",
                                       NULL);
    assert_int_equal(a->n, 4); /* ann answered x twice, bob left y out */
    assert_int_equal(a->repeats, 1);
    assert_int_equal(a->tasks, 2);
    assert_int_equal(a->labellers, 3);
    assert_int_equal(a->classes, 2);
    assert_string_equal(a->class_names[0], "9"); /* numbers in their order */
    assert_true(a->class_values && a->class_values[1] == 10);
    assert_int_equal(a->klass[a->task_at[0]], 0); /* ann's last answer */
    assert_int_equal(a->n_gold, 1);
    assert_int_equal(a->gold[0], 0);
    assert_int_equal(a->gold[1], -1);
    assert_null(a->weight);
    assert_int_equal(fw_annotations_find_task(a, "y"), 1);
    assert_int_equal(fw_annotations_find_task(a, "z"), -1);
    check_orders(a);
    fw_annotations_free(a);
}

static void test_columns(void **state)
{
    (void)state;
    struct fw_annotations_format f = {.task = "2", .labeller = "1", .klass = "3", .header = -1};
    struct fw_annotations *a = read_as("ann\tx\tcat\nbob\tx\tdog\n", &f);
    assert_int_equal(a->n, 2);
    assert_string_equal(a->class_names[0], "cat");
    assert_null(a->class_values);
    assert_null(a->gold);
    fw_annotations_free(a);
    f.header = 1;
    a = read_as("who;what;says\nann;x;cat\n", &f);
    assert_int_equal(a->n, 1);
    assert_string_equal(a->labeller_names[0], "ann");
    fw_annotations_free(a);
    f = (struct fw_annotations_format){.labeller = "who", .weight = "w", .header = -1};
    a = read_as("who,task,class,w\nann,x,b,0.5\nbob,x,a,2\n", &f);
    assert_true(a->weight[0] == 0.5f && a->weight[1] == 2);
    assert_int_equal(a->klass[0], 1);
    fw_annotations_free(a);
}

static void test_json(void **state)
{
    (void)state;
    struct fw_annotations *a =
        read_as("{\"id\":\"x\",\"label\":\"a\",\"labels\":[{\"by\":\"ann\",\"label\":\"a\"},"
                "{\"by\":\"bob\",\"label\":\"b\"},{\"by\":\"cleo\",\"label\":null}]}\n"
                "{\"id\":\"z\",\"label\":\"a\",\"split\":\"train\"}\n" /* nobody was asked */
                "{\"id\":\"v\",\"split\":\"train\"}\n"
                "{\"task\":\"y\",\"labeller\":\"ann\",\"label\":\"b\",\"gold\":\"b\"}\n"
                "{\"task\":7,\"worker\":8 ,\"label\":9 }\n",
                NULL);
    assert_int_equal(a->n, 4);
    assert_int_equal(a->tasks, 3);
    assert_string_equal(a->task_names[2], "7");
    assert_string_equal(a->labeller_names[2], "8");
    assert_int_equal(a->n_gold, 1);
    check_orders(a);
    fw_annotations_free(a);
}

static void test_gold_apart(void **state)
{
    (void)state;
    struct fw_err err = {0};
    static const char answers[] = "task,by,label\nx,ann,a\ny,bob,b\n";
    static const char gold[] = "id,label\nnobody,a\ny,c\n";
    struct fw_annotations *a = fw_annotations_new();
    assert_int_equal(fw_annotations_read_gold_mem(a, "g", gold, strlen(gold), NULL, &err), FW_OK);
    assert_int_equal(fw_annotations_read_mem(a, "t", answers, strlen(answers), NULL, &err), FW_OK);
    assert_int_equal(fw_annotations_index(a, &err), FW_OK);
    assert_int_equal(a->tasks, 2); /* the one that nobody answered is gone */
    assert_int_equal(a->classes, 3);
    assert_int_equal(a->n_gold, 1);
    assert_int_equal(a->gold[fw_annotations_find_task(a, "y")], 2);
    assert_int_equal(a->gold[fw_annotations_find_task(a, "x")], -1);
    assert_int_equal(fw_annotations_find_task(a, "nobody"), -1);
    check_orders(a);
    fw_annotations_free(a);
}

static void test_fixed_classes(void **state)
{
    (void)state;
    static const char *const names[] = {"low", "high", "middle"}, *const twice[] = {"a", "a"};
    struct fw_err err = {0};
    struct fw_annotations *a = fw_annotations_new();
    assert_int_equal(fw_annotations_classes(a, names, 3, &err), FW_OK);
    assert_int_equal(fw_annotations_add(a, "t", "w", "high", 1, &err), FW_OK);
    assert_int_equal(fw_annotations_add(a, "t", "w", "hihg", 1, &err), FW_EINVAL);
    assert_string_equal(err.hint, "did you mean 'high'?");
    assert_int_equal(fw_annotations_index(a, &err), FW_OK);
    assert_int_equal(a->classes, 3);
    assert_int_equal(a->klass[0], 1);
    fw_annotations_free(a);
    a = fw_annotations_new();
    assert_int_equal(fw_annotations_classes(a, twice, 2, &err), FW_EINVAL);
    assert_int_equal(fw_annotations_index(a, &err), FW_EINVAL); /* no answers */
    fw_annotations_free(a);
}

static void test_refusals(void **state)
{
    (void)state;
    struct fw_annotations_format numbers = {.task = "1", .labeller = "2", .klass = "4"};
    struct fw_annotations_format named = {.task = "thing", .header = -1};
    refuses("a,b,c\nd,e,f\n", NULL, 1, "no column is known to hold the task");
    refuses("task,worker,x\n", NULL, 1, "no column is known to hold the label");
    refuses("task,worker,label\n", &named, 1, "there is no column 'thing' for the task");
    refuses("x,ann,a\n", &numbers, 1, "the row has 3 columns; the label is in column 4");
    refuses("task,worker,label\nx,,a\n", NULL, 2, "the labeller is empty");
    refuses("task,worker,label\n,ann,a\n", NULL, 2, "the task is empty");
    refuses("task,worker,label,weight\nx,ann,a,-1\n", NULL, 2, "the weight -1 is not");
    refuses("task,worker,label,weight\nx,ann,a,1e99\n", NULL, 2, "is not a number of at least 0");
    refuses("task,worker,label,weight\nx,ann,a,heavy\n", NULL, 2, "'heavy' is not a number");
    refuses("task,worker,label,gold\nx,ann,a,a\nx,bob,a,b\n", NULL, 3,
            "has the gold classes 'a' and 'b'");
    refuses("{\"id\":\"x\",\"labels\":[{\"label\":\"a\"}]}\n", NULL, 1, "needs 'by' and 'label'");
    refuses("{\"id\":\"x\"}\n", NULL, 1, "the row has no label");
    refuses("{\"labels\":[]}\n", NULL, 1, "the row has no task");
    refuses("{\"task\":\"x\",\"worker\":\"w\",\"label\":true}\n", NULL, 1, "neither a text");
    refuses("{\"task\":\"x\",\"worker\":\"w\",\"label\":\"a\\u0000b\"}\n", NULL, 1,
            "neither a text");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_csv),           cmocka_unit_test(test_columns),
        cmocka_unit_test(test_json),          cmocka_unit_test(test_gold_apart),
        cmocka_unit_test(test_fixed_classes), cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
