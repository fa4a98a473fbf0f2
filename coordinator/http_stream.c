#include "coordinator/http_internal.h"

#include "storage/base/check.h"

#include <string.h>

#define PIECE_BYTES 16384

struct http_stream {
    struct http *http;
    struct http_stream *next, *previous; /* guarded by http->lock */
    struct MHD_Connection *mhd;
    void (*wake)(void *context);
    void *context;
    pthread_mutex_t lock; /* guards all that follows */
    struct buf bytes;     /* waiting, from `sent` on */
    size_t sent;
    unsigned references; /* the writer's and the answer's */
    bool is_waiting;     /* the connection is suspended until there is something to read */
    bool is_full;        /* something was refused: the writer wants to know of room */
    bool is_ended, is_cut;
    bool is_gone; /* nobody reads any more */
};

static void stream_release(struct http_stream *stream)
{
    unsigned left;

    pthread_mutex_lock(&stream->lock);
    left = --stream->references;
    pthread_mutex_unlock(&stream->lock);
    if (left != 0)
        return;
    pthread_mutex_destroy(&stream->lock);
    buf_release(&stream->bytes);
    mem_free(stream);
}

/* With the stream's lock held. */
static void stream_resume(struct http_stream *stream)
{
    if (!stream->is_waiting)
        return;
    stream->is_waiting = false;
    MHD_resume_connection(stream->mhd);
}

/* With the lock held. Bytes for the connection, or what there is to say instead. */
static ssize_t stream_take(struct http_stream *stream, char *out, size_t room, bool *wakes)
{
    size_t left = stream->bytes.size - stream->sent;
    size_t size = left < room ? left : room;

    if (left == 0 && stream->is_ended)
        return stream->is_cut ? MHD_CONTENT_READER_END_WITH_ERROR
                              : MHD_CONTENT_READER_END_OF_STREAM;
    if (left == 0) {
        stream->is_waiting = true;
        MHD_suspend_connection(stream->mhd);
        return 0;
    }
    memcpy(out, stream->bytes.data + stream->sent, size);
    stream->sent += size;
    if (stream->sent == stream->bytes.size) {
        buf_clear(&stream->bytes);
        stream->sent = 0;
        *wakes = !stream->is_ended;
        stream->is_full = false;
    }
    return (ssize_t)size;
}

static ssize_t stream_read(void *cls, uint64_t at, char *out, size_t room)
{
    struct http_stream *stream = cls;
    bool wakes = false;
    ssize_t size;

    (void)at;
    pthread_mutex_lock(&stream->lock);
    size = stream_take(stream, out, room, &wakes);
    pthread_mutex_unlock(&stream->lock);
    if (size > 0)
        atomic_fetch_add(&stream->http->figure_bytes_out, (unsigned long long)size);
    if (wakes && stream->wake != NULL)
        stream->wake(stream->context);
    return size;
}

/* libmicrohttpd is done with the answer: sent, or the connection broke. */
static void stream_gone(void *cls)
{
    struct http_stream *stream = cls;
    struct http *http = stream->http;
    bool is_ended;

    pthread_mutex_lock(&http->lock);
    if (stream->previous != NULL)
        stream->previous->next = stream->next;
    else
        http->streams = stream->next;
    if (stream->next != NULL)
        stream->next->previous = stream->previous;
    http->stream_count--;
    pthread_mutex_unlock(&http->lock);
    pthread_mutex_lock(&stream->lock);
    stream->is_gone = true;
    is_ended = stream->is_ended;
    pthread_mutex_unlock(&stream->lock);
    if (!is_ended && stream->wake != NULL)
        stream->wake(stream->context);
    stream_release(stream);
}

/* Puts it into the server's list; false if there is no place. */
static bool stream_enlist(struct http *http, struct http_stream *stream)
{
    bool ok;

    pthread_mutex_lock(&http->lock);
    ok = !http->is_closing && http->stream_count < HTTP_STREAMS_MAX;
    if (ok) {
        http->stream_count++;
        stream->next = http->streams;
        if (stream->next != NULL)
            stream->next->previous = stream;
        http->streams = stream;
    }
    pthread_mutex_unlock(&http->lock);
    return ok;
}

struct http_stream *http_respond_stream(struct http_exchange *exchange,
                                        const struct http_stream_options *options)
{
    struct http_stream *stream = mem_alloc(sizeof *stream);
    struct err busy = ERR_INIT;

    stream->http = exchange->http;
    stream->mhd = exchange->mhd;
    stream->wake = options->wake;
    stream->context = options->context;
    stream->bytes.max = options->bytes_max;
    stream->references = 2;
    CHECK(pthread_mutex_init(&stream->lock, NULL) == 0);
    if (!stream_enlist(exchange->http, stream)) {
        stream->references = 1;
        stream_release(stream);
        (void)err_set(&busy, ERR_TIMEOUT, "the server has no place for one more stream");
        http_respond_err(exchange, &busy);
        return NULL;
    }
    http_respond_with(exchange, MHD_HTTP_OK, options->type,
                      MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, PIECE_BYTES, stream_read,
                                                        stream, stream_gone));
    return stream;
}

/* With the lock held: moves what is not sent to the front, so that the ceiling is for that alone.
 */
static void stream_compact(struct http_stream *stream)
{
    if (stream->sent == 0)
        return;
    memmove(stream->bytes.data, stream->bytes.data + stream->sent,
            stream->bytes.size - stream->sent);
    stream->bytes.size -= stream->sent;
    stream->sent = 0;
}

bool http_stream_write(struct http_stream *stream, struct span bytes)
{
    struct err ignored = ERR_INIT;
    bool ok;

    pthread_mutex_lock(&stream->lock);
    ok = !stream->is_gone && !stream->is_ended;
    if (ok && bytes.size > stream->bytes.max - stream->bytes.size)
        stream_compact(stream);
    ok = ok && buf_append(&stream->bytes, bytes.data, bytes.size, &ignored);
    stream->is_full = !ok;
    if (ok)
        stream_resume(stream);
    pthread_mutex_unlock(&stream->lock);
    return ok;
}

size_t http_stream_room(struct http_stream *stream)
{
    size_t room;

    pthread_mutex_lock(&stream->lock);
    room = stream->bytes.max - (stream->bytes.size - stream->sent);
    pthread_mutex_unlock(&stream->lock);
    return room;
}

bool http_stream_is_gone(struct http_stream *stream)
{
    bool is_gone;

    pthread_mutex_lock(&stream->lock);
    is_gone = stream->is_gone || stream->is_ended;
    pthread_mutex_unlock(&stream->lock);
    return is_gone;
}

void http_stream_end(struct http_stream *stream, bool cut)
{
    pthread_mutex_lock(&stream->lock);
    if (cut) {
        buf_clear(&stream->bytes);
        stream->sent = 0;
    }
    stream->is_cut = stream->is_cut || cut;
    stream->is_ended = true;
    /* No more calls to a writer that has gone. */
    if (!stream->is_gone)
        stream_resume(stream);
    pthread_mutex_unlock(&stream->lock);
    stream_release(stream);
}

void http_streams_close(struct http *http)
{
    pthread_mutex_lock(&http->lock);
    for (struct http_stream *stream = http->streams; stream != NULL; stream = stream->next) {
        pthread_mutex_lock(&stream->lock);
        stream->is_ended = true;
        stream->is_cut = true;
        stream_resume(stream);
        pthread_mutex_unlock(&stream->lock);
    }
    pthread_mutex_unlock(&http->lock);
}
