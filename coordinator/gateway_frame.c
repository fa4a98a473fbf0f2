#include "coordinator/gateway_frame.h"

#include "storage/base/bytes.h"
#include "storage/base/check.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD_SIZE 8
#define IN_MAX    (4 * (size_t)GATEWAY_FRAME_MAX)
/* What `bytes that follow` counts of the head. */
#define HEAD_COUNTED 4

void frame_stream_init(struct frame_stream *stream, int fd, size_t out_max)
{
    stream->fd = fd;
    stream->in = (struct buf)BUF_INIT(IN_MAX);
    stream->out = (struct buf)BUF_INIT(out_max);
    stream->in_at = stream->out_at = 0;
}

void frame_stream_release(struct frame_stream *stream)
{
    if (stream->fd >= 0)
        close(stream->fd);
    stream->fd = -1;
    stream->in_at = stream->out_at = 0;
    buf_release(&stream->in);
    buf_release(&stream->out);
}

size_t frame_waiting(const struct frame_stream *stream)
{
    return stream->out.size - stream->out_at;
}

/* Moves what is left to the front. */
static void compact(struct buf *buf, size_t *at)
{
    if (*at == 0)
        return;
    memmove(buf->data, buf->data + *at, buf->size - *at);
    buf->size -= *at;
    *at = 0;
}

bool frame_put(struct frame_stream *stream, const struct frame *frame)
{
    size_t follows = HEAD_COUNTED + frame->route.size + frame->bytes.size;
    struct err ignored = ERR_INIT;
    uint8_t head[HEAD_SIZE] = {0};

    CHECK(frame->route.size <= GATEWAY_ROUTE_MAX && follows <= GATEWAY_FRAME_MAX);
    if (stream->out.max - frame_waiting(stream) < HEAD_SIZE + follows)
        return false;
    if (stream->out_at != 0 && stream->out.max - stream->out.size < HEAD_SIZE + follows)
        compact(&stream->out, &stream->out_at);
    store_le32(head, (uint32_t)follows);
    head[4] = (uint8_t)frame->kind;
    head[5] = (uint8_t)frame->route.size;
    return buf_append(&stream->out, head, sizeof head, &ignored) &&
           buf_append(&stream->out, frame->route.data, frame->route.size, &ignored) &&
           buf_append(&stream->out, frame->bytes.data, frame->bytes.size, &ignored);
}

bool frame_flush(struct frame_stream *stream, struct err *err)
{
    while (frame_waiting(stream) != 0) {
        ssize_t sent = send(stream->fd, stream->out.data + stream->out_at, frame_waiting(stream),
                            MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return true;
        if (sent < 0 && (errno == EPIPE || errno == ECONNRESET))
            return err_set(err, ERR_NOT_FOUND, "the other end has closed");
        if (sent < 0)
            return err_set_errno(err, errno, "writing frames");
        stream->out_at += (size_t)sent;
    }
    buf_clear(&stream->out);
    stream->out_at = 0;
    return true;
}

bool frame_fill(struct frame_stream *stream, struct err *err)
{
    size_t before;

    compact(&stream->in, &stream->in_at);
    before = stream->in.size;
    if (!buf_reserve(&stream->in, IN_MAX - stream->in.size, err))
        return false;
    while (stream->in.size < IN_MAX) {
        ssize_t got = recv(stream->fd, stream->in.data + stream->in.size, IN_MAX - stream->in.size,
                           MSG_DONTWAIT);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return true;
        if (got < 0 && errno != ECONNRESET)
            return err_set_errno(err, errno, "reading frames");
        if (got <= 0)
            return stream->in.size > before ||
                   err_set(err, ERR_NOT_FOUND, "the other end has closed");
        stream->in.size += (size_t)got;
    }
    return true;
}

static bool is_kind(uint8_t kind)
{
    return kind >= FRAME_REQUEST && kind <= FRAME_FAILED;
}

bool frame_take(struct frame_stream *stream, struct frame *out, bool *got, struct err *err)
{
    size_t left = stream->in.size - stream->in_at;
    const uint8_t *at;
    uint32_t follows;

    *got = false;
    if (left < HEAD_SIZE)
        return true;
    at = stream->in.data + stream->in_at;
    follows = load_le32(at);
    if (follows < HEAD_COUNTED || follows > GATEWAY_FRAME_MAX || !is_kind(at[4]) ||
        at[5] > GATEWAY_ROUTE_MAX || at[5] > follows - HEAD_COUNTED || load_le16(at + 6) != 0)
        return err_set(err, ERR_CORRUPT, "no frame of the gateway's");
    if (left < HEAD_SIZE - HEAD_COUNTED + follows)
        return true;
    out->kind = (enum frame_kind)at[4];
    out->route = (struct span){at + HEAD_SIZE, at[5]};
    out->bytes = (struct span){at + HEAD_SIZE + at[5], follows - HEAD_COUNTED - at[5]};
    stream->in_at += HEAD_SIZE - HEAD_COUNTED + follows;
    *got = true;
    return true;
}

bool frame_ready(const struct frame_stream *stream)
{
    struct frame_stream copy = *stream;
    struct err ignored = ERR_INIT;
    struct frame frame;
    bool got;

    return !frame_take(&copy, &frame, &got, &ignored) || got;
}

#define FIGURES 7

void figures_store(const struct gateway_figures *figures, struct buf *out)
{
    const uint64_t values[FIGURES] = {
        figures->connections,  figures->accepted,      figures->requests, figures->answers,
        figures->dropped_rate, figures->dropped_route, figures->put_out};
    struct err err = ERR_INIT;
    uint8_t bytes[8];

    for (int i = 0; i < FIGURES; i++) {
        store_le64(bytes, values[i]);
        CHECK(buf_append(out, bytes, sizeof bytes, &err));
    }
}

bool figures_load(struct span bytes, struct gateway_figures *out)
{
    if (bytes.size != FIGURES * 8)
        return false;
    out->connections = load_le64(bytes.data);
    out->accepted = load_le64(bytes.data + 8);
    out->requests = load_le64(bytes.data + 16);
    out->answers = load_le64(bytes.data + 24);
    out->dropped_rate = load_le64(bytes.data + 32);
    out->dropped_route = load_le64(bytes.data + 40);
    out->put_out = load_le64(bytes.data + 48);
    return true;
}
