#include "tests/unit/snap/util.h"

/* n rows a class, text content, no split, no id */
static void put_texts(const struct world *w, const char *rel, int n)
{
    struct fw_buf b = {0};
    for (int i = 0; i < n; i++)
        for (int k = 0; k < 2; k++)
            fw_buf_printf(&b, "{\"text\":\"sample %d of %s\",\"label\":\"%s\"}\n", i, k ? "b" : "a",
                          k ? "b" : "a");
    put(w, rel, b.p);
    fw_buf_release(&b);
}

static void test_rows_keep_their_bytes(void **state)
{
    (void)state;
    struct world w;
    world_new(&w);
    put(&w, "data/samples.jsonl",
        "{ \"id\": \"one\",  \"text\": \"caf\\u00e9 \\/ 1.50\", \"label\": \"a\", \"split\": "
        "\"train\", "
        "\"x\": 1.50 }\r\n"
        "\n"
        "{\"text\":\"two\",\"label\":\"b\",\"split\":\"validation\"}\n"
        "{\"id\":7,\"text\":\"three\",\"label\":\"b\",\"split\":null}\n"
        "{\"id\":\"four\",\"text\":\"four\",\"label\":\"a\",\"split\":\"test\"}");
    struct fw_import_options o = options(&w, "data");
    o.dev = o.test = 0;
    must(&w, import_with(&w, &o));
    assert_int_equal(w.report.train, 2);
    assert_int_equal(w.report.dev, 1);
    const char *train = sh(&w, "git show flywheel/demo:samples/train/00.jsonl");
    assert_string_equal(
        train,
        "{ \"id\": \"one\",  \"text\": \"caf\\u00e9 \\/ 1.50\", \"label\": \"a\", \"split\": "
        "\"train\", \"x\": 1.50 }\n"
        "{\"id\":\"7\",\"text\":\"three\",\"label\":\"b\",\"split\":\"train\"}\n");
    assert_string_equal(sh(&w, "git show flywheel/demo:samples/dev/00.jsonl"),
                        "{\"id\":\"3fc4ccfe745870e2\",\"text\":\"two\",\"label\":\"b\",\"split\":"
                        "\"dev\"}\n"); /* sha256("two") */
    fsck(&w);
    assert_string_equal(sh(&w, "git log --format='%%an %%ae %%at %%s' flywheel/demo"),
                        "Ann a@b.c 1700000000 Import 4 samples from data\n");
    assert_non_null(strstr(sh(&w, "git show flywheel/demo:GUIDELINES.md"), "## a\n"));
    assert_string_equal(sh(&w, "git show flywheel/demo:dataset.json | tr -d ' \\n'"),
                        "{\"version\":1,\"task\":\"classification\",\"classes\":[\"a\",\"b\"],"
                        "\"shards\":1}");
    world_free(&w);
}

static void test_import_again_changes_nothing(void **state)
{
    (void)state;
    struct world w;
    char first[FW_OID_HEX];
    world_new(&w);
    put_texts(&w, "data/samples.jsonl", 10);
    must(&w, import(&w, "data"));
    memcpy(first, w.oid, sizeof first);
    must(&w, import(&w, "data"));
    assert_string_equal(w.oid, first);
    put_texts(&w, "data/samples.jsonl", 11);
    must(&w, import(&w, "data"));
    assert_string_not_equal(w.oid, first);
    assert_string_equal(sh(&w, "git rev-list --count flywheel/demo"), "2\n");
    world_free(&w);
}

static void test_index_and_work_tree_are_left_alone(void **state)
{
    (void)state;
    struct world w;
    char before[4096];
    world_new(&w);
    put_texts(&w, "data/samples.jsonl", 10);
    put(&w, "kept", "1\n");
    sh(&w, "git add kept && git commit -qm one && echo 2 > kept && git add kept && echo 3 > kept");
    const char *look =
        "sha1sum .git/index .git/HEAD kept; git status --porcelain; git diff --stat; "
        "git rev-parse HEAD";
    snprintf(before, sizeof before, "%s", sh(&w, "%s", look));
    put(&w, ".git/info/exclude", ".flywheel\n");
    snprintf(before, sizeof before, "%s", sh(&w, "%s", look));
    must(&w, import(&w, "data"));
    assert_string_equal(sh(&w, "%s", look), before);
    world_free(&w);
}

