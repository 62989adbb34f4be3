#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "files.h"

#include "stages/error_analysis/analysis.h"

static const char *const names[] = {"a", "b"};
static const struct fw_task_info classes = {FW_CLASSIFICATION, names, 2};
static const struct fw_task_info numbers = {FW_REGRESSION, NULL, 0};

/* Dev: 6 a (2 wrong), 4 b (1 wrong). Train: 20 a, 20 b, of which a0 is really a b. By night: 5 of 10
 * dev samples but 2 of 40 train samples. */
static void make_data(void)
{
    struct fw_buf rows = {0}, dev = {0}, fold = {0};
    for (int i = 0; i < 10; i++) {
        const char *label = i < 6 ? "a" : "b", *said_label = i < 2 ? "b" : i < 9 ? label : "a";
        fw_buf_printf(
            &rows,
            "{\"id\":\"d%d\",\"split\":\"dev\",\"label\":\"%s\",\"shift\":\"%s\",\"w\":%d}\n", i,
            label, i % 2 ? "night" : "day", i);
        fw_buf_printf(&dev, "{\"id\":\"d%d\",\"prediction\":\"%s\"}\n", i, said_label);
    }
    for (int i = 0; i < 40; i++) {
        const char *label = i < 20 ? "a" : "b";
        double p = i == 0 ? .05 : i == 21 ? .6 : i < 20 ? .9 : .1; /* of a */
        fw_buf_printf(
            &rows,
            "{\"id\":\"t%d\",\"split\":\"train\",\"label\":\"%s\",\"shift\":\"%s\",\"w\":1}\n", i,
            label, i < 2 ? "night" : "day");
        fw_buf_printf(&fold, "{\"id\":\"t%d\",\"probs\":[%g,%g]}\n", i, p, 1 - p);
    }
    put("d/samples.jsonl", rows.p);
    put("dev.jsonl", dev.p);
    put("fold.jsonl", fold.p);
    fw_buf_release(&rows);
    fw_buf_release(&dev);
    fw_buf_release(&fold);
}

static json_t *analyse(struct fw_analysis_input *in, const char *fold)
{
    struct fw_dataset *ds = NULL;
    struct fw_predictions *dev = NULL, *oof = NULL;
    struct fw_err err = {0};
    json_t *out = NULL;
    assert_int_equal(fw_dataset_load(in_dir("d"), in->task, &ds, NULL), FW_OK);
    assert_int_equal(fw_predictions_load(in_dir("dev.jsonl"), in->task, &dev, NULL), FW_OK);
    if (fold)
        assert_int_equal(fw_predictions_load(in_dir(fold), in->task, &oof, NULL), FW_OK);
    in->data = ds;
    in->dev = dev;
    in->out_of_fold = oof;
    if (fw_analysis_build(in, &out, &err) != FW_OK)
        fail_msg("%s (column %d)", err.msg, err.col);
    fw_dataset_free(ds);
    fw_predictions_free(dev);
    fw_predictions_free(oof);
    /* what was made is what the contract asks for */
    json_t *again = NULL;
    char *text = json_dumps(out, 0);
    put("analysis.json", text);
    free(text);
    if (fw_analysis_load(in_dir("analysis.json"), &again, &err) != FW_OK)
        fail_msg("%s", err.msg);
    json_decref(again);
    return out;
}

static const json_t *slice_of(const json_t *root, const char *text)
{
    const json_t *list = json_object_get(root, "slices"), *v;
    size_t i;
    json_array_foreach (list, i, v) {
        if (!strcmp(json_string_value(json_object_get(v, "slice")), text))
            return v;
    }
    fail_msg("no slice %s", text);
    return NULL;
}

static double num(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    assert_true(json_is_number(v));
    return json_number_value(v);
}

static bool notes_say(const json_t *root, const char *what)
{
    const json_t *list = json_object_get(root, "notes"), *v;
    size_t i;
    json_array_foreach (list, i, v) {
        if (strstr(json_string_value(v), what))
            return true;
    }
    return false;
}

