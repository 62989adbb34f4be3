#include "tests/unit/snap/util.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pipeline/snap/git2.h"

/* libgit2 1.5 loses its regular expression's match data when it reads the extensions of a repository
 * that has some (git_config_foreach_match); nothing of ours allocates there. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libpcre2\n";
}

static void put_rows(const struct world *w, int n)
{
    struct fw_buf b = {0};
    for (int i = 0; i < n; i++)
        fw_buf_printf(&b, "{\"id\":\"s%d\",\"text\":\"t%d\",\"label\":\"%s\"}\n", i, i,
                      i % 2 ? "a" : "b");
    put(w, "t.jsonl", b.p);
    fw_buf_release(&b);
}

static void test_a_missing_library_is_said(void **state)
{
    (void)state;
    struct fw_err err = {0};
    assert_int_equal(fw_git2_load_from("libgit2.so.0.0", &err), FW_EIO);
    assert_non_null(strstr(err.msg, "libgit2.so.0.0"));
    assert_non_null(strstr(err.hint, "apt install libgit2-1.5"));
    assert_int_equal(fw_git2_load_from("libm.so.6", &err), FW_EIO);
}

static void test_no_repository(void **state)
{
    (void)state;
    struct world w;
    struct fw_repo *r = NULL;
    world_new(&w);
    sh(&w, "rm -rf .git && mkdir p");
    assert_int_equal(fw_repo_open(in_world(&w, "p"), NULL, in_world(&w, "s"), &r, &w.err),
                     FW_EINVAL);
    assert_non_null(strstr(w.err.msg, "is not in a git repository"));
    assert_non_null(strstr(w.err.hint, "git init"));
    sh(&w, "git init -q --bare bare.git && mkdir bare.git/in");
    assert_int_equal(fw_repo_open(in_world(&w, "bare.git/in"), NULL, in_world(&w, "s"), &r, &w.err),
                     FW_EINVAL);
    assert_non_null(strstr(w.err.msg, "bare git repository"));
    assert_non_null(strstr(w.err.hint, "dataset.repo"));
    assert_null(r);
    must(&w, fw_repo_open(w.dir, in_world(&w, "bare.git"), in_world(&w, "s"), &r, &w.err));
    fw_repo_close(r);
    r = NULL;
    sh(&w, "git init -q --object-format=sha256 new");
    assert_int_equal(fw_repo_open(in_world(&w, "new"), NULL, in_world(&w, "s"), &r, &w.err),
                     FW_EINVAL);
    assert_non_null(strstr(w.err.msg, "SHA-256"));
    world_free(&w);
}

static void test_a_bare_repository_that_is_named(void **state)
{
    (void)state;
    struct world w;
    world_new(&w);
    fw_repo_close(w.repo);
    sh(&w, "git init -q --bare data.git");
    must(&w,
         fw_repo_open(w.dir, in_world(&w, "data.git"), in_world(&w, ".flywheel"), &w.repo, &w.err));
    put_rows(&w, 20);
    must(&w, import(&w, "t.jsonl"));
    assert_string_equal(sh(&w, "git -C data.git log --format=%%an flywheel/demo"), "flywheel\n");
    world_free(&w);
}

static void test_moves_compare_and_swap(void **state)
{
    (void)state;
    struct world w;
    char one[FW_OID_HEX], two[FW_OID_HEX];
    world_new(&w);
    assert_int_equal(fw_repo_branch(w.repo, "demo", one, &w.err), FW_ENOTFOUND);
    put_rows(&w, 20);
    must(&w, import(&w, "t.jsonl"));
    memcpy(one, w.oid, sizeof one);
    put_rows(&w, 22);
    must(&w, import(&w, "t.jsonl"));
    memcpy(two, w.oid, sizeof two);
    /* someone else put it back */
    sh(&w, "git update-ref refs/heads/flywheel/demo %s", one);
    assert_int_equal(fw_repo_move(w.repo, "demo", two, two, "x", &w.err), FW_EREFUSED);
    assert_non_null(strstr(w.err.msg, one));
    assert_non_null(strstr(w.err.msg, two));
    assert_string_equal(sh(&w, "git rev-parse flywheel/demo"), sh(&w, "echo %s", one));
    /* it must not exist, and does */
    assert_int_equal(fw_repo_move(w.repo, "demo", "", two, "x", &w.err), FW_EREFUSED);
    must(&w, fw_repo_move(w.repo, "refs/heads/flywheel/demo", one, two, "said why", &w.err));
    assert_non_null(strstr(sh(&w, "git reflog flywheel/demo"), "said why"));
    must(&w, fw_repo_move(w.repo, "demo", one, two, "again", &w.err)); /* cut off and repeated */
    sh(&w, "git update-ref -d refs/heads/flywheel/demo");
    assert_int_equal(fw_repo_move(w.repo, "demo", one, two, "x", &w.err), FW_EREFUSED);
    assert_non_null(strstr(w.err.msg, "deleted"));
    must(&w, fw_repo_move(w.repo, "demo", "", two, "x", &w.err));
    /* a branch in the work tree stays */
    sh(&w, "git checkout -q flywheel/demo");
    assert_int_equal(fw_repo_move(w.repo, "demo", two, one, "x", &w.err), FW_EREFUSED);
    assert_non_null(strstr(w.err.msg, "is checked out"));
    assert_int_equal(fw_repo_move(w.repo, "a b", "", two, "x", &w.err), FW_EINVAL);
    world_free(&w);
}

