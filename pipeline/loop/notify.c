#include "pipeline/loop/notify.h"

#include <stdio.h>
#include <string.h>

#include "pipeline/http/webhook.h"
#include "pipeline/loop/record.h"

void fw_notify(const struct fw_plan *plan, const char *run, const json_t *records,
               const struct fw_observer *observer)
{
    json_t *record = NULL, *body = NULL;
    struct fw_err err = {0};
    if (!plan->notify.webhook || fw_record_fold(records, &record, &err) != FW_OK)
        return;
    const char *status = json_string_value(json_object_get(record, "status"));
    bool wanted = (!strcmp(status, "stopped") && plan->notify.on_stopped) ||
                  (!strcmp(status, "failed") && plan->notify.on_failed) ||
                  (!strcmp(status, "parked") && plan->notify.on_waiting);
    if (wanted) {
        /* "text" is what chat services show; the rest is for programs. */
        const char *why = json_string_value(json_object_get(json_object_get(record, "stop"), "text"));
        char text[512];
        snprintf(text, sizeof text, "flywheel %s: run %s %s%s%s", plan->name, run, status,
                 why ? ": " : "", why ? why : "");
        body = json_pack("{s:s, s:s, s:s, s:s, s:O, s:O, s:O, s:O}", "text", text, "name", plan->name,
                         "run", run, "status", status, "champion", json_object_get(record, "champion"),
                         "stop", json_object_get(record, "stop"), "failure",
                         json_object_get(record, "failure"), "waiting",
                         json_object_get(record, "waiting"));
    }
    struct fw_webhook hook = {.url = plan->notify.webhook, .secret = plan->notify.secret};
    if (body && fw_webhook_post(&hook, body, &err) != FW_OK)
        fw_observe(observer, "{s:s, s:s, s:s}", "event", "message", "level", "warning", "text",
                   err.msg);
    json_decref(body);
    json_decref(record);
}
