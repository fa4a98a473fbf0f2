#include "agent/verify/verify.h"

#include "agent/verify/row.h"
#include "storage/base/file.h"
#include "storage/bundle.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PATH_MAX_BYTES 1024

struct verify {
    struct verify_options options; /* defaults filled in */
    struct verify_result *result;
    struct hash checkpoint;
    char id[HASH_HEX_SIZE];
};

struct path {
    char text[PATH_MAX_BYTES];
};

static struct path work_path(const struct verify *verify, const char *host, const char *what)
{
    struct path path;

    snprintf(path.text, sizeof path.text, "%s/%s/%s", verify->options.work, host, what);
    return path;
}

static const char *name_of(const struct verify *verify, size_t host)
{
    return verify->options.hosts[host].name;
}

/* Makes the host's folder and those in it. */
static bool make_folders(const struct verify *verify, const char *name, struct err *err)
{
    struct path store = work_path(verify, name, "store"), cache = work_path(verify, name, "cache");

    return folder_make(store.text, err) && folder_make(cache.text, err);
}

static void thaw_home(const struct verify *verify, struct row *row, size_t member)
{
    struct row_thaw thaw = {verify->options.store, "", verify->id, 0, 0};

    row_thaw(row, member, &thaw);
}

static void note_end(const struct verify *verify, const struct row *row)
{
    struct verify_result *result = verify->result;
    struct place place;

    if (!row_place(row, &place))
        return;
    result->state_id = place.state_id;
    result->instructions = place.at - row->origin;
}

/* ---- as it is ---- */

static void run_as_it_is(const struct verify *verify)
{
    struct row_thaw thaw = {verify->options.store, "", verify->id, 0, 0};
    struct row *row = mem_alloc(sizeof *row);
    struct place place;

    row_init(row, &verify->options, verify->result);
    row->what = "verifying";
    for (size_t i = 0; i < verify->options.host_count; i++)
        row_add(row, i);
    row_begin(row);
    for (size_t i = 0; i < row->count; i++)
        row_thaw(row, i, &thaw);
    row_gather(row, NULL);
    row_compare(row);
    if (row_place(row, &place)) {
        row->origin = place.at;
        row_run(row, place.at + verify->options.instructions);
        note_end(verify, row);
    }
    row_end(row);
    mem_free(row);
}

/* ---- matrix ---- */

/* Imports the bundle into the member's own store, and thaws from there. */
static void import_and_thaw(const struct verify *verify, struct row *row, size_t member,
                            const char *bundle)
{
    const char *name = name_of(verify, row->members[member].host);
    struct path store = work_path(verify, name, "store"), cache = work_path(verify, name, "cache");
    struct row_thaw thaw = {store.text, cache.text, "checkpoint", 0, 0};
    struct verify_message request = {
        .verb = VERIFY_OPEN, .text = span_of_text(store.text), .bytes = span_of_text(cache.text)};

    row_ask(row, member, &request, 0);
    request = (struct verify_message){
        .verb = VERIFY_IMPORT, .text = span_of_text(bundle), .bytes = span_of_text("checkpoint")};
    row_ask(row, member, &request, 0);
    row_thaw(row, member, &thaw);
}

/* What freezing made of it: findings of fsck put the member out. */
static void take_freeze(struct row *row, size_t member, const struct verify_message *answer)
{
    if (answer->verb != VERIFY_FSCK || answer->values[0] == 0)
        return;
    peer_fail(row->members[member].peer, ERR_CORRUPT, "the store it froze into has %llu faults",
              (unsigned long long)answer->values[0]);
}

