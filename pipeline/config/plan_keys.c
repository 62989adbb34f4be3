/* The keys of flywheel.yaml outside `stages`: tables first, then the readers they name. */
#include <math.h>
#include <string.h>

#include "pipeline/config/keys.h"
#include "pipeline/config/units.h"
#include "stages/error_analysis/slice.h"

#define AT(field) .offset = offsetof(struct fw_plan, field)
#define LIST(field, number) AT(field), .count = offsetof(struct fw_plan, number)

static const char *const task_words[] = {"classification", "regression", NULL};
static const char *const rule_words[] = {"spend", "ladder", "threshold", NULL};

/* The parser's column counts bytes of the text; the place counts characters of the file. */
void fw_check_condition(struct fw_load *l, const struct fw_tree *v, const char *what)
{
    struct fw_slice *slice = NULL;
    struct fw_err err = {0};
    int rc = fw_slice_parse(v->text, &slice, &err);
    fw_slice_free(slice);
    if (rc == FW_ENOMEM)
        l->nomem = true;
    if (rc != FW_EINVAL)
        return;
    struct fw_pos pos = v->pos;
    if (err.col > 0 && strcmp(v->text, v->raw) == 0) {
        int chars = !v->plain;
        for (int i = 0; i < err.col - 1 && v->text[i]; i++)
            chars += ((unsigned char)v->text[i] & 0xc0) != 0x80;
        if (chars < pos.width) {
            pos.col += chars;
            pos.width = 1;
        }
    }
    struct fw_err *e = fw_problem(l, &pos, "%s: %s", what, err.msg);
    if (err.hint[0])
        fw_err_hint(e, "%s", err.hint);
}

static void read_slices(struct fw_load *l, const struct fw_tree *v, const char *where, void *base)
{
    struct fw_plan *plan = base;
    (void)where;
    if (v->type != FW_TREE_LIST) {
        fw_expected(l, v, "slices", "a list of conditions or fields");
        return;
    }
    struct fw_name_text *list = fw_load_array(l, v->n, sizeof *list);
    if (!list)
        return;
    for (size_t i = 0; i < v->n; i++) {
        if (!fw_read_text(l, v->items[i], "slices", &list[i].text))
            return;
        list[i].name = list[i].text;
        list[i].pos = v->items[i]->pos;
        fw_check_condition(l, v->items[i], "slices");
    }
    plan->dataset.slices = list;
    plan->dataset.n_slices = v->n;
}

static const struct fw_key eval_keys[] = {
    {.name = "dev",
     .type = FW_KEY_SHARE,
     AT(dataset.dev),
     .max = 0.9,
     .doc = "share of the samples that steers the loop; default 0.2"},
    {.name = "test",
     .type = FW_KEY_SHARE,
     AT(dataset.test),
     .max = 0.9,
     .doc = "share that is sealed until the run has stopped; default 0.2"},
    {0}};

static const struct fw_key dataset_keys[] = {
    {.name = "import",
     .type = FW_KEY_TEXT,
     AT(dataset.import),
     .doc = "folder or file that is read once, on the first run"},
    {.name = "repo",
     .type = FW_KEY_TEXT,
     AT(dataset.repo),
     .doc = "git repository for the snapshots; default the project's own"},
    {.name = "task",
     .type = FW_KEY_CHOICE,
     AT(dataset.task),
     .words = task_words,
     .doc = "what the label is; default classification"},
    {.name = "classes",
     .type = FW_KEY_TEXTS,
     LIST(dataset.classes, dataset.n_classes),
     .doc = "the names of the classes; default those found at import"},
    {.name = "slices",
     .type = FW_KEY_OTHER,
     .read = read_slices,
     .schema = "{\"type\":\"array\",\"items\":{\"type\":\"string\"}}",
     .doc = "conditions or metadata fields that are watched by themselves"},
    {.name = "eval",
     .type = FW_KEY_MAP,
     .keys = eval_keys,
     .doc = "how much is held back for evaluation, when the data do not say"},
    {.name = "near_copies",
     .type = FW_KEY_BOOL,
     AT(dataset.near_copies),
     .doc = "the leak guard also refuses near copies of evaluation samples; default true"},
    {0}};

/* One number for all, or a mapping with `default` and names. */
static void read_human(struct fw_load *l, const struct fw_tree *v, const char *where, void *base)
{
    struct fw_plan *plan = base;
    (void)where;
    if (v->type == FW_TREE_SCALAR) {
        fw_read_share(l, v, "human_level", -INFINITY, INFINITY, &plan->metric.human_default);
        return;
    }
    const struct fw_name_value *all = NULL;
    size_t n = 0, kept = 0;
    if (!fw_read_numbers(l, v, "human_level", &n, &all))
        return;
    struct fw_name_value *named = fw_load_array(l, n, sizeof *named);
    for (size_t i = 0; named && i < n; i++) {
        if (strcmp(all[i].name, "default") == 0)
            plan->metric.human_default = all[i].value;
        else
            named[kept++] = all[i];
    }
    plan->metric.human = named;
    plan->metric.n_human = named ? kept : 0;
}

