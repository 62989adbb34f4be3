#define CURL_DISABLE_TYPECHECK
#include "pipeline/http/http.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "pipeline/base/clock.h"
#include "pipeline/base/rng.h"

/* The functions used, by name and with curl's own types. */
static struct {
    __typeof__(curl_global_init) *global_init;
    __typeof__(curl_easy_init) *easy_init;
    __typeof__(curl_easy_setopt) *setopt;
    __typeof__(curl_easy_perform) *perform;
    __typeof__(curl_easy_getinfo) *getinfo;
    __typeof__(curl_easy_cleanup) *cleanup;
    __typeof__(curl_easy_strerror) *strerror;
    __typeof__(curl_slist_append) *slist_append;
    __typeof__(curl_slist_free_all) *slist_free;
} curl;

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static char curl_problem[256]; /* why it could not be opened; written once, before any reader */

static void curl_open(void)
{
    static const struct {
        const char *name;
        void **to;
    } symbols[] = {
        {"curl_global_init", (void **)&curl.global_init},
        {"curl_easy_init", (void **)&curl.easy_init},
        {"curl_easy_setopt", (void **)&curl.setopt},
        {"curl_easy_perform", (void **)&curl.perform},
        {"curl_easy_getinfo", (void **)&curl.getinfo},
        {"curl_easy_cleanup", (void **)&curl.cleanup},
        {"curl_easy_strerror", (void **)&curl.strerror},
        {"curl_slist_append", (void **)&curl.slist_append},
        {"curl_slist_free_all", (void **)&curl.slist_free},
    };
    void *lib = dlopen(FW_CURL_SONAME, RTLD_NOW | RTLD_LOCAL);
    for (size_t i = 0; lib && i < sizeof(symbols) / sizeof(symbols[0]); i++) {
        *symbols[i].to = dlsym(lib, symbols[i].name);
        if (!*symbols[i].to)
            lib = NULL;
    }
    if (!lib) {
        const char *why = dlerror();
        strncpy(curl_problem, why ? why : "unknown reason", sizeof(curl_problem) - 1);
        return;
    }
    CURLcode rc = curl.global_init(CURL_GLOBAL_DEFAULT);
    if (rc != CURLE_OK)
        strncpy(curl_problem, curl.strerror(rc), sizeof(curl_problem) - 1);
}

void fw_http_origin(const char *url, char *out, size_t size)
{
    const char *colon = strstr(url, "://");
    size_t scheme = colon ? (size_t)(colon - url) + 3 : 0;
    const char *host = url + scheme;
    size_t n = strcspn(host, "/?#\\");
    for (size_t i = n; i > 0; i--) {
        if (host[i - 1] == '@') {
            host += i;
            n -= i;
            break;
        }
    }
    struct fw_buf b = {0};
    fw_buf_add(&b, url, scheme);
    fw_buf_add(&b, host, n);
    if (size > 0) {
        size_t len = b.failed || !b.p ? 0 : b.len;
        if (len > size - 1)
            len = size - 1;
        if (len)
            memcpy(out, b.p, len);
        out[len] = '\0';
    }
    fw_buf_release(&b);
}

struct receiver {
    struct fw_buf *body;
    size_t max;
    bool too_long;
};

static size_t on_body_data(char *data, size_t size, size_t n, void *ctx)
{
    struct receiver *r = ctx;
    n *= size;
    if (n > r->max - r->body->len) {
        r->too_long = true;
        return 0;
    }
    fw_buf_add(r->body, data, n);
    return r->body->failed ? 0 : n;
}

static int make_headers(const struct fw_http_request *request, struct curl_slist **out,
                        struct fw_err *err)
{
    /* No "Expect: 100-continue": it costs a round trip, and simple receivers never answer it. */
    static const char *const always[] = {"Expect:", "User-Agent: flywheel/" FW_VERSION, NULL};
    const char *const *lists[] = {always, request->headers};
    struct curl_slist *list = NULL;
    for (size_t l = 0; l < 2; l++) {
        for (const char *const *h = lists[l]; h && *h; h++) {
            if (strpbrk(*h, "\r\n") || !strchr(*h, ':')) {
                curl.slist_free(list);
                return fw_err_set(err, FW_EINVAL, "an HTTP header must be one line 'Name: value'");
            }
            struct curl_slist *longer = curl.slist_append(list, *h);
            if (!longer) {
                curl.slist_free(list);
                return fw_err_nomem(err);
            }
            list = longer;
        }
    }
    *out = list;
    return FW_OK;
}

