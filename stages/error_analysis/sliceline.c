#include "stages/error_analysis/sliceline.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/parallel.h"
#include "stages/error_analysis/rowbits.h"

enum { BATCH = 1 << 14, MAX_LOOKS = 20 * 1000 * 1000 };

struct node {
    uint16_t at[FW_SLICELINE_LEVELS]; /* values, ascending; of candidates too */
    uint32_t n;                       /* rows; of a candidate: an upper bound */
    double loss, most;                /* sum and greatest; likewise */
};

struct nodes {
    struct node *v;
    size_t n, cap;
};

struct search {
    const struct fw_sliceline_input *in;
    size_t support, levels, level, max_looks;
    double total;
    struct fw_rowbits bits;
    struct nodes kept, next; /* of the last level, of this one */
    struct node *batch;
    size_t n_batch;
    double threshold; /* what a slice must reach */
    struct fw_sliceline_result *out;
};

size_t fw_sliceline_support(size_t n)
{
    size_t share = n / 100 + (n % 100 != 0);
    return share > 32 ? share : 32;
}

double fw_sliceline_score(double alpha, double n, double loss, double n_all, double loss_all)
{
    return alpha * ((loss / n) / (loss_all / n_all) - 1) - (1 - alpha) * (n_all / n - 1);
}

/* The greatest score of any slice with σ ≤ rows ≤ n, losses ≤ loss, none above most. In the number
 * of rows the score rises while each row can have the greatest loss, and is monotone from there on. */
static double bound(const struct search *s, double n, double loss, double most)
{
    double least = (double)s->support, turn = most > 0 ? loss / most : 0, best = -INFINITY;
    double at[3] = {least, fmin(fmax(turn, least), n), n};
    for (size_t i = 0; i < 3; i++) {
        double e = fmin(loss, at[i] * most);
        best = fmax(best, fw_sliceline_score(s->in->alpha, at[i], e, (double)s->in->n, s->total));
    }
    return best;
}

/* Rounding must not cut what ties with the last of the K. */
static bool hopeless(const struct search *s, double n, double loss, double most)
{
    return n < (double)s->support || !(loss > 0) ||
           bound(s, n, loss, most) < s->threshold - 1e-9 * (1 + s->threshold);
}

static bool before(const struct fw_sliceline_slice *a, const struct fw_sliceline_slice *b)
{
    if (a->score != b->score)
        return a->score > b->score;
    if (a->n != b->n)
        return a->n > b->n;
    for (size_t i = 0; i < a->level && i < b->level; i++) {
        if (a->at[i].feature != b->at[i].feature)
            return a->at[i].feature < b->at[i].feature;
        if (a->at[i].value != b->at[i].value)
            return a->at[i].value < b->at[i].value;
    }
    return a->level < b->level;
}

static void offer(struct search *s, const struct node *node)
{
    struct fw_sliceline_result *r = s->out;
    struct fw_sliceline_slice one = {.level = s->level, .n = node->n, .loss = node->loss};
    one.score =
        fw_sliceline_score(s->in->alpha, (double)node->n, node->loss, (double)s->in->n, s->total);
    if (!(one.score > 0))
        return;
    for (size_t i = 0; i < s->level; i++) {
        one.at[i].feature = s->bits.literals[node->at[i]].feature;
        one.at[i].value = s->bits.literals[node->at[i]].value;
    }
    size_t at = r->n;
    while (at > 0 && before(&one, &r->v[at - 1]))
        at--;
    if (at == s->in->k)
        return;
    size_t last = r->n < s->in->k ? r->n++ : r->n - 1;
    memmove(&r->v[at + 1], &r->v[at], (last - at) * sizeof *r->v);
    r->v[at] = one;
    if (r->n == s->in->k)
        s->threshold = r->v[r->n - 1].score;
}

