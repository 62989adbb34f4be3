#include "tests/unit/snap/util.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static const char rows[] =
    "{\"id\":\"t1\",\"text\":\"one\",\"label\":\"a\", \"w\":1.0,\"split\":\"train\"}\n"
    "{\"id\":\"t2\",\"text\":\"two\",\"label\":\"a\",\"split\":\"train\"}\n"
    "{\"id\":\"t3\",\"text\":\"three\",\"label\":\"b\",\"labels\":[{\"by\":\"x\",\"label\":\"a\"}],"
    "\"split\":\"train\"}\n"
    "{\"id\":\"t4\",\"file_name\":\"p/f.bin\",\"label\":\"b\",\"split\":\"train\"}\n"
    "{\"id\":\"t5\",\"file_name\":\"p/f.bin\",\"label\":\"b\",\"split\":\"train\"}\n"
    "{\"id\":\"c1\",\"text\":\"sole\",\"label\":\"c\",\"split\":\"train\"}\n"
    "{\"id\":\"d1\",\"text\":\"Dev text!\",\"label\":\"a\",\"split\":\"dev\"}\n"
    "{\"id\":\"e1\",\"text\":\"test text\",\"label\":\"b\",\"split\":\"test\"}\n";

static int iteration = 3; /* of the patches applied */

struct outcome {
    char oid[FW_OID_HEX];
    struct fw_apply_counts counts;
    json_t *aside;
};

static void start(struct world *w)
{
    world_new(w);
    put(w, "data/p/f.bin", "bytes");
    put(w, "data/samples.jsonl", rows);
    must(w, import(w, "data"));
}

static int apply_to(struct world *w, const char *parent, const char *lines, struct outcome *o)
{
    struct fw_patch *patch = NULL;
    put(w, "patch/patch.jsonl", lines);
    must(w, fw_patch_load(in_world(w, "patch"), &patch, &w->err));
    struct fw_apply_part part = {.stage = "fixer",
                                 .plugin = "oracle",
                                 .plugin_version = "1.2",
                                 .iteration = iteration,
                                 .patch = patch};
    struct fw_apply_options opt = {.run = "r1",
                                   .near_copies = true,
                                   .trailers = "Flywheel-Run: r1\nFlywheel-Iteration: 3\n",
                                   .when = 1700000100};
    *o = (struct outcome){0};
    int rc = fw_snap_apply(w->repo, parent, &part, 1, &opt, o->oid, &o->counts, &o->aside, &w->err);
    fw_patch_free(patch);
    return rc;
}

static void apply(struct world *w, const char *lines, struct outcome *o)
{
    json_decref(o->aside);
    must(w, apply_to(w, w->oid, lines, o));
}

static const char *reason(const struct outcome *o, size_t i)
{
    const char *s = json_string_value(json_object_get(json_array_get(o->aside, i), "reason"));
    return s ? s : "(none)";
}

/* The one fix given is set aside for this reason and nothing changes. */
static void refused(struct world *w, const char *line, const char *why)
{
    struct outcome o = {0};
    apply(w, line, &o);
    assert_int_equal(o.counts.set_aside, 1);
    if (!strstr(reason(&o, 0), why))
        fail_msg("%s: the reason is '%s', not '%s'", line, reason(&o, 0), why);
    assert_string_equal(o.oid, w->oid);
    json_decref(o.aside);
}

