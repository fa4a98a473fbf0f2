#include "cli/farm/client.h"

#include "jobs/table.h"
#include "storage/base/file.h"
#include "storage/base/hash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define URL_MAX   2048
#define REPLY_MAX (256u << 20)
#define TABLE_MAX (64u << 20)

bool client_take(struct client *client, int key, const char *value)
{
    switch (key) {
    case CLIENT_COORDINATOR:
        client->address = value;
        return true;
    case CLIENT_TOKEN_FILE:
        client->token_file = value;
        return true;
    case CLIENT_CA:
        client->ca_file = value;
        return true;
    default:
        return false;
    }
}

static const char *or_environment(const char *value, const char *name)
{
    const char *set = getenv(name);

    if (value != NULL)
        return value;
    return set != NULL && set[0] != 0 ? set : NULL;
}

const char *client_address(const struct client *client)
{
    return or_environment(client->address, "THAW_COORDINATOR");
}

const char *client_ca(const struct client *client)
{
    return or_environment(client->ca_file, "THAW_CA");
}

/* The token without the newline that files end with. */
static bool read_token(const char *path, struct buf *out, struct err *err)
{
    if (!file_read(path, out, err))
        return err_wrap(err, "the token");
    while (out->size != 0 && (out->data[out->size - 1] == '\n' || out->data[out->size - 1] == '\r'))
        out->size--;
    return buf_append(out, "", 1, err);
}

bool client_open(const struct client *client, struct remote **out, struct err *err)
{
    const char *address = client_address(client);
    const char *token_file = or_environment(client->token_file, "THAW_TOKEN_FILE");
    struct remote_options options = {.ca_file = client_ca(client),
                                     .token = or_environment(NULL, "THAW_TOKEN")};
    struct buf token = BUF_INIT(CLIENT_TOKEN_MAX);
    char url[URL_MAX];
    bool ok = true;

    if (address == NULL)
        return err_set(err, ERR_USAGE,
                       "no coordinator is named: give --coordinator URL, or set "
                       "$THAW_COORDINATOR");
    if (strlen(address) > URL_MAX - 64)
        return err_set(err, ERR_USAGE, "the coordinator's address is too long");
    if (strncmp(address, "unix:", 5) == 0) {
        options.socket_path = address + 5;
        snprintf(url, sizeof url, "http://localhost/api/v1");
    } else {
        size_t size = strlen(address);
        while (size != 0 && address[size - 1] == '/')
            size--;
        snprintf(url, sizeof url, "%.*s/api/v1", (int)size, address);
    }
    options.url = url;
    if (token_file != NULL) {
        ok = read_token(token_file, &token, err);
        options.token = (const char *)token.data;
    }
    ok = ok && remote_open(&options, out, err);
    buf_release(&token);
    return ok;
}

char *client_path(const char *before, const char *name, const char *after)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_~";
    size_t size = strlen(before) + 3 * strlen(name) + strlen(after) + 1, used;
    char *out = mem_alloc(size);

    used = (size_t)snprintf(out, size, "%s", before);
    for (size_t i = 0; name[i] != 0; i++) {
        /* A dot at the beginning might be taken for a folder. */
        bool is_plain = strchr(plain, name[i]) != NULL || (name[i] == '.' && i != 0);
        used += (size_t)snprintf(out + used, size - used, is_plain ? "%c" : "%%%02X",
                                 (unsigned char)name[i]);
    }
    snprintf(out + used, size - used, "%s", after);
    return out;
}

const char *client_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text != NULL ? text : "";
}

long long client_number(const json_t *object, const char *key)
{
    return (long long)json_integer_value(json_object_get(object, key));
}

bool client_print(struct table *table, struct err *err)
{
    struct buf out = BUF_INIT(TABLE_MAX);
    bool ok = table_write(table, isatty(STDOUT_FILENO) == 1, &out, err);

    if (ok && out.size != 0)
        fwrite(out.data, 1, out.size, stdout);
    table_release(table);
    buf_release(&out);
    return ok;
}

bool client_ask(struct remote *remote, const char *method, const char *path, struct span body,
                json_t **out, struct err *err)
{
    struct buf reply = BUF_INIT(REPLY_MAX);
    json_error_t why;
    bool ok = remote_call(remote, method, path, body, &reply, err);

    *out = NULL;
    if (ok) {
        *out = json_loadb((const char *)reply.data, reply.size, JSON_REJECT_DUPLICATES, &why);
        ok = *out != NULL ||
             err_set(err, ERR_INVALID, "%s %s: the answer is not JSON: %s", method, path, why.text);
    }
    buf_release(&reply);
    return ok;
}

static bool latest_run(struct remote *remote, uint64_t *out, struct err *err)
{
    json_t *answer;
    bool ok = client_ask(remote, "GET", "runs?limit=1", (struct span){0}, &answer, err);

    if (ok) {
        const json_t *run = json_array_get(json_object_get(answer, "runs"), 0);
        *out = (uint64_t)json_integer_value(json_object_get(run, "run"));
        ok = run != NULL || err_set(err, ERR_NOT_FOUND, "there is no run yet");
    }
    json_decref(answer);
    return ok;
}

bool client_run_number(struct remote *remote, const char *text, uint64_t *out, struct err *err)
{
    const char *digits = text[0] == '#' ? text + 1 : text;
    char *end;

    if (strcmp(text, "latest") == 0)
        return latest_run(remote, out, err);
    *out = strtoull(digits, &end, 10);
    if (digits[0] >= '0' && digits[0] <= '9' && *end == 0)
        return true;
    return err_set(err, ERR_USAGE, "\"%s\" is no number of a run, nor \"latest\"", text);
}

bool client_blob(struct remote *remote, const char *id, struct buf *out, struct err *err)
{
    struct hash hash, found;
    char path[128];

    if (!hash_parse(id, &hash, err))
        return err_wrap(err, "what the coordinator says");
    snprintf(path, sizeof path, "store/blobs/%.64s", id);
    if (!remote_call(remote, "GET", path, (struct span){0}, out, err))
        return false;
    found = hash_of(buf_span(out));
    return hash_equal(&found, &hash) ||
           err_set(err, ERR_CORRUPT, "the coordinator sent other bytes than blob %.16s…", id);
}
