/* What a plugin prints for describe, of any bytes: never a crash, a reason for every refusal, and
 * what is taken is taken again when written anew. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/plugin/plugin.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fw_err err = {0};
    json_t *d = NULL, *again = NULL;
    int rc = fw_plugin_parse_describe((const char *)data, size, &d, &err);
    if (rc != FW_OK) {
        if (d || !err.msg[0] || err.code != rc)
            abort();
        return 0;
    }
    bool any = false;
    for (int k = 0; k < FW_KINDS; k++)
        any |= fw_plugin_has_kind(d, (enum fw_kind)k);
    char *text = json_dumps(d, JSON_COMPACT);
    if (!any || !text || fw_plugin_parse_describe(text, strlen(text), &again, &err) != FW_OK ||
        !json_equal(d, again))
        abort();
    free(text);
    json_decref(d);
    json_decref(again);
    return 0;
}
