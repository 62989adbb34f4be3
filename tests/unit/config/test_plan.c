#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <math.h>

#include "describe.h"
#include "pipeline/base/clock.h"
#include "pipeline/base/fs.h"

/* Every bad/NAME.yaml says exactly what bad/NAME.err holds, word for word. */
static int on_bad_file(void *ctx, const char *rel, const struct stat *st, struct fw_err *err)
{
    (void)st;
    size_t n = strlen(rel);
    if (n < 5 || strcmp(rel + n - 5, ".yaml") != 0)
        return FW_OK;
    struct fw_buf path = {0}, text = {0}, expected = {0}, said = {0};
    fw_buf_printf(&path, "%s/unit/config/bad/%s", FW_TEST_DIR, rel);
    assert_int_equal(fw_fs_read(path.p, 0, &text, err), FW_OK);
    memcpy(path.p + path.len - 4, "err", 4);
    assert_int_equal(fw_fs_read(path.p, 0, &expected, err), FW_OK);
    struct fw_plan_options options = {.describe = test_describe};
    struct fw_problems problems = {0};
    struct fw_plan *plan = NULL;
    assert_int_equal(
        fw_plan_load_text("flywheel.yaml", text.p, text.len, &options, &plan, &problems),
        FW_EINVAL);
    assert_null(plan);
    fw_problems_format(&problems, false, &said);
    if (strcmp(said.p, expected.p) != 0) {
        print_message("%s\n", rel);
        assert_string_equal(said.p, expected.p);
    }
    fw_problems_release(&problems);
    fw_buf_release(&path);
    fw_buf_release(&text);
    fw_buf_release(&expected);
    fw_buf_release(&said);
    ++*(int *)ctx;
    return FW_OK;
}

static void test_bad_files(void **state)
{
    (void)state;
    int n = 0;
    struct fw_err err = {0};
    unsetenv("FW_TEST_UNSET");
    assert_int_equal(fw_fs_walk(FW_TEST_DIR "/unit/config/bad", on_bad_file, &n, &err), FW_OK);
    assert_true(n >= 20);
}

static struct fw_plan *load_good(const char *const *sets, size_t n, int *asked)
{
    struct fw_plan_options options = {
        .describe = test_describe, .describe_ctx = asked, .sets = sets, .n_sets = n};
    struct fw_problems problems = {0};
    struct fw_plan *plan = NULL;
    struct fw_buf said = {0};
    setenv("FW_TEST_HOOK", "T0KEN", 1);
    int rc = fw_plan_load(FW_TEST_DIR "/unit/config/good/steel.yaml", &options, &plan, &problems);
    fw_problems_format(&problems, false, &said);
    if (rc != FW_OK)
        fail_msg("%s", said.p);
    fw_problems_release(&problems);
    fw_buf_release(&said);
    return plan;
}

static void check_stages(const struct fw_plan *p)
{
    const struct fw_stage *train = fw_plan_stage(p, "train"), *export = fw_plan_stage(p, "export");
    assert_int_equal(p->n_stages, 6);
    assert_ptr_equal(train, &p->stages[0]);
    assert_int_equal(train->kind, FW_TRAIN);
    assert_string_equal(train->plugin_path, "/plugins/linear");
    char *params = json_dumps(train->params, JSON_SORT_KEYS | JSON_COMPACT);
    assert_string_equal(params,
                        "{\"C\":1.0,\"bins\":9,\"ngrams\":[1,2],\"solver\":\"l2\",\"verbose\":"
                        "false}");
    free(params);
    assert_int_equal(train->n_seeds, 3);
    assert_int_equal(train->seeds[2], 3);
    assert_int_equal(train->folds, 5);
    assert_true(train->resources.memory == 2ull << 30);
    assert_string_equal(train->resources.named[0].name, "gpu");
    assert_int_equal(train->timeout_ms, 30 * 60 * 1000);
    assert_int_equal(train->retries, 1);
    assert_int_equal(train->backoff_ms, 1000);
    assert_string_equal(train->env[0].text, "1");
    assert_string_equal(fw_plan_stage(p, "evaluate")->model, "train");
    assert_false(fw_plan_stage(p, "relabel")->deterministic);
    assert_int_equal(export->kind, FW_CUSTOM);
    assert_string_equal(export->argv[1], "export.py");
    assert_null(export->argv[2]);
    assert_string_equal(export->in[0].name, "table");
    assert_string_equal(export->out[0].name, "report");
    assert_string_equal(export->out[0].text, "report.csv");
    assert_string_equal(export->needs[0], "relabel");
    assert_string_equal(export->axes[0].values[1], "json");
    assert_true(export->deterministic);
    assert_null(fw_plan_stage(p, "tra"));
}

