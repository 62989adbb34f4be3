#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pipeline/base/fs.h"
#include "pipeline/base/suggest.h"
#include "pipeline/plugin/plugin.h"

enum { MOST_DIRS = 64 };

struct dirs {
    char *v[MOST_DIRS];
    size_t n;
    bool failed;
};

static void dirs_add(struct dirs *d, char *path)
{
    if (!path || d->n == MOST_DIRS) {
        d->failed |= !path;
        free(path);
        return;
    }
    d->v[d->n++] = path;
}

static void dirs_release(struct dirs *d)
{
    for (size_t i = 0; i < d->n; i++)
        free(d->v[i]);
}

/* root without links in what is above it, so that paths stay right when the folder is left. */
static char *absolute(const char *root)
{
    return realpath(root, NULL);
}

static void dirs_make(struct dirs *d, const char *root)
{
    char exe[PATH_MAX];
    dirs_add(d, fw_fs_join(root, "plugins"));
    const char *path = getenv("FLYWHEEL_PLUGIN_PATH");
    while (path && *path) {
        size_t n = strcspn(path, ":");
        char *dir = n ? strndup(path, n) : NULL;
        if (n)
            dirs_add(d, dir ? fw_fs_join(root, dir) : NULL);
        free(dir);
        path += n + (path[n] == ':');
    }
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    if (n <= 0)
        return;
    exe[n] = '\0';
    char *slash = strrchr(exe, '/');
    *slash = '\0';
    dirs_add(d, fw_fs_join(exe, "plugins"));
    if ((slash = strrchr(exe, '/'))) {
        *slash = '\0';
        dirs_add(d, fw_fs_join(exe, "lib/flywheel/plugins"));
    }
}

/* DIR/NAME, or DIR/NAME/NAME when that is a folder; NULL when neither is there. */
static char *candidate(const char *dir, const char *name)
{
    char *path = fw_fs_join(dir, name);
    if (path && fw_fs_is_dir(path)) {
        char *inner = fw_fs_join(path, fw_fs_base(name));
        free(path);
        path = inner;
    }
    if (path && (!fw_fs_exists(path) || fw_fs_is_dir(path))) {
        free(path);
        return NULL;
    }
    return path;
}

static int check(char *found, const char *name, char **path, struct fw_err *err)
{
    if (!fw_fs_is_executable(found)) {
        fw_err_set(err, FW_EINVAL, "plugin '%s' is not executable: %s", name, found);
        fw_err_hint(err, "chmod +x %s", found);
        free(found);
        return FW_EINVAL;
    }
    *path = found;
    return FW_OK;
}

static void hint_near(const char *root, const char *name, struct fw_err *err)
{
    json_t *list = fw_plugin_list(root), *one;
    const char **names = calloc(json_array_size(list) + 1, sizeof *names);
    struct fw_buf all = {0};
    size_t i;
    json_array_foreach (list, i, one) {
        const char *other = json_string_value(json_object_get(one, "name"));
        if (names)
            names[i] = other;
        fw_buf_printf(&all, "%s%s", i ? ", " : "", other);
    }
    const char *near = names ? fw_suggest(name, names, json_array_size(list)) : NULL;
    if (near)
        fw_err_hint(err, "did you mean '%s'?", near);
    else if (all.len)
        fw_err_hint(err, "there are: %s; one of your own is named by its path, with a '/'", all.p);
    else
        fw_err_hint(err, "put it into plugins/%s, or name it by its path, with a '/'", name);
    fw_buf_release(&all);
    free(names);
    json_decref(list);
}

