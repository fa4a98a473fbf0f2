#include "coordinator/api.h"

#include "storage/base/check.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

bool mailbox_open(struct mailbox *mailbox, struct err *err)
{
    *mailbox = (struct mailbox){.first = NULL};
    mailbox->last = &mailbox->first;
    CHECK(pthread_mutex_init(&mailbox->lock, NULL) == 0);
    mailbox->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return mailbox->wake >= 0 || err_set_errno(err, errno, "eventfd");
}

void mailbox_close(struct mailbox *mailbox)
{
    if (mailbox->wake >= 0)
        close(mailbox->wake);
    pthread_mutex_destroy(&mailbox->lock);
}

void mailbox_wake(struct mailbox *mailbox)
{
    const uint64_t one = 1;
    /* Full means: readable already. */
    ssize_t written = write(mailbox->wake, &one, sizeof one);

    (void)written;
}

struct api_request *mailbox_take(struct mailbox *mailbox, size_t max)
{
    struct api_request *taken, *end = NULL;
    uint64_t ignored;
    ssize_t got;
    bool more;

    pthread_mutex_lock(&mailbox->lock);
    got = read(mailbox->wake, &ignored, sizeof ignored);
    (void)got;
    taken = mailbox->first;
    for (struct api_request *at = taken; at != NULL && max != 0; at = at->next, max--) {
        end = at;
        mailbox->count--;
    }
    if (end != NULL) {
        mailbox->first = end->next;
        end->next = NULL;
    }
    more = mailbox->first != NULL;
    if (!more)
        mailbox->last = &mailbox->first;
    pthread_mutex_unlock(&mailbox->lock);
    if (more)
        mailbox_wake(mailbox);
    return taken;
}

struct api_request *mailbox_shut(struct mailbox *mailbox)
{
    struct api_request *left;

    pthread_mutex_lock(&mailbox->lock);
    mailbox->is_closed = true;
    left = mailbox->first;
    mailbox->first = NULL;
    mailbox->last = &mailbox->first;
    mailbox->count = 0;
    pthread_mutex_unlock(&mailbox->lock);
    return left;
}

/* Suspends and posts in one step, so that nobody is left behind when the mailbox is shut. False: it
 * is shut. */
static bool mailbox_post(struct mailbox *mailbox, struct api_request *request)
{
    bool ok;

    pthread_mutex_lock(&mailbox->lock);
    ok = !mailbox->is_closed && http_suspend(request->exchange);
    if (ok) {
        *mailbox->last = request;
        mailbox->last = &request->next;
        mailbox->count++;
    }
    pthread_mutex_unlock(&mailbox->lock);
    if (ok)
        mailbox_wake(mailbox);
    return ok;
}

static void request_free(struct api_request *request)
{
    if (request->prepared != NULL && request->call->release != NULL)
        request->call->release(request->prepared);
    buf_release(&request->body);
    mem_free(request);
}

void api_post(struct mailbox *mailbox, struct http_exchange *exchange)
{
    struct api_request *request = mem_alloc(sizeof *request);
    struct err err = ERR_INIT;

    request->exchange = exchange;
    request->call = http_request_route(exchange)->data;
    request->body = (struct buf)BUF_INIT(API_ANSWER_MAX);
    if (request->call->prepare != NULL && !request->call->prepare(request, &err)) {
        http_respond_err(exchange, &err);
        request_free(request);
        return;
    }
    if (mailbox_post(mailbox, request))
        return;
    if (!http_has_responded(exchange)) {
        (void)err_set(&err, ERR_TIMEOUT, "the coordinator is being stopped");
        http_respond_err(exchange, &err);
    }
    request_free(request);
}

struct json_writer *api_json(struct api_request *request, unsigned status)
{
    request->status = status;
    request->type = "application/json";
    request->writer = json_writer(&request->body, false, &request->err);
    return &request->writer;
}

enum api_outcome api_json_end(struct api_request *request, struct err *err)
{
    if (json_writer_ok(&request->writer))
        return API_ANSWERED;
    *err = request->err;
    return API_FAILED;
}

void api_fail(struct api_request *request, const struct err *err)
{
    request->is_failed = true;
    request->err = *err;
}

void api_send(struct api_request *request)
{
    struct http_exchange *exchange = request->exchange;

    if (request->is_failed && !request->is_streaming)
        http_respond_err(exchange, &request->err);
    else if (!request->is_streaming)
        http_respond_take(exchange, request->status, request->type, &request->body);
    request_free(request);
    http_resume(exchange);
}

bool api_number(const char *text, const char *name, uint64_t *out, struct err *err)
{
    uint64_t value = 0;
    const char *at = text;

    for (; *at >= '0' && *at <= '9'; at++) {
        if (value > (INT64_MAX - 9) / 10)
            return err_set(err, ERR_INVALID, "%s: %.40s is too large", name, text);
        value = value * 10 + (uint64_t)(*at - '0');
    }
    if (at == text || *at != 0)
        return err_set(err, ERR_INVALID, "%s: \"%.40s\" is no number", name, text);
    *out = value;
    return true;
}

bool api_query_number(const struct api_request *request, const char *name, struct api_bounds bounds,
                      uint64_t *out, struct err *err)
{
    const char *text = http_query(request->exchange, name);

    *out = bounds.otherwise;
    if (text == NULL)
        return true;
    if (!api_number(text, name, out, err))
        return false;
    return *out <= bounds.max ||
           err_set(err, ERR_INVALID, "%s is at most %" PRIu64, name, bounds.max);
}

bool api_param_number(const struct api_request *request, const char *name, uint64_t *out,
                      struct err *err)
{
    return api_number(http_param(request->exchange, name), name, out, err);
}
