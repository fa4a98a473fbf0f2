/* 400 nights with a fake clock and the real queue: two schedules in a zone with summer time, a leap
 * day, a coordinator that is down or killed at the hour, clocks that are set back, inputs that
 * change. What must come of it is worked out here a second time, without cron.c, time_zone.c and
 * history.c. */
#include "coordinator/queue/history.h"
#include "coordinator/queue/nights.h"
#include "tests/support/queue_disk.h"
#include "tests/support/queue_farm.h"
#include "tests/support/queue_nights.h"

#include <stdio.h>
#include <string.h>

#define STEP_S     300
#define BASE_NIGHT 50  /* whose run is the baseline from then on */
#define GONE_NIGHT 300 /* before which the store loses its checkpoints */
#define SLOWER     50  /* thousandths */

static const char *const series_names[NIGHT_SERIES] = {"early", "nightly"};

/* ---- what must come of it ---- */

struct seen {
    uint64_t run;
    enum verdict verdict;
    uint64_t instructions;
};

/* The first result of what goes into a test is what others are held against. */
struct first {
    struct hash spec, checkpoint, state;
    enum verdict verdict;
};

struct nights {
    struct queue_farm *farm;
    struct queue_disk *disk; /* in memory: this is about days, not about milliseconds */
    struct queue_farm_agent agent;
    int64_t now;
    uint64_t schedule[NIGHT_SERIES];
    int handled[NIGHT_SERIES]; /* the last night that was started or missed */
    int started[NIGHT_SERIES]; /* in this step; -1: none */
    uint64_t run[NIGHT_SERIES];
    uint64_t previous; /* nightly run before */
    uint64_t starts[NIGHT_SERIES][NIGHT_COUNT];
    bool booted[NIGHT_COUNT]; /* kernels that were, and are in the store */
    bool tested[NIGHT_COUNT]; /* kernels that the early test ran with */
    uint64_t boots, granted;
    struct seen seen[NIGHT_TESTS][NIGHT_COUNT];
    int seen_count[NIGHT_TESTS];
    struct first firsts[NIGHT_TESTS * NIGHT_COUNT];
    int first_count;
    uint64_t present[2]; /* bits: tests of this run, and of the one before */
    uint64_t changes[QUEUE_CHANGE_COUNT];
    uint64_t base_run, base_present;
};

static bool is_bad(enum verdict verdict)
{
    return verdict == VERDICT_FAIL || verdict == VERDICT_TIMEOUT || verdict == VERDICT_DIVERGENCE;
}

/* What is recorded: a divergence if it is not as it was with the same inputs. */
static enum verdict recorded(struct nights *nights, const struct queue_grant *grant,
                             const struct night_outcome *outcome)
{
    if (outcome->verdict != VERDICT_PASS && outcome->verdict != VERDICT_FAIL)
        return outcome->verdict;
    for (int i = 0; i < nights->first_count; i++) {
        const struct first *first = &nights->firsts[i];
        if (hash_equal(&first->spec, &grant->spec) &&
            hash_equal(&first->checkpoint, &grant->checkpoint))
            return hash_equal(&first->state, &outcome->state) ? outcome->verdict
                                                              : VERDICT_DIVERGENCE;
    }
    nights->firsts[nights->first_count++] =
        (struct first){grant->spec, grant->checkpoint, outcome->state, outcome->verdict};
    return outcome->verdict;
}

/* The last thing that was known of a test up to a run; NULL: nothing. */
static const struct seen *last_of(const struct nights *nights, int test, uint64_t run)
{
    for (int i = nights->seen_count[test] - 1; i >= 0; i--)
        if (nights->seen[test][i].run <= run)
            return &nights->seen[test][i];
    return NULL;
}

static uint64_t since_of(const struct nights *nights, int test)
{
    int i = nights->seen_count[test] - 1;

    while (i > 0 && is_bad(nights->seen[test][i - 1].verdict))
        i--;
    return nights->seen[test][i].run;
}

struct expectation {
    bool any;
    struct queue_difference difference;
};