static void test_csv(void **state)
{
    (void)state;
    struct world w;
    world_new(&w);
    put(&w, "t.csv",
        "id,text,label,width,code,note,split\n"
        "a1,\"hello, \"\"you\"\"\",yes,10,007,,train\n"
        "a2,two,no,2.5,12,\"x\ny\",train\n"
        "a3,three,yes,.5,1,,dev\n"
        "a4,four,no,,2,z,test\n");
    must(&w, import(&w, "t.csv"));
    assert_string_equal(
        sh(&w, "git show flywheel/demo:samples/train/00.jsonl"),
        "{\"id\":\"a1\",\"text\":\"hello, \\\"you\\\"\",\"label\":\"yes\",\"width\":10,\"code\":"
        "\"007\",\"split\":\"train\"}\n"
        "{\"id\":\"a2\",\"text\":\"two\",\"label\":\"no\",\"width\":2.5,\"code\":\"12\",\"note\":"
        "\"x\\ny\",\"split\":\"train\"}\n");
    assert_non_null(strstr(sh(&w, "git show flywheel/demo:samples/dev/00.jsonl"), "\"width\":0.5"));
    world_free(&w);
}

static void test_csv_of_numbers_makes_features(void **state)
{
    (void)state;
    struct world w;
    world_new(&w);
    put(&w, "t.csv",
        "x,label,line,y,split\n1,a,L1,-2e3,train\n2,b,L2,+4,train\n3,a,L1,6,dev\n5,b,L1,6,test\n");
    must(&w, import(&w, "t.csv"));
    assert_non_null(strstr(warnings(&w), "2 numeric columns (x, y) are the features"));
    const char *train = sh(&w, "git show flywheel/demo:samples/train/00.jsonl");
    assert_non_null(strstr(train,
                           "\"label\":\"a\",\"line\":\"L1\",\"split\":\"train\",\"features\":"
                           "[1,-2e3]"));
    assert_non_null(strstr(train, "\"features\":[2,4]"));
    put(&w, "t.csv", "x,label,y\n1,a,2\n2,b,\n3,a,nan\n4,b\n");
    assert_int_equal(import(&w, "t.csv"), FW_EINVAL);
    expect_problem(&w, "t.csv", 3, "column 'y' is empty");
    expect_problem(&w, "t.csv", 4, "column 'y' holds nan");
    expect_problem(&w, "t.csv", 5, "2 fields where the first row has 3");
    put(&w, "t.csv", "x,kind\n1,a\n");
    assert_int_equal(import(&w, "t.csv"), FW_EINVAL);
    expect_problem(&w, "t.csv", 1, "no column 'label'");
    put(&w, "t.csv", "x,label,x,\n");
    assert_int_equal(import(&w, "t.csv"), FW_EINVAL);
    expect_problem(&w, "t.csv", 1, "two columns are named 'x'");
    expect_problem(&w, "t.csv", 1, "column 4 has no name");
    put(&w, "t.csv", "text,label\n\"never,closed\n");
    assert_int_equal(import(&w, "t.csv"), FW_EINVAL);
    expect_problem(&w, "t.csv", 2, "never closed");
    world_free(&w);
}

static void test_regression(void **state)
{
    (void)state;
    struct world w;
    world_new(&w);
    put(&w, "t.csv", "x,label\n1,10\n2,20.5\n3,30\n4,40\n5,50\n");
    struct fw_import_options o = options(&w, "t.csv");
    o.task = FW_REGRESSION;
    must(&w, import_with(&w, &o));
    assert_int_equal(w.report.rows, 5);
    assert_int_equal(w.report.dev, 1);
    assert_non_null(strstr(sh(&w, "git grep -h 20.5 flywheel/demo -- samples"), "\"label\":20.5"));
    put(&w, "t.jsonl", "{\"text\":\"x\",\"label\":\"high\"}\n{\"text\":\"y\",\"label\":null}\n");
    o.source = in_world(&w, "t.jsonl");
    assert_int_equal(import_with(&w, &o), FW_EINVAL);
    expect_problem(&w, "t.jsonl", 1, "label \"high\" is not a number");
    expect_problem(&w, "t.jsonl", 2, "has no label");
    world_free(&w);
}

