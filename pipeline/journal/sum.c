/* Lines that carry their own checksum. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/hash.h"
#include "pipeline/journal/journal.h"

enum { TAIL = 26 }; /* ,"sum":"0123456789abcdef"} */

static uint64_t sum_of(const char *head, size_t n)
{
    /* The line without the sum: what stands before it, and the closing brace. */
    return fw_hash64("}", 1, fw_hash64(head, n, 0));
}

int fw_sum_encode(const json_t *object, struct fw_buf *out, struct fw_err *err)
{
    if (!json_is_object(object) || json_object_get(object, "sum"))
        return fw_err_set(err, FW_EINVAL, "a record is an object without \"sum\"");
    char *text = json_dumps(object, JSON_COMPACT);
    if (!text)
        return fw_err_set(err, FW_EINVAL, "a record cannot be written as JSON");
    size_t n = strlen(text) - 1;
    fw_buf_add(out, text, n);
    fw_buf_printf(out, "%s\"sum\":\"%016" PRIx64 "\"}\n", n > 1 ? "," : "", sum_of(text, n));
    free(text);
    return out->failed ? fw_err_nomem(err) : FW_OK;
}

json_t *fw_sum_decode(const char *line, size_t n)
{
    if (n < TAIL || line[0] != '{')
        return NULL;
    size_t head = n - TAIL;
    char want[TAIL + 1];
    if (line[head] != ',') /* the empty object has no comma, so one byte less of tail */
        head++;
    snprintf(want, sizeof want, "%s\"sum\":\"%016" PRIx64 "\"}", line[head] == ',' ? "," : "",
             sum_of(line, head));
    if (n - head != strlen(want) || memcmp(line + head, want, n - head) != 0)
        return NULL;
    json_t *object = json_loadb(line, n, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(object)) {
        json_decref(object);
        return NULL;
    }
    json_object_del(object, "sum");
    return object;
}

int fw_sum_decode_all(const char *text, size_t n, json_t **records, size_t *good,
                      struct fw_err *err)
{
    json_t *all = json_array();
    int rc = all ? FW_OK : fw_err_nomem(err);
    size_t at = 0;
    for (int line = 1; rc == FW_OK && at < n; line++) {
        const char *end = memchr(text + at, '\n', n - at);
        if (!end)
            break;
        json_t *record = fw_sum_decode(text + at, (size_t)(end - (text + at)));
        size_t next = (size_t)(end - text) + 1;
        if (!record && next == n)
            break;
        if (!record)
            rc = fw_err_set(err, FW_ECORRUPT, "line %d does not match its checksum", line);
        else if (json_array_append_new(all, record) != 0)
            rc = fw_err_nomem(err);
        else
            at = next;
    }
    if (rc != FW_OK) {
        json_decref(all);
        return rc;
    }
    *good = at;
    *records = all;
    return FW_OK;
}