static void freeze_all(const struct verify *verify, struct row *row)
{
    for (size_t i = 0; i < row->count; i++) {
        struct verify_message request = {.verb = VERIFY_FREEZE, .text = span_of_text("frozen")};
        struct path bundle;
        if (row->members[i].host == ROW_HOME)
            continue;
        bundle = work_path(verify, name_of(verify, row->members[i].host), "frozen.thaw");
        row_ask(row, i, &request, 0);
        request = (struct verify_message){.verb = VERIFY_FSCK};
        row_ask(row, i, &request, 0);
        request = (struct verify_message){.verb = VERIFY_EXPORT,
                                          .text = span_of_text(bundle.text),
                                          .bytes = span_of_text("frozen")};
        row_ask(row, i, &request, 0);
    }
    row_gather(row, take_freeze);
    row_compare(row);
}

static bool file_hash(const char *path, struct hash *out, struct err *err)
{
    FILE *file = fopen(path, "rb");
    uint8_t piece[65536];
    struct hasher *hasher;
    size_t got;

    if (file == NULL)
        return err_set_errno(err, errno, "cannot open %s", path);
    hasher = hasher_new();
    while ((got = fread(piece, 1, sizeof piece, file)) != 0)
        hasher_add(hasher, (struct span){piece, got});
    *out = hasher_finish(hasher);
    hasher_free(hasher);
    fclose(file);
    return true;
}

/* The same state, exported by every host, is the same file. */
static void compare_bundles(const struct verify *verify, struct row *row)
{
    struct hash first = {{0}};

    for (size_t i = 0; i < row->count; i++) {
        struct verify_cell *cell = &verify->result->cells[row->first_cell];
        struct err err = ERR_INIT;
        struct path path;
        struct hash hash;
        if (row->members[i].out || row->members[i].host == ROW_HOME)
            continue;
        path = work_path(verify, name_of(verify, row->members[i].host), "frozen.thaw");
        cell += row->members[i].host;
        if (!file_hash(path.text, &hash, &err)) {
            cell->verdict = VERDICT_INFRA;
            snprintf(cell->reason, sizeof cell->reason, "%.900s", err.text);
        } else if (hash_is_zero(&first)) {
            first = hash;
        } else if (!hash_equal(&first, &hash)) {
            cell->verdict = VERDICT_DIVERGENCE;
            snprintf(cell->reason, sizeof cell->reason,
                     "it exports the same state as another file than %s does", name_of(verify, 0));
        }
    }
}

/* All hosts from the checkpoint to the middle, where each freezes. */
static bool freeze_row(const struct verify *verify, uint64_t half, struct place *middle,
                       struct err *err)
{
    struct path bundle = work_path(verify, "home", "checkpoint.thaw");
    struct bundle_contents contents = {.checkpoint = verify->checkpoint};
    struct row *row = mem_alloc(sizeof *row);
    struct store *store = NULL;
    bool ok = store_open(verify->options.store, NULL, &store, err) &&
              bundle_export(store, &contents, bundle.text, NULL, err);

    store_close(store);
    row_init(row, &verify->options, verify->result);
    row->what = "freezing on each host";
    row_add(row, ROW_HOME);
    for (size_t i = 0; i < verify->options.host_count; i++)
        row_add(row, i);
    if (ok) {
        row_begin(row);
        thaw_home(verify, row, 0);
        for (size_t i = 1; i < row->count; i++)
            import_and_thaw(verify, row, i, bundle.text);
        row_gather(row, NULL);
        row_compare(row);
        ok = row_place(row, middle) ||
             err_set(err, ERR_IO, "no host could thaw %s: %.800s", verify->options.checkpoint,
                     verify->result->cells[0].reason);
    }
    if (ok) {
        row->origin = middle->at;
        row_run(row, middle->at + half);
        freeze_all(verify, row);
        compare_bundles(verify, row);
        ok = row_place(row, middle) || err_set(err, ERR_IO, "no host could freeze");
        note_end(verify, row);
    }
    row_end(row);
    mem_free(row);
    return ok;
}

/* A home that has run to the place without ever being frozen. */
static void run_home(const struct verify *verify, struct row *row, size_t member, uint64_t to)
{
    struct verify_message request = {
        .verb = VERIFY_RUN, .values = {to, 0}, .value_count = RUN_COUNT};

    thaw_home(verify, row, member);
    row_ask(row, member, &request, verify->options.instructions);
}

