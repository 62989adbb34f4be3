#include "stages/data/labelsets.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/arena.h"
#include "pipeline/base/rows.h"
#include "stages/data/ids.h"

struct fw_labelsets_priv {
    struct fw_arena arena;
    struct fw_ids ids, classes;
};

struct said { /* sample i has label k */
    size_t i, k;
};

struct reading {
    struct fw_labelsets *s;
    struct said *v; /* given */
    size_t n, cap;
    bool *has; /* predicted: samples that had a line */
    size_t lines;
    const char *path;
};

static int place(struct reading *r, int rc, int line, struct fw_err *err)
{
    if (rc == FW_EINVAL)
        fw_err_at(err, r->path, line, 0);
    return rc;
}

static int keep(struct reading *r, size_t i, size_t k, struct fw_err *err)
{
    for (size_t p = r->n; p-- > 0 && r->v[p].i == i;)
        if (r->v[p].k == k)
            return fw_err_set(err, FW_EINVAL, "label '%.100s' is there twice",
                              r->s->priv->classes.ids[k]);
    if (r->n == r->cap) {
        size_t cap = r->cap ? 2 * r->cap : 256;
        struct said *v = reallocarray(r->v, cap, sizeof *v);
        if (!v)
            return fw_err_nomem(err);
        r->v = v;
        r->cap = cap;
    }
    r->v[r->n++] = (struct said){i, k};
    return FW_OK;
}

static json_t *list_of(const struct fw_field *f)
{
    return f && f->type == FW_ARRAY ? json_loadb(f->raw, f->raw_len, 0, NULL) : NULL;
}

static int given_row(struct reading *r, const struct fw_row *row, struct fw_err *err)
{
    struct fw_labelsets_priv *p = r->s->priv;
    const char *id = fw_row_str(row, "id");
    if (!id || !*id)
        return fw_err_set(err, FW_EINVAL, "the sample has no id");
    if (fw_ids_find(&p->ids, id) >= 0)
        return fw_err_set(err, FW_EINVAL, "id '%.200s' appears twice", id);
    char *own = fw_arena_strdup(&p->arena, id);
    long at = own ? fw_ids_add(&p->ids, own) : FW_IDS_NOMEM;
    json_t *list = list_of(fw_row_get(row, "label"));
    int rc = at < 0 ? fw_err_nomem(err)
             : list ? FW_OK
                    : fw_err_set(err, FW_EINVAL, "'label' is not a list of classes");
    for (size_t i = 0; i < json_array_size(list) && rc == FW_OK; i++) {
        const char *name = json_string_value(json_array_get(list, i));
        if (!name || !*name) {
            rc = fw_err_set(err, FW_EINVAL, "'label' is not a list of classes");
            break;
        }
        long k = fw_ids_find(&p->classes, name);
        if (k < 0) {
            char *text = fw_arena_strdup(&p->arena, name);
            k = text ? fw_ids_add(&p->classes, text) : FW_IDS_NOMEM;
        }
        rc = k < 0 ? fw_err_nomem(err) : keep(r, (size_t)at, (size_t)k, err);
    }
    json_decref(list);
    return rc;
}

static int on_given(void *ctx, const struct fw_row *row, int line, struct fw_err *err)
{
    return place(ctx, given_row(ctx, row, err), line, err);
}

static int put_prob(struct fw_labelsets *s, size_t i, long k, const json_t *v, struct fw_err *err)
{
    if (k < 0)
        return fw_err_set(err, FW_EINVAL, "'probs' names an unknown class");
    if (!json_is_number(v) || !(json_number_value(v) >= 0 && json_number_value(v) <= 1))
        return fw_err_set(err, FW_EINVAL, "the probability of '%.100s' is not from 0 to 1",
                          s->priv->classes.ids[k]);
    s->probs[i * s->k + (size_t)k] = (float)json_number_value(v);
    s->predicted[i * s->k + (size_t)k] = json_number_value(v) > 0.5;
    return FW_OK;
}

static int read_probs(struct fw_labelsets *s, size_t i, const json_t *probs, struct fw_err *err)
{
    int rc = FW_OK;
    const char *name;
    json_t *v;
    if (json_is_array(probs) && json_array_size(probs) != s->k)
        return fw_err_set(err, FW_EINVAL, "'probs' has %zu numbers for %zu classes",
                          json_array_size(probs), s->k);
    for (size_t k = 0; k < json_array_size(probs) && rc == FW_OK; k++)
        rc = put_prob(s, i, (long)k, json_array_get(probs, k), err);
    json_object_foreach ((json_t *)probs, name, v) {
        if (rc == FW_OK)
            rc = put_prob(s, i, fw_ids_find(&s->priv->classes, name), v, err);
    }
    return rc;
}

static int read_names(struct fw_labelsets *s, size_t i, const json_t *list, struct fw_err *err)
{
    for (size_t j = 0; j < json_array_size(list); j++) {
        const char *name = json_string_value(json_array_get(list, j));
        long k = name ? fw_ids_find(&s->priv->classes, name) : -1;
        if (k < 0)
            return fw_err_set(err, FW_EINVAL, "'prediction' names an unknown class '%.100s'",
                              name ? name : "");
        s->predicted[i * s->k + (size_t)k] = 1;
    }
    return FW_OK;
}

