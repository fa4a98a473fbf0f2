#include "jobs/wire/seal.h"

#include "storage/base/bytes.h"
#include "storage/base/cbor.h"
#include "storage/base/check.h"

#include <sodium.h>

#define FORMAT "thaw1"
/* Array of 4, "thaw1", the longest sender, the nonce, the box's own head. */
#define AROUND_MAX (1 + 6 + 2 + SEAL_SENDER_MAX + 2 + SEAL_NONCE_SIZE + 5)

_Static_assert(SEAL_KEY_SIZE == crypto_box_PUBLICKEYBYTES, "size of a public key");
_Static_assert(SEAL_KEY_SIZE == crypto_box_SECRETKEYBYTES, "size of a secret key");
_Static_assert(SEAL_KEY_SIZE == crypto_box_BEFORENMBYTES, "size of a shared key");
_Static_assert(SEAL_NONCE_SIZE == crypto_box_NONCEBYTES, "size of a nonce");
_Static_assert(AROUND_MAX + crypto_box_MACBYTES + SEAL_HEAD_SIZE + MESSAGE_BYTES_MAX <=
                   SEAL_BYTES_MAX,
               "the largest message does not fit the largest envelope");

bool seal_keys_make(struct seal_keys *keys, struct err *err)
{
    if (sodium_init() < 0)
        return err_set(err, ERR_IO, "libsodium cannot be used on this host");
    crypto_box_keypair(keys->public_key, keys->secret_key);
    return true;
}

void seal_wipe(void *secret, size_t size)
{
    sodium_memzero(secret, size);
}

uint64_t seal_random(void)
{
    uint64_t number;

    CHECK(sodium_init() >= 0);
    randombytes_buf(&number, sizeof number);
    return number;
}

bool seal_pair_make(const struct seal_keys *own, const uint8_t peer_public[SEAL_KEY_SIZE],
                    struct seal_pair *out, struct err *err)
{
    struct seal_pair pair;

    if (sodium_init() < 0)
        return err_set(err, ERR_IO, "libsodium cannot be used on this host");
    if (crypto_box_beforenm(pair.key, peer_public, own->secret_key) != 0)
        return err_set(err, ERR_INVALID, "%s is not a public key", seal_key_hex(peer_public).text);
    *out = pair;
    seal_wipe(&pair, sizeof pair);
    return true;
}

static void head_store(const struct seal_head *head, uint8_t out[SEAL_HEAD_SIZE])
{
    out[0] = (uint8_t)head->purpose;
    out[1] = (uint8_t)head->channel;
    store_be64(out + 2, head->session);
    store_be64(out + 10, head->counter);
}

static bool head_load(const uint8_t *from, struct seal_head *out)
{
    if (from[0] < SEAL_REQUEST || from[0] > SEAL_WAIT || from[1] >= SEAL_CHANNELS)
        return false;
    out->purpose = (enum seal_purpose)from[0];
    out->channel = (enum seal_channel)from[1];
    out->session = load_be64(from + 2);
    out->counter = load_be64(from + 10);
    return true;
}

static void write_envelope(struct cbor_writer *writer, struct span sender, struct span nonce,
                           struct span box)
{
    cbor_write_array(writer, 4);
    cbor_write_text(writer, FORMAT);
    cbor_write_bytes(writer, sender);
    cbor_write_bytes(writer, nonce);
    cbor_write_bytes(writer, box);
}

bool seal_wrap(const struct seal_pair *pair, const struct seal_options *options,
               struct span message, struct buf *out, struct err *err)
{
    struct buf box = BUF_INIT(SEAL_HEAD_SIZE + MESSAGE_BYTES_MAX + crypto_box_MACBYTES);
    struct cbor_writer writer = cbor_writer(out, err);
    uint8_t nonce[SEAL_NONCE_SIZE], *plain;
    size_t plain_size = SEAL_HEAD_SIZE + message.size;

