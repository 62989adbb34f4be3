#include "pipeline/http/webhook.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int fw_webhook_sign(const char *secret, const void *body, size_t n, char out[FW_SIGNATURE_LEN],
                    struct fw_err *err)
{
    static const char hex[] = "0123456789abcdef";
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    if (!HMAC(EVP_sha256(), secret, (int)strlen(secret), body, n, mac, &len) || len != 32)
        return fw_err_nomem(err);
    memcpy(out, "sha256=", 7);
    for (unsigned i = 0; i < len; i++) {
        out[7 + 2 * i] = hex[mac[i] >> 4];
        out[8 + 2 * i] = hex[mac[i] & 15];
    }
    out[FW_SIGNATURE_LEN - 1] = '\0';
    return FW_OK;
}

int fw_webhook_post(const struct fw_webhook *hook, const json_t *object, struct fw_err *err)
{
    static const char prefix[] = "X-Flywheel-Signature: ";
    char signature[sizeof(prefix) + FW_SIGNATURE_LEN];
    const char *headers[] = {"Content-Type: application/json", NULL, NULL};
    struct fw_http_response response = {0};
    int rc;

    char *body = json_dumps(object, JSON_COMPACT);
    if (!body)
        return fw_err_nomem(err);
    if (hook->secret && hook->secret[0]) {
        memcpy(signature, prefix, sizeof(prefix));
        rc = fw_webhook_sign(hook->secret, body, strlen(body), signature + sizeof(prefix) - 1, err);
        if (rc != FW_OK)
            goto out;
        headers[1] = signature;
    }
    struct fw_http_request request = {
        .url = hook->url,
        .headers = headers,
        .body = body,
        .body_len = strlen(body),
        .retry = hook->retry,
    };
    rc = fw_http_post(&request, &response, err);
    if (rc != FW_OK)
        fw_err_wrap(err, "webhook");
out:
    fw_http_response_release(&response);
    free(body);
    return rc;
}
