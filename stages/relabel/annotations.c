#include "stages/relabel/annotations.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/arena.h"
#include "pipeline/base/suggest.h"
#include "stages/data/ids.h"

struct raw {
    uint32_t task, labeller;
    int32_t klass;
    float weight;
};

struct fw_annotations_priv {
    struct fw_arena names;
    struct fw_ids tasks, labellers, classes;
    bool fixed, weighted;
    struct raw *raw; /* until indexed, in the order of reading */
    size_t n, cap;
    int32_t *gold; /* by task, -1 */
    size_t gold_cap;
    double *values;
};

struct fw_annotations *fw_annotations_new(void)
{
    struct fw_annotations *a = calloc(1, sizeof *a);
    if (a && !(a->priv = calloc(1, sizeof *a->priv))) {
        free(a);
        return NULL;
    }
    return a;
}

static void drop_index(struct fw_annotations *a)
{
    free(a->task_at);
    free(a->labeller);
    free(a->klass);
    free(a->weight);
    free(a->labeller_at);
    free(a->task);
    free(a->answer);
    a->task_at = a->labeller_at = NULL;
    a->labeller = a->task = NULL;
    a->klass = a->answer = NULL;
    a->weight = NULL;
}

void fw_annotations_free(struct fw_annotations *a)
{
    if (!a)
        return;
    drop_index(a);
    fw_ids_release(&a->priv->tasks);
    fw_ids_release(&a->priv->labellers);
    fw_ids_release(&a->priv->classes);
    fw_arena_release(&a->priv->names);
    free(a->priv->raw);
    free(a->priv->gold);
    free(a->priv->values);
    free(a->priv);
    free(a);
}

/* The index of a name, which is copied when it is new. */
static long intern(struct fw_annotations_priv *p, struct fw_ids *set, const char *name,
                   struct fw_err *err)
{
    size_t was = set->n;
    long at = fw_ids_add(set, name);
    if (at >= 0 && (size_t)at == was) {
        set->ids[at] = fw_arena_strdup(&p->names, name);
        if (!set->ids[at]) {
            set->ids[at] = "";
            at = FW_IDS_NOMEM;
        }
    }
    return at < 0 || at > INT32_MAX - 1 ? fw_err_nomem(err) : at;
}

static long class_index(struct fw_annotations_priv *p, const char *klass, struct fw_err *err)
{
    if (!p->fixed)
        return intern(p, &p->classes, klass, err);
    long at = fw_ids_find(&p->classes, klass);
    if (at >= 0)
        return at;
    const char *near = fw_suggest(klass, p->classes.ids, p->classes.n);
    fw_err_set(err, FW_EINVAL, "'%.200s' is not one of the classes", klass);
    return near ? fw_err_hint(err, "did you mean '%.200s'?", near) : FW_EINVAL;
}

int fw_annotations_classes(struct fw_annotations *a, const char *const *names, size_t n,
                           struct fw_err *err)
{
    struct fw_annotations_priv *p = a->priv;
    if (p->classes.n)
        return fw_err_set(err, FW_EINVAL, "the classes must be given before the answers");
    for (size_t i = 0; i < n; i++) {
        if (!names[i][0])
            return fw_err_set(err, FW_EINVAL, "the name of a class is empty");
        long at = intern(p, &p->classes, names[i], err);
        if (at < 0)
            return (int)at;
        if ((size_t)at != i)
            return fw_err_set(err, FW_EINVAL, "class '%.200s' is named twice", names[i]);
    }
    p->fixed = n > 0;
    return FW_OK;
}

int fw_annotations_add(struct fw_annotations *a, const char *task, const char *labeller,
                       const char *klass, double weight, struct fw_err *err)
{
    struct fw_annotations_priv *p = a->priv;
    if (!task[0] || !labeller[0] || !klass[0])
        return fw_err_set(err, FW_EINVAL, "the %s is empty",
                          !task[0]       ? "task"
                          : !labeller[0] ? "labeller"
                                         : "class");
    if (!(weight >= 0 && weight <= 3e38))
        return fw_err_set(err, FW_EINVAL, "the weight %g is not a number of at least 0", weight);
    if (p->n == p->cap) {
        size_t cap = p->cap ? p->cap * 2 : 1024, bytes;
        if (__builtin_mul_overflow(cap, sizeof *p->raw, &bytes))
            return fw_err_nomem(err);
        struct raw *raw = realloc(p->raw, bytes);
        if (!raw)
            return fw_err_nomem(err);
        p->raw = raw;
        p->cap = cap;
    }
    long k = class_index(p, klass, err);
    if (k < 0)
        return (int)k;
    long t = intern(p, &p->tasks, task, err);
    if (t < 0)
        return (int)t;
    long w = intern(p, &p->labellers, labeller, err);
    if (w < 0)
        return (int)w;
    p->weighted = p->weighted || weight != 1;
    p->raw[p->n++] = (struct raw){(uint32_t)t, (uint32_t)w, (int32_t)k, (float)weight};
    return FW_OK;
}

