#include "stages/error_analysis/multilabel_suspects.h"

#include <math.h>
#include <stdlib.h>

static const double ema_alpha = 0.8, temperature = 0.1;

void fw_ml_class_scores(size_t n, size_t k, const unsigned char *given, const float *probs,
                        float *class_score)
{
    for (size_t i = 0; i < n * k; i++)
        class_score[i] = given[i] ? probs[i] : 1 - probs[i];
}

static int descending(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return x > y ? -1 : x < y;
}

double fw_ml_pool(enum fw_ml_pool how, float *s, size_t k)
{
    double v = 0, all = 0;
    qsort(s, k, sizeof *s, descending);
    switch (how) {
    case FW_ML_EMA:
        v = (double)s[0];
        for (size_t j = 1; j < k; j++)
            v = ema_alpha * (double)s[j] + (1 - ema_alpha) * v;
        return v;
    case FW_ML_SOFTMIN:
        for (size_t j = 0; j < k; j++) {
            double e = exp(-(double)s[j] / temperature);
            v += e * (double)s[j];
            all += e;
        }
        return v / all;
    case FW_ML_MIN:
        return (double)s[k - 1];
    case FW_ML_MEAN:
        break;
    }
    for (size_t j = 0; j < k; j++)
        v += (double)s[j];
    return v / (double)k;
}

int fw_ml_issues(size_t n, size_t k, const unsigned char *given, const float *probs,
                 enum fw_cl_filter filter, bool *issue, struct fw_err *err)
{
    float *two = reallocarray(NULL, 2 * n + 1, sizeof *two);
    int *label = reallocarray(NULL, n + 1, sizeof *label);
    bool *flag = reallocarray(NULL, n + 1, sizeof *flag);
    int rc = two && label && flag ? FW_OK : fw_err_nomem(err);
    for (size_t c = 0; c < k && rc == FW_OK; c++) {
        struct fw_probs p = {n, 2, two, NULL};
        for (size_t i = 0; i < n && rc == FW_OK; i++) {
            float v = probs[i * k + c];
            if (!(v >= 0 && v <= 1))
                rc = fw_err_set(err, FW_EINVAL,
                                "row %zu, column %zu: %g is no probability from 0 to 1", i, c,
                                (double)v);
            two[2 * i] = 1 - v;
            two[2 * i + 1] = v;
            label[i] = given[i * k + c];
        }
        if (rc == FW_OK)
            rc = fw_cl_issues(&p, label, filter, 1, flag, NULL, err);
        for (size_t i = 0; i < n && rc == FW_OK; i++)
            issue[i * k + c] = flag[i];
    }
    free(two);
    free(label);
    free(flag);
    return rc;
}
