#include "pipeline/snap/content.h"

#include <stdlib.h>
#include <string.h>

#include "pipeline/base/hash.h"
#include "stages/quality/normalise.h"

static unsigned nibble(char c)
{
    return c <= '9' ? (unsigned)(c - '0') : (unsigned)(c - 'a' + 10);
}

static int key_final(struct fw_sha256 *h, unsigned char key[FW_KEY], struct fw_err *err)
{
    char hex[FW_SHA256_HEX];
    int rc = fw_sha256_final(h, hex, err);
    for (int i = 0; rc == FW_OK && i < FW_KEY; i++)
        key[i] = (unsigned char)(nibble(hex[2 * i]) << 4 | nibble(hex[2 * i + 1]));
    return rc;
}

static int add_text(struct fw_sha256 *h, const struct fw_field *f, struct fw_content *c,
                    struct fw_err *err)
{
    struct fw_buf b = {0};
    struct fw_sha256 near;
    fw_text_normalise(f->str, f->str_len, false, &b);
    fw_sha256_add(h, "t", 1);
    fw_sha256_add_str(h, b.p ? b.p : "");
    fw_buf_clear(&b);
    fw_text_normalise(f->str, f->str_len, true, &b);
    int rc = b.failed ? fw_err_nomem(err) : FW_OK;
    if (rc == FW_OK && b.len) {
        fw_sha256_init(&near);
        fw_sha256_add(&near, b.p, b.len);
        rc = key_final(&near, c->near, err);
        c->has_near = true;
    }
    fw_buf_release(&b);
    return rc;
}

static int add_features(struct fw_sha256 *h, const struct fw_field *f, struct fw_content *c,
                        struct fw_err *err)
{
    double *v = NULL;
    int rc = fw_field_numbers(f, &v, &c->n_features, err);
    if (rc != FW_OK) {
        fw_err_wrap(err, "features");
        return rc;
    }
    for (size_t i = 0; i < c->n_features; i++)
        v[i] += 0.0; /* -0 and 0 are one value */
    fw_sha256_add(h, "x", 1);
    fw_sha256_add(h, v, c->n_features * sizeof *v);
    free(v);
    return FW_OK;
}

int fw_content_of(const struct fw_row *row, const git_oid *file, struct fw_content *out,
                  struct fw_err *err)
{
    const struct fw_field *text = fw_row_get(row, "text");
    const struct fw_field *features = fw_row_get(row, "features");
    const char *sha = fw_row_str(row, "sha256");
    struct fw_content c = {0};
    struct fw_sha256 h;
    int rc = FW_OK;
    if (text && text->type != FW_STRING && text->type != FW_NULL)
        return fw_err_set(err, FW_EINVAL, "text is not a text");
    fw_sha256_init(&h);
    if (file) {
        c.has |= FW_HAS_FILE;
        fw_sha256_add(&h, "f", 1);
        fw_sha256_add(&h, file->id, sizeof file->id);
    }
    if (text && text->type == FW_STRING && text->str_len) {
        c.has |= FW_HAS_TEXT;
        rc = add_text(&h, text, &c, err);
    }
    if (rc == FW_OK && features && features->type != FW_NULL) {
        rc = add_features(&h, features, &c, err);
        c.has |= c.n_features ? FW_HAS_FEATURES : 0;
    }
    if (rc == FW_OK && fw_row_str(row, "uri") && sha) {
        c.has |= FW_HAS_URI;
        fw_sha256_add(&h, "u", 1);
        fw_sha256_add_str(&h, sha);
    }
    if (c.has != FW_HAS_TEXT)
        c.has_near = false;
    int fin = key_final(&h, c.key, rc == FW_OK ? err : NULL);
    rc = rc == FW_OK ? fin : rc;
    if (rc == FW_OK)
        *out = c;
    return rc;
}

uint64_t fw_key_number(const unsigned char key[FW_KEY], uint64_t seed)
{
    return fw_hash64(key, FW_KEY, seed);
}

void fw_edits_set(struct fw_edits *e, const struct fw_row *row, const char *key, const char *json,
                  size_t n)
{
    const struct fw_field *f = fw_row_get(row, key);
    struct fw_edit *edit = &e->v[e->n];
    struct fw_buf *b = &e->text[e->n++];
    if (f) {
        *edit = (struct fw_edit){.at = (size_t)(f->raw - row->line), .del = f->raw_len};
        fw_buf_add(b, json, n);
        return;
    }
    bool first = !strcmp(key, "id");
    if (!first && row->n)
        fw_buf_putc(b, ',');
    fw_buf_json_str(b, key, strlen(key));
    fw_buf_putc(b, ':');
    fw_buf_add(b, json, n);
    if (first && row->n)
        fw_buf_putc(b, ',');
    const char *brace =
        first ? memchr(row->line, '{', row->line_len) : memrchr(row->line, '}', row->line_len);
    *edit = (struct fw_edit){.at = (size_t)(brace - row->line) + (first ? 1 : 0)};
}

bool fw_edits_apply(struct fw_edits *e, const struct fw_row *row, struct fw_buf *out)
{
    size_t at = 0;
    bool done[8] = {false};
    for (size_t k = 0; k < e->n; k++) {
        size_t next = e->n; /* the first not done; those at one place keep their order */
        for (size_t i = 0; i < e->n; i++)
            if (!done[i] && (next == e->n || e->v[i].at < e->v[next].at))
                next = i;
        done[next] = true;
        fw_buf_add(out, row->line + at, e->v[next].at - at);
        fw_buf_add(out, e->text[next].p ? e->text[next].p : "", e->text[next].len);
        out->failed = out->failed || e->text[next].failed;
        at = e->v[next].at + e->v[next].del;
    }
    fw_buf_add(out, row->line + at, row->line_len - at);
    for (size_t i = 0; i < e->n; i++)
        fw_buf_release(&e->text[i]);
    e->n = 0;
    return !out->failed;
}
