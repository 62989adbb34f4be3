/*
 * Webhooks: one JSON object posted to an address, signed when there is a secret. Blocking; any
 * thread.
 *
 * The receiver checks the header X-Flywheel-Signature: sha256=<hex HMAC-SHA-256 of the body's
 * bytes, keyed with the secret> (RFC 2104), before it parses anything.
 */
#ifndef FW_HTTP_WEBHOOK_H
#define FW_HTTP_WEBHOOK_H

#include <jansson.h>
#include <stddef.h>

#include "pipeline/http/http.h"

enum { FW_SIGNATURE_LEN = 72 }; /* "sha256=", 64 hex digits and the NUL */

struct fw_webhook {
    const char *url;
    const char *secret;    /* NULL or "": not signed */
    struct fw_retry retry; /* all zero: as in http.h */
};

/* Errors as fw_http_post(), with "webhook: " before the message. A passing failure is tried again,
 * so a receiver may see one object twice. */
int fw_webhook_post(const struct fw_webhook *hook, const json_t *object, struct fw_err *err);

int fw_webhook_sign(const char *secret, const void *body, size_t n, char out[FW_SIGNATURE_LEN],
                    struct fw_err *err);

#endif
