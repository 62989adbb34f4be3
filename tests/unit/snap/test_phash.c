#include "tests/unit/snap/util.h"

#include <math.h>

#include "pipeline/base/rng.h"
#include "pipeline/snap/phash.h"
#include "stages/train/image.h"

/* A picture of a texture under a light that falls from left to right: its seed decides the texture,
 * the light is the same for all. gain and shift change brightness, side its size. */
static void picture(uint64_t seed, int side, double gain, double shift, struct fw_buf *png)
{
    struct fw_rng rng;
    struct fw_image im = {.w = side, .h = side, .channels = 1};
    double spots[40][3];
    struct fw_err err = {0};
    fw_rng_seed(&rng, seed);
    for (int i = 0; i < 40; i++)
        for (int k = 0; k < 3; k++)
            spots[i][k] = fw_rng_double(&rng);
    im.px = malloc((size_t)side * side);
    for (int y = 0; y < side; y++) {
        for (int x = 0; x < side; x++) {
            double u = (double)x / side, v = (double)y / side, t = 30 + 150 * u;
            for (int i = 0; i < 40; i++) {
                double d = hypot(u - spots[i][0], v - spots[i][1]) / (0.02 + 0.05 * spots[i][2]);
                t -= 25 * exp(-d * d);
            }
            t = t * gain + shift;
            im.px[y * side + x] = (unsigned char)(t < 0 ? 0 : t > 255 ? 255 : t);
        }
    }
    assert_int_equal(fw_image_png(&im, png, &err), FW_OK);
    fw_image_release(&im);
}

static struct fw_phash hash_of(uint64_t seed, int side, double gain, double shift)
{
    struct fw_buf png = {0};
    struct fw_phash h;
    struct fw_err err = {0};
    picture(seed, side, gain, shift, &png);
    assert_true(fw_is_image(png.p, png.len));
    assert_int_equal(fw_phash_compute(png.p, png.len, &h, &err), FW_OK);
    fw_buf_release(&png);
    return h;
}

static void test_copies_are_near(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct fw_phash h = hash_of(seed, 200, 1, 0), small = hash_of(seed, 90, 1, 0);
        struct fw_phash bright = hash_of(seed, 200, 1.2, 8);
        assert_true(fw_phash_near(&h, &h));
        assert_true(fw_phash_near(&h, &small));
        assert_true(fw_phash_near(&h, &bright));
    }
}

static void test_textures_under_one_light_are_not(void **state)
{
    (void)state;
    enum { N = 60 };
    static struct fw_phash h[N];
    struct fw_near *near = fw_near_new();
    struct fw_err err = {0};
    for (int i = 0; i < N; i++)
        h[i] = hash_of(100 + (uint64_t)i, 120, 1, 0);
    for (int i = 0; i < N; i++) {
        assert_null(fw_near_find(near, &h[i]));
        assert_int_equal(fw_near_add(near, &h[i], &h[i], &err), FW_OK);
        struct fw_phash copy = hash_of(100 + (uint64_t)i, 150, 1, 0);
        assert_ptr_equal(fw_near_find(near, &copy), &h[i]);
    }
    fw_near_free(near);
}

static void test_flat_pictures_are_never_near(void **state)
{
    (void)state;
    struct fw_phash a = hash_of(1, 64, 0, 100), b = hash_of(2, 64, 0, 100);
    assert_true(a.decoded);
    assert_false(a.usable);
    assert_false(fw_phash_near(&a, &b));
}

