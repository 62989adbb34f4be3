/* The three questions of the checklist, with what is at hand here: the train split, the champion's
 * out-of-fold predictions of it, and quick linear models fitted without a fold each, which can look
 * at a copy of a sample they have not seen. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/augment/augment.h"
#include "stages/data/predictions.h"
#include "stages/evaluate/metrics.h"
#include "stages/train/hog.h"

static void progress(size_t done, size_t total)
{
    if (done % 100 == 0 || done == total)
        fw_event_progress((double)done, (double)total, "samples");
}

void check_close(struct job *j)
{
    for (int f = 0; f < FOLDS; f++)
        fw_linear_free(j->model[f]);
    fw_checklist_free(j->checklist);
    fw_columns_release(&j->columns);
    fw_extractor_free(j->ex);
    fw_matrix_release(&j->x);
    free(j->klass);
    free(j->fold);
    free(j->loss);
    free(j->wrong);
}

/* The parents' features; those that cannot be read are parents no more. */
static int look(struct job *j, struct fw_matrix *raw, struct fw_err *err)
{
    struct fw_err first = {0};
    bool *bad = calloc(j->n, sizeof *bad);
    size_t kept = 0;
    int rc = bad ? FW_OK : fw_err_nomem(err);

    fw_extract_defaults(&j->extract);
    j->extract.binned = false; /* near is near in the numbers */
    if (rc == FW_OK)
        rc = fw_extract_raw(j->ds, j->rows, j->n, &j->extract, progress, bad, &first, raw, err);
    for (size_t i = 0; rc == FW_OK && i < j->n; i++) {
        if (!bad[i])
            j->rows[kept++] = j->rows[i];
        else if (!j->broken++)
            fw_err_format(&first, j->why, sizeof j->why);
    }
    if (rc == FW_OK && kept < j->n) { /* few are bad: reading the rest again keeps this simple */
        j->n = kept;
        fw_matrix_release(raw);
        rc = fw_extract_raw(j->ds, j->rows, j->n, &j->extract, NULL, NULL, NULL, raw, err);
    }
    free(bad);
    return rc;
}

/* A model of the parents outside a fold; none when nothing lies outside. */
static int fit_fold(struct job *j, const struct fw_matrix *raw, int fold, struct fw_err *err)
{
    struct fw_linear_params params = {.C = 1, .tolerance = 0.1, .seed = j->r->seed};
    struct fw_extractor *ex = NULL;
    struct fw_matrix x = {0};
    size_t n = 0, *order = calloc(j->n, sizeof *order);
    int *klass = calloc(j->n, sizeof *klass);
    int rc = order && klass ? FW_OK : fw_err_nomem(err);

    for (size_t i = 0; rc == FW_OK && i < j->n; i++)
        if (j->fold[i] != fold) {
            klass[n] = j->klass[i];
            order[n++] = i;
        }
    if (rc == FW_OK && n) {
        rc = fw_extractor_fit(raw, &j->extract, &ex, err);
        if (rc == FW_OK)
            rc = fw_matrix_gather(&j->x, NULL, order, n, &x, err);
        if (rc == FW_OK)
            rc = fw_linear_train(&x, klass, NULL, &j->r->task, &params, ex, &j->model[fold], err);
        if (rc != FW_OK)
            fw_extractor_free(ex);
    }
    fw_matrix_release(&x);
    free(order);
    free(klass);
    return rc;
}

/* Loss and error of each parent by the model that has not seen it. */
static int ask_folds(struct job *j, struct fw_err *err)
{
    size_t k = j->r->task.n_classes, known = 0;
    float *probs = malloc((k + 1) * sizeof *probs);
    double sum = 0;
    int rc = probs ? FW_OK : fw_err_nomem(err);

    for (size_t i = 0; rc == FW_OK && i < j->n; i++) {
        struct fw_matrix one = {0};
        const struct fw_linear *m = j->model[j->fold[i]];
        if (!m)
            continue;
        rc = fw_matrix_gather(&j->x, NULL, &i, 1, &one, err);
        if (rc == FW_OK)
            rc = fw_linear_probs(m, &one, probs, err);
        if (rc == FW_OK) {
            j->loss[i] = fw_log_loss_of(probs, k, j->klass[i]);
            j->wrong[i] = fw_argmax(probs, k) != j->klass[i];
            sum += j->loss[i];
            known++;
        }
        fw_matrix_release(&one);
    }
    j->quick_loss = known ? sum / (double)known : NAN;
    free(probs);
    return rc;
}

