/* strap.S - S mode's trap vector: direct at supervisor_trap; and a table for vectored mode whose
 * entries leave their number in vector_taken. */
    .text
    .balign 256
    .globl supervisor_trap
supervisor_trap:
    addi    sp, sp, -256
    sd      x1, 8(sp)
    .irp    n, 3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    sd      x\n, 8*\n(sp)
    .endr
    mv      a0, sp
    call    handle_supervisor_trap
    ld      x1, 8(sp)
    .irp    n, 3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    ld      x\n, 8*\n(sp)
    .endr
    addi    sp, sp, 256
    sret

    .balign 256
    .globl  vector_table
vector_table:
    .option push
    .option norvc
    .set    number, 0
    .rept   16
    j       vector_entry_0 + number
    .set    number, number + 16
    .endr
    .option pop
    .balign 16
vector_entry_0:
    .option push
    .option norvc
    .set    number, 0
    .rept   16
    csrw    mscratch, t0
    addi    t0, zero, number
    j       vector_common
    .balign 16
    .set    number, number + 1
    .endr
    .option pop
vector_common:
    addi    sp, sp, -16
    sd      t1, 0(sp)
    la      t1, vector_taken
    sd      t0, 0(t1)
    ld      t1, 0(sp)
    addi    sp, sp, 16
    csrr    t0, mscratch
    j       guest_trap
    .bss
    .balign 8
    .globl  vector_taken
vector_taken:
    .dword  0
