#include "agent/farm/mover.h"

#include "storage/base/check.h"

#include <errno.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct queue {
    struct move *first, **last;
};

struct mover {
    struct depot *depot; /* the thread's */
    pthread_t thread;
    int fd;
    pthread_mutex_t mutex; /* guards all below */
    pthread_cond_t change;
    struct queue waiting, done;
    bool stop;
};

static void put(struct queue *queue, struct move *move)
{
    move->next = NULL;
    *queue->last = move;
    queue->last = &move->next;
}

static struct move *take(struct queue *queue)
{
    struct move *move = queue->first;

    if (move == NULL)
        return NULL;
    queue->first = move->next;
    if (queue->first == NULL)
        queue->last = &queue->first;
    return move;
}

static void *serve(void *context)
{
    struct mover *mover = context;
    const uint64_t one = 1;

    pthread_mutex_lock(&mover->mutex);
    while (!mover->stop) {
        struct move *move = take(&mover->waiting);
        if (move == NULL) {
            pthread_cond_wait(&mover->change, &mover->mutex);
            continue;
        }
        pthread_mutex_unlock(&mover->mutex);
        move->work(move, mover->depot);
        pthread_mutex_lock(&mover->mutex);
        put(&mover->done, move);
        CHECK(write(mover->fd, &one, sizeof one) == (ssize_t)sizeof one);
    }
    pthread_mutex_unlock(&mover->mutex);
    return NULL;
}

bool mover_open(const char *store_location, const struct remote_options *address,
                struct mover **out, struct err *err)
{
    struct mover *mover = mem_alloc(sizeof *mover);
    int code;

    mover->waiting.last = &mover->waiting.first;
    mover->done.last = &mover->done.first;
    CHECK(pthread_mutex_init(&mover->mutex, NULL) == 0);
    CHECK(pthread_cond_init(&mover->change, NULL) == 0);
    mover->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (mover->fd < 0) {
        err_set_errno(err, errno, "cannot make an event descriptor");
        goto fail;
    }
    if (!depot_open(store_location, address, &mover->depot, err))
        goto fail;
    code = pthread_create(&mover->thread, NULL, serve, mover);
    if (code == 0) {
        *out = mover;
        return true;
    }
    err_set_errno(err, code, "cannot start a thread");
fail:
    depot_close(mover->depot);
    if (mover->fd >= 0)
        close(mover->fd);
    mem_free(mover);
    return false;
}

void mover_give(struct mover *mover, struct move *move)
{
    pthread_mutex_lock(&mover->mutex);
    put(&mover->waiting, move);
    pthread_cond_signal(&mover->change);
    pthread_mutex_unlock(&mover->mutex);
}

int mover_fd(const struct mover *mover)
{
    return mover->fd;
}

struct move *mover_done(struct mover *mover)
{
    struct move *move;
    uint64_t count;

    (void)!read(mover->fd, &count, sizeof count);
    pthread_mutex_lock(&mover->mutex);
    move = take(&mover->done);
    pthread_mutex_unlock(&mover->mutex);
    return move;
}

void mover_close(struct mover *mover, void (*forget)(struct move *move))
{
    struct move *move;

    if (mover == NULL)
        return;
    pthread_mutex_lock(&mover->mutex);
    mover->stop = true;
    pthread_cond_signal(&mover->change);
    pthread_mutex_unlock(&mover->mutex);
    CHECK(pthread_join(mover->thread, NULL) == 0);
    while ((move = take(&mover->waiting)) != NULL || (move = take(&mover->done)) != NULL)
        forget(move);
    depot_close(mover->depot);
    close(mover->fd);
    pthread_cond_destroy(&mover->change);
    pthread_mutex_destroy(&mover->mutex);
    mem_free(mover);
}