static void test_relabel_changes_only_the_row(void **state)
{
    (void)state;
    struct world w;
    struct outcome o = {0};
    start(&w);
    apply(&w,
          "{\"op\":\"relabel\",\"id\":\"t1\",\"from\":\"a\",\"to\":\"b\"}\n"
          "{\"op\":\"relabel\",\"id\":\"t3\",\"from\":\"b\",\"to\":\"a\",\"labels\":[{\"by\":\"x\","
          "\"label\":\"a\"},{\"by\":\"y\",\"label\":\"a\"}]}\n",
          &o);
    assert_int_equal(o.counts.relabel, 2);
    assert_int_equal(json_array_size(o.aside), 0);
    assert_string_equal(
        sh(&w, "git diff -U0 %s %s -- samples | grep '^[-+]{'", w.oid, o.oid),
        "-{\"id\":\"t1\",\"text\":\"one\",\"label\":\"a\", \"w\":1.0,\"split\":\"train\"}\n"
        "+{\"id\":\"t1\",\"text\":\"one\",\"label\":\"b\", \"w\":1.0,\"split\":\"train\","
        "\"provenance\":{\"run\":\"r1\",\"iteration\":3,\"stage\":\"fixer\"}}\n"
        "-{\"id\":\"t3\",\"text\":\"three\",\"label\":\"b\",\"labels\":[{\"by\":\"x\",\"label\":"
        "\"a\"}],\"split\":\"train\"}\n"
        "+{\"id\":\"t3\",\"text\":\"three\",\"label\":\"a\",\"labels\":[{\"by\":\"x\",\"label\":"
        "\"a\"},{\"by\":\"y\",\"label\":\"a\"}],\"split\":\"train\",\"provenance\":{\"run\":\"r1\","
        "\"iteration\":3,\"stage\":\"fixer\"}}\n");
    assert_string_equal(sh(&w, "git log -1 --format=%%B %s", o.oid),
                        "Iteration 3: relabel 2\n\nfixer: relabel 2\n\nFlywheel-Run: r1\n"
                        "Flywheel-Iteration: 3\nFlywheel-Fixes: relabel=2 add=0 remove=0\n\n");
    assert_string_equal(sh(&w, "git log -1 --format='%%P %%at' %s", o.oid),
                        sh(&w, "echo %s 1700000100", w.oid));
    assert_string_equal(sh(&w, "git show %s:patches/3-fixer.jsonl | wc -l", o.oid), "2\n");
    /* applying does not move the branch */
    assert_string_equal(sh(&w, "git rev-parse flywheel/demo"), sh(&w, "echo %s", w.oid));
    must(&w, fw_repo_move(w.repo, "demo", w.oid, o.oid, "test", &w.err));
    fsck(&w);
    /* the next snapshot holds its own patches, not those before it */
    memcpy(w.oid, o.oid, sizeof w.oid);
    iteration = 4;
    apply(&w, "{\"op\":\"remove\",\"id\":\"t2\"}\n", &o);
    assert_string_equal(sh(&w, "git grep '' %s -- patches | cut -d: -f2-", o.oid),
                        "patches/4-fixer.jsonl:{\"op\":\"remove\",\"id\":\"t2\"}\n");
    iteration = 3;
    json_decref(o.aside);
    world_free(&w);
}

