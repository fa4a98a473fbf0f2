#include "tests/support/remote_server.h"

#include "storage/base/check.h"
#include "storage/base/file.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD_MAX 16384
#define BODY_MAX (64u << 20)

struct remote_server {
    struct store *store;
    struct remote_faults *faults;
    int listener;
    char url[64];
    pthread_t thread;
    atomic_uint requests;
    atomic_ullong sent;
    atomic_bool stops;
};

struct exchange {
    int fd;
    char head[HEAD_MAX];
    size_t size;      /* of what was read */
    size_t head_size; /* with the empty line */
    char method[8], path[512];
    uint64_t from;   /* Range */
    uint64_t length; /* Content-Length */
};

static void send_all(int fd, const void *bytes, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t sent = send(fd, (const char *)bytes + done, size - done, MSG_NOSIGNAL);
        if (sent <= 0)
            return;
        done += (size_t)sent;
    }
}

static void reply(struct remote_server *server, const struct exchange *exchange, int status,
                  struct span body)
{
    size_t size = strcmp(exchange->method, "HEAD") == 0 ? 0 : body.size;
    char head[512], range[128] = "";

    if (status == 206)
        snprintf(range, sizeof range, "Content-Range: bytes %llu-%llu/%llu\r\n",
                 (unsigned long long)exchange->from,
                 (unsigned long long)(exchange->from + body.size - 1),
                 (unsigned long long)(exchange->from + body.size));
    snprintf(head, sizeof head,
             "HTTP/1.1 %d Said\r\n%sContent-Length: %zu\r\nConnection: close\r\n\r\n", status,
             range, body.size);
    send_all(exchange->fd, head, strlen(head));
    if (server->faults->cut_after != 0 && size > server->faults->cut_bytes) {
        server->faults->cut_after--;
        size = server->faults->cut_bytes;
    }
    server->sent += size; /* before the other side can know of it */
    send_all(exchange->fd, body.data, size);
}

static void say(struct remote_server *server, const struct exchange *exchange, int status,
                const char *text)
{
    reply(server, exchange, status, span_of_text(text));
}

static uint64_t header_number(const struct exchange *exchange, const char *name)
{
    const char *at = strcasestr(exchange->head, name);

    return at != NULL ? strtoull(at + strlen(name), NULL, 10) : 0;
}

static bool read_head(struct exchange *exchange)
{
    const char *end = NULL;

    while (end == NULL && exchange->size + 1 < HEAD_MAX) {
        ssize_t got =
            recv(exchange->fd, exchange->head + exchange->size, HEAD_MAX - 1 - exchange->size, 0);
        if (got <= 0)
            return false;
        exchange->size += (size_t)got;
        exchange->head[exchange->size] = 0;
        end = strstr(exchange->head, "\r\n\r\n");
    }
    if (end == NULL || sscanf(exchange->head, "%7s %511s", exchange->method, exchange->path) != 2)
        return false;
    exchange->head_size = (size_t)(end - exchange->head) + 4;
    exchange->from = header_number(exchange, "\r\nRange: bytes=");
    exchange->length = header_number(exchange, "\r\nContent-Length: ");
    return true;
}

/* The kind and name in "/api/store/packs/NAME". */
static bool part_of(const char *path, enum exchange_kind *kind, const char **name)
{
    static const char *const folders[] = {"/api/store/blobs/", "/api/store/packs/",
                                          "/api/store/manifests/"};

    for (int i = 0; i < 3; i++) {
        size_t size = strlen(folders[i]);
        if (strncmp(path, folders[i], size) != 0)
            continue;
        *kind = (enum exchange_kind)i;
        *name = path + size;
        return true;
    }
    return false;
}

static void give_part(struct remote_server *server, const struct exchange *exchange,
                      enum exchange_kind kind, const char *name)
{
    struct buf body = BUF_INIT(BODY_MAX);
    struct err err = ERR_INIT;
    uint64_t size, from = server->faults->no_ranges ? 0 : exchange->from;
    int fd;

    if (!exchange_open(server->store, kind, name, &fd, &size, &err)) {
        say(server, exchange, 404, "{\"error\":\"no such part\"}");
        return;
    }
    CHECK(buf_reserve(&body, (size_t)size + 1, &err) && from <= size);
    CHECK(file_read_at(fd, body.data, (size_t)size, 0, name, &err));
    close(fd);
    if (server->faults->flip != 0 && strcmp(exchange->method, "GET") == 0) {
        server->faults->flip--;
        body.data[size / 2] ^= 4;
    }
    reply(server, exchange, from != 0 ? 206 : 200,
          (struct span){body.data + from, (size_t)(size - from)});
    buf_release(&body);
}

static bool read_body(struct exchange *exchange, struct buf *body)
{
    struct err err = ERR_INIT;
    char piece[65536];

    if (!buf_append(body, exchange->head + exchange->head_size,
                    exchange->size - exchange->head_size, &err))
        return false;
    while (body->size < exchange->length) {
        ssize_t got = recv(exchange->fd, piece, sizeof piece, 0);
        if (got <= 0 || !buf_append(body, piece, (size_t)got, &err))
            return false;
    }
    return true;
}

static void take_part(struct remote_server *server, struct exchange *exchange,
                      enum exchange_kind kind, const char *name)
{
    struct buf body = BUF_INIT(BODY_MAX);
    struct err err = ERR_INIT;
    struct intake *intake;
    bool ok = read_body(exchange, &body) && intake_open(server->store, kind, name, &intake, &err);