/* A branch moved while an import runs: what was written stays unreferenced, the branch as it is. */
static void test_a_lock_in_the_way(void **state)
{
    (void)state;
    struct world w;
    world_new(&w);
    put_rows(&w, 20);
    must(&w, import(&w, "t.jsonl"));
    char before[64];
    snprintf(before, sizeof before, "%s", sh(&w, "git rev-parse flywheel/demo"));
    put(&w, ".git/refs/heads/flywheel/demo.lock", "");
    put_rows(&w, 24);
    assert_int_equal(import(&w, "t.jsonl"), FW_EBUSY);
    assert_non_null(strstr(w.err.hint, "*.lock"));
    assert_string_equal(sh(&w, "git rev-parse flywheel/demo"), before);
    sh(&w, "rm .git/refs/heads/flywheel/demo.lock");
    must(&w, import(&w, "t.jsonl"));
    world_free(&w);
}

static void expect_resolved(struct world *w, const char *text, const char *oid)
{
    char got[FW_OID_HEX];
    must(w, fw_repo_resolve(w->repo, "demo", text, got, &w->err));
    if (strcmp(got, oid) != 0)
        fail_msg("%s is %s, not %s", text, got, oid);
}

static void relabel(struct world *w, const char *run, int iteration, const char *id, char *oid)
{
    struct fw_patch *patch = NULL;
    struct fw_apply_counts counts;
    json_t *aside = NULL;
    char line[200], trailers[200];
    const char *now = sh(w,
                         "git grep -h '\"id\":\"%s\"' %s -- samples | grep -o 'label\":\".' | tail "
                         "-c2",
                         id, w->oid);
    snprintf(line, sizeof line,
             "{\"op\":\"relabel\",\"id\":\"%s\",\"from\":\"%c\",\"to\":\"%c\"}\n", id, *now,
             *now == 'a' ? 'b' : 'a');
    put(w, "p.jsonl", line);
    must(w, fw_patch_load(in_world(w, "p.jsonl"), &patch, &w->err));
    snprintf(trailers, sizeof trailers, "Flywheel-Run: %s\nFlywheel-Iteration: %d\n", run,
             iteration);
    struct fw_apply_part part = {.stage = "relabel", .iteration = iteration, .patch = patch};
    struct fw_apply_options o = {.run = run, .trailers = trailers, .when = 1700000000 + iteration};
    must(w, fw_snap_apply(w->repo, w->oid, &part, 1, &o, oid, &counts, &aside, &w->err));
    assert_int_equal(counts.relabel, 1);
    json_decref(aside);
    fw_patch_free(patch);
}

