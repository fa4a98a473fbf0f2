#include "agent/verify/host.h"

#include "agent/runner.h"
#include "agent/verify/history.h"
#include "agent/verify/host_memory.h"
#include "agent/verify/look.h"
#include "storage/base/file.h"
#include "storage/base/program.h"
#include "storage/bundle.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#define REQUEST_MAX (INPUT_BYTES_MAX + 65536u)

struct verify_host {
    struct store *store;
    struct image_cache *cache;
    struct session session;
    bool in_session; /* session_init was called since session_release */
    bool scripted;   /* the session is somebody else's, and thawed */
    struct history *history;
    struct input_list inputs;
    struct input_place place;
    enum verify_stop stop;
    uint64_t run_ns, digest_ns;
    struct buf answer; /* what an answer's bytes point to */
    char text[VERIFY_TEXT_MAX];
};

/* One request; fills in the answer. */
typedef bool handler(struct verify_host *host, const struct verify_message *request,
                     struct verify_message *answer, struct err *err);

static void answer_text(struct verify_host *host, struct verify_message *answer)
{
    answer->text = span_of_text(host->text);
}

static bool hello(struct verify_host *host, const struct verify_message *request,
                  struct verify_message *answer, struct err *err)
{
    struct utsname name;

    if (request->value_count == 0 || request->values[0] != VERIFY_VERSION)
        return err_set(err, ERR_UNSUPPORTED, "this build speaks version %d of verify's protocol",
                       VERIFY_VERSION);
    if (uname(&name) != 0)
        return err_set_errno(err, errno, "cannot tell what host this is");
    snprintf(host->text, sizeof host->text, "%s %s", name.sysname, program_arch());
    answer->value_count = HELLO_COUNT;
    answer->values[HELLO_VERSION] = VERIFY_VERSION;
    answer->values[HELLO_BITS] = sizeof(void *) * 8;
    answer->values[HELLO_BIG_ENDIAN] = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__;
    answer->bytes = span_of_text(THAW_VERSION);
    answer_text(host, answer);
    return true;
}

static void drop_machine(struct verify_host *host)
{
    history_free(host->history);
    host->history = NULL;
    if (host->in_session)
        session_release(&host->session);
    host->in_session = false;
}

static void drop_store(struct verify_host *host)
{
    drop_machine(host);
    image_cache_free(host->cache);
    host->cache = NULL;
    store_close(host->store);
    host->store = NULL;
}

static bool open_store(struct verify_host *host, const struct verify_message *request,
                       struct verify_message *answer, struct err *err)
{
    struct store_options options = {.create = true};
    struct image_cache_options cache = {NULL, 0};
    char folder[VERIFY_TEXT_MAX];

    (void)answer;
    drop_store(host);
    verify_text(request->text, host->text, sizeof host->text);
    verify_text(request->bytes, folder, sizeof folder);
    if (folder[0] != 0)
        cache.folder = folder;
    return store_open(host->text, &options, &host->store, err) &&
           image_cache_new(host->store, &cache, &host->cache, err);
}

static bool take_inputs(struct verify_host *host, const struct verify_message *request,
                        struct verify_message *answer, struct err *err)
{
    struct input_list list = {NULL, 0, BUF_INIT(INPUT_BYTES_MAX)};

    (void)answer;
    if (!input_list_read(request->bytes, &list, err))
        return false;
    input_list_release(&host->inputs);
    host->inputs = list;
    return true;
}

static bool digest(struct verify_host *host, struct verify_message *answer,
                   struct checkpoint_ids *ids, struct err *err)
{
    uint64_t start = clock_monotonic_ns(&clock_host);

    host->answer.size = 0;
    if (!machine_digest(host->session.machine, ids, err) ||
        !buf_append(&host->answer, ids->state_id.bytes, HASH_SIZE, err))
        return false;
    host->digest_ns = clock_monotonic_ns(&clock_host) - start;
    answer->bytes = buf_span(&host->answer);
    return true;
}

