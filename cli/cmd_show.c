/* cmd_show.c — what checkpoints hold: attrs, show. */
#include "cli/commands.h"

#include "cli/base/output.h"
#include "sim/board/virt.h"
#include "sim/core/checkpoint.h"
#include "storage/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_ELEMENTS 64 /* of an array, unless --all */

/* ---- thaw attrs ---- */

static bool attrs_take(void *input, int key, const char *value, struct err *err)
{
    const char **schema = input;

    (void)err;
    if (key == ARGP_KEY_ARG)
        *schema = value;
    return key == ARGP_KEY_ARG;
}

static void print_table(const char *title, const struct attr_table *table)
{
    if (table->count != 0)
        printf("  %s\n", title);
    for (uint32_t i = 0; i < table->count; i++) {
        const struct attr *attr = &table->attrs[i];
        char type[32], reset[24];
        snprintf(type, sizeof type, attr->count == 1 ? "%s" : "%s[%u]", attr_type_name(attr->type),
                 attr->count);
        snprintf(reset, sizeof reset, attr->reset < 10 ? "%" PRIu64 : "0x%" PRIx64, attr->reset);
        printf("    %-22s %-12s %-18s %s%s\n", attr->name, type, reset, attr->meaning,
               (attr->flags & ATTR_OPTIONAL) != 0 ? " (optional)" : "");
    }
}

static void print_schema(const struct schema *schema)
{
    printf("%s/%u  %s\n", schema->name, schema->version,
           schema->meaning != NULL ? schema->meaning : "");
    print_table("configuration", &schema->config);
    print_table("state", &schema->state);
    for (uint32_t i = 0; i < schema->link_count; i++)
        printf("  link  %-20s %s%s\n", schema->links[i].name, schema->links[i].meaning,
               schema->links[i].required ? "" : " (optional)");
    for (uint32_t i = 0; i < schema->image_count; i++)
        printf("  image %-20s %s\n", schema->images[i].name, schema->images[i].meaning);
    putchar('\n');
}

static json_t *table_json(const struct attr_table *table)
{
    json_t *list = json_array();

    for (uint32_t i = 0; i < table->count; i++) {
        const struct attr *attr = &table->attrs[i];
        json_t *entry = json_pack("{s:s, s:s, s:i, s:o, s:b, s:s}", "name", attr->name, "type",
                                  attr_type_name(attr->type), "count", (int)attr->count, "reset",
                                  json_u64(attr->reset), "optional",
                                  (attr->flags & ATTR_OPTIONAL) != 0, "meaning", attr->meaning);
        json_array_append_new(list, entry);
    }
    return list;
}

static json_t *schema_json(const struct schema *schema)
{
    return json_pack("{s:s, s:i, s:o, s:o}", "schema", schema->name, "version",
                     (int)schema->version, "configuration", table_json(&schema->config), "state",
                     table_json(&schema->state));
}

static bool seen_before(const struct registry *registry, uint32_t index)
{
    for (uint32_t i = 0; i < index; i++)
        if (registry->models[i]->schema == registry->models[index]->schema)
            return true;
    return false;
}

int command_attrs(int argc, char **argv)
{
    static const struct command_usage usage = {
        "attrs", "[SCHEMA]",
        "The reference of all schemas: configuration and state attributes, with type, value after "
        "reset "
        "and meaning, as they are declared in the models' tables.\v"
        "Example:\n  thaw attrs riscv-hart",
        NULL, attrs_take};
    const char *wanted = NULL;
    struct err err = ERR_INIT;
    struct registry registry;
    struct common common;
    json_t *list;
    size_t found = 0;

    common_parse(&usage, &common, argc, argv, &wanted);
    list = json_array();
    registry_standard(&registry);
    for (uint32_t i = 0; i < registry.count; i++) {
        const struct schema *schema = registry.models[i]->schema;
        if (seen_before(&registry, i) || (wanted != NULL && strcmp(wanted, schema->name) != 0))
            continue;
        found++;
        if (common.json)
            json_array_append_new(list, schema_json(schema));
        else
            print_schema(schema);
    }
    if (common.json)
        print_json(list);
    else
        json_decref(list);
    if (found != 0)
        return EXIT_PASS;
    err_set(&err, ERR_NOT_FOUND, "this build has no schema \"%s\"; `thaw attrs` lists them",
            wanted);
    return common_fail(&common, &err);
}

/* ---- thaw show ---- */

struct show_input {
    const char *checkpoint;
    const char *object;
    bool all;
};