#define NEAR(a, b) assert_true(fabs((a) - (b)) < 1e-9)

static void test_slices_and_priority(void **state)
{
    (void)state;
    const char *const slices[] = {"shift",        "w >= 8", "shift",         "class",
                                  "class == 'a'", "colour", "shift == 'day'"};
    json_t *human = json_pack("{s:f,s:f}", "default", 0.95, "a", 0.9);
    json_t *importance = json_pack("{s:f}", "w >= 8", 3.0), *ease = json_pack("{s:f}", "b", 0.5);
    struct fw_analysis_input in = {.task = &classes,
                                   .metric = {FW_ACCURACY, -1},
                                   .human_level = human,
                                   .importance = importance,
                                   .ease = ease,
                                   .n_slices = 7,
                                   .slices = slices};
    make_data();
    json_t *root = analyse(&in, NULL);
    NEAR(num(json_object_get(root, "metric"), "value"), 0.7);
    assert_int_equal(json_array_size(json_object_get(root, "slices")), 5);
    const json_t *a = slice_of(root, "class == 'a'"), *b = slice_of(root, "class == 'b'");
    assert_string_equal(json_string_value(json_object_get(a, "class")), "a");
    NEAR(num(a, "n"), 6);
    NEAR(num(a, "share"), 0.6);
    NEAR(num(a, "train_n"), 20);
    NEAR(num(a, "metric"), 4.0 / 6);
    NEAR(num(a, "low"), 0.299993315138392); /* Wilson, SciPy */
    NEAR(num(a, "high"), 0.9032285888942195);
    NEAR(num(a, "errors"), 2);
    NEAR(num(a, "error_share"), 2.0 / 3);
    NEAR(num(a, "gap"), 0.9 - 4.0 / 6);
    NEAR(num(a, "worth"), 0.6 * (0.9 - 4.0 / 6));
    /* Fisher: 2 of 6 against 1 of 4; scipy.stats.hypergeom.sf(1, 10, 3, 6) */
    NEAR(num(a, "p"), 2.0 / 3);
    NEAR(num(b, "p"), 5.0 / 6);
    assert_true(num(a, "p_adjusted") >= num(a, "p"));
    assert_false(json_is_true(json_object_get(a, "weak")));
    assert_true(json_is_null(json_object_get(a, "found")));
    assert_true(json_is_null(json_object_get(a, "suspects"))); /* no out-of-fold predictions */
    NEAR(num(a, "worth_metric"), num(a, "worth"));             /* the metric is accuracy */
    NEAR(num(slice_of(root, "shift == 'night'"), "missing"), 36);
    NEAR(num(b, "human_level"), 0.95);
    NEAR(num(b, "priority"), 0.5 * 0.4 * (0.95 - 0.75));
    const json_t *night = slice_of(root, "shift == 'night'"), *wide = slice_of(root, "w >= 8");
    assert_true(json_is_null(json_object_get(night, "class")));
    NEAR(num(night, "n"), 5);
    NEAR(num(night, "train_n"), 2);
    NEAR(num(slice_of(root, "shift == 'day'"), "n"), 5); /* declared, and a value of shift */
    NEAR(num(wide, "n"), 2);
    NEAR(num(wide, "importance"), 3);
    NEAR(num(wide, "priority"), 3 * 0.2 * 0.45);
    double last = INFINITY;
    const json_t *v;
    size_t i;
    json_array_foreach (json_object_get(root, "slices"), i, v) {
        assert_true(num(v, "priority") <= last);
        last = num(v, "priority");
    }
    assert_true(notes_say(root, "No sample has the field 'colour'"));
    assert_true(notes_say(root, "no out-of-fold predictions"));
    assert_false(notes_say(root, "human level"));
    assert_true(json_is_null(json_object_get(root, "noise")));
    json_decref(root);
    json_decref(human);
    json_decref(importance);
    json_decref(ease);
}

