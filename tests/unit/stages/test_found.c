/* Slices that are found: what is planted is found and can be written down; what is not there is not. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "files.h"

#include "pipeline/base/buf.h"
#include "pipeline/base/npy.h"
#include "pipeline/base/rng.h"
#include "stages/error_analysis/fields.h"
#include "stages/error_analysis/found.h"

static const char *const names[] = {"a", "b"};
static const struct fw_task_info classes = {FW_CLASSIFICATION, names, 2};
static const struct fw_task_info numbers = {FW_REGRESSION, NULL, 0};

enum kind { NOISE, METADATA, CLUSTER };
enum { D = 6 };

/* A row: a shift, a line, a width, three features, sometimes a note; embeddings in four groups. */
static void make_rows(size_t n, const char *split, uint64_t seed)
{
    static const char *const shifts[] = {"day", "night", "late"};
    struct fw_buf rows = {0};
    struct fw_rng rng;
    fw_rng_seed(&rng, seed);
    for (size_t i = 0; i < n; i++) {
        fw_buf_printf(
            &rows,
            "{\"id\":\"%s%zu\",\"split\":\"%s\",\"label\":\"%s\",\"shift\":\"%s\","
            "\"line\":%d,\"width\":%.3f,\"wet\":%s,\"features\":[%.4f,%.4f,%zu],\"g\":%zu",
            split, i, split, i % 2 ? "a" : "b", shifts[fw_rng_below(&rng, 3)],
            (int)fw_rng_below(&rng, 4), fw_rng_double(&rng) * 1000,
            fw_rng_below(&rng, 2) ? "true" : "false", fw_rng_normal(&rng), fw_rng_normal(&rng),
            i % 5, i % 4);
        fw_buf_puts(&rows, fw_rng_below(&rng, 3) ? ",\"note\":\"it's\"}\n" : ",\"note\":null}\n");
    }
    put("d/samples.jsonl", rows.p);
    fw_buf_release(&rows);
}

static bool in_planted(const struct fw_sample *s)
{
    return strstr(s->raw, "\"shift\":\"night\"") && strstr(s->raw, "\"wet\":true");
}

static struct fw_dataset *load(const struct fw_task_info *task)
{
    struct fw_dataset *ds = NULL;
    struct fw_err err = {0};
    if (fw_dataset_load(in_dir("d"), task, &ds, &err) != FW_OK)
        fail_msg("%s", said(&err));
    return ds;
}

/* Predictions as a folder, wrong in 10 % of the samples, or in 50 % of the planted ones. */
static struct fw_predictions *predict(const struct fw_dataset *ds, enum kind kind, uint64_t seed)
{
    struct fw_buf lines = {0};
    struct fw_predictions *p = NULL;
    struct fw_rng rng;
    float *x = malloc(ds->n * D * sizeof *x);
    fw_rng_seed(&rng, seed);
    for (size_t i = 0; i < ds->n; i++) {
        bool weak = kind == METADATA ? in_planted(&ds->samples[i]) : kind == CLUSTER && i % 4 == 2;
        bool wrong = fw_rng_double(&rng) < (weak ? 0.5 : 0.1);
        fw_buf_printf(&lines, "{\"id\":\"%s\",\"prediction\":\"%s\"}\n", ds->samples[i].id,
                      names[wrong ? 1 - ds->samples[i].klass : ds->samples[i].klass]);
        for (size_t j = 0; j < D; j++)
            x[i * D + j] = (float)fw_rng_normal(&rng) * 0.3f + (j == i % 4 ? 5.0f : 0.0f);
    }
    put("p/predictions.jsonl", lines.p);
    assert_int_equal(fw_npy_write_floats(in_dir("p/embeddings.npy"), x, ds->n, D, NULL), FW_OK);
    free(x);
    fw_buf_release(&lines);
    assert_int_equal(fw_predictions_load(in_dir("p"), &classes, &p, NULL), FW_OK);
    return p;
}

static json_t *analyse(struct fw_analysis_input *in)
{
    json_t *out = NULL, *again = NULL;
    struct fw_err err = {0};
    if (fw_analysis_build(in, &out, &err) != FW_OK)
        fail_msg("%s", err.msg);
    char *text = json_dumps(out, 0);
    put("analysis.json", text);
    free(text);
    if (fw_analysis_load(in_dir("analysis.json"), &again, &err) != FW_OK)
        fail_msg("%s", err.msg);
    json_decref(again);
    return out;
}

static double num(const json_t *o, const char *key)
{
    return json_number_value(json_object_get(o, key));
}

