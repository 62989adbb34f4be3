#include "stages/data/boxes.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/arena.h"
#include "pipeline/base/fs.h"
#include "pipeline/base/rows.h"
#include "stages/data/ids.h"

struct fw_box_sets_priv {
    struct fw_arena arena;
    struct fw_ids images, classes;
};

struct placed { /* a box and the image it is on, until all are there */
    size_t image;
    struct fw_box box;
};

struct reading {
    struct fw_box_sets_priv *priv;
    const char *path;
    bool predicted;
    bool *seen; /* predicted JSON lines: images that had a line */
    struct placed *v;
    size_t n, cap;
    json_t *categories; /* COCO: category_id as text → name; kept for the predictions */
};

/* The index of a text, copied when it is new; -1 when it may not be new, or FW_IDS_NOMEM. */
static long index_of(struct reading *r, struct fw_ids *set, const char *text, bool may_add)
{
    long at = fw_ids_find(set, text);
    if (at >= 0 || !may_add)
        return at;
    char *own = fw_arena_strdup(&r->priv->arena, text);
    return own ? fw_ids_add(set, own) : FW_IDS_NOMEM;
}

static int keep(struct reading *r, size_t image, const struct fw_box *box, struct fw_err *err)
{
    if (r->n == r->cap) {
        size_t cap = r->cap ? 2 * r->cap : 256;
        struct placed *v = reallocarray(r->v, cap, sizeof *v);
        if (!v)
            return fw_err_nomem(err);
        r->v = v;
        r->cap = cap;
    }
    r->v[r->n++] = (struct placed){image, *box};
    return FW_OK;
}

/* x, y, width, height; finite, no side below 0. */
static bool read_sides(const json_t *list, struct fw_box *box)
{
    double v[4];
    if (json_array_size(list) != 4)
        return false;
    for (size_t i = 0; i < 4; i++) {
        if (!json_is_number(json_array_get(list, i)))
            return false;
        v[i] = json_number_value(json_array_get(list, i));
        if (!(fabs(v[i]) < 1e9))
            return false;
    }
    if (v[2] < 0 || v[3] < 0)
        return false;
    box->x0 = (float)v[0];
    box->y0 = (float)v[1];
    box->x1 = (float)(v[0] + v[2]);
    box->y1 = (float)(v[1] + v[3]);
    box->area = (float)(v[2] * v[3]);
    return true;
}

/* What both forms share; klass is set by the caller. sides: the key of the four numbers. */
static int read_box(const struct reading *r, const json_t *b, const char *sides,
                    const char *crowd_key, struct fw_box *box, struct fw_err *err)
{
    const json_t *score = json_object_get(b, "score"), *area = json_object_get(b, "area"),
                 *crowd = json_object_get(b, crowd_key);
    if (!read_sides(json_object_get(b, sides), box))
        return fw_err_set(err, FW_EINVAL,
                          "'%s' is not [x, y, width, height] in pixels, sides of at least 0",
                          sides);
    box->score = 1;
    if (r->predicted) {
        double v = json_is_number(score) ? json_number_value(score) : NAN;
        if (!(v >= 0 && v <= 1))
            return fw_err_set(err, FW_EINVAL, "a predicted box has no 'score' from 0 to 1");
        box->score = (float)v;
        return FW_OK;
    }
    box->crowd = json_is_true(crowd) || (json_is_integer(crowd) && json_integer_value(crowd) == 1);
    if (json_is_number(area) && json_number_value(area) >= 0)
        box->area = (float)json_number_value(area);
    return FW_OK;
}

static int read_line_boxes(struct reading *r, size_t image, const json_t *list, struct fw_err *err)
{
    size_t i;
    const json_t *b;
    json_array_foreach (list, i, b) {
        struct fw_box box = {.crowd = false};
        const char *name = json_string_value(json_object_get(b, "class"));
        int rc = name ? read_box(r, b, "box", "crowd", &box, err)
                      : fw_err_set(err, FW_EINVAL, "a box has no 'class'");
        if (rc != FW_OK)
            return fw_err_wrap(err, "box %zu", i + 1);
        long k = index_of(r, &r->priv->classes, name, !r->predicted);
        if (k == FW_IDS_NOMEM && !r->predicted)
            return fw_err_nomem(err);
        if (k < 0)
            return fw_err_set(err, FW_EINVAL, "box %zu: no given box has the class '%.100s'", i + 1,
                              name);
        box.klass = (int)k;
        rc = keep(r, image, &box, err);
        if (rc != FW_OK)
            return rc;
    }
    return FW_OK;
}

/* The image of a line: new in the given file, known and not seen yet in the predictions. */
static int line_image(struct reading *r, const char *id, size_t *image, struct fw_err *err)
{
    struct fw_ids *images = &r->priv->images;
    long at = fw_ids_find(images, id);
    if (r->predicted ? at >= 0 && r->seen[at] : at >= 0)
        return fw_err_set(err, FW_EINVAL, "image '%.200s' appears twice", id);
    if (r->predicted && at < 0)
        return fw_err_set(err, FW_EINVAL, "image '%.200s' has no line in the given boxes", id);
    if (!r->predicted && (at = index_of(r, images, id, true)) < 0)
        return fw_err_nomem(err);
    if (r->predicted)
        r->seen[at] = true;
    *image = (size_t)at;
    return FW_OK;
}

