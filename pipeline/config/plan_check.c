/* What needs more than one value to judge: classes, metric, guards, resources. */
#include <ctype.h>
#include <math.h>
#include <string.h>

#include "pipeline/base/suggest.h"
#include "pipeline/config/keys.h"

static const struct fw_tree *tree_at(const struct fw_load *l, const char *a, const char *b)
{
    return fw_tree_get(fw_tree_get(l->root, a), b);
}

/* The place to point at when a key is missing from `section`: the section's key, or the file. */
static const struct fw_pos *section_pos(const struct fw_load *l, const char *section)
{
    const struct fw_tree_pair *p = fw_tree_pair(l->root, section);
    return p ? &p->pos : NULL;
}

static void check_head(struct fw_load *l)
{
    const char *name = l->plan->name;
    if (!fw_tree_get(l->root, "flywheel"))
        fw_err_hint(fw_problem(l, NULL, "the key 'flywheel' is missing"),
                    "begin the file with: flywheel: 1");
    if (!fw_tree_get(l->root, "name"))
        fw_err_hint(fw_problem(l, NULL, "the key 'name' is missing"),
                    "give the project a name, as in name: steel-surface");
    if (!name)
        return;
    /* It becomes a branch name: git's rules, in their simple part. */
    size_t n = strlen(name);
    bool ok = n <= 64 && isalnum((unsigned char)name[0]) && name[n - 1] != '.' &&
              !strstr(name, "..") && !(n > 5 && strcmp(name + n - 5, ".lock") == 0);
    for (size_t i = 0; i < n; i++)
        ok = ok && (isalnum((unsigned char)name[i]) || strchr("-_.", name[i]));
    if (!ok)
        fw_err_hint(fw_problem(l, &fw_tree_get(l->root, "name")->pos,
                               "'%s' cannot be the name of a project", FW_SHOW(name)),
                    "use letters, digits, '-', '_' and '.', at most 64: it names a branch");
}

static void check_dataset(struct fw_load *l)
{
    struct fw_plan *p = l->plan;
    const struct fw_tree *classes = tree_at(l, "dataset", "classes");
    if (classes && p->dataset.classes) {
        if (p->dataset.task == FW_REGRESSION)
            fw_problem(l, &classes->pos,
                       "classes are for classification, and the task is "
                       "regression");
        else if (p->dataset.n_classes < 2)
            fw_problem(l, &classes->pos, "classes: at least two are needed");
        else if (p->dataset.n_classes > 10000)
            fw_problem(l, &classes->pos, "classes: at most 10000");
        for (size_t i = 1; i < p->dataset.n_classes && i <= 10000; i++)
            for (size_t k = 0; k < i; k++)
                if (strcmp(p->dataset.classes[k], p->dataset.classes[i]) == 0) {
                    fw_problem(l, &classes->items[i]->pos, "classes: '%s' stands there twice",
                               FW_SHOW(p->dataset.classes[i]));
                    break;
                }
    }
    if (p->dataset.dev + p->dataset.test > 0.95)
        fw_err_hint(fw_problem(l, &tree_at(l, "dataset", "eval")->pos,
                               "dev and test together take %g of the samples",
                               p->dataset.dev + p->dataset.test),
                    "leave at least 0.05 to train on");
}

/* With no classes declared the class named in the text is taken on trust: they come from the data.
 */
typedef int parse_fn(const char *text, const struct fw_task_info *task, struct fw_metric *out,
                     struct fw_err *err);

static int parse_with(parse_fn *parse, const struct fw_plan *p, const char *text,
                      struct fw_metric *m, struct fw_err *err)
{
    struct fw_task_info task = fw_plan_task(p);
    const char *colon = strchr(text, ':');
    const char *klass = colon ? colon + 1 : "";
    if (task.task == FW_CLASSIFICATION && task.n_classes == 0 && colon) {
        task.classes = &klass;
        task.n_classes = 1;
    }
    return parse(text, &task, m, err);
}

static int parse_metric(const struct fw_plan *p, const char *text, struct fw_metric *m,
                        struct fw_err *err)
{
    return parse_with(fw_metric_parse, p, text, m, err);
}

static int requirement_metric(const struct fw_plan *p, const char *text, struct fw_metric *m,
                              struct fw_err *err)
{
    return parse_with(fw_requirement_metric, p, text, m, err);
}

static bool known_name(const struct fw_plan *p, const char *name)
{
    for (size_t i = 0; i < p->dataset.n_classes; i++)
        if (strcmp(p->dataset.classes[i], name) == 0)
            return true;
    for (size_t i = 0; i < p->dataset.n_slices; i++)
        if (strcmp(p->dataset.slices[i].name, name) == 0)
            return true;
    return false;
}

