/* From what a user types to a snapshot. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/snap/snapshot.h"
#include "pipeline/snap/tree.h"

static bool is_snapshot(struct fw_repo *r, const git_oid *commit)
{
    git_commit *c = NULL;
    git_oid meta;
    if (git_commit_lookup(&c, r->git, commit) != 0)
        return false;
    git_oid tree = *git_commit_tree_id(c);
    git_commit_free(c);
    return fw_tree_entry(r, &tree, "dataset.json", GIT_OBJECT_BLOB, &meta, NULL) == FW_OK;
}

/* What a name without a suffix means to git: a ref by the usual rules, or a full or short id. Fills
 * spec with what git_revparse_single() finds at once: left to look for the name itself, libgit2 1.5
 * ends in a match of "git describe" that loses memory whenever there is none. GIT_* code. */
static int find_base(struct fw_repo *r, const char *base, size_t n, struct fw_buf *spec)
{
    static const char *const rules[] = {
        "refs/heads/flywheel/%.*s", "%.*s", "refs/%.*s", "refs/tags/%.*s", "refs/heads/%.*s",
        "refs/remotes/%.*s"};
    git_oid id;
    git_object *o = NULL;
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        fw_buf_clear(spec);
        fw_buf_printf(spec, rules[i], (int)n, base);
        if (!spec->failed && !strncmp(spec->p, "refs/", 5) &&
            git_reference_name_to_id(&id, r->git, spec->p) == 0)
            return 0;
    }
    if (n < 4 || n > FW_OID_HEX - 1 || strspn(base, "0123456789abcdefABCDEF") < n ||
        git_oid_fromstrn(&id, base, n) != 0)
        return GIT_ENOTFOUND;
    int rc = git_object_lookup_prefix(&o, r->git, &id, n, GIT_OBJECT_ANY);
    if (rc != 0)
        return rc;
    char hex[FW_OID_HEX];
    fw_oid_hex(git_object_id(o), hex);
    git_object_free(o);
    fw_buf_clear(spec);
    fw_buf_puts(spec, hex);
    return spec->failed ? GIT_ERROR : 0;
}

/* A revision (a name, then any of ~1 ^2 @{3}) to the commit it leads to; GIT_* code. */
static int peel(struct fw_repo *r, const char *text, git_oid *out)
{
    struct fw_buf spec = {0};
    git_object *o = NULL, *commit = NULL;
    size_t n = strcspn(text, "~^:@");
    int rc = find_base(r, text, n, &spec);
    if (rc == 0) {
        fw_buf_puts(&spec, text + n);
        rc = spec.failed ? GIT_ERROR : git_revparse_single(&o, r->git, spec.p);
    }
    if (rc == 0)
        rc = git_object_peel(&commit, o, GIT_OBJECT_COMMIT);
    if (rc == 0)
        *out = *git_object_id(commit);
    if (o)
        git_object_free(o);
    if (commit)
        git_object_free(commit);
    fw_buf_release(&spec);
    return rc;
}

/* The value of a trailer; empty when there is none. */
static void trailer(const char *message, const char *key, char *out, size_t size)
{
    git_message_trailer_array found = {0};
    *out = '\0';
    if (git_message_trailers(&found, message) != 0)
        return;
    for (size_t i = 0; i < found.count; i++)
        if (!strcmp(found.trailers[i].key, key))
            snprintf(out, size, "%s", found.trailers[i].value);
    git_message_trailer_array_free(&found);
}

struct wanted {
    const char *run;       /* NULL: that of the newest snapshot made by a run */
    const char *iteration; /* NULL: any */
    char newest[200];
};

static int match(struct fw_repo *r, const git_oid *oid, struct wanted *w, bool *yes,
                 struct fw_err *err)
{
    git_commit *c = NULL;
    char run[200], iteration[32];
    int grc = git_commit_lookup(&c, r->git, oid);
    if (grc != 0)
        return fw_git_fail(err, grc, "cannot read the history");
    trailer(git_commit_message(c), "Flywheel-Run", run, sizeof run);
    trailer(git_commit_message(c), "Flywheel-Iteration", iteration, sizeof iteration);
    git_commit_free(c);
    if (!w->run && *run) {
        memcpy(w->newest, run, sizeof run);
        w->run = w->newest;
    }
    *yes = *run && w->run && !strcmp(run, w->run) &&
           (!w->iteration || !strcmp(iteration, w->iteration));
    return FW_OK;
}

/* Walks a branch, then the snapshots that flywheel keeps beside it (rolled back, provisional). The
 * dataset a run started from carries no trailer of it: it is the first older than all of them. */
