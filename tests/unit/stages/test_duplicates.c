#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pictures.h"
#include "stages/quality/duplicates.h"
#include "stages/quality/near_images.h"

static const char *const classes[] = {"a", "b"};
static const struct fw_task_info task = {FW_CLASSIFICATION, classes, 2};

static struct fw_dataset *load(const char *rows)
{
    struct fw_dataset *ds = NULL;
    struct fw_err err = {0};
    put("samples.jsonl", rows);
    if (fw_dataset_load(test_dir, &task, &ds, &err) != 0)
        fail_msg("%s", said(&err));
    return ds;
}

static struct fw_duplicates find(const struct fw_dataset *ds, const struct fw_neighbours *nb)
{
    struct fw_dup_params p = fw_dup_defaults();
    struct fw_duplicates d;
    struct fw_err err = {0};
    if (fw_duplicates_find(ds, nb, NULL, &p, &d, &err) != 0)
        fail_msg("%s", said(&err));
    return d;
}

static void expect(const struct fw_duplicates *d, size_t g, const char *members,
                   enum fw_dup_how how, bool crosses, bool disagrees)
{
    char got[256] = "";
    assert_true(g < d->n_groups);
    const struct fw_dup_group *group = &d->groups[g];
    assert_int_equal(group->n_links, group->n_members - 1);
    for (size_t i = 0; i < group->n_members; i++)
        snprintf(got + strlen(got), sizeof got - strlen(got), "%s%u", i ? " " : "",
                 d->members[group->member + i]);
    assert_string_equal(got, members);
    enum fw_dup_how weakest = FW_DUP_EXACT;
    for (size_t i = 0; i < group->n_links; i++) {
        const struct fw_link *l = &d->links.v[group->link + i];
        weakest = l->how > weakest ? l->how : weakest;
        assert_true(l->a < l->b && l->similarity > 0 && l->similarity <= 1);
    }
    assert_int_equal(weakest, how);
    assert_int_equal(group->crosses, crosses);
    assert_int_equal(group->disagrees, disagrees);
}

static void test_texts(void **state)
{
    (void)state;
    struct fw_dataset *ds = load(
        "{\"id\":\"0\",\"split\":\"train\",\"text\":\"Free entry in a weekly "
        "competition\",\"label\":\"a\"}\n"
        "{\"id\":\"1\",\"split\":\"train\",\"text\":\"see you at the station\",\"label\":\"b\"}\n"
        "{\"id\":\"2\",\"split\":\"test\",\"text\":\"FREE  entry in a weekly competition "
        "\",\"label\":\"a\"}\n"
        "{\"id\":\"3\",\"split\":\"train\",\"text\":\"See you at the station!!\",\"label\":\"a\"}\n"
        "{\"id\":\"4\",\"split\":\"train\",\"text\":\"\"}\n"
        "{\"id\":\"5\",\"split\":\"dev\",\"text\":\"\"}\n"
        "{\"id\":\"6\",\"split\":\"train\",\"features\":[1,-0.0,3]}\n"
        "{\"id\":\"7\",\"split\":\"train\",\"features\":[1,0,3],\"label\":\"b\"}\n"
        "{\"id\":\"8\",\"split\":\"train\",\"features\":[1,0,3,0]}\n"
        "{\"id\":\"9\",\"split\":\"dev\",\"text\":\"free entry in a weekly "
        "competition\",\"features\":[1]}\n");
    struct fw_duplicates d = find(ds, NULL);
    assert_int_equal(d.n_groups, 3);
    assert_int_equal(d.n_members, 6);
    expect(&d, 0, "0 2", FW_DUP_EXACT, true, false);
    expect(&d, 1, "1 3", FW_DUP_TEXT, false, true);
    expect(&d, 2, "6 7", FW_DUP_EXACT, false, false);
    assert_int_equal(d.n_crossing, 1);
    assert_int_equal(d.n_disagreeing, 1);
    fw_duplicates_release(&d);
    fw_dataset_free(ds);
}

static struct fw_image changed(struct fw_image im, double gain)
{
    for (int i = 0; i < im.w * im.h * im.channels; i++)
        im.px[i] = (unsigned char)(im.px[i] * gain);
    return im;
}

