#include "sim/board/memory.h"

#include "sim/core/image.h"
#include "tests/sim/board/software.h"

#define MIB   (UINT64_C(1) << 20)
#define RAM   (16 * MIB)
#define START VIRT_RAM_BASE

/* One attempt to load, and what came of it. */
struct attempt {
    struct image *ram;
    struct loaded loaded;
    struct err err;
    bool ok;
};

static struct attempt attempt(const struct virt_software *software, uint64_t ram_bytes)
{
    struct attempt result = {.err = ERR_INIT};

    assert_true(image_new(ram_bytes, &result.ram, &result.err));
    result.ok = memory_load(software, result.ram, ram_bytes, &result.loaded, &result.err);
    return result;
}

static void succeeds(struct attempt *attempt)
{
    if (!attempt->ok)
        fail_msg("%s", attempt->err.text);
}

static void fails(const struct virt_software *software, uint64_t ram_bytes, enum err_kind kind,
                  const char *because)
{
    struct attempt result = attempt(software, ram_bytes);

    assert_false(result.ok);
    if (strstr(result.err.text, because) == NULL)
        fail_msg("%s; expected: %s", result.err.text, because);
    assert_int_equal(result.err.kind, kind);
    image_free(result.ram);
}

static void nothing_to_boot_is_an_error(void **state)
{
    struct virt_software none = {0};

    (void)state;
    fails(&none, RAM, ERR_USAGE, "nothing to boot");
}

static void elf_goes_where_it_says_and_starts_there(void **state)
{
    uint8_t file[SMALL_SIZE];
    struct virt_software software = {.kernel = {file, sizeof file}};

    (void)state;
    small_elf(file, START + 0x3000);
    struct attempt result = attempt(&software, RAM);
    succeeds(&result);
    assert_int_equal(result.loaded.start, START + 0x3000);
    assert_memory_equal(result.ram->data + 0x3000, file + 64 + 56, SMALL_CODE);
    assert_false(result.loaded.has_htif);
    image_free(result.ram);
}

static void elf_outside_of_ram_is_refused(void **state)
{
    uint8_t file[SMALL_SIZE];
    struct virt_software software = {.kernel = {file, sizeof file}};

    (void)state;
    small_elf(file, 0x1000);
    fails(&software, RAM, ERR_INVALID, "where there is no RAM");
    small_elf(file, START + RAM - SMALL_CODE / 2);
    fails(&software, RAM, ERR_TOO_BIG, "more memory");
    small_elf(file, START);
    store_le64(file + 104, RAM + 1);
    fails(&software, RAM, ERR_TOO_BIG, "more memory");
    small_elf(file, START);
    store_le64(file + 104, UINT64_MAX - START);
    fails(&software, RAM, ERR_TOO_BIG, "more memory");
}

static void image_starts_after_the_firmware(void **state)
{
    uint8_t kernel[64], firmware[100];
    struct virt_software software = {.kernel = {kernel, sizeof kernel},
                                     .firmware = {firmware, sizeof firmware}};

    (void)state;
    small_image(kernel, MIB);
    memset(firmware, 0x5a, sizeof firmware);
    struct attempt result = attempt(&software, RAM);
    succeeds(&result);
    assert_int_equal(result.loaded.start, START);
    assert_int_equal(result.loaded.next, START + VIRT_KERNEL_OFFSET);
    assert_memory_equal(result.ram->data, firmware, sizeof firmware);
    assert_memory_equal(result.ram->data + VIRT_KERNEL_OFFSET, kernel, sizeof kernel);
    image_free(result.ram);
}

static void kernel_that_needs_more_than_there_is_is_refused(void **state)
{
    uint8_t kernel[64];
    struct virt_software software = {.kernel = {kernel, sizeof kernel}};

    (void)state;
    small_image(kernel, RAM);
    fails(&software, RAM, ERR_TOO_BIG, "RAM");
    small_image(kernel, UINT64_MAX);
    fails(&software, RAM, ERR_TOO_BIG, "RAM");
    small_image(kernel, RAM - VIRT_KERNEL_OFFSET);
    fails(&software, RAM, ERR_TOO_BIG, "no room for the device tree");
    small_image(kernel, MIB);
    fails(&software, MIB, ERR_INVALID, "no RAM");
}

static void other_kernels_are_named(void **state)
{
    static const struct {
        uint32_t at;
        const char *bytes;
        const char *name;
    } others[] = {
        {0x202, "HdrS", "x86 bzImage"},  {56, "ARM\x64", "arm64 Image"},
        {0, "\x1f\x8b\x08\x01", "gzip"}, {0, "\xfd\x37zX", "xz"},
        {0, "\x28\xb5\x2f\xfd", "zstd"}, {0, "#!/b", "neither an ELF file nor a Linux Image"}};
    uint8_t kernel[0x300];
    struct virt_software software = {.kernel = {kernel, sizeof kernel}};

    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        memset(kernel, 0, sizeof kernel);
        memcpy(kernel + others[i].at, others[i].bytes, 4);
        if (strcmp(others[i].name, "xz") == 0)
            memcpy(kernel, "\xfd\x37zXZ", 6);
        fails(&software, RAM, ERR_INVALID, others[i].name);
    }
    software.kernel_is_raw = true;
    struct attempt result = attempt(&software, RAM);
    succeeds(&result);
    assert_int_equal(result.loaded.start, START);
    image_free(result.ram);
}

static void image_as_firmware_is_refused(void **state)
{
    uint8_t image[64];
    struct virt_software software = {.firmware = {image, sizeof image}};

    (void)state;
    small_image(image, MIB);
    fails(&software, RAM, ERR_INVALID, "give it as the kernel");
}

