/* What the models think of the candidates. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/fs.h"
#include "pipeline/base/rng.h"
#include "plugins/pool/pool.h"
#include "stages/data/predictions.h"
#include "stages/targeted_collection/committee.h"

static void progress(size_t done, size_t total)
{
    if (done % 100 == 0 || done == total)
        fw_event_progress((double)done, (double)total, "samples");
}

/* Raw features of the candidates; those that cannot be read are dropped. */
static int read_candidates(struct job *j, struct skipped *skip, struct fw_matrix *raw,
                           struct fw_err *err)
{
    struct fw_err first = {0};
    bool *bad = calloc(j->n ? j->n : 1, sizeof *bad);
    size_t kept = 0;
    if (!bad)
        return fw_err_nomem(err);
    int rc = fw_extract_raw(j->pool, j->rows, j->n, &j->extract, progress, bad, &first, raw, err);

    for (size_t i = 0; rc == FW_OK && i < j->n; i++) {
        if (!bad[i]) {
            j->rows[kept++] = j->rows[i];
            continue;
        }
        if (!skip->unreadable++)
            fw_err_format(&first, skip->why, sizeof skip->why);
    }
    if (rc == FW_OK && kept < j->n) { /* few are bad: reading the rest again keeps this simple */
        j->n = kept;
        fw_matrix_release(raw);
        rc = fw_extract_raw(j->pool, j->rows, j->n, &j->extract, NULL, NULL, NULL, raw, err);
    }
    free(bad);
    return rc;
}

struct learning {
    struct fw_matrix raw; /* train */
    size_t n;
    int *klass;
};

/* Room for m members of n × K probabilities. */
static int make_members(struct job *j, size_t m, struct fw_err *err)
{
    size_t cells;
    if (__builtin_mul_overflow(j->n, j->r->task.n_classes, &cells))
        return fw_err_nomem(err);
    j->members = calloc(m ? m : 1, sizeof *j->members);
    if (!j->members)
        return fw_err_nomem(err);
    for (j->n_members = 0; j->n_members < m; j->n_members++)
        if (!(j->members[j->n_members] = calloc(cells ? cells : 1, sizeof **j->members)))
            return fw_err_nomem(err);
    return FW_OK;
}

/* A quick model fitted on the rows of train that order names (NULL: all). */
static int ask_model(const struct job *j, const struct learning *l, const size_t *order,
                     float *probs, struct fw_err *err)
{
    struct fw_linear_params params = {.C = 1, .tolerance = 0.1, .seed = j->r->seed};
    struct fw_extractor *ex = NULL;
    struct fw_linear *model = NULL;
    struct fw_matrix x = {0};
    int *klass = calloc(l->n, sizeof *klass);
    int rc = klass ? fw_extractor_fit(&l->raw, &j->extract, &ex, err) : fw_err_nomem(err);

    for (size_t i = 0; rc == FW_OK && i < l->n; i++)
        klass[i] = l->klass[order ? order[i] : i];
    if (rc == FW_OK && order)
        rc = fw_matrix_gather(&j->x_train, NULL, order, l->n, &x, err);
    if (rc == FW_OK)
        rc = fw_linear_train(order ? &x : &j->x_train, klass, NULL, &j->r->task, &params, ex,
                             &model, err);
    if (rc == FW_OK) {
        ex = NULL; /* the model's now */
        rc = fw_linear_probs(model, &j->x, probs, err);
    }
    fw_extractor_free(ex);
    fw_linear_free(model);
    fw_matrix_release(&x);
    free(klass);
    return rc;
}

/* Query by bagging (Abe and Mamitsuka, ICML 1998): each model has a bootstrap sample of train of its
 * own, for seeds alone hardly change a linear model. */
static int ask_bag(struct job *j, const struct learning *l, struct fw_err *err)
{
    size_t m = (size_t)fw_request_num(j->r, "committee");
    size_t *order = calloc(l->n, sizeof *order);
    int rc = order ? make_members(j, m, err) : fw_err_nomem(err);

    for (size_t a = 0; rc == FW_OK && a < m; a++) {
        struct fw_rng rng;
        char name[32];
        snprintf(name, sizeof name, "bag-%zu", a);
        fw_rng_seed_named(&rng, j->r->seed, name);
        for (size_t i = 0; i < l->n; i++)
            order[i] = (size_t)fw_rng_below(&rng, l->n);
        rc = ask_model(j, l, order, j->members[a], err);
    }
    free(order);
    if (rc == FW_OK)
        fw_event_message("info", "%zu quick models vote, each fitted on a resample of train", m);
    return rc;
}

static int copy_predictions(const struct job *j, const char *path, float *probs, struct fw_err *err)
{
    struct fw_predictions *p = NULL;
    size_t k = j->r->task.n_classes;
    int rc = fw_predictions_load(path, &j->r->task, &p, err);

    for (size_t i = 0; rc == FW_OK && i < j->n; i++) {
        const char *id = j->pool->samples[j->rows[i]].id;
        long at = fw_predictions_find(p, id);
        if (at < 0) {
            rc = fw_err_set(err, FW_EINVAL, "no prediction for the pool's sample '%s'", id);
            fw_err_hint(err, "the input 'committee' has to predict every sample of the pool");
            fw_err_at(err, path, 0, 0);
        } else {
            memcpy(probs + i * k, p->probs + (size_t)at * k, k * sizeof *probs);
        }
    }
    fw_predictions_free(p);
    return rc;
}