/* Where the champion has said something of a sample it has not seen, that counts instead. */
static int ask_champion(struct job *j, struct fw_err *err)
{
    const char *path = fw_request_in(j->r, "out_of_fold");
    struct fw_predictions *p = NULL;
    size_t k = j->r->task.n_classes, found = 0;
    int rc = path ? fw_predictions_load(path, &j->r->task, &p, err) : FW_OK;

    for (size_t i = 0; rc == FW_OK && p && i < j->n; i++)
        found += fw_predictions_find(p, j->ds->samples[j->rows[i]].id) >= 0;
    for (size_t i = 0; rc == FW_OK && found && i < j->n; i++) {
        long at = fw_predictions_find(p, j->ds->samples[j->rows[i]].id);
        j->loss[i] = NAN;
        if (at < 0)
            continue;
        j->wrong[i] = p->pred[at] != j->klass[i];
        if (p->has_probs)
            j->loss[i] = fw_log_loss_of(p->probs + (size_t)at * k, k, j->klass[i]);
        else
            j->loss[i] = j->wrong[i]; /* 0 or 1 is all there is */
    }
    fw_predictions_free(p);
    return rc;
}

static double mean_loss(const struct job *j, const struct fw_aim *aim)
{
    double sum = 0;
    size_t known = 0;
    for (size_t i = 0; i < j->n; i++)
        if (!isnan(j->loss[i]) && (!aim || in_aim(j, aim, i))) {
            sum += j->loss[i];
            known++;
        }
    return known ? sum / (double)known : NAN;
}

void check_slice(struct job *j, const struct fw_aim *aim)
{
    double of_slice = aim ? mean_loss(j, aim) : NAN;
    j->slice_loss = j->mean_loss > 0 ? of_slice / j->mean_loss : NAN;
}

static int ask_models(struct job *j, const struct fw_matrix *raw, struct fw_err *err)
{
    int rc = FW_OK;

    j->klass = calloc(j->n, sizeof *j->klass);
    j->fold = calloc(j->n, sizeof *j->fold);
    if (!j->klass || !j->fold)
        return fw_err_nomem(err);
    for (size_t i = 0; i < j->n; i++) {
        const struct fw_sample *s = &j->ds->samples[j->rows[i]];
        struct fw_rng rng;
        fw_rng_seed_named(&rng, j->r->seed, s->id);
        j->fold[i] = (int)fw_rng_below(&rng, FOLDS);
        j->klass[i] = s->klass;
    }
    for (int f = 0; rc == FW_OK && f < FOLDS; f++)
        rc = fit_fold(j, raw, f, err);
    if (rc == FW_OK)
        rc = ask_folds(j, err);
    return rc == FW_OK ? ask_champion(j, err) : rc;
}

