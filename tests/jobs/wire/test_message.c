/* Golden bytes are in tests/golden/messages: run with THAW_GOLDEN_WRITE=1 to write them anew, after
 * a look at what that does to peers of the version before. */
#include "jobs/wire/message.h"
#include "storage/base/cbor.h"
#include "storage/base/file.h"
#include "tests/support/base_test.h"
#include "tests/support/wire_sample.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX (1u << 20)

static struct message *message_new(void)
{
    return mem_alloc(sizeof(struct message));
}

/* The sample's bytes; the caller releases. */
static struct buf sample_bytes(enum message_kind kind)
{
    struct buf bytes = BUF_INIT(MESSAGE_BYTES_MAX);
    struct message *message = message_new();
    struct err err = ERR_INIT;

    wire_sample(kind, message);
    BASE_OK(message_encode(message, &bytes, &err), &err);
    mem_free(message);
    return bytes;
}

static char *golden_path(enum message_kind kind)
{
    char name[64];

    (void)snprintf(name, sizeof name, "%s.hex", message_kind_name(kind));
    return path_join(THAW_TESTS_DIR "/golden/messages", name);
}

/* Diagnostic notation as comments, then the bytes in hex. */
static void golden_write(const char *path, struct span bytes)
{
    struct buf notation = BUF_INIT(TEXT_MAX), text = BUF_INIT(TEXT_MAX);
    struct err err = ERR_INIT;
    char *line, *rest;

    BASE_OK(cbor_print(bytes, &notation, &err) && buf_append(&notation, "", 1, &err), &err);
    rest = (char *)notation.data;
    while ((line = strtok_r(rest, "\n", &rest)) != NULL)
        BASE_OK(buf_format(&text, &err, "# %s\n", line), &err);
    for (size_t i = 0; i < bytes.size; i++)
        BASE_OK(buf_format(&text, &err, "%02x%s", bytes.data[i],
                           i % 32 == 31 || i + 1 == bytes.size ? "\n" : " "),
                &err);
    BASE_OK(file_write(path, buf_span(&text), &err), &err);
    buf_release(&notation);
    buf_release(&text);
}

/* The golden bytes; the caller releases. */
static struct buf golden_bytes(enum message_kind kind)
{
    struct buf text = BUF_INIT(TEXT_MAX), digits = BUF_INIT(TEXT_MAX), bytes;
    char *path = golden_path(kind), *line, *rest;
    struct err err = ERR_INIT;

    BASE_OK(file_read(path, &text, &err) && buf_append(&text, "", 1, &err), &err);
    rest = (char *)text.data;
    while ((line = strtok_r(rest, "\n", &rest)) != NULL)
        if (line[0] != '#')
            BASE_OK(buf_append_text(&digits, line, &err), &err);
    BASE_OK(buf_append(&digits, "", 1, &err), &err);
    bytes = base_hex((const char *)digits.data);
    buf_release(&text);
    buf_release(&digits);
    mem_free(path);
    return bytes;
}

static void every_kind_has_its_golden_bytes(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    for (int kind = 0; kind < MESSAGE_KIND_COUNT; kind++) {
        struct buf bytes = sample_bytes((enum message_kind)kind), golden;

        if (getenv("THAW_GOLDEN_WRITE") != NULL) {
            char *path = golden_path((enum message_kind)kind);
            golden_write(path, buf_span(&bytes));
            mem_free(path);
        }
        BASE_OK(cbor_check(buf_span(&bytes), &err), &err);
        golden = golden_bytes((enum message_kind)kind);
        assert_int_equal(bytes.size, golden.size);
        assert_memory_equal(bytes.data, golden.data, bytes.size);
        buf_release(&bytes);
        buf_release(&golden);
    }
}

