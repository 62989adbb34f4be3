/* One row of a source: checked, its file read into the pack, kept as an item. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/fs.h"
#include "pipeline/base/hash.h"
#include "pipeline/snap/import.h"
#include "pipeline/snap/names.h"
#include "stages/train/image.h"

enum { MAX_ID = 512 };

void fw_import_problem(void *ctx, const struct fw_err *problem)
{
    struct fw_import *m = ctx;
    struct fw_import_problems *p = m->problems;
    size_t cap = sizeof p->list / sizeof *p->list;
    if (p->n < cap)
        p->list[p->n++] = *problem;
    else
        p->more++;
}

void fw_import_bad(struct fw_import *m, const struct fw_item *item, const char *hint,
                   const char *fmt, ...)
{
    struct fw_sink to = {.ctx = m, .problem = fw_import_problem};
    char msg[1000];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    fw_sink_problem(&to, item->file, item->line_no, hint, "%s", msg);
}

/* The id as a text; a number becomes its digits. false: reported. */
static bool take_id(struct fw_import *m, const struct fw_row *row, struct fw_item *item)
{
    const struct fw_field *f = fw_row_get(row, "id");
    if (!f || f->type == FW_NULL)
        return true;
    bool ok = f->type == FW_STRING || f->type == FW_NUMBER;
    const char *s = f->type == FW_STRING ? f->str : f->raw;
    size_t n = f->type == FW_STRING ? f->str_len : f->raw_len;
    for (size_t i = 0; ok && i < n; i++)
        ok = (unsigned char)s[i] >= ' ' && s[i] != 0x7f;
    if (!ok || n == 0 || n > MAX_ID) {
        fw_import_bad(m, item, "leave the id out to have one made from the content",
                      "id is not a text of 1 to %d printable characters", MAX_ID);
        return false;
    }
    item->id = fw_arena_strndup(&m->arena, s, n);
    return true;
}

static bool take_split(struct fw_import *m, const struct fw_row *row, struct fw_item *item)
{
    const struct fw_field *f = fw_row_get(row, "split");
    if (!f || f->type == FW_NULL)
        return true;
    item->split = f->type == FW_STRING ? fw_split_parse(f->str) : -1;
    item->given = item->split >= 0;
    if (!item->given)
        fw_import_bad(m, item, "leave the split out to have it assigned",
                      "split %.60s is none of train, dev and test", f->raw_len < 60 ? f->raw : "");
    return item->given;
}

static bool take_label(struct fw_import *m, const struct fw_row *row, struct fw_item *item)
{
    const struct fw_field *f = fw_row_get(row, "label");
    bool regression = m->o->task == FW_REGRESSION;
    if (!f || f->type == FW_NULL) {
        fw_import_bad(m, item,
                      "give it a label, or keep it in a pool for targeted collection instead",
                      "the sample has no label");
        return false;
    }
    if (regression && f->type == FW_NUMBER)
        return true;
    if (!regression && f->type == FW_STRING && f->str_len && strlen(f->str) == f->str_len) {
        item->label = fw_arena_strdup(&m->arena, f->str);
        return true;
    }
    if (regression)
        fw_import_bad(m, item, NULL, "label %.*s is not a number",
                      f->raw_len < 60 ? (int)f->raw_len : 60, f->raw);
    else
        fw_import_bad(m, item, f->type == FW_NUMBER ? "write it in quotes" : NULL,
                      "label %.*s is not the name of a class",
                      f->raw_len < 60 ? (int)f->raw_len : 60, f->raw);
    return false;
}

static bool take_name(struct fw_import *m, const struct fw_row *row, struct fw_item *item)
{
    const struct fw_field *f = fw_row_get(row, "file_name");
    struct fw_err why = {0};
    if (!f || f->type == FW_NULL)
        return true;
    bool text = f->type == FW_STRING && strlen(f->str) == f->str_len;
    if (!text || fw_name_check(f->str, &why) != FW_OK) {
        fw_import_bad(m, item, why.hint[0] ? why.hint : NULL, "%s",
                      text ? why.msg : "file_name is not a text");
        return false;
    }
    item->file_name = fw_arena_strdup(&m->arena, f->str);
    return true;
}

