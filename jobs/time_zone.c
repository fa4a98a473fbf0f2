#include "jobs/time_zone.h"

#include "jobs/time_rule.h"
#include "storage/base/bytes.h"
#include "storage/base/file.h"

#include <string.h>

#define HEADER_SIZE 44u
#define TIMES_MAX   10000u
#define TYPES_MAX   256u
#define FOOTER_MAX  256u
#define OFFSET_MAX  (48 * 3600) /* RFC 8536, 3.2 asks for about a day */
#define FOLDER_MAX  64u

struct time_zone {
    int64_t *times; /* ascending; offsets[i] holds from times[i] on */
    int32_t *offsets;
    size_t count;
    int32_t before; /* the offset before times[0], or of all time */
    bool has_rule;  /* what holds from the last of times on */
    struct time_rule rule;
};

/* Counts of one block (RFC 8536, 3.1). */
struct block {
    uint32_t isut, isstd, leap, time, type, chars;
    uint64_t size; /* bytes after the header */
};

static bool read_header(struct span bytes, size_t time_size, struct block *out, struct err *err)
{
    const uint8_t *at = bytes.data;

    if (bytes.size < HEADER_SIZE || memcmp(at, "TZif", 4) != 0)
        return err_set(err, ERR_CORRUPT, "not a time zone file (RFC 8536)");
    out->isut = load_be32(at + 20);
    out->isstd = load_be32(at + 24);
    out->leap = load_be32(at + 28);
    out->time = load_be32(at + 32);
    out->type = load_be32(at + 36);
    out->chars = load_be32(at + 40);
    out->size = (uint64_t)out->time * (time_size + 1) + (uint64_t)out->type * 6 + out->chars +
                (uint64_t)out->leap * (time_size + 4) + out->isstd + out->isut;
    if (out->size > bytes.size - HEADER_SIZE)
        return err_set(err, ERR_CORRUPT, "a time zone file that is cut short");
    if (out->type == 0 || out->type > TYPES_MAX || out->time > TIMES_MAX)
        return err_set(err, ERR_CORRUPT, "a time zone file with impossible counts");
    return true;
}

static bool read_offset(const uint8_t *types, uint32_t index, int32_t *out, struct err *err)
{
    *out = (int32_t)load_be32(types + index * 6);
    if (*out < -OFFSET_MAX || *out > OFFSET_MAX)
        return err_set(err, ERR_CORRUPT, "a time zone file with an offset of %d seconds", *out);
    return true;
}

static int64_t read_time(const uint8_t *at, size_t size)
{
    return size == 8 ? (int64_t)load_be64(at) : (int32_t)load_be32(at);
}

/* `data` follows a header that was checked. */
static bool read_block(const uint8_t *data, const struct block *block, size_t time_size,
                       struct time_zone *zone, struct err *err)
{
    const uint8_t *indices = data + (size_t)block->time * time_size;
    const uint8_t *types = indices + block->time;

    zone->times = mem_array(block->time, sizeof *zone->times);
    zone->offsets = mem_array(block->time, sizeof *zone->offsets);
    zone->count = block->time;
    for (uint32_t i = 0; i < block->time; i++) {
        zone->times[i] = read_time(data + i * time_size, time_size);
        if (i > 0 && zone->times[i] <= zone->times[i - 1])
            return err_set(err, ERR_CORRUPT, "a time zone file out of order");
        if (indices[i] >= block->type)
            return err_set(err, ERR_CORRUPT, "a time zone file with an unknown type");
        if (!read_offset(types, indices[i], &zone->offsets[i], err))
            return false;
    }
    return read_offset(types, 0, &zone->before, err);
}

/* "\nRULE\n"; an empty rule says that nothing is known of later years. */
static bool read_footer(struct span bytes, struct time_zone *zone, struct err *err)
{
    char text[FOOTER_MAX];
    const uint8_t *end;
    size_t size;

    if (bytes.size == 0 || bytes.data[0] != '\n')
        return err_set(err, ERR_CORRUPT, "a time zone file without its footer");
    end = memchr(bytes.data + 1, '\n', bytes.size - 1);
    size = end == NULL ? FOOTER_MAX : (size_t)(end - bytes.data) - 1;
    if (size >= FOOTER_MAX)
        return err_set(err, ERR_CORRUPT, "a time zone file whose footer does not end");
    memcpy(text, bytes.data + 1, size);
    text[size] = '\0';
    if (size == 0)
        return true;
    zone->has_rule = true;
    return time_rule_parse(text, &zone->rule, err);
}

