#include "stages/data/patch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pipeline/base/fs.h"

#define PART_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

enum { PART_NAME = 60 };

static const char *const op_names[FW_OPS] = {"relabel", "remove", "add", "confirm", "guideline"};

const char *fw_op_name(enum fw_op op)
{
    return op_names[op];
}

static int need_text(const json_t *fix, const char *key, struct fw_err *err)
{
    const json_t *v = json_object_get(fix, key);
    if (!v)
        return fw_err_set(err, FW_EINVAL, "'%s' is missing", key);
    if (!json_is_string(v))
        return fw_err_set(err, FW_EINVAL, "'%s' is not a text", key);
    if (!json_string_length(v))
        return fw_err_set(err, FW_EINVAL, "'%s' is empty", key);
    if (strlen(json_string_value(v)) != json_string_length(v))
        return fw_err_set(err, FW_EINVAL, "'%s' holds a NUL character", key);
    return FW_OK;
}

static int need(const json_t *fix, const char *key, struct fw_err *err)
{
    if (!json_object_get(fix, key))
        return fw_err_set(err, FW_EINVAL, "'%s' is missing", key);
    return FW_OK;
}

static int check_added(const json_t *fix, struct fw_err *err)
{
    const json_t *sample = json_object_get(fix, "sample");
    if (!json_is_object(sample))
        return fw_err_set(err, FW_EINVAL, "'sample' is missing or not an object");
    if (json_object_get(sample, "split"))
        return fw_err_set(err, FW_EINVAL,
                          "'sample' names a split: an added sample always goes to train");
    if (json_object_get(sample, "id") && need_text(sample, "id", err) != FW_OK)
        return FW_EINVAL;
    const json_t *file = json_object_get(sample, "file_name");
    if (file) {
        if (need_text(sample, "file_name", err) != FW_OK)
            return FW_EINVAL;
        if (!fw_fs_rel_is_safe(json_string_value(file)))
            return fw_err_set(err, FW_EINVAL, "file_name '%.200s' leaves the patch",
                              json_string_value(file));
    }
    if (!file && !json_object_get(sample, "text") && !json_object_get(sample, "features") &&
        !json_object_get(sample, "uri"))
        return fw_err_set(err, FW_EINVAL,
                          "'sample' has no content: file_name, text, features or uri");
    if (json_object_get(fix, "parent"))
        return need_text(fix, "parent", err);
    return FW_OK;
}

static int check_op(const json_t *fix, enum fw_op op, struct fw_err *err)
{
    switch (op) {
    case FW_OP_ADD:
        return check_added(fix, err);
    case FW_OP_GUIDELINE:
        return need_text(fix, "class", err) || need_text(fix, "text", err) ? FW_EINVAL : FW_OK;
    case FW_OP_CONFIRM:
        return need_text(fix, "id", err) || need(fix, "label", err) ? FW_EINVAL : FW_OK;
    case FW_OP_RELABEL:
        if (need_text(fix, "id", err) || need(fix, "from", err) || need(fix, "to", err))
            return FW_EINVAL;
        if (json_equal(json_object_get(fix, "from"), json_object_get(fix, "to")))
            return fw_err_set(err, FW_EINVAL,
                              "'from' and 'to' are the same label (use op \"confirm\")");
        return FW_OK;
    default:
        return need_text(fix, "id", err);
    }
}

static int check_amount(const json_t *cost, const char *key, struct fw_err *err)
{
    const json_t *v = json_object_get(cost, key);
    if (v && (!json_is_number(v) || json_number_value(v) < 0))
        return fw_err_set(err, FW_EINVAL, "'cost.%s' is not a number of at least 0", key);
    return FW_OK;
}

/* A name that goes into folders, refs and tables. */
static int check_part(const json_t *part, struct fw_err *err)
{
    const char *name = json_string_value(part);
    size_t len = json_string_length(part);
    if (!part)
        return FW_OK;
    if (!name || len < 1 || len > PART_NAME || strspn(name, PART_CHARS) != len)
        return fw_err_set(err, FW_EINVAL,
                          "'part' is not a name of up to %d letters, digits, '.', '_' and '-'",
                          PART_NAME);
    return FW_OK;
}