static void test_confusions_and_coverage(void **state)
{
    (void)state;
    const char *const slices[] = {"shift"};
    struct fw_analysis_input in = {
        .task = &classes, .metric = {FW_MACRO_F1, -1, 0}, .n_slices = 1, .slices = slices};
    make_data();
    json_t *root = analyse(&in, NULL);
    const json_t *pairs = json_object_get(root, "confusions"), *first = json_array_get(pairs, 0);
    assert_int_equal(json_array_size(pairs), 2);
    assert_string_equal(json_string_value(json_object_get(first, "true")), "a");
    assert_string_equal(json_string_value(json_object_get(first, "predicted")), "b");
    NEAR(num(first, "n"), 2);
    NEAR(num(first, "rate"), 1.0 / 3);
    /* night: 5 % of train, 50 % of dev. (2 + m) / (40 + m) = 0.5 → m = 36 */
    const json_t *gaps = json_object_get(root, "coverage");
    assert_int_equal(json_array_size(gaps), 1);
    assert_string_equal(json_string_value(json_object_get(json_array_get(gaps, 0), "slice")),
                        "shift == 'night'");
    NEAR(num(json_array_get(gaps, 0), "missing"), 36);
    NEAR(num(json_array_get(gaps, 0), "train_share"), 0.05);
    assert_true(notes_say(root, "No human level is given: every gap is the gap to 100 %"));
    json_decref(root);
}

static void test_suspects_and_noise(void **state)
{
    (void)state;
    struct fw_analysis_input in = {.task = &classes,
                                   .metric = {FW_ACCURACY, -1},
                                   .max_suspects = 10,
                                   .filter = FW_CL_PRUNE_BY_NOISE_RATE,
                                   .score = FW_CL_NORMALIZED_MARGIN};
    make_data();
    json_t *root = analyse(&in, "fold.jsonl");
    const json_t *list = json_object_get(root, "suspects"), *first = json_array_get(list, 0);
    assert_int_equal(json_array_size(list), 1); /* t21 reaches no threshold: not counted */
    assert_string_equal(json_string_value(json_object_get(first, "id")), "t0");
    assert_string_equal(json_string_value(json_object_get(first, "suggested")), "b");
    assert_string_equal(json_string_value(json_object_get(first, "method")), "confident-learning");
    assert_true(fabs(num(first, "score") - 0.05) < 1e-6);
    const json_t *noise = json_object_get(root, "noise");
    NEAR(num(noise, "rate"), 1.0 / 40);
    NEAR(num(noise, "estimated_errors"), 1);
    NEAR(num(noise, "labelled"), 40);
    NEAR(num(json_array_get(json_object_get(noise, "by_class"), 0), "rate"), 1.0 / 20);
    json_decref(root);

    in.filter = FW_CL_PREDICTED_NEQ_GIVEN;
    root = analyse(&in, "fold.jsonl");
    list = json_object_get(root, "suspects");
    assert_int_equal(json_array_size(list), 2);
    assert_string_equal(json_string_value(json_object_get(json_array_get(list, 1), "id")), "t21");
    json_decref(root);

    struct fw_ids asked = {0};
    fw_ids_add(&asked, "t0");
    in.not_asked = &asked;
    root = analyse(&in, "fold.jsonl");
    list = json_object_get(root, "suspects");
    assert_int_equal(json_array_size(list), 1);
    assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "id")), "t21");
    NEAR(num(json_object_get(root, "noise"), "rate"), 1.0 / 40); /* t0 stayed as it was */
    json_decref(root);
    in.looked_at = &asked;
    root = analyse(&in, "fold.jsonl");
    NEAR(num(json_object_get(root, "noise"), "rate"), 0); /* its label is what people said */
    NEAR(num(json_object_get(root, "noise"), "labelled"), 40);
    json_decref(root);
    fw_ids_release(&asked);
    in.not_asked = in.looked_at = NULL;
    in.max_suspects = 1;
    root = analyse(&in, "fold.jsonl");
    assert_int_equal(json_array_size(json_object_get(root, "suspects")), 1);
    json_decref(root);
}

