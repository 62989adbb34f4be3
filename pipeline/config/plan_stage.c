/* The keys of a stage. What a stage means beside the others is judged in plan_check.c and in
 * pipeline/graph. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "pipeline/base/fs.h"
#include "pipeline/config/keys.h"
#include "pipeline/config/units.h"

#define AT(field) .offset = offsetof(struct fw_stage, field)

enum { MAX_SEEDS = 1000, MAX_STAGES = 100000 };

static void read_kind(struct fw_load *l, const struct fw_tree *v, const char *where, void *base)
{
    struct fw_stage *stage = base;
    const char *names[FW_KINDS], *text;
    (void)where;
    for (int k = 0; k < FW_KINDS; k++)
        names[k] = fw_kind_name((enum fw_kind)k);
    if (!fw_read_text(l, v, "kind", &text))
        return;
    if (fw_kind_parse(text, &stage->kind) != FW_OK)
        fw_did_you_mean(fw_problem(l, &v->pos, "unknown kind '%s'", FW_SHOW(text)), text, names,
                        FW_KINDS);
}

static void read_command(struct fw_load *l, const struct fw_tree *v, const char *where, void *base)
{
    struct fw_stage *stage = base;
    (void)where;
    if (v->type == FW_TREE_SCALAR) {
        fw_read_text(l, v, "command", &stage->command);
        return;
    }
    const char *const *list;
    size_t n = 0;
    if (!fw_read_texts(l, v, "command", &n, &list))
        return;
    if (n == 0) {
        fw_problem(l, &v->pos, "command: the list is empty");
        return;
    }
    const char **argv = fw_load_array(l, n + 1, sizeof *argv);
    if (argv)
        memcpy(argv, list, n * sizeof *argv);
    stage->argv = argv;
}

static void read_with(struct fw_load *l, const struct fw_tree *v, const char *where, void *base)
{
    (void)where;
    (void)base; /* made into JSON by plan_check.c, beside the plugin's own description */
    if (v->type != FW_TREE_MAP && !fw_tree_is_null(v))
        fw_expected(l, v, "with", "a mapping of parameters");
}

static void read_model(struct fw_load *l, const struct fw_tree *v, const char *where, void *base)
{
    struct fw_stage *stage = base;
    (void)where;
    stage->model_pos = v->pos;
    fw_read_text(l, v, "model", &stage->model);
}

static void read_needs(struct fw_load *l, const struct fw_tree *v, const char *where, void *base)
{
    struct fw_stage *stage = base;
    const struct fw_tree *one[] = {v};
    struct fw_tree *const *items = v->type == FW_TREE_LIST ? v->items : (struct fw_tree **)one;
    size_t n = v->type == FW_TREE_LIST ? v->n : 1;
    (void)where;
    if (v->type == FW_TREE_MAP) {
        fw_expected(l, v, "needs", "the name of a stage or a list of names");
        return;
    }
    const char **names = fw_load_array(l, n, sizeof *names);
    struct fw_pos *pos = fw_load_array(l, n, sizeof *pos);
    if (!names || !pos)
        return;
    for (size_t i = 0; i < n; i++) {
        if (!fw_read_text(l, items[i], "needs", &names[i]))
            return;
        pos[i] = items[i]->pos;
    }
    stage->needs = names;
    stage->needs_pos = pos;
    stage->n_needs = n;
}

/* "a/b/cars.csv" → "cars", "evaluate.predictions" → "predictions". */
static const char *derived_name(struct fw_load *l, const char *text, bool is_ref)
{
    size_t n = strlen(text);
    while (n > 1 && text[n - 1] == '/')
        n--;
    const char *s = text + n;
    while (s > text && s[-1] != '/')
        s--;
    n -= (size_t)(s - text);
    const char *dot = memchr(s, '.', n);
    if (is_ref && dot && !strchr(text, '/')) {
        char stage[65];
        snprintf(stage, sizeof stage, "%.*s", (int)(dot - s), s);
        if (strcmp(stage, "dataset") == 0 || fw_tree_get(fw_tree_get(l->root, "stages"), stage))
            return dot + 1;
    }
    if (dot && dot > s)
        n = (size_t)(dot - s);
    char *name = fw_arena_strndup(l->arena, s, n);
    if (!name)
        l->nomem = true;
    return name;
}