static void answer_place(const struct verify_host *host, struct verify_message *answer)
{
    answer->value_count = PLACE_COUNT;
    answer->values[PLACE_AT] = machine_instructions(host->session.machine);
    answer->values[PLACE_STOP] = host->stop;
    answer->values[PLACE_INPUT] = host->place.index;
    answer->values[PLACE_INPUT_AT] = host->place.offset;
    answer->values[PLACE_RUN_NS] = host->run_ns;
    answer->values[PLACE_DIGEST_NS] = host->digest_ns;
    answer->values[PLACE_VIRTUAL_NS] = machine_virtual_ns(host->session.machine);
}

static bool need_store(const struct verify_host *host, struct err *err)
{
    if (host->store == NULL)
        return err_set(err, ERR_USAGE, "no store was opened");
    return true;
}

static bool need_machine(const struct verify_host *host, struct err *err)
{
    if (host->history == NULL)
        return err_set(err, ERR_USAGE, "no machine was thawed");
    return true;
}

static bool fits(struct verify_host *host, const char *name, struct err *err)
{
    struct buf bytes = BUF_INIT(MANIFEST_BYTES_MAX);
    struct manifest_parts parts;
    struct hash id;
    bool ok = store_resolve(host->store, name, &id, err) &&
              store_manifest_get(host->store, &id, &bytes, err) &&
              manifest_split(buf_span(&bytes), &parts, err) &&
              host_memory_check(&parts, host_memory_limit(), err);

    buf_release(&bytes);
    return ok || err_wrap(err, "checkpoint %s", name);
}

/* The machine, thawed; of a script it is already. */
static bool begin(struct verify_host *host, struct err *err)
{
    if (host->scripted) {
        if (host->history != NULL)
            return err_set(err, ERR_USAGE, "a script thaws once");
        return strcmp(host->text, hash_hex(&host->session.parent).text) == 0 ||
               err_set(err, ERR_USAGE, "the script is of another checkpoint than its job");
    }
    drop_machine(host);
    if (!need_store(host, err) || !fits(host, host->text, err))
        return false;
    session_init(&host->session, host->store, host->cache);
    host->in_session = true;
    return session_thaw(&host->session, host->text, err);
}

static bool thaw(struct verify_host *host, const struct verify_message *request,
                 struct verify_message *answer, struct err *err)
{
    uint64_t start = clock_monotonic_ns(&clock_host);
    struct checkpoint_ids ids;

    verify_text(request->text, host->text, sizeof host->text);
    host->place = (struct input_place){0, 0};
    if (request->value_count == 2)
        host->place = (struct input_place){request->values[0], request->values[1]};
    if (host->place.index < host->inputs.count &&
        host->place.offset > host->inputs.items[host->place.index].bytes.size)
        return err_set(err, ERR_INVALID, "no such place in the inputs");
    if (!begin(host, err) || !digest(host, answer, &ids, err) ||
        !buf_append(&host->answer, ids.checkpoint_id.bytes, HASH_SIZE, err) ||
        !history_new(host->session.machine, host->cache, &host->place, &host->history, err))
        return false;
    answer->bytes = buf_span(&host->answer);
    host->stop = VERIFY_STOP_MARK;
    host->run_ns = clock_monotonic_ns(&clock_host) - start;
    answer_place(host, answer);
    return true;
}

static bool run(struct verify_host *host, const struct verify_message *request,
                struct verify_message *answer, struct err *err)
{
    uint64_t start = clock_monotonic_ns(&clock_host);
    struct checkpoint_ids ids;

    if (!need_machine(host, err))
        return false;
    if (request->value_count != RUN_COUNT)
        return err_set(err, ERR_INVALID, "run: how far?");
    struct input_run how = {host->session.machine, runner_console(&host->session), &host->inputs,
                            &host->place};
    if (!input_run(&how, request->values[RUN_TO], &host->stop, err))
        return false;
    host->run_ns = clock_monotonic_ns(&clock_host) - start;
    if (!digest(host, answer, &ids, err))
        return false;
    history_mark(host->history, request->values[RUN_TO], &host->place);
    history_settle(host->history, request->values[RUN_SETTLED]);
    host->digest_ns = clock_monotonic_ns(&clock_host) - start - host->run_ns;
    answer_place(host, answer);
    return true;
}

static bool restore(struct verify_host *host, const struct verify_message *request,
                    struct verify_message *answer, struct err *err)
{
    struct checkpoint_ids ids;

