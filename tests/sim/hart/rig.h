/* rig.h — a board `virt` with small programs made of instruction words, for tests of the engine. */
#ifndef THAW_TESTS_SIM_HART_RIG_H
#define THAW_TESTS_SIM_HART_RIG_H

#include "sim/board/virt.h"
#include "sim/core/checkpoint.h"
#include "sim/hart/hart.h"
#include "storage/base/bytes.h"
#include "storage/base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define RIG_RAM       VIRT_RAM_BASE
#define RIG_RAM_BYTES (UINT64_C(4) << 20)

struct rig {
    struct registry registry;
    struct machine *machine;
    struct hart *hart;
    struct hart_state *state;
    uint8_t *ram;
};

/* Instruction words (I 2.2). */
static inline uint32_t enc_i(uint32_t major, uint32_t f3, uint32_t rd, uint32_t rs1, int32_t imm)
{
    return (uint32_t)imm << 20 | rs1 << 15 | f3 << 12 | rd << 7 | major;
}
static inline uint32_t enc_r(uint32_t major, uint32_t f7, uint32_t f3, uint32_t rd_rs1_rs2)
{
    return f7 << 25 | (rd_rs1_rs2 & 31) << 20 | (rd_rs1_rs2 >> 5 & 31) << 15 | f3 << 12 |
           (rd_rs1_rs2 >> 10) << 7 | major;
}
#define REGS(rd, rs1, rs2) ((uint32_t)(rd) << 10 | (uint32_t)(rs1) << 5 | (uint32_t)(rs2))
static inline uint32_t enc_s(uint32_t major, uint32_t f3, uint32_t rs1, uint32_t rs2, int32_t imm)
{
    return ((uint32_t)imm >> 5 & 127) << 25 | rs2 << 20 | rs1 << 15 | f3 << 12 |
           ((uint32_t)imm & 31) << 7 | major;
}
static inline uint32_t enc_b(uint32_t f3, uint32_t rs1, uint32_t rs2, int32_t offset)
{
    uint32_t imm = (uint32_t)offset;

    return (imm >> 12 & 1) << 31 | (imm >> 5 & 63) << 25 | rs2 << 20 | rs1 << 15 | f3 << 12 |
           (imm >> 1 & 15) << 8 | (imm >> 11 & 1) << 7 | 0x63;
}
static inline uint32_t enc_j(uint32_t rd, int32_t offset)
{
    uint32_t imm = (uint32_t)offset;

    return (imm >> 20 & 1) << 31 | (imm >> 1 & 0x3ff) << 21 | (imm >> 11 & 1) << 20 |
           (imm >> 12 & 0xff) << 12 | rd << 7 | 0x6f;
}
#define ADDI(rd, rs1, imm)   enc_i(0x13, 0, (rd), (rs1), (imm))
#define ADD(rd, rs1, rs2)    enc_r(0x33, 0, 0, REGS(rd, rs1, rs2))
#define SLLI(rd, rs1, n)     enc_i(0x13, 1, (rd), (rs1), (n))
#define LUI(rd, imm)         ((uint32_t)(imm) << 12 | (uint32_t)(rd) << 7 | 0x37)
#define AUIPC(rd, imm)       ((uint32_t)(imm) << 12 | (uint32_t)(rd) << 7 | 0x17)
#define LD(rd, rs1, imm)     enc_i(0x03, 3, (rd), (rs1), (imm))
#define LW(rd, rs1, imm)     enc_i(0x03, 2, (rd), (rs1), (imm))
#define SD(rs2, rs1, imm)    enc_s(0x23, 3, (rs1), (rs2), (imm))
#define SW(rs2, rs1, imm)    enc_s(0x23, 2, (rs1), (rs2), (imm))
#define SB(rs2, rs1, imm)    enc_s(0x23, 0, (rs1), (rs2), (imm))
#define BNE(rs1, rs2, to)    enc_b(1, (rs1), (rs2), (to))
#define JAL(rd, to)          enc_j((rd), (to))
#define JALR(rd, rs1, imm)   enc_i(0x67, 0, (rd), (rs1), (imm))
#define CSRRW(rd, csr, rs1)  enc_i(0x73, 1, (rd), (rs1), (int32_t)(csr))
#define CSRRS(rd, csr, rs1)  enc_i(0x73, 2, (rd), (rs1), (int32_t)(csr))
#define LR_D(rd, rs1)        enc_r(0x2f, 0x08, 3, REGS(rd, rs1, 0))
#define SC_D(rd, rs1, rs2)   enc_r(0x2f, 0x0c, 3, REGS(rd, rs1, rs2))
#define FLD(rd, rs1, imm)    enc_i(0x07, 3, (rd), (rs1), (imm))
#define FADD_D(rd, rs1, rs2) enc_r(0x53, 0x01, 0, REGS(rd, rs1, rs2))
#define NOP                  ADDI(0, 0, 0)
#define MRET                 0x30200073u
#define WFI                  0x10500073u
#define EBREAK               0x00100073u
#define ECALL                0x00000073u

