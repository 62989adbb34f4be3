#include "pipeline/exec/conform_data.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/buf.h"
#include "pipeline/base/fs.h"
#include "pipeline/base/rng.h"
#include "stages/train/image.h"

enum { TRAIN = 24, DEV = 12, POOL = 6, SIDE = 32, DIMENSIONS = 4, MISLABELLED = 2 };

/* A blank and letters beyond ASCII: what careless plugins trip over. */
static const char *const classes[] = {"spot", "no spot é"};
const struct fw_task_info fw_conform_task = {FW_CLASSIFICATION, classes, 2};

static const char *const content_names[FW_CONTENTS] = {"features", "text", "images"};

static const char *const dev_ids[DEV] = {"dev-0", "dev-1", "dev-2", "dev-3", "dev-4",  "dev-5",
                                         "dev-6", "dev-7", "dev-8", "dev-9", "dev-10", "dev-11"};

const char *fw_content_name(enum fw_content c)
{
    return content_names[c];
}

const char *const *fw_conform_dev_ids(size_t *n)
{
    *n = DEV;
    return dev_ids;
}

struct maker {
    const char *root; /* the folder of this content */
    enum fw_content content;
};

static int put(const char *root, const char *rel, struct fw_buf *text, struct fw_err *err)
{
    struct fw_buf path = {0};
    fw_buf_printf(&path, "%s/%s", root, rel);
    char *slash = path.p ? strrchr(path.p, '/') : NULL;
    int rc = path.failed || text->failed ? fw_err_nomem(err) : FW_OK;
    if (rc == FW_OK) {
        *slash = '\0';
        rc = fw_fs_mkdirs(path.p, err);
        *slash = '/';
    }
    if (rc == FW_OK)
        rc = fw_fs_write_atomic(path.p, text->p ? text->p : "", text->len, err);
    fw_buf_release(&path);
    return rc;
}

/* A grey square, with a bright disc when klass is 0. */
static int put_image(const char *folder, const char *id, int klass, struct fw_rng *rng,
                     struct fw_err *err)
{
    unsigned char pixels[SIDE * SIDE];
    struct fw_buf png = {0}, rel = {0};
    double x0 = 10 + 12 * fw_rng_double(rng), y0 = 10 + 12 * fw_rng_double(rng);
    for (int y = 0; y < SIDE; y++) {
        for (int x = 0; x < SIDE; x++) {
            double d = (x - x0) * (x - x0) + (y - y0) * (y - y0);
            double base = klass == 0 && d < 49 ? 200 : 80;
            pixels[y * SIDE + x] = (unsigned char)(base + 30 * fw_rng_double(rng));
        }
    }
    struct fw_image image = {.w = SIDE, .h = SIDE, .channels = 1, .px = pixels};
    int rc = fw_image_png(&image, &png, err);
    fw_buf_printf(&rel, "images/%s.png", id);
    if (rc == FW_OK)
        rc = rel.failed ? fw_err_nomem(err) : put(folder, rel.p, &png, err);
    fw_buf_release(&rel);
    fw_buf_release(&png);
    return rc;
}

static void add_features(struct fw_buf *row, int klass, struct fw_rng *rng)
{
    fw_buf_puts(row, "\"features\":[");
    for (int i = 0; i < DIMENSIONS; i++)
        fw_buf_printf(row, "%s%.6f", i ? "," : "",
                      (klass == 0 ? 1.0 : -1.0) + 0.3 * fw_rng_normal(rng));
    fw_buf_puts(row, "]");
}

static void add_text(struct fw_buf *row, int klass, struct fw_rng *rng)
{
    static const char *const words[2][4] = {{"Bright", "shiny", "glossy", "spotted"},
                                            {"Dark", "dull", "matt", "déjà-vu \\\"plain\\\""}};
    static const char *const common[] = {"plate", "sheet", "piece", "coil"};
    fw_buf_printf(row, "\"text\":\"%s %s %s of the %s\"", words[klass][fw_rng_below(rng, 4)],
                  words[klass][fw_rng_below(rng, 4)], words[klass][fw_rng_below(rng, 4)],
                  common[fw_rng_below(rng, 4)]);
}

