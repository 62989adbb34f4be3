/* What people look at, where they can open it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "pipeline/base/fs.h"
#include "pipeline/base/hash.h"
#include "plugins/inbox/inbox.h"

static int is_same(const char *a, const char *b, bool *same, struct fw_err *err)
{
    struct stat x, y;
    char one[FW_SHA256_HEX], other[FW_SHA256_HEX];
    *same = false;
    if (stat(a, &x) != 0)
        return fw_err_sys(err, errno, "cannot read %s", a);
    if (stat(b, &y) != 0)
        return fw_err_sys(err, errno, "cannot read %s", b);
    if (!S_ISREG(y.st_mode) || x.st_size != y.st_size)
        return FW_OK;
    int rc = fw_sha256_file(a, one, err);
    if (rc == FW_OK)
        rc = fw_sha256_file(b, other, err);
    *same = rc == FW_OK && !strcmp(one, other);
    return rc;
}

/* NAME/scan.png, NAME/scan-2.png, ...; malloc'd, NULL when memory is out. */
static char *numbered(const struct inbox *in, const char *base, size_t number)
{
    const char *dot = strrchr(base, '.');
    size_t stem = dot && dot != base ? (size_t)(dot - base) : strlen(base);
    struct fw_buf b = {0};
    fw_buf_printf(&b, "%s-%d-%s/", in->r->run, in->r->iteration, in->r->stage);
    fw_buf_add(&b, base, stem);
    if (number > 1)
        fw_buf_printf(&b, "-%zu", number);
    fw_buf_puts(&b, base + stem);
    return fw_buf_steal(&b);
}

/* Whole or not at all: a copy that was cut short must not be taken for the file. A copy and no
 * link, so that saving it in a viewer cannot change the data. */
static int copy_whole(const char *from, const char *to, struct fw_err *err)
{
    char *folder = strndup(to, (size_t)(fw_fs_base(to) - to) - 1);
    char *part = folder ? fw_fs_join(folder, ".part") : NULL;
    int rc = part ? fw_fs_mkdirs(folder, err) : fw_err_nomem(err);
    if (rc == FW_OK)
        rc = fw_fs_remove(part, err);
    if (rc == FW_OK)
        rc = fw_fs_copy(from, part, err);
    if (rc == FW_OK)
        rc = fw_fs_sync(part, err);
    if (rc == FW_OK)
        rc = fw_fs_rename(part, to, err);
    free(part);
    free(folder);
    return rc;
}

int inbox_content(const struct inbox *in, const struct fw_sample *s, char **out, struct fw_err *err)
{
    if (!s->file_name) {
        *out = strdup(s->text ? s->text : "");
        return *out ? FW_OK : fw_err_nomem(err);
    }
    char *from = fw_fs_join(in->data->root, s->file_name), *rel = NULL;
    int rc = from ? FW_OK : fw_err_nomem(err);
    bool done = false;
    for (size_t number = 1; rc == FW_OK && !done; number++) {
        free(rel);
        rel = numbered(in, fw_fs_base(s->file_name), number);
        char *to = rel ? fw_fs_join(in->dir, rel) : NULL;
        if (!to) {
            rc = fw_err_nomem(err);
        } else if (fw_fs_exists(to)) {
            rc = is_same(from, to, &done, err);
        } else {
            rc = copy_whole(from, to, err);
            done = true;
        }
        free(to);
    }
    free(from);
    if (rc != FW_OK) {
        fw_err_wrap(err, "sample '%s'", s->id);
        free(rel);
        return rc;
    }
    *out = rel;
    return FW_OK;
}