static void test_folder_per_class(void **state)
{
    (void)state;
    struct world w;
    world_new(&w);
    for (int i = 0; i < 10; i++) {
        char rel[64], text[64];
        snprintf(rel, sizeof rel, "data/%s/%d.bin", i % 2 ? "cat" : "dog", i);
        snprintf(text, sizeof text, "picture %d", i);
        put(&w, rel, text);
    }
    put(&w, "data/README.txt", "about");
    put(&w, "data/cat/.hidden", "no");
    must(&w, import(&w, "data"));
    assert_int_equal(w.report.rows, 10);
    assert_int_equal(w.report.dev, 2);
    assert_int_equal(w.report.test, 2);
    assert_non_null(strstr(warnings(&w), "1 file in no class folder left out (README.txt)"));
    assert_string_equal(sh(&w, "git show flywheel/demo:files/cat/3.bin"), "picture 3");
    assert_non_null(strstr(sh(&w, "git grep -h cat/3.bin flywheel/demo -- samples"),
                           "\"file_name\":\"cat/3.bin\",\"label\":\"cat\",\"split\":"));
    sh(&w, "mkdir two && for s in train val test; do for c in a b; do mkdir -p two/$s/$c && echo "
           "$s $c > two/$s/$c/x; done; done");
    must(&w, import(&w, "two"));
    assert_int_equal(w.report.train, 2);
    assert_int_equal(w.report.dev, 2);
    assert_int_equal(w.report.test, 2);
    const char *const classes[] = {"a"};
    struct fw_import_options o = options(&w, "two");
    o.classes = classes;
    o.n_classes = 1;
    assert_int_equal(import_with(&w, &o), FW_EINVAL);
    expect_problem(&w, "two/val/b", 0, "folder 'b' is not one of the classes");
    world_free(&w);
}

enum { SIDE = 16 };

/* A picture of noise as PGM; nothing like another seed's. cut: bytes missing at its end. */
static void put_picture(const struct world *w, const char *rel, unsigned seed, size_t cut)
{
    char bytes[13 + SIDE * SIDE + 1] = "P5 16 16 255\n";
    for (size_t i = 0; i < SIDE * SIDE; i++) {
        seed = seed * 1103515245u + 12345u;
        bytes[13 + i] = (char)(seed >> 16);
    }
    put(w, rel, "");
    assert_int_equal(fw_fs_write_atomic(in_world(w, rel), bytes, 13 + SIDE * SIDE - cut, NULL),
                     FW_OK);
}

static void put_pictures(const struct world *w)
{
    for (unsigned i = 0; i < 10; i++) {
        char rel[64];
        snprintf(rel, sizeof rel, "data/%s/%u.%s", i % 2 ? "cat" : "dog", i, i ? "pgm" : "PGM");
        put_picture(w, rel, i + 1, 0);
    }
}

static void test_notes_among_images_are_no_samples(void **state)
{
    (void)state;
    struct world w;
    world_new(&w);
    put_pictures(&w);
    put(&w, "data/cat/.DS_Store", "x");
    put(&w, "data/cat/Thumbs.db", "x");
    put(&w, "data/cat/readme.txt", "about cats");
    put(&w, "data/dog/list.csv", "a,b\n");
    must(&w, import(&w, "data"));
    assert_int_equal(w.report.rows, 10);
    assert_non_null(strstr(warnings(&w), "2 files in class folders left out, not named as images "
                                         "(cat/readme.txt, dog/list.csv)\n"));
    assert_string_equal(sh(&w, "git ls-tree -r --name-only flywheel/demo files | grep -cvi pgm; :"),
                        "0\n");
    /* where most are texts, a picture does not make them notes */
    for (int i = 0; i < 12; i++) {
        char rel[64];
        snprintf(rel, sizeof rel, "words/%s/%d.txt", i % 2 ? "ham" : "spam", i);
        put(&w, rel, rel);
    }
    put_picture(&w, "words/ham/x.pgm", 99, 0);
    must(&w, import(&w, "words"));
    assert_int_equal(w.report.rows, 13);
    assert_null(strstr(warnings(&w), "left out"));
    world_free(&w);
}