static int predicted_row(struct reading *r, const struct fw_row *row, struct fw_err *err)
{
    struct fw_labelsets *s = r->s;
    const char *id = fw_row_str(row, "id");
    const struct fw_field *f = fw_row_get(row, "probs");
    bool probs = f && f->type != FW_NULL;
    long i = id ? fw_ids_find(&s->priv->ids, id) : -1;
    if (i < 0)
        return fw_err_set(err, FW_EINVAL, "id '%.200s' is not among the given samples",
                          id ? id : "");
    if (r->has[i])
        return fw_err_set(err, FW_EINVAL, "id '%.200s' appears twice", id);
    if (r->lines && probs != (s->probs != NULL))
        return fw_err_set(err, FW_EINVAL, "some predictions have 'probs' and some have not");
    if (probs && !s->probs && !(s->probs = calloc(s->n * s->k + 1, sizeof *s->probs)))
        return fw_err_nomem(err);
    r->has[i] = true;
    r->lines++;
    json_t *v =
        probs ? json_loadb(f->raw, f->raw_len, 0, NULL) : list_of(fw_row_get(row, "prediction"));
    int rc = !v ? fw_err_set(err, FW_EINVAL, "neither 'probs' nor a list 'prediction' is given")
             : probs ? read_probs(s, (size_t)i, v, err)
                     : read_names(s, (size_t)i, v, err);
    json_decref(v);
    return rc;
}

static int on_predicted(void *ctx, const struct fw_row *row, int line, struct fw_err *err)
{
    return place(ctx, predicted_row(ctx, row, err), line, err);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Classes in the order of their bytes, and the matrix of what is given. */
static int settle(struct reading *r, struct fw_err *err)
{
    struct fw_labelsets *s = r->s;
    struct fw_ids *classes = &s->priv->classes, sorted = {0};
    size_t cells;
    if (!classes->n) {
        fw_err_set(err, FW_EINVAL, "no sample has a label");
        return fw_err_at(err, r->path, 0, 0);
    }
    const char **was = malloc(classes->n * sizeof *was);
    if (!was)
        return fw_err_nomem(err);
    memcpy(was, classes->ids, classes->n * sizeof *was);
    qsort(classes->ids, classes->n, sizeof *classes->ids, by_name);
    bool bad = false;
    for (size_t k = 0; k < classes->n; k++)
        bad |= fw_ids_add(&sorted, classes->ids[k]) < 0;
    fw_ids_release(classes);
    *classes = sorted;
    s->n = s->priv->ids.n;
    s->k = classes->n;
    if (bad || __builtin_mul_overflow(s->n, s->k, &cells) || !(s->given = calloc(cells + 1, 1)) ||
        !(s->predicted = calloc(cells + 1, 1)) || !(r->has = calloc(s->n + 1, sizeof *r->has))) {
        free(was);
        return fw_err_nomem(err);
    }
    for (size_t p = 0; p < r->n; p++)
        s->given[r->v[p].i * s->k + (size_t)fw_ids_find(classes, was[r->v[p].k])] = 1;
    free(was);
    return FW_OK;
}

/* Takes out the samples that nothing predicts. */
static void drop_unpredicted(struct reading *r)
{
    struct fw_labelsets *s = r->s;
    size_t kept = 0, k = s->k;
    for (size_t i = 0; i < s->n; i++) {
        if (!r->has[i])
            continue;
        s->priv->ids.ids[kept] = s->priv->ids.ids[i];
        memmove(s->given + kept * k, s->given + i * k, k);
        memmove(s->predicted + kept * k, s->predicted + i * k, k);
        if (s->probs)
            memmove(s->probs + kept * k, s->probs + i * k, k * sizeof *s->probs);
        kept++;
    }
    s->unpredicted = s->n - kept;
    s->n = kept;
}

int fw_labelsets_load(const char *given, const char *predictions, struct fw_labelsets *out,
                      struct fw_err *err)
{
    struct fw_labelsets s = {.priv = calloc(1, sizeof *s.priv)};
    struct reading r = {.s = &s, .path = given};
    int rc = s.priv ? fw_rows_each(given, on_given, &r, err) : fw_err_nomem(err);
    if (rc == FW_OK)
        rc = settle(&r, err);
    if (rc == FW_OK && predictions) {
        r.path = predictions;
        rc = fw_rows_each(predictions, on_predicted, &r, err);
        if (rc == FW_OK && !r.lines) {
            fw_err_set(err, FW_EINVAL, "there are no predictions");
            rc = fw_err_at(err, predictions, 0, 0);
        }
        if (rc == FW_OK)
            drop_unpredicted(&r);
    } else if (rc == FW_OK) {
        free(s.predicted);
        s.predicted = NULL;
    }
    free(r.v);
    free(r.has);
    if (rc == FW_OK) {
        s.ids = s.priv->ids.ids;
        s.classes = s.priv->classes.ids;
        *out = s;
    } else {
        fw_labelsets_release(&s);
    }
    return rc;
}

void fw_labelsets_release(struct fw_labelsets *s)
{
    free(s->given);
    free(s->predicted);
    free(s->probs);
    if (s->priv) {
        fw_ids_release(&s->priv->ids);
        fw_ids_release(&s->priv->classes);
        fw_arena_release(&s->priv->arena);
    }
    free(s->priv);
    memset(s, 0, sizeof *s);
}
