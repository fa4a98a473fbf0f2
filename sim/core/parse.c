#include "sim/core/parse.h"

#include "sim/core/bag.h"
#include "storage/base/check.h"

#include <stdio.h>
#include <string.h>

#define SCHEMA_NAME_MAX 64
#define OBJECT_KEYS     6
#define DECODED_MAX     (1u << 20)

/* The encoding of the next item, stepped over. */
static bool take_item(struct cbor_reader *reader, struct span *out)
{
    size_t start = reader->offset;

    if (!cbor_skip(reader))
        return false;
    *out = (struct span){reader->bytes.data + start, reader->offset - start};
    return true;
}

static bool read_path(struct cbor_reader *reader, char path[OBJECT_PATH_MAX])
{
    struct span text;

    if (!cbor_read_text(reader, OBJECT_PATH_MAX - 1, &text))
        return false;
    if (text.size == 0 || memchr(text.data, 0, text.size) != NULL)
        return cbor_fail(reader, ERR_CORRUPT, "an object has no path");
    memcpy(path, text.data, text.size);
    path[text.size] = 0;
    return true;
}

static bool read_key(struct cbor_reader *reader, const char *expected)
{
    struct span key;

    if (!cbor_read_text(reader, 64, &key))
        return false;
    if (!cbor_text_is(key, expected))
        return cbor_fail(reader, ERR_CORRUPT, "the key \"%s\" was expected here", expected);
    return true;
}

/* Keys in their deterministic order. */
static bool read_object(struct cbor_reader *reader, struct parsed_object *object)
{
    size_t count;

    if (!cbor_read_map(reader, OBJECT_KEYS, &count))
        return false;
    if (count != OBJECT_KEYS)
        return cbor_fail(reader, ERR_CORRUPT, "an object has %zu keys, not %d", count, OBJECT_KEYS);
    return read_key(reader, "path") && read_path(reader, object->path) &&
           read_key(reader, "links") && take_item(reader, &object->links) &&
           read_key(reader, "config") && take_item(reader, &object->config) &&
           read_key(reader, "schema") && cbor_read_text(reader, SCHEMA_NAME_MAX, &object->schema) &&
           read_key(reader, "version") && cbor_read_uint(reader, &object->version) &&
           read_key(reader, "attributes") && take_item(reader, &object->attributes);
}

static bool read_objects(struct parsed *parsed, struct err *err)
{
    struct cbor_reader reader = cbor_reader(parsed->parts.architecture, err);
    struct span images;
    size_t count;

    if (!cbor_read_map(&reader, 2, &count))
        return false;
    if (count != 2)
        return cbor_fail(&reader, ERR_CORRUPT, "the architecture has %zu keys, not 2", count);
    if (!read_key(&reader, "images") || !take_item(&reader, &images) ||
        !read_key(&reader, "objects") || !cbor_read_array(&reader, MACHINE_OBJECTS_MAX, &count))
        return false;
    parsed->objects = mem_array(count, sizeof *parsed->objects);
    parsed->count = count;
    for (size_t i = 0; i < count; i++)
        if (!read_object(&reader, &parsed->objects[i]))
            return false;
    return true;
}

static struct parsed_object *find_object(const struct parsed *parsed, struct span path)
{
    for (size_t i = 0; i < parsed->count; i++)
        if (cbor_text_is(path, parsed->objects[i].path))
            return &parsed->objects[i];
    return NULL;
}

static bool read_models(const struct parsed *parsed, struct cbor_reader *reader)
{
    struct span path, model;
    size_t count;

    if (!cbor_read_map(reader, MACHINE_OBJECTS_MAX, &count))
        return false;
    for (size_t i = 0; i < count; i++) {
        struct parsed_object *object;
        if (!cbor_read_text(reader, OBJECT_PATH_MAX, &path) ||
            !cbor_read_text(reader, SCHEMA_NAME_MAX, &model))
            return false;
        object = find_object(parsed, path);
        if (object == NULL)
            return cbor_fail(reader, ERR_CORRUPT, "a model is named for %.*s, which is not there",
                             (int)path.size, (const char *)path.data);
        object->model = model;
    }
    return true;
}

static bool read_execution(const struct parsed *parsed, struct err *err)
{
    struct cbor_reader reader = cbor_reader(parsed->parts.execution, err);
    struct span micro;
    size_t count;

    if (!cbor_read_map(&reader, 2, &count))
        return false;
    if (count != 2)
        return cbor_fail(&reader, ERR_CORRUPT, "the execution part has %zu keys, not 2", count);
    return read_key(&reader, "micro") && take_item(&reader, &micro) &&
           read_key(&reader, "models") && read_models(parsed, &reader);
}

bool parsed_open(struct span manifest, struct parsed *out, struct err *err)
{
    memset(out, 0, sizeof *out);
    if (manifest_split(manifest, &out->parts, err) && read_objects(out, err) &&
        read_execution(out, err))
        return true;
    parsed_release(out);
    return false;
}

void parsed_release(struct parsed *parsed)
{
    mem_free(parsed->objects);
    memset(parsed, 0, sizeof *parsed);
}

