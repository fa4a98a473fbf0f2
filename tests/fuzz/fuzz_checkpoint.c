/* Any bytes as a checkpoint: refused with nothing left behind, or a machine that can be saved, run
 * and loaded again. Images are zeros; machines over a few MiB are refused by the source, as a host
 * without memory would. */
#include "sim/board/virt.h"
#include "sim/core/checkpoint.h"
#include "storage/base/check.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>
#include <sys/mman.h>

#define IMAGE_MAX (UINT64_C(4) << 20)
#define RUN_MAX   2000

static void release_zeros(struct image_mapping *mapping)
{
    munmap(mapping->data, (size_t)mapping->size);
}

static bool open_zeros(void *context, const struct hash *root, uint64_t size,
                       struct image_mapping *out, struct err *err)
{
    struct image_shape shape;
    void *data;

    (void)context;
    (void)root;
    if (!image_shape(size, &shape, err))
        return false;
    if (size > IMAGE_MAX)
        return err_set(err, ERR_NO_MEMORY, "an image over the fuzzer's limit");
    data = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(data != MAP_FAILED);
    memset(out, 0, sizeof *out);
    out->data = data;
    out->size = size;
    out->release = release_zeros;
    return true;
}

static const struct image_source zeros = {open_zeros, NULL};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf manifest = BUF_INIT(MANIFEST_BYTES_MAX);
    struct machine *machine = NULL, *again = NULL;
    struct checkpoint_ids ids;
    struct registry registry;
    struct err err = ERR_INIT;

    registry_standard(&registry);
    if (!machine_load(&registry, (struct span){data, size}, &zeros, NULL, &machine, &err)) {
        CHECK(err.kind != ERR_NONE && machine == NULL);
        return 0;
    }
    CHECK(machine_save(machine, NULL, &manifest, &ids, &err));
    CHECK(machine_load(&registry, buf_span(&manifest), &zeros, NULL, &again, &err));
    if (machine->cpu_count != 0) {
        struct machine_limits limits = {machine_instructions(machine), UINT64_MAX};
        limits.instructions += limits.instructions < UINT64_MAX - RUN_MAX ? RUN_MAX : 0;
        (void)machine_run(machine, &limits);
    }
    machine_free(machine);
    machine_free(again);
    buf_release(&manifest);
    return 0;
}
