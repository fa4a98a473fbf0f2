#include "coordinator/gateway_frame.h"
#include "tests/support/base_test.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct ends {
    struct frame_stream a, b;
};

static struct ends ends_make(size_t out_max)
{
    struct ends ends;
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    frame_stream_init(&ends.a, fds[0], out_max);
    frame_stream_init(&ends.b, fds[1], out_max);
    return ends;
}

static void ends_release(struct ends *ends)
{
    frame_stream_release(&ends->a);
    frame_stream_release(&ends->b);
}

static void frames_have_their_golden_bytes(void **state)
{
    const struct frame frame = {FRAME_ANSWER, span_of_text("route"), span_of_text("hi")};
    struct ends ends = ends_make(1u << 20);

    (void)state;
    assert_true(frame_put(&ends.a, &frame));
    base_assert_hex(buf_span(&ends.a.out), "0b000000"   /* bytes that follow */
                                           "02 05 0000" /* answer, size of the route */
                                           "726f757465 6869");
    ends_release(&ends);
}

/* Many frames of every size go over in whatever pieces the socket takes. */
static void frames_come_whole_and_in_order(void **state)
{
    static uint8_t bytes[65536];
    struct ends ends = ends_make(1u << 20);
    uint64_t out_random = 1, in_random = 1;
    unsigned put = 0, taken = 0;
    struct err err = ERR_INIT;
    struct frame frame;
    bool got;

    (void)state;
    while (taken < 300) {
        while (put < 300) {
            uint64_t before = out_random;
            size_t size = base_random(&out_random) % sizeof bytes;

            memset(bytes, (int)(put & 0xff), size);
            frame = (struct frame){FRAME_REQUEST, span_of_text("abcd"), {bytes, size}};
            if (!frame_put(&ends.a, &frame)) {
                out_random = before;
                break;
            }
            put++;
        }
        BASE_OK(frame_flush(&ends.a, &err), &err);
        BASE_OK(frame_fill(&ends.b, &err), &err);
        while (frame_take(&ends.b, &frame, &got, &err) && got) {
            assert_int_equal(frame.bytes.size, base_random(&in_random) % sizeof bytes);
            for (size_t i = 0; i < frame.bytes.size; i++)
                assert_int_equal(frame.bytes.data[i], taken & 0xff);
            assert_true(span_equal(frame.route, span_of_text("abcd")));
            taken++;
        }
        assert_int_equal(err.kind, ERR_NONE);
    }
    ends_release(&ends);
}

/* Not all that was read need be taken at once; who waits for more must know that there is some. */
static void frames_that_were_read_and_not_taken_are_ready(void **state)
{
    const struct frame frame = {FRAME_REQUEST, span_of_text("abcd"), span_of_text("hello")};
    struct ends ends = ends_make(1u << 20);
    struct err err = ERR_INIT;
    struct frame taken;
    bool got;

    (void)state;
    assert_true(frame_put(&ends.a, &frame) && frame_put(&ends.a, &frame));
    ends.a.out.size--; /* the last byte comes later */
    assert_false(frame_ready(&ends.b));
    BASE_OK(frame_flush(&ends.a, &err) && frame_fill(&ends.b, &err), &err);
    assert_true(frame_ready(&ends.b));
    BASE_OK(frame_take(&ends.b, &taken, &got, &err), &err);
    assert_true(got);
    assert_false(frame_ready(&ends.b));
    assert_int_equal(write(ends.a.fd, "o", 1), 1);
    BASE_OK(frame_fill(&ends.b, &err), &err);
    assert_true(frame_ready(&ends.b));
    BASE_OK(frame_take(&ends.b, &taken, &got, &err), &err);
    assert_true(got && span_equal(taken.bytes, frame.bytes));
    assert_false(frame_ready(&ends.b));
    ends_release(&ends);
}

static void a_full_queue_takes_no_more(void **state)
{
    static uint8_t bytes[65536];
    struct ends ends = ends_make(200000);
    const struct frame frame = {FRAME_REQUEST, {NULL, 0}, {bytes, sizeof bytes}};

    (void)state;
    assert_true(frame_put(&ends.a, &frame));
    assert_true(frame_put(&ends.a, &frame));
    assert_true(frame_put(&ends.a, &frame));
    assert_false(frame_put(&ends.a, &frame));
    assert_int_equal(frame_waiting(&ends.a), 3 * (sizeof bytes + 8));
    ends_release(&ends);
}