static void test_images_must_decode(void **state)
{
    (void)state;
    struct world w;
    world_new(&w);
    put_pictures(&w);
    must(&w, import(&w, "data"));
    put(&w, "data/cat/note.jpg", "not a picture");
    put_picture(&w, "data/dog/short.pgm", 50, 9);
    put(&w, "list.jsonl",
        "{\"file_name\":\"data/cat/1.pgm\",\"label\":\"cat\"}\n"
        "{\"file_name\":\"data/cat/note.jpg\",\"label\":\"cat\"}\n"
        "{\"file_name\":\"data/dog/short.pgm\",\"label\":\"dog\"}\n");
    put(&w, "list.csv", "file_name,label\ndata/cat/note.jpg,cat\ndata/dog/2.pgm,dog\n");
    for (int near = 0; near < 2; near++) {
        struct fw_import_options o = options(&w, "data");
        o.near_copies = near;
        assert_int_equal(import_with(&w, &o), FW_EINVAL);
        expect_problem(&w, "data/cat/note.jpg", 0, "note.jpg cannot be decoded as an image: not a");
        expect_problem(&w, "data/dog/short.pgm", 0, "short.pgm cannot be decoded as an image");
        assert_int_equal(w.problems.n, 2);
        o.source = in_world(&w, "list.jsonl");
        assert_int_equal(import_with(&w, &o), FW_EINVAL);
        expect_problem(&w, "list.jsonl", 2, "note.jpg cannot be decoded");
        expect_problem(&w, "list.jsonl", 3, "short.pgm cannot be decoded");
        assert_int_equal(w.problems.n, 2);
        o.source = in_world(&w, "list.csv");
        assert_int_equal(import_with(&w, &o), FW_EINVAL);
        expect_problem(&w, "list.csv", 2, "note.jpg cannot be decoded");
        assert_int_equal(w.problems.n, 1);
    }
    assert_string_equal(sh(&w, "git rev-list --count flywheel/demo"), "1\n");
    world_free(&w);
}

static void test_bad_rows_are_reported_together(void **state)
{
    (void)state;
    struct world w;
    world_new(&w);
    put(&w, "secret", "s");
    put(&w, "data/there.bin", "x");
    put(&w, "data/empty.bin", "");
    sh(&w, "ln -s ../secret data/link && mkfifo data/pipe && mkdir data/folder");
    put(&w, "data/samples.jsonl",
        "{\"id\":\"a\",\"text\":\"1\",\"label\":\"a\"}\n"
        "{\"id\":\"a\",\"text\":\"2\",\"label\":\"b\"}\n"          /* 2 */
        "{\"file_name\":\"gone.bin\",\"label\":\"a\"}\n"           /* 3 */
        "{\"file_name\":\"../secret\",\"label\":\"a\"}\n"          /* 4 */
        "{\"file_name\":\"/etc/passwd\",\"label\":\"a\"}\n"        /* 5 */
        "{\"file_name\":\"link\",\"label\":\"a\"}\n"               /* 6 */
        "{\"text\":\"\xff\",\"label\":\"a\"}\n"                    /* 7 */
        "{\"text\":\"x\",\"w\":NaN,\"label\":\"a\"}\n"             /* 8 */
        "{\"text\":\"y\",\"label\":\"zebra\"}\n"                   /* 9 */
        "{\"label\":\"a\"}\n"                                      /* 10 */
        "{\"text\":\"z\"}\n"                                       /* 11 */
        "{\"text\":\"z\",\"label\":3}\n"                           /* 12 */
        "{\"text\":\"z\",\"label\":\"a\",\"split\":\"holdout\"}\n" /* 13 */
        "[1]\n"                                                    /* 14 */
        "{\"file_name\":\"sub/.GIT/config\",\"label\":\"a\"}\n"    /* 15 */
        "{\"file_name\":\"empty.bin\",\"label\":\"a\"}\n"          /* 16 */
        "{\"file_name\":\"folder\",\"label\":\"a\"}\n"             /* 17 */
        "{\"file_name\":\"samples.jsonl\",\"label\":\"a\"}\n"      /* 18 */
        "{\"features\":[1,\"x\"],\"label\":\"a\"}\n"               /* 19 */
        "{\"id\":\"\",\"text\":\"q\",\"label\":\"a\"}\n");         /* 20 */
    const char *const classes[] = {"a", "b"};
    struct fw_import_options o = options(&w, "data");
    o.classes = classes;
    o.n_classes = 2;
    assert_int_equal(import_with(&w, &o), FW_EINVAL);
    static const struct {
        int line;
        const char *words;
    } want[] = {
        {2, "id 'a' is used before, on line 1"},
        {3, "No such file"},
        {4, "leaves the dataset"},
        {5, "leaves the dataset"},
        {6, "link that leaves"},
        {7, "not UTF-8"},
        {8, "NaN"},
        {9, "label 'zebra' is not one of the classes"},
        {10, "no content"},
        {11, "no label"},
        {12, "label 3 is not the name of a class"},
        {13, "none of train, dev and test"},
        {14, "not a JSON object"},
        {15, "git reserves"},
        {16, "is empty"},
        {17, "not a regular file"},
        {18, "own files"},
        {19, "features: not an array of numbers"},
        {20, "id is not a text"},
    };
    for (size_t i = 0; i < sizeof want / sizeof *want; i++)
        expect_problem(&w, "samples.jsonl", want[i].line, want[i].words);
    assert_int_equal(w.problems.n + w.problems.more, sizeof want / sizeof *want);
    assert_non_null(strstr(w.err.msg, "19 problems in the data; nothing was imported"));
    assert_string_equal(sh(&w, "git for-each-ref; git count-objects; ls .git/objects/pack"),
                        "0 objects, 0 kilobytes\n");
    world_free(&w);
}

