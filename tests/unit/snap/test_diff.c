#include "tests/unit/snap/util.h"

static json_int_t num(const json_t *o, const char *key)
{
    return json_integer_value(json_object_get(o, key));
}

/* The change noted for a sample, as "change from to". */
static const char *change_of(const json_t *diff, const char *id)
{
    static char out[200];
    size_t i;
    json_t *s;
    json_array_foreach (json_object_get(diff, "samples"), i, s) {
        if (strcmp(json_string_value(json_object_get(s, "id")), id) != 0)
            continue;
        const char *from = json_string_value(json_object_get(s, "from"));
        const char *to = json_string_value(json_object_get(s, "to"));
        snprintf(out, sizeof out, "%s %s %s", json_string_value(json_object_get(s, "change")),
                 from ? from : "-", to ? to : "-");
        return out;
    }
    return "none";
}

static void put_rows(const struct world *w, int n)
{
    struct fw_buf b = {0};
    for (int i = 0; i < n; i++)
        fw_buf_printf(&b, "{\"id\":\"s%d\",\"text\":\"t%d\",\"label\":\"%s\",\"split\":\"%s\"}\n",
                      i, i, i % 2 ? "a" : "b",
                      i < 4   ? "dev"
                      : i < 8 ? "test"
                              : "train");
    put(w, "data/samples.jsonl", b.p);
    fw_buf_release(&b);
}

static void test_every_change_is_counted(void **state)
{
    (void)state;
    struct world w;
    char a[FW_OID_HEX];
    json_t *d = NULL;
    world_new(&w);
    put(&w, "data/f.bin", "one");
    put_rows(&w, 20);
    sh(&w, "echo '{\"id\":\"f\",\"file_name\":\"f.bin\",\"label\":\"a\",\"split\":\"train\"}' >> "
           "data/samples.jsonl");
    must(&w, import(&w, "data"));
    memcpy(a, w.oid, sizeof a);
    put(&w, "data/f.bin", "two"); /* the row stays, its file does not */
    sh(&w,
       "sed -i 's/\"s8\",\\(.*\\)\"label\":\"b\"/\"s8\",\\1\"label\":\"a\"/; /\"s9\"/d; "
       "s/\"t10\"/\"other\"/; s/\"s11\",\\(.*\\)train/\"s11\",\\1dev/' data/samples.jsonl && echo "
       "'{\"id\":\"n\",\"text\":\"new\",\"label\":\"b\",\"split\":\"train\"}' >> "
       "data/samples.jsonl");
    must(&w, import(&w, "data"));
    must(&w, fw_snap_diff(w.repo, a, w.oid, 100, &d, &w.err));
    assert_int_equal(num(d, "added"), 1);
    assert_int_equal(num(d, "removed"), 1);
    assert_int_equal(num(d, "relabelled"), 1);
    assert_int_equal(num(d, "changed"), 2);
    assert_int_equal(num(d, "moved"), 1);
    assert_string_equal(change_of(d, "s8"), "relabelled b a");
    assert_string_equal(change_of(d, "s9"), "removed a -");
    assert_string_equal(change_of(d, "n"), "added - b");
    assert_string_equal(change_of(d, "s10"), "changed - -");
    assert_string_equal(change_of(d, "f"), "changed - -");
    assert_string_equal(change_of(d, "s11"), "moved train dev");
    assert_string_equal(change_of(d, "s12"), "none");
    const json_t *train = json_object_get(json_object_get(d, "splits"), "train");
    assert_int_equal(num(train, "added"), 1);
    assert_int_equal(num(train, "changed"), 2);
    const json_t *pair = json_array_get(json_object_get(d, "relabels"), 0);
    assert_string_equal(json_string_value(json_object_get(pair, "to")), "a");
    assert_int_equal(num(pair, "n"), 1);
    const json_t *class_a = json_array_get(json_object_get(d, "by_class"), 0);
    assert_string_equal(json_string_value(json_object_get(class_a, "class")), "a");
    assert_int_equal(num(class_a, "in"), 1);
    assert_int_equal(num(class_a, "out"), 0);
    assert_int_equal(num(class_a, "removed"), 1);
    json_decref(d);
    must(&w, fw_snap_diff(w.repo, a, w.oid, 2, &d, &w.err));
    assert_int_equal(json_array_size(json_object_get(d, "samples")), 2);
    assert_int_equal(num(d, "more"), 4);
    json_decref(d);
    must(&w, fw_snap_diff(w.repo, a, a, 9, &d, &w.err));
    assert_int_equal(num(d, "added") + num(d, "removed") + num(d, "changed"), 0);
    json_decref(d);
    world_free(&w);
}

static void test_other_numbers_of_shards(void **state)
{
    (void)state;
    struct world w;
    char a[FW_OID_HEX];
    json_t *d = NULL;
    world_new(&w);
    put_rows(&w, 200);
    must(&w, import(&w, "data"));
    memcpy(a, w.oid, sizeof a);
    put_rows(&w, 300);
    must(&w, import(&w, "data"));
    must(&w, fw_snap_diff(w.repo, a, w.oid, 0, &d, &w.err));
    assert_int_equal(num(d, "added"), 100);
    assert_int_equal(num(d, "removed") + num(d, "changed") + num(d, "relabelled"), 0);
    json_decref(d);
    world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_change_is_counted),
        cmocka_unit_test(test_other_numbers_of_shards),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
