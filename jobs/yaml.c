#include "jobs/yaml.h"

#include "jobs/utf8.h"
#include "jobs/yaml_internal.h"
#include "storage/base/check.h"
#include "storage/base/file.h"

#include <libfyaml.h>
#include <stdio.h>
#include <string.h>

/* A map or list being built: its entries grow in `items` until its end is seen. */
struct frame {
    struct yaml_node *node;
    const struct yaml_node *key; /* of a map: the key whose value comes next */
    const char *anchor;
    struct yaml_entry *items;
    size_t capacity;
};

struct anchor {
    const char *name;
    const struct yaml_node *node;
};

#define ANCHORS_MAX 256

struct builder {
    struct yaml *yaml;
    struct frame frames[YAML_DEPTH_MAX];
    size_t depth;
    struct anchor anchors[ANCHORS_MAX];
    size_t anchor_count;
    size_t weight; /* of all nodes so far, aliases unfolded */
    bool stop;     /* a mistake after which the rest makes no sense */
};

static void fail_at(struct builder *builder, struct fy_event *event, const char *text)
{
    const struct fy_mark *mark = fy_event_start_mark(event);
    struct yaml_mistake place = {0, 0, 1, NULL};

    if (mark != NULL) {
        place.line = (uint32_t)mark->line + 1;
        place.column = (uint32_t)mark->column + 1;
    }
    yaml_note(builder->yaml, place, text);
    builder->stop = true;
}

/* The token's text, as YAML means it. Put together from its pieces: fy_token_get_text leaks what it
 * put them together in, when there are many (libfyaml 0.7.12). NULL: no such token. */
static const char *token_bytes(struct builder *builder, struct fy_token *token, size_t *size)
{
    struct buf text = BUF_INIT(2 * YAML_FILE_BYTES_MAX);
    const struct fy_iter_chunk *piece = NULL;
    struct fy_token_iter *iterator;
    struct err ignored = ERR_INIT;
    const char *copy;

    *size = 0;
    if (token == NULL)
        return NULL;
    iterator = fy_token_iter_create(token);
    CHECK(iterator != NULL);
    /* Never twice as long as the file: at worst `\L` becomes three bytes. */
    while ((piece = fy_token_iter_chunk_next(iterator, piece, NULL)) != NULL)
        CHECK(buf_append(&text, piece->str, piece->len, &ignored));
    fy_token_iter_destroy(iterator);
    copy = pool_bytes(builder->yaml->pool, text.data, text.size);
    *size = text.size;
    buf_release(&text);
    return copy;
}

static const char *token_text(struct builder *builder, struct fy_token *token)
{
    size_t size;

    return token_bytes(builder, token, &size);
}

static struct yaml_node *node_new(struct builder *builder, struct fy_event *event,
                                  enum yaml_kind kind)
{
    struct yaml_node *node = pool_alloc(builder->yaml->pool, sizeof *node);
    const struct fy_mark *start = fy_event_start_mark(event);
    const struct fy_mark *end = fy_event_end_mark(event);

    node->kind = kind;
    node->width = 1;
    node->weight = 1;
    if (start != NULL) {
        node->line = (uint32_t)start->line + 1;
        node->column = (uint32_t)start->column + 1;
    }
    if (start != NULL && end != NULL && end->line == start->line && end->column > start->column)
        node->width = (uint32_t)(end->column - start->column);
    return node;
}

static void frame_add(struct builder *builder, struct frame *frame, struct yaml_entry entry)
{
    struct yaml_node *node = frame->node;

    if (node->count == frame->capacity) {
        size_t capacity = frame->capacity == 0 ? 8 : frame->capacity * 2;
        struct yaml_entry *items = pool_array(builder->yaml->pool, capacity, sizeof *items);

        if (node->count != 0)
            memcpy(items, frame->items, node->count * sizeof *items);
        frame->items = items;
        frame->capacity = capacity;
    }
    frame->items[node->count++] = entry;
    node->entries = frame->items;
}

static bool has_key(const struct yaml_node *map, const char *key)
{
    for (size_t i = 0; i < map->count; i++) {
        if (strcmp(map->entries[i].key->text, key) == 0)
            return true;
    }
    return false;
}

/* `<<: *defaults`: the pairs of another map (or of several) that this one has not itself. */
static void merge(struct builder *builder, struct frame *frame, const struct yaml_node *from)
{
    size_t count = from->kind == YAML_LIST ? from->count : 1;

    for (size_t i = 0; i < count; i++) {
        const struct yaml_node *map = from->kind == YAML_LIST ? from->entries[i].value : from;

        if (map->kind != YAML_MAP) {
            yaml_error(builder->yaml, map, "`<<` takes a map, or a list of maps");
            return;
        }
        for (size_t j = 0; j < map->count; j++) {
            if (!has_key(frame->node, map->entries[j].key->text))
                frame_add(builder, frame, map->entries[j]);
        }
    }
}

