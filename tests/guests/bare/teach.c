/* teach.c - a kernel of the kind that courses use: no firmware, M mode only to start and for the
 * timer, the rest in S mode under Sv39, console input by interrupts, a virtio disk, several harts.
 * It has a prompt, `$ `, and these commands:
 *
 *   harts           waits until each hart has ticked once more
 *   write N TEXT    puts TEXT at the start of sector N
 *   read N          prints it
 *   sum N           a checksum of the numbers below N, computed by all harts together
 *   halt            ends the machine, as a pass
 */
#include "virtio.h"

enum { SECTOR_BYTES = 512, LINE_MAX = 128, TICK = 20000, UART_IRQ = 10, PLIC_S = 1 };
enum { PTE_V = 1, PTE_R = 2, PTE_W = 4, PTE_X = 8 };

static _Alignas(4096) uint64_t root[512];
static struct virtio_device disk;
static volatile uint64_t ticks[HARTS_MAX];
static uint64_t hart_count;

/* What was typed: written by the interrupt handler, read by hart 0's loop. */
static volatile char typed[LINE_MAX];
static volatile uint32_t typed_put, typed_got;

/* The harts' common work: each takes the next slice. */
static volatile uint64_t work_end, work_next, work_sum, work_done;

/* M mode: the timer only. It hands itself on as S mode's software interrupt. */
void guest_handle_trap(struct trap_frame *frame)
{
    uint64_t hart = CSR_READ(mhartid);

    (void)frame;
    if (CSR_READ(mcause) != (1ull << 63 | 7))
        guest_finish(1);
    mtimecmp_write(hart, mtime_read() + TICK);
    CSR_SET(mip, 2);
}

static void handle_external(void)
{
    uint32_t claimed = read32(PLIC + 0x201004);

    if (claimed == UART_IRQ) {
        while (*(volatile uint8_t *)(uintptr_t)(UART + 5) & 1u)
            typed[typed_put++ % LINE_MAX] = *(volatile char *)(uintptr_t)UART;
    } else if (claimed != 0 && claimed == disk.interrupt) {
        virtio_acknowledge(&disk);
    }
    if (claimed != 0)
        write32(PLIC + 0x201004, claimed);
}

void handle_supervisor_trap(struct trap_frame *frame)
{
    uint64_t cause = CSR_READ(scause), hart;

    (void)frame;
    __asm__ volatile("mv %0, tp" : "=r"(hart));
    if (cause == (1ull << 63 | 1)) {
        CSR_CLEAR(sip, 2);
        ticks[hart]++;
    } else if (cause == (1ull << 63 | 9)) {
        handle_external();
    } else {
        print_text("teach: unexpected trap\n");
        guest_finish(2);
    }
}

/* One sector, asleep until the disk has answered. */
static bool move_sector(uint32_t type, uint64_t sector, void *data)
{
    static struct {
        uint32_t type, reserved;
        uint64_t sector;
    } header;
    static volatile uint8_t status;
    uint64_t before = disk.interrupts;

    header.type = type;
    header.sector = sector;
    status = 0xff;
    disk.descriptors[0] = (struct virtio_descriptor){(uintptr_t)&header, 16, VIRTIO_NEXT, 1};
    disk.descriptors[1] = (struct virtio_descriptor){
        (uintptr_t)data, SECTOR_BYTES, type == 0 ? VIRTIO_NEXT | VIRTIO_WRITE : VIRTIO_NEXT, 2};
    disk.descriptors[2] = (struct virtio_descriptor){(uintptr_t)&status, 1, VIRTIO_WRITE, 0};
    virtio_offer(&disk, 0);
    while (disk.interrupts == before)
        __asm__ volatile("wfi");
    return status == 0;
}

static void do_slices(void)
{
    for (;;) {
        uint64_t from = __atomic_fetch_add(&work_next, 64, __ATOMIC_ACQ_REL), sum = 0;

        if (from >= work_end)
            return;
        for (uint64_t i = from; i < from + 64 && i < work_end; i++)
            sum += mix(i, i * i);
        __atomic_fetch_add(&work_sum, sum, __ATOMIC_RELAXED);
        __atomic_fetch_add(&work_done, 64, __ATOMIC_RELEASE);
    }
}

static uint64_t sum_below(uint64_t end)
{
    work_sum = 0;
    work_done = 0;
    work_next = 0;
    __atomic_store_n(&work_end, end, __ATOMIC_RELEASE);
    do_slices();
    while (__atomic_load_n(&work_done, __ATOMIC_ACQUIRE) < end)
        __asm__ volatile("wfi");
    work_end = 0;
    return work_sum;
}

static char next_typed(void)
{
    while (typed_got == typed_put)
        __asm__ volatile("wfi");
    return typed[typed_got++ % LINE_MAX];
}

