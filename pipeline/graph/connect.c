/* Names of instances, and how inputs are connected across fan-outs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/graph/expand.h"

const char *fw_expand_text(struct fw_expand *x, const char *fmt, ...)
{
    struct fw_buf b = {0};
    char small[512];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(small, sizeof small, fmt, ap);
    va_end(ap);
    char *text = NULL;
    if (n >= 0 && (size_t)n < sizeof small) {
        text = fw_arena_strndup(&x->graph->arena, small, (size_t)n);
    } else if (n >= 0 && fw_buf_reserve(&b, (size_t)n + 1)) {
        va_start(ap, fmt);
        vsnprintf(b.p, (size_t)n + 1, fmt, ap);
        va_end(ap);
        text = fw_arena_strndup(&x->graph->arena, b.p, (size_t)n);
    }
    fw_buf_release(&b);
    if (!text)
        x->nomem = true;
    return text ? text : "";
}

const struct fw_stage *fw_expand_axes(const struct fw_plan *plan, const struct fw_stage *s)
{
    const struct fw_stage *train =
        s->kind == FW_EVALUATE && s->model ? fw_plan_stage(plan, s->model) : NULL;
    return train ? train : s;
}

static size_t combinations(const struct fw_stage *axes)
{
    size_t n = 1;
    for (size_t i = 0; i < axes->n_axes; i++)
        n *= axes->axes[i].n;
    return n;
}

/* Combination k, the last axis running fastest. */
static struct fw_name_text *matrix_at(struct fw_expand *x, const struct fw_stage *axes, size_t k)
{
    struct fw_name_text *m = fw_arena_array(&x->graph->arena, axes->n_axes, sizeof *m);
    if (!m) {
        x->nomem = true;
        return NULL;
    }
    for (size_t i = axes->n_axes; i-- > 0; k /= axes->axes[i].n) {
        m[i].name = axes->axes[i].name;
        m[i].text = axes->axes[i].values[k % axes->axes[i].n];
    }
    return m;
}

/* "train", "train[C=1]", "train[C=1,seed=2]". */
static const char *instance_name(struct fw_expand *x, const struct fw_stage *s,
                                 const struct fw_instance *v, bool seeds)
{
    struct fw_buf b = {0};
    fw_buf_puts(&b, s->name);
    for (size_t i = 0; i < v->n_matrix; i++)
        fw_buf_printf(&b, "%c%s=%s", i ? ',' : '[', v->matrix[i].name, v->matrix[i].text);
    if (seeds)
        fw_buf_printf(&b, "%cseed=%llu", v->n_matrix ? ',' : '[', (unsigned long long)v->seed);
    if (seeds || v->n_matrix)
        fw_buf_putc(&b, ']');
    const char *name = fw_expand_text(x, "%s", b.failed ? "" : b.p);
    x->nomem |= b.failed;
    fw_buf_release(&b);
    return name;
}

const struct fw_instances *fw_expand_instances(struct fw_expand *x, const struct fw_stage *s)
{
    struct fw_instances *all = &x->instances[s - x->plan->stages];
    const struct fw_stage *axes = fw_expand_axes(x->plan, s);
    if (all->made)
        return all;
    bool train = s->kind == FW_TRAIN;
    size_t seeds = !train ? 1 : x->phase == FW_PHASE_SANITY ? 1 : s->n_seeds;
    size_t n = combinations(axes) * seeds;
    all->v = fw_arena_array(&x->graph->arena, n, sizeof *all->v);
    all->made = true;
    if (!all->v) {
        x->nomem = true;
        return all;
    }
    for (size_t i = 0; i < n && !x->nomem; i++) {
        struct fw_instance *v = &all->v[i];
        v->node = -1;
        v->n_matrix = axes->n_axes;
        v->matrix = matrix_at(x, axes, i / seeds);
        v->seed = train ? s->seeds[i % seeds] : 0;
        v->tag = (int)strlen(s->name) + 1;
        if (!x->nomem)
            v->name = instance_name(x, s, v, train);
    }
    all->n = x->nomem ? 0 : n;
    return all;
}

void fw_inputs_set(struct fw_expand *x, struct fw_inputs *in, const char *name, int node,
                   const char *ref)
{
    struct fw_input input = {name, node, ref};
    for (size_t i = 0; i < in->n; i++)
        if (strcmp(in->v[i].name, name) == 0) {
            in->v[i] = input;
            return;
        }
    if (in->n == in->cap) {
        size_t cap = in->cap ? in->cap * 2 : 8;
        struct fw_input *v = realloc(in->v, cap * sizeof *v);
        if (!v) {
            x->nomem = true;
            return;
        }
        in->v = v;
        in->cap = cap;
    }
    in->v[in->n++] = input;
}

void fw_inputs_need(struct fw_expand *x, struct fw_inputs *in, int node)
{
    if (node < 0)
        return;
    if (in->n_needs == in->cap_needs) {
        size_t cap = in->cap_needs ? in->cap_needs * 2 : 8;
        int *v = realloc(in->needs, cap * sizeof *v);
        if (!v) {
            x->nomem = true;
            return;
        }
        in->needs = v;
        in->cap_needs = cap;
    }
    in->needs[in->n_needs++] = node;
}

void fw_inputs_release(struct fw_inputs *in)
{
    free(in->v);
    free(in->needs);
    *in = (struct fw_inputs){0};
}

