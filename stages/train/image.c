#include "stages/train/image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STBI_ONLY_BMP
#define STBI_NO_STDIO
#define STBI_NO_HDR
#define STBI_NO_LINEAR
#include <stb/stb_image.h>
#define STBI_WRITE_NO_STDIO
#include <stb/stb_image_write.h>

#include "pipeline/base/fs.h"
#include "stages/train/codec.h"

/* The densest format read here is a one-bit PNG of one colour: deflate cannot pack more than 1032
 * to one, so no byte stands for more than 8 × 1032 pixels. A header that claims more is a lie that
 * would only make us allocate. */
enum { PIXELS_PER_BYTE = 8 * 1032 };

int fw_image_check_size(long long w, long long h, size_t n, struct fw_err *err)
{
    if (w < 1 || h < 1)
        return fw_err_set(err, FW_EINVAL, "the image has no pixels (%lld × %lld)", w, h);
    if (w > FW_IMAGE_MAX_SIDE || h > FW_IMAGE_MAX_SIDE || w * h > FW_IMAGE_MAX_PIXELS)
        return fw_err_set(err, FW_EINVAL,
                          "the image is too large (%lld × %lld); the limit is %d a side and %d "
                          "pixels",
                          w, h, FW_IMAGE_MAX_SIDE, FW_IMAGE_MAX_PIXELS);
    if ((size_t)(w * h) / PIXELS_PER_BYTE > n)
        return fw_err_set(err, FW_EINVAL,
                          "the header says %lld × %lld, more than %zu bytes can hold", w, h, n);
    return FW_OK;
}

static int bmp_decode(const void *bytes, size_t n, struct fw_image *out, struct fw_err *err)
{
    int w = 0, h = 0, channels = 0;

    if (!stbi_info_from_memory(bytes, (int)n, &w, &h, &channels))
        return fw_err_set(err, FW_EINVAL, "not a readable image (not JPEG, PNG, BMP, PGM or PPM)");
    int rc = fw_image_check_size(w, h, n, err);
    if (rc != FW_OK)
        return rc;
    unsigned char *px = stbi_load_from_memory(bytes, (int)n, &w, &h, &channels, 0);
    if (!px)
        return fw_err_set(err, FW_EINVAL, "not a readable image (%s)", stbi_failure_reason());
    *out = (struct fw_image){.w = w, .h = h, .channels = channels, .px = px};
    return FW_OK;
}

static int decode(const void *bytes, size_t n, bool gray, struct fw_image *out, struct fw_err *err)
{
    if (n == 0)
        return fw_err_set(err, FW_EINVAL, "the file is empty");
    if (n > FW_IMAGE_MAX_BYTES)
        return fw_err_set(err, FW_EINVAL, "the file has %zu bytes; at most %u are read as an image",
                          n, FW_IMAGE_MAX_BYTES);
    if (fw_is_jpeg(bytes, n))
        return fw_jpeg_decode(bytes, n, gray, out, err);
    if (fw_is_png(bytes, n))
        return fw_png_decode(bytes, n, out, err);
    if (fw_is_pnm(bytes, n))
        return fw_pnm_decode(bytes, n, out, err);
    return bmp_decode(bytes, n, out, err);
}

int fw_image_decode(const void *bytes, size_t n, struct fw_image *out, struct fw_err *err)
{
    return decode(bytes, n, false, out, err);
}

void fw_image_release(struct fw_image *im)
{
    free(im->px);
    *im = (struct fw_image){0};
}

/* ITU-R BT.601 luminance, as stb_image and libjpeg use it; alpha is ignored. */
static void luminance(const struct fw_image *im, int y, float *out)
{
    const unsigned char *p = im->px + (size_t)y * im->w * im->channels;

    if (im->channels < 3)
        for (int x = 0; x < im->w; x++)
            out[x] = (float)p[x * im->channels] * (1 / 255.0f);
    else
        for (int x = 0; x < im->w; x++, p += im->channels)
            out[x] = (float)(77 * p[0] + 150 * p[1] + 29 * p[2]) * (1 / (256 * 255.0f));
}

/* One output pixel on one axis: the weighted input pixels from..from + n - 1. */
struct taps {
    int from, n;
    float *weight;
};

/* The triangle kernel, as wide as one output pixel is when the image is made smaller: it averages
 * then, interpolates when the image is made larger, and never overshoots. One malloc block. */
static struct taps *make_taps(int in, int out)
{
    double scale = (double)in / out, radius = scale > 1 ? scale : 1;
    int most = (int)(2 * radius) + 3;
    struct taps *t = malloc((size_t)out * (sizeof *t + (size_t)most * sizeof(float)));
    if (!t)
        return NULL;
    float *weight = (float *)(t + out);

