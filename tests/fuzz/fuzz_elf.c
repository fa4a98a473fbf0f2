/* Any bytes as an ELF file: refused, or segments that lie in the file; symbols never lead outside.
 */
#include "sim/board/elf.h"
#include "storage/base/check.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = ERR_INIT;
    uint64_t value;
    struct elf elf;

    if (!elf_open((struct span){data, size}, &elf, &err)) {
        CHECK(err.kind != ERR_NONE);
        return 0;
    }
    CHECK(elf.segment_count >= 1 && elf.segment_count <= ELF_SEGMENTS_MAX);
    for (uint32_t i = 0; i < elf.segment_count; i++) {
        const struct elf_segment *segment = &elf.segments[i];
        CHECK(segment->bytes.size <= size && segment->bytes.size <= segment->memory_size);
        if (segment->bytes.size != 0)
            CHECK(segment->bytes.data >= data &&
                  segment->bytes.data + segment->bytes.size <= data + size);
    }
    (void)elf_symbol(&elf, "tohost", &value);
    (void)elf_symbol(&elf, "", &value);
    return 0;
}
