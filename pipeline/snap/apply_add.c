/* Fixes that add a sample. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/fs.h"
#include "pipeline/base/hash.h"
#include "pipeline/snap/apply.h"
#include "pipeline/snap/names.h"

enum { MAX_ID = 512, DUMP = JSON_COMPACT | JSON_REAL_PRECISION(15) };

struct adding {
    const struct fw_fix *fix;
    const json_t *sample;
    const char *name; /* its file_name, or NULL */
    const char *as;   /* under which it is kept */
    git_oid oid;      /* of the file */
    struct fw_content content;
    char id[MAX_ID + 1];
};

static int check_id(struct fw_applying *a, const char *id, bool *ok, struct fw_err *err)
{
    struct fw_arow *there = NULL;
    size_t n = strlen(id);
    *ok = n > 0 && n <= MAX_ID;
    for (size_t i = 0; i < n && *ok; i++)
        *ok = (unsigned char)id[i] >= ' ' && id[i] != 0x7f;
    if (!*ok) {
        fw_set_aside(a, "its id is not 1 to %d printable characters", MAX_ID);
        return FW_OK;
    }
    int rc = fw_applying_find(a, id, &there, err);
    if (rc == FW_OK && there)
        *ok = fw_set_aside(a, "there is a sample '%.200s' already (%s)", id,
                           fw_split_name(there->split));
    return rc;
}

/* An augmentation's parent: in train, and not on its way out. */
static int check_parent(struct fw_applying *a, const char *id, bool *ok, struct fw_err *err)
{
    struct fw_arow *r = NULL;
    int rc = fw_applying_find(a, id, &r, err);
    if (rc != FW_OK)
        return rc;
    if (!r)
        *ok = fw_set_aside(a, "its parent '%.200s' is not in the dataset", id);
    else if (r->split != FW_SPLIT_TRAIN)
        *ok = fw_set_aside(a, "its parent '%.200s' is an evaluation sample (%s)", id,
                           fw_split_name(r->split));
    else if (r->removed)
        *ok = fw_set_aside(a, "its parent '%.200s' was removed by %s before", id, r->by);
    return FW_OK;
}

static int read_file(struct fw_applying *a, struct adding *add, bool *ok, struct fw_err *err)
{
    struct fw_err why = {0};
    char *root = a->part->patch->dir ? fw_fs_join(a->part->patch->dir, "files") : NULL;
    fw_buf_clear(&a->bytes);
    int rc = fw_name_check(add->name, &why);
    if (rc == FW_OK && !a->part->patch->dir)
        rc = fw_err_set(&why, FW_EINVAL, "the patch is a single file and brings no files");
    else if (rc == FW_OK)
        rc = root ? fw_read_below(root, add->name, &a->bytes, &why) : fw_err_nomem(&why);
    free(root);
    if (rc == FW_ENOMEM)
        return fw_err_nomem(err);
    if (rc != FW_OK) {
        *ok = fw_set_aside(a, "%.500s", why.msg);
        return FW_OK;
    }
    return fw_pack_add(a->pack, GIT_OBJECT_BLOB, a->bytes.p, a->bytes.len, &add->oid, err);
}

static bool taken(const struct fw_applying *a, const char *path, const git_oid *oid)
{
    const struct fw_file *old = fw_files_find(&a->files, path);
    struct fw_path *new;
    HASH_FIND_STR(a->added, path, new);
    if (old || new)
        return !git_oid_equal(old ? &old->oid : &new->oid, oid);
    return fw_files_clash(&a->files, path);
}

/* Pools name their files without knowing ours: a name that is taken gets the content's digits. */
static int choose_name(struct fw_applying *a, struct adding *add, struct fw_err *err)
{
    char hex[FW_OID_HEX];
    const char *base = fw_fs_base(add->name), *dot = strrchr(base, '.');
    size_t stem = dot && dot > base ? (size_t)(dot - add->name) : strlen(add->name);
    add->as = add->name;
    fw_oid_hex(&add->oid, hex);
    for (int digits = 8; digits <= 40 && taken(a, add->as, &add->oid); digits += 16) {
        add->as = fw_arena_printf(&a->arena, "%.*s-%.*s%s", (int)stem, add->name, digits, hex,
                                  add->name + stem);
        if (!add->as)
            return fw_err_nomem(err);
    }
    return FW_OK;
}

