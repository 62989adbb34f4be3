#include <stdlib.h>
#include <string.h>

#include "pipeline/base/buf.h"
#include "stages/targeted_collection/aims.h"

int fw_aims_rare(const struct fw_task_info *task, const size_t *count, struct fw_aims *out,
                 struct fw_err *err)
{
    size_t k = task->n_classes, room = k ? k : 1;
    struct fw_aims a = {
        .v = calloc(room, sizeof *a.v),
        .names = calloc(room, sizeof *a.names),
        .members = calloc(room, sizeof *a.members),
    };
    double total = 0;
    int rc = a.v && a.names && a.members ? FW_OK : fw_err_nomem(err);

    for (size_t c = 0; c < k; c++)
        total += (double)count[c];
    for (size_t c = 0; rc == FW_OK && c < k; c++) {
        double lack = total > 0 ? 1 - (double)count[c] * (double)k / total : 1;
        struct fw_buf name = {0};
        if (!(lack > 0))
            continue;
        fw_buf_printf(&name, "class == '%s'", task->classes[c]);
        a.names[a.n] = fw_buf_steal(&name);
        if (!a.names[a.n])
            rc = fw_err_nomem(err);
        else
            a.v[a.n++] = (struct fw_aim){.weight = lack, .klass = (int)c};
    }
    if (rc == FW_OK)
        *out = a;
    else
        fw_aims_release(&a);
    return rc;
}
