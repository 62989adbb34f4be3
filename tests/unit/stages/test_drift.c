#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "files.h"
#include "pipeline/base/rng.h"
#include "stages/drift/run.h"
#include "stages/drift/vocabulary.h"
#include "stages/targeted_collection/aims.h"

/* Rows made by a printf per row; the caller clears the buffer. */
static struct fw_buf rows;

static const char *put_rows(const char *name)
{
    const char *path = put(name, rows.p ? rows.p : "");
    fw_buf_clear(&rows);
    return path;
}

static json_t *compare(const char *reference, const char *production, struct fw_err *err)
{
    struct fw_drift_files f = {
        .reference = in_dir(reference), .production = in_dir(production), .options.split = "train"};
    json_t *drift = NULL;
    fw_drift_defaults(&f.input);
    if (fw_drift_run(&f, &drift, err) == FW_OK) {
        struct fw_err why;
        if (fw_drift_check(drift, &why) != FW_OK)
            fail_msg("%s", why.msg);
    }
    return drift;
}

static const json_t *field_of(const json_t *drift, const char *name, const char *of)
{
    const json_t *f;
    size_t i;
    json_array_foreach (json_object_get(drift, "fields"), i, f)
        if (!strcmp(json_string_value(json_object_get(f, "field")), name) &&
            !strcmp(json_string_value(json_object_get(f, "of")), of))
            return f;
    return NULL;
}

static const char *text(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "(none)";
}

static double number(const json_t *o, const char *key)
{
    return json_number_value(json_object_get(o, key));
}

static bool has_note(const json_t *drift, const char *part)
{
    const json_t *note;
    size_t i;
    json_array_foreach (json_object_get(drift, "notes"), i, note)
        if (strstr(json_string_value(note), part))
            return true;
    return false;
}

static void near_to(double got, double want, double relative)
{
    if (!(fabs(got - want) <= relative * fabs(want)))
        fail_msg("got %.17g, want %.17g", got, want);
}

/* 1000 against 500 rows; counts by hand. */
static void test_planted(void **state)
{
    (void)state;
    for (int i = 0; i < 1000; i++)
        fw_buf_printf(&rows, "{\"shift\":\"%s\",\"width\":%d,\"same\":%d,\"split\":\"train\"}\n",
                      i % 50 ? "day" : "night", i % 100, i % 7);
    fw_buf_puts(&rows, "{\"shift\":\"none of this\",\"split\":\"dev\"}\n");
    put_rows("ref.jsonl");
    for (int i = 0; i < 500; i++)
        fw_buf_printf(&rows,
                      i % 5 ? "{\"shift\":\"%s\",\"width\":%d,\"same\":%d}\n"
                            : "{\"shift\":\"%s\",\"width\":%d}\n",
                      i % 10 < 7 ? "day" : "night", i % 100 + 40, i % 7);
    put_rows("pro.jsonl");
    json_t *d = compare("ref.jsonl", "pro.jsonl", NULL);
    assert_string_equal(text(d, "severity"), "major");
    assert_true(number(json_object_get(d, "n"), "reference") == 1000);
    const json_t *shift = field_of(d, "shift", "values"), *width = field_of(d, "width", "values");
    assert_string_equal(text(shift, "severity"), "major");
    double p = 980.5 / 1001, q = 350.5 / 501;
    near_to(number(shift, "value"), (q - p) * log(q / p) + (p - q) * log((1 - q) / (1 - p)), 1e-12);
    near_to(number(shift, "chance"), 1 / 1000.0 + 1 / 500.0, 1e-12);
    assert_true(number(shift, "df") == 1);
    assert_string_equal(text(width, "severity"), "major");
    near_to(number(width, "ks"), 0.4, 1e-12);
    near_to(number(width, "wasserstein"), 40, 1e-12);
    assert_string_equal(text(field_of(d, "same", "values"), "severity"), "none");
    assert_string_equal(text(field_of(d, "same", "missing"), "severity"), "major");
    assert_null(field_of(d, "shift", "missing"));
    /* Targets: what grew, as conditions; x night shifts more: (20 + x) / (1000 + x) = 0.3. */
    const json_t *targets = json_object_get(d, "targets");
    assert_string_equal(text(json_array_get(targets, 0), "slice"), "width > 89");
    assert_string_equal(text(json_array_get(targets, 1), "slice"), "shift == 'night'");
    assert_true(number(json_array_get(targets, 1), "missing") == 400);
    json_decref(d);
}