int fw_annotations_gold(struct fw_annotations *a, const char *task, const char *klass,
                        struct fw_err *err)
{
    struct fw_annotations_priv *p = a->priv;
    if (!task[0] || !klass[0])
        return fw_err_set(err, FW_EINVAL, "the %s is empty", task[0] ? "gold class" : "task");
    long k = class_index(p, klass, err);
    if (k < 0)
        return (int)k;
    long t = intern(p, &p->tasks, task, err);
    if (t < 0)
        return (int)t;
    if ((size_t)t >= p->gold_cap) {
        size_t cap = p->gold_cap ? p->gold_cap : 1024;
        while (cap <= (size_t)t)
            cap *= 2;
        int32_t *gold = realloc(p->gold, cap * sizeof *gold);
        if (!gold)
            return fw_err_nomem(err);
        for (size_t i = p->gold_cap; i < cap; i++)
            gold[i] = -1;
        p->gold = gold;
        p->gold_cap = cap;
    }
    if (p->gold[t] >= 0 && p->gold[t] != (int32_t)k)
        return fw_err_set(err, FW_EINVAL,
                          "task '%.200s' has the gold classes '%.200s' and '%.200s'", task,
                          p->classes.ids[p->gold[t]], klass);
    p->gold[t] = (int32_t)k;
    return FW_OK;
}

static bool as_number(const char *text, double *out)
{
    char *end;
    *out = strtod(text, &end);
    return end != text && !*end && isfinite(*out);
}

struct class_order {
    const char *name;
    double value;
    int32_t was;
};

static int by_value(const void *a, const void *b)
{
    const struct class_order *x = a, *y = b;
    return x->value != y->value ? (x->value > y->value) - (x->value < y->value)
                                : strcmp(x->name, y->name);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct class_order *)a)->name, ((const struct class_order *)b)->name);
}

/* Puts the classes into their order; *now[old] is the new index. */
static int order_classes(struct fw_annotations *a, int32_t **now, struct fw_err *err)
{
    struct fw_annotations_priv *p = a->priv;
    size_t k = p->classes.n;
    struct class_order *order = malloc((k + 1) * sizeof *order);
    double *values = malloc((k + 1) * sizeof *values);
    bool numbers = true;
    *now = malloc((k + 1) * sizeof **now);
    if (!order || !values || !*now) {
        free(order);
        free(values);
        return fw_err_nomem(err);
    }
    for (size_t i = 0; i < k; i++) {
        order[i] = (struct class_order){p->classes.ids[i], 0, (int32_t)i};
        numbers = as_number(order[i].name, &order[i].value) && numbers;
    }
    if (!p->fixed)
        qsort(order, k, sizeof *order, numbers ? by_value : by_name);
    for (size_t i = 0; i < k; i++) {
        (*now)[order[i].was] = (int32_t)i;
        p->classes.ids[i] = order[i].name; /* from here on only read by index */
        values[i] = order[i].value;
    }
    free(order);
    free(p->values);
    p->values = numbers ? values : NULL;
    if (!numbers)
        free(values);
    a->class_values = p->values;
    a->class_names = p->classes.ids;
    a->classes = k;
    return FW_OK;
}

/* Counting sort by task (stable), then of each labeller's answers to a task only the last. */
static void sort_by_task(struct fw_annotations *a, const int32_t *now, size_t *last)
{
    struct fw_annotations_priv *p = a->priv;
    size_t at = 0, out = 0;
    for (size_t i = 0; i < p->n; i++)
        a->task_at[p->raw[i].task + 1]++;
    for (size_t t = 0; t < a->tasks; t++)
        a->task_at[t + 1] += a->task_at[t];
    for (size_t i = 0; i < p->n; i++) {
        size_t to = a->task_at[p->raw[i].task]++;
        a->labeller[to] = p->raw[i].labeller;
        a->klass[to] = now[p->raw[i].klass];
        if (a->weight)
            a->weight[to] = p->raw[i].weight;
    }
    for (size_t t = 0; t < a->tasks; t++) {
        size_t end = a->task_at[t], begin = out;
        for (; at < end; at++) {
            size_t to = last[a->labeller[at]]; /* + 1; above `begin` when it is of this task */
            bool again = to > begin;
            to = again ? to - 1 : out++;
            a->repeats += again;
            last[a->labeller[at]] = to + 1;
            a->labeller[to] = a->labeller[at];
            a->klass[to] = a->klass[at];
            if (a->weight)
                a->weight[to] = a->weight[at];
        }
        a->task_at[t] = begin;
    }
    a->task_at[a->tasks] = out;
    a->n = out;
}

