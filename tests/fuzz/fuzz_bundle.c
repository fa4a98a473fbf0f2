/* Any bytes as a bundle whose last hash is right: refused, or read with every promise of bundle.h
 * kept. */
#include "storage/base/check.h"
#include "storage/base/file.h"
#include "storage/base/manifest.h"
#include "storage/bundle.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct seen {
    uint64_t chunks;
    bool manifest;
    char blob[STORE_NAME_MAX + 1];
};

static bool see_manifest(void *context, struct span bytes, const struct hash *checkpoint,
                         struct err *err)
{
    struct seen *seen = context;
    struct hash hash = hash_of(bytes);

    (void)err;
    CHECK(!seen->manifest && hash_equal(&hash, checkpoint));
    seen->manifest = true;
    return true;
}

static bool see_blob(void *context, const char *name, struct span piece, bool last, struct err *err)
{
    struct seen *seen = context;
    struct err rules = ERR_INIT;

    (void)err;
    (void)last;
    CHECK(seen->manifest && store_name_check(name, &rules) && strcmp(name, seen->blob) >= 0);
    snprintf(seen->blob, sizeof seen->blob, "%s", name);
    (void)hash_of(piece);
    return true;
}

static bool see_chunk(void *context, const struct hash *id, struct span bytes, struct err *err)
{
    struct seen *seen = context;
    struct hash hash = hash_of(bytes);

    (void)err;
    CHECK(seen->manifest && bytes.size <= STORE_CHUNK_MAX && hash_equal(&hash, id));
    seen->chunks++;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seen seen = {0};
    const struct bundle_visitor visitor = {see_manifest, see_blob, see_chunk, &seen};
    struct hash hash = hash_of((struct span){data, size});
    int fd = memfd_create("bundle", MFD_CLOEXEC);
    struct bundle_report report;
    struct err err = ERR_INIT;
    char path[64];

    CHECK(fd >= 0);
    CHECK(file_write_all(fd, (struct span){data, size}, "input", &err));
    CHECK(file_write_all(fd, (struct span){hash.bytes, HASH_SIZE}, "input", &err));
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (bundle_read(path, &visitor, &report, &err))
        CHECK(seen.manifest && seen.chunks == report.chunks);
    else
        CHECK(err.kind != ERR_NONE);
    close(fd);
    return 0;
}