static void suggest_name(const struct fw_plan *p, struct fw_err *e, const char *name)
{
    const char *near = fw_suggest(name, p->dataset.classes, p->dataset.n_classes);
    for (size_t i = 0; !near && i < p->dataset.n_slices; i++)
        near = fw_suggest(name, &p->dataset.slices[i].name, 1);
    if (near)
        fw_err_hint(e, "did you mean '%s'?", FW_SHOW(near));
}

/* Numbers per class or slice. Without declared classes a name may be a class of the data. */
static void check_names(struct fw_load *l, const char *what, const struct fw_name_value *list,
                        size_t n)
{
    const struct fw_plan *p = l->plan;
    if (p->dataset.task == FW_CLASSIFICATION && p->dataset.n_classes == 0)
        return;
    for (size_t i = 0; i < n; i++)
        if (!known_name(p, list[i].name))
            suggest_name(p,
                         fw_problem(l, &list[i].pos, "%s: '%s' is neither a class nor a slice",
                                    what, FW_SHOW(list[i].name)),
                         list[i].name);
}

static void check_guards(struct fw_load *l)
{
    const struct fw_plan *p = l->plan;
    struct fw_metric m;
    struct fw_err err = {0};
    for (size_t i = 0; i < p->loop.n_guards; i++) {
        const struct fw_name_value *g = &p->loop.guards[i];
        if (known_name(p, g->name) || parse_metric(p, g->name, &m, &err) == FW_OK)
            continue;
        if (strchr(g->name, ':')) { /* meant as a metric */
            struct fw_err *e = fw_problem(l, &g->pos, "guard: %s", err.msg);
            if (err.hint[0])
                fw_err_hint(e, "%s", err.hint);
        } else if (p->dataset.n_classes > 0 || p->dataset.task == FW_REGRESSION) {
            suggest_name(p,
                         fw_problem(l, &g->pos,
                                    "guard: '%s' is neither a class, a declared slice nor a metric",
                                    FW_SHOW(g->name)),
                         g->name);
        }
    }
}

static void check_audit(struct fw_load *l)
{
    const struct fw_plan *p = l->plan;
    struct fw_metric m;
    struct fw_err err = {0};
    for (size_t i = 0; i < p->n_audit; i++) {
        const struct fw_requirement *r = &p->audit[i];
        if (!r->metric || requirement_metric(p, r->metric, &m, &err) == FW_OK)
            continue;
        struct fw_err *e = fw_problem(l, &r->pos, "audit: %s", err.msg);
        if (err.hint[0])
            fw_err_hint(e, "%s", err.hint);
    }
}

static void check_metric_name(struct fw_load *l)
{
    struct fw_plan *p = l->plan;
    const struct fw_tree *section = fw_tree_get(l->root, "metric");
    const struct fw_tree *name =
        section && section->type == FW_TREE_SCALAR ? section : tree_at(l, "metric", "name");
    const struct fw_tree *klass = tree_at(l, "metric", "class");
    struct fw_metric m;
    struct fw_err err = {0};
    if (!p->metric.name && name)
        return; /* not a text, and said so */
    if (!p->metric.name)
        p->metric.name = p->dataset.task == FW_REGRESSION ? "rmse" : "macro_f1";
    if (klass && klass->type == FW_TREE_SCALAR) {
        const char *base = p->metric.name;
        if (parse_metric(p, base, &m, &err) == FW_OK) { /* whole without a class */
            fw_err_hint(
                fw_problem(l, &klass->pos, "metric '%s' is not of one class", FW_SHOW(base)),
                "class goes with f1, f2 (any beta), precision, recall, roc_auc or "
                "average_precision");
            return;
        }
        p->metric.name = fw_arena_printf(l->arena, "%s:%s", base, klass->text);
        if (!p->metric.name) {
            l->nomem = true;
            return;
        }
    }
    if (parse_metric(p, p->metric.name, &m, &err) == FW_OK)
        return;
    struct fw_err *e = fw_problem(l,
                                  klass  ? &klass->pos
                                  : name ? &name->pos
                                         : section_pos(l, "metric"),
                                  "%s", err.msg);
    if (err.hint[0])
        fw_err_hint(e, "%s", err.hint);
}

/* The evaluate stage that is scored. */
static void check_metric_of(struct fw_load *l)
{
    struct fw_plan *p = l->plan;
    const struct fw_tree *of = tree_at(l, "metric", "of");
    const struct fw_stage *first = NULL, *second = NULL;
    for (size_t i = 0; i < p->n_stages; i++)
        if (p->stages[i].kind == FW_EVALUATE) {
            if (!first)
                first = &p->stages[i];
            else if (!second)
                second = &p->stages[i];
        }
    if (p->metric.of) {
        const struct fw_stage *s = fw_plan_stage(p, p->metric.of);
        if (!s) {
            struct fw_err *e =
                fw_problem(l, &of->pos, "no stage is named '%s'", FW_SHOW(p->metric.of));
            for (size_t i = 0; e && i < p->n_stages && !e->hint[0]; i++)
                fw_did_you_mean(e, p->metric.of, &p->stages[i].name, 1);
        } else if (s->kind != FW_EVALUATE && s->kind != FW_KINDS) {
            fw_problem(l, &of->pos, "'%s' is not an evaluate stage", FW_SHOW(p->metric.of));
        }
    } else if (!of && second) {
        fw_err_hint(fw_problem(l, &second->pos, "which evaluate stage is scored, '%s' or '%s'?",
                               FW_SHOW(first->name), FW_SHOW(second->name)),
                    "say it with metric: {of: %s}", FW_SHOW(first->name));
    } else if (!of && first) {
        p->metric.of = first->name;
    }
}

