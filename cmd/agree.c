#include "cmd/agree.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"
#include "pipeline/base/csv.h"
#include "pipeline/base/fs.h"
#include "stages/data/predictions.h"

static const char help[] =
    "usage: flywheel agree FILE... [--gold FILE|COLUMN] [--method METHOD] [--out FILE] [--json]\n\n"
    "How well several labellers agree, what their answers say together, how good each labeller is, "
    "and\n"
    "which labelling instructions need rewriting. FILE is a long table of task, labeller and "
    "class: "
    "CSV,\n"
    "TSV or JSON lines ({\"task\", \"labeller\", \"label\"}, or samples with \"labels\": [{\"by\", "
    "\"label\"}]);\n"
    "- is the standard input. When a labeller answered a task twice, the last answer counts.\n\n"
    "      --task COLUMN      a name in the header (or JSON key), or a number from 1 without a "
    "header;\n"
    "      --labeller COLUMN  by default task, item or id; labeller, worker or annotator; label "
    "or\n"
    "      --label COLUMN     class\n"
    "      --weight COLUMN    weights of the answers, for the two votes\n"
    "      --gold FILE|COLUMN true classes: a file with task and label, or a column of FILE "
    "(default:\n"
    "                         the column gold or truth, if there is one)\n"
    "      --sep CHAR         the separator (default: tab, comma or semicolon, as in the first "
    "line)\n"
    "      --header           the first line is a header though the columns are numbered\n"
    "      --no-header        the first line is data\n"
    "      --classes A,B,...  all classes, in order (default: those that occur)\n"
    "      --scale SCALE      of Krippendorff's alpha: nominal (default), ordinal, interval; the "
    "order of\n"
    "                         the classes is that of --classes, of their numbers, or of the "
    "alphabet\n"
    "      --method METHOD    majority, weighted, one-coin, mace, dawid-skene, crowdlab, or auto "
    "(default):\n"
    "                         chosen on the gold items when there are 20, else by the number of "
    "answers\n"
    "      --probs FILE       a model's out-of-fold predictions of the tasks, for crowdlab\n"
    "      --out FILE         write the consensus as CSV: task, label, confidence, answers, agree\n"
    "      --target X         alpha below which a pair of classes is reported (default 0.8)\n"
    "      --top N            rows of each table (default 10; 0: all)\n"
    "      --resamples N      of the bootstrap over tasks (default 1000; 0: no intervals)\n"
    "      --seed N           of all that is random (default 1)\n"
    "      --min-alpha X      exit with 1 when alpha is below X, or undefined\n"
    "      --min-accuracy X   exit with 1 when the consensus is right on less than X of the gold "
    "items\n"
    "      --json             as JSON, with all rows (of pairs of labellers the 100 of the lowest "
    "kappa)\n";

struct options {
    const char *task, *labeller, *label, *weight, *gold, *sep, *classes, *scale, *method, *probs,
        *out, *min_alpha, *min_accuracy, *target;
    bool header, no_header, json;
    int top, resamples, seed;
};

static int usage(const char *text, const char *value)
{
    fprintf(stderr, "flywheel agree: ");
    fprintf(stderr, text, value);
    fputs("; see `flywheel agree --help`\n", stderr);
    return FW_EXIT_USAGE;
}

/* NaN when not given; false when it is no number. */
static bool number(const char *text, double *out)
{
    char *end;
    *out = NAN;
    if (!text)
        return true;
    *out = strtod(text, &end);
    return end != text && !*end && isfinite(*out);
}

static int set_classes(struct fw_annotations *a, const char *list, struct fw_err *err)
{
    const char *names[4096];
    size_t n = 0;
    char *copy = strdup(list), *at = copy, *comma;
    int rc = copy ? FW_OK : fw_err_nomem(err);
    for (bool more = rc == FW_OK; more && n < sizeof names / sizeof *names; n++) {
        comma = strchr(at, ',');
        more = comma != NULL;
        if (comma)
            *comma = '\0';
        names[n] = at;
        at = more ? comma + 1 : at;
    }
    if (rc == FW_OK)
        rc = fw_annotations_classes(a, names, n, err);
    if (rc != FW_OK)
        fw_err_wrap(err, "--classes");
    free(copy);
    return rc;
}