static void test_resolve_and_list(void **state)
{
    (void)state;
    struct world w;
    char base[FW_OID_HEX], one[FW_OID_HEX], two[FW_OID_HEX], back[FW_OID_HEX], got[FW_OID_HEX];
    char record[FW_OID_HEX], id[32];
    world_new(&w);
    put_rows(&w, 20);
    must(&w, import(&w, "t.jsonl"));
    memcpy(base, w.oid, sizeof base);
    snprintf(id, sizeof id, "%s",
             sh(&w, "git show flywheel/demo:samples/train/00.jsonl | head -1 | cut -d'\"' -f4 | tr "
                    "-d '\\n'"));
    relabel(&w, "r7", 1, id, one);
    must(&w, fw_repo_move(w.repo, "demo", base, one, "x", &w.err));
    memcpy(w.oid, one, sizeof one);
    relabel(&w, "r7", 2, id, two);
    must(&w, fw_repo_move(w.repo, "demo", one, two, "x", &w.err));
    memcpy(w.oid, two, sizeof two);
    relabel(&w, "r7", 3, id, back); /* rolled back: kept beside the branch only */
    must(&w, fw_repo_set_ref(w.repo, "refs/flywheel/kept/r7/3", back, &w.err));
    expect_resolved(&w, two, two);
    char shortened[12];
    memcpy(shortened, one, 10);
    shortened[10] = '\0';
    expect_resolved(&w, shortened, one);
    expect_resolved(&w, "demo", two);
    expect_resolved(&w, "flywheel/demo", two);
    expect_resolved(&w, "HEAD", two);
    expect_resolved(&w, "HEAD~1", one);
    expect_resolved(&w, "~2", base);
    expect_resolved(&w, "@2", two);
    expect_resolved(&w, "@1", one);
    expect_resolved(&w, "@0", base);
    expect_resolved(&w, "@3", back);
    expect_resolved(&w, "run:r7", two);
    const char *names[] = {"record.json"};
    struct fw_buf content = {0};
    fw_buf_printf(&content, "{\"champion\":{\"snapshot\":\"%s\"}}", one);
    must(&w, fw_repo_commit_files(w.repo, names, &content, 1, one, "run r7", 1700000000, record,
                                  &w.err));
    fw_buf_release(&content);
    must(&w, fw_repo_set_ref(w.repo, "refs/flywheel/runs/r7", record, &w.err));
    expect_resolved(&w, "run:r7", one);
    sh(&w, "git tag v1 %s", one);
    expect_resolved(&w, "v1", one);
    assert_int_equal(fw_repo_resolve(w.repo, "demo", "nothing", got, &w.err), FW_ENOTFOUND);
    assert_int_equal(fw_repo_resolve(w.repo, "demo", "@9", got, &w.err), FW_ENOTFOUND);
    assert_int_equal(fw_repo_resolve(w.repo, "demo", "run:none", got, &w.err), FW_ENOTFOUND);
    assert_int_equal(fw_repo_resolve(w.repo, "demo", record, got, &w.err), FW_EINVAL);
    assert_non_null(strstr(w.err.msg, "not a dataset snapshot"));
    json_t *list = NULL;
    must(&w, fw_snap_list(w.repo, "demo", &list, &w.err));
    assert_int_equal(json_array_size(list), 3);
    const json_t *newest = json_array_get(list, 0);
    assert_string_equal(json_string_value(json_object_get(newest, "commit")), two);
    assert_string_equal(json_string_value(json_object_get(newest, "subject")),
                        "Iteration 2: relabel 1");
    assert_string_equal(json_string_value(json_object_get(newest, "when")), "2023-11-14T22:13:22Z");
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(newest, "trailers"), "Flywheel-Run")),
        "r7");
    json_decref(list);
    fsck(&w);
    world_free(&w);
}