/* Candidates with one prefix come one after the other: its rows are intersected once a block. */
static int evaluate_work(void *ctx, const struct fw_chunk *chunk, struct fw_err *err)
{
    const struct search *s = ctx;
    (void)err;
    struct fw_rowcount count[64]; /* the grain */
    size_t n = chunk->to - chunk->from;
    struct node *c = s->batch + chunk->from;
    memset(count, 0, sizeof count);
    for (int part = 0; part < 2; part++) {
        size_t end = part ? s->bits.words : s->bits.loss_words;
        for (size_t w = part ? s->bits.loss_words : 0; w < end; w += FW_ROWBITS_BLOCK) {
            size_t words = end - w < FW_ROWBITS_BLOCK ? end - w : FW_ROWBITS_BLOCK;
            uint64_t prefix[FW_ROWBITS_BLOCK];
            const struct node *of = NULL;
            for (size_t i = 0; i < n; i++) {
                if (!c[i].n)
                    continue;
                if (!of || memcmp(of->at, c[i].at, (s->level - 1) * sizeof *of->at) != 0)
                    fw_rowbits_and(&s->bits, c[i].at, s->level - 1, w, words, prefix);
                of = &c[i];
                fw_rowbits_count(&s->bits, prefix, c[i].at[s->level - 1], w, words, &count[i]);
            }
        }
        for (size_t i = 0; i < n && !part; i++)
            if (c[i].n && hopeless(s, c[i].n, count[i].loss, count[i].most))
                c[i].n = 0;
    }
    for (size_t i = 0; i < n; i++) {
        c[i].n = c[i].n ? (uint32_t)count[i].n : 0;
        c[i].loss = count[i].loss;
        c[i].most = count[i].most;
    }
    return FW_OK;
}

static int keep(struct nodes *list, const struct node *node, struct fw_err *err)
{
    if (list->n == list->cap) {
        size_t cap = list->cap ? list->cap * 2 : 256, bytes;
        struct node *v = NULL;
        if (!__builtin_mul_overflow(cap, sizeof *v, &bytes))
            v = realloc(list->v, bytes);
        if (!v)
            return fw_err_nomem(err);
        list->v = v;
        list->cap = cap;
    }
    list->v[list->n++] = *node;
    return FW_OK;
}

static int flush(struct search *s, struct fw_err *err)
{
    int rc = fw_parallel(s->n_batch, 64, evaluate_work, s, err);
    for (size_t i = 0; i < s->n_batch && rc == FW_OK; i++)
        if (s->batch[i].n >= s->support && s->batch[i].loss > 0)
            offer(s, &s->batch[i]);
    for (size_t i = 0; i < s->n_batch && rc == FW_OK; i++)
        if (!hopeless(s, s->batch[i].n, s->batch[i].loss, s->batch[i].most))
            rc = keep(&s->next, &s->batch[i], err);
    s->out->looks += s->n_batch;
    s->n_batch = 0;
    return rc;
}

static int consider(struct search *s, const struct node *candidate, struct fw_err *err)
{
    if (hopeless(s, candidate->n, candidate->loss, candidate->most))
        return FW_OK;
    s->batch[s->n_batch++] = *candidate;
    return s->n_batch == BATCH ? flush(s, err) : FW_OK;
}

