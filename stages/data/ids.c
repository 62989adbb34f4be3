#include "stages/data/ids.h"

#include <stdlib.h>
#include <string.h>

#include "pipeline/base/hash.h"

static size_t slot_of(const struct fw_ids *set, const char *id)
{
    size_t mask = set->n_slots - 1;
    size_t at = (size_t)fw_hash64(id, strlen(id), 0) & mask;
    while (set->slots[at] && strcmp(set->ids[set->slots[at] - 1], id) != 0)
        at = (at + 1) & mask;
    return at;
}

static int grow(struct fw_ids *set)
{
    size_t cap = set->cap ? set->cap * 2 : 64;
    if (cap > UINT32_MAX / 4)
        return FW_IDS_NOMEM;
    const char **ids = realloc(set->ids, cap * sizeof *ids);
    if (!ids)
        return FW_IDS_NOMEM;
    set->ids = ids;
    uint32_t *slots = calloc(cap * 2, sizeof *slots);
    if (!slots)
        return FW_IDS_NOMEM;
    free(set->slots);
    set->slots = slots;
    set->n_slots = cap * 2;
    set->cap = cap;
    for (size_t i = 0; i < set->n; i++)
        set->slots[slot_of(set, set->ids[i])] = (uint32_t)i + 1;
    return 0;
}

long fw_ids_add(struct fw_ids *set, const char *id)
{
    if (set->n == set->cap && grow(set) != 0)
        return FW_IDS_NOMEM;
    size_t at = slot_of(set, id);
    if (!set->slots[at]) {
        set->ids[set->n++] = id;
        set->slots[at] = (uint32_t)set->n;
    }
    return (long)set->slots[at] - 1;
}

long fw_ids_find(const struct fw_ids *set, const char *id)
{
    if (!set->n_slots)
        return -1;
    return (long)set->slots[slot_of(set, id)] - 1;
}

void fw_ids_release(struct fw_ids *set)
{
    free(set->ids);
    free(set->slots);
    memset(set, 0, sizeof *set);
}