/* Two sides of one kind: neither many rows nor few make a finding of it. */
static void test_nothing(void **state)
{
    (void)state;
    struct fw_rng rng;
    fw_rng_seed(&rng, 9);
    for (int s = 0; s < 3; s++) {
        for (int i = 0; i < (s == 2 ? 20 : 3000); i++)
            fw_buf_printf(&rows, "{\"x\":%.4f,\"c\":\"%c\",\"one\":1,\"b\":%s}\n",
                          fw_rng_normal(&rng), 'a' + (int)fw_rng_below(&rng, 4),
                          fw_rng_below(&rng, 2) ? "true" : "false");
        put_rows(s == 0 ? "ref.jsonl" : s == 1 ? "pro.jsonl" : "few.jsonl");
    }
    json_t *d = compare("ref.jsonl", "pro.jsonl", NULL);
    assert_string_equal(text(d, "severity"), "none");
    assert_int_equal(json_array_size(json_object_get(d, "targets")), 0);
    assert_true(number(field_of(d, "one", "values"), "value") == 0);
    json_decref(d);
    d = compare("ref.jsonl", "few.jsonl", NULL);
    assert_string_equal(text(d, "severity"), "unknown");
    assert_string_equal(text(field_of(d, "one", "values"), "severity"), "none");
    json_decref(d);
}

/* A shift of a tenth of a standard deviation in 20 000 rows: significant beyond doubt, and of no
 * account. */
static void test_significant_is_not_large(void **state)
{
    (void)state;
    struct fw_rng rng;
    fw_rng_seed(&rng, 4);
    for (int s = 0; s < 2; s++) {
        for (int i = 0; i < 20000; i++)
            fw_buf_printf(&rows, "{\"x\":%.4f}\n", fw_rng_normal(&rng) + 0.1 * s);
        put_rows(s ? "pro.jsonl" : "ref.jsonl");
    }
    json_t *d = compare("ref.jsonl", "pro.jsonl", NULL);
    const json_t *x = field_of(d, "x", "values");
    assert_true(number(x, "p_adjusted") < 1e-10);
    assert_string_equal(text(x, "severity"), "none");
    json_decref(d);
}

/* 100 of 200 against 132 of 200: a PSI of 0.106, of which 0.01 is what chance alone gives. */
static void test_chance_is_taken_off(void **state)
{
    (void)state;
    for (int s = 0; s < 2; s++) {
        for (int i = 0; i < 200; i++)
            fw_buf_printf(&rows, "{\"c\":\"%s\"}\n", i < (s ? 132 : 100) ? "a" : "b");
        put_rows(s ? "pro.jsonl" : "ref.jsonl");
    }
    json_t *d = compare("ref.jsonl", "pro.jsonl", NULL);
    const json_t *c = field_of(d, "c", "values");
    assert_true(number(c, "value") > 0.1 && number(c, "p") < 0.01);
    assert_string_equal(text(c, "severity"), "none");
    json_decref(d);
}

static void test_odd_rows(void **state)
{
    (void)state;
    for (int i = 0; i < 300; i++)
        fw_buf_printf(&rows,
                      "{\"mixed\":%d,\"gone\":%d,\"id\":\"r%d\",\"key\":\"k%d\",\"const\":5,"
                      "\"list\":[1],\"label\":\"a\"}\n",
                      i % 3, i, i, i);
    put_rows("ref.jsonl");
    for (int i = 0; i < 300; i++)
        fw_buf_printf(&rows,
                      "{\"mixed\":\"%d\",\"fresh\":%d,\"id\":\"p%d\",\"key\":\"q%d\","
                      "\"const\":%d,\"list\":[2]}\n",
                      i % 3, i, i, i, i % 2 ? 4 : 5);
    put_rows("pro.jsonl");
    json_t *d = compare("ref.jsonl", "pro.jsonl", NULL);
    assert_true(has_note(d, "mixed: holds numbers in the reference and texts in production"));
    assert_string_equal(text(field_of(d, "mixed", "values"), "severity"), "none");
    assert_true(has_note(d, "gone: not in production at all"));
    assert_true(has_note(d, "fresh: not in the reference at all"));
    assert_string_equal(text(field_of(d, "gone", "missing"), "severity"), "major");
    assert_null(field_of(d, "gone", "values"));
    assert_true(has_note(d, "key: nearly every value is another one"));
    assert_null(field_of(d, "id", "values"));
    assert_string_equal(text(field_of(d, "const", "values"), "severity"), "major");
    assert_true(has_note(d, "list: lists and objects are not compared"));
    assert_true(has_note(d, "production has no labels"));
    assert_null(field_of(d, "label", "missing"));
    /* below the constant of the reference: the value itself is no target, elsewhere is */
    assert_string_equal(text(json_array_get(json_object_get(d, "targets"), 0), "slice"),
                        "const != 5");
    json_decref(d);
}

