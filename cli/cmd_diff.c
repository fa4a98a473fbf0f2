/* cmd_diff.c — `thaw diff`: two checkpoints compared down to attribute and page. */
#include "cli/commands.h"

#include "cli/base/output.h"
#include "sim/board/virt.h"
#include "sim/core/checkpoint.h"
#include "storage/image_cache.h"
#include "storage/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 4096u

/* One of the two. */
struct side {
    struct buf manifest;
    struct manifest_parts parts;
    struct checkpoint_view *view;
};

struct diff {
    struct side sides[2];
    struct image_cache *cache;
    bool json;
    uint64_t pages_max; /* listed of one image */
    json_t *attributes;
    json_t *pages;
    json_t *objects;
    uint64_t count;
    const struct checkpoint_object *object; /* being compared */
};

static bool side_open(struct side *side, struct store *store, const struct registry *registry,
                      const char *name, struct err *err)
{
    struct hash id;

    return store_resolve(store, name, &id, err) &&
           store_manifest_get(store, &id, &side->manifest, err) &&
           manifest_split(buf_span(&side->manifest), &side->parts, err) &&
           checkpoint_view_open(registry, buf_span(&side->manifest), &side->view, err);
}

static void side_release(struct side *side)
{
    checkpoint_view_free(side->view);
    buf_release(&side->manifest);
}

static void on_differ(void *context, const struct attr *attr, uint32_t index, uint64_t a,
                      uint64_t b)
{
    struct diff *diff = context;
    struct span path = diff->object->path;
    char name[128];

    diff->count++;
    snprintf(name, sizeof name, attr->count == 1 ? "%s" : "%s[%u]", attr->name, index);
    if (diff->json) {
        json_t *entry = json_object();
        json_object_set_new(entry, "object", json_span(path));
        json_object_set_new(entry, "attribute", json_string(attr->name));
        json_object_set_new(entry, "index", json_u64(index));
        json_object_set_new(entry, "a", json_u64(a));
        json_object_set_new(entry, "b", json_u64(b));
        json_array_append_new(diff->attributes, entry);
        return;
    }
    printf("%.*s.%-24s 0x%" PRIx64 " -> 0x%" PRIx64 "\n", (int)path.size, (const char *)path.data,
           name, a, b);
}

static const struct checkpoint_object *find_object(const struct checkpoint_view *view,
                                                   struct span path)
{
    for (size_t i = 0; i < checkpoint_view_count(view); i++)
        if (span_equal(checkpoint_view_at(view, i)->path, path))
            return checkpoint_view_at(view, i);
    return NULL;
}

static void differ_whole(struct diff *diff, struct span path, const char *how)
{
    diff->count++;
    if (diff->json) {
        json_t *entry = json_object();
        json_object_set_new(entry, "object", json_span(path));
        json_object_set_new(entry, "difference", json_string(how));
        json_array_append_new(diff->objects, entry);
        return;
    }
    printf("%.*s: %s\n", (int)path.size, (const char *)path.data, how);
}

static void compare_objects(struct diff *diff)
{
    const struct checkpoint_view *left = diff->sides[0].view, *right = diff->sides[1].view;

    for (size_t i = 0; i < checkpoint_view_count(left); i++) {
        const struct checkpoint_object *a = checkpoint_view_at(left, i);
        const struct checkpoint_object *b = find_object(right, a->path);
        diff->object = a;
        if (b == NULL)
            differ_whole(diff, a->path, "only in the first");
        else if (!span_equal(a->schema, b->schema))
            differ_whole(diff, a->path, "of another schema");
        else if (a->known == NULL || b->known == NULL)
            differ_whole(diff, a->path, "this build does not know the schema");
        else {
            attr_diff(&a->known->config, a->config, b->config, on_differ, diff);
            attr_diff(&a->known->state, a->state, b->state, on_differ, diff);
        }
    }
    for (size_t i = 0; i < checkpoint_view_count(right); i++)
        if (find_object(left, checkpoint_view_at(right, i)->path) == NULL)
            differ_whole(diff, checkpoint_view_at(right, i)->path, "only in the second");
}

static void list_page(struct diff *diff, const struct manifest_image *image, uint64_t page,
                      uint64_t listed)
{
    if (listed >= diff->pages_max)
        return;
    if (diff->json)
        json_array_append_new(diff->pages, json_pack("{s:o, s:o}", "image", json_span(image->path),
                                                     "offset", json_u64(page * PAGE)));
    else
        printf("  page at 0x%" PRIx64 "\n", page * PAGE);
}

static uint64_t compare_pages(struct diff *diff, const struct manifest_image *image,
                              const struct image_mapping mappings[2])
{
    uint64_t listed = 0;

    for (uint64_t chunk = 0; chunk < image->size / IMAGE_CHUNK_SIZE; chunk++) {
        if (hash_equal(&mappings[0].nodes[chunk], &mappings[1].nodes[chunk]))
            continue;
        for (uint64_t at = chunk * IMAGE_CHUNK_SIZE; at < (chunk + 1) * IMAGE_CHUNK_SIZE;
             at += PAGE)
            if (memcmp(mappings[0].data + at, mappings[1].data + at, PAGE) != 0)
                list_page(diff, image, at / PAGE, listed++);
    }
    return listed;
}

