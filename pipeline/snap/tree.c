#include "pipeline/snap/tree.h"

#include <stdlib.h>
#include <string.h>

#include "pipeline/base/fs.h"
#include "pipeline/snap/pack.h"

struct node {
    const char *name;
    size_t len;
    git_oid oid;
    bool is_tree;
};

struct nodes {
    struct node *v;
    size_t n, cap;
};

static bool nodes_add(struct nodes *a, struct node node)
{
    if (a->n == a->cap) {
        size_t cap = a->cap ? a->cap * 2 : 64;
        struct node *v = realloc(a->v, cap * sizeof *v);
        if (!v)
            return false;
        a->v = v;
        a->cap = cap;
    }
    a->v[a->n++] = node;
    return true;
}

/* Git sorts a folder as if its name ended in a slash. */
static int by_git_order(const void *va, const void *vb)
{
    const struct node *a = va, *b = vb;
    size_t n = a->len < b->len ? a->len : b->len;
    int c = memcmp(a->name, b->name, n);
    if (c)
        return c;
    int x = a->len > n ? (unsigned char)a->name[n] : a->is_tree ? '/' : 0;
    int y = b->len > n ? (unsigned char)b->name[n] : b->is_tree ? '/' : 0;
    return x - y;
}

/* Byte order, but with the slash before every other byte: all paths that share a first component
 * are then neighbours, a file of that very name first. */
static int path_order(const char *a, const char *b)
{
    while (*a && *a == *b) {
        a++;
        b++;
    }
    int x = *a == '/' ? 1 : *a ? 1 + (unsigned char)*a : 0;
    int y = *b == '/' ? 1 : *b ? 1 + (unsigned char)*b : 0;
    return x - y;
}

static int by_path(const void *a, const void *b)
{
    return path_order(((const struct fw_change *)a)->path, ((const struct fw_change *)b)->path);
}

static int write_tree(struct fw_pack *pack, struct nodes *nodes, git_oid *out, struct fw_err *err)
{
    struct fw_buf b = {0};
    if (nodes->n)
        qsort(nodes->v, nodes->n, sizeof *nodes->v, by_git_order);
    for (size_t i = 0; i < nodes->n; i++) {
        fw_buf_puts(&b, nodes->v[i].is_tree ? "40000 " : "100644 ");
        fw_buf_add(&b, nodes->v[i].name, nodes->v[i].len);
        fw_buf_putc(&b, '\0');
        fw_buf_add(&b, nodes->v[i].oid.id, sizeof nodes->v[i].oid.id);
    }
    int rc = b.failed ? fw_err_nomem(err)
                      : fw_pack_add(pack, GIT_OBJECT_TREE, b.p ? b.p : "", b.len, out, err);
    fw_buf_release(&b);
    return rc;
}

/* Changes [from, to) share their first `skip` bytes, which end in a slash or are none. */
struct span {
    struct fw_change *v;
    size_t from, to, skip;
};

static bool named(const struct span *s, const char *name)
{
    size_t lo = s->from, hi = s->to, n = strlen(name);
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (path_order(s->v[mid].path + s->skip, name) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo == s->to || strncmp(s->v[lo].path + s->skip, name, n) != 0)
        return false;
    char c = s->v[lo].path[s->skip + n];
    return c == '\0' || c == '/';
}

static int update(struct fw_repo *r, struct fw_pack *pack, git_tree *base, const struct span *s,
                  bool is_root, git_oid *out, bool *empty, struct fw_err *err);

