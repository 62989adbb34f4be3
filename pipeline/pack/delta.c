#include "pipeline/pack/delta.h"

#include <string.h>

enum {
    COPY_MAX = 0x10000, /* what every reader of packs of version 2 understands */
    INSERT_MAX = 127,
    LOOK_AHEAD = 8 /* lines taken out at one place, at most, that are found at once */
};

struct making {
    struct fw_buf *out;
    const char *source;
    size_t copy_at, copy_n; /* a copy not written yet */
    const char *insert;     /* bytes to put in, not written yet: they lie in the target */
    size_t insert_n;
};

static void put_size(struct fw_buf *out, uint64_t n)
{
    for (; n >= 0x80; n >>= 7)
        fw_buf_putc(out, (char)(n | 0x80));
    fw_buf_putc(out, (char)n);
}

static void flush_insert(struct making *m)
{
    while (m->insert_n) {
        size_t n = m->insert_n < INSERT_MAX ? m->insert_n : INSERT_MAX;
        fw_buf_putc(m->out, (char)n);
        fw_buf_add(m->out, m->insert, n);
        m->insert += n;
        m->insert_n -= n;
    }
}

static void flush_copy(struct making *m)
{
    while (m->copy_n) {
        size_t n = m->copy_n < COPY_MAX ? m->copy_n : COPY_MAX;
        unsigned char op[8], head = 0x80;
        size_t k = 1;
        for (int i = 0; i < 4; i++)
            if (m->copy_at >> (8 * i) & 0xff) {
                op[k++] = (unsigned char)(m->copy_at >> (8 * i));
                head |= (unsigned char)(1 << i);
            }
        for (int i = 0; i < 2 && n != COPY_MAX; i++) /* no size at all is 0x10000 */
            if (n >> (8 * i) & 0xff) {
                op[k++] = (unsigned char)(n >> (8 * i));
                head |= (unsigned char)(0x10 << i);
            }
        op[0] = head;
        fw_buf_add(m->out, op, k);
        m->copy_at += n;
        m->copy_n -= n;
    }
}

static void copy(struct making *m, size_t at, size_t n)
{
    if (!n)
        return;
    flush_insert(m);
    if (m->copy_n && m->copy_at + m->copy_n == at) {
        m->copy_n += n;
        return;
    }
    flush_copy(m);
    m->copy_at = at;
    m->copy_n = n;
}

static void insert(struct making *m, const char *p, size_t n)
{
    if (!n)
        return;
    flush_copy(m);
    if (m->insert_n && m->insert + m->insert_n == p) {
        m->insert_n += n;
        return;
    }
    flush_insert(m);
    m->insert = p;
    m->insert_n = n;
}

/* The length of the line at p, its end included. */
static size_t line(const char *p, size_t n)
{
    const char *nl = n ? memchr(p, '\n', n) : NULL;
    return nl ? (size_t)(nl - p) + 1 : n;
}

static size_t same_head(const char *a, const char *b, size_t n)
{
    size_t i = 0;
    while (i < n && a[i] == b[i])
        i++;
    return i;
}

static size_t same_tail(const char *a, size_t na, const char *b, size_t nb, size_t n)
{
    size_t i = 0;
    while (i < n && a[na - 1 - i] == b[nb - 1 - i])
        i++;
    return i;
}

/* A line of the target that is not the source's at this place: edited, put in, or behind lines taken
 * out. *at moves on in the source. */
static void other_line(struct making *m, size_t n_source, size_t *at, const char *t, size_t n)
{
    size_t skip = *at;
    for (int i = 0; i < LOOK_AHEAD && skip < n_source; i++) {
        size_t k = line(m->source + skip, n_source - skip);
        if (k == n && !memcmp(m->source + skip, t, n)) {
            copy(m, skip, n);
            *at = skip + n;
            return;
        }
        skip += k;
    }
    const char *s = m->source + *at;
    size_t ns = line(s, n_source - *at), short_n = ns < n ? ns : n;
    size_t head = same_head(s, t, short_n);
    size_t tail = same_tail(s, ns, t, n, short_n - head);
    if (head + tail < n / 2) {
        insert(m, t, n);
        return;
    }
    /* a short piece costs as much as a copy of it */
    head = head < 8 ? 0 : head;
    tail = tail < 8 ? 0 : tail;
    copy(m, *at, head);
    insert(m, t + head, n - head - tail);
    copy(m, *at + ns - tail, tail);
    *at += ns;
}

bool fw_delta_make(const char *source, size_t n_source, const char *target, size_t n_target,
                   size_t limit, struct fw_buf *out)
{
    struct making m = {.out = out, .source = source};
    size_t start = out->len, at = 0;
    if (n_source > UINT32_MAX || n_target > UINT32_MAX)
        return false;
    put_size(out, n_source);
    put_size(out, n_target);
    for (size_t t = 0; t < n_target;) {
        size_t n = line(target + t, n_target - t);
        if (n <= n_source - at && !memcmp(source + at, target + t, n) &&
            (target[t + n - 1] == '\n' || n == n_source - at)) {
            copy(&m, at, n);
            at += n;
        } else {
            other_line(&m, n_source, &at, target + t, n);
        }
        t += n;
        if (out->failed || out->len - start + m.insert_n > limit) {
            if (!out->failed)
                out->len = start;
            return false;
        }
    }
    flush_insert(&m);
    flush_copy(&m);
    if (out->failed)
        return false;
    if (out->len - start > limit) {
        out->len = start;
        return false;
    }
    return true;
}

static size_t get_size(const unsigned char *p, size_t n, uint64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < n && i < 9; i++) {
        *out |= (uint64_t)(p[i] & 0x7f) << (7 * i);
        if (!(p[i] & 0x80))
            return i + 1;
    }
    return 0;
}

size_t fw_delta_sizes(const unsigned char *delta, size_t n, uint64_t *source, uint64_t *target)
{
    size_t a = get_size(delta, n, source);
    size_t b = a ? get_size(delta + a, n - a, target) : 0;
    return b ? a + b : 0;
}

/* One copy at d[*at]; false when it is cut off. */
static bool read_copy(const unsigned char *d, size_t n, size_t *at, size_t *from, size_t *len)
{
    unsigned char op = d[(*at)++];
    *from = *len = 0;
    for (int i = 0; i < 7; i++) {
        if (!(op & 1 << i))
            continue;
        if (*at == n)
            return false;
        if (i < 4)
            *from |= (size_t)d[(*at)++] << (8 * i);
        else
            *len |= (size_t)d[(*at)++] << (8 * (i - 4));
    }
    if (!*len)
        *len = COPY_MAX;
    return true;
}

bool fw_delta_apply(const unsigned char *delta, size_t n, const char *source, size_t n_source,
                    char *out, size_t n_target)
{
    uint64_t s, t;
    size_t at = fw_delta_sizes(delta, n, &s, &t), done = 0;
    if (!at || s != n_source || t != n_target)
        return false;
    while (at < n) {
        size_t from, len;
        if (delta[at] & 0x80) {
            if (!read_copy(delta, n, &at, &from, &len) || from > n_source ||
                len > n_source - from || len > n_target - done)
                return false;
            memcpy(out + done, source + from, len);
        } else {
            len = delta[at++];
            if (!len || len > n - at || len > n_target - done)
                return false;
            memcpy(out + done, delta + at, len);
            at += len;
        }
        done += len;
    }
    return done == n_target;
}