/* What the host froze, thawed by all. */
static void thaw_row(const struct verify *verify, size_t freezer, const struct place *middle,
                     uint64_t to)
{
    struct path store = work_path(verify, name_of(verify, freezer), "store");
    struct row *row = mem_alloc(sizeof *row);
    char what[PEER_NAME_MAX + 32];

    snprintf(what, sizeof what, "thawing what %s froze", name_of(verify, freezer));
    row_init(row, &verify->options, verify->result);
    row->what = what;
    row->freezer = freezer;
    row->origin = middle->at - verify->options.instructions / 2;
    row_add(row, ROW_HOME);
    for (size_t i = 0; i < verify->options.host_count; i++)
        row_add(row, i);
    row_begin(row);
    run_home(verify, row, 0, middle->at);
    for (size_t i = 1; i < row->count; i++) {
        struct path cache = work_path(verify, name_of(verify, row->members[i].host), "cache");
        struct row_thaw thaw = {store.text, cache.text, "frozen", middle->input,
                                middle->input_offset};
        row_thaw(row, i, &thaw);
    }
    row_gather(row, NULL);
    row_compare(row);
    row_run(row, to);
    note_end(verify, row);
    row_end(row);
    mem_free(row);
}

static bool run_matrix(const struct verify *verify, struct err *err)
{
    uint64_t half = verify->options.instructions / 2;
    struct verify_cell *cells;
    struct place middle;

    if (!freeze_row(verify, half, &middle, err))
        return false;
    for (size_t i = 0; i < verify->options.host_count; i++) {
        cells = verify->result->cells; /* grows with every row */
        if (cells[i].verdict == VERDICT_PASS)
            thaw_row(verify, i, &middle, middle.at + (verify->options.instructions - half));
    }
    return true;
}

/* ---- ring ---- */

struct leg {
    size_t host;
    struct place *place; /* where it begins, then where it ends */
    uint64_t length;
    uint64_t *origin; /* instructions of the checkpoint; the first leg tells */
};

static bool run_leg(const struct verify *verify, const struct leg *leg, struct err *err)
{
    struct path store = work_path(verify, "ring", "store");
    struct path cache = work_path(verify, name_of(verify, leg->host), "cache");
    struct row_thaw thaw = {store.text, cache.text, "ring", leg->place->input,
                            leg->place->input_offset};
    struct verify_message freeze = {.verb = VERIFY_FREEZE, .text = span_of_text("ring")};
    struct row *row = mem_alloc(sizeof *row);
    bool ok;

    row_init(row, &verify->options, verify->result);
    row->what = name_of(verify, leg->host);
    row->ring = true;
    row->freezer = leg->host == 0 ? VERIFY_AS_IT_IS : leg->host - 1;
    row->origin = *leg->origin;
    row_add(row, ROW_HOME);
    row_add(row, leg->host);
    row_begin(row);
    if (leg->host == 0)
        thaw_home(verify, row, 0);
    else
        run_home(verify, row, 0, leg->place->at);
    row_thaw(row, 1, &thaw);
    row_gather(row, NULL);
    row_compare(row);
    if (leg->host == 0 && row_place(row, leg->place))
        row->origin = *leg->origin = leg->place->at;
    row_run(row, leg->place->at + leg->length);
    row_ask(row, 1, &freeze, 0);
    row_gather(row, NULL);
    row_compare(row);
    ok = (!row->members[1].out && row_place(row, leg->place)) ||
         err_set(err, ERR_IO, "the ring is broken at %s", name_of(verify, leg->host));
    note_end(verify, row);
    row_end(row);
    mem_free(row);
    return ok;
}