static int read_all(const struct options *o, char **files, int n, struct fw_annotations *a,
                    struct fw_err *err)
{
    bool gold_file = o->gold && fw_fs_exists(o->gold) && !fw_fs_is_dir(o->gold);
    struct fw_annotations_format f = {.task = o->task,
                                      .labeller = o->labeller,
                                      .klass = o->label,
                                      .gold = gold_file ? NULL : o->gold,
                                      .weight = o->weight,
                                      .sep = o->sep ? (strcmp(o->sep, "\\t") ? o->sep[0] : '\t')
                                                    : '\0',
                                      .header = o->header      ? 1
                                                : o->no_header ? 0
                                                               : -1};
    int rc = o->classes ? set_classes(a, o->classes, err) : FW_OK;
    for (int i = 0; i < n && rc == FW_OK; i++)
        if (strcmp(files[i], "-") != 0 && !fw_fs_exists(files[i]))
            rc = fw_err_set(err, FW_ENOTFOUND, "there is no file %s", files[i]);
    for (int i = 0; i < n && rc == FW_OK; i++)
        rc = fw_annotations_read(a, strcmp(files[i], "-") ? files[i] : "/dev/stdin", &f, err);
    if (rc == FW_OK && gold_file) {
        struct fw_annotations_format plain = {.header = -1};
        rc = fw_annotations_read_gold(a, o->gold, &plain, err);
    }
    if (rc == FW_OK && (rc = fw_annotations_index(a, err)) != FW_OK && n == 1)
        fw_err_wrap(err, "%s", files[0]);
    return rc;
}

/* The predictions as tasks × K; a task without one begins with NaN. */
static int read_probs(const char *path, struct agree *g, float **out, struct fw_err *err)
{
    const struct fw_annotations *a = g->a;
    struct fw_task_info task = {FW_CLASSIFICATION, a->class_names, a->classes};
    struct fw_predictions *p = NULL;
    int rc = fw_predictions_load(path, &task, &p, err);
    if (rc != FW_OK)
        return rc;
    float *probs = malloc((a->tasks * a->classes + 1) * sizeof *probs);
    if (!probs)
        rc = fw_err_nomem(err);
    g->predicted = true;
    for (size_t t = 0; rc == FW_OK && t < a->tasks; t++) {
        long at = fw_predictions_find(p, a->task_names[t]);
        float *row = probs + t * a->classes;
        if (at >= 0)
            memcpy(row, p->probs + (size_t)at * a->classes, a->classes * sizeof *row);
        else
            row[0] = NAN;
        g->unpredicted += at < 0;
    }
    if (rc == FW_OK && g->unpredicted == a->tasks) {
        rc = fw_err_set(err, FW_EINVAL, "%s predicts none of the tasks", path);
        fw_err_hint(err, "the ids of the predictions must be the names of the tasks");
        free(probs);
        probs = NULL;
    }
    fw_predictions_free(p);
    if (rc == FW_OK)
        *out = probs;
    return rc;
}

static const struct fw_aggregate *sorted_by;

static int worst_first(const void *x, const void *y)
{
    const struct agree_labeller *a = x, *b = y;
    double p = sorted_by->high[a->labeller], q = sorted_by->high[b->labeller];
    return p != q ? (p > q) - (p < q) : (a->labeller > b->labeller) - (a->labeller < b->labeller);
}

