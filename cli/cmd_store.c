/* cmd_store.c — commands about what is stored: ls, tag, rm. */
#include "cli/commands.h"

#include "cli/base/output.h"
#include "storage/store.h"

#include <stdio.h>
#include <string.h>

/* ---- thaw ls ---- */

struct ls_input {
    bool names;
};

static bool ls_take(void *input, int key, const char *value, struct err *err)
{
    struct ls_input *ls = input;

    if (key == 'n')
        ls->names = true;
    else if (key == ARGP_KEY_ARG)
        return err_set(err, ERR_USAGE, "ls takes no argument, it got \"%s\"", value);
    else
        return false;
    return true;
}

static const struct store_tag *tag_of(const struct store_tag_list *tags, const struct hash *id,
                                      size_t skip)
{
    for (size_t i = 0; i < tags->count; i++)
        if (hash_equal(&tags->items[i].checkpoint, id) && skip-- == 0)
            return &tags->items[i];
    return NULL;
}

static json_t *tags_json(const struct store_tag_list *tags, const struct hash *id)
{
    json_t *list = json_array();
    const struct store_tag *tag;

    for (size_t i = 0; (tag = tag_of(tags, id, i)) != NULL; i++)
        json_array_append_new(list, json_string(tag->name));
    return list;
}

static void ls_print_json(const struct store_checkpoint_list *list,
                          const struct store_tag_list *tags)
{
    json_t *all = json_array();

    for (size_t i = 0; i < list->count; i++) {
        const struct store_checkpoint *item = &list->items[i];
        json_t *entry = json_object();
        json_object_set_new(entry, "checkpoint", json_hash(&item->id));
        json_object_set_new(entry, "state_id", json_hash(&item->state_id));
        json_object_set_new(entry, "tags", tags_json(tags, &item->id));
        json_object_set_new(entry, "parent",
                            hash_is_zero(&item->parent) ? json_null() : json_hash(&item->parent));
        json_object_set_new(entry, "image_bytes", json_u64(item->image_bytes));
        json_object_set_new(entry, "own_bytes", json_u64(item->own_bytes));
        json_object_set_new(entry, "shared_bytes", json_u64(item->shared_bytes));
        json_object_set_new(entry, "damaged", json_boolean(item->missing_chunks != 0));
        json_array_append_new(all, entry);
    }
    print_json(all);
}

static void ls_line(const struct store_checkpoint *item, const struct store_tag *tag, int width)
{
    printf("%-*s  %s  %10s  %10s  %s%s\n", width, tag != NULL ? tag->name : "-",
           id_text(&item->id).text, size_text(item->own_bytes).text,
           size_text(item->shared_bytes).text, tag != NULL ? time_text(tag->when_s).text : "",
           item->missing_chunks != 0 ? "  DAMAGED: see thaw fsck" : "");
}

static void ls_print(const struct store_checkpoint_list *list, const struct store_tag_list *tags)
{
    int width = 3;

    if (list->count == 0)
        fprintf(stderr, "no checkpoints yet: `thaw boot FILE.yaml -n NAME` makes one\n");
    for (size_t i = 0; i < tags->count; i++)
        if ((int)strlen(tags->items[i].name) > width)
            width = (int)strlen(tags->items[i].name);
    if (list->count != 0)
        printf("%-*s  %-16s  %10s  %10s  %s\n", width, "TAG", "CHECKPOINT", "OWN", "SHARED",
               "MADE");
    for (size_t i = 0; i < list->count; i++) {
        const struct store_tag *tag = tag_of(tags, &list->items[i].id, 0);
        ls_line(&list->items[i], tag, width);
        for (size_t k = 1; (tag = tag_of(tags, &list->items[i].id, k)) != NULL; k++)
            ls_line(&list->items[i], tag, width);
    }
}

int command_ls(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"names", 'n', 0, 0, "print tag names only, one a line", 0}, {0, 0, 0, 0, 0, 0}};
    static const struct command_usage usage = {
        "ls", "",
        "List checkpoints and tags: stored bytes of their own, and bytes they share with others.\v"
        "Example:\n  thaw ls\n  thaw ls --json | jq '.[].tags'",
        options, ls_take};
    struct store_checkpoint_list list = {NULL, 0};
    struct store_tag_list tags = {NULL, 0};
    struct ls_input input = {false};
    struct err err = ERR_INIT;
    struct store *store = NULL;
    struct common common;
    bool ok;

    common_parse(&usage, &common, argc, argv, &input);
    ok = common_open_store(&common, &store, &err) && store_tag_list(store, &tags, NULL, &err) &&
         (input.names || store_checkpoint_list(store, &list, &err));
    if (ok && input.names)
        for (size_t i = 0; i < tags.count; i++)
            puts(tags.items[i].name);
    else if (ok && common.json)
        ls_print_json(&list, &tags);
    else if (ok)
        ls_print(&list, &tags);
    store_checkpoint_list_release(&list);
    store_tag_list_release(&tags);
    store_close(store);
    return ok ? EXIT_PASS : common_fail(&common, &err);
}

