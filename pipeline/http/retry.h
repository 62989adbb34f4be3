/*
 * When to try an HTTP request again, and after how long. Pure: no clock, no randomness of its own.
 *
 * Exponential backoff with equal jitter (Brooker, "Exponential Backoff And Jitter", 2015): the wait
 * after try i lies in [d/2, d) with d = min(cap, base · 2^(i−1)), so that many clients do not come
 * back in step. A server's Retry-After is a lower bound on the wait.
 */
#ifndef FW_HTTP_RETRY_H
#define FW_HTTP_RETRY_H

#include <stdbool.h>
#include <stdint.h>

struct fw_retry {
    int tries;         /* at most this many requests in all; at least 1 */
    int64_t base_ms;   /* d of the first wait */
    int64_t cap_ms;    /* the largest d */
    int64_t budget_ms; /* no wait may begin that would end later than this after the first try */
};

/* Is a response with this status worth asking again? 408, 425, 429, 500, 502, 503, 504. */
bool fw_retry_status(long status);

/* Milliseconds to wait before the next try, or −1 to give up. tries_done: 1 after the first;
 * spent_ms: since the first try began; retry_after_ms: what the server asked for, 0 = nothing;
 * jitter: uniform in [0, 1). */
int64_t fw_retry_wait(const struct fw_retry *policy, int tries_done, int64_t spent_ms,
                      int64_t retry_after_ms, double jitter);

#endif
