/* gateway_frame.h — private to the gateway's two ends: frames over a stream socket, never waiting.
 */
#ifndef THAW_COORDINATOR_GATEWAY_FRAME_H
#define THAW_COORDINATOR_GATEWAY_FRAME_H

#include "coordinator/gateway.h"

enum frame_kind {
    FRAME_REQUEST = 1, /* of an agent */
    FRAME_ANSWER = 2,  /* to an agent */
    FRAME_FIGURES = 3, /* of the gateway, every second: it lives */
    FRAME_FAILED = 4,  /* the gateway cannot serve: the text says why */
};

struct frame {
    enum frame_kind kind;
    struct span route;
    struct span bytes;
};

struct frame_stream {
    int fd; /* non-blocking; owned; -1: closed */
    struct buf in, out;
    size_t in_at, out_at; /* what is done with already */
};

void frame_stream_init(struct frame_stream *stream, int fd, size_t out_max);
/* Closes it and forgets what was under way. */
void frame_stream_release(struct frame_stream *stream);
/* Puts a frame into the queue. False if that would be over its maximum. */
bool frame_put(struct frame_stream *stream, const struct frame *frame);
size_t frame_waiting(const struct frame_stream *stream); /* bytes to be written */
/* Writes what goes. Fails when the other end is gone. */
bool frame_flush(struct frame_stream *stream, struct err *err);
/* Reads what is there and fits. Fails when the other end is gone and nothing was read. */
bool frame_fill(struct frame_stream *stream, struct err *err);
/* The next whole frame; *got is false if there is none yet. Its spans live until the next
 * frame_fill. Fails if the bytes are no frame. */
bool frame_take(struct frame_stream *stream, struct frame *out, bool *got, struct err *err);

/* Whether frame_take would say something. */
bool frame_ready(const struct frame_stream *stream);

void figures_store(const struct gateway_figures *figures, struct buf *out);
bool figures_load(struct span bytes, struct gateway_figures *out);

#endif
