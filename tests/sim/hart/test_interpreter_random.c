/* Random programs, run in ways that must go through the same states: at once, in random pieces,
 * with room for only a few decoded blocks, and one instruction at a time with everything cached
 * thrown away before each.
 *
 * The programs write into themselves and into the page tables they run under, cross pages with
 * instructions and data, take timer interrupts and traps, and look at counters and at the time. */
#include "tests/sim/hart/rig.h"

#include "sim/hart/interpreter.h"

enum {
    CODE_WORDS = 1536, /* a page and a half: instructions straddle its middle */
    RUN_LENGTH = 5000,
    PROGRAMS = 60,
};
#define CODE     (RIG_RAM + 0x10000)
#define HANDLER  (RIG_RAM + 0x20000)
#define DATA     (RIG_RAM + 0x30000)  /* eight pages */
#define TABLES   (RIG_RAM + 0x40000)  /* root, middle, leaf */
#define VIRTUAL  UINT64_C(0x40000000) /* a page that the leaf table maps: accesses go to its end */
#define MTIME    UINT64_C(0x200bff8)
#define MTIMECMP UINT64_C(0x2004000)

/* Registers with a purpose; the rest is random. */
enum {
    X_DATA = 8,  /* the middle of the data */
    X_CODE = 9,  /* the middle of the code */
    X_LEAF = 12, /* the leaf page table */
    X_WORD = 20, /* … 23: instruction words */
    X_PTE = 24,  /* … 27: page-table entries */
    X_CLINT = 28,
    X_STATUS = 29, /* a bit of mstatus */
    X_HANDLER = 30,
};

static uint32_t free_register(uint64_t *seed)
{
    static const uint32_t list[] = {0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 13, 14, 15, 16, 17, 18, 19};

    return list[rig_random(seed) % (sizeof list / sizeof list[0])];
}

static int32_t offset_of(uint64_t *seed, uint32_t align)
{
    return (int32_t)(rig_random(seed) % 4096 / align * align) - 2048;
}

static uint32_t random_arithmetic(uint64_t *seed)
{
    static const uint16_t f7_f3[] = {0x000, 0x200, 0x001, 0x002, 0x003, 0x004, 0x005, 0x205, 0x006,
                                     0x007, 0x010, 0x011, 0x012, 0x013, 0x014, 0x015, 0x016, 0x017,
                                     0x102, 0x104, 0x106, 0x207, 0x206, 0x204, 0x054, 0x055, 0x056,
                                     0x057, 0x301, 0x305, 0x241, 0x245, 0x341, 0x141, 0x075, 0x077};
    uint32_t rd = free_register(seed), rs1 = free_register(seed), rs2 = free_register(seed);
    uint32_t pick = f7_f3[rig_random(seed) % (sizeof f7_f3 / sizeof f7_f3[0])];

    switch (rig_random(seed) % 6) {
    case 0:
        return enc_i(0x13, (uint32_t)(rig_random(seed) % 4) * 2, rd, rs1, offset_of(seed, 1));
    case 1:
        return enc_i(0x1b, 0, rd, rs1, offset_of(seed, 1));
    case 2:
        return enc_i(0x13, 1 + 4 * (rs2 & 1), rd, rs1, (int32_t)(rig_random(seed) % 64));
    case 3:
        return rs2 & 1 ? LUI(rd, rig_random(seed) & 0xfffff)
                       : AUIPC(rd, rig_random(seed) & 0xfffff);
    default:
        return enc_r(0x33, pick >> 4, pick & 7, REGS(rd, rs1, rs2));
    }
}

static uint32_t random_memory(uint64_t *seed)
{
    uint32_t reg = free_register(seed), size = (uint32_t)(rig_random(seed) % 4);
    uint32_t align = rig_random(seed) % 8 == 0 ? 1 : 1u << size;

    switch (rig_random(seed) % 8) {
    case 0:
    case 1:
        return enc_i(0x03, size, reg, X_DATA, offset_of(seed, align));
    case 2:
    case 3:
        return enc_s(0x23, size, X_DATA, reg, offset_of(seed, align));
    case 4: /* a new instruction */
        return SW(X_WORD + reg % 4, X_CODE, offset_of(seed, 4));
    case 5: /* a new translation */
        return SD(X_PTE + reg % 4, X_LEAF, (int32_t)(rig_random(seed) % 8 * 8));
    case 6: /* atomics */
        return enc_r(0x2f,
                     (uint32_t)(rig_random(seed) % 2 ? rig_random(seed) % 4 << 2
                                                     : rig_random(seed) % 8 << 4),
                     2 + (size & 1), REGS(reg, X_DATA, free_register(seed)));
    default: /* time */
        return LD(reg, X_CLINT, 0x7f8);
    }
}

