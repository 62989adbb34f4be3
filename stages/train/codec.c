#include "stages/train/codec.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jerror.h>
#include <jpeglib.h>
#include <png.h>

/* A progressive file may hold thousands of scans of the whole picture; honest ones have about ten. */
enum { MOST_SCANS = 100 };

bool fw_is_jpeg(const void *bytes, size_t n)
{
    return n >= 3 && memcmp(bytes, "\xff\xd8\xff", 3) == 0;
}

bool fw_is_png(const void *bytes, size_t n)
{
    return n >= 8 && memcmp(bytes, "\x89PNG\r\n\x1a\n", 8) == 0;
}

struct jpeg {
    struct jpeg_decompress_struct info; /* first: libjpeg hands it back to us */
    struct jpeg_error_mgr manager;
    struct jpeg_progress_mgr progress;
    jmp_buf out;
    char why[JMSG_LENGTH_MAX];
    unsigned char *px; /* here and not in a local: it outlives the jump */
};

static void on_error(j_common_ptr info)
{
    struct jpeg *j = (struct jpeg *)(void *)info;

    info->err->format_message(info, j->why);
    longjmp(j->out, 1);
}

/* libjpeg fills what is missing with grey and only warns; a cut picture is an error here. Other
 * warnings are harmless and common. */
static void on_message(j_common_ptr info, int level)
{
    if (level < 0 &&
        (info->err->msg_code == JWRN_JPEG_EOF || info->err->msg_code == JWRN_HIT_MARKER))
        on_error(info);
}

static void on_progress(j_common_ptr info)
{
    struct jpeg *j = (struct jpeg *)(void *)info;

    if (j->info.input_scan_number > MOST_SCANS) {
        snprintf(j->why, sizeof j->why, "more than %d scans", MOST_SCANS);
        longjmp(j->out, 1);
    }
}

static int read_jpeg(struct jpeg *j, const void *bytes, size_t n, bool gray, struct fw_err *err)
{
    struct jpeg_decompress_struct *info = &j->info;

    if (setjmp(j->out))
        return fw_err_set(err, FW_EINVAL, "not a readable image (JPEG: %s)", j->why);
    jpeg_create_decompress(info);
    info->progress = &j->progress;
    j->progress.progress_monitor = on_progress;
    jpeg_mem_src(info, bytes, n);
    jpeg_read_header(info, TRUE);
    int rc = fw_image_check_size(info->image_width, info->image_height, n, err);
    if (rc != FW_OK)
        return rc;
    info->out_color_space = gray || info->num_components == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_start_decompress(info);
    size_t row = (size_t)info->output_width * (size_t)info->output_components;
    j->px = malloc(row * info->output_height);
    if (!j->px)
        return fw_err_nomem(err);
    while (info->output_scanline < info->output_height) {
        JSAMPROW at = j->px + row * info->output_scanline;
        jpeg_read_scanlines(info, &at, 1);
    }
    return FW_OK;
}

int fw_jpeg_decode(const void *bytes, size_t n, bool gray, struct fw_image *out, struct fw_err *err)
{
    struct jpeg *j = calloc(1, sizeof *j);
    if (!j)
        return fw_err_nomem(err);
    j->info.err = jpeg_std_error(&j->manager);
    j->manager.error_exit = on_error;
    j->manager.emit_message = on_message;

    int rc = read_jpeg(j, bytes, n, gray, err);
    if (rc == FW_OK) {
        *out = (struct fw_image){.w = (int)j->info.output_width,
                                 .h = (int)j->info.output_height,
                                 .channels = j->info.output_components,
                                 .px = j->px};
        j->px = NULL;
    }
    free(j->px);
    jpeg_destroy_decompress(&j->info);
    free(j);
    return rc;
}

int fw_png_decode(const void *bytes, size_t n, struct fw_image *out, struct fw_err *err)
{
    png_image png = {.version = PNG_IMAGE_VERSION};
    unsigned char *px = NULL;
    int rc = FW_OK;

    if (!png_image_begin_read_from_memory(&png, bytes, n))
        return fw_err_set(err, FW_EINVAL, "not a readable image (PNG: %s)", png.message);
    rc = fw_image_check_size(png.width, png.height, n, err);
    if (rc == FW_OK) {
        bool colour = png.format & PNG_FORMAT_FLAG_COLOR,
             alpha = png.format & PNG_FORMAT_FLAG_ALPHA;
        png.format =
            (colour ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY) | (alpha ? PNG_FORMAT_FLAG_ALPHA : 0);
        px = malloc(PNG_IMAGE_SIZE(png));
        if (!px)
            rc = fw_err_nomem(err);
        else if (!png_image_finish_read(&png, NULL, px, 0, NULL))
            rc = fw_err_set(err, FW_EINVAL, "not a readable image (PNG: %s)", png.message);
    }
    if (rc == FW_OK) {
        *out = (struct fw_image){.w = (int)png.width,
                                 .h = (int)png.height,
                                 .channels = (int)PNG_IMAGE_SAMPLE_CHANNELS(png.format),
                                 .px = px};
        px = NULL;
    }
    free(px);
    png_image_free(&png);
    return rc;
}

bool fw_is_pnm(const void *bytes, size_t n)
{
    const char *p = bytes;
    return n >= 3 && p[0] == 'P' && (p[1] == '5' || p[1] == '6') && p[2] &&
           strchr(" \t\r\n#", p[2]);
}

/* The next number of the header, at most 65536; -1 when there is none. Comments run from # to the end
 * of the line. */
static int pnm_number(const unsigned char *p, size_t n, size_t *at)
{
    int v = -1;

    while (*at < n && p[*at] && strchr(" \t\r\n#", p[*at])) {
        if (p[*at] == '#')
            while (*at < n && p[*at] != '\n')
                (*at)++;
        else
            (*at)++;
    }
    for (; *at < n && p[*at] >= '0' && p[*at] <= '9'; (*at)++) {
        v = (v < 0 ? 0 : v) * 10 + (p[*at] - '0');
        v = v > 65536 ? 65536 : v;
    }
    return v;
}

int fw_pnm_decode(const void *bytes, size_t n, struct fw_image *out, struct fw_err *err)
{
    const unsigned char *p = bytes;
    size_t at = 2;
    int w = pnm_number(p, n, &at), h = pnm_number(p, n, &at), top = pnm_number(p, n, &at);
    int rc = FW_OK;

    if (w < 0 || h < 0 || top < 1 || top > 65535 || at == n)
        return fw_err_set(err, FW_EINVAL, "not a readable image (PGM or PPM: the header is wrong)");
    rc = fw_image_check_size(w, h, n, err);
    if (rc != FW_OK)
        return rc;
    at++; /* one white space */
    size_t wide = top > 255 ? 2 : 1, count = (size_t)w * (size_t)h * (p[1] == '6' ? 3 : 1);
    if ((n - at) / wide < count)
        return fw_err_set(err, FW_EINVAL, "not a readable image (PGM or PPM: cut short)");
    unsigned char *px = malloc(count);
    if (!px)
        return fw_err_nomem(err);
    for (size_t i = 0; i < count; i++) {
        int v = wide == 2 ? p[at + 2 * i] << 8 | p[at + 2 * i + 1] : p[at + i];
        px[i] = (unsigned char)(v >= top ? 255 : (v * 255 + top / 2) / top);
    }
    *out = (struct fw_image){.w = w, .h = h, .channels = p[1] == '6' ? 3 : 1, .px = px};
    return FW_OK;
}
