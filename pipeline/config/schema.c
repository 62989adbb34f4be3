/* The JSON Schema of flywheel.yaml, from the parser's own tables. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/config/keys.h"

static json_t *schema_of_keys(const struct fw_key *keys);

static json_t *text_list(void)
{
    return json_pack("{s:s,s:{s:s}}", "type", "array", "items", "type", "string");
}

/* A plain value, or a text that gets it from the environment. */
static json_t *or_env(json_t *schema)
{
    return schema ? json_pack("{s:[o,{s:s}]}", "anyOf", schema, "$ref", "#/$defs/env") : NULL;
}

static json_t *ref(const char *name)
{
    return json_pack("{s:s+}", "$ref", "#/$defs/", name);
}

static json_t *bounded(const struct fw_key *key, const char *type)
{
    json_t *s = json_pack("{s:s}", "type", type);
    bool integer = strcmp(type, "integer") == 0;
    if (s && isfinite(key->min))
        json_object_set_new(s, "minimum",
                            integer ? json_integer((json_int_t)key->min) : json_real(key->min));
    if (s && isfinite(key->max) && key->max > key->min)
        json_object_set_new(s, "maximum",
                            integer ? json_integer((json_int_t)key->max) : json_real(key->max));
    return or_env(s);
}

static json_t *schema_of_key(const struct fw_key *key)
{
    switch (key->type) {
    case FW_KEY_TEXT:
        return json_pack("{s:s}", "type", "string");
    case FW_KEY_INTEGER:
        return bounded(key, "integer");
    case FW_KEY_SEED:
        return or_env(json_pack("{s:s,s:i}", "type", "integer", "minimum", 0));
    case FW_KEY_NUMBER:
        return bounded(key, "number");
    case FW_KEY_SHARE:
        return ref("share");
    case FW_KEY_BOOL:
        return or_env(json_pack("{s:s}", "type", "boolean"));
    case FW_KEY_DURATION:
        return ref("duration");
    case FW_KEY_SIZE:
        return ref("size");
    case FW_KEY_CHOICE: {
        json_t *words = json_array();
        for (size_t i = 0; words && key->words[i]; i++)
            json_array_append_new(words, json_string(key->words[i]));
        return words ? or_env(json_pack("{s:o}", "enum", words)) : NULL;
    }
    case FW_KEY_TEXTS:
        return text_list();
    case FW_KEY_NUMBERS:
        return json_pack("{s:s,s:o}", "type", "object", "additionalProperties", ref("share"));
    case FW_KEY_FILES:
        return json_pack("{s:s,s:{s:s}}", "type", "object", "additionalProperties", "type",
                         "string");
    case FW_KEY_MAPS:
        return json_pack("{s:s,s:o}", "type", "array", "items", schema_of_keys(key->keys));
    case FW_KEY_MAP:
        return schema_of_keys(key->keys);
    case FW_KEY_OTHER:
        break;
    }
    json_t *own = key->schema ? json_loads(key->schema, 0, NULL) : NULL;
    if (!key->keys) /* one value, with the reader's own schema */
        return own;
    if (own) /* a short form beside the mapping */
        return json_pack("{s:[o,o]}", "anyOf", own, schema_of_keys(key->keys));
    /* names of the user's choice, each with these keys */
    return json_pack("{s:s,s:o}", "type", "object", "additionalProperties",
                     schema_of_keys(key->keys));
}

static json_t *schema_of_keys(const struct fw_key *keys)
{
    json_t *properties = json_object();
    for (; properties && keys->name; keys++) {
        json_t *one = schema_of_key(keys);
        if (one && keys->doc)
            json_object_set_new(one, "description", json_string(keys->doc));
        if (!one || json_object_set_new(properties, keys->name, one) != 0) {
            json_decref(properties);
            return NULL;
        }
    }
    return json_pack("{s:s,s:o,s:b}", "type", "object", "properties", properties,
                     "additionalProperties", 0);
}

char *fw_plan_schema(void)
{
    json_t *root = schema_of_keys(fw_plan_keys);
    json_t *defs =
        json_pack("{s:{s:s,s:s},s:{s:s,s:s},s:{s:s,s:s},s:{s:[{s:s},{s:s,s:s}]}}", /* */
                  "env", "type", "string", "pattern", "\\$\\{",                    /* */
                  "duration", "type", "string", "pattern", "^[0-9.]+(ms|s|m|h|d)$|\\$\\{", "size",
                  "type", "string", "pattern", "^[0-9.]+[KMGT]$|\\$\\{", "share", "anyOf", "type",
                  "number", "type", "string", "pattern", "%$|\\$\\{");
    char *text = NULL;
    if (root && defs &&
        json_object_set_new(root, "$schema",
                            json_string("https://json-schema.org/draft/2020-12/schema")) == 0 &&
        json_object_set_new(root, "title", json_string("flywheel.yaml")) == 0 &&
        json_object_set_new(root, "required", json_pack("[s,s,s]", "flywheel", "name", "stages")) ==
            0 &&
        json_object_set(root, "$defs", defs) == 0)
        text = json_dumps(root, JSON_INDENT(2));
    json_decref(defs);
    json_decref(root);
    return text;
}