static const json_t *first_found(const json_t *root, const char *how)
{
    const json_t *v;
    size_t i;
    json_array_foreach (json_object_get(root, "slices"), i, v) {
        const char *found = json_string_value(json_object_get(v, "found"));
        if (found && !strcmp(found, how))
            return v;
    }
    return NULL;
}

static size_t count_found(const json_t *root)
{
    const json_t *v;
    size_t i, n = 0;
    json_array_foreach (json_object_get(root, "slices"), i, v)
        n += json_is_string(json_object_get(v, "found"));
    return n;
}

static void test_planted_is_found(void **state)
{
    (void)state;
    make_rows(4000, "dev", 1);
    struct fw_dataset *ds = load(&classes);
    struct fw_predictions *p = predict(ds, METADATA, 5);
    struct fw_analysis_input in = {
        .task = &classes, .data = ds, .dev = p, .metric = {FW_MACRO_F1, -1}, .max_found = 10};
    json_t *human = json_pack("{s:f}", "default", 0.85);
    in.human_level = human;
    json_t *root = analyse(&in);
    const json_t *s = first_found(root, "sliceline");
    assert_non_null(s);
    assert_string_equal(json_string_value(json_object_get(s, "slice")),
                        "shift == 'night' and wet == true");
    assert_true(num(s, "p_adjusted") < 1e-6);
    assert_true(num(s, "p") <= num(s, "p_adjusted"));
    assert_true(json_is_true(json_object_get(s, "weak")));
    assert_true(fabs(num(s, "metric") - 0.5) < 0.12);
    assert_true(fabs(num(s, "worth") - num(s, "gap") * num(s, "share")) < 1e-9);
    assert_true(fabs(num(s, "share") - 1.0 / 6) < 0.04);
    assert_int_equal(num(s, "order"), 1);
    assert_true(fabs(num(s, "worth_next") - num(s, "worth")) < 1e-9);
    assert_true(num(s, "worth_metric") > 0.5 * num(s, "worth"));
    assert_int_equal(json_array_size(json_object_get(s, "examples")), FW_FOUND_EXAMPLES);
    const struct fw_sample *one =
        fw_dataset_find(ds, json_string_value(json_array_get(json_object_get(s, "examples"), 0)));
    assert_true(one && in_planted(one));
    /* declared, it is not found once more */
    const char *const slices[] = {"shift == 'night' and wet == true"};
    in.slices = slices;
    in.n_slices = 1;
    json_decref(root);
    root = analyse(&in);
    s = first_found(root, "sliceline");
    assert_true(!s || strcmp(json_string_value(json_object_get(s, "slice")), slices[0]) != 0);
    json_decref(root);
    in.max_found = 0;
    root = analyse(&in);
    assert_int_equal(count_found(root), 0);
    json_decref(root);
    json_decref(human);
    fw_predictions_free(p);
    fw_dataset_free(ds);
}

static void test_weak_cluster(void **state)
{
    (void)state;
    make_rows(2000, "dev", 2);
    struct fw_dataset *ds = load(&classes);
    struct fw_predictions *p = predict(ds, CLUSTER, 6);
    struct fw_analysis_input in = {
        .task = &classes, .data = ds, .dev = p, .metric = {FW_ACCURACY, -1}, .max_found = 40};
    json_t *root = analyse(&in);
    const json_t *s = first_found(root, "cluster"), *traits = json_object_get(s, "traits");
    assert_non_null(s);
    assert_int_equal(strncmp(json_string_value(json_object_get(s, "slice")), "cluster ", 8), 0);
    assert_string_equal(json_string_value(json_object_get(json_array_get(traits, 0), "condition")),
                        "g == 2");
    assert_true(fabs(num(json_array_get(traits, 0), "share") - 1) < 1e-9);
    assert_true(fabs(num(json_array_get(traits, 0), "lift") - 4) < 1e-9);
    assert_true(json_is_null(json_object_get(s, "suspects")));
    const char *id = json_string_value(json_array_get(json_object_get(s, "examples"), 0));
    assert_int_equal(atoi(id + 3) % 4, 2);
    json_decref(root);
    /* the same for any number of threads */
    setenv("FLYWHEEL_THREADS", "1", 1);
    root = analyse(&in);
    setenv("FLYWHEEL_THREADS", "3", 1);
    json_t *again = analyse(&in);
    unsetenv("FLYWHEEL_THREADS");
    assert_true(json_equal(root, again));
    json_decref(root);
    json_decref(again);
    fw_predictions_free(p);
    fw_dataset_free(ds);
}

