#include "storage/directory.h"

#include "storage/base/check.h"
#include "storage/base/log.h"

#include <stdio.h>
#include <string.h>

static uint64_t place_of(size_t pack, uint32_t index)
{
    return (uint64_t)pack << 32 | index;
}

static const struct pack *pack_of(const struct directory *directory, uint64_t place)
{
    return directory->packs[place >> 32];
}

/* Of two copies of a chunk the full one is kept in the table: only it can be a base. */
static void add_chunks(struct directory *directory, size_t number)
{
    const struct pack *pack = directory->packs[number];

    for (uint32_t f = 0; f < pack_frame_count(pack); f++) {
        struct pack_frame frame;
        pack_frame_at(pack, f, &frame);
        for (uint32_t i = frame.first; i < frame.first + frame.count; i++) {
            struct hash id, base;
            uint64_t *place;
            bool made;
            pack_chunk_ids(pack, i, &id, &base);
            place = hash_map_add(&directory->chunks, &id, &made);
            if (made || hash_is_zero(&base))
                *place = place_of(number, i);
        }
    }
}

static void remember_bad(struct directory *directory, const char *name, const struct err *why)
{
    struct hash key = hash_of(span_of_text(name));
    bool made;

    *hash_map_add(&directory->bad, &key, &made) = 1;
    if (made)
        log_message(LOG_WARNING, "%s: its chunks are out of reach; see thaw fsck", why->text);
    memcpy(directory->bad_text, why->text, sizeof directory->bad_text);
}

static void add_pack(struct directory *directory, const char *name)
{
    struct hash key = hash_of(span_of_text(name));
    struct err why = ERR_INIT;
    struct pack **packs;
    struct pack *pack;
    bool *gone;

    if (hash_map_has(&directory->bad, &key))
        return;
    if (!pack_open(directory->packs_folder, name, &pack, &why)) {
        if (why.kind != ERR_NOT_FOUND)
            remember_bad(directory, name, &why);
        return;
    }
    packs = mem_array(directory->pack_count + 1, sizeof *packs);
    gone = mem_array(directory->pack_count + 1, sizeof *gone);
    if (directory->pack_count != 0) {
        memcpy(packs, directory->packs, directory->pack_count * sizeof *packs);
        memcpy(gone, directory->gone, directory->pack_count * sizeof *gone);
    }
    mem_free(directory->packs);
    mem_free(directory->gone);
    directory->packs = packs;
    directory->gone = gone;
    packs[directory->pack_count] = pack;
    add_chunks(directory, directory->pack_count++);
}