static int rate_labellers(struct agree *g, struct fw_err *err)
{
    const struct fw_annotations *a = g->a;
    const struct fw_aggregate *r = &g->result;
    double agree = 0, n = 0;
    g->labellers = calloc(a->labellers + 1, sizeof *g->labellers);
    if (!g->labellers)
        return fw_err_nomem(err);
    for (size_t c = 0; c < r->k; c++)
        g->guess = fmax(g->guess, r->prior[c]);
    for (size_t w = 0; w < a->labellers; w++)
        if (r->shared[w]) {
            agree += r->quality[w] * (double)r->shared[w];
            n += (double)r->shared[w];
        }
    g->mean_quality = n > 0 ? agree / n : NAN;
    for (size_t w = 0; w < a->labellers; w++) {
        struct agree_labeller *l = &g->labellers[w];
        double right = 0;
        l->labeller = w;
        for (size_t i = a->labeller_at[w]; a->gold && i < a->labeller_at[w + 1]; i++)
            if (a->gold[a->task[i]] >= 0) {
                l->n_gold++;
                right += a->gold[a->task[i]] == a->answer[i];
            }
        l->gold = l->n_gold ? right / (double)l->n_gold : NAN;
        l->guesses =
            r->shared[w] && r->k > 1 && r->low[w] <= g->guess && r->high[w] < g->mean_quality;
        l->below = r->shared[w] && r->high[w] < g->mean_quality;
    }
    sorted_by = r;
    qsort(g->labellers, a->labellers, sizeof *g->labellers, worst_first);
    return FW_OK;
}

static int lowest_kappa(const void *x, const void *y)
{
    const struct fw_labeller_pair *p = x, *q = y;
    if (isnan(p->kappa) != isnan(q->kappa))
        return isnan(p->kappa) ? 1 : -1;
    if (p->kappa != q->kappa && !isnan(p->kappa))
        return p->kappa < q->kappa ? -1 : 1;
    return p->a != q->a ? (p->a > q->a) - (p->a < q->a) : (p->b > q->b) - (p->b < q->b);
}

/* Left out where it would take minutes: the same thousands of labellers at every task. */
static int compare_labellers(struct agree *g, enum fw_scale scale, struct fw_err *err)
{
    static const enum fw_kappa_weight weights[] = {FW_KAPPA_PLAIN, FW_KAPPA_LINEAR,
                                                   FW_KAPPA_QUADRATIC};
    double kappas = 0, tasks = 0, work = 0;
    g->min_common = 10;
    g->mean_kappa = NAN;
    for (size_t t = 0; t < g->a->tasks; t++) {
        double m = (double)(g->a->task_at[t + 1] - g->a->task_at[t]);
        work += m * m;
    }
    if (work > 2e9)
        return FW_OK;
    int rc = fw_labeller_pairs(g->a, g->min_common, weights[scale], &g->pairs, &g->n_pairs, err);
    for (size_t i = 0; rc == FW_OK && i < g->n_pairs; i++)
        if (!isnan(g->pairs[i].kappa)) {
            kappas += g->pairs[i].kappa * (double)g->pairs[i].tasks;
            tasks += (double)g->pairs[i].tasks;
        }
    if (tasks > 0)
        g->mean_kappa = kappas / tasks;
    if (rc == FW_OK)
        qsort(g->pairs, g->n_pairs, sizeof *g->pairs, lowest_kappa);
    return rc;
}

static int compute(const struct options *o, enum fw_scale scale, enum fw_method method,
                   double target, struct agree *g, struct fw_err *err)
{
    struct fw_agreement_options how = {.scale = scale,
                                       .level = 0.95,
                                       .target = target,
                                       .resamples = (size_t)o->resamples,
                                       .seed = (uint64_t)o->seed};
    struct fw_aggregate_options settings;
    float *probs = NULL;
    fw_aggregate_defaults(&settings);
    settings.seed = (uint64_t)o->seed;
    int rc = o->probs ? read_probs(o->probs, g, &probs, err) : FW_OK;
    settings.probs = probs;
    if (rc == FW_OK)
        rc = fw_agreement(g->a, &how, &g->agreement, err);
    if (rc == FW_OK && g->forced) {
        rc = fw_aggregate(g->a, method, &settings, &g->result, err);
        if (rc == FW_OK) {
            g->choice.chosen = g->choice.best = method;
            g->choice.n_gold = g->a->n_gold;
            g->choice.why = "as asked";
            g->choice.accuracy = fw_gold_accuracy(g->a, g->result.klass, &g->choice.se);
            g->choice.cv_accuracy = g->choice.cv_se = NAN;
        }
    } else if (rc == FW_OK) {
        rc = fw_choose(g->a, &settings, settings.seed, &g->choice, &g->result, err);
    }
    if (rc == FW_OK)
        rc = compare_labellers(g, scale, err);
    if (rc == FW_OK)
        rc = fw_guidelines(g->a, &g->agreement, 2, SIZE_MAX, &g->guidelines, &g->n_guidelines, err);
    if (rc == FW_OK)
        rc = rate_labellers(g, err);
    free(probs);
    return rc;
}