static bool check_kind(struct fw_applying *a, const struct fw_content *c)
{
    if (!c->has)
        return fw_set_aside(a, "it has no content (an empty text, or no features)");
    if (c->has & ~a->contents)
        return fw_set_aside(a, "it holds %s, which the samples of this dataset do not",
                            c->has & FW_HAS_FILE   ? "a file"
                            : c->has & FW_HAS_TEXT ? "a text"
                            : c->has & FW_HAS_URI  ? "a uri"
                                                   : "features");
    if (c->has & FW_HAS_FEATURES && c->n_features != a->n_features)
        return fw_set_aside(a, "it has %zu features where the samples of this dataset have %zu",
                            c->n_features, a->n_features);
    return true;
}

/* Is its content one that may not come in? */
static int check_copies(struct fw_applying *a, const struct adding *add, bool *ok,
                        struct fw_err *err)
{
    struct fw_known *k;
    const struct fw_arow *of = NULL;
    HASH_FIND(hh, a->known, add->content.key, FW_KEY, k);
    if (k && k->row->split != FW_SPLIT_TRAIN)
        *ok = fw_set_aside(a, "its content is that of evaluation sample '%.200s' (%s)", k->row->id,
                           fw_split_name(k->row->split));
    else if (k && !k->row->removed)
        *ok = fw_set_aside(a, "a copy of train sample '%.200s'", k->row->id);
    if (!*ok || !a->o->near_copies)
        return FW_OK;
    if (add->content.has_near) {
        HASH_FIND(hh, a->near_texts, add->content.near, FW_KEY, k);
        of = k ? k->row : NULL;
    } else if (add->content.has == FW_HAS_FILE) {
        const struct fw_phash *h = NULL;
        int rc = fw_phashes_of(a->phashes, &add->oid, a->bytes.p, a->bytes.len, &h, err);
        if (rc != FW_OK)
            return rc;
        of = h ? fw_near_find(a->near_images, h) : NULL;
    }
    if (of)
        *ok = fw_set_aside(a, "a near copy of evaluation sample '%.200s' (%s)", of->id,
                           fw_split_name(of->split));
    return FW_OK;
}

/* What is known of where it came from, kept short. */
static json_t *provenance(const struct fw_applying *a, const struct fw_fix *fix)
{
    char plugin[300];
    const char *version = a->part->plugin_version;
    snprintf(plugin, sizeof plugin, "%s%s%s", a->part->plugin ? a->part->plugin : "",
             version ? " " : "", version ? version : "");
    json_t *p =
        json_pack("{s:s*, s:i, s:s, s:s*}", "run", a->o->run, "iteration", a->part->iteration,
                  "stage", a->part->stage, "plugin", a->part->plugin ? plugin : NULL);
    static const char *const kept[] = {"by", "reason", "slice"};
    for (size_t i = 0; p && i < sizeof kept / sizeof *kept; i++) {
        json_t *v = json_object_get(fix->json, kept[i]);
        if (v)
            json_object_set(p, kept[i], v);
    }
    return p;
}

/* The row: id, the sample's own fields in their order, then what the engine says. */
static char *make_line(const struct fw_applying *a, const struct adding *add)
{
    json_t *row = json_object(), *value;
    const char *key;
    json_t *parent = json_object_get(add->fix->json, "parent");
    json_t *labels = fw_labels_merged(json_object_get(add->sample, "labels"),
                                      json_object_get(add->fix->json, "labels"));
    json_object_set_new(row, "id", json_string(add->id));
    json_object_foreach((json_t *)add->sample, key, value)
    {
        if (strcmp(key, "id") && strcmp(key, "split") && strcmp(key, "labels") &&
            strcmp(key, "provenance"))
            json_object_set(row, key, value);
    }
    if (add->as)
        json_object_set_new(row, "file_name", json_string(add->as));
    if (parent)
        json_object_set(row, "parent", parent);
    if (labels)
        json_object_set(row, "labels", labels);
    json_decref(labels);
    json_object_set_new(row, "split", json_string(fw_split_name(FW_SPLIT_TRAIN)));
    json_object_set_new(row, "provenance", provenance(a, add->fix));
    char *line = json_dumps(row, DUMP);
    json_decref(row);
    return line;
}

