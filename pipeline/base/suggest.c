#include "pipeline/base/suggest.h"

#include <ctype.h>
#include <string.h>

enum { LONGEST = 63 };

/* Optimal string alignment: insert, delete, change, or swap neighbours, each 1. */
static int distance(const char *a, size_t n, const char *b, size_t m)
{
    int rows[3][LONGEST + 1];
    int *before = rows[0], *last = rows[1], *now = rows[2];
    for (size_t j = 0; j <= m; j++)
        last[j] = (int)j;
    for (size_t i = 1; i <= n; i++) {
        now[0] = (int)i;
        for (size_t j = 1; j <= m; j++) {
            int ca = tolower((unsigned char)a[i - 1]), cb = tolower((unsigned char)b[j - 1]);
            int d = last[j - 1] + (ca != cb);
            if (last[j] + 1 < d)
                d = last[j] + 1;
            if (now[j - 1] + 1 < d)
                d = now[j - 1] + 1;
            if (i > 1 && j > 1 && ca == tolower((unsigned char)b[j - 2]) &&
                tolower((unsigned char)a[i - 2]) == cb && before[j - 2] + 1 < d)
                d = before[j - 2] + 1;
            now[j] = d;
        }
        int *spare = before;
        before = last;
        last = now;
        now = spare;
    }
    return last[m];
}

const char *fw_suggest(const char *word, const char *const *names, size_t n)
{
    const char *best = NULL;
    size_t len = strlen(word);
    if (len == 0 || len > LONGEST)
        return NULL;
    /* One slip in three letters is a slip; more is another word. */
    int limit = len < 6 ? 1 : (int)(len / 3);
    for (size_t i = 0; i < n; i++) {
        size_t m = strlen(names[i]);
        if (m > LONGEST || m == 0)
            continue;
        int d = distance(word, len, names[i], m);
        if (d <= limit && d < (int)(len > m ? len : m)) {
            best = names[i];
            limit = d - 1;
        }
    }
    return best;
}
