#include "cli/base/output.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct size_text size_text(uint64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    struct size_text out;
    double value = (double)bytes;
    size_t unit = 0;

    while (value >= 1024 && unit + 1 < sizeof units / sizeof units[0]) {
        value /= 1024;
        unit++;
    }
    snprintf(out.text, sizeof out.text, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
    return out;
}

struct id_text id_text(const struct hash *id)
{
    struct hash_hex hex = hash_hex(id);
    struct id_text out;

    memcpy(out.text, hex.text, sizeof out.text - 1);
    out.text[sizeof out.text - 1] = 0;
    return out;
}

struct time_text time_text(uint64_t when_s)
{
    struct time_text out = {""};
    time_t when = (time_t)when_s;
    struct tm utc;

    if (gmtime_r(&when, &utc) != NULL)
        strftime(out.text, sizeof out.text, "%Y-%m-%d %H:%M:%S", &utc);
    return out;
}

void print_json(json_t *value)
{
    char *text = json_dumps(value, JSON_INDENT(2));

    if (text != NULL)
        puts(text);
    free(text);
    json_decref(value);
}

json_t *json_hash(const struct hash *hash)
{
    return json_string(hash_hex(hash).text);
}

json_t *json_span(struct span text)
{
    return json_stringn((const char *)text.data, text.size);
}

/* JSON's integers are jansson's long long; larger ones become a text, so that no digit is lost. */
json_t *json_u64(uint64_t value)
{
    char text[24];

    if (value <= INT64_MAX)
        return json_integer((json_int_t)value);
    snprintf(text, sizeof text, "%" PRIu64, value);
    return json_string(text);
}
