/* Time. Wall time honours SOURCE_DATE_EPOCH so that a whole run can be replayed to the same ids. */
#ifndef FW_BASE_CLOCK_H
#define FW_BASE_CLOCK_H

#include <stdint.h>

enum { FW_ISO_LEN = 21 }; /* "2026-01-31T09:30:00Z" and the NUL */

int64_t fw_clock_now(void); /* seconds since 1970, or $SOURCE_DATE_EPOCH */
int64_t fw_clock_ms(void);  /* monotonic milliseconds */
void fw_clock_iso(int64_t seconds, char out[FW_ISO_LEN]); /* UTC */

#endif
