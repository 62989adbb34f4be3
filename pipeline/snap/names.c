#include "pipeline/snap/names.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "pipeline/base/fs.h"

/* Does a component begin with ".git" or "git~", once the bytes that some file systems ignore (all
 * that is not ASCII, to be on the safe side) are left out? `git fsck` refuses such trees, and a
 * checkout of one could write into .git. */
static bool gitlike(const char *p, size_t n)
{
    char head[5] = "";
    size_t k = 0;
    for (size_t i = 0; i < n && k < 4; i++)
        if ((unsigned char)p[i] < 0x80)
            head[k++] = (char)tolower((unsigned char)p[i]);
    return !strcmp(head, ".git") || !strcmp(head, "git~");
}

int fw_name_check(const char *name, struct fw_err *err)
{
    static const char *const own[] = {"samples.jsonl", "GUIDELINES.md"};
    if (!fw_fs_rel_is_safe(name)) {
        fw_err_set(err, FW_EINVAL, "file_name '%.300s' leaves the dataset", name);
        return fw_err_hint(err, "a file_name is relative to the dataset's folder, without '..'");
    }
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (!strcasecmp(name, own[i]))
            return fw_err_set(err, FW_EINVAL,
                              "file_name '%s' is the name of one of the dataset's "
                              "own files",
                              name);
    for (const char *p = name; *p;) {
        size_t n = strcspn(p, "/\\");
        if (gitlike(p, n))
            return fw_err_set(err, FW_EINVAL, "file_name '%.300s' has a part that git reserves",
                              name);
        p += n + (p[n] != '\0');
    }
    return FW_OK;
}
