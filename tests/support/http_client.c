#include "tests/support/http_client.h"

#include "storage/base/check.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define REPLY_MAX (256u << 20)

static struct err ignored;

static bool connect_to(uint16_t port, int *out)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct timeval wait = {.tv_sec = 60};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(fd >= 0);
    /* Nothing here waits for ever: a server that hangs fails its test. */
    CHECK(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) == 0);
    CHECK(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait) == 0);
    *out = fd;
    return connect(fd, (const struct sockaddr *)&address, sizeof address) == 0;
}

int http_client_connect(uint16_t port)
{
    int fd;

    CHECK(connect_to(port, &fd));
    return fd;
}

bool http_client_is_refused(uint16_t port)
{
    int fd;
    char byte;
    bool is_refused = !connect_to(port, &fd);

    if (!is_refused) {
        ssize_t size = recv(fd, &byte, 1, 0);

        is_refused = size == 0 || (size < 0 && errno == ECONNRESET);
    }
    close(fd);
    return is_refused;
}

void http_client_send_bytes(int fd, struct span bytes)
{
    while (bytes.size != 0) {
        ssize_t sent = send(fd, bytes.data, bytes.size, MSG_NOSIGNAL);

        if (sent <= 0)
            return;
        bytes.data += sent;
        bytes.size -= (size_t)sent;
    }
}

void http_client_send(int fd, const char *text)
{
    http_client_send_bytes(fd, span_of_text(text));
}

static bool read_byte(int fd, struct buf *out)
{
    char byte;

    return recv(fd, &byte, 1, 0) == 1 && buf_append(out, &byte, 1, &ignored);
}

static bool read_some(int fd, size_t size, struct buf *out)
{
    char piece[65536];

    while (size != 0) {
        ssize_t got = recv(fd, piece, size < sizeof piece ? size : sizeof piece, 0);

        if (got <= 0)
            return false;
        CHECK(buf_append(out, piece, (size_t)got, &ignored));
        size -= (size_t)got;
    }
    return true;
}

/* A line with its end. */
static bool read_line(int fd, struct buf *out)
{
    do {
        if (!read_byte(fd, out))
            return false;
    } while (out->data[out->size - 1] != '\n');
    return true;
}

static bool read_chunks(int fd, struct buf *out)
{
    for (;;) {
        struct buf line = BUF_INIT(64);
        size_t size = 0;
        bool ok = read_line(fd, &line) && buf_append(&line, "", 1, &ignored);

        if (ok)
            size = strtoul((const char *)line.data, NULL, 16);
        buf_release(&line);
        ok = ok && read_some(fd, size, out);
        line = (struct buf)BUF_INIT(64);
        ok = ok && read_some(fd, 2, &line);
        buf_release(&line);
        if (!ok || size == 0)
            return ok;
    }
}

static const char *find_header(const struct http_reply *reply, const char *name)
{
    size_t size = strlen(name);
    const char *at = strchr((const char *)reply->head.data, '\n');

    for (; at != NULL; at = strchr(at, '\n'))
        if (strncasecmp(++at, name, size) == 0 && at[size] == ':')
            return at + size + 1 + strspn(at + size + 1, " ");
    return NULL;
}

static struct http_reply read_reply(int fd, bool is_head)
{
    struct http_reply reply = {0, BUF_INIT(65536), BUF_INIT(REPLY_MAX), false};
    size_t line = 0;
    const char *length, *coding;

    for (;;) {
        line = reply.head.size;
        if (!read_line(fd, &reply.head) || reply.head.size - line <= 2)
            break;
    }
    CHECK(buf_append(&reply.head, "", 1, &ignored));
    if (reply.head.size > 12)
        reply.status = (unsigned)strtoul((const char *)reply.head.data + 9, NULL, 10);
    length = find_header(&reply, "Content-Length");
    coding = find_header(&reply, "Transfer-Encoding");
    if (is_head)
        reply.is_whole = true;
    else if (coding != NULL)
        reply.is_whole = read_chunks(fd, &reply.body);
    else if (length != NULL)
        reply.is_whole = read_some(fd, strtoul(length, NULL, 10), &reply.body);
    CHECK(buf_append(&reply.body, "", 1, &ignored));
    reply.body.size--;
    return reply;
}

struct http_reply http_client_read(int fd)
{
    return read_reply(fd, false);
}

bool http_client_await(int fd, const char *text, struct buf *out)
{
    size_t size = strlen(text);

    while (out->size < size || memcmp(out->data + out->size - size, text, size) != 0)
        if (!read_byte(fd, out))
            return false;
    return true;
}

struct http_reply http_client_call(uint16_t port, struct http_request request)
{
    struct buf text = BUF_INIT(REPLY_MAX);
    int fd = http_client_connect(port);
    struct http_reply reply;

    CHECK(buf_format(&text, &ignored, "%s %s HTTP/1.1\r\nHost: farm\r\nConnection: close\r\n",
                     request.method, request.path));
    if (request.token != NULL)
        CHECK(buf_format(&text, &ignored, "Authorization: Bearer %s\r\n", request.token));
    if (request.headers != NULL)
        CHECK(buf_append_text(&text, request.headers, &ignored));
    if (request.body != NULL)
        CHECK(buf_format(&text, &ignored, "Content-Length: %zu\r\n", strlen(request.body)));
    CHECK(buf_append_text(&text, "\r\n", &ignored));
    if (request.body != NULL)
        CHECK(buf_append_text(&text, request.body, &ignored));
    http_client_send_bytes(fd, buf_span(&text));
    reply = read_reply(fd, strcmp(request.method, "HEAD") == 0);
    close(fd);
    buf_release(&text);
    return reply;
}

void http_reply_release(struct http_reply *reply)
{
    buf_release(&reply->head);
    buf_release(&reply->body);
}

bool http_reply_has(const struct http_reply *reply, const char *line)
{
    size_t size = strlen(line);
    const char *at = (const char *)reply->head.data;

    for (; at != NULL; at = strchr(at, '\n')) {
        at += *at == '\n';
        if (strncasecmp(at, line, size) == 0 && at[size] == '\r')
            return true;
    }
    return false;
}

const char *http_reply_text(const struct http_reply *reply)
{
    return (const char *)reply->body.data;
}