static void bytes_that_are_no_frame_are_noticed(void **state)
{
    static const char *const bad[] = {
        "03000000 01000000",                      /* too short for its own head */
        "ffffffff 01000000",                      /* too long */
        "45000100 01000000",                      /* the maximum is 65604: one more */
        "04000000 00000000",                      /* kinds are 1 to 4 */
        "04000000 05000000", "04000000 01010000", /* the route does not fit */
        "80000000 01410000",                      /* a route of 65 bytes */
        "04000000 01000001",                      /* reserved */
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct ends ends = ends_make(1u << 20);
        struct buf bytes = base_hex(bad[i]);
        struct err err = ERR_INIT;
        struct frame frame;
        bool got;

        assert_int_equal(write(ends.a.fd, bytes.data, bytes.size), bytes.size);
        BASE_OK(frame_fill(&ends.b, &err), &err);
        BASE_FAILS(frame_take(&ends.b, &frame, &got, &err), &err, ERR_CORRUPT, "no frame");
        buf_release(&bytes);
        ends_release(&ends);
    }
}

static void what_was_sent_before_the_end_is_still_taken(void **state)
{
    const struct frame frame = {FRAME_ANSWER, span_of_text("r"), span_of_text("last")};
    struct ends ends = ends_make(1u << 20);
    struct err err = ERR_INIT;
    struct frame taken;
    bool got;

    (void)state;
    assert_true(frame_put(&ends.a, &frame));
    BASE_OK(frame_flush(&ends.a, &err), &err);
    frame_stream_release(&ends.a);
    BASE_OK(frame_fill(&ends.b, &err), &err);
    BASE_OK(frame_take(&ends.b, &taken, &got, &err) && got, &err);
    assert_true(span_equal(taken.bytes, frame.bytes));
    BASE_FAILS(frame_fill(&ends.b, &err), &err, ERR_NOT_FOUND, "closed");
    assert_true(frame_put(&ends.b, &frame));
    err = (struct err)ERR_INIT;
    BASE_FAILS(frame_flush(&ends.b, &err), &err, ERR_NOT_FOUND, "closed");
    ends_release(&ends);
}

/* Killed in the middle of a frame: that is an end as well. */
static void the_end_is_noticed_inside_a_frame(void **state)
{
    struct ends ends = ends_make(1u << 20);
    struct err err = ERR_INIT;
    struct frame frame;
    bool got = true;

    (void)state;
    assert_int_equal(write(ends.a.fd, "\x40\0\0\0\1", 5), 5);
    frame_stream_release(&ends.a);
    BASE_OK(frame_fill(&ends.b, &err), &err);
    BASE_OK(frame_take(&ends.b, &frame, &got, &err), &err);
    assert_false(got);
    BASE_FAILS(frame_fill(&ends.b, &err), &err, ERR_NOT_FOUND, "closed");
    ends_release(&ends);
}

static void figures_come_back_as_they_went(void **state)
{
    const struct gateway_figures figures = {1, 2, UINT64_MAX, 4, 5, 6, 7, 0};
    struct gateway_figures loaded = {0};
    struct buf bytes = BUF_INIT(256);

    (void)state;
    figures_store(&figures, &bytes);
    assert_true(figures_load(buf_span(&bytes), &loaded));
    assert_memory_equal(&loaded, &figures, sizeof figures);
    assert_false(figures_load((struct span){bytes.data, bytes.size - 1}, &loaded));
    buf_release(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_have_their_golden_bytes),
        cmocka_unit_test(frames_come_whole_and_in_order),
        cmocka_unit_test(frames_that_were_read_and_not_taken_are_ready),
        cmocka_unit_test(a_full_queue_takes_no_more),
        cmocka_unit_test(bytes_that_are_no_frame_are_noticed),
        cmocka_unit_test(what_was_sent_before_the_end_is_still_taken),
        cmocka_unit_test(the_end_is_noticed_inside_a_frame),
        cmocka_unit_test(figures_come_back_as_they_went),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
