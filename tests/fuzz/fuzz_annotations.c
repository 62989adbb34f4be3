/* Any bytes as a table of answers and as one of gold: refused, or a table whose parts fit together and
 * that every method can take. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "stages/relabel/aggregate.h"
#include "stages/relabel/agreement.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct fw_annotations *a)
{
    struct fw_agreement_options how = {FW_ORDINAL, 0.95, 0.8, 3, 1};
    struct fw_agreement g;
    struct fw_aggregate r;
    if (!a->n || a->task_at[a->tasks] != a->n || a->labeller_at[a->labellers] != a->n)
        abort();
    for (size_t i = 0; i < a->n; i++)
        if (a->klass[i] < 0 || (size_t)a->klass[i] >= a->classes ||
            a->labeller[i] >= a->labellers || a->task[i] >= a->tasks)
            abort();
    if (a->classes > 50 || a->labellers > 50)
        return;
    if (fw_agreement(a, &how, &g, NULL) == FW_OK)
        fw_agreement_release(&g);
    for (int m = 0; m < FW_CROWDLAB; m++) {
        if (fw_aggregate(a, (enum fw_method)m, NULL, &r, NULL) != FW_OK)
            abort();
        for (size_t i = 0; i < r.n * r.k; i++)
            if (!(r.posterior[i] >= 0 && r.posterior[i] <= 1.0001f))
                abort();
        fw_aggregate_release(&r);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct fw_annotations_format formats[] = {
        {.header = -1},
        {.task = "2", .labeller = "1", .klass = "3", .gold = "4", .header = 0},
        {.sep = ';', .header = 1}};
    for (size_t f = 0; f < sizeof formats / sizeof *formats; f++) {
        struct fw_annotations *a = fw_annotations_new();
        struct fw_err err;
        int rc = fw_annotations_read_mem(a, "fuzz", (const char *)data, size, &formats[f], &err);
        if (f == 0 && rc == FW_OK)
            (void)fw_annotations_read_gold_mem(a, "fuzz", (const char *)data, size, NULL, &err);
        if (rc == FW_OK && fw_annotations_index(a, &err) == FW_OK)
            check(a);
        fw_annotations_free(a);
    }
    return 0;
}
