#include "pipeline/snap/repo.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pipeline/base/fs.h"
#include "pipeline/snap/pack.h"
#include "pipeline/snap/tree.h"

static int code_of(int rc, const git_error *e)
{
    switch (rc) {
    case GIT_ENOTFOUND:
        return FW_ENOTFOUND;
    case GIT_EEXISTS:
    case GIT_EMODIFIED:
        return FW_EREFUSED;
    case GIT_EMISMATCH:
        return FW_ECORRUPT;
    case GIT_ELOCKED:
        return FW_EBUSY;
    case GIT_EAMBIGUOUS:
    case GIT_EINVALIDSPEC:
    case GIT_EPEEL:
        return FW_EINVAL;
    default:
        break;
    }
    if (e && e->klass == GIT_ERROR_NOMEMORY)
        return FW_ENOMEM;
    if (e && (e->klass == GIT_ERROR_ZLIB || e->klass == GIT_ERROR_OBJECT))
        return FW_ECORRUPT;
    return FW_EIO;
}

int fw_git_fail(struct fw_err *err, int rc, const char *fmt, ...)
{
    char what[700];
    const git_error *e = git_error_last();
    const char *why = e && e->message ? e->message : "no reason given";
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    int code = code_of(rc, e);
    fw_err_set(err, code, "%s: %s", what, why);
    if (code == FW_ECORRUPT)
        fw_err_hint(err, "run `git fsck --full`; fetch the lost objects from a clone or a backup");
    else if (code == FW_EBUSY)
        fw_err_hint(err, "another program holds a lock file in .git; wait for it, or remove the "
                         "*.lock file that a dead one left");
    else if (strstr(why, strerror(ENOSPC)) || strstr(why, strerror(EDQUOT)))
        fw_err_hint(err, "free some disk space, then run `flywheel resume`; nothing is lost");
    else if (strstr(why, strerror(EROFS)) || strstr(why, strerror(EACCES)))
        fw_err_hint(err, "make the repository's .git folder writable for this user");
    git_error_clear();
    return code;
}

int fw_oid_parse(const char *hex, git_oid *out, struct fw_err *err)
{
    if (!hex || strlen(hex) != FW_OID_HEX - 1 || git_oid_fromstr(out, hex) != 0)
        return fw_err_set(err, FW_EINVAL, "'%.80s' is not a full commit id", hex ? hex : "");
    return FW_OK;
}

void fw_oid_hex(const git_oid *oid, char hex[FW_OID_HEX])
{
    git_oid_tostr(hex, FW_OID_HEX, oid);
}

int fw_object_read(struct fw_repo *r, const git_oid *oid, git_object_t type, git_odb_object **out,
                   struct fw_err *err)
{
    char hex[FW_OID_HEX];
    git_odb_object *o = NULL;
    fw_oid_hex(oid, hex);
    int rc = git_odb_read(&o, r->odb, oid);
    /* a pack that git put away while it was looked for */
    if (rc != 0 && git_odb_refresh(r->odb) == 0)
        rc = git_odb_read(&o, r->odb, oid);
    if (rc == GIT_ENOTFOUND) {
        fw_err_set(err, FW_ECORRUPT, "object %s is missing from the repository", hex);
        return fw_err_hint(err, "run `git fsck --full`; fetch it from a clone or a backup");
    }
    if (rc != 0)
        return fw_git_fail(err, rc, "cannot read object %s", hex);
    if (git_odb_object_type(o) != type) {
        git_odb_object_free(o);
        return fw_err_set(err, FW_ECORRUPT, "object %s is not of the kind it should be", hex);
    }
    *out = o;
    return FW_OK;
}

/* Why a repository could not be opened, in the user's words. */
static int open_failed(int rc, const char *path, struct fw_err *err)
{
    if (rc == GIT_ENOTFOUND) {
        fw_err_set(err, FW_EINVAL, "%s is not in a git repository", path);
        return fw_err_hint(err, "run `git init` there (or `flywheel init`)");
    }
    if (rc == GIT_EOWNER) {
        fw_err_set(err, FW_EINVAL, "the git repository of %s belongs to another user", path);
        return fw_err_hint(err, "git config --global --add safe.directory %s", path);
    }
    const git_error *e = git_error_last();
    if (e && e->message && strstr(e->message, "objectformat")) {
        fw_err_set(err, FW_EINVAL, "the git repository of %s uses SHA-256 object ids", path);
        return fw_err_hint(err,
                           "use a repository made with `git init --object-format=sha1`; name it "
                           "with dataset.repo");
    }
    fw_git_fail(err, rc, "cannot open the git repository of %s", path);
    return err ? err->code : FW_EIO;
}

