#include "sim/board/memory.h"

#include "sim/board/elf.h"
#include "sim/board/map.h"
#include "storage/base/bytes.h"

#include <string.h>

#define TREE_ROOM     UINT64_C(0x200000) /* at the end of RAM, aligned as QEMU does */
#define INITRD_ALIGN  UINT64_C(0x200000)
#define PAGE          UINT64_C(4096)
#define IMAGE_HEADER  64 /* of a Linux Image (Documentation/arch/riscv/boot-image-header.rst) */
#define DYNAMIC_MAGIC UINT64_C(0x4942534f) /* "OSBI": OpenSBI's fw_dynamic.h, version 2 */

struct place {
    struct image *ram;
    uint64_t ram_bytes;
    /* Physical addresses from the first to behind the last byte of the file that is being put;
     * start is UINT64_MAX before there is any. */
    uint64_t start;
    uint64_t end;
};

static void place_take(struct place *place, uint64_t address, uint64_t size)
{
    if (address < place->start)
        place->start = address;
    if (address + size > place->end)
        place->end = address + size;
}

bool memory_put(struct image *ram, uint64_t ram_bytes, uint64_t address, struct span bytes,
                const char *what, struct err *err)
{
    if (address < VIRT_RAM_BASE || address - VIRT_RAM_BASE > ram_bytes)
        return err_set(err, ERR_INVALID, "%s wants to be at 0x%llx, where there is no RAM", what,
                       (unsigned long long)address);
    if (bytes.size > ram_bytes - (address - VIRT_RAM_BASE))
        return err_set(err, ERR_TOO_BIG,
                       "%s has %zu bytes at 0x%llx, and RAM ends after %llu more: give the machine "
                       "more memory",
                       what, bytes.size, (unsigned long long)address,
                       (unsigned long long)(ram_bytes - (address - VIRT_RAM_BASE)));
    if (bytes.size == 0)
        return true;
    memcpy(ram->data + (address - VIRT_RAM_BASE), bytes.data, bytes.size);
    image_touch(ram, address - VIRT_RAM_BASE, bytes.size);
    return true;
}

/* Zeros after a segment's bytes need no store: RAM begins as zeros, but an earlier part may lie
 * there. */
static bool put_segment(struct place *place, const struct elf_segment *segment, const char *what,
                        struct err *err)
{
    uint64_t offset = segment->address - VIRT_RAM_BASE;

    if (!memory_put(place->ram, place->ram_bytes, segment->address, segment->bytes, what, err))
        return false;
    if (segment->memory_size > place->ram_bytes - offset)
        return err_set(
            err, ERR_TOO_BIG,
            "%s needs %llu bytes at 0x%llx, more than there is RAM: give the machine more "
            "memory",
            what, (unsigned long long)segment->memory_size, (unsigned long long)segment->address);
    place_take(place, segment->address, segment->memory_size);
    return true;
}

static bool put_elf(struct place *place, struct span file, const char *what, struct elf *elf,
                    struct err *err)
{
    if (!elf_open(file, elf, err))
        return err_wrap(err, "%s", what);
    for (uint32_t i = 0; i < elf->segment_count; i++)
        if (!put_segment(place, &elf->segments[i], what, err))
            return false;
    return true;
}

/* What a file that is no RISC-V kernel seems to be. */
static const char *other_kernel(struct span file)
{
    if (file.size >= 0x206 && memcmp(file.data + 0x202, "HdrS", 4) == 0)
        return "an x86 bzImage";
    if (file.size >= IMAGE_HEADER && memcmp(file.data + 56, "ARM\x64", 4) == 0)
        return "an arm64 Image";
    if (file.size >= 2 && file.data[0] == 0x1f && file.data[1] == 0x8b)
        return "gzip-compressed: unpack it first";
    if (file.size >= 6 && memcmp(file.data,
                                 "\xfd"
                                 "7zXZ",
                                 5) == 0)
        return "xz-compressed: unpack it first";
    if (file.size >= 4 && memcmp(file.data, "\x28\xb5\x2f\xfd", 4) == 0)
        return "zstd-compressed: unpack it first";
    return "neither an ELF file nor a Linux Image for RISC-V";
}

