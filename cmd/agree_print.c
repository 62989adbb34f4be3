/* The tables and the JSON of `flywheel agree`. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cmd/agree.h"
#include "cmd/cmd.h"

static const char *const scales[] = {"nominal", "ordinal", "interval"};

static const char *with_interval(struct fw_interval v, char *out, size_t size)
{
    if (isnan(v.value))
        snprintf(out, size, "-");
    else if (isnan(v.low))
        snprintf(out, size, "%.3f", v.value);
    else
        snprintf(out, size, "%.3f [%.3f, %.3f]", v.value, v.low, v.high);
    return out;
}

static const char *with_error(double v, double se, char *out, size_t size)
{
    if (isnan(v))
        snprintf(out, size, "-");
    else
        snprintf(out, size, "%.4f ± %.4f", v, se);
    return out;
}

static const char *count(size_t n, char *out, size_t size)
{
    snprintf(out, size, "%zu", n);
    return out;
}

static void more(size_t n, size_t top)
{
    if (n > top)
        printf("  and %zu more\n", n - top);
}

static void print_agreement(const struct agree *g)
{
    const struct fw_agreement *s = &g->agreement;
    struct cmd_table t = {0};
    char a[64];
    printf("\nagreement (%zu tasks with several answers%s)\n", s->tasks,
           s->resamples ? "; 95 % intervals over tasks" : "");
    if (!s->tasks) {
        puts("  no task has two answers, so nothing is known about agreement");
        return;
    }
    cmd_table_row(&t, 2, "measure", "value");
    cmd_table_row(&t, 2, "percent agreement", with_interval(s->percent, a, sizeof a));
    cmd_table_row(&t, 2, "Fleiss' kappa", with_interval(s->fleiss, a, sizeof a));
    char name[64];
    snprintf(name, sizeof name, "Krippendorff's alpha, %s", scales[s->scale]);
    cmd_table_row(&t, 2, name, with_interval(s->alpha, a, sizeof a));
    if (g->n_pairs) {
        char mean[64], label[96];
        snprintf(mean, sizeof mean, "%.3f", g->mean_kappa);
        snprintf(label, sizeof label, "Cohen's kappa%s, mean of %zu pairs of labellers",
                 s->scale == FW_NOMINAL   ? ""
                 : s->scale == FW_ORDINAL ? " (linear)"
                                          : " (quadratic)",
                 g->n_pairs);
        cmd_table_row(&t, 2, label, isnan(g->mean_kappa) ? "-" : mean);
    }
    cmd_table_print(&t, "  ");
    if (isnan(s->alpha.value))
        puts("  alpha is undefined: all answers are one class, which chance would explain too");
}

static void print_classes(const struct agree *g, size_t top)
{
    const struct fw_agreement *s = &g->agreement;
    struct cmd_table t = {0};
    char b[3][64], p[64];
    puts("\nby class, against the rest");
    cmd_table_row(&t, 5, "class", "answers", "contradicted", "alpha", "share in the consensus");
    for (size_t c = 0; c < s->n_classes && c < top; c++) {
        const struct fw_class_agreement *k = &s->classes[c];
        snprintf(b[0], sizeof b[0], "%.0f", k->answers);
        snprintf(b[1], sizeof b[1], k->answers > 0 ? "%.1f %%" : "-",
                 100 * k->disagree / k->answers);
        snprintf(p, sizeof p, "%.1f %%", 100 * g->result.prior[c]);
        cmd_table_row(&t, 5, g->a->class_names[c], b[0], b[1],
                      with_interval(k->alpha, b[2], sizeof b[2]), p);
    }
    cmd_table_print(&t, "  ");
    more(s->n_classes, top);
}

static void print_pairs(const struct agree *g, size_t top)
{
    const struct fw_agreement *s = &g->agreement;
    struct cmd_table t = {0};
    char b[4][64];
    if (!s->n_pairs || s->n_classes < 3)
        return;
    puts("\nconfused classes");
    cmd_table_row(&t, 5, "classes", "of all disagreement", "tasks", "alpha of the two",
                  "too many answers");
    for (size_t i = 0; i < s->n_pairs && i < top; i++) {
        const struct fw_pair_agreement *p = &s->pairs[i];
        char names[256];
        snprintf(names, sizeof names, "%.100s / %.100s", g->a->class_names[p->a],
                 g->a->class_names[p->b]);
        snprintf(b[0], sizeof b[0], "%.1f %%", 100 * p->share);
        snprintf(b[1], sizeof b[1], "%.1f", p->excess > 0 ? p->excess : 0);
        cmd_table_row(&t, 5, names, b[0], count(p->tasks, b[2], sizeof b[2]),
                      with_interval(p->alpha, b[3], sizeof b[3]), b[1]);
    }
    cmd_table_print(&t, "  ");
    more(s->n_pairs, top);
}

static void print_choice(const struct agree *g)
{
    const struct fw_choice *c = &g->choice;
    const struct fw_aggregate *r = &g->result;
    char a[64], b[64];
    printf("\nconsensus by %s: %s\n", fw_method_name(c->chosen), c->why);
    if (c->by_gold) {
        struct cmd_table t = {0};
        cmd_table_row(&t, 4, "method", "accuracy on gold", "behind the best", "");
        for (int m = 0; m < FW_METHODS; m++)
            if (c->methods[m].tried)
                cmd_table_row(
                    &t, 4, fw_method_name((enum fw_method)m),
                    with_error(c->methods[m].accuracy, c->methods[m].se, a, sizeof a),
                    with_error(c->methods[m].behind, c->methods[m].behind_se, b, sizeof b),
                    m == (int)c->chosen ? "chosen"
                    : m == (int)c->best ? "best"
                                        : "");
        cmd_table_print(&t, "  ");
        printf("  %zu gold items (± one standard error); choosing so, cross-validated: %s\n",
               c->n_gold, with_error(c->cv_accuracy, c->cv_se, a, sizeof a));
    } else if (c->n_gold) {
        printf("  right on %s of %zu gold items\n", with_error(c->accuracy, c->se, a, sizeof a),
               c->n_gold);
    } else if (!g->forced) {
        puts("  no gold items: this is an assumption; give some with --gold and it is measured");
    }
    if (!isnan(r->log_likelihood))
        printf("  %zu iterations%s, log likelihood %.2f%s\n", r->iterations,
               r->converged ? "" : " (not converged)", r->log_likelihood,
               r->restarts ? ", restarted after a class collapsed" : "");
    if (!isnan(r->model_weight))
        printf("  the model weighs as much as %.2f perfect labellers%s\n", r->model_weight,
               g->unpredicted ? "; some tasks have no prediction" : "");
}

static void print_labellers(const struct agree *g, size_t top)
{
    const struct fw_aggregate *r = &g->result;
    struct cmd_table t = {0};
    char b[4][64];
    size_t flagged = 0;
    for (size_t i = 0; i < g->a->labellers; i++)
        flagged += g->labellers[i].below;
    printf("\nlabellers, worst first: %zu of %zu below the mean of %.3f", flagged, g->a->labellers,
           g->mean_quality);
    printf("\n  (agreement with the consensus on tasks that others answered too; always answering "
           "the\n  commonest class would reach %.3f)\n",
           g->guess);
    cmd_table_row(&t, g->a->gold ? 5 : 4, "labeller", "answers", "agrees",
                  g->a->gold ? "right on gold" : "", "");
    for (size_t i = 0; i < g->a->labellers && i < top; i++) {
        const struct agree_labeller *l = &g->labellers[i];
        size_t w = l->labeller;
        struct fw_interval q = {r->quality[w], r->low[w], r->high[w]};
        if (l->n_gold)
            snprintf(b[2], sizeof b[2], "%.3f of %zu", l->gold, l->n_gold);
        const char *flag = l->guesses ? "may be guessing" : l->below ? "below the mean" : "";
        cmd_table_row(&t, g->a->gold ? 5 : 4, g->a->labeller_names[w],
                      count(g->a->labeller_at[w + 1] - g->a->labeller_at[w], b[0], sizeof b[0]),
                      with_interval(q, b[1], sizeof b[1]),
                      !g->a->gold ? flag
                      : l->n_gold ? b[2]
                                  : "-",
                      flag);
    }
    cmd_table_print(&t, "  ");
    more(g->a->labellers, top);
}

static void print_labeller_pairs(const struct agree *g, size_t top)
{
    struct cmd_table t = {0};
    char b[3][64];
    if (g->n_pairs < 2)
        return;
    printf("\nlabellers who agree least, of pairs with at least %zu tasks in common\n",
           g->min_common);
    cmd_table_row(&t, 4, "labellers", "tasks", "agree", "Cohen's kappa");
    for (size_t i = 0; i < g->n_pairs && i < top; i++) {
        const struct fw_labeller_pair *p = &g->pairs[i];
        char names[256];
        snprintf(names, sizeof names, "%.100s / %.100s", g->a->labeller_names[p->a],
                 g->a->labeller_names[p->b]);
        snprintf(b[0], sizeof b[0], "%.3f", p->agree);
        snprintf(b[1], sizeof b[1], isnan(p->kappa) ? "-" : "%.3f", p->kappa);
        cmd_table_row(&t, 4, names, count(p->tasks, b[2], sizeof b[2]), b[0], b[1]);
    }
    cmd_table_print(&t, "  ");
    more(g->n_pairs, top);
}

static void print_guidelines(const struct agree *g, size_t top)
{
    if (!g->agreement.tasks)
        return;
    if (!g->n_guidelines) {
        printf("\nno pair of classes has an alpha below %g with support: the instructions hold\n",
               g->agreement.target);
        return;
    }
    printf("\ninstructions to rewrite (alpha of the two classes below %g), with tasks to write "
           "about\n",
           g->agreement.target);
    for (size_t i = 0; i < g->n_guidelines && i < top; i++) {
        const struct fw_guideline *l = &g->guidelines[i];
        const char *a = g->a->class_names[l->pair->a], *b = g->a->class_names[l->pair->b];
        char v[64];
        printf("  %zu. %s / %s: alpha %s, %zu tasks%s\n", i + 1, a, b,
               with_interval(l->pair->alpha, v, sizeof v), l->pair->tasks,
               l->sure || isnan(l->pair->alpha.high) ? "" : "; may be chance");
        for (size_t e = 0; e < l->n_examples; e++)
            printf("       %s: %u × %s, %u × %s%s\n", g->a->task_names[l->example[e].task],
                   l->example[e].a, a, l->example[e].b, b,
                   l->example[e].answers > l->example[e].a + l->example[e].b ? ", others" : "");
    }
    more(g->n_guidelines, top);
}

void agree_print(const struct agree *g, size_t top)
{
    const struct fw_annotations *a = g->a;
    printf("%zu answers by %zu labellers to %zu tasks, %zu classes, %.1f answers a task", a->n,
           a->labellers, a->tasks, a->classes, (double)a->n / (double)a->tasks);
    if (a->n_gold)
        printf(", %zu gold items", a->n_gold);
    putchar('\n');
    if (a->repeats)
        printf("%zu answer%s replaced by the same labeller's later one to the same task\n",
               a->repeats, a->repeats == 1 ? " was" : "s were");
    print_agreement(g);
    if (g->agreement.tasks) {
        print_classes(g, top);
        print_pairs(g, top);
    }
    print_choice(g);
    if (g->agreement.tasks)
        print_labellers(g, top);
    print_labeller_pairs(g, top);
    print_guidelines(g, top);
}

/* JSON has no NaN: null. */
static json_t *real(double v)
{
    return isfinite(v) ? json_real(v) : json_null();
}

