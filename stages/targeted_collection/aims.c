#include "stages/targeted_collection/aims.h"

#include <stdlib.h>
#include <string.h>

#include "stages/error_analysis/slice.h"

static double number(const json_t *o, const char *key, double absent)
{
    const json_t *v = json_object_get(o, key);
    return json_is_number(v) ? json_number_value(v) : absent;
}

static bool classes_count_alike(const json_t *analysis)
{
    static const char *const starts[] = {"macro_", "balanced_accuracy"};
    const char *name =
        json_string_value(json_object_get(json_object_get(analysis, "metric"), "name"));

    for (size_t i = 0; name && i < sizeof starts / sizeof *starts; i++)
        if (strncmp(name, starts[i], strlen(starts[i])) == 0)
            return true;
    return name && strchr(name, ':'); /* of one class */
}

/* 1 when train covers the slice as dev does, up to 2 when train has none of it. */
static double shortage(const json_t *analysis, const char *slice)
{
    const json_t *entry;
    size_t i;

    json_array_foreach (json_object_get(analysis, "coverage"), i, entry) {
        const char *name = json_string_value(json_object_get(entry, "slice"));
        double dev = number(entry, "dev_share", 0), train = number(entry, "train_share", 0);
        if (name && strcmp(name, slice) == 0 && dev > 0 && train < dev)
            return 2 - train / dev;
    }
    return 1;
}

static int class_of(const struct fw_task_info *task, const char *name)
{
    for (size_t c = 0; name && c < task->n_classes; c++)
        if (strcmp(task->classes[c], name) == 0)
            return (int)c;
    return -1;
}

/* Does the row, without its labels, lie in the slice? */
static int is_member(struct fw_rows *parser, const struct fw_slice *slice,
                     const struct fw_sample *s, bool *in, struct fw_err *err)
{
    json_t *row = json_loadb(s->raw, s->raw_len, 0, NULL);
    struct fw_row fields;
    int rc = FW_OK;

    *in = false;
    json_object_del(row, "label");
    json_object_del(row, "labels");
    char *text = row ? json_dumps(row, JSON_COMPACT) : NULL;
    if (!text)
        rc = fw_err_nomem(err);
    else if (fw_row_parse(parser, text, strlen(text), &fields, NULL) == FW_OK)
        *in = fw_slice_match(slice, &fields);
    free(text);
    json_decref(row);
    return rc;
}

static int find_members(const char *condition, const struct fw_dataset *ds, const size_t *rows,
                        size_t n, bool **out, struct fw_err *err)
{
    struct fw_slice *slice = NULL;
    if (fw_slice_parse(condition, &slice, NULL) != FW_OK)
        return FW_OK;

    struct fw_rows *parser = fw_rows_new();
    bool *in = calloc(n ? n : 1, sizeof *in);
    int rc = parser && in ? FW_OK : fw_err_nomem(err);
    for (size_t i = 0; rc == FW_OK && i < n; i++)
        rc = is_member(parser, slice, &ds->samples[rows[i]], &in[i], err);
    if (rc == FW_OK) {
        *out = in;
        in = NULL;
    }
    free(in);
    fw_rows_free(parser);
    fw_slice_free(slice);
    return rc;
}

static int add_aim(struct fw_aims *a, const json_t *entry, double weight,
                   const struct fw_task_info *task, const struct fw_dataset *ds, const size_t *rows,
                   size_t n, struct fw_err *err)
{
    const char *name = json_string_value(json_object_get(entry, "slice"));
    int klass = class_of(task, json_string_value(json_object_get(entry, "class")));

    if (klass < 0) {
        int rc = find_members(name, ds, rows, n, &a->members[a->n], err);
        if (rc != FW_OK || !a->members[a->n])
            return rc;
    }
    a->names[a->n] = strdup(name);
    if (!a->names[a->n]) {
        free(a->members[a->n]);
        a->members[a->n] = NULL;
        return fw_err_nomem(err);
    }
    a->v[a->n] = (struct fw_aim){.weight = weight, .klass = klass, .member = a->members[a->n]};
    a->n++;
    return FW_OK;
}

int fw_aims_read(const json_t *analysis, const struct fw_task_info *task,
                 const struct fw_dataset *ds, const size_t *rows, size_t n, struct fw_aims *out,
                 struct fw_err *err)
{
    const json_t *slices = json_object_get(analysis, "slices"), *entry;
    size_t most = json_array_size(slices), i, room = most ? most : 1;
    bool alike = classes_count_alike(analysis);
    struct fw_aims a = {
        .v = calloc(room, sizeof *a.v),
        .names = calloc(room, sizeof *a.names),
        .members = calloc(room, sizeof *a.members),
    };
    int rc = a.v && a.names && a.members ? FW_OK : fw_err_nomem(err);

    json_array_foreach (slices, i, entry) {
        const char *name = json_string_value(json_object_get(entry, "slice"));
        double weight = number(entry, "priority", 0);
        if (alike)
            weight =
                number(entry, "gap", 0) * number(entry, "importance", 1) * number(entry, "ease", 1);
        if (rc != FW_OK || !name || !(weight > 0))
            continue;
        rc = add_aim(&a, entry, weight * shortage(analysis, name), task, ds, rows, n, err);
    }
    if (rc == FW_OK)
        *out = a;
    else
        fw_aims_release(&a);
    return rc;
}

static int make_room(struct fw_aims *a, size_t more, struct fw_err *err)
{
    size_t room = a->n + more + 1;
    struct fw_aim *v = realloc(a->v, room * sizeof *v);
    a->v = v ? v : a->v;
    char **names = realloc(a->names, room * sizeof *names);
    a->names = names ? names : a->names;
    bool **members = realloc(a->members, room * sizeof *members);
    a->members = members ? members : a->members;
    if (!v || !names || !members)
        return fw_err_nomem(err);
    memset(members + a->n, 0, (room - a->n) * sizeof *members);
    return FW_OK;
}

int fw_aims_add_drift(const json_t *drift, const struct fw_task_info *task,
                      const struct fw_dataset *ds, const size_t *rows, size_t n, struct fw_aims *a,
                      struct fw_err *err)
{
    const json_t *targets = json_object_get(drift, "targets"), *entry;
    size_t before = a->n, i;
    double old = 0, grown = 0;
    int rc = make_room(a, json_array_size(targets), err);

    for (i = 0; i < before; i++)
        old += a->v[i].weight;
    json_array_foreach(targets, i, entry)
    {
        double growth = number(entry, "growth", 0);
        if (rc == FW_OK && growth > 0 && json_is_string(json_object_get(entry, "slice")))
            rc = add_aim(a, entry, growth, task, ds, rows, n, err);
    }
    for (i = before; i < a->n; i++)
        grown += a->v[i].weight;
    for (i = before; i < a->n && old > 0; i++)
        a->v[i].weight *= old / grown;
    while (rc != FW_OK && a->n > before) {
        a->n--;
        free(a->names[a->n]);
        free(a->members[a->n]);
        a->members[a->n] = NULL;
    }
    return rc;
}

void fw_aims_release(struct fw_aims *a)
{
    for (size_t i = 0; i < a->n; i++) {
        free(a->names[i]);
        free(a->members[i]);
    }
    free(a->v);
    free(a->names);
    free(a->members);
    *a = (struct fw_aims){0};
}