    for (int i = 0; i < out; i++, weight += most) {
        double centre = (i + 0.5) * scale - 0.5, sum = 0;
        int from = (int)(centre - radius), to = (int)(centre + radius) + 1;
        from = from < 0 ? 0 : from;
        to = to >= in ? in - 1 : to;
        for (int k = from; k <= to; k++) {
            double far = (k > centre ? k - centre : centre - k) / radius;
            weight[k - from] = far < 1 ? (float)(1 - far) : 0;
            sum += weight[k - from];
        }
        for (int k = from; k <= to; k++)
            weight[k - from] = (float)(weight[k - from] / sum);
        t[i] = (struct taps){from, to - from + 1, weight};
    }
    return t;
}

static void narrow(const float *line, const struct taps *tx, int n, float *out)
{
    for (int x = 0; x < n; x++) {
        float sum = 0;
        for (int k = 0; k < tx[x].n; k++)
            sum += tx[x].weight[k] * line[tx[x].from + k];
        out[x] = sum;
    }
}

int fw_image_gray(const struct fw_image *im, int want_w, int want_h, float *out, struct fw_err *err)
{
    if (want_w < 1 || want_h < 1 || want_w > FW_IMAGE_MAX_SIDE || want_h > FW_IMAGE_MAX_SIDE)
        return fw_err_set(err, FW_EINVAL, "cannot make an image of %d × %d pixels", want_w, want_h);
    if (im->w == want_w && im->h == want_h) {
        for (int y = 0; y < im->h; y++)
            luminance(im, y, out + (size_t)y * im->w);
        return FW_OK;
    }
    struct taps *tx = make_taps(im->w, want_w), *ty = make_taps(im->h, want_h);
    float *line = malloc((size_t)im->w * sizeof *line);
    float *rows = malloc((size_t)im->h * want_w * sizeof *rows);
    int rc = tx && ty && line && rows ? FW_OK : fw_err_nomem(err);

    for (int y = 0; rc == FW_OK && y < im->h; y++) {
        luminance(im, y, line);
        narrow(line, tx, want_w, rows + (size_t)y * want_w);
    }
    for (int y = 0; rc == FW_OK && y < want_h; y++) {
        float *to = out + (size_t)y * want_w;
        memset(to, 0, (size_t)want_w * sizeof *to);
        for (int k = 0; k < ty[y].n; k++) {
            const float *from = rows + (size_t)(ty[y].from + k) * want_w;
            for (int x = 0; x < want_w; x++)
                to[x] += ty[y].weight[k] * from[x];
        }
    }
    free(tx);
    free(ty);
    free(line);
    free(rows);
    return rc;
}

int fw_image_load(const void *bytes, size_t n, int want_w, int want_h, float **gray,
                  struct fw_err *err)
{
    struct fw_image im = {0};
    float *out = NULL;
    int rc = FW_OK;

    if (want_w < 1 || want_h < 1 || want_w > FW_IMAGE_MAX_SIDE || want_h > FW_IMAGE_MAX_SIDE)
        return fw_err_set(err, FW_EINVAL, "cannot make an image of %d × %d pixels", want_w, want_h);
    rc = decode(bytes, n, true, &im, err);
    if (rc != FW_OK)
        return rc;
    out = malloc((size_t)want_w * want_h * sizeof *out);
    rc = out ? fw_image_gray(&im, want_w, want_h, out, err) : fw_err_nomem(err);
    if (rc == FW_OK) {
        *gray = out;
        out = NULL;
    }
    free(out);
    fw_image_release(&im);
    return rc;
}

static void append(void *ctx, void *data, int n)
{
    fw_buf_add(ctx, data, (size_t)n);
}

int fw_image_png(const struct fw_image *im, struct fw_buf *out, struct fw_err *err)
{
    int ok = stbi_write_png_to_func(append, out, im->w, im->h, im->channels, im->px,
                                    im->w * im->channels);
    return ok && !out->failed ? FW_OK : fw_err_nomem(err);
}

int fw_image_read_file(const char *root, const char *rel, struct fw_buf *out, struct fw_err *err)
{
    struct stat st;
    int rc = FW_OK;
    int fd = fw_fs_open_below(root, rel, err);
    if (fd < 0)
        return fd;

    if (fstat(fd, &st) != 0)
        rc = fw_err_sys(err, errno, "cannot read %s", rel);
    else if (!S_ISREG(st.st_mode))
        rc = fw_err_set(err, FW_EINVAL, "%s is not a file", rel);
    else if (st.st_size > FW_IMAGE_MAX_BYTES)
        rc = fw_err_set(err, FW_EINVAL, "%s has %lld bytes; at most %u are read", rel,
                        (long long)st.st_size, FW_IMAGE_MAX_BYTES);
    while (rc == FW_OK) {
        char *p = fw_buf_reserve(out, 65536);
        if (!p) {
            rc = fw_err_nomem(err);
            break;
        }
        ssize_t got = read(fd, p, 65536);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            rc = fw_err_sys(err, errno, "cannot read %s", rel);
        if (got <= 0)
            break;
        out->len += (size_t)got;
        out->p[out->len] = '\0';
    }
    close(fd);
    return rc;
}
