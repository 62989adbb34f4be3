/*
 * What the engine tells while it works. Events are JSON objects with "event":
 *   - {"event":"run","run","resumed":bool}
 *   - {"event":"iteration","iteration"}
 *   - {"event":"phase","phase"}
 *   - {"event":"node","node","state","iteration","seconds","attempt","error"?}
 *   - {"event":"progress","node","done","total","unit"}
 *   - {"event":"message","node"?,"level","text"}
 *   - {"event":"snapshot","commit","what"}
 *   - {"event":"proposed","iteration","parts":[{"stage","counts","labels"}]}
 *   - {"event":"measured","iteration","score":{...}}
 *   - {"event":"gate","iteration",...}
 *   - {"event":"stop","reason","text"}
 * Called on the engine's thread; the event is borrowed.
 */
#ifndef FW_LOOP_OBSERVER_H
#define FW_LOOP_OBSERVER_H

#include <jansson.h>

struct fw_observer {
    void (*on_event)(void *ctx, const json_t *event); /* may be NULL */
    void *ctx;
};

/* Packs (json_pack_ex format) an event object and hands it over; does nothing without a listener.
 */
void fw_observe(const struct fw_observer *o, const char *fmt, ...);

#endif
