#include "stages/drift/bins.h"

#include <math.h>

/* How many of the sorted v are ≤ x. */
static size_t up_to(const double *v, size_t n, double x)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (v[mid] <= x)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

void fw_bins_make(const double *v, size_t n, size_t wanted, struct fw_bins *out)
{
    struct fw_bins b = {.discrete = true};
    wanted = wanted < 2 ? 2 : wanted > FW_BINS_MAX ? FW_BINS_MAX : wanted;
    for (size_t i = 0; i < n && b.n <= FW_BINS_DISCRETE; i = up_to(v, n, v[i]))
        b.edge[b.n++] = v[i];
    if (b.n <= FW_BINS_DISCRETE) {
        b.n++;
        *out = b;
        return;
    }
    b = (struct fw_bins){.n = 0};
    for (size_t q = 1; q < wanted; q++) {
        size_t at = (size_t)ceil((double)n * (double)q / (double)wanted);
        double x = v[at ? at - 1 : 0];
        if (x < v[n - 1] && (!b.n || x > b.edge[b.n - 1]))
            b.edge[b.n++] = x;
    }
    if (!b.n) /* nearly all values are the greatest one: below it, and it */
        b.edge[b.n++] = v[up_to(v, n, nextafter(v[n - 1], -INFINITY)) - 1];
    b.n++;
    *out = b;
}

void fw_bins_count(const struct fw_bins *bins, const double *v, size_t n, double *counts)
{
    size_t before = 0, inside = 0;
    for (size_t i = 0; i + 1 < bins->n; i++) {
        size_t at = up_to(v, n, bins->edge[i]);
        if (bins->discrete)
            before = up_to(v, n, nextafter(bins->edge[i], -INFINITY));
        counts[i] = (double)(at - before);
        inside += at - before;
        before = at;
    }
    counts[bins->n - 1] = (double)(n - inside);
}
