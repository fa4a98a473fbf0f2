#include "agent/farm/line.h"

static bool send_on(void *context, const struct message *request, uint32_t timeout_ms,
                    struct err *err)
{
    return link_send(context, request, timeout_ms, err);
}

static enum link_state turn(void *context, struct message *answer, struct err *err)
{
    return link_turn(context, answer, err);
}

static int fd_of(void *context)
{
    return link_fd(context);
}

static uint64_t deadline_of(void *context)
{
    return link_deadline_ns(context);
}

static void cancel(void *context)
{
    link_cancel(context);
}

static void end(void *context)
{
    link_close(context);
}

bool line_open_link(void *options, enum seal_channel channel, struct line *out, struct err *err)
{
    static const struct line_operations operations = {send_on,     turn,   fd_of,
                                                      deadline_of, cancel, end};
    const struct link_options *common = options;
    struct link_options own = *common;
    struct link *link;

    own.channel = channel;
    if (!link_open(&own, &link, err))
        return false;
    *out = (struct line){&operations, link};
    return true;
}