static json_t *interval(struct fw_interval v)
{
    return json_pack("{s:o, s:o, s:o}", "value", real(v.value), "low", real(v.low), "high",
                     real(v.high));
}

static json_t *classes_json(const struct agree *g)
{
    json_t *list = json_array();
    for (size_t c = 0; c < g->agreement.n_classes; c++) {
        const struct fw_class_agreement *k = &g->agreement.classes[c];
        json_array_append_new(list, json_pack("{s:s, s:o, s:o, s:I, s:o, s:o}", "class",
                                              g->a->class_names[c], "answers", real(k->answers),
                                              "disagree", real(k->disagree), "tasks",
                                              (json_int_t)k->tasks, "alpha", interval(k->alpha),
                                              "share", real(g->result.prior[c])));
    }
    return list;
}

static json_t *pair_json(const struct agree *g, const struct fw_pair_agreement *p)
{
    return json_pack("{s:[s, s], s:o, s:o, s:o, s:I, s:o}", "classes", g->a->class_names[p->a],
                     g->a->class_names[p->b], "disagree", real(p->disagree), "share",
                     real(p->share), "excess", real(p->excess), "tasks", (json_int_t)p->tasks,
                     "alpha", interval(p->alpha));
}

static json_t *guidelines_json(const struct agree *g)
{
    json_t *list = json_array();
    for (size_t i = 0; i < g->n_guidelines; i++) {
        const struct fw_guideline *l = &g->guidelines[i];
        json_t *one = pair_json(g, l->pair), *examples = json_array();
        for (size_t e = 0; e < l->n_examples; e++)
            json_array_append_new(examples, json_pack("{s:s, s:I, s:[I, I]}", "task",
                                                      g->a->task_names[l->example[e].task],
                                                      "answers", (json_int_t)l->example[e].answers,
                                                      "votes", (json_int_t)l->example[e].a,
                                                      (json_int_t)l->example[e].b));
        json_object_set_new(one, "sure", json_boolean(l->sure));
        json_object_set_new(one, "examples", examples);
        json_array_append_new(list, one);
    }
    return list;
}

