/* An event stream of any bytes, cut at any place: never a crash, and what is passed on is what the
 * interface promises. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/exec/event.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_event(void *ctx, const json_t *event)
{
    const char *type = json_string_value(json_object_get(event, "type"));
    *(size_t *)ctx += 1;
    if (!type)
        abort();
    if (!strcmp(type, "progress") && !json_is_number(json_object_get(event, "done")))
        abort();
    if (!strcmp(type, "metric") && !json_is_string(json_object_get(event, "name")))
        abort();
    if (!strcmp(type, "message") && !json_is_string(json_object_get(event, "text")))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t seen = 0, cut = size ? data[0] : 0;
    struct fw_events e = {.on_event = on_event, .ctx = &seen};
    if (cut > size)
        cut = size;
    fw_events_feed(&e, (const char *)data, cut);
    fw_events_feed(&e, (const char *)data + cut, size - cut);
    fw_events_end(&e);
    if (seen > size + 1)
        abort();
    fw_events_release(&e);
    return 0;
}
