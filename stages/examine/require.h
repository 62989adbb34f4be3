/*
 * Requirements on what was measured, for a command that a CI job runs:
 *
 *     macro_f1 >= 0.9       label_issues <= 2%       recall:spam where region == 'south' > 0.8
 *
 * A figure, perhaps on a slice (stages/error_analysis/slice.h), an operator, a number or a percentage. Pure.
 */
#ifndef FW_EXAMINE_REQUIRE_H
#define FW_EXAMINE_REQUIRE_H

#include <stdbool.h>

#include "pipeline/base/err.h"

enum fw_require_op { FW_AT_LEAST, FW_AT_MOST, FW_MORE_THAN, FW_LESS_THAN };

struct fw_require {
    char name[256];   /* the figure */
    char slice[1024]; /* the condition behind "where"; "" = all */
    enum fw_require_op op;
    double bound;
};

/* FW_EINVAL with what is wrong; the condition is not looked at. */
int fw_require_parse(const char *text, struct fw_require *out, struct fw_err *err);
/* False also when the value is NaN: what could not be measured does not hold. */
bool fw_require_holds(const struct fw_require *r, double value);

#endif