int fw_import_read(struct fw_import *m, const char *name, struct fw_err *why)
{
    fw_buf_clear(&m->bytes);
    return fw_read_below(m->base, name, &m->bytes, why);
}

/* What is named as an image must be one; the name of anything else says nothing. *ok false:
 * reported. known: its hashes, when they are there. */
static int check_image(struct fw_import *m, const struct fw_item *item,
                       const struct fw_phash *known, bool *ok, struct fw_err *err)
{
    struct fw_image im = {0};
    struct fw_err why = {0};
    if (!fw_named_image(item->file_name) || (known && known->decoded))
        return FW_OK;
    int rc = fw_image_decode(m->bytes.p, m->bytes.len, &im, &why);
    fw_image_release(&im);
    if (rc == FW_OK)
        return FW_OK;
    if (rc == FW_ENOMEM)
        return fw_err_nomem(err);
    fw_import_bad(m, item, "mend the file, or leave the sample out",
                  "%s cannot be decoded as an image: %s", item->file_name, why.msg);
    *ok = false;
    return FW_OK;
}

/* *ok false: reported. */
static int take_file(struct fw_import *m, struct fw_item *item, bool *ok, struct fw_err *err)
{
    struct fw_err why = {0};
    int rc = fw_import_read(m, item->file_name, &why);
    if (rc == FW_ENOMEM)
        return fw_err_nomem(err);
    if (rc != FW_OK) {
        fw_import_bad(m, item, why.hint[0] ? why.hint : NULL, "%s", why.msg);
        *ok = false;
        return FW_OK;
    }
    const struct fw_phash *h = NULL;
    /* once there is a problem nothing will be written: only look at the rest */
    if (m->problems->n) {
        int grc = git_odb_hash(&item->oid, m->bytes.p, m->bytes.len, GIT_OBJECT_BLOB);
        if (grc != 0)
            return fw_git_fail(err, grc, "cannot hash %s", item->file_name);
        h = m->phashes ? fw_phashes_get(m->phashes, &item->oid) : NULL;
        return check_image(m, item, h, ok, err);
    }
    rc = fw_pack_add(m->pack, GIT_OBJECT_BLOB, m->bytes.p, m->bytes.len, &item->oid, err);
    if (rc == FW_OK && m->phashes)
        rc = fw_phashes_of(m->phashes, &item->oid, m->bytes.p, m->bytes.len, &h, err);
    if (rc == FW_OK && h && !h->decoded && !fw_named_image(item->file_name) && !m->undecodable++)
        fw_buf_printf(&m->report->warnings, "%s cannot be decoded as an image\n", item->file_name);
    return rc == FW_OK ? check_image(m, item, h, ok, err) : rc;
}

/* The first 16 hex digits of the SHA-256 of file, text and features. */
static int make_id(struct fw_import *m, const struct fw_row *row, struct fw_item *item,
                   struct fw_err *err)
{
    struct fw_sha256 h;
    char hex[FW_SHA256_HEX];
    const struct fw_field *text = fw_row_get(row, "text"), *f = fw_row_get(row, "features");
    fw_sha256_init(&h);
    if (item->content.has & FW_HAS_FILE)
        fw_sha256_add(&h, m->bytes.p, m->bytes.len);
    if (item->content.has & FW_HAS_TEXT)
        fw_sha256_add(&h, text->str, text->str_len);
    if (item->content.has & FW_HAS_FEATURES)
        fw_sha256_add(&h, f->raw, f->raw_len);
    if (item->content.has & FW_HAS_URI)
        fw_sha256_add(&h, fw_row_str(row, "sha256"), strlen(fw_row_str(row, "sha256")));
    int rc = fw_sha256_final(&h, hex, err);
    if (rc == FW_OK)
        memcpy(item->made_id, hex, sizeof item->made_id - 1);
    return rc;
}

