#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "describe.h"
#include "pipeline/config/keys.h"

/* Is there a problem that says `says`, when `inner` stands in the mapping reached by `outer`? */
static bool complains(const char *outer, const char *inner, const char *close, const char *says)
{
    struct fw_buf text = {0};
    struct fw_problems problems = {0};
    struct fw_plan *plan = NULL;
    bool said = false;
    fw_buf_printf(&text, "{%s%s: 0%s}", outer, inner, close);
    fw_plan_load_text("x.yaml", text.p, text.len, NULL, &plan, &problems);
    for (size_t i = 0; i < problems.n; i++)
        said |= strstr(problems.list[i].msg, says) != NULL;
    assert_int_equal(problems.more, 0);
    fw_plan_free(plan);
    fw_problems_release(&problems);
    fw_buf_release(&text);
    return said;
}

/* Every key of the schema is known to the parser, and no other is. */
static int walk(const json_t *schema, const char *outer, const char *close, bool of_names)
{
    const json_t *forms = json_object_get(schema, "anyOf");
    const json_t *properties = json_object_get(schema, "properties");
    const char *key;
    json_t *value;
    int n = 0;
    for (size_t i = 0; i < json_array_size(forms); i++)
        n += walk(json_array_get(forms, i), outer, close, of_names);
    if (!properties || !json_is_false(json_object_get(schema, "additionalProperties")))
        return n;
    assert_true(complains(outer, "zzz", close, "unknown key 'zzz'"));
    json_object_foreach ((json_t *)(uintptr_t)properties, key, value) {
        struct fw_buf deeper = {0}, shut = {0}, says = {0};
        fw_buf_printf(&says, "unknown key '%s'", key);
        if (complains(outer, key, close, says.p))
            fail_msg("the parser does not know '%s%s'", outer, key);
        assert_non_null(json_object_get(value, "description"));
        const json_t *names = json_object_get(value, "additionalProperties");
        const json_t *items = json_object_get(value, "items");
        bool named = json_is_object(names) && json_object_get(names, "properties");
        bool listed = json_object_get(items, "properties") != NULL;
        fw_buf_printf(&deeper, "%s%s: %s{%s", outer, key, listed ? "[" : "", named ? "any: {" : "");
        fw_buf_printf(&shut, "}%s%s%s", named ? "}" : "", listed ? "]" : "", close);
        n += 1 + walk(named ? names : listed ? items : value, deeper.p, shut.p, named);
        fw_buf_release(&deeper);
        fw_buf_release(&shut);
        fw_buf_release(&says);
    }
    return n;
}

/* And every key of the parser's tables is in the schema. */
static int count_keys(const struct fw_key *keys)
{
    int n = 0;
    for (; keys->name; keys++)
        n += 1 + (keys->keys ? count_keys(keys->keys) : 0);
    return n;
}

static void test_schema_and_parser_agree(void **state)
{
    (void)state;
    char *text = fw_plan_schema();
    json_error_t error;
    json_t *schema = json_loads(text, 0, &error);
    assert_non_null(schema);
    assert_string_equal(json_string_value(json_object_get(schema, "$schema")),
                        "https://json-schema.org/draft/2020-12/schema");
    int n = walk(schema, "", "", false);
    assert_int_equal(n, count_keys(fw_plan_keys));
    assert_true(n > 60);
    json_decref(schema);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_schema_and_parser_agree)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