static bool compare_contents(struct diff *diff, const struct manifest_image *a,
                             const struct manifest_image *b, struct err *err)
{
    struct image_mapping mappings[2];
    uint64_t pages;

    if (!image_cache_open(diff->cache, &a->root, a->size, &mappings[0], err))
        return false;
    if (!image_cache_open(diff->cache, &b->root, b->size, &mappings[1], err)) {
        mappings[0].release(&mappings[0]);
        return false;
    }
    if (!diff->json)
        printf("%.*s:\n", (int)a->path.size, (const char *)a->path.data);
    pages = compare_pages(diff, a, mappings);
    diff->count += pages;
    if (!diff->json && pages > diff->pages_max)
        printf("  … %" PRIu64 " pages differ in all (--pages N lists more)\n", pages);
    mappings[0].release(&mappings[0]);
    mappings[1].release(&mappings[1]);
    return true;
}

struct pairing {
    struct diff *diff;
    const struct manifest_image *first;
    bool found;
};

static bool pair_second(void *context, const struct manifest_image *image, struct err *err)
{
    struct pairing *pairing = context;

    if (!span_equal(image->path, pairing->first->path))
        return true;
    pairing->found = true;
    if (image->size != pairing->first->size) {
        differ_whole(pairing->diff, image->path, "of another size");
        return true;
    }
    return hash_equal(&image->root, &pairing->first->root) ||
           compare_contents(pairing->diff, pairing->first, image, err);
}

static bool pair_first(void *context, const struct manifest_image *image, struct err *err)
{
    struct diff *diff = context;
    struct pairing pairing = {diff, image, false};

    return manifest_images(&diff->sides[1].parts, pair_second, &pairing, err);
}

struct diff_input {
    const char *names[2];
    uint64_t pages;
};

static bool diff_take(void *input, int key, const char *value, struct err *err)
{
    struct diff_input *diff = input;
    char *end;

    if (key == ARGP_KEY_END && diff->names[1] == NULL)
        return err_set(err, ERR_USAGE, "diff takes two checkpoints");
    if (key == 'p') {
        diff->pages = strtoull(value, &end, 10);
        if (*value == 0 || *end != 0)
            return err_set(err, ERR_USAGE, "--pages takes a number, not \"%s\"", value);
        return true;
    }
    if (key != ARGP_KEY_ARG)
        return key == ARGP_KEY_END;
    if (diff->names[1] != NULL)
        return err_set(err, ERR_USAGE, "\"%s\" is one argument too many", value);
    diff->names[diff->names[0] == NULL ? 0 : 1] = value;
    return true;
}

static void finish(struct diff *diff)
{
    bool equal = hash_equal(&diff->sides[0].parts.state_id, &diff->sides[1].parts.state_id);

    if (diff->json) {
        print_json(json_pack("{s:b, s:o, s:O, s:O, s:O}", "equal", equal, "differences",
                             json_u64(diff->count), "attributes", diff->attributes, "objects",
                             diff->objects, "pages", diff->pages));
        return;
    }
    if (equal)
        printf("equal: both are state %s\n", id_text(&diff->sides[0].parts.state_id).text);
}

int command_diff(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"pages", 'p', "N", 0, "pages listed of each image (default 16)", 0}, {0, 0, 0, 0, 0, 0}};
    static const struct command_usage usage = {
        "diff", "CHECKPOINT CHECKPOINT",
        "Compare two checkpoints down to attribute and 4 KiB page. Exit status 1 if their states "
        "differ.\v"
        "Example:\n  thaw diff debian-booted after-test",
        options, diff_take};
    struct diff_input input = {{NULL, NULL}, 16};
    struct diff diff = {.sides = {{.manifest = BUF_INIT(MANIFEST_BYTES_MAX)},
                                  {.manifest = BUF_INIT(MANIFEST_BYTES_MAX)}}};
    struct err err = ERR_INIT;
    struct registry registry;
    struct store *store = NULL;
    struct common common;
    bool ok;

    common_parse(&usage, &common, argc, argv, &input);
    registry_standard(&registry);
    diff.json = common.json;
    diff.pages_max = input.pages;
    diff.attributes = json_array();
    diff.objects = json_array();
    diff.pages = json_array();
    ok = common_open_store(&common, &store, &err) &&
         image_cache_new(store, NULL, &diff.cache, &err) &&
         side_open(&diff.sides[0], store, &registry, input.names[0], &err) &&
         side_open(&diff.sides[1], store, &registry, input.names[1], &err);
    if (ok) {
        compare_objects(&diff);
        ok = manifest_images(&diff.sides[0].parts, pair_first, &diff, &err);
    }
    if (ok)
        finish(&diff);
    json_decref(diff.attributes);
    json_decref(diff.objects);
    json_decref(diff.pages);
    side_release(&diff.sides[0]);
    side_release(&diff.sides[1]);
    image_cache_free(diff.cache);
    store_close(store);
    if (!ok)
        return common_fail(&common, &err);
    return diff.count == 0 ? EXIT_PASS : EXIT_FAIL;
}
