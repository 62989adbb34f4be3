#include "pipeline/graph/deps.h"

#include <stdlib.h>
#include <string.h>

bool fw_stage_has_output(const struct fw_stage *s, const char *name)
{
    if (s->kind != FW_CUSTOM)
        return strcmp(name, fw_kind_output(s->kind)) == 0 ||
               (s->folds > 0 && strcmp(name, "out-of-fold") == 0);
    for (size_t i = 0; i < s->n_out; i++)
        if (strcmp(s->out[i].name, name) == 0)
            return true;
    return false;
}

const char *fw_stage_sole_output(const struct fw_stage *s)
{
    if (s->kind != FW_CUSTOM)
        return fw_kind_output(s->kind);
    return s->n_out == 1 ? s->out[0].name : NULL;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Mostly they are written alike; else both are sorted. Out of memory counts as different. */
static bool same_values(const struct fw_matrix_axis *a, const struct fw_matrix_axis *b)
{
    size_t i = 0;
    if (a->n != b->n)
        return false;
    while (i < a->n && strcmp(a->values[i], b->values[i]) == 0)
        i++;
    if (i == a->n)
        return true;
    const char **sorted = calloc(2 * a->n, sizeof *sorted);
    if (!sorted)
        return false;
    memcpy(sorted, a->values, a->n * sizeof *sorted);
    memcpy(sorted + a->n, b->values, a->n * sizeof *sorted);
    qsort(sorted, a->n, sizeof *sorted, by_text);
    qsort(sorted + a->n, a->n, sizeof *sorted, by_text);
    for (i = 0; i < a->n && strcmp(sorted[i], sorted[a->n + i]) == 0;)
        i++;
    free(sorted);
    return i == a->n;
}

bool fw_same_axes(const struct fw_stage *a, const struct fw_stage *b)
{
    if (a->n_axes != b->n_axes)
        return false;
    for (size_t i = 0; i < a->n_axes; i++) {
        size_t k = 0;
        while (k < b->n_axes && strcmp(a->axes[i].name, b->axes[k].name) != 0)
            k++;
        if (k == b->n_axes || !same_values(&a->axes[i], &b->axes[k]))
            return false;
    }
    return true;
}

/* "a.b" with a stage (or dataset) a; a bare stage with one output; a document; else a path. */
struct fw_ref fw_ref_parse(const struct fw_plan *plan, const char *text)
{
    struct fw_ref file = {.type = FW_REF_FILE, .rest = text};
    const char *dot = strchr(text, '.');
    char name[65];
    if (strcmp(text, "guidelines") == 0 || strcmp(text, "history") == 0)
        return (struct fw_ref){.type = FW_REF_DOCUMENT, .rest = text};
    if (strchr(text, '/') || (dot && (size_t)(dot - text) >= sizeof name))
        return file;
    if (!dot) {
        const struct fw_stage *s = fw_plan_stage(plan, text);
        if (strcmp(text, "dataset") == 0)
            return (struct fw_ref){.type = FW_REF_NO_VIEW, .rest = ""};
        if (!s)
            return file;
        const char *only = fw_stage_sole_output(s);
        return (struct fw_ref){
            .type = only ? FW_REF_STAGE : FW_REF_NO_OUTPUT, .stage = s, .rest = only ? only : ""};
    }
    memcpy(name, text, (size_t)(dot - text));
    name[dot - text] = '\0';
    dot++;
    if (strcmp(name, "dataset") == 0) {
        bool view = strcmp(dot, "train") == 0 || strcmp(dot, "dev") == 0 || strcmp(dot, "all") == 0;
        return (struct fw_ref){.type = view                       ? FW_REF_DATASET
                                       : strcmp(dot, "test") == 0 ? FW_REF_SEALED
                                                                  : FW_REF_NO_VIEW,
                               .rest = dot};
    }
    const struct fw_stage *s = fw_plan_stage(plan, name);
    if (!s)
        return file;
    return (struct fw_ref){.type = fw_stage_has_output(s, dot) ? FW_REF_STAGE : FW_REF_NO_OUTPUT,
                           .stage = s,
                           .rest = dot};
}

const struct fw_stage *fw_deps_analysis(const struct fw_plan *plan, const struct fw_deps *deps,
                                        const struct fw_stage *s)
{
    for (size_t i = 0; i < s->n_in; i++) {
        struct fw_ref r = fw_ref_parse(plan, s->in[i].text);
        if (r.type == FW_REF_STAGE && r.stage->kind == FW_ERROR_ANALYSIS)
            return r.stage;
    }
    for (size_t i = 0; i < s->n_needs; i++) {
        const struct fw_stage *other = fw_plan_stage(plan, s->needs[i]);
        if (other && other->kind == FW_ERROR_ANALYSIS)
            return other;
    }
    return deps->n_analysis == 1 ? deps->first_analysis : NULL;
}

static void add(const struct fw_plan *plan, struct fw_deps *d, size_t *n, const struct fw_stage *on,
                const struct fw_pos *pos, bool implied)
{
    if (on)
        d->v[(*n)++] = (struct fw_dep){(int)(on - plan->stages), pos, implied};
}

static void add_stage(const struct fw_plan *plan, struct fw_deps *d, size_t *n,
                      const struct fw_stage *s)
{
    if (s->kind == FW_EVALUATE && s->model)
        add(plan, d, n, fw_plan_stage(plan, s->model), &s->model_pos, false);
    for (size_t i = 0; i < s->n_in; i++) {
        struct fw_ref r = fw_ref_parse(plan, s->in[i].text);
        add(plan, d, n, r.type == FW_REF_STAGE ? r.stage : NULL, &s->in[i].pos, false);
    }
    for (size_t i = 0; i < s->n_needs; i++)
        add(plan, d, n, fw_plan_stage(plan, s->needs[i]), &s->needs_pos[i], false);
    if (fw_kind_proposes(s->kind))
        add(plan, d, n, fw_deps_analysis(plan, d, s), &s->pos, true);
}

/* Train and evaluate stages, and all that they wait for. */
static int find_measured(const struct fw_plan *plan, struct fw_deps *d)
{
    size_t n = plan->n_stages, top = 0;
    int *stack = calloc(n + 1, sizeof *stack);
    if (!stack)
        return FW_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        d->reached_by[i] = -1;
        if (plan->stages[i].kind == FW_TRAIN || plan->stages[i].kind == FW_EVALUATE) {
            d->measure[i] = true;
            stack[top++] = (int)i;
        }
    }
    while (top > 0) {
        int i = stack[--top];
        for (size_t e = d->start[i]; e < d->start[i + 1]; e++)
            if (!d->measure[d->v[e].stage]) {
                d->measure[d->v[e].stage] = true;
                d->reached_by[d->v[e].stage] = i;
                stack[top++] = d->v[e].stage;
            }
    }
    free(stack);
    return FW_OK;
}

