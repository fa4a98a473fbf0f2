#include "tests/support/queue_nights.h"

#include "tests/support/queue_farm.h"

#include <stdio.h>

static bool is_summer(int day)
{
    return (day > NIGHT_SPRING_DAY && day < NIGHT_AUTUMN_DAY2) || day < NIGHT_AUTUMN_DAY;
}

int64_t night_slot(enum night_series series, int night)
{
    int day = NIGHT_FIRST_DAY + night;
    int64_t midnight = (int64_t)day * NIGHT_DAY_S;

    if (series == NIGHT_EARLY) /* one or two hours behind, no change of clocks before it */
        return midnight -
               (is_summer(day) || day == NIGHT_AUTUMN_DAY || day == NIGHT_AUTUMN_DAY2 ? 3600 : 0);
    if (day == NIGHT_SPRING_DAY)
        return midnight + 3600; /* there is no 02:30: when the clocks change */
    if (day == NIGHT_AUTUMN_DAY || day == NIGHT_AUTUMN_DAY2)
        return midnight + 1800; /* the first of two */
    return midnight + (is_summer(day) ? 1800 : 5400);
}

bool night_is_down(int64_t now)
{
    for (int night = 0; night < NIGHT_COUNT; night++) {
        int64_t early = night_slot(NIGHT_EARLY, night), nightly = night_slot(NIGHT_NIGHTLY, night);
        bool is_long = night >= 120 && night <= 121;
        if (NIGHT_FIRST_DAY + night == NIGHT_AUTUMN_DAY2) {
            if (now >= early + 3600 && now < nightly + 4 * 3600)
                return true;
        } else if ((night % 41 == 7 || is_long || night == 122) && now >= early - 7200 &&
                   now < nightly + (is_long ? NIGHT_DAY_S : 3 * 3600)) {
            return true;
        }
    }
    return false;
}

int night_kernel(int night)
{
    return night >= 200 && night < 205 ? 3 : night / 23;
}

int night_version(int test, int night)
{
    return (night + 5 * test) / 11;
}

bool night_has(int test, int night)
{
    return test == 7 ? night >= 90 : test != 6 || night < 210 || night > 219;
}

struct night_outcome night_outcome(int test, int night)
{
    char text[64];
    uint64_t seed =
        (uint64_t)((test * 1000 + night_version(test, night)) * 1000 + night_kernel(night));
    uint64_t chance = base_random(&seed) % 10, night_seed = (uint64_t)(test * 7919 + night);
    struct night_outcome out = {VERDICT_PASS, 1000000 + base_random(&seed) % 100000, {{0}}};

    out.verdict = chance < 7 ? VERDICT_PASS : chance < 9 ? VERDICT_FAIL : VERDICT_TIMEOUT;
    if (base_random(&night_seed) % 30 == 0)
        out.verdict = VERDICT_INFRA;
    bool is_flaky = base_random(&night_seed) % 40 == 0;
    snprintf(text, sizeof(text), "%d %d %d %d", test, night_version(test, night),
             night_kernel(night), is_flaky ? night : -1);
    out.state = queue_farm_hash(text);
    return out;
}
