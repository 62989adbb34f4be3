/* Shards of rows: a version costs what it changed, all versions stay readable, git agrees. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/snap/util.h"

#include "pipeline/snap/pack.h"

enum { SHARDS = 40, ROWS = 1000 };

static void shard(int s, int version, struct fw_buf *out)
{
    fw_buf_clear(out);
    for (int i = 0; i < ROWS; i++)
        fw_buf_printf(out, "{\"id\":\"%d-%d\",\"text\":\"%08x %08x\",\"label\":\"%d\"}\n", s, i,
                      (unsigned)i * 2654435761u, (unsigned)(s * 40503 + i) * 97u,
                      i % 100 < version ? version : 0);
}

/* Shards [from, to) at a version, each as a change of the version before. */
static void put_version(struct world *w, int version, int from, int to, git_oid ids[SHARDS])
{
    struct fw_pack *pack;
    struct fw_buf now = {0}, before = {0};
    must(w, fw_pack_open(w->repo, &pack, &w->err));
    for (int s = from; s < to; s++) {
        shard(s, version, &now);
        shard(s, version - 1, &before);
        struct fw_version old = {ids[s], before.p, before.len};
        must(w, fw_pack_add_rows(pack, version ? &old : NULL, now.p, now.len, &ids[s], &w->err));
    }
    must(w, fw_pack_finish(pack, &w->err));
    fw_pack_free(pack);
    fw_buf_release(&now);
    fw_buf_release(&before);
}

static void check_version(struct world *w, int version, int from, int to, const git_oid ids[SHARDS])
{
    struct fw_buf now = {0}, got = {0};
    for (int s = from; s < to; s++) {
        shard(s, version, &now);
        must(w, fw_blob_read(w->repo, &ids[s], &got, &w->err));
        assert_int_equal(got.len, now.len);
        assert_memory_equal(got.p, now.p, now.len);
    }
    fw_buf_release(&now);
    fw_buf_release(&got);
}

static size_t disk(struct world *w)
{
    return (size_t)strtoul(sh(w, "du -sb .git/objects/pack | cut -f1"), NULL, 10);
}

static void verify(struct world *w)
{
    sh(w, "git fsck --full --no-dangling >/dev/null && "
          "for f in .git/objects/pack/*.idx; do git verify-pack $f || exit 1; done");
}

static void test_versions_cost_what_they_change(void **state)
{
    (void)state;
    struct world w;
    static git_oid ids[32][SHARDS];
    world_new(&w);
    put_version(&w, 0, 0, SHARDS, ids[0]);
    size_t base = disk(&w);
    for (int v = 1; v < 32; v++) {
        size_t before = disk(&w);
        memcpy(ids[v], ids[v - 1], sizeof ids[v]);
        put_version(&w, v, 0, SHARDS, ids[v]);
        if (v <= 24)
            assert_true(disk(&w) - before < base / 10);
        else if (v == 25) /* the chains are long enough: a new pack of whole shards */
            assert_true(disk(&w) - before > base / 2);
    }
    for (int v = 0; v < 32; v++)
        check_version(&w, v, 0, SHARDS, ids[v]);
    verify(&w);
    assert_string_equal(sh(&w, "ls .git/objects/pack | grep -c 'pack$'"), "2\n");
    fw_repo_released(w.repo);
    assert_string_equal(sh(&w, "ls .git/objects/pack | grep -c keep || true"), "0\n");
    world_free(&w);
}

static void test_few_shards_leave_the_pack_alone(void **state)
{
    (void)state;
    struct world w;
    static git_oid ids[SHARDS];
    world_new(&w);
    put_version(&w, 0, 0, SHARDS, ids);
    char name[64];
    snprintf(name, sizeof name, "%s", sh(&w, "cat .git/flywheel/rows"));
    put_version(&w, 1, 3, 4, ids);
    assert_string_equal(sh(&w, "cat .git/flywheel/rows"), name);
    check_version(&w, 1, 3, 4, ids);
    check_version(&w, 0, 4, SHARDS, ids);
    /* the state lost, or the pack repacked: versions are written whole */
    sh(&w, "rm .git/flywheel/rows");
    static git_oid next[SHARDS];
    memcpy(next, ids, sizeof ids);
    put_version(&w, 1, 4, SHARDS, next);
    check_version(&w, 1, 3, SHARDS, next);
    check_version(&w, 0, 4, SHARDS, ids);
    verify(&w);
    world_free(&w);
}

