/* Posting to a server on the loopback that gives scripted answers and keeps what it was sent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pipeline/base/clock.h"
#include "pipeline/http/webhook.h"

struct server {
    int fd;
    int port;
    const char *const *answers; /* one a connection, NULL-terminated; "" hangs up unanswered */
    pthread_t thread;
    int connections;
    char request[8192]; /* the last one, whole */
};

/* Reads one request: headers, then as many bytes as Content-Length says. */
static void read_request(int fd, char *out, size_t size)
{
    size_t n = 0;
    out[0] = '\0';
    for (;;) {
        ssize_t got = read(fd, out + n, size - 1 - n);
        if (got <= 0)
            return;
        n += (size_t)got;
        out[n] = '\0';
        const char *end = strstr(out, "\r\n\r\n");
        const char *length = strstr(out, "Content-Length: ");
        size_t body = length ? (size_t)strtoul(length + 16, NULL, 10) : 0;
        if (end && n >= (size_t)(end + 4 - out) + body)
            return;
    }
}

static void *serve(void *ctx)
{
    struct server *s = ctx;
    for (const char *const *answer = s->answers; *answer; answer++) {
        int fd = accept(s->fd, NULL, NULL);
        if (fd < 0)
            break;
        s->connections++;
        read_request(fd, s->request, sizeof(s->request));
        size_t n = strlen(*answer);
        if (n && write(fd, *answer, n) != (ssize_t)n)
            break;
        close(fd);
    }
    return NULL;
}

static int listen_on_loopback(int *port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, len), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    *port = ntohs(a.sin_port);
    return fd;
}