static void read_target(struct fw_load *l, const struct fw_tree *v, const char *where, void *base)
{
    struct fw_plan *plan = base;
    (void)where;
    plan->metric.has_target =
        fw_read_share(l, v, "target", -INFINITY, INFINITY, &plan->metric.target);
}

/* Only its shape: plan_check.c puts name and class together once the classes are known. */
static void read_class(struct fw_load *l, const struct fw_tree *v, const char *where, void *base)
{
    const char *text;
    (void)where;
    (void)base;
    fw_read_text(l, v, "class", &text);
}

#define NUMBERS_SCHEMA "{\"type\":\"object\",\"additionalProperties\":{\"$ref\":\"#/$defs/share\"}}"

static const struct fw_key metric_keys[] = {
    {.name = "name",
     .type = FW_KEY_TEXT,
     AT(metric.name),
     .doc = "accuracy, balanced_accuracy, mcc, top_N, log_loss, brier, ece; of one class "
            "precision:CLASS, recall:CLASS, f1:CLASS, f2:CLASS (any beta), roc_auc:CLASS, "
            "average_precision:CLASS; over all classes macro_f1 and so on, weighted_, and micro_ "
            "(not for "
            "roc_auc and average_precision); mae, rmse, r2. Default macro_f1, or rmse"},
    {.name = "of",
     .type = FW_KEY_TEXT,
     AT(metric.of),
     .doc = "the evaluate stage that is scored; default the only one"},
    {.name = "class",
     .type = FW_KEY_OTHER,
     .read = read_class,
     .schema = "{\"type\":\"string\"}",
     .doc = "the class that f1, precision, recall, roc_auc or average_precision is of"},
    {.name = "target",
     .type = FW_KEY_OTHER,
     .read = read_target,
     .schema = "{\"$ref\":\"#/$defs/share\"}",
     .doc = "the run stops when the metric reaches it"},
    {.name = "human_level",
     .type = FW_KEY_OTHER,
     .read = read_human,
     .schema = "{\"anyOf\":[{\"$ref\":\"#/$defs/share\"}," NUMBERS_SCHEMA "]}",
     .doc = "how well people do: a number, or default and a number per class or slice"},
    {.name = "baselines",
     .type = FW_KEY_FILES,
     LIST(metric.baselines, metric.n_baselines),
     .doc = "older systems: name and path of their predictions"},
    {.name = "importance",
     .type = FW_KEY_NUMBERS,
     LIST(metric.importance, metric.n_importance),
     .doc = "weight of a class or slice in the priorities; default 1"},
    {.name = "ease",
     .type = FW_KEY_NUMBERS,
     LIST(metric.ease, metric.n_ease),
     .doc = "how easy the data of a class or slice are to mend; default 1"},
    {0}};

static void read_metric(struct fw_load *l, const struct fw_tree *v, const char *where, void *base)
{
    struct fw_plan *plan = base;
    (void)where;
    if (v->type == FW_TREE_SCALAR)
        fw_read_text(l, v, "metric", &plan->metric.name);
    else
        fw_keys_read(l, v, metric_keys, "metric", base);
}

static const struct fw_key gate_keys[] = {
    {.name = "rule",
     .type = FW_KEY_CHOICE,
     AT(loop.rule),
     .words = rule_words,
     .doc = "how a gain is told from luck; default spend"},
    {.name = "confidence",
     .type = FW_KEY_SHARE,
     AT(loop.confidence),
     .min = 0.5,
     .max = 0.9999,
     .doc = "for the whole run; default 0.95"},
    {.name = "min_gain",
     .type = FW_KEY_SHARE,
     AT(loop.min_gain),
     .max = INFINITY,
     .doc = "the least gain that counts, for the rule threshold"},
    {.name = "guard",
     .type = FW_KEY_NUMBERS,
     LIST(loop.guards, loop.n_guards),
     .doc = "class, slice or metric and how far it may fall"},
    {0}};

static void read_stage_hours(struct fw_load *l, const struct fw_tree *v, const char *where,
                             void *base)
{
    struct fw_plan *plan = base;
    double hours;
    (void)where;
    if (fw_read_number(l, v, "stage_hours", 0, 1e6, &hours))
        plan->loop.budget_stage_ms = llround(hours * 3600e3);
}

