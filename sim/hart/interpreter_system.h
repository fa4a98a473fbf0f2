/* interpreter_system.h — part of interpret(): traps, CSRs and privileged instructions. */

/* clang-format off */
do_ILLEGAL:
    SAVE();
    engine_illegal(context->engine);
    goto resume_saved;
do_ECALL:
    SAVE();
    engine_trap(context->engine, CAUSE_ECALL_U + (uint64_t)state->privilege, 0);
    goto resume_saved;
do_EBREAK:
    SAVE();
    engine_trap(context->engine, CAUSE_BREAKPOINT, page + block->offset + 2 * (uint64_t)op->at);
    goto resume_saved;
do_CSR:
    SAVE();
    result = engine_csr(context->engine);
    goto finish_slow;
do_CSR_LAST:
    SAVE();
    result = engine_csr(context->engine);
    UNLESS_TRAPPED(result);
    goto leave;
do_MRET:
    SAVE();
    engine_xret(context->engine, true);
    goto resume_saved;
do_SRET:
    SAVE();
    engine_xret(context->engine, false);
    goto resume_saved;
do_WFI:
    SAVE();
    result = engine_wfi(context->engine);
    UNLESS_TRAPPED(result);
    goto leave;
do_SFENCE:
    SAVE();
    result = engine_fence(context->engine, true);
    goto finish_slow;
do_SINVAL:
    SAVE();
    result = engine_fence(context->engine, false);
    goto finish_slow;
/* clang-format on */