/* Which combination of these axes a matrix over the same axes is; see matrix_at(). */
static size_t combination_of(const struct fw_stage *axes, const struct fw_name_text *matrix)
{
    size_t k = 0;
    for (size_t i = 0; i < axes->n_axes; i++) {
        const struct fw_matrix_axis *axis = &axes->axes[i];
        size_t m = 0, v = 0;
        while (m + 1 < axes->n_axes && strcmp(matrix[m].name, axis->name) != 0)
            m++;
        while (v + 1 < axis->n && strcmp(matrix[m].text, axis->values[v]) != 0)
            v++;
        k = k * axis->n + v;
    }
    return k;
}

/* The instances of `from` that one instance of `s` sees: its own where the axes are the same, else
 * all. They stand together: returns the first and how many. */
static const struct fw_instance *select_instances(struct fw_expand *x, const struct fw_stage *s,
                                                  const struct fw_name_text *matrix,
                                                  const struct fw_stage *from, size_t *ret_n,
                                                  bool *ret_own)
{
    const struct fw_instances *all = fw_expand_instances(x, from);
    const struct fw_stage *mine = fw_expand_axes(x->plan, s);
    const struct fw_stage *theirs = fw_expand_axes(x->plan, from);
    *ret_own = mine->n_axes > 0 && all->n > 0 && fw_same_axes(mine, theirs);
    *ret_n = all->n;
    if (!*ret_own)
        return all->v;
    *ret_n = all->n / combinations(theirs);
    return all->v + combination_of(theirs, matrix) * *ret_n;
}

static void connect_one(struct fw_expand *x, struct fw_inputs *in, const char *name,
                        const struct fw_instance *v, const char *output)
{
    if (v->node >= 0)
        fw_inputs_set(x, in, name, v->node, output);
    else
        fw_inputs_set(x, in, name, -1, fw_expand_text(x, "prior:%s.%s", v->name, output));
}

/* A folder with all of them, made once for each set of instances. */
static int gather(struct fw_expand *x, const struct fw_stage *from, const char *output,
                  const struct fw_instance *v, size_t n, bool own)
{
    struct fw_buf tag = {0};
    for (size_t i = 0; own && i < v[0].n_matrix; i++)
        fw_buf_printf(&tag, "%c%s=%s", i ? ',' : '[', v[0].matrix[i].name, v[0].matrix[i].text);
    const char *name = fw_expand_text(x, "%s.%s.all%s%s", from->name, output, tag.p ? tag.p : "",
                                      tag.p ? "]" : "");
    x->nomem |= tag.failed;
    fw_buf_release(&tag);
    for (size_t i = 0; i < x->n; i++)
        if (x->nodes[i].type == FW_NODE_GATHER && strcmp(x->nodes[i].name, name) == 0)
            return (int)i;
    struct fw_inputs in = {0};
    for (size_t i = 0; i < n; i++) {
        const char *own_part = v[i].name + v[i].tag;
        size_t len = strlen(own_part);
        connect_one(x, &in, fw_expand_text(x, "%.*s", (int)(len ? len - 1 : 0), own_part), &v[i],
                    output);
    }
    const char **out = fw_arena_array(&x->graph->arena, 1, sizeof *out);
    if (out)
        out[0] = output;
    x->nomem |= !out;
    return fw_expand_add(
        x,
        (struct fw_node){.name = name, .type = FW_NODE_GATHER, .fold = -1, .n_out = 1, .out = out},
        &in);
}

void fw_expand_connect(struct fw_expand *x, struct fw_inputs *in, const char *name,
                       const struct fw_stage *s, const struct fw_name_text *matrix,
                       const struct fw_stage *from, const char *output)
{
    if (strcmp(output, "out-of-fold") == 0) {
        int node = fw_expand_out_of_fold(x, from);
        if (node >= 0)
            fw_inputs_set(x, in, name, node, "predictions");
        return;
    }
    size_t n;
    bool own;
    const struct fw_instance *v = select_instances(x, s, matrix, from, &n, &own);
    if (n == 1) {
        connect_one(x, in, name, v, output);
    } else if (n > 1) {
        int node = gather(x, from, output, v, n, own);
        if (node >= 0)
            fw_inputs_set(x, in, name, node, output);
    }
}

void fw_expand_written(struct fw_expand *x, struct fw_inputs *in, const struct fw_stage *s,
                       const struct fw_name_text *matrix)
{
    for (size_t i = 0; i < s->n_in; i++) {
        struct fw_ref r = fw_ref_parse(x->plan, s->in[i].text);
        const char *name = s->in[i].name;
        if (r.type == FW_REF_STAGE)
            fw_expand_connect(x, in, name, s, matrix, r.stage, r.rest);
        else if (r.type == FW_REF_DATASET)
            fw_inputs_set(x, in, name, -1, fw_expand_text(x, "dataset:%s", r.rest));
        else if (r.type == FW_REF_DOCUMENT)
            fw_inputs_set(x, in, name, -1, r.rest);
        else
            fw_inputs_set(
                x, in, name, -1,
                fw_expand_text(x, "file:%s", strncmp(r.rest, "./", 2) == 0 ? r.rest + 2 : r.rest));
    }
    for (size_t i = 0; i < s->n_needs && !x->nomem; i++) {
        const struct fw_stage *other = fw_plan_stage(x->plan, s->needs[i]);
        if (!other || !x->included[other - x->plan->stages])
            continue;
        size_t n;
        bool own;
        const struct fw_instance *v = select_instances(x, s, matrix, other, &n, &own);
        for (size_t k = 0; k < n; k++)
            fw_inputs_need(x, in, v[k].node);
    }
}
