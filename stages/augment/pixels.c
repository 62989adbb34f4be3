#include "stages/augment/pixels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[FW_IMAGE_CHANGES] = {
    "flip-horizontal", "flip-vertical", "rotate", "brightness", "contrast",
    "shift",           "crop",          "noise",  "blur"};

const char *fw_image_change_name(enum fw_image_change c)
{
    return names[c];
}

static const unsigned char *pixel(const struct fw_image *im, int x, int y)
{
    x = x < 0 ? 0 : x >= im->w ? im->w - 1 : x;
    y = y < 0 ? 0 : y >= im->h ? im->h - 1 : y;
    return im->px + ((size_t)y * im->w + x) * im->channels;
}

static unsigned char *at(struct fw_image *im, int x, int y)
{
    return im->px + ((size_t)y * im->w + x) * im->channels;
}

/* How many of the channels are colour. */
static int colours(const struct fw_image *im)
{
    return im->channels == 2 || im->channels == 4 ? im->channels - 1 : im->channels;
}

static unsigned char clip(double v)
{
    return (unsigned char)(v < 0 ? 0 : v > 255 ? 255 : v + 0.5);
}

/* Moves whole pixels: out(x, y) = in(...). turns: quarter turns clockwise. */
static void move(const struct fw_image *in, struct fw_image *out, bool mirror_x, bool mirror_y,
                 int turns, int dx, int dy)
{
    for (int y = 0; y < out->h; y++)
        for (int x = 0; x < out->w; x++) {
            int u = x, v = y;
            if (turns == 1) {
                u = y;
                v = in->h - 1 - x;
            } else if (turns == 2) {
                u = in->w - 1 - x;
                v = in->h - 1 - y;
            } else if (turns == 3) {
                u = in->w - 1 - y;
                v = x;
            }
            u = (mirror_x ? in->w - 1 - u : u) - dx;
            v = (mirror_y ? in->h - 1 - v : v) - dy;
            memcpy(at(out, x, y), pixel(in, u, v), (size_t)in->channels);
        }
}

static void crop(const struct fw_image *in, struct fw_rng *rng, struct fw_image *out)
{
    double share = 0.8 + 0.15 * fw_rng_double(rng);
    double x0 = fw_rng_double(rng) * (1 - share) * in->w;
    double y0 = fw_rng_double(rng) * (1 - share) * in->h;

    for (int y = 0; y < out->h; y++)
        for (int x = 0; x < out->w; x++) {
            double u = x0 + (x + 0.5) * share - 0.5, v = y0 + (y + 0.5) * share - 0.5;
            int iu = (int)floor(u), iv = (int)floor(v);
            double fu = u - iu, fv = v - iv;
            const unsigned char *a = pixel(in, iu, iv), *b = pixel(in, iu + 1, iv);
            const unsigned char *c = pixel(in, iu, iv + 1), *d = pixel(in, iu + 1, iv + 1);
            for (int k = 0; k < in->channels; k++)
                at(out, x, y)[k] = clip((1 - fv) * ((1 - fu) * a[k] + fu * b[k]) +
                                        fv * ((1 - fu) * c[k] + fu * d[k]));
        }
}

/* v → factor · (v − mean) + mean + plus + noise, of the colours. */
static void tone(struct fw_image *im, double factor, double mean, double plus, double noise,
                 struct fw_rng *rng)
{
    int used = colours(im);
    size_t n = (size_t)im->w * im->h;
    unsigned char *p = im->px;

    for (size_t i = 0; i < n; i++, p += im->channels)
        for (int k = 0; k < used; k++) {
            double v = factor * (p[k] - mean) + mean + plus;
            p[k] = clip(noise > 0 ? v + noise * fw_rng_normal(rng) : v);
        }
}

static double mean_of(const struct fw_image *im)
{
    int used = colours(im);
    size_t n = (size_t)im->w * im->h;
    const unsigned char *p = im->px;
    double sum = 0;

    for (size_t i = 0; i < n; i++, p += im->channels)
        for (int k = 0; k < used; k++)
            sum += p[k];
    return sum / ((double)n * used);
}

