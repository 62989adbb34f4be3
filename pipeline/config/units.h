/* Durations, sizes and shares as they are written in flywheel.yaml: one spelling each. Pure. */
#ifndef FW_CONFIG_UNITS_H
#define FW_CONFIG_UNITS_H

#include <stdbool.h>
#include <stdint.h>

/* "500ms" "90s" "30m" "8h" "2d", "1.5h". Milliseconds. False when it is not one. */
bool fw_duration_parse(const char *text, int64_t *ms);
/* "1K" "512M" "2G" "1T", "1.5G": powers of 1024. Bytes. */
bool fw_size_parse(const char *text, uint64_t *bytes);
/* A decimal number: "3", "-0.5", "1e-3"; no hexadecimal, NaN or infinity. */
bool fw_number_parse(const char *text, double *value);
/* A number, or a percentage: "5%" is 0.05. */
bool fw_share_parse(const char *text, double *value);
/* A decimal whole number. */
bool fw_integer_parse(const char *text, int64_t *value);

#endif