static CURL *make_handle(const struct fw_http_request *request, struct curl_slist *headers,
                         struct receiver *receiver, char *why)
{
    CURL *h = curl.easy_init();
    if (!h)
        return NULL;
    long connect = request->connect_timeout_ms > 0 ? (long)request->connect_timeout_ms : 10000;
    long total = request->timeout_ms > 0 ? (long)request->timeout_ms : 30000;
    curl.setopt(h, CURLOPT_ERRORBUFFER, why);
    curl.setopt(h, CURLOPT_URL, request->url);
    curl.setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
    curl.setopt(h, CURLOPT_FOLLOWLOCATION, 0L);
    curl.setopt(h, CURLOPT_SSL_VERIFYPEER, 1L);
    curl.setopt(h, CURLOPT_SSL_VERIFYHOST, 2L);
    curl.setopt(h, CURLOPT_NOSIGNAL, 1L);
    curl.setopt(h, CURLOPT_CONNECTTIMEOUT_MS, connect);
    curl.setopt(h, CURLOPT_TIMEOUT_MS, total);
    curl.setopt(h, CURLOPT_POST, 1L);
    curl.setopt(h, CURLOPT_POSTFIELDS, request->body ? request->body : "");
    curl.setopt(h, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_len);
    curl.setopt(h, CURLOPT_HTTPHEADER, headers);
    curl.setopt(h, CURLOPT_WRITEFUNCTION, on_body_data);
    curl.setopt(h, CURLOPT_WRITEDATA, receiver);
    return h;
}

/* OpenSSL writes with write(): a peer that hangs up must not end the program. The signal is kept
 * from this thread and taken away again if it came. */
static CURLcode perform_without_sigpipe(CURL *h)
{
    sigset_t pipe_set, old, pending;
    sigemptyset(&pipe_set);
    sigaddset(&pipe_set, SIGPIPE);
    sigpending(&pending);
    pthread_sigmask(SIG_BLOCK, &pipe_set, &old);
    CURLcode rc = curl.perform(h);
    if (!sigismember(&pending, SIGPIPE)) {
        struct timespec now = {0};
        while (sigtimedwait(&pipe_set, NULL, &now) == SIGPIPE)
            continue;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return rc;
}

static bool passing(CURLcode rc)
{
    switch (rc) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
        return true;
    default:
        return false;
    }
}

/* The first line of an answer, for a message; what a server sends may hold anything. */
static void first_line(const struct fw_buf *body, char *out, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; body->p && i < body->len && n + 1 < size; i++) {
        unsigned char c = (unsigned char)body->p[i];
        if (c == '\n' || c == '\r')
            break;
        out[n++] = c < 0x20 || c >= 0x7f ? '?' : (char)c;
    }
    out[n] = '\0';
}

static int judge_status(const char *origin, CURL *h, const struct fw_http_response *response,
                        struct fw_err *err)
{
    long status = response->status;
    if (status >= 200 && status < 300)
        return FW_OK;
    if (status >= 300 && status < 400) {
        char to[256] = "";
        const char *where = NULL;
        curl.getinfo(h, CURLINFO_REDIRECT_URL, &where);
        if (where)
            fw_http_origin(where, to, sizeof(to));
        fw_err_set(err, FW_EINVAL, "%s answered %ld: a redirect%s%s, which is not followed", origin,
                   status, to[0] ? " to " : "", to);
        fw_err_hint(err, "give the final address");
        return FW_EINVAL;
    }
    char line[160];
    first_line(&response->body, line, sizeof(line));
    int code = status >= 400 && status < 500 ? FW_EINVAL : FW_EIO;
    fw_err_set(err, code, "%s answered %ld%s%s%s", origin, status, line[0] ? " (" : "", line,
               line[0] ? ")" : "");
    if (response->tries > 1)
        fw_err_hint(err, "tried %d times", response->tries);
    return code;
}

