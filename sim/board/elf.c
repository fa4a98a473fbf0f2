#include "sim/board/elf.h"

#include "storage/base/bytes.h"

#include <string.h>

enum {
    HEADER_SIZE = 64,
    PROGRAM_SIZE = 56,
    SECTION_SIZE = 64,
    SYMBOL_SIZE = 24,
    CLASS_64 = 2,
    DATA_LITTLE = 1,
    MACHINE_RISCV = 243,
    TYPE_EXECUTABLE = 2,
    TYPE_SHARED = 3,
    PROGRAM_LOAD = 1,
    PROGRAM_EXECUTABLE = 1,
    SECTION_SYMBOLS = 2,
};

bool elf_is(struct span file)
{
    return file.size >= 4 && memcmp(file.data,
                                    "\x7f"
                                    "ELF",
                                    4) == 0;
}

static const char *machine_name(uint16_t machine)
{
    switch (machine) {
    case 3:
        return "an i386";
    case 40:
        return "an ARM";
    case 62:
        return "an x86-64";
    case 183:
        return "an AArch64";
    case 22:
        return "an s390";
    case 21:
        return "a PowerPC64";
    default:
        return "another machine's";
    }
}

static bool check_header(struct span file, struct err *err)
{
    uint16_t machine;

    if (!elf_is(file))
        return err_set(err, ERR_INVALID, "this is not an ELF file");
    if (file.size < HEADER_SIZE)
        return err_set(err, ERR_INVALID, "the ELF file ends inside its header (%zu bytes)",
                       file.size);
    machine = load_le16(file.data + 18);
    if (file.data[5] == DATA_LITTLE && machine != MACHINE_RISCV)
        return err_set(err, ERR_INVALID, "this is %s ELF file (machine %u), not a RISC-V one",
                       machine_name(machine), machine);
    if (file.data[4] != CLASS_64 || file.data[5] != DATA_LITTLE)
        return err_set(err, ERR_INVALID, "this ELF file is not 64-bit little-endian");
    if (load_le16(file.data + 16) != TYPE_EXECUTABLE && load_le16(file.data + 16) != TYPE_SHARED)
        return err_set(err, ERR_INVALID,
                       "this ELF file is not an executable (type %u): link it first",
                       load_le16(file.data + 16));
    return true;
}

static bool in_file(struct span file, uint64_t offset, uint64_t size)
{
    return offset <= file.size && size <= file.size - offset;
}

static bool add_segment(struct elf *elf, const uint8_t *program, uint32_t index, struct err *err)
{
    uint64_t offset = load_le64(program + 8), address = load_le64(program + 24);
    uint64_t file_size = load_le64(program + 32), memory_size = load_le64(program + 40);

    if (memory_size == 0)
        return true;
    if (!in_file(elf->file, offset, file_size))
        return err_set(err, ERR_INVALID,
                       "segment %u is past the file's end: the ELF file is cut short", index);
    if (file_size > memory_size || address + (memory_size - 1) < address)
        return err_set(err, ERR_INVALID, "segment %u has impossible sizes", index);
    if (elf->segment_count == ELF_SEGMENTS_MAX)
        return err_set(err, ERR_TOO_BIG, "more than %d segments", ELF_SEGMENTS_MAX);
    elf->segments[elf->segment_count++] =
        (struct elf_segment){address, {elf->file.data + offset, (size_t)file_size}, memory_size};
    return true;
}

/* Kernels that are linked for virtual addresses name their entry by one; the hart begins without
 * translation, where the segment is loaded. */
static void place_entry(struct elf *elf, uint64_t entry, const uint8_t *program)
{
    uint64_t offset = entry - load_le64(program + 16);

    if ((load_le32(program + 4) & PROGRAM_EXECUTABLE) != 0 && offset < load_le64(program + 40))
        elf->entry = load_le64(program + 24) + offset;
}

bool elf_open(struct span file, struct elf *out, struct err *err)
{
    struct elf elf = {.file = file};
    uint64_t programs;
    uint32_t count;

    if (!check_header(file, err))
        return false;
    elf.entry = load_le64(file.data + 24);
    programs = load_le64(file.data + 32);
    count = load_le16(file.data + 56);
    if (count != 0 && load_le16(file.data + 54) != PROGRAM_SIZE)
        return err_set(err, ERR_INVALID, "program headers of %u bytes, not %d",
                       load_le16(file.data + 54), PROGRAM_SIZE);
    if (!in_file(file, programs, (uint64_t)count * PROGRAM_SIZE))
        return err_set(err, ERR_INVALID, "the program headers are past the file's end");
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *program = file.data + programs + (size_t)i * PROGRAM_SIZE;
        if (load_le32(program) != PROGRAM_LOAD)
            continue;
        if (!add_segment(&elf, program, i, err))
            return false;
        place_entry(&elf, load_le64(file.data + 24), program);
    }
    if (elf.segment_count == 0)
        return err_set(err, ERR_INVALID, "the ELF file has nothing to load");
    *out = elf;
    return true;
}

/* Section `index`, or NULL. */
static const uint8_t *section_at(const struct elf *elf, uint32_t index)
{
    uint64_t sections = load_le64(elf->file.data + 40);
    uint32_t count = load_le16(elf->file.data + 60);

    if (index >= count || load_le16(elf->file.data + 58) != SECTION_SIZE ||
        !in_file(elf->file, sections, (uint64_t)count * SECTION_SIZE))
        return NULL;
    return elf->file.data + sections + (size_t)index * SECTION_SIZE;
}

static bool section_bytes(const struct elf *elf, const uint8_t *section, struct span *out)
{
    uint64_t offset = load_le64(section + 24), size = load_le64(section + 32);

    if (!in_file(elf->file, offset, size))
        return false;
    *out = (struct span){elf->file.data + offset, (size_t)size};
    return true;
}

static bool name_is(struct span strings, uint32_t offset, const char *name)
{
    size_t size = strlen(name) + 1;

    return offset < strings.size && size <= strings.size - offset &&
           memcmp(strings.data + offset, name, size) == 0;
}

static bool find_in(const struct elf *elf, const uint8_t *section, const char *name, uint64_t *out)
{
    const uint8_t *strings_section = section_at(elf, load_le32(section + 40));
    struct span symbols, strings;

    if (strings_section == NULL || !section_bytes(elf, section, &symbols) ||
        !section_bytes(elf, strings_section, &strings))
        return false;
    for (size_t at = 0; symbols.size - at >= SYMBOL_SIZE; at += SYMBOL_SIZE)
        if (name_is(strings, load_le32(symbols.data + at), name)) {
            *out = load_le64(symbols.data + at + 8);
            return true;
        }
    return false;
}

bool elf_symbol(const struct elf *elf, const char *name, uint64_t *out)
{
    const uint8_t *section;

    for (uint32_t i = 0; (section = section_at(elf, i)) != NULL; i++)
        if (load_le32(section + 4) == SECTION_SYMBOLS && find_in(elf, section, name, out))
            return true;
    return false;
}
