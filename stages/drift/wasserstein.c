#include <math.h>

#include "stages/drift/two_sample.h"

double fw_wasserstein1(const double *a, size_t n, const double *b, size_t m)
{
    if (!n || !m)
        return NAN;
    double sum = 0, last = a[0] < b[0] ? a[0] : b[0];
    for (size_t i = 0, j = 0; i < n || j < m;) {
        double x = j == m || (i < n && a[i] <= b[j]) ? a[i] : b[j];
        sum += fabs((double)i / (double)n - (double)j / (double)m) * (x - last);
        last = x;
        while (i < n && a[i] == x)
            i++;
        while (j < m && b[j] == x)
            j++;
    }
    return sum;
}
