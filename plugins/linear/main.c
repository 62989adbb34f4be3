/*
 * linear: train and evaluate a linear model on images, texts or tables, with nothing to install.
 * What it learns from each kind of content is told in stages/train/extract.h, what it learns in
 * stages/train/linear.h.
 */
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/fs.h"
#include "stages/data/predictions.h"
#include "stages/data/request.h"
#include "stages/train/fit.h"

static const char describe[] =
    "{\"protocol\": 1, \"name\": \"linear\", \"version\": \"1.0.0\",\n"
    " \"kind\": [\"train\", \"evaluate\"],\n"
    " \"description\": \"L2-regularised logistic regression (classification) or least squares "
    "(regression) by liblinear, on images (gradients, binary patterns, tones), texts (hashed word "
    "and character n-grams) or numbers\",\n"
    " \"inputs\": [\"dataset\", \"model\"], \"outputs\": [\"model\", \"predictions\"],\n"
    " \"deterministic\": true, \"network\": false, \"code\": [],\n"
    " \"params\": {\n"
    "  \"C\": {\"type\": \"number\", \"default\": 1.0, \"minimum\": 1e-6, \"maximum\": 1e6,\n"
    "   \"description\": \"weight of the train samples against the pull towards small weights; "
    "smaller withstands wrong labels better\"},\n"
    "  \"class_weight\": {\"type\": \"string\", \"default\": \"none\", \"enum\": [\"none\", "
    "\"balanced\"],\n"
    "   \"description\": \"balanced: each class counts the same in training, however rare\"},\n"
    "  \"tolerance\": {\"type\": \"number\", \"default\": 0.1, \"minimum\": 1e-6, \"maximum\": 1,\n"
    "   \"description\": \"where liblinear stops; larger is quicker and lets seeds differ "
    "more\"},\n"
    "  \"input\": {\"type\": \"string\", \"default\": \"auto\", \"enum\": [\"auto\", \"image\", "
    "\"text\", \"features\"],\n"
    "   \"description\": \"what of a sample is read; auto takes what the first one has: features, "
    "else text, else file_name as an image\"},\n"
    "  \"image_size\": {\"type\": \"integer\", \"default\": 96, \"minimum\": 16, \"maximum\": "
    "512,\n"
    "   \"description\": \"images are made grey and this many pixels a side\"},\n"
    "  \"word_ngrams\": {\"type\": \"integer\", \"default\": 2, \"minimum\": 0, \"maximum\": 8,\n"
    "   \"description\": \"longest run of words that counts as one term; 0 = none\"},\n"
    "  \"char_ngrams\": {\"type\": \"integer\", \"default\": 5, \"minimum\": 0, \"maximum\": 8,\n"
    "   \"description\": \"longest run of characters that counts as one term; 0 = none\"},\n"
    "  \"hash_bits\": {\"type\": \"integer\", \"default\": 20, \"minimum\": 8, \"maximum\": 24,\n"
    "   \"description\": \"terms are hashed into 2^hash_bits buckets\"},\n"
    "  \"min_df\": {\"type\": \"integer\", \"default\": 1, \"minimum\": 1, \"maximum\": 1000000,\n"
    "   \"description\": \"terms in fewer train samples are dropped\"},\n"
    "  \"features\": {\"type\": \"string\", \"default\": \"binned\", \"enum\": [\"raw\", "
    "\"binned\"],\n"
    "   \"description\": \"numbers as they are (standardised), or also by the interval they lie "
    "in, "
    "which lets the model follow curves\"},\n"
    "  \"bins\": {\"type\": \"integer\", \"default\": 16, \"minimum\": 2, \"maximum\": 256,\n"
    "   \"description\": \"intervals a feature is cut into, equally filled on train\"}\n"
    " }}";

static void progress(size_t done, size_t total)
{
    if (done % 100 == 0 || done == total)
        fw_event_progress((double)done, (double)total, "samples");
}

static int extract_params(const struct fw_request *r, struct fw_extract_params *p,
                          struct fw_err *err)
{
    const char *features = fw_request_str(r, "features"), *input = fw_request_str(r, "input");

