/*
 * The event stream of a running plugin: JSON lines on descriptor 3. Pure: bytes in, events out.
 *
 * Known types and their fields (others are passed on unread):
 *   progress  done (number), total (number, optional), unit (text, optional)
 *   metric    name (text), value (number), step (integer, optional)
 *   message   text (text), level (text, optional)
 *   waiting   reason (text, optional), count (integer, optional), poll_after (number, optional)
 */
#ifndef FW_EXEC_EVENT_H
#define FW_EXEC_EVENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "pipeline/base/buf.h"

enum { FW_EVENT_LINE = 64 * 1024, FW_EVENT_MOST = 100000 };

/* One line without its '\n': a new reference, or NULL with the reason (static text) in *why. */
json_t *fw_event_parse(const char *line, size_t n, const char **why);

/* Zero-initialise, set on_event and ctx; release in every case. */
struct fw_events {
    void (*on_event)(void *ctx, const json_t *event);
    void *ctx;
    struct fw_buf line;
    bool skipping;    /* within a line that is too long */
    json_t *progress; /* of many in one read only the last is passed on */
    size_t taken, dropped;
    const char *why; /* the first line was dropped */
};

/* At most FW_EVENT_MOST events (progress not counted) are passed on, the rest is dropped. */
void fw_events_feed(struct fw_events *e, const char *data, size_t n);
/* The stream is over: a last line without '\n' counts; says with one message what was dropped. */
void fw_events_end(struct fw_events *e);
void fw_events_release(struct fw_events *e);

#endif