    if (!need_machine(host, err) ||
        !history_restore(host->history, request->values[0], &host->place, err) ||
        !digest(host, answer, &ids, err))
        return false;
    host->stop = VERIFY_STOP_MARK;
    answer_place(host, answer);
    return true;
}

static bool state(struct verify_host *host, const struct verify_message *request,
                  struct verify_message *answer, struct err *err)
{
    struct checkpoint_ids ids;

    (void)request;
    host->answer.size = 0;
    if (!need_machine(host, err) ||
        !machine_save(host->session.machine, NULL, &host->answer, &ids, err))
        return false;
    answer->bytes = buf_span(&host->answer);
    return true;
}

static bool changed(struct verify_host *host, const struct verify_message *request,
                    struct verify_message *answer, struct err *err)
{
    (void)request;
    host->answer.size = 0;
    if (!need_machine(host, err) || !look_changes(host->history, &host->answer, err))
        return false;
    answer->bytes = buf_span(&host->answer);
    return true;
}

static bool chunk(struct verify_host *host, const struct verify_message *request,
                  struct verify_message *answer, struct err *err)
{
    return need_machine(host, err) && look_chunk(host->session.machine, request->text,
                                                 request->values[0], &answer->bytes, err);
}

static bool next(struct verify_host *host, const struct verify_message *request,
                 struct verify_message *answer, struct err *err)
{
    (void)request;
    host->answer.size = 0;
    if (!need_machine(host, err) || !look_next(host->session.machine, &host->answer, err))
        return false;
    answer->bytes = buf_span(&host->answer);
    return true;
}

static bool freeze(struct verify_host *host, const struct verify_message *request,
                   struct verify_message *answer, struct err *err)
{
    struct checkpoint_ids ids;
    struct store_tag tag;
    bool ok;

    verify_text(request->text, host->text, sizeof host->text);
    if (!need_machine(host, err) || !store_name_check(host->text, err))
        return false;
    store_tag_init(&tag, host->text, &clock_host);
    for (size_t i = 0; i < host->session.facts.fact_count; i++)
        store_tag_set_fact(&tag, host->session.facts.facts[i].key,
                           host->session.facts.facts[i].text);
    tag.parent = host->session.parent;
    ok = session_freeze(&host->session, &tag, &ids, err);
    store_tag_release(&tag);
    host->answer.size = 0;
    if (!ok || !buf_append(&host->answer, ids.state_id.bytes, HASH_SIZE, err) ||
        !buf_append(&host->answer, ids.checkpoint_id.bytes, HASH_SIZE, err))
        return false;
    answer->bytes = buf_span(&host->answer);
    answer_place(host, answer);
    return true;
}

static bool export_file(struct verify_host *host, const struct verify_message *request,
                        struct verify_message *answer, struct err *err)
{
    struct bundle_contents contents = {.blob_count = 0};
    char name[VERIFY_TEXT_MAX];

    (void)answer;
    verify_text(request->text, host->text, sizeof host->text);
    verify_text(request->bytes, name, sizeof name);
    return need_store(host, err) && store_resolve(host->store, name, &contents.checkpoint, err) &&
           bundle_export(host->store, &contents, host->text, NULL, err);
}

static bool import_file(struct verify_host *host, const struct verify_message *request,
                        struct verify_message *answer, struct err *err)
{
    struct bundle_import options = {.tag = NULL};
    char name[VERIFY_TEXT_MAX];
    struct store_tag tag;
    bool ok;

    (void)answer;
    verify_text(request->text, host->text, sizeof host->text);
    verify_text(request->bytes, name, sizeof name);
    if (!need_store(host, err) || !store_name_check(name, err))
        return false;
    store_tag_init(&tag, name, &clock_host);
    options.tag = &tag;
    ok = bundle_import(host->store, host->text, &options, NULL, err);
    store_tag_release(&tag);
    return ok;
}

static bool check_store(struct verify_host *host, const struct verify_message *request,
                        struct verify_message *answer, struct err *err)
{
    struct fsck_options options = {NULL, NULL, false};
    struct fsck_report report;

    (void)request;
    if (!need_store(host, err) || !store_fsck(host->store, &options, &report, err))
        return false;
    answer->value_count = 1;
    answer->values[0] = report.findings;
    return true;
}