/* in and out: name → text, or a list of texts that name themselves. */
static bool read_files(struct fw_load *l, const struct fw_tree *v, const char *what, bool is_ref,
                       size_t *ret_n, const struct fw_name_text **ret)
{
    if (v->type == FW_TREE_MAP) {
        size_t n = 0;
        if (!fw_read_named_texts(l, v, what, &n, ret))
            return false;
        *ret_n = n;
    } else {
        const char *const *texts;
        size_t n = 0;
        if (v->type != FW_TREE_LIST) {
            fw_expected(l, v, what, "a mapping of names or a list");
            return false;
        }
        if (!fw_read_texts(l, v, what, &n, &texts))
            return false;
        struct fw_name_text *list = fw_load_array(l, n, sizeof *list);
        for (size_t i = 0; list && i < n; i++)
            list[i] = (struct fw_name_text){.name = derived_name(l, texts[i], is_ref),
                                            .text = texts[i],
                                            .pos = v->items[i]->pos};
        *ret = list;
        *ret_n = list && !l->nomem ? n : 0;
    }
    for (size_t i = 0; i < *ret_n; i++) {
        const struct fw_name_text *f = &(*ret)[i];
        size_t k = 0;
        while (k < i && strcmp((*ret)[k].name, f->name) != 0)
            k++;
        if (k < i)
            fw_err_hint(fw_problem(l, &f->pos, "%s: two are named '%s'", what, FW_SHOW(f->name)),
                        "give them names: %s: {name: %s}", what, is_ref ? "what" : "file");
        else if (!fw_name_is_plain(f->name))
            fw_err_hint(fw_problem(l, &f->pos, "%s: '%s' cannot be a name", what, FW_SHOW(f->name)),
                        "use letters, digits, '-' and '_', starting with a letter");
    }
    return true;
}

static void read_in(struct fw_load *l, const struct fw_tree *v, const char *where, void *base)
{
    struct fw_stage *stage = base;
    (void)where;
    read_files(l, v, "in", true, &stage->n_in, &stage->in);
}

static void read_out(struct fw_load *l, const struct fw_tree *v, const char *where, void *base)
{
    struct fw_stage *stage = base;
    (void)where;
    if (!read_files(l, v, "out", false, &stage->n_out, &stage->out))
        return;
    for (size_t i = 0; i < stage->n_out; i++)
        if (!fw_fs_rel_is_safe(stage->out[i].text))
            fw_err_hint(fw_problem(l, &stage->out[i].pos, "out: '%s' leaves the stage's folder",
                                   FW_SHOW(stage->out[i].text)),
                        "write a file name without '..' and without a leading '/'");
}

static void read_seeds(struct fw_load *l, const struct fw_tree *v, const char *where, void *base)
{
    struct fw_stage *stage = base;
    bool list = v->type == FW_TREE_LIST;
    double count = 0;
    (void)where;
    if (list ? v->n == 0 : !fw_read_number(l, v, "seeds", 1, MAX_SEEDS, &count)) {
        if (list)
            fw_problem(l, &v->pos, "seeds: the list is empty");
        return;
    }
    if (!list && count != floor(count)) {
        fw_expected(l, v, "seeds", "a whole number or a list of them");
        return;
    }
    if (list && v->n > MAX_SEEDS) {
        fw_problem(l, &v->pos, "seeds: at most %d", MAX_SEEDS);
        return;
    }
    size_t n = list ? v->n : (size_t)count;
    uint64_t *seeds = fw_load_array(l, n, sizeof *seeds);
    for (size_t i = 0; seeds && i < n; i++) {
        if (!list) {
            seeds[i] = i + 1;
            continue;
        }
        if (!fw_read_seed(l, v->items[i], "seeds", &seeds[i]))
            return;
        for (size_t k = 0; k < i; k++)
            if (seeds[k] == seeds[i])
                fw_problem(l, &v->items[i]->pos, "seeds: %s stands there twice",
                           FW_SHOW(v->items[i]->raw));
    }
    stage->seeds = seeds;
    stage->n_seeds = seeds ? n : 0;
}

