/* A folder per class, optionally below folders named after the splits. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "pipeline/base/arena.h"
#include "pipeline/base/fs.h"
#include "pipeline/snap/snapshot.h"
#include "pipeline/snap/source.h"

struct found_file {
    const char *rel, *label, *split;
};

struct folders {
    const struct fw_import_options *o;
    const struct fw_sink *sink;
    const char *label, *split; /* of the files met now */
    struct fw_arena arena;
    struct found_file *v; /* the files in class folders */
    size_t n, cap;
    size_t images, outside; /* outside: files that are in no class folder */
    char first_outside[256];
};

struct names {
    struct fw_arena arena;
    const char **v;
    size_t n;
};

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names in root/rel but hidden ones, sorted. */
static int list(const char *root, const char *rel, struct names *out, struct fw_err *err)
{
    char *path = fw_fs_join(root, *rel ? rel : ".");
    DIR *d = path ? opendir(path) : NULL;
    int rc = FW_OK;
    size_t cap = 0;
    if (!d) {
        rc = path ? fw_err_sys(err, errno, "cannot read folder %s", path) : fw_err_nomem(err);
        free(path);
        return rc;
    }
    for (struct dirent *e; rc == FW_OK && (e = readdir(d));) {
        if (e->d_name[0] == '.' || !strcmp(e->d_name, "Thumbs.db"))
            continue;
        if (out->n == cap) {
            cap = cap ? cap * 2 : 64;
            const char **v = realloc(out->v, cap * sizeof *v);
            if (!v) {
                rc = fw_err_nomem(err);
                break;
            }
            out->v = v;
        }
        if (!(out->v[out->n++] = fw_arena_strdup(&out->arena, e->d_name)))
            rc = fw_err_nomem(err);
    }
    closedir(d);
    free(path);
    if (rc == FW_OK && out->n)
        qsort(out->v, out->n, sizeof *out->v, by_name);
    return rc;
}

static void names_release(struct names *names)
{
    free(names->v);
    fw_arena_release(&names->arena);
}

static int keep(struct folders *f, const char *rel, struct fw_err *err)
{
    if (f->n == f->cap) {
        size_t cap = f->cap ? f->cap * 2 : 256;
        struct found_file *v = realloc(f->v, cap * sizeof *v);
        if (!v)
            return fw_err_nomem(err);
        f->v = v;
        f->cap = cap;
    }
    struct found_file *file = &f->v[f->n++];
    file->rel = fw_arena_strdup(&f->arena, rel);
    file->label = fw_arena_strdup(&f->arena, f->label);
    file->split = f->split;
    f->images += fw_named_image(rel);
    return file->rel && file->label ? FW_OK : fw_err_nomem(err);
}

static int emit(const struct folders *f, const struct found_file *file, struct fw_err *err)
{
    struct fw_buf row = {0};
    char *path = fw_fs_join(f->o->source, file->rel);
    fw_buf_puts(&row, "{\"file_name\":");
    fw_buf_json_str(&row, file->rel, strlen(file->rel));
    fw_buf_puts(&row, ",\"label\":");
    fw_buf_json_str(&row, file->label, strlen(file->label));
    if (file->split)
        fw_buf_printf(&row, ",\"split\":\"%s\"", file->split);
    fw_buf_puts(&row, "}");
    int rc = row.failed || !path ? fw_err_nomem(err)
                                 : f->sink->row(f->sink->ctx, row.p, row.len, path, 0, err);
    fw_buf_release(&row);
    free(path);
    return rc;
}

/* All files found, as rows. Where most are images, what is none by its name is a note or a
 * program's leftover, not a sample. */
static int emit_all(const struct folders *f, struct fw_err *err)
{
    bool pictures = 2 * f->images > f->n;
    struct fw_buf names = {0};
    size_t left = 0;
    int rc = FW_OK;
    for (size_t i = 0; i < f->n && rc == FW_OK; i++) {
        if (!pictures || fw_named_image(f->v[i].rel))
            rc = emit(f, &f->v[i], err);
        else if (left++ < 3)
            fw_buf_printf(&names, "%s%s", left > 1 ? ", " : "", f->v[i].rel);
    }
    if (rc == FW_OK && left)
        fw_buf_printf(f->sink->warnings,
                      "%zu file%s in class folders left out, not named as images (%s%s)\n", left,
                      left == 1 ? "" : "s", names.p ? names.p : "", left > 3 ? ", …" : "");
    fw_buf_release(&names);
    return rc;
}

enum found { NOTHING, A_FILE, A_FOLDER };

/* What rel is; links count as the file they lead to (whether they leave the folder is checked when
 * the file is read), links to folders and special files are problems. */