static bool check_content(struct fw_import *m, const struct fw_item *item)
{
    const struct fw_content *c = &item->content;
    if (!c->has) {
        fw_import_bad(m, item, "a row needs a file_name, a text, features, or uri and sha256",
                      "the sample has no content");
        return false;
    }
    if (!(c->has & FW_HAS_FEATURES))
        return true;
    if (m->features_n == 0)
        m->features_n = c->n_features;
    if (c->n_features == m->features_n)
        return true;
    fw_import_bad(m, item, NULL, "%zu features where the samples before it have %zu", c->n_features,
                  m->features_n);
    return false;
}

static int keep(struct fw_import *m, const struct fw_item *item, const char *text, size_t len,
                struct fw_err *err)
{
    if (m->n == m->cap) {
        size_t cap = m->cap ? m->cap * 2 : 1024;
        struct fw_item *v = realloc(m->v, cap * sizeof *v);
        if (!v)
            return fw_err_nomem(err);
        m->v = v;
        m->cap = cap;
    }
    m->v[m->n] = *item;
    m->v[m->n].len = len;
    m->v[m->n].line = fw_arena_strndup(&m->arena, text, len);
    return m->v[m->n++].line ? FW_OK : fw_err_nomem(err);
}

int fw_import_row(void *ctx, const char *text, size_t len, const char *file, int line,
                  struct fw_err *err)
{
    struct fw_import *m = ctx;
    struct fw_item item = {.line_no = line, .split = -1, .klass = -1};
    struct fw_row row;
    struct fw_err why = {0};
    if (!m->last_place || strcmp(m->last_place, file) != 0)
        m->last_place = fw_arena_strdup(&m->arena, file);
    if (!(item.file = m->last_place))
        return fw_err_nomem(err);
    int rc = fw_row_parse(m->rows, text, len, &row, &why);
    if (rc == FW_ENOMEM)
        return fw_err_nomem(err);
    if (rc != FW_OK) {
        fw_import_bad(m, &item, why.hint[0] ? why.hint : NULL, "%s", why.msg);
        return FW_OK;
    }
    /* not short-circuited: all that is wrong with a row is said at once */
    bool ok = take_id(m, &row, &item) & take_split(m, &row, &item) & take_label(m, &row, &item) &
              take_name(m, &row, &item);
    if (item.file_name && (rc = take_file(m, &item, &ok, err)) != FW_OK)
        return rc;
    if (!ok)
        return FW_OK;
    rc = fw_content_of(&row, item.file_name ? &item.oid : NULL, &item.content, &why);
    if (rc == FW_ENOMEM)
        return fw_err_nomem(err);
    if (rc != FW_OK)
        fw_import_bad(m, &item, NULL, "%s", why.msg);
    if (rc != FW_OK || !check_content(m, &item))
        return FW_OK;
    m->contents |= item.content.has;
    if (!item.id && (rc = make_id(m, &row, &item, err)) != FW_OK)
        return rc;
    return keep(m, &item, text, len, err);
}

struct by_id {
    const char *id;
    const struct fw_item *first;
    size_t times;
    UT_hash_handle hh;
};

static int remember(struct fw_import *m, struct by_id **seen, const char *id,
                    const struct fw_item *item, struct by_id **old, struct fw_err *err)
{
    HASH_FIND_STR(*seen, id, *old);
    if (*old)
        return FW_OK;
    struct by_id *e = fw_arena_alloc(&m->arena, sizeof *e);
    if (!e)
        return fw_err_nomem(err);
    *e = (struct by_id){.id = id, .first = item, .times = 1};
    HASH_ADD_KEYPTR(hh, *seen, e->id, strlen(e->id), e);
    return FW_ADDED(e) ? FW_OK : fw_err_nomem(err);
}