static void test_hashes_are_kept(void **state)
{
    (void)state;
    struct world w;
    struct fw_buf png = {0};
    struct fw_phashes *c = NULL;
    const struct fw_phash *h = NULL;
    git_oid id = {{1, 2, 3}}, junk = {{4}}, broken = {{5}}, none = {{6}};
    world_new(&w);
    sh(&w, "mkdir s");
    picture(7, 64, 1, 0, &png);
    must(&w, fw_phashes_open(in_world(&w, "s"), &c, &w.err));
    must(&w, fw_phashes_of(c, &id, png.p, png.len, &h, &w.err));
    uint64_t bits = h->bits;
    must(&w, fw_phashes_of(c, &junk, "not an image", 12, &h, &w.err));
    assert_null(h);
    must(&w, fw_phashes_of(c, &broken, png.p, 60, &h, &w.err));
    assert_false(h->decoded);
    must(&w, fw_phashes_save(c, &w.err));
    fw_phashes_close(c);
    /* a record cut off by a crash, or damaged, is not believed; the others are */
    sh(&w, "printf 'torn' >> s/phash");
    must(&w, fw_phashes_open(in_world(&w, "s"), &c, &w.err));
    h = fw_phashes_get(c, &id);
    assert_non_null(h);
    assert_true(h->bits == bits);
    assert_non_null(fw_phashes_get(c, &broken));
    assert_null(fw_phashes_get(c, &none));
    must(&w, fw_phashes_of(c, &none, png.p, png.len, &h, &w.err));
    must(&w, fw_phashes_save(c, &w.err)); /* writes the file anew */
    fw_phashes_close(c);
    sh(&w, "printf X | dd of=s/phash bs=1 seek=40 conv=notrunc status=none");
    must(&w, fw_phashes_open(in_world(&w, "s"), &c, &w.err));
    assert_null(fw_phashes_get(c, &id));
    assert_non_null(fw_phashes_get(c, &none));
    fw_phashes_close(c);
    fw_buf_release(&png);
    world_free(&w);
}

static void test_the_leak_guard_sees_pictures(void **state)
{
    (void)state;
    struct world w;
    world_new(&w);
    for (int i = 0; i < 8; i++) {
        struct fw_buf png = {0};
        char rel[64];
        /* 7 is 0 again, smaller */
        picture(i == 7 ? 0 : (uint64_t)i, i == 7 ? 100 : 200, 1, 0, &png);
        snprintf(rel, sizeof rel, "data/%d.png", i);
        put(&w, rel, "");
        assert_int_equal(fw_fs_write_atomic(in_world(&w, rel), png.p, png.len, NULL), FW_OK);
        fw_buf_release(&png);
    }
    put(&w, "data/metadata.csv",
        "file_name,label,split,id\n0.png,a,dev,d0\n1.png,b,test,e1\n2.png,a,train,t2\n3.png,b,"
        "train,"
        "t3\n4.png,a,train,t4\n7.png,b,train,t7\n");
    must(&w, import(&w, "data"));
    assert_int_equal(w.report.dropped_near, 1);
    assert_non_null(strstr(warnings(&w), "t7 (7.png) = d0 (0.png)"));
    assert_string_equal(sh(&w, "git ls-tree --name-only flywheel/demo files/ | grep -c 7 || :"),
                        "0\n");
    /* and when a patch brings it, with what was learnt at import gone */
    sh(&w, "rm .flywheel/phash && mkdir -p patch/files && cp data/7.png data/5.png patch/files");
    put(&w, "patch/patch.jsonl",
        "{\"op\":\"add\",\"sample\":{\"file_name\":\"7.png\",\"label\":\"a\"}}\n"
        "{\"op\":\"add\",\"sample\":{\"file_name\":\"5.png\",\"label\":\"a\"}}\n");
    struct fw_patch *patch = NULL;
    must(&w, fw_patch_load(in_world(&w, "patch"), &patch, &w.err));
    struct fw_apply_part part = {.stage = "collect", .iteration = 1, .patch = patch};
    struct fw_apply_options o = {.run = "r", .near_copies = true, .when = 1};
    struct fw_apply_counts counts;
    char oid[FW_OID_HEX];
    json_t *aside = NULL;
    must(&w, fw_snap_apply(w.repo, w.oid, &part, 1, &o, oid, &counts, &aside, &w.err));
    assert_int_equal(counts.add, 1);
    assert_int_equal(counts.set_aside, 1);
    assert_string_equal(json_string_value(json_object_get(json_array_get(aside, 0), "reason")),
                        "a near copy of evaluation sample 'd0' (dev)");
    sh(&w, "test -s .flywheel/phash");
    json_decref(aside);
    fw_patch_free(patch);
    world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_copies_are_near),
        cmocka_unit_test(test_textures_under_one_light_are_not),
        cmocka_unit_test(test_flat_pictures_are_never_near),
        cmocka_unit_test(test_hashes_are_kept),
        cmocka_unit_test(test_the_leak_guard_sees_pictures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