static int write_consensus(const struct agree *g, const char *path, struct fw_err *err)
{
    const struct fw_annotations *a = g->a;
    struct fw_buf out = {0};
    fw_buf_puts(&out, "task,label,confidence,answers,agree\n");
    for (size_t t = 0; t < a->tasks; t++) {
        const char *name = a->task_names[t], *klass = a->class_names[g->result.klass[t]];
        size_t same = 0;
        for (size_t i = a->task_at[t]; i < a->task_at[t + 1]; i++)
            same += a->klass[i] == g->result.klass[t];
        fw_csv_put(&out, name, strlen(name), ',');
        fw_buf_putc(&out, ',');
        fw_csv_put(&out, klass, strlen(klass), ',');
        fw_buf_printf(&out, ",%.6g,%zu,%zu\n", (double)g->result.confidence[t],
                      a->task_at[t + 1] - a->task_at[t], same);
    }
    int rc = out.failed ? fw_err_nomem(err) : fw_fs_write_atomic(path, out.p, out.len, err);
    fw_buf_release(&out);
    return rc;
}

/* 0, or 1 with a word on stderr. */
static int judge(const struct agree *g, double min_alpha, double min_accuracy)
{
    int code = FW_EXIT_OK;
    if (!isnan(min_alpha) && !(g->agreement.alpha.value >= min_alpha)) {
        if (isnan(g->agreement.alpha.value))
            fprintf(stderr,
                    "alpha is not defined, so not %g: no task has answers that could differ\n",
                    min_alpha);
        else
            fprintf(stderr, "alpha %.4f is below %g\n", g->agreement.alpha.value, min_alpha);
        code = FW_EXIT_FAILED;
    }
    if (!isnan(min_accuracy) && !(g->choice.accuracy >= min_accuracy)) {
        fprintf(stderr, "accuracy on gold %.4f is below %g\n", g->choice.accuracy, min_accuracy);
        code = FW_EXIT_FAILED;
    }
    return code;
}

