/*
 * HTTP requests: the only place that knows libcurl, which is opened on first use (it costs 6 ms to
 * load, and most commands never need it). Blocking; any thread. Certificates are always verified,
 * redirects are never followed, and only http and https are spoken.
 *
 *     struct fw_http_request request = {.url = url, .body = body, .body_len = n};
 *     struct fw_http_response response = {0};
 *     int rc = fw_http_post(&request, &response, &err);
 *     fw_http_response_release(&response);           // in every case
 *
 * Addresses may carry secrets (webhooks do), so errors name the scheme and the host alone.
 */
#ifndef FW_HTTP_HTTP_H
#define FW_HTTP_HTTP_H

#include <stddef.h>
#include <stdint.h>

#include "pipeline/base/buf.h"
#include "pipeline/http/retry.h"

struct fw_http_request {
    const char *url;
    const char *const *headers; /* "Name: value", NULL-terminated; may be NULL */
    const void *body;
    size_t body_len;
    int64_t connect_timeout_ms; /* 0 = 10 s */
    int64_t timeout_ms;         /* one try, from beginning to end; 0 = 30 s */
    size_t max_response;        /* bytes; a longer answer is FW_EINVAL; 0 = 1 MiB */
    struct fw_retry retry;      /* all zero: 4 tries, 500 ms doubling up to 8 s, 60 s in all */
};

struct fw_http_response {
    long status;
    int tries; /* requests made */
    struct fw_buf body;
};

/* Posts the body, again when the failure looks passing (no connection, time-out, fw_retry_status):
 * the receiver may therefore see one request twice. FW_OK when the last answer was 2xx; FW_EINVAL
 * when the address is wrong, the server refused (4xx) or redirected; FW_EIO when it could not be
 * reached, its certificate does not verify or it failed (5xx). On failure the response still tells
 * status (0 = none) and tries. */
int fw_http_post(const struct fw_http_request *request, struct fw_http_response *response,
                 struct fw_err *err);
void fw_http_response_release(struct fw_http_response *response);

/* "https://host:port" of an address, without user, path and query; for messages. */
void fw_http_origin(const char *url, char *out, size_t size);

#endif