static const struct fw_key budget_keys[] = {
    {.name = "labels",
     .type = FW_KEY_NUMBER,
     AT(loop.budget_labels),
     .max = INFINITY,
     .doc = "labels that may be asked for"},
    {.name = "money",
     .type = FW_KEY_NUMBER,
     AT(loop.budget_money),
     .max = INFINITY,
     .doc = "money that fixes may cost"},
    {.name = "wall",
     .type = FW_KEY_DURATION,
     AT(loop.budget_wall_ms),
     .doc = "wall time of the run, without waiting for people"},
    {.name = "stage",
     .type = FW_KEY_DURATION,
     AT(loop.budget_stage_ms),
     .doc = "time of all stages together"},
    {.name = "stage_hours",
     .type = FW_KEY_OTHER,
     .read = read_stage_hours,
     .schema = "{\"type\":\"number\",\"minimum\":0}",
     .doc = "the same in hours"},
    {0}};

static const struct fw_key stable_keys[] = {
    {.name = "pool",
     .type = FW_KEY_TEXT,
     AT(loop.stability_pool),
     .doc = "unlabelled samples on which successive models are compared"},
    {.name = "kappa",
     .type = FW_KEY_NUMBER,
     AT(loop.stability_kappa),
     .min = 0,
     .max = 1,
     .doc = "agreement at which the run stops; default 0.99"},
    {0}};

/* A cost of 0 would make the exchange rate infinite. */
enum { LEAST_COST_INVERSE = 1000000 };
static const struct fw_key cost_keys[] = {
    {.name = "label",
     .type = FW_KEY_NUMBER,
     AT(loop.cost_label),
     .min = 1.0 / LEAST_COST_INVERSE,
     .max = 1e9,
     .doc = "of checking one label; default 1"},
    {.name = "sample",
     .type = FW_KEY_NUMBER,
     AT(loop.cost_sample),
     .min = 1.0 / LEAST_COST_INVERSE,
     .max = 1e9,
     .doc = "of one new sample with its label, in the same unit; default 1"},
    {0}};

static void read_measure(struct fw_load *l, const struct fw_tree *v, const char *where, void *base)
{
    struct fw_plan *plan = base;
    (void)where;
    bool parts = v->type == FW_TREE_SCALAR && strcmp(v->text, "parts") == 0;
    if (!parts && (v->type != FW_TREE_SCALAR || strcmp(v->text, "whole") != 0))
        fw_expected(l, v, "measure", "parts or whole");
    plan->loop.measure_parts = parts;
}

static const struct fw_key loop_keys[] = {
    {.name = "patience",
     .type = FW_KEY_INTEGER,
     AT(loop.patience),
     .min = 1,
     .max = 1000,
     .doc = "iterations without improvement before the stop; default 2"},
    {.name = "max_iterations",
     .type = FW_KEY_INTEGER,
     AT(loop.max_iterations),
     .max = 10000,
     .doc = "default 10; 0 measures the baseline alone"},
    {.name = "gate", .type = FW_KEY_MAP, .keys = gate_keys, .doc = "when a candidate is better"},
    {.name = "budget", .type = FW_KEY_MAP, .keys = budget_keys, .doc = "what the run may use"},
    {.name = "ablate",
     .type = FW_KEY_BOOL,
     AT(loop.ablate),
     .doc = "try the parts of a rejected patch apart; default true"},
    {.name = "measure",
     .type = FW_KEY_OTHER,
     .read = read_measure,
     .schema = "{\"enum\":[\"parts\",\"whole\"]}",
     .doc = "measure each stage's fixes apart, or only together; default parts"},
    {.name = "curve",
     .type = FW_KEY_BOOL,
     AT(loop.curve),
     .doc = "measure what a clean label and a new sample are worth, with three more trainings an "
            "iteration; needs folds of the train stage; default true"},
    {.name = "costs",
     .type = FW_KEY_MAP,
     .keys = cost_keys,
     .doc = "what a label and a sample cost, for the exchange rate between them"},
    {.name = "split",
     .type = FW_KEY_INTEGER,
     AT(loop.split),
     .max = 1e9,
     .doc = "what an iteration may spend on labels checked and samples collected together, in the "
            "unit of costs; divided by the measured exchange rate and told to the stages as their "
            "quota. Default 0: each stage has its own number"},
    {.name = "sanity",
     .type = FW_KEY_BOOL,
     AT(loop.sanity),
     .doc = "first check that the model can fit a few samples; default true"},
    {.name = "stable",
     .type = FW_KEY_MAP,
     .keys = stable_keys,
     .doc = "stop when predictions no longer change"},
    {0}};