/* JSON holds UTF-8 alone. */
static int check_names(const struct fw_annotations *a, struct fw_err *err)
{
    const struct {
        const char *const *names;
        size_t n;
        const char *what;
    } all[] = {{a->task_names, a->tasks, "task"},
               {a->labeller_names, a->labellers, "labeller"},
               {a->class_names, a->classes, "class"}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        for (size_t j = 0; j < all[i].n; j++) {
            json_t *text = json_string(all[i].names[j]);
            json_decref(text);
            if (!text) {
                fw_err_set(err, FW_EINVAL, "the name of %s %zu is not UTF-8", all[i].what, j + 1);
                return fw_err_hint(err, "convert the file, for example with iconv, or do without "
                                        "--json");
            }
        }
    return FW_OK;
}

static void release(struct agree *g)
{
    fw_agreement_release(&g->agreement);
    fw_aggregate_release(&g->result);
    free(g->guidelines);
    free(g->pairs);
    free(g->labellers);
    fw_annotations_free(g->a);
}

static int parse_scale(const char *text, enum fw_scale *out)
{
    static const char *const names[] = {"nominal", "ordinal", "interval"};
    for (int i = 0; i < 3; i++)
        if (!text || !strcmp(text, names[i])) {
            *out = (enum fw_scale)i;
            return 0;
        }
    return -1;
}

int cmd_agree(int argc, char **argv)
{
    struct options o = {.top = 10, .resamples = 1000, .seed = 1};
    const struct cmd_opt opts[] = {{"task", 0, CMD_TEXT, &o.task},
                                   {"labeller", 0, CMD_TEXT, &o.labeller},
                                   {"label", 0, CMD_TEXT, &o.label},
                                   {"weight", 0, CMD_TEXT, &o.weight},
                                   {"gold", 0, CMD_TEXT, &o.gold},
                                   {"sep", 0, CMD_TEXT, &o.sep},
                                   {"header", 0, CMD_FLAG, &o.header},
                                   {"no-header", 0, CMD_FLAG, &o.no_header},
                                   {"classes", 0, CMD_TEXT, &o.classes},
                                   {"scale", 0, CMD_TEXT, &o.scale},
                                   {"method", 0, CMD_TEXT, &o.method},
                                   {"probs", 0, CMD_TEXT, &o.probs},
                                   {"out", 0, CMD_TEXT, &o.out},
                                   {"target", 0, CMD_TEXT, &o.target},
                                   {"top", 0, CMD_INT, &o.top},
                                   {"resamples", 0, CMD_INT, &o.resamples},
                                   {"seed", 0, CMD_INT, &o.seed},
                                   {"min-alpha", 0, CMD_TEXT, &o.min_alpha},
                                   {"min-accuracy", 0, CMD_TEXT, &o.min_accuracy},
                                   {"json", 0, CMD_FLAG, &o.json},
                                   {0}};
    struct agree g = {0};
    struct fw_err err = {0};
    enum fw_scale scale = FW_NOMINAL;
    enum fw_method method = FW_MAJORITY;
    double min_alpha, min_accuracy, target;
    int n = 0, got = cmd_parse(argc, argv, opts, help, 1000, &n);
    if (got)
        return got > 0 ? FW_EXIT_OK : FW_EXIT_USAGE;
    if (n == 0)
        return usage("which file of answers%s?", "");
    if (parse_scale(o.scale, &scale))
        return usage("--scale is nominal, ordinal or interval, not '%s'", o.scale);
    g.forced = o.method && strcmp(o.method, "auto") != 0;
    if (g.forced && fw_method_parse(o.method, &method) != FW_OK)
        return usage("there is no method '%s'", o.method);
    if (o.sep && strlen(o.sep) != 1 && strcmp(o.sep, "\\t") != 0)
        return usage("--sep is one character (or \\t), not '%s'", o.sep);
    if (o.header && o.no_header)
        return usage("--header and --no-header exclude each other%s", "");
    if (!number(o.min_alpha, &min_alpha) || !number(o.min_accuracy, &min_accuracy) ||
        !number(o.target, &target))
        return usage("--min-alpha, --min-accuracy and --target want numbers%s", "");
    if (target > 1)
        return usage("--target is an alpha, at most 1%s", "");
    if (g.forced && method == FW_CROWDLAB && !o.probs)
        return usage("--method crowdlab needs --probs%s", "");
    g.a = fw_annotations_new();
    int rc = g.a ? read_all(&o, argv + 1, n, g.a, &err) : fw_err_nomem(&err);
    if (rc == FW_OK && o.gold && !g.a->n_gold) {
        rc = fw_err_set(&err, FW_EINVAL, "--gold %s says nothing of any task that was answered",
                        o.gold);
        fw_err_hint(&err, "the tasks must have the same names in both");
    }
    if (rc == FW_OK && !isnan(min_accuracy) && !g.a->n_gold) {
        rc = fw_err_set(&err, FW_EINVAL, "--min-accuracy needs gold items");
        fw_err_hint(&err, "give a file or a column with --gold");
    }
    if (rc == FW_OK && o.json)
        rc = check_names(g.a, &err);
    if (rc == FW_OK)
        rc = compute(&o, scale, method, isnan(target) ? 0.8 : target, &g, &err);
    if (rc == FW_OK && o.out)
        rc = write_consensus(&g, o.out, &err);
    int code = rc == FW_OK ? FW_EXIT_OK : cmd_fail(&err);
    if (rc == FW_OK && o.json)
        code = cmd_print_json(agree_json(&g));
    else if (rc == FW_OK)
        agree_print(&g, o.top ? (size_t)o.top : SIZE_MAX);
    if (code == FW_EXIT_OK)
        code = judge(&g, min_alpha, min_accuracy);
    release(&g);
    return code;
}