static void test_pictures(void **state)
{
    (void)state;
    put_picture("p0.png", picture(1, 120, 100, 1));
    put_picture("p1.png", picture(2, 120, 100, 1));
    put_picture("p2.png", picture(1, 96, 80, 1)); /* smaller */
    put_picture("p3.png", picture(3, 120, 100, 3));
    put_picture("p4.png", picture(2, 120, 100, 1)); /* the same bytes */
    put_picture("p5.png", changed(picture(1, 120, 100, 1), 0.8));
    put("broken.png", "\x89PNG\r\n\x1a\nnot one");
    struct fw_dataset *ds =
        load("{\"id\":\"0\",\"split\":\"train\",\"file_name\":\"p0.png\",\"label\":\"a\"}\n"
             "{\"id\":\"1\",\"split\":\"train\",\"file_name\":\"p1.png\",\"label\":\"b\"}\n"
             "{\"id\":\"2\",\"split\":\"dev\",\"file_name\":\"p2.png\",\"label\":\"b\"}\n"
             "{\"id\":\"3\",\"split\":\"train\",\"file_name\":\"p3.png\"}\n"
             "{\"id\":\"4\",\"split\":\"train\",\"file_name\":\"p4.png\",\"label\":\"b\"}\n"
             "{\"id\":\"5\",\"split\":\"train\",\"file_name\":\"p5.png\"}\n"
             "{\"id\":\"6\",\"split\":\"train\",\"file_name\":\"gone.png\"}\n"
             "{\"id\":\"7\",\"split\":\"train\",\"file_name\":\"broken.png\"}\n"
             "{\"id\":\"8\",\"split\":\"train\",\"file_name\":\"gone.png\"}\n"
             "{\"id\":\"9\",\"split\":\"dev\",\"file_name\":\"broken.png\"}\n");
    struct fw_duplicates d = find(ds, NULL);
    assert_int_equal(d.n_groups, 3);
    expect(&d, 0, "0 2 5", FW_DUP_IMAGE, true, true);
    expect(&d, 1, "1 4", FW_DUP_EXACT, false, false);
    expect(&d, 2, "7 9", FW_DUP_EXACT, true, false);
    assert_int_equal(d.unreadable, 2);
    fw_duplicates_release(&d);
    fw_dataset_free(ds);
}

/* Every pair within the radius is found: hashes with equal thumbnails, a few bits apart. */
static void test_hamming_search(void **state)
{
    (void)state;
    enum { N = 3000 };
    struct fw_phash *h = calloc(N, sizeof *h);
    struct fw_sets sets, want;
    struct fw_links links = {0};
    struct fw_rng rng;
    fw_rng_seed(&rng, 4);
    for (size_t i = 0; i < N; i++) {
        h[i].usable = h[i].decoded = i % 50 != 49;
        for (size_t j = 0; j < sizeof h[i].thumb; j++)
            h[i].thumb[j] = (unsigned char)(j * 37 % 251);
        h[i].bits = i % 4 ? h[i - 1].bits : fw_rng_u64(&rng);
        for (uint64_t flips = fw_rng_below(&rng, 9); i % 4 && flips > 0; flips--)
            h[i].bits ^= 1ull << fw_rng_below(&rng, 64);
    }
    assert_int_equal(fw_sets_new(N, &sets, NULL), 0);
    assert_int_equal(fw_sets_new(N, &want, NULL), 0);
    assert_int_equal(fw_near_images(h, N, &sets, &links, NULL), 0);
    size_t joined = 0;
    for (uint32_t i = 0; i < N; i++)
        for (uint32_t j = 0; j < i; j++)
            if (h[i].usable && h[j].usable && __builtin_popcountll(h[i].bits ^ h[j].bits) <= 5)
                joined += fw_sets_join(&want, i, j);
    assert_true(joined > 1000);
    assert_int_equal(links.n, joined);
    for (uint32_t i = 0; i < N; i++)
        assert_int_equal(fw_sets_find(&sets, i) == fw_sets_find(&sets, i / 2),
                         fw_sets_find(&want, i) == fw_sets_find(&want, i / 2));
    fw_links_release(&links);
    fw_sets_release(&sets);
    fw_sets_release(&want);
    free(h);
}