static void test_two_writers(void **state)
{
    (void)state;
    struct world w;
    static git_oid ids[SHARDS], one[SHARDS], two[SHARDS];
    world_new(&w);
    put_version(&w, 0, 0, SHARDS, ids);
    memcpy(one, ids, sizeof ids);
    memcpy(two, ids, sizeof ids);
    for (int k = 0; k < 2; k++)
        if (fork() == 0) {
            fw_repo_close(w.repo);
            world_open(&w);
            put_version(&w, 1, k * 10, SHARDS - k * 10, ids);
            _exit(0);
        }
    int status;
    for (int k = 0; k < 2; k++) {
        assert_true(wait(&status) > 0);
        assert_int_equal(status, 0);
    }
    put_version(&w, 1, 0, SHARDS, one); /* writes nothing, but says the ids */
    check_version(&w, 1, 0, SHARDS, one);
    check_version(&w, 0, 0, SHARDS, two);
    verify(&w);
    world_free(&w);
}

/* Killed at any moment: what there was stays readable, and the next version can be written. */
static void test_killed_writers(void **state)
{
    (void)state;
    struct world w;
    static git_oid ids[SHARDS];
    world_new(&w);
    put_version(&w, 0, 0, SHARDS, ids);
    for (int i = 0; i < 20; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            static git_oid mine[SHARDS];
            memcpy(mine, ids, sizeof ids);
            fw_repo_close(w.repo);
            world_open(&w);
            for (int v = 1; v < 20; v++)
                put_version(&w, v, 0, SHARDS, mine);
            _exit(0);
        }
        usleep((useconds_t)(2000 + i * 4000));
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        check_version(&w, 0, 0, SHARDS, ids);
    }
    static git_oid next[SHARDS];
    memcpy(next, ids, sizeof ids);
    put_version(&w, 1, 0, SHARDS, next);
    check_version(&w, 1, 0, SHARDS, next);
    check_version(&w, 0, 0, SHARDS, ids);
    verify(&w);
    world_free(&w);
}

/* A thousand snapshots leave a thousand packs; merged, they are all there. */
static void test_small_packs_are_merged(void **state)
{
    (void)state;
    struct world w;
    git_oid ids[60];
    struct fw_buf got = {0};
    char text[64];
    size_t merged;
    static git_oid rows[SHARDS];
    world_new(&w);
    put_version(&w, 0, 0, SHARDS, rows);
    for (int i = 0; i < 60; i++) {
        struct fw_pack *pack;
        int n = snprintf(text, sizeof text, "object %d", i);
        must(&w, fw_pack_open(w.repo, &pack, &w.err));
        must(&w, fw_pack_add(pack, GIT_OBJECT_BLOB, text, (size_t)n, &ids[i], &w.err));
        must(&w, fw_pack_finish(pack, &w.err));
        fw_pack_free(pack);
    }
    must(&w, fw_repo_tidy_packs(w.repo, 50, &merged, &w.err));
    assert_int_equal(merged, 0); /* nobody may repack what no ref names yet */
    fw_repo_released(w.repo);
    must(&w, fw_repo_tidy_packs(w.repo, 60, &merged, &w.err));
    assert_int_equal(merged, 0);
    must(&w, fw_repo_tidy_packs(w.repo, 50, &merged, &w.err));
    assert_int_equal(merged, 60);
    assert_string_equal(sh(&w, "ls .git/objects/pack | grep -c 'pack$'"), "2\n");
    fw_repo_close(w.repo);
    world_open(&w);
    for (int i = 0; i < 60; i++) {
        snprintf(text, sizeof text, "object %d", i);
        must(&w, fw_blob_read(w.repo, &ids[i], &got, &w.err));
        assert_string_equal(got.p, text);
    }
    check_version(&w, 0, 0, SHARDS, rows);
    verify(&w);
    fw_buf_release(&got);
    world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_versions_cost_what_they_change),
        cmocka_unit_test(test_few_shards_leave_the_pack_alone),
        cmocka_unit_test(test_two_writers),
        cmocka_unit_test(test_killed_writers),
        cmocka_unit_test(test_small_packs_are_merged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
