#include "coordinator/token.h"
#include "tests/support/base_test.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static atomic_ullong now_ns;

static uint64_t now(void *context)
{
    (void)context;
    return atomic_load(&now_ns);
}
static const struct clock_source fake_clock = {now, now, NULL};

static int set_up(void **state)
{
    atomic_store(&now_ns, UINT64_C(1000000000000));
    *state = token_table_new(&fake_clock);
    return 0;
}

static int tear_down(void **state)
{
    token_table_free(*state);
    return 0;
}

static struct token_text add(struct token_table *table, const char *name, enum queue_role role,
                             uint64_t expires_ms)
{
    struct queue_token token = {.name = name, .role = role, .expires_ms = expires_ms};
    struct token_text text;
    struct err err = ERR_INIT;

    BASE_OK(token_make(&text, &token.hash, &err), &err);
    BASE_OK(token_table_add(table, &token, &err), &err);
    return text;
}

static enum err_kind check(struct token_table *table, const char *text, const char *address)
{
    struct token_identity identity;
    struct err err = ERR_INIT;

    return token_table_check(table, text, address, &identity, &err) ? ERR_NONE : err.kind;
}

static void a_token_says_who_and_in_which_role(void **state)
{
    struct token_text first = add(*state, "ci", QUEUE_ROLE_SUBMIT, 0);
    struct token_text second = add(*state, "eyes", QUEUE_ROLE_READ, 0);
    struct token_identity identity;
    struct err err = ERR_INIT;

    assert_string_not_equal(first.text, second.text);
    assert_int_equal(strncmp(first.text, "thaw_", 5), 0);
    BASE_OK(token_table_check(*state, first.text, "x", &identity, &err), &err);
    assert_int_equal(identity.role, QUEUE_ROLE_SUBMIT);
    assert_string_equal(identity.name, "ci");
    BASE_OK(token_table_check(*state, second.text, "x", &identity, &err), &err);
    assert_int_equal(identity.role, QUEUE_ROLE_READ);
}

static void near_misses_are_misses(void **state)
{
    struct token_text token = add(*state, "ci", QUEUE_ROLE_SUBMIT, 0);
    struct token_text other = token;

    other.text[sizeof other.text - 2] ^= 1;
    assert_int_equal(check(*state, other.text, "x"), ERR_ACCESS);
    other = token;
    other.text[sizeof other.text - 2] = 0;
    assert_int_equal(check(*state, other.text, "x"), ERR_ACCESS);
    assert_int_equal(check(*state, "", "x"), ERR_ACCESS);
    assert_int_equal(check(*state, token.text, "x"), ERR_NONE);
}

static void a_token_expires(void **state)
{
    struct token_text token = add(*state, "ci", QUEUE_ROLE_SUBMIT, 1000001);

    assert_int_equal(check(*state, token.text, "x"), ERR_NONE);
    atomic_store(&now_ns, UINT64_C(1000001000000));
    assert_int_equal(check(*state, token.text, "x"), ERR_ACCESS);
}

static void a_removed_or_replaced_token_is_void(void **state)
{
    struct token_text first = add(*state, "ci", QUEUE_ROLE_SUBMIT, 0);
    struct token_text second = add(*state, "ci", QUEUE_ROLE_SUBMIT, 0);

    assert_int_equal(check(*state, first.text, "x"), ERR_ACCESS);
    assert_int_equal(check(*state, second.text, "x"), ERR_NONE);
    token_table_remove(*state, "ci");
    token_table_remove(*state, "nobody");
    assert_int_equal(check(*state, second.text, "x"), ERR_ACCESS);
}

static void who_guesses_often_waits_and_nobody_else_does(void **state)
{
    struct token_text token = add(*state, "ci", QUEUE_ROLE_SUBMIT, 0);
    struct token_figures figures;

    for (unsigned i = 0; i < TOKEN_FAILURES_MAX; i++)
        assert_int_equal(check(*state, "guess", "10.0.0.1"), ERR_ACCESS);
    assert_int_equal(check(*state, "guess", "10.0.0.1"), ERR_CONFLICT);
    assert_int_equal(check(*state, "guess", "10.0.0.2"), ERR_ACCESS);
    assert_int_equal(check(*state, token.text, "10.0.0.1"), ERR_NONE);
    token_table_figures(*state, &figures);
    assert_int_equal(figures.limited, 1);
    /* One more for each interval that passes. */
    atomic_fetch_add(&now_ns, TOKEN_FAILURE_MS * UINT64_C(1000000));
    assert_int_equal(check(*state, "guess", "10.0.0.1"), ERR_ACCESS);
    assert_int_equal(check(*state, "guess", "10.0.0.1"), ERR_CONFLICT);
    atomic_fetch_add(&now_ns, TOKEN_FAILURES_MAX * TOKEN_FAILURE_MS * UINT64_C(1000000));
    for (unsigned i = 0; i < TOKEN_FAILURES_MAX; i++)
        assert_int_equal(check(*state, "guess", "10.0.0.1"), ERR_ACCESS);
}

static void many_tokens_find_their_own(void **state)
{
    static struct token_text tokens[300];
    char name[16];

    for (unsigned i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "t%u", i);
        tokens[i] = add(*state, name, QUEUE_ROLE_READ, 0);
    }
    for (unsigned i = 0; i < 300; i++) {
        struct token_identity identity;
        struct err err = ERR_INIT;

        snprintf(name, sizeof name, "t%u", i);
        BASE_OK(token_table_check(*state, tokens[i].text, "x", &identity, &err), &err);
        assert_string_equal(identity.name, name);
    }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_token_says_who_and_in_which_role),
        CASE(near_misses_are_misses),
        CASE(a_token_expires),
        CASE(a_removed_or_replaced_token_is_void),
        CASE(who_guesses_often_waits_and_nobody_else_does),
        CASE(many_tokens_find_their_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
