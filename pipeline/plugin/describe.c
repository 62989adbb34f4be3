/* What a plugin says of itself, and the digest of what it is. */
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/fs.h"
#include "pipeline/base/hash.h"
#include "pipeline/plugin/plugin.h"

enum { MOST_TEXT = 1 << 20 };

static const char *const types[] = {"string", "number", "integer", "boolean",
                                    "array",  "object", "null"};

static bool is_type_name(const json_t *v)
{
    const char *s = json_string_value(v);
    for (size_t i = 0; s && i < sizeof types / sizeof *types; i++)
        if (!strcmp(types[i], s))
            return true;
    return false;
}

static bool is_type(const json_t *v)
{
    size_t i;
    json_t *one;
    if (!json_is_array(v))
        return is_type_name(v);
    json_array_foreach((json_t *)v, i, one) if (!is_type_name(one)) return false;
    return json_array_size(v) > 0;
}

static bool is_names(const json_t *v)
{
    size_t i;
    json_t *one;
    json_array_foreach((json_t *)v, i, one) if (json_string_length(one) == 0) return false;
    return json_is_array(v);
}

static int bad(struct fw_err *err, const char *key, const char *want)
{
    return fw_err_set(err, FW_EINVAL, "its description is wrong: \"%s\" must be %s", key, want);
}

static int bad_param(struct fw_err *err, const char *param, const char *key, const char *want)
{
    return fw_err_set(err, FW_EINVAL,
                      "its description is wrong: \"%s\" of parameter '%.100s' must be %s", key,
                      param, want);
}

static int check_param(const char *name, const json_t *schema, struct fw_err *err)
{
    const json_t *v;
    if (!json_is_object(schema))
        return fw_err_set(err, FW_EINVAL,
                          "its description is wrong: parameter '%.100s' must be an object like "
                          "{\"type\": \"number\", \"default\": 1}",
                          name);
    if ((v = json_object_get(schema, "type")) && !is_type(v))
        return bad_param(err, name, "type",
                         "string, number, integer, boolean, array, object or null");
    if ((v = json_object_get(schema, "minimum")) && !json_is_number(v))
        return bad_param(err, name, "minimum", "a number");
    if ((v = json_object_get(schema, "maximum")) && !json_is_number(v))
        return bad_param(err, name, "maximum", "a number");
    if ((v = json_object_get(schema, "enum")) && json_array_size(v) == 0)
        return bad_param(err, name, "enum", "a list of values");
    if ((v = json_object_get(schema, "description")) && !json_is_string(v))
        return bad_param(err, name, "description", "text");
    if ((v = json_object_get(schema, "required")) && !json_is_boolean(v))
        return bad_param(err, name, "required", "true or false");
    return FW_OK;
}

static int check_params(const json_t *d, struct fw_err *err)
{
    const json_t *params = json_object_get(d, "params"), *required = json_object_get(d, "required");
    const char *name;
    json_t *schema;
    if (!json_is_object(params))
        return bad(err, "params", "an object: parameter name to schema");
    if (required && !is_names(required))
        return bad(err, "required", "a list of parameter names");
    json_object_foreach((json_t *)params, name, schema)
    {
        int rc = check_param(name, schema, err);
        if (rc != FW_OK)
            return rc;
    }
    return FW_OK;
}

static int check_kind(const json_t *kind, struct fw_err *err)
{
    size_t i;
    json_t *one;
    enum fw_kind ignored;
    if (json_is_string(kind) && fw_kind_parse(json_string_value(kind), &ignored) == FW_OK)
        return FW_OK;
    bool good = json_array_size(kind) > 0;
    json_array_foreach((json_t *)kind, i, one) good &=
        json_is_string(one) && fw_kind_parse(json_string_value(one), &ignored) == FW_OK;
    if (good)
        return FW_OK;
    struct fw_buf names = {0};
    for (int k = 0; k < FW_KINDS; k++)
        fw_buf_printf(&names, "%s%s", k ? ", " : "", fw_kind_name((enum fw_kind)k));
    bad(err, "kind", "one of the kinds below, or a list of them");
    fw_err_hint(err, "kinds are: %s", names.p ? names.p : "");
    fw_buf_release(&names);
    return FW_EINVAL;
}

static int check_protocol(const json_t *d, struct fw_err *err)
{
    const json_t *v = json_object_get(d, "protocol");
    if (!json_is_integer(v))
        return bad(err, "protocol", "the number 1");
    json_int_t protocol = json_integer_value(v);
    if (protocol == FW_PROTOCOL)
        return FW_OK;
    fw_err_set(err, FW_EINVAL, "it speaks protocol %lld; this flywheel speaks protocol %d",
               (long long)protocol, FW_PROTOCOL);
    fw_err_hint(err, protocol > FW_PROTOCOL
                         ? "use a newer flywheel, or an older version of the plugin"
                         : "use a newer version of the plugin");
    return FW_EINVAL;
}

/* Paths of code must stay what they are when the plugin is moved: relative, below its folder. */
static int check_code(const json_t *code, struct fw_err *err)
{
    size_t i;
    json_t *one;
    if (!is_names(code))
        return bad(err, "code", "a list of files beside the plugin");
    json_array_foreach((json_t *)code, i, one) if (
        !fw_fs_rel_is_safe(
            json_string_value(one))) return fw_err_set(err, FW_EINVAL,
                                                       "its description is wrong: \"code\" names "
                                                       "'%.200s', which is not a "
                                                       "path below the plugin's folder",
                                                       json_string_value(one));
    return FW_OK;
}

