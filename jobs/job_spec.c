#include "jobs/job_spec.h"

#include "jobs/job_spec_internal.h"
#include "storage/base/check.h"

#include <string.h>

#define SENTINEL "thaw job"
#define VERSION  1
#define HEAD     4 /* sentinel, version, kind, fields */

const char *job_kind_name(enum job_kind kind)
{
    return kind == JOB_BOOT ? "boot" : "test";
}

bool job_spec_encode(const struct job_spec *spec, struct buf *out, struct err *err)
{
    struct buf bytes = BUF_INIT(out->max < JOB_SPEC_BYTES_MAX ? out->max : JOB_SPEC_BYTES_MAX);
    struct cbor_writer writer = cbor_writer(&bytes, err);
    struct job_spec *again = NULL;
    bool ok;

    cbor_write_array(&writer, HEAD);
    cbor_write_text(&writer, SENTINEL);
    cbor_write_uint(&writer, VERSION);
    cbor_write_text(&writer, job_kind_name(spec->kind));
    spec_write(&writer, job_spec_table(spec->kind), spec);
    /* Reading it back is the one place where the rules are. */
    ok = writer.ok && job_spec_decode(buf_span(&bytes), &again, err) &&
         buf_append(out, bytes.data, bytes.size, err);
    job_spec_free(again);
    buf_release(&bytes);
    return ok || err_wrap(err, "the spec of %s", spec->name != NULL ? spec->name : "a job");
}

static bool read_head(struct cbor_reader *reader, enum job_kind *kind)
{
    struct span text;
    uint64_t version;
    size_t count;

    if (!cbor_read_array(reader, HEAD, &count) || !cbor_read_text(reader, 64, &text))
        return false;
    if (count != HEAD || !cbor_text_is(text, SENTINEL))
        return cbor_fail(reader, ERR_INVALID, "this is not a job spec");
    if (!cbor_read_uint(reader, &version))
        return false;
    if (version != VERSION)
        return cbor_fail(reader, ERR_UNSUPPORTED, "a job spec of version %llu; this build knows %d",
                         (unsigned long long)version, VERSION);
    if (!cbor_read_text(reader, 64, &text))
        return false;
    if (!cbor_text_is(text, "test") && !cbor_text_is(text, "boot"))
        return cbor_fail(reader, ERR_UNSUPPORTED, "a job of an unknown kind");
    *kind = cbor_text_is(text, "boot") ? JOB_BOOT : JOB_TEST;
    return true;
}

/* Names that are not written because another field says the same. */
static void complete(struct job_spec *spec)
{
    if (spec->kind == JOB_BOOT) {
        spec->suite = "";
        spec->name = spec->machine.name;
        spec->machine.path = spec->machine.name;
    }
    spec->test.name = spec->name;
}

bool job_spec_decode(struct span bytes, struct job_spec **out, struct err *err)
{
    struct cbor_reader reader = cbor_reader(bytes, err);
    struct job_spec *spec;
    bool ok;

    if (bytes.size > JOB_SPEC_BYTES_MAX)
        return err_set(err, ERR_TOO_BIG, "a job spec of %zu bytes; the limit is %u", bytes.size,
                       JOB_SPEC_BYTES_MAX);
    spec = mem_alloc(sizeof *spec);
    spec->pool = (struct pool)POOL_INIT;
    ok = read_head(&reader, &spec->kind) &&
         spec_read(&reader, job_spec_table(spec->kind), spec, &spec->pool);
    if (ok && reader.offset != bytes.size)
        ok = cbor_fail(&reader, ERR_INVALID, "bytes follow the job spec");
    if (ok) {
        complete(spec);
        ok = job_spec_check(spec, err);
    }
    if (!ok) {
        job_spec_free(spec);
        return false;
    }
    *out = spec;
    return true;
}

void job_spec_free(struct job_spec *spec)
{
    if (spec == NULL)
        return;
    pool_release(&spec->pool);
    mem_free(spec);
}

const struct job_blob *job_spec_blob(const struct job_spec *spec, const char *name)
{
    for (size_t i = 0; i < spec->blob_count; i++) {
        if (strcmp(spec->blobs[i].name, name) == 0)
            return &spec->blobs[i];
    }
    return NULL;
}

struct placing {
    const char *name;
    const char *path;
};

static bool place(void *context, const char **path)
{
    const struct placing *placing = context;

    if (strcmp(*path, placing->name) == 0)
        *path = placing->path;
    return true;
}

void job_spec_place(struct job_spec *spec, size_t index, const char *path)
{
    struct placing placing;

    CHECK(index < spec->blob_count);
    placing = (struct placing){spec->blobs[index].name, pool_text(&spec->pool, path)};
    spec_walk_paths(job_spec_table(spec->kind), spec, place, &placing);
}

void job_spec_suite(struct job_spec *spec, struct job_file *out)
{
    *out = (struct job_file){.path = spec->suite,
                             .name = spec->suite,
                             .prompt = spec->prompt,
                             .work = spec->work,
                             .job_disk = spec->job_disk,
                             .result_disk = spec->result_disk,
                             .tests = &spec->test,
                             .test_count = 1,
                             .pool = POOL_INIT};
}

struct hash job_spec_hash(struct span encoding)
{
    return hash_of(encoding);
}

struct hash job_key(const struct hash *spec_hash, const struct hash *checkpoint)
{
    static const char domain[] = "thaw job key 1"; /* its NUL is hashed too */
    struct hasher *hasher = hasher_new();
    struct hash key;

    hasher_add(hasher, (struct span){(const uint8_t *)domain, sizeof domain});
    hasher_add(hasher, (struct span){spec_hash->bytes, HASH_SIZE});
    hasher_add(hasher, (struct span){checkpoint->bytes, HASH_SIZE});
    key = hasher_finish(hasher);
    hasher_free(hasher);
    return key;
}
