#include "storage/packer.h"

#include "storage/base/check.h"

#include <string.h>

#define THREADS   2
#define QUEUE_MAX 6 /* frames waiting or in work: bounds the memory of a freeze */

struct job {
    struct frame *frame;
    uint64_t number; /* its place in the pack */
    struct job *next;
};

struct packer {
    struct directory *directory;
    pthread_t threads[THREADS];
    size_t thread_count;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    /* Guarded by the mutex: */
    struct job *first, *last; /* waiting */
    uint64_t given;           /* frames so far */
    uint64_t written;         /* the number of the frame whose turn it is to be written */
    bool ending;
    bool failed;
    struct err err;
    struct frame *idle[QUEUE_MAX + 8];
    size_t idle_count;
    struct pack_writer *writer; /* used by whose turn it is */
};

struct packer *packer_new(struct directory *directory)
{
    struct packer *packer = mem_alloc(sizeof *packer);

    packer->directory = directory;
    CHECK(pthread_mutex_init(&packer->mutex, NULL) == 0);
    CHECK(pthread_cond_init(&packer->changed, NULL) == 0);
    return packer;
}

struct frame *packer_frame(struct packer *packer)
{
    struct frame *frame = NULL;

    pthread_mutex_lock(&packer->mutex);
    if (packer->idle_count != 0)
        frame = packer->idle[--packer->idle_count];
    pthread_mutex_unlock(&packer->mutex);
    if (frame == NULL)
        frame = mem_alloc(sizeof *frame);
    frame_clear(frame);
    return frame;
}

static void drop_locked(struct packer *packer, struct frame *frame)
{
    if (packer->idle_count < sizeof packer->idle / sizeof packer->idle[0])
        packer->idle[packer->idle_count++] = frame;
    else
        mem_free(frame);
}

void packer_drop_frame(struct packer *packer, struct frame *frame)
{
    pthread_mutex_lock(&packer->mutex);
    drop_locked(packer, frame);
    pthread_mutex_unlock(&packer->mutex);
}

/* A base that cannot be read is no reason to lose the new state. */
static void fetch_bases(struct packer *packer, struct frame *frame)
{
    struct err ignored = ERR_INIT;

    if (directory_fill_prefix(packer->directory, frame, &ignored))
        return;
    frame->prefix_size = 0;
    for (size_t i = 0; i < frame->count; i++)
        memset(&frame->chunks[i].base, 0, sizeof frame->chunks[i].base);
}

static bool write_frame(struct packer *packer, const struct frame *frame, struct span packed,
                        struct err *err)
{
    if (packer->writer == NULL &&
        !pack_writer_new(packer->directory->temp_folder, &packer->writer, err))
        return false;
    return pack_writer_add(packer->writer, frame, packed, err);
}

/* Called with the mutex held: waits for the job's turn, writes without the mutex, passes the turn
 * on. */
static void take_turn(struct packer *packer, const struct job *job, struct span packed)
{
    struct err err = ERR_INIT;
    bool ok;

    while (packer->written != job->number)
        pthread_cond_wait(&packer->changed, &packer->mutex);
    if (!packer->failed) {
        pthread_mutex_unlock(&packer->mutex);
        ok = write_frame(packer, job->frame, packed, &err);
        pthread_mutex_lock(&packer->mutex);
        if (!ok) {
            packer->failed = true;
            packer->err = err;
        }
    }
    packer->written++;
    pthread_cond_broadcast(&packer->changed);
}

/* Called with the mutex held. NULL: there is nothing more to do. */
static struct job *next_job(struct packer *packer)
{
    struct job *job;

    while (packer->first == NULL && !packer->ending)
        pthread_cond_wait(&packer->changed, &packer->mutex);
    job = packer->first;
    if (job != NULL)
        packer->first = job->next;
    return job;
}

static void *work(void *context)
{
    struct packer *packer = context;
    struct frame_coder *coder = frame_coder_new(packer->directory->level);
    uint8_t *packed = mem_alloc(FRAME_PACKED_MAX);
    struct job *job;

    pthread_mutex_lock(&packer->mutex);
    while ((job = next_job(packer)) != NULL) {
        size_t size;
        pthread_mutex_unlock(&packer->mutex);
        fetch_bases(packer, job->frame);
        size = frame_encode(coder, job->frame, packed);
        pthread_mutex_lock(&packer->mutex);
        take_turn(packer, job, (struct span){packed, size});
        drop_locked(packer, job->frame);
        mem_free(job);
    }
    pthread_mutex_unlock(&packer->mutex);
    mem_free(packed);
    frame_coder_free(coder);
    return NULL;
}

/* One does, and where there is none at all whoever adds a frame does the work. */
static void start_threads(struct packer *packer)
{
    while (packer->thread_count < THREADS &&
           pthread_create(&packer->threads[packer->thread_count], NULL, work, packer) == 0)
        packer->thread_count++;
}

static void work_alone(struct packer *packer)
{
    packer->ending = true;
    (void)work(packer);
    packer->ending = false;
}

bool packer_add(struct packer *packer, struct frame *frame, struct err *err)
{
    struct job *job;
    bool ok;

    if (packer->thread_count == 0)
        start_threads(packer);
    job = mem_alloc(sizeof *job);
    pthread_mutex_lock(&packer->mutex);
    while (packer->given - packer->written >= QUEUE_MAX)
        pthread_cond_wait(&packer->changed, &packer->mutex);
    *job = (struct job){frame, packer->given++, NULL};
    if (packer->first == NULL)
        packer->first = job;
    else
        packer->last->next = job;
    packer->last = job;
    pthread_cond_broadcast(&packer->changed);
    pthread_mutex_unlock(&packer->mutex);
    if (packer->thread_count == 0)
        work_alone(packer);
    pthread_mutex_lock(&packer->mutex);
    ok = !packer->failed;
    if (!ok)
        *err = packer->err;
    pthread_mutex_unlock(&packer->mutex);
    return ok;
}

static void join(struct packer *packer)
{
    pthread_mutex_lock(&packer->mutex);
    packer->ending = true;
    pthread_cond_broadcast(&packer->changed);
    pthread_mutex_unlock(&packer->mutex);
    for (size_t i = 0; i < packer->thread_count; i++)
        CHECK(pthread_join(packer->threads[i], NULL) == 0);
    packer->thread_count = 0;
}

bool packer_keep(struct packer *packer, struct err *err)
{
    join(packer);
    if (packer->failed) {
        *err = packer->err;
        return false;
    }
    return packer->writer == NULL ||
           pack_writer_keep(packer->writer, packer->directory->packs_folder, err);
}

const char *packer_name(const struct packer *packer)
{
    return packer->writer == NULL ? "" : pack_writer_name(packer->writer);
}

void packer_free(struct packer *packer)
{
    if (packer == NULL)
        return;
    join(packer);
    pack_writer_free(packer->writer);
    for (size_t i = 0; i < packer->idle_count; i++)
        mem_free(packer->idle[i]);
    pthread_cond_destroy(&packer->changed);
    pthread_mutex_destroy(&packer->mutex);
    mem_free(packer);
}
