#include "pipeline/loop/observer.h"

#include <stdarg.h>

void fw_observe(const struct fw_observer *o, const char *fmt, ...)
{
    if (!o || !o->on_event)
        return;
    va_list ap;
    va_start(ap, fmt);
    json_error_t e;
    json_t *event = json_vpack_ex(&e, 0, fmt, ap);
    va_end(ap);
    if (event)
        o->on_event(o->ctx, event);
    json_decref(event);
}