/* With an echo, and backspace. */
static void read_line(char *line)
{
    uint32_t size = 0;

    for (;;) {
        char byte = next_typed();

        if (byte == '\r' || byte == '\n')
            break;
        if ((byte == '\b' || byte == 0x7f) && size > 0) {
            size--;
            print_text("\b \b");
        } else if (byte >= ' ' && size < LINE_MAX - 1) {
            line[size++] = byte;
            print_text((char[]){byte, '\0'});
        }
    }
    line[size] = '\0';
    print_text("\n");
}

/* If the line begins with the word, what follows it and a space. */
static const char *after_word(const char *line, const char *word)
{
    for (; *word != '\0'; word++, line++)
        if (*line != *word)
            return NULL;
    if (*line == ' ')
        return line + 1;
    return *line == '\0' ? line : NULL;
}

static uint64_t read_number(const char **text)
{
    uint64_t value = 0;

    while (**text >= '0' && **text <= '9')
        value = value * 10 + (uint64_t)(*(*text)++ - '0');
    if (**text == ' ')
        (*text)++;
    return value;
}

static void command_harts(void)
{
    for (uint64_t hart = 0; hart < hart_count; hart++)
        for (uint64_t before = ticks[hart]; ticks[hart] == before;)
            __asm__ volatile("wfi");
    print_decimal(hart_count);
    print_text(" harts tick\n");
}

static void command_disk(const char *text, bool write)
{
    static char sector[SECTOR_BYTES];
    uint64_t number = read_number(&text);
    size_t i = 0;

    memset(sector, 0, sizeof sector);
    for (; write && text[i] != '\0'; i++)
        sector[i] = text[i];
    if (disk.registers == 0 || !move_sector(write ? 1 : 0, number, sector))
        print_text("disk error");
    else if (!write)
        print_text(sector);
    print_text("\n");
}

static void run_line(const char *line)
{
    const char *rest;

    if (after_word(line, "harts") != NULL) {
        command_harts();
    } else if ((rest = after_word(line, "write")) != NULL) {
        command_disk(rest, true);
    } else if ((rest = after_word(line, "read")) != NULL) {
        command_disk(rest, false);
    } else if ((rest = after_word(line, "sum")) != NULL) {
        print_hex(sum_below(read_number(&rest)));
        print_text("\n");
    } else if (after_word(line, "halt") != NULL) {
        write32(FINISHER, 0x5555);
    } else if (line[0] != '\0') {
        print_text("unknown command\n");
    }
}

static void devices_start(void)
{
    uintptr_t enable = PLIC + 0x2000 + 0x80 * PLIC_S;

    write32(PLIC + 4 * UART_IRQ, 1);
    write32(enable, 1u << UART_IRQ);
    write32(PLIC + 0x201000, 0);
    *(volatile uint8_t *)(uintptr_t)(UART + 2) = 7; /* fifos on and empty */
    *(volatile uint8_t *)(uintptr_t)(UART + 1) = 1; /* interrupt on received bytes */
    if (read32(VIRTIO(0) + REG_MAGIC) == 0x74726976u && read32(VIRTIO(0) + REG_ID) == VIRTIO_BLOCK)
        virtio_init(&disk, 0, PLIC_S);
}

static void enter_supervisor(void)
{
    CSR_WRITE(pmpaddr0, 0x3fffffffffffffu);
    CSR_WRITE(pmpcfg0, 0x1f);
    CSR_WRITE(medeleg, 0xffff);
    CSR_WRITE(mideleg, 0x222);
    CSR_WRITE(mie, 0x2a2); /* S mode's three, and the machine timer */
    CSR_CLEAR(mstatus, 0x1808);
    CSR_SET(mstatus, 0x880);
    __asm__ volatile("la t0, 1f\n csrw mepc, t0\n mret\n 1:" ::: "t0", "memory");
}

extern void supervisor_trap(void);

uint64_t guest_main(uint64_t hart, const uint8_t *tree)
{
    static char line[LINE_MAX];

    __asm__ volatile("mv tp, %0" ::"r"(hart));
    if (hart == 0) {
        /* A and D are left to the hart. */
        root[0] = PTE_V | PTE_R | PTE_W;
        root[2] = 0x80000000u >> 12 << 10 | PTE_V | PTE_R | PTE_W | PTE_X;
        __atomic_store_n(&hart_count, guest_hart_count(tree), __ATOMIC_RELEASE);
    } else {
        while (__atomic_load_n(&hart_count, __ATOMIC_ACQUIRE) == 0) {
        }
    }
    CSR_WRITE(stvec, (uintptr_t)supervisor_trap);
    mtimecmp_write(hart, mtime_read() + TICK);
    enter_supervisor();
    CSR_WRITE(satp, 8ull << 60 | (uint64_t)(uintptr_t)root >> 12);
    __asm__ volatile("sfence.vma" ::: "memory");
    if (hart == 0)
        devices_start();
    CSR_SET(sstatus, 2);
    while (hart != 0) {
        do_slices();
        __asm__ volatile("wfi");
    }
    print_text("teach: ready\n");
    for (;;) {
        print_text("$ ");
        read_line(line);
        run_line(line);
    }
}
