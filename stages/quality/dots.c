#include "stages/quality/dots.h"

#if defined(__x86_64__)
#define TILE_NAME tile_avx512
#define TILE_WIDTH 16
#define TILE_TARGET __attribute__((target("avx512f,fma")))
#include "stages/quality/tile.h"

#define TILE_NAME tile_avx2
#define TILE_WIDTH 8
#define TILE_TARGET __attribute__((target("avx2,fma")))
#include "stages/quality/tile.h"
#endif

#define TILE_NAME tile_any
#define TILE_WIDTH 4
#define TILE_TARGET
#include "stages/quality/tile.h"

struct fw_tile fw_tile_best(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f"))
        return (struct fw_tile){32, tile_avx512};
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return (struct fw_tile){16, tile_avx2};
#endif
    return (struct fw_tile){8, tile_any};
}