static void test_refusals(void **state)
{
    (void)state;
    struct fw_err err = {0};
    put("one.jsonl", "{\"x\":1}\n");
    put("empty.jsonl", "\n");
    put("bad.jsonl", "{\"x\":1}\n{\"x\":NaN}\n");
    put("dev.jsonl", "{\"x\":1,\"split\":\"dev\"}\n");
    put("bad.csv", "x,y\n1,2\n3\n");
    put("twice.csv", "x,x\n1,2\n");
    assert_null(compare("empty.jsonl", "one.jsonl", &err));
    assert_non_null(strstr(err.msg, "empty.jsonl holds no rows"));
    assert_null(compare("dev.jsonl", "one.jsonl", &err));
    assert_non_null(strstr(err.msg, "holds no rows of split train"));
    assert_null(compare("one.jsonl", "nowhere.jsonl", &err));
    assert_non_null(strstr(err.msg, "there is no file"));
    assert_null(compare("one.jsonl", "bad.jsonl", &err));
    assert_string_equal(fw_fs_base(err.file), "bad.jsonl");
    assert_int_equal(err.line, 2);
    assert_null(compare("one.jsonl", "bad.csv", &err));
    assert_string_equal(said(&err), "bad.csv:3: 1 fields, but the header names 2");
    put("latin.csv", "x\n1\ncaf\xe9\n");
    assert_null(compare("one.jsonl", "latin.csv", &err));
    assert_string_equal(said(&err), "latin.csv:3: column 1 is not valid UTF-8");
    assert_null(compare("one.jsonl", "twice.csv", &err));
    assert_string_equal(said(&err), "twice.csv:1: two columns are named 'x'");
    json_t *d = compare("one.jsonl", "one.jsonl", &err); /* one row says nothing */
    assert_string_equal(text(d, "severity"), "unknown");
    json_decref(d);
}

/* CSV and JSON lines say the same. */
static void test_csv(void **state)
{
    (void)state;
    struct fw_buf csv = {0};
    fw_buf_puts(&csv, "x,name,code\n");
    for (int i = 0; i < 200; i++) {
        fw_buf_printf(&rows, "{\"x\":%d.5,\"name\":%s,\"code\":\"00%d\"}\n", i,
                      i % 4 ? "\"b, c\"" : "null", i % 3);
        fw_buf_printf(&csv, "%d.5,%s,00%d\n", i, i % 4 ? "\"b, c\"" : "", i % 3);
    }
    put_rows("ref.jsonl");
    put("ref.csv", csv.p);
    fw_buf_release(&csv);
    json_t *d = compare("ref.jsonl", "ref.csv", NULL);
    assert_int_equal(json_array_size(json_object_get(d, "notes")), 0);
    assert_int_equal(json_array_size(json_object_get(d, "fields")), 4);
    for (size_t i = 0; i < 4; i++)
        assert_true(number(json_array_get(json_object_get(d, "fields"), i), "value") == 0);
    json_decref(d);
}