/* evaluate reads the only train stage unless it says another. */
static void settle_models(struct fw_load *l)
{
    struct fw_plan *p = l->plan;
    const char *only = NULL;
    size_t trains = 0;
    for (size_t i = 0; i < p->n_stages; i++)
        if (p->stages[i].kind == FW_TRAIN && trains++ == 0)
            only = p->stages[i].name;
    for (size_t i = 0; trains == 1 && i < p->n_stages; i++) {
        struct fw_stage *s = (struct fw_stage *)(uintptr_t)&p->stages[i];
        if (s->kind == FW_EVALUATE && !s->model) {
            s->model = only;
            s->model_pos = s->pos;
        }
    }
}

/* A stage that asks for more than there is would wait for ever. Only written limits count: the
 * same file must do on a smaller machine. */
static void check_resources(struct fw_load *l)
{
    const struct fw_plan *p = l->plan;
    bool cpus = tree_at(l, "resources", "cpus"), memory = tree_at(l, "resources", "memory");
    const struct fw_tree *stages = fw_tree_get(l->root, "stages");
    for (size_t i = 0; i < p->n_stages; i++) {
        const struct fw_resources *r = &p->stages[i].resources;
        const struct fw_tree *at = fw_tree_get(stages->pairs[i].value, "resources");
        if (cpus && at && r->cpus > p->limits.cpus && fw_tree_get(at, "cpus"))
            fw_problem(l, &fw_tree_get(at, "cpus")->pos, "asks for %g cpus, and resources: has %g",
                       r->cpus, p->limits.cpus);
        if (memory && at && r->memory > p->limits.memory && fw_tree_get(at, "memory"))
            fw_problem(l, &fw_tree_get(at, "memory")->pos,
                       "asks for more memory than resources: has");
        for (size_t k = 0; k < r->n_named; k++) {
            double has = 0;
            for (size_t j = 0; j < p->limits.n_named; j++)
                if (strcmp(p->limits.named[j].name, r->named[k].name) == 0)
                    has = p->limits.named[j].value;
            if (r->named[k].value > has)
                fw_err_hint(fw_problem(l, &r->named[k].pos,
                                       "asks for %g of '%s', and resources: has %g",
                                       r->named[k].value, FW_SHOW(r->named[k].name), has),
                            "say at the top what there is, as in resources: {%s: %g}",
                            FW_SHOW(r->named[k].name), r->named[k].value);
        }
    }
}

/* Dividing needs two sides, and something to divide by. */
static void check_split(struct fw_load *l)
{
    const struct fw_plan *p = l->plan;
    const struct fw_tree *at = tree_at(l, "loop", "split");
    bool clean = false, collect = false, folds = false;
    if (p->loop.split <= 0 || !at)
        return;
    for (size_t i = 0; i < p->n_stages; i++) {
        clean |= p->stages[i].kind == FW_RELABEL;
        collect |= p->stages[i].kind == FW_TARGETED_COLLECTION;
        folds |= p->stages[i].kind == FW_TRAIN && p->stages[i].folds > 0;
    }
    if (!clean || !collect)
        fw_err_hint(fw_problem(l, &at->pos, "split: there is no %s stage to divide with",
                               clean ? "targeted-collection" : "relabel"),
                    "leave it out: the stages have numbers of their own");
    else if (!folds || !p->loop.curve)
        fw_err_hint(fw_problem(l, &at->pos, "split: the exchange rate is not measured"),
                    folds ? "write loop: {curve: true}" : "give the train stage folds: 5");
}

void fw_plan_check(struct fw_load *l)
{
    const struct fw_plan *p = l->plan;
    check_head(l);
    check_dataset(l);
    fw_stages_check(l);
    if (l->nomem)
        return;
    check_metric_name(l);
    check_metric_of(l);
    settle_models(l);
    check_names(l, "human_level", p->metric.human, p->metric.n_human);
    check_names(l, "importance", p->metric.importance, p->metric.n_importance);
    check_names(l, "ease", p->metric.ease, p->metric.n_ease);
    check_guards(l);
    check_audit(l);
    check_resources(l);
    check_split(l);
    if (!fw_tree_get(l->root, "stages"))
        fw_err_hint(fw_problem(l, NULL, "the key 'stages' is missing"),
                    "at least a train and an evaluate stage are needed");
}