static enum found look(struct folders *f, const char *path)
{
    struct stat st, link;
    if (lstat(path, &link) != 0 || stat(path, &st) != 0) {
        fw_sink_problem(f->sink, path, 0, NULL, "cannot be read: %s", strerror(errno));
        return NOTHING;
    }
    if (S_ISREG(st.st_mode))
        return A_FILE;
    if (S_ISDIR(st.st_mode) && !S_ISLNK(link.st_mode))
        return A_FOLDER;
    fw_sink_problem(f->sink, path, 0, NULL,
                    S_ISDIR(st.st_mode) ? "a link to a folder is not followed"
                                        : "neither a regular file nor a folder");
    return NOTHING;
}

static int walk_class(struct folders *f, const char *rel, int depth, struct fw_err *err)
{
    struct names names = {0};
    int rc = list(f->o->source, rel, &names, err);
    for (size_t i = 0; i < names.n && rc == FW_OK; i++) {
        char *below = fw_fs_join(rel, names.v[i]);
        char *path = below ? fw_fs_join(f->o->source, below) : NULL;
        enum found what = path ? look(f, path) : NOTHING;
        if (!path)
            rc = fw_err_nomem(err);
        else if (what == A_FILE)
            rc = keep(f, below, err);
        else if (what == A_FOLDER && depth > 64)
            fw_sink_problem(f->sink, path, 0, NULL, "folders nested too deeply");
        else if (what == A_FOLDER)
            rc = walk_class(f, below, depth + 1, err);
        free(path);
        free(below);
    }
    names_release(&names);
    return rc;
}

static bool class_known(const struct fw_import_options *o, const char *name)
{
    for (size_t i = 0; i < o->n_classes; i++)
        if (!strcmp(o->classes[i], name))
            return true;
    return o->classes == NULL;
}

static int walk_classes(struct folders *f, const char *rel, const struct names *names,
                        struct fw_err *err)
{
    int rc = FW_OK;
    for (size_t i = 0; i < names->n && rc == FW_OK; i++) {
        char *below = *rel ? fw_fs_join(rel, names->v[i]) : strdup(names->v[i]);
        char *path = below ? fw_fs_join(f->o->source, below) : NULL;
        enum found what = path ? look(f, path) : NOTHING;
        f->label = names->v[i];
        if (!path) {
            rc = fw_err_nomem(err);
        } else if (what == A_FILE) {
            if (!f->outside++)
                strncpy(f->first_outside, below, sizeof f->first_outside - 1);
        } else if (what == A_FOLDER && !class_known(f->o, names->v[i])) {
            fw_sink_problem(f->sink, path, 0,
                            "rename the folder, add the class to dataset.classes, or move the "
                            "folder away",
                            "folder '%s' is not one of the classes", names->v[i]);
        } else if (what == A_FOLDER) {
            rc = walk_class(f, below, 0, err);
        }
        free(path);
        free(below);
    }
    return rc;
}

/* Are all folders here named after splits, with at least one of train and dev? */
static bool split_level(const struct fw_import_options *o, const struct names *names)
{
    size_t splits = 0, others = 0;
    for (size_t i = 0; i < names->n; i++) {
        char *path = fw_fs_join(o->source, names->v[i]);
        if (path && fw_fs_is_dir(path))
            *(fw_split_parse(names->v[i]) >= 0 ? &splits : &others) += 1;
        free(path);
    }
    return splits > 0 && others == 0;
}

int fw_source_folders(const struct fw_import_options *o, const struct fw_sink *sink,
                      struct fw_err *err)
{
    struct folders f = {.o = o, .sink = sink};
    struct names top = {0};
    int rc = list(o->source, "", &top, err);
    if (rc == FW_OK && !split_level(o, &top)) {
        rc = walk_classes(&f, "", &top, err);
    } else if (rc == FW_OK) {
        for (size_t i = 0; i < top.n && rc == FW_OK; i++) {
            struct names below = {0};
            int split = fw_split_parse(top.v[i]);
            if (split < 0)
                continue;
            f.split = fw_split_name(split);
            rc = list(o->source, top.v[i], &below, err);
            if (rc == FW_OK)
                rc = walk_classes(&f, top.v[i], &below, err);
            names_release(&below);
        }
    }
    if (rc == FW_OK)
        rc = emit_all(&f, err);
    if (rc == FW_OK && f.outside)
        fw_buf_printf(sink->warnings, "%zu file%s in no class folder left out (%s%s)\n", f.outside,
                      f.outside == 1 ? "" : "s", f.first_outside, f.outside > 1 ? ", …" : "");
    if (rc == FW_OK && !f.n && !f.outside)
        fw_sink_problem(sink, o->source, 0,
                        "give it a samples.jsonl, a metadata.csv, or one folder per class",
                        "the folder has no samples");
    else if (rc == FW_OK && !f.n)
        fw_sink_problem(sink, o->source, 0,
                        "put each file into a folder named after its class, or write a "
                        "samples.jsonl or metadata.csv beside them",
                        "the folder has files but neither a list of samples nor class folders");
    names_release(&top);
    free(f.v);
    fw_arena_release(&f.arena);
    return rc;
}