static int search(struct fw_repo *r, const char *ref, struct wanted *w, git_oid *out,
                  struct fw_err *err)
{
    git_revwalk *walk = NULL;
    git_oid oid, tip;
    bool found = false, met = false;
    int rc = FW_OK, grc = git_revwalk_new(&walk, r->git);
    for (int beside = 0; beside < 2 && !grc && rc == FW_OK && !found; beside++) {
        git_revwalk_sorting(walk, GIT_SORT_TOPOLOGICAL | GIT_SORT_TIME);
        if (beside)
            grc = git_revwalk_push_glob(walk, "refs/flywheel/*");
        else if (git_reference_name_to_id(&tip, r->git, ref) == 0)
            grc = git_revwalk_push(walk, &tip);
        else
            continue;
        while (rc == FW_OK && !found && !grc && (grc = git_revwalk_next(&oid, walk)) == 0) {
            rc = match(r, &oid, w, &found, err);
            bool start = !beside && met && !found && w->iteration && !strcmp(w->iteration, "0");
            if (rc == FW_OK && !found && w->run) {
                struct wanted any = {.run = w->run};
                bool of_run = false;
                rc = match(r, &oid, &any, &of_run, err);
                met = met || of_run;
                found = start && !of_run;
            }
            found = found && is_snapshot(r, &oid);
        }
        grc = grc == GIT_ITEROVER ? 0 : grc;
    }
    if (walk)
        git_revwalk_free(walk);
    if (rc == FW_OK && grc)
        return fw_git_fail(err, grc, "cannot read the history");
    if (rc == FW_OK && found)
        *out = oid;
    return rc == FW_OK && !found ? FW_ENOTFOUND : rc;
}

/* The champion that the record of a run names. */
static int from_record(struct fw_repo *r, const char *id, git_oid *out)
{
    char ref[300];
    git_oid commit, blob;
    git_commit *c = NULL;
    git_odb_object *o = NULL;
    snprintf(ref, sizeof ref, "refs/flywheel/runs/%s", id);
    if (peel(r, ref, &commit) != 0)
        return FW_ENOTFOUND;
    if (is_snapshot(r, &commit)) {
        *out = commit;
        return FW_OK;
    }
    if (git_commit_lookup(&c, r->git, &commit) != 0)
        return FW_ENOTFOUND;
    git_oid tree = *git_commit_tree_id(c);
    git_commit_free(c);
    int rc = fw_tree_entry(r, &tree, "record.json", GIT_OBJECT_BLOB, &blob, NULL);
    if (rc != FW_OK || fw_object_read(r, &blob, GIT_OBJECT_BLOB, &o, NULL) != FW_OK)
        return FW_ENOTFOUND;
    json_t *j = json_loadb(git_odb_object_data(o), git_odb_object_size(o), 0, NULL);
    const char *hex =
        json_string_value(json_object_get(json_object_get(j, "champion"), "snapshot"));
    rc = hex ? fw_oid_parse(hex, out, NULL) : FW_ENOTFOUND;
    json_decref(j);
    git_odb_object_free(o);
    return rc;
}

static int as_revision(struct fw_repo *r, const char *ref, const char *text, git_oid *out,
                       struct fw_err *err)
{
    struct fw_buf spec = {0};
    bool head = !strncmp(text, "HEAD", 4) && (!text[4] || strchr("~^@", text[4]));
    if (head || (*text && strchr("~^", *text))) /* "~1" is short for HEAD~1 */
        fw_buf_printf(&spec, "%s%s", ref, head ? text + 4 : text);
    else
        fw_buf_puts(&spec, text);
    int grc = spec.failed ? GIT_ERROR : peel(r, spec.p, out);
    fw_buf_release(&spec);
    git_error_clear();
    if (grc == GIT_EAMBIGUOUS) {
        fw_err_set(err, FW_EINVAL, "'%.200s' is the beginning of more than one id", text);
        return fw_err_hint(err, "type more of its digits");
    }
    return grc == 0 ? FW_OK : FW_ENOTFOUND;
}

int fw_repo_resolve(struct fw_repo *r, const char *name, const char *text, char oid[FW_OID_HEX],
                    struct fw_err *err)
{
    char *ref = NULL;
    git_oid found;
    int rc = fw_branch_ref(name, &ref, err);
    if (rc != FW_OK)
        return rc;
    if (text[0] == '@' && text[1] >= '0' && text[1] <= '9') {
        struct wanted w = {.iteration = text + 1};
        rc = search(r, ref, &w, &found, err);
    } else if (!strncmp(text, "run:", 4)) {
        struct wanted w = {.run = text + 4};
        rc = from_record(r, text + 4, &found);
        if (rc != FW_OK)
            rc = search(r, ref, &w, &found, err);
    } else {
        rc = as_revision(r, ref, text, &found, err);
    }
    free(ref);
    if (rc == FW_ENOTFOUND) {
        fw_err_set(err, FW_ENOTFOUND, "no snapshot is known as '%.200s'", text);
        return fw_err_hint(err,
                           "`flywheel snapshot list` shows them; @3 is iteration 3 of the newest "
                           "run, HEAD~1 the one before the newest");
    }
    if (rc != FW_OK)
        return rc;
    if (!is_snapshot(r, &found)) {
        char hex[FW_OID_HEX];
        fw_oid_hex(&found, hex);
        git_error_clear();
        return fw_err_set(err, FW_EINVAL,
                          "'%.200s' is commit %.12s, which is not a dataset "
                          "snapshot",
                          text, hex);
    }
    fw_oid_hex(&found, oid);
    return FW_OK;
}
