/*
 * augment: new train samples made from old ones by changes that leave the label alone. Whether a
 * change is realistic and keeps the label is the task's to say (the list `transforms`); whether it
 * helps is the gate's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/fs.h"
#include "stages/augment/pixels.h"
#include "stages/augment/text.h"
#include "stages/data/patch.h"
#include "stages/data/request.h"
#include "stages/error_analysis/analysis.h"
#include "stages/targeted_collection/aims.h"
#include "stages/targeted_collection/known.h"
#include "stages/train/fit.h"

static const char describe[] =
    "{\"protocol\": 1, \"name\": \"augment\", \"version\": \"1.0.0\",\n"
    " \"kind\": \"augment\",\n"
    " \"description\": \"adds changed copies of train samples (images and texts), for the weak "
    "slices first; samples with a suspicious label are left out\",\n"
    " \"inputs\": [\"analysis\", \"dataset\", \"history\"], \"outputs\": [\"patch\"],\n"
    " \"deterministic\": true, \"network\": false, \"code\": [],\n"
    " \"params\": {\n"
    "  \"transforms\": {\"type\": \"array\", \"default\": [],\n"
    "   \"description\": \"which changes keep the label in this task. Images: flip-horizontal, "
    "flip-vertical, rotate, brightness, contrast, shift, crop, noise, blur. Texts: case, typos, "
    "drop-words, whitespace, punctuation. Empty: brightness, contrast, shift and noise for images, "
    "case, typos and whitespace for texts\"},\n"
    "  \"budget\": {\"type\": \"integer\", \"default\": 100, \"minimum\": 0, \"maximum\": "
    "1000000,\n"
    "   \"description\": \"most samples to add in one iteration\"},\n"
    "  \"per_sample\": {\"type\": \"integer\", \"default\": 1, \"minimum\": 1, \"maximum\": 100,\n"
    "   \"description\": \"most copies of one sample in one iteration\"},\n"
    "  \"aim\": {\"type\": \"string\", \"default\": \"weak\", \"enum\": [\"weak\", \"all\"],\n"
    "   \"description\": \"weak: only samples of the weak slices of the analysis, in proportion to "
    "their priority; all: any train sample\"}\n"
    " }}";

struct job {
    const struct fw_request *r;
    struct fw_dataset *ds;
    struct fw_known *known, *suspects;
    struct fw_aims aims;
    size_t n;
    size_t *rows; /* parents, shuffled */
    int *used;    /* n: copies made */
    int texts[FW_TEXT_CHANGES], images[FW_IMAGE_CHANGES];
    int n_texts, n_images;
    struct fw_patch_writer *w;
    size_t written, broken;
    char why[600]; /* the first broken file */
};

static void job_release(struct job *j)
{
    fw_dataset_free(j->ds);
    fw_known_free(j->known);
    fw_known_free(j->suspects);
    fw_aims_release(&j->aims);
    free(j->rows);
    free(j->used);
}

static bool add_change(struct job *j, const char *name)
{
    for (int i = 0; i < FW_TEXT_CHANGES; i++)
        if (strcmp(name, fw_text_change_name((enum fw_text_change)i)) == 0) {
            if (j->n_texts < FW_TEXT_CHANGES)
                j->texts[j->n_texts++] = i;
            return true;
        }
    for (int i = 0; i < FW_IMAGE_CHANGES; i++)
        if (strcmp(name, fw_image_change_name((enum fw_image_change)i)) == 0) {
            if (j->n_images < FW_IMAGE_CHANGES)
                j->images[j->n_images++] = i;
            return true;
        }
    return false;
}

static int read_changes(struct job *j, struct fw_err *err)
{
    static const char *const safe[] = {"brightness", "contrast", "shift",     "noise",
                                       "case",       "typos",    "whitespace"};
    const json_t *list = json_object_get(j->r->params, "transforms"), *v;
    size_t i;

    if (json_array_size(list) == 0) {
        for (i = 0; i < sizeof safe / sizeof *safe; i++)
            add_change(j, safe[i]);
        return FW_OK;
    }
    json_array_foreach (list, i, v) {
        const char *name = json_string_value(v);
        if (!name || !add_change(j, name)) {
            fw_err_set(err, FW_EINVAL, "unknown transform '%s'", name ? name : "(not a text)");
            return fw_err_hint(err, "images: flip-horizontal, flip-vertical, rotate, brightness, "
                                    "contrast, shift, crop, noise, blur; texts: case, typos, "
                                    "drop-words, whitespace, punctuation");
        }
    }
    return FW_OK;
}

static int read_suspects(struct job *j, const json_t *analysis, struct fw_err *err)
{
    const json_t *entry;
    size_t i;
    int rc = FW_OK;

    json_array_foreach (json_object_get(analysis, "suspects"), i, entry) {
        const char *id = json_string_value(json_object_get(entry, "id"));
        if (rc == FW_OK && id)
            rc = fw_known_add(j->suspects, id, NULL, err);
    }
    return rc;
}

