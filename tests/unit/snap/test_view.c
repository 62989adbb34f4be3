#include "tests/unit/snap/util.h"

#include <sys/stat.h>

static void start(struct world *w)
{
    struct fw_buf b = {0};
    world_new(w);
    for (int i = 0; i < 60; i++) {
        char rel[64], text[64];
        snprintf(rel, sizeof rel, "data/f/%d.bin", i);
        snprintf(text, sizeof text, "picture %d", i % 50); /* the last ten repeat the first */
        put(w, rel, text);
        fw_buf_printf(&b, "{\"id\":\"s%d\",\"file_name\":\"f/%d.bin\",\"label\":\"%s\"}\n", i, i,
                      i % 3 ? "a" : "b");
    }
    put(w, "data/samples.jsonl", b.p);
    fw_buf_release(&b);
    must(w, import(w, "data"));
}

static char *view(struct world *w, struct fw_view_spec spec, char digest[65])
{
    char *path = NULL, other[65];
    must(w, fw_snap_view(w->repo, w->oid, &spec, &path, digest ? digest : other, &w->err));
    return path;
}

static void test_a_view_is_the_split(void **state)
{
    (void)state;
    struct world w;
    char one[65], two[65], digest[65];
    start(&w);
    char *train = view(&w, (struct fw_view_spec){.split = "train"}, one);
    assert_string_equal(sh(&w, "cat %s/samples.jsonl", train),
                        sh(&w, "git show flywheel/demo:samples/train/00.jsonl"));
    sh(&w, "cd %s && for f in f/*; do cmp $f %s/data/$f || exit 1; done", train, w.dir);
    assert_string_equal(sh(&w, "ls %s/f | wc -l", train),
                        sh(&w, "wc -l < %s/samples.jsonl", train));
    struct stat st;
    assert_int_equal(stat(in_world(&w, ".flywheel/views"), &st), 0);
    assert_int_equal(stat(train, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0555);
    assert_string_equal(
        sh(&w, "find %s -type f ! -perm 0444; find %s -type d ! -perm 0555", train, train), "");
    must(&w, fw_snap_split_digest(w.repo, w.oid, "train", digest, &w.err));
    assert_string_equal(digest, one);
    char *all = view(&w, (struct fw_view_spec){.split = "all"}, two);
    assert_string_not_equal(one, two);
    assert_string_equal(sh(&w, "grep -c '\"split\":\"test\"' %s/samples.jsonl || :", all), "0\n");
    assert_int_equal(atoi(sh(&w, "wc -l < %s/samples.jsonl", all)),
                     (int)(w.report.train + w.report.dev));
    free(train);
    free(all);
    world_free(&w);
}

static void test_a_view_is_made_once_and_shares_files(void **state)
{
    (void)state;
    struct world w;
    struct stat a, b;
    start(&w);
    char *one = view(&w, (struct fw_view_spec){.split = "train"}, NULL);
    assert_int_equal(stat(one, &a), 0);
    char *again = view(&w, (struct fw_view_spec){.split = "train"}, NULL);
    assert_string_equal(one, again);
    assert_int_equal(stat(again, &b), 0);
    assert_int_equal(a.st_ino, b.st_ino);
    char *all = view(&w, (struct fw_view_spec){.split = "all"}, NULL);
    const char *file = sh(&w, "ls %s/f | head -1", one);
    char name[64], path[600];
    assert_int_equal(sscanf(file, "%63s", name), 1);
    snprintf(path, sizeof path, "%s/f/%s", one, name);
    assert_int_equal(stat(path, &a), 0);
    snprintf(path, sizeof path, "%s/f/%s", all, name);
    assert_int_equal(stat(path, &b), 0);
    assert_int_equal(a.st_ino, b.st_ino);
    assert_string_equal(sh(&w, "ls -a .flywheel/views | grep new || :"), "");
    /* a pool file that a power cut left short is not believed */
    free(one);
    sh(&w,
       "chmod -R u+w .flywheel; rm -r .flywheel/views; for f in .flywheel/files/*/*; do : > $f; "
       "done");
    one = view(&w, (struct fw_view_spec){.split = "train"}, NULL);
    sh(&w, "cd %s && for f in f/*; do cmp $f %s/data/$f || exit 1; done", one, w.dir);
    free(one);
    free(again);
    free(all);
    world_free(&w);
}

static void test_folds(void **state)
{
    (void)state;
    struct world w;
    start(&w);
    size_t rows = 0;
    for (int fold = 0; fold < 3; fold++) {
        char *part = view(
            &w, (struct fw_view_spec){.split = "train", .fold = fold, .folds = 3, .part = true},
            NULL);
        char *rest =
            view(&w, (struct fw_view_spec){.split = "train", .fold = fold, .folds = 3}, NULL);
        rows += (size_t)atoi(sh(&w, "wc -l < %s/samples.jsonl", part));
        /* together they are the split */
        assert_string_equal(sh(&w, "cat %s/samples.jsonl %s/samples.jsonl | sort", part, rest),
                            sh(&w, "git show flywheel/demo:samples/train/00.jsonl | sort"));
        /* no content is on both sides */
        assert_string_equal(sh(&w,
                               "(cd %s && sha1sum f/* | cut -c1-40 | sort -u; cd %s && sha1sum "
                               "f/* | cut -c1-40 | sort -u) | sort | uniq -d",
                               part, rest),
                            "");
        free(part);
        free(rest);
    }
    assert_int_equal(rows, w.report.train);
    char *path = NULL, digest[65];
    struct fw_view_spec none = {.split = "train", .folds = 3, .fold = 3};
    assert_int_equal(fw_snap_view(w.repo, w.oid, &none, &path, digest, &w.err), FW_EINVAL);
    world_free(&w);
}

/* One in 4 is part of one in 2, copies stay together, no class is lost, and what is in does not
 * move when rows are added. */
static void test_subsets(void **state)
{
    (void)state;
    struct world w;
    struct fw_buf b = {0};
    world_new(&w);
    for (int i = 0; i < 400; i++)
        fw_buf_printf(&b,
                      "{\"id\":\"s%d\",\"text\":\"t%d\",\"label\":\"%s\",\"split\":\"train\"}\n", i,
                      i / 2, i < 4 ? "rare" : "a");
    fw_buf_puts(&b, "{\"text\":\"d\",\"label\":\"a\",\"split\":\"dev\"}\n"
                    "{\"text\":\"e\",\"label\":\"a\",\"split\":\"test\"}\n");
    put(&w, "t.jsonl", b.p);
    must(&w, import(&w, "t.jsonl"));
    char *quarter = view(&w, (struct fw_view_spec){.split = "train", .one_of = 4}, NULL);
    char *half = view(&w, (struct fw_view_spec){.split = "train", .one_of = 2}, NULL);
    char *least = view(&w, (struct fw_view_spec){.split = "train", .one_of = 1000000}, NULL);
    char *all = view(&w, (struct fw_view_spec){.split = "train", .one_of = 1}, NULL);
    int n4 = atoi(sh(&w, "wc -l < %s/samples.jsonl", quarter));
    int n2 = atoi(sh(&w, "wc -l < %s/samples.jsonl", half));
    assert_in_range(n4, 70, 130);
    assert_in_range(n2, 160, 240);
    assert_string_equal(sh(&w, "grep -vxFf %s/samples.jsonl %s/samples.jsonl || :", half, quarter),
                        "");
    /* both copies or none */
    assert_string_equal(
        sh(&w,
           "grep -o 't[0-9][0-9]*\"' %s/samples.jsonl | sort | uniq -c | grep -v ' 2 ' || :", quarter),
        "");
    assert_int_equal(atoi(sh(&w, "wc -l < %s/samples.jsonl", least)), 4);
    assert_int_equal(atoi(sh(&w, "grep -c rare %s/samples.jsonl", least)), 2);
    assert_int_equal(atoi(sh(&w, "wc -l < %s/samples.jsonl", all)), 400);
    /* more rows: the old ones stay in, but for the stand-in of a class */
    for (int i = 0; i < 100; i++)
        fw_buf_printf(
            &b, "{\"id\":\"n%d\",\"text\":\"new%d\",\"label\":\"a\",\"split\":\"train\"}\n", i, i);
    put(&w, "t.jsonl", b.p);
    must(&w, import(&w, "t.jsonl"));
    char *more = view(&w, (struct fw_view_spec){.split = "train", .one_of = 4}, NULL);
    assert_string_equal(sh(&w, "grep -vxFf %s/samples.jsonl %s/samples.jsonl || :", more, quarter),
                        "");
    assert_true(atoi(sh(&w, "wc -l < %s/samples.jsonl", more)) > n4);
    char *path = NULL, digest[65];
    struct fw_view_spec none = {.split = "train", .one_of = -1};
    assert_int_equal(fw_snap_view(w.repo, w.oid, &none, &path, digest, &w.err), FW_EINVAL);
    free(quarter);
    free(half);
    free(least);
    free(all);
    free(more);
    fw_buf_release(&b);
    world_free(&w);
}

static void test_augmentations_stay_with_their_parent(void **state)
{
    (void)state;
    struct world w;
    struct fw_buf b = {0};
    world_new(&w);
    for (int i = 0; i < 40; i++)
        fw_buf_printf(&b,
                      "{\"id\":\"s%d\",\"text\":\"t%d\",\"label\":\"%s\",\"split\":\"train\"}\n"
                      "{\"id\":\"x%d\",\"text\":\"u%d\",\"parent\":\"s%d\",\"label\":\"%s\","
                      "\"split\":\"train\"}\n"
                      "{\"id\":\"y%d\",\"text\":\"v%d\",\"parent\":\"x%d\",\"label\":\"%s\","
                      "\"split\":\"train\"}\n",
                      i, i, i % 2 ? "a" : "b", i, i, i, i % 2 ? "a" : "b", i, i, i,
                      i % 2 ? "a" : "b");
    fw_buf_puts(&b, "{\"text\":\"d\",\"label\":\"a\",\"split\":\"dev\"}\n"
                    "{\"text\":\"e\",\"label\":\"a\",\"split\":\"test\"}\n");
    put(&w, "t.jsonl", b.p);
    fw_buf_release(&b);
    must(&w, import(&w, "t.jsonl"));
    char *part = view(&w, (struct fw_view_spec){.split = "train", .folds = 4, .part = true}, NULL);
    sh(&w,
       "cut -d'\"' -f4 %s/samples.jsonl | sort > got; grep '^s' got | tr -d s | while read i; do "
       "grep -qx x$i got && grep -qx y$i got || exit 1; done; test $(grep -c '^s' got) = $(grep -c "
       "'^y' got) && test $(grep -c '^s' got) -gt 2",
       part);
    free(part);
    world_free(&w);
}

static void test_limit_takes_of_every_class(void **state)
{
    (void)state;
    struct world w;
    struct fw_buf b = {0};
    world_new(&w);
    for (int i = 0; i < 100; i++)
        fw_buf_printf(&b, "{\"id\":\"s%d\",\"text\":\"t%d\",\"label\":\"%s\"}\n", i, i,
                      i < 90 ? "a" : "b");
    put(&w, "t.jsonl", b.p);
    fw_buf_release(&b);
    must(&w, import(&w, "t.jsonl"));
    char *few = view(&w, (struct fw_view_spec){.split = "train", .limit = 8}, NULL);
    assert_string_equal(sh(&w, "wc -l < %s/samples.jsonl", few), "8\n");
    assert_string_equal(sh(&w, "grep -c '\"label\":\"b\"' %s/samples.jsonl", few), "4\n");
    free(few);
    world_free(&w);
}

static void test_checkout(void **state)
{
    (void)state;
    struct world w;
    start(&w);
    must(&w, fw_snap_checkout(w.repo, w.oid, in_world(&w, "out"), &w.err));
    assert_string_equal(
        sh(&w, "diff -r data/f out/f; ls out; wc -l < out/samples.jsonl"),
        sh(&w, "printf 'GUIDELINES.md\\nf\\nsamples.jsonl\\n%zu\\n'", w.report.rows));
    sh(&w, "echo mine >> out/f/1.bin"); /* a copy of one's own */
    assert_int_equal(fw_snap_checkout(w.repo, w.oid, in_world(&w, "out"), &w.err), FW_EEXISTS);
    sh(&w, "mkdir void");
    must(&w, fw_snap_checkout(w.repo, w.oid, in_world(&w, "void"), &w.err));
    /* what was checked out imports to the same dataset */
    char tree[64];
    snprintf(tree, sizeof tree, "%s", sh(&w, "git rev-parse flywheel/demo:samples"));
    must(&w, import(&w, "void"));
    assert_string_equal(sh(&w, "git rev-parse flywheel/demo:samples"), tree);
    world_free(&w);
}

static void test_a_lost_object_is_said(void **state)
{
    (void)state;
    struct world w;
    char *path = NULL, digest[65];
    start(&w);
    /* unpack, then lose the blob of one file */
    sh(&w,
       "mv .git/objects/pack/*.pack p && rm -f .git/objects/pack/* && git unpack-objects -q < p "
       "&& b=$(git rev-parse flywheel/demo:samples/train/00.jsonl) && rm -f "
       ".git/objects/$(echo $b | cut -c1-2)/$(echo $b | cut -c3-)");
    fw_repo_close(w.repo);
    world_open(&w);
    struct fw_view_spec spec = {.split = "train"};
    assert_int_equal(fw_snap_view(w.repo, w.oid, &spec, &path, digest, &w.err), FW_ECORRUPT);
    assert_non_null(strstr(w.err.msg, "is missing from the repository"));
    assert_null(path);
    world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_view_is_the_split),
        cmocka_unit_test(test_a_view_is_made_once_and_shares_files),
        cmocka_unit_test(test_folds),
        cmocka_unit_test(test_subsets),
        cmocka_unit_test(test_augmentations_stay_with_their_parent),
        cmocka_unit_test(test_limit_takes_of_every_class),
        cmocka_unit_test(test_checkout),
        cmocka_unit_test(test_a_lost_object_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