static void test_without_probabilities(void **state)
{
    (void)state;
    struct fw_analysis_input in = {
        .task = &classes, .metric = {FW_ACCURACY, -1}, .max_suspects = 9};
    make_data();
    put("hard.jsonl",
        "{\"id\":\"t3\",\"prediction\":\"b\"}\n{\"id\":\"t4\",\"prediction\":\"a\"}\n");
    json_t *root = analyse(&in, "hard.jsonl");
    const json_t *list = json_object_get(root, "suspects");
    assert_int_equal(json_array_size(list), 1);
    assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "method")),
                        "predicted-otherwise");
    assert_true(json_is_null(json_object_get(root, "noise")));
    assert_true(notes_say(root, "no probabilities"));
    json_decref(root);
}

static void test_regression(void **state)
{
    (void)state;
    struct fw_buf rows = {0}, dev = {0}, fold = {0};
    for (int i = 0; i < 20; i++) {
        fw_buf_printf(&rows, "{\"id\":\"d%d\",\"split\":\"dev\",\"label\":%d,\"k\":%s}\n", i, i,
                      i < 10 ? "true" : "false");
        fw_buf_printf(&dev, "{\"id\":\"d%d\",\"prediction\":%g}\n", i, i + (i < 10 ? 1.0 : -0.5));
        fw_buf_printf(&rows, "{\"id\":\"t%d\",\"split\":\"train\",\"label\":%d,\"k\":true}\n", i,
                      i);
        fw_buf_printf(&fold, "{\"id\":\"t%d\",\"prediction\":%g}\n", i,
                      i == 7 ? 100.0 : i + (i % 5) * 0.1);
    }
    put("d/samples.jsonl", rows.p);
    put("dev.jsonl", dev.p);
    put("fold.jsonl", fold.p);
    fw_buf_release(&rows);
    fw_buf_release(&dev);
    fw_buf_release(&fold);
    const char *const slices[] = {"k"};
    struct fw_analysis_input in = {.task = &numbers,
                                   .metric = {FW_MAE, -1},
                                   .n_slices = 1,
                                   .slices = slices,
                                   .max_suspects = 5};
    json_t *root = analyse(&in, "fold.jsonl");
    NEAR(num(json_object_get(root, "metric"), "value"), 0.75);
    NEAR(num(slice_of(root, "k == true"), "metric"), 1);
    NEAR(num(slice_of(root, "k == true"), "worth"), 0.5);
    const json_t *list = json_object_get(root, "suspects");
    assert_int_equal(json_array_size(list), 1);
    assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "id")), "t7");
    assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "label")), "7");
    assert_int_equal(json_array_size(json_object_get(root, "confusions")), 0);
    json_decref(root);
}

static void test_bad_slice(void **state)
{
    (void)state;
    const char *const slices[] = {"w <"};
    struct fw_analysis_input in = {
        .task = &classes, .metric = {FW_ACCURACY, -1}, .n_slices = 1, .slices = slices};
    struct fw_dataset *ds = NULL;
    struct fw_predictions *dev = NULL;
    struct fw_err err = {0};
    json_t *out = NULL;
    make_data();
    assert_int_equal(fw_dataset_load(in_dir("d"), &classes, &ds, NULL), FW_OK);
    assert_int_equal(fw_predictions_load(in_dir("dev.jsonl"), &classes, &dev, NULL), FW_OK);
    in.data = ds;
    in.dev = dev;
    assert_int_equal(fw_analysis_build(&in, &out, &err), FW_EINVAL);
    assert_null(out);
    assert_int_equal(err.col, 4);
    assert_non_null(strstr(err.msg, "slice \"w <\": a value is missing"));
    fw_dataset_free(ds);
    fw_predictions_free(dev);
}

