/* Any bytes as a job spec: refused with a sentence, or a job whose encoding is the same bytes. */
#include "jobs/job_spec.h"
#include "storage/base/check.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf again = BUF_INIT(JOB_SPEC_BYTES_MAX);
    struct span bytes = {data, size};
    struct job_spec *spec = NULL;
    struct err err = ERR_INIT;

    if (!job_spec_decode(bytes, &spec, &err)) {
        CHECK(err.kind != ERR_NONE && spec == NULL);
        return 0;
    }
    CHECK(job_spec_encode(spec, &again, &err));
    CHECK(span_equal(bytes, buf_span(&again)));
    for (size_t i = 0; i < spec->blob_count; i++)
        job_spec_place(spec, i, "/proc/self/fd/3");
    CHECK(spec->test.payload_count == 0 || strcmp(spec->test.payload[0], "/proc/self/fd/3") == 0);
    buf_release(&again);
    job_spec_free(spec);
    return 0;
}
