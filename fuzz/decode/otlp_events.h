/* What the targets for logs and spans share: a batch that contradicts itself stops the program. */
#ifndef FUZZ_DECODE_OTLP_EVENTS_H
#define FUZZ_DECODE_OTLP_EVENTS_H

#include "base/assert.h"
#include "codec/utf8.h"
#include "decode/otlp/otlp.h"

static inline void check_attr(const struct data_event_batch *b, const struct data_event_attr *a)
{
    base_assert(a->field < b->fields.len && a->value.kind != DATA_VALUE_NULL);
    if (a->field < DATA_EVENT_INTRINSIC_COUNT)
        base_assert(a->value.kind == data_event_intrinsic_kind(a->field));
    else
        base_assert(b->fields.items[a->field].name.len);
    if (a->value.kind == DATA_VALUE_STRING || a->value.kind == DATA_VALUE_JSON)
        base_assert(codec_utf8_valid(a->value.text));
}

static inline void check_events(const struct data_event_batch *b)
{
    struct arena *arena = arena_new(0, NULL);
    struct data_labels l;
    for (size_t i = 0; i < b->streams.len; i++)
        base_assert(data_labels_decode(b->streams.items[i].key, arena, &l) == 0 && l.count);
    for (size_t i = 0; i < b->rows.len; i++) {
        const struct data_event_row *row = &b->rows.items[i];
        base_assert(row->stream < b->streams.len && row->resource < b->sets.len &&
                    row->scope < b->sets.len && row->first + row->count <= b->attrs.len &&
                    row->first_child + row->child_count <= b->children.len && row->ts_ns >= 0);
    }
    for (size_t i = 0; i < b->attrs.len; i++)
        check_attr(b, &b->attrs.items[i]);
    for (size_t i = 0; i < b->child_attrs.len; i++)
        check_attr(b, &b->child_attrs.items[i]);
    for (size_t i = 0; i < b->children.len; i++) {
        const struct data_event_child *c = &b->children.items[i];
        base_assert(c->first + c->count <= b->child_attrs.len);
        if (c->kind == DATA_CHILD_LINK)
            base_assert(c->trace_id.len == 16 && c->span_id.len == 8);
    }
    arena_free(arena);
}

#endif
