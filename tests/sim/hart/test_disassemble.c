#include "sim/hart/decode.h"
#include "sim/hart/disassemble.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

struct line {
    uint32_t bits;
    const char *text;
};

static void instructions_read_as_the_assembler_writes_them(void **context)
{
    static const struct line lines[] = {
        {0x00a58533, "add a0,a1,a0"},
        {0xfff50513, "addi a0,a0,-1"},
        {0x123452b7, "lui t0,0x12345"},
        {0x00000297, "auipc t0,0x0"},
        {0x0ff00093, "li ra,255"},
        {0xff843783, "ld a5,-8(s0)"},
        {0x00112423, "sw ra,8(sp)"},
        {0xfe0518e3, "bne a0,zero,0x80000000"}, /* 16 back */
        {0x0100006f, "j 0x80000020"},
        {0x010000ef, "jal ra,0x80000020"},
        {0x00008067, "jalr zero,0(ra)"},
        {0x00053003, "ld zero,0(a0)"},
        {0x02b50533, "mul a0,a0,a1"},
        {0x60051513, "clz a0,a0"},
        {0x0ab54533, "min a0,a0,a1"},
        {0x48559513, "bclri a0,a1,5"},
        {0x0eb55533, "czero.eqz a0,a0,a1"},
        {0x1005252f, "lr.w a0,(a0)"},
        {0x18b535af, "sc.d a1,a1,(a0)"},
        {0x00b5252f, "amoadd.w a0,a1,(a0)"},
        {0x02b57553, "fadd.d fa0,fa0,fa1"},
        {0x00b51553, "fadd.s fa0,fa0,fa1,rtz"},
        {0x62c5f543, "fmadd.d fa0,fa1,fa2,fa2"},
        {0xc2051553, "fcvt.w.d a0,fa0,rtz"},
        {0xa2b52553, "feq.d a0,fa0,fa1"},
        {0xf2050553, "fmv.d.x fa0,a0"},
        {0x00053507, "fld fa0,0(a0)"},
        {0x00a53027, "fsd fa0,0(a0)"},
        {0x30001073, "csrrw zero,mstatus,zero"},
        {0x7ff52573, "csrrs a0,0x7ff,a0"},
        {0x3002d073, "csrrwi zero,mstatus,5"},
        {0x00000073, "ecall"},
        {0x30200073, "mret"},
        {0x10500073, "wfi"},
        {0x12b50073, "sfence.vma a0,a1"},
        {0x18100073, "sfence.inval.ir"},
        {0x0045200f, "cbo.zero (a0)"},
        {0x0015200f, "cbo.clean (a0)"},
        {0x0000100f, "fence.i"},
        {0x0ff0000f, "nop"},     /* fence */
        {0x00000001, "nop"},     /* c.nop */
        {0x00004501, "li a0,0"}, /* c.li */
        {0x0000852e, "mv a0,a1"},
        {0x00009002, "ebreak"},
        {0x00000000, "illegal 0x0000"},
        {0xffffffff, "illegal 0xffffffff"},
    };

    (void)context;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct disassembly got = disassemble(lines[i].bits, 0x80000010);

        assert_string_equal(got.text, lines[i].text);
        assert_int_equal(got.bytes, (lines[i].bits & 3) == 3 ? 4 : 2);
    }
}

static void every_parcel_expands_to_an_instruction_or_is_illegal(void **context)
{
    uint32_t illegal = 0;

    (void)context;
    for (uint32_t parcel = 0; parcel < 0x10000; parcel++) {
        struct decoded decoded;

        if ((parcel & 3) == 3)
            continue;
        decode_instruction(parcel, &decoded);
        assert_true((decode_expand((uint16_t)parcel) == 0) == (decoded.code == OP_ILLEGAL));
        illegal += decoded.code == OP_ILLEGAL;
    }
    /* Quadrant 0: f3 = 100 (2048) and c.addi4spn of 0 (8). Quadrant 1: c.addiw to x0 (64), c.lui of
     * 0 (32, c.addi16sp of 0 included) and two reserved pairs (128). Quadrant 2: loads to x0 (2 *
     * 64), c.jr x0. */
    assert_int_equal(illegal, 2048 + 8 + 64 + 32 + 128 + 128 + 1);
}

static void reserved_encodings_are_illegal(void **context)
{
    static const uint32_t words[] = {
        0x02b55553, /* fadd.d with rounding mode 5 */
        0x04000033, /* no such f7 */
        0x00002063, /* branch f3 2 */
        0x00007003, /* load f3 7 */
        0x00004023, /* store f3 4 */
        0x0000402f, /* amo f3 4 */
        0x1015252f, /* lr.w with rs2 */
        0x00001067, /* jalr f3 1 */
        0x00004073, /* hypervisor loads */
        0x0035200f, /* cbo 3 */
        0x30200173, /* mret with rd */
    };

    (void)context;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        struct decoded decoded;

        decode_instruction(words[i], &decoded);
        assert_int_equal(decoded.code, OP_ILLEGAL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(instructions_read_as_the_assembler_writes_them),
        cmocka_unit_test(every_parcel_expands_to_an_instruction_or_is_illegal),
        cmocka_unit_test(reserved_encodings_are_illegal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
