#include "stages/quality/duplicates.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/hash.h"
#include "pipeline/base/parallel.h"
#include "stages/quality/near_images.h"
#include "stages/quality/near_texts.h"
#include "stages/quality/normalise.h"
#include "stages/quality/robust.h"
#include "stages/train/image.h"

struct fw_dup_params fw_dup_defaults(void)
{
    return (struct fw_dup_params){.text_similarity = 0.8, .images = true, .near_fraction = 0.13};
}

void fw_duplicates_release(struct fw_duplicates *d)
{
    free(d->groups);
    free(d->members);
    fw_links_release(&d->links);
    *d = (struct fw_duplicates){0};
}

/* ---- what a sample holds ---- */

enum { HAS_FILE = 1, HAS_TEXT = 2, HAS_FEATURES = 4 };

struct content {
    char key[32]; /* of the digest's hex digits */
    uint32_t sample;
    unsigned char has;
    bool unreadable;
};

struct reading {
    const struct fw_dataset *ds;
    struct content *content;
    struct fw_phash *hash; /* NULL: not wanted */
    struct fw_buf *bytes;  /* two a worker: a file, a normalised text */
};

static int read_file(const struct reading *r, size_t i, struct fw_buf *bytes, struct fw_sha256 *h,
                     struct fw_err *err)
{
    struct content *c = &r->content[i];
    struct fw_err why = {0};
    fw_buf_clear(bytes);
    int rc = fw_image_read_file(r->ds->root, r->ds->samples[i].file_name, bytes, &why);
    if (rc == FW_ENOMEM || bytes->failed)
        return fw_err_nomem(err);
    c->unreadable = rc != FW_OK;
    if (c->unreadable)
        return FW_OK;
    fw_sha256_add(h, "f", 1);
    fw_sha256_add(h, &bytes->len, sizeof bytes->len);
    fw_sha256_add(h, bytes->p, bytes->len);
    if (r->hash && c->has == HAS_FILE && fw_is_image(bytes->p, bytes->len) &&
        fw_phash_compute(bytes->p, bytes->len, &r->hash[i], &why) == FW_ENOMEM)
        return fw_err_nomem(err);
    return FW_OK;
}

static int read_sample(const struct reading *r, size_t i, struct fw_buf *bytes, struct fw_buf *text,
                       struct fw_err *err)
{
    const struct fw_sample *s = &r->ds->samples[i];
    struct content *c = &r->content[i];
    struct fw_sha256 h;
    char hex[FW_SHA256_HEX];
    int rc = FW_OK;
    c->sample = (uint32_t)i;
    c->has = (unsigned char)((s->file_name ? HAS_FILE : 0) | (s->text && *s->text ? HAS_TEXT : 0) |
                             (s->n_features ? HAS_FEATURES : 0));
    fw_sha256_init(&h);
    if (c->has & HAS_FILE)
        rc = read_file(r, i, bytes, &h, err);
    if (c->has & HAS_TEXT) {
        fw_buf_clear(text);
        fw_text_normalise(s->text, strlen(s->text), false, text);
        fw_sha256_add(&h, "t", 1);
        fw_sha256_add_str(&h, text->p ? text->p : "");
        rc = rc == FW_OK && text->failed ? fw_err_nomem(err) : rc;
    }
    if (c->has & HAS_FEATURES)
        fw_sha256_add(&h, "x", 1);
    for (size_t j = 0; j < s->n_features; j++) {
        float v = s->features[j] + 0.0f; /* -0 and 0 are one value */
        fw_sha256_add(&h, &v, sizeof v);
    }
    int fin = fw_sha256_final(&h, hex, rc == FW_OK ? err : NULL);
    memcpy(c->key, hex, fin == FW_OK ? sizeof c->key : 0);
    if (!c->has || c->unreadable) /* equal to nothing, and sorted behind all digits */
        memset(c->key, '~', sizeof c->key);
    return rc == FW_OK ? fin : rc;
}

static int reading_work(void *ctx, const struct fw_chunk *chunk, struct fw_err *err)
{
    const struct reading *r = ctx;
    int rc = FW_OK;
    for (size_t i = chunk->from; rc == FW_OK && i < chunk->to; i++)
        rc = read_sample(r, i, &r->bytes[2 * chunk->worker], &r->bytes[2 * chunk->worker + 1], err);
    return rc;
}

static int by_key(const void *a, const void *b)
{
    const struct content *x = a, *y = b;
    int order = memcmp(x->key, y->key, sizeof x->key);
    return order ? order : (x->sample > y->sample) - (x->sample < y->sample);
}

