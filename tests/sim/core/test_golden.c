/* The released tables, as a text that is reviewed: a table that changes must raise its schema's
 * version and bring an upgrade. Run with THAW_GOLDEN_WRITE=1 to write the text anew after doing
 * both. */
#include "sim/board/virt.h"
#include "storage/base/file.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define GOLDEN_FILE THAW_TESTS_DIR "/golden/attrs.txt"
#define GOLDEN_MAX  (1u << 20)

static void print_table(struct buf *out, const char *title, const struct attr_table *table)
{
    struct err err = ERR_INIT;

    for (uint32_t i = 0; i < table->count; i++) {
        const struct attr *attr = &table->attrs[i];
        assert_true(buf_format(out, &err, "  %s %s %s[%" PRIu32 "] reset 0x%" PRIx64 "%s\n", title,
                               attr->name, attr_type_name(attr->type), attr->count, attr->reset,
                               (attr->flags & ATTR_OPTIONAL) != 0 ? " optional" : ""));
    }
}

/* "schema NAME/VERSION", a line an attribute, link and image, an empty line. */
static void print_schema(struct buf *out, const struct schema *schema)
{
    struct err err = ERR_INIT;

    assert_true(buf_format(out, &err, "schema %s/%" PRIu32 "\n", schema->name, schema->version));
    print_table(out, "config", &schema->config);
    print_table(out, "state", &schema->state);
    for (uint32_t i = 0; i < schema->link_count; i++)
        assert_true(buf_format(out, &err, "  link %s%s\n", schema->links[i].name,
                               schema->links[i].required ? "" : " optional"));
    for (uint32_t i = 0; i < schema->image_count; i++)
        assert_true(buf_format(out, &err, "  image %s\n", schema->images[i].name));
    assert_true(buf_append_text(out, "\n", &err));
}

static bool is_first_of_schema(const struct registry *registry, uint32_t index)
{
    for (uint32_t i = 0; i < index; i++)
        if (registry->models[i]->schema == registry->models[index]->schema)
            return false;
    return true;
}

static void print_all(struct buf *out)
{
    struct registry registry;

    registry_standard(&registry);
    for (uint32_t i = 0; i < registry.count; i++)
        if (is_first_of_schema(&registry, i))
            print_schema(out, registry.models[i]->schema);
}

static void a_changed_table_needs_a_new_version(void **state)
{
    struct buf now = BUF_INIT(GOLDEN_MAX), golden = BUF_INIT(GOLDEN_MAX);
    struct registry registry;
    struct err err = ERR_INIT;

    (void)state;
    if (getenv("THAW_GOLDEN_WRITE") != NULL) {
        print_all(&now);
        assert_true(file_write(GOLDEN_FILE, buf_span(&now), &err));
    }
    assert_true(file_read(GOLDEN_FILE, &golden, &err));
    assert_true(golden.size > 0);
    assert_true(buf_append(&golden, "", 1, &err));
    registry_standard(&registry);
    for (uint32_t i = 0; i < registry.count; i++) {
        const struct schema *schema = registry.models[i]->schema;
        buf_clear(&now);
        print_schema(&now, schema);
        assert_true(buf_append(&now, "", 1, &err));
        if (strstr((const char *)golden.data, (const char *)now.data) == NULL)
            fail_msg(
                "%s/%u is not in tests/golden/attrs.txt: if the table changed, raise its version, "
                "write an upgrade, then run this test with THAW_GOLDEN_WRITE=1; it now reads:\n%s",
                schema->name, schema->version, (const char *)now.data);
    }
    buf_release(&now);
    buf_release(&golden);
}

static void every_version_leads_to_the_next(void **state)
{
    struct registry registry;

    (void)state;
    registry_standard(&registry);
    for (uint32_t i = 0; i < registry.count; i++) {
        const struct schema *schema = registry.models[i]->schema;
        assert_true(schema->version >= 1);
        assert_int_equal(schema->upgrade_count, schema->version - 1);
    }
}

/* A schema that was released can always be loaded: it never disappears. */
static void no_released_schema_is_gone(void **state)
{
    struct buf golden = BUF_INIT(GOLDEN_MAX);
    struct registry registry;
    struct err err = ERR_INIT;
    size_t found = 0;
    char *line, *rest;

    (void)state;
    assert_true(file_read(GOLDEN_FILE, &golden, &err));
    assert_true(buf_append(&golden, "", 1, &err));
    registry_standard(&registry);
    for (line = strtok_r((char *)golden.data, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        if (strncmp(line, "schema ", 7) != 0)
            continue;
        line[strcspn(line, "/")] = 0;
        if (registry_find_schema(&registry, span_of_text(line + 7)) == NULL)
            fail_msg("the schema %s was released, and this build does not know it", line + 7);
        found++;
    }
    assert_true(found >= 10);
    buf_release(&golden);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_changed_table_needs_a_new_version),
        cmocka_unit_test(every_version_leads_to_the_next),
        cmocka_unit_test(no_released_schema_is_gone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
