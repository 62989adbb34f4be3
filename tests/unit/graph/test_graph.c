#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "../config/describe.h"
#include "pipeline/base/clock.h"
#include "pipeline/graph/graph.h"

#define HEAD "flywheel: 1\nname: x\n"

static struct fw_plan *plan_of(const char *text)
{
    struct fw_problems problems = {0};
    struct fw_plan *plan = test_load(text, &problems);
    struct fw_buf said = {0};
    fw_problems_format(&problems, false, &said);
    if (!plan)
        fail_msg("%s", said.p);
    fw_problems_release(&problems);
    fw_buf_release(&said);
    return plan;
}

/* One line a node: "name type: input=producer.output …; needs …". */
static void dump(const struct fw_graph *g, struct fw_buf *out)
{
    static const char *const types[] = {"plugin", "command", "merge", "gather", "trusted", "curve"};
    for (size_t i = 0; i < g->n; i++) {
        const struct fw_node *n = &g->nodes[i];
        fw_buf_printf(out, "%s %s", n->name, types[n->type]);
        if (n->split)
            fw_buf_printf(out, " on %s", n->split);
        for (size_t k = 0; k < n->n_in; k++) {
            assert_true(n->in[k].node < (int)i); /* topological */
            fw_buf_printf(out, " | %s: %s%s%s", n->in[k].name,
                          n->in[k].node >= 0 ? g->nodes[n->in[k].node].name : "",
                          n->in[k].node >= 0 ? " " : "", n->in[k].ref);
        }
        for (size_t k = 0; k < n->n_needs; k++) {
            assert_true(n->needs[k] < (int)i);
            assert_true(k == 0 || n->needs[k - 1] < n->needs[k]);
            bool input = false;
            for (size_t j = 0; j < n->n_in; j++)
                input |= n->in[j].node == n->needs[k];
            if (!input)
                fw_buf_printf(out, " | after %s", g->nodes[n->needs[k]].name);
        }
        fw_buf_putc(out, '\n');
    }
}

static void expect(const struct fw_plan *plan, enum fw_phase phase, const char *expected)
{
    struct fw_graph *g = NULL;
    struct fw_err err = {0};
    struct fw_buf out = {0};
    if (fw_graph_expand(plan, phase, &g, &err) != FW_OK)
        fail_msg("%s", err.msg);
    fw_buf_puts(&out, "");
    dump(g, &out);
    if (strcmp(out.p ? out.p : "", expected) != 0)
        fail_msg("phase %d is\n%s\nand not\n%s", phase, out.p ? out.p : "", expected);
    fw_buf_release(&out);
    fw_graph_free(g);
}

