/*
 * Makes the quickstart's data. It is SIMULATED: drawn by a program, not photographed.
 *
 *     steel-generate FOLDER [SEED]
 *
 * writes into FOLDER
 *     data/samples.jsonl, data/images/   the dataset: train with flawed labels, dev and test right
 *     pool/samples.jsonl, pool/images/   rightly labelled pictures that can still be collected
 *     truth.csv                          the right labels of train and pool, for simulated
 * labellers
 *
 * Two things are wrong with the train split, on purpose, as in many real ones: one label in five is
 * wrong (mostly the class it is easily taken for), and two classes and the night shift are rare.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STB_IMAGE_WRITE_STATIC
#include <stb/stb_image_write.h>

#include "examples/steel/texture.h"
#include "pipeline/base/buf.h"
#include "pipeline/base/fs.h"

static const char *const names[DEFECTS] = {"crazing", "inclusion", "patches",
                                           "pitted",  "rolled-in", "scratches"};

/* What a hurried labeller takes each defect for. */
static const enum defect mistaken[DEFECTS] = {ROLLED_IN, SCRATCHES, ROLLED_IN,
                                              CRAZING,   PITTED,    INCLUSION};

struct part {
    const char *name, *folder, *split;
    int counts[DEFECTS];
    double night; /* share of pictures taken in the night shift */
    double wrong; /* share of labels that are wrong */
};

static const struct part parts[] = {
    {"train", "data", "train", {16, 84, 92, 74, 14, 86}, 0.10, 0.20},
    {"dev", "data", "dev", {60, 60, 60, 60, 60, 60}, 0.35, 0},
    {"test", "data", "test", {60, 60, 60, 60, 60, 60}, 0.35, 0},
    {"pool", "pool", NULL, {90, 90, 90, 90, 90, 90}, 0.35, 0},
};

struct rows {
    struct fw_buf data, pool, truth;
};

static int write_sample(const char *root, const struct part *part, int number, enum defect defect,
                        uint64_t seed, struct rows *rows, struct fw_err *err)
{
    unsigned char pixels[TEXTURE_SIZE * TEXTURE_SIZE];
    char id[32], path[4096];
    struct fw_rng rng;
    snprintf(id, sizeof id, "%s-%04d", part->name, number);
    fw_rng_seed_named(&rng, seed, id);
    bool night = fw_rng_double(&rng) < part->night, line_b = fw_rng_double(&rng) < 0.4;
    struct surface s = {
        .brightness = (night ? 0.30 : 0.50) + (line_b ? 0.06 : 0) + 0.03 * fw_rng_normal(&rng),
        .contrast = (night ? 0.62 : 1.0) * (0.75 + 0.5 * fw_rng_double(&rng)),
        .noise = night ? 0.045 : 0.035,
    };
    texture_draw(&rng, defect, &s, pixels);
    snprintf(path, sizeof path, "%s/%s/images/%s.png", root, part->folder, id);
    if (!stbi_write_png(path, TEXTURE_SIZE, TEXTURE_SIZE, 1, pixels, TEXTURE_SIZE))
        return fw_err_set(err, FW_EIO, "cannot write %s", path);

    enum defect label = defect;
    if (fw_rng_double(&rng) < part->wrong) {
        label = mistaken[defect];
        if (fw_rng_double(&rng) < 0.25)
            label = (enum defect)((defect + 1 + fw_rng_below(&rng, DEFECTS - 1)) % DEFECTS);
    }
    struct fw_buf *out = part->split ? &rows->data : &rows->pool;
    fw_buf_printf(out, "{\"id\":\"%s\",\"file_name\":\"images/%s.png\",\"label\":\"%s\",", id, id,
                  names[label]);
    if (part->split)
        fw_buf_printf(out, "\"split\":\"%s\",", part->split);
    fw_buf_printf(out, "\"line\":\"%s\",\"shift\":\"%s\",\"brightness\":%.3f}\n",
                  line_b ? "B" : "A", night ? "night" : "day", s.brightness);
    if (!part->split || !strcmp(part->split, "train"))
        fw_buf_printf(&rows->truth, "%s,%s\n", id, names[defect]);
    return FW_OK;
}

/* The classes are interleaved, so that the order of the rows tells nothing. */
static int write_part(const char *root, const struct part *part, uint64_t seed, struct rows *rows,
                      struct fw_err *err)
{
    size_t order[1024], n = 0;
    struct fw_rng rng;
    for (size_t d = 0; d < DEFECTS; d++)
        for (int i = 0; i < part->counts[d]; i++)
            order[n++] = d;
    fw_rng_seed_named(&rng, seed, part->name);
    fw_rng_shuffle(&rng, order, n);
    for (size_t i = 0; i < n; i++) {
        int rc = write_sample(root, part, (int)i + 1, (enum defect)order[i], seed, rows, err);
        if (rc)
            return rc;
    }
    return FW_OK;
}

static int write_file(const char *root, const char *rel, const struct fw_buf *text,
                      struct fw_err *err)
{
    char *path = fw_fs_join(root, rel);
    int rc = path && !text->failed ? fw_fs_write_atomic(path, text->p, text->len, err)
                                   : fw_err_nomem(err);
    free(path);
    return rc;
}

static int generate(const char *root, uint64_t seed, struct fw_err *err)
{
    struct rows rows = {0};
    int rc = FW_OK;
    const char *const folders[] = {"data/images", "pool/images"};
    for (size_t i = 0; !rc && i < 2; i++) {
        char *path = fw_fs_join(root, folders[i]);
        rc = path ? fw_fs_mkdirs(path, err) : fw_err_nomem(err);
        free(path);
    }
    fw_buf_puts(&rows.truth, "id,label\n");
    for (size_t i = 0; !rc && i < sizeof parts / sizeof *parts; i++)
        rc = write_part(root, &parts[i], seed, &rows, err);
    if (!rc)
        rc = write_file(root, "data/samples.jsonl", &rows.data, err);
    if (!rc)
        rc = write_file(root, "pool/samples.jsonl", &rows.pool, err);
    if (!rc)
        rc = write_file(root, "truth.csv", &rows.truth, err);
    fw_buf_release(&rows.data);
    fw_buf_release(&rows.pool);
    fw_buf_release(&rows.truth);
    return rc;
}

int main(int argc, char **argv)
{
    struct fw_err err = {0};
    char text[4096];
    if (argc < 2 || argc > 3) {
        fprintf(stderr, "usage: steel-generate FOLDER [SEED]\n");
        return 2;
    }
    if (generate(argv[1], argc > 2 ? strtoull(argv[2], NULL, 10) : 1, &err)) {
        fw_err_format(&err, text, sizeof text);
        fprintf(stderr, "steel-generate: %s\n", text);
        return 1;
    }
    return 0;
}
