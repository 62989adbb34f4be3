/* What a stage is once its plugin has described itself: kind, parameters, outputs, and the keys
 * that its kind allows. */
#include <stdlib.h>
#include <string.h>

#include "pipeline/config/keys.h"
#include "pipeline/config/params.h"

struct described { /* each plugin is asked once, however many stages use it */
    const char *plugin, *path;
    json_t *describe; /* NULL: it could not be described; said once */
};

struct checker {
    struct fw_load *l;
    struct described *seen;
    size_t n_seen;
};

static bool describe_has(const json_t *describe, enum fw_kind kind)
{
    const json_t *kinds = json_object_get(describe, "kind");
    const char *name = fw_kind_name(kind), *one = json_string_value(kinds);
    for (size_t i = 0; i < json_array_size(kinds); i++) {
        const char *s = json_string_value(json_array_get(kinds, i));
        if (s && strcmp(s, name) == 0)
            return true;
    }
    return one && strcmp(one, name) == 0;
}

static void list_kinds(const json_t *describe, struct fw_buf *out)
{
    for (int k = 0; k < FW_KINDS; k++)
        if (describe_has(describe, (enum fw_kind)k))
            fw_buf_printf(out, "%s%s", out->len ? ", " : "", fw_kind_name((enum fw_kind)k));
}

static struct described *ask(struct checker *c, const struct fw_stage *s, const struct fw_pos *pos)
{
    struct fw_load *l = c->l;
    const struct fw_plan_options *o = l->options;
    for (size_t i = 0; i < c->n_seen; i++)
        if (strcmp(c->seen[i].plugin, s->plugin) == 0)
            return &c->seen[i];
    struct described *d = &c->seen[c->n_seen++];
    struct fw_err err = {0};
    char *path = NULL;
    d->plugin = s->plugin;
    int rc = o->describe(o->describe_ctx, l->plan->root, s->plugin, &path, &d->describe, &err);
    if (rc == FW_OK) {
        d->path = fw_arena_strdup(l->arena, path);
        l->nomem |= !d->path;
    } else if (rc == FW_ENOMEM) {
        l->nomem = true;
    } else {
        struct fw_err *e = fw_problem(l, pos, "%s", err.msg);
        if (err.hint[0])
            fw_err_hint(e, "%s", err.hint);
    }
    free(path);
    return d;
}

/* The kind as written, or the stage's name, or the only one of its plugin, or custom. */
static void settle_kind(struct fw_load *l, struct fw_stage *s, const struct fw_tree *tree)
{
    int n = 0;
    if (s->kind != FW_KINDS)
        return;
    if (fw_tree_get(tree, "kind")) {
        return; /* unknown, and said so */
    } else if (fw_kind_parse(s->name, &s->kind) == FW_OK) {
        return;
    } else if (s->command || s->argv) {
        s->kind = FW_CUSTOM;
        return;
    }
    enum fw_kind only = FW_KINDS;
    for (int k = 0; s->describe && k < FW_KINDS; k++)
        if (describe_has(s->describe, (enum fw_kind)k)) {
            only = (enum fw_kind)k;
            n++;
        }
    if (n == 1) {
        s->kind = only;
    } else if (!s->plugin || s->describe || !l->options || !l->options->describe) {
        struct fw_err *e = fw_problem(l, &s->pos, "stage '%s' needs a kind", FW_SHOW(s->name));
        struct fw_buf b = {0};
        if (n > 1)
            list_kinds(s->describe, &b);
        if (b.p)
            fw_err_hint(e, "plugin '%s' can be: %s", FW_SHOW(s->plugin), b.p);
        else
            fw_err_hint(e, "add, for example, kind: train");
        fw_buf_release(&b);
    }
}

static const struct {
    const char *key;
    unsigned kinds; /* bits of the kinds that may have it */
    const char *why;
} only_for[] = {
    {"command", 1u << FW_CUSTOM, "only custom stages run a command; others need a plugin"},
    {"out", 1u << FW_CUSTOM, "the outputs of the other kinds are fixed"},
    {"deterministic", 1u << FW_CUSTOM, "the plugins of the other kinds say it themselves"},
    {"model", 1u << FW_EVALUATE, "only evaluate stages read a model"},
    {"seeds", 1u << FW_TRAIN, "only train stages have seeds; evaluate follows its train stage"},
    {"folds", 1u << FW_TRAIN, "only train stages have folds; evaluate follows its train stage"},
};

static void check_keys_of_kind(struct fw_load *l, const struct fw_stage *s,
                               const struct fw_tree *tree)
{
    for (size_t i = 0; i < sizeof only_for / sizeof *only_for; i++) {
        const struct fw_tree_pair *p = fw_tree_pair(tree, only_for[i].key);
        if (p && !(only_for[i].kinds & 1u << s->kind))
            fw_err_hint(fw_problem(l, &p->pos, "'%s' is not for a stage of kind %s", p->key,
                                   fw_kind_name(s->kind)),
                        "%s", only_for[i].why);
    }
    const struct fw_tree_pair *command = fw_tree_pair(tree, "command");
    if (command && fw_tree_pair(tree, "plugin"))
        fw_problem(l, &command->pos, "stage '%s' has a plugin and a command", FW_SHOW(s->name));
    else if (!command && !fw_tree_pair(tree, "plugin"))
        fw_err_hint(fw_problem(l, &s->pos, "stage '%s' has no plugin", FW_SHOW(s->name)),
                    s->kind == FW_CUSTOM ? "add plugin: NAME, or command: and out:"
                                         : "add plugin: NAME; `flywheel plugin list` shows them");
}