static bool name_is_listed(const struct name_list *list, const char *name)
{
    size_t low = 0, high = list->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(list->names[middle], name);
        if (order == 0)
            return true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

static bool name_is_known(const struct directory *directory, const char *name)
{
    for (size_t i = 0; i < directory->pack_count; i++)
        if (!directory->gone[i] && strcmp(pack_name(directory->packs[i]), name) == 0)
            return true;
    return false;
}

/* Packs went: the table is made anew from those that are left. */
static void forget_gone(struct directory *directory, const struct name_list *list)
{
    bool any = false;

    for (size_t i = 0; i < directory->pack_count; i++) {
        if (directory->gone[i] || name_is_listed(list, pack_name(directory->packs[i])))
            continue;
        directory->gone[i] = true;
        any = true;
    }
    if (!any)
        return;
    hash_map_release(&directory->chunks);
    for (size_t i = 0; i < directory->pack_count; i++)
        if (!directory->gone[i])
            add_chunks(directory, i);
}

static bool is_pack_name(const char *name)
{
    size_t size = strlen(name), suffix = strlen(PACK_SUFFIX);

    return size > suffix && strcmp(name + size - suffix, PACK_SUFFIX) == 0;
}

static bool list_packs_locked(struct directory *directory, struct err *err)
{
    struct name_list list;

    if (!folder_list(directory->packs_folder, &list, err))
        return false;
    forget_gone(directory, &list);
    for (size_t i = 0; i < list.count; i++)
        if (is_pack_name(list.names[i]) && !name_is_known(directory, list.names[i]))
            add_pack(directory, list.names[i]);
    name_list_release(&list);
    directory->listed = true;
    return true;
}

bool directory_list_packs(struct directory *directory, struct err *err)
{
    bool ok;

    pthread_mutex_lock(&directory->mutex);
    ok = list_packs_locked(directory, err);
    pthread_mutex_unlock(&directory->mutex);
    return ok;
}

bool directory_preferred(struct directory *directory, const struct hash *id,
                         const struct pack **pack, uint32_t *index)
{
    struct err ignored = ERR_INIT;
    const uint64_t *place;

    pthread_mutex_lock(&directory->mutex);
    if (!directory->listed)
        (void)list_packs_locked(directory, &ignored);
    place = hash_map_find(&directory->chunks, id);
    if (place != NULL) {
        *pack = pack_of(directory, *place);
        *index = (uint32_t)*place;
    }
    pthread_mutex_unlock(&directory->mutex);
    return place != NULL;
}

bool directory_find(struct directory *directory, const struct hash *id, struct pack_chunk *out)
{
    const struct pack *pack;
    uint32_t index;

    if (!directory_preferred(directory, id, &pack, &index))
        return false;
    pack_chunk_at(pack, index, out);
    return true;
}

bool directory_look(struct directory *directory, const struct hash *id, struct chunk_facts *out)
{
    const struct pack *pack;
    struct pack_frame frame;
    struct pack_chunk chunk;
    uint64_t plain = 0;
    uint32_t index;

    if (!directory_preferred(directory, id, &pack, &index))
        return false;
    if (out == NULL)
        return true;
    pack_chunk_at(pack, index, &chunk);
    pack_frame_at(pack, chunk.frame, &frame);
    plain = pack_frame_plain(pack, chunk.frame);
    out->size = chunk.size;
    out->stored_bytes = (uint32_t)((uint64_t)frame.packed_size * chunk.size / plain);
    if (out->stored_bytes == 0)
        out->stored_bytes = 1;
    return true;
}

bool directory_delta_base(struct directory *directory, const struct hash *hint,
                          struct pack_chunk *out)
{
    struct pack_chunk chunk;

    if (hash_is_zero(hint) || !directory_find(directory, hint, &chunk))
        return false;
    if (!hash_is_zero(&chunk.base)) {
        struct hash base = chunk.base;
        if (!directory_find(directory, &base, &chunk) || !hash_is_zero(&chunk.base))
            return false;
    }
    *out = chunk;
    return true;
}

struct directory_decoder *directory_take_decoder(struct directory *directory)
{
    struct directory_decoder *decoder = NULL;

    pthread_mutex_lock(&directory->mutex);
    if (directory->decoder_count != 0)
        decoder = directory->decoders[--directory->decoder_count];
    pthread_mutex_unlock(&directory->mutex);
    if (decoder == NULL) {
        decoder = mem_alloc(sizeof *decoder);
        decoder->coder = frame_coder_new(directory->level);
    }
    return decoder;
}

void directory_give_decoder(struct directory *directory, struct directory_decoder *decoder)
{
    pthread_mutex_lock(&directory->mutex);
    if (directory->decoder_count < DIRECTORY_CODERS) {
        directory->decoders[directory->decoder_count++] = decoder;
        decoder = NULL;
    }
    pthread_mutex_unlock(&directory->mutex);
    if (decoder != NULL) {
        frame_coder_free(decoder->coder);
        mem_free(decoder);
    }
}

/* Appends the chunk's bytes if its frame is cached. */
static bool from_cache(struct directory *directory, const struct pack *pack,
                       const struct pack_chunk *chunk, struct buf *out, struct err *err)
{
    bool found = false;

    pthread_mutex_lock(&directory->mutex);
    for (size_t i = 0; i < DIRECTORY_CACHED_FRAMES && !found; i++) {
        struct cached_frame *cached = &directory->cached[i];
        if (cached->pack != pack || cached->frame != chunk->frame)
            continue;
        cached->used = ++directory->tick;
        found = buf_append(out, cached->plain + chunk->offset, chunk->size, err);
    }
    pthread_mutex_unlock(&directory->mutex);
    return found;
}

static void into_cache(struct directory *directory, const struct pack *pack, uint32_t number,
                       const struct frame *frame)
{
    struct cached_frame *oldest;

    pthread_mutex_lock(&directory->mutex);
    oldest = &directory->cached[0];
    for (size_t i = 1; i < DIRECTORY_CACHED_FRAMES; i++)
        if (directory->cached[i].used < oldest->used)
            oldest = &directory->cached[i];
    if (oldest->plain == NULL)
        oldest->plain = mem_alloc(FRAME_PLAIN_MAX);
    oldest->pack = pack;
    oldest->frame = number;
    oldest->used = ++directory->tick;
    oldest->size = frame->plain_size;
    memcpy(oldest->plain, frame->plain, frame->plain_size);
    pthread_mutex_unlock(&directory->mutex);
}

/* Appends a chunk of a pack of ours; its frame's checksum was checked, its hash is not. */
static bool read_unchecked(struct directory *directory, const struct pack *pack,
                           const struct pack_chunk *chunk, struct buf *out, struct err *err)
{
    struct directory_decoder *decoder;
    bool ok;

    if (!buf_reserve(out, chunk->size, err))
        return false;
    if (from_cache(directory, pack, chunk, out, err))
        return true;
    decoder = directory_take_decoder(directory);
    ok = directory_read_frame(directory, pack, chunk->frame, decoder, err);
    if (ok) {
        into_cache(directory, pack, chunk->frame, &decoder->frame);
        ok = buf_append(out, decoder->frame.plain + chunk->offset, chunk->size, err);
    }
    directory_give_decoder(directory, decoder);
    return ok;
}

/* Appends a chunk of a pack of ours, its hash checked. */
static bool read_chunk(struct directory *directory, const struct pack *pack, uint32_t index,
                       struct buf *out, struct err *err)
{
    size_t start = out->size;
    struct pack_chunk chunk;
    struct hash hash;

    pack_chunk_at(pack, index, &chunk);
    if (!read_unchecked(directory, pack, &chunk, out, err))
        return false;
    hash = hash_of((struct span){out->data + start, out->size - start});
    if (hash_equal(&hash, &chunk.id))
        return true;
    out->size = start;
    return err_set(err, ERR_CORRUPT, "chunk %s in %s does not match its hash",
                   hash_hex(&chunk.id).text, pack_path(pack));
}

/* A base is not hashed: when it is read for a delta the delta's own hash says whether it was right,
 * and when a delta is made the frame's checksum must do, at a tenth of the time. */
bool directory_fill_prefix(struct directory *directory, struct frame *frame, struct err *err)
{
    struct buf base = BUF_INIT(STORE_CHUNK_MAX);
    bool ok = true;

    for (size_t i = 0; ok && i < frame->count; i++) {
        const struct hash *id = &frame->chunks[i].base;
        const struct pack *pack;
        struct pack_chunk chunk;
        uint32_t index;
        if (hash_is_zero(id))
            continue;
        if (!directory_preferred(directory, id, &pack, &index)) {
            ok = err_set(err, ERR_CORRUPT, "chunk %s, the base of another, is not in the store",
                         hash_hex(id).text);
            break;
        }
        pack_chunk_at(pack, index, &chunk);
        buf_clear(&base);
        if (!hash_is_zero(&chunk.base) || chunk.size > FRAME_PLAIN_MAX - frame->prefix_size)
            ok = err_set(err, ERR_CORRUPT, "chunk %s in %s cannot be the base of another",
                         hash_hex(id).text, pack_path(pack));
        else if ((ok = read_unchecked(directory, pack, &chunk, &base, err)))
            frame_add_prefix(frame, buf_span(&base));
    }
    buf_release(&base);
    return ok;
}

/* A delta's bases are full chunks: fill_prefix and this call each other once. */
bool directory_read_frame(struct directory *directory, const struct pack *pack, uint32_t frame,
                          struct directory_decoder *decoder, struct err *err)
{
    size_t size;

    if (!pack_read(pack, frame, decoder->packed, &size, &decoder->frame, err) ||
        !directory_fill_prefix(directory, &decoder->frame, err))
        return false;
    return frame_decode(decoder->coder, (struct span){decoder->packed, size}, &decoder->frame,
                        err) ||
           err_wrap(err, "%s", pack_path(pack));
}

static bool not_found(struct directory *directory, const struct hash *id, struct err *err)
{
    char why[ERR_TEXT_MAX];

    pthread_mutex_lock(&directory->mutex);
    memcpy(why, directory->bad_text, sizeof why);
    pthread_mutex_unlock(&directory->mutex);
    if (why[0] != 0)
        return err_set(err, ERR_NOT_FOUND, "chunk %s is not in the store %s, where %s",
                       hash_hex(id).text, directory->root, why);
    return err_set(err, ERR_NOT_FOUND, "chunk %s is not in the store %s", hash_hex(id).text,
                   directory->root);
}

/* A pack may be gone since it was listed, and a chunk may have come: then the packs are listed once
 * more. */
bool directory_get(struct directory *directory, const struct hash *id, struct buf *out,
                   struct err *err)
{
    for (int attempt = 0; attempt < 2; attempt++) {
        struct err first = ERR_INIT;
        const struct pack *pack;
        uint32_t index;
        if (attempt != 0 && !directory_list_packs(directory, err))
            return false;
        if (!directory_preferred(directory, id, &pack, &index))
            continue;
        if (read_chunk(directory, pack, index, out, &first))
            return true;
        *err = first;
        if (first.kind != ERR_NOT_FOUND)
            return false;
    }
    return not_found(directory, id, err);
}
