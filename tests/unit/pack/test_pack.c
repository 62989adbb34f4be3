/* Packs written here are read here and by git; what is left out or unfinished is not seen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>

#include "pipeline/base/fs.h"
#include "pipeline/base/parallel.h"
#include "pipeline/pack/delta.h"
#include "pipeline/pack/reader.h"
#include "pipeline/pack/writer.h"

struct world {
    char dir[64], packs[128];
    struct fw_squeeze *squeeze;
    struct fw_pack_writer *w;
    struct fw_err err;
};

static void world_new(struct world *w)
{
    *w = (struct world){0};
    snprintf(w->dir, sizeof w->dir, "/tmp/fw-pack-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    char cmd[256];
    snprintf(cmd, sizeof cmd, "git init -q '%s'", w->dir);
    assert_int_equal(system(cmd), 0);
    snprintf(w->packs, sizeof w->packs, "%s/.git/objects/pack", w->dir);
    w->squeeze = fw_squeeze_new();
    assert_int_equal(fw_pack_writer_open(w->packs, w->squeeze, &w->w, &w->err), 0);
}

static void world_free(struct world *w)
{
    fw_pack_writer_free(w->w);
    fw_squeeze_free(w->squeeze);
    fw_fs_remove(w->dir, NULL);
}

static int git(const struct world *w, const char *args)
{
    char cmd[512];
    snprintf(cmd, sizeof cmd, "cd '%s' && git %s", w->dir, args);
    return system(cmd);
}

static void blob_id(const void *data, size_t n, unsigned char oid[FW_PACK_OID])
{
    char head[32];
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    int k = snprintf(head, sizeof head, "blob %zu", n);
    EVP_DigestInit_ex(c, EVP_sha1(), NULL);
    EVP_DigestUpdate(c, head, (size_t)k + 1);
    EVP_DigestUpdate(c, data, n);
    EVP_DigestFinal_ex(c, oid, NULL);
    EVP_MD_CTX_free(c);
}

/* A text of i, some long, some that do not deflate. */
static size_t content(size_t i, char *out)
{
    unsigned seed = (unsigned)i + 1;
    size_t n = i % 7 == 0 ? 0 : i % 5 == 0 ? 70000 : 20 + i % 900;
    for (size_t k = 0; k < n; k++)
        out[k] = i % 3 ? "some words "[(k + i) % 11] : (char)rand_r(&seed);
    if (n >= 8)
        memcpy(out, &i, sizeof i);
    return n;
}

enum { MANY = 2000 };

static int add_work(void *ctx, const struct fw_chunk *chunk, struct fw_err *err)
{
    struct world *w = ctx;
    char *data = malloc(70000);
    int rc = FW_OK;
    for (size_t i = chunk->from; i < chunk->to && rc == FW_OK; i++) {
        unsigned char oid[FW_PACK_OID];
        size_t n = content(i, data);
        blob_id(data, n, oid);
        rc = fw_pack_writer_add(w->w, FW_PACK_BLOB, oid, data, n, err);
    }
    free(data);
    return rc;
}

static void check_all(struct world *w)
{
    struct fw_packs *p;
    struct fw_buf out = {0};
    char *data = malloc(70000);
    assert_int_equal(fw_packs_open(w->packs, w->squeeze, &p, &w->err), 0);
    for (size_t i = 0; i < MANY; i++) {
        unsigned char oid[FW_PACK_OID];
        int type = 0;
        size_t n = content(i, data);
        blob_id(data, n, oid);
        assert_int_equal(fw_packs_read(p, oid, &type, &out, &w->err), FW_OK);
        assert_int_equal(type, FW_PACK_BLOB);
        assert_int_equal(out.len, n);
        if (n)
            assert_memory_equal(out.p, data, n);
    }
    free(data);
    fw_buf_release(&out);
    fw_packs_close(p);
}

static void test_many_threads_one_pack(void **state)
{
    (void)state;
    struct world w;
    char name[FW_PACK_NAME];
    world_new(&w);
    setenv("FLYWHEEL_THREADS", "4", 1);
    assert_int_equal(fw_parallel(MANY, 16, add_work, &w, &w.err), 0);
    /* all of them once more: nothing is written twice */
    uint64_t bytes = fw_pack_writer_bytes(w.w);
    assert_int_equal(fw_parallel(MANY, 16, add_work, &w, &w.err), 0);
    assert_int_equal(fw_pack_writer_bytes(w.w), bytes);
    assert_int_equal(git(&w, "count-objects -v | grep -q 'in-pack: 0'"), 0);
    assert_int_equal(fw_pack_writer_finish(w.w, "flywheel 1\n", name, &w.err), 0);
    assert_int_equal(git(&w, "verify-pack .git/objects/pack/*.idx"), 0);
    assert_int_equal(git(&w, "fsck --full --no-dangling 2>&1 | grep -v '^notice'"), 256);
    char keep[256];
    snprintf(keep, sizeof keep, "%s/pack-%s.keep", w.packs, name);
    assert_true(fw_fs_exists(keep));
    check_all(&w);
    /* and packed again by git, with deltas by place */
    assert_int_equal(git(&w, "rev-parse --git-dir >/dev/null; rm -f .git/objects/pack/*.keep; "
                             "cat .git/objects/pack/*.idx | git show-index | cut -d' ' -f2 | "
                             "git pack-objects -q .git/objects/pack/pack >/dev/null"),
                     0);
    snprintf(keep, sizeof keep, "rm -f '%s/pack-%s'.*", w.packs, name);
    assert_int_equal(system(keep), 0);
    check_all(&w);
    world_free(&w);
}