struct param_place {
    struct fw_load *l;
    const struct fw_stage *stage;
    const struct fw_tree *with;
};

static void on_param_problem(void *ctx, const char *param, const char *message, const char *hint)
{
    const struct param_place *p = ctx;
    const struct fw_tree_pair *pair = param && p->with ? fw_tree_pair(p->with, param) : NULL;
    bool known = param && json_object_get(json_object_get(p->stage->describe, "params"), param);
    const struct fw_pos *pos = pair ? (known ? &pair->value->pos : &pair->pos) : &p->stage->pos;
    struct fw_err *e =
        param ? fw_problem(p->l, pos, "parameter '%s' of '%s': %s", FW_SHOW(param),
                           FW_SHOW(p->stage->plugin), message)
              : fw_problem(p->l, pos, "parameters of '%s': %s", FW_SHOW(p->stage->plugin), message);
    if (hint && hint[0])
        fw_err_hint(e, "%s", hint);
}

static void settle_params(struct fw_load *l, struct fw_stage *s, const struct fw_tree *tree,
                          bool check)
{
    const struct fw_tree *with = fw_tree_get(tree, "with");
    if (with && with->type != FW_TREE_MAP)
        with = NULL;
    json_t *params = with ? fw_tree_json(with) : json_object();
    if (!params) {
        l->nomem = true;
        return;
    }
    if (check) {
        struct param_place place = {.l = l, .stage = s, .with = with};
        json_t *checked = NULL;
        l->nomem |=
            fw_params_check(s->describe, params, &checked, on_param_problem, &place) == FW_ENOMEM;
        if (checked) {
            json_decref(params);
            params = checked;
        }
    }
    s->params = params;
}

/* A custom plugin may say what it writes: a list of names, or name → file. */
static void settle_outputs(struct fw_load *l, struct fw_stage *s)
{
    const json_t *outputs = json_object_get(s->describe, "outputs");
    size_t n = json_array_size(outputs);
    if (s->kind != FW_CUSTOM || s->n_out > 0 || n == 0)
        return;
    struct fw_name_text *list = fw_load_array(l, n, sizeof *list);
    size_t kept = 0;
    for (size_t i = 0; list && i < n; i++) {
        const char *name = json_string_value(json_array_get(outputs, i));
        if (!name || !fw_name_is_plain(name))
            continue;
        char *copy = fw_arena_strdup(l->arena, name);
        l->nomem |= !copy;
        list[kept++] = (struct fw_name_text){.name = copy, .text = copy, .pos = s->pos};
    }
    s->out = list;
    s->n_out = list && !l->nomem ? kept : 0;
}

static void check_stage(struct checker *c, struct fw_stage *s, const struct fw_tree_pair *pair)
{
    struct fw_load *l = c->l;
    const struct fw_tree *tree = pair->value, *plugin = fw_tree_get(tree, "plugin");
    if (tree->type != FW_TREE_MAP)
        return;
    if (s->plugin && l->options && l->options->describe) {
        struct described *d = ask(c, s, &plugin->pos);
        s->describe = json_incref(d->describe);
        s->plugin_path = d->path;
    }
    settle_kind(l, s, tree);
    bool wrong_plugin = s->describe && s->kind != FW_KINDS && !describe_has(s->describe, s->kind);
    settle_params(l, s, tree, s->describe && !wrong_plugin);
    if (s->kind == FW_KINDS)
        return;
    check_keys_of_kind(l, s, tree);
    if (!s->describe)
        return;
    if (wrong_plugin) {
        struct fw_buf b = {0};
        list_kinds(s->describe, &b);
        struct fw_err *e = fw_problem(l, &plugin->pos, "plugin '%s' cannot be a stage of kind %s",
                                      FW_SHOW(s->plugin), fw_kind_name(s->kind));
        if (b.p)
            fw_err_hint(e, "it can be: %s", b.p);
        fw_buf_release(&b);
    }
    const json_t *same = json_object_get(s->describe, "deterministic");
    if (json_is_boolean(same) && !fw_tree_get(tree, "deterministic"))
        s->deterministic = json_is_true(same);
    settle_outputs(l, s);
}

void fw_stages_check(struct fw_load *l)
{
    const struct fw_tree *tree = fw_tree_get(l->root, "stages");
    size_t n = l->plan->n_stages;
    struct checker c = {.l = l, .seen = calloc(n + 1, sizeof *c.seen)};
    if (!c.seen) {
        l->nomem = true;
        return;
    }
    for (size_t i = 0; i < n && !l->nomem; i++)
        check_stage(&c, (struct fw_stage *)(uintptr_t)&l->plan->stages[i], &tree->pairs[i]);
    for (size_t i = 0; i < c.n_seen; i++)
        json_decref(c.seen[i].describe);
    free(c.seen);
}
