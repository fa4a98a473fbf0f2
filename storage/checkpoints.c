/* The list of checkpoints with what each takes: one walk over all trees to see who shares what, one
 * to add up. */
#include "storage/backend.h"
#include "storage/hash_map.h"
#include "storage/walk.h"

#include <string.h>

/* A chunk's value in `owners`: the number + 1 of the only checkpoint that needs it, or SHARED. */
#define SHARED UINT64_MAX

struct survey {
    struct store *store;
    struct hash_map owners;
    struct hash_map seen;                /* of the checkpoint in hand: a chunk counts once */
    uint64_t number;                     /* of the checkpoint in hand, + 1 */
    struct store_checkpoint *checkpoint; /* being added up; NULL in the first walk */
};

static bool first_sight(struct survey *survey, const struct hash *id)
{
    bool made;

    (void)hash_map_add(&survey->seen, id, &made);
    return made;
}

static void note_owner(struct survey *survey, const struct hash *id)
{
    bool made;
    uint64_t *owner = hash_map_add(&survey->owners, id, &made);

    *owner = made ? survey->number : SHARED;
}

static void add_up(struct survey *survey, const struct hash *id, bool *missing)
{
    const uint64_t *owner = hash_map_find(&survey->owners, id);
    struct chunk_facts facts;

    *missing = !survey->store->ops->look(survey->store->context, id, &facts);
    if (*missing)
        survey->checkpoint->missing_chunks++;
    else if (owner != NULL && *owner == SHARED)
        survey->checkpoint->shared_bytes += facts.stored_bytes;
    else
        survey->checkpoint->own_bytes += facts.stored_bytes;
}

static enum walk_answer visit(void *context, const struct walk_place *place, const struct hash *id,
                              struct err *err)
{
    struct survey *survey = context;
    bool missing = false;

    (void)place;
    (void)err;
    if (!first_sight(survey, id))
        return WALK_SKIP;
    if (survey->checkpoint == NULL) {
        note_owner(survey, id);
        return store_has(survey->store, id) ? WALK_DOWN : WALK_SKIP;
    }
    add_up(survey, id, &missing);
    return missing ? WALK_SKIP : WALK_DOWN;
}

static bool node(void *context, const struct hash *id, struct buf *out, struct err *err)
{
    return store_get(((struct survey *)context)->store, id, out, err);
}

static bool add_image(void *context, const struct manifest_image *image, struct err *err)
{
    (void)err;
    ((struct store_checkpoint *)context)->image_bytes += image->size;
    return true;
}

/* One checkpoint, one walk. A damaged one is counted as having something missing. */
static void survey_one(struct survey *survey, const struct hash *id)
{
    const struct walk walk = {visit, node, survey};
    struct buf manifest = BUF_INIT(MANIFEST_BYTES_MAX);
    struct err ignored = ERR_INIT;
    struct manifest_parts parts;
    bool ok = store_manifest_get(survey->store, id, &manifest, &ignored) &&
              walk_manifest(&walk, buf_span(&manifest), &ignored);

    if (survey->checkpoint != NULL) {
        if (!ok)
            survey->checkpoint->missing_chunks++;
        if (manifest_split(buf_span(&manifest), &parts, &ignored)) {
            survey->checkpoint->state_id = parts.state_id;
            (void)manifest_images(&parts, add_image, survey->checkpoint, &ignored);
        }
    }
    hash_map_release(&survey->seen);
    buf_release(&manifest);
}

static void fill_parents(struct store *store, struct store_checkpoint_list *list)
{
    struct store_tag_list tags;
    struct err ignored = ERR_INIT;

    if (!store_tag_list(store, &tags, NULL, &ignored))
        return;
    for (size_t t = 0; t < tags.count; t++)
        for (size_t i = 0; i < list->count; i++)
            if (hash_equal(&list->items[i].id, &tags.items[t].checkpoint) &&
                !hash_is_zero(&tags.items[t].parent))
                list->items[i].parent = tags.items[t].parent;
    store_tag_list_release(&tags);
}

bool store_checkpoint_list(struct store *store, struct store_checkpoint_list *out, struct err *err)
{
    struct survey survey = {.store = store};
    struct store_checkpoint_list list = {0};
    struct hash_list ids;

    if (!store_manifest_list(store, &ids, err))
        return false;
    list.items = mem_array(ids.count, sizeof *list.items);
    list.count = ids.count;
    for (size_t i = 0; i < ids.count; i++) {
        survey.number = i + 1;
        survey_one(&survey, &ids.items[i]);
    }
    for (size_t i = 0; i < ids.count; i++) {
        list.items[i].id = ids.items[i];
        survey.checkpoint = &list.items[i];
        survey_one(&survey, &ids.items[i]);
    }
    fill_parents(store, &list);
    hash_map_release(&survey.owners);
    hash_list_release(&ids);
    *out = list;
    return true;
}

void store_checkpoint_list_release(struct store_checkpoint_list *list)
{
    mem_free(list->items);
    *list = (struct store_checkpoint_list){0};
}