static int on_line(void *ctx, const struct fw_row *row, int line, struct fw_err *err)
{
    struct reading *r = ctx;
    const char *id = fw_row_str(row, "id");
    const struct fw_field *f = fw_row_get(row, "boxes");
    size_t image = 0;
    int rc = id && *id ? line_image(r, id, &image, err)
                       : fw_err_set(err, FW_EINVAL, "the image has no id");
    if (rc == FW_OK && f && f->type != FW_NULL) {
        json_error_t why;
        json_t *list = f->type == FW_ARRAY ? json_loadb(f->raw, f->raw_len, 0, &why) : NULL;
        rc = list ? read_line_boxes(r, image, list, err)
                  : fw_err_set(err, FW_EINVAL, "'boxes' is not a list");
        json_decref(list);
    }
    if (rc == FW_EINVAL)
        fw_err_at(err, r->path, line, 0);
    return rc;
}

/* An id of COCO, a number or a text, as text. */
static const char *id_text(const json_t *v, char buf[32])
{
    if (json_is_string(v))
        return json_string_value(v);
    if (!json_is_integer(v))
        return NULL;
    snprintf(buf, 32, "%lld", (long long)json_integer_value(v));
    return buf;
}

static int read_categories(struct reading *r, const json_t *root, struct fw_err *err)
{
    size_t i;
    const json_t *c;
    char buf[32];
    json_array_foreach (json_object_get(root, "categories"), i, c) {
        const char *id = id_text(json_object_get(c, "id"), buf);
        const char *name = json_string_value(json_object_get(c, "name"));
        if (!id || !name)
            return fw_err_set(err, FW_EINVAL, "category %zu has no id or no name", i + 1);
        if (json_object_get(r->categories, id) || fw_ids_find(&r->priv->classes, name) >= 0)
            return fw_err_set(err, FW_EINVAL, "category '%.100s' is there twice", name);
        long at = index_of(r, &r->priv->classes, name, true);
        if (at < 0 || json_object_set_new(r->categories, id, json_integer(at)) != 0)
            return fw_err_nomem(err);
    }
    return FW_OK;
}

static int read_images(struct reading *r, const json_t *root, struct fw_err *err)
{
    size_t i;
    const json_t *image;
    char buf[32];
    json_array_foreach (json_object_get(root, "images"), i, image) {
        const char *id = id_text(json_object_get(image, "id"), buf);
        if (!id)
            return fw_err_set(err, FW_EINVAL, "image %zu has no id", i + 1);
        if (fw_ids_find(&r->priv->images, id) >= 0)
            return fw_err_set(err, FW_EINVAL, "image %s is there twice", id);
        if (index_of(r, &r->priv->images, id, true) < 0)
            return fw_err_nomem(err);
    }
    return FW_OK;
}

static int read_annotations(struct reading *r, const json_t *list, const char *what,
                            struct fw_err *err)
{
    size_t i;
    const json_t *b;
    char buf[32], other[32];
    json_array_foreach (list, i, b) {
        struct fw_box box = {.crowd = false};
        const char *image = id_text(json_object_get(b, "image_id"), buf);
        const char *category = id_text(json_object_get(b, "category_id"), other);
        long at = image ? fw_ids_find(&r->priv->images, image) : -1;
        const json_t *klass = category ? json_object_get(r->categories, category) : NULL;
        int rc = read_box(r, b, "bbox", "iscrowd", &box, err);
        if (rc == FW_OK && at < 0)
            rc = fw_err_set(err, FW_EINVAL, "image_id %s is none of the images",
                            image ? image : "(absent)");
        if (rc == FW_OK && !klass)
            rc = fw_err_set(err, FW_EINVAL, "category_id %s is none of the categories",
                            category ? category : "(absent)");
        if (rc != FW_OK)
            return fw_err_wrap(err, "%s %zu", what, i + 1);
        box.klass = (int)json_integer_value(klass);
        if ((rc = keep(r, (size_t)at, &box, err)) != FW_OK)
            return rc;
    }
    return FW_OK;
}

static int read_coco(struct reading *r, struct fw_err *err)
{
    json_error_t why;
    json_t *root = json_load_file(r->path, JSON_REJECT_DUPLICATES, &why);
    int rc = FW_OK;
    if (!root) {
        fw_err_set(err, FW_EINVAL, "%s", why.text);
        return fw_err_at(err, r->path, why.line > 0 ? why.line : 0, 0);
    }
    if (r->predicted) {
        const json_t *list = json_is_array(root) ? root : json_object_get(root, "annotations");
        if (!json_is_array(list))
            rc = fw_err_set(err, FW_EINVAL, "predictions are a list of boxes");
        else if (!r->categories || !json_object_size(r->categories))
            rc = fw_err_set(err, FW_EINVAL, "the given boxes must be in COCO's form too");
        else
            rc = read_annotations(r, list, "prediction", err);
    } else if (!json_is_array(json_object_get(root, "images")) ||
               !json_is_array(json_object_get(root, "annotations")) ||
               !json_is_array(json_object_get(root, "categories"))) {
        rc = fw_err_set(err, FW_EINVAL, "images, annotations or categories are missing");
    } else {
        rc = read_categories(r, root, err);
        if (rc == FW_OK)
            rc = read_images(r, root, err);
        if (rc == FW_OK)
            rc = read_annotations(r, json_object_get(root, "annotations"), "annotation", err);
    }
    if (rc == FW_EINVAL)
        fw_err_at(err, r->path, 0, 0);
    json_decref(root);
    return rc;
}