static inline void rig_fail(const struct err *err)
{
    fail_msg("%s", err->text);
}

/* A board with `harts` harts, reset; hart 0 stands at the start of RAM in M mode. */
static inline void rig_open(struct rig *rig, struct span firmware, uint32_t harts)
{
    struct err err = ERR_INIT;
    struct object *root = NULL;
    struct virt_options options = {
        .name = "board0", .ram_bytes = RIG_RAM_BYTES, .hart_count = harts, .satp_mode_max = 10};
    static const uint8_t nothing[4] = {0x13};
    struct virt_software software = {0};

    if (firmware.size != 0)
        software.kernel = firmware;
    else
        software.firmware = (struct span){nothing, sizeof nothing};
    memset(rig, 0, sizeof *rig);
    options.slots[0].kind = VIRT_SLOT_BLOCK;
    options.slots[0].name = "disk0";
    options.slots[0].capacity_bytes = 65536;
    if (!image_new(65536, &options.slots[0].image, &err))
        rig_fail(&err);
    for (uint32_t i = 1; i < VIRT_SLOTS; i++) {
        static const char *const names[] = {"", "r1", "r2", "r3", "r4", "r5", "r6", "r7"};

        options.slots[i].kind = VIRT_SLOT_RNG;
        options.slots[i].name = names[i];
    }
    registry_standard(&rig->registry);
    rig->machine = machine_new(&rig->registry);
    if (!machine_add(rig->machine, "machine", "thaw-machine", NULL, &root, &err) ||
        !virt_build(rig->machine, &options, &software, &err) || !machine_open(rig->machine, &err))
        rig_fail(&err);
    machine_reset(rig->machine);
    rig->hart = hart_of(machine_find(rig->machine, "board0.hart0"));
    rig->state = rig->hart->state;
    rig->ram = machine_find(rig->machine, "board0.ram")->images[0]->data;
    if (firmware.size == 0)
        rig->state->pc = RIG_RAM;
}

static inline void rig_close(struct rig *rig)
{
    machine_free(rig->machine);
}

static inline void rig_put(struct rig *rig, uint64_t address, const uint32_t *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        store_le32(rig->ram + (address - RIG_RAM) + 4 * i, words[i]);
    machine_flush(rig->machine);
}
#define RIG_PUT(rig, address, ...)                                                                 \
    rig_put((rig), (address), (const uint32_t[]){__VA_ARGS__},                                     \
            sizeof((const uint32_t[]){__VA_ARGS__}) / 4)

/* Exactly this many instructions, or fewer if the machine stops by itself. */
static inline enum machine_stop rig_run(struct rig *rig, uint64_t instructions)
{
    struct machine_limits limits = {machine_instructions(rig->machine) + instructions, UINT64_MAX};

    return machine_run(rig->machine, &limits);
}

static inline struct hash rig_digest(struct rig *rig)
{
    struct err err = ERR_INIT;
    struct checkpoint_ids ids;

    if (!machine_digest(rig->machine, &ids, &err))
        rig_fail(&err);
    return ids.state_id;
}

/* splitmix64 */
static inline uint64_t rig_random(uint64_t *seed)
{
    uint64_t z = (*seed += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

#endif
