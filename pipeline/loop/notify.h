/* The webhook of `notify:`: one POST when a run stopped, failed or parked. A failure to deliver is
 * a warning to the observer, never an error of the run. */
#ifndef FW_LOOP_NOTIFY_H
#define FW_LOOP_NOTIFY_H

#include <jansson.h>

#include "pipeline/config/plan.h"
#include "pipeline/loop/observer.h"

void fw_notify(const struct fw_plan *plan, const char *run, const json_t *records,
               const struct fw_observer *observer);

#endif
