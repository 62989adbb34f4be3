#include "stages/error_analysis/found.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/buf.h"
#include "stages/error_analysis/clusters.h"
#include "stages/error_analysis/fields.h"
#include "stages/error_analysis/sliceline.h"
#include "stages/error_analysis/worse.h"
#include "stages/evaluate/multiple.h"

enum { LEVEL = 3, LEAST_CLUSTERED = 64 };
static const double share = 0.01, level = 0.05;

struct finding {
    const struct fw_analysis_input *in;
    const struct fw_judged *j;
    struct fw_fields fields;
    struct fw_clusters clusters;
    struct fw_found *out;
    size_t cap;
    json_t *notes;
};

static struct fw_found_slice *add(struct finding *f)
{
    if (f->out->n == f->cap) {
        size_t cap = f->cap ? 2 * f->cap : 16;
        struct fw_found_slice *v = realloc(f->out->v, cap * sizeof *v);
        if (!v)
            return NULL;
        f->out->v = v;
        f->cap = cap;
    }
    struct fw_found_slice *one = &f->out->v[f->out->n++];
    memset(one, 0, sizeof *one);
    return one;
}

static int note(struct finding *f, const char *text, struct fw_err *err)
{
    return json_array_append_new(f->notes, json_string(text)) ? fw_err_nomem(err) : FW_OK;
}

/* The losses that the search adds up: those of the run's metric. */
static double loss_of(const struct finding *f, size_t i)
{
    const struct fw_predictions *p = f->in->dev;
    const struct fw_judged *j = f->j;
    size_t k = f->in->task->n_classes;
    switch (f->in->metric.id) {
    case FW_LOG_LOSS:
        return p->has_probs ? fw_log_loss_of(p->probs + j->at[i] * k, k, j->truth[i]) : j->loss[i];
    case FW_BRIER:
        return p->has_probs ? fw_brier_of(p->probs + j->at[i] * k, k, j->truth[i]) : j->loss[i];
    case FW_RMSE:
    case FW_R2:
        return j->loss[i] * j->loss[i];
    default:
        return j->loss[i];
    }
}

static bool inside(const struct finding *f, const struct fw_sliceline_slice *s, size_t i)
{
    for (size_t l = 0; l < s->level; l++)
        if (f->fields.code[s->at[l].feature * f->fields.n + i] != s->at[l].value)
            return false;
    return true;
}

/* Is the model worse on the members than on the rest of the judged rows that `half` allows? */
static double test(const struct fw_judged *j, const bool *member, bool held_out)
{
    size_t n = 0, all = 0, errors = 0, errors_all = 0;
    double sum = 0, sum_all = 0, square = 0, square_all = 0;
    for (size_t i = 0; i < j->n; i++) {
        if (held_out && j->explored[i])
            continue;
        double loss = j->loss[i];
        all++;
        errors_all += j->error[i];
        sum_all += loss;
        square_all += loss * loss;
        if (!member[i])
            continue;
        n++;
        errors += j->error[i];
        sum += loss;
        square += loss * loss;
    }
    return j->truth ? fw_worse_errors(errors, n, errors_all, all)
                    : fw_worse_losses(n, sum, square, all, sum_all, square_all);
}

static bool declared(const struct fw_analysis_input *in, const struct fw_column *c,
                     const char *text, size_t values)
{
    for (size_t d = 0; d < in->n_slices; d++)
        if (!strcmp(in->slices[d], text) ||
            (values == 1 && !strcmp(in->slices[d], c->name) && strstr(text, " == ")))
            return true;
    return values == 1 && !strcmp(c->name, "class");
}

static char *condition_of(const struct finding *f, const struct fw_sliceline_slice *s)
{
    struct fw_buf b = {0};
    for (size_t l = 0; l < s->level; l++)
        fw_buf_printf(&b, "%s%s", l ? " and " : "",
                      f->fields.v[s->at[l].feature].conditions[s->at[l].value - 1]);
    return fw_buf_steal(&b);
}

/* Sample i comes in at a place, and the last falls off when they are full. */
static void put_example(struct fw_found_slice *to, size_t at, size_t i)
{
    if (at == FW_FOUND_EXAMPLES)
        return;
    if (to->n_examples < FW_FOUND_EXAMPLES)
        to->n_examples++;
    memmove(&to->examples[at + 1], &to->examples[at],
            (to->n_examples - 1 - at) * sizeof *to->examples);
    to->examples[at] = (uint32_t)i;
}