/* The content as every later reader will see it: from the line that is written. */
static int read_content(struct fw_applying *a, struct adding *add, bool *ok, struct fw_err *err)
{
    struct fw_row row;
    struct fw_err why = {0};
    struct fw_sha256 h;
    char hex[FW_SHA256_HEX];
    char *line = make_line(a, add);
    if (!line)
        return fw_err_nomem(err);
    int rc = fw_row_parse(a->rows, line, strlen(line), &row, &why);
    if (rc == FW_OK)
        rc = fw_content_of(&row, add->name ? &add->oid : NULL, &add->content, &why);
    if (rc == FW_EINVAL) {
        *ok = fw_set_aside(a, "%.500s", why.msg);
        rc = FW_OK;
    } else if (rc == FW_OK && !add->id[0]) {
        const struct fw_field *text = fw_row_get(&row, "text"), *f = fw_row_get(&row, "features");
        fw_sha256_init(&h);
        if (add->name)
            fw_sha256_add(&h, a->bytes.p, a->bytes.len);
        if (add->content.has & FW_HAS_TEXT)
            fw_sha256_add(&h, text->str, text->str_len);
        if (add->content.has & FW_HAS_FEATURES)
            fw_sha256_add(&h, f->raw, f->raw_len);
        if (add->content.has & FW_HAS_URI)
            fw_sha256_add(&h, fw_row_str(&row, "sha256"), strlen(fw_row_str(&row, "sha256")));
        rc = fw_sha256_final(&h, hex, err);
        snprintf(add->id, sizeof add->id, "%.16s", hex);
        if (rc == FW_OK)
            rc = check_id(a, add->id, ok, err);
    } else if (rc != FW_OK) {
        rc = fw_err_nomem(err);
    }
    free(line);
    return rc;
}

static int insert(struct fw_applying *a, struct adding *add, struct fw_err *err)
{
    struct fw_arow *r = NULL;
    char *line = make_line(a, add);
    int rc = line ? fw_applying_append(a, line, strlen(line), add->id, &r, err) : fw_err_nomem(err);
    free(line);
    if (rc == FW_OK)
        rc = fw_known_add(a, &a->known, add->content.key, r, err);
    const char *label = json_string_value(json_object_get(add->sample, "label"));
    struct fw_class_count *c = label ? fw_class_find(a, label) : NULL;
    if (c)
        c->in_train++;
    if (rc != FW_OK || !add->name)
        return rc;
    struct fw_path *p;
    HASH_FIND_STR(a->added, add->as, p);
    if (p)
        return FW_OK;
    p = fw_arena_alloc(&a->arena, sizeof *p);
    if (!p || !(p->path = fw_arena_strdup(&a->arena, add->as)))
        return fw_err_nomem(err);
    p->oid = add->oid;
    HASH_ADD_KEYPTR(hh, a->added, p->path, strlen(p->path), p);
    return FW_ADDED(p) ? FW_OK : fw_err_nomem(err);
}

int fw_fix_add(struct fw_applying *a, const struct fw_fix *fix, bool *ok, struct fw_err *err)
{
    struct adding add = {.fix = fix, .sample = json_object_get(fix->json, "sample")};
    const json_t *label = json_object_get(add.sample, "label");
    const char *parent = json_string_value(json_object_get(fix->json, "parent"));
    if (!parent)
        parent = json_string_value(json_object_get(add.sample, "parent"));
    add.name = json_string_value(json_object_get(add.sample, "file_name"));
    int rc = fw_applying_index(a, err);
    if (rc != FW_OK)
        return rc;
    *ok = !label || json_is_null(label) ? fw_set_aside(a, "it has no label")
                                        : fw_label_valid(a, label, "its label");
    if (*ok && fix->id) {
        rc = check_id(a, fix->id, ok, err);
        if (rc == FW_OK && *ok)
            snprintf(add.id, sizeof add.id, "%s", fix->id);
    }
    if (rc == FW_OK && *ok && parent)
        rc = check_parent(a, parent, ok, err);
    if (rc == FW_OK && *ok && add.name)
        rc = read_file(a, &add, ok, err);
    bool packed = rc == FW_OK && *ok && add.name;
    if (packed)
        rc = choose_name(a, &add, err);
    if (rc == FW_OK && *ok)
        rc = read_content(a, &add, ok, err);
    if (rc == FW_OK && *ok)
        *ok = check_kind(a, &add.content);
    if (rc == FW_OK && *ok)
        rc = check_copies(a, &add, ok, err);
    if (rc == FW_OK && *ok)
        return insert(a, &add, err);
    if (packed) { /* whether its file is needed by another is seen at the end */
        struct fw_refused *f = fw_arena_alloc(&a->arena, sizeof *f);
        if (!f)
            return rc == FW_OK ? fw_err_nomem(err) : rc;
        *f = (struct fw_refused){add.oid, a->refused};
        a->refused = f;
    }
    return rc;
}
