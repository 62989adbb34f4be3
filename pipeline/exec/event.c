#include "pipeline/exec/event.h"

#include <string.h>

enum want { NUMBER, INTEGER, TEXT };

struct field {
    const char *name;
    enum want want;
    bool needed;
};

static const struct {
    const char *type;
    struct field fields[3];
} known[] = {
    {"progress", {{"done", NUMBER, true}, {"total", NUMBER, false}, {"unit", TEXT, false}}},
    {"metric", {{"name", TEXT, true}, {"value", NUMBER, true}, {"step", INTEGER, false}}},
    {"message", {{"text", TEXT, true}, {"level", TEXT, false}}},
    {"waiting",
     {{"reason", TEXT, false}, {"count", INTEGER, false}, {"poll_after", NUMBER, false}}},
};

static bool fits(const json_t *value, enum want want)
{
    return want == NUMBER    ? json_is_number(value)
           : want == INTEGER ? json_is_integer(value)
                             : json_is_string(value);
}

static const char *check(const json_t *event)
{
    const char *type = json_string_value(json_object_get(event, "type"));
    if (!type)
        return "it has no \"type\"";
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(known[i].type, type) != 0)
            continue;
        for (size_t k = 0; k < 3 && known[i].fields[k].name; k++) {
            const struct field *f = &known[i].fields[k];
            const json_t *value = json_object_get(event, f->name);
            if (value ? !fits(value, f->want) : f->needed)
                return "a field of it is missing or of the wrong type";
        }
        return NULL;
    }
    return "its \"type\" is unknown";
}

json_t *fw_event_parse(const char *line, size_t n, const char **why)
{
    json_t *event = n <= FW_EVENT_LINE ? json_loadb(line, n, JSON_REJECT_DUPLICATES, NULL) : NULL;
    if (n > FW_EVENT_LINE)
        *why = "it is longer than 64 KiB";
    else if (!json_is_object(event))
        *why = "it is not a JSON object";
    else if (!(*why = check(event)))
        return event;
    json_decref(event);
    return NULL;
}

static void flush_progress(struct fw_events *e)
{
    json_t *event = e->progress;
    e->progress = NULL;
    if (event && e->on_event)
        e->on_event(e->ctx, event);
    json_decref(event);
}

static void drop(struct fw_events *e, const char *why)
{
    if (!e->dropped++)
        e->why = why;
}

static void take_line(struct fw_events *e, const char *line, size_t n)
{
    const char *why = NULL;
    while (n && (line[n - 1] == '\r' || line[n - 1] == ' '))
        n--;
    if (n == 0)
        return;
    if (e->taken >= FW_EVENT_MOST) {
        drop(e, "there were more than 100000");
        return;
    }
    json_t *event = fw_event_parse(line, n, &why);
    if (!event) {
        drop(e, why);
        return;
    }
    if (strcmp(json_string_value(json_object_get(event, "type")), "progress") == 0) {
        json_decref(e->progress);
        e->progress = event;
        return;
    }
    flush_progress(e);
    e->taken++;
    if (e->on_event)
        e->on_event(e->ctx, event);
    json_decref(event);
}

void fw_events_feed(struct fw_events *e, const char *data, size_t n)
{
    while (n) {
        const char *end = memchr(data, '\n', n);
        size_t part = end ? (size_t)(end - data) : n;
        if (!e->skipping && e->line.len + part > FW_EVENT_LINE) {
            drop(e, "it is longer than 64 KiB");
            fw_buf_clear(&e->line);
            e->skipping = true;
        }
        if (e->skipping) {
            e->skipping = !end;
        } else if (end && e->line.len == 0) {
            take_line(e, data, part);
        } else {
            fw_buf_add(&e->line, data, part);
            if (e->line.failed)
                drop(e, "there was no memory for it");
            else if (end)
                take_line(e, e->line.p, e->line.len);
            if (end || e->line.failed)
                fw_buf_clear(&e->line);
        }
        data += part + (end != NULL);
        n -= part + (end != NULL);
    }
    flush_progress(e);
}

void fw_events_end(struct fw_events *e)
{
    if (!e->skipping && e->line.len)
        take_line(e, e->line.p, e->line.len);
    fw_buf_clear(&e->line);
    flush_progress(e);
    if (!e->dropped || !e->on_event)
        return;
    json_t *event =
        json_pack("{s:s,s:s,s:o}", "type", "message", "level", "warning", "text",
                  json_sprintf("%zu event line%s dropped; the first because %s", e->dropped,
                               e->dropped == 1 ? " was" : "s were", e->why));
    if (event)
        e->on_event(e->ctx, event);
    json_decref(event);
}

void fw_events_release(struct fw_events *e)
{
    fw_buf_release(&e->line);
    json_decref(e->progress);
    e->progress = NULL;
}