/* Errors that depend on nothing: a slice is told of in at most 5 % of the analyses. Of 300 that is 15; a
 * count of 26 or more has a chance below 0.5 % (binomial). */
static void test_noise(void **state)
{
    (void)state;
    enum { RUNS = 300 };
    size_t told = 0;
    make_rows(600, "dev", 3);
    struct fw_dataset *ds = load(&classes);
    for (size_t r = 0; r < RUNS; r++) {
        struct fw_predictions *p = predict(ds, NOISE, 100 + r);
        struct fw_analysis_input in = {.task = &classes,
                                       .data = ds,
                                       .dev = p,
                                       .metric = {FW_ACCURACY, -1},
                                       .max_found = 10,
                                       .seed = r};
        struct fw_judged j;
        struct fw_found found;
        json_t *notes = json_array();
        assert_int_equal(fw_judged_make(&in, &j, NULL), FW_OK);
        assert_int_equal(fw_found_make(&in, &j, notes, &found, NULL), FW_OK);
        told += found.n > 0;
        fw_found_release(&found);
        fw_judged_release(&j);
        json_decref(notes);
        fw_predictions_free(p);
    }
    fw_dataset_free(ds);
    if (told > 25)
        fail_msg("%zu of %d analyses of noise told of a slice", told, RUNS);
}

/* Every value's condition parses and holds for exactly the rows that have the value. */
static void test_conditions_match_their_rows(void **state)
{
    (void)state;
    make_rows(500, "dev", 4);
    struct fw_buf more = {0};
    fw_fs_read(in_dir("d/samples.jsonl"), 0, &more, NULL);
    fw_buf_puts(&more,
                "{\"id\":\"x\",\"split\":\"dev\",\"label\":\"a\",\"line\":\"3\",\"w\\\"q'\":1,"
                "\"two words\":1,\"width\":5e-324,\"shift\":\"o'\\\"k\"}\n"
                "{\"id\":\"y\",\"split\":\"dev\",\"label\":\"b\",\"width\":-1e300,"
                "\"line\":0.1,\"features\":[1,2]}\n");
    put("d/samples.jsonl", more.p);
    fw_buf_release(&more);
    struct fw_dataset *ds = load(&classes);
    uint32_t *row = malloc(ds->n * sizeof *row);
    int *truth = malloc(ds->n * sizeof *truth);
    struct fw_fields f;
    struct fw_rows *rows = fw_rows_new();
    for (size_t i = 0; i < ds->n; i++) {
        row[i] = (uint32_t)i;
        truth[i] = ds->samples[i].klass;
    }
    assert_int_equal(fw_fields_read(ds, &classes, row, ds->n, truth, &f, NULL), FW_OK);
    assert_true(f.m >= 8);
    assert_string_equal(f.v[f.m - 1].name, "class");
    for (size_t c = 0; c < f.m; c++) {
        assert_true(f.v[c].n_values > 1 || !strcmp(f.v[c].name, "shift"));
        for (size_t v = 1; v <= f.v[c].n_values; v++) {
            const char *text = f.v[c].conditions[v - 1];
            struct fw_slice *s = NULL;
            struct fw_err err = {0};
            if (fw_slice_parse(text, &s, &err) != FW_OK)
                fail_msg("%s: %s", text, err.msg);
            for (size_t i = 0; i < ds->n; i++) {
                struct fw_row parsed;
                fw_row_parse(rows, ds->samples[i].raw, ds->samples[i].raw_len, &parsed, NULL);
                if (fw_slice_match(s, &parsed) != (f.code[c * f.n + i] == v))
                    fail_msg("%s does not fit %s", text, ds->samples[i].raw);
            }
            fw_slice_free(s);
        }
    }
    fw_fields_release(&f);
    fw_rows_free(rows);
    free(row);
    free(truth);
    fw_dataset_free(ds);
}