static int read_side(struct reading *r, struct fw_err *err)
{
    size_t n = strlen(r->path);
    if (n > 5 && !strcmp(r->path + n - 5, ".json"))
        return read_coco(r, err);
    return fw_rows_each(r->path, on_line, r, err);
}

/* The boxes in the order of their images, and in it as they were read. */
static int arrange(struct reading *r, size_t images, struct fw_boxes *out, struct fw_err *err)
{
    out->start = calloc(images + 1, sizeof *out->start);
    out->v = calloc(r->n + 1, sizeof *out->v);
    if (!out->start || !out->v)
        return fw_err_nomem(err);
    for (size_t i = 0; i < r->n; i++)
        out->start[r->v[i].image + 1]++;
    for (size_t i = 0; i < images; i++)
        out->start[i + 1] += out->start[i];
    size_t *at = calloc(images + 1, sizeof *at);
    if (!at)
        return fw_err_nomem(err);
    for (size_t i = 0; i < r->n; i++) {
        size_t image = r->v[i].image;
        out->v[out->start[image] + at[image]++] = r->v[i].box;
    }
    free(at);
    out->n = images;
    return FW_OK;
}

struct renamed {
    const char *name;
    size_t was;
};

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct renamed *)a)->name, ((const struct renamed *)b)->name);
}

/* Classes found in JSON lines stand in the order of their bytes. */
static int sort_classes(struct reading *r, struct fw_err *err)
{
    struct fw_ids *classes = &r->priv->classes;
    struct renamed *names = calloc(classes->n + 1, sizeof *names);
    int *to = calloc(classes->n + 1, sizeof *to);
    int rc = names && to ? FW_OK : fw_err_nomem(err);
    for (size_t c = 0; c < classes->n && rc == FW_OK; c++)
        names[c] = (struct renamed){classes->ids[c], c};
    if (rc == FW_OK) {
        struct fw_ids sorted = {0};
        qsort(names, classes->n, sizeof *names, by_name);
        for (size_t c = 0; c < classes->n && rc == FW_OK; c++) {
            to[names[c].was] = (int)c;
            if (fw_ids_add(&sorted, names[c].name) < 0)
                rc = fw_err_nomem(err);
        }
        fw_ids_release(classes);
        *classes = sorted;
    }
    for (size_t i = 0; i < r->n && rc == FW_OK; i++)
        r->v[i].box.klass = to[r->v[i].box.klass];
    free(names);
    free(to);
    return rc;
}

int fw_box_sets_load(const char *given, const char *predicted, struct fw_box_sets *out,
                     struct fw_err *err)
{
    struct fw_box_sets s = {.priv = calloc(1, sizeof *s.priv)};
    struct reading r = {.priv = s.priv, .path = given, .categories = json_object()};
    int rc = s.priv && r.categories ? read_side(&r, err) : fw_err_nomem(err);
    if (rc == FW_OK && !s.priv->images.n) {
        rc = fw_err_set(err, FW_EINVAL, "there are no images");
        fw_err_at(err, given, 0, 0);
    }
    if (rc == FW_OK && !json_object_size(r.categories))
        rc = sort_classes(&r, err);
    if (rc == FW_OK)
        rc = arrange(&r, s.priv->images.n, &s.given, err);
    r.n = 0;
    if (rc == FW_OK && !(r.seen = calloc(s.priv->images.n, sizeof *r.seen)))
        rc = fw_err_nomem(err);
    if (rc == FW_OK && predicted) {
        r.path = predicted;
        r.predicted = true;
        rc = read_side(&r, err);
    }
    if (rc == FW_OK)
        rc = arrange(&r, s.priv->images.n, &s.predicted, err);
    free(r.seen);
    free(r.v);
    json_decref(r.categories);
    if (rc == FW_OK) {
        s.n = s.priv->images.n;
        s.k = s.priv->classes.n;
        s.ids = s.priv->images.ids;
        s.classes = s.priv->classes.ids;
        *out = s;
    } else {
        fw_box_sets_release(&s);
    }
    return rc;
}

void fw_box_sets_release(struct fw_box_sets *s)
{
    free(s->given.start);
    free(s->given.v);
    free(s->predicted.start);
    free(s->predicted.v);
    if (s->priv) {
        fw_ids_release(&s->priv->images);
        fw_ids_release(&s->priv->classes);
        fw_arena_release(&s->priv->arena);
    }
    free(s->priv);
    memset(s, 0, sizeof *s);
}