/* Who commits: the user's git identity, or flywheel itself where there is none (CI). */
static int identity(struct fw_repo *r, struct fw_err *err)
{
    const char *name = NULL, *email = NULL;
    git_config *config = NULL;
    int rc = git_repository_config_snapshot(&config, r->git);
    if (rc != 0)
        return fw_git_fail(err, rc, "cannot read the git configuration");
    git_config_get_string(&name, config, "user.name");
    git_config_get_string(&email, config, "user.email");
    r->name = strdup(name && *name ? name : "flywheel");
    r->email = strdup(email && *email ? email : "flywheel@localhost");
    git_config_free(config);
    git_error_clear();
    if (!r->name || !r->email)
        return fw_err_nomem(err);
    for (char *p = r->name; *p; p++)
        if (strchr("<>\n\r", *p))
            *p = ' ';
    for (char *p = r->email; *p; p++)
        if (strchr("<>\n\r ", *p))
            *p = '_';
    return FW_OK;
}

int fw_repo_open(const char *root, const char *repo, const char *state_dir, struct fw_repo **out,
                 struct fw_err *err)
{
    int rc = fw_git2_load(err);
    if (rc != FW_OK)
        return rc;
    struct fw_repo *r = calloc(1, sizeof *r);
    if (!r || !(r->state_dir = strdup(state_dir))) {
        free(r);
        return fw_err_nomem(err);
    }
    /* a repository that was named is opened there and not looked for further up */
    const char *path = repo ? repo : root;
    int grc =
        git_repository_open_ext(&r->git, path, repo ? GIT_REPOSITORY_OPEN_NO_SEARCH : 0, NULL);
    if (grc != 0) {
        rc = open_failed(grc, path, err);
        goto out;
    }
    if (!repo && git_repository_is_bare(r->git)) {
        rc = fw_err_set(err, FW_EINVAL, "%s is in a bare git repository (%s)", root,
                        git_repository_path(r->git));
        fw_err_hint(err, "a bare repository is used only when it is named: set dataset.repo to it");
        goto out;
    }
    if ((grc = git_repository_odb(&r->odb, r->git)) != 0) {
        rc = fw_git_fail(err, grc, "cannot open the objects of %s", path);
        goto out;
    }
    rc = identity(r, err);
    if (rc == FW_OK)
        rc = fw_repo_objects_open(r, err);
out:
    if (rc == FW_OK)
        *out = r;
    else
        fw_repo_close(r);
    return rc;
}

void fw_repo_close(struct fw_repo *r)
{
    if (!r)
        return;
    fw_repo_objects_close(r);
    if (r->odb)
        git_odb_free(r->odb);
    if (r->git)
        git_repository_free(r->git);
    free(r->state_dir);
    free(r->name);
    free(r->email);
    free(r);
}

int fw_branch_ref(const char *name, char **out, struct fw_err *err)
{
    struct fw_buf b = {0};
    /* the rules of git-check-ref-format that a single component can break */
    bool ok = *name && *name != '.' && *name != '-' && !strstr(name, "..") && !strstr(name, "@{");
    for (const char *p = name; ok && *p; p++)
        ok = (unsigned char)*p > 32 && *p != 127 && !strchr("~^:?*[\\/", *p);
    size_t n = strlen(name);
    if (!ok || name[n - 1] == '.' || (n >= 5 && !strcmp(name + n - 5, ".lock"))) {
        fw_err_set(err, FW_EINVAL, "'%.200s' cannot be the name of a branch", name);
        return fw_err_hint(err, "use letters, digits and dashes");
    }
    fw_buf_printf(&b, "refs/heads/flywheel/%s", name);
    return (*out = fw_buf_steal(&b)) ? FW_OK : fw_err_nomem(err);
}

