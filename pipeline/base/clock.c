#include "pipeline/base/clock.h"

#include <stdlib.h>
#include <time.h>

int64_t fw_clock_now(void)
{
    const char *epoch = getenv("SOURCE_DATE_EPOCH");
    char *end;
    if (epoch && *epoch) {
        long long v = strtoll(epoch, &end, 10);
        if (*end == '\0' && v >= 0)
            return v;
    }
    return time(NULL);
}

int64_t fw_clock_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void fw_clock_iso(int64_t seconds, char out[FW_ISO_LEN])
{
    time_t t = (time_t)seconds;
    struct tm tm;
    if (!gmtime_r(&t, &tm) || strftime(out, FW_ISO_LEN, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        out[0] = '\0';
}