/* One component named by changes [s->from, s->to): a blob, or a folder to go into. */
static int update_one(struct fw_repo *r, struct fw_pack *pack, git_tree *base, struct span *s,
                      size_t len, struct nodes *nodes, struct fw_err *err)
{
    struct fw_change *c = &s->v[s->from];
    struct node node = {.name = c->path + s->skip, .len = len};
    if (c->path[s->skip + len] == '\0') {
        if (s->to - s->from > 1)
            return fw_err_set(err, FW_EINVAL,
                              "'%s' is named both as a file and as a folder, or "
                              "twice",
                              c->path);
        node.oid = c->oid;
        return c->remove || nodes_add(nodes, node) ? FW_OK : fw_err_nomem(err);
    }
    char *name = strndup(node.name, len);
    git_tree *sub = NULL;
    bool empty = false;
    int rc = name ? FW_OK : fw_err_nomem(err);
    const git_tree_entry *old = base && name ? git_tree_entry_byname(base, name) : NULL;
    if (old && git_tree_entry_type(old) == GIT_OBJECT_TREE) {
        int grc = git_tree_lookup(&sub, r->git, git_tree_entry_id(old));
        if (grc != 0)
            rc = fw_git_fail(err, grc, "cannot read folder '%s' of the snapshot", name);
    }
    struct span below = {s->v, s->from, s->to, s->skip + len + 1};
    node.is_tree = true;
    if (rc == FW_OK)
        rc = update(r, pack, sub, &below, false, &node.oid, &empty, err);
    if (rc == FW_OK && !empty && !nodes_add(nodes, node))
        rc = fw_err_nomem(err);
    if (sub)
        git_tree_free(sub);
    free(name);
    return rc;
}

static int update(struct fw_repo *r, struct fw_pack *pack, git_tree *base, const struct span *s,
                  bool is_root, git_oid *out, bool *empty, struct fw_err *err)
{
    struct nodes nodes = {0};
    int rc = FW_OK;
    for (size_t i = 0; base && i < git_tree_entrycount(base) && rc == FW_OK; i++) {
        const git_tree_entry *e = git_tree_entry_byindex(base, i);
        const char *name = git_tree_entry_name(e);
        struct node node = {.name = name, .len = strlen(name), .oid = *git_tree_entry_id(e)};
        node.is_tree = git_tree_entry_type(e) == GIT_OBJECT_TREE;
        if (!named(s, name) && !nodes_add(&nodes, node))
            rc = fw_err_nomem(err);
    }
    for (size_t i = s->from; i < s->to && rc == FW_OK;) {
        const char *name = s->v[i].path + s->skip;
        size_t len = strcspn(name, "/"), to = i + 1;
        while (to < s->to && strncmp(s->v[to].path + s->skip, name, len) == 0 &&
               strcspn(s->v[to].path + s->skip, "/") == len)
            to++;
        struct span one = {s->v, i, to, s->skip};
        rc = update_one(r, pack, base, &one, len, &nodes, err);
        i = to;
    }
    *empty = nodes.n == 0;
    if (rc == FW_OK && (nodes.n || is_root))
        rc = write_tree(pack, &nodes, out, err);
    free(nodes.v);
    return rc;
}

int fw_tree_update(struct fw_repo *r, struct fw_pack *pack, const git_oid *base,
                   struct fw_change *changes, size_t n, git_oid *out, struct fw_err *err)
{
    git_tree *tree = NULL;
    bool empty;
    for (size_t i = 0; i < n; i++)
        if (!fw_fs_rel_is_safe(changes[i].path))
            return fw_err_set(err, FW_EINVAL, "'%.300s' cannot be a path in a snapshot",
                              changes[i].path);
    if (n)
        qsort(changes, n, sizeof *changes, by_path);
    size_t kept = 0; /* two rows may name one file */
    for (size_t i = 0; i < n; i++)
        if (!kept || strcmp(changes[kept - 1].path, changes[i].path) != 0 ||
            !git_oid_equal(&changes[kept - 1].oid, &changes[i].oid))
            changes[kept++] = changes[i];
    n = kept;
    if (base) {
        int grc = git_tree_lookup(&tree, r->git, base);
        if (grc != 0)
            return fw_git_fail(err, grc, "cannot read the snapshot's tree");
    }
    struct span all = {changes, 0, n, 0};
    int rc = update(r, pack, tree, &all, true, out, &empty, err);
    if (tree)
        git_tree_free(tree);
    return rc;
}

