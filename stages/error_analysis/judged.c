#include "stages/error_analysis/judged.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/hash.h"

bool fw_analysis_judges(const struct fw_analysis_input *in, const struct fw_sample *s)
{
    return in->judge_all || !strcmp(s->split, "dev");
}

bool fw_analysis_trains(const struct fw_analysis_input *in, const struct fw_sample *s)
{
    return in->judge_all || !strcmp(s->split, "train");
}

static void put(const struct fw_analysis_input *in, const struct fw_sample *s, size_t row,
                size_t at, struct fw_judged *j)
{
    size_t i = j->n++;
    j->row[i] = (uint32_t)row;
    j->at[i] = (uint32_t)at;
    j->explored[i] = fw_hash64(s->id, strlen(s->id), in->seed) & 1;
    if (j->truth) {
        j->truth[i] = s->klass;
        j->pred[i] = in->dev->pred[at];
        j->loss[i] = j->pred[i] != j->truth[i];
        j->error[i] = j->pred[i] != j->truth[i];
    } else {
        j->loss[i] = fabs(in->dev->value[at] - s->value);
    }
    j->mean_loss += j->loss[i];
}

int fw_judged_make(const struct fw_analysis_input *in, struct fw_judged *out, struct fw_err *err)
{
    bool regression = in->task->task == FW_REGRESSION;
    size_t n = in->data->n + 1;
    struct fw_judged j = {0};
    if (n > UINT32_MAX)
        return fw_err_set(err, FW_EINVAL, "more than 2^32 samples cannot be analysed at once");
    j.row = malloc(n * sizeof *j.row);
    j.at = malloc(n * sizeof *j.at);
    j.truth = regression ? NULL : malloc(n * sizeof *j.truth);
    j.pred = regression ? NULL : malloc(n * sizeof *j.pred);
    j.loss = malloc(n * sizeof *j.loss);
    j.error = calloc(n, sizeof *j.error);
    j.explored = malloc(n * sizeof *j.explored);
    if (!j.row || !j.at || !j.loss || !j.error || !j.explored ||
        (!regression && (!j.truth || !j.pred))) {
        fw_judged_release(&j);
        return fw_err_nomem(err);
    }
    for (size_t i = 0; i < in->data->n; i++) {
        const struct fw_sample *s = &in->data->samples[i];
        if (!fw_analysis_judges(in, s))
            continue;
        long at = fw_predictions_find(in->dev, s->id);
        if (at < 0 || (regression ? !isfinite(s->value) : s->klass < 0))
            j.unjudged++;
        else
            put(in, s, i, (size_t)at, &j);
    }
    j.mean_loss = j.n ? j.mean_loss / (double)j.n : 0;
    for (size_t i = 0; regression && i < j.n; i++)
        j.error[i] = j.loss[i] > 2 * j.mean_loss;
    *out = j;
    return FW_OK;
}

void fw_judged_release(struct fw_judged *j)
{
    free(j->row);
    free(j->at);
    free(j->truth);
    free(j->pred);
    free(j->loss);
    free(j->error);
    free(j->explored);
    memset(j, 0, sizeof *j);
}
