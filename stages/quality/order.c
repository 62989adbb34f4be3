#include "stages/quality/order.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/hash.h"
#include "pipeline/base/parallel.h"
#include "pipeline/base/rng.h"

/* A permutation test: item 0 is the order as it is, the others are random ones. */
struct test {
    size_t n, room; /* places; size_t of scratch a lane */
    uint64_t seed;
    const void *data;
    double (*statistic)(const struct test *t, const uint32_t *place, size_t *scratch);
    uint32_t *place; /* lanes × n */
    size_t *scratch; /* lanes × room */
    double *value;   /* 1 + permutations */
};

/* Fisher and Yates, of 32-bit places. */
static void shuffle(struct fw_rng *rng, uint32_t *v, size_t n)
{
    for (size_t i = n; i > 1; i--) {
        size_t j = (size_t)fw_rng_below(rng, i);
        uint32_t was = v[i - 1];
        v[i - 1] = v[j];
        v[j] = was;
    }
}

static int order_work(void *ctx, const struct fw_chunk *chunk, struct fw_err *err)
{
    const struct test *t = ctx;
    uint32_t *place = t->place + chunk->index * t->n;
    (void)err;
    for (size_t r = chunk->from; r < chunk->to; r++) {
        struct fw_rng rng;
        for (size_t i = 0; i < t->n; i++)
            place[i] = (uint32_t)i;
        fw_rng_seed(&rng, fw_hash64(&r, sizeof r, t->seed));
        if (r > 0)
            shuffle(&rng, place, t->n);
        t->value[r] = t->statistic(t, place, t->scratch + chunk->index * t->room);
    }
    return FW_OK;
}

static int permute(struct test *t, size_t permutations, struct fw_order *out, struct fw_err *err)
{
    /* A lane is one array of places: few of them for long files, so that memory does not grow with the
     * threads. */
    size_t lanes = fw_parallel_workers(), room = 1 + ((size_t)1 << 25) / (t->n + 1), atleast = 0;
    lanes = lanes < room ? lanes : room;
    if (permutations == 0 || permutations == SIZE_MAX)
        return fw_err_set(err, FW_EINVAL,
                          "the order needs at least one permutation to compare with");
    t->place = calloc(lanes, t->n * sizeof *t->place);
    t->scratch = calloc(lanes, t->room * sizeof *t->scratch);
    t->value = calloc(permutations + 1, sizeof *t->value);
    int rc = t->place && t->scratch && t->value ? FW_OK : fw_err_nomem(err);
    rc = rc == FW_OK ? fw_parallel(permutations + 1, permutations / lanes + 1, order_work, t, err)
                     : rc;
    if (rc == FW_OK) {
        for (size_t r = 1; r <= permutations; r++)
            atleast += t->value[r] >= t->value[0] - 1e-12;
        out->statistic = t->value[0];
        out->p = (double)(1 + atleast) / (double)(1 + permutations);
    }
    free(t->place);
    free(t->scratch);
    free(t->value);
    return rc;
}

static double gap_of(const struct test *t, const uint32_t *place, size_t *count)
{
    const struct fw_neighbours *nb = t->data;
    double n = (double)nb->n, pairs = n * (double)nb->k, seen = 0, most = 0;
    memset(count, 0, nb->n * sizeof *count);
    for (size_t i = 0; i < nb->n; i++)
        for (size_t j = 0; j < nb->k; j++) {
            size_t a = place[i], b = place[nb->index[i * nb->k + j]];
            count[a > b ? a - b : b - a]++;
        }
    for (size_t g = 1; g < nb->n; g++) {
        double all = (double)g * (2 * n - (double)g - 1) / (n * (n - 1));
        seen += (double)count[g];
        most = fmax(most, fabs(seen / pairs - all));
    }
    return most;
}

int fw_order_by_neighbours(const struct fw_neighbours *nb, size_t permutations, uint64_t seed,
                           struct fw_order *out, struct fw_err *err)
{
    struct fw_order o = {.n = nb->n, .expected = NAN, .p = 1};
    struct test t = {.n = nb->n, .room = nb->n, .seed = seed, .data = nb, .statistic = gap_of};
    int rc = FW_OK;
    if (nb->n >= 3 && nb->k > 0)
        rc = permute(&t, permutations, &o, err);
    if (rc == FW_OK)
        *out = o;
    return rc;
}

struct labels {
    const int *v;
    double expected;
};

static double runs_off(const struct test *t, const uint32_t *place, size_t *scratch)
{
    const struct labels *l = t->data;
    size_t runs = 1;
    (void)scratch;
    for (size_t i = 1; i < t->n; i++)
        runs += l->v[place[i]] != l->v[place[i - 1]];
    return fabs((double)runs - l->expected);
}

static int by_value(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

/* Σ n_c² of n labels, which are sorted. */
static double sum_of_squares(int *v, size_t n)
{
    double sum = 0;
    qsort(v, n, sizeof *v, by_value);
    for (size_t i = 0, from = 0; i < n; i++)
        if (i + 1 == n || v[i + 1] != v[i]) {
            double c = (double)(i + 1 - from);
            sum += c * c;
            from = i + 1;
        }
    return sum;
}

int fw_order_by_labels(const int *labels, size_t n, size_t permutations, uint64_t seed,
                       struct fw_order *out, struct fw_err *err)
{
    struct fw_order o = {.p = 1, .expected = NAN};
    struct labels l = {0};
    int *v = calloc(n ? n : 1, sizeof *v), *sorted = calloc(n ? n : 1, sizeof *v);
    int rc = v && sorted ? FW_OK : fw_err_nomem(err);
    for (size_t i = 0; rc == FW_OK && i < n; i++)
        if (labels[i] >= 0)
            sorted[o.n] = v[o.n] = labels[i], o.n++;
    if (rc == FW_OK && o.n > 0) {
        double m = (double)o.n, runs = 1;
        for (size_t i = 1; i < o.n; i++)
            runs += v[i] != v[i - 1];
        l.v = v;
        o.expected = l.expected = (m * (m + 1) - sum_of_squares(sorted, o.n)) / m;
        struct test t = {.n = o.n, .room = 1, .seed = seed, .data = &l, .statistic = runs_off};
        if (sorted[0] != sorted[o.n - 1])
            rc = permute(&t, permutations, &o, err);
        o.statistic = runs;
    }
    free(v);
    free(sorted);
    if (rc == FW_OK)
        *out = o;
    return rc;
}