static void firmware_over_the_kernel_is_refused(void **state)
{
    uint8_t kernel[64], program[SMALL_SIZE];
    uint8_t *firmware = calloc(1, VIRT_KERNEL_OFFSET + 1);
    struct virt_software software = {.kernel = {kernel, sizeof kernel},
                                     .firmware = {firmware, VIRT_KERNEL_OFFSET + 1}};

    (void)state;
    small_image(kernel, MIB);
    fails(&software, RAM, ERR_CONFLICT, "the same memory");
    software.firmware.size--;
    struct attempt result = attempt(&software, RAM);
    succeeds(&result);
    image_free(result.ram);
    small_elf(program, START + 0x1000);
    software.kernel = (struct span){program, sizeof program};
    fails(&software, RAM, ERR_CONFLICT, "the same memory");
    free(firmware);
}

/* A firmware with a payload has no kernel beside it, and the initrd still keeps clear of it. */
static void firmware_alone_keeps_its_memory(void **state)
{
    size_t size = 11 * MIB;
    uint8_t *firmware = calloc(1, size), *initrd = calloc(1, 4 * MIB);
    struct virt_software software = {.firmware = {firmware, size}, .initrd = {initrd, MIB}};

    (void)state;
    struct attempt result = attempt(&software, RAM);
    succeeds(&result);
    assert_true(result.loaded.initrd_start >= START + size);
    image_free(result.ram);
    software.initrd.size = 4 * MIB;
    fails(&software, RAM, ERR_TOO_BIG, "the initrd has 4194304 bytes");
    software.firmware.size = size;
    software.initrd.size = 0;
    fails(&software, 8 * MIB, ERR_TOO_BIG, "the firmware");
    free(firmware);
    free(initrd);
}

/* Whatever the sizes: nothing overlaps, and the tree is in RAM. */
static void parts_never_overlap(void **state)
{
    uint8_t kernel[64];
    uint8_t *initrd = malloc(RAM);
    struct virt_software software = {.kernel = {kernel, sizeof kernel}};
    uint32_t loaded = 0;

    (void)state;
    memset(initrd, 0x77, RAM);
    for (uint64_t need = 1; need < RAM; need = need * 3 + 4095)
        for (uint64_t size = 1; size < RAM; size = size * 3 + 1) {
            small_image(kernel, need);
            software.initrd = (struct span){initrd, (size_t)size};
            struct attempt result = attempt(&software, RAM);
            const struct loaded *at = &result.loaded;
            if (result.ok) {
                loaded++;
                assert_true(at->initrd_start >= START + VIRT_KERNEL_OFFSET + need);
                assert_int_equal(at->initrd_start % 4096, 0);
                assert_int_equal(at->initrd_end, at->initrd_start + size);
                assert_true(at->initrd_end <= at->tree);
                assert_true(at->tree + 128 * 1024 <= START + RAM);
                assert_int_equal(result.ram->data[at->initrd_end - START - 1], 0x77);
            } else {
                assert_true(need + size + 4 * MIB + 4096 > RAM - VIRT_KERNEL_OFFSET);
            }
            image_free(result.ram);
        }
    assert_true(loaded > 50);
    free(initrd);
}

static void tree_is_below_four_gibibytes(void **state)
{
    uint8_t file[SMALL_SIZE];
    struct virt_software software = {.kernel = {file, sizeof file}};

    (void)state;
    if (sizeof(void *) < 8)
        skip(); /* six gibibytes are more than this host can address */
    small_elf(file, START);
    struct attempt result = attempt(&software, UINT64_C(6) << 30);
    succeeds(&result);
    assert_true(result.loaded.tree < UINT64_C(1) << 32);
    image_free(result.ram);
    result = attempt(&software, MIB);
    succeeds(&result);
    assert_true(result.loaded.tree + 64 * 1024 <= START + MIB);
    image_free(result.ram);
}

/* OpenSBI's struct fw_dynamic_info, version 2, and what the code before it loads. */
static void boot_rom_tells_where_to_go(void **state)
{
    struct loaded loaded = {.start = 0x80000000, .next = 0x80200000, .tree = 0x87e00000};
    struct err err = ERR_INIT;
    struct image *rom;

    (void)state;
    assert_true(image_new(IMAGE_CHUNK_SIZE, &rom, &err));
    memory_boot_rom(&loaded, rom);
    assert_int_equal(load_le64(rom->data + 24), 0x80000000);
    assert_int_equal(load_le64(rom->data + 32), 0x87e00000);
    assert_int_equal(load_le64(rom->data + 40), 0x4942534f);
    assert_int_equal(load_le64(rom->data + 56), 0x80200000);
    assert_int_equal(load_le64(rom->data + 64), 1);
    image_free(rom);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_to_boot_is_an_error),
        cmocka_unit_test(elf_goes_where_it_says_and_starts_there),
        cmocka_unit_test(elf_outside_of_ram_is_refused),
        cmocka_unit_test(image_starts_after_the_firmware),
        cmocka_unit_test(kernel_that_needs_more_than_there_is_is_refused),
        cmocka_unit_test(other_kernels_are_named),
        cmocka_unit_test(image_as_firmware_is_refused),
        cmocka_unit_test(firmware_over_the_kernel_is_refused),
        cmocka_unit_test(firmware_alone_keeps_its_memory),
        cmocka_unit_test(parts_never_overlap),
        cmocka_unit_test(tree_is_below_four_gibibytes),
        cmocka_unit_test(boot_rom_tells_where_to_go),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