int fw_tree_entry(struct fw_repo *r, const git_oid *tree, const char *name, git_object_t type,
                  git_oid *out, struct fw_err *err)
{
    git_tree *t = NULL;
    int grc = git_tree_lookup(&t, r->git, tree);
    if (grc != 0)
        return fw_git_fail(err, grc, "cannot read the snapshot's tree");
    const git_tree_entry *e = git_tree_entry_byname(t, name);
    bool found = e && git_tree_entry_type(e) == type;
    if (found)
        *out = *git_tree_entry_id(e);
    git_tree_free(t);
    return found ? FW_OK : fw_err_set(err, FW_ENOTFOUND, "the snapshot has no '%s'", name);
}

static int load_below(struct fw_repo *r, const git_oid *tree, struct fw_buf *path, int depth,
                      struct fw_files *out, struct fw_err *err)
{
    git_tree *t = NULL;
    int rc = FW_OK, grc = git_tree_lookup(&t, r->git, tree);
    size_t base = path->len;
    if (grc != 0)
        return fw_git_fail(err, grc, "cannot read a folder of the snapshot");
    if (depth > 256)
        rc = fw_err_set(err, FW_ECORRUPT, "folders nested more than 256 deep in the snapshot");
    for (size_t i = 0; i < git_tree_entrycount(t) && rc == FW_OK; i++) {
        const git_tree_entry *e = git_tree_entry_byindex(t, i);
        path->len = base;
        if (base)
            fw_buf_putc(path, '/');
        fw_buf_puts(path, git_tree_entry_name(e));
        if (path->failed) {
            rc = fw_err_nomem(err);
        } else if (git_tree_entry_type(e) == GIT_OBJECT_TREE) {
            rc = load_below(r, git_tree_entry_id(e), path, depth + 1, out, err);
        } else if (git_tree_entry_type(e) != GIT_OBJECT_BLOB ||
                   git_tree_entry_filemode(e) == GIT_FILEMODE_LINK || !fw_fs_rel_is_safe(path->p)) {
            rc =
                fw_err_set(err, FW_ECORRUPT, "'%s' in the snapshot is not a regular file", path->p);
        } else {
            if (out->n == out->cap) {
                size_t cap = out->cap ? out->cap * 2 : 256;
                struct fw_file *v = realloc(out->v, cap * sizeof *v);
                if (!v) {
                    rc = fw_err_nomem(err);
                    break;
                }
                out->v = v;
                out->cap = cap;
            }
            out->v[out->n].path = fw_arena_strdup(&out->arena, path->p);
            out->v[out->n].oid = *git_tree_entry_id(e);
            if (!out->v[out->n++].path)
                rc = fw_err_nomem(err);
        }
    }
    path->len = base;
    git_tree_free(t);
    return rc;
}

static int file_by_path(const void *a, const void *b)
{
    return strcmp(((const struct fw_file *)a)->path, ((const struct fw_file *)b)->path);
}

int fw_files_load(struct fw_repo *r, const git_oid *tree, struct fw_files *out, struct fw_err *err)
{
    struct fw_buf path = {0};
    int rc = load_below(r, tree, &path, 0, out, err);
    fw_buf_release(&path);
    if (rc != FW_OK)
        fw_files_release(out);
    else if (out->n)
        qsort(out->v, out->n, sizeof *out->v, file_by_path);
    return rc;
}

const struct fw_file *fw_files_find(const struct fw_files *files, const char *path)
{
    struct fw_file key = {.path = path};
    return files->n ? bsearch(&key, files->v, files->n, sizeof key, file_by_path) : NULL;
}

bool fw_files_clash(const struct fw_files *files, const char *path)
{
    char part[4100];
    size_t n = strlen(path);
    if (n >= sizeof part - 1)
        return true;
    for (size_t i = 0; i < n; i++) {
        if (path[i] != '/')
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        if (fw_files_find(files, part))
            return true;
    }
    memcpy(part, path, n);
    part[n] = '/';
    part[n + 1] = '\0';
    size_t lo = 0, hi = files->n;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (strcmp(files->v[mid].path, part) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < files->n && strncmp(files->v[lo].path, part, n + 1) == 0;
}

void fw_files_release(struct fw_files *files)
{
    free(files->v);
    fw_arena_release(&files->arena);
    *files = (struct fw_files){0};
}