    if (ok)
        ok = intake_restart(intake, &err) && intake_add(intake, buf_span(&body), &err) &&
             intake_commit(intake, &err);
    buf_release(&body);
    say(server, exchange, ok ? 201 : 422, ok ? "" : "{\"error\":\"not believed\"}");
}

static void describe(struct remote_server *server, const struct exchange *exchange,
                     const struct hash *id)
{
    struct exchange_pack_list packs;
    struct buf body = BUF_INIT(1u << 20);
    struct err err = ERR_INIT;

    if (!exchange_packs(server->store, id, &packs, &err)) {
        say(server, exchange, 404, "{\"error\":\"no such checkpoint\"}");
        return;
    }
    CHECK(buf_append_text(&body, "{\"packs\":[", &err));
    for (size_t i = 0; i < packs.count; i++)
        CHECK(buf_format(&body, &err, "%s{\"name\":\"%s\",\"bytes\":%llu}", i == 0 ? "" : ",",
                         packs.items[i].name, (unsigned long long)packs.items[i].bytes));
    CHECK(buf_append_text(&body, "],\"facts\":{\"prompt\":\"# $\"}}", &err));
    if (server->faults->no_facts)
        say(server, exchange, 200, "{\"facts\":{}}");
    else
        reply(server, exchange, 200, buf_span(&body));
    exchange_pack_list_release(&packs);
    buf_release(&body);
}

/* The facts that come go into a tag "id/ID", all of them under "body". */
static void take_facts(struct remote_server *server, struct exchange *exchange,
                       const struct hash *id)
{
    struct buf body = BUF_INIT(1u << 20);
    struct store_tag tag = {.checkpoint = *id};
    struct err err = ERR_INIT;
    bool ok = read_body(exchange, &body) && buf_append(&body, "", 1, &err);

    if (ok) {
        snprintf(tag.name, sizeof tag.name, "id/%s", hash_hex(id).text);
        store_tag_set_fact(&tag, "body", (const char *)body.data);
        ok = store_tag_set(server->store, &tag, &err);
        store_tag_release(&tag);
    }
    buf_release(&body);
    say(server, exchange, ok ? 200 : 422, ok ? "{}" : "{\"error\":\"not taken\"}");
}

static bool is_allowed(const struct remote_server *server, const struct exchange *exchange)
{
    char expected[256];

    if (server->faults->token == NULL)
        return true;
    snprintf(expected, sizeof expected, "\r\nAuthorization: Bearer %s\r\n", server->faults->token);
    return strstr(exchange->head, expected) != NULL;
}

static void serve(struct remote_server *server, struct exchange *exchange)
{
    static const char checkpoints[] = "/api/store/checkpoints/";
    bool puts = strcmp(exchange->method, "PUT") == 0;
    struct err err = ERR_INIT;
    enum exchange_kind kind;
    const char *name;
    struct hash id;

    server->requests++;
    if (!is_allowed(server, exchange)) {
        say(server, exchange, 401, "{\"error\":\"a token is needed\"}");
    } else if (strncmp(exchange->path, checkpoints, sizeof checkpoints - 1) == 0 &&
               hash_parse(exchange->path + sizeof checkpoints - 1, &id, &err)) {
        if (puts)
            take_facts(server, exchange, &id);
        else
            describe(server, exchange, &id);
    } else if (!part_of(exchange->path, &kind, &name)) {
        say(server, exchange, 404, "{\"error\":\"no such path\"}");
    } else if (server->faults->refuse_500 != 0) {
        server->faults->refuse_500--;
        say(server, exchange, 500, "{\"error\":\"not now\"}");
    } else if (puts) {
        take_part(server, exchange, kind, name);
    } else {
        give_part(server, exchange, kind, name);
    }
}

static void *run(void *context)
{
    struct remote_server *server = context;

    while (!server->stops) {
        struct exchange exchange = {.fd = accept(server->listener, NULL, NULL)};
        if (exchange.fd < 0)
            break;
        if (!server->stops && read_head(&exchange))
            serve(server, &exchange);
        shutdown(exchange.fd, SHUT_WR);
        close(exchange.fd);
    }
    return NULL;
}

struct remote_server *remote_server_start(struct store *store, struct remote_faults *faults)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    struct remote_server *server = mem_alloc(sizeof *server);
    socklen_t size = sizeof address;

    server->store = store;
    server->faults = faults;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(bind(server->listener, (struct sockaddr *)&address, sizeof address) == 0);
    CHECK(listen(server->listener, 64) == 0);
    CHECK(getsockname(server->listener, (struct sockaddr *)&address, &size) == 0);
    snprintf(server->url, sizeof server->url, "http://127.0.0.1:%u/api", ntohs(address.sin_port));
    CHECK(pthread_create(&server->thread, NULL, run, server) == 0);
    return server;
}

const char *remote_server_url(const struct remote_server *server)
{
    return server->url;
}

unsigned remote_server_requests(const struct remote_server *server)
{
    return server->requests;
}

uint64_t remote_server_sent(const struct remote_server *server)
{
    return server->sent;
}

void remote_server_stop(struct remote_server *server)
{
    server->stops = true;
    shutdown(server->listener, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    close(server->listener);
    mem_free(server);
}