static int check_common(const json_t *fix, struct fw_err *err)
{
    static const char *const texts[] = {"reason", "slice"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const json_t *v = json_object_get(fix, texts[i]);
        if (v && !json_is_string(v))
            return fw_err_set(err, FW_EINVAL, "'%s' is not a text", texts[i]);
    }
    if (check_part(json_object_get(fix, "part"), err) != FW_OK)
        return FW_EINVAL;
    const json_t *score = json_object_get(fix, "score"), *cost = json_object_get(fix, "cost");
    const json_t *by = json_object_get(fix, "by"), *labels = json_object_get(fix, "labels"), *v;
    size_t i;
    if (score && !json_is_number(score))
        return fw_err_set(err, FW_EINVAL, "'score' is not a number");
    if (by && !json_is_array(by))
        return fw_err_set(err, FW_EINVAL, "'by' is not a list of names");
    json_array_foreach (by, i, v) {
        if (!json_is_string(v))
            return fw_err_set(err, FW_EINVAL, "'by' is not a list of names");
    }
    if (labels && !json_is_array(labels))
        return fw_err_set(err, FW_EINVAL, "'labels' is not a list of {\"by\", \"label\"}");
    json_array_foreach (labels, i, v) {
        if (!json_is_string(json_object_get(v, "by")) || !json_object_get(v, "label"))
            return fw_err_set(err, FW_EINVAL, "'labels' is not a list of {\"by\", \"label\"}");
    }
    if (cost && !json_is_object(cost))
        return fw_err_set(err, FW_EINVAL, "'cost' is not an object");
    if (check_amount(cost, "labels", err) != FW_OK)
        return FW_EINVAL;
    return check_amount(cost, "money", err);
}

/* The shape of one fix; what it says about the dataset is checked where it is applied. */
static int check_fix(const json_t *fix, enum fw_op *op, struct fw_err *err)
{
    if (!json_is_object(fix))
        return fw_err_set(err, FW_EINVAL, "a fix is one JSON object a line");
    const char *name = json_string_value(json_object_get(fix, "op"));
    int at = 0;
    while (at < FW_OPS && (!name || strcmp(name, op_names[at]) != 0))
        at++;
    if (!name)
        return fw_err_set(err, FW_EINVAL, "'op' is missing");
    if (at == FW_OPS) {
        fw_err_set(err, FW_EINVAL, "unknown op '%.60s'", name);
        fw_err_hint(err, "ops are relabel, remove, add, confirm and guideline");
        return FW_EINVAL;
    }
    *op = (enum fw_op)at;
    if (check_op(fix, *op, err) != FW_OK || check_common(fix, err) != FW_OK) {
        fw_err_wrap(err, "%s", name);
        return FW_EINVAL;
    }
    return FW_OK;
}

static int add_line(struct fw_patch *patch, size_t *cap, const char *text, size_t len, int line,
                    const char *path, struct fw_err *err)
{
    json_error_t why;
    size_t skip = 0;
    while (skip < len && (text[skip] == ' ' || text[skip] == '\t' || text[skip] == '\r'))
        skip++;
    if (skip == len)
        return FW_OK;
    json_t *j = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
    enum fw_op op = FW_OPS;
    int rc = FW_OK;
    if (!j)
        rc = fw_err_set(err, FW_EINVAL, "not valid JSON: %s", why.text);
    else
        rc = check_fix(j, &op, err);
    if (rc != FW_OK) {
        fw_err_at(err, path, line, 0);
        json_decref(j);
        return rc;
    }
    if (patch->n == *cap) {
        size_t more = *cap ? *cap * 2 : 64;
        struct fw_fix *v = realloc(patch->fixes, more * sizeof *v);
        if (!v) {
            json_decref(j);
            return fw_err_nomem(err);
        }
        patch->fixes = v;
        *cap = more;
    }
    const json_t *of = op == FW_OP_ADD ? json_object_get(j, "sample") : j;
    const char *id = op == FW_OP_GUIDELINE ? NULL : json_string_value(json_object_get(of, "id"));
    patch->fixes[patch->n++] = (struct fw_fix){op, id, j, line};
    return FW_OK;
}

int fw_patch_load(const char *path, struct fw_patch **out, struct fw_err *err)
{
    struct fw_buf text = {0};
    char *file = NULL;
    size_t cap = 0;
    int rc = FW_OK;
    bool dir = fw_fs_is_dir(path);
    struct fw_patch *patch = calloc(1, sizeof *patch);
    file = dir ? fw_fs_join(path, "patch.jsonl") : strdup(path);
    if (!patch || !file || (dir && !(patch->dir = strdup(path)))) {
        rc = fw_err_nomem(err);
        goto out;
    }
    if (dir && !fw_fs_exists(file)) {
        rc = fw_err_set(err, FW_EINVAL, "the patch folder %s holds no patch.jsonl", path);
        goto out;
    }
    rc = fw_fs_read(file, 0, &text, err);
    int line = 0;
    for (size_t at = 0; at < text.len && rc == FW_OK;) {
        const char *nl = memchr(text.p + at, '\n', text.len - at);
        size_t len = nl ? (size_t)(nl - text.p) - at : text.len - at;
        rc = add_line(patch, &cap, text.p + at, len, ++line, file, err);
        at += len + 1;
    }
    if (rc == FW_OK) {
        *out = patch;
        patch = NULL;
    }
out:
    free(file);
    fw_buf_release(&text);
    fw_patch_free(patch);
    return rc;
}