static int find_by_path(const char *root, const char *name, char **path, struct fw_err *err)
{
    const char *rel = name;
    while (rel[0] == '.' && rel[1] == '/')
        rel += 2 + strspn(rel + 2, "/");
    char *found = candidate(root, rel), *dir = fw_fs_join(root, rel);
    int rc;
    if (!dir)
        rc = fw_err_nomem(err);
    else if (found)
        rc = check(found, name, path, err);
    else if (fw_fs_is_dir(dir))
        rc = fw_err_set(err, FW_ENOTFOUND, "plugin '%s' is a folder without a program '%s' in it",
                        name, fw_fs_base(rel));
    else
        rc = fw_err_set(err, FW_ENOTFOUND, "plugin '%s' does not exist: %s", name, dir);
    free(dir);
    return rc;
}

int fw_plugin_find(const char *root, const char *name, char **path, struct fw_err *err)
{
    if (!name[0] || !strcmp(name, ".") || !strcmp(name, ".."))
        return fw_err_set(err, FW_EINVAL, "'%s' is no name of a plugin", name);
    char *abs = absolute(root);
    if (!abs)
        return fw_err_set(err, FW_ENOTFOUND, "the folder %s does not exist", root);
    struct dirs dirs = {0};
    char *found = NULL;
    int rc;
    if (strchr(name, '/')) {
        rc = find_by_path(abs, name, path, err);
        goto out;
    }
    dirs_make(&dirs, abs);
    for (size_t i = 0; i < dirs.n && !found; i++)
        found = candidate(dirs.v[i], name);
    if (found)
        rc = check(found, name, path, err);
    else if (dirs.failed)
        rc = fw_err_nomem(err);
    else {
        rc = fw_err_set(err, FW_ENOTFOUND, "there is no plugin '%s'", name);
        hint_near(abs, name, err);
    }
out:
    dirs_release(&dirs);
    free(abs);
    return rc;
}

/* ---- the list ---- */

static bool is_listed(const json_t *list, const char *name)
{
    size_t i;
    json_t *one;
    json_array_foreach ((json_t *)list, i, one)
        if (!strcmp(json_string_value(json_object_get(one, "name")), name))
            return true;
    return false;
}

static int list_dir(json_t *list, const char *dir)
{
    int rc = 0;
    DIR *d = opendir(dir);
    for (struct dirent *e; d && rc == 0 && (e = readdir(d));) {
        const char *dot = strrchr(e->d_name, '.');
        if (e->d_name[0] == '.' || (dot && !strcmp(dot, ".so")) || is_listed(list, e->d_name))
            continue;
        char *path = candidate(dir, e->d_name);
        if (path && fw_fs_is_executable(path)) {
            json_t *one = json_pack("{s:s,s:s}", "name", e->d_name, "path", path);
            if (one) /* names that are not UTF-8 cannot be written in a flywheel.yaml either */
                rc = json_array_append_new(list, one);
        }
        free(path);
    }
    if (d)
        closedir(d);
    return rc;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(json_string_value(json_object_get(*(json_t *const *)a, "name")),
                  json_string_value(json_object_get(*(json_t *const *)b, "name")));
}

static json_t *sorted(json_t *list)
{
    size_t n = json_array_size(list), i;
    json_t **v = calloc(n + 1, sizeof *v), *out = json_array(), *one;
    if (!v || !out) {
        json_decref(out);
        free(v);
        return list;
    }
    json_array_foreach (list, i, one)
        v[i] = one;
    qsort(v, n, sizeof *v, by_name);
    for (i = 0; i < n; i++)
        json_array_append(out, v[i]);
    free(v);
    json_decref(list);
    return out;
}

json_t *fw_plugin_list(const char *root)
{
    struct dirs dirs = {0};
    json_t *list = json_array();
    char *abs = absolute(root);
    bool failed = !list || !abs;
    if (!failed)
        dirs_make(&dirs, abs);
    failed |= dirs.failed;
    for (size_t i = 0; i < dirs.n && !failed; i++)
        failed = list_dir(list, dirs.v[i]) != 0;
    dirs_release(&dirs);
    free(abs);
    if (failed) {
        json_decref(list);
        return NULL;
    }
    return sorted(list);
}
