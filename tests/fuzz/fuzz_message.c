/* Any bytes as a message: refused with a reason, or one that is written and read again the same. */
#include "jobs/wire/message.h"
#include "storage/base/check.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct message message;
    struct buf first = BUF_INIT(MESSAGE_BYTES_MAX), second = BUF_INIT(MESSAGE_BYTES_MAX);
    struct err err = ERR_INIT;

    if (message_decode((struct span){data, size}, &message, &err)) {
        CHECK(err.kind == ERR_NONE);
        CHECK(message_encode(&message, &first, &err));
        CHECK(message_decode(buf_span(&first), &message, &err));
        CHECK(message_encode(&message, &second, &err));
        CHECK(span_equal(buf_span(&first), buf_span(&second)));
    } else {
        CHECK(err.kind != ERR_NONE && err.text[0] != 0);
    }
    buf_release(&first);
    buf_release(&second);
    return 0;
}
