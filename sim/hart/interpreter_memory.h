/* interpreter_memory.h — part of interpret(): loads, stores, atomics. */

/* clang-format off */
#define READ_ENTRY(address)  tlb_data_entry(context->read, (address))
#define WRITE_ENTRY(address) tlb_data_entry(context->write, (address))
/* Aligned and in the TLB, ready to be used. */
#define HITS(entry, address, size) \
    (((address) & (PAGE_MASK | ((size) - 1))) == (entry)->tag)
#define HOST(entry, address) ((uint8_t *)(uintptr_t)((address) + (entry)->addend))

#define LOAD_8(p)  (*(const uint8_t *)(p))
#define LOAD_16(p) load_le16(p)
#define LOAD_32(p) load_le32(p)
#define LOAD_64(p) load_le64(p)
#define STORE_8(p, v)  (*(p) = (uint8_t)(v))
#define STORE_16(p, v) store_le16((p), (uint16_t)(v))
#define STORE_32(p, v) store_le32((p), (uint32_t)(v))
#define STORE_64(p, v) store_le64((p), (v))

/* Reads into `v`; on a miss the slow path does it all, and `after` says where to go on. */
#define HANDLE_LOAD_INTO(destination, bits, expression) \
    const uint64_t address = x[op->rs1] + IMM; \
    const struct tlb_entry *const entry = READ_ENTRY(address); \
    uint64_t v; \
    if (LIKELY(HITS(entry, address, bits / 8))) { \
        v = LOAD_##bits(HOST(entry, address)); \
        destination = (expression); \
        NEXT(); \
    } \
    SAVE(); \
    result = access_load(context->engine, address, bits / 8); \
    UNLESS_TRAPPED(result); \
    v = context->engine->value; \
    destination = (expression);

#define HANDLE_LOAD(name, bits, expression) \
do_##name: { \
    HANDLE_LOAD_INTO(x[op->rd], bits, expression) \
    if (UNLIKELY(result != SLOW_DONE)) \
        goto leave; \
    NEXT(); \
}
OPS_LOAD(HANDLE_LOAD)

#define HANDLE_STORE_OF(value, bits) \
    const uint64_t address = x[op->rs1] + IMM; \
    const struct tlb_entry *const entry = WRITE_ENTRY(address); \
    if (LIKELY(HITS(entry, address, bits / 8))) { \
        STORE_##bits(HOST(entry, address), value); \
        NEXT(); \
    } \
    SAVE(); \
    result = access_store(context->engine, address, bits / 8, value); \
    UNLESS_TRAPPED(result); \
    if (UNLIKELY(result != SLOW_DONE)) \
        goto leave; \
    NEXT();

#define HANDLE_STORE(name, bits) \
do_##name: { \
    HANDLE_STORE_OF(x[op->rs2], bits) \
}
OPS_STORE(HANDLE_STORE)

#define WIDEN_32(v) sext32(v)
#define WIDEN_64(v) (v)

#define HANDLE_AMO(name, bits, expression) \
do_##name: { \
    const uint64_t address = x[op->rs1]; \
    const uint##bits##_t b = (uint##bits##_t)x[op->rs2]; \
    const struct tlb_entry *const entry = WRITE_ENTRY(address); \
    uint##bits##_t v; \
    if (LIKELY(HITS(entry, address, bits / 8))) { \
        uint8_t *const host = HOST(entry, address); \
        v = (uint##bits##_t)LOAD_##bits(host); \
        STORE_##bits(host, (uint##bits##_t)(expression)); \
        if (op->rd != 0) \
            x[op->rd] = WIDEN_##bits(v); \
        NEXT(); \
    } \
    SAVE(); \
    result = access_begin(context->engine, address, bits / 8); \
    UNLESS_TRAPPED(result); \
    v = (uint##bits##_t)context->engine->value; \
    result = access_finish(context->engine, bits / 8, (uint##bits##_t)(expression)); \
    if (op->rd != 0) \
        x[op->rd] = WIDEN_##bits(v); \
    if (UNLIKELY(result != SLOW_DONE)) \
        goto leave; \
    NEXT(); \
}
OPS_AMO(HANDLE_AMO)

#define HANDLE_LR(name, bits) \
do_##name: \
    SAVE(); \
    result = access_load_reserved(context->engine, x[op->rs1], bits / 8); \
    UNLESS_TRAPPED(result); \
    if (op->rd != 0) \
        x[op->rd] = WIDEN_##bits(context->engine->value); \
    if (UNLIKELY(result != SLOW_DONE)) \
        goto leave; \
    NEXT();
HANDLE_LR(LR_W, 32)
HANDLE_LR(LR_D, 64)

#define HANDLE_SC(name, bits) \
do_##name: \
    SAVE(); \
    result = access_store_conditional(context->engine, x[op->rs1], bits / 8, x[op->rs2]); \
    UNLESS_TRAPPED(result); \
    if (op->rd != 0) \
        x[op->rd] = context->engine->value; \
    if (UNLIKELY(result != SLOW_DONE)) \
        goto leave; \
    NEXT();
HANDLE_SC(SC_W, 32)
HANDLE_SC(SC_D, 64)

do_LOAD_DISCARD: /* into x0: it may fault, and devices see it */
    SAVE();
    result = access_load(context->engine, x[op->rs1] + IMM, op->rs2);
    goto finish_slow;
do_CBO_ZERO:
    SAVE();
    result = access_zero(context->engine, x[op->rs1]);
    goto finish_slow;
do_CBO:
    SAVE();
    result = access_cache_op(context->engine, x[op->rs1], (uint32_t)op->imm);
    goto finish_slow;
finish_slow:
    UNLESS_TRAPPED(result);
    if (UNLIKELY(result != SLOW_DONE))
        goto leave;
    NEXT();
/* clang-format on */
