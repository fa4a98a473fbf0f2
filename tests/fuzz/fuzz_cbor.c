/* Any bytes as CBOR: refused with a sentence, or the only encoding of what they say. */
#include "storage/base/cbor.h"
#include "storage/base/check.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/base_cbor.h"

#define OUT_MAX (1u << 24)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span bytes = {data, size};
    struct buf out = BUF_INIT(OUT_MAX), text = BUF_INIT(OUT_MAX);
    struct err err = ERR_INIT, copy_err = ERR_INIT, text_err = ERR_INIT;
    struct cbor_reader reader = cbor_reader(bytes, &copy_err);
    struct cbor_writer writer = cbor_writer(&out, &copy_err);
    bool accepted = cbor_check(bytes, &err);
    bool copied = base_cbor_copy(&reader, &writer);

    CHECK(accepted == (err.kind == ERR_NONE));
    CHECK(cbor_print(bytes, &text, &text_err) == accepted);
    if (accepted)
        CHECK(copied && span_equal(bytes, buf_span(&out)));
    buf_release(&text);
    buf_release(&out);
    return 0;
}