/* Merged pairs come last, so that a map's own win wherever `<<` stands. */
static void merge_all(struct builder *builder, struct frame *frame)
{
    struct yaml_node *node = frame->node;
    const struct yaml_node *merged = NULL;
    size_t kept = 0;

    for (size_t i = 0; i < node->count; i++) {
        if (strcmp(frame->items[i].key->text, "<<") == 0 && frame->items[i].key->plain)
            merged = frame->items[i].value;
        else
            frame->items[kept++] = frame->items[i];
    }
    node->count = kept;
    if (merged != NULL)
        merge(builder, frame, merged);
}

static void place_value(struct builder *builder, struct frame *frame, const struct yaml_node *node)
{
    frame->node->weight += node->weight;
    if (frame->node->kind == YAML_LIST) {
        frame_add(builder, frame, (struct yaml_entry){NULL, node});
        return;
    }
    if (frame->key != NULL) {
        frame_add(builder, frame, (struct yaml_entry){frame->key, node});
        frame->key = NULL;
        return;
    }
    frame->key = node;
    if (node->kind != YAML_SCALAR || node->text_size != strlen(node->text)) {
        yaml_error(builder->yaml, node, "a key must be a plain word");
        builder->stop = true;
    } else if (has_key(frame->node, node->text)) {
        yaml_error(builder->yaml, node, "key `%.60s` is there twice", node->text);
    }
}

/* A finished node goes to the map or list around it. */
static void place(struct builder *builder, const struct yaml_node *node)
{
    if (builder->depth == 0)
        builder->yaml->root = node;
    else
        place_value(builder, &builder->frames[builder->depth - 1], node);
}

static void keep_anchor(struct builder *builder, const char *name, const struct yaml_node *node)
{
    if (name == NULL)
        return;
    if (builder->anchor_count == ANCHORS_MAX) {
        yaml_error(builder->yaml, node, "more than %d anchors", ANCHORS_MAX);
        builder->stop = true;
        return;
    }
    builder->anchors[builder->anchor_count++] = (struct anchor){name, node};
}

static bool count_weight(struct builder *builder, struct fy_event *event, size_t weight)
{
    builder->weight += weight;
    if (builder->weight <= YAML_NODES_MAX)
        return true;
    fail_at(builder, event, "the file unfolds to more values than any real one needs");
    return false;
}

static void take_alias(struct builder *builder, struct fy_event *event)
{
    const char *name = token_text(builder, event->alias.anchor);
    char text[120];

    /* The latest anchor of a name counts. */
    for (size_t i = builder->anchor_count; name != NULL && i-- > 0;) {
        if (strcmp(builder->anchors[i].name, name) != 0)
            continue;
        if (count_weight(builder, event, builder->anchors[i].node->weight))
            place(builder, builder->anchors[i].node);
        return;
    }
    snprintf(text, sizeof text, "there is no anchor `&%.60s` before this",
             name == NULL ? "" : name);
    fail_at(builder, event, text);
}

static void take_scalar(struct builder *builder, struct fy_event *event)
{
    struct yaml_node *node = node_new(builder, event, YAML_SCALAR);
    struct fy_token *token = event->scalar.value;
    const char *text = token_bytes(builder, token, &node->text_size);

    node->text = text != NULL ? text : pool_bytes(builder->yaml->pool, NULL, 0);
    node->plain = token == NULL || fy_token_scalar_style(token) == FYSS_PLAIN;
    keep_anchor(builder, token_text(builder, event->scalar.anchor), node);
    place(builder, node);
}

static void take_start(struct builder *builder, struct fy_event *event, enum yaml_kind kind)
{
    struct fy_token *anchor =
        kind == YAML_MAP ? event->mapping_start.anchor : event->sequence_start.anchor;

    if (builder->depth == YAML_DEPTH_MAX) {
        fail_at(builder, event, "nested too deep");
        return;
    }
    builder->frames[builder->depth++] =
        (struct frame){node_new(builder, event, kind), NULL, token_text(builder, anchor), NULL, 0};
}

static void take_end(struct builder *builder)
{
    struct frame *frame;

    CHECK(builder->depth > 0);
    frame = &builder->frames[--builder->depth];
    if (frame->node->kind == YAML_MAP)
        merge_all(builder, frame);
    keep_anchor(builder, frame->anchor, frame->node);
    place(builder, frame->node);
}

static bool has_tag(struct fy_event *event)
{
    return (event->type == FYET_SCALAR && event->scalar.tag != NULL) ||
           (event->type == FYET_MAPPING_START && event->mapping_start.tag != NULL) ||
           (event->type == FYET_SEQUENCE_START && event->sequence_start.tag != NULL);
}

static void take_event(struct builder *builder, struct fy_event *event)
{
    if (has_tag(event)) {
        fail_at(builder, event, "tags (`!…`) are not supported; quote the text if it is one");
        return;
    }
    switch (event->type) {
    case FYET_DOCUMENT_START:
        if (builder->yaml->root != NULL)
            fail_at(builder, event, "a second document in one file");
        break;
    case FYET_ALIAS:
        take_alias(builder, event);
        break;
    case FYET_SCALAR:
        if (count_weight(builder, event, 1))
            take_scalar(builder, event);
        break;
    case FYET_MAPPING_START:
        if (count_weight(builder, event, 1))
            take_start(builder, event, YAML_MAP);
        break;
    case FYET_SEQUENCE_START:
        if (count_weight(builder, event, 1))
            take_start(builder, event, YAML_LIST);
        break;
    case FYET_MAPPING_END:
    case FYET_SEQUENCE_END:
        take_end(builder);
        break;
    default:
        break;
    }
}