static void test_text(void **state)
{
    (void)state;
    static const char *const words[] = {"screen", "battery", "dead", "broken", "fine", "cable"};
    struct fw_rng rng;
    fw_rng_seed(&rng, 2);
    for (int s = 0; s < 2; s++) {
        for (int i = 0; i < 800; i++) {
            fw_buf_puts(&rows, "{\"note\":\"");
            for (int w = 0; w < 6; w++)
                fw_buf_printf(&rows, "%s ", words[fw_rng_below(&rng, s ? 4 : 6)]);
            fw_buf_puts(&rows, s && i % 4 == 0 ? "unheard\"}\n" : "\"}\n");
        }
        put_rows(s ? "pro.jsonl" : "ref.jsonl");
    }
    json_t *d = compare("ref.jsonl", "pro.jsonl", NULL);
    const json_t *w = field_of(d, "note", "words");
    assert_string_equal(text(w, "type"), "text");
    assert_string_equal(text(w, "severity"), "major");
    near_to(number(w, "unseen"), 200.0 / 5000, 1e-9);
    assert_true(number(w, "unseen_chance") == 0);
    const char *top = text(json_array_get(json_object_get(w, "moved"), 0), "is");
    assert_true(!strcmp(top, "fine") || !strcmp(top, "cable"));
    assert_non_null(field_of(d, "note", "length"));
    json_decref(d);
}

/* Documents that repeat their own words: Pearson's p-value calls chance a finding, the corrected one
 * does not more often than it should. */
static void test_clustered_words(void **state)
{
    (void)state;
    struct fw_rng rng;
    size_t found = 0;
    fw_rng_seed(&rng, 11);
    for (int r = 0; r < 200; r++) {
        struct fw_vocabulary *v = fw_vocabulary_new();
        struct fw_vocabulary_drift d;
        for (int side = 0; side < 2; side++) {
            for (int i = 0; i < 150; i++) {
                char doc[256] = "";
                const char word = (char)('a' + fw_rng_below(&rng, 8));
                for (size_t w = 0; w < 40; w += 2) {
                    doc[w] = fw_rng_below(&rng, 3) ? word : (char)('a' + fw_rng_below(&rng, 8));
                    doc[w + 1] = ' ';
                }
                assert_int_equal(fw_vocabulary_add(v, side, doc, 40, NULL), 0);
            }
        }
        assert_int_equal(fw_vocabulary_compare(v, &d, NULL), 0);
        assert_true(d.design > 5 && d.design < 15);
        found += d.p < 0.05;
        fw_vocabulary_free(v);
    }
    assert_true(found >= 2 && found <= 20);
}

static void test_features_and_threads(void **state)
{
    (void)state;
    struct fw_rng rng;
    fw_rng_seed(&rng, 3);
    for (int s = 0; s < 2; s++) {
        for (int i = 0; i < 400; i++)
            fw_buf_printf(&rows, "{\"features\":[%.3f,%.3f,7]}\n", fw_rng_normal(&rng),
                          fw_rng_normal(&rng) + 2 * s);
        put_rows(s ? "pro.jsonl" : "ref.jsonl");
    }
    setenv("FLYWHEEL_THREADS", "1", 1);
    json_t *one = compare("ref.jsonl", "pro.jsonl", NULL);
    setenv("FLYWHEEL_THREADS", "3", 1);
    json_t *three = compare("ref.jsonl", "pro.jsonl", NULL);
    unsetenv("FLYWHEEL_THREADS");
    assert_true(json_equal(one, three));
    assert_string_equal(text(field_of(one, "features[0]", "values"), "severity"), "none");
    assert_string_equal(text(field_of(one, "features[1]", "values"), "severity"), "major");
    assert_int_equal(json_array_size(json_object_get(one, "targets")), 0);
    json_decref(one);
    json_decref(three);
}

