/*
 * Slices: conditions on a sample's row that name a subset of the data.
 *
 *     shift                             a bare field: each value of it is a slice
 *     class == 'pitted'                 `class` is the label
 *     width < 900 and not (line in ['a', 'b'] or shift == "night")
 *
 * Fields: letters, digits, _ - and . (from the second character on), compared with numbers,
 * 'texts' or "texts" (no escapes: use the other quote), true, false. Operators == != < <= > >= and
 * `in [..]`, `not in [..]`; and, or, not, parentheses; `and` binds tighter than `or`. Texts are
 * ordered by bytes. A comparison is false when the field is absent, null, or of another type than
 * the value (so `not (width < 900)` is true for a row without width, and `width >= 900` is not).
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
