/* line.h — an agent's conversation with its coordinator as the service sees it: what link.h does
 * over the network, or what a test plays. */
#ifndef THAW_AGENT_FARM_LINE_H
#define THAW_AGENT_FARM_LINE_H

#include "agent/farm/link.h"

/* The functions mean what those of link.h mean. */
struct line_operations {
    bool (*send)(void *context, const struct message *request, uint32_t timeout_ms,
                 struct err *err);
    enum link_state (*turn)(void *context, struct message *answer, struct err *err);
    int (*fd)(void *context); /* -1: none */
    uint64_t (*deadline_ns)(void *context);
    void (*cancel)(void *context);
    void (*close)(void *context);
};
struct line {
    const struct line_operations *operations;
    void *context;
};

/* Opens a line of a channel, in the process that will use it. */
struct line_opener {
    bool (*open)(void *context, enum seal_channel channel, struct line *out, struct err *err);
    void *context;
};
/* The real one: context is a struct link_options, whose channel is filled in. */
bool line_open_link(void *options, enum seal_channel channel, struct line *out, struct err *err);

#endif
