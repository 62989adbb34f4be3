#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/exec/event.h"

static void test_lines(void **state)
{
    (void)state;
    static const struct {
        const char *line, *why;
    } cases[] = {
        {"{\"type\":\"progress\",\"done\":1.5}", NULL},
        {"{\"type\":\"progress\",\"done\":1,\"total\":2,\"unit\":\"x\",\"more\":[]}", NULL},
        {"{\"type\":\"progress\"}", "missing"},
        {"{\"type\":\"progress\",\"done\":\"1\"}", "wrong type"},
        {"{\"type\":\"metric\",\"name\":\"a\",\"value\":1}", NULL},
        {"{\"type\":\"metric\",\"name\":\"a\",\"value\":1,\"step\":1.5}", "wrong type"},
        {"{\"type\":\"metric\",\"name\":\"a\",\"value\":NaN}", "not a JSON object"},
        {"{\"type\":\"metric\",\"name\":3,\"value\":1}", "wrong type"},
        {"{\"type\":\"message\",\"text\":\"t\"}", NULL},
        {"{\"type\":\"message\",\"level\":\"info\"}", "missing"},
        {"{\"type\":\"waiting\"}", NULL},
        {"{\"type\":\"waiting\",\"count\":\"3\"}", "wrong type"},
        {"{\"type\":\"shout\"}", "unknown"},
        {"{\"type\":1}", "no \"type\""},
        {"{}", "no \"type\""},
        {"[]", "not a JSON object"},
        {"text", "not a JSON object"},
        {"{\"type\":\"waiting\"} x", "not a JSON object"},
        {"{\"type\":\"waiting\",\"type\":\"waiting\"}", "not a JSON object"},
        {"{\"type\":\"message\",\"text\":\"\xff\"}", "not a JSON object"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *why = NULL;
        json_t *event = fw_event_parse(cases[i].line, strlen(cases[i].line), &why);
        if (!event != !!cases[i].why || (why && !strstr(why, cases[i].why)))
            fail_msg("%s: %s", cases[i].line, why ? why : "taken");
        json_decref(event);
    }
}

struct seen {
    struct fw_buf types;
    size_t n;
};

static void on_event(void *ctx, const json_t *event)
{
    struct seen *seen = ctx;
    const char *type = json_string_value(json_object_get(event, "type"));
    if (seen->n++ < 100)
        fw_buf_putc(&seen->types, type[0]);
}

/* Cut anywhere, the stream means the same (progress within one read is one). */
static void test_cut_anywhere(void **state)
{
    (void)state;
    static const char text[] =
        "{\"type\":\"waiting\"}\n\nrubbish\r\n{\"type\":\"message\",\"text\":"
        "\"\xc3\xa9\"}\r\n{\"type\":\"waiting\"}";
    for (size_t cut = 0; cut < sizeof text; cut++) {
        struct seen seen = {0};
        struct fw_events e = {.on_event = on_event, .ctx = &seen};
        fw_events_feed(&e, text, cut);
        fw_events_feed(&e, text + cut, sizeof text - 1 - cut);
        fw_events_end(&e);
        assert_string_equal(seen.types.p, "wmwm"); /* the last tells of the rubbish */
        assert_int_equal(e.dropped, 1);
        fw_events_release(&e);
        fw_buf_release(&seen.types);
    }
}

static void test_limits(void **state)
{
    (void)state;
    struct seen seen = {0};
    struct fw_events e = {.on_event = on_event, .ctx = &seen};
    static const char one[] = "{\"type\":\"waiting\"}\n";
    for (int i = 0; i < FW_EVENT_MOST + 10; i++)
        fw_events_feed(&e, one, sizeof one - 1);
    assert_int_equal(seen.n, FW_EVENT_MOST);
    assert_int_equal(e.dropped, 10);
    fw_events_release(&e);
    fw_buf_release(&seen.types);
    /* a line of exactly the limit is read, one byte more is not */
    for (size_t more = 0; more < 2; more++) {
        size_t n = FW_EVENT_LINE + more;
        char *line = malloc(n + 1);
        memset(line, ' ', n + 1);
        memcpy(line, one, sizeof one - 2);
        line[n - 1] = '\t';
        line[n] = '\n';
        seen = (struct seen){0};
        e = (struct fw_events){.on_event = on_event, .ctx = &seen};
        fw_events_feed(&e, line, 1000);
        fw_events_feed(&e, line + 1000, n + 1 - 1000);
        assert_int_equal(seen.n, 1 - more);
        fw_events_feed(&e, one, sizeof one - 1);
        assert_int_equal(seen.n, 2 - more);
        fw_events_release(&e);
        fw_buf_release(&seen.types);
        free(line);
    }
}

static void test_progress_is_gathered(void **state)
{
    (void)state;
    struct seen seen = {0};
    struct fw_events e = {.on_event = on_event, .ctx = &seen};
    static const char text[] =
        "{\"type\":\"progress\",\"done\":1}\n{\"type\":\"progress\",\"done\":2}\n"
        "{\"type\":\"waiting\"}\n{\"type\":\"progress\",\"done\":3}\n{\"type\":\"progress\","
        "\"done\":4}\n";
    fw_events_feed(&e, text, sizeof text - 1);
    assert_string_equal(seen.types.p, "pwp");
    fw_events_end(&e);
    assert_int_equal(seen.n, 3);
    fw_events_release(&e);
    fw_buf_release(&seen.types);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_cut_anywhere),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_progress_is_gathered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
