#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "stages/evaluate/detection.h"

static double at(const json_t *list, size_t i)
{
    return json_number_value(json_array_get(list, i));
}

/* The boxes of one side (0 given, 1 predicted) of the images of a case. */
static struct fw_boxes read_boxes(const json_t *images, size_t side)
{
    struct fw_boxes out = {.n = json_array_size(images)};
    size_t n = 0, i, j;
    json_t *image, *b;
    json_array_foreach (images, i, image)
        n += json_array_size(json_array_get(image, side));
    out.start = calloc(out.n + 1, sizeof *out.start);
    out.v = calloc(n + 1, sizeof *out.v);
    n = 0;
    json_array_foreach (images, i, image) {
        json_array_foreach (json_array_get(image, side), j, b) {
            const json_t *box = json_object_get(b, "box");
            out.v[n++] =
                (struct fw_box){.x0 = (float)at(box, 0),
                                .y0 = (float)at(box, 1),
                                .x1 = (float)at(box, 2),
                                .y1 = (float)at(box, 3),
                                .klass = (int)json_integer_value(json_object_get(b, "class")),
                                .score = (float)json_number_value(json_object_get(b, "score")),
                                .area = (float)json_number_value(json_object_get(b, "area")),
                                .crowd = json_is_true(json_object_get(b, "crowd"))};
            if (side == 1)
                out.v[n - 1].area =
                    (out.v[n - 1].x1 - out.v[n - 1].x0) * (out.v[n - 1].y1 - out.v[n - 1].y0);
        }
        out.start[i + 1] = n;
    }
    return out;
}

static void release(struct fw_boxes *b)
{
    free(b->start);
    free(b->v);
}

static void same(const json_t *want, const char *name, double got)
{
    const json_t *v = json_object_get(want, name);
    if (json_is_null(v) ? !isnan(got) : !(fabs(got - json_number_value(v)) < 1e-9))
        fail_msg("%s is %.12g, not %.12g", name, got, json_number_value(v));
}

static void test_reference(void **state)
{
    (void)state;
    json_t *cases = json_load_file(FW_TEST_DIR "/unit/stages/reference/detection.json", 0, NULL);
    size_t i;
    json_t *one;
    assert_true(json_array_size(cases) > 3);
    json_array_foreach (cases, i, one) {
        const json_t *images = json_object_get(one, "images"), *s = json_object_get(one, "scores");
        struct fw_boxes given = read_boxes(images, 0), predicted = read_boxes(images, 1);
        struct fw_detection_scores d;
        size_t k = (size_t)json_integer_value(json_object_get(one, "k"));
        for (int threads = 1; threads < 4; threads++) {
            char text[4] = {(char)('0' + threads), '\0'};
            setenv("FLYWHEEL_THREADS", text, 1);
            assert_int_equal(fw_detection_score(&given, &predicted, k, &d, NULL, NULL), FW_OK);
            same(s, "ap", d.ap);
            same(s, "ap50", d.ap50);
            same(s, "ap75", d.ap75);
            same(s, "ap_small", d.ap_small);
            same(s, "ap_medium", d.ap_medium);
            same(s, "ap_large", d.ap_large);
            same(s, "ar1", d.ar1);
            same(s, "ar10", d.ar10);
            same(s, "ar100", d.ar100);
            same(s, "ar_small", d.ar_small);
            same(s, "ar_medium", d.ar_medium);
            same(s, "ar_large", d.ar_large);
        }
        release(&given);
        release(&predicted);
    }
    json_decref(cases);
}

/* One image, two given boxes. The surer detection overlaps the first by 0.6, the other nothing:
 * precision 1 up to recall 1/2, nothing above, at the thresholds .50, .55 and .60. */
static void test_by_hand(void **state)
{
    (void)state;
    struct fw_box truth[] = {{0, 0, 10, 10, 0, 1, 100, false}, {50, 50, 60, 60, 0, 1, 100, false}};
    struct fw_box found[] = {{0, 0, 6, 10, 0, 0.9f, 60, false},
                             {80, 80, 90, 90, 0, 0.5f, 100, false}};
    size_t two[] = {0, 2};
    struct fw_boxes given = {1, two, truth}, predicted = {1, two, found};
    struct fw_detection_scores d;
    double by_class[2];
    assert_int_equal(fw_detection_score(&given, &predicted, 2, &d, by_class, NULL), FW_OK);
    assert_true(fabs(d.ap50 - 51.0 / 101) < 1e-12);
    assert_true(fabs(d.ap - 0.3 * 51 / 101) < 1e-12);
    assert_true(fabs(d.ar100 - 0.15) < 1e-12);
    assert_true(d.ap75 == 0);
    assert_true(isnan(d.ap_large));
    assert_true(fabs(by_class[0] - d.ap) < 1e-12);
    assert_true(isnan(by_class[1]));
}

static void test_bad(void **state)
{
    (void)state;
    struct fw_box box = {0, 0, 10, 10, 0, 1, 100, false};
    size_t one[] = {0, 1}, none[] = {0, 0};
    struct fw_boxes given = {1, one, &box}, empty = {1, none, NULL}, no_image = {0, none, NULL};
    struct fw_detection_scores d;
    struct fw_err err;
    assert_int_equal(fw_detection_score(&given, &no_image, 1, &d, NULL, &err), FW_EINVAL);
    assert_int_equal(fw_detection_score(&given, &empty, 1, &d, NULL, &err), FW_OK);
    assert_true(d.ap == 0 && d.ar100 == 0);
    assert_int_equal(fw_detection_score(&empty, &given, 1, &d, NULL, &err), FW_OK);
    assert_true(isnan(d.ap));
    assert_int_equal(fw_detection_score(&given, &empty, 0, &d, NULL, &err), FW_EINVAL);
    box.x1 = -1;
    assert_int_equal(fw_detection_score(&given, &empty, 1, &d, NULL, &err), FW_EINVAL);
    assert_string_equal(err.msg, "given box 0 of image 0 is no box");
    box.x1 = NAN;
    assert_int_equal(fw_detection_score(&empty, &given, 1, &d, NULL, &err), FW_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_reference),
                                       cmocka_unit_test(test_by_hand), cmocka_unit_test(test_bad)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