/* The model chosen for this schema in "schema=model,…"; size 0 if none is. */
static struct span chosen_model(const char *choice, struct span schema)
{
    struct span none = {NULL, 0};

    while (choice != NULL && *choice != 0) {
        size_t name = strcspn(choice, "=,");
        size_t whole = strcspn(choice, ",");
        if (choice[name] == '=' && span_equal(schema, (struct span){(const uint8_t *)choice, name}))
            return (struct span){(const uint8_t *)choice + name + 1, whole - name - 1};
        choice += whole;
        choice += *choice == ',';
    }
    return none;
}

bool parsed_model(const struct registry *registry, const struct parsed_object *object,
                  const struct load_options *options, const struct model **out, struct err *err)
{
    const struct model *model = registry_find_schema(registry, object->schema);
    struct span choice = {NULL, 0};
    const struct model *chosen;

    if (model == NULL)
        return err_set(err, ERR_UNSUPPORTED,
                       "%s: this build knows no schema \"%.*s\": use a newer thaw, or the build "
                       "that froze it",
                       object->path, (int)object->schema.size, (const char *)object->schema.data);
    if (object->version > model->schema->version)
        return err_set(err, ERR_UNSUPPORTED,
                       "%s: schema %s version %llu, this build knows up to %u: use a newer thaw",
                       object->path, model->schema->name, (unsigned long long)object->version,
                       model->schema->version);
    if (options != NULL)
        choice = chosen_model(options->model_choice, object->schema);
    chosen = registry_find_model(registry, choice.size != 0 ? choice : object->model);
    if (chosen != NULL && chosen->schema == model->schema)
        model = chosen;
    else if (choice.size != 0)
        return err_set(err, ERR_USAGE, "%s: there is no model \"%.*s\" of the schema %s",
                       object->path, (int)choice.size, (const char *)choice.data,
                       model->schema->name);
    *out = model;
    return true;
}

static bool decode(struct span encoded, const struct attr_table *table, void *out, struct err *err)
{
    struct cbor_reader reader = cbor_reader(encoded, err);

    attr_reset(table, out);
    return attr_load(table, &reader, out);
}

static const struct upgrade *upgrade_from(const struct schema *schema, uint64_t version)
{
    for (uint32_t i = 0; i < schema->upgrade_count; i++)
        if (schema->upgrades[i].from_version == version)
            return &schema->upgrades[i];
    return NULL;
}

static bool upgrade_bags(const struct parsed_object *object, const struct schema *schema,
                         struct attr_bag *bags[2], struct buf *notes, struct err *err)
{
    for (uint64_t version = object->version; version < schema->version; version++) {
        const struct upgrade *upgrade = upgrade_from(schema, version);
        if (upgrade == NULL)
            return err_set(err, ERR_UNSUPPORTED,
                           "no way leads from version %llu of %s to %u: thaw it with an older "
                           "build and freeze it again",
                           (unsigned long long)object->version, schema->name, schema->version);
        if (!upgrade->apply(bags[0], bags[1], notes, err))
            return err_wrap(err, "upgrade of %s from version %llu", schema->name,
                            (unsigned long long)version);
    }
    return true;
}

static bool decode_bag(const struct attr_bag *bag, const struct attr_table *table, void *out,
                       struct err *err)
{
    struct buf bytes = BUF_INIT(DECODED_MAX);
    struct cbor_writer writer = cbor_writer(&bytes, err);
    bool ok;

    attr_bag_write(bag, &writer);
    ok = writer.ok && decode(buf_span(&bytes), table, out, err);
    buf_release(&bytes);
    return ok;
}

static bool decode_older(const struct parsed_object *object, const struct schema *schema,
                         void *config, void *state, struct buf *notes, struct err *err)
{
    struct cbor_reader attributes = cbor_reader(object->attributes, err);
    struct cbor_reader configs = cbor_reader(object->config, err);
    struct attr_bag *bags[2] = {NULL, NULL};
    struct buf ignored = BUF_INIT(DECODED_MAX);
    bool ok = attr_bag_read(&attributes, &bags[0]) && attr_bag_read(&configs, &bags[1]) &&
              upgrade_bags(object, schema, bags, notes != NULL ? notes : &ignored, err) &&
              decode_bag(bags[0], &schema->state, state, err) &&
              decode_bag(bags[1], &schema->config, config, err);

    attr_bag_free(bags[0]);
    attr_bag_free(bags[1]);
    buf_release(&ignored);
    return ok;
}

bool parsed_decode(const struct parsed_object *object, const struct schema *schema, void *config,
                   void *state, struct buf *notes, struct err *err)
{
    bool ok;

    if (object->version < schema->version)
        ok = decode_older(object, schema, config, state, notes, err);
    else
        ok = decode(object->config, &schema->config, config, err) &&
             decode(object->attributes, &schema->state, state, err);
    if (!ok)
        return err_wrap(err, "%s (schema %s, version %llu; this build's is %u)", object->path,
                        schema->name, (unsigned long long)object->version, schema->version);
    return true;
}
