#include "jobs/verdict.h"

#include "storage/base/check.h"

#include <string.h>

struct facts {
    const char *name;
    int exit_status;
    int loudness;
};

static const struct facts facts[VERDICT_COUNT] = {
    [VERDICT_PASS] = {"pass", EXIT_STATUS_PASS, 1},
    [VERDICT_FAIL] = {"fail", EXIT_STATUS_FAIL, 5},
    [VERDICT_TIMEOUT] = {"timeout", EXIT_STATUS_TIMEOUT, 4},
    [VERDICT_INFRA] = {"infra", EXIT_STATUS_INFRA, 3},
    [VERDICT_CANCELLED] = {"cancelled", EXIT_STATUS_INFRA, 2},
    [VERDICT_SKIPPED] = {"skipped", EXIT_STATUS_PASS, 0},
    [VERDICT_DIVERGENCE] = {"divergence", EXIT_STATUS_FAIL, 6},
};

const char *verdict_name(enum verdict verdict)
{
    CHECK((unsigned int)verdict < VERDICT_COUNT);
    return facts[verdict].name;
}

bool verdict_parse(const char *name, enum verdict *out)
{
    for (unsigned int i = 0; i < VERDICT_COUNT; i++) {
        if (strcmp(facts[i].name, name) == 0) {
            *out = (enum verdict)i;
            return true;
        }
    }
    return false;
}

int verdict_exit_status(enum verdict verdict)
{
    CHECK((unsigned int)verdict < VERDICT_COUNT);
    return facts[verdict].exit_status;
}

enum verdict verdict_worst(enum verdict a, enum verdict b)
{
    return facts[a].loudness >= facts[b].loudness ? a : b;
}

enum verdict verdict_expect_failure(enum verdict verdict)
{
    if (verdict == VERDICT_PASS)
        return VERDICT_FAIL;
    return verdict == VERDICT_FAIL ? VERDICT_PASS : verdict;
}