/* The five greatest losses, ties in the order of the data. */
static void worst(const struct finding *f, const bool *member, struct fw_found_slice *to)
{
    for (size_t i = 0; i < f->j->n; i++) {
        if (!member[i] || !(f->j->loss[i] > 0))
            continue;
        size_t at = to->n_examples;
        while (at > 0 && f->j->loss[i] > f->j->loss[to->examples[at - 1]])
            at--;
        put_example(to, at, i);
    }
}

/* Says what a better one says: lies in it by more than four fifths, or shares more than half of the rows
 * of both (Jaccard index). One around a better one is kept: it is the wider of the two. bits: n_kept + 1
 * sets of words, the last of them of the candidate. */
static bool repeats(const uint64_t *bits, size_t words, size_t n_kept)
{
    const uint64_t *one = bits + n_kept * words;
    for (size_t k = 0; k < n_kept; k++) {
        size_t both = 0, here = 0, there = 0;
        for (size_t w = 0; w < words; w++) {
            both += (size_t)__builtin_popcountll(one[w] & bits[k * words + w]);
            here += (size_t)__builtin_popcountll(one[w]);
            there += (size_t)__builtin_popcountll(bits[k * words + w]);
        }
        if (5 * both > 4 * here || 3 * both > here + there)
            return true;
    }
    return false;
}

struct keeping {
    bool *member;   /* N */
    uint64_t *bits; /* max_found + 1 sets of words */
    size_t words, n;
};

/* Takes the slice when it says something new. */
static int keep_slice(struct finding *f, const struct fw_sliceline_slice *v, struct keeping *k,
                      struct fw_err *err)
{
    uint64_t *own = k->bits + k->n * k->words;
    char *text = condition_of(f, v);
    if (!text)
        return fw_err_nomem(err);
    memset(own, 0, k->words * sizeof *own);
    for (size_t i = 0; i < f->j->n; i++) {
        k->member[i] = inside(f, v, i);
        own[i / 64] |= (uint64_t)k->member[i] << i % 64;
    }
    if (declared(f->in, &f->fields.v[v->at[0].feature], text, v->level) ||
        repeats(k->bits, k->words, k->n)) {
        free(text);
        return FW_OK;
    }
    struct fw_found_slice *one = add(f);
    if (!one) {
        free(text);
        return fw_err_nomem(err);
    }
    one->text = text;
    one->p = test(f->j, k->member, true);
    worst(f, k->member, one);
    k->n++;
    return fw_slice_parse(text, &one->condition, err);
}

static int keep_slices(struct finding *f, const struct fw_sliceline_result *r, struct fw_err *err)
{
    struct keeping k = {.words = (f->j->n + 63) / 64};
    size_t sets = (f->in->max_found < r->n ? f->in->max_found : r->n) + 1, bytes;
    k.member = malloc(f->j->n + 1);
    if (!__builtin_mul_overflow(sets * sizeof *k.bits, k.words, &bytes))
        k.bits = malloc(bytes + 1);
    int rc = k.member && k.bits ? FW_OK : fw_err_nomem(err);
    for (size_t s = 0; s < r->n && k.n < f->in->max_found && rc == FW_OK; s++)
        rc = keep_slice(f, &r->v[s], &k, err);
    free(k.member);
    free(k.bits);
    return rc;
}

/* SliceLine on the half that may be explored. */
static int explore(struct finding *f, struct fw_err *err)
{
    size_t n = 0, m = f->fields.m, bytes;
    if (f->fields.has_class && !f->in->found_class)
        m--;
    for (size_t i = 0; i < f->j->n; i++)
        n += f->j->explored[i];
    uint8_t *code = __builtin_mul_overflow(n + 1, m + 1, &bytes) ? NULL : malloc(bytes);
    double *loss = malloc((n + 1) * sizeof *loss);
    struct fw_sliceline_result r = {0};
    struct fw_sliceline_input s = {.n = n, .m = m, .code = code, .loss = loss, .alpha = 0.95};
    double least = ceil((f->in->found_share > 0 ? f->in->found_share : share) * (double)n);
    s.min_support = least > 32 ? (size_t)least : 32;
    s.max_level = f->in->found_level ? f->in->found_level : LEVEL;
    s.k = 5 * f->in->max_found; /* many say the same */
    int rc = code && loss ? FW_OK : fw_err_nomem(err);
    if (rc == FW_OK) {
        size_t to = 0;
        for (size_t i = 0; i < f->j->n; i++)
            if (f->j->explored[i])
                loss[to++] = loss_of(f, i);
        to = 0;
        for (size_t c = 0; c < m; c++)
            for (size_t i = 0; i < f->j->n; i++)
                if (f->j->explored[i])
                    code[to++] = f->fields.code[c * f->j->n + i];
        rc = fw_sliceline(&s, &r, err);
    }
    if (rc == FW_OK && !r.complete)
        rc = note(f,
                  "The search for slices was ended before it had looked at all of them: `level` "
                  "makes it smaller.",
                  err);
    free(code);
    free(loss);
    if (rc == FW_OK)
        rc = keep_slices(f, &r, err);
    fw_sliceline_release(&r);
    return rc;
}

