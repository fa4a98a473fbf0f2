#include "jobs/wire/seal.h"
#include "storage/base/file.h"
#include "tests/support/base_test.h"

#include <string.h>
#include <sys/stat.h>

struct two {
    struct seal_keys agent, coordinator;
    struct seal_pair at_agent, at_coordinator;
};

static void two_make(struct two *two)
{
    struct err err = ERR_INIT;

    BASE_OK(seal_keys_make(&two->agent, &err), &err);
    BASE_OK(seal_keys_make(&two->coordinator, &err), &err);
    BASE_OK(seal_pair_make(&two->agent, two->coordinator.public_key, &two->at_agent, &err), &err);
    BASE_OK(seal_pair_make(&two->coordinator, two->agent.public_key, &two->at_coordinator, &err),
            &err);
}

static const uint8_t agent_id[MESSAGE_ID_SIZE] = {1, 2,  3,  4,  5,  6,  7,  8,
                                                  9, 10, 11, 12, 13, 14, 15, 16};

static struct seal_options request_options(void)
{
    return (struct seal_options){
        {agent_id, sizeof agent_id}, {SEAL_REQUEST, SEAL_BEAT, 7, 42}, NULL};
}

static bool open_bytes(const struct seal_pair *pair, struct span bytes, struct seal_head *head,
                       struct buf *message, struct err *err)
{
    struct seal_envelope envelope;

    return seal_parse(bytes, &envelope, err) && seal_open(pair, &envelope, head, message, err);
}

static void a_sealed_message_opens_at_the_other_side(void **state)
{
    struct seal_options options = request_options();
    struct buf sealed = BUF_INIT(SEAL_BYTES_MAX), message = BUF_INIT(SEAL_BYTES_MAX);
    struct seal_envelope envelope;
    struct seal_head head;
    struct err err = ERR_INIT;
    struct two two;

    (void)state;
    two_make(&two);
    BASE_OK(seal_wrap(&two.at_agent, &options, span_of_text("hello"), &sealed, &err), &err);
    BASE_OK(seal_parse(buf_span(&sealed), &envelope, &err), &err);
    assert_true(span_equal(envelope.sender, options.sender));
    BASE_OK(seal_open(&two.at_coordinator, &envelope, &head, &message, &err), &err);
    assert_true(span_equal(buf_span(&message), span_of_text("hello")));
    assert_int_equal(head.purpose, SEAL_REQUEST);
    assert_int_equal(head.channel, SEAL_BEAT);
    assert_int_equal(head.session, 7);
    assert_int_equal(head.counter, 42);
    buf_release(&sealed);
    buf_release(&message);
}

/* Keys and nonce of bytes 1, 2, 3 …: the whole envelope is known. */
static void an_envelope_has_its_golden_bytes(void **state)
{
    struct seal_options options = request_options();
    struct buf sealed = BUF_INIT(SEAL_BYTES_MAX);
    struct err err = ERR_INIT;
    struct seal_pair pair;
    uint8_t nonce[SEAL_NONCE_SIZE];

    (void)state;
    for (uint8_t i = 0; i < sizeof pair.key; i++)
        pair.key[i] = i;
    for (uint8_t i = 0; i < sizeof nonce; i++)
        nonce[i] = (uint8_t)(0x40 + i);
    options.nonce = nonce;
    BASE_OK(seal_wrap(&pair, &options, span_of_text("hi"), &sealed, &err), &err);
    base_assert_hex(buf_span(&sealed),
                    "84 65 7468617731"                                      /* "thaw1" */
                    "50 0102030405060708090a0b0c0d0e0f10"                   /* who */
                    "5818 404142434445464748494a4b4c4d4e4f5051525354555657" /* nonce */
                    "5824"                                                  /* box: 16 + 18 + 2 */
                    "c6d5c3cbe2d4f595d5c97d1cde4581c6"                      /* authenticator */
                    "4b1655793a51bb2ac65e716168895af1ce1d2e3d");
    buf_release(&sealed);
}

static void what_is_forged_does_not_open(void **state)
{
    struct seal_options options = request_options();
    struct buf sealed = BUF_INIT(SEAL_BYTES_MAX), message = BUF_INIT(SEAL_BYTES_MAX);
    struct seal_head head;
    struct two two, stranger;
    struct err err = ERR_INIT;

    (void)state;
    two_make(&two);
    two_make(&stranger);
    BASE_OK(seal_wrap(&stranger.at_agent, &options, span_of_text("x"), &sealed, &err), &err);
    BASE_FAILS(open_bytes(&two.at_coordinator, buf_span(&sealed), &head, &message, &err), &err,
               ERR_ACCESS, "not sealed by");
    assert_int_equal(message.size, 0);
    buf_release(&sealed);
    buf_release(&message);
}