enum { MATRIX = 20 }; /* classes up to which the labellers' confusion matrices are given */

/* Rows: the class by the consensus; columns: the answers, as expected counts. */
static json_t *confusion_json(const struct agree *g, size_t w)
{
    size_t k = g->result.k;
    double m[MATRIX * MATRIX];
    json_t *rows = json_array();
    fw_labeller_confusion(g->a, g->result.posterior, w, m);
    for (size_t c = 0; c < k; c++) {
        json_t *row = json_array();
        for (size_t l = 0; l < k; l++)
            json_array_append_new(row, real(m[c * k + l]));
        json_array_append_new(rows, row);
    }
    return rows;
}

static json_t *labellers_json(const struct agree *g)
{
    const struct fw_aggregate *r = &g->result;
    json_t *list = json_array();
    for (size_t i = 0; i < g->a->labellers; i++) {
        const struct agree_labeller *l = &g->labellers[i];
        size_t w = l->labeller;
        struct fw_interval q = {r->quality[w], r->low[w], r->high[w]};
        json_t *one = json_pack(
            "{s:s, s:I, s:I, s:o, s:b, s:b, s:o, s:I}", "labeller", g->a->labeller_names[w],
            "answers", (json_int_t)(g->a->labeller_at[w + 1] - g->a->labeller_at[w]), "shared",
            (json_int_t)r->shared[w], "quality", interval(q), "below_mean", l->below, "may_guess",
            l->guesses, "gold_accuracy", real(l->gold), "gold", (json_int_t)l->n_gold);
        if (r->k <= MATRIX)
            json_object_set_new(one, "confusion", confusion_json(g, w));
        json_array_append_new(list, one);
    }
    return list;
}