/* Without splits every labelled row is judged. */
static void test_judge_all(void **state)
{
    (void)state;
    make_rows(800, "", 5);
    struct fw_dataset *ds = load(&classes);
    struct fw_predictions *p = predict(ds, METADATA, 7);
    struct fw_analysis_input in = {
        .task = &classes, .data = ds, .dev = p, .metric = {FW_ACCURACY, -1}};
    json_t *root = analyse(&in);
    assert_int_equal(num(json_array_get(json_object_get(root, "slices"), 0), "n"), 0);
    json_decref(root);
    in.judge_all = true;
    in.out_of_fold = p;
    in.filter = FW_CL_PREDICTED_NEQ_GIVEN;
    in.max_suspects = 3;
    root = analyse(&in);
    const json_t *s = json_array_get(json_object_get(root, "slices"), 0);
    assert_int_equal(num(s, "n"), 400);
    assert_int_equal(num(s, "train_n"), 400);
    assert_int_equal(num(s, "suspects"), num(s, "errors")); /* predicted otherwise */
    assert_int_equal(json_array_size(json_object_get(root, "suspects")), 3);
    assert_int_equal(json_array_size(json_object_get(root, "coverage")), 0);
    json_decref(root);
    fw_predictions_free(p);
    fw_dataset_free(ds);
}

/* Nothing, one row, one class, constant fields: no slice, no crash. */
static void test_hardly_anything(void **state)
{
    (void)state;
    static const struct fw_task_info one_class = {FW_CLASSIFICATION, names, 1};
    for (size_t n = 0; n <= 100; n = n ? n * 10 : 1) {
        struct fw_buf rows = {0}, lines = {0};
        for (size_t i = 0; i < n; i++) {
            fw_buf_printf(&rows, "{\"id\":\"%zu\",\"split\":\"dev\",\"label\":\"a\",\"k\":1}\n", i);
            fw_buf_printf(&lines, "{\"id\":\"%zu\",\"prediction\":\"a\"}\n", i);
        }
        put("d/samples.jsonl", rows.p ? rows.p : "");
        put("e.jsonl", lines.p ? lines.p : "");
        fw_buf_release(&rows);
        fw_buf_release(&lines);
        struct fw_dataset *ds = load(&one_class);
        struct fw_predictions *p = NULL;
        assert_int_equal(fw_predictions_load(in_dir("e.jsonl"), &one_class, &p, NULL), FW_OK);
        const char *const slices[] = {"k"};
        struct fw_analysis_input in = {.task = &one_class,
                                       .data = ds,
                                       .dev = p,
                                       .metric = {FW_ACCURACY, -1},
                                       .n_slices = 1,
                                       .slices = slices,
                                       .max_found = 10};
        json_t *root = analyse(&in);
        const json_t *s = json_array_get(json_object_get(root, "slices"), 0);
        assert_int_equal(count_found(root), 0);
        assert_true(json_is_null(json_object_get(s, "p"))); /* there is no rest */
        assert_true(json_is_null(json_object_get(s, "order")));
        json_decref(root);
        fw_predictions_free(p);
        fw_dataset_free(ds);
    }
}

static void test_regression(void **state)
{
    (void)state;
    struct fw_buf rows = {0}, lines = {0};
    struct fw_rng rng;
    fw_rng_seed(&rng, 8);
    for (int i = 0; i < 1500; i++) {
        int zone = (int)fw_rng_below(&rng, 5);
        fw_buf_printf(&rows,
                      "{\"id\":\"d%d\",\"split\":\"dev\",\"label\":%d,\"zone\":%d,\"k\":%d}\n", i,
                      i, zone, i % 3);
        fw_buf_printf(&lines, "{\"id\":\"d%d\",\"prediction\":%g}\n", i,
                      i + fw_rng_normal(&rng) * (zone == 3 ? 3 : 1));
    }
    put("d/samples.jsonl", rows.p);
    put("r.jsonl", lines.p);
    fw_buf_release(&rows);
    fw_buf_release(&lines);
    struct fw_dataset *ds = load(&numbers);
    struct fw_predictions *p = NULL;
    assert_int_equal(fw_predictions_load(in_dir("r.jsonl"), &numbers, &p, NULL), FW_OK);
    struct fw_analysis_input in = {
        .task = &numbers, .data = ds, .dev = p, .metric = {FW_RMSE, -1}, .max_found = 5};
    json_t *root = analyse(&in);
    const json_t *s = first_found(root, "sliceline");
    assert_non_null(s);
    assert_string_equal(json_string_value(json_object_get(s, "slice")), "zone == 3");
    assert_true(num(s, "worth_metric") > 0);
    json_decref(root);
    fw_predictions_free(p);
    fw_dataset_free(ds);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_planted_is_found),
        cmocka_unit_test(test_weak_cluster),
        cmocka_unit_test(test_noise),
        cmocka_unit_test(test_conditions_match_their_rows),
        cmocka_unit_test(test_judge_all),
        cmocka_unit_test(test_regression),
        cmocka_unit_test(test_hardly_anything),
    };
    return cmocka_run_group_tests(tests, make_dir, drop_dir);
}
