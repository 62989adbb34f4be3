#include "stages/relabel/guidelines.h"

#include <stdlib.h>
#include <string.h>

/* More people in the smaller camp, then fewer of other opinions, then more answers. */
static bool more_contested(uint32_t a, uint32_t b, uint32_t n, uint32_t a2, uint32_t b2,
                           uint32_t n2)
{
    uint64_t x = a < b ? a : b, y = a2 < b2 ? a2 : b2;
    return x != y ? x > y : x * n2 != y * n ? x * n2 > y * n : n > n2;
}

static void offer(struct fw_guideline *g, size_t task, uint32_t a, uint32_t b, uint32_t answers)
{
    size_t at = g->n_examples;
    while (at > 0 && more_contested(a, b, answers, g->example[at - 1].a, g->example[at - 1].b,
                                    g->example[at - 1].answers))
        at--;
    if (at == FW_GUIDELINE_EXAMPLES)
        return;
    size_t last =
        g->n_examples < FW_GUIDELINE_EXAMPLES ? g->n_examples++ : FW_GUIDELINE_EXAMPLES - 1;
    memmove(&g->example[at + 1], &g->example[at], (last - at) * sizeof g->example[0]);
    g->example[at].task = task;
    g->example[at].a = a;
    g->example[at].b = b;
    g->example[at].answers = answers;
}

int fw_guidelines(const struct fw_annotations *a, const struct fw_agreement *agreement,
                  size_t min_tasks, size_t max, struct fw_guideline **out, size_t *n,
                  struct fw_err *err)
{
    size_t used = 0;
    size_t most = max < agreement->n_pairs ? max : agreement->n_pairs;
    struct fw_guideline *g = calloc(most + 1, sizeof *g);
    uint32_t *count = calloc(a->classes + 1, sizeof *count);
    if (!g || !count) {
        free(g);
        free(count);
        return fw_err_nomem(err);
    }
    for (size_t i = 0; i < agreement->n_pairs && used < most; i++) {
        const struct fw_pair_agreement *p = &agreement->pairs[i];
        if (p->excess > 0 && p->tasks >= min_tasks)
            g[used++] = (struct fw_guideline){.pair = p, .sure = p->alpha.high < agreement->target};
    }
    for (size_t t = 0; used && t < a->tasks; t++) {
        size_t from = a->task_at[t], to = a->task_at[t + 1];
        for (size_t i = from; i < to; i++)
            count[a->klass[i]]++;
        for (size_t i = 0; i < used; i++) {
            uint32_t x = count[g[i].pair->a], y = count[g[i].pair->b];
            if (x && y)
                offer(&g[i], t, x, y, (uint32_t)(to - from));
        }
        for (size_t i = from; i < to; i++)
            count[a->klass[i]] = 0;
    }
    free(count);
    *out = g;
    *n = used;
    return FW_OK;
}
