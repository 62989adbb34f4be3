/*
 * Slices: conditions on a sample's row that name a subset of the data.
 *
 *     shift                             a bare field: each value of it is a slice
 *     class == 'pitted'                 `class` is the label
 *     width < 900 and not (line in ['a', 'b'] or shift == "night")
 *
 *     note is missing or note contains 'scratch'
 *     features[2] >= 0.5                the third number of a list
 *
 *     condition  = and-part { "or" and-part }
 *     and-part   = not-part { "and" not-part }
 *     not-part   = "not" not-part | "(" condition ")" | comparison
 *     comparison = field ( "==" | "!=" | "<" | "<=" | ">" | ">=" ) value
 *                | field [ "not" ] "in" "[" value { "," value } "]"
 *                | field ( "contains" | "starts_with" ) text
 *                | field "is" [ "not" ] "missing"
 *     field      = name [ "[" index "]" ]            index: 0 is the first
 *     value      = number | text | "true" | "false"
 *
 * Names: letters, digits, _ - and . (from the second character on). Texts: 'so' or "so" (no escapes:
 * use the other quote); ordered by bytes. A field is missing when it is absent or null. A comparison is
 * false when the field is missing or of another type than the value (so `not (width < 900)` is true
 * for a row without width, and `width >= 900` is not); an element is missing where there is no list
 * of numbers, or a shorter one.
 */
#ifndef FW_STAGES_SLICE_H
#define FW_STAGES_SLICE_H

#include <stdbool.h>

#include "pipeline/base/rows.h"

struct fw_slice;

/* FW_EINVAL with what is wrong; err->col is the 1-based column in text (bytes), line is 1. */
int fw_slice_parse(const char *text, struct fw_slice **out, struct fw_err *err);
void fw_slice_free(struct fw_slice *s);
/* The field when the text is a bare field name, else NULL. Such a slice matches rows that have the
 * field with a value other than null. */
const char *fw_slice_field(const struct fw_slice *s);
bool fw_slice_match(const struct fw_slice *s, const struct fw_row *row);
/* The name of a field in the row: `class` means `label`. */
const struct fw_field *fw_slice_get(const struct fw_row *row, const char *field);

#endif