static bool parse_into(struct span bytes, struct time_zone *zone, struct err *err)
{
    struct block block;
    struct span rest;

    if (!read_header(bytes, 4, &block, err))
        return false;
    if (bytes.data[4] == 0)
        return read_block(bytes.data + HEADER_SIZE, &block, 4, zone, err);
    rest = (struct span){bytes.data + HEADER_SIZE + block.size,
                         bytes.size - HEADER_SIZE - (size_t)block.size};
    if (!read_header(rest, 8, &block, err) ||
        !read_block(rest.data + HEADER_SIZE, &block, 8, zone, err))
        return false;
    rest.data += HEADER_SIZE + block.size;
    rest.size -= HEADER_SIZE + (size_t)block.size;
    return read_footer(rest, zone, err);
}

bool time_zone_parse(struct span bytes, struct time_zone **out, struct err *err)
{
    struct time_zone *zone = mem_alloc(sizeof *zone);

    if (!parse_into(bytes, zone, err)) {
        time_zone_free(zone);
        return false;
    }
    *out = zone;
    return true;
}

void time_zone_free(struct time_zone *zone)
{
    if (zone == NULL)
        return;
    mem_free(zone->times);
    mem_free(zone->offsets);
    mem_free(zone);
}

/* A name of the database cannot lead out of its folder. */
static bool name_is_proper(const char *name)
{
    static const char known[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-/";
    size_t size = strlen(name);

    return size > 0 && size < FOLDER_MAX && strspn(name, known) == size && name[0] != '/' &&
           name[size - 1] != '/' && strstr(name, "//") == NULL;
}

bool time_zone_load(const char *name, struct time_zone **out, struct err *err)
{
    struct buf bytes = BUF_INIT(TIME_ZONE_BYTES_MAX);
    struct err why = ERR_INIT;
    char *path;
    bool ok;

    if (strcmp(name, "UTC") == 0) {
        *out = mem_alloc(sizeof **out);
        return true;
    }
    if (!name_is_proper(name))
        return err_set(err, ERR_INVALID, "`%.64s` is not a time zone such as Europe/Berlin", name);
    path = path_join(TIME_ZONE_FOLDER, name);
    ok = file_read(path, &bytes, &why);
    if (!ok && why.kind == ERR_NOT_FOUND)
        err_set(err, ERR_NOT_FOUND, "there is no time zone `%s` in %s", name, TIME_ZONE_FOLDER);
    else if (!ok)
        *err = why;
    ok = ok && (time_zone_parse(buf_span(&bytes), out, err) || err_wrap(err, "%s", path));
    buf_release(&bytes);
    mem_free(path);
    return ok;
}

/* How many of the changes are at or before the instant. */
static size_t changes_until(const struct time_zone *zone, int64_t instant)
{
    size_t low = 0, high = zone->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (zone->times[middle] <= instant)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int32_t time_zone_offset(const struct time_zone *zone, int64_t instant_s)
{
    size_t index = changes_until(zone, instant_s);

    if (index == zone->count && zone->has_rule)
        return time_rule_offset(&zone->rule, instant_s);
    return index == 0 ? zone->before : zone->offsets[index - 1];
}

int64_t time_zone_change(const struct time_zone *zone, int64_t after_s)
{
    int32_t now = time_zone_offset(zone, after_s);

    for (size_t i = changes_until(zone, after_s); i < zone->count; i++) {
        if (time_zone_offset(zone, zone->times[i]) != now)
            return zone->times[i];
    }
    if (!zone->has_rule)
        return INT64_MAX;
    if (zone->count > 0 && zone->times[zone->count - 1] > after_s)
        after_s = zone->times[zone->count - 1];
    return time_rule_change(&zone->rule, after_s);
}
