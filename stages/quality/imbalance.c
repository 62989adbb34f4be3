#include "stages/quality/imbalance.h"

#include <math.h>
#include <stdlib.h>

void fw_imbalance_release(struct fw_imbalance *im)
{
    free(im->count);
    free(im->share);
    free(im->rare);
    *im = (struct fw_imbalance){0};
}

static void summarise(struct fw_imbalance *im, double fraction)
{
    double entropy = 0;
    for (size_t c = 0; c < im->k; c++) {
        double share = im->n ? (double)im->count[c] / (double)im->n : 0;
        im->share[c] = share;
        im->rare[c] = im->n && share < fraction / (double)im->k;
        im->n_rare += im->rare[c];
        entropy -= share > 0 ? share * log(share) : 0;
        if (im->count[c] > im->count[im->largest])
            im->largest = c;
        if (im->count[c] < im->count[im->smallest])
            im->smallest = c;
    }
    im->ratio = (double)im->count[im->largest] / (double)im->count[im->smallest];
    im->effective = im->n ? exp(entropy) : 0;
}

int fw_imbalance_of(const int *labels, size_t n, size_t k, double fraction,
                    struct fw_imbalance *out, struct fw_err *err)
{
    struct fw_imbalance im = {.k = k};
    int rc = FW_OK;
    if (k == 0)
        return fw_err_set(err, FW_EINVAL, "there are no classes");
    if (!(fraction >= 0 && fraction <= 1))
        return fw_err_set(err, FW_EINVAL,
                          "a rare class is one below %g of its equal share; give 0..1", fraction);
    im.count = calloc(k, sizeof *im.count);
    im.share = calloc(k, sizeof *im.share);
    im.rare = calloc(k, sizeof *im.rare);
    if (!im.count || !im.share || !im.rare)
        rc = fw_err_nomem(err);
    for (size_t i = 0; rc == FW_OK && i < n; i++) {
        if (labels[i] < 0)
            im.unlabelled++;
        else if ((size_t)labels[i] >= k)
            rc = fw_err_set(err, FW_EINVAL, "row %zu has class %d of %zu", i, labels[i], k);
        else
            im.count[labels[i]]++, im.n++;
    }
    if (rc != FW_OK) {
        fw_imbalance_release(&im);
        return rc;
    }
    summarise(&im, fraction);
    *out = im;
    return FW_OK;
}