int fw_repo_branch(struct fw_repo *r, const char *name, char oid[FW_OID_HEX], struct fw_err *err)
{
    char *ref = NULL;
    git_oid id;
    int rc = fw_branch_ref(name, &ref, err);
    if (rc != FW_OK)
        return rc;
    int grc = git_reference_name_to_id(&id, r->git, ref);
    if (grc == GIT_ENOTFOUND) {
        rc = fw_err_set(err, FW_ENOTFOUND, "there is no snapshot on flywheel/%s yet", name);
        fw_err_hint(err, "run `flywheel run`, or `flywheel snapshot import`");
    } else if (grc != 0) {
        rc = fw_git_fail(err, grc, "cannot read %s", ref);
    } else {
        fw_oid_hex(&id, oid);
    }
    free(ref);
    return rc;
}

/* A branch that is checked out is the user's work tree: moving it would make every file look
 * changed. */
static int not_checked_out(struct fw_repo *r, const char *ref, struct fw_err *err)
{
    git_reference *at = NULL;
    if (git_reference_lookup(&at, r->git, ref) != 0) {
        git_error_clear();
        return FW_OK;
    }
    /* libgit2 1.5 also says yes when it could not read a HEAD, so a yes is asked for twice. */
    int checked = git_branch_is_checked_out(at);
    if (checked > 0)
        checked = git_branch_is_checked_out(at);
    git_reference_free(at);
    if (checked <= 0) {
        git_error_clear();
        return FW_OK;
    }
    fw_err_set(err, FW_EREFUSED, "branch %s is checked out, so it cannot be moved",
               ref + strlen("refs/heads/"));
    return fw_err_hint(err, "switch the work tree to another branch (`git switch -`); look at "
                            "snapshots with `flywheel snapshot checkout`");
}

static int moved_by_other(struct fw_repo *r, const char *ref, const char *expected,
                          struct fw_err *err)
{
    git_oid now;
    char hex[FW_OID_HEX] = "deleted";
    if (git_reference_name_to_id(&now, r->git, ref) == 0)
        fw_oid_hex(&now, hex);
    git_error_clear();
    fw_err_set(err, FW_EREFUSED, "%s was moved by someone else: it should be at %s and is at %s",
               ref, *expected ? expected : "nothing (a new branch)", hex);
    return fw_err_hint(err,
                       "look at both with `git log`; then either put it back (`git update-ref %s "
                       "%s`) or start a new run from where it is",
                       ref, *expected ? expected : "-d");
}

/*
 * git takes a lock file beside a ref while it writes it, and a process that is killed in between
 * leaves it there for ever. Ours is told from another program's by a note of the ref that is being
 * written, made before and removed after: the caller holds the project, so a note that is found
 * there is a dead writer's.
 */
static void drop_dead_lock(struct fw_repo *r, const char *note)
{
    struct fw_buf ref = {0}, lock = {0};
    if (fw_fs_read(note, 1024, &ref, NULL) == FW_OK && ref.len && !strncmp(ref.p, "refs/", 5) &&
        fw_fs_rel_is_safe(ref.p)) {
        fw_buf_printf(&lock, "%s%s.lock", git_repository_commondir(r->git), ref.p);
        if (lock.p && !lock.failed)
            unlink(lock.p);
    }
    fw_buf_release(&ref);
    fw_buf_release(&lock);
}

static int begin_ref(struct fw_repo *r, const char *ref, char **note, struct fw_err *err)
{
    int rc = fw_fs_mkdirs(r->state_dir, err);
    if (rc == FW_OK && !(*note = fw_fs_join(r->state_dir, "writing-ref")))
        rc = fw_err_nomem(err);
    if (rc == FW_OK && fw_fs_exists(*note))
        drop_dead_lock(r, *note);
    return rc == FW_OK ? fw_fs_write_atomic(*note, ref, strlen(ref), err) : rc;
}

static void end_ref(char *note)
{
    if (note)
        unlink(note);
    free(note);
}