static int check_all(const json_t *d, struct fw_err *err)
{
    int rc = check_protocol(d, err);
    if (rc == FW_OK && json_string_length(json_object_get(d, "name")) == 0)
        rc = bad(err, "name", "text");
    if (rc == FW_OK && json_string_length(json_object_get(d, "version")) == 0)
        rc = bad(err, "version", "text like \"1.0\"");
    if (rc == FW_OK)
        rc = check_kind(json_object_get(d, "kind"), err);
    if (rc == FW_OK && !is_names(json_object_get(d, "inputs")))
        rc = bad(err, "inputs", "a list of names");
    if (rc == FW_OK && !is_names(json_object_get(d, "outputs")))
        rc = bad(err, "outputs", "a list of names");
    if (rc == FW_OK)
        rc = check_params(d, err);
    if (rc == FW_OK && !json_is_boolean(json_object_get(d, "deterministic")))
        rc = bad(err, "deterministic", "true or false");
    if (rc == FW_OK && !json_is_boolean(json_object_get(d, "network")))
        rc = bad(err, "network", "true or false");
    if (rc == FW_OK)
        rc = check_code(json_object_get(d, "code"), err);
    return rc;
}

/* What is not there is filled in; a value that is there is never replaced. */
static int fill_in(json_t *d)
{
    json_t *defaults = json_pack("{s:[],s:[],s:{},s:b,s:b,s:[]}", "inputs", "outputs", "params",
                                 "deterministic", 1, "network", 0, "code");
    int rc = defaults ? json_object_update_missing(d, defaults) : -1;
    json_decref(defaults);
    return rc;
}

int fw_plugin_parse_describe(const char *text, size_t n, json_t **out, struct fw_err *err)
{
    json_error_t why;
    if (n > MOST_TEXT)
        return fw_err_set(err, FW_EINVAL, "its description is longer than 1 MiB");
    json_t *d = json_loadb(text, n, JSON_REJECT_DUPLICATES, &why);
    if (!json_is_object(d)) {
        struct fw_buf line = {0};
        size_t first = 0;
        while (first < n && text[first] && strchr(" \t\r\n", text[first]))
            first++;
        for (size_t i = first; i < n && i < first + 60 && text[i] != '\n'; i++)
            fw_buf_putc(&line, text[i] < 32 || text[i] >= 127 ? '?' : text[i]);
        if (line.len == 0)
            fw_err_set(err, FW_EINVAL, "it printed nothing for `describe`");
        else
            fw_err_set(err, FW_EINVAL,
                       "what it printed for `describe` is not a JSON object: '%s'%s%s", line.p,
                       d ? "" : ", ", d ? "" : why.text);
        fw_err_hint(err, "print one object like {\"protocol\": 1, \"name\": \"mine\", \"version\": "
                         "\"1\", \"kind\": \"train\"}");
        fw_buf_release(&line);
        json_decref(d);
        return FW_EINVAL;
    }
    int rc = fill_in(d) == 0 ? check_all(d, err) : fw_err_nomem(err);
    if (rc == FW_OK)
        *out = d;
    else
        json_decref(d);
    return rc;
}

bool fw_plugin_has_kind(const json_t *describe, enum fw_kind kind)
{
    const json_t *kinds = json_object_get(describe, "kind");
    const char *name = fw_kind_name(kind);
    size_t i;
    json_t *one;
    if (json_is_string(kinds))
        return !strcmp(json_string_value(kinds), name);
    json_array_foreach((json_t *)kinds, i,
                       one) if (json_is_string(one) &&
                                !strcmp(json_string_value(one), name)) return true;
    return false;
}

int fw_plugin_digest(const char *path, const json_t *describe, char hex[65], struct fw_err *err)
{
    char one[FW_SHA256_HEX];
    struct fw_sha256 h;
    const json_t *code = json_object_get(describe, "code");
    size_t i;
    json_t *item;
    char *dir = strndup(path, (size_t)(fw_fs_base(path) - path));
    int rc = dir ? fw_sha256_file(path, one, err) : fw_err_nomem(err);
    fw_sha256_init(&h);
    fw_sha256_add_str(&h, "flywheel plugin 1");
    fw_sha256_add_str(&h, rc == FW_OK ? one : "");
    for (int k = 0; k < 2; k++) {
        const char *text = json_string_value(json_object_get(describe, k ? "version" : "name"));
        fw_sha256_add_str(&h, text ? text : "");
    }
    json_array_foreach((json_t *)code, i, item)
    {
        const char *rel = json_string_value(item);
        char *full = rc == FW_OK && rel ? fw_fs_join(dir[0] ? dir : ".", rel) : NULL;
        if (rc == FW_OK)
            rc = full ? fw_sha256_tree(full, one, err) : fw_err_nomem(err);
        free(full);
        if (rc != FW_OK)
            break;
        fw_sha256_add_str(&h, rel);
        fw_sha256_add_str(&h, one);
    }
    if (rc != FW_OK)
        fw_err_wrap(err, "plugin %s", path);
    free(dir);
    char sum[FW_SHA256_HEX];
    int fin = fw_sha256_final(&h, sum, rc == FW_OK ? err : NULL);
    rc = rc == FW_OK ? fin : rc;
    if (rc == FW_OK)
        memcpy(hex, sum, sizeof sum);
    return rc;
}