/* Adds one row to rows, and for images its file below each of the folders. */
static int add_sample(const struct maker *m, struct fw_buf *rows, const char *const *folders,
                      const char *split, int i, struct fw_err *err)
{
    char id[32];
    struct fw_rng rng;
    int klass = i % 2, said = klass, rc = FW_OK;
    if (strcmp(split, "train") == 0 && i < MISLABELLED)
        said = 1 - klass;
    snprintf(id, sizeof(id), "%s-%d", split, i);
    fw_rng_seed_named(&rng, 1, id);
    fw_buf_printf(rows, "{\"id\":\"%s\",", id);
    if (m->content == FW_CONTENT_FEATURES)
        add_features(rows, klass, &rng);
    else if (m->content == FW_CONTENT_TEXT)
        add_text(rows, klass, &rng);
    else
        fw_buf_printf(rows, "\"file_name\":\"images/%s.png\"", id);
    fw_buf_printf(rows, ",\"label\":\"%s\",\"line\":\"%c\"", classes[said], i % 3 ? 'A' : 'B');
    if (strcmp(split, "train") == 0 || strcmp(split, "dev") == 0)
        fw_buf_printf(rows, ",\"split\":\"%s\"", split);
    fw_buf_puts(rows, "}\n");
    for (; m->content == FW_CONTENT_IMAGES && *folders && rc == FW_OK; folders++) {
        struct fw_buf folder = {0};
        struct fw_rng same = rng;
        fw_buf_printf(&folder, "%s/%s", m->root, *folders);
        rc = folder.failed ? fw_err_nomem(err) : put_image(folder.p, id, klass, &same, err);
        fw_buf_release(&folder);
    }
    return rc;
}

static int make_split(const struct maker *m, const char *split, int n, struct fw_buf *all,
                      struct fw_err *err)
{
    const char *folders[] = {split, all ? "all" : NULL, NULL};
    struct fw_buf rows = {0}, rel = {0};
    int rc = FW_OK;
    for (int i = 0; i < n && rc == FW_OK; i++)
        rc = add_sample(m, &rows, folders, split, i, err);
    fw_buf_printf(&rel, "%s/samples.jsonl", split);
    if (rc == FW_OK)
        rc = rel.failed ? fw_err_nomem(err) : put(m->root, rel.p, &rows, err);
    if (all)
        fw_buf_add(all, rows.p, rows.len);
    fw_buf_release(&rel);
    fw_buf_release(&rows);
    return rc;
}

/* Predictions of a model that is right but for one sample of dev, and doubts the wrong labels. */
static int make_predictions(const struct maker *m, const char *split, const char *folder, int n,
                            struct fw_err *err)
{
    struct fw_buf rows = {0}, rel = {0};
    for (int i = 0; i < n; i++) {
        int guess = strcmp(split, "dev") == 0 && i == 3 ? 0 : i % 2;
        fw_buf_printf(&rows, "{\"id\":\"%s-%d\",\"prediction\":\"%s\",\"probs\":[%s]}\n", split, i,
                      classes[guess], guess == 0 ? "0.9,0.1" : "0.1,0.9");
    }
    fw_buf_printf(&rel, "%s/predictions.jsonl", folder);
    int rc = rel.failed ? fw_err_nomem(err) : put(m->root, rel.p, &rows, err);
    fw_buf_release(&rel);
    fw_buf_release(&rows);
    return rc;
}