    CHECK(options->sender.size == MESSAGE_ID_SIZE || options->sender.size == SEAL_KEY_SIZE);
    if (message.size > MESSAGE_BYTES_MAX)
        return err_set(err, ERR_TOO_BIG, "a message of %zu bytes, at most %d are allowed",
                       message.size, MESSAGE_BYTES_MAX);
    if (!buf_reserve(&box, plain_size + crypto_box_MACBYTES, err))
        return false;
    /* Sealed in place: the authenticator comes first, what is sealed moves to the right of it. */
    plain = box.data + crypto_box_MACBYTES;
    head_store(&options->head, plain);
    if (message.size != 0)
        memcpy(plain + SEAL_HEAD_SIZE, message.data, message.size);
    if (options->nonce != NULL)
        memcpy(nonce, options->nonce, sizeof nonce);
    else
        randombytes_buf(nonce, sizeof nonce);
    CHECK(crypto_box_easy_afternm(box.data, plain, plain_size, nonce, pair->key) == 0);
    box.size = plain_size + crypto_box_MACBYTES;
    write_envelope(&writer, options->sender, (struct span){nonce, sizeof nonce}, buf_span(&box));
    buf_release(&box);
    return writer.ok || err_wrap(err, "sealing a message");
}

static bool read_envelope(struct cbor_reader *reader, struct seal_envelope *out)
{
    struct span format;
    size_t count;

    if (!cbor_read_array(reader, 4, &count) || !cbor_read_text(reader, 16, &format))
        return false;
    if (!cbor_text_is(format, FORMAT))
        return cbor_fail(reader, ERR_UNSUPPORTED, "an envelope of the format \"%.*s\"",
                         (int)format.size, (const char *)format.data);
    if (count != 4)
        return cbor_fail(reader, ERR_CORRUPT, "an envelope has four entries");
    return cbor_read_bytes(reader, SEAL_SENDER_MAX, &out->sender) &&
           cbor_read_bytes(reader, SEAL_NONCE_SIZE, &out->nonce) &&
           cbor_read_bytes(reader, SEAL_BYTES_MAX, &out->box);
}

bool seal_parse(struct span bytes, struct seal_envelope *out, struct err *err)
{
    struct cbor_reader reader = cbor_reader(bytes, err);
    struct seal_envelope envelope;

    if (bytes.size > SEAL_BYTES_MAX)
        return err_set(err, ERR_TOO_BIG, "an envelope of %zu bytes, at most %d are allowed",
                       bytes.size, SEAL_BYTES_MAX);
    if (!read_envelope(&reader, &envelope))
        return err_wrap(err, "envelope");
    if (reader.offset != bytes.size)
        return err_set(err, ERR_CORRUPT, "envelope: bytes follow its end");
    if ((envelope.sender.size != MESSAGE_ID_SIZE && envelope.sender.size != SEAL_KEY_SIZE) ||
        envelope.nonce.size != SEAL_NONCE_SIZE || envelope.box.size < crypto_box_MACBYTES)
        return err_set(err, ERR_CORRUPT, "envelope: sender, nonce or box of a wrong size");
    *out = envelope;
    return true;
}

bool seal_open(const struct seal_pair *pair, const struct seal_envelope *envelope,
               struct seal_head *head, struct buf *message, struct err *err)
{
    size_t plain_size = envelope->box.size - crypto_box_MACBYTES;
    struct seal_head opened;

    buf_clear(message);
    if (!buf_reserve(message, plain_size, err))
        return false;
    if (crypto_box_open_easy_afternm(message->data, envelope->box.data, envelope->box.size,
                                     envelope->nonce.data, pair->key) != 0)
        return err_set(err, ERR_ACCESS, "envelope: not sealed by the peer it names, or changed");
    if (plain_size < SEAL_HEAD_SIZE || !head_load(message->data, &opened))
        return err_set(err, ERR_CORRUPT, "envelope: what is sealed has no head");
    message->size = plain_size - SEAL_HEAD_SIZE;
    memmove(message->data, message->data + SEAL_HEAD_SIZE, message->size);
    *head = opened;
    return true;
}
