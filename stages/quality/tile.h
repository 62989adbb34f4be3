/*
 * The inner loop of the k nearest neighbours, compiled once for each width of vector registers: the
 * dot products of FW_TILE_ROWS queries with 2 · width rows of the base.
 *
 * Included several times by dots.c with TILE_NAME, TILE_WIDTH (floats a register) and TILE_TARGET
 * set, hence no include guard.
 *
 * query: FW_TILE_ROWS rows of `stride` floats; panel: d groups of 2 · width floats, one lane a base
 * row; out: FW_TILE_ROWS × (2 · width). Six rows of two registers are twelve sums: as many as fit
 * into sixteen registers beside the operands, and enough to hide the latency of multiply-add.
 */
#define TILE_CAT_(a, b) a##b
#define TILE_CAT(a, b) TILE_CAT_(a, b)
#define TILE_VEC TILE_CAT(TILE_NAME, _vec)

typedef float TILE_VEC
    __attribute__((vector_size(TILE_WIDTH * sizeof(float)), may_alias, aligned(4)));

TILE_TARGET static void TILE_NAME(const float *query, size_t stride, const float *panel, size_t d,
                                  float *out)
{
    TILE_VEC a0 = {0}, a1 = {0}, b0 = {0}, b1 = {0}, c0 = {0}, c1 = {0};
    TILE_VEC e0 = {0}, e1 = {0}, f0 = {0}, f1 = {0}, g0 = {0}, g1 = {0};
    const float *qa = query, *qb = qa + stride, *qc = qb + stride;
    const float *qe = qc + stride, *qf = qe + stride, *qg = qf + stride;
    for (size_t i = 0; i < d; i++, panel += 2 * TILE_WIDTH) {
        TILE_VEC p0 = *(const TILE_VEC *)panel, p1 = *(const TILE_VEC *)(panel + TILE_WIDTH);
        a0 += qa[i] * p0;
        a1 += qa[i] * p1;
        b0 += qb[i] * p0;
        b1 += qb[i] * p1;
        c0 += qc[i] * p0;
        c1 += qc[i] * p1;
        e0 += qe[i] * p0;
        e1 += qe[i] * p1;
        f0 += qf[i] * p0;
        f1 += qf[i] * p1;
        g0 += qg[i] * p0;
        g1 += qg[i] * p1;
    }
    TILE_VEC *o = (TILE_VEC *)out;
    o[0] = a0, o[1] = a1, o[2] = b0, o[3] = b1, o[4] = c0, o[5] = c1;
    o[6] = e0, o[7] = e1, o[8] = f0, o[9] = f1, o[10] = g0, o[11] = g1;
}

#undef TILE_VEC
#undef TILE_CAT
#undef TILE_CAT_
#undef TILE_NAME
#undef TILE_WIDTH
#undef TILE_TARGET