static void test_read_back(void **state)
{
    (void)state;
    int asked = 0;
    struct fw_plan *p = load_good(NULL, 0, &asked);
    assert_int_equal(asked, 4); /* each plugin once */
    assert_string_equal(p->name, "steel-surface");
    assert_int_equal(p->seed, 1);
    assert_string_equal(p->dataset.import, "data/");
    assert_int_equal(p->dataset.n_classes, 6);
    assert_string_equal(p->dataset.classes[4], "rolled-in");
    assert_string_equal(p->dataset.slices[2].text, "width < 900");
    assert_true(p->dataset.test == 0.25);
    assert_string_equal(p->metric.of, "evaluate");
    assert_true(p->metric.has_target && p->metric.target == 0.95);
    assert_true(p->metric.human_default == 0.98);
    assert_int_equal(p->metric.n_human, 1);
    assert_true(p->metric.human[0].value == 0.93);
    check_stages(p);
    assert_int_equal(p->loop.patience, 3);
    assert_int_equal(p->loop.rule, FW_RULE_LADDER);
    assert_int_equal(p->loop.n_guards, 3);
    assert_true(p->loop.guards[0].value == 0.02);
    assert_true(p->loop.budget_labels == 600 && isnan(p->loop.budget_money));
    assert_int_equal(p->loop.budget_wall_ms, 8 * 3600 * 1000);
    assert_int_equal(p->loop.budget_stage_ms, 5400 * 1000);
    assert_false(p->loop.ablate);
    assert_false(p->loop.measure_parts);
    assert_true(p->loop.sanity);
    assert_true(p->loop.curve && p->loop.cost_label == 1 && p->loop.cost_sample == 1);
    assert_string_equal(p->loop.stability_pool, "pool/");
    assert_true(p->limits.cpus == 4 && p->limits.memory == 8ull << 30);
    assert_string_equal(p->notify.webhook, "https://example.org/T0KEN/$1");
    assert_true(p->notify.on_stopped && p->notify.on_waiting && !p->notify.on_failed);
    assert_int_equal(p->root[0], '/');
    fw_plan_free(p);
}

static void test_overrides(void **state)
{
    (void)state;
    static const char *const sets[] = {
        "stages.relabel.with.budget=20", "stages.train.seeds=[7, 8]", "loop.budget.labels=",
        "loop.gate.guard={pitted: 5%}",  "dataset.eval.dev=0.1",      "stages.export=null"};
    struct fw_plan *p = load_good(sets, 6, NULL);
    const json_t *params = fw_plan_stage(p, "relabel")->params;
    assert_int_equal(json_integer_value(json_object_get(params, "budget")), 20);
    assert_int_equal(json_integer_value(json_object_get(params, "labellers")), 2);
    assert_int_equal(fw_plan_stage(p, "train")->n_seeds, 2);
    assert_int_equal(fw_plan_stage(p, "train")->seeds[0], 7);
    assert_true(isnan(p->loop.budget_labels));
    assert_int_equal(p->loop.n_guards, 1);
    assert_true(p->dataset.dev == 0.1 && p->dataset.test == 0.25);
    assert_int_equal(p->n_stages, 5);
    assert_null(fw_plan_stage(p, "export"));
    fw_plan_free(p);
}

static void test_bad_overrides(void **state)
{
    (void)state;
    static const char *const sets[] = {"loop.patiance=3", "stages.train.with.C=much",
                                       "loop..x=1",       "novalue",
                                       "name.x=1",        "seed=[1"};
    static const char expected[] = "--set:1:6: error: a key is missing here\n"
                                   "  loop..x=1\n"
                                   "       ^\n"
                                   "--set:1:1: error: '=' is missing\n"
                                   "  novalue\n"
                                   "  ^\n"
                                   "  write --set stages.train.with.C=2.0\n"
                                   "--set:1:6: error: 'name' is not a mapping: set it whole\n"
                                   "  name.x=1\n"
                                   "       ^\n"
                                   "--set:1:8: error: not valid YAML: did not find expected ',' "
                                   "or ']' (while parsing a flow sequence, line 1)\n"
                                   "  seed=[1\n"
                                   "         ^\n"
                                   "--set:1:6: error: unknown key 'patiance' in loop\n"
                                   "  loop.patiance=3\n"
                                   "       ^~~~~~~~\n"
                                   "  did you mean 'patience'?\n"
                                   "--set:1:21: error: parameter 'C' of 'linear': expected a "
                                   "number\n"
                                   "  stages.train.with.C=much\n"
                                   "                      ^~~~\n";
    struct fw_plan_options options = {.describe = test_describe, .sets = sets, .n_sets = 6};
    struct fw_problems problems = {0};
    struct fw_plan *plan = NULL;
    struct fw_buf said = {0};
    setenv("FW_TEST_HOOK", "x", 1);
    assert_int_equal(
        fw_plan_load(FW_TEST_DIR "/unit/config/good/steel.yaml", &options, &plan, &problems),
        FW_EINVAL);
    fw_problems_format(&problems, false, &said);
    assert_string_equal(said.p, expected);
    fw_buf_release(&said);
    fw_problems_release(&problems);
}

