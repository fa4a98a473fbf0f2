/* Any bytes as a manifest: refused, or parts that join to the same bytes and images in order. */
#include "storage/base/check.h"
#include "storage/base/manifest.h"
#include "tests/fuzz/fuzz.h"

static bool visit(void *context, const struct manifest_image *image, struct err *err)
{
    size_t *count = context;

    (void)err;
    CHECK(image->path.size <= MANIFEST_PATH_MAX);
    *count += 1;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span bytes = {data, size};
    struct buf joined = BUF_INIT(MANIFEST_BYTES_MAX);
    struct manifest_parts parts;
    struct err err = ERR_INIT;
    size_t count = 0;

    if (manifest_split(bytes, &parts, &err)) {
        CHECK(err.kind == ERR_NONE);
        CHECK(manifest_join(parts.architecture, parts.execution, &joined, &err));
        CHECK(span_equal(bytes, buf_span(&joined)));
        if (!manifest_images(&parts, visit, &count, &err))
            CHECK(err.kind != ERR_NONE);
        CHECK(count <= MANIFEST_IMAGES_MAX);
    }
    buf_release(&joined);
    return 0;
}