static void sort_by_labeller(struct fw_annotations *a)
{
    for (size_t i = 0; i < a->n; i++)
        a->labeller_at[a->labeller[i] + 1]++;
    for (size_t w = 0; w < a->labellers; w++)
        a->labeller_at[w + 1] += a->labeller_at[w];
    for (size_t t = 0; t < a->tasks; t++)
        for (size_t i = a->task_at[t]; i < a->task_at[t + 1]; i++) {
            size_t to = a->labeller_at[a->labeller[i]]++;
            a->task[to] = (uint32_t)t;
            a->answer[to] = a->klass[i];
        }
    for (size_t w = a->labellers; w > 0; w--)
        a->labeller_at[w] = a->labeller_at[w - 1];
    a->labeller_at[0] = 0;
}

/* Tasks that only gold names (nobody answered) go: they would have no posterior. */
static void drop_unanswered(struct fw_annotations *a)
{
    struct fw_annotations_priv *p = a->priv;
    size_t kept = 0;
    bool all = true;
    for (size_t t = 0; t < a->tasks; t++)
        all = all && a->task_at[t + 1] > a->task_at[t];
    if (all)
        return;
    for (size_t t = 0; t < a->tasks; t++) {
        size_t end = a->task_at[t + 1];
        if (end == a->task_at[t])
            continue;
        p->tasks.ids[kept] = p->tasks.ids[t];
        if (a->gold)
            a->gold[kept] = a->gold[t];
        kept++;
        a->task_at[kept] = end;
    }
    a->tasks = kept;
}

static int allocate(struct fw_annotations *a, size_t **last, struct fw_err *err)
{
    size_t n = a->priv->n + 1;
    a->task_at = calloc(a->tasks + 2, sizeof *a->task_at);
    a->labeller_at = calloc(a->labellers + 2, sizeof *a->labeller_at);
    a->labeller = malloc(n * sizeof *a->labeller);
    a->klass = malloc(n * sizeof *a->klass);
    a->weight = a->priv->weighted ? malloc(n * sizeof *a->weight) : NULL;
    *last = calloc(a->labellers + 1, sizeof **last);
    if (!a->task_at || !a->labeller_at || !a->labeller || !a->klass || !*last ||
        (a->priv->weighted && !a->weight))
        return fw_err_nomem(err);
    return FW_OK;
}

/* The names by index; the table of ids is made anew, because tasks may have gone. */
static int settle_names(struct fw_annotations *a, struct fw_err *err)
{
    struct fw_annotations_priv *p = a->priv;
    if (a->tasks != p->tasks.n) {
        struct fw_ids left = {0};
        for (size_t t = 0; t < a->tasks; t++)
            if (fw_ids_add(&left, p->tasks.ids[t]) < 0) {
                fw_ids_release(&left);
                return fw_err_nomem(err);
            }
        fw_ids_release(&p->tasks);
        p->tasks = left;
    }
    a->task_names = p->tasks.ids;
    a->labeller_names = p->labellers.ids;
    return FW_OK;
}

int fw_annotations_index(struct fw_annotations *a, struct fw_err *err)
{
    struct fw_annotations_priv *p = a->priv;
    int32_t *now = NULL;
    size_t *last = NULL;
    if (!p->n)
        return fw_err_set(err, FW_EINVAL, "there are no answers");
    a->tasks = p->tasks.n;
    a->labellers = p->labellers.n;
    int rc = order_classes(a, &now, err);
    if (rc == FW_OK)
        rc = allocate(a, &last, err);
    if (rc == FW_OK && p->gold) {
        a->gold = realloc(p->gold, (a->tasks + 1) * sizeof *a->gold);
        if (!a->gold)
            rc = fw_err_nomem(err);
        else
            p->gold = a->gold;
        for (size_t t = 0; rc == FW_OK && t < a->tasks; t++)
            a->gold[t] = t < p->gold_cap && a->gold[t] >= 0 ? now[a->gold[t]] : -1;
    }
    if (rc == FW_OK) {
        sort_by_task(a, now, last);
        drop_unanswered(a);
        free(p->raw);
        p->raw = NULL;
        p->n = p->cap = 0;
        a->task = malloc((a->n + 1) * sizeof *a->task);
        a->answer = malloc((a->n + 1) * sizeof *a->answer);
        rc = a->task && a->answer ? settle_names(a, err) : fw_err_nomem(err);
    }
    if (rc == FW_OK)
        sort_by_labeller(a);
    for (size_t t = 0; rc == FW_OK && a->gold && t < a->tasks; t++)
        a->n_gold += a->gold[t] >= 0;
    free(now);
    free(last);
    if (rc != FW_OK)
        drop_index(a);
    return rc;
}

long fw_annotations_find_task(const struct fw_annotations *a, const char *name)
{
    return fw_ids_find(&a->priv->tasks, name);
}