static void test_labels(void **state)
{
    (void)state;
    struct fw_buf before = {0}, after = {0};
    for (int i = 0; i < 400; i++) { /* right in nine of ten */
        const char *truth = i % 2 ? "ok" : "bad", *other = i % 2 ? "bad" : "ok";
        fw_buf_printf(&rows, "{\"id\":\"d%d\",\"label\":\"%s\",\"split\":\"dev\"}\n", i, truth);
        fw_buf_printf(&rows, "{\"id\":\"t%d\",\"label\":\"%s\",\"split\":\"train\"}\n", i, truth);
        fw_buf_printf(&before, "{\"id\":\"d%d\",\"prediction\":\"%s\"}\n", i,
                      i / 2 % 10 ? truth : other);
        fw_buf_printf(&after, "{\"id\":\"p%d\",\"prediction\":\"%s\"}\n", i,
                      i % 10 < 8 ? "bad" : "ok");
    }
    put_rows("ref.jsonl");
    put("pro.jsonl", "{\"id\":\"p0\"}\n");
    struct fw_drift_files f = {.reference = in_dir("ref.jsonl"),
                               .production = in_dir("pro.jsonl"),
                               .options.split = "train",
                               .reference_predictions = put("before.jsonl", before.p),
                               .predictions = put("after.jsonl", after.p)};
    json_t *d = NULL;
    struct fw_err err;
    fw_drift_defaults(&f.input);
    assert_int_equal(fw_drift_run(&f, &d, &err), 0);
    const json_t *labels = json_object_get(d, "labels"),
                 *bad = json_array_get(json_object_get(labels, "classes"), 0);
    assert_string_equal(text(labels, "method"), "bbse");
    assert_string_equal(text(labels, "severity"), "major");
    assert_string_equal(text(bad, "class"), "bad");
    /* share predicted 0.8 = 0.9 q + 0.1 (1 − q) */
    near_to(number(bad, "production"), 0.875, 1e-9);
    const json_t *target = json_array_get(json_object_get(d, "targets"), 0);
    assert_string_equal(text(target, "slice"), "class == 'bad'");
    assert_string_equal(text(target, "class"), "bad");
    json_decref(d);
    f.predictions = NULL;
    assert_int_equal(fw_drift_run(&f, &d, &err), FW_EINVAL);
    assert_string_equal(err.msg, "predictions are given for the reference alone");
    fw_buf_release(&before);
    fw_buf_release(&after);
}

static void test_check(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"[]", "not a JSON object"},
        {"{}", "'version' must be 1"},
        {"{\"version\":1,\"n\":{\"reference\":1}}",
         "'n' must hold the numbers of rows, 'reference' and 'production'"},
        {"{\"version\":1,\"n\":{\"reference\":1,\"production\":1},\"severity\":\"bad\"}",
         "'severity' must be none, unknown, minor or major"},
        {"{\"version\":1,\"n\":{\"reference\":1,\"production\":1},\"severity\":\"none\"}",
         "'fields' is missing or not a list"},
        {"{\"version\":1,\"n\":{\"reference\":1,\"production\":1},\"severity\":\"none\","
         "\"fields\":[{\"field\":\"x\",\"type\":\"number\",\"statistic\":\"psi\",\"value\":1,"
         "\"p\":1.5,\"severity\":\"none\"}]}",
         "fields[0]: 'p' must lie between 0 and 1, or be null"},
        {"{\"version\":1,\"n\":{\"reference\":1,\"production\":1},\"severity\":\"none\","
         "\"fields\":[],\"targets\":[{\"slice\":\"x = 1\"}]}",
         "targets[0]: 'x = 1': write == to compare"},
        {"{\"version\":1,\"n\":{\"reference\":1,\"production\":1},\"severity\":\"none\","
         "\"fields\":[],\"labels\":{}}",
         "'labels' must be null or an object with 'severity'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fw_err err = {0};
        json_t *d = NULL;
        assert_int_equal(fw_drift_load(put("drift.json", cases[i].text), &d, &err), FW_EINVAL);
        assert_string_equal(err.msg, cases[i].why);
        assert_null(d);
    }
}