static void test_whole_turn(void **state)
{
    (void)state;
    struct fw_plan *p = plan_of(HEAD "stages:\n"
                                     "  relabel: {plugin: labelling, with: {budget: 5}}\n"
                                     "  train: {plugin: linear, seeds: [3, 1], folds: 2}\n"
                                     "  evaluate: {plugin: linear}\n"
                                     "  analyse: {plugin: analyse}\n"
                                     "  drift: {plugin: watch, in: {production: live/}}\n");
    expect(p, FW_PHASE_MEASURE,
           "train[seed=3] plugin | dataset: dataset:train\n"
           "train[seed=1] plugin | dataset: dataset:train\n"
           "evaluate[seed=3] plugin on dev | model: train[seed=3] model | dataset: dataset:dev\n"
           "evaluate[seed=1] plugin on dev | model: train[seed=1] model | dataset: dataset:dev\n"
           "evaluate merge | seed=3: evaluate[seed=3] predictions | seed=1: evaluate[seed=1] "
           "predictions\n");
    expect(p, FW_PHASE_SANITY,
           "train[seed=3] plugin | dataset: dataset:sanity\n"
           "evaluate[seed=3] plugin on sanity | model: train[seed=3] model | dataset: "
           "dataset:sanity\n"
           "evaluate merge | seed=3: evaluate[seed=3] predictions\n");
    expect(p, FW_PHASE_TEST,
           "evaluate[seed=3] plugin on test | model: prior:train[seed=3].model | dataset: "
           "dataset:test\n"
           "evaluate[seed=1] plugin on test | model: prior:train[seed=1].model | dataset: "
           "dataset:test\n"
           "evaluate merge | seed=3: evaluate[seed=3] predictions | seed=1: evaluate[seed=1] "
           "predictions\n");
    expect(p, FW_PHASE_IMPROVE,
           "train[seed=3,fold=1/2] plugin | dataset: fold:0/2:rest\n"
           "evaluate[fold=1/2] plugin on train | model: train[seed=3,fold=1/2] model | dataset: "
           "fold:0/2:part\n"
           "train[seed=3,fold=2/2] plugin | dataset: fold:1/2:rest\n"
           "evaluate[fold=2/2] plugin on train | model: train[seed=3,fold=2/2] model | dataset: "
           "fold:1/2:part\n"
           "train.out-of-fold merge | fold=1/2: evaluate[fold=1/2] predictions | fold=2/2: "
           "evaluate[fold=2/2] predictions\n"
           "train[seed=3,subset=1/4] plugin | dataset: subset:1/4\n"
           "evaluate[subset=1/4] plugin on dev | model: train[seed=3,subset=1/4] model | dataset: "
           "dataset:dev\n"
           "train[seed=3,subset=1/2] plugin | dataset: subset:1/2\n"
           "evaluate[subset=1/2] plugin on dev | model: train[seed=3,subset=1/2] model | dataset: "
           "dataset:dev\n"
           "train.trusted trusted | dataset: dataset:train | out_of_fold: train.out-of-fold "
           "predictions | history: history\n"
           "train[seed=3,trusted] plugin | dataset: train.trusted dataset\n"
           "evaluate[trusted] plugin on dev | model: train[seed=3,trusted] model | dataset: "
           "dataset:dev\n"
           "train.curve curve | subset=1/4: evaluate[subset=1/4] predictions | "
           "subset=1/4.dataset: subset:1/4 | subset=1/2: evaluate[subset=1/2] predictions | "
           "subset=1/2.dataset: subset:1/2 | full: prior:evaluate[seed=3].predictions | "
           "full.dataset: dataset:train | trusted: evaluate[trusted] predictions | "
           "trusted.dataset: train.trusted dataset\n"
           "analyse plugin | dataset: dataset:all | predictions: prior:evaluate.predictions | "
           "out_of_fold: train.out-of-fold predictions | curve: train.curve curve | guidelines: "
           "guidelines | history: history\n"
           "relabel plugin | dataset: dataset:train | analysis: analyse analysis | predictions: "
           "prior:evaluate.predictions | out_of_fold: train.out-of-fold predictions | guidelines: "
           "guidelines | history: history\n"
           "drift plugin | dataset: dataset:train | production: file:live/\n");
    fw_plan_free(p);
}

/* The learning curve is for scored train stages with folds that an error analysis follows; for
 * regression no label is trusted more than another. */
