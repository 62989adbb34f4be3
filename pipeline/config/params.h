/*
 * The parameters of a plugin, checked against what it says of itself. Pure.
 *
 * `describe` has "params": an object name → schema, a subset of JSON Schema: type (string, number,
 * integer, boolean, array, object, null, or a list of these), default, minimum, maximum, enum,
 * items (with type), description, and required: either true inside a parameter's schema or a list
 * of names in `describe` itself.
 */
#ifndef FW_CONFIG_PARAMS_H
#define FW_CONFIG_PARAMS_H

#include <jansson.h>

/* param: its name (NULL: the whole); hint may be "". */
typedef void fw_param_problem_fn(void *ctx, const char *param, const char *message,
                                 const char *hint);

/* Reports each problem through fn and returns their number; with 0, *out is a new object: the
 * parameters in their normal form (a number is a real, an integer is an integer) with defaults
 * filled in. params may be NULL. Returns a negative fw_code when memory is out. */
int fw_params_check(const json_t *describe, const json_t *params, json_t **out,
                    fw_param_problem_fn *fn, void *ctx);

#endif
