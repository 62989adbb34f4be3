/*
 * A set of ids, looked up by text: open addressing over borrowed strings. For dataset rows and
 * predictions, where a million ids must cost one table and no allocation each.
 */
#ifndef FW_STAGES_IDS_H
#define FW_STAGES_IDS_H

#include <stddef.h>
#include <stdint.h>

struct fw_ids {
    const char **ids; /* n, in order of addition; the strings are borrowed */
    size_t n, cap;
    uint32_t *slots; /* index + 1; 0 = free */
    size_t n_slots;  /* a power of two */
};

enum { FW_IDS_NOMEM = -1 };

/* The index the id has now (n − 1 when it is new), or FW_IDS_NOMEM. */
long fw_ids_add(struct fw_ids *set, const char *id);
/* Its index, or -1. */
long fw_ids_find(const struct fw_ids *set, const char *id);
void fw_ids_release(struct fw_ids *set);

#endif
