/* Events and links of a span, packed: varint count, then each: u8 kind, zigzag time after the
 * span's start, name, trace id, span id, trace state as texts, varint flags, varint dropped, varint
 * attributes, each a name and a value. */
#include "codec/bytes.h"
#include "store/event/block.h"

static void put_text(struct buf *out, struct slice s)
{
    codec_append_varint(out, s.len);
    buf_append_slice(out, s);
}

void store_children_encode(const struct data_event_batch *b, const struct data_event_row *row,
                           struct buf *out)
{
    codec_append_varint(out, row->child_count);
    for (uint32_t i = 0; i < row->child_count; i++) {
        const struct data_event_child *c = &b->children.items[row->first_child + i];
        buf_append_char(out, (char)c->kind);
        codec_append_varint(out,
                            codec_zigzag((int64_t)((uint64_t)c->ts_ns - (uint64_t)row->ts_ns)));
        put_text(out, c->name);
        put_text(out, c->trace_id);
        put_text(out, c->span_id);
        put_text(out, c->trace_state);
        codec_append_varint(out, c->flags);
        codec_append_varint(out, c->dropped);
        codec_append_varint(out, c->count);
        for (uint32_t k = 0; k < c->count; k++) {
            const struct data_event_attr *a = &b->child_attrs.items[c->first + k];
            put_text(out, b->fields.items[a->field].name);
            store_value_encode(0, a->value, out);
        }
    }
}

typedef VEC(struct data_event_attr) attr_list;
typedef VEC(struct slice) name_list;

static bool take_child(struct slice *in, int64_t row_ts, struct data_event_child *c,
                       attr_list *attrs, name_list *names)
{
    uint64_t zz, flags, dropped, count, field;
    if (!in->len || (unsigned char)in->ptr[0] > DATA_CHILD_LINK)
        return false;
    *c = (struct data_event_child){.kind = (enum data_event_child_kind)in->ptr[0]};
    *in = slice_from(*in, 1);
    if (!codec_take_varint(in, &zz) || !codec_take_text(in, &c->name) ||
        !codec_take_text(in, &c->trace_id) || !codec_take_text(in, &c->span_id) ||
        !codec_take_text(in, &c->trace_state) || !codec_take_varint(in, &flags) ||
        !codec_take_varint(in, &dropped) || !codec_take_varint(in, &count) || count > in->len)
        return false;
    c->ts_ns = (int64_t)((uint64_t)row_ts + (uint64_t)codec_unzigzag(zz));
    c->flags = (uint32_t)flags;
    c->dropped = (uint32_t)dropped;
    c->first = (uint32_t)attrs->len;
    c->count = (uint32_t)count;
    for (uint64_t i = 0; i < count; i++) {
        struct slice name;
        struct data_event_attr a = {.field = (uint32_t)names->len};
        if (!codec_take_text(in, &name) || !store_value_decode(in, &field, &a.value))
            return false;
        vec_push(names, name);
        vec_push(attrs, a);
    }
    return true;
}

bool store_children_decode(struct slice in, int64_t row_ts, struct arena *arena,
                           struct data_event_child **out, size_t *out_count,
                           struct data_event_attr **out_attrs, struct slice **out_names,
                           size_t *out_name_count)
{
    uint64_t count;
    VEC(struct data_event_child) children = {0};
    attr_list attrs = {0};
    name_list names = {0};
    bool ok = codec_take_varint(&in, &count);
    for (uint64_t i = 0; ok && i < count; i++)
        ok = take_child(&in, row_ts, vec_add(&children), &attrs, &names);
    if (ok) {
        *out = arena_dup(arena, children.items, children.len * sizeof(*children.items));
        *out_attrs = arena_dup(arena, attrs.items, attrs.len * sizeof(*attrs.items));
        *out_names = arena_dup(arena, names.items, names.len * sizeof(*names.items));
        *out_count = children.len;
        *out_name_count = names.len;
        ok = *out && *out_attrs && *out_names;
    }
    vec_free(&children);
    vec_free(&attrs);
    vec_free(&names);
    return ok;
}
