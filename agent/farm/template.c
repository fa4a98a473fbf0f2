#include "agent/farm/template.h"

#include "agent/farm/child.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define REQUEST_HEAD offsetof(struct spawner_request, order.blobs)

bool spawner_request_send(int channel, const struct spawner_request *request, int fd,
                          struct err *err)
{
    struct span bytes = {(const uint8_t *)request,
                         REQUEST_HEAD + request->order.blob_count * sizeof(struct hash)};

    return channel_send(channel, bytes, fd, err);
}

bool spawner_request_receive(int channel, struct spawner_request *out, int *fd, struct err *err)
{
    struct channel_message message = {.bytes = out, .room = sizeof *out};

    *fd = -1;
    if (!channel_receive(channel, &message, err))
        return false;
    if (message.size == 0)
        return err_set(err, ERR_CONFLICT, "the channel is closed");
    *fd = message.fd;
    if (message.size >= REQUEST_HEAD && out->order.blob_count <= JOB_SPEC_BLOBS_MAX &&
        message.size == REQUEST_HEAD + out->order.blob_count * sizeof(struct hash))
        return true;
    if (*fd >= 0)
        close(*fd);
    return err_set(err, ERR_INVALID, "a request of %zu bytes to a spawner", message.size);
}

bool spawner_event_send(int channel, const struct brood_event *event, struct err *err)
{
    struct span bytes = {(const uint8_t *)event, sizeof *event};

    return channel_send(channel, bytes, -1, err);
}

bool spawner_event_receive(int channel, struct brood_event *out, struct err *err)
{
    struct channel_message message = {.bytes = out, .room = sizeof *out};

    if (!channel_receive(channel, &message, err))
        return false;
    if (message.size == 0)
        return err_set(err, ERR_CONFLICT, "the channel is closed");
    if (message.fd >= 0)
        close(message.fd);
    out->text[sizeof out->text - 1] = 0;
    return message.size == sizeof *out ||
           err_set(err, ERR_INVALID, "an event of %zu bytes", message.size);
}

struct template
{
    const struct worker_place *place;
    const struct hash *checkpoint;
    int channel;
    int signals;
    struct store *store;
    struct image_cache *cache;
    struct session session;
    struct brood brood;
};

static void tell(void *context, const struct brood_event *event)
{
    struct template *template = context;
    struct err ignored = ERR_INIT;

    /* A spawner that is gone takes us along. */
    (void)spawner_event_send(template->channel, event, &ignored);
}

static bool check_size(const struct template *template, struct err *err)
{
    const struct machine *machine = template->session.machine;
    uint64_t most = template->place->machine_bytes, total = 0;

    for (uint32_t i = 0; i < machine->object_count; i++)
        for (uint32_t k = 0; k < machine->objects[i]->model->schema->image_count; k++)
            total += machine->objects[i]->images[k]->size;
    return most == 0 || total <= most ||
           err_set(err, ERR_TOO_BIG,
                   "the machine has %llu MiB of memory and disks, this agent runs at most %llu MiB",
                   (unsigned long long)(total >> 20), (unsigned long long)(most >> 20));
}

static bool thaw(struct template *template, struct err *err)
{
    struct image_cache_options cache = {.max_bytes = template->place->cache_bytes};

    session_init(&template->session, NULL, NULL);
    if (!store_open(template->place->store, NULL, &template->store, err) ||
        !image_cache_new(template->store, &cache, &template->cache, err))
        return false;
    template->session.store = template->store;
    template->session.cache = template->cache;
    return session_thaw(&template->session, hash_hex(template->checkpoint).text, err) &&
           check_size(template, err);
}

/* False: the channel is closed. */
static bool obey(struct template *template)
{
    struct spawner_request request;
    struct err err = ERR_INIT;
    int fd;

    if (!spawner_request_receive(template->channel, &request, &fd, &err))
        return false;
    if (request.ask == SPAWNER_CANCEL) {
        (void)brood_cancel(&template->brood, request.order.token);
    } else if (!brood_start(&template->brood, template->place, &request.order, &template->session,
                            fd, &err)) {
        struct brood_event event = {.token = request.order.token, .end = BROOD_LOST};
        outcome_text(event.text, sizeof event.text - 1, span_of_text(err.text));
        tell(template, &event);
    }
    if (fd >= 0)
        close(fd);
    return true;
}

static void serve(struct template *template)
{
    const struct brood_watch watch = {.ended = tell, .context = template};
    bool open = true;

    while (open) {
        struct pollfd polled[] = {{template->channel, POLLIN, 0}, {template->signals, POLLIN, 0}};
        if (poll(polled, 2, brood_timeout_ms(&template->brood)) < 0 && errno != EINTR)
            return;
        if (polled[1].revents != 0 && child_signal_taken(template->signals, SIGCHLD))
            brood_reap(&template->brood, &watch);
        if (polled[0].revents != 0)
            open = obey(template);
        brood_guard(&template->brood);
    }
}

int template_run(const struct worker_place *place, const struct hash *checkpoint, int channel)
{
    static const int signals[] = {SIGCHLD};
    struct template template = {
        .place = place, .checkpoint = checkpoint, .channel = channel, .signals = -1};
    struct err err = ERR_INIT;
    bool ok = child_signals(signals, 1, &template.signals, &err) && thaw(&template, &err);

    if (ok) {
        serve(&template);
    } else {
        struct brood_event event = {.end = BROOD_LOST};
        outcome_text(event.text, sizeof event.text - 1, span_of_text(err.text));
        tell(&template, &event);
    }
    brood_release(&template.brood);
    return ok ? 0 : 1;
}
