#include "stages/drift/vocabulary.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/arena.h"
#include "stages/data/ids.h"
#include "stages/drift/counts.h"
#include "stages/evaluate/distributions.h"

struct word { /* sums over the documents of a side: x, x², x L */
    double n[FW_SIDES], squares[FW_SIDES], lengths[FW_SIDES];
    uint32_t here; /* in the document that is being read */
};

struct fw_vocabulary {
    struct fw_arena arena;
    struct fw_ids names;
    struct word *words;
    size_t cap;
    uint32_t *seen; /* words of the document that is being read */
    size_t n_seen, cap_seen;
    double n[FW_SIDES], squares[FW_SIDES]; /* Σ L, Σ L² */
};

struct fw_vocabulary *fw_vocabulary_new(void)
{
    return calloc(1, sizeof(struct fw_vocabulary));
}

void fw_vocabulary_free(struct fw_vocabulary *v)
{
    if (!v)
        return;
    fw_arena_release(&v->arena);
    fw_ids_release(&v->names);
    free(v->words);
    free(v->seen);
    free(v);
}

static bool in_word(unsigned char c)
{
    return c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The index of a word, which is made when it is new; −1 when memory is out. */
static long find_word(struct fw_vocabulary *v, const char *name)
{
    long at = fw_ids_find(&v->names, name);
    if (at >= 0)
        return at;
    if (v->names.n == v->cap) {
        size_t cap = v->cap ? 2 * v->cap : 1024;
        struct word *longer = realloc(v->words, cap * sizeof *longer);
        if (!longer)
            return -1;
        v->words = longer;
        v->cap = cap;
    }
    const char *own = fw_arena_strdup(&v->arena, name);
    at = own ? fw_ids_add(&v->names, own) : -1;
    if (at >= 0)
        v->words[at] = (struct word){.here = 0};
    return at;
}

static bool count_word(struct fw_vocabulary *v, const char *name)
{
    if (v->n_seen == v->cap_seen) {
        size_t cap = v->cap_seen ? 2 * v->cap_seen : 256;
        uint32_t *longer = realloc(v->seen, cap * sizeof *longer);
        if (!longer)
            return false;
        v->seen = longer;
        v->cap_seen = cap;
    }
    long at = find_word(v, name);
    if (at < 0)
        return false;
    if (!v->words[at].here++)
        v->seen[v->n_seen++] = (uint32_t)at;
    return true;
}

int fw_vocabulary_add(struct fw_vocabulary *v, int side, const char *text, size_t n,
                      struct fw_err *err)
{
    char word[FW_WORD_MAX + 1];
    double length = 0;
    bool fits = true;
    v->n_seen = 0;
    for (size_t i = 0; i < n && fits;) {
        for (; i < n && !in_word((unsigned char)text[i]); i++)
            ;
        size_t len = 0, from = i;
        for (; i < n && in_word((unsigned char)text[i]); i++)
            if (len < FW_WORD_MAX)
                word[len++] =
                    text[i] >= 'A' && text[i] <= 'Z' ? (char)(text[i] + 'a' - 'A') : text[i];
        while (len && from + len < n && ((unsigned char)text[from + len] & 0xc0) == 0x80)
            len--;
        word[len] = '\0';
        if (len) {
            fits = count_word(v, word);
            length++;
        }
    }
    for (size_t i = 0; i < v->n_seen; i++) {
        struct word *w = &v->words[v->seen[i]];
        double x = w->here;
        w->here = 0;
        if (!fits)
            continue;
        w->n[side] += x;
        w->squares[side] += x * x;
        w->lengths[side] += x * length;
    }
    if (!fits)
        return fw_err_nomem(err);
    v->n[side] += length;
    v->squares[side] += length * length;
    return FW_OK;
}

double fw_vocabulary_size(const struct fw_vocabulary *v, int side)
{
    return v->n[side];
}

struct cells {
    size_t n;
    double *count[FW_SIDES], *squares[FW_SIDES], *lengths[FW_SIDES];
};

/* The mean design effect of one side; see the header. The pool of rare words has no sum of squares of
 * its own; it is left out of the mean. */
static double design_of(const struct fw_vocabulary *v, const struct cells *c, size_t own, int side)
{
    double sum = 0, used = 0, n = v->n[side];
    for (size_t i = 0; i < own; i++) {
        double p = c->count[side][i] / n;
        if (!(p > 0))
            continue;
        sum += (c->squares[side][i] - 2 * p * c->lengths[side][i] + p * p * v->squares[side]) /
               (p * n);
        used += 1 - p;
    }
    return used > 0 && sum > used ? sum / used : 1;
}

static void name_movers(const struct fw_vocabulary *v, const size_t *cell, const struct cells *c,
                        size_t own, struct fw_vocabulary_drift *d)
{
    double worth[sizeof d->top / sizeof *d->top];
    size_t most = sizeof worth / sizeof *worth;
    for (size_t w = 0; w < v->names.n; w++) {
        if (cell[w] >= own)
            continue;
        double p = c->count[0][cell[w]] / v->n[0], q = c->count[1][cell[w]] / v->n[1];
        double mix = (p + q) / 2;
        double gain = (p > 0 ? p * log2(p / mix) : 0) + (q > 0 ? q * log2(q / mix) : 0);
        if (!(gain > 0) || (d->n_top == most && gain <= worth[most - 1]))
            continue;
        size_t at = d->n_top < most ? d->n_top++ : most - 1;
        for (; at > 0 && worth[at - 1] < gain; at--) {
            worth[at] = worth[at - 1];
            d->top[at] = d->top[at - 1];
        }
        worth[at] = gain;
        d->top[at] = (struct fw_word_move){v->names.ids[w], p, q};
    }
}

static void count_unseen(const struct fw_vocabulary *v, struct fw_vocabulary_drift *d)
{
    double unseen = 0, once = 0;
    for (size_t i = 0; i < v->names.n; i++) {
        d->known += v->words[i].n[0] > 0;
        once += v->words[i].n[0] == 1;
        unseen += v->words[i].n[0] == 0 ? v->words[i].n[1] : 0;
    }
    d->unseen = unseen / v->n[1];
    d->unseen_chance = once / v->n[0];
}

static int compare(const struct fw_vocabulary *v, const struct cells *c, const size_t *cell,
                   bool pool, struct fw_vocabulary_drift *out, struct fw_err *err)
{
    struct fw_vocabulary_drift d = {.words = {v->n[0], v->n[1]}, .p = NAN, .design = 1};
    struct fw_homogeneity h;
    size_t own = c->n - pool;
    int rc = fw_chi2_homogeneity(c->count[0], c->count[1], c->n, &h, err);
    if (rc != FW_OK)
        return rc;
    double a = design_of(v, c, own, 0), b = design_of(v, c, own, 1);
    d.design = (a * v->n[1] + b * v->n[0]) / (v->n[0] + v->n[1]);
    d.chi2 = h.chi2;
    d.df = h.df;
    if (h.df > 0)
        d.p = fw_chi2_tail(h.chi2 / d.design, h.df);
    d.js = fw_jensen_shannon(c->count[0], c->count[1], c->n);
    d.js_chance = d.design * h.df * (1 / v->n[0] + 1 / v->n[1]) / (8 * M_LN2);
    name_movers(v, cell, c, own, &d);
    count_unseen(v, &d);
    *out = d;
    return FW_OK;
}

int fw_vocabulary_compare(const struct fw_vocabulary *v, struct fw_vocabulary_drift *out,
                          struct fw_err *err)
{
    size_t k = v->names.n;
    if (!(v->n[0] > 0) || !(v->n[1] > 0))
        return fw_err_set(err, FW_EINVAL, "one of the two sides has no word");
    size_t *cell = malloc(k * sizeof *cell);
    double *all = calloc(k, 2 * sizeof *all), *sums = NULL;
    struct cells c = {.n = 0};
    bool pool = false;
    int rc = cell && all ? FW_OK : fw_err_nomem(err);
    for (size_t i = 0; rc == FW_OK && i < k; i++) {
        all[i] = v->words[i].n[0];
        all[k + i] = v->words[i].n[1];
    }
    if (rc == FW_OK)
        rc = fw_pool_rare(all, all + k, k, 5, FW_VOCABULARY_CELLS, cell, &c.n, &pool, err);
    if (rc == FW_OK && !(sums = calloc(c.n, 6 * sizeof *sums)))
        rc = fw_err_nomem(err);
    for (int s = 0; rc == FW_OK && s < FW_SIDES; s++) {
        c.count[s] = sums + (size_t)s * c.n;
        c.squares[s] = sums + (size_t)(2 + s) * c.n;
        c.lengths[s] = sums + (size_t)(4 + s) * c.n;
        for (size_t i = 0; i < k; i++) {
            c.count[s][cell[i]] += v->words[i].n[s];
            c.squares[s][cell[i]] += v->words[i].squares[s];
            c.lengths[s][cell[i]] += v->words[i].lengths[s];
        }
    }
    if (rc == FW_OK)
        rc = compare(v, &c, cell, pool, out, err);
    free(cell);
    free(all);
    free(sums);
    return rc;
}