static void test_refusals(void **state)
{
    (void)state;
    struct world w;
    start(&w);
    put(&w, "secret", "s");
    put(&w, "patch/files/copy.bin", "bytes");
    put(&w, "patch/files/fine.bin", "fine bytes");
    sh(&w, "ln -s ../../secret patch/files/link");
    static const char *const cases[][2] = {
        {"{\"op\":\"relabel\",\"id\":\"nobody\",\"from\":\"a\",\"to\":\"b\"}",
         "no sample 'nobody'"},
        {"{\"op\":\"relabel\",\"id\":\"d1\",\"from\":\"a\",\"to\":\"b\"}",
         "evaluation sample (dev)"},
        {"{\"op\":\"remove\",\"id\":\"e1\"}", "evaluation sample (test)"},
        {"{\"op\":\"relabel\",\"id\":\"t1\",\"from\":\"b\",\"to\":\"c\"}",
         "its label is \"a\", not \"b\""},
        {"{\"op\":\"relabel\",\"id\":\"t1\",\"from\":\"a\",\"to\":\"z\"}",
         "\"z\" is not one of the classes"},
        {"{\"op\":\"relabel\",\"id\":\"t1\",\"from\":\"a\",\"to\":1}",
         "1 is not one of the classes"},
        {"{\"op\":\"relabel\",\"id\":\"c1\",\"from\":\"c\",\"to\":\"a\"}",
         "last train sample of class 'c'"},
        {"{\"op\":\"remove\",\"id\":\"c1\"}", "last train sample of class 'c'"},
        {"{\"op\":\"remove\",\"id\":\"t1\",\"from\":\"b\"}", "its label is \"a\""},
        {"{\"op\":\"confirm\",\"id\":\"t1\",\"label\":\"b\"}", "its label is \"a\""},
        {"{\"op\":\"add\",\"sample\":{\"text\":\"new\"}}", "no label"},
        {"{\"op\":\"add\",\"sample\":{\"text\":\"new\",\"label\":\"z\"}}", "its label \"z\""},
        {"{\"op\":\"add\",\"sample\":{\"text\":\"\",\"label\":\"a\"}}", "no content"},
        {"{\"op\":\"add\",\"sample\":{\"features\":[1],\"label\":\"a\"}}", "it holds features"},
        {"{\"op\":\"add\",\"sample\":{\"id\":\"t1\",\"text\":\"new\",\"label\":\"a\"}}",
         "sample 't1' already (train)"},
        {"{\"op\":\"add\",\"sample\":{\"id\":\"d1\",\"text\":\"new\",\"label\":\"a\"}}",
         "sample 'd1' already (dev)"},
        {"{\"op\":\"add\",\"sample\":{\"text\":\"dev  TEXT!\",\"label\":\"a\"}}",
         "that of evaluation sample 'd1' (dev)"},
        {"{\"op\":\"add\",\"sample\":{\"text\":\"dev text\",\"label\":\"a\"}}",
         "a near copy of evaluation sample 'd1'"},
        {"{\"op\":\"add\",\"sample\":{\"text\":\"Test Text\",\"label\":\"a\"}}",
         "evaluation sample 'e1' (test)"},
        {"{\"op\":\"add\",\"sample\":{\"text\":\"One\",\"label\":\"b\"}}",
         "a copy of train sample 't1'"},
        {"{\"op\":\"add\",\"sample\":{\"file_name\":\"copy.bin\",\"label\":\"b\"}}",
         "a copy of train sample 't4'"},
        {"{\"op\":\"add\",\"sample\":{\"file_name\":\"gone.bin\",\"label\":\"b\"}}",
         "No such file"},
        {"{\"op\":\"add\",\"sample\":{\"file_name\":\"link\",\"label\":\"b\"}}",
         "link that leaves"},
        {"{\"op\":\"add\",\"sample\":{\"file_name\":\"a/.git/x\",\"label\":\"b\"}}",
         "git reserves"},
        {"{\"op\":\"add\",\"sample\":{\"text\":\"new\",\"label\":\"a\"},\"parent\":\"d1\"}",
         "parent 'd1' is an evaluation sample"},
        {"{\"op\":\"add\",\"sample\":{\"text\":\"new\",\"label\":\"a\"},\"parent\":\"q\"}",
         "parent 'q' is not in the dataset"},
        {"{\"op\":\"guideline\",\"class\":\"z\",\"text\":\"x\"}", "'z' is not one of the classes"},
        {"{\"op\":\"guideline\",\"class\":\"a\",\"text\":\"x\\n## b\\ny\"}",
         "begin another section"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refused(&w, cases[i][0], cases[i][1]);
    /* nothing was written for any of them */
    assert_string_equal(sh(&w, "ls .git/objects/pack/*.pack | wc -l"), "1\n");
    world_free(&w);
}

static void test_others_go_on(void **state)
{
    (void)state;
    struct world w;
    struct outcome o = {0};
    start(&w);
    apply(&w,
          "{\"op\":\"relabel\",\"id\":\"t1\",\"from\":\"a\",\"to\":\"b\"}\n"
          "{\"op\":\"relabel\",\"id\":\"t1\",\"from\":\"a\",\"to\":\"c\"}\n"
          "{\"op\":\"relabel\",\"id\":\"d1\",\"from\":\"a\",\"to\":\"c\"}\n"
          "{\"op\":\"confirm\",\"id\":\"t2\",\"label\":\"a\"}\n"
          "{\"op\":\"remove\",\"id\":\"t3\"}\n"
          "{\"op\":\"remove\",\"id\":\"t3\"}\n"
          "{\"op\":\"add\",\"sample\":{\"text\":\"new text\",\"label\":\"c\",\"k\":[1.5,{\"z\":"
          "null}]},\"by\":[\"ann\"],\"reason\":\"rare\"}\n"
          "{\"op\":\"add\",\"sample\":{\"text\":\"New  text\",\"label\":\"c\"}}\n",
          &o);
    assert_int_equal(o.counts.relabel, 1);
    assert_int_equal(o.counts.confirm, 1);
    assert_int_equal(o.counts.remove, 1);
    assert_int_equal(o.counts.add, 1);
    assert_int_equal(o.counts.set_aside, 4);
    assert_non_null(strstr(reason(&o, 0), "label is \"b\" now, not \"a\": fixer changed it"));
    assert_non_null(strstr(reason(&o, 2), "removed by fixer before"));
    assert_non_null(strstr(reason(&o, 3), "a copy of train sample"));
    assert_string_equal(json_string_value(json_object_get(json_array_get(o.aside, 1), "stage")),
                        "fixer");
    assert_string_equal(
        sh(&w, "git show %s:samples/train/00.jsonl | tail -1", o.oid),
        "{\"id\":\"cb0208b0b1fa06bc\",\"text\":\"new "
        "text\",\"label\":\"c\",\"k\":[1.5,{\"z\":null}],"
        "\"split\":\"train\",\"provenance\":{\"run\":\"r1\",\"iteration\":3,\"stage\":\"fixer\","
        "\"plugin\":\"oracle 1.2\",\"by\":[\"ann\"],\"reason\":\"rare\"}}\n");
    assert_string_equal(sh(&w, "git show %s:patches/3-fixer.jsonl | grep -c '\"aside\":'", o.oid),
                        "4\n");
    assert_string_equal(sh(&w, "git show %s:patches/3-fixer.jsonl | wc -l", o.oid), "8\n");
    json_decref(o.aside);
    world_free(&w);
}

static void test_files_come_and_go(void **state)
{
    (void)state;
    struct world w;
    struct outcome o = {0};
    start(&w);
    /* still named by t5 */
    apply(&w, "{\"op\":\"remove\",\"id\":\"t4\"}\n", &o);
    assert_string_equal(sh(&w, "git ls-tree -r --name-only %s files", o.oid), "files/p/f.bin\n");
    apply(&w, "{\"op\":\"remove\",\"id\":\"t4\"}\n{\"op\":\"remove\",\"id\":\"t5\"}\n", &o);
    assert_string_equal(sh(&w, "git ls-tree -r --name-only %s files", o.oid), "");
    put(&w, "patch/files/new/g.bin", "new bytes");
    put(&w, "patch/files/p/f.bin", "other bytes");
    apply(&w,
          "{\"op\":\"add\",\"sample\":{\"file_name\":\"new/g.bin\",\"label\":\"c\"},\"parent\":"
          "\"t4\"}\n"
          "{\"op\":\"add\",\"sample\":{\"file_name\":\"p/f.bin\",\"label\":\"c\"}}\n",
          &o);
    assert_int_equal(o.counts.add, 2);
    assert_string_equal(sh(&w, "git ls-tree -r --name-only %s files", o.oid),
                        "files/new/g.bin\nfiles/p/f-4bd87217.bin\nfiles/p/f.bin\n");
    assert_non_null(strstr(sh(&w, "git show %s:samples/train/00.jsonl", o.oid),
                           "\"file_name\":\"new/g.bin\",\"label\":\"c\",\"parent\":\"t4\""));
    assert_non_null(strstr(sh(&w, "git show %s:samples/train/00.jsonl", o.oid),
                           "\"file_name\":\"p/f-4bd87217.bin\""));
    must(&w, fw_repo_move(w.repo, "demo", w.oid, o.oid, "test", &w.err));
    fsck(&w);
    sh(&w, "git clone -q -b flywheel/demo . clone && cmp clone/files/new/g.bin "
           "patch/files/new/g.bin && git -C clone fsck --strict");
    json_decref(o.aside);
    world_free(&w);
}

static void test_a_file_that_is_a_folder_elsewhere(void **state)
{
    (void)state;
    struct world w;
    struct outcome o = {0};
    start(&w);
    put(&w, "patch/files/p", "a file named as our folder");
    apply(&w, "{\"op\":\"add\",\"sample\":{\"file_name\":\"p\",\"label\":\"c\"}}\n", &o);
    assert_int_equal(o.counts.add, 1);
    assert_non_null(strstr(sh(&w, "git ls-tree --name-only %s files/", o.oid), "files/p-"));
    json_decref(o.aside);
    world_free(&w);
}

static void test_guidelines(void **state)
{
    (void)state;
    struct world w;
    struct outcome o = {0};
    struct fw_buf text = {0};
    start(&w);
    apply(&w,
          "{\"op\":\"guideline\",\"class\":\"b\",\"text\":\"Square things.\\nAlso cubes.\\n\"}\n"
          "{\"op\":\"guideline\",\"class\":\"c\",\"text\":\"Rest.\"}\n",
          &o);
    assert_int_equal(o.counts.guideline, 2);
    must(&w, fw_snap_guidelines(w.repo, o.oid, &text, &w.err));
    assert_non_null(
        strstr(text.p, "\n## a\n\n\n## b\n\nSquare things.\nAlso cubes.\n\n## c\n\nRest.\n"));
    fw_buf_release(&text);
    json_decref(o.aside);
    world_free(&w);
}

static void test_nothing_to_do_is_no_commit(void **state)
{
    (void)state;
    struct world w;
    struct outcome o = {0};
    start(&w);
    apply(&w, "{\"op\":\"confirm\",\"id\":\"t1\",\"label\":\"a\"}\n", &o);
    assert_string_equal(o.oid, w.oid);
    assert_int_equal(o.counts.confirm, 1);
    apply(&w, "", &o);
    assert_string_equal(o.oid, w.oid);
    json_decref(o.aside);
    world_free(&w);
}

static void test_the_same_patch_gives_the_same_commit(void **state)
{
    (void)state;
    struct world w;
    struct outcome o = {0}, again = {0};
    start(&w);
    const char *line = "{\"op\":\"relabel\",\"id\":\"t1\",\"from\":\"a\",\"to\":\"b\"}\n";
    apply(&w, line, &o);
    apply(&w, line, &again);
    assert_string_equal(o.oid, again.oid);
    json_decref(o.aside);
    json_decref(again.aside);
    world_free(&w);
}

static void test_only_touched_shards_are_written(void **state)
{
    (void)state;
    struct world w;
    struct outcome o = {0};
    struct fw_buf b = {0};
    world_new(&w);
    for (int i = 0; i < 4000; i++)
        fw_buf_printf(&b, "{\"id\":\"s%d\",\"text\":\"t%d\",\"label\":\"%s\"}\n", i, i,
                      i % 2 ? "a" : "b");
    put(&w, "data/samples.jsonl", b.p);
    fw_buf_release(&b);
    must(&w, import(&w, "data"));
    const char *id = sh(&w, "git show flywheel/demo:samples/train/03.jsonl | head -1 | cut -d'\"' "
                            "-f4,12 | tr '\"' ' '");
    char name[32], label[32], line[200];
    assert_int_equal(sscanf(id, "%31s %31s", name, label), 2);
    snprintf(line, sizeof line,
             "{\"op\":\"relabel\",\"id\":\"%s\",\"from\":\"%s\",\"to\":\"%s\"}\n", name, label,
             label[0] == 'a' ? "b" : "a");
    apply(&w, line, &o);
    assert_int_equal(o.counts.relabel, 1);
    assert_string_equal(sh(&w, "git diff --name-only %s %s", w.oid, o.oid),
                        "patches/3-fixer.jsonl\nsamples/train/03.jsonl\n");
    json_decref(o.aside);
    world_free(&w);
}

static void test_a_full_disk_moves_nothing(void **state)
{
    (void)state;
    struct world w;
    struct outcome o = {0};
    start(&w);
    sh(&w,
       "mkdir patch; head -c 3000000 /dev/urandom | base64 > /dev/null; mkdir -p patch/files && "
       "head -c 3000000 /dev/urandom > patch/files/big.bin");
    /* a child with a limit on the size of its files: writes fail as on a full disk */
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit small = {1 << 20, 1 << 20};
        signal(SIGXFSZ, SIG_IGN);
        put(&w, "patch/patch.jsonl", "");
        setrlimit(RLIMIT_FSIZE, &small);
        int rc = apply_to(
            &w, w.oid, "{\"op\":\"add\",\"sample\":{\"file_name\":\"big.bin\",\"label\":\"c\"}}\n",
            &o);
        _exit(rc == FW_EIO && strstr(w.err.msg, "File too large") ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_string_equal(sh(&w, "git rev-parse flywheel/demo"), sh(&w, "echo %s", w.oid));
    fsck(&w);
    apply(&w, "{\"op\":\"add\",\"sample\":{\"file_name\":\"big.bin\",\"label\":\"c\"}}\n", &o);
    assert_int_equal(o.counts.add, 1);
    json_decref(o.aside);
    world_free(&w);
}

/* A label in a hundred changed, in every shard: the snapshot costs what was changed, and git reads it. */
static void test_many_relabels_cost_little(void **state)
{
    (void)state;
    enum { N = 20000 };
    struct world w;
    struct outcome o = {0};
    struct fw_buf data = {0}, patch = {0};
    world_new(&w);
    for (int i = 0; i < N; i++)
        fw_buf_printf(
            &data,
            "{\"id\":\"s%d\",\"text\":\"%08x %08x %08x\",\"label\":\"%c\",\"split\":\"%s\"}\n", i,
            (unsigned)i * 2654435761u, (unsigned)i * 40503u, (unsigned)i * 97u, "ab"[i % 2],
            i < 10   ? "dev"
            : i < 20 ? "test"
                     : "train");
    put(&w, "data/samples.jsonl", data.p);
    must(&w, import(&w, "data"));
    must(&w, fw_repo_set_ref(w.repo, "refs/flywheel/one", w.oid, &w.err));
    long before = atol(sh(&w, "du -sb .git/objects | cut -f1"));
    for (int round = 0; round < 3; round++) {
        fw_buf_clear(&patch);
        for (int i = 100 + 2 * round; i < N; i += 100)
            fw_buf_printf(&patch,
                          "{\"op\":\"relabel\",\"id\":\"s%d\",\"from\":\"a\",\"to\":\"b\"}\n", i);
        apply(&w, patch.p, &o);
        assert_int_equal(o.counts.relabel, N / 100 - 1);
        must(&w, fw_repo_set_ref(w.repo, "refs/flywheel/one", o.oid, &w.err));
        memcpy(w.oid, o.oid, sizeof w.oid);
    }
    assert_string_equal(sh(&w, "cut -d' ' -f2 .git/flywheel/rows"), "3\n");
    long added = atol(sh(&w, "du -sb .git/objects | cut -f1")) - before;
    assert_in_range(added, 1, before / 3);
    fsck(&w);
    assert_string_equal(
        sh(&w, "git grep -h '\"s100\"' refs/flywheel/one -- samples | grep -c label.:.b"), "1\n");
    json_decref(o.aside);
    fw_buf_release(&data);
    fw_buf_release(&patch);
    world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_relabel_changes_only_the_row),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_others_go_on),
        cmocka_unit_test(test_files_come_and_go),
        cmocka_unit_test(test_a_file_that_is_a_folder_elsewhere),
        cmocka_unit_test(test_guidelines),
        cmocka_unit_test(test_nothing_to_do_is_no_commit),
        cmocka_unit_test(test_the_same_patch_gives_the_same_commit),
        cmocka_unit_test(test_only_touched_shards_are_written),
        cmocka_unit_test(test_a_full_disk_moves_nothing),
        cmocka_unit_test(test_many_relabels_cost_little),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