/* What drifted becomes aims that weigh as much as those of the analysis, or by their growth. */
static void test_aims(void **state)
{
    (void)state;
    static const char *const classes[] = {"ok", "bad"};
    const struct fw_task_info task = {FW_CLASSIFICATION, classes, 2};
    const size_t picked[] = {0, 1, 2};
    struct fw_dataset *pool = NULL;
    struct fw_aims aims = {0};
    json_t *analysis = json_pack("{s:[{s:s, s:s, s:f}]}", "slices", "slice", "class == 'ok'",
                                 "class", "ok", "priority", 0.01);
    json_t *drift =
        json_pack("{s:[{s:s, s:n, s:f}, {s:s, s:s, s:f}, {s:s, s:n, s:f}]}", "targets", "slice",
                  "shift == 'night'", "class", "growth", 0.3, "slice", "class == 'bad'", "class",
                  "bad", "growth", 0.1, "slice", "not a condition", "class", "growth", 0.2);
    put("samples.jsonl", "{\"id\":\"a\",\"shift\":\"day\"}\n{\"id\":\"b\",\"shift\":\"night\"}\n"
                         "{\"id\":\"c\"}\n");
    assert_int_equal(fw_dataset_load(test_dir, &task, &pool, NULL), 0);
    assert_int_equal(fw_aims_add_drift(drift, &task, pool, picked, 3, &aims, NULL), 0);
    assert_int_equal(aims.n, 2);
    near_to(aims.v[0].weight, 0.3, 1e-12);
    assert_true(!aims.v[0].member[0] && aims.v[0].member[1] && !aims.v[0].member[2]);
    assert_true(aims.v[1].klass == 1 && !aims.v[1].member);
    fw_aims_release(&aims);
    assert_int_equal(fw_aims_read(analysis, &task, pool, picked, 3, &aims, NULL), 0);
    assert_int_equal(fw_aims_add_drift(drift, &task, pool, picked, 3, &aims, NULL), 0);
    assert_int_equal(aims.n, 3);
    near_to(aims.v[1].weight + aims.v[2].weight, 0.01, 1e-12);
    near_to(aims.v[1].weight / aims.v[2].weight, 3, 1e-12);
    assert_string_equal(aims.names[1], "shift == 'night'");
    fw_aims_release(&aims);
    fw_dataset_free(pool);
    json_decref(analysis);
    json_decref(drift);
}

static void test_names(void **state)
{
    (void)state;
    char list[] = " a, b c ,,d ";
    const char *names[4];
    assert_int_equal(fw_drift_names(list, names, 4), 3);
    assert_string_equal(names[0], "a");
    assert_string_equal(names[1], "b c");
    assert_string_equal(names[2], "d");
}

/* One value and hardly anything else; texts without a word; a word that is cut inside a character;
 * a field named class, which no condition can mean. */
static void test_rare_and_strange(void **state)
{
    (void)state;
    for (int s = 0; s < 2; s++) {
        for (int i = 0; i < 600; i++)
            fw_buf_printf(&rows, "{\"c\":\"%s\",\"text\":\"%s\",\"class\":\"%c\"}\n",
                          i == 7 ? "b" : "a", s ? "?!" : "...",
                          i % 2 ? 'x'
                          : s   ? 'y'
                                : 'x');
        put_rows(s ? "pro.jsonl" : "ref.jsonl");
    }
    json_t *d = compare("ref.jsonl", "pro.jsonl", NULL);
    assert_string_equal(text(field_of(d, "c", "values"), "severity"), "none");
    assert_true(json_is_null(json_object_get(field_of(d, "c", "values"), "p")));
    assert_null(field_of(d, "text", "words"));
    assert_string_equal(text(field_of(d, "class", "values"), "severity"), "major");
    assert_int_equal(json_array_size(json_object_get(d, "targets")), 0);
    json_decref(d);
    struct fw_vocabulary *v = fw_vocabulary_new();
    struct fw_vocabulary_drift w;
    char word[200] = "x";
    for (size_t i = 1; i < 120; i += 2)
        memcpy(word + i, "é", 2);
    assert_int_equal(fw_vocabulary_add(v, 0, word, 121, NULL), 0);
    assert_int_equal(fw_vocabulary_compare(v, &w, NULL), FW_EINVAL);
    for (int i = 0; i < 40; i++)
        assert_int_equal(fw_vocabulary_add(v, i % 2, i % 4 ? "other" : word, i % 4 ? 5 : 121, NULL),
                         0);
    assert_int_equal(fw_vocabulary_compare(v, &w, NULL), 0);
    assert_true(w.n_top > 0);
    for (size_t i = 0; i < w.n_top; i++) {
        json_t *valid = json_string(w.top[i].word);
        assert_non_null(valid);
        json_decref(valid);
        assert_true(strlen(w.top[i].word) == 5 || strlen(w.top[i].word) == 63);
    }
    fw_vocabulary_free(v);
}

static int done(void **state)
{
    fw_buf_release(&rows);
    return drop_dir(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_planted),
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_significant_is_not_large),
        cmocka_unit_test(test_chance_is_taken_off),
        cmocka_unit_test(test_odd_rows),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_csv),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_clustered_words),
        cmocka_unit_test(test_features_and_threads),
        cmocka_unit_test(test_labels),
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_aims),
        cmocka_unit_test(test_rare_and_strange),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, make_dir, done);
}
