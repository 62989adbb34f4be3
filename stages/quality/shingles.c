#include "stages/quality/shingles.h"

#include <stdlib.h>
#include <string.h>

#include "pipeline/base/hash.h"
#include "stages/quality/near_texts.h"
#include "stages/quality/normalise.h"

/* Where the code point at `at` ends; a byte that starts none counts as one. */
static size_t next_point(const char *p, size_t n, size_t at)
{
    at++;
    while (at < n && ((unsigned char)p[at] & 0xc0) == 0x80)
        at++;
    return at;
}

int fw_shingles_list(const char *text, struct fw_shingles *s, struct fw_err *err)
{
    fw_buf_clear(&s->text);
    fw_text_normalise(text, strlen(text), true, &s->text);
    if (s->text.failed)
        return fw_err_nomem(err);
    const char *p = s->text.p;
    size_t n = s->text.len, end = 0;
    if (n > s->cap) {
        uint64_t *v = reallocarray(s->v, n, sizeof *v);
        if (!v)
            return fw_err_nomem(err);
        s->v = v;
        s->cap = n;
    }
    s->n = 0;
    for (int i = 0; i < FW_SHINGLE && end < n; i++)
        end = next_point(p, n, end);
    for (size_t from = 0; n > 0; from = next_point(p, n, from)) {
        s->v[s->n++] = fw_hash64(p + from, end - from, 0);
        if (end == n)
            break;
        end = next_point(p, n, end);
    }
    return FW_OK;
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

int fw_shingles_set(const char *text, struct fw_shingles *s, struct fw_err *err)
{
    int rc = fw_shingles_list(text, s, err);
    size_t n = 0;
    if (rc != FW_OK || s->n == 0)
        return rc;
    qsort(s->v, s->n, sizeof *s->v, by_value);
    for (size_t i = 0; i < s->n; i++)
        if (i == 0 || s->v[i] != s->v[i - 1])
            s->v[n++] = s->v[i];
    s->n = n;
    return FW_OK;
}

void fw_shingles_release(struct fw_shingles *s)
{
    fw_buf_release(&s->text);
    free(s->v);
    *s = (struct fw_shingles){0};
}

double fw_jaccard(const uint64_t *a, size_t na, const uint64_t *b, size_t nb)
{
    size_t i = 0, j = 0, both = 0;
    while (i < na && j < nb) {
        both += a[i] == b[j];
        size_t step = a[i] <= b[j];
        j += a[i] >= b[j];
        i += step;
    }
    return na + nb ? (double)both / (double)(na + nb - both) : 0;
}