static void test_embeddings(void **state)
{
    (void)state;
    enum { N = 100, D = 6 };
    static float x[N * D];
    int labels[N];
    struct fw_rng rng;
    struct fw_neighbours nb;
    struct fw_dup_params p = fw_dup_defaults();
    struct fw_duplicates d;
    struct fw_err err = {0};
    fw_rng_seed(&rng, 9);
    for (size_t i = 0; i < N * D; i++)
        x[i] = (float)fw_rng_normal(&rng);
    for (size_t i = 0; i < N; i++)
        labels[i] = (int)(i % 2);
    for (size_t j = 0; j < D; j++) {
        x[20 * D + j] = x[3 * D + j];
        x[40 * D + j] = x[3 * D + j] + 0.005f;
        x[41 * D + j] = x[10 * D + j] + 0.005f;
    }
    assert_int_equal(fw_neighbours(x, N, D, 10, FW_EUCLIDEAN, &nb, NULL), 0);
    assert_int_equal(fw_duplicates_find(NULL, &nb, labels, &p, &d, &err), 0);
    assert_int_equal(d.n_groups, 2);
    expect(&d, 0, "3 20 40", FW_DUP_EMBEDDING, false, true);
    expect(&d, 1, "10 41", FW_DUP_EMBEDDING, false, true);
    fw_duplicates_release(&d);
    p.near_distance = 1e-6; /* only what is equal */
    assert_int_equal(fw_duplicates_find(NULL, &nb, labels, &p, &d, &err), 0);
    assert_int_equal(d.n_groups, 1);
    expect(&d, 0, "3 20", FW_DUP_EMBEDDING, false, true);
    fw_duplicates_release(&d);
    p.near_distance = -1;
    assert_int_equal(fw_duplicates_find(NULL, &nb, labels, &p, &d, &err), FW_EINVAL);
    fw_neighbours_release(&nb);
    /* constant features: all the same */
    memset(x, 0, sizeof x);
    assert_int_equal(fw_neighbours(x, N, D, 3, FW_EUCLIDEAN, &nb, NULL), 0);
    p = fw_dup_defaults();
    assert_int_equal(fw_duplicates_find(NULL, &nb, NULL, &p, &d, &err), 0);
    assert_int_equal(d.n_groups, 1);
    assert_int_equal(d.n_members, N);
    fw_duplicates_release(&d);
    fw_neighbours_release(&nb);
}

static void test_nothing(void **state)
{
    (void)state;
    struct fw_dup_params p = fw_dup_defaults();
    struct fw_duplicates d;
    struct fw_err err = {0};
    struct fw_neighbours none = {0}, three = {.n = 3};
    assert_int_equal(fw_duplicates_find(NULL, NULL, NULL, &p, &d, &err), FW_EINVAL);
    assert_int_equal(fw_duplicates_find(NULL, &none, NULL, &p, &d, &err), 0);
    assert_int_equal(d.n_groups, 0);
    fw_duplicates_release(&d);
    struct fw_dataset *ds = load("{\"id\":\"0\",\"text\":\"one\"}\n");
    assert_int_equal(fw_duplicates_find(ds, &three, NULL, &p, &d, &err), FW_EINVAL);
    p.text_similarity = 2;
    assert_int_equal(fw_duplicates_find(ds, NULL, NULL, &p, &d, &err), FW_EINVAL);
    p.text_similarity = 0;
    assert_int_equal(fw_duplicates_find(ds, NULL, NULL, &p, &d, &err), 0);
    assert_int_equal(d.n_groups, 0);
    fw_duplicates_release(&d);
    fw_dataset_free(ds);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_texts, make_dir, drop_dir),
        cmocka_unit_test_setup_teardown(test_pictures, make_dir, drop_dir),
        cmocka_unit_test(test_hamming_search),
        cmocka_unit_test(test_embeddings),
        cmocka_unit_test_setup_teardown(test_nothing, make_dir, drop_dir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
