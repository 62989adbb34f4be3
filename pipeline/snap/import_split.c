/* Who goes into train, dev and test, and what may not stay in train. Pure but for decoding. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/hash.h"
#include "pipeline/snap/import.h"

struct group { /* samples of one content */
    unsigned char key[FW_KEY];
    struct fw_item *leader; /* the first one whose split the source gave, else the first */
    size_t free;            /* samples without a split */
    struct fw_item *eval;   /* an evaluation sample among them */
    UT_hash_handle hh;
};

static struct group *group_of(struct group *groups, const struct fw_item *item)
{
    struct group *g;
    HASH_FIND(hh, groups, item->content.key, FW_KEY, g);
    return g;
}

static int make_groups(struct fw_import *m, struct group **groups, struct fw_err *err)
{
    for (size_t i = 0; i < m->n; i++) {
        struct fw_item *item = &m->v[i];
        struct group *g = group_of(*groups, item);
        if (!g) {
            if (!(g = fw_arena_alloc(&m->arena, sizeof *g)))
                return fw_err_nomem(err);
            memcpy(g->key, item->content.key, FW_KEY);
            g->leader = item;
            HASH_ADD(hh, *groups, key, FW_KEY, g);
            if (!FW_ADDED(g))
                return fw_err_nomem(err);
        }
        if (item->given && !g->leader->given)
            g->leader = item;
        g->free += !item->given;
    }
    return FW_OK;
}

struct draw { /* a group whose split is to be drawn */
    struct group *g;
    int klass;
    uint64_t hash;
};

static int by_draw(const void *va, const void *vb)
{
    const struct draw *a = va, *b = vb;
    if (a->klass != b->klass)
        return a->klass < b->klass ? -1 : 1;
    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    return strcmp(a->g->leader->id, b->g->leader->id);
}

/* One class: its first groups, by hash, become dev until the quota is full, the next test. */
static void draw_class(const struct fw_import *m, struct draw *v, size_t n)
{
    size_t rows = 0, at = 0;
    for (size_t i = 0; i < n; i++)
        rows += v[i].g->free;
    size_t dev = (size_t)llround(m->o->dev * (double)rows);
    size_t test = (size_t)llround(m->o->test * (double)rows);
    for (size_t i = 0; i < n; i++) {
        struct fw_item *leader = v[i].g->leader;
        leader->split = at < dev                                      ? FW_SPLIT_DEV
                        : at < dev + test && at + v[i].g->free < rows ? FW_SPLIT_TEST
                                                                      : FW_SPLIT_TRAIN;
        at += v[i].g->free;
    }
}

static int draw(struct fw_import *m, struct group *groups, struct fw_err *err)
{
    size_t n = 0;
    struct draw *v = calloc((size_t)HASH_COUNT(groups) + 1, sizeof *v);
    if (!v)
        return fw_err_nomem(err);
    for (struct group *g = groups; g; g = g->hh.next) {
        const struct fw_item *l = g->leader;
        if (!l->given)
            v[n++] = (struct draw){g, l->klass, fw_hash64(l->id, strlen(l->id), m->o->seed)};
    }
    if (n)
        qsort(v, n, sizeof *v, by_draw);
    for (size_t i = 0; i < n;) {
        size_t to = i;
        while (to < n && v[to].klass == v[i].klass)
            to++;
        draw_class(m, v + i, to - i);
        i = to;
    }
    free(v);
    for (size_t i = 0; i < m->n; i++)
        if (m->v[i].split < 0)
            m->v[i].split = group_of(groups, &m->v[i])->leader->split;
    return FW_OK;
}

struct dropped { /* for the warning: how many, and the first few */
    size_t n;
    struct fw_buf names;
};

/* The id, and the file, which says more when the id was made from the content. */
static void put_name(struct fw_buf *out, const struct fw_item *item)
{
    fw_buf_puts(out, item->id);
    if (item->file_name)
        fw_buf_printf(out, " (%s)", item->file_name);
}

static void drop(struct fw_item *item, const struct fw_item *of, struct dropped *d)
{
    item->dropped = true;
    if (d->n++ >= 3)
        return;
    if (d->n > 1)
        fw_buf_puts(&d->names, ", ");
    put_name(&d->names, item);
    fw_buf_puts(&d->names, " = ");
    put_name(&d->names, of);
}

static void warn_dropped(struct fw_import *m, struct dropped *d, const char *what)
{
    if (d->n)
        fw_buf_printf(
            &m->report->warnings, "%zu train sample%s left out: %s of evaluation samples (%s%s)\n",
            d->n, d->n == 1 ? "" : "s", what, d->names.p ? d->names.p : "", d->n > 3 ? ", …" : "");
    fw_buf_release(&d->names);
}

static void drop_exact(struct fw_import *m, struct group *groups)
{
    struct dropped gone = {0};
    size_t across = 0;
    for (size_t i = 0; i < m->n; i++) {
        struct group *g = group_of(groups, &m->v[i]);
        if (m->v[i].split == FW_SPLIT_TRAIN)
            continue;
        if (!g->eval)
            g->eval = &m->v[i];
        across += g->eval->split != m->v[i].split;
    }
    for (size_t i = 0; i < m->n; i++) {
        struct group *g = group_of(groups, &m->v[i]);
        if (m->v[i].split == FW_SPLIT_TRAIN && g->eval)
            drop(&m->v[i], g->eval, &gone);
    }
    m->report->dropped_exact = gone.n;
    warn_dropped(m, &gone, "copies");
    if (across)
        fw_buf_printf(&m->report->warnings,
                      "%zu sample%s in both dev and test: the test score will look a little better "
                      "than it is\n",
                      across, across == 1 ? " is" : "s are");
}

