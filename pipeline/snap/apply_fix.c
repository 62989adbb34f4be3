/* Fixes to samples that are there, and to the guidelines. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/snap/apply.h"

enum { MAX_GUIDELINE = 64 << 10, DUMP = JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15) };

bool fw_set_aside(struct fw_applying *a, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(a->why, sizeof a->why, fmt, ap);
    va_end(ap);
    return false;
}

/* Labels are compared by value: 1 and 1.0 are one label. */
static bool same_label(const json_t *a, const json_t *b)
{
    if (json_is_number(a) && json_is_number(b))
        return json_number_value(a) == json_number_value(b);
    return json_equal(a, b);
}

static void label_text(const json_t *label, char *out, size_t size)
{
    char *text = json_dumps(label, DUMP);
    snprintf(out, size, "%s", text ? text : "?");
    free(text);
}

bool fw_label_valid(struct fw_applying *a, const json_t *label, const char *what)
{
    char text[120];
    label_text(label, text, sizeof text);
    if (a->s.task == FW_REGRESSION)
        return (json_is_number(label) && isfinite(json_number_value(label))) ||
               fw_set_aside(a, "%s %s is not a number", what, text);
    return (json_is_string(label) && fw_class_find(a, json_string_value(label))) ||
           fw_set_aside(a, "%s %s is not one of the classes", what, text);
}

json_t *fw_labels_merged(const json_t *old, const json_t *fix)
{
    size_t i, k;
    json_t *answer, *have;
    if (!json_is_array(old) && !json_array_size(fix))
        return NULL;
    json_t *all = json_is_array(old) ? json_deep_copy(old) : json_array();
    json_array_foreach(fix, i, answer)
    {
        bool there = false;
        json_array_foreach(all, k, have) there = there || json_equal(have, answer);
        if (!there)
            json_array_append(all, answer);
    }
    return all;
}

/* The train row a fix is about, parsed, and its label (new reference); *ok false: set aside. */
static int target(struct fw_applying *a, const struct fw_fix *fix, struct fw_arow **r,
                  struct fw_row *row, json_t **label, bool *ok, struct fw_err *err)
{
    int rc = fw_applying_find(a, fix->id, r, err);
    *ok = false;
    *label = NULL;
    if (rc != FW_OK)
        return rc;
    if (!*r)
        fw_set_aside(a, "there is no sample '%.200s'", fix->id);
    else if ((*r)->split != FW_SPLIT_TRAIN)
        fw_set_aside(a, "'%.200s' is an evaluation sample (%s), which no stage may change", fix->id,
                     fw_split_name((*r)->split));
    else if ((*r)->removed)
        fw_set_aside(a, "'%.200s' was removed by %s before", fix->id, (*r)->by);
    else
        *ok = true;
    if (!*ok)
        return FW_OK;
    rc = fw_row_parse(a->rows, (*r)->line, (*r)->len, row, err);
    if (rc != FW_OK)
        return rc;
    const struct fw_field *f = fw_row_get(row, "label");
    *label =
        f ? json_loadb(f->raw, f->raw_len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL) : json_null();
    return *label ? FW_OK : fw_err_nomem(err);
}

static bool label_is(struct fw_applying *a, const struct fw_arow *r, const json_t *now,
                     const json_t *said)
{
    char is[100], was[100];
    if (same_label(now, said))
        return true;
    label_text(now, is, sizeof is);
    label_text(said, was, sizeof was);
    if (r->by)
        return fw_set_aside(a, "its label is %s now, not %s: %s changed it before", is, was, r->by);
    return fw_set_aside(a, "its label is %s, not %s as the fix says", is, was);
}

/* May a train sample of this class go? */
static bool spare(struct fw_applying *a, const json_t *label)
{
    struct fw_class_count *c =
        json_is_string(label) ? fw_class_find(a, json_string_value(label)) : NULL;
    return !c || c->in_train > 1 ||
           fw_set_aside(a, "it is the last train sample of class '%.100s'", c->name);
}

static void count(struct fw_applying *a, const json_t *label, bool more)
{
    struct fw_class_count *c =
        json_is_string(label) ? fw_class_find(a, json_string_value(label)) : NULL;
    if (c)
        c->in_train += more ? 1 : (size_t)-1;
}