void fw_patch_free(struct fw_patch *patch)
{
    if (!patch)
        return;
    for (size_t i = 0; i < patch->n; i++)
        json_decref(patch->fixes[i].json);
    free(patch->fixes);
    free(patch->dir);
    free(patch);
}

static double cost(const struct fw_fix *fix, const char *key)
{
    return json_number_value(json_object_get(json_object_get(fix->json, "cost"), key));
}

double fw_fix_labels(const struct fw_fix *fix)
{
    return cost(fix, "labels");
}

double fw_fix_money(const struct fw_fix *fix)
{
    return cost(fix, "money");
}

struct fw_patch_writer {
    char *dir, *path;
    FILE *out;
};

static void writer_free(struct fw_patch_writer *w)
{
    free(w->dir);
    free(w->path);
    free(w);
}

int fw_patch_writer_open(const char *dir, struct fw_patch_writer **out, struct fw_err *err)
{
    int rc = fw_fs_mkdirs(dir, err);
    if (rc != FW_OK)
        return rc;
    struct fw_patch_writer *w = calloc(1, sizeof *w);
    if (!w)
        return fw_err_nomem(err);
    w->dir = strdup(dir);
    w->path = fw_fs_join(dir, "patch.jsonl");
    if (!w->dir || !w->path)
        rc = fw_err_nomem(err);
    else if (!(w->out = fopen(w->path, "we")))
        rc = fw_err_sys(err, errno, "cannot write %s", w->path);
    if (rc != FW_OK)
        writer_free(w);
    else
        *out = w;
    return rc;
}

int fw_patch_writer_add(struct fw_patch_writer *w, json_t *fix, struct fw_err *err)
{
    enum fw_op op;
    if (!fix)
        return fw_err_nomem(err);
    int rc = check_fix(fix, &op, err);
    /* 15 digits keep every decimal that was written with as many, and print 0.03 as 0.03 */
    if (rc == FW_OK && json_dumpf(fix, w->out, JSON_COMPACT | JSON_REAL_PRECISION(15)) != 0)
        rc = fw_err_sys(err, errno, "cannot write %s", w->path);
    if (rc == FW_OK && fputc('\n', w->out) == EOF)
        rc = fw_err_sys(err, errno, "cannot write %s", w->path);
    json_decref(fix);
    return rc;
}

/* dir/files/<file_name> with its folders made; NULL with *err filled. */
static char *place(struct fw_patch_writer *w, const char *file_name, struct fw_err *err)
{
    struct fw_buf b = {0};
    if (!fw_fs_rel_is_safe(file_name)) {
        fw_err_set(err, FW_EINVAL, "file_name '%.200s' leaves the patch", file_name);
        return NULL;
    }
    fw_buf_printf(&b, "%s/files/%s", w->dir, file_name);
    char *path = fw_buf_steal(&b);
    if (!path) {
        fw_err_nomem(err);
        return NULL;
    }
    char *slash = strrchr(path, '/');
    *slash = '\0';
    int rc = fw_fs_mkdirs(path, err);
    *slash = '/';
    if (rc == FW_OK)
        return path;
    free(path);
    return NULL;
}

int fw_patch_writer_file(struct fw_patch_writer *w, const char *from, const char *file_name,
                         struct fw_err *err)
{
    char *path = place(w, file_name, err);
    if (!path)
        return err ? err->code : FW_EIO;
    int rc = fw_fs_copy(from, path, err);
    free(path);
    return rc;
}

int fw_patch_writer_bytes(struct fw_patch_writer *w, const void *data, size_t n,
                          const char *file_name, struct fw_err *err)
{
    char *path = place(w, file_name, err);
    if (!path)
        return err ? err->code : FW_EIO;
    int rc = FW_OK, e = 0;
    FILE *out = fopen(path, "wxe");
    if (!out)
        e = errno;
    if (out && n && fwrite(data, 1, n, out) != n)
        e = errno ? errno : EIO;
    if (out && fclose(out) != 0 && !e)
        e = errno;
    if (e)
        rc = fw_err_sys(err, e, "cannot write %s", path);
    free(path);
    return rc;
}

int fw_patch_writer_close(struct fw_patch_writer *w, struct fw_err *err)
{
    int rc = FW_OK;
    bool bad = ferror(w->out) != 0;
    errno = 0;
    if (fclose(w->out) != 0 || bad)
        rc = fw_err_sys(err, errno ? errno : EIO, "cannot write %s", w->path);
    writer_free(w);
    return rc;
}
