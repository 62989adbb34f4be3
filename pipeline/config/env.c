/* ${VAR} and ${VAR:-default} in scalar values. Nothing else is a language. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/config/tree.h"

enum { EXPANDED_BYTES = 1 << 20 };

/* The place of `needle` (n bytes) in the scalar's own text; the scalar's place when it is not
 * found there, e.g. because it is written with escapes. */
static struct fw_pos find_place(const struct fw_load *l, const struct fw_pos *pos,
                                const char *needle, size_t n)
{
    struct fw_pos found = *pos;
    const struct fw_source *src = &l->sources[pos->source];
    if (pos->line < 1 || (size_t)pos->line > src->n_lines)
        return found;
    const char *s = src->text + src->lines[pos->line - 1], *end = src->text + src->len;
    int line = pos->line, col = 1;
    for (; s + n <= end; s++) {
        if (((unsigned char)*s & 0xc0) == 0x80)
            continue;
        if ((line > pos->line || col >= pos->col) && memcmp(s, needle, n) == 0) {
            found.line = line;
            found.col = col;
            found.width = (int)n;
            return found;
        }
        col++;
        if (*s == '\n') {
            line++;
            col = 1;
        }
    }
    return found;
}

static size_t name_len(const char *s)
{
    size_t n = 0;
    if (!isalpha((unsigned char)s[0]) && s[0] != '_')
        return 0;
    while (isalnum((unsigned char)s[n]) || s[n] == '_')
        n++;
    return n;
}

/* One reference, s at its "${". Returns the byte after its "}", or NULL after a problem. */
static const char *expand_one(struct fw_load *l, const struct fw_tree *v, const char *s,
                              struct fw_buf *out)
{
    size_t n = name_len(s + 2);
    const char *name = s + 2, *rest = name + n;
    const char *close = strchr(s, '}');
    bool has_default = n > 0 && rest[0] == ':' && rest[1] == '-';
    if (!close || n == 0 || (rest != close && !has_default)) {
        struct fw_pos at = find_place(l, &v->pos, s, 2);
        struct fw_err *e = fw_problem(l, &at, "not an environment reference");
        fw_err_hint(e, "write ${NAME} or ${NAME:-default}; a dollar sign of its own is $$");
        return NULL;
    }
    char *key = strndup(name, n);
    if (!key) {
        l->nomem = true;
        return NULL;
    }
    const char *value = getenv(key);
    if (value && (*value || !has_default)) {
        fw_buf_puts(out, value);
    } else if (has_default) {
        fw_buf_add(out, rest + 2, (size_t)(close - rest - 2));
    } else {
        struct fw_pos at = find_place(l, &v->pos, s, (size_t)(close + 1 - s));
        struct fw_err *e =
            fw_problem(l, &at, "the environment variable '%s' is not set", FW_SHOW(key));
        fw_err_hint(e, "set it, or give a default: ${%s:-value}", FW_SHOW(key));
        close = NULL;
    }
    free(key);
    return close ? close + 1 : NULL;
}

const char *fw_env_expand(struct fw_load *l, const struct fw_tree *v)
{
    if (!strchr(v->raw, '$'))
        return v->raw;
    struct fw_buf out = {0};
    const char *result = NULL;
    for (const char *s = v->raw; *s;) {
        if (s[0] == '$' && s[1] == '$') {
            fw_buf_putc(&out, '$');
            s += 2;
        } else if (s[0] == '$' && s[1] == '{') {
            s = expand_one(l, v, s, &out);
            if (!s)
                goto out;
        } else {
            fw_buf_putc(&out, *s++);
        }
        if (out.len > EXPANDED_BYTES) {
            fw_problem(l, &v->pos, "the value is over 1 MiB with its environment variables");
            goto out;
        }
    }
    result = fw_arena_strdup(l->arena, out.p ? out.p : "");
    if (out.failed || !result)
        l->nomem = true;
out:
    fw_buf_release(&out);
    return result;
}