static void test_problems_are_capped(void **state)
{
    (void)state;
    struct world w;
    struct fw_buf b = {0};
    world_new(&w);
    for (int i = 0; i < 30; i++)
        fw_buf_puts(&b, "{\"text\":\"x\"}\n");
    put(&w, "t.jsonl", b.p);
    fw_buf_release(&b);
    assert_int_equal(import(&w, "t.jsonl"), FW_EINVAL);
    assert_int_equal(w.problems.n, 20);
    assert_int_equal(w.problems.more, 10);
    assert_int_equal(w.problems.list[19].line, 20);
    world_free(&w);
}

static void test_a_source_that_is_none(void **state)
{
    (void)state;
    struct world w;
    world_new(&w);
    assert_int_equal(import(&w, "absent"), FW_ENOTFOUND);
    put(&w, "x.parquet", "PAR1");
    assert_int_equal(import(&w, "x.parquet"), FW_EINVAL);
    assert_non_null(strstr(w.err.msg, "neither .jsonl, .csv nor .tsv"));
    sh(&w, "mkdir empty");
    assert_int_equal(import(&w, "empty"), FW_EINVAL);
    expect_problem(&w, "empty", 0, "has no samples");
    put(&w, "flat/1.png", "x");
    assert_int_equal(import(&w, "flat"), FW_EINVAL);
    expect_problem(&w, "flat", 0, "neither a list of samples nor class folders");
    put(&w, "t.jsonl", "\n");
    assert_int_equal(import(&w, "t.jsonl"), FW_EINVAL);
    expect_problem(&w, "t.jsonl", 0, "there are no samples");
    world_free(&w);
}

static void test_splits_that_leave_something_empty(void **state)
{
    (void)state;
    struct world w;
    world_new(&w);
    put(&w, "t.jsonl",
        "{\"text\":\"1\",\"label\":\"a\",\"split\":\"train\"}\n"
        "{\"text\":\"2\",\"label\":\"b\",\"split\":\"train\"}\n");
    assert_int_equal(import(&w, "t.jsonl"), FW_EINVAL);
    expect_problem(&w, "t.jsonl", 0, "no sample is in dev");
    expect_problem(&w, "t.jsonl", 0, "no sample is in test");
    put(&w, "t.jsonl",
        "{\"text\":\"1\",\"label\":\"a\",\"split\":\"train\"}\n"
        "{\"text\":\"2\",\"label\":\"b\",\"split\":\"dev\"}\n"
        "{\"text\":\"3\",\"label\":\"b\",\"split\":\"test\"}\n");
    assert_int_equal(import(&w, "t.jsonl"), FW_EINVAL);
    expect_problem(&w, "t.jsonl", 0, "class 'b' has no sample in train");
    put(&w, "t.jsonl", "{\"text\":\"1\",\"label\":\"a\"}\n{\"text\":\"2\",\"label\":\"a\"}\n");
    assert_int_equal(import(&w, "t.jsonl"), FW_EINVAL);
    expect_problem(&w, "t.jsonl", 1, "only one class");
    assert_string_equal(sh(&w, "git for-each-ref"), "");
    world_free(&w);
}

