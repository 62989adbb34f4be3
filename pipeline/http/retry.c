#include "pipeline/http/retry.h"

bool fw_retry_status(long status)
{
    switch (status) {
    case 408:
    case 425:
    case 429:
    case 500:
    case 502:
    case 503:
    case 504:
        return true;
    default:
        return false;
    }
}

int64_t fw_retry_wait(const struct fw_retry *policy, int tries_done, int64_t spent_ms,
                      int64_t retry_after_ms, double jitter)
{
    if (tries_done >= policy->tries)
        return -1;
    int64_t d = policy->base_ms;
    for (int i = 1; i < tries_done && d < policy->cap_ms; i++)
        d = d > INT64_MAX / 2 ? INT64_MAX : d * 2;
    if (d > policy->cap_ms)
        d = policy->cap_ms;
    int64_t wait = d / 2 + (int64_t)((double)(d - d / 2) * jitter);
    if (wait < retry_after_ms)
        wait = retry_after_ms;
    /* Written as a subtraction: Retry-After may be any size. */
    if (wait > policy->budget_ms - spent_ms)
        return -1;
    return wait;
}
