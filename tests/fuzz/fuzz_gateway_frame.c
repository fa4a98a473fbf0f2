/* What a gateway that was taken over may send its coordinator: frames one after the other, or bytes
 * that are refused. What was taken is put again and must be the same bytes. */
#include "coordinator/gateway_frame.h"
#include "storage/base/check.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gateway_figures figures;
    struct frame_stream stream;
    struct err err = ERR_INIT;
    struct frame frame;
    bool got = true;

    frame_stream_init(&stream, -1, 1u << 20);
    if (size > stream.in.max)
        size = stream.in.max;
    CHECK(buf_append(&stream.in, data, size, &err));
    while (frame_take(&stream, &frame, &got, &err) && got) {
        CHECK(frame.route.size <= GATEWAY_ROUTE_MAX);
        CHECK(frame.route.size + frame.bytes.size <= GATEWAY_FRAME_MAX);
        if (frame.kind == FRAME_FIGURES)
            (void)figures_load(frame.bytes, &figures);
        (void)frame_put(&stream, &frame);
    }
    CHECK(stream.in_at <= size);
    CHECK(stream.out.size == stream.in_at);
    CHECK(stream.in_at == 0 || memcmp(stream.out.data, data, stream.in_at) == 0);
    frame_stream_release(&stream);
    return 0;
}