/* Sorts the contents. */
static int equal_contents(struct content *c, size_t n, struct fw_sets *sets,
                          struct fw_duplicates *out, struct fw_err *err)
{
    int rc = FW_OK;
    qsort(c, n, sizeof *c, by_key);
    for (size_t i = 0; i < n; i++)
        out->unreadable += c[i].unreadable;
    for (size_t i = 1; rc == FW_OK && i < n; i++)
        if (c[i].key[0] != '~' && !memcmp(c[i].key, c[i - 1].key, sizeof c[i].key))
            rc = fw_links_join(&out->links, sets, c[i - 1].sample, c[i].sample, FW_DUP_EXACT, 1,
                               err);
    return rc;
}

static int near_texts(const struct fw_dataset *ds, const struct fw_dup_params *p,
                      struct fw_sets *sets, struct fw_links *links, struct fw_err *err)
{
    const char **texts = calloc(ds->n ? ds->n : 1, sizeof *texts);
    if (!texts)
        return fw_err_nomem(err);
    for (size_t i = 0; i < ds->n; i++)
        if (!ds->samples[i].file_name && !ds->samples[i].n_features)
            texts[i] = ds->samples[i].text;
    int rc = fw_near_texts(texts, ds->n, p->text_similarity, p->seed, sets, links, err);
    free(texts);
    return rc;
}

static int search_contents(const struct fw_dataset *ds, const struct fw_dup_params *p,
                           struct fw_sets *sets, struct fw_duplicates *out, struct fw_err *err)
{
    size_t n = ds->n ? ds->n : 1, workers = fw_parallel_workers();
    struct reading r = {ds, calloc(n, sizeof *r.content), NULL,
                        calloc(2 * workers, sizeof *r.bytes)};
    bool files = false;
    for (size_t i = 0; i < ds->n; i++)
        files = files || ds->samples[i].file_name;
    if (files && p->images)
        r.hash = calloc(n, sizeof *r.hash);
    int rc = r.content && r.bytes && (r.hash || !files || !p->images) ? FW_OK : fw_err_nomem(err);
    rc = rc == FW_OK ? fw_parallel(ds->n, files ? 8 : 1024, reading_work, &r, err) : rc;
    rc = rc == FW_OK ? equal_contents(r.content, ds->n, sets, out, err) : rc;
    for (size_t i = 0; r.bytes && i < 2 * workers; i++)
        fw_buf_release(&r.bytes[i]);
    free(r.bytes);
    free(r.content);
    if (rc == FW_OK && p->text_similarity > 0)
        rc = near_texts(ds, p, sets, &out->links, err);
    if (rc == FW_OK && r.hash)
        rc = fw_near_images(r.hash, ds->n, sets, &out->links, err);
    free(r.hash);
    return rc;
}

/* ---- embeddings ---- */

int fw_near_neighbours(const struct fw_neighbours *nb, double near_fraction, double near_distance,
                       struct fw_sets *sets, struct fw_links *links, double *threshold,
                       struct fw_err *err)
{
    struct fw_robust r = {0};
    double *first = calloc(nb->n ? nb->n : 1, sizeof *first);
    if (!first)
        return fw_err_nomem(err);
    for (size_t i = 0; i < nb->n; i++)
        first[i] = nb->k && nb->distance[i * nb->k] > 0 ? (double)nb->distance[i * nb->k] : NAN;
    int rc = fw_robust_of(first, nb->n, &r, err);
    free(first);
    double typical = r.n ? r.median : 0,
           below = near_distance > 0 ? near_distance : near_fraction * typical;
    for (size_t i = 0; rc == FW_OK && i < nb->n; i++)
        for (size_t j = 0; rc == FW_OK && j < nb->k; j++) {
            double d = (double)nb->distance[i * nb->k + j];
            if (d > 0 && d >= below)
                break;
            double same = typical > 0 ? fmax(0, 1 - d / typical) : 1;
            rc = fw_links_join(links, sets, (uint32_t)i, nb->index[i * nb->k + j], FW_DUP_EMBEDDING,
                               same, err);
        }
    if (rc == FW_OK && threshold)
        *threshold = below;
    return rc;
}

/* ---- groups ---- */

struct place { /* a sample of a group */
    uint32_t first, sample;
};

static int by_place(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    if (x->first != y->first)
        return x->first < y->first ? -1 : 1;
    return (x->sample > y->sample) - (x->sample < y->sample);
}

struct numbered { /* a link and the group it belongs to */
    uint32_t first;
    struct fw_link link;
};

static int by_group(const void *a, const void *b)
{
    const struct numbered *x = a, *y = b;
    if (x->first != y->first)
        return x->first < y->first ? -1 : 1;
    if (x->link.a != y->link.a)
        return x->link.a < y->link.a ? -1 : 1;
    return (x->link.b > y->link.b) - (x->link.b < y->link.b);
}

