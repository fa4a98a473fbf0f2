#include "sim/board/tree.h"

#include "sim/board/fdt.h"
#include "sim/board/map.h"
#include "sim/hart/hart.h"
#include "storage/base/bytes.h"

#include <stdio.h>
#include <string.h>

enum {
    PHANDLE_PLIC = 1,
    PHANDLE_TEST = 2,
    PHANDLE_HART = 16, /* + hart: the hart's interrupt controller */
    PHANDLE_CPU = 32,  /* + hart */
    INTERRUPT_MSI = 3,
    INTERRUPT_MTI = 7,
    INTERRUPT_SEI = 9,
    INTERRUPT_MEI = 11,
    PLIC_SOURCES_LISTED = 95,
    PLIC_LENGTH = 0x600000,
    CLINT_LENGTH = 0x10000,
    BLOCK_BYTES = 64, /* of cbo.* */
    SEED_BYTES = 64,
};

static const char *mmu_type(uint32_t satp_mode_max)
{
    return satp_mode_max == 8 ? "riscv,sv39" : satp_mode_max == 9 ? "riscv,sv48" : "riscv,sv57";
}

/* "rv64imafdc_zba_zbb" as riscv,isa-extensions: i\0m\0…\0zba\0zbb\0 (binding
 * riscv/extensions.yaml). */
static void write_extensions(struct fdt_writer *writer, const char *isa)
{
    char texts[1024];
    size_t size = 0, at = strlen("rv64");

    for (; isa[at] != 0 && isa[at] != '_' && size + 2 < sizeof texts; at++) {
        texts[size++] = isa[at];
        texts[size++] = 0;
    }
    while (isa[at] == '_') {
        size_t length = strcspn(isa + at + 1, "_");
        if (size + length + 1 > sizeof texts)
            break;
        memcpy(texts + size, isa + at + 1, length);
        texts[size + length] = 0;
        size += length + 1;
        at += length + 1;
    }
    fdt_text(writer, "riscv,isa-base", "rv64i");
    fdt_texts(writer, "riscv,isa-extensions", texts, size);
}

static void write_hart(struct fdt_writer *writer, const struct virt_options *options, uint32_t hart)
{
    struct hart_config config = {
        .hart_id = hart, .satp_mode_max = options->satp_mode_max, .svadu = options->svadu};

    fdt_begin(writer, "cpu@%u", hart);
    fdt_text(writer, "device_type", "cpu");
    fdt_u32(writer, "reg", hart);
    fdt_text(writer, "status", "okay");
    fdt_text(writer, "compatible", "riscv");
    fdt_text(writer, "riscv,isa", hart_isa_string(&config));
    write_extensions(writer, hart_isa_string(&config));
    fdt_u32(writer, "riscv,cbom-block-size", BLOCK_BYTES);
    fdt_u32(writer, "riscv,cboz-block-size", BLOCK_BYTES);
    fdt_text(writer, "mmu-type", mmu_type(options->satp_mode_max));
    fdt_u32(writer, "phandle", PHANDLE_CPU + hart);
    fdt_begin(writer, "interrupt-controller");
    fdt_u32(writer, "#interrupt-cells", 1);
    fdt_empty(writer, "interrupt-controller");
    fdt_text(writer, "compatible", "riscv,cpu-intc");
    fdt_u32(writer, "phandle", PHANDLE_HART + hart);
    fdt_end(writer);
    fdt_end(writer);
}

static void write_harts(struct fdt_writer *writer, const struct virt_options *options)
{
    fdt_begin(writer, "cpus");
    fdt_u32(writer, "#address-cells", 1);
    fdt_u32(writer, "#size-cells", 0);
    fdt_u32(writer, "timebase-frequency", VIRT_TIMEBASE_HZ);
    for (uint32_t hart = 0; hart < options->hart_count; hart++)
        write_hart(writer, options, hart);
    fdt_begin(writer, "cpu-map");
    fdt_begin(writer, "cluster0");
    for (uint32_t hart = 0; hart < options->hart_count; hart++) {
        fdt_begin(writer, "core%u", hart);
        fdt_u32(writer, "cpu", PHANDLE_CPU + hart);
        fdt_end(writer);
    }
    fdt_end(writer);
    fdt_end(writer);
    fdt_end(writer);
}

/* Pairs (hart's interrupt controller, interrupt), two for each hart. */
static void write_hart_interrupts(struct fdt_writer *writer, uint32_t hart_count, uint32_t first,
                                  uint32_t second)
{
    uint32_t cells[VIRT_HARTS_MAX * 4];

    for (uint32_t hart = 0; hart < hart_count; hart++) {
        cells[4 * hart] = PHANDLE_HART + hart;
        cells[4 * hart + 1] = first;
        cells[4 * hart + 2] = PHANDLE_HART + hart;
        cells[4 * hart + 3] = second;
    }
    fdt_cells(writer, "interrupts-extended", cells, (size_t)hart_count * 4);
}

static void write_interrupt(struct fdt_writer *writer, uint32_t irq)
{
    fdt_u32(writer, "interrupt-parent", PHANDLE_PLIC);
    fdt_u32(writer, "interrupts", irq);
}

