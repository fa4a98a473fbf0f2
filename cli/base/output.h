/* output.h — what commands print on standard output: tables that line up, sizes, JSON. */
#ifndef THAW_CLI_BASE_OUTPUT_H
#define THAW_CLI_BASE_OUTPUT_H

#include "storage/base/hash.h"

#include <jansson.h>

struct size_text {
    char text[24];
};
/* "13.2 MiB". */
struct size_text size_text(uint64_t bytes);
/* The first digits of an id, as people type it. */
struct id_text {
    char text[17];
};
struct id_text id_text(const struct hash *id);
/* Prints one JSON value and a newline, and frees it. */
void print_json(json_t *value);
json_t *json_hash(const struct hash *hash);
json_t *json_span(struct span text);
json_t *json_u64(uint64_t value);
/* "2026-11-23 03:01:01" of seconds since 1970, UTC. */
struct time_text {
    char text[32];
};
struct time_text time_text(uint64_t when_s);

#endif