static void judge(struct fw_duplicates *d, struct fw_dup_group *g, const struct fw_dataset *ds,
                  const int *labels)
{
    const char *split = NULL;
    int klass = -1;
    for (size_t i = g->member; i < g->member + g->n_members; i++) {
        uint32_t s = d->members[i];
        const char *in =
            ds && ds->samples[s].split && *ds->samples[s].split ? ds->samples[s].split : NULL;
        int k = labels ? labels[s] : ds ? ds->samples[s].klass : -1;
        g->crosses = g->crosses || (in && split && strcmp(in, split) != 0);
        g->disagrees = g->disagrees || (k >= 0 && klass >= 0 && k != klass);
        split = in ? in : split;
        klass = k >= 0 ? k : klass;
    }
    d->n_crossing += g->crosses;
    d->n_disagreeing += g->disagrees;
}

/* lowest: n, the lowest sample of each set, by root. */
static void make_groups(struct fw_duplicates *d, const struct fw_sets *sets, uint32_t *lowest,
                        struct place *place, struct numbered *link)
{
    size_t n = 0, at = 0;
    memset(lowest, 0xff, sets->n * sizeof *lowest);
    for (size_t i = 0; i < sets->n; i++) {
        uint32_t root = fw_sets_find(sets, (uint32_t)i);
        if (lowest[root] == UINT32_MAX)
            lowest[root] = (uint32_t)i;
        if (sets->size[root] > 1)
            place[n++] = (struct place){lowest[root], (uint32_t)i};
    }
    qsort(place, n, sizeof *place, by_place);
    for (size_t i = 0; i < d->links.n; i++)
        link[i] = (struct numbered){lowest[fw_sets_find(sets, d->links.v[i].a)], d->links.v[i]};
    qsort(link, d->links.n, sizeof *link, by_group);
    for (size_t i = 0; i < d->links.n; i++)
        d->links.v[i] = link[i].link;
    for (size_t i = 0; i < n; i++) {
        d->members[i] = place[i].sample;
        if (i == 0 || place[i].first != place[i - 1].first)
            d->groups[d->n_groups++] = (struct fw_dup_group){.member = i};
        d->groups[d->n_groups - 1].n_members++;
    }
    d->n_members = n;
    for (size_t g = 0; g < d->n_groups; g++) {
        d->groups[g].link = at;
        at += d->groups[g].n_links = d->groups[g].n_members - 1;
    }
}

static int group(struct fw_duplicates *d, const struct fw_sets *sets, const struct fw_dataset *ds,
                 const int *labels, struct fw_err *err)
{
    size_t most = 2 * d->links.n + 1;
    uint32_t *lowest = calloc(sets->n + 1, sizeof *lowest);
    struct place *place = calloc(most, sizeof *place);
    struct numbered *link = calloc(most, sizeof *link);
    d->groups = calloc(most, sizeof *d->groups);
    d->members = calloc(most, sizeof *d->members);
    int rc = lowest && place && link && d->groups && d->members ? FW_OK : fw_err_nomem(err);
    if (rc == FW_OK)
        make_groups(d, sets, lowest, place, link);
    for (size_t g = 0; rc == FW_OK && g < d->n_groups; g++)
        judge(d, &d->groups[g], ds, labels);
    free(lowest);
    free(place);
    free(link);
    return rc;
}

int fw_duplicates_find(const struct fw_dataset *ds, const struct fw_neighbours *nb,
                       const int *labels, const struct fw_dup_params *params,
                       struct fw_duplicates *out, struct fw_err *err)
{
    struct fw_duplicates d = {0};
    struct fw_sets sets = {0};
    if (!ds && !nb)
        return fw_err_set(err, FW_EINVAL,
                          "neither samples nor neighbours to look for duplicates in");
    if (ds && nb && ds->n != nb->n)
        return fw_err_set(err, FW_EINVAL, "%zu samples, but neighbours of %zu", ds->n, nb->n);
    if (!(params->near_fraction >= 0 && params->near_distance >= 0))
        return fw_err_set(err, FW_EINVAL,
                          "neighbours are near below %g times the median or %g; give "
                          "numbers from 0",
                          params->near_fraction, params->near_distance);
    int rc = fw_sets_new(ds ? ds->n : nb->n, &sets, err);
    if (rc == FW_OK && ds)
        rc = search_contents(ds, params, &sets, &d, err);
    if (rc == FW_OK && nb)
        rc = fw_near_neighbours(nb, params->near_fraction, params->near_distance, &sets, &d.links,
                                NULL, err);
    rc = rc == FW_OK ? group(&d, &sets, ds, labels, err) : rc;
    fw_sets_release(&sets);
    if (rc == FW_OK)
        *out = d;
    else
        fw_duplicates_release(&d);
    return rc;
}
