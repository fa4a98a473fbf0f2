/* tag.h — a tag as a small file. Private to storage/.
 *
 * One deterministic CBOR array: sentinel "thawtag" LF, version, the body as a byte string, the
 * body's SHA-256. The body is a map: "checkpoint" (32 bytes), "facts" (map text: text), "made_by"
 * (text or null), "name" (text), "parent" (32 bytes, zeros: none), "when" (seconds since 1970,
 * unsigned). */
#ifndef THAW_STORAGE_TAG_H
#define THAW_STORAGE_TAG_H

#include "storage/store.h"

#define TAG_VERSION   1
#define TAG_BYTES_MAX (STORE_FACTS_MAX * (STORE_FACT_KEY_MAX + STORE_FACT_TEXT_MAX + 8) + 4096)

/* ERR_USAGE for a name or facts against the rules of store.h. */
bool tag_encode(const struct store_tag *tag, struct buf *out, struct err *err);
/* ERR_CORRUPT, ERR_UNSUPPORTED. `name` is the one the tag was found under. */
bool tag_decode(struct span bytes, const char *name, struct store_tag *out, struct err *err);

/* A tag's name as a file's name: '/' becomes '+', so that "a" and "a/b" can both be. */
struct tag_file_name {
    char text[STORE_NAME_MAX + 1];
};
struct tag_file_name tag_file_name(const char *name);
/* And back. False for a file that is no tag. */
bool tag_name_of_file(const char *file, char out[STORE_NAME_MAX + 1]);

#endif