int fw_repo_move(struct fw_repo *r, const char *ref, const char *expected, const char *oid,
                 const char *why, struct fw_err *err)
{
    char *full = NULL, *note = NULL;
    git_oid to, from, now;
    git_reference *made = NULL;
    int rc = FW_OK, grc;
    if (strncmp(ref, "refs/", 5) == 0)
        rc = (full = strdup(ref)) ? FW_OK : fw_err_nomem(err);
    else
        rc = fw_branch_ref(strncmp(ref, "flywheel/", 9) == 0 ? ref + 9 : ref, &full, err);
    if (rc == FW_OK)
        rc = fw_oid_parse(oid, &to, err);
    if (rc == FW_OK && *expected)
        rc = fw_oid_parse(expected, &from, err);
    if (rc != FW_OK)
        goto out;
    grc = git_reference_name_to_id(&now, r->git, full);
    if (grc == 0 && git_oid_equal(&now, &to))
        goto out; /* done before, by a run that was killed right after */
    if ((rc = not_checked_out(r, full, err)) != FW_OK ||
        (rc = begin_ref(r, full, &note, err)) != FW_OK)
        goto out;
    if (*expected)
        grc = git_reference_create_matching(&made, r->git, full, &to, 1, &from, why);
    else
        grc = git_reference_create(&made, r->git, full, &to, 0, why);
    if (grc == GIT_EMODIFIED || grc == GIT_EEXISTS || (grc == GIT_ENOTFOUND && *expected))
        rc = moved_by_other(r, full, expected, err);
    else if (grc != 0)
        rc = fw_git_fail(err, grc, "cannot move %s", full);
    if (rc == FW_OK)
        fw_repo_released(r);
out:
    end_ref(note);
    git_reference_free(made);
    free(full);
    return rc;
}

int fw_repo_set_ref(struct fw_repo *r, const char *ref, const char *oid, struct fw_err *err)
{
    git_oid to;
    git_reference *made = NULL;
    char *note = NULL;
    int rc = fw_oid_parse(oid, &to, err);
    if (rc == FW_OK)
        rc = begin_ref(r, ref, &note, err);
    int grc = rc == FW_OK ? git_reference_create(&made, r->git, ref, &to, 1, NULL) : 0;
    if (grc != 0)
        rc = fw_git_fail(err, grc, "cannot write %s", ref);
    if (rc == FW_OK)
        fw_repo_released(r);
    git_reference_free(made);
    end_ref(note);
    return rc;
}

int fw_commit_add(struct fw_repo *r, struct fw_pack *pack, const git_oid *tree,
                  const git_oid *parent, const char *message, int64_t when, git_oid *out,
                  struct fw_err *err)
{
    struct fw_buf b = {0};
    char hex[FW_OID_HEX];
    size_t n = strlen(message);
    while (n && message[n - 1] == '\n')
        n--;
    fw_oid_hex(tree, hex);
    fw_buf_printf(&b, "tree %s\n", hex);
    if (parent) {
        fw_oid_hex(parent, hex);
        fw_buf_printf(&b, "parent %s\n", hex);
    }
    for (int i = 0; i < 2; i++)
        fw_buf_printf(&b, "%s %s <%s> %lld +0000\n", i ? "committer" : "author", r->name, r->email,
                      (long long)when);
    fw_buf_putc(&b, '\n');
    fw_buf_add(&b, message, n);
    fw_buf_putc(&b, '\n');
    int rc =
        b.failed ? fw_err_nomem(err) : fw_pack_add(pack, GIT_OBJECT_COMMIT, b.p, b.len, out, err);
    fw_buf_release(&b);
    return rc;
}

int fw_repo_commit_files(struct fw_repo *r, const char *const *names, const struct fw_buf *contents,
                         size_t n, const char *parent, const char *message, int64_t when,
                         char oid[FW_OID_HEX], struct fw_err *err)
{
    struct fw_pack *pack = NULL;
    git_oid tree, commit, before;
    struct fw_change *changes = calloc(n ? n : 1, sizeof *changes);
    int rc = changes ? fw_pack_open(r, &pack, err) : fw_err_nomem(err);
    if (rc == FW_OK && parent)
        rc = fw_oid_parse(parent, &before, err);
    for (size_t i = 0; i < n && rc == FW_OK; i++) {
        changes[i].path = names[i];
        rc = fw_pack_add(pack, GIT_OBJECT_BLOB, contents[i].p ? contents[i].p : "", contents[i].len,
                         &changes[i].oid, err);
    }
    if (rc == FW_OK)
        rc = fw_tree_update(r, pack, NULL, changes, n, &tree, err);
    if (rc == FW_OK)
        rc = fw_commit_add(r, pack, &tree, parent ? &before : NULL, message, when, &commit, err);
    if (rc == FW_OK)
        rc = fw_pack_finish(pack, err);
    if (rc == FW_OK)
        fw_oid_hex(&commit, oid);
    fw_pack_free(pack);
    free(changes);
    return rc;
}
