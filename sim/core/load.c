/* load.c — a manifest to a machine, and to a view for people; see checkpoint.h. */
#include "sim/core/parse.h"

#include "storage/base/check.h"

#include <stdlib.h>
#include <string.h>

struct loading {
    const struct registry *registry;
    const struct image_source *images;
    const struct load_options *options;
    struct parsed parsed;
    struct machine *machine;
    void **states; /* decoded, one an object, until all were checked */
};

static bool add_links(struct object *object, struct span links, struct err *err)
{
    struct cbor_reader reader = cbor_reader(links, err);
    struct span slot, target;
    size_t count;

    if (!cbor_read_map(&reader, OBJECT_LINKS_MAX, &count))
        return err_wrap(err, "%s", object->path);
    for (size_t i = 0; i < count; i++) {
        char name[OBJECT_PATH_MAX] = "", path[OBJECT_PATH_MAX] = "";
        if (!cbor_read_text(&reader, sizeof name - 1, &slot) ||
            !cbor_read_text(&reader, sizeof path - 1, &target))
            return err_wrap(err, "%s", object->path);
        if (slot.size != 0)
            memcpy(name, slot.data, slot.size);
        if (target.size != 0)
            memcpy(path, target.data, target.size);
        if (!object_link(object, name, path, err))
            return false;
    }
    return true;
}

static bool add_object(struct loading *loading, size_t index, struct err *err)
{
    const struct parsed_object *parsed = &loading->parsed.objects[index];
    struct buf *notes = loading->options != NULL ? loading->options->upgrade_notes : NULL;
    const struct model *model;
    struct object *object;
    void *config;
    bool ok;

    if (!parsed_model(loading->registry, parsed, loading->options, &model, err))
        return false;
    config = mem_alloc(model->schema->config.size);
    loading->states[index] = mem_alloc(model->schema->state.size);
    ok = parsed_decode(parsed, model->schema, config, loading->states[index], notes, err) &&
         machine_add(loading->machine, parsed->path, model->name, config, &object, err) &&
         add_links(object, parsed->links, err);
    mem_free(config);
    return ok;
}

/* "board0.ram.bytes": the object, then the slot after the last dot. */
static bool take_image(void *context, const struct manifest_image *entry, struct err *err)
{
    struct loading *loading = context;
    char path[MANIFEST_PATH_MAX + 1];
    struct image_mapping mapping;
    struct image *image = NULL;
    struct object *object;
    char *dot;

    memcpy(path, entry->path.data, entry->path.size);
    path[entry->path.size] = 0;
    dot = strrchr(path, '.');
    if (dot == NULL)
        return err_set(err, ERR_CORRUPT, "the image \"%s\" belongs to no object", path);
    if (!loading->images->open(loading->images->context, &entry->root, entry->size, &mapping, err))
        return err_wrap(err, "image %s", path);
    if (!image_take(&mapping, &image, err)) {
        mapping.release(&mapping);
        return err_wrap(err, "image %s", path);
    }
    *dot = 0;
    object = machine_find(loading->machine, path);
    if (object == NULL)
        err_set(err, ERR_CORRUPT, "the image \"%s.%s\" belongs to no object", path, dot + 1);
    if (object == NULL || !object_take_image(object, dot + 1, image, err)) {
        image_free(image);
        return false;
    }
    return true;
}

static bool check_states(const struct loading *loading, struct err *err)
{
    for (uint32_t i = 0; i < loading->machine->object_count; i++) {
        const struct object *object = loading->machine->objects[i];
        if (object->model->check_state != NULL &&
            !object->model->check_state(object, loading->states[i], err))
            return err_wrap(err, "%s", object->path);
    }
    return true;
}

static bool load_all(struct loading *loading, struct err *err)
{
    loading->states = mem_array(loading->parsed.count, sizeof *loading->states);
    loading->machine = machine_new(loading->registry);
    for (size_t i = 0; i < loading->parsed.count; i++)
        if (!add_object(loading, i, err))
            return false;
    if (!manifest_images(&loading->parsed.parts, take_image, loading, err) ||
        !machine_check_images(loading->machine, err) || !machine_open(loading->machine, err) ||
        !check_states(loading, err))
        return false;
    for (uint32_t i = 0; i < loading->machine->object_count; i++) {
        struct object *object = loading->machine->objects[i];
        memcpy(object->state, loading->states[i], object->model->schema->state.size);
    }
    machine_rebuild(loading->machine);
    return true;
}

bool machine_load(const struct registry *registry, struct span manifest,
                  const struct image_source *images, const struct load_options *options,
                  struct machine **out, struct err *err)
{
    struct loading loading = {.registry = registry, .images = images, .options = options};
    bool ok;

    if (!parsed_open(manifest, &loading.parsed, err))
        return err_wrap(err, "thaw");
    ok = load_all(&loading, err);
    for (size_t i = 0; i < loading.parsed.count; i++)
        mem_free(loading.states[i]);
    mem_free(loading.states);
    parsed_release(&loading.parsed);
    if (!ok) {
        machine_free(loading.machine);
        return err_wrap(err, "thaw");
    }
    *out = loading.machine;
    return true;
}

struct checkpoint_view {
    struct parsed parsed;
    struct checkpoint_object *objects;
};

static bool view_object(const struct registry *registry, const struct parsed_object *parsed,
                        struct checkpoint_object *out, struct err *err)
{
    const struct model *model = registry_find_schema(registry, parsed->schema);
    void *config, *state;

    out->path = span_of_text(parsed->path);
    out->schema = parsed->schema;
    out->model = parsed->model;
    out->version = parsed->version;
    if (model == NULL || parsed->version > model->schema->version)
        return true; /* shown without its values */
    config = mem_alloc(model->schema->config.size);
    state = mem_alloc(model->schema->state.size);
    out->known = model->schema;
    out->config = config;
    out->state = state;
    return parsed_decode(parsed, model->schema, config, state, NULL, err);
}

bool checkpoint_view_open(const struct registry *registry, struct span manifest,
                          struct checkpoint_view **out, struct err *err)
{
    struct checkpoint_view *view = mem_alloc(sizeof *view);

    if (!parsed_open(manifest, &view->parsed, err)) {
        mem_free(view);
        return false;
    }
    view->objects = mem_array(view->parsed.count, sizeof *view->objects);
    for (size_t i = 0; i < view->parsed.count; i++)
        if (!view_object(registry, &view->parsed.objects[i], &view->objects[i], err)) {
            checkpoint_view_free(view);
            return false;
        }
    *out = view;
    return true;
}

void checkpoint_view_free(struct checkpoint_view *view)
{
    if (view == NULL)
        return;
    for (size_t i = 0; i < view->parsed.count; i++) {
        mem_free((void *)view->objects[i].config);
        mem_free((void *)view->objects[i].state);
    }
    mem_free(view->objects);
    parsed_release(&view->parsed);
    mem_free(view);
}

size_t checkpoint_view_count(const struct checkpoint_view *view)
{
    return view->parsed.count;
}

const struct checkpoint_object *checkpoint_view_at(const struct checkpoint_view *view, size_t index)
{
    CHECK(index < view->parsed.count);
    return &view->objects[index];
}
