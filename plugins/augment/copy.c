/* Changed copies of one parent. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/augment/augment.h"
#include "stages/train/nearest.h"

/* The row of the copy: the parent's, with id, content, parent and what was done to it. */
static json_t *copy_row(const struct fw_sample *s, const char *change, const char *id)
{
    json_t *row = json_loadb(s->raw, s->raw_len, 0, NULL);

    json_object_del(row, "split");
    json_object_set_new(row, "id", json_string(id));
    json_object_set_new(row, "parent", json_string(s->id));
    json_object_set_new(row, "augmented", json_string(change));
    return row;
}

/* Three digits are enough to read; null is what is not known. */
static json_t *answer(double v)
{
    return isfinite(v) ? json_real(rint(v * 1000) / 1000) : json_null();
}

/* Takes row over. */
static int write_fix(struct job *j, const struct fw_sample *s, struct kind *kind, const char *slice,
                     const struct fw_answers *a, json_t *row, struct fw_err *err)
{
    char why[300];

    if (!row)
        return fw_err_nomem(err);
    snprintf(why, sizeof why, "a copy by %s", kind->name);
    json_t *fix =
        json_pack("{s:s,s:s,s:o,s:s,s:s,s:{s:o,s:o,s:o}}", "op", "add", "part", kind->name,
                  "sample", row, "parent", s->id, "reason", why, "checklist", "realistic",
                  answer(a->realistic), "clear", answer(a->clear), "poor", answer(a->poor));
    if (fix && slice)
        json_object_set_new(fix, "slice", json_string(slice));
    kind->proposed++;
    int rc = fw_patch_writer_add(j->w, fix, err);
    if (rc == FW_OK)
        j->written++;
    return rc;
}

/* parent~change-1234abcd, from the digest of the new content, so that the same copy has the same
 * name in every iteration; *fresh: neither in the dataset nor proposed before. */
static int name_copy(struct job *j, const struct fw_sample *s, const char *change,
                     const struct fw_buf *content, struct fw_buf *id, bool *fresh,
                     struct fw_err *err)
{
    char hex[FW_SHA256_HEX];
    int rc = fw_sha256_bytes(content->p ? content->p : "", content->len, hex, err);

    if (rc != FW_OK)
        return rc;
    fw_buf_printf(id, "%s~%s-%.8s", s->id, change, hex);
    return id->failed ? fw_err_nomem(err) : fw_known_add(j->known, id->p, fresh, err);
}

static int copy_text(struct job *j, size_t i, struct fw_rng *rng, const char *slice,
                     struct fw_err *err)
{
    const struct fw_sample *s = &j->ds->samples[j->rows[i]];
    int how = j->texts.how[fw_rng_below(rng, (uint64_t)j->texts.n)];
    struct kind *kind = &j->kind[how];
    struct fw_buf text = {0}, id = {0};
    struct fw_answers answers;
    struct fw_matrix x = {0};
    bool fresh = false, ok = false;
    size_t n = strlen(s->text);
    int rc = fw_text_change((enum fw_text_change)how, s->text, n, rng, &text, err);

    if (rc == FW_OK && text.len && !(text.len == n && memcmp(text.p, s->text, n) == 0))
        rc = name_copy(j, s, kind->name, &text, &id, &fresh, err);
    if (rc == FW_OK && fresh) {
        const struct fw_sample sample = {.id = id.p, .text = text.p};
        rc = check_sample(j, &sample, &x, err);
        if (rc == FW_OK)
            rc = check_copy(j, i, kind, &x, &answers, &ok, err);
    }
    if (rc == FW_OK && ok) {
        json_t *row = copy_row(s, kind->name, id.p);
        json_object_set_new(row, "text", json_string(text.p));
        rc = write_fix(j, s, kind, slice, &answers, row, err);
    }
    fw_matrix_release(&x);
    fw_buf_release(&text);
    fw_buf_release(&id);
    return rc;
}

/* A row of the same class, drawn among the five nearest of parent i; NULL when there is none. */
static int neighbour(const struct job *j, size_t i, struct fw_rng *rng, const float **out,
                     struct fw_err *err)
{
    enum { NEAR = 5 }; /* as in the paper */
    double distance2[NEAR];
    size_t index[NEAR], n = 0;
    uint32_t *same = j->klass ? malloc(j->n * sizeof *same) : NULL;
    if (j->klass && !same)
        return fw_err_nomem(err);
    for (size_t other = 0; same && other < j->n; other++)
        if (j->klass[other] == j->klass[i])
            same[n++] = (uint32_t)other;
    n = fw_nearest(&j->x, i, &j->x, same, n, i, NEAR, index, distance2);
    *out = n ? j->ds->samples[j->rows[index[fw_rng_below(rng, n)]]].features : NULL;
    free(same);
    return FW_OK;
}

static int copy_numbers(struct job *j, size_t i, struct fw_rng *rng, const char *slice,
                        struct fw_err *err)
{
    const struct fw_sample *s = &j->ds->samples[j->rows[i]];
    int how = j->numbers.how[fw_rng_below(rng, (uint64_t)j->numbers.n)];
    struct kind *kind = &j->kind[FW_TEXT_CHANGES + FW_IMAGE_CHANGES + how];
    const float *towards = NULL;
    struct fw_answers answers;
    struct fw_matrix x = {0};
    struct fw_buf id = {0}, bytes = {0};
    bool fresh = false, ok = false;
    float *out = calloc(s->n_features ? s->n_features : 1, sizeof *out);
    int rc = out ? FW_OK : fw_err_nomem(err);