static struct expectation expect(const struct nights *nights, int test, uint64_t run,
                                 uint64_t against)
{
    const struct seen *now = last_of(nights, test, run), *before = last_of(nights, test, against);
    struct expectation out = {true, {0}};
    struct queue_difference *d = &out.difference;
    uint64_t then = against == nights->previous ? nights->present[1] : nights->base_present;
    bool is_now = nights->present[0] >> test & 1, was = then >> test & 1;

    if (!is_now && was) {
        d->change = QUEUE_GONE;
        return out;
    }
    if (!is_now || !now || now->run != run || (!before && was))
        return (struct expectation){0};
    d->verdict = now->verdict;
    d->instructions = now->instructions;
    d->since = is_bad(now->verdict) ? since_of(nights, test) : 0;
    d->change = QUEUE_ADDED;
    if (!before)
        return out;
    d->verdict_before = before->verdict;
    d->instructions_before = before->instructions;
    if (now->verdict == VERDICT_DIVERGENCE && before->verdict != VERDICT_DIVERGENCE)
        d->change = QUEUE_NEWLY_DIVERGENT;
    else if (is_bad(now->verdict))
        d->change = is_bad(before->verdict) ? QUEUE_STILL_FAILING : QUEUE_NEWLY_FAILING;
    else if (is_bad(before->verdict))
        d->change = QUEUE_FIXED;
    else if (now->instructions * 1000 > before->instructions * (1000 + SLOWER))
        d->change = QUEUE_SLOWER;
    else
        out.any = false;
    return out;
}

/* ---- comparing what came with it ---- */

struct differences {
    struct queue_difference found[NIGHT_TESTS];
    bool any[NIGHT_TESTS];
};

static bool take_difference(void *context, const struct queue_difference *difference)
{
    struct differences *out = context;
    int test = difference->name[0] == 't' ? difference->name[1] - '0' : -1;

    assert_in_range(test, 0, NIGHT_TESTS - 1); /* nothing is ever said of the boot */
    assert_false(out->any[test]);
    out->any[test] = true;
    out->found[test] = *difference;
    return true;
}

static void check_comparison(struct nights *nights, uint64_t run, struct queue_comparison *how,
                             uint64_t against)
{
    struct differences differences = {0};

    BASE_OK(
        queue_compare(nights->farm->queue, how, take_difference, &differences, &nights->farm->err),
        &nights->farm->err);
    assert_int_equal(how->against, against);
    for (int test = 0; test < NIGHT_TESTS; test++) {
        struct expectation e = expect(nights, test, run, against);
        const struct queue_difference *d = &differences.found[test];
        if (!against)
            e.any = false;
        assert_int_equal(differences.any[test], e.any);
        if (!e.any)
            continue;
        nights->changes[d->change] += how->baseline == NULL;
        assert_string_equal(queue_change_name(d->change), queue_change_name(e.difference.change));
        if (d->change == QUEUE_GONE)
            continue;
        assert_int_equal(d->verdict, e.difference.verdict);
        assert_int_equal(d->instructions, e.difference.instructions);
        assert_int_equal(d->verdict_before, e.difference.verdict_before);
        assert_int_equal(d->instructions_before, e.difference.instructions_before);
        assert_int_equal(d->since, e.difference.since);
    }
}

/* The nightly run is done: it is held against the one before it and the baseline. */
static void check_night(struct nights *nights, int night)
{
    uint64_t run = nights->run[NIGHT_NIGHTLY];
    struct queue_comparison before = {.run = run};
    struct queue_comparison base = {.run = run, .baseline = "release"};

    assert_int_equal(queue_farm_run_of(nights->farm, run)->state, RUN_DONE);
    check_comparison(nights, run, &before, nights->previous);
    if (nights->base_run)
        check_comparison(nights, run, &base, nights->base_run);
    if (night == BASE_NIGHT) {
        queue_farm_begin(nights->farm);
        BASE_OK(queue_baseline_set(nights->farm->queue, "release", run, &nights->farm->err),
                &nights->farm->err);
        queue_farm_commit(nights->farm);
        nights->base_run = run;
        nights->base_present = nights->present[0];
    }
    nights->previous = run;
    nights->present[1] = nights->present[0];
    nights->present[0] = 0;
}

/* ---- a night's work ---- */

static struct hash spec_of(int test, int night)
{
    char text[64];

    snprintf(text, sizeof(text), "t%d version %d", test, night_version(test, night));
    return queue_farm_hash(text);
}

static struct hash boot_of(int night)
{
    char text[64];

    snprintf(text, sizeof(text), "kernel %d", night_kernel(night));
    return queue_farm_hash(text);
}

static struct hash checkpoint_of(int night)
{
    struct hash boot = boot_of(night);

    return hash_of((struct span){boot.bytes, HASH_SIZE});
}