/* Parents: labelled train samples that are neither suspicious nor copies themselves. */
static int find_parents(struct job *j, struct fw_err *err)
{
    size_t n = 0, kept = 0;
    struct fw_rng rng;
    int rc = fw_train_rows(j->ds, &j->r->task, &j->rows, &n, err);

    for (size_t i = 0; rc == FW_OK && i < j->ds->n; i++)
        rc = fw_known_add(j->known, j->ds->samples[i].id, NULL, err);
    for (size_t i = 0; rc == FW_OK && i < n; i++) {
        const struct fw_sample *s = &j->ds->samples[j->rows[i]];
        json_t *row = json_loadb(s->raw, s->raw_len, 0, NULL);
        bool copy = json_object_get(row, "parent") && json_object_get(row, "augmented");
        json_decref(row);
        if (!copy && !fw_known_has(j->suspects, s->id) && (s->text || s->file_name))
            j->rows[kept++] = j->rows[i];
    }
    if (rc != FW_OK)
        return rc;
    j->n = kept;
    fw_rng_seed_named(&rng, j->r->seed + (uint64_t)j->r->iteration, "parents");
    fw_rng_shuffle(&rng, j->rows, kept);
    j->used = calloc(kept ? kept : 1, sizeof *j->used);
    return j->used ? FW_OK : fw_err_nomem(err);
}

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

