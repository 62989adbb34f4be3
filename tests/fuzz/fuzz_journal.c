/* A journal of any bytes: never a crash, and what verifies verifies again when written anew. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/journal/journal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *records = NULL, *again = NULL;
    size_t good = 0, i;
    json_t *record;
    if (fw_sum_decode_all((const char *)data, size, &records, &good, NULL) == FW_OK) {
        struct fw_buf text = {0};
        if (good > size)
            abort();
        json_array_foreach(records, i, record) if (fw_sum_encode(record, &text, NULL) != FW_OK)
            abort();
        if (fw_sum_decode_all(text.p ? text.p : "", text.len, &again, &good, NULL) != FW_OK ||
            good != text.len || !json_equal(records, again))
            abort();
        fw_buf_release(&text);
    }
    json_decref(records);
    json_decref(again);
    /* the bytes as the body of a record: reaches what stands behind the checksum */
    char *body = strndup((const char *)data, size);
    json_t *object = json_object();
    json_object_set_new(object, "v", json_string(body));
    struct fw_buf line = {0};
    if (fw_sum_encode(object, &line, NULL) == FW_OK) {
        json_t *back = fw_sum_decode(line.p, line.len - 1);
        if (!json_equal(object, back))
            abort();
        json_decref(back);
    }
    fw_buf_release(&line);
    json_decref(object);
    free(body);
    return 0;
}