static uint32_t random_jump(uint64_t *seed)
{
    int32_t offset = ((int32_t)(rig_random(seed) % 64) - 24) * 4;

    switch (rig_random(seed) % 8) {
    case 0:
        return JAL(free_register(seed), offset);
    case 1:
        return JALR(free_register(seed), X_CODE, offset_of(seed, 4));
    default:
        return enc_b((const uint32_t[]){0, 1, 4, 5, 6, 7}[rig_random(seed) % 6],
                     free_register(seed), free_register(seed), offset);
    }
}

static uint32_t random_system(uint64_t *seed)
{
    static const uint32_t csrs[] = {0xc00, 0xc02, 0xc01, 0x003, 0x001, 0x002, 0x300, 0xb02};
    uint32_t rd = free_register(seed);

    switch (rig_random(seed) % 12) {
    case 0:
        return ECALL;
    case 1:
        return EBREAK;
    case 2:
        return 0xffffffff; /* illegal */
    case 3:
        return enc_i(0x73, 2 + (uint32_t)(rig_random(seed) % 2), rd, X_STATUS, 0x300);
    case 4:
        return 0x0000100f; /* fence.i */
    case 5:
        return 0x12000073; /* sfence.vma */
    default:
        return CSRRS(rd, csrs[rig_random(seed) % 8], 0);
    }
}

static uint32_t random_float(uint64_t *seed)
{
    uint32_t rd = free_register(seed), rs1 = free_register(seed), rs2 = free_register(seed);
    uint32_t rm = rig_random(seed) % 4 == 0 ? 7 : 0, precision = (uint32_t)(rig_random(seed) % 2);

    switch (rig_random(seed) % 5) {
    case 0:
        return enc_i(0x07, 2 + precision, rd, X_DATA, offset_of(seed, 8));
    case 1:
        return enc_s(0x27, 2 + precision, X_DATA, rs1, offset_of(seed, 8));
    case 2: /* add, sub, mul, div */
        return enc_r(0x53, (uint32_t)(rig_random(seed) % 4 << 2) | precision, rm,
                     REGS(rd, rs1, rs2));
    case 3: /* fma */
        return enc_r(0x43, rs2 << 2 | precision, rm, REGS(rd, rs1, rs2));
    default: /* compare, convert */
        return rs1 & 1 ? enc_r(0x53, 0x50 | precision, 1, REGS(rd, rs1, rs2))
                       : enc_r(0x53, 0x68 | precision, rm, REGS(rd, rs1, 2));
    }
}

static uint32_t random_instruction(uint64_t *seed)
{
    switch (rig_random(seed) % 16) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
        return random_memory(seed);
    case 5:
    case 6:
        return random_jump(seed);
    case 7:
        return random_system(seed);
    case 8:
    case 9:
        return random_float(seed);
    default:
        return random_arithmetic(seed);
    }
}

/* Traps: timer interrupts set the next one and go somewhere else in the code, so that no loop is
 * for ever; exceptions skip to the next word, or back into the code when that has been left. */
static void put_handler(struct rig *rig)
{
    RIG_PUT(rig, HANDLER,                               /* */
            CSRRW(31, 0x340, 31),                       /* save x31 */
            CSRRS(31, 0x342, 0),                        /* mcause */
            enc_b(5, 31, 0, 11 * 4),                    /* an exception: on */
            LD(31, X_CLINT, 0x7f8),                     /* mtime */
            ADDI(31, 31, 3),                            /* */
            SD(31, X_HANDLER, 0),                       /* mtimecmp */
            SLLI(31, 31, 4),                            /* */
            enc_i(0x13, 7, 31, 31, 0x7fc),              /* */
            ADD(31, 31, X_CODE),                        /* */
            ADDI(31, 31, -1024),                        /* */
            CSRRW(0, 0x341, 31),                        /* mepc */
            CSRRW(31, 0x340, 31),                       /* */
            MRET,                                       /* */
            CSRRS(31, 0x341, 0),                        /* mepc */
            ADDI(31, 31, 4),                            /* */
            CSRRW(0, 0x341, 31),                        /* */
            enc_r(0x33, 0x20, 0, REGS(31, 31, X_CODE)), /* how far from the code */
            enc_i(0x13, 5, 31, 31, 0x400 | 11),         /* 0 or -1 if near */
            ADDI(31, 31, 1),                            /* */
            enc_i(0x13, 3, 31, 31, 2),                  /* 1: near */
            BNE(31, 0, 3 * 4),                          /* */
            ADDI(31, X_CODE, -1024),                    /* */
            CSRRW(0, 0x341, 31),                        /* */
            CSRRW(31, 0x340, 31),                       /* */
            MRET);
}

static uint64_t pte_of(uint64_t address, uint32_t bits)
{
    return address >> 12 << 10 | bits;
}

/* Root and middle tables lead to the leaf table for VIRTUAL; everything else is mapped to itself.
 */