static void server_start(struct server *s, const char *const *answers)
{
    memset(s, 0, sizeof(*s));
    s->answers = answers;
    s->fd = listen_on_loopback(&s->port);
    assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void server_stop(struct server *s)
{
    shutdown(s->fd, SHUT_RDWR); /* wakes an accept that nobody will answer */
    pthread_join(s->thread, NULL);
    close(s->fd);
}

#define OK_ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
#define FAIL_ANSWER "HTTP/1.1 500 Broken\r\nContent-Length: 4\r\nConnection: close\r\n\r\noops"

static const struct fw_retry quick = {.tries = 3, .base_ms = 10, .cap_ms = 20, .budget_ms = 5000};

static int post(int port, const char *path, struct fw_http_response *response, struct fw_err *err)
{
    char url[128];
    snprintf(url, sizeof(url), "http://127.0.0.1:%d%s", port, path);
    struct fw_http_request request = {
        .url = url, .body = "{\"a\":1}", .body_len = 7, .max_response = 64, .retry = quick};
    return fw_http_post(&request, response, err);
}

static void test_success(void **state)
{
    (void)state;
    struct server s;
    struct fw_http_response response = {0};
    struct fw_err err = {0};
    server_start(&s, (const char *const[]){OK_ANSWER, NULL});
    assert_int_equal(post(s.port, "/hook?x=1", &response, &err), FW_OK);
    server_stop(&s);
    assert_int_equal(response.status, 200);
    assert_int_equal(response.tries, 1);
    assert_string_equal(response.body.p, "ok");
    assert_memory_equal(s.request, "POST /hook?x=1 HTTP/1.1\r\n", 25);
    assert_string_equal(strstr(s.request, "\r\n\r\n") + 4, "{\"a\":1}");
    fw_http_response_release(&response);
}

static void test_failure_then_success(void **state)
{
    (void)state;
    struct server s;
    struct fw_http_response response = {0};
    struct fw_err err = {0};
    server_start(&s, (const char *const[]){FAIL_ANSWER, "", OK_ANSWER, NULL});
    assert_int_equal(post(s.port, "/", &response, &err), FW_OK);
    server_stop(&s);
    assert_int_equal(response.tries, 3);
    assert_string_equal(response.body.p, "ok");
    fw_http_response_release(&response);
}

static void test_failure_to_the_end(void **state)
{
    (void)state;
    struct server s;
    struct fw_http_response response = {0};
    struct fw_err err = {0};
    server_start(&s, (const char *const[]){FAIL_ANSWER, FAIL_ANSWER, FAIL_ANSWER, NULL});
    assert_int_equal(post(s.port, "/secret-token", &response, &err), FW_EIO);
    server_stop(&s);
    assert_int_equal(s.connections, 3);
    assert_int_equal(response.status, 500);
    assert_non_null(strstr(err.msg, "answered 500 (oops)"));
    assert_null(strstr(err.msg, "secret-token"));
    fw_http_response_release(&response);
}

static void test_refusal_is_not_tried_again(void **state)
{
    (void)state;
    struct server s;
    struct fw_http_response response = {0};
    struct fw_err err = {0};
    server_start(&s, (const char *const[]){"HTTP/1.1 404 No\r\nContent-Length: 0\r\n"
                                           "Connection: close\r\n\r\n",
                                           OK_ANSWER, NULL});
    assert_int_equal(post(s.port, "/", &response, &err), FW_EINVAL);
    server_stop(&s);
    assert_int_equal(response.tries, 1);
    assert_non_null(strstr(err.msg, "answered 404"));
    fw_http_response_release(&response);
}

static void test_retry_after_beyond_the_budget(void **state)
{
    (void)state;
    struct server s;
    struct fw_http_response response = {0};
    struct fw_err err = {0};
    server_start(&s, (const char *const[]){"HTTP/1.1 429 Later\r\nRetry-After: 3600\r\n"
                                           "Content-Length: 0\r\nConnection: close\r\n\r\n",
                                           OK_ANSWER, NULL});
    int64_t start = fw_clock_ms();
    assert_int_equal(post(s.port, "/", &response, &err), FW_EINVAL);
    assert_true(fw_clock_ms() - start < 3000);
    server_stop(&s);
    assert_int_equal(response.tries, 1);
    fw_http_response_release(&response);
}

static void test_retry_after_is_heeded(void **state)
{
    (void)state;
    struct server s;
    struct fw_http_response response = {0};
    struct fw_err err = {0};
    server_start(&s, (const char *const[]){"HTTP/1.1 503 Later\r\nRetry-After: 1\r\n"
                                           "Content-Length: 0\r\nConnection: close\r\n\r\n",
                                           OK_ANSWER, NULL});
    int64_t start = fw_clock_ms();
    assert_int_equal(post(s.port, "/", &response, &err), FW_OK);
    assert_true(fw_clock_ms() - start >= 1000);
    server_stop(&s);
    fw_http_response_release(&response);
}

static void test_refused_connection(void **state)
{
    (void)state;
    int port;
    int fd = listen_on_loopback(&port);
    close(fd);
    struct fw_http_response response = {0};
    struct fw_err err = {0};
    assert_int_equal(post(port, "/", &response, &err), FW_EIO);
    assert_int_equal(response.tries, 3);
    assert_int_equal(response.status, 0);
    assert_non_null(strstr(err.msg, "cannot post to http://127.0.0.1:"));
    assert_string_equal(err.hint, "tried 3 times");
    fw_http_response_release(&response);
}

static void test_redirect_is_not_followed(void **state)
{
    (void)state;
    struct server from, to;
    struct fw_http_response response = {0};
    struct fw_err err = {0};
    char answer[256], where[64];
    server_start(&to, (const char *const[]){OK_ANSWER, NULL});
    snprintf(where, sizeof(where), "http://localhost:%d", to.port);
    snprintf(answer, sizeof(answer),
             "HTTP/1.1 307 Moved\r\nLocation: %s/elsewhere\r\nContent-Length: 0\r\n"
             "Connection: close\r\n\r\n",
             where);
    server_start(&from, (const char *const[]){answer, NULL});
    assert_int_equal(post(from.port, "/", &response, &err), FW_EINVAL);
    server_stop(&from);
    server_stop(&to);
    assert_int_equal(to.connections, 0);
    assert_non_null(strstr(err.msg, where));
    fw_http_response_release(&response);
}

static void test_long_answer_is_cut_off(void **state)
{
    (void)state;
    struct server s;
    struct fw_http_response response = {0};
    struct fw_err err = {0};
    char answer[512] = "HTTP/1.1 200 OK\r\nContent-Length: 65\r\nConnection: close\r\n\r\n";
    memset(answer + strlen(answer), 'x', 65);
    server_start(&s, (const char *const[]){answer, NULL});
    assert_int_equal(post(s.port, "/", &response, &err), FW_EINVAL);
    server_stop(&s);
    assert_non_null(strstr(err.msg, "more than 64 bytes"));
    assert_true(response.body.len <= 64);
    fw_http_response_release(&response);
}

static void test_wrong_addresses(void **state)
{
    (void)state;
    static const char *const urls[] = {"file:///etc/hostname", "ftp://127.0.0.1/", "hook", "",
                                       "http://127.0.0.1:99999/"};
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        struct fw_http_request request = {.url = urls[i], .retry = quick};
        struct fw_http_response response = {0};
        struct fw_err err = {0};
        assert_int_equal(fw_http_post(&request, &response, &err), FW_EINVAL);
        fw_http_response_release(&response);
    }
}