static int judge_transport(const char *origin, CURLcode rc, const char *why,
                           const struct receiver *receiver, int tries, struct fw_err *err)
{
    if (receiver->too_long)
        return fw_err_set(err, FW_EINVAL, "%s answered with more than %zu bytes", origin,
                          receiver->max);
    if (rc == CURLE_OUT_OF_MEMORY || receiver->body->failed)
        return fw_err_nomem(err);
    const char *reason = why[0] ? why : curl.strerror(rc);
    bool address = rc == CURLE_URL_MALFORMAT || rc == CURLE_UNSUPPORTED_PROTOCOL;
    /* curl's own text may quote the address, so for a wrong one only the general text is used. */
    fw_err_set(err, address ? FW_EINVAL : FW_EIO, "cannot post to %s: %s", origin,
               address ? curl.strerror(rc) : reason);
    if (rc == CURLE_PEER_FAILED_VERIFICATION)
        fw_err_hint(err, "the server's certificate does not verify; mend it, or add its authority "
                         "to the system's certificates");
    else if (tries > 1)
        fw_err_hint(err, "tried %d times", tries);
    return address ? FW_EINVAL : FW_EIO;
}

static void wait_ms(int64_t ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000};
    while (nanosleep(&t, &t) != 0)
        continue;
}

int fw_http_post(const struct fw_http_request *request, struct fw_http_response *response,
                 struct fw_err *err)
{
    static const struct fw_retry default_retry = {4, 500, 8000, 60000};
    struct fw_retry retry = request->retry.tries > 0 ? request->retry : default_retry;
    size_t max = request->max_response ? request->max_response : 1 << 20;
    struct curl_slist *headers = NULL;
    CURL *h = NULL;
    char why[CURL_ERROR_SIZE] = "", origin[256];
    int64_t start = fw_clock_ms();
    struct fw_rng rng;
    int rc;

    response->status = 0;
    response->tries = 0;
    pthread_once(&curl_once, curl_open);
    if (curl_problem[0]) {
        fw_err_set(err, FW_EIO, "cannot load %s: %s", FW_CURL_SONAME, curl_problem);
        fw_err_hint(err, "install libcurl4");
        return FW_EIO;
    }
    fw_http_origin(request->url, origin, sizeof(origin));
    if (strncasecmp(request->url, "http://", 7) != 0 &&
        strncasecmp(request->url, "https://", 8) != 0) {
        fw_err_set(err, FW_EINVAL, "'%s...' is not an address to post to", origin);
        fw_err_hint(err, "it must begin with http:// or https://");
        return FW_EINVAL;
    }
    struct receiver receiver = {.body = &response->body, .max = max};
    rc = make_headers(request, &headers, err);
    if (rc != FW_OK)
        return rc;
    h = make_handle(request, headers, &receiver, why);
    if (!h) {
        rc = fw_err_nomem(err);
        goto out;
    }
    fw_rng_seed(&rng, (uint64_t)start ^ (uint64_t)(uintptr_t)h);
    for (;;) {
        curl_off_t after = 0;
        fw_buf_clear(&response->body);
        why[0] = '\0';
        response->status = 0;
        CURLcode crc = perform_without_sigpipe(h);
        response->tries++;
        curl.getinfo(h, CURLINFO_RESPONSE_CODE, &response->status);
        curl.getinfo(h, CURLINFO_RETRY_AFTER, &after);
        bool again = crc == CURLE_OK ? fw_retry_status(response->status) : passing(crc);
        int64_t after_ms = after > 0 && after < INT64_MAX / 1000 ? after * 1000 : 0;
        int64_t wait = again ? fw_retry_wait(&retry, response->tries, fw_clock_ms() - start,
                                             after_ms, fw_rng_double(&rng))
                             : -1;
        if (wait < 0) {
            rc = crc == CURLE_OK
                     ? judge_status(origin, h, response, err)
                     : judge_transport(origin, crc, why, &receiver, response->tries, err);
            break;
        }
        wait_ms(wait);
    }
out:
    if (h)
        curl.cleanup(h);
    curl.slist_free(headers);
    return rc;
}

void fw_http_response_release(struct fw_http_response *response)
{
    fw_buf_release(&response->body);
}