static int no_hidden(const struct dirent *e)
{
    return e->d_name[0] != '.';
}

/* One set of predictions, or a folder with one for each model, taken in the order of the names. */
static int ask_committee(struct job *j, const char *path, struct fw_err *err)
{
    static const char *const marks[] = {"predictions.jsonl", "ids.txt"};
    struct dirent **entry = NULL;
    bool one = !fw_fs_is_dir(path);
    int n = 1, rc = FW_OK;

    for (size_t i = 0; !one && i < sizeof marks / sizeof *marks; i++) {
        char *file = fw_fs_join(path, marks[i]);
        if (!file)
            return fw_err_nomem(err);
        one = fw_fs_exists(file);
        free(file);
    }
    if (!one && (n = scandir(path, &entry, no_hidden, NULL)) < 0)
        return fw_err_sys(err, errno, "cannot read the folder %s", path);
    if (n == 0)
        rc = fw_err_set(err, FW_EINVAL, "the input 'committee' holds no predictions");
    if (rc == FW_OK && n < 2 && fw_uncertainty_of_committee(j->uncertainty)) {
        rc = fw_err_set(err, FW_EINVAL,
                        "%s needs the predictions of at least two models, and the "
                        "input 'committee' is one",
                        fw_uncertainty_name(j->uncertainty));
        fw_err_hint(err, "give it the predictions of several seeds, or leave the input out: then "
                         "quick models are fitted on resamples of train");
    }
    if (rc == FW_OK)
        rc = make_members(j, (size_t)n, err);
    for (size_t a = 0; rc == FW_OK && a < (size_t)n; a++) {
        size_t least = a; /* byte order, whatever the locale */
        for (size_t b = a + 1; !one && b < (size_t)n; b++)
            if (strcmp(entry[b]->d_name, entry[least]->d_name) < 0)
                least = b;
        if (!one) {
            struct dirent *first = entry[least];
            entry[least] = entry[a];
            entry[a] = first;
        }
        char *file = one ? strdup(path) : fw_fs_join(path, entry[a]->d_name);
        rc = file ? copy_predictions(j, file, j->members[a], err) : fw_err_nomem(err);
        free(file);
    }
    for (int i = 0; entry && i < n; i++)
        free(entry[i]);
    free(entry);
    return rc;
}

static int ask(struct job *j, const struct learning *l, struct fw_err *err)
{
    const char *committee = fw_request_in(j->r, "committee");
    size_t k = j->r->task.n_classes;
    int rc;

    if (committee) {
        rc = ask_committee(j, committee, err);
    } else if (fw_uncertainty_of_committee(j->uncertainty)) {
        rc = ask_bag(j, l, err);
    } else {
        rc = make_members(j, 1, err);
        if (rc == FW_OK)
            rc = ask_model(j, l, NULL, j->members[0], err);
    }
    if (rc != FW_OK)
        return rc;
    j->probs = malloc((j->n * k + 1) * sizeof *j->probs);
    j->score = malloc((j->n + 1) * sizeof *j->score);
    const float **at = calloc(j->n_members + 1, sizeof *at);
    if (!j->probs || !j->score || !at)
        rc = fw_err_nomem(err);
    for (size_t i = 0; rc == FW_OK && i < j->n; i++) {
        for (size_t a = 0; a < j->n_members; a++)
            at[a] = j->members[a] + i * k;
        fw_committee_mean(at, j->n_members, k, j->probs + i * k);
    }
    free(at);
    if (rc == FW_OK)
        rc = fw_uncertainties(j->uncertainty, (const float *const *)j->members, j->n_members, j->n,
                              k, j->score, err);
    return rc;
}

int pool_score(struct job *j, struct skipped *skip, struct fw_err *err)
{
    struct fw_matrix raw = {0};
    struct fw_extractor *ex = NULL;
    struct learning l = {0};
    size_t *rows = NULL;
    int rc = fw_train_rows(j->train, &j->r->task, &rows, &l.n, err);

    if (rc == FW_OK && l.n == 0)
        rc = fw_err_set(err, FW_EINVAL, "the train split holds no labelled sample to compare with");
    if (rc == FW_OK)
        rc = fw_extract_raw(j->train, rows, l.n, &j->extract, progress, NULL, NULL, &l.raw, err);
    if (rc == FW_OK)
        rc = read_candidates(j, skip, &raw, err);
    if (rc == FW_OK)
        rc = fw_extractor_fit(&l.raw, &j->extract, &ex, err);
    if (rc == FW_OK)
        rc = fw_extractor_apply(ex, &l.raw, &j->x_train, err);
    if (rc == FW_OK && j->n)
        rc = fw_extractor_apply(ex, &raw, &j->x, err);
    if (rc == FW_OK && !(l.klass = calloc(l.n, sizeof *l.klass)))
        rc = fw_err_nomem(err);
    for (size_t i = 0; rc == FW_OK && i < l.n; i++)
        l.klass[i] = j->train->samples[rows[i]].klass;
    if (rc == FW_OK && j->n && fw_strategy_scores(j->strategy))
        rc = ask(j, &l, err);
    fw_extractor_free(ex);
    fw_matrix_release(&raw);
    fw_matrix_release(&l.raw);
    free(l.klass);
    free(rows);
    return rc;
}
