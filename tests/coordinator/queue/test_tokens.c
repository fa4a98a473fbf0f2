/* Tokens: only hashes, roles, expiry; enrolment once. */
#include "coordinator/queue/tokens.h"
#include "tests/support/queue_farm.h"

#include <string.h>

QUEUE_FARM_TEST(api_token_is_known_by_its_hash_until_it_expires)
{
    uint64_t now_ms = farm->wall_ns / 1000000;
    struct queue_token token = {
        .hash = queue_farm_hash("secret"), .name = "ci", .role = QUEUE_ROLE_SUBMIT};
    struct hash wrong = queue_farm_hash("guess");
    enum queue_role role;
    char name[QUEUE_TAG_MAX + 1];

    token.expires_ms = now_ms + 1000;
    queue_farm_begin(farm);
    BASE_OK(queue_token_add(farm->queue, &token, &farm->err), &farm->err);
    BASE_FAILS(queue_token_add(farm->queue, &token, &farm->err), &farm->err, ERR_CONFLICT, "ci");
    queue_farm_commit(farm);
    queue_farm_restart(farm);
    BASE_OK(queue_token_check(farm->queue, &token.hash, &role, name, &farm->err), &farm->err);
    assert_int_equal(role, QUEUE_ROLE_SUBMIT);
    assert_string_equal(name, "ci");
    BASE_FAILS(queue_token_check(farm->queue, &wrong, &role, name, &farm->err), &farm->err,
               ERR_ACCESS, "not known");
    queue_farm_pass(farm, 1);
    BASE_FAILS(queue_token_check(farm->queue, &token.hash, &role, name, &farm->err), &farm->err,
               ERR_ACCESS, "expired");
}

QUEUE_FARM_TEST(api_token_that_was_removed_is_not_known)
{
    struct queue_token token = {
        .hash = queue_farm_hash("secret"), .name = "ci", .role = QUEUE_ROLE_ADMIN};
    enum queue_role role;
    char name[QUEUE_TAG_MAX + 1];

    queue_farm_begin(farm);
    BASE_OK(queue_token_add(farm->queue, &token, &farm->err), &farm->err);
    BASE_OK(queue_token_remove(farm->queue, "ci", &farm->err), &farm->err);
    BASE_FAILS(queue_token_remove(farm->queue, "ci", &farm->err), &farm->err, ERR_NOT_FOUND, "ci");
    BASE_FAILS(queue_token_check(farm->queue, &token.hash, &role, name, &farm->err), &farm->err,
               ERR_ACCESS, "not known");
    queue_farm_commit(farm);
}

QUEUE_FARM_TEST(enrolment_token_enrols_one_agent_once)
{
    struct queue_enrolment enrolment = {
        .token = queue_farm_hash("once"), .key = {7}, .name = "box", .id = queue_farm_id(1)};
    struct queue_id first, again;
    uint8_t key[32];

    queue_farm_begin(farm);
    BASE_FAILS(queue_enrol(farm->queue, &enrolment, &first, &farm->err), &farm->err, ERR_ACCESS,
               "not known");
    BASE_OK(queue_enrolment_add(farm->queue, &enrolment.token, farm->wall_ns / 1000000 + 5000,
                                &farm->err),
            &farm->err);
    BASE_OK(queue_enrol(farm->queue, &enrolment, &first, &farm->err), &farm->err);
    enrolment.id = queue_farm_id(2); /* asked again: the answer was lost */
    BASE_OK(queue_enrol(farm->queue, &enrolment, &again, &farm->err), &farm->err);
    assert_memory_equal(&first, &again, sizeof(first));
    enrolment.key[0] = 8; /* somebody else */
    BASE_FAILS(queue_enrol(farm->queue, &enrolment, &again, &farm->err), &farm->err, ERR_ACCESS,
               "was used");
    queue_farm_commit(farm);
    assert_true(queue_agent_key(farm->queue, &first, key));
    assert_int_equal(key[0], 7);
    queue_farm_begin(farm);
    BASE_OK(queue_agent_revoke(farm->queue, &first, &farm->err), &farm->err);
    queue_farm_commit(farm);
    assert_false(queue_agent_key(farm->queue, &first, key));
}

QUEUE_FARM_TEST(enrolment_token_expires)
{
    struct queue_enrolment enrolment = {
        .token = queue_farm_hash("once"), .key = {7}, .name = "box", .id = queue_farm_id(1)};
    struct queue_id id;

    queue_farm_begin(farm);
    BASE_OK(queue_enrolment_add(farm->queue, &enrolment.token, farm->wall_ns / 1000000 + 5000,
                                &farm->err),
            &farm->err);
    queue_farm_commit(farm);
    queue_farm_pass(farm, 5);
    queue_farm_begin(farm);
    BASE_FAILS(queue_enrol(farm->queue, &enrolment, &id, &farm->err), &farm->err, ERR_ACCESS,
               "expired");
    queue_farm_commit(farm);
}

static void roles_have_names(void **state)
{
    enum queue_role role;

    (void)state;
    for (enum queue_role r = 0; r < QUEUE_ROLE_COUNT; r++) {
        assert_true(queue_role_parse(queue_role_name(r), &role));
        assert_int_equal(role, r);
    }
    assert_false(queue_role_parse("root", &role));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(api_token_is_known_by_its_hash_until_it_expires),
        cmocka_unit_test(api_token_that_was_removed_is_not_known),
        cmocka_unit_test(enrolment_token_enrols_one_agent_once),
        cmocka_unit_test(enrolment_token_expires),
        cmocka_unit_test(roles_have_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
