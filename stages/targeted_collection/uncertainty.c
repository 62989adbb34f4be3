#include "stages/targeted_collection/uncertainty.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/parallel.h"
#include "stages/targeted_collection/committee.h"

static const char *const names[] = {"margin", "least-confident", "entropy", "vote-entropy",
                                    "mutual-information"};

int fw_uncertainty_parse(const char *name, enum fw_uncertainty *out, struct fw_err *err)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0) {
            *out = (enum fw_uncertainty)i;
            return FW_OK;
        }
    return fw_err_set(err, FW_EINVAL,
                      "unknown uncertainty '%s'; one of margin, least-confident, entropy, "
                      "vote-entropy, mutual-information",
                      name);
}

const char *fw_uncertainty_name(enum fw_uncertainty how)
{
    return names[how];
}

bool fw_uncertainty_of_committee(enum fw_uncertainty how)
{
    return how == FW_VOTE_ENTROPY || how == FW_MUTUAL_INFORMATION;
}

double fw_uncertainty(enum fw_uncertainty how, const float *p, size_t k)
{
    double first = 0, second = 0, h = 0;

    if (k < 2)
        return 0;
    for (size_t c = 0; c < k; c++) {
        if (p[c] > first) {
            second = first;
            first = p[c];
        } else if (p[c] > second) {
            second = p[c];
        }
        if (p[c] > 0)
            h -= p[c] * log(p[c]);
    }
    double u = how == FW_MARGIN            ? 1 - (first - second)
               : how == FW_LEAST_CONFIDENT ? (1 - first) * (double)k / ((double)k - 1)
                                           : h / log((double)k);
    return u < 0 ? 0 : u > 1 ? 1 : u;
}

struct work {
    enum fw_uncertainty how;
    const float *const *members;
    size_t m, k;
    double *out;
};

static int measure(void *ctx, const struct fw_chunk *chunk, struct fw_err *err)
{
    const struct work *w = ctx;
    const float **p = calloc(w->m, sizeof *p);
    double *scratch = calloc(w->k + 1, sizeof *scratch);
    float *mean = calloc(w->k + 1, sizeof *mean);
    int rc = p && scratch && mean ? FW_OK : fw_err_nomem(err);

    for (size_t i = chunk->from; rc == FW_OK && i < chunk->to; i++) {
        for (size_t a = 0; a < w->m; a++)
            p[a] = w->members[a] + i * w->k;
        for (size_t a = 0; rc == FW_OK && a < w->m; a++)
            for (size_t c = 0; rc == FW_OK && c < w->k; c++)
                if (!(p[a][c] >= 0 && p[a][c] <= 1.001f))
                    rc = fw_err_set(err, FW_EINVAL,
                                    "sample %zu has a probability that is not within 0..1", i);
        if (rc != FW_OK)
            break;
        if (w->how == FW_VOTE_ENTROPY) {
            w->out[i] = fw_vote_entropy(p, w->m, w->k, scratch);
        } else if (w->how == FW_MUTUAL_INFORMATION) {
            w->out[i] = fw_mutual_information(p, w->m, w->k);
        } else {
            fw_committee_mean(p, w->m, w->k, mean);
            w->out[i] = fw_uncertainty(w->how, mean, w->k);
        }
    }
    free(p);
    free(scratch);
    free(mean);
    return rc;
}

int fw_uncertainties(enum fw_uncertainty how, const float *const *members, size_t m, size_t n,
                     size_t k, double *out, struct fw_err *err)
{
    struct work w = {.how = how, .members = members, .m = m, .k = k, .out = out};

    if (m == 0)
        return fw_err_set(err, FW_EINVAL, "uncertainty needs the probabilities of a model");
    if (fw_uncertainty_of_committee(how) && m < 2) {
        fw_err_set(err, FW_EINVAL, "%s needs the predictions of at least two models",
                   fw_uncertainty_name(how));
        return fw_err_hint(err, "use margin, least-confident or entropy with one model");
    }
    return fw_parallel(n, 4096, measure, &w, err);
}