static void golden_bytes_come_back_as_they_went(void **state)
{
    struct message *message = message_new();
    struct err err = ERR_INIT;

    (void)state;
    for (int kind = 0; kind < MESSAGE_KIND_COUNT; kind++) {
        struct buf golden = golden_bytes((enum message_kind)kind);
        struct buf again = BUF_INIT(MESSAGE_BYTES_MAX);

        memset(message, 0xee, sizeof *message);
        BASE_OK(message_decode(buf_span(&golden), message, &err), &err);
        assert_int_equal(message->kind, kind);
        assert_int_equal(message->major, MESSAGE_MAJOR);
        BASE_OK(message_encode(message, &again, &err), &err);
        assert_true(span_equal(buf_span(&golden), buf_span(&again)));
        buf_release(&golden);
        buf_release(&again);
    }
    mem_free(message);
}

static void fields_arrive_with_their_values(void **state)
{
    struct buf bytes = sample_bytes(MESSAGE_RESULT);
    struct message *message = message_new();
    struct hash console = wire_hash(0xe0);
    const struct message_job_result *result;
    struct err err = ERR_INIT;

    (void)state;
    BASE_OK(message_decode(buf_span(&bytes), message, &err), &err);
    result = &message->u.result.results[0];
    assert_int_equal(message->u.result.result_count, 2);
    assert_int_equal(result->lease, 77);
    assert_int_equal(result->verdict, VERDICT_FAIL);
    assert_int_equal(result->exit_status, 134);
    assert_true(result->virtual_ns == UINT64_C(5000000000));
    assert_true(hash_equal(&result->console, &console));
    assert_int_equal(result->artifact_count, 1);
    assert_true(cbor_text_is(result->artifacts[0].name, "core/dump.bin"));
    assert_int_equal(message->u.result.results[1].exit_status, -1);
    assert_int_equal(message->u.result.results[1].artifact_count, 0);
    assert_true(hash_is_zero(&message->u.result.results[1].console));
    mem_free(message);
    buf_release(&bytes);
}

/* Decodes exactly these bytes (a sanitizer sees one too many); if they are a message, it can be
 * written and read again. */
static void decode_or_refuse(struct span bytes, struct message *message)
{
    uint8_t *exact = mem_alloc(bytes.size == 0 ? 1 : bytes.size);
    struct buf again = BUF_INIT(MESSAGE_BYTES_MAX);
    struct err err = ERR_INIT;

    if (bytes.size != 0)
        memcpy(exact, bytes.data, bytes.size);
    if (message_decode((struct span){exact, bytes.size}, message, &err)) {
        assert_int_equal(err.kind, ERR_NONE);
        BASE_OK(message_encode(message, &again, &err), &err);
        BASE_OK(message_decode(buf_span(&again), message, &err), &err);
    } else {
        assert_int_not_equal(err.kind, ERR_NONE);
        assert_string_not_equal(err.text, "");
    }
    buf_release(&again);
    mem_free(exact);
}

static void every_truncation_is_refused(void **state)
{
    struct message *message = message_new();

    (void)state;
    for (int kind = 0; kind < MESSAGE_KIND_COUNT; kind++) {
        struct buf bytes = sample_bytes((enum message_kind)kind);

        for (size_t size = 0; size < bytes.size; size++) {
            struct err err = ERR_INIT;

            decode_or_refuse((struct span){bytes.data, size}, message);
            BASE_FAILS(message_decode((struct span){bytes.data, size}, message, &err), &err,
                       ERR_CORRUPT, "CBOR");
        }
        buf_release(&bytes);
    }
    mem_free(message);
}