static void blur(const struct fw_image *in, struct fw_image *out)
{
    static const int weight[3] = {1, 2, 1};
    int used = colours(in);

    for (int y = 0; y < in->h; y++)
        for (int x = 0; x < in->w; x++) {
            memcpy(at(out, x, y), pixel(in, x, y), (size_t)in->channels);
            for (int k = 0; k < used; k++) {
                int sum = 8;
                for (int j = 0; j < 3; j++)
                    for (int i = 0; i < 3; i++)
                        sum += weight[j] * weight[i] * pixel(in, x + i - 1, y + j - 1)[k];
                at(out, x, y)[k] = (unsigned char)(sum / 16);
            }
        }
}

static int draw_shift(int side, struct fw_rng *rng)
{
    int most = side / 10 > 0 ? side / 10 : 1;
    return (int)fw_rng_below(rng, 2 * (uint64_t)most + 1) - most;
}

static int blur_often(const struct fw_image *in, struct fw_image *out, struct fw_rng *rng,
                      struct fw_err *err)
{
    size_t bytes = (size_t)in->w * in->h * (size_t)in->channels;

    blur(in, out);
    if (fw_rng_below(rng, 2) == 0)
        return FW_OK;
    struct fw_image once = *out;
    once.px = malloc(bytes);
    if (!once.px)
        return fw_err_nomem(err);
    memcpy(once.px, out->px, bytes);
    blur(&once, out);
    free(once.px);
    return FW_OK;
}

int fw_image_change(enum fw_image_change how, const struct fw_image *in, struct fw_rng *rng,
                    struct fw_image *out, struct fw_err *err)
{
    if (in->w < 1 || in->h < 1 || in->channels < 1 || in->channels > 4 || !in->px)
        return fw_err_set(err, FW_EINVAL, "an image without pixels cannot be changed");
    int turns = how == FW_IMAGE_ROTATE ? 1 + (int)fw_rng_below(rng, 3) : 0, rc = FW_OK, dx, dy;
    struct fw_image o = {
        .w = turns % 2 ? in->h : in->w, .h = turns % 2 ? in->w : in->h, .channels = in->channels};
    size_t bytes = (size_t)in->w * in->h * (size_t)in->channels;
    o.px = malloc(bytes);
    if (!o.px)
        return fw_err_nomem(err);
    memcpy(o.px, in->px, bytes);

    switch (how) {
    case FW_IMAGE_FLIP_H:
    case FW_IMAGE_FLIP_V:
    case FW_IMAGE_ROTATE:
        move(in, &o, how == FW_IMAGE_FLIP_H, how == FW_IMAGE_FLIP_V, turns, 0, 0);
        break;
    case FW_IMAGE_SHIFT:
        dx = draw_shift(in->w, rng);
        dy = draw_shift(in->h, rng);
        move(in, &o, false, false, 0, dx, dy);
        break;
    case FW_IMAGE_BRIGHTNESS:
        tone(&o, 1, 0, 255 * 0.15 * (2 * fw_rng_double(rng) - 1), 0, rng);
        break;
    case FW_IMAGE_CONTRAST:
        tone(&o, 0.75 * pow(16.0 / 9, fw_rng_double(rng)), mean_of(in), 0, 0, rng);
        break;
    case FW_IMAGE_NOISE:
        tone(&o, 1, 0, 0, 255 * (0.02 + 0.03 * fw_rng_double(rng)), rng);
        break;
    case FW_IMAGE_CROP:
        crop(in, rng, &o);
        break;
    case FW_IMAGE_BLUR:
        rc = blur_often(in, &o, rng, err);
        break;
    case FW_IMAGE_CHANGES:
        rc = fw_err_set(err, FW_EINVAL, "no such change");
        break;
    }
    if (rc == FW_OK)
        *out = o;
    else
        fw_image_release(&o);
    return rc;
}
