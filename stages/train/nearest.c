#include "stages/train/nearest.h"

#include <math.h>

size_t fw_nearest(const struct fw_matrix *a, size_t i, const struct fw_matrix *b,
                  const uint32_t *among, size_t n, size_t skip, size_t k, size_t *index,
                  double *distance2)
{
    size_t have = 0;
    for (size_t j = 0; j < n && k; j++) {
        size_t row = among ? among[j] : j;
        double limit = have < k ? HUGE_VAL : distance2[k - 1];
        if (row == skip)
            continue;
        double d = fw_matrix_distance2_within(a, i, b, row, limit);
        if (!(d < limit))
            continue;
        size_t at = have < k ? have++ : k - 1;
        for (; at > 0 && distance2[at - 1] > d; at--) {
            distance2[at] = distance2[at - 1];
            index[at] = index[at - 1];
        }
        distance2[at] = d;
        index[at] = row;
    }
    return have;
}
