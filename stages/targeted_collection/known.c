#include "stages/targeted_collection/known.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "stages/train/image.h"

struct entry {
    UT_hash_handle hh;
    char text[];
};

struct fw_known {
    struct entry *head;
};

struct fw_known *fw_known_new(void)
{
    return calloc(1, sizeof(struct fw_known));
}

void fw_known_free(struct fw_known *k)
{
    struct entry *e, *next;

    if (!k)
        return;
    HASH_ITER (hh, k->head, e, next) {
        HASH_DEL(k->head, e);
        free(e);
    }
    free(k);
}

bool fw_known_has(const struct fw_known *k, const char *text)
{
    struct entry *e = NULL;

    HASH_FIND_STR(k->head, text, e);
    return e != NULL;
}

int fw_known_add(struct fw_known *k, const char *text, bool *fresh, struct fw_err *err)
{
    bool is_new = !fw_known_has(k, text);

    if (is_new) {
        size_t n = strlen(text) + 1;
        struct entry *e = calloc(1, sizeof *e + n);
        if (!e)
            return fw_err_nomem(err);
        memcpy(e->text, text, n);
        HASH_ADD_KEYPTR(hh, k->head, e->text, n - 1, e);
    }
    if (fresh)
        *fresh = is_new;
    return FW_OK;
}

int fw_content_key(const struct fw_dataset *ds, const struct fw_sample *s, char key[FW_SHA256_HEX],
                   struct fw_err *err)
{
    struct fw_buf bytes = {0};
    int rc = FW_OK;

    if (s->file_name) {
        rc = fw_image_read_file(ds->root, s->file_name, &bytes, err);
        if (rc == FW_OK)
            rc = fw_sha256_bytes(bytes.p ? bytes.p : "", bytes.len, key, err);
    } else if (s->text) {
        rc = fw_sha256_bytes(s->text, strlen(s->text), key, err);
    } else if (s->features) {
        rc = fw_sha256_bytes(s->features, s->n_features * sizeof *s->features, key, err);
    } else {
        rc = fw_err_set(err, FW_EINVAL, "sample '%s' has no content", s->id);
    }
    fw_buf_release(&bytes);
    return rc;
}

static int on_row(void *ctx, const struct fw_row *row, int line, struct fw_err *err)
{
    const char *op = fw_row_str(row, "op"), *id = fw_row_str(row, "id");
    const char *verdict = fw_row_str(row, "verdict");

    (void)line;
    if (!op || !id || !verdict || strcmp(op, "add") != 0)
        return FW_OK;
    if (strcmp(verdict, "rejected") != 0 && strcmp(verdict, "aside") != 0)
        return FW_OK;
    return fw_known_add(ctx, id, NULL, err);
}

int fw_known_add_history(struct fw_known *k, const char *path, struct fw_err *err)
{
    return fw_rows_each(path, on_row, k, err);
}
