#include "agent/verify/row.h"

#include "storage/base/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void row_init(struct row *row, const struct verify_options *options, struct verify_result *result)
{
    memset(row, 0, sizeof *row);
    row->options = options;
    row->result = result;
    row->freezer = VERIFY_AS_IT_IS;
    row->what = "";
}

static struct verify_cell *cell_of(const struct row *row, size_t member)
{
    size_t index = row->first_cell;

    if (row->members[member].host == ROW_HOME)
        return NULL;
    for (size_t i = 0; i < member; i++)
        index += row->members[i].host != ROW_HOME;
    return &row->result->cells[index];
}

static void put_out(struct row *row, size_t member, enum verdict verdict, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Without the machine at home nothing is shown by the others. */
static void lose_home(struct row *row)
{
    for (size_t i = 0; i < row->count; i++)
        put_out(row, i, VERDICT_INFRA, "the machine at home: %.900s", row->home_reason);
}

static void put_out(struct row *row, size_t member, enum verdict verdict, const char *format, ...)
{
    struct verify_cell *cell = cell_of(row, member);
    va_list arguments;

    if (row->members[member].out)
        return;
    row->members[member].out = true;
    if (cell != NULL)
        cell->verdict = verdict;
    va_start(arguments, format);
    vsnprintf(cell != NULL ? cell->reason : row->home_reason, ERR_TEXT_MAX, format, arguments);
    va_end(arguments);
    if (cell == NULL)
        lose_home(row);
}

void row_add(struct row *row, size_t host)
{
    CHECK(row->count < VERIFY_HOSTS_MAX + 1);
    row->members[row->count++] = (struct row_member){.host = host};
}

static void start_member(struct row *row, size_t i)
{
    struct row_member *member = &row->members[i];
    const struct verify_host_choice *choice =
        &row->options->hosts[member->host == ROW_HOME ? 0 : member->host];
    struct peer_options options = {.name = member->host == ROW_HOME ? "home" : choice->name,
                                   .command = choice->command,
                                   .clock = row->options->clock,
                                   .guard_ns = row->options->guard_ns};
    struct err err = ERR_INIT;

    if (!peer_start(&options, &member->peer, &err)) {
        put_out(row, i, VERDICT_INFRA, "%.900s", err.text);
        return;
    }
    if (member->host != ROW_HOME && peer_failure(member->peer) == NULL)
        snprintf(row->result->descriptions[member->host],
                 sizeof row->result->descriptions[member->host], "%.255s",
                 peer_description(member->peer));
}

void row_begin(struct row *row)
{
    struct verify_result *result = row->result;
    struct verify_cell *cells =
        mem_array(result->cell_count + row->count + 1, sizeof *result->cells);

    if (result->cell_count != 0)
        memcpy(cells, result->cells, result->cell_count * sizeof *cells);
    mem_free(result->cells);
    result->cells = cells;
    row->first_cell = result->cell_count;
    for (size_t i = 0; i < row->count; i++) {
        if (row->members[i].host == ROW_HOME)
            continue;
        cells[result->cell_count++] = (struct verify_cell){.freezer = row->freezer,
                                                           .thawer = row->members[i].host,
                                                           .ring = row->ring,
                                                           .verdict = VERDICT_PASS,
                                                           .divergence = SIZE_MAX};
    }
    for (size_t i = 0; i < row->count; i++)
        start_member(row, i);
}

void row_end(struct row *row)
{
    for (size_t i = 0; i < row->count; i++) {
        peer_stop(row->members[i].peer);
        row->members[i].peer = NULL;
    }
}

/* Members whose peers have failed are out. */
static void look_for_failures(struct row *row)
{
    for (size_t i = 0; i < row->count; i++) {
        const struct row_member *member = &row->members[i];
        if (!member->out && member->peer != NULL && peer_failure(member->peer) != NULL)
            put_out(row, i, VERDICT_INFRA, "%.900s", peer_failure(member->peer)->text);
    }
}

void row_ask(struct row *row, size_t member, const struct verify_message *request,
             uint64_t instructions)
{
    if (!row->members[member].out)
        peer_ask(row->members[member].peer, request, instructions);
}

/* The peers that are left, and whose they are. */
static size_t list_peers(const struct row *row, struct peer **peers, size_t *members)
{
    size_t count = 0;

    for (size_t i = 0; i < row->count; i++) {
        if (row->members[i].out)
            continue;
        members[count] = i;
        peers[count++] = row->members[i].peer;
    }
    return count;
}

static void take_answer(struct row *row, size_t i, const struct verify_message *answer,
                        void (*take)(struct row *row, size_t member,
                                     const struct verify_message *answer))
{
    char text[ERR_TEXT_MAX];
    struct place place;

    if (answer->kind != ERR_NONE) {
        verify_text(answer->text, text, sizeof text);
        put_out(row, i, VERDICT_INFRA, "%.900s", text);
        return;
    }
    if (answer->value_count == PLACE_COUNT && place_read(answer, &place))
        row->members[i].place = place;
    if (take != NULL)
        take(row, i, answer);
}

void row_gather(struct row *row,
                void (*take)(struct row *row, size_t member, const struct verify_message *answer))
{
    struct peer *peers[VERIFY_HOSTS_MAX + 1] = {NULL};
    size_t members[VERIFY_HOSTS_MAX + 1];
    size_t count = list_peers(row, peers, members), waiting = 1;

    while (waiting != 0) {
        waiting = 0;
        peers_wait(peers, count);
        for (size_t i = 0; i < count; i++) {
            struct verify_message answer;
            while (peer_answer(peers[i], &answer))
                take_answer(row, members[i], &answer, take);
            waiting += peer_waiting(peers[i]);
        }
    }
    look_for_failures(row);
}

void row_thaw(struct row *row, size_t member, const struct row_thaw *thaw)
{
    struct verify_message request = {
        .verb = VERIFY_OPEN, .text = span_of_text(thaw->store), .bytes = span_of_text(thaw->cache)};

    row_ask(row, member, &request, 0);
    if (row->options->inputs.size != 0) {
        request = (struct verify_message){.verb = VERIFY_INPUTS, .bytes = row->options->inputs};
        row_ask(row, member, &request, 0);
    }
    request = (struct verify_message){.verb = VERIFY_THAW,
                                      .text = span_of_text(thaw->checkpoint),
                                      .values = {thaw->input, thaw->input_offset},
                                      .value_count = 2};
    row_ask(row, member, &request, 0);
}

/* Who is right: the machine that never left home, if there is one; else the first member that most
 * of those left agree with. */
static size_t choose_reference(const struct row *row)
{
    size_t best = SIZE_MAX, best_votes = 0;

    for (size_t i = 0; i < row->count; i++) {
        size_t votes = 0;
        if (row->members[i].out)
            continue;
        if (row->members[i].host == ROW_HOME)
            return i;
        for (size_t k = 0; k < row->count; k++)
            votes +=
                !row->members[k].out && place_equal(&row->members[i].place, &row->members[k].place);
        if (votes > best_votes) {
            best = i;
            best_votes = votes;
        }
    }
    return best;
}

void row_compare(struct row *row)
{
    size_t reference = choose_reference(row);

    for (size_t i = 0; reference != SIZE_MAX && i < row->count; i++) {
        const struct place *place = &row->members[i].place;
        const struct place *wanted = &row->members[reference].place;
        if (row->members[i].out || place_equal(place, wanted))
            continue;
        put_out(row, i, VERDICT_DIVERGENCE,
                "it thawed into state %.16s after %llu instructions, where %s has %.16s after %llu",
                hash_hex(&place->state_id).text, (unsigned long long)place->at,
                peer_name(row->members[reference].peer), hash_hex(&wanted->state_id).text,
                (unsigned long long)wanted->at);
    }
}

static struct divergence *new_divergence(struct verify_result *result)
{
    struct divergence *all = mem_array(result->divergence_count + 1, sizeof *result->divergences);

    if (result->divergence_count != 0)
        memcpy(all, result->divergences, result->divergence_count * sizeof *all);
    mem_free(result->divergences);
    result->divergences = all;
    return &all[result->divergence_count++];
}

/* One that went another way than the reference. */
static void part(struct row *row, size_t reference, size_t other,
                 const struct lockstep_result *result)
{
    struct divergence *divergence = new_divergence(row->result);
    struct verify_cell *cell = cell_of(row, other);

    divergence->state_ids[0] = row->members[reference].place.state_id;
    divergence->state_ids[1] = row->members[other].place.state_id;
    divergence_pin(row->members[reference].peer, row->members[other].peer, result->agreed,
                   result->mark, divergence);
    if (cell != NULL)
        cell->divergence = row->result->divergence_count - 1;
    look_for_failures(row);
    if (peer_failure(row->members[other].peer) == NULL)
        put_out(row, other, VERDICT_DIVERGENCE, "%.1000s", divergence->text);
    else if (cell != NULL)
        cell->verdict = VERDICT_DIVERGENCE; /* that it differed is known, whatever came then */
}

/* Those that agree go back to where all agreed. */
static void go_back(struct row *row, uint64_t agreed)
{
    struct verify_message request = {.verb = VERIFY_RESTORE, .values = {agreed}, .value_count = 1};

    for (size_t i = 0; i < row->count; i++)
        row_ask(row, i, &request, 0);
    row_gather(row, NULL);
}

static void pin_all(struct row *row, const struct lockstep_result *result)
{
    size_t reference = choose_reference(row);
    struct place wanted;

    if (reference == SIZE_MAX)
        return;
    wanted = row->members[reference].place;
    for (size_t i = 0; i < row->count; i++)
        if (!row->members[i].out && !row->members[reference].out && i != reference &&
            !place_equal(&row->members[i].place, &wanted))
            part(row, reference, i, result);
}

static void on_progress(void *context, uint64_t agreed)
{
    const struct row *row = context;

    if (row->options->progress != NULL)
        row->options->progress(row->options->context, row->what, agreed - row->origin,
                               row->options->instructions);
}

static void note_places(struct row *row, const size_t *members, size_t count,
                        const struct lockstep_result *result)
{
    for (size_t i = 0; i < count; i++) {
        struct verify_cell *cell = cell_of(row, members[i]);
        if (peer_failure(row->members[members[i]].peer) == NULL && result->marks != 0)
            row->members[members[i]].place = result->places[i];
        if (cell == NULL)
            continue;
        cell->marks += result->marks - result->differ;
        cell->run_ns += result->run_ns[i];
        cell->digest_ns += result->digest_ns[i];
        cell->state_id = row->members[members[i]].place.state_id;
    }
}

/* One stretch up to a disagreement or the end. */
static bool stretch(struct row *row, uint64_t *from, uint64_t to, uint64_t every)
{
    struct peer *peers[VERIFY_HOSTS_MAX + 1] = {NULL};
    size_t members[VERIFY_HOSTS_MAX + 1];
    struct lockstep lockstep = {.peers = peers,
                                .from = *from,
                                .to = to,
                                .every = every,
                                .progress = on_progress,
                                .context = row};
    struct lockstep_result *result = mem_alloc(sizeof *result);
    bool again;

    lockstep.count = list_peers(row, peers, members);
    if (lockstep.count != 0)
        lockstep_run(&lockstep, result);
    note_places(row, members, lockstep.count, result);
    for (size_t i = 0; i < lockstep.count; i++)
        if (cell_of(row, members[i]) != NULL)
            cell_of(row, members[i])->instructions += result->agreed - *from;
    look_for_failures(row);
    again = result->differ;
    if (again) {
        pin_all(row, result);
        go_back(row, result->agreed);
        *from = result->agreed;
    }
    row->result->ended = row->result->ended || result->ended;
    mem_free(result);
    return again;
}

void row_run(struct row *row, uint64_t to)
{
    uint64_t every = row->options->every;
    struct place place;
    uint64_t from;

    if (!row_place(row, &place))
        return;
    from = place.at;
    while (from < to && stretch(row, &from, to, every))
        ;
}

bool row_place(const struct row *row, struct place *out)
{
    for (size_t i = 0; i < row->count; i++) {
        if (row->members[i].out)
            continue;
        *out = row->members[i].place;
        return true;
    }
    return false;
}