static void read_on(struct fw_load *l, const struct fw_tree *v, const char *where, void *base)
{
    static const char *const words[] = {"stopped", "failed", "waiting"};
    struct fw_plan *plan = base;
    bool *flags[] = {&plan->notify.on_stopped, &plan->notify.on_failed, &plan->notify.on_waiting};
    const char *const *list;
    size_t n = 0;
    (void)where;
    if (!fw_read_texts(l, v, "on", &n, &list))
        return;
    for (size_t k = 0; k < 3; k++)
        *flags[k] = false;
    for (size_t i = 0; i < n; i++) {
        size_t k = 0;
        while (k < 3 && strcmp(words[k], list[i]) != 0)
            k++;
        if (k < 3)
            *flags[k] = true;
        else
            fw_did_you_mean(fw_expected(l, v->items[i], "on", "stopped, failed or waiting"),
                            list[i], words, 3);
    }
}

static const struct fw_key notify_keys[] = {
    {.name = "webhook", .type = FW_KEY_TEXT, AT(notify.webhook), .doc = "URL that is posted to"},
    {.name = "secret",
     .type = FW_KEY_TEXT,
     AT(notify.secret),
     .doc = "key of the signature (HMAC-SHA-256); best from the environment"},
    {.name = "on",
     .type = FW_KEY_OTHER,
     .read = read_on,
     .schema = "{\"type\":\"array\",\"items\":{\"enum\":[\"stopped\",\"failed\",\"waiting\"]}}",
     .doc = "what is told; default all three"},
    {0}};

static void read_version(struct fw_load *l, const struct fw_tree *v, const char *where, void *base)
{
    (void)where;
    (void)base;
    if (v->type != FW_TREE_SCALAR || strcmp(v->text, "1") != 0)
        fw_err_hint(fw_expected(l, v, "flywheel", "1"),
                    "this is the version of the file's format; there is only 1");
}

static void read_executor(struct fw_load *l, const struct fw_tree *v, const char *where, void *base)
{
    (void)where;
    (void)base;
    bool slurm =
        v->type == FW_TREE_SCALAR ? strcmp(v->text, "slurm") == 0 : fw_tree_get(v, "slurm") != NULL;
    if (v->type == FW_TREE_SCALAR && strcmp(v->text, "local") == 0)
        return;
    if (slurm)
        fw_err_hint(fw_problem(l, &v->pos, "this version has the local executor only"),
                    "write executor: local, or leave the key out");
    else
        fw_expected(l, v, "executor", "local");
}

const struct fw_key fw_plan_keys[] = {
    {.name = "flywheel",
     .type = FW_KEY_OTHER,
     .read = read_version,
     .schema = "{\"const\":1}",
     .doc = "version of this file's format"},
    {.name = "name",
     .type = FW_KEY_TEXT,
     AT(name),
     .doc = "of the project; its snapshots are on the branch flywheel/NAME"},
    {.name = "seed",
     .type = FW_KEY_SEED,
     AT(seed),
     .doc = "for all that flywheel draws itself; default 1"},
    {.name = "dataset", .type = FW_KEY_MAP, .keys = dataset_keys, .doc = "the data"},
    {.name = "metric",
     .type = FW_KEY_OTHER,
     .read = read_metric,
     .keys = metric_keys,
     .schema = "{\"type\":\"string\"}",
     .doc = "what is improved"},
    {.name = "stages",
     .type = FW_KEY_OTHER,
     .read = fw_read_stages,
     .keys = fw_stage_keys,
     .doc = "name and definition of each stage"},
    {.name = "loop",
     .type = FW_KEY_MAP,
     .keys = loop_keys,
     .doc = "when a step counts, when the run stops"},
    {.name = "audit",
     .type = FW_KEY_MAPS,
     .read = fw_read_audit,
     .keys = fw_audit_keys,
     .doc = "what must hold on slices; checked at every champion"},
    {.name = "resources",
     .type = FW_KEY_OTHER,
     .read = fw_read_limits,
     .schema = "{\"type\":\"object\",\"properties\":{\"cpus\":{\"type\":\"number\"},"
               "\"memory\":{\"$ref\":\"#/$defs/size\"}},\"additionalProperties\":{\"type\":"
               "\"number\"}}",
     .doc = "what all stages together may use: cpus, memory, and others such as gpu"},
    {.name = "executor",
     .type = FW_KEY_OTHER,
     .read = read_executor,
     .schema = "{\"const\":\"local\"}",
     .doc = "where stages run: local"},
    {.name = "notify", .type = FW_KEY_MAP, .keys = notify_keys, .doc = "whom to tell"},
    {0}};