static bool show_take(void *input, int key, const char *value, struct err *err)
{
    struct show_input *show = input;

    if (key == ARGP_KEY_END && show->checkpoint == NULL)
        return err_set(err, ERR_USAGE,
                       "show takes a checkpoint: a tag, an id or the beginning of one");
    if (key == 'a') {
        show->all = true;
        return true;
    }
    if (key != ARGP_KEY_ARG)
        return key == ARGP_KEY_END;
    if (show->checkpoint == NULL)
        show->checkpoint = value;
    else if (show->object == NULL)
        show->object = value;
    else
        return err_set(err, ERR_USAGE, "\"%s\" is one argument too many", value);
    return true;
}

static json_t *value_json(const struct attr *attr, const void *state)
{
    const uint8_t *at = (const uint8_t *)state + attr->offset;
    json_t *list;

    if (attr->type == ATTR_TEXT)
        return json_string((const char *)at);
    if (attr->count == 1)
        return attr->type == ATTR_BOOL ? json_boolean(attr_get(attr, state, 0) != 0)
                                       : json_u64(attr_get(attr, state, 0));
    list = json_array();
    for (uint32_t i = 0; i < attr->count; i++)
        json_array_append_new(list, json_u64(attr_get(attr, state, i)));
    return list;
}

static json_t *values_json(const struct attr_table *table, const void *state)
{
    json_t *map = json_object();

    for (uint32_t i = 0; i < table->count; i++)
        json_object_set_new(map, table->attrs[i].name, value_json(&table->attrs[i], state));
    return map;
}

static json_t *object_json(const struct checkpoint_object *object)
{
    json_t *entry = json_object();

    json_object_set_new(entry, "path", json_span(object->path));
    json_object_set_new(entry, "schema", json_span(object->schema));
    json_object_set_new(entry, "version", json_u64(object->version));
    json_object_set_new(entry, "model", json_span(object->model));
    if (object->known != NULL) {
        json_object_set_new(entry, "config", values_json(&object->known->config, object->config));
        json_object_set_new(entry, "attributes", values_json(&object->known->state, object->state));
    }
    return entry;
}

static void print_number(uint64_t value)
{
    printf(value < 10 ? "%" PRIu64 : "0x%" PRIx64, value);
}

static void print_value(const struct attr *attr, const void *state, bool all)
{
    uint32_t count = attr->count, last = count;

    if (attr->type == ATTR_TEXT) {
        printf("\"%s\"", (const char *)state + attr->offset);
        return;
    }
    while (!all && last > 1 && attr_get(attr, state, last - 1) == attr_get(attr, state, last - 2))
        last--;
    if (!all && last > SHOWN_ELEMENTS)
        last = SHOWN_ELEMENTS;
    for (uint32_t i = 0; i < last; i++) {
        if (i != 0)
            putchar(i % 8 == 0 ? '\n' : ' ');
        if (i != 0 && i % 8 == 0)
            printf("%26s", "");
        print_number(attr_get(attr, state, i));
    }
    if (last < count)
        printf(last == SHOWN_ELEMENTS ? " … %u in all" : " (%u times)",
               last == SHOWN_ELEMENTS ? count : count - last + 1);
}

static void print_values(const struct attr_table *table, const void *state, bool all)
{
    for (uint32_t i = 0; i < table->count; i++) {
        printf("  %-22s  ", table->attrs[i].name);
        print_value(&table->attrs[i], state, all);
        putchar('\n');
    }
}

static void print_object(const struct checkpoint_object *object, bool all)
{
    printf("%.*s  schema %.*s/%" PRIu64 "  model %.*s\n", (int)object->path.size,
           (const char *)object->path.data, (int)object->schema.size,
           (const char *)object->schema.data, object->version, (int)object->model.size,
           (const char *)object->model.data);
    if (object->known == NULL) {
        printf("  (this build does not know the schema)\n");
        return;
    }
    print_values(&object->known->config, object->config, all);
    print_values(&object->known->state, object->state, all);
}

static bool print_image(void *context, const struct manifest_image *image, struct err *err)
{
    (void)context;
    (void)err;
    printf("  %-28.*s %10s  %s\n", (int)image->path.size, (const char *)image->path.data,
           size_text(image->size).text, id_text(&image->root).text);
    return true;
}

static bool image_json(void *context, const struct manifest_image *image, struct err *err)
{
    json_t *list = context;
    json_t *entry = json_object();

    (void)err;
    json_object_set_new(entry, "path", json_span(image->path));
    json_object_set_new(entry, "size", json_u64(image->size));
    json_object_set_new(entry, "root", json_hash(&image->root));
    json_array_append_new(list, entry);
    return true;
}

