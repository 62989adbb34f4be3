/* Inside stages/quality: tiles of dot products, for the widest registers this processor has. */
#ifndef FW_QUALITY_DOTS_H
#define FW_QUALITY_DOTS_H

#include <stddef.h>

enum { FW_TILE_ROWS = 6, FW_TILE_MAX_COLUMNS = 32 };

/* See tile.h. */
typedef void fw_tile_fn(const float *query, size_t stride, const float *panel, size_t d,
                        float *out);

struct fw_tile {
    size_t columns; /* base rows a panel */
    fw_tile_fn *fn;
};

struct fw_tile fw_tile_best(void);

#endif
