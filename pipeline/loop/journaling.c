#include <string.h>

#include "pipeline/base/clock.h"
#include "pipeline/loop/loop_state.h"

const json_t *fw_loop_find(const struct fw_loop *l, const char *type, int iteration)
{
    size_t i;
    json_t *record;
    json_array_foreach (l->records, i, record) {
        const json_t *it = json_object_get(record, "iteration");
        const char *t = json_string_value(json_object_get(record, "type"));
        if (t && !strcmp(t, type) && (iteration < 0 || json_integer_value(it) == iteration))
            return record;
    }
    return NULL;
}

int fw_loop_record(struct fw_loop *l, json_t *record, struct fw_err *err)
{
    char iso[FW_ISO_LEN];
    if (!record)
        return fw_err_nomem(err);
    fw_clock_iso(fw_clock_now(), iso);
    json_object_set_new(record, "at", json_string(iso));
    json_object_set_new(record, "wall_ms", json_real(fw_loop_wall_ms(l)));
    json_object_set_new(
        record, "stage_ms",
        json_real(l->stop.stage_ms + (l->runner ? fw_runner_stage_ms(l->runner) : 0)));
    int rc = fw_journal_append(l->journal, record, true, err);
    if (rc == FW_OK && json_array_append(l->records, record) != 0)
        rc = fw_err_nomem(err);
    json_decref(record);
    return rc;
}

int fw_loop_record_once(struct fw_loop *l, json_t *record, const char *key, struct fw_err *err)
{
    if (!record)
        return fw_err_nomem(err);
    const char *type = json_string_value(json_object_get(record, "type"));
    const json_t *iteration = json_object_get(record, "iteration");
    const json_t *before =
        fw_loop_find(l, type, iteration ? (int)json_integer_value(iteration) : -1);
    if (!before)
        return fw_loop_record(l, record, err);
    int rc = FW_OK;
    if (key && !json_equal(json_object_get(before, key), json_object_get(record, key))) {
        rc = fw_err_set(err, FW_ECORRUPT,
                        "iteration %d comes out differently than the journal says (%s: '%s')",
                        iteration ? (int)json_integer_value(iteration) : 0, type, key);
        fw_err_hint(err, "a plugin or its data changed since; start a new run with `flywheel run`");
    }
    json_decref(record);
    return rc;
}

double fw_loop_wall_ms(const struct fw_loop *l)
{
    return l->wall_before_ms + (double)(fw_clock_ms() - l->session_began);
}
