#include "pipeline/plugin/scaffold.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pipeline/base/buf.h"
#include "pipeline/base/fs.h"

/* Embedded files: symbol and symbol_len, made by fw_embed() in CMake. */
#define EMBEDDED(symbol)                                                                           \
    extern const unsigned char symbol[];                                                           \
    extern const size_t symbol##_len;
#define EMBEDDED_LANG(lang)                                                                        \
    EMBEDDED(fw_template_##lang##_head)                                                            \
    EMBEDDED(fw_template_##lang##_tail)                                                            \
    EMBEDDED(fw_template_##lang##_train)                                                           \
    EMBEDDED(fw_template_##lang##_error_analysis)                                                  \
    EMBEDDED(fw_template_##lang##_targeted_collection)                                             \
    EMBEDDED(fw_template_##lang##_augment)                                                         \
    EMBEDDED(fw_template_##lang##_relabel)                                                         \
    EMBEDDED(fw_template_##lang##_drift)                                                           \
    EMBEDDED(fw_template_##lang##_custom)
EMBEDDED_LANG(sh)
EMBEDDED_LANG(python)
EMBEDDED_LANG(c)
EMBEDDED(fw_template_c_Makefile)
EMBEDDED(fw_sdk_c)
EMBEDDED(fw_sdk_python)

struct text {
    const unsigned char *p;
    const size_t *len;
};

#define TEXT(symbol)                                                                               \
    {                                                                                              \
        symbol, &symbol##_len                                                                      \
    }
#define LANG(lang)                                                                                 \
    {                                                                                              \
        .head = TEXT(fw_template_##lang##_head), .tail = TEXT(fw_template_##lang##_tail),          \
        .kinds = {                                                                                 \
            [FW_TRAIN] = TEXT(fw_template_##lang##_train),                                         \
            [FW_EVALUATE] = TEXT(fw_template_##lang##_train),                                      \
            [FW_ERROR_ANALYSIS] = TEXT(fw_template_##lang##_error_analysis),                       \
            [FW_TARGETED_COLLECTION] = TEXT(fw_template_##lang##_targeted_collection),             \
            [FW_AUGMENT] = TEXT(fw_template_##lang##_augment),                                     \
            [FW_RELABEL] = TEXT(fw_template_##lang##_relabel),                                     \
            [FW_DRIFT] = TEXT(fw_template_##lang##_drift),                                         \
            [FW_CUSTOM] = TEXT(fw_template_##lang##_custom)                                        \
        }                                                                                          \
    }

static const struct {
    struct text head, tail, kinds[FW_KINDS];
} templates[FW_LANGS] = {
    [FW_LANG_SH] = LANG(sh),
    [FW_LANG_PYTHON] = LANG(python),
    [FW_LANG_C] = LANG(c),
};

static const char *const lang_names[FW_LANGS] = {"sh", "python", "c"};

/* What an sh plugin does in answer to `run`: the lines of its case statement. */
static const char *const sh_cases[FW_KINDS] = {
    [FW_TRAIN] = "    train) train ;;\n    evaluate) evaluate ;;",
    [FW_EVALUATE] = "    train) train ;;\n    evaluate) evaluate ;;",
    [FW_ERROR_ANALYSIS] = "    error-analysis) analyse ;;",
    [FW_TARGETED_COLLECTION] = "    targeted-collection) collect ;;",
    [FW_AUGMENT] = "    augment) augment ;;",
    [FW_RELABEL] = "    relabel) relabel ;;",
    [FW_DRIFT] = "    drift) drift ;;",
    [FW_CUSTOM] = "    custom) count ;;",
};

const char *fw_lang_name(enum fw_lang lang)
{
    return lang_names[lang];
}

int fw_lang_parse(const char *name, enum fw_lang *out)
{
    for (int i = 0; i < FW_LANGS; i++) {
        if (strcmp(name, lang_names[i]) == 0) {
            *out = (enum fw_lang)i;
            return FW_OK;
        }
    }
    return FW_ENOTFOUND;
}

struct words { /* @WORD@ → text */
    const char *word, *text;
};

static void add_filled(struct fw_buf *out, struct text t, const struct words *words)
{
    const char *p = (const char *)t.p, *end = p + *t.len;
    while (p < end) {
        const struct words *w = words;
        while (*p == '@' && w->word && strncmp(p, w->word, strlen(w->word)) != 0)
            w++;
        if (*p == '@' && w->word) {
            fw_buf_puts(out, w->text);
            p += strlen(w->word);
        } else {
            fw_buf_putc(out, *p++);
        }
    }
}

static int write_file(const char *dir, const char *name, const char *suffix,
                      const struct fw_buf *text, mode_t mode, struct fw_err *err)
{
    struct fw_buf path = {0};
    fw_buf_printf(&path, "%s/%s%s", dir, name, suffix);
    int rc = path.failed || text->failed
                 ? fw_err_nomem(err)
                 : fw_fs_write_atomic(path.p, text->p ? text->p : "", text->len, err);
    if (rc == FW_OK && mode && chmod(path.p, mode) != 0)
        rc = fw_err_sys(err, errno, "cannot make %s executable", path.p);
    fw_buf_release(&path);
    return rc;
}

static int write_text(const char *dir, const char *name, struct text t, const struct words *words,
                      struct fw_err *err)
{
    struct fw_buf text = {0};
    add_filled(&text, t, words);
    int rc = write_file(dir, name, "", &text, 0, err);
    fw_buf_release(&text);
    return rc;
}

static int write_all(const char *to, const char *name, enum fw_kind kind, enum fw_lang lang,
                     const struct words *words, struct fw_err *err)
{
    static const struct text sdk_c = TEXT(fw_sdk_c), sdk_python = TEXT(fw_sdk_python),
                             makefile = TEXT(fw_template_c_Makefile);
    static const struct words none[] = {{0}};
    struct fw_buf text = {0};
    mode_t mask = umask(0);
    umask(mask);
    mode_t executable = lang == FW_LANG_C ? 0 : 0777 & ~mask;
    add_filled(&text, templates[lang].head, words);
    add_filled(&text, templates[lang].kinds[kind], words);
    add_filled(&text, templates[lang].tail, words);
    int rc = write_file(to, name, lang == FW_LANG_C ? ".c" : "", &text, executable, err);
    if (rc == FW_OK && lang == FW_LANG_PYTHON)
        rc = write_text(to, "flywheel_plugin.py", sdk_python, none, err);
    if (rc == FW_OK && lang == FW_LANG_C)
        rc = write_text(to, "flywheel_plugin.h", sdk_c, none, err);
    if (rc == FW_OK && lang == FW_LANG_C)
        rc = write_text(to, "Makefile", makefile, words, err);
    fw_buf_clear(&text);
    fw_buf_printf(&text, "%s\n", lang == FW_LANG_C ? name : "__pycache__/");
    if (rc == FW_OK && lang != FW_LANG_SH)
        rc = write_file(to, ".gitignore", "", &text, 0, err);
    fw_buf_release(&text);
    return rc;
}

static int check_name(const char *name, struct fw_err *err)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-");
    if (n > 0 && n <= 64 && !name[n] && name[0] != '-' && name[0] != '_')
        return FW_OK;
    fw_err_set(err, FW_EINVAL, "'%.80s' will not do as a plugin's name", name);
    fw_err_hint(err, "use small letters, digits, - and _, at most 64, a letter or digit first");
    return FW_EINVAL;
}

int fw_scaffold_write(const char *dir, const char *name, enum fw_kind kind, enum fw_lang lang,
                      struct fw_err *err)
{
    struct fw_buf path = {0}, temp = {0}, folder = {0};
    int rc = check_name(name, err);
    if (rc != FW_OK)
        return rc;
    fw_buf_printf(&folder, "%s/%s", dir, name);
    fw_buf_printf(&path, "%s/%s/%s", dir, name, name);
    fw_buf_printf(&temp, "%s/.%s.new-XXXXXX", dir, name);
    if (folder.failed || path.failed || temp.failed) {
        rc = fw_err_nomem(err);
        goto out;
    }
    const struct words words[] = {{"@NAME@", name},
                                  {"@PATH@", path.p},
                                  {"@DIR@", folder.p},
                                  {"@CASES@", sh_cases[kind]},
                                  {0}};
    if (fw_fs_exists(folder.p)) {
        rc = fw_err_set(err, FW_EEXISTS, "%s exists already; nothing was written", folder.p);
        goto out;
    }
    rc = fw_fs_mkdirs(dir, err);
    if (rc != FW_OK)
        goto out;
    if (!mkdtemp(temp.p)) {
        rc = fw_err_sys(err, errno, "cannot make a folder in %s", dir);
        goto out;
    }
    rc = write_all(temp.p, name, kind, lang, words, err);
    if (rc == FW_OK) {
        mode_t mask = umask(0);
        umask(mask);
        if (chmod(temp.p, 0777 & ~mask) != 0 ||
            renameat2(AT_FDCWD, temp.p, AT_FDCWD, folder.p, RENAME_NOREPLACE) != 0)
            rc = errno == EEXIST ? fw_err_set(err, FW_EEXISTS,
                                              "%s exists already; nothing was written", folder.p)
                                 : fw_err_sys(err, errno, "cannot make %s", folder.p);
    }
    if (rc != FW_OK)
        fw_fs_remove(temp.p, NULL);
out:
    fw_buf_release(&folder);
    fw_buf_release(&path);
    fw_buf_release(&temp);
    return rc;
}
