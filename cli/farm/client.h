/* client.h — talking to a coordinator: where it is, who asks, what it answers. */
#ifndef THAW_CLI_FARM_CLIENT_H
#define THAW_CLI_FARM_CLIENT_H

#include "cli/base/command.h"
#include "storage/remote/remote.h"

#include <jansson.h>

/* Options of every command that talks to a coordinator. */
enum { CLIENT_COORDINATOR = 0x5800, CLIENT_TOKEN_FILE, CLIENT_CA, CLIENT_KEYS_END };
#define CLIENT_OPTIONS                                                                             \
    {"coordinator",                                                                                \
     CLIENT_COORDINATOR,                                                                           \
     "URL",                                                                                        \
     0,                                                                                            \
     "the coordinator's address, http://..., https://... or unix:PATH "                            \
     "(default: $THAW_COORDINATOR)",                                                               \
     0},                                                                                           \
        {"token-file",                                                                             \
         CLIENT_TOKEN_FILE,                                                                        \
         "FILE",                                                                                   \
         0,                                                                                        \
         "a file that holds the access token (default: $THAW_TOKEN_FILE, or the token itself in "  \
         "$THAW_TOKEN)",                                                                           \
         0},                                                                                       \
    {                                                                                              \
        "ca", CLIENT_CA, "FILE", 0,                                                                \
            "trust the certificates in FILE besides the system's (default: $THAW_CA)", 0           \
    }

#define CLIENT_TOKEN_MAX 256

struct client {
    const char *address;
    const char *token_file;
    const char *ca_file;
};

/* Takes one of CLIENT_OPTIONS; false for another key. */
bool client_take(struct client *client, int key, const char *value);
/* ERR_USAGE if no address is given anywhere. */
bool client_open(const struct client *client, struct remote **out, struct err *err);

/* As given, or from the environment; NULL: not there. */
const char *client_address(const struct client *client);
const char *client_ca(const struct client *client);

/* A path or query with a name of any bytes in it, in memory of the caller's (mem_free). */
char *client_path(const char *before, const char *name, const char *after);
/* A text of an object; "" if it has none of that name. */
const char *client_text(const json_t *object, const char *key);
/* A number of it; 0 likewise. */
long long client_number(const json_t *object, const char *key);
/* Writes the table to standard output, in colours if that is a terminal; releases it. */
struct table;
bool client_print(struct table *table, struct err *err);

/* Asks and parses: the answer is a JSON object or array, to be freed with json_decref. */
bool client_ask(struct remote *remote, const char *method, const char *path, struct span body,
                json_t **out, struct err *err);

/* Appends a blob of the coordinator's store, by the hash that it told; ERR_CORRUPT if it sent other
 * bytes. */
bool client_blob(struct remote *remote, const char *id, struct buf *out, struct err *err);

/* A number of a run as people write it ("17", "#17"), or "latest". ERR_USAGE. */
bool client_run_number(struct remote *remote, const char *text, uint64_t *out, struct err *err);

#endif