int fw_deps_build(const struct fw_plan *plan, struct fw_deps *deps)
{
    struct fw_deps d = {0};
    size_t n = plan->n_stages, room = 0, used = 0;
    for (size_t i = 0; i < n; i++) {
        const struct fw_stage *s = &plan->stages[i];
        room += s->n_in + s->n_needs + 2;
        if (s->kind == FW_ERROR_ANALYSIS && d.n_analysis++ == 0)
            d.first_analysis = s;
    }
    d.start = fw_arena_array(&d.arena, n + 1, sizeof *d.start);
    d.v = fw_arena_array(&d.arena, room, sizeof *d.v);
    d.measure = fw_arena_array(&d.arena, n, sizeof *d.measure);
    d.reached_by = fw_arena_array(&d.arena, n, sizeof *d.reached_by);
    if (!d.start || !d.v || !d.measure || !d.reached_by)
        goto nomem;
    for (size_t i = 0; i < n; i++) {
        d.start[i] = used;
        add_stage(plan, &d, &used, &plan->stages[i]);
    }
    d.start[n] = used;
    if (find_measured(plan, &d) != FW_OK)
        goto nomem;
    *deps = d;
    return FW_OK;
nomem:
    fw_arena_release(&d.arena);
    return FW_ENOMEM;
}

void fw_deps_release(struct fw_deps *deps)
{
    fw_arena_release(&deps->arena);
    *deps = (struct fw_deps){0};
}

/* Depth first, without recursion: a chain may be as long as the plan. */
int fw_deps_order(const struct fw_plan *plan, const struct fw_deps *d, int *order,
                  fw_cycle_fn *on_cycle, void *ctx)
{
    enum { NEW, OPEN, DONE };
    size_t n = plan->n_stages;
    char *state = calloc(n + 1, 1);
    int *path = calloc(n + 1, sizeof *path);
    size_t *next = calloc(n + 1, sizeof *next); /* the dependency to look at next, by depth */
    const struct fw_dep **edges = calloc(n + 1, sizeof(*edges));
    int placed = state && path && next && edges ? 0 : FW_ENOMEM;
    for (size_t root = 0; placed >= 0 && root < n; root++) {
        if (state[root] != NEW)
            continue;
        size_t depth = 0;
        path[0] = (int)root;
        next[0] = d->start[root];
        state[root] = OPEN;
        for (;;) {
            int i = path[depth];
            if (next[depth] == d->start[i + 1]) {
                state[i] = DONE;
                order[placed++] = i;
                if (depth-- == 0)
                    break;
                continue;
            }
            const struct fw_dep *e = &d->v[next[depth]++];
            edges[depth] = e;
            if (state[e->stage] == NEW) {
                depth++;
                path[depth] = e->stage;
                next[depth] = d->start[e->stage];
                state[e->stage] = OPEN;
            } else if (state[e->stage] == OPEN && on_cycle) {
                size_t from = 0;
                while (path[from] != e->stage)
                    from++;
                on_cycle(ctx, depth - from + 1, path + from, edges + from);
            }
        }
    }
    free(state);
    free(path);
    free(next);
    free(edges);
    return placed;
}