/* Takes row over. */
static int write_fix(struct job *j, const struct fw_sample *s, const char *change,
                     const char *slice, json_t *row, struct fw_err *err)
{
    char why[300];

    if (!row)
        return fw_err_nomem(err);
    snprintf(why, sizeof why, "a copy with %s changed", change);
    json_t *fix =
        json_pack("{s:s,s:o,s:s,s:s}", "op", "add", "sample", row, "parent", s->id, "reason", why);
    if (fix && slice)
        json_object_set_new(fix, "slice", json_string(slice));
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

static int copy_text(struct job *j, const struct fw_sample *s, struct fw_rng *rng,
                     const char *slice, struct fw_err *err)
{
    int how = j->texts[fw_rng_below(rng, (uint64_t)j->n_texts)];
    const char *change = fw_text_change_name((enum fw_text_change)how);
    struct fw_buf text = {0}, id = {0};
    bool fresh = false;
    size_t n = strlen(s->text);
    int rc = fw_text_change((enum fw_text_change)how, s->text, n, rng, &text, err);

    if (rc == FW_OK && text.len && !(text.len == n && memcmp(text.p, s->text, n) == 0))
        rc = name_copy(j, s, change, &text, &id, &fresh, err);
    if (rc == FW_OK && fresh) {
        json_t *row = copy_row(s, change, id.p);
        json_object_set_new(row, "text", json_string(text.p));
        rc = write_fix(j, s, change, slice, row, err);
    }
    fw_buf_release(&text);
    fw_buf_release(&id);
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

static int copy_image(struct job *j, const struct fw_sample *s, struct fw_rng *rng,
                      const char *slice, struct fw_err *err)
{
    int how = j->images[fw_rng_below(rng, (uint64_t)j->n_images)];
    const char *change = fw_image_change_name((enum fw_image_change)how);
    struct fw_image in = {0}, out = {0};
    struct fw_buf png = {0}, id = {0}, name = {0};
    bool fresh = false;
    int rc = open_parent(j, s, &in, err);

    if (rc == FW_OK && in.px) {
        rc = fw_image_change((enum fw_image_change)how, &in, rng, &out, err);
        if (rc == FW_OK)
            rc = fw_image_png(&out, &png, err);
        if (rc == FW_OK)
            rc = name_copy(j, s, change, &png, &id, &fresh, err);
    }
    if (rc == FW_OK && fresh) {
        char hex[FW_SHA256_HEX];
        rc = fw_sha256_bytes(id.p, id.len, hex, err);
        if (rc == FW_OK) {
            fw_buf_printf(&name, "augment/%.16s.png", hex);
            rc = name.failed ? fw_err_nomem(err)
                             : fw_patch_writer_bytes(j->w, png.p, png.len, name.p, err);
        }
        if (rc == FW_OK) {
            json_t *row = copy_row(s, change, id.p);
            json_object_set_new(row, "file_name", json_string(name.p));
            rc = write_fix(j, s, change, slice, row, err);
        }
    }
    fw_image_release(&in);
    fw_image_release(&out);
    fw_buf_release(&png);
    fw_buf_release(&id);
    fw_buf_release(&name);
    return rc;
}

/* One copy of parent i, its random numbers its own: the same whatever else is copied. */
static int copy_one(struct job *j, size_t i, const char *slice, struct fw_err *err)
{
    const struct fw_sample *s = &j->ds->samples[j->rows[i]];
    uint64_t seed = j->r->seed + (uint64_t)j->r->iteration * 1000 + (uint64_t)j->used[i]++;
    struct fw_rng rng;

    fw_rng_seed_named(&rng, seed, s->id);
    if (s->text)
        return j->n_texts ? copy_text(j, s, &rng, slice, err) : FW_OK;
    return j->n_images ? copy_image(j, s, &rng, slice, err) : FW_OK;
}

static bool in_aim(const struct job *j, const struct fw_aim *aim, size_t i)
{
    if (!aim)
        return true;
    return aim->klass >= 0 ? j->ds->samples[j->rows[i]].klass == aim->klass : aim->member[i];
}

/* Up to quota copies of samples in the aim (NULL: any), round by round so that no sample gets a
 * second copy before the others got one. */
static int copy_quota(struct job *j, const struct fw_aim *aim, const char *slice, size_t quota,
                      struct fw_err *err)
{
    int most = (int)fw_request_num(j->r, "per_sample"), rc = FW_OK;
    size_t end = j->written + quota;

    for (int round = 0; rc == FW_OK && round < most; round++)
        for (size_t i = 0; rc == FW_OK && i < j->n && j->written < end; i++)
            if (j->used[i] <= round && in_aim(j, aim, i)) {
                rc = copy_one(j, i, slice, err);
                fw_event_progress((double)j->written, (double)end, "samples");
            }
    return rc;
}

static int copy_all(struct job *j, struct fw_err *err)
{
    const char *aim = fw_request_str(j->r, "aim");
    size_t budget = (size_t)fw_request_num(j->r, "budget");
    if (aim && strcmp(aim, "all") == 0)
        return copy_quota(j, NULL, NULL, budget, err);

    size_t n = j->aims.n;
    double *weight = calloc(n ? n : 1, sizeof *weight);
    size_t *quota = calloc(n ? n : 1, sizeof *quota);
    int rc = weight && quota ? FW_OK : fw_err_nomem(err);
    for (size_t a = 0; rc == FW_OK && a < n; a++)
        weight[a] = j->aims.v[a].weight;
    if (rc == FW_OK)
        fw_quotas(weight, n, budget, quota);
    for (size_t a = 0; rc == FW_OK && a < n; a++)
        rc = copy_quota(j, &j->aims.v[a], j->aims.names[a], quota[a], err);
    if (rc == FW_OK && n == 0)
        fw_event_message("info", "the analysis names no weak slice: nothing to augment");
    free(weight);
    free(quota);
    return rc;
}

static int prepare(struct job *j, const char *data, struct fw_err *err)
{
    const char *path = fw_request_in(j->r, "analysis"), *history = fw_request_in(j->r, "history");
    json_t *analysis = NULL;
    int rc = read_changes(j, err);

    j->known = fw_known_new();
    j->suspects = fw_known_new();
    if (rc == FW_OK && (!j->known || !j->suspects))
        rc = fw_err_nomem(err);
    if (rc == FW_OK)
        rc = fw_dataset_load(data, &j->r->task, &j->ds, err);
    if (rc == FW_OK && path)
        rc = fw_analysis_load(path, &analysis, err);
    if (rc == FW_OK && history && fw_fs_exists(history))
        rc = fw_known_add_history(j->known, history, err);
    if (rc == FW_OK)
        rc = read_suspects(j, analysis, err);
    if (rc == FW_OK)
        rc = find_parents(j, err);
    if (rc == FW_OK)
        rc = fw_aims_read(analysis, &j->r->task, j->ds, j->rows, j->n, &j->aims, err);
    json_decref(analysis);
    return rc;
}

static int run(const struct fw_request *r, struct fw_err *err)
{
    const char *data = fw_request_in(r, "dataset"), *out = fw_request_out(r, "patch");
    struct job j = {.r = r};

    if (!data || !out)
        return fw_err_set(err, FW_EINVAL, "the request names no %s",
                          data ? "output 'patch'" : "input 'dataset'");
    int rc = prepare(&j, data, err);
    if (rc == FW_OK)
        rc = fw_patch_writer_open(out, &j.w, err);
    if (rc == FW_OK) {
        rc = copy_all(&j, err);
        int closed = fw_patch_writer_close(j.w, rc == FW_OK ? err : NULL);
        rc = rc == FW_OK ? closed : rc;
    }
    if (rc == FW_OK && j.n == 0)
        fw_event_message("warning", "no train sample is an image or a text that can be changed");
    if (rc == FW_OK && j.broken)
        fw_event_message("warning", "%zu images cannot be read and were passed over; the first: %s",
                         j.broken, j.why);
    job_release(&j);
    return rc;
}

int main(int argc, char **argv)
{
    return fw_plugin_main(argc, argv, describe, run);
}
