/* start.S - every hart starts here in M mode with its number in a0 and the device tree in a1.
 * Hart 0 clears the bss and lets the others go; each gets 16 KiB of stack and calls
 * guest_main(hart, tree). */
#define STACK_BYTES 16384

    .section .text.start, "ax"
    .globl _start
_start:
    .option push
    .option norelax
    la      gp, __global_pointer$
    .option pop
    csrr    s0, mhartid
    mv      s1, a1
    li      t0, 8
    bgeu    s0, t0, park
    la      sp, stacks
    addi    t0, s0, 1
    li      t1, STACK_BYTES
    mul     t0, t0, t1
    add     sp, sp, t0
    la      t0, guest_trap
    csrw    mtvec, t0
    li      t0, 0x6000              /* mstatus.FS: dirty */
    csrs    mstatus, t0
    csrw    fcsr, zero
    csrw    mie, zero
    bnez    s0, others
    la      t0, bss_start
    la      t1, bss_end
1:  bgeu    t0, t1, 2f
    sd      zero, 0(t0)
    addi    t0, t0, 8
    j       1b
2:  li      t0, 1
    la      t1, started
    fence   rw, w
    sw      t0, 0(t1)
    j       go
others:
    la      t1, started
1:  lw      t0, 0(t1)
    beqz    t0, 1b
    fence   r, rw
go: mv      a0, s0
    mv      a1, s1
    call    guest_main
    tail    guest_finish
park:
    wfi
    j       park

/* Saves every integer register, calls guest_handle_trap(frame), takes back what it changed. S mode
 * is identity mapped, so the interrupted stack serves. The handler uses no FP register. */
    .balign 4
    .globl guest_trap
guest_trap:
    addi    sp, sp, -256
    sd      x1, 8(sp)
    .irp    n, 3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    sd      x\n, 8*\n(sp)
    .endr
    mv      a0, sp
    call    guest_handle_trap
    ld      x1, 8(sp)
    .irp    n, 3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    ld      x\n, 8*\n(sp)
    .endr
    addi    sp, sp, 256
    mret

    .section .data
    .balign 8
started:                        /* not in the bss: the others read it while hart 0 clears that */
    .dword 0
    .section .tohost, "aw"
    .balign 64
    .globl tohost
tohost:
    .dword 0
    .balign 64
    .globl fromhost
fromhost:
    .dword 0