/* What the clusters are made of: N × D, malloc'd, or NULL when there is nothing. */
static float *points(const struct finding *f, size_t *d, bool *failed)
{
    const struct fw_predictions *p = f->in->dev;
    const struct fw_judged *j = f->j;
    const struct fw_sample *samples = f->in->data->samples;
    size_t bytes;
    *d = p->embeddings ? p->d : samples[j->row[0]].n_features;
    for (size_t i = 0; i < j->n && !p->embeddings; i++)
        if (samples[j->row[i]].n_features != *d)
            return NULL;
    if (!*d || j->n < LEAST_CLUSTERED)
        return NULL;
    float *x = __builtin_mul_overflow(j->n * sizeof *x, *d, &bytes) ? NULL : malloc(bytes);
    *failed = !x;
    for (size_t i = 0; x && i < j->n; i++)
        memcpy(x + i * *d,
               p->embeddings ? p->embeddings + j->at[i] * *d : samples[j->row[i]].features,
               *d * sizeof *x);
    for (size_t c = 0; x && !p->embeddings && c < *d; c++) { /* features have units: standardised */
        double sum = 0, square = 0;
        for (size_t i = 0; i < j->n; i++)
            sum += x[i * *d + c];
        double mean = sum / (double)j->n;
        for (size_t i = 0; i < j->n; i++)
            square += (x[i * *d + c] - mean) * (x[i * *d + c] - mean);
        double sd = sqrt(square / (double)j->n);
        for (size_t i = 0; i < j->n; i++)
            x[i * *d + c] = sd > 0 ? (float)((x[i * *d + c] - mean) / sd) : 0;
    }
    return x;
}

static void nearest(const struct finding *f, uint32_t cluster, struct fw_found_slice *to)
{
    const float *d = f->clusters.distance;
    for (size_t i = 0; i < f->j->n; i++) {
        if (f->clusters.label[i] != cluster)
            continue;
        size_t at = to->n_examples;
        while (at > 0 && d[i] < d[to->examples[at - 1]])
            at--;
        put_example(to, at, i);
    }
}

/* What is at least half as frequent again in the cluster, and in a fifth of it: by share × ln(lift), the
 * value's part of the Kullback-Leibler divergence of the cluster from all (Kullback and Leibler 1951). */
static int describe(const struct finding *f, uint32_t cluster, struct fw_found_slice *to,
                    struct fw_err *err)
{
    double weight[FW_FOUND_TRAITS] = {0};
    for (size_t c = 0; c < f->fields.m; c++) {
        size_t in[256] = {0}, all[256] = {0}, n = 0;
        for (size_t i = 0; i < f->j->n; i++) {
            uint8_t v = f->fields.code[c * f->j->n + i];
            bool member = f->clusters.label[i] == cluster;
            all[v]++;
            in[v] += member;
            n += member;
        }
        for (size_t v = 1; v <= f->fields.v[c].n_values; v++) {
            double here = (double)in[v] / (double)n;
            double lift = in[v] ? here / ((double)all[v] / (double)f->j->n) : 0;
            double w = here >= 0.2 && lift >= 1.5 ? here * log(lift) : 0;
            size_t at = to->n_traits;
            while (at > 0 && w > weight[at - 1])
                at--;
            if (!(w > 0) || at == FW_FOUND_TRAITS)
                continue;
            char *own = strdup(f->fields.v[c].conditions[v - 1]);
            if (!own)
                return fw_err_nomem(err);
            if (to->n_traits < FW_FOUND_TRAITS)
                to->n_traits++;
            else
                free(to->traits[FW_FOUND_TRAITS - 1].condition);
            for (size_t k = to->n_traits - 1; k > at; k--) {
                to->traits[k] = to->traits[k - 1];
                weight[k] = weight[k - 1];
            }
            to->traits[at].condition = own;
            to->traits[at].share = here;
            to->traits[at].lift = lift;
            weight[at] = w;
        }
    }
    return FW_OK;
}

