#include "pipeline/config/params.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/suggest.h"
#include "pipeline/config/plan.h"

struct check {
    fw_param_problem_fn *fn;
    void *ctx;
    int problems;
};

static void complain(struct check *c, const char *param, const char *hint, const char *fmt, ...)
    FW_PRINTF(4, 5);
static void complain(struct check *c, const char *param, const char *hint, const char *fmt, ...)
{
    char msg[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    c->problems++;
    c->fn(c->ctx, param, msg, hint);
}

static bool is_type(const json_t *v, const char *type)
{
    switch (json_typeof(v)) {
    case JSON_STRING:
        return strcmp(type, "string") == 0;
    case JSON_INTEGER:
        return strcmp(type, "integer") == 0 || strcmp(type, "number") == 0;
    case JSON_REAL:
        return strcmp(type, "number") == 0 ||
               (strcmp(type, "integer") == 0 && json_real_value(v) == trunc(json_real_value(v)) &&
                fabs(json_real_value(v)) < 9e15);
    case JSON_TRUE:
    case JSON_FALSE:
        return strcmp(type, "boolean") == 0;
    case JSON_ARRAY:
        return strcmp(type, "array") == 0;
    case JSON_OBJECT:
        return strcmp(type, "object") == 0;
    default:
        return strcmp(type, "null") == 0;
    }
}

static size_t type_count(const json_t *types)
{
    return json_is_array(types) ? json_array_size(types) : json_is_string(types);
}

static const char *type_at(const json_t *types, size_t i)
{
    const char *s = json_string_value(json_is_array(types) ? json_array_get(types, i) : types);
    return s ? s : "";
}

static const char *with_article(const char *type)
{
    static const char *const names[][2] = {
        {"string", "a text"},         {"number", "a number"}, {"integer", "a whole number"},
        {"boolean", "true or false"}, {"array", "a list"},    {"object", "a mapping"},
        {"null", "nothing"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(type, names[i][0]) == 0)
            return names[i][1];
    return type;
}

static void list_values(const json_t *values, char *out, size_t size)
{
    struct fw_buf b = {0};
    for (size_t i = 0; i < json_array_size(values); i++) {
        char *one = json_dumps(json_array_get(values, i), JSON_ENCODE_ANY);
        fw_buf_printf(&b, "%s%s", i ? ", " : "", one ? one : "?");
        free(one);
    }
    snprintf(out, size, "%s", b.p ? b.p : "");
    fw_buf_release(&b);
}

/* `item`: 0 for the parameter itself, else its 1-based place in a list. */
static void check_value(struct check *c, const char *param, size_t item, const json_t *schema,
                        const json_t *v)
{
    char subject[48] = "", text[320];
    if (item)
        snprintf(subject, sizeof subject, "item %zu: ", item);
    const json_t *types = json_object_get(schema, "type"),
                 *values = json_object_get(schema, "enum");
    size_t n = type_count(types), i = 0;
    while (i < n && !is_type(v, type_at(types, i)))
        i++;
    if (n > 0 && i == n) {
        struct fw_buf b = {0};
        for (i = 0; i < n; i++)
            fw_buf_printf(&b, "%s%s", i ? " or " : "", with_article(type_at(types, i)));
        complain(c, param, "", "%sexpected %s", subject, b.p ? b.p : "another type");
        fw_buf_release(&b);
        return;
    }
    if (json_is_array(values)) {
        for (i = 0; i < json_array_size(values); i++) {
            const json_t *allowed = json_array_get(values, i);
            if (json_equal(v, allowed) || (json_is_number(v) && json_is_number(allowed) &&
                                           json_number_value(v) == json_number_value(allowed)))
                break;
        }
        if (i == json_array_size(values)) {
            list_values(values, text, sizeof text);
            complain(c, param, "", "%smust be one of %s", subject, text);
            return;
        }
    }
    const json_t *min = json_object_get(schema, "minimum"),
                 *max = json_object_get(schema, "maximum");
    if (json_is_number(v) && json_is_number(min) && json_number_value(v) < json_number_value(min))
        complain(c, param, "", "%smust be at least %g", subject, json_number_value(min));
    if (json_is_number(v) && json_is_number(max) && json_number_value(v) > json_number_value(max))
        complain(c, param, "", "%smust be at most %g", subject, json_number_value(max));
    const json_t *items = json_object_get(schema, "items");
    for (i = 0; !item && json_is_object(items) && i < json_array_size(v); i++)
        check_value(c, param, i + 1, items, json_array_get(v, i));
}

/* 1 and 1.0 are the same parameter: one spelling, or the model's fingerprint would differ. */
static json_t *normal_form(const json_t *schema, const json_t *v)
{
    const json_t *types = json_object_get(schema, "type");
    bool integer = false, number = false;
    for (size_t i = 0; i < type_count(types); i++) {
        integer |= strcmp(type_at(types, i), "integer") == 0;
        number |= strcmp(type_at(types, i), "number") == 0;
    }
    if (json_is_real(v) && integer && is_type(v, "integer"))
        return json_integer((json_int_t)json_real_value(v));
    if (json_is_integer(v) && number && !integer)
        return json_real((double)json_integer_value(v));
    if (!json_is_array(v))
        return json_deep_copy(v);
    json_t *list = json_array();
    for (size_t i = 0; list && i < json_array_size(v); i++) {
        json_t *item = normal_form(json_object_get(schema, "items"), json_array_get(v, i));
        if (json_array_append_new(list, item) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}

static bool is_required(const json_t *describe, const char *name, const json_t *schema)
{
    if (json_is_true(json_object_get(schema, "required")))
        return true;
    const json_t *list = json_object_get(describe, "required");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *s = json_string_value(json_array_get(list, i));
        if (s && strcmp(s, name) == 0)
            return true;
    }
    return false;
}

static void unknown(struct check *c, const json_t *known, const char *name)
{
    const char *names[64], *key;
    char hint[256] = "";
    size_t n = 0;
    json_t *schema;
    json_object_foreach ((json_t *)(uintptr_t)known, key, schema)
        if (n < 64)
            names[n++] = key;
    const char *near = fw_suggest(name, names, n);
    if (near) {
        snprintf(hint, sizeof hint, "did you mean '%.80s'?", near);
    } else if (n > 0) {
        size_t len = (size_t)snprintf(hint, sizeof hint, "it has:");
        for (size_t i = 0; i < n && len < sizeof hint; i++)
            len += (size_t)snprintf(hint + len, sizeof hint - len, " %.40s", names[i]);
    } else {
        snprintf(hint, sizeof hint, "it has none");
    }
    complain(c, name, hint, "the plugin has no such parameter");
}

int fw_params_check(const json_t *describe, const json_t *params, json_t **out,
                    fw_param_problem_fn *fn, void *ctx)
{
    struct check c = {.fn = fn, .ctx = ctx};
    const json_t *known = json_object_get(describe, "params");
    json_t *result = json_object();
    const char *name;
    json_t *v;
    if (!result)
        return FW_ENOMEM;
    json_object_foreach ((json_t *)(uintptr_t)params, name, v) {
        const json_t *schema = json_object_get(known, name);
        if (!schema) {
            unknown(&c, known, name);
            continue;
        }
        check_value(&c, name, 0, schema, v);
        if (json_object_set_new(result, name, normal_form(schema, v)) != 0)
            goto nomem;
    }
    json_object_foreach ((json_t *)(uintptr_t)known, name, v) {
        if (json_object_get(result, name))
            continue;
        const json_t *preset = json_object_get(v, "default");
        if (preset && json_object_set_new(result, name, normal_form(v, preset)) != 0)
            goto nomem;
        if (!preset && is_required(describe, name, v) && !json_object_get(params, name))
            complain(&c, name, "", "the plugin needs this parameter");
    }
    if (c.problems == 0)
        *out = json_incref(result);
    json_decref(result);
    return c.problems;
nomem:
    json_decref(result);
    return FW_ENOMEM;
}