static bool is_riscv_image(struct span file)
{
    return file.size >= IMAGE_HEADER && memcmp(file.data + 56, "RSC\x05", 4) == 0;
}

static bool put_image(struct place *place, struct span file, uint64_t *entry, struct err *err)
{
    uint64_t offset = load_le64(file.data + 8), size = load_le64(file.data + 16);
    uint64_t base = VIRT_RAM_BASE + VIRT_KERNEL_OFFSET;

    /* text_offset is from the start of a 2 MiB aligned base; firmware jumps to +2 MiB. */
    if (offset != VIRT_KERNEL_OFFSET && offset != 0)
        return err_set(err, ERR_UNSUPPORTED,
                       "the kernel wants to be 0x%llx bytes into RAM, not 0x%llx",
                       (unsigned long long)offset, (unsigned long long)VIRT_KERNEL_OFFSET);
    if (size < file.size)
        size = file.size;
    if (!memory_put(place->ram, place->ram_bytes, base, file, "the kernel", err))
        return false;
    if (size > place->ram_bytes - VIRT_KERNEL_OFFSET)
        return err_set(err, ERR_TOO_BIG, "the kernel needs %llu bytes of RAM, there are %llu",
                       (unsigned long long)size,
                       (unsigned long long)(place->ram_bytes - VIRT_KERNEL_OFFSET));
    place_take(place, base, size);
    *entry = base;
    return true;
}

static void find_htif(const struct elf *elf, struct loaded *out)
{
    out->has_htif = elf_symbol(elf, "tohost", &out->tohost);
    if (!out->has_htif || !elf_symbol(elf, "fromhost", &out->fromhost))
        out->fromhost = 0;
}

static bool put_kernel(struct place *place, const struct virt_software *software,
                       struct loaded *out, struct err *err)
{
    struct span file = software->kernel;
    struct elf elf;

    if (elf_is(file)) {
        if (!put_elf(place, file, "the kernel", &elf, err))
            return false;
        out->next = elf.entry;
        find_htif(&elf, out);
        return true;
    }
    if (is_riscv_image(file))
        return put_image(place, file, &out->next, err);
    if (!software->kernel_is_raw)
        return err_set(err, ERR_INVALID, "the kernel is %s", other_kernel(file));
    out->next = VIRT_RAM_BASE + (software->firmware.size != 0 ? VIRT_KERNEL_OFFSET : 0);
    place_take(place, out->next, file.size);
    return memory_put(place->ram, place->ram_bytes, out->next, file, "the kernel", err);
}

static bool put_firmware(struct place *place, struct span file, uint64_t *start, struct err *err)
{
    struct elf elf;

    if (elf_is(file)) {
        if (!put_elf(place, file, "the firmware", &elf, err))
            return false;
        *start = elf.entry;
        return true;
    }
    if (is_riscv_image(file))
        return err_set(err, ERR_INVALID, "the firmware is a Linux Image: give it as the kernel");
    *start = VIRT_RAM_BASE;
    place_take(place, VIRT_RAM_BASE, file.size);
    return memory_put(place->ram, place->ram_bytes, VIRT_RAM_BASE, file, "the firmware", err);
}

/* Says which file it was. */
static bool blame(const char *name, struct err *err)
{
    return name != NULL ? err_wrap(err, "%s", name) : false;
}

static bool check_overlap(const struct place *kernel, const struct place *firmware, struct err *err)
{
    if (firmware->end <= kernel->start || kernel->end <= firmware->start)
        return true;
    return err_set(
        err, ERR_CONFLICT,
        "the firmware (0x%llx to 0x%llx) and the kernel (0x%llx to 0x%llx) want the same "
        "memory",
        (unsigned long long)firmware->start, (unsigned long long)firmware->end,
        (unsigned long long)kernel->start, (unsigned long long)kernel->end);
}

/* Firmware and kernel; `end` is behind both. */
static bool put_programs(const struct virt_software *software, const struct place *ram,
                         struct loaded *out, uint64_t *end, struct err *err)
{
    struct place kernel = *ram, firmware = *ram;