static handler *const handlers[VERIFY_VERB_COUNT] = {
    [VERIFY_HELLO] = hello,        [VERIFY_OPEN] = open_store, [VERIFY_INPUTS] = take_inputs,
    [VERIFY_THAW] = thaw,          [VERIFY_RUN] = run,         [VERIFY_RESTORE] = restore,
    [VERIFY_STATE] = state,        [VERIFY_CHANGED] = changed, [VERIFY_CHUNK] = chunk,
    [VERIFY_NEXT] = next,          [VERIFY_FREEZE] = freeze,   [VERIFY_EXPORT] = export_file,
    [VERIFY_IMPORT] = import_file, [VERIFY_FSCK] = check_store};

static bool is_allowed(const struct verify_host *host, enum verify_verb verb, struct err *err)
{
    if (!host->scripted || verb == VERIFY_INPUTS || verb == VERIFY_THAW || verb == VERIFY_RUN ||
        verb == VERIFY_STATE || verb == VERIFY_CHANGED || verb == VERIFY_CHUNK ||
        verb == VERIFY_NEXT)
        return true;
    return err_set(err, ERR_USAGE, "a script cannot ask to %s", verify_verb_name(verb));
}

/* Appends the answer's frame. */
static bool answer_frame(struct verify_host *host, struct span frame, struct buf *out,
                         struct err *err)
{
    struct verify_message request = {.number = 0}, answer = {.number = 0};
    struct err failure = ERR_INIT;

    if (!verify_message_read(frame, &request, err))
        return false;
    answer.number = request.number;
    answer.verb = request.verb;
    if (!is_allowed(host, request.verb, &failure) ||
        !handlers[request.verb](host, &request, &answer, &failure))
        answer = (struct verify_message){.number = request.number,
                                         .verb = request.verb,
                                         .kind = failure.kind,
                                         .text = span_of_text(failure.text)};
    return verify_message_write(&answer, out, err);
}

static bool serve(struct verify_host *host, struct span frame, int out, struct err *err)
{
    struct buf bytes = BUF_INIT(VERIFY_FRAME_MAX + 64);
    bool ok = answer_frame(host, frame, &bytes, err) &&
              file_write_all(out, buf_span(&bytes), "the answer", err);

    buf_release(&bytes);
    return ok;
}

static bool serve_all(struct verify_host *host, int in, int out, struct err *err)
{
    struct buf bytes = BUF_INIT(REQUEST_MAX);
    bool ended = false, ok = true;

    while (ok) {
        size_t size = 0;
        ok = verify_frame_size(buf_span(&bytes), &size, err);
        if (ok && size == 0) {
            if (ended)
                break;
            ok = file_read_some(in, &bytes, &ended, "requests", err);
            continue;
        }
        ok = ok && serve(host, (struct span){bytes.data, size}, out, err);
        if (ok) {
            bytes.size -= size;
            memmove(bytes.data, bytes.data + size, bytes.size);
        }
    }
    buf_release(&bytes);
    return ok;
}

bool verify_host_run(int in, int out, struct err *err)
{
    struct verify_host *host = mem_alloc(sizeof *host);
    bool ok;

    host->answer = (struct buf)BUF_INIT(MANIFEST_BYTES_MAX);
    ok = serve_all(host, in, out, err);
    drop_store(host);
    input_list_release(&host->inputs);
    buf_release(&host->answer);
    mem_free(host);
    return ok;
}

bool verify_host_script(struct session *session, struct span requests, struct buf *out,
                        struct err *err)
{
    struct verify_host *host = mem_alloc(sizeof *host);
    size_t size = 0;
    bool ok = true;

    host->session = *session;
    host->scripted = true;
    host->inputs = (struct input_list){NULL, 0, BUF_INIT(INPUT_BYTES_MAX)};
    host->answer = (struct buf)BUF_INIT(MANIFEST_BYTES_MAX);
    while (ok && requests.size != 0) {
        ok = verify_frame_size(requests, &size, err);
        if (ok && size == 0)
            ok = err_set(err, ERR_INVALID, "the script ends in the middle of a request");
        ok = ok && answer_frame(host, (struct span){requests.data, size}, out, err);
        requests = ok ? (struct span){requests.data + size, requests.size - size} : requests;
    }
    history_free(host->history);
    input_list_release(&host->inputs);
    buf_release(&host->answer);
    mem_free(host);
    return ok;
}