    fw_extract_defaults(p);
    p->image_size = (int)fw_request_num(r, "image_size");
    p->ngrams.words = (int)fw_request_num(r, "word_ngrams");
    p->ngrams.chars = (int)fw_request_num(r, "char_ngrams");
    p->ngrams.hash_bits = (int)fw_request_num(r, "hash_bits");
    p->min_df = (int)fw_request_num(r, "min_df");
    p->binned = !features || strcmp(features, "raw") != 0;
    p->bins = (int)fw_request_num(r, "bins");
    return fw_input_parse(input ? input : "auto", &p->input, err);
}

static int run_train(const struct fw_request *r, const struct fw_dataset *ds, const char *out,
                     struct fw_err *err)
{
    const char *weight = fw_request_str(r, "class_weight");
    struct fw_linear_params params = {
        .C = fw_request_num(r, "C"),
        .tolerance = fw_request_num(r, "tolerance"),
        .balanced = weight && strcmp(weight, "balanced") == 0,
        .seed = r->seed,
    };
    struct fw_extract_params extract;
    struct fw_linear *m = NULL;
    struct fw_buf file = {0};
    size_t *rows = NULL, n = 0;
    int rc = extract_params(r, &extract, err);

    if (rc == FW_OK)
        rc = fw_train_rows(ds, &r->task, &rows, &n, err);
    if (rc == FW_OK && n < ds->n)
        fw_event_message("info", "%zu of %zu samples are labelled train samples", n, ds->n);
    if (rc == FW_OK)
        rc = fw_linear_fit(ds, rows, n, &r->task, &extract, &params, progress, &m, err);
    for (uint32_t c = 0; rc == FW_OK && c < m->n_classes; c++)
        if (!m->present[c])
            fw_event_message("warning",
                             "class '%s' has no sample in train; it will never be predicted",
                             m->classes[c]);
    if (rc == FW_OK)
        rc = fw_linear_encode(m, &file, err);
    if (rc == FW_OK)
        rc = fw_fs_write_atomic(out, file.p, file.len, err);
    fw_linear_free(m);
    fw_buf_release(&file);
    free(rows);
    return rc;
}

static int read_model(const struct fw_request *r, const char *path, struct fw_linear **out,
                      struct fw_err *err)
{
    struct fw_buf file = {0};
    int rc = fw_fs_read(path, 0, &file, err);

    if (rc == FW_OK) {
        rc = fw_linear_decode(file.p ? file.p : "", file.len, out, err);
        if (rc == FW_OK)
            rc = fw_linear_check_task(*out, &r->task, err);
        if (rc != FW_OK)
            fw_err_at(err, path, 0, 0);
    }
    fw_buf_release(&file);
    return rc;
}

static int run_evaluate(const struct fw_request *r, const struct fw_dataset *ds, const char *model,
                        const char *out, struct fw_err *err)
{
    struct fw_linear *m = NULL;
    struct fw_guess g = {0};
    const char **ids = malloc((ds->n ? ds->n : 1) * sizeof *ids);
    int rc = ids ? read_model(r, model, &m, err) : fw_err_nomem(err);

    for (size_t i = 0; ids && i < ds->n; i++)
        ids[i] = ds->samples[i].id;
    if (rc == FW_OK)
        rc = fw_linear_guess(m, ds, progress, &g, err);
    if (rc == FW_OK)
        rc = fw_predictions_write(out, &r->task, ds->n, ids, g.pred, g.value, g.probs, err);
    fw_guess_release(&g);
    fw_linear_free(m);
    free(ids);
    return rc;
}

static int run(const struct fw_request *r, struct fw_err *err)
{
    bool evaluate = strcmp(r->kind, "evaluate") == 0;
    const char *data = fw_request_in(r, "dataset"), *model = fw_request_in(r, "model");
    const char *out = fw_request_out(r, evaluate ? "predictions" : "model");
    struct fw_dataset *ds = NULL;

    if (!data || !out || (evaluate && !model))
        return fw_err_set(err, FW_EINVAL, "the request names no %s",
                          !data  ? "input 'dataset'"
                          : !out ? "output"
                                 : "input 'model'");
    int rc = fw_dataset_load(data, &r->task, &ds, err);
    if (rc == FW_OK)
        rc = evaluate ? run_evaluate(r, ds, model, out, err) : run_train(r, ds, out, err);
    fw_dataset_free(ds);
    return rc;
}

int main(int argc, char **argv)
{
    return fw_plugin_main(argc, argv, describe, run);
}