/* The ring's store, with the checkpoint in it; and where the machine is there. */
static bool begin_ring(const struct verify *verify, struct place *place, struct err *err)
{
    struct path folder = work_path(verify, "ring", "store");
    struct path bundle = work_path(verify, "home", "ring.thaw");
    struct bundle_contents contents = {.checkpoint = verify->checkpoint};
    struct store_options options = {.create = true};
    struct store *from = NULL, *to = NULL;
    struct bundle_import import = {.tag = NULL};
    struct store_tag tag;
    bool ok;

    memset(place, 0, sizeof *place);
    store_tag_init(&tag, "ring", verify->options.clock);
    import.tag = &tag;
    ok = store_open(verify->options.store, NULL, &from, err) &&
         store_open(folder.text, &options, &to, err) &&
         bundle_export(from, &contents, bundle.text, NULL, err) &&
         bundle_import(to, bundle.text, &import, NULL, err);
    store_close(from);
    store_close(to);
    store_tag_release(&tag);
    return ok;
}

static void run_ring(const struct verify *verify)
{
    uint64_t length = verify->options.instructions / verify->options.host_count + 1;
    struct verify_result *result = verify->result;
    struct err err = ERR_INIT;
    uint64_t origin = 0;
    struct place place;
    struct leg leg = {.place = &place, .length = length, .origin = &origin};
    bool ok = begin_ring(verify, &place, &err);

    for (leg.host = 0; ok && leg.host < verify->options.host_count; leg.host++)
        ok = run_leg(verify, &leg, &err);
    if (!ok && result->cell_count != 0 &&
        result->cells[result->cell_count - 1].verdict == VERDICT_PASS) {
        struct verify_cell *cell = &result->cells[result->cell_count - 1];
        cell->verdict = VERDICT_INFRA;
        snprintf(cell->reason, sizeof cell->reason, "%.1000s", err.text);
    }
}

/* ---- all of it ---- */

static bool prepare(struct verify *verify, struct err *err)
{
    struct store *store = NULL;
    bool ok = store_open(verify->options.store, NULL, &store, err) &&
              store_resolve(store, verify->options.checkpoint, &verify->checkpoint, err);

    store_close(store);
    snprintf(verify->id, sizeof verify->id, "%s", hash_hex(&verify->checkpoint).text);
    ok = ok && make_folders(verify, "home", err) && make_folders(verify, "ring", err);
    for (size_t i = 0; ok && i < verify->options.host_count; i++)
        ok = make_folders(verify, name_of(verify, i), err);
    return ok;
}

bool verify_run(const struct verify_options *options, struct verify_result *out, struct err *err)
{
    struct verify verify = {.options = *options, .result = out};
    uint64_t start = clock_monotonic_ns(options->clock);
    bool ok;

    memset(out, 0, sizeof *out);
    out->host_count = options->host_count;
    for (size_t i = 0; i < options->host_count; i++)
        snprintf(out->hosts[i], sizeof out->hosts[i], "%s", options->hosts[i].name);
    if (verify.options.instructions == 0)
        verify.options.instructions = VERIFY_INSTRUCTIONS;
    if (verify.options.every == 0)
        verify.options.every = verify.options.instructions / VERIFY_MARKS + 1;
    ok = prepare(&verify, err);
    if (ok && options->matrix)
        ok = run_matrix(&verify, err);
    if (ok && options->ring)
        run_ring(&verify);
    if (ok && !options->matrix && !options->ring)
        run_as_it_is(&verify);
    out->wall_ns = clock_monotonic_ns(options->clock) - start;
    return ok;
}

void verify_result_release(struct verify_result *result)
{
    for (size_t i = 0; i < result->divergence_count; i++)
        divergence_release(&result->divergences[i]);
    mem_free(result->divergences);
    mem_free(result->cells);
    memset(result, 0, sizeof *result);
}

enum verdict verify_verdict(const struct verify_result *result)
{
    enum verdict loudest = result->cell_count == 0 ? VERDICT_INFRA : VERDICT_PASS;

    for (size_t i = 0; i < result->cell_count; i++) {
        enum verdict verdict = result->cells[i].verdict;
        if (verdict == VERDICT_DIVERGENCE || (verdict != VERDICT_PASS && loudest == VERDICT_PASS))
            loudest = verdict;
    }
    return loudest;
}