static const struct node *find(const struct nodes *list, const uint16_t *at, size_t level)
{
    size_t low = 0, high = list->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2, i = 0;
        const struct node *v = &list->v[mid];
        while (i < level && v->at[i] == at[i])
            i++;
        if (i == level)
            return v;
        if (v->at[i] < at[i])
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

static void tighten(struct node *c, const struct node *parent)
{
    c->n = parent->n < c->n ? parent->n : c->n;
    c->loss = fmin(c->loss, parent->loss);
    c->most = fmin(c->most, parent->most);
}

/* a and b agree in all but their last value. False when another parent is gone. */
static bool join(const struct search *s, const struct node *a, const struct node *b, struct node *c)
{
    size_t last = s->level - 1;
    *c = *a;
    c->at[last] = b->at[last - 1];
    tighten(c, b);
    for (size_t skip = 0; skip + 2 < s->level; skip++) {
        uint16_t at[FW_SLICELINE_LEVELS];
        for (size_t i = 0, to = 0; i < s->level; i++)
            if (i != skip)
                at[to++] = c->at[i];
        const struct node *parent = find(&s->kept, at, last);
        if (!parent)
            return false;
        tighten(c, parent);
    }
    return true;
}

static int first_level(struct search *s, struct fw_err *err)
{
    int rc = FW_OK;
    for (size_t l = 0; l < s->bits.n_literals && rc == FW_OK; l++) {
        struct node c = {.at = {(uint16_t)l}, .n = (uint32_t)s->in->n, .loss = s->total};
        c.most = s->bits.most;
        rc = consider(s, &c, err);
    }
    return rc;
}

static int next_level(struct search *s, struct fw_err *err)
{
    size_t prefix = s->level - 2;
    int rc = FW_OK;
    for (size_t i = 0; i < s->kept.n && rc == FW_OK && s->out->complete; i++) {
        const struct node *a = &s->kept.v[i];
        for (size_t j = i + 1; j < s->kept.n && rc == FW_OK; j++) {
            const struct node *b = &s->kept.v[j];
            struct node c;
            if (memcmp(a->at, b->at, prefix * sizeof *a->at) != 0)
                break;
            if (s->bits.literals[a->at[prefix]].feature !=
                    s->bits.literals[b->at[prefix]].feature &&
                join(s, a, b, &c))
                rc = consider(s, &c, err);
        }
        s->out->complete = s->out->looks <= s->max_looks;
    }
    return rc;
}

static int levels(struct search *s, struct fw_err *err)
{
    int rc = FW_OK;
    for (s->level = 1; s->level <= s->levels && rc == FW_OK && s->out->complete; s->level++) {
        rc = s->level == 1 ? first_level(s, err) : next_level(s, err);
        if (rc == FW_OK)
            rc = flush(s, err);
        struct nodes done = s->kept;
        s->kept = s->next;
        s->next = done;
        s->next.n = 0;
        if (!s->kept.n)
            break;
    }
    return rc;
}

static int check(const struct fw_sliceline_input *in, struct fw_err *err)
{
    if (!(in->alpha > 0 && in->alpha <= 1))
        return fw_err_set(err, FW_EINVAL, "alpha is above 0 and at most 1, not %g", in->alpha);
    if (in->n > UINT32_MAX - 64 || in->m > UINT8_MAX)
        return fw_err_set(err, FW_EINVAL,
                          "slices are found in fewer than 2^32 rows and 256 features");
    if (in->max_level > FW_SLICELINE_LEVELS)
        return fw_err_set(err, FW_EINVAL, "a slice has at most %d values", FW_SLICELINE_LEVELS);
    for (size_t i = 0; i < in->n; i++)
        if (!(in->loss[i] >= 0 && isfinite(in->loss[i])))
            return fw_err_set(err, FW_EINVAL,
                              "the loss of row %zu is %g: a loss is a number of at least 0", i,
                              in->loss[i]);
    return FW_OK;
}

int fw_sliceline(const struct fw_sliceline_input *in, struct fw_sliceline_result *out,
                 struct fw_err *err)
{
    struct fw_sliceline_result result = {.complete = true};
    struct search s = {.in = in, .out = &result};
    int rc = check(in, err);
    size_t bytes;
    if (rc != FW_OK)
        return rc;
    for (size_t i = 0; i < in->n; i++)
        s.total += in->loss[i];
    if (!(s.total > 0) || !in->k || !in->m) {
        *out = result;
        return FW_OK;
    }
    s.support = in->min_support ? in->min_support : fw_sliceline_support(in->n);
    s.levels = in->max_level ? in->max_level : FW_SLICELINE_LEVELS;
    s.levels = s.levels < in->m ? s.levels : in->m;
    s.max_looks = in->max_looks ? in->max_looks : MAX_LOOKS;
    s.batch = malloc(BATCH * sizeof *s.batch);
    if (!__builtin_mul_overflow(in->k + 1, sizeof *result.v, &bytes))
        result.v = malloc(bytes);
    rc = s.batch && result.v ? FW_OK : fw_err_nomem(err);
    if (rc == FW_OK)
        rc = fw_rowbits_make(in->n, in->m, in->code, in->loss, s.support, &s.bits, err);
    if (rc == FW_OK)
        rc = levels(&s, err);
    fw_rowbits_release(&s.bits);
    free(s.kept.v);
    free(s.next.v);
    free(s.batch);
    if (rc == FW_OK)
        *out = result;
    else
        free(result.v);
    return rc;
}

void fw_sliceline_release(struct fw_sliceline_result *r)
{
    free(r->v);
    memset(r, 0, sizeof *r);
}
