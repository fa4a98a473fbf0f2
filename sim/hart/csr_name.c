#include "sim/hart/csr.h"
#include "sim/hart/csr_numbers.h"

const char *csr_name(uint32_t number)
{
    static const struct {
        uint32_t number;
        const char *name;
    } names[] = {
        {CSR_FFLAGS, "fflags"},
        {CSR_FRM, "frm"},
        {CSR_FCSR, "fcsr"},
        {CSR_SSTATUS, "sstatus"},
        {CSR_SIE, "sie"},
        {CSR_STVEC, "stvec"},
        {CSR_SCOUNTEREN, "scounteren"},
        {CSR_SENVCFG, "senvcfg"},
        {CSR_SSCRATCH, "sscratch"},
        {CSR_SEPC, "sepc"},
        {CSR_SCAUSE, "scause"},
        {CSR_STVAL, "stval"},
        {CSR_SIP, "sip"},
        {CSR_STIMECMP, "stimecmp"},
        {CSR_SATP, "satp"},
        {CSR_MSTATUS, "mstatus"},
        {CSR_MISA, "misa"},
        {CSR_MEDELEG, "medeleg"},
        {CSR_MIDELEG, "mideleg"},
        {CSR_MIE, "mie"},
        {CSR_MTVEC, "mtvec"},
        {CSR_MCOUNTEREN, "mcounteren"},
        {CSR_MENVCFG, "menvcfg"},
        {CSR_MCOUNTINHIBIT, "mcountinhibit"},
        {CSR_MSCRATCH, "mscratch"},
        {CSR_MEPC, "mepc"},
        {CSR_MCAUSE, "mcause"},
        {CSR_MTVAL, "mtval"},
        {CSR_MIP, "mip"},
        {CSR_PMPCFG0, "pmpcfg0"},
        {CSR_PMPCFG2, "pmpcfg2"},
        {CSR_MCYCLE, "mcycle"},
        {CSR_MINSTRET, "minstret"},
        {CSR_CYCLE, "cycle"},
        {CSR_TIME, "time"},
        {CSR_INSTRET, "instret"},
        {CSR_MVENDORID, "mvendorid"},
        {CSR_MARCHID, "marchid"},
        {CSR_MIMPID, "mimpid"},
        {CSR_MHARTID, "mhartid"},
        {CSR_MCONFIGPTR, "mconfigptr"},
    };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i].number == number)
            return names[i].name;
    return NULL;
}