/* Reports what the world does, and notes what must be recorded. */
static void run_job(struct nights *nights, const struct queue_grant *grant, int night)
{
    struct queue_id id = queue_farm_id(nights->agent.number);
    struct queue_result result = queue_farm_result_of(grant, VERDICT_PASS);
    struct hash boot = boot_of(night), checkpoint = checkpoint_of(night);
    enum queue_outcome outcome;
    int test = 0;

    nights->granted++;
    if (grant->kind == JOB_BOOT) {
        assert_true(hash_equal(&grant->spec, &boot));
        assert_false(nights->booted[night_kernel(night)]); /* its inputs have changed */
        nights->booted[night_kernel(night)] = true;
        nights->boots++;
    } else {
        assert_true(hash_equal(&grant->checkpoint, &checkpoint));
        struct hash spec = spec_of(test, night);
        while (test < NIGHT_TESTS && !hash_equal(&grant->spec, &spec))
            spec = spec_of(++test, night);
    }
    if (grant->kind == JOB_TEST && test < NIGHT_TESTS) { /* else: the early test, which passes */
        struct night_outcome done = night_outcome(test, night);
        enum verdict verdict = recorded(nights, grant, &done);
        result.verdict = done.verdict;
        result.instructions = done.instructions;
        result.state_id = done.state;
        if (verdict != VERDICT_INFRA)
            nights->seen[test][nights->seen_count[test]++] =
                (struct seen){grant->run, verdict, done.instructions};
    }
    BASE_OK(queue_result(nights->farm->queue, &id, &result, &outcome, &nights->farm->err),
            &nights->farm->err);
    assert_int_equal(outcome, QUEUE_RECORDED);
}

static void work(struct nights *nights, int night)
{
    struct queue_claim claim = {.agent = queue_farm_id(nights->agent.number),
                                .incarnation = queue_farm_id(nights->agent.incarnation),
                                .slots_free = 1};
    struct queue_grants grants = {.count = 1};

    while (grants.count > 0) {
        queue_farm_begin(nights->farm);
        BASE_OK(queue_claim(nights->farm->queue, &claim, &grants, &nights->farm->err),
                &nights->farm->err);
        for (uint32_t i = 0; i < grants.count; i++)
            run_job(nights, &grants.grants[i], night);
        queue_farm_commit(nights->farm);
    }
}

/* The schedule's submission: what is in the tree that night. */
static bool start(void *context, const struct queue_schedule *schedule, int64_t slot_s,
                  struct err *err)
{
    struct nights *nights = context;
    enum night_series series =
        schedule->id == nights->schedule[NIGHT_EARLY] ? NIGHT_EARLY : NIGHT_NIGHTLY;
    int night = nights->handled[series] + 1, count = 1;
    struct queue_job_request jobs[NIGHT_TESTS + 1] = {queue_farm_boot("boot")};
    char names[NIGHT_TESTS][16];
    struct queue_submitted out;

    while (night < NIGHT_COUNT && night_slot(series, night) < slot_s)
        night++;
    assert_int_equal(night_slot(series, night), slot_s);
    assert_string_equal(schedule->name, series_names[series]);
    jobs[0].spec = boot_of(night);
    for (int test = 0; test < NIGHT_TESTS && series == NIGHT_NIGHTLY; test++) {
        if (!night_has(test, night))
            continue;
        snprintf(names[test], sizeof(names[test]), "t%d", test);
        jobs[count] = queue_farm_job(names[test]);
        jobs[count].spec = spec_of(test, night);
        jobs[count].retry_infra = 0;
        jobs[count++].boot = jobs[0].spec;
        nights->present[0] |= 1u << test;
    }
    if (series == NIGHT_EARLY) {
        jobs[count] = queue_farm_job("stable");
        jobs[count++].boot = jobs[0].spec;
    }
    struct queue_run_request request = {.name = schedule->name,
                                        .submitter = "night",
                                        .priority = 50,
                                        .jobs = jobs,
                                        .job_count = (size_t)count,
                                        .schedule = schedule->id,
                                        .slot_s = slot_s};
    request.options.no_cache = series == NIGHT_NIGHTLY;
    request.options.slower_permille = SLOWER;
    nights->started[series] = night;
    bool ok = queue_run_submit(nights->farm->queue, &request, &out, err);
    nights->run[series] = out.run;
    return ok;
}

/* ---- the passing of time ---- */