struct near_text {
    unsigned char key[FW_KEY];
    const struct fw_item *item;
    UT_hash_handle hh;
};

static int add_eval(struct fw_import *m, const struct fw_item *item, struct near_text **texts,
                    struct fw_near *images, struct fw_err *err)
{
    const struct fw_phash *h = fw_phashes_get(m->phashes, &item->oid);
    if (item->content.has == FW_HAS_FILE && h)
        return fw_near_add(images, h, item, err);
    if (!item->content.has_near)
        return FW_OK;
    struct near_text *t;
    HASH_FIND(hh, *texts, item->content.near, FW_KEY, t);
    if (t)
        return FW_OK;
    if (!(t = fw_arena_alloc(&m->arena, sizeof *t)))
        return fw_err_nomem(err);
    memcpy(t->key, item->content.near, FW_KEY);
    t->item = item;
    HASH_ADD(hh, *texts, key, FW_KEY, t);
    return FW_ADDED(t) ? FW_OK : fw_err_nomem(err);
}

static int drop_near(struct fw_import *m, struct fw_err *err)
{
    struct dropped gone = {0};
    struct near_text *texts = NULL, *t;
    struct fw_near *images = fw_near_new();
    int rc = images ? FW_OK : fw_err_nomem(err);
    for (size_t i = 0; i < m->n && rc == FW_OK; i++)
        if (m->v[i].split != FW_SPLIT_TRAIN)
            rc = add_eval(m, &m->v[i], &texts, images, err);
    for (size_t i = 0; i < m->n && rc == FW_OK; i++) {
        struct fw_item *item = &m->v[i];
        if (item->split != FW_SPLIT_TRAIN || item->dropped)
            continue;
        const struct fw_phash *h = fw_phashes_get(m->phashes, &item->oid);
        const struct fw_item *of =
            item->content.has == FW_HAS_FILE && h ? fw_near_find(images, h) : NULL;
        if (!of && item->content.has_near) {
            HASH_FIND(hh, texts, item->content.near, FW_KEY, t);
            of = t ? t->item : NULL;
        }
        if (of)
            drop(item, of, &gone);
    }
    HASH_CLEAR(hh, texts);
    fw_near_free(images);
    m->report->dropped_near = gone.n;
    warn_dropped(m, &gone, "near copies");
    return rc;
}

static void problem(struct fw_import *m, const char *hint, const char *fmt, ...) FW_PRINTF(3, 4);
static void problem(struct fw_import *m, const char *hint, const char *fmt, ...)
{
    struct fw_item whole = {.file = m->o->source};
    char msg[600];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    fw_import_bad(m, &whole, hint, "%s", msg);
}

/* What must be there for a run to make sense. */
static int check_result(struct fw_import *m, struct fw_err *err)
{
    size_t rows[FW_SPLITS] = {0};
    size_t *in_train = calloc(m->n_classes + 1, sizeof *in_train);
    size_t *in_dev = calloc(m->n_classes + 1, sizeof *in_dev);
    int rc = in_train && in_dev ? FW_OK : fw_err_nomem(err);
    for (size_t i = 0; i < m->n && rc == FW_OK; i++) {
        const struct fw_item *item = &m->v[i];
        rows[item->split] += !item->dropped;
        if (item->klass >= 0 && item->split == FW_SPLIT_TRAIN)
            in_train[item->klass] += !item->dropped;
        if (item->klass >= 0 && item->split == FW_SPLIT_DEV)
            in_dev[item->klass]++;
    }
    if (rc == FW_OK && !rows[FW_SPLIT_TRAIN])
        problem(m, "leave the split out of some rows to have them shared out",
                "no sample is in train");
    if (rc == FW_OK && !rows[FW_SPLIT_DEV])
        problem(m,
                "leave the split out of the train rows to have them shared out, or give some "
                "rows \"split\": \"dev\"; with few samples raise dataset.eval.dev",
                "no sample is in dev, which steers the loop");
    if (rc == FW_OK && !rows[FW_SPLIT_TEST] && m->o->test > 0)
        problem(m,
                "give some rows \"split\": \"test\", leave splits out to have them shared out, "
                "or set dataset.eval.test to 0",
                "no sample is in test");
    for (size_t k = 0; k < m->n_classes && rc == FW_OK; k++) {
        if (!in_train[k])
            problem(m, "a model cannot learn it: add samples, or take it out of dataset.classes",
                    "class '%s' has no sample in train", m->classes[k]);
        else if (!in_dev[k])
            fw_buf_printf(&m->report->warnings,
                          "class '%s' has no sample in dev: the loop cannot see how it does\n",
                          m->classes[k]);
    }
    m->report->train = rows[FW_SPLIT_TRAIN];
    m->report->dev = rows[FW_SPLIT_DEV];
    m->report->test = rows[FW_SPLIT_TEST];
    m->report->rows = rows[0] + rows[1] + rows[2];
    free(in_train);
    free(in_dev);
    return rc;
}

int fw_import_splits(struct fw_import *m, struct fw_err *err)
{
    struct group *groups = NULL;
    int rc = make_groups(m, &groups, err);
    if (rc == FW_OK)
        rc = draw(m, groups, err);
    if (rc == FW_OK)
        drop_exact(m, groups);
    HASH_CLEAR(hh, groups);
    if (rc == FW_OK && m->phashes)
        rc = drop_near(m, err);
    return rc == FW_OK ? check_result(m, err) : rc;
}