static void write_controllers(struct fdt_writer *writer, uint32_t hart_count)
{
    static const char clint[] = "sifive,clint0\0riscv,clint0";
    static const char plic[] = "sifive,plic-1.0.0\0riscv,plic0";

    fdt_begin(writer, "clint@%x", MAP_CLINT);
    fdt_texts(writer, "compatible", clint, sizeof clint);
    fdt_reg(writer, MAP_CLINT, CLINT_LENGTH);
    write_hart_interrupts(writer, hart_count, INTERRUPT_MSI, INTERRUPT_MTI);
    fdt_end(writer);
    fdt_begin(writer, "plic@%x", MAP_PLIC);
    fdt_texts(writer, "compatible", plic, sizeof plic);
    fdt_reg(writer, MAP_PLIC, PLIC_LENGTH);
    write_hart_interrupts(writer, hart_count, INTERRUPT_MEI, INTERRUPT_SEI);
    fdt_empty(writer, "interrupt-controller");
    fdt_u32(writer, "#interrupt-cells", 1);
    fdt_u32(writer, "#address-cells", 0);
    fdt_u32(writer, "riscv,ndev", PLIC_SOURCES_LISTED);
    fdt_u32(writer, "phandle", PHANDLE_PLIC);
    fdt_end(writer);
}

static void write_power(struct fdt_writer *writer)
{
    static const char test[] = "sifive,test1\0sifive,test0\0syscon";

    fdt_begin(writer, "test@%x", MAP_FINISHER);
    fdt_texts(writer, "compatible", test, sizeof test);
    fdt_reg(writer, MAP_FINISHER, MAP_PAGE);
    fdt_u32(writer, "phandle", PHANDLE_TEST);
    fdt_end(writer);
}

static void write_syscon(struct fdt_writer *writer, const char *name, const char *compatible,
                         uint32_t value)
{
    fdt_begin(writer, "%s", name);
    fdt_text(writer, "compatible", compatible);
    fdt_u32(writer, "regmap", PHANDLE_TEST);
    fdt_u32(writer, "offset", 0);
    fdt_u32(writer, "value", value);
    fdt_end(writer);
}

static void write_devices(struct fdt_writer *writer, const struct virt_options *options)
{
    fdt_begin(writer, "serial@%x", MAP_UART);
    fdt_text(writer, "compatible", "ns16550a");
    fdt_reg(writer, MAP_UART, 0x100);
    fdt_u32(writer, "clock-frequency", 3686400);
    write_interrupt(writer, IRQ_UART);
    fdt_end(writer);
    fdt_begin(writer, "rtc@%x", MAP_RTC);
    fdt_text(writer, "compatible", "google,goldfish-rtc");
    fdt_reg(writer, MAP_RTC, MAP_PAGE);
    write_interrupt(writer, IRQ_RTC);
    fdt_end(writer);
    for (uint32_t slot = 0; slot < VIRT_SLOTS; slot++) {
        uint32_t address = MAP_VIRTIO + slot * MAP_PAGE;
        if (options->slots[slot].kind == VIRT_SLOT_EMPTY)
            continue;
        fdt_begin(writer, "virtio_mmio@%x", address);
        fdt_text(writer, "compatible", "virtio,mmio");
        fdt_reg(writer, address, MAP_PAGE);
        write_interrupt(writer, IRQ_VIRTIO + slot);
        fdt_end(writer);
    }
}

/* The next value of a splitmix64 sequence (Steele, Lea, Flood 2014). */
static uint64_t next_random(uint64_t *seed)
{
    uint64_t z = *seed += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* Without rng-seed Linux's generator is never ready, and every system call pays for it. */
static void write_chosen(struct fdt_writer *writer, const struct tree_facts *facts)
{
    uint32_t cells[SEED_BYTES / 4];
    uint64_t seed = facts->seed;
    char path[64];

    for (size_t i = 0; i < SEED_BYTES / 4; i++)
        cells[i] = (uint32_t)(next_random(&seed) >> 32);
    fdt_begin(writer, "chosen");
    if (facts->command_line != NULL)
        fdt_text(writer, "bootargs", facts->command_line);
    snprintf(path, sizeof path, "/soc/serial@%x", MAP_UART);
    fdt_text(writer, "stdout-path", path);
    if (facts->initrd_end > facts->initrd_start) {
        fdt_u64(writer, "linux,initrd-start", facts->initrd_start);
        fdt_u64(writer, "linux,initrd-end", facts->initrd_end);
    }
    fdt_cells(writer, "rng-seed", cells, SEED_BYTES / 4);
    fdt_u64(writer, "kaslr-seed", next_random(&seed));
    fdt_end(writer);
}

bool tree_write(const struct tree_facts *facts, struct buf *out, struct err *err)
{
    const struct virt_options *options = facts->options;
    struct fdt_writer writer = fdt_writer(err);

    fdt_begin(&writer, "%s", "");
    fdt_u32(&writer, "#address-cells", 2);
    fdt_u32(&writer, "#size-cells", 2);
    fdt_text(&writer, "compatible", "riscv-virtio");
    fdt_text(&writer, "model", "thaw-virt");
    write_chosen(&writer, facts);
    fdt_begin(&writer, "memory@%llx", (unsigned long long)VIRT_RAM_BASE);
    fdt_text(&writer, "device_type", "memory");
    fdt_reg(&writer, VIRT_RAM_BASE, options->ram_bytes);
    fdt_end(&writer);
    write_harts(&writer, options);
    write_syscon(&writer, "poweroff", "syscon-poweroff", 0x5555);
    write_syscon(&writer, "reboot", "syscon-reboot", 0x7777);
    fdt_begin(&writer, "soc");
    fdt_u32(&writer, "#address-cells", 2);
    fdt_u32(&writer, "#size-cells", 2);
    fdt_text(&writer, "compatible", "simple-bus");
    fdt_empty(&writer, "ranges");
    write_controllers(&writer, options->hart_count);
    write_power(&writer);
    write_devices(&writer, options);
    fdt_end(&writer);
    fdt_end(&writer);
    return fdt_finish(&writer, out);
}