static void read_folds(struct fw_load *l, const struct fw_tree *v, const char *where, void *base)
{
    struct fw_stage *stage = base;
    double folds;
    (void)where;
    if (!fw_read_number(l, v, "folds", 0, 100, &folds))
        return;
    if (folds != floor(folds) || folds == 1)
        fw_expected(l, v, "folds", "a whole number from 2 to 100, or 0 for none");
    else
        stage->folds = (int)folds;
}

static void read_matrix(struct fw_load *l, const struct fw_tree *v, const char *where, void *base)
{
    struct fw_stage *stage = base;
    (void)where;
    if (v->type != FW_TREE_MAP) {
        fw_expected(l, v, "matrix", "a mapping from an axis to its values");
        return;
    }
    struct fw_matrix_axis *axes = fw_load_array(l, v->n, sizeof *axes);
    for (size_t i = 0; axes && i < v->n; i++) {
        const struct fw_tree *values = v->pairs[i].value;
        axes[i].name = v->pairs[i].key;
        if (!fw_name_is_plain(axes[i].name) || strcmp(axes[i].name, "seed") == 0 ||
            strcmp(axes[i].name, "fold") == 0) {
            fw_problem(l, &v->pairs[i].pos, "matrix: '%s' cannot be the name of an axis",
                       FW_SHOW(axes[i].name));
            return;
        }
        if (!fw_read_texts(l, values, axes[i].name, &axes[i].n, &axes[i].values))
            return;
        if (axes[i].n == 0) {
            fw_problem(l, &values->pos, "matrix: '%s' has no values", FW_SHOW(axes[i].name));
            return;
        }
        for (size_t a = 0; a < axes[i].n; a++) {
            const char *s = axes[i].values[a];
            bool twice = false;
            for (size_t b = 0; b < a; b++)
                twice |= strcmp(axes[i].values[b], s) == 0;
            if (twice || strpbrk(s, "[],=\n") || strlen(s) > 200) {
                fw_problem(
                    l, &values->items[a]->pos, "matrix: %s%s",
                    twice ? "a value stands there twice: " : "not usable in a name: ", FW_SHOW(s));
                return;
            }
        }
    }
    stage->axes = axes;
    stage->n_axes = axes ? v->n : 0;
}

/* NAME: value, or a list of names that are taken from the environment of this run. */
static void read_env(struct fw_load *l, const struct fw_tree *v, const char *where, void *base)
{
    struct fw_stage *stage = base;
    const char *const *names;
    size_t n = 0;
    (void)where;
    if (v->type == FW_TREE_MAP) {
        fw_read_named_texts(l, v, "env", &stage->n_env, &stage->env);
    } else if (v->type != FW_TREE_LIST) {
        fw_expected(l, v, "env", "a mapping of variables or a list of names");
    } else if (fw_read_texts(l, v, "env", &n, &names)) {
        struct fw_name_text *list = fw_load_array(l, n, sizeof *list);
        for (size_t i = 0; list && i < n; i++) {
            struct fw_tree ref = *v->items[i];
            struct fw_buf b = {0};
            fw_buf_printf(&b, "${%s}", names[i]);
            ref.raw = b.p;
            const char *value = b.failed ? NULL : fw_env_expand(l, &ref);
            l->nomem |= b.failed;
            fw_buf_release(&b);
            if (!value)
                return;
            list[i] = (struct fw_name_text){names[i], value, v->items[i]->pos};
        }
        stage->env = list;
        stage->n_env = list ? n : 0;
    }
    for (size_t i = 0; i < stage->n_env; i++) {
        const char *s = stage->env[i].name;
        if (!*s || strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789") !=
                       strlen(s))
            fw_problem(l, &stage->env[i].pos, "env: '%s' cannot be the name of a variable",
                       FW_SHOW(s));
    }
}