static void every_flipped_bit_is_read_or_refused_cleanly(void **state)
{
    struct message *message = message_new();

    (void)state;
    for (int kind = 0; kind < MESSAGE_KIND_COUNT; kind++) {
        struct buf bytes = sample_bytes((enum message_kind)kind);

        for (size_t bit = 0; bit < bytes.size * 8; bit++) {
            bytes.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
            decode_or_refuse(buf_span(&bytes), message);
            bytes.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        buf_release(&bytes);
    }
    mem_free(message);
}

/* Decodes what the hex digits say; see BASE_FAILS. */
static bool decode_hex(const char *digits, struct message *message, struct err *err)
{
    struct buf bytes = base_hex(digits);
    bool ok = message_decode(buf_span(&bytes), message, err);

    buf_release(&bytes);
    return ok;
}

/* {"v": [1, minor], "kind": "empty", "fields": {"retry_ms": 7}} and what a later minor may add. */
static void unknown_keys_are_skipped_at_every_level(void **state)
{
    struct message *message = message_new();
    struct err err = ERR_INIT;

    (void)state;
    BASE_OK(decode_hex("a5"
                       "05 f6"                     /* 5: null */
                       "6176 83 01 07 03"          /* "v": [1, 7, 3] */
                       "61 78 a1 61 79 82 01 02"   /* "x": {"y": [1, 2]} */
                       "64 6b696e64 65 656d707479" /* "kind": "empty" */
                       "66 6669656c6473"           /* "fields": */
                       "a4 01 02"                  /* {1: 2, */
                       "61 61 43 000102"           /* "a": h'000102', */
                       "68 72657472795f6d73 07"    /* "retry_ms": 7, */
                       "69 7a7a7a7a7a7a7a7a7a 80", /* "zzzzzzzzz": []} */
                       message, &err),
            &err);
    assert_int_equal(message->kind, MESSAGE_EMPTY);
    assert_int_equal(message->minor, 7);
    assert_int_equal(message->u.empty.retry_ms, 7);
    mem_free(message);
}

static void another_major_version_is_refused_by_name(void **state)
{
    struct message *message = message_new();
    struct err err = ERR_INIT;

    (void)state;
    BASE_FAILS(
        decode_hex("a3 6176 82 02 05 64 6b696e64 65 656d707479 66 6669656c6473 a0", message, &err),
        &err, ERR_UNSUPPORTED, "version 2.5");
    assert_int_equal(message->major, 2);
    assert_int_equal(message->minor, 5);
    mem_free(message);
}

static void a_refusal_is_read_at_any_major_version(void **state)
{
    struct message *message = message_new();
    struct err err = ERR_INIT;
    struct buf bytes = BUF_INIT(MESSAGE_BYTES_MAX);

    (void)state;
    wire_sample(MESSAGE_REFUSED, message);
    message->major = 9;
    BASE_OK(message_encode(message, &bytes, &err), &err);
    BASE_OK(message_decode(buf_span(&bytes), message, &err), &err);
    BASE_FAILS(message_refused_err(message, &err), &err, ERR_ACCESS, "the token was used before");
    buf_release(&bytes);
    mem_free(message);
}

static void unknown_kinds_and_names_are_refused(void **state)
{
    struct message *message = message_new();
    struct err err = ERR_INIT;

    (void)state;
    BASE_FAILS(
        decode_hex("a3 6176 82 01 00 64 6b696e64 65 656d707478 66 6669656c6473 a0", message, &err),
        &err, ERR_UNSUPPORTED, "\"emptx\"");
    err = (struct err)ERR_INIT;
    BASE_FAILS(decode_hex("a2 6176 82 01 00 64 6b696e64 65 656d707479", message, &err), &err,
               ERR_INVALID, "`fields` is missing");
    err = (struct err)ERR_INIT;
    /* refused, of a kind that comes with a later version */
    BASE_OK(decode_hex("a3 6176 82 01 00 64 6b696e64 67 72656675736564 66 6669656c6473"
                       "a2 64 6b696e64 63 6d6178 68 73656e74656e6365 61 78",
                       message, &err),
            &err);
    assert_int_equal(message->u.refused.kind, ERR_IO);
    mem_free(message);
}

static void a_required_field_that_is_missing_is_named(void **state)
{
    struct message *message = message_new();
    struct err err = ERR_INIT;
    struct buf bytes = BUF_INIT(MESSAGE_BYTES_MAX);

    (void)state;
    BASE_FAILS(
        decode_hex("a3 6176 82 01 00 64 6b696e64 63 627965 66 6669656c6473 a0", message, &err),
        &err, ERR_INVALID, "bye without `incarnation`");
    err = (struct err)ERR_INIT;
    message_init(message, MESSAGE_BYE);
    BASE_FAILS(message_encode(message, &bytes, &err), &err, ERR_INVALID, "`incarnation`");
    assert_int_equal(bytes.size, 0);
    buf_release(&bytes);
    mem_free(message);
}

/* "v", "kind": "empty" or "bye", and the fields that follow. */
#define EMPTY "a3 6176 82 01 00 64 6b696e64 65 656d707479 66 6669656c6473"
#define BYE   "a3 6176 82 01 00 64 6b696e64 63 627965 66 6669656c6473"

static void values_out_of_their_range_are_refused(void **state)
{
    struct message *message = message_new();
    struct err err = ERR_INIT;

    (void)state;
    BASE_OK(decode_hex(EMPTY "a1 68 72657472795f6d73 1a ffffffff", message, &err), &err);
    assert_true(message->u.empty.retry_ms == UINT32_MAX);
    BASE_FAILS(decode_hex(EMPTY "a1 68 72657472795f6d73 1b 0000000100000000", message, &err), &err,
               ERR_INVALID, "`retry_ms` is out of range");
    err = (struct err)ERR_INIT;
    BASE_FAILS(decode_hex(EMPTY "a1 68 72657472795f6d73 20", message, &err), &err, ERR_CORRUPT,
               "unsigned");
    err = (struct err)ERR_INIT; /* an incarnation of 15 bytes */
    BASE_FAILS(decode_hex(BYE "a1 6b 696e6361726e6174696f6e 4f 0102030405060708090a0b0c0d0e0f",
                          message, &err),
               &err, ERR_INVALID, "15 bytes instead of 16");
    err = (struct err)ERR_INIT; /* of zeros: nobody's */
    BASE_FAILS(decode_hex(BYE "a1 6b 696e6361726e6174696f6e 50 00000000000000000000000000000000",
                          message, &err),
               &err, ERR_INVALID, "empty `incarnation`");
    err = (struct err)ERR_INIT;
    BASE_FAILS(
        decode_hex("a3 6176 81 01 64 6b696e64 65 656d707479 66 6669656c6473 a0", message, &err),
        &err, ERR_INVALID, "major and a minor");
    err = (struct err)ERR_INIT;
    BASE_FAILS(decode_hex("a3 6176 82 1b0000000100000001 00 64 6b696e64 65 656d707479"
                          "66 6669656c6473 a0",
                          message, &err),
               &err, ERR_INVALID, "version is out of range");
    mem_free(message);
}

/* One message has one form. */
static void keys_that_are_repeated_or_out_of_order_are_refused(void **state)
{
    struct message *message = message_new();
    struct err err = ERR_INIT;

    (void)state;
    BASE_FAILS(decode_hex(EMPTY "a2 68 72657472795f6d73 01 68 72657472795f6d73 02", message, &err),
               &err, ERR_CORRUPT, "repeated or out of order");
    err = (struct err)ERR_INIT;
    BASE_FAILS(
        decode_hex("a3 64 6b696e64 65 656d707479 6176 82 01 00 66 6669656c6473 a0", message, &err),
        &err, ERR_CORRUPT, "repeated or out of order");
    err = (struct err)ERR_INIT;
    BASE_FAILS(decode_hex(EMPTY "a0 00", message, &err), &err, ERR_CORRUPT, "follow");
    mem_free(message);
}

static void a_message_over_the_maximum_is_refused_by_its_receiver(void **state)
{
    static uint8_t filling[MESSAGE_BYTES_MAX];
    struct message *message = message_new();
    struct buf bytes = BUF_INIT(2 * MESSAGE_BYTES_MAX);
    struct err err = ERR_INIT;

    (void)state;
    for (int over = 0; over < 2; over++) { /* {"v", "kind": "empty", "fields": {}, "zzzzzzz": …} */
        struct buf head = base_hex("a4 6176 82 01 00 64 6b696e64 65 656d707479 66 6669656c6473 a0"
                                   "67 7a7a7a7a7a7a7a");
        struct cbor_writer writer = cbor_writer(&bytes, &err);

        buf_clear(&bytes);
        BASE_OK(buf_append(&bytes, head.data, head.size, &err), &err);
        cbor_write_bytes(&writer,
                         (struct span){filling, MESSAGE_BYTES_MAX - head.size - 3 + (size_t)over});
        assert_int_equal(bytes.size, MESSAGE_BYTES_MAX + over);
        if (over == 0)
            BASE_OK(message_decode(buf_span(&bytes), message, &err), &err);
        else
            BASE_FAILS(message_decode(buf_span(&bytes), message, &err), &err, ERR_TOO_BIG, "65281");
        buf_release(&head);
    }
    buf_release(&bytes);
    mem_free(message);
}

static void texts_that_peers_would_refuse_are_not_written(void **state)
{
    static const uint8_t bad[2] = {0xc3, 0x28}, nul[3] = {'a', 0, 'b'};
    static const char long_text[MESSAGE_TEXT_MAX + 1] = {'x'};
    struct message *message = message_new();
    struct buf bytes = BUF_INIT(MESSAGE_BYTES_MAX);
    struct err err = ERR_INIT;

    (void)state;
    message_init(message, MESSAGE_DRAIN);
    message->u.drain.reason = (struct span){bad, sizeof bad};
    BASE_FAILS(message_encode(message, &bytes, &err), &err, ERR_INVALID, "not UTF-8");
    message->u.drain.reason = (struct span){nul, sizeof nul};
    BASE_FAILS(message_encode(message, &bytes, &err), &err, ERR_INVALID, "NUL");
    message->u.drain.reason = (struct span){(const uint8_t *)long_text, sizeof long_text};
    BASE_FAILS(message_encode(message, &bytes, &err), &err, ERR_TOO_BIG, "`reason`");
    buf_release(&bytes);
    mem_free(message);
}

static void a_message_over_the_maximum_is_refused_by_its_sender(void **state)
{
    static char name[MESSAGE_ARTIFACT_NAME];
    struct message *message = message_new();
    struct buf bytes = BUF_INIT(10 * MESSAGE_BYTES_MAX);
    struct err err = ERR_INIT;

    (void)state;
    memset(name, 'n', sizeof name);
    wire_sample(MESSAGE_RESULT, message);
    message->u.result.result_count = MESSAGE_RESULTS_MAX;
    for (uint32_t i = 0; i < MESSAGE_RESULTS_MAX; i++) {
        struct message_job_result *result = &message->u.result.results[i];

        *result = message->u.result.results[0];
        result->artifact_count = MESSAGE_ARTIFACTS_MAX;
        for (uint32_t j = 0; j < MESSAGE_ARTIFACTS_MAX; j++)
            result->artifacts[j] = (struct message_artifact){
                {(const uint8_t *)name, sizeof name}, 1, wire_hash((uint8_t)(j + 1))};
    }
    BASE_OK(buf_append(&bytes, "before", 6, &err), &err);
    BASE_FAILS(message_encode(message, &bytes, &err), &err, ERR_TOO_BIG, "at most 65280 bytes");
    assert_int_equal(bytes.size, 6);
    assert_int_equal(bytes.max, 10 * MESSAGE_BYTES_MAX);
    buf_release(&bytes);
    mem_free(message);
}

/* Fills a message by the sizes told until the room is used up: it must be encoded. */
static void results_that_fit_by_their_sizes_are_encoded(void **state)
{
    struct message *message = message_new();
    struct buf bytes = BUF_INIT(MESSAGE_BYTES_MAX);
    struct err err = ERR_INIT;
    size_t room = MESSAGE_RESULT_ROOM;
    uint64_t random = 5;

    (void)state;
    for (int round = 0; round < 200; round++) {
        struct message_result *result = &message->u.result;

        wire_sample(MESSAGE_RESULT, message);
        buf_clear(&bytes);
        room = MESSAGE_RESULT_ROOM;
        for (result->result_count = 0; result->result_count < MESSAGE_RESULTS_MAX;
             result->result_count++) {
            struct message_job_result *one = &result->results[result->result_count];

            *one = result->results[0];
            one->artifact_count = (uint32_t)(base_random(&random) % (MESSAGE_ARTIFACTS_MAX + 1));
            for (uint32_t i = 0; i < one->artifact_count; i++)
                one->artifacts[i] = (struct message_artifact){span_of_text("a/name"), UINT64_MAX,
                                                              wire_hash((uint8_t)(i + 1))};
            if (message_job_result_bytes(one) > room)
                break;
            room -= message_job_result_bytes(one);
        }
        assert_true(result->result_count > 5);
        BASE_OK(message_encode(message, &bytes, &err), &err);
    }
    buf_release(&bytes);
    mem_free(message);
}

static void lists_that_are_too_long_are_refused_on_both_sides(void **state)
{
    struct message *message = message_new();
    struct buf bytes = BUF_INIT(MESSAGE_BYTES_MAX);
    struct cbor_writer writer;
    struct err err = ERR_INIT;

    (void)state;
    wire_sample(MESSAGE_BEAT, message);
    message->u.beat.lease_count = MESSAGE_LEASES_MAX + 1;
    BASE_FAILS(message_encode(message, &bytes, &err), &err, ERR_TOO_BIG, "`leases`");
    writer = cbor_writer(&bytes, &err);
    cbor_write_map(&writer, 3);
    cbor_write_text(&writer, "v");
    cbor_write_array(&writer, 2);
    cbor_write_uint(&writer, MESSAGE_MAJOR);
    cbor_write_uint(&writer, 0);
    cbor_write_text(&writer, "kind");
    cbor_write_text(&writer, "beat");
    cbor_write_text(&writer, "fields");
    cbor_write_map(&writer, 1);
    cbor_write_text(&writer, "leases");
    cbor_write_array(&writer, MESSAGE_LEASES_MAX + 1);
    for (int i = 0; i <= MESSAGE_LEASES_MAX; i++)
        cbor_write_uint(&writer, 1);
    err = (struct err)ERR_INIT;
    BASE_FAILS(message_decode(buf_span(&bytes), message, &err), &err, ERR_TOO_BIG, "1025 entries");
    buf_release(&bytes);
    mem_free(message);
}

static void an_error_travels_as_a_refusal(void **state)
{
    struct message *message = message_new();
    struct buf bytes = BUF_INIT(MESSAGE_BYTES_MAX);
    struct err err = ERR_INIT, told = ERR_INIT;
    char text[ERR_TEXT_MAX];

    (void)state;
    memset(text, 'e', sizeof text);
    memcpy(text + MESSAGE_TEXT_MAX - 1, "\xc3\xbc", 2); /* a character across the border */
    text[sizeof text - 1] = 0;
    err_set(&err, ERR_CONFLICT, "%s", text);
    message_refuse(message, &err);
    BASE_OK(message_encode(message, &bytes, &told), &told);
    BASE_OK(message_decode(buf_span(&bytes), message, &told), &told);
    assert_false(message_refused_err(message, &told));
    assert_int_equal(told.kind, ERR_CONFLICT);
    assert_int_equal(strlen(told.text), MESSAGE_TEXT_MAX - 1);
    buf_release(&bytes);
    mem_free(message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_has_its_golden_bytes),
        cmocka_unit_test(golden_bytes_come_back_as_they_went),
        cmocka_unit_test(fields_arrive_with_their_values),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(every_flipped_bit_is_read_or_refused_cleanly),
        cmocka_unit_test(unknown_keys_are_skipped_at_every_level),
        cmocka_unit_test(another_major_version_is_refused_by_name),
        cmocka_unit_test(a_refusal_is_read_at_any_major_version),
        cmocka_unit_test(unknown_kinds_and_names_are_refused),
        cmocka_unit_test(a_required_field_that_is_missing_is_named),
        cmocka_unit_test(values_out_of_their_range_are_refused),
        cmocka_unit_test(keys_that_are_repeated_or_out_of_order_are_refused),
        cmocka_unit_test(a_message_over_the_maximum_is_refused_by_its_receiver),
        cmocka_unit_test(texts_that_peers_would_refuse_are_not_written),
        cmocka_unit_test(a_message_over_the_maximum_is_refused_by_its_sender),
        cmocka_unit_test(results_that_fit_by_their_sizes_are_encoded),
        cmocka_unit_test(lists_that_are_too_long_are_refused_on_both_sides),
        cmocka_unit_test(an_error_travels_as_a_refusal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