/* libfyaml's own mistakes become ours. */
static void take_diagnostics(struct yaml *yaml, struct fy_diag *diag)
{
    struct fy_diag_error *error;
    void *iterator = NULL;
    bool any = false;

    while ((error = fy_diag_errors_iterate(diag, &iterator)) != NULL) {
        struct yaml_mistake place = {0, 0, 1, NULL};

        if (error->line > 0 && error->column > 0) {
            place.line = (uint32_t)error->line;
            place.column = (uint32_t)error->column;
        }
        yaml_note(yaml, place, error->msg == NULL ? "not YAML" : error->msg);
        any = true;
    }
    if (!any)
        yaml_error(yaml, NULL, "not YAML");
}

static void discard_output(struct fy_diag *diag, void *user, const char *text, size_t size)
{
    (void)diag;
    (void)user;
    (void)text;
    (void)size;
}

static struct fy_diag *diag_new(void)
{
    struct fy_diag_cfg config;
    struct fy_diag *diag;

    fy_diag_cfg_default(&config);
    config.fp = NULL;
    config.output_fn = discard_output;
    config.colorize = false;
    diag = fy_diag_create(&config);
    CHECK(diag != NULL);
    fy_diag_set_collect_errors(diag, true);
    return diag;
}

static void parse(struct yaml *yaml)
{
    struct builder *builder = mem_alloc(sizeof *builder);
    struct fy_diag *diag = diag_new();
    struct fy_parse_cfg config = {
        .flags = FYPCF_QUIET | FYPCF_JSON_NONE | FYPCF_ALLOW_DUPLICATE_KEYS, .diag = diag};
    struct fy_parser *parser = fy_parser_create(&config);
    struct fy_event *event;

    CHECK(parser != NULL);
    builder->yaml = yaml;
    if (fy_parser_set_string(parser, (const char *)yaml->text.data, yaml->text.size) != 0)
        yaml_error(yaml, NULL, "cannot be read as YAML");
    while (!builder->stop && (event = fy_parser_parse(parser)) != NULL) {
        take_event(builder, event);
        fy_parser_event_free(parser, event);
    }
    if (!builder->stop && fy_parser_get_stream_error(parser))
        take_diagnostics(yaml, diag);
    if (yaml->error_count > 0 && (builder->stop || builder->depth > 0))
        yaml->root = NULL;
    fy_parser_destroy(parser);
    fy_diag_destroy(diag);
    mem_free(builder);
}

/* libfyaml lets some of what is not UTF-8 pass. */
static bool check_encoding(struct yaml *yaml)
{
    size_t valid = utf8_valid_size(yaml->text);
    struct yaml_mistake place = {1, 1, 1, NULL};

    if (valid == yaml->text.size)
        return true;
    for (size_t i = 0; i < valid; i++) {
        if (yaml->text.data[i] == '\n') {
            place.line++;
            place.column = 1;
        } else if ((yaml->text.data[i] & 0xc0) != 0x80) {
            place.column++;
        }
    }
    yaml_note(yaml, place, "this is not UTF-8");
    return false;
}

struct yaml *yaml_open(struct span text, const char *name, struct pool *pool)
{
    struct yaml *yaml = pool_alloc(pool, sizeof *yaml);

    yaml->pool = pool;
    yaml->text = text;
    yaml->name = name;
    if (text.size > YAML_FILE_BYTES_MAX)
        yaml_error(yaml, NULL, "%zu bytes; the limit is %u", text.size, YAML_FILE_BYTES_MAX);
    else if (text.size == 0)
        yaml_error(yaml, NULL, "the file is empty");
    else if (check_encoding(yaml))
        parse(yaml);
    if (yaml->root == NULL && yaml->error_count == 0)
        yaml_error(yaml, NULL, "the file is empty");
    return yaml;
}

bool yaml_open_file(const char *path, struct pool *pool, struct yaml **out, struct err *err)
{
    struct buf text = BUF_INIT(YAML_FILE_BYTES_MAX);
    struct span kept;
    bool ok = file_read(path, &text, err);

    if (ok) {
        kept = (struct span){(uint8_t *)pool_bytes(pool, text.data, text.size), text.size};
        *out = yaml_open(kept, pool_text(pool, path), pool);
    }
    buf_release(&text);
    return ok;
}

const struct yaml_node *yaml_root(const struct yaml *yaml)
{
    return yaml->root;
}

struct pool *yaml_pool(struct yaml *yaml)
{
    return yaml->pool;
}

const char *yaml_name(const struct yaml *yaml)
{
    return yaml->name;
}