static int made_ids(struct fw_import *m, struct by_id **seen, struct fw_err *err)
{
    size_t copies = 0;
    const struct fw_item *named[2] = {0};
    for (size_t i = 0; i < m->n; i++) {
        struct fw_item *item = &m->v[i];
        struct by_id *old = NULL, *taken = NULL;
        if (item->id)
            continue;
        item->id = item->made_id[0] ? fw_arena_strdup(&m->arena, item->made_id) : NULL;
        int rc = item->id ? remember(m, seen, item->id, item, &old, err) : fw_err_nomem(err);
        if (rc != FW_OK)
            return rc;
        if (!old)
            continue;
        if (!copies++) {
            named[0] = old->first;
            named[1] = item;
        }
        do { /* -2, -3, …: as many as this content was met before */
            item->id = fw_arena_printf(&m->arena, "%s-%zu", item->made_id, ++old->times);
            rc = item->id ? remember(m, seen, item->id, item, &taken, err) : fw_err_nomem(err);
            if (rc != FW_OK)
                return rc;
        } while (taken);
    }
    if (copies)
        fw_buf_printf(&m->report->warnings,
                      "%zu sample%s the content of another and no id of %s own: the ids end in -2, "
                      "-3, … (first: %s repeats %s)\n",
                      copies, copies == 1 ? " has" : "s have", copies == 1 ? "its" : "their",
                      named[1]->id, named[0]->id);
    return FW_OK;
}

int fw_import_ids(struct fw_import *m, struct fw_err *err)
{
    struct by_id *seen = NULL;
    int rc = FW_OK;
    for (size_t i = 0; i < m->n && rc == FW_OK; i++) {
        struct by_id *old = NULL;
        if (!m->v[i].id)
            continue;
        rc = remember(m, &seen, m->v[i].id, &m->v[i], &old, err);
        if (rc == FW_OK && old)
            fw_import_bad(m, &m->v[i], NULL, "id '%.100s' is used before, on line %d", m->v[i].id,
                          old->first->line_no);
    }
    if (rc == FW_OK)
        rc = made_ids(m, &seen, err);
    HASH_CLEAR(hh, seen);
    return rc;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* All labels there are, sorted. */
static int find_classes(struct fw_import *m, struct fw_err *err)
{
    struct by_id *seen = NULL;
    int rc = FW_OK;
    for (size_t i = 0; i < m->n && rc == FW_OK; i++) {
        struct by_id *old = NULL;
        rc = remember(m, &seen, m->v[i].label, &m->v[i], &old, err);
    }
    m->classes = fw_arena_array(&m->arena, HASH_COUNT(seen) + 1, sizeof *m->classes);
    if (rc == FW_OK && !m->classes)
        rc = fw_err_nomem(err);
    for (struct by_id *e = seen; e && rc == FW_OK; e = e->hh.next)
        m->classes[m->n_classes++] = e->id;
    HASH_CLEAR(hh, seen);
    if (rc == FW_OK && m->n_classes)
        qsort(m->classes, m->n_classes, sizeof *m->classes, by_text);
    return rc;
}

int fw_import_classes(struct fw_import *m, struct fw_err *err)
{
    struct by_id *known = NULL, *old;
    struct fw_buf list = {0};
    int rc = FW_OK;
    if (m->o->task == FW_REGRESSION)
        return FW_OK;
    if (m->o->classes) {
        m->classes = (const char **)m->o->classes;
        m->n_classes = m->o->n_classes;
    } else if ((rc = find_classes(m, err)) != FW_OK) {
        return rc;
    }
    for (size_t i = 0; i < m->n_classes && rc == FW_OK; i++) {
        rc = remember(m, &known, m->classes[i], NULL, &old, err);
        if (i < 12)
            fw_buf_printf(&list, "%s%s", i ? ", " : "the classes are ", m->classes[i]);
        else if (i == 12)
            fw_buf_puts(&list, ", …");
    }
    size_t k = 0; /* `times` of a class becomes its number */
    for (struct by_id *e = known; e; e = e->hh.next)
        e->times = k++;
    for (size_t i = 0; i < m->n && rc == FW_OK; i++) {
        HASH_FIND_STR(known, m->v[i].label, old);
        if (old)
            m->v[i].klass = (int)old->times;
        else
            fw_import_bad(m, &m->v[i], list.p, "label '%.100s' is not one of the classes",
                          m->v[i].label);
    }
    if (rc == FW_OK && m->n_classes < 2 && m->n && !m->problems->n)
        fw_import_bad(m, &m->v[0], "a classification needs at least two",
                      "there is only one class, '%.100s'", m->classes[0]);
    HASH_CLEAR(hh, known);
    fw_buf_release(&list);
    return rc;
}