static const char one_slice[] =
    "{\"slice\":\"a == 1\",\"class\":null,\"n\":1,\"share\":1,\"train_n\":1,\"metric\":1,\"low\":1,"
    "\"high\":1,\"errors\":0,\"error_share\":0,\"human_level\":1,\"gap\":0,\"importance\":1,"
    "\"ease\":1,\"worth\":0,\"priority\":0%s}";

/* What an older analysis or another plugin does not say may be left out; what is said must fit. */
static void test_optional_fields(void **state)
{
    (void)state;
    static const char *const more[][2] = {
        {"", NULL},
        {",\"p\":null,\"order\":null,\"found\":null,\"weak\":false,\"colour\":[1]", NULL},
        {",\"p\":0.1,\"suspects\":3,\"examples\":[\"x\"],\"traits\":[{\"condition\":\"a == 1\","
         "\"share\":1,\"lift\":2}]",
         NULL},
        {",\"p\":\"x\"", "'slices[0].p' is not a number or null"},
        {",\"weak\":1", "'slices[0].weak' is not true or false"},
        {",\"order\":-1", "'slices[0].order' is not a whole number"},
        {",\"found\":3", "'slices[0].found'"},
        {",\"examples\":[1]", "'examples[0]' is not a text"},
        {",\"traits\":[{}]", "'traits[0].condition' is missing"},
    };
    for (size_t i = 0; i < sizeof more / sizeof *more; i++) {
        struct fw_buf text = {0};
        struct fw_err err = {0};
        json_t *out = NULL;
        fw_buf_puts(&text, "{\"version\":1,\"metric\":{\"name\":\"x\",\"value\":1},\"slices\":[");
        fw_buf_printf(&text, one_slice, more[i][0]);
        fw_buf_puts(&text, "],\"suspects\":[],\"confusions\":[],\"noise\":null,\"coverage\":[],"
                           "\"notes\":[]}");
        put("a.json", text.p);
        fw_buf_release(&text);
        int rc = fw_analysis_load(in_dir("a.json"), &out, &err);
        if ((rc == FW_OK) != !more[i][1] || (more[i][1] && !strstr(err.msg, more[i][1])))
            fail_msg("%s said '%s'", more[i][0], err.msg);
        json_decref(out);
    }
}

static void test_load_refuses(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        {"[]", "is not a JSON object"},
        {"{", "not valid JSON"},
        {"{\"version\":2}", "'version'"},
        {"{\"version\":1,\"metric\":{\"name\":\"x\",\"value\":\"y\"}}", "'metric.value'"},
        {"{\"version\":1,\"metric\":{\"name\":\"x\",\"value\":1},\"slices\":[{\"slice\":1}]}",
         "'slices[0].slice' is not a text"},
        {"{\"version\":1,\"metric\":{\"name\":\"x\",\"value\":1},\"slices\":[],\"suspects\":[{}]}",
         "'suspects[0].id' is missing"},
        {"{\"version\":1,\"metric\":{\"name\":\"x\",\"value\":1},\"slices\":[],\"suspects\":[],"
         "\"confusions\":[],\"noise\":null,\"coverage\":[],\"notes\":[1]}",
         "'notes[0]' is not a text"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        json_t *out = NULL;
        struct fw_err err = {0};
        put("a.json", bad[i][0]);
        assert_int_equal(fw_analysis_load(in_dir("a.json"), &out, &err), FW_EINVAL);
        assert_null(out);
        if (!strstr(err.msg, bad[i][1]))
            fail_msg("%s said '%s'", bad[i][0], err.msg);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slices_and_priority), cmocka_unit_test(test_confusions_and_coverage),
        cmocka_unit_test(test_suspects_and_noise),  cmocka_unit_test(test_without_probabilities),
        cmocka_unit_test(test_regression),          cmocka_unit_test(test_bad_slice),
        cmocka_unit_test(test_load_refuses),        cmocka_unit_test(test_optional_fields),
    };
    return cmocka_run_group_tests(tests, make_dir, drop_dir);
}