static bool edit_json(struct fw_edits *e, const struct fw_row *row, const char *key, json_t *value)
{
    char *text = json_dumps(value, DUMP);
    if (text)
        fw_edits_set(e, row, key, text, strlen(text));
    free(text);
    return text != NULL;
}

static int rewrite(struct fw_applying *a, const struct fw_fix *fix, struct fw_arow *r,
                   const struct fw_row *row, struct fw_err *err)
{
    struct fw_edits edits = {0};
    struct fw_buf line = {0};
    const struct fw_field *f = fw_row_get(row, "labels");
    json_t *old = f ? json_loadb(f->raw, f->raw_len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL) : NULL;
    json_t *answers = json_object_get(fix->json, "labels");
    json_t *merged = json_array_size(answers) ? fw_labels_merged(old, answers) : NULL;
    json_t *from = json_pack("{s:s*, s:i, s:s}", "run", a->o->run, "iteration", a->part->iteration,
                             "stage", a->part->stage);
    bool ok = from && edit_json(&edits, row, "label", json_object_get(fix->json, "to"));
    ok = ok && (!merged || edit_json(&edits, row, "labels", merged));
    ok = ok && edit_json(&edits, row, "provenance", from);
    ok = fw_edits_apply(&edits, row, &line) && ok;
    json_decref(old);
    json_decref(merged);
    json_decref(from);
    const char *text = ok ? fw_arena_strndup(&a->arena, line.p, line.len) : NULL;
    if (text) {
        r->line = text;
        r->len = line.len;
        r->by = a->part->stage;
        fw_applying_shard(a, FW_SPLIT_TRAIN, r->id)->dirty = true;
    }
    fw_buf_release(&line);
    return text ? FW_OK : fw_err_nomem(err);
}

int fw_fix_relabel(struct fw_applying *a, const struct fw_fix *fix, bool *ok, struct fw_err *err)
{
    struct fw_arow *r;
    struct fw_row row;
    json_t *label, *to = json_object_get(fix->json, "to");
    int rc = target(a, fix, &r, &row, &label, ok, err);
    if (rc != FW_OK || !*ok)
        return rc;
    *ok = label_is(a, r, label, json_object_get(fix->json, "from")) &&
          fw_label_valid(a, to, "the new label") && !same_label(label, to) && spare(a, label);
    if (*ok) {
        rc = rewrite(a, fix, r, &row, err);
        count(a, label, false);
        count(a, to, true);
    } else if (!a->why[0]) {
        fw_set_aside(a, "it has that label already");
    }
    json_decref(label);
    return rc;
}

/* A file that only removed rows name goes with them; whether it is so is seen at the end. */
static int loosen(struct fw_applying *a, const struct fw_row *row, struct fw_err *err)
{
    const char *name = fw_row_str(row, "file_name");
    struct fw_path *p;
    if (!name)
        return FW_OK;
    HASH_FIND_STR(a->loose, name, p);
    if (p)
        return FW_OK;
    p = fw_arena_alloc(&a->arena, sizeof *p);
    if (!p || !(p->path = fw_arena_strdup(&a->arena, name)))
        return fw_err_nomem(err);
    HASH_ADD_KEYPTR(hh, a->loose, p->path, strlen(p->path), p);
    return FW_ADDED(p) ? FW_OK : fw_err_nomem(err);
}

int fw_fix_remove(struct fw_applying *a, const struct fw_fix *fix, bool *ok, struct fw_err *err)
{
    struct fw_arow *r;
    struct fw_row row;
    json_t *label, *from = json_object_get(fix->json, "from");
    int rc = target(a, fix, &r, &row, &label, ok, err);
    if (rc != FW_OK || !*ok)
        return rc;
    *ok = (!from || label_is(a, r, label, from)) && spare(a, label);
    if (*ok) {
        rc = loosen(a, &row, err);
        r->removed = true;
        r->by = a->part->stage;
        fw_applying_shard(a, FW_SPLIT_TRAIN, r->id)->dirty = true;
        count(a, label, false);
    }
    json_decref(label);
    return rc;
}