static void tick(struct nights *nights)
{
    struct queue_farm *farm = nights->farm;
    bool more;

    for (int i = 0; i < NIGHT_SERIES; i++)
        nights->started[i] = -1;
    nights->present[0] = 0;
    BASE_OK(queue_tick(farm->queue, &more, &farm->err), &farm->err);
    BASE_OK(queue_nights(farm->queue, start, nights, &farm->err), &farm->err);
}

/* The newest night that is due; -1: none. */
static int due(const struct nights *nights, enum night_series series)
{
    int night = nights->handled[series];

    while (night + 1 < NIGHT_COUNT && night_slot(series, night + 1) <= nights->now)
        night++;
    return night > nights->handled[series] ? night : -1;
}

static void set_clock(struct nights *nights, int64_t now)
{
    nights->now = now;
    nights->farm->wall_ns = (uint64_t)now * QUEUE_FARM_SECOND;
}

/* A clock that was wrong by two hours is set right, goes over the same times again, and nothing
 * starts again. */
static void set_back(struct nights *nights)
{
    int64_t now = nights->now;

    for (int64_t i = now - 7200; i <= now; i += STEP_S) {
        set_clock(nights, i);
        queue_farm_begin(nights->farm);
        tick(nights);
        queue_farm_commit(nights->farm);
        assert_int_equal(nights->started[NIGHT_EARLY], -1);
        assert_int_equal(nights->started[NIGHT_NIGHTLY], -1);
    }
}

/* The power fails: what was committed is there, and nothing else. */
static void lose_power(struct nights *nights)
{
    struct queue_farm *farm = nights->farm;

    queue_disk_kill(nights->disk);
    queue_close(farm->queue);
    queue_disk_revive(nights->disk, true);
    BASE_OK(queue_open(&farm->options, &farm->queue, &farm->err), &farm->err);
    assert_true(queue_farm_hello(farm, &nights->agent));
}

/* Does what must be done that night, whatever is killed when. */
static void do_night(struct nights *nights, enum night_series series, int night)
{
    uint64_t boots = nights->boots, granted = nights->granted;
    bool is_new = !nights->booted[night_kernel(night)];

    nights->starts[series][night]++;
    nights->handled[series] = night;
    if (night % 31 == 5) /* right after it has started */
        lose_power(nights);
    work(nights, night);
    assert_int_equal(nights->boots - boots, is_new);
    if (series ==
        NIGHT_EARLY) { /* its test is answered from what is known of it with that kernel */
        bool is_known = nights->tested[night_kernel(night)];
        assert_int_equal(nights->granted - granted, is_new + !is_known);
        nights->tested[night_kernel(night)] = true;
    } else {
        check_night(nights, night);
    }
    if (night % 37 == 11)
        set_back(nights);
}

static void step(struct nights *nights)
{
    int expected[NIGHT_SERIES];

    for (int i = 0; i < NIGHT_SERIES; i++) {
        expected[i] = due(nights, (enum night_series)i);
        if (i == NIGHT_EARLY && expected[i] >= 0 &&
            nights->now - night_slot(NIGHT_EARLY, expected[i]) > QUEUE_LATE_S) {
            nights->handled[i] = expected[i]; /* missed, and to be skipped */
            expected[i] = -1;
        }
    }
    queue_farm_begin(nights->farm);
    tick(nights);
    if (expected[NIGHT_NIGHTLY] >= 0 && expected[NIGHT_NIGHTLY] % 29 == 3) { /* while it starts */
        lose_power(nights);
        queue_farm_begin(nights->farm);
        tick(nights);
    }
    queue_farm_commit(nights->farm);
    for (int i = 0; i < NIGHT_SERIES; i++)
        assert_int_equal(nights->started[i], expected[i]);
    for (int i = 0; i < NIGHT_SERIES; i++)
        if (expected[i] >= 0)
            do_night(nights, (enum night_series)i, expected[i]);
}

static bool in_store(void *context, const struct hash *checkpoint)
{
    const struct nights *nights = context;

    for (int night = 0; night < NIGHT_COUNT; night++) {
        struct hash other = checkpoint_of(night);
        if (hash_equal(&other, checkpoint))
            return nights->booted[night_kernel(night)];
    }
    return false;
}