int check_open(struct job *j, struct fw_err *err)
{
    const struct fw_checklist_params params = {
        .realistic = fw_request_num(j->r, "realistic"),
        .confident = fw_request_num(j->r, "confident"),
        .poor = fw_request_num(j->r, "poor"),
        .neighbours = 5,
        .seed = j->r->seed,
    };
    struct fw_matrix raw = {0};
    int rc = look(j, &raw, err);

    j->quick_loss = j->slice_loss = NAN;
    if (rc == FW_OK && j->n == 0)
        goto out;
    if (rc == FW_OK)
        rc = fw_extractor_fit(&raw, &j->extract, &j->ex, err);
    if (rc == FW_OK)
        rc = fw_extractor_apply(j->ex, &raw, &j->x, err);
    if (rc == FW_OK && j->extract.input == FW_INPUT_FEATURES)
        rc = fw_columns_measure(&raw, &j->columns, err);
    if (rc == FW_OK) {
        j->loss = malloc(j->n * sizeof *j->loss);
        j->wrong = calloc(j->n, sizeof *j->wrong);
        if (!j->loss || !j->wrong)
            rc = fw_err_nomem(err);
    }
    for (size_t i = 0; rc == FW_OK && i < j->n; i++)
        j->loss[i] = NAN;
    if (rc == FW_OK && j->r->task.task == FW_CLASSIFICATION)
        rc = ask_models(j, &raw, err);
    else if (rc == FW_OK)
        fw_event_message("info", "of a regression only whether copies look like the data is asked");
    if (rc == FW_OK) {
        j->mean_loss = mean_loss(j, NULL);
        rc = fw_checklist_open(&j->x, j->klass, j->r->task.n_classes, &params, &j->checklist, err);
    }
out:
    fw_matrix_release(&raw);
    return rc;
}

int check_image(const struct job *j, const struct fw_image *im, struct fw_matrix *x,
                struct fw_err *err)
{
    int size = j->extract.image_size;
    struct fw_matrix raw = {0};
    float *gray = malloc((size_t)size * (size_t)size * sizeof *gray);
    int rc = gray ? fw_matrix_dense(&raw, 1, FW_LOOK_DIM, err) : fw_err_nomem(err);

    if (rc == FW_OK)
        rc = fw_image_gray(im, size, size, gray, err);
    if (rc == FW_OK)
        rc = fw_look(gray, size, size, raw.val, err);
    if (rc == FW_OK)
        rc = fw_extractor_apply(j->ex, &raw, x, err);
    fw_matrix_release(&raw);
    free(gray);
    return rc;
}

int check_sample(const struct job *j, const struct fw_sample *s, struct fw_matrix *x,
                 struct fw_err *err)
{
    struct fw_extract_params params = j->extract;
    struct fw_sample copy = *s;
    const struct fw_dataset one = {.n = 1, .samples = &copy};
    const size_t row = 0;
    struct fw_matrix raw = {0};
    int rc = fw_extract_raw(&one, &row, 1, &params, NULL, NULL, NULL, &raw, err);

    if (rc == FW_OK)
        rc = fw_extractor_apply(j->ex, &raw, x, err);
    fw_matrix_release(&raw);
    return rc;
}

int check_copy(struct job *j, size_t i, struct kind *kind, const struct fw_matrix *x,
               struct fw_answers *out, bool *ok, struct fw_err *err)
{
    struct fw_copy copy = {
        .parent = i, .parent_wrong = j->wrong[i], .loss = NAN, .slice_loss = j->slice_loss};
    const struct fw_linear *m = j->klass ? j->model[j->fold[i]] : NULL;
    float *probs = m ? malloc((j->r->task.n_classes + 1) * sizeof *probs) : NULL;
    int rc = m && !probs ? fw_err_nomem(err) : FW_OK;

    if (rc == FW_OK && m)
        rc = fw_linear_probs(m, x, probs, err);
    if (rc == FW_OK && m) {
        copy.probs = probs;
        if (j->quick_loss > 0)
            copy.loss = fw_log_loss_of(probs, j->r->task.n_classes, j->klass[i]) / j->quick_loss;
    }
    if (rc == FW_OK)
        rc = fw_checklist_ask(j->checklist, x, 0, &copy, out, err);
    if (rc == FW_OK) {
        kind->made++;
        kind->unrealistic += (out->failed & FW_NOT_REALISTIC) != 0;
        kind->unclear += (out->failed & FW_NOT_CLEAR) != 0;
        kind->well += (out->failed & FW_NOT_POOR) != 0;
        *ok = out->failed == 0;
    }
    free(probs);
    return rc;
}