static void test_deltas_and_raw_copies(void **state)
{
    (void)state;
    struct world w;
    struct fw_buf a = {0}, b = {0}, delta = {0}, out = {0};
    unsigned char one[FW_PACK_OID], two[FW_PACK_OID];
    char name[FW_PACK_NAME];
    int type;
    world_new(&w);
    for (int i = 0; i < 500; i++) {
        fw_buf_printf(&a, "row %d of the text\n", i);
        fw_buf_printf(&b, "row %d of the text%s\n", i, i == 250 ? ", edited" : "");
    }
    blob_id(a.p, a.len, one);
    blob_id(b.p, b.len, two);
    assert_true(fw_delta_make(a.p, a.len, b.p, b.len, 1000, &delta));
    assert_int_equal(fw_pack_writer_add(w.w, FW_PACK_BLOB, one, a.p, a.len, &w.err), 0);
    assert_int_equal(fw_pack_writer_delta(w.w, two, one, delta.p, delta.len, &w.err), 0);
    assert_int_equal(fw_pack_writer_finish(w.w, NULL, name, &w.err), 0);
    assert_int_equal(git(&w, "verify-pack .git/objects/pack/*.idx"), 0);

    struct fw_packs *p;
    assert_int_equal(fw_packs_open(w.packs, w.squeeze, &p, &w.err), 0);
    assert_int_equal(fw_packs_read(p, two, &type, &out, &w.err), 0);
    assert_string_equal(out.p, b.p);
    fw_pack_writer_free(w.w);
    assert_int_equal(fw_pack_writer_open(w.packs, w.squeeze, &w.w, &w.err), 0);
    assert_int_equal(fw_pack_writer_copy(w.w, fw_packs_first(p), &w.err), 0);
    unsigned char three[FW_PACK_OID];
    blob_id("three", 5, three);
    assert_int_equal(fw_pack_writer_add(w.w, FW_PACK_BLOB, three, "three", 5, &w.err), 0);
    assert_int_equal(fw_pack_writer_finish(w.w, NULL, name, &w.err), 0);
    assert_int_equal(git(&w, "verify-pack .git/objects/pack/*.idx"), 0);
    assert_false(fw_packs_has(p, three));
    assert_int_equal(fw_packs_refresh(p, &w.err), 0);
    assert_true(fw_packs_has(p, three));
    assert_non_null(fw_packs_named(p, name));
    fw_packs_close(p);
    fw_buf_release(&a);
    fw_buf_release(&b);
    fw_buf_release(&delta);
    fw_buf_release(&out);
    world_free(&w);
}

static void test_what_is_left_out(void **state)
{
    (void)state;
    struct world w;
    char name[FW_PACK_NAME];
    unsigned char oid[3][FW_PACK_OID];
    const char *text[3] = {"one", "two, which goes", "three"};
    world_new(&w);
    for (int i = 0; i < 3; i++) {
        blob_id(text[i], strlen(text[i]), oid[i]);
        assert_int_equal(
            fw_pack_writer_add(w.w, FW_PACK_BLOB, oid[i], text[i], strlen(text[i]), &w.err), 0);
    }
    fw_pack_writer_want(w.w, oid[1], false);
    assert_int_equal(fw_pack_writer_count(w.w), 2);
    assert_int_equal(fw_pack_writer_finish(w.w, NULL, name, &w.err), 0);
    assert_int_equal(git(&w, "verify-pack .git/objects/pack/*.idx"), 0);
    assert_int_equal(git(&w, "count-objects -v | grep -q 'in-pack: 2'"), 0);
    world_free(&w);
    /* nothing at all, and not finished */
    world_new(&w);
    assert_int_equal(fw_pack_writer_finish(w.w, NULL, name, &w.err), 0);
    assert_string_equal(name, "");
    assert_int_equal(fw_pack_writer_add(w.w, FW_PACK_BLOB, oid[0], "one", 3, &w.err), 0);
    fw_pack_writer_free(w.w);
    w.w = NULL;
    assert_int_equal(git(&w, "count-objects -v | grep -q 'garbage: 0'"), 0);
    world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_threads_one_pack),
        cmocka_unit_test(test_deltas_and_raw_copies),
        cmocka_unit_test(test_what_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