static void add_schedules(struct nights *nights)
{
    static const char *const crons[NIGHT_SERIES] = {"0 1 * * *", "30 2 * * *"};

    queue_farm_begin(nights->farm);
    for (int i = 0; i < NIGHT_SERIES; i++) {
        struct queue_schedule schedule = {.name = series_names[i],
                                          .cron = crons[i],
                                          .time_zone = "Europe/Berlin",
                                          .missed =
                                              i == NIGHT_EARLY ? JOB_MISSED_SKIP : JOB_MISSED_RUN};
        BASE_OK(queue_schedule_set(nights->farm->queue, &schedule, &nights->schedule[i],
                                   &nights->farm->err),
                &nights->farm->err);
        nights->handled[i] = -1;
    }
    queue_farm_commit(nights->farm);
}

static void check_all(const struct nights *nights)
{
    uint64_t missed = 0;

    for (int night = 0; night < NIGHT_COUNT; night++) {
        bool was_down = night_is_down(night_slot(NIGHT_EARLY, night));
        bool is_lost = night == 120 || night == 121; /* the next was the last that was missed */
        assert_int_equal(nights->starts[NIGHT_EARLY][night], !was_down);
        assert_int_equal(nights->starts[NIGHT_NIGHTLY][night], !is_lost);
        missed += was_down;
    }
    assert_true(missed > 10);
    assert_int_equal(nights->starts[NIGHT_NIGHTLY][NIGHT_SPRING_DAY - NIGHT_FIRST_DAY], 1);
    assert_int_equal(nights->starts[NIGHT_NIGHTLY][NIGHT_LEAP_DAY - NIGHT_FIRST_DAY], 1);
    assert_int_equal(nights->boots, (NIGHT_COUNT + 22) / 23 + 1); /* each kernel, and one again */
    for (int i = 0; i < QUEUE_CHANGE_COUNT; i++)
        assert_true(nights->changes[i] > 0); /* else the test says little */
}

struct slots {
    uint64_t count[NIGHT_SERIES];
    int64_t last[NIGHT_SERIES];
};

static bool count_run(void *context, const struct queue_run *run)
{
    struct slots *slots = context;
    int i = strcmp(run->name, series_names[NIGHT_EARLY]) == 0 ? NIGHT_EARLY : NIGHT_NIGHTLY;

    assert_true(slots->count[i] == 0 || run->slot_s < slots->last[i]); /* newest first */
    slots->last[i] = run->slot_s;
    slots->count[i]++;
    return true;
}

QUEUE_FARM_TEST(four_hundred_nights_each_run_once_with_the_right_comparison)
{
    struct nights *nights = mem_alloc(sizeof(*nights));
    struct queue_page page = {0};
    struct slots slots = {0};
    uint64_t starts[NIGHT_SERIES] = {0};

    nights->farm = farm;
    nights->disk = queue_disk_new(1);
    farm->options.vfs = QUEUE_DISK_VFS;
    farm->options.checkpoint_exists = in_store;
    farm->options.context = nights;
    set_clock(nights, night_slot(NIGHT_EARLY, 0) - 6 * 3600);
    queue_farm_restart(farm);
    add_schedules(nights);
    nights->agent = queue_farm_agent(farm, 1);
    for (bool was_down = false;
         nights->now < night_slot(NIGHT_NIGHTLY, NIGHT_COUNT - 1) + NIGHT_DAY_S / 2;) {
        set_clock(nights, nights->now + STEP_S);
        farm->monotonic_ns += (uint64_t)STEP_S * QUEUE_FARM_SECOND;
        bool down = night_is_down(nights->now);
        if (!down && was_down) {
            queue_farm_restart(farm);
            assert_true(queue_farm_hello(farm, &nights->agent));
        }
        was_down = down;
        if (nights->now == night_slot(NIGHT_EARLY, GONE_NIGHT) - STEP_S)
            nights->booted[night_kernel(GONE_NIGHT)] = false;
        if (!down)
            step(nights);
    }
    check_all(nights);
    BASE_OK(queue_runs_each(farm->queue, &page, count_run, &slots, &farm->err), &farm->err);
    for (int i = 0; i < NIGHT_SERIES; i++) {
        for (int night = 0; night < NIGHT_COUNT; night++)
            starts[i] += nights->starts[i][night];
        assert_int_equal(slots.count[i], starts[i]);
    }
    queue_close(farm->queue);
    queue_disk_free(nights->disk);
    farm->options.vfs = NULL;
    BASE_OK(queue_open(&farm->options, &farm->queue, &farm->err), &farm->err);
    mem_free(nights);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(four_hundred_nights_each_run_once_with_the_right_comparison),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