static void test_curve(void **state)
{
    static const struct {
        const char *more, *fold, *kind;
        bool curve, trusted;
    } cases[] = {
        {"", "folds: 2", "analyse: {plugin: analyse}", true, true},
        {"dataset: {task: regression}\n", "folds: 2", "analyse: {plugin: analyse}", true, false},
        {"loop: {curve: false}\n", "folds: 2", "analyse: {plugin: analyse}", false, false},
        {"", "seeds: [1]", "analyse: {plugin: analyse}", false, false},
        {"", "folds: 2", "relabel: {plugin: labelling, with: {budget: 5}}", false, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[512];
        struct fw_graph *g = NULL;
        snprintf(text, sizeof text,
                 HEAD "%sstages:\n  train: {plugin: linear, %s}\n  evaluate: {plugin: linear}\n"
                      "  %s\n",
                 cases[i].more, cases[i].fold, cases[i].kind);
        struct fw_plan *p = plan_of(text);
        assert_int_equal(fw_graph_expand(p, FW_PHASE_IMPROVE, &g, NULL), FW_OK);
        assert_int_equal(fw_graph_find(g, "train.curve") >= 0, cases[i].curve);
        assert_int_equal(fw_graph_find(g, "train.trusted") >= 0, cases[i].trusted);
        fw_graph_free(g);
        assert_int_equal(fw_graph_expand(p, FW_PHASE_MEASURE, &g, NULL), FW_OK);
        assert_int_equal(fw_graph_find(g, "train.curve"), -1);
        fw_graph_free(g);
        fw_plan_free(p);
    }
}

static void test_nodes_carry_their_part(void **state)
{
    (void)state;
    struct fw_plan *p = plan_of(HEAD "stages:\n"
                                     "  train: {plugin: linear, seeds: [5], folds: 3}\n"
                                     "  evaluate: {plugin: linear}\n"
                                     "  analyse: {plugin: analyse}\n");
    struct fw_graph *g = NULL;
    struct fw_err err = {0};
    assert_int_equal(fw_graph_expand(p, FW_PHASE_IMPROVE, &g, &err), FW_OK);
    int i = fw_graph_find(g, "train[seed=5,fold=2/3]");
    assert_true(i >= 0);
    assert_ptr_equal(g->nodes[i].stage, fw_plan_stage(p, "train"));
    assert_int_equal(g->nodes[i].seed, 5);
    assert_int_equal(g->nodes[i].fold, 1); /* from 0; in names from 1 */
    assert_int_equal(g->nodes[i].folds, 3);
    assert_string_equal(g->nodes[i].out[0], "model");
    i = fw_graph_find(g, "train.out-of-fold");
    assert_true(i >= 0 && !g->nodes[i].stage && g->nodes[i].fold == -1);
    assert_int_equal(g->nodes[i].n_needs, 3);
    assert_int_equal(fw_graph_find(g, "nothing"), -1);
    fw_graph_free(g);
    fw_plan_free(p);
}

static void test_custom_stages(void **state)
{
    (void)state;
    struct fw_plan *p = plan_of(
        HEAD "stages:\n"
             "  report: {command: r, in: [features.table, train.model, dataset.dev, guidelines, "
             "./notes.txt, out.csv]}\n"
             "  features: {command: f, in: {data: dataset.train}, out: [table.csv]}\n"
             "  train: {plugin: linear, in: [features.table]}\n"
             "  evaluate: {plugin: linear, needs: check}\n"
             "  check: {command: [c]}\n"
             "  last: {command: l, needs: [report, train]}\n");
    expect(p, FW_PHASE_MEASURE,
           "features command | data: dataset:train\n"
           "train[seed=1] plugin | dataset: dataset:train | table: features table\n"
           "check command\n"
           "evaluate[seed=1] plugin on dev | model: train[seed=1] model | dataset: dataset:dev | "
           "after check\n"
           "evaluate merge | seed=1: evaluate[seed=1] predictions\n");
    expect(p, FW_PHASE_IMPROVE,
           "report command | table: prior:features.table | model: prior:train[seed=1].model | "
           "dev: dataset:dev | guidelines: guidelines | notes: file:notes.txt | out: "
           "file:out.csv\n"
           "last command | after report\n");
    expect(p, FW_PHASE_SANITY,
           "features command | data: dataset:train\n"
           "train[seed=1] plugin | dataset: dataset:sanity | table: features table\n"
           "check command\n"
           "evaluate[seed=1] plugin on sanity | model: train[seed=1] model | dataset: "
           "dataset:sanity | after check\n"
           "evaluate merge | seed=1: evaluate[seed=1] predictions\n");
    fw_plan_free(p);
}

static void test_fan_out(void **state)
{
    (void)state;
    struct fw_plan *p =
        plan_of(HEAD "metric: {of: evaluate}\nstages:\n"
                     "  train: {plugin: linear, seeds: 2}\n"
                     "  evaluate: {plugin: linear, model: train}\n"
                     "  variant: {kind: train, plugin: linear, matrix: {C: [1, 2]}, seeds: [7]}\n"
                     "  judge: {kind: evaluate, plugin: linear, model: variant}\n"
                     "  a: {command: a, out: [x], matrix: {m: [p, q], n: [0]}}\n"
                     "  b: {command: b, in: [a.x], out: [y], matrix: {n: [0], m: [q, p]}}\n"
                     "  c: {command: c, in: [b.y], needs: a}\n"
                     "  d: {command: d, in: {all: judge.predictions, models: train.model}, matrix: "
                     "{C: [1, 2]}}\n");
    expect(p, FW_PHASE_MEASURE,
           "train[seed=1] plugin | dataset: dataset:train\n"
           "train[seed=2] plugin | dataset: dataset:train\n"
           "evaluate[seed=1] plugin on dev | model: train[seed=1] model | dataset: dataset:dev\n"
           "evaluate[seed=2] plugin on dev | model: train[seed=2] model | dataset: dataset:dev\n"
           "evaluate merge | seed=1: evaluate[seed=1] predictions | seed=2: evaluate[seed=2] "
           "predictions\n"
           "variant[C=1,seed=7] plugin | dataset: dataset:train\n"
           "variant[C=2,seed=7] plugin | dataset: dataset:train\n"
           "judge[C=1,seed=7] plugin on dev | model: variant[C=1,seed=7] model | dataset: "
           "dataset:dev\n"
           "judge[C=1] merge | seed=7: judge[C=1,seed=7] predictions\n"
           "judge[C=2,seed=7] plugin on dev | model: variant[C=2,seed=7] model | dataset: "
           "dataset:dev\n"
           "judge[C=2] merge | seed=7: judge[C=2,seed=7] predictions\n");
    expect(p, FW_PHASE_IMPROVE,
           "a[m=p,n=0] command\n"
           "a[m=q,n=0] command\n"
           "b[n=0,m=q] command | x: a[m=q,n=0] x\n"
           "b[n=0,m=p] command | x: a[m=p,n=0] x\n"
           "b.y.all gather | n=0,m=q: b[n=0,m=q] y | n=0,m=p: b[n=0,m=p] y\n"
           "c command | y: b.y.all y | after a[m=p,n=0] | after a[m=q,n=0]\n"
           "train.model.all gather | seed=1: prior:train[seed=1].model | seed=2: "
           "prior:train[seed=2].model\n"
           "d[C=1] command | all: prior:judge[C=1].predictions | models: train.model.all model\n"
           "d[C=2] command | all: prior:judge[C=2].predictions | models: train.model.all model\n");
    fw_plan_free(p);
}

static void refuse(const char *text, const char *expected)
{
    struct fw_plan *p = plan_of(text);
    struct fw_problems problems = {0};
    struct fw_buf said = {0};
    struct fw_graph *g = NULL;
    struct fw_err err = {0};
    assert_int_equal(fw_graph_check(p, &problems), FW_EINVAL);
    fw_problems_format(&problems, false, &said);
    if (strcmp(said.p, expected) != 0)
        assert_string_equal(said.p, expected);
    assert_int_equal(fw_graph_expand(p, FW_PHASE_MEASURE, &g, &err), FW_EINVAL);
    assert_null(g);
    fw_problems_release(&problems);
    fw_buf_release(&said);
    fw_plan_free(p);
}

static void test_cycles(void **state)
{
    (void)state;
    refuse(HEAD "stages:\n"
                "  a: {command: x, needs: [b], out: [o]}\n"
                "  b: {command: x, in: [c.o]}\n"
                "  c: {command: x, needs: a, out: [o]}\n",
           "flywheel.yaml:4:27: error: the stages need each other in a circle: a → b → c → a\n"
           "    a: {command: x, needs: [b], out: [o]}\n"
           "                            ^\n"
           "  take one of these away; what goes round is the loop itself, not the graph\n");
    refuse(HEAD "stages:\n  a: {command: x, needs: a}\n",
           "flywheel.yaml:4:26: error: the stages need each other in a circle: a → a\n"
           "    a: {command: x, needs: a}\n"
           "                           ^\n"
           "  take one of these away; what goes round is the loop itself, not the graph\n");
    refuse(HEAD "stages:\n"
                "  train: {plugin: linear}\n"
                "  evaluate: {plugin: linear}\n"
                "  analyse: {plugin: analyse, needs: relabel}\n"
                "  relabel: {plugin: labelling, with: {budget: 1}}\n",
           "flywheel.yaml:6:37: error: the stages need each other in a circle: analyse → relabel "
           "→ analyse\n"
           "    analyse: {plugin: analyse, needs: relabel}\n"
           "                                      ^~~~~~~\n"
           "  take one of these away; what goes round is the loop itself, not the graph\n");
}

static void test_names_and_phases(void **state)
{
    (void)state;
    refuse(HEAD "stages:\n"
                "  train: {plugin: linear, needs: relabel, in: [dataset.dev]}\n"
                "  evaluate: {plugin: linear, model: trian}\n"
                "  analyse: {plugin: analyse}\n"
                "  relabel: {plugin: labelling, with: {budget: 1}}\n"
                "  show:\n    command: s\n    needs: [analise]\n    in:\n"
                "      a: dataset.test\n      b: dataset.valid\n      c: tarin.model\n"
                "      d: train.modle\n      e: evalute.csv\n      f: show2\n"
                "  show2: {command: s, out: [x, y]}\n",
           "flywheel.yaml:4:34: error: 'train' cannot need 'relabel', a stage of kind relabel\n"
           "    train: {plugin: linear, needs: relabel, in: [dataset.dev]}\n"
           "                                   ^~~~~~~\n"
           "  train and evaluate, and all that they need, are measured first; analyses and "
           "proposals follow from that\n"
           "flywheel.yaml:4:48: error: a train stage may not read dataset.dev\n"
           "    train: {plugin: linear, needs: relabel, in: [dataset.dev]}\n"
           "                                                 ^~~~~~~~~~~\n"
           "  the samples it is judged by must stay unseen\n"
           "flywheel.yaml:5:37: error: no stage is named 'trian'\n"
           "    evaluate: {plugin: linear, model: trian}\n"
           "                                      ^~~~~\n"
           "  did you mean 'train'?\n"
           "flywheel.yaml:10:13: error: no stage is named 'analise'\n"
           "      needs: [analise]\n"
           "              ^~~~~~~\n"
           "  did you mean 'analyse'?\n"
           "flywheel.yaml:12:10: error: dataset.test is sealed\n"
           "        a: dataset.test\n"
           "           ^~~~~~~~~~~~\n"
           "  no stage reads it but the final evaluation, once, after the run has stopped; use "
           "dataset.dev\n"
           "flywheel.yaml:13:10: error: the dataset has no part 'valid'\n"
           "        b: dataset.valid\n"
           "           ^~~~~~~~~~~~~\n"
           "  write dataset.train, dataset.dev or dataset.all (train and dev); a file of that name "
           "is './dataset.valid'\n"
           "flywheel.yaml:14:10: error: no stage is named 'tarin'\n"
           "        c: tarin.model\n"
           "           ^~~~~~~~~~~\n"
           "  did you mean 'train.model'? For a file of that name write './tarin.model'\n"
           "flywheel.yaml:15:10: error: stage 'train' has no output 'modle'\n"
           "        d: train.modle\n"
           "           ^~~~~~~~~~~\n"
           "  it has: model\n"
           "flywheel.yaml:17:10: error: which output of stage 'show2'?\n"
           "        f: show2\n"
           "           ^~~~~\n"
           "  it has: x, y\n");
}

static void test_choices(void **state)
{
    (void)state;
    refuse(HEAD "stages:\n"
                "  train: {plugin: linear, folds: 3, matrix: {a: [1, 2]}}\n"
                "  evaluate: {plugin: linear}\n"
                "  analyse: {plugin: analyse}\n"
                "  more: {plugin: analyse}\n"
                "  relabel: {plugin: labelling, with: {budget: 1}}\n"
                "  collect: {plugin: pool, with: {path: p}, needs: more}\n",
           "flywheel.yaml:4:3: error: 'train' has folds and a matrix: only one of them is "
           "possible\n"
           "    train: {plugin: linear, folds: 3, matrix: {a: [1, 2]}}\n"
           "    ^~~~~\n"
           "flywheel.yaml:4:3: error: 'train' has a matrix, and its model is the one held fixed\n"
           "    train: {plugin: linear, folds: 3, matrix: {a: [1, 2]}}\n"
           "    ^~~~~\n"
           "  use seeds: for repeated training, or a second train stage for variants\n"
           "flywheel.yaml:8:3: error: which error-analysis does 'relabel' follow?\n"
           "    relabel: {plugin: labelling, with: {budget: 1}}\n"
           "    ^~~~~~~\n"
           "  say it with needs: NAME\n");
    refuse(HEAD "stages: {train: {plugin: linear}}\n",
           "flywheel.yaml: error: there is no evaluate stage\n"
           "  add one, or nothing can be scored: evaluate: {plugin: NAME}\n");
    refuse(HEAD "stages: {evaluate: {plugin: linear}}\n",
           "flywheel.yaml:3:10: error: 'evaluate' evaluates, and there is no train stage\n"
           "  stages: {evaluate: {plugin: linear}}\n"
           "           ^~~~~~~~\n"
           "  add a stage of kind: train\n");
}

/* Ten thousand stages in a chain: no recursion, no quadratic work. */
static void test_long_chain(void **state)
{
    (void)state;
    struct fw_buf text = {0};
    struct fw_err err = {0};
    struct fw_graph *g = NULL;
    fw_buf_puts(&text, HEAD "stages:\n");
    for (int i = 0; i < 10000; i++)
        fw_buf_printf(&text, "  s%d: {command: c, in: [s%d.o], out: [o]}\n", i, i + 1);
    fw_buf_puts(&text, "  s10000: {command: c, out: [o]}\n");
    int64_t start = fw_clock_ms();
    struct fw_plan *p = plan_of(text.p);
    assert_int_equal(fw_graph_expand(p, FW_PHASE_IMPROVE, &g, &err), FW_OK);
    assert_in_range(fw_clock_ms() - start, 0, 10000);
    assert_int_equal(g->n, 10001);
    assert_string_equal(g->nodes[0].name, "s10000");
    assert_string_equal(g->nodes[10000].name, "s0");
    fw_graph_free(g);
    fw_plan_free(p);
    fw_buf_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_turn),    cmocka_unit_test(test_nodes_carry_their_part),
        cmocka_unit_test(test_custom_stages), cmocka_unit_test(test_fan_out),
        cmocka_unit_test(test_cycles),        cmocka_unit_test(test_names_and_phases),
        cmocka_unit_test(test_choices),       cmocka_unit_test(test_long_chain),
        cmocka_unit_test(test_curve),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
