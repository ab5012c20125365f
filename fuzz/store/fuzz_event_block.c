/* Records of events in the log: any bytes parse or do not; what parses can be read. */
#include <stdint.h>
#include <stdlib.h>

#include "store/event/block.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_rows(const struct store_event_block *b)
{
    struct arena *arena = arena_new(0, NULL);
    for (uint32_t row = 0; row < b->row_count; row++) {
        struct store_event_block_fields it = store_event_block_row_fields(b, row);
        uint32_t field;
        struct data_value v;
        while (store_event_block_next_field(&it, &field, &v)) {
            if (field >= b->field_count)
                abort();
            struct data_event_child *children;
            struct data_event_attr *attrs;
            struct slice *names;
            size_t count, name_count;
            if (field == STORE_FIELD_CHILDREN && data_value_has_text(v.kind))
                store_children_decode(v.text, b->rows[row].ts, arena, &children, &count, &attrs,
                                      &names, &name_count);
        }
    }
    arena_free(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct store_streams streams = {0};
    store_streams_init(&streams);
    for (int table = 0; table < DATA_EVENT_TABLE_COUNT; table++) {
        char *copy = mem_alloc(size);
        if (size)
            memcpy(copy, data, size);
        struct store_event_block *b =
            store_event_block_parse(copy, size, (enum data_event_table)table, &streams);
        if (!b)
            continue;
        read_rows(b);
        store_event_block_unref(b);
    }
    if (streams.count)
        abort();
    store_streams_deinit(&streams);
    return 0;
}