/* cpus, memory, nice (when asked for) and everything else as a named resource. */
static void read_resources(struct fw_load *l, const struct fw_tree *v, double *cpus,
                           uint64_t *memory, int *nice, size_t *n_named,
                           const struct fw_name_value **named)
{
    if (v->type != FW_TREE_MAP) {
        fw_expected(l, v, "resources", "a mapping like {cpus: 1, memory: 2G}");
        return;
    }
    struct fw_name_value *list = fw_load_array(l, v->n, sizeof *list);
    double number;
    size_t n = 0;
    for (size_t i = 0; list && i < v->n; i++) {
        const struct fw_tree_pair *p = &v->pairs[i];
        if (strcmp(p->key, "cpus") == 0) {
            fw_read_number(l, p->value, "cpus", 0.01, 65536, cpus);
        } else if (strcmp(p->key, "memory") == 0) {
            fw_read_size(l, p->value, "memory", memory);
        } else if (nice && strcmp(p->key, "nice") == 0) {
            if (fw_read_number(l, p->value, "nice", 0, 19, &number))
                *nice = (int)number;
        } else if (!fw_name_is_plain(p->key)) {
            fw_problem(l, &p->pos, "'%s' cannot be the name of a resource", FW_SHOW(p->key));
        } else if (fw_read_number(l, p->value, p->key, 0, 1e9, &list[n].value)) {
            list[n].name = p->key;
            list[n++].pos = p->pos;
        }
    }
    *named = list;
    *n_named = list ? n : 0;
}

void fw_read_stage_resources(struct fw_load *l, const struct fw_tree *v, const char *where,
                             void *base)
{
    struct fw_resources *r = &((struct fw_stage *)base)->resources;
    (void)where;
    read_resources(l, v, &r->cpus, &r->memory, &r->nice, &r->n_named, &r->named);
}

void fw_read_limits(struct fw_load *l, const struct fw_tree *v, const char *where, void *base)
{
    struct fw_plan *p = base;
    (void)where;
    read_resources(l, v, &p->limits.cpus, &p->limits.memory, NULL, &p->limits.n_named,
                   &p->limits.named);
}

static void read_code(struct fw_load *l, const struct fw_tree *v, const char *where, void *base)
{
    struct fw_stage *stage = base;
    (void)where;
    if (!fw_read_texts(l, v, "code", &stage->n_code, &stage->code))
        return;
    for (size_t i = 0; i < stage->n_code; i++)
        if (!fw_fs_rel_is_safe(stage->code[i]))
            fw_problem(l, &v->items[i]->pos, "code: '%s' is not a path inside the project",
                       FW_SHOW(stage->code[i]));
}

#define TEXT_LIST "{\"type\":\"array\",\"items\":{\"type\":\"string\"}}"
#define TEXT_MAP "{\"type\":\"object\",\"additionalProperties\":{\"type\":\"string\"}}"

