#include "storage/base/manifest.h"

#include <string.h>

static const uint8_t sentinel[] = {'t', 'h', 'a', 'w', '\r', '\n', 0x1a, '\n'};
static const struct span sentinel_span = {sentinel, sizeof sentinel};

#define MANIFEST_ITEMS 4
#define MANIFEST_ITEMS_MAX                                                                         \
    64 /* so that a newer format with more items is called newer, not broken */

static bool check_map(struct span bytes, const char *name, struct err *err)
{
    struct cbor_reader reader = cbor_reader(bytes, err);

    if (!cbor_check(bytes, err))
        return err_wrap(err, "the manifest's %s part", name);
    if (cbor_peek(&reader) != CBOR_MAP)
        return err_set(err, ERR_CORRUPT, "the manifest's %s part is not a map", name);
    return true;
}

static bool read_start(struct cbor_reader *reader)
{
    struct span head;
    uint64_t version;
    size_t count;

    if (!cbor_read_array(reader, MANIFEST_ITEMS_MAX, &count) ||
        !cbor_read_bytes(reader, sizeof sentinel, &head))
        return err_wrap(reader->err, "this is not a checkpoint manifest");
    if (!span_equal(head, sentinel_span))
        return err_set(reader->err, ERR_CORRUPT,
                       "this is not a checkpoint manifest, or it went through a text-mode copy");
    if (!cbor_read_uint(reader, &version))
        return false;
    if (version > MANIFEST_VERSION)
        return err_set(reader->err, ERR_UNSUPPORTED,
                       "manifest format %llu, this build reads %d: use a newer thaw",
                       (unsigned long long)version, MANIFEST_VERSION);
    if (version < MANIFEST_VERSION || count != MANIFEST_ITEMS)
        return err_set(reader->err, ERR_CORRUPT, "a manifest of format %llu with %zu items",
                       (unsigned long long)version, count);
    return true;
}

bool manifest_split(struct span bytes, struct manifest_parts *out, struct err *err)
{
    struct cbor_reader reader = cbor_reader(bytes, err);
    struct manifest_parts parts;

    if (bytes.size > MANIFEST_BYTES_MAX)
        return err_set(err, ERR_TOO_BIG, "a manifest of %zu bytes, at most %u are allowed",
                       bytes.size, MANIFEST_BYTES_MAX);
    if (!read_start(&reader) ||
        !cbor_read_bytes(&reader, MANIFEST_BYTES_MAX, &parts.architecture) ||
        !cbor_read_bytes(&reader, MANIFEST_BYTES_MAX, &parts.execution))
        return false;
    if (reader.offset != bytes.size)
        return err_set(err, ERR_CORRUPT, "%zu bytes follow the manifest's end",
                       bytes.size - reader.offset);
    if (!check_map(parts.architecture, "architecture", err) ||
        !check_map(parts.execution, "execution", err))
        return false;
    parts.state_id = hash_of(parts.architecture);
    parts.checkpoint_id = hash_of(bytes);
    *out = parts;
    return true;
}

bool manifest_join(struct span architecture, struct span execution, struct buf *out,
                   struct err *err)
{
    struct cbor_writer writer = cbor_writer(out, err);

    cbor_write_array(&writer, MANIFEST_ITEMS);
    cbor_write_bytes(&writer, sentinel_span);
    cbor_write_uint(&writer, MANIFEST_VERSION);
    cbor_write_bytes(&writer, architecture);
    cbor_write_bytes(&writer, execution);
    return writer.ok;
}

static bool read_image(struct cbor_reader *reader, struct manifest_image *out)
{
    struct span root;
    size_t count;

    if (!cbor_read_array(reader, 3, &count))
        return false;
    if (count != 3)
        return cbor_fail(reader, ERR_CORRUPT, "an image has %zu parts, not 3", count);
    if (!cbor_read_text(reader, MANIFEST_PATH_MAX, &out->path) ||
        !cbor_read_uint(reader, &out->size) || !cbor_read_bytes(reader, HASH_SIZE, &root))
        return false;
    if (root.size != HASH_SIZE)
        return cbor_fail(reader, ERR_CORRUPT, "an image's root has %zu bytes", root.size);
    memcpy(out->root.bytes, root.data, HASH_SIZE);
    return true;
}

/* Steps to the value of "images". */
static bool find_images(struct cbor_reader *reader)
{
    struct span key;
    size_t count;

    if (!cbor_read_map(reader, SIZE_MAX / 2, &count))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!cbor_read_text(reader, MANIFEST_PATH_MAX, &key))
            return false;
        if (cbor_text_is(key, "images"))
            return true;
        if (!cbor_skip(reader))
            return false;
    }
    return cbor_fail(reader, ERR_CORRUPT, "the manifest lists no \"images\"");
}

static bool is_after(struct span path, struct span before)
{
    size_t common = path.size < before.size ? path.size : before.size;
    int order = common == 0 ? 0 : memcmp(path.data, before.data, common);

    return order > 0 || (order == 0 && path.size > before.size);
}

bool manifest_images(const struct manifest_parts *parts,
                     bool (*visit)(void *context, const struct manifest_image *image,
                                   struct err *err),
                     void *context, struct err *err)
{
    struct cbor_reader reader = cbor_reader(parts->architecture, err);
    struct manifest_image image, before = {{NULL, 0}, 0, {{0}}};
    size_t count;

    if (!find_images(&reader) || !cbor_read_array(&reader, MANIFEST_IMAGES_MAX, &count))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!read_image(&reader, &image))
            return false;
        if (i != 0 && !is_after(image.path, before.path))
            return cbor_fail(&reader, ERR_CORRUPT, "images are repeated or out of order");
        if (!visit(context, &image, err))
            return false;
        before = image;
    }
    return true;
}