    out->next = VIRT_RAM_BASE + VIRT_KERNEL_OFFSET;
    if (software->kernel.size == 0 && software->firmware.size == 0)
        return err_set(err, ERR_USAGE, "there is nothing to boot: give a firmware or a kernel");
    if (software->kernel.size != 0 && !put_kernel(&kernel, software, out, err))
        return blame(software->kernel_name, err);
    out->start = out->next;
    if (software->firmware.size != 0 &&
        (!put_firmware(&firmware, software->firmware, &out->start, err) ||
         !check_overlap(&kernel, &firmware, err)))
        return blame(software->firmware_name, err);
    *end = kernel.end > firmware.end ? kernel.end : firmware.end;
    return true;
}

/* The tree is below 4 GiB, as firmware of all widths can reach it. */
static bool place_tree(uint64_t ram_bytes, uint64_t programs_end, uint64_t *tree, struct err *err)
{
    uint64_t end = VIRT_RAM_BASE + ram_bytes;

    *tree = (end < UINT64_C(0x100000000) ? end : UINT64_C(0x100000000)) - TREE_ROOM;
    *tree -= *tree % INITRD_ALIGN;
    if (ram_bytes < 2 * TREE_ROOM)
        *tree = end - ram_bytes / 8;
    if (programs_end <= *tree)
        return true;
    return err_set(err, ERR_TOO_BIG,
                   "the kernel ends at 0x%llx and leaves no room for the device tree at 0x%llx: "
                   "give the machine more memory",
                   (unsigned long long)programs_end, (unsigned long long)*tree);
}

static bool put_initrd(const struct place *ram, struct span initrd, uint64_t programs_end,
                       struct loaded *out, struct err *err)
{
    uint64_t first = (programs_end + PAGE - 1) & ~(PAGE - 1), start;

    if (initrd.size == 0)
        return true;
    if (first > out->tree || initrd.size > out->tree - first)
        return err_set(
            err, ERR_TOO_BIG,
            "the initrd has %zu bytes, and between kernel and device tree there are %llu: "
            "give the machine more memory",
            initrd.size, (unsigned long long)(first > out->tree ? 0 : out->tree - first));
    start = (out->tree - initrd.size) & ~(INITRD_ALIGN - 1);
    if (start < first)
        start = (out->tree - initrd.size) & ~(PAGE - 1);
    out->initrd_start = start;
    out->initrd_end = start + initrd.size;
    return memory_put(ram->ram, ram->ram_bytes, start, initrd, "the initrd", err);
}

bool memory_load(const struct virt_software *software, struct image *ram, uint64_t ram_bytes,
                 struct loaded *out, struct err *err)
{
    struct place place = {.ram = ram, .ram_bytes = ram_bytes, .start = UINT64_MAX};
    uint64_t end = 0;

    memset(out, 0, sizeof *out);
    return put_programs(software, &place, out, &end, err) &&
           place_tree(ram_bytes, end, &out->tree, err) &&
           put_initrd(&place, software->initrd, end, out, err);
}

void memory_boot_rom(const struct loaded *loaded, struct image *rom)
{
    static const uint32_t code[] = {
        0x00000297, /* auipc t0, 0 */
        0x02828613, /* addi  a2, t0, 40: the information below */
        0xf1402573, /* csrr  a0, mhartid */
        0x0202b583, /* ld    a1, 32(t0): device tree */
        0x0182b283, /* ld    t0, 24(t0): start */
        0x00028067, /* jr    t0 */
    };
    uint8_t *at = rom->data;

    for (size_t i = 0; i < sizeof code / sizeof code[0]; i++)
        store_le32(at + 4 * i, code[i]);
    store_le64(at + 24, loaded->start);
    store_le64(at + 32, loaded->tree);
    store_le64(at + 40, DYNAMIC_MAGIC);
    store_le64(at + 48, 2); /* version */
    store_le64(at + 56, loaded->next);
    store_le64(at + 64, 1); /* next stage in S mode */
    store_le64(at + 72, 0); /* options */
    store_le64(at + 80, 0); /* boot hart */
    image_touch(rom, 0, 88);
}