static void test_splits_are_stable_and_stratified(void **state)
{
    (void)state;
    struct world w;
    char first[4096];
    struct fw_buf b = {0};
    world_new(&w);
    for (int i = 0; i < 100; i++)
        fw_buf_printf(&b, "{\"id\":\"s%d\",\"text\":\"t%d\",\"label\":\"%s\"}\n", i, i,
                      i < 90 ? "common" : "rare");
    put(&w, "t.jsonl", b.p);
    must(&w, import(&w, "t.jsonl"));
    assert_int_equal(w.report.dev, 20);
    assert_int_equal(w.report.test, 20);
    assert_string_equal(sh(&w, "git grep -h rare flywheel/demo -- samples/dev | wc -l"), "2\n");
    const char *ids = "git grep -h id flywheel/demo -- samples/dev | cut -d'\"' -f4 | sort";
    snprintf(first, sizeof first, "%s", sh(&w, "%s", ids));
    /* the same ids in another order are dealt the same */
    put(&w, "u.jsonl", sh(&w, "tac t.jsonl"));
    must(&w, import(&w, "u.jsonl"));
    assert_string_equal(sh(&w, "%s", ids), first);
    struct fw_import_options o = options(&w, "t.jsonl");
    o.seed = 2;
    must(&w, import_with(&w, &o));
    assert_string_not_equal(sh(&w, "%s", ids), first);
    fw_buf_release(&b);
    world_free(&w);
}

static void test_copies_share_a_split(void **state)
{
    (void)state;
    struct world w;
    struct fw_buf b = {0};
    world_new(&w);
    for (int i = 0; i < 40; i++)
        fw_buf_printf(&b,
                      "{\"id\":\"s%d\",\"text\":\"Text  %d\",\"label\":\"%s\"}\n"
                      "{\"id\":\"c%d\",\"text\":\"text %d \",\"label\":\"%s\"}\n",
                      i, i, i % 2 ? "a" : "b", i, i, i % 2 ? "a" : "b");
    put(&w, "t.jsonl", b.p);
    fw_buf_release(&b);
    must(&w, import(&w, "t.jsonl"));
    assert_int_equal(w.report.rows, 80);
    assert_int_equal(w.report.dropped_exact, 0);
    for (int split = 0; split < 2; split++)
        sh(&w,
           "git grep -h id flywheel/demo -- samples/%s > rows; for i in $(grep -o '\"s[0-9]*\"' "
           "rows | tr -d 's\"'); do grep -q \"\\\"c$i\\\"\" rows || exit 1; done",
           split ? "dev" : "test");
    world_free(&w);
}

static void test_leak_guard(void **state)
{
    (void)state;
    struct world w;
    world_new(&w);
    put(&w, "data/e.bin", "the same bytes");
    put(&w, "data/t.bin", "the same bytes");
    put(&w, "data/u.bin", "other bytes");
    put(&w, "data/samples.jsonl",
        "{\"id\":\"d1\",\"text\":\"Call NOW!\",\"label\":\"a\",\"split\":\"dev\"}\n"
        "{\"id\":\"d2\",\"file_name\":\"e.bin\",\"label\":\"a\",\"split\":\"dev\"}\n"
        "{\"id\":\"t1\",\"text\":\"quite new\",\"label\":\"a\",\"split\":\"test\"}\n"
        "{\"id\":\"x1\",\"text\":\"call  now!\",\"label\":\"a\",\"split\":\"train\"}\n"
        "{\"id\":\"x2\",\"file_name\":\"t.bin\",\"label\":\"b\",\"split\":\"train\"}\n"
        "{\"id\":\"x3\",\"text\":\"call, now\",\"label\":\"b\",\"split\":\"train\"}\n"
        "{\"id\":\"x4\",\"file_name\":\"u.bin\",\"label\":\"b\",\"split\":\"train\"}\n"
        "{\"id\":\"x5\",\"text\":\"fine\",\"label\":\"a\",\"split\":\"train\"}\n");
    must(&w, import(&w, "data"));
    assert_int_equal(w.report.dropped_exact, 2);
    assert_int_equal(w.report.dropped_near, 1);
    assert_int_equal(w.report.train, 2);
    assert_non_null(strstr(warnings(&w), "2 train samples left out: copies of evaluation samples "
                                         "(x1 = d1, x2 (t.bin) = d2 (e.bin))"));
    assert_non_null(strstr(warnings(&w), "1 train sample left out: near copies of evaluation "
                                         "samples (x3 = d1)"));
    assert_string_equal(sh(&w, "git ls-tree -r --name-only flywheel/demo files"),
                        "files/e.bin\nfiles/u.bin\n");
    struct fw_import_options o = options(&w, "data");
    o.near_copies = false;
    must(&w, import_with(&w, &o));
    assert_int_equal(w.report.dropped_near, 0);
    assert_int_equal(w.report.train, 3);
    fsck(&w);
    world_free(&w);
}

