#include "stages/drift/bins.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

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

/* The number with the fewest digits in [x, next): where exactly an edge lies between two values makes
 * no difference for the reference, and people read it. */
static double short_between(double x, double next)
{
    char text[40];
    for (int digits = 1; digits < 17 && x != 0; digits++) {
        snprintf(text, sizeof text, "%.*e", digits - 1, x);
        double at = strtod(text, NULL);
        if (at < x) { /* rounded down: one up in the last digit */
            double up = at + pow(10, floor(log10(fabs(x))) - digits + 1);
            snprintf(text, sizeof text, "%.*e", digits - 1, up);
            at = strtod(text, NULL);
        }
        if (at >= x && at < next)
            return at;
    }
    return x;
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
            b.edge[b.n++] = short_between(x, v[up_to(v, n, x)]);
    }
    if (!b.n) /* nearly all values are the greatest one: below it, and it */
        b.edge[b.n++] = short_between(v[up_to(v, n, nextafter(v[n - 1], -INFINITY)) - 1], v[n - 1]);
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