    if (rc == FW_OK && how == FW_NUMBERS_INTERPOLATE)
        rc = neighbour(j, i, rng, &towards, err);
    if (rc == FW_OK && how == FW_NUMBERS_JITTER)
        fw_numbers_jitter(&j->columns, s->features, rng, out);
    else if (rc == FW_OK && towards)
        fw_numbers_interpolate(&j->columns, s->features, towards, rng, out);
    bool made = rc == FW_OK && (how == FW_NUMBERS_JITTER || towards) &&
                memcmp(out, s->features, s->n_features * sizeof *out) != 0;
    if (made) {
        fw_buf_add(&bytes, (const char *)out, s->n_features * sizeof *out);
        rc = bytes.failed ? fw_err_nomem(err)
                          : name_copy(j, s, kind->name, &bytes, &id, &fresh, err);
    }
    if (rc == FW_OK && fresh) {
        const struct fw_sample sample = {.id = id.p, .features = out, .n_features = s->n_features};
        rc = check_sample(j, &sample, &x, err);
        if (rc == FW_OK)
            rc = check_copy(j, i, kind, &x, &answers, &ok, err);
    }
    if (rc == FW_OK && ok) {
        json_t *row = copy_row(s, kind->name, id.p), *list = json_array();
        for (size_t k = 0; k < s->n_features; k++)
            json_array_append_new(list, json_real(out[k]));
        json_object_set_new(row, "features", list);
        rc = write_fix(j, s, kind, slice, &answers, row, err);
    }
    fw_matrix_release(&x);
    fw_buf_release(&id);
    fw_buf_release(&bytes);
    free(out);
    return rc;
}

/* A file that cannot be read or decoded is remembered and passed over. */
static int open_parent(struct job *j, const struct fw_sample *s, struct fw_image *im,
                       struct fw_err *err)
{
    struct fw_buf bytes = {0};
    struct fw_err why = {0};
    int rc = fw_image_read_file(j->ds->root, s->file_name, &bytes, &why);

    if (rc == FW_OK)
        rc = fw_image_decode(bytes.p ? bytes.p : "", bytes.len, im, &why);
    fw_buf_release(&bytes);
    if (rc == FW_ENOMEM) {
        if (err)
            *err = why;
        return rc;
    }
    if (rc != FW_OK && !j->broken++)
        snprintf(j->why, sizeof j->why, "%s: %s", s->file_name, why.msg);
    return FW_OK;
}

static int write_image(struct job *j, const struct fw_sample *s, struct kind *kind,
                       const char *slice, const struct fw_answers *answers, const char *id,
                       const struct fw_buf *png, struct fw_err *err)
{
    struct fw_buf name = {0};
    char hex[FW_SHA256_HEX];
    int rc = fw_sha256_bytes(id, strlen(id), hex, err);
    if (rc == FW_OK) {
        fw_buf_printf(&name, "augment/%.16s.png", hex);
        rc = name.failed ? fw_err_nomem(err)
                         : fw_patch_writer_bytes(j->w, png->p, png->len, name.p, err);
    }
    if (rc == FW_OK) {
        json_t *row = copy_row(s, kind->name, id);
        json_object_set_new(row, "file_name", json_string(name.p));
        rc = write_fix(j, s, kind, slice, answers, row, err);
    }
    fw_buf_release(&name);
    return rc;
}

static int copy_image(struct job *j, size_t i, struct fw_rng *rng, const char *slice,
                      struct fw_err *err)
{
    const struct fw_sample *s = &j->ds->samples[j->rows[i]];
    int how = j->images.how[fw_rng_below(rng, (uint64_t)j->images.n)];
    struct kind *kind = &j->kind[FW_TEXT_CHANGES + how];
    struct fw_image in = {0}, out = {0};
    struct fw_buf png = {0}, id = {0};
    struct fw_answers answers;
    struct fw_matrix x = {0};
    bool fresh = false, ok = false;
    int rc = open_parent(j, s, &in, err);

    if (rc == FW_OK && in.px) {
        rc = fw_image_change((enum fw_image_change)how, &in, rng, &out, err);
        if (rc == FW_OK)
            rc = fw_image_png(&out, &png, err);
        if (rc == FW_OK)
            rc = name_copy(j, s, kind->name, &png, &id, &fresh, err);
    }
    if (rc == FW_OK && fresh) {
        rc = check_image(j, &out, &x, err);
        if (rc == FW_OK)
            rc = check_copy(j, i, kind, &x, &answers, &ok, err);
    }
    if (rc == FW_OK && ok)
        rc = write_image(j, s, kind, slice, &answers, id.p, &png, err);
    fw_image_release(&in);
    fw_image_release(&out);
    fw_matrix_release(&x);
    fw_buf_release(&png);
    fw_buf_release(&id);
    return rc;
}

int copy_one(struct job *j, size_t i, const char *slice, struct fw_err *err)
{
    const struct fw_sample *s = &j->ds->samples[j->rows[i]];
    uint64_t seed = j->r->seed + (uint64_t)j->r->iteration * 1000 + (uint64_t)j->used[i]++;
    struct fw_rng rng;

    fw_rng_seed_named(&rng, seed, s->id);
    switch (j->extract.input) {
    case FW_INPUT_TEXT:
        return j->texts.n ? copy_text(j, i, &rng, slice, err) : FW_OK;
    case FW_INPUT_FEATURES:
        return j->numbers.n ? copy_numbers(j, i, &rng, slice, err) : FW_OK;
    default:
        return j->images.n ? copy_image(j, i, &rng, slice, err) : FW_OK;
    }
}