static json_t *choice_json(const struct agree *g)
{
    const struct fw_choice *c = &g->choice;
    const struct fw_aggregate *r = &g->result;
    json_t *methods = json_object();
    for (int m = 0; c->by_gold && m < FW_METHODS; m++)
        if (c->methods[m].tried)
            json_object_set_new(
                methods, fw_method_name((enum fw_method)m),
                json_pack("{s:o, s:o, s:o, s:o}", "accuracy", real(c->methods[m].accuracy), "se",
                          real(c->methods[m].se), "behind", real(c->methods[m].behind), "behind_se",
                          real(c->methods[m].behind_se)));
    json_t *out = json_pack("{s:s, s:s, s:b, s:I, s:o, s:o, s:o, s:o, s:o}", "method",
                            fw_method_name(c->chosen), "why", c->why, "by_gold", c->by_gold, "gold",
                            (json_int_t)c->n_gold, "accuracy", real(c->accuracy), "accuracy_se",
                            real(c->se), "cv_accuracy", real(c->cv_accuracy), "cv_accuracy_se",
                            real(c->cv_se), "methods", methods);
    if (c->by_gold)
        json_object_set_new(out, "best", json_string(fw_method_name(c->best)));
    json_object_set_new(out, "iterations", json_integer((json_int_t)r->iterations));
    json_object_set_new(out, "restarts", json_integer((json_int_t)r->restarts));
    json_object_set_new(out, "converged", json_boolean(r->converged));
    json_object_set_new(out, "log_likelihood", real(r->log_likelihood));
    if (g->predicted) {
        json_object_set_new(out, "model_weight", real(r->model_weight));
        json_object_set_new(out, "unpredicted", json_integer((json_int_t)g->unpredicted));
    }
    return out;
}

json_t *agree_json(const struct agree *g)
{
    const struct fw_annotations *a = g->a;
    const struct fw_agreement *s = &g->agreement;
    json_t *pairs = json_array(), *kappas = json_array();
    for (size_t i = 0; i < s->n_pairs; i++)
        json_array_append_new(pairs, pair_json(g, &s->pairs[i]));
    for (size_t i = 0; i < g->n_pairs && i < 100; i++)
        json_array_append_new(
            kappas,
            json_pack("{s:[s, s], s:I, s:o, s:o}", "labellers", a->labeller_names[g->pairs[i].a],
                      a->labeller_names[g->pairs[i].b], "tasks", (json_int_t)g->pairs[i].tasks,
                      "agree", real(g->pairs[i].agree), "kappa", real(g->pairs[i].kappa)));
    json_t *names = json_array();
    for (size_t c = 0; c < a->classes; c++)
        json_array_append_new(names, json_string(a->class_names[c]));
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I,"
                     " s:{s:s, s:I, s:I, s:o, s:o, s:o, s:o}, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
                     "answers", (json_int_t)a->n, "tasks", (json_int_t)a->tasks, "labellers",
                     (json_int_t)a->labellers, "classes", (json_int_t)a->classes, "repeats",
                     (json_int_t)a->repeats, "gold", (json_int_t)a->n_gold, "agreement", "scale",
                     scales[s->scale], "tasks", (json_int_t)s->tasks, "resamples",
                     (json_int_t)s->resamples, "percent", interval(s->percent), "fleiss_kappa",
                     interval(s->fleiss), "alpha", interval(s->alpha), "mean_cohen_kappa",
                     real(g->mean_kappa), "class_names", names, "by_class", classes_json(g),
                     "class_pairs", pairs, "labeller_pairs", kappas, "consensus", choice_json(g),
                     "by_labeller", labellers_json(g), "guidelines", guidelines_json(g));
}