/* ---- thaw tag ---- */

struct tag_input {
    const char *checkpoint;
    const char *name;
};

static bool tag_take(void *input, int key, const char *value, struct err *err)
{
    struct tag_input *tag = input;

    if (key == ARGP_KEY_END && tag->name == NULL)
        return err_set(err, ERR_USAGE, "tag takes a checkpoint and a name");
    if (key != ARGP_KEY_ARG)
        return key == ARGP_KEY_END;
    if (tag->checkpoint == NULL)
        tag->checkpoint = value;
    else if (tag->name == NULL)
        tag->name = value;
    else
        return err_set(err, ERR_USAGE, "\"%s\" is one argument too many", value);
    return true;
}

/* Facts travel with the name: a tag made from a tag knows the same prompt. */
static void copy_facts(struct store *store, const struct tag_input *input, struct store_tag *out)
{
    struct store_tag source;
    struct err ignored = ERR_INIT;

    memset(&source, 0, sizeof source);
    if (store_tag_get(store, input->checkpoint, &source, &ignored)) {
        for (size_t i = 0; i < source.fact_count; i++)
            store_tag_set_fact(out, source.facts[i].key, source.facts[i].text);
        out->parent = source.parent;
        store_tag_release(&source);
    }
}

int command_tag(int argc, char **argv)
{
    static const struct command_usage usage = {
        "tag", "CHECKPOINT NAME",
        "Give a checkpoint a name, or move a name to it.\v"
        "Example:\n  thaw tag debian-booted nightly/base\n  thaw tag 3fa91c release-1.2",
        NULL, tag_take};
    struct tag_input input = {NULL, NULL};
    struct store_tag tag = {.name = ""};
    struct err err = ERR_INIT;
    struct store *store = NULL;
    struct common common;
    bool ok;

    common_parse(&usage, &common, argc, argv, &input);
    ok = store_name_check(input.name, &err) && common_open_store(&common, &store, &err);
    if (ok) {
        store_tag_init(&tag, input.name, &clock_host);
        ok = store_resolve(store, input.checkpoint, &tag.checkpoint, &err);
    }
    if (ok) {
        copy_facts(store, &input, &tag);
        ok = store_tag_set(store, &tag, &err);
    }
    if (ok && common.json)
        print_json(
            json_pack("{s:s, s:o}", "tag", tag.name, "checkpoint", json_hash(&tag.checkpoint)));
    else if (ok)
        printf("%s -> %s\n", tag.name, id_text(&tag.checkpoint).text);
    store_tag_release(&tag);
    store_close(store);
    return ok ? EXIT_PASS : common_fail(&common, &err);
}

/* ---- thaw rm ---- */

#define RM_NAMES_MAX 256

struct rm_input {
    const char *names[RM_NAMES_MAX];
    size_t count;
};

static bool rm_take(void *input, int key, const char *value, struct err *err)
{
    struct rm_input *rm = input;

    if (key == ARGP_KEY_END && rm->count == 0)
        return err_set(err, ERR_USAGE, "rm takes tags or checkpoints");
    if (key != ARGP_KEY_ARG)
        return key == ARGP_KEY_END;
    if (rm->count == RM_NAMES_MAX)
        return err_set(err, ERR_USAGE, "more than %d names at once", RM_NAMES_MAX);
    rm->names[rm->count++] = value;
    return true;
}

static bool remove_one(struct store *store, const char *name, struct err *err)
{
    struct store_tag tag = {.name = ""};
    struct err ignored = ERR_INIT;
    struct hash id;

    if (store_name_check(name, &ignored) && store_tag_get(store, name, &tag, &ignored)) {
        store_tag_release(&tag);
        return store_tag_remove(store, name, err);
    }
    return store_resolve(store, name, &id, err) && store_manifest_remove(store, &id, err);
}

int command_rm(int argc, char **argv)
{
    static const struct command_usage usage = {
        "rm", "NAME...",
        "Remove tags, or checkpoints that no tag names. The space comes back with the next gc.\v"
        "Example:\n  thaw rm old-boot && thaw gc",
        NULL, rm_take};
    struct rm_input input = {.count = 0};
    struct err err = ERR_INIT;
    struct store *store = NULL;
    struct common common;
    json_t *removed;
    bool ok;

    common_parse(&usage, &common, argc, argv, &input);
    removed = json_array();
    ok = common_open_store(&common, &store, &err);
    for (size_t i = 0; ok && i < input.count; i++) {
        ok = remove_one(store, input.names[i], &err);
        if (ok)
            json_array_append_new(removed, json_string(input.names[i]));
    }
    if (ok && common.json)
        print_json(json_pack("{s:O}", "removed", removed));
    json_decref(removed);
    store_close(store);
    return ok ? EXIT_PASS : common_fail(&common, &err);
}
