#include "stages/quality/links.h"

#include <stdlib.h>

const char *fw_dup_how_name(enum fw_dup_how how)
{
    static const char *const names[FW_DUP_HOWS] = {"exact", "text", "image", "embedding"};
    return names[how];
}

int fw_links_add(struct fw_links *l, struct fw_link link, struct fw_err *err)
{
    if (l->n == l->cap) {
        size_t cap = l->cap ? 2 * l->cap : 16;
        struct fw_link *v = reallocarray(l->v, cap, sizeof *v);
        if (!v)
            return fw_err_nomem(err);
        l->v = v;
        l->cap = cap;
    }
    l->v[l->n++] = link;
    return FW_OK;
}

void fw_links_release(struct fw_links *l)
{
    free(l->v);
    *l = (struct fw_links){0};
}

int fw_sets_new(size_t n, struct fw_sets *out, struct fw_err *err)
{
    struct fw_sets s = {.n = n};
    if (n > UINT32_MAX)
        return fw_err_set(err, FW_EINVAL, "%zu samples are too many: at most 2^32 - 1", n);
    s.parent = calloc(n ? n : 1, sizeof *s.parent);
    s.size = calloc(n ? n : 1, sizeof *s.size);
    if (!s.parent || !s.size) {
        fw_sets_release(&s);
        return fw_err_nomem(err);
    }
    for (size_t i = 0; i < n; i++) {
        s.parent[i] = (uint32_t)i;
        s.size[i] = 1;
    }
    *out = s;
    return FW_OK;
}

void fw_sets_release(struct fw_sets *s)
{
    free(s->parent);
    free(s->size);
    *s = (struct fw_sets){0};
}

uint32_t fw_sets_find(const struct fw_sets *s, uint32_t i)
{
    while (s->parent[i] != i)
        i = s->parent[i];
    return i;
}

bool fw_sets_join(struct fw_sets *s, uint32_t a, uint32_t b)
{
    a = fw_sets_find(s, a);
    b = fw_sets_find(s, b);
    if (a == b)
        return false;
    if (s->size[a] < s->size[b]) {
        uint32_t t = a;
        a = b;
        b = t;
    }
    s->parent[b] = a;
    s->size[a] += s->size[b];
    return true;
}

int fw_links_join(struct fw_links *l, struct fw_sets *s, uint32_t a, uint32_t b,
                  enum fw_dup_how how, double similarity, struct fw_err *err)
{
    struct fw_link link = {a < b ? a : b, a < b ? b : a, how, (float)similarity};
    if (!fw_sets_join(s, a, b))
        return FW_OK;
    return fw_links_add(l, link, err);
}