static void test_header_injection(void **state)
{
    (void)state;
    struct fw_http_request request = {.url = "http://127.0.0.1:1/",
                                      .headers = (const char *const[]){"A: b\r\nC: d", NULL}};
    struct fw_http_response response = {0};
    struct fw_err err = {0};
    assert_int_equal(fw_http_post(&request, &response, &err), FW_EINVAL);
    assert_int_equal(response.tries, 0);
    fw_http_response_release(&response);
}

static void test_origin(void **state)
{
    (void)state;
    char out[64];
    fw_http_origin("https://user:pw@host:8/path?token=1", out, sizeof(out));
    assert_string_equal(out, "https://host:8");
    fw_http_origin("https://host?token=a@b", out, sizeof(out));
    assert_string_equal(out, "https://host");
    fw_http_origin("https://a-rather-long-host", out, 10);
    assert_string_equal(out, "https://a");
    fw_http_origin("", out, sizeof(out));
    assert_string_equal(out, "");
}

/* RFC 4231, test case 2. */
static void test_signature(void **state)
{
    (void)state;
    char out[FW_SIGNATURE_LEN];
    struct fw_err err = {0};
    assert_int_equal(fw_webhook_sign("Jefe", "what do ya want for nothing?", 28, out, &err), FW_OK);
    assert_string_equal(out,
                        "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

static void test_webhook(void **state)
{
    (void)state;
    struct server s;
    struct fw_err err = {0};
    char url[64], expected[FW_SIGNATURE_LEN];
    json_t *object = json_pack("{s:s}", "event", "stopped");
    server_start(&s, (const char *const[]){OK_ANSWER, OK_ANSWER, NULL});
    snprintf(url, sizeof(url), "http://127.0.0.1:%d/hook", s.port);
    struct fw_webhook hook = {.url = url, .secret = "k", .retry = quick};
    assert_int_equal(fw_webhook_post(&hook, object, &err), FW_OK);
    const char *body = strstr(s.request, "\r\n\r\n") + 4;
    assert_string_equal(body, "{\"event\":\"stopped\"}");
    assert_int_equal(fw_webhook_sign("k", body, strlen(body), expected, &err), FW_OK);
    const char *header = strstr(s.request, "\r\nX-Flywheel-Signature: ");
    assert_non_null(header);
    assert_memory_equal(header + 24, expected, strlen(expected));
    assert_non_null(strstr(s.request, "\r\nContent-Type: application/json\r\n"));

    hook.secret = "";
    assert_int_equal(fw_webhook_post(&hook, object, &err), FW_OK);
    assert_null(strstr(s.request, "X-Flywheel-Signature"));
    server_stop(&s);
    json_decref(object);
}

int main(void)
{
    setenv("no_proxy", "127.0.0.1,localhost", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_success),
        cmocka_unit_test(test_failure_then_success),
        cmocka_unit_test(test_failure_to_the_end),
        cmocka_unit_test(test_refusal_is_not_tried_again),
        cmocka_unit_test(test_retry_after_beyond_the_budget),
        cmocka_unit_test(test_retry_after_is_heeded),
        cmocka_unit_test(test_refused_connection),
        cmocka_unit_test(test_redirect_is_not_followed),
        cmocka_unit_test(test_long_answer_is_cut_off),
        cmocka_unit_test(test_wrong_addresses),
        cmocka_unit_test(test_header_injection),
        cmocka_unit_test(test_origin),
        cmocka_unit_test(test_signature),
        cmocka_unit_test(test_webhook),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