static void print_facts(struct store *store, const struct hash *id)
{
    struct store_tag_list tags = {NULL, 0};
    struct err ignored = ERR_INIT;

    if (!store_tag_list(store, &tags, NULL, &ignored))
        return;
    for (size_t i = 0; i < tags.count; i++) {
        const struct store_tag *tag = &tags.items[i];
        if (!hash_equal(&tag->checkpoint, id))
            continue;
        printf("tag         %s, made %s UTC%s%s\n", tag->name, time_text(tag->when_s).text,
               tag->made_by != NULL ? " by " : "", tag->made_by != NULL ? tag->made_by : "");
        for (size_t k = 0; k < tag->fact_count; k++)
            printf("  %-20s %s\n", tag->facts[k].key, tag->facts[k].text);
    }
    store_tag_list_release(&tags);
}

/* One object, or all of them with --all, or an overview. */
static bool print_view(const struct checkpoint_view *view, const struct show_input *input,
                       struct err *err)
{
    bool found = input->object == NULL;

    if (input->object == NULL)
        printf("objects\n");
    for (size_t i = 0; i < checkpoint_view_count(view); i++) {
        const struct checkpoint_object *object = checkpoint_view_at(view, i);
        if (input->object != NULL && !cbor_text_is(object->path, input->object))
            continue;
        found = true;
        if (input->object != NULL || input->all)
            print_object(object, input->all);
        else
            printf("  %-28.*s %.*s/%" PRIu64 "\n", (int)object->path.size,
                   (const char *)object->path.data, (int)object->schema.size,
                   (const char *)object->schema.data, object->version);
    }
    return found ||
           err_set(err, ERR_NOT_FOUND, "%s has no object \"%s\"; `thaw show %s` lists them",
                   input->checkpoint, input->object, input->checkpoint);
}

static bool show_text(struct store *store, const struct manifest_parts *parts,
                      const struct checkpoint_view *view, const struct show_input *input,
                      struct err *err)
{
    if (input->object == NULL) {
        printf("checkpoint  %s\nstate       %s\n", hash_hex(&parts->checkpoint_id).text,
               hash_hex(&parts->state_id).text);
        print_facts(store, &parts->checkpoint_id);
        printf("images\n");
        if (!manifest_images(parts, print_image, NULL, err))
            return false;
    }
    return print_view(view, input, err);
}

static bool show_json(const struct manifest_parts *parts, const struct checkpoint_view *view,
                      const struct show_input *input, struct err *err)
{
    json_t *objects = json_array(), *images = json_array();

    for (size_t i = 0; i < checkpoint_view_count(view); i++) {
        const struct checkpoint_object *object = checkpoint_view_at(view, i);
        if (input->object == NULL || cbor_text_is(object->path, input->object))
            json_array_append_new(objects, object_json(object));
    }
    if (!manifest_images(parts, image_json, images, err)) {
        json_decref(objects);
        json_decref(images);
        return false;
    }
    print_json(json_pack("{s:o, s:o, s:o, s:o}", "checkpoint", json_hash(&parts->checkpoint_id),
                         "state_id", json_hash(&parts->state_id), "images", images, "objects",
                         objects));
    return true;
}

int command_show(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"all", 'a', 0, 0, "every attribute of every object, arrays whole", 0}, {0, 0, 0, 0, 0, 0}};
    static const struct command_usage usage = {
        "show", "CHECKPOINT [OBJECT]",
        "What a checkpoint holds: objects, images, attributes.\v"
        "Example:\n  thaw show debian-booted\n  thaw show debian-booted board0.hart0",
        options, show_take};
    struct buf manifest = BUF_INIT(MANIFEST_BYTES_MAX);
    struct show_input input = {NULL, NULL, false};
    struct checkpoint_view *view = NULL;
    struct manifest_parts parts;
    struct err err = ERR_INIT;
    struct registry registry;
    struct store *store = NULL;
    struct common common;
    struct hash id;
    bool ok;

    common_parse(&usage, &common, argc, argv, &input);
    registry_standard(&registry);
    ok = common_open_store(&common, &store, &err) &&
         store_resolve(store, input.checkpoint, &id, &err) &&
         store_manifest_get(store, &id, &manifest, &err) &&
         manifest_split(buf_span(&manifest), &parts, &err) &&
         checkpoint_view_open(&registry, buf_span(&manifest), &view, &err);
    if (ok)
        ok = common.json ? show_json(&parts, view, &input, &err)
                         : show_text(store, &parts, view, &input, &err);
    checkpoint_view_free(view);
    buf_release(&manifest);
    store_close(store);
    return ok ? EXIT_PASS : common_fail(&common, &err);
}