int fw_fix_confirm(struct fw_applying *a, const struct fw_fix *fix, bool *ok, struct fw_err *err)
{
    struct fw_arow *r;
    struct fw_row row;
    json_t *label;
    int rc = target(a, fix, &r, &row, &label, ok, err);
    if (rc == FW_OK && *ok)
        *ok = label_is(a, r, label, json_object_get(fix->json, "label"));
    json_decref(label);
    return rc;
}

/* Does a line of the text begin a section or the document's title? */
static bool has_heading(const char *text)
{
    for (const char *p = text; p; p = strchr(p, '\n')) {
        p += *p == '\n';
        if (!strncmp(p, "# ", 2) || !strncmp(p, "## ", 3))
            return true;
    }
    return false;
}

static int load_guidelines(struct fw_applying *a, struct fw_err *err)
{
    git_odb_object *o = NULL;
    if (a->guidelines_loaded || !a->s.has_guidelines)
        return FW_OK;
    int rc = fw_object_read(a->r, &a->s.guidelines, GIT_OBJECT_BLOB, &o, err);
    if (rc != FW_OK)
        return rc;
    fw_buf_add(&a->guidelines, git_odb_object_data(o), git_odb_object_size(o));
    git_odb_object_free(o);
    a->guidelines_loaded = true;
    return a->guidelines.failed ? fw_err_nomem(err) : FW_OK;
}

/* The section "## class" of a document: from behind its heading line to the next heading. */
static bool find_section(const struct fw_buf *doc, const char *name, size_t *from, size_t *to)
{
    size_t n = strlen(name);
    bool in = false;
    for (size_t at = 0; at < doc->len;) {
        const char *line = doc->p + at, *nl = memchr(line, '\n', doc->len - at);
        size_t len = nl ? (size_t)(nl - line) : doc->len - at, trim = len;
        while (trim && (line[trim - 1] == ' ' || line[trim - 1] == '\r'))
            trim--;
        bool heading = len > 2 && (!memcmp(line, "# ", 2) || (len > 3 && !memcmp(line, "## ", 3)));
        if (in && heading) {
            *to = at;
            return true;
        }
        at += len + (nl ? 1 : 0);
        if (heading && trim == n + 3 && line[1] == '#' && !memcmp(line + 3, name, n)) {
            in = true;
            *from = at;
        }
    }
    *to = doc->len;
    return in;
}

int fw_fix_guideline(struct fw_applying *a, const struct fw_fix *fix, bool *ok, struct fw_err *err)
{
    const char *name = json_string_value(json_object_get(fix->json, "class"));
    const char *text = json_string_value(json_object_get(fix->json, "text"));
    struct fw_buf out = {0};
    size_t from = 0, to = 0, n = strlen(text);
    *ok = (fw_class_find(a, name) || fw_set_aside(a, "'%.100s' is not one of the classes", name)) &&
          (n <= MAX_GUIDELINE || fw_set_aside(a, "the text is longer than 64 KiB")) &&
          (!has_heading(text) || fw_set_aside(a, "a line of the text begins with # or ##, which "
                                                 "would begin another section"));
    int rc = *ok ? load_guidelines(a, err) : FW_OK;
    if (rc != FW_OK || !*ok)
        return rc;
    while (n && (text[n - 1] == '\n' || text[n - 1] == ' '))
        n--;
    bool found = find_section(&a->guidelines, name, &from, &to);
    if (!found)
        from = to = a->guidelines.len;
    fw_buf_add(&out, a->guidelines.p ? a->guidelines.p : "", from);
    if (!found)
        fw_buf_printf(&out, "%s\n## %s\n", from && out.p[from - 1] != '\n' ? "\n" : "", name);
    fw_buf_printf(&out, "\n%.*s\n", (int)n, text);
    if (to < a->guidelines.len) {
        fw_buf_putc(&out, '\n');
        fw_buf_add(&out, a->guidelines.p + to, a->guidelines.len - to);
    }
    if (out.failed) {
        fw_buf_release(&out);
        return fw_err_nomem(err);
    }
    bool same = out.len == a->guidelines.len && !memcmp(out.p, a->guidelines.p, out.len);
    a->guidelines_dirty = a->guidelines_dirty || !same;
    a->guidelines_loaded = true;
    fw_buf_release(&a->guidelines);
    a->guidelines = out;
    return FW_OK;
}