static void test_commit_files(void **state)
{
    (void)state;
    struct world w;
    char one[FW_OID_HEX], two[FW_OID_HEX];
    world_new(&w);
    const char *names[] = {"record.json", "plan/flywheel.yaml"};
    struct fw_buf contents[2] = {{0}};
    fw_buf_puts(&contents[0], "{}");
    must(&w, fw_repo_commit_files(w.repo, names, contents, 2, NULL, "run", 5, one, &w.err));
    must(&w, fw_repo_commit_files(w.repo, names, contents, 1, one, "run\n", 6, two, &w.err));
    assert_string_equal(sh(&w, "git ls-tree -r --name-only %s", one),
                        "plan/flywheel.yaml\nrecord.json\n");
    assert_string_equal(sh(&w, "git log --format='%%s %%at' %s", two), "run 6\nrun 5\n");
    names[1] = "../out";
    assert_int_equal(fw_repo_commit_files(w.repo, names, contents, 2, NULL, "run", 5, two, &w.err),
                     FW_EINVAL);
    fw_buf_release(&contents[0]);
    world_free(&w);
}

static void test_a_read_only_repository(void **state)
{
    (void)state;
    struct world w;
    world_new(&w);
    put_rows(&w, 20);
    sh(&w, "mkdir .flywheel && chmod 755 . && chmod -R a-w .git");
    if (geteuid() == 0) /* who may write anyway, so someone else tries */
        sh(&w, "chown -R 65534:65534 .");
    pid_t pid = fork();
    if (pid == 0) {
        if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0)
            _exit(2);
        fw_repo_close(w.repo);
        world_open(&w);
        int rc = import(&w, "t.jsonl");
        _exit(rc == FW_EIO && strstr(w.err.hint, "writable") ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    sh(&w, "chmod -R u+w .git && chown -R $(id -u) .");
    assert_string_equal(sh(&w, "git for-each-ref"), "");
    must(&w, import(&w, "t.jsonl"));
    world_free(&w);
}

/* Killed at any moment, an import leaves the branch where it was or where it should be, and the
 * repository sound. */
static void test_killed_imports(void **state)
{
    (void)state;
    struct world w;
    world_new(&w);
    put_rows(&w, 20);
    must(&w, import(&w, "t.jsonl"));
    int finished = 0;
    for (int i = 0; i < 25; i++) {
        char before[64];
        put_rows(&w, 3000 + i);
        snprintf(before, sizeof before, "%s", sh(&w, "git rev-parse flywheel/demo"));
        pid_t pid = fork();
        if (pid == 0) {
            fw_repo_close(w.repo);
            world_open(&w);
            _exit(import(&w, "t.jsonl") == FW_OK ? 0 : 1);
        }
        usleep((useconds_t)(1000 + i * i * 500));
        kill(pid, SIGKILL);
        int status = -1;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        const char *after = sh(&w, "git rev-parse flywheel/demo");
        finished += strcmp(before, after) != 0;
        sh(&w, "rm -f .git/refs/heads/flywheel/*.lock");
    }
    assert_true(finished < 25); /* else none was cut off */
    fsck(&w);
    must(&w, import(&w, "t.jsonl"));
    assert_int_equal(w.report.rows, 3024);
    world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_missing_library_is_said),
        cmocka_unit_test(test_no_repository),
        cmocka_unit_test(test_a_bare_repository_that_is_named),
        cmocka_unit_test(test_moves_compare_and_swap),
        cmocka_unit_test(test_a_lock_in_the_way),
        cmocka_unit_test(test_resolve_and_list),
        cmocka_unit_test(test_commit_files),
        cmocka_unit_test(test_a_read_only_repository),
        cmocka_unit_test(test_killed_imports),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