/* Hostile files must be refused at once, not after seconds. */
static void test_quick_refusals(void **state)
{
    (void)state;
    struct fw_buf brackets = {0}, bomb = {0}, keys = {0}, large = {0};
    fw_buf_puts(&brackets, "a: ");
    fw_buf_puts(&bomb, "a0: &a0 [x]\n");
    fw_buf_puts(&keys, "{");
    for (int i = 0; i < 100000; i++)
        fw_buf_puts(&brackets, "[");
    for (int i = 1; i < 60; i++) {
        fw_buf_printf(&bomb, "a%d: &a%d [", i, i);
        for (int k = 0; k < 10; k++)
            fw_buf_printf(&bomb, "*a%d,", i - 1);
        fw_buf_puts(&bomb, "]\n");
    }
    for (int i = 0; i < 100000; i++)
        fw_buf_printf(&keys, "k%d: 1,", i / 2);
    fw_buf_puts(&keys, "}");
    for (int i = 0; i < 120000; i++)
        fw_buf_puts(&large, "# comment\n");
    const struct {
        const struct fw_buf *text;
        const char *says;
    } cases[] = {{&brackets, "nested more than 64"},
                 {&bomb, "aliases repeat"},
                 {&keys, "duplicate key"},
                 {&large, "over 1 MiB"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fw_problems problems = {0};
        struct fw_plan *plan = NULL;
        int64_t start = fw_clock_ms();
        assert_int_equal(fw_plan_load_text("x.yaml", cases[i].text->p, cases[i].text->len, NULL,
                                           &plan, &problems),
                         FW_EINVAL);
        assert_in_range(fw_clock_ms() - start, 0, 3000); /* sanitizers and a busy machine */
        bool said = false;
        for (size_t k = 0; k < problems.n; k++)
            said |= strstr(problems.list[k].msg, cases[i].says) != NULL;
        if (!said)
            fail_msg("case %zu said '%s'", i, problems.list[0].msg);
        fw_problems_release(&problems);
    }
    fw_buf_release(&brackets);
    fw_buf_release(&bomb);
    fw_buf_release(&keys);
    fw_buf_release(&large);
}

static void test_aliases_are_copies(void **state)
{
    (void)state;
    static const char text[] = "flywheel: 1\nname: x\nstages:\n"
                               "  train: &t {kind: train, plugin: linear, with: {C: 2}}\n"
                               "  train2: *t\n"
                               "  evaluate: {plugin: linear, model: train}\n";
    static const char *const sets[] = {"stages.train2.with.C=5"};
    struct fw_plan_options options = {.describe = test_describe, .sets = sets, .n_sets = 1};
    struct fw_problems problems = {0};
    struct fw_plan *plan = NULL;
    assert_int_equal(fw_plan_load_text("x.yaml", text, strlen(text), &options, &plan, &problems),
                     FW_OK);
    assert_true(json_real_value(json_object_get(plan->stages[0].params, "C")) == 2);
    assert_true(json_real_value(json_object_get(plan->stages[1].params, "C")) == 5);
    assert_string_equal(plan->metric.name, "macro_f1");
    fw_plan_free(plan);
}

static void test_metric_forms(void **state)
{
    (void)state;
    static const char *const forms[][2] = {
        {"metric: accuracy\n", "accuracy"},
        {"metric: {name: f1, class: spam}\n", "f1:spam"},
        {"metric: {name: \"recall:ham\"}\ndataset: {classes: [ham, spam]}\n", "recall:ham"},
        {"dataset: {task: regression}\n", "rmse"},
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct fw_buf text = {0};
        struct fw_problems problems = {0};
        fw_buf_printf(&text,
                      "flywheel: 1\nname: x\n%sstages: {train: {plugin: linear, seeds: 3},"
                      " evaluate: {plugin: linear}}\n",
                      forms[i][0]);
        struct fw_plan *plan = test_load(text.p, &problems);
        if (!plan)
            fail_msg("%s", problems.list[0].msg);
        assert_string_equal(plan->metric.name, forms[i][1]);
        assert_int_equal(plan->stages[0].n_seeds, 3);
        assert_int_equal(plan->stages[0].seeds[2], 3);
        assert_string_equal(plan->stages[1].model, "train");
        fw_plan_free(plan);
        fw_buf_release(&text);
    }
}

static void test_missing_file(void **state)
{
    (void)state;
    struct fw_problems problems = {0};
    struct fw_plan *plan = NULL;
    assert_int_equal(fw_plan_load("/nonexistent/flywheel.yaml", NULL, &plan, &problems),
                     FW_ENOTFOUND);
    assert_string_equal(problems.list[0].file, "/nonexistent/flywheel.yaml");
    fw_problems_release(&problems);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_files),      cmocka_unit_test(test_read_back),
        cmocka_unit_test(test_overrides),      cmocka_unit_test(test_bad_overrides),
        cmocka_unit_test(test_quick_refusals), cmocka_unit_test(test_aliases_are_copies),
        cmocka_unit_test(test_metric_forms),   cmocka_unit_test(test_missing_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