static int make_analysis(const struct maker *m, struct fw_err *err)
{
    static const char text[] =
        "{\"version\":1,\"metric\":{\"name\":\"accuracy\",\"value\":0.916667},\n"
        "\"slices\":[{\"slice\":\"class == 'no spot é'\",\"class\":\"no spot é\",\"n\":6,"
        "\"share\":0.5,\"train_n\":12,\"metric\":0.833333,\"low\":0.43651,\"high\":0.969953,"
        "\"errors\":1,\"error_share\":1,\"human_level\":1,\"gap\":0.166667,\"importance\":1,"
        "\"ease\":1,\"worth\":0.083333,\"priority\":0.083333},\n"
        "{\"slice\":\"class == 'spot'\",\"class\":\"spot\",\"n\":6,\"share\":0.5,\"train_n\":12,"
        "\"metric\":1,\"low\":0.609664,\"high\":1,\"errors\":0,\"error_share\":0,"
        "\"human_level\":1,\"gap\":0,\"importance\":1,\"ease\":1,\"worth\":0,\"priority\":0}],\n"
        "\"suspects\":[{\"id\":\"train-0\",\"label\":\"no spot é\",\"suggested\":\"spot\","
        "\"score\":0.1,\"method\":\"confident-learning\"},{\"id\":\"train-1\",\"label\":\"spot\","
        "\"suggested\":\"no spot é\",\"score\":0.1,\"method\":\"confident-learning\"}],\n"
        "\"confusions\":[{\"true\":\"no spot é\",\"predicted\":\"spot\",\"n\":1,"
        "\"rate\":0.166667}],\n"
        "\"noise\":{\"rate\":0.083333,\"labelled\":24,\"estimated_errors\":2,\"by_class\":["
        "{\"class\":\"spot\",\"n\":12,\"rate\":0.083333},"
        "{\"class\":\"no spot é\",\"n\":12,\"rate\":0.083333}]},\n"
        "\"coverage\":[],\"notes\":[]}\n";
    struct fw_buf b = {0};
    fw_buf_puts(&b, text);
    int rc = put(m->root, "analysis.json", &b, err);
    fw_buf_clear(&b);
    fw_buf_puts(&b,
                "# Labelling guidelines\n\n## spot\n\nA bright mark.\n\n## no spot é\n\nNone.\n");
    if (rc == FW_OK)
        rc = put(m->root, "GUIDELINES.md", &b, err);
    fw_buf_clear(&b);
    if (rc == FW_OK)
        rc = put(m->root, "history.jsonl", &b, err);
    fw_buf_release(&b);
    return rc;
}

int fw_conform_data(const char *root, enum fw_content content, struct fw_err *err)
{
    char *dir = fw_fs_join(root, content_names[content]);
    struct maker m = {dir, content};
    struct fw_buf all = {0};
    if (!dir)
        return fw_err_nomem(err);
    int rc = make_split(&m, "train", TRAIN, &all, err);
    if (rc == FW_OK)
        rc = make_split(&m, "dev", DEV, &all, err);
    if (rc == FW_OK)
        rc = put(dir, "all/samples.jsonl", &all, err);
    if (rc == FW_OK)
        rc = make_split(&m, "production", POOL, NULL, err);
    if (rc == FW_OK)
        rc = make_predictions(&m, "dev", "predictions", DEV, err);
    if (rc == FW_OK)
        rc = make_predictions(&m, "train", "out_of_fold", TRAIN, err);
    if (rc == FW_OK)
        rc = make_analysis(&m, err);
    fw_buf_release(&all);
    free(dir);
    return rc;
}

int fw_conform_project(const char *root, enum fw_content content, struct fw_err *err)
{
    struct maker m = {root, content};
    struct fw_buf truth = {0};
    for (int i = 0; i < TRAIN; i++)
        fw_buf_printf(&truth, "{\"id\":\"train-%d\",\"label\":\"%s\"}\n", i, classes[i % 2]);
    int rc = put(root, "truth.jsonl", &truth, err);
    fw_buf_release(&truth);
    return rc == FW_OK ? make_split(&m, "pool", POOL, NULL, err) : rc;
}