/* Whoever stands between may turn any bit but the sender's, which chooses the key. */
static void every_flipped_bit_is_noticed(void **state)
{
    struct seal_options options = request_options();
    struct buf sealed = BUF_INIT(SEAL_BYTES_MAX), message = BUF_INIT(SEAL_BYTES_MAX);
    struct seal_head head;
    struct two two;
    struct err err = ERR_INIT;

    (void)state;
    two_make(&two);
    BASE_OK(seal_wrap(&two.at_agent, &options, span_of_text("hello"), &sealed, &err), &err);
    for (size_t bit = 0; bit < sealed.size * 8; bit++) {
        bool is_sender = bit / 8 >= 8 && bit / 8 < 8 + sizeof agent_id;

        sealed.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        err = (struct err)ERR_INIT;
        assert_true(open_bytes(&two.at_coordinator, buf_span(&sealed), &head, &message, &err) ==
                    is_sender);
        sealed.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    buf_release(&sealed);
    buf_release(&message);
}

static void every_truncation_is_refused(void **state)
{
    struct seal_options options = request_options();
    struct buf sealed = BUF_INIT(SEAL_BYTES_MAX), message = BUF_INIT(SEAL_BYTES_MAX);
    struct seal_head head;
    struct two two;
    struct err err = ERR_INIT;

    (void)state;
    two_make(&two);
    BASE_OK(seal_wrap(&two.at_agent, &options, span_of_text("hello"), &sealed, &err), &err);
    for (size_t size = 0; size < sealed.size; size++) {
        uint8_t *exact = mem_alloc(size == 0 ? 1 : size);

        memcpy(exact, sealed.data, size);
        err = (struct err)ERR_INIT;
        BASE_FAILS(
            open_bytes(&two.at_coordinator, (struct span){exact, size}, &head, &message, &err),
            &err, ERR_CORRUPT, "envelope");
        mem_free(exact);
    }
    assert_true(buf_append(&sealed, "", 1, &err));
    BASE_FAILS(open_bytes(&two.at_coordinator, buf_span(&sealed), &head, &message, &err), &err,
               ERR_CORRUPT, "follow");
    buf_release(&sealed);
    buf_release(&message);
}

static void envelopes_of_other_forms_are_refused(void **state)
{
    static const struct {
        const char *digits;
        enum err_kind kind;
    } bad[] = {
        {"84 65 7468617732 41 00 41 00 41 00", ERR_UNSUPPORTED}, /* "thaw2" */
        {"83 65 7468617731 41 00 41 00", ERR_CORRUPT},           /* three entries */
        /* a sender of 17 bytes; a nonce of 23; a box of 15 */
        {"84 65 7468617731 51 0000000000000000000000000000000000"
         "5818 000000000000000000000000000000000000000000000000"
         "50 00000000000000000000000000000000",
         ERR_CORRUPT},
        {"84 65 7468617731 50 00000000000000000000000000000000"
         "57 0000000000000000000000000000000000000000000000"
         "50 00000000000000000000000000000000",
         ERR_CORRUPT},
        {"84 65 7468617731 50 00000000000000000000000000000000"
         "5818 000000000000000000000000000000000000000000000000"
         "4f 000000000000000000000000000000",
         ERR_CORRUPT},
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct buf bytes = base_hex(bad[i].digits);
        struct seal_envelope envelope;
        struct err err = ERR_INIT;

        BASE_FAILS(seal_parse(buf_span(&bytes), &envelope, &err), &err, bad[i].kind, "envelope");
        buf_release(&bytes);
    }
}

static void a_head_that_makes_no_sense_is_refused(void **state)
{
    struct seal_options options = request_options();
    struct buf sealed = BUF_INIT(SEAL_BYTES_MAX), message = BUF_INIT(SEAL_BYTES_MAX);
    struct seal_head head;
    struct two two;
    struct err err = ERR_INIT;

    (void)state;
    two_make(&two);
    options.head.channel = (enum seal_channel)SEAL_CHANNELS;
    BASE_OK(seal_wrap(&two.at_agent, &options, span_of_text(""), &sealed, &err), &err);
    BASE_FAILS(open_bytes(&two.at_coordinator, buf_span(&sealed), &head, &message, &err), &err,
               ERR_CORRUPT, "no head");
    buf_clear(&sealed);
    err = (struct err)ERR_INIT;
    options = request_options();
    options.head.purpose = (enum seal_purpose)0;
    BASE_OK(seal_wrap(&two.at_agent, &options, span_of_text(""), &sealed, &err), &err);
    BASE_FAILS(open_bytes(&two.at_coordinator, buf_span(&sealed), &head, &message, &err), &err,
               ERR_CORRUPT, "no head");
    buf_release(&sealed);
    buf_release(&message);
}

static void the_largest_message_fits_and_a_larger_one_is_refused(void **state)
{
    static uint8_t bytes[MESSAGE_BYTES_MAX + 1];
    struct seal_options options = request_options();
    struct buf sealed = BUF_INIT(SEAL_BYTES_MAX), message = BUF_INIT(SEAL_BYTES_MAX);
    uint8_t key[SEAL_KEY_SIZE] = {9};
    struct seal_head head;
    struct two two;
    struct err err = ERR_INIT;

    (void)state;
    two_make(&two);
    options.sender = (struct span){key, sizeof key}; /* the longest there is */
    BASE_OK(
        seal_wrap(&two.at_agent, &options, (struct span){bytes, MESSAGE_BYTES_MAX}, &sealed, &err),
        &err);
    BASE_OK(open_bytes(&two.at_coordinator, buf_span(&sealed), &head, &message, &err), &err);
    assert_int_equal(message.size, MESSAGE_BYTES_MAX);
    buf_clear(&sealed);
    BASE_FAILS(
        seal_wrap(&two.at_agent, &options, (struct span){bytes, sizeof bytes}, &sealed, &err), &err,
        ERR_TOO_BIG, "at most 65280");
    buf_release(&sealed);
    buf_release(&message);
}

static void a_public_key_of_small_order_is_refused(void **state)
{
    static const uint8_t zero[SEAL_KEY_SIZE];
    struct seal_keys keys;
    struct seal_pair pair;
    struct err err = ERR_INIT;

    (void)state;
    BASE_OK(seal_keys_make(&keys, &err), &err);
    BASE_FAILS(seal_pair_make(&keys, zero, &pair, &err), &err, ERR_INVALID, "not a public key");
}

static void keys_come_back_from_their_file_which_is_private(void **state)
{
    char *folder = base_folder_make(), *path = path_join(folder, "key");
    struct seal_keys keys, loaded;
    struct err err = ERR_INIT;
    struct stat status;

    (void)state;
    BASE_OK(seal_keys_make(&keys, &err), &err);
    umask(0);
    BASE_OK(seal_keys_save(&keys, path, &err), &err);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    BASE_OK(seal_keys_load(path, &loaded, &err), &err);
    assert_memory_equal(&loaded, &keys, sizeof keys);
    assert_int_equal(chmod(path, 0640), 0);
    BASE_FAILS(seal_keys_load(path, &loaded, &err), &err, ERR_ACCESS, "chmod 600");
    mem_free(path);
    base_folder_remove(folder);
}

/* Writes the text as a key file and fails the test if it loads. */
static void assert_no_key_file(const char *path, struct span text)
{
    struct seal_keys loaded;
    struct err err = ERR_INIT;

    BASE_OK(file_write(path, text, &err), &err);
    assert_int_equal(chmod(path, 0600), 0);
    BASE_FAILS(seal_keys_load(path, &loaded, &err), &err, ERR_INVALID, "key file");
}

static void a_damaged_key_file_is_refused(void **state)
{
    char *folder = base_folder_make(), *path = path_join(folder, "key");
    struct buf text = BUF_INIT(4096);
    struct seal_keys keys, other;
    struct err err = ERR_INIT;

    (void)state;
    BASE_OK(seal_keys_make(&keys, &err) && seal_keys_make(&other, &err), &err);
    BASE_OK(seal_keys_save(&keys, path, &err), &err);
    BASE_OK(file_read(path, &text, &err), &err);
    for (size_t i = 0; i < text.size; i++) {
        uint8_t old = text.data[i];

        text.data[i] = '~';
        assert_no_key_file(path, buf_span(&text));
        assert_no_key_file(path, (struct span){text.data, i});
        text.data[i] = old;
    }
    memcpy(keys.public_key, other.public_key, sizeof keys.public_key); /* do not belong together */
    BASE_OK(seal_keys_save(&keys, path, &err), &err);
    BASE_FAILS(seal_keys_load(path, &other, &err), &err, ERR_INVALID, "damaged");
    err = (struct err)ERR_INIT;
    BASE_FAILS(seal_keys_load(folder, &other, &err), &err, ERR_INVALID, "not a key file");
    buf_release(&text);
    mem_free(path);
    base_folder_remove(folder);
}

static void a_public_key_is_read_from_its_own_text_only(void **state)
{
    struct seal_keys keys;
    struct seal_key_hex hex;
    uint8_t parsed[SEAL_KEY_SIZE];
    struct err err = ERR_INIT;

    (void)state;
    BASE_OK(seal_keys_make(&keys, &err), &err);
    hex = seal_key_hex(keys.public_key);
    BASE_OK(seal_key_parse(hex.text, parsed, &err), &err);
    assert_memory_equal(parsed, keys.public_key, sizeof parsed);
    BASE_FAILS(seal_key_parse(hex.text + 1, parsed, &err), &err, ERR_INVALID, "64 hex digits");
    hex.text[5] = 'g';
    BASE_FAILS(seal_key_parse(hex.text, parsed, &err), &err, ERR_INVALID, "64 hex digits");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sealed_message_opens_at_the_other_side),
        cmocka_unit_test(an_envelope_has_its_golden_bytes),
        cmocka_unit_test(what_is_forged_does_not_open),
        cmocka_unit_test(every_flipped_bit_is_noticed),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(envelopes_of_other_forms_are_refused),
        cmocka_unit_test(a_head_that_makes_no_sense_is_refused),
        cmocka_unit_test(the_largest_message_fits_and_a_larger_one_is_refused),
        cmocka_unit_test(a_public_key_of_small_order_is_refused),
        cmocka_unit_test(keys_come_back_from_their_file_which_is_private),
        cmocka_unit_test(a_damaged_key_file_is_refused),
        cmocka_unit_test(a_public_key_is_read_from_its_own_text_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
