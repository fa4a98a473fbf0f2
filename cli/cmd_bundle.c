/* cmd_bundle.c — one checkpoint as one file: export, import. */
#include "cli/commands.h"

#include "cli/base/output.h"
#include "storage/bundle.h"

#include <stdio.h>
#include <string.h>

#define FACTS_BLOB                                                                                 \
    "facts" /* how to talk to the machine: key NUL text NUL, for each fact of its tag */
#define FACTS_MAX (256u << 10)

struct bundle_input {
    const char *first;
    const char *second;
    const char *name; /* import: tag */
    bool is_import;
};

static bool take(void *input, int key, const char *value, struct err *err)
{
    struct bundle_input *bundle = input;

    if (key == 'n') {
        bundle->name = value;
        return store_name_check(value, err);
    }
    if (key == ARGP_KEY_END && bundle->is_import && bundle->first == NULL)
        return err_set(err, ERR_USAGE, "import takes a file");
    if (key == ARGP_KEY_END && !bundle->is_import && bundle->second == NULL)
        return err_set(err, ERR_USAGE, "export takes a checkpoint and a file");
    if (key != ARGP_KEY_ARG)
        return key == ARGP_KEY_END;
    if (bundle->first == NULL)
        bundle->first = value;
    else if (bundle->second == NULL && !bundle->is_import)
        bundle->second = value;
    else
        return err_set(err, ERR_USAGE, "\"%s\" is one argument too many", value);
    return true;
}

/* The facts of the tag given, or of any tag that names the checkpoint. */
static bool collect_facts(struct store *store, const char *name, const struct hash *id,
                          struct buf *out, struct err *err)
{
    struct store_tag_list tags = {NULL, 0};
    const struct store_tag *found = NULL;
    bool ok = store_tag_list(store, &tags, NULL, err);

    for (size_t i = 0; ok && i < tags.count; i++)
        if (hash_equal(&tags.items[i].checkpoint, id) &&
            (found == NULL || strcmp(tags.items[i].name, name) == 0))
            found = &tags.items[i];
    for (size_t i = 0; ok && found != NULL && i < found->fact_count; i++)
        ok = buf_append(out, found->facts[i].key, strlen(found->facts[i].key) + 1, err) &&
             buf_append(out, found->facts[i].text, strlen(found->facts[i].text) + 1, err);
    store_tag_list_release(&tags);
    return ok;
}

static void report(const struct common *common, const char *verb, const char *path,
                   const struct bundle_report *bundle)
{
    if (common->json)
        print_json(json_pack("{s:o, s:s, s:o, s:o, s:o}", "checkpoint",
                             json_hash(&bundle->checkpoint), "file", path, "chunks",
                             json_u64(bundle->chunks), "plain_bytes", json_u64(bundle->plain_bytes),
                             "file_bytes", json_u64(bundle->file_bytes)));
    else
        printf("%s %s: %s, %s in the file, %s of memory and disks\n", verb,
               id_text(&bundle->checkpoint).text, path, size_text(bundle->file_bytes).text,
               size_text(bundle->plain_bytes).text);
}

int command_export(int argc, char **argv)
{
    static const struct command_usage usage = {
        "export", "CHECKPOINT FILE.thaw",
        "Write a checkpoint and all it needs as one file. Equal checkpoints make equal files.\v"
        "Example:\n  thaw export debian-booted debian.thaw",
        NULL, take};
    struct bundle_input input = {.is_import = false};
    struct bundle_blob blob = {FACTS_BLOB, {NULL, 0}};
    struct bundle_contents contents = {.blobs = &blob};
    struct buf facts = BUF_INIT(FACTS_MAX);
    struct bundle_report bundle;
    struct err err = ERR_INIT;
    struct store *store = NULL;
    struct common common;
    bool ok;

    common_parse(&usage, &common, argc, argv, &input);
    ok = common_open_store(&common, &store, &err) &&
         store_resolve(store, input.first, &contents.checkpoint, &err) &&
         collect_facts(store, input.first, &contents.checkpoint, &facts, &err);
    blob.bytes = buf_span(&facts);
    contents.blob_count = facts.size != 0;
    ok = ok && bundle_export(store, &contents, input.second, &bundle, &err);
    if (ok)
        report(&common, "exported", input.second, &bundle);
    buf_release(&facts);
    store_close(store);
    return ok ? EXIT_PASS : common_fail(&common, &err);
}

/* Gathers the blob of facts; others are passed over. */
static bool on_blob(void *context, const char *name, struct span piece, bool last, struct err *err)
{
    struct buf *facts = context;

    (void)last;
    if (strcmp(name, FACTS_BLOB) != 0)
        return true;
    return buf_append(facts, piece.data, piece.size, err);
}

/* key NUL text NUL …; anything else in it is ignored: facts are no state, only help. */
static void set_facts(struct store_tag *tag, struct span facts)
{
    size_t at = 0;

    while (at < facts.size) {
        const char *key = (const char *)facts.data + at;
        const uint8_t *end = memchr(facts.data + at, 0, facts.size - at);
        const uint8_t *last;
        if (end == NULL)
            return;
        at = (size_t)(end - facts.data) + 1;
        last = at < facts.size ? memchr(facts.data + at, 0, facts.size - at) : NULL;
        if (last == NULL)
            return;
        store_tag_set_fact(tag, key, (const char *)facts.data + at);
        at = (size_t)(last - facts.data) + 1;
    }
}

static bool tag_imported(struct store *store, const char *name, const struct hash *id,
                         struct span facts, struct err *err)
{
    struct store_tag tag;
    bool ok;

    if (name == NULL)
        return true;
    store_tag_init(&tag, name, &clock_host);
    tag.checkpoint = *id;
    set_facts(&tag, facts);
    ok = store_tag_set(store, &tag, err);
    store_tag_release(&tag);
    return ok;
}

int command_import(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"name", 'n', "TAG", 0, "name the checkpoint; one without a name goes with the next gc", 0},
        {0, 0, 0, 0, 0, 0}};
    static const struct command_usage usage = {
        "import", "FILE.thaw",
        "Read a .thaw file into the store: all of it, checked, or nothing.\v"
        "Example:\n  thaw import debian.thaw -n debian-booted",
        options, take};
    struct bundle_input input = {.is_import = true};
    struct buf facts = BUF_INIT(FACTS_MAX);
    struct store_tag tag = {.name = ""};
    struct bundle_import import = {.blob = on_blob, .context = &facts};
    struct bundle_report bundle;
    struct err err = ERR_INIT;
    struct store *store = NULL;
    struct common common;
    bool ok;

    common_parse(&usage, &common, argc, argv, &input);
    if (input.name != NULL) {
        store_tag_init(&tag, input.name, &clock_host);
        import.tag = &tag; /* set with the checkpoint, so that gc cannot come in between */
    }
    ok = common_open_store(&common, &store, &err) &&
         bundle_import(store, input.first, &import, &bundle, &err) &&
         tag_imported(store, input.name, &bundle.checkpoint, buf_span(&facts), &err);
    if (ok)
        report(&common, "imported", input.first, &bundle);
    store_tag_release(&tag);
    buf_release(&facts);
    store_close(store);
    return ok ? EXIT_PASS : common_fail(&common, &err);
}
