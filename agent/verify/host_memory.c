#include "agent/verify/host_memory.h"

#include "storage/base/image_tree.h"

#include <sys/resource.h>

/* What an operating system leaves to a process of 32 bits, less the program itself. */
#define ADDRESSES_OF_32_BITS (UINT64_C(2900) << 20)
#define ADDRESSES_OF_64_BITS (UINT64_C(1) << 46)
#define PROGRAM_ITSELF       (UINT64_C(64) << 20)

uint64_t host_memory_limit(void)
{
    uint64_t limit = sizeof(void *) == 4 ? ADDRESSES_OF_32_BITS : ADDRESSES_OF_64_BITS;
    struct rlimit of_process;

    if (getrlimit(RLIMIT_AS, &of_process) == 0 && of_process.rlim_cur != RLIM_INFINITY &&
        of_process.rlim_cur < limit + PROGRAM_ITSELF)
        limit = of_process.rlim_cur > PROGRAM_ITSELF ? of_process.rlim_cur - PROGRAM_ITSELF : 0;
    return limit;
}

struct needed {
    uint64_t total, largest;
};

static bool add_image(void *context, const struct manifest_image *image, struct err *err)
{
    struct needed *needed = context;
    struct image_shape shape;

    if (!image_shape(image->size, &shape, err))
        return false;
    /* The bytes, a flag a page, and two trees. */
    needed->total += image->size + image->size / 4096 + 2 * shape.total * HASH_SIZE;
    if (image->size > needed->largest)
        needed->largest = image->size;
    return true;
}

bool host_memory_needed(const struct manifest_parts *parts, uint64_t *out, struct err *err)
{
    struct needed needed = {0, 0};

    if (!manifest_images(parts, add_image, &needed, err))
        return false;
    *out = needed.total + needed.largest;
    return true;
}

bool host_memory_check(const struct manifest_parts *parts, uint64_t limit, struct err *err)
{
    uint64_t needed = 0;

    if (!host_memory_needed(parts, &needed, err))
        return false;
    if (needed <= limit)
        return true;
    return err_set(err, ERR_NO_MEMORY,
                   "the machine needs %llu MiB of address space, and this host has %llu MiB",
                   (unsigned long long)((needed + (1u << 20) - 1) >> 20),
                   (unsigned long long)(limit >> 20));
}