static int cluster(struct finding *f, struct fw_err *err)
{
    size_t d;
    bool failed = false;
    float *x = points(f, &d, &failed);
    struct fw_err why = {0};
    if (!x)
        return failed ? fw_err_nomem(err) : FW_OK;
    int rc = fw_clusters(x, f->j->n, d, fw_clusters_k(f->j->n), f->in->seed, &f->clusters, &why);
    free(x);
    if (rc == FW_EINVAL)
        return note(f, "The embeddings hold numbers that are not finite, so no clusters are made.",
                    err);
    if (rc != FW_OK) {
        if (err)
            *err = why;
        return rc;
    }
    f->out->cluster = f->clusters.label; /* owns them from here on */
    bool *member = malloc(f->j->n + 1);
    rc = member ? FW_OK : fw_err_nomem(err);
    for (uint32_t c = 0; c < f->clusters.k && rc == FW_OK; c++) {
        struct fw_found_slice *one = add(f);
        struct fw_buf text = {0};
        fw_buf_printf(&text, "cluster %u", c + 1);
        char *own = fw_buf_steal(&text);
        if (!one || !own) {
            free(own);
            rc = fw_err_nomem(err);
            break;
        }
        one->text = own;
        one->cluster = c;
        for (size_t i = 0; i < f->j->n; i++)
            member[i] = f->clusters.label[i] == c;
        one->p = test(f->j, member, false);
    }
    free(member);
    return rc;
}

static void drop(struct fw_found_slice *s)
{
    for (size_t t = 0; t < s->n_traits; t++)
        free(s->traits[t].condition);
    free(s->text);
    fw_slice_free(s->condition);
}

static int by_p(const void *a, const void *b)
{
    const struct fw_found_slice *x = a, *y = b;
    if (x->p != y->p)
        return x->p < y->p ? -1 : 1;
    if (!x->condition != !y->condition)
        return x->condition ? -1 : 1;
    return x->condition ? strcmp(x->text, y->text) : (int)x->cluster - (int)y->cluster;
}

/* All tests together; only what they show stays. */
static int judge(struct finding *f, struct fw_err *err)
{
    struct fw_found *o = f->out;
    double *p = malloc((o->n + 1) * sizeof *p);
    size_t kept = 0;
    int rc = p ? FW_OK : fw_err_nomem(err);
    for (size_t i = 0; i < o->n && rc == FW_OK; i++)
        p[i] = o->v[i].p;
    if (rc == FW_OK)
        rc = fw_holm(p, o->n, p, err);
    for (size_t i = 0; i < o->n && rc == FW_OK; i++) {
        struct fw_found_slice one = o->v[i];
        one.p_adjusted = p[i];
        if (p[i] <= level) /* not for NaN */
            o->v[kept++] = one;
        else
            drop(&one);
    }
    if (rc == FW_OK) {
        o->n = kept;
        if (kept)
            qsort(o->v, kept, sizeof *o->v, by_p);
        while (o->n > f->in->max_found)
            drop(&o->v[--o->n]);
    }
    for (size_t i = 0; i < o->n && rc == FW_OK; i++) {
        if (o->v[i].condition)
            continue;
        nearest(f, o->v[i].cluster, &o->v[i]);
        rc = describe(f, o->v[i].cluster, &o->v[i], err);
    }
    free(p);
    return rc;
}

int fw_found_make(const struct fw_analysis_input *in, const struct fw_judged *j, json_t *notes,
                  struct fw_found *out, struct fw_err *err)
{
    struct fw_found found = {0};
    struct finding f = {.in = in, .j = j, .out = &found, .notes = notes};
    if (!in->max_found || !j->n) {
        *out = found;
        return FW_OK;
    }
    int rc = fw_fields_read(in->data, in->task, j->row, j->n, j->truth, &f.fields, err);
    if (rc == FW_OK && f.fields.unread)
        rc = note(&f, "Slices are sought in the first 64 fields.", err);
    if (rc == FW_OK)
        rc = explore(&f, err);
    if (rc == FW_OK)
        rc = cluster(&f, err);
    if (rc == FW_OK)
        rc = judge(&f, err);
    fw_fields_release(&f.fields);
    f.clusters.label = NULL; /* found.cluster */
    fw_clusters_release(&f.clusters);
    if (rc == FW_OK)
        *out = found;
    else
        fw_found_release(&found);
    return rc;
}

void fw_found_release(struct fw_found *f)
{
    for (size_t i = 0; i < f->n; i++)
        drop(&f->v[i]);
    free(f->v);
    free(f->cluster);
    memset(f, 0, sizeof *f);
}
