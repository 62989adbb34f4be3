#include "stages/quality/near_images.h"

#include <stdlib.h>
#include <string.h>

enum { PARTS = 4, BITS = 16, VALUES = 1 << BITS };
_Static_assert(FW_PHASH_RADIUS / PARTS == 1, "parts that agree but for one bit are looked up");

struct index {
    size_t n;
    uint32_t *from[PARTS]; /* VALUES + 1 */
    uint32_t *item[PARTS]; /* n: by the part's value, then ascending */
};

static unsigned part(uint64_t bits, int p)
{
    return (unsigned)(bits >> (p * BITS)) & (VALUES - 1);
}

static void index_release(struct index *x)
{
    for (int p = 0; p < PARTS; p++) {
        free(x->from[p]);
        free(x->item[p]);
    }
}

static int index_build(struct index *x, const struct fw_phash *hashes, size_t n, struct fw_err *err)
{
    for (int p = 0; p < PARTS; p++) {
        uint32_t *from = x->from[p] = calloc(VALUES + 2, sizeof *from);
        uint32_t *item = x->item[p] = calloc(n ? n : 1, sizeof *item);
        if (!from || !item)
            return fw_err_nomem(err);
        /* two places on, so that filling moves each start to where its successor's belongs */
        for (size_t i = 0; i < n; i++)
            if (hashes[i].usable)
                from[part(hashes[i].bits, p) + 2]++;
        for (size_t v = 2; v < VALUES + 2; v++)
            from[v] += from[v - 1];
        for (size_t i = 0; i < n; i++)
            if (hashes[i].usable)
                item[from[part(hashes[i].bits, p) + 1]++] = (uint32_t)i;
    }
    return FW_OK;
}

/* Was this pair met in an earlier part? */
static bool met(uint64_t differ, int p)
{
    for (int q = 0; q < p; q++)
        if (__builtin_popcount(part(differ, q)) <= 1)
            return true;
    return false;
}

static int look_up(const struct index *x, const struct fw_phash *hashes, uint32_t i, int p,
                   unsigned value, struct fw_sets *sets, struct fw_links *links, struct fw_err *err)
{
    for (uint32_t at = x->from[p][value]; at < x->from[p][value + 1]; at++) {
        uint32_t j = x->item[p][at];
        if (j >= i)
            break;
        uint64_t differ = hashes[i].bits ^ hashes[j].bits;
        int bits = __builtin_popcountll(differ);
        if (bits > FW_PHASH_RADIUS || met(differ, p) ||
            fw_sets_find(sets, i) == fw_sets_find(sets, j) ||
            !fw_phash_near(&hashes[i], &hashes[j]))
            continue;
        int rc = fw_links_join(links, sets, j, i, FW_DUP_IMAGE, 1 - bits / 64.0, err);
        if (rc != FW_OK)
            return rc;
    }
    return FW_OK;
}

int fw_near_images(const struct fw_phash *hashes, size_t n, struct fw_sets *sets,
                   struct fw_links *links, struct fw_err *err)
{
    struct index x = {.n = n};
    if (n > UINT32_MAX)
        return fw_err_set(err, FW_EINVAL, "%zu images are too many: at most 2^32 - 1", n);
    int rc = index_build(&x, hashes, n, err);
    for (size_t i = 0; rc == FW_OK && i < n; i++)
        for (int p = 0; hashes[i].usable && rc == FW_OK && p < PARTS; p++) {
            unsigned value = part(hashes[i].bits, p);
            rc = look_up(&x, hashes, (uint32_t)i, p, value, sets, links, err);
            for (int b = 0; rc == FW_OK && b < BITS; b++)
                rc = look_up(&x, hashes, (uint32_t)i, p, value ^ 1u << b, sets, links, err);
        }
    index_release(&x);
    return rc;
}