const struct fw_key fw_stage_keys[] = {
    {.name = "kind",
     .type = FW_KEY_OTHER,
     .read = read_kind,
     .schema = "{\"enum\":[\"train\",\"evaluate\",\"error-analysis\",\"targeted-collection\","
               "\"augment\",\"relabel\",\"drift\",\"custom\"]}",
     .doc = "may be left out when the stage is named so or its plugin has only one"},
    {.name = "plugin", .type = FW_KEY_TEXT, AT(plugin), .doc = "name of a plugin, or a path"},
    {.name = "command",
     .type = FW_KEY_OTHER,
     .read = read_command,
     .schema = "{\"anyOf\":[{\"type\":\"string\"}," TEXT_LIST "]}",
     .doc = "custom stages: what is run, without a plugin"},
    {.name = "with",
     .type = FW_KEY_OTHER,
     .read = read_with,
     .schema = "{\"type\":\"object\"}",
     .doc = "the plugin's parameters"},
    {.name = "model",
     .type = FW_KEY_OTHER,
     .read = read_model,
     .schema = "{\"type\":\"string\"}",
     .doc = "evaluate: the train stage whose model is read; default the only one"},
    {.name = "needs",
     .type = FW_KEY_OTHER,
     .read = read_needs,
     .schema = "{\"anyOf\":[{\"type\":\"string\"}," TEXT_LIST "]}",
     .doc = "stages that come before, beside those that inputs imply"},
    {.name = "in",
     .type = FW_KEY_OTHER,
     .read = read_in,
     .schema = "{\"anyOf\":[" TEXT_MAP "," TEXT_LIST "]}",
     .doc = "inputs: stage.output, dataset.train, dataset.dev, dataset.all, guidelines, history, "
            "or a path of the project"},
    {.name = "out",
     .type = FW_KEY_OTHER,
     .read = read_out,
     .schema = "{\"anyOf\":[" TEXT_MAP "," TEXT_LIST "]}",
     .doc = "custom stages: names and files of the outputs"},
    {.name = "seeds",
     .type = FW_KEY_OTHER,
     .read = read_seeds,
     .schema = "{\"anyOf\":[{\"type\":\"integer\",\"minimum\":1,\"maximum\":1000},{\"type\":"
               "\"array\",\"items\":{\"type\":\"integer\",\"minimum\":0},\"minItems\":1}]}",
     .doc = "train: a list of seeds, or a number n for 1 to n; default [1]"},
    {.name = "folds",
     .type = FW_KEY_OTHER,
     .read = read_folds,
     .schema = "{\"type\":\"integer\",\"minimum\":0,\"maximum\":100}",
     .doc = "train: out-of-fold predictions for the analysis; default none"},
    {.name = "matrix",
     .type = FW_KEY_OTHER,
     .read = read_matrix,
     .schema = "{\"type\":\"object\",\"additionalProperties\":{\"type\":\"array\",\"minItems\":1}}",
     .doc = "axes and their values: the stage runs once for each combination"},
    {.name = "env",
     .type = FW_KEY_OTHER,
     .read = read_env,
     .schema = "{\"anyOf\":[" TEXT_MAP "," TEXT_LIST "]}",
     .doc = "environment variables the stage sees; part of the model's fingerprint"},
    {.name = "code",
     .type = FW_KEY_OTHER,
     .read = read_code,
     .schema = TEXT_LIST,
     .doc = "files and folders that make up the stage's behaviour"},
    {.name = "resources",
     .type = FW_KEY_OTHER,
     .read = fw_read_stage_resources,
     .schema = "{\"type\":\"object\",\"properties\":{\"cpus\":{\"type\":\"number\"},\"memory\":{"
               "\"$ref\":\"#/$defs/size\"},\"nice\":{\"type\":\"integer\",\"minimum\":0,"
               "\"maximum\":19}},\"additionalProperties\":{\"type\":\"number\"}}",
     .doc = "what one run of the stage takes: cpus, memory, nice, and others such as gpu"},
    {.name = "timeout", .type = FW_KEY_DURATION, AT(timeout_ms), .doc = "default none"},
    {.name = "retries",
     .type = FW_KEY_INTEGER,
     AT(retries),
     .max = 100,
     .doc = "how often a failed run is tried again; default 0"},
    {.name = "backoff",
     .type = FW_KEY_DURATION,
     AT(backoff_ms),
     .doc = "wait before the first retry, doubled each time; default 1s"},
    {.name = "deterministic",
     .type = FW_KEY_BOOL,
     AT(deterministic),
     .doc = "custom stages: same inputs, same outputs; default true"},
    {0}};

void fw_read_stages(struct fw_load *l, const struct fw_tree *v, const char *where, void *base)
{
    struct fw_plan *plan = base;
    (void)where;
    if (v->type != FW_TREE_MAP) {
        fw_expected(l, v, "stages", "a mapping from names to stages");
        return;
    }
    if (v->n > MAX_STAGES) {
        fw_problem(l, &v->pos, "stages: at most %d", MAX_STAGES);
        return;
    }
    struct fw_stage *stages = fw_load_array(l, v->n, sizeof *stages);
    static const uint64_t one_seed[] = {1};
    for (size_t i = 0; stages && i < v->n && !l->nomem; i++) {
        struct fw_stage *s = &stages[i];
        const struct fw_tree_pair *p = &v->pairs[i];
        char label[128];
        *s = (struct fw_stage){.name = p->key,
                               .kind = FW_KINDS,
                               .pos = p->pos,
                               .n_seeds = 1,
                               .seeds = one_seed,
                               .resources = {.cpus = 1},
                               .backoff_ms = 1000,
                               .deterministic = true};
        if (!fw_name_is_plain(s->name) || strcmp(s->name, "dataset") == 0 ||
            strcmp(s->name, "guidelines") == 0 || strcmp(s->name, "history") == 0)
            fw_err_hint(
                fw_problem(l, &p->pos, "'%s' cannot be the name of a stage", FW_SHOW(s->name)),
                "use letters, digits, '-' and '_', at most 64, starting with a letter; "
                "dataset, guidelines and history are taken");
        snprintf(label, sizeof label, "stage '%s'", FW_SHOW(s->name));
        fw_keys_read(l, p->value, fw_stage_keys, label, s);
    }
    plan->stages = stages;
    plan->n_stages = stages ? v->n : 0;
}