static void put_tables(struct rig *rig)
{
    uint8_t *root = rig->ram + (TABLES - RIG_RAM), *middle = root + 4096, *leaf = root + 8192;

    for (uint64_t i = 0; i < 4; i++)
        store_le64(root + 8 * i, pte_of(i << 30, 0xcf));
    store_le64(root + 8 * (VIRTUAL >> 30), pte_of(TABLES + 4096, 1));
    store_le64(middle, pte_of(TABLES + 8192, 1));
    for (uint64_t i = 0; i < 8; i++)
        store_le64(leaf + 8 * i, pte_of(DATA + 4096 * i, 0xcf));
}

static void put_program(struct rig *rig, uint64_t seed)
{
    bool paged = seed % 2 == 1;
    uint8_t *data = rig->ram + (DATA - RIG_RAM);

    for (uint32_t i = 0; i < CODE_WORDS; i++) /* 2 off: instructions straddle pages */
        store_le32(rig->ram + (CODE - RIG_RAM) + 2 + 4 * i, random_instruction(&seed));
    for (uint32_t i = 0; i < 4096; i++)
        store_le64(data + 8 * i, rig_random(&seed));
    put_handler(rig);
    put_tables(rig);
    uint64_t *x = rig->state->x;

    for (uint32_t i = 1; i < 32; i++)
        x[i] = rig_random(&seed);
    x[X_DATA] = paged ? VIRTUAL + 4096 * 4 : DATA + 4096 * 4;
    x[X_CODE] = CODE + 2050;
    x[X_LEAF] = TABLES + 8192;
    for (uint32_t i = 0; i < 4; i++) {
        static const uint32_t bits[4] = {0xcf, 0xc3, 0x00, 0xcf};

        x[X_WORD + i] = random_instruction(&seed);
        x[X_PTE + i] = pte_of(DATA + 4096 * (rig_random(&seed) % 8), bits[i]);
    }
    x[X_CLINT] = MTIME - 0x7f8;
    x[X_HANDLER] = MTIMECMP;
    x[X_STATUS] = rig_random(&seed) % 4 << 13;
    rig->state->mtvec = HANDLER;
    rig->state->mie = 1 << HART_LINE_MTI;
    rig->state->mstatus = 3 << 13 | 1 << 3;
    if (paged) {
        rig->state->satp = UINT64_C(8) << 60 | TABLES >> 12;
        rig->state->privilege = PRIVILEGE_S;
        rig->state->pmpaddr[0] = UINT64_MAX >> 10;
        rig->state->pmpcfg[0] = 0x1f;
        rig->state->mcounteren = 7;
    }
    rig->state->pc = CODE + 2;
    assert_true(bus_write(rig->hart->bus, MTIMECMP, 8, 2));
    machine_rebuild(rig->machine);
}

enum way { AT_ONCE, IN_PIECES, CACHE_FULL, FLUSHED };

static struct hash outcome(uint64_t program, enum way way, uint64_t length)
{
    struct rig rig;
    uint64_t seed = program, done = 0;

    rig_open(&rig, (struct span){0}, 1);
    put_program(&rig, program);
    if (way == CACHE_FULL) /* room for a handful of blocks */
        rig.hart->engine->memory->blocks.limit = 6000;
    while (done < length) {
        uint64_t piece = way == IN_PIECES ? 1 + rig_random(&seed) % 40
                         : way == FLUSHED ? 1
                                          : length;

        if (piece > length - done)
            piece = length - done;
        if (way == FLUSHED)
            machine_flush(rig.machine);
        assert_int_equal(rig_run(&rig, piece), MACHINE_STOP_INSTRUCTIONS);
        done += piece;
        assert_int_equal(machine_instructions(rig.machine), done);
    }
    struct hash digest = rig_digest(&rig);

    rig_close(&rig);
    return digest;
}

/* The first length at which two ways differ, for whoever has to find out why. */
static uint64_t first_difference(uint64_t program, enum way way, uint64_t length)
{
    uint64_t low = 0, high = length;

    while (high - low > 1) {
        uint64_t middle = (low + high) / 2;
        struct hash a = outcome(program, way, middle), b = outcome(program, FLUSHED, middle);

        if (hash_equal(&a, &b))
            low = middle;
        else
            high = middle;
    }
    return high;
}

static void no_cache_and_no_chunking_is_ever_visible(void **context)
{
    (void)context;
    for (uint64_t program = 1; program <= PROGRAMS; program++) {
        struct hash want = outcome(program, FLUSHED, RUN_LENGTH);

        for (enum way way = AT_ONCE; way <= CACHE_FULL; way++) {
            struct hash got = outcome(program, way, RUN_LENGTH);

            if (!hash_equal(&got, &want))
                fail_msg("program %llu, way %d: other state after %llu instructions",
                         (unsigned long long)program, (int)way,
                         (unsigned long long)first_difference(program, way, RUN_LENGTH));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_cache_and_no_chunking_is_ever_visible),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