static void test_repeated_contents_without_ids(void **state)
{
    (void)state;
    struct world w;
    world_new(&w);
    put(&w, "t.jsonl",
        "{\"text\":\"x\",\"label\":\"a\",\"split\":\"train\"}\n"
        "{\"text\":\"x\",\"label\":\"b\",\"split\":\"train\"}\n"
        "{\"text\":\"x\",\"label\":\"b\",\"split\":\"train\"}\n"
        "{\"text\":\"y\",\"label\":\"b\",\"split\":\"dev\"}\n"
        "{\"text\":\"z\",\"label\":\"a\",\"split\":\"test\"}\n");
    must(&w, import(&w, "t.jsonl"));
    assert_string_equal(sh(&w, "git show flywheel/demo:samples/train/00.jsonl | cut -d'\"' -f4"),
                        "2d711642b726b044\n2d711642b726b044-2\n2d711642b726b044-3\n");
    assert_non_null(strstr(warnings(&w), "2 samples have the content of another"));
    world_free(&w);
}

static void test_own_guidelines_are_kept(void **state)
{
    (void)state;
    struct world w;
    world_new(&w);
    put_texts(&w, "data/samples.jsonl", 5);
    put(&w, "data/GUIDELINES.md", "# Ours\n\n## a\n\nround\n");
    must(&w, import(&w, "data"));
    struct fw_buf text = {0};
    must(&w, fw_snap_guidelines(w.repo, w.oid, &text, &w.err));
    assert_string_equal(text.p, "# Ours\n\n## a\n\nround\n");
    fw_buf_release(&text);
    world_free(&w);
}

static void test_many_rows_are_sharded(void **state)
{
    (void)state;
    struct world w;
    world_new(&w);
    put_texts(&w, "data/samples.jsonl", 1000);
    must(&w, import(&w, "data"));
    assert_int_equal(w.report.rows, 2000);
    assert_string_equal(sh(&w, "git show flywheel/demo:dataset.json | grep -o 'shards.*'"),
                        "shards\": 8\n");
    assert_string_equal(sh(&w, "git ls-tree --name-only flywheel/demo samples/train/ | wc -l"),
                        "8\n");
    assert_string_equal(sh(&w, "git grep -h label flywheel/demo -- samples | wc -l"), "2000\n");
    fsck(&w);
    json_t *info = NULL;
    must(&w, fw_snap_info(w.repo, w.oid, &info, &w.err));
    const json_t *rows = json_object_get(info, "rows");
    assert_int_equal(json_integer_value(json_object_get(rows, "train")), 1200);
    assert_int_equal(json_integer_value(json_object_get(rows, "dev")), 400);
    assert_true(json_is_null(json_object_get(info, "parent")));
    json_decref(info);
    world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_keep_their_bytes),
        cmocka_unit_test(test_import_again_changes_nothing),
        cmocka_unit_test(test_index_and_work_tree_are_left_alone),
        cmocka_unit_test(test_csv),
        cmocka_unit_test(test_csv_of_numbers_makes_features),
        cmocka_unit_test(test_regression),
        cmocka_unit_test(test_folder_per_class),
        cmocka_unit_test(test_notes_among_images_are_no_samples),
        cmocka_unit_test(test_images_must_decode),
        cmocka_unit_test(test_bad_rows_are_reported_together),
        cmocka_unit_test(test_problems_are_capped),
        cmocka_unit_test(test_a_source_that_is_none),
        cmocka_unit_test(test_splits_that_leave_something_empty),
        cmocka_unit_test(test_splits_are_stable_and_stratified),
        cmocka_unit_test(test_copies_share_a_split),
        cmocka_unit_test(test_leak_guard),
        cmocka_unit_test(test_repeated_contents_without_ids),
        cmocka_unit_test(test_own_guidelines_are_kept),
        cmocka_unit_test(test_many_rows_are_sharded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
