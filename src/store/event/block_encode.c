/* From a batch to a block: what may be taken in is, row by row. */
#include "codec/bytes.h"
#include "codec/utf8.h"
#include "store/event/block.h"

/* Of streams, fields and sets: looked at once. */
enum verdict { UNKNOWN, GOOD, BAD };

struct item {
    enum verdict verdict;
    enum store_refusal why;
    uint32_t number; /* in the block, + 1; 0 = not used yet */
};

struct encoder {
    const struct data_event_batch *b;
    const struct store_event_block_rules *rules;
    struct store_streams *registry;
    struct store_append_result *result;
    struct item *streams, *fields, *sets;
    size_t new_streams;
    struct buf stream_bytes, field_bytes, set_bytes, rows, children;
    uint32_t stream_count, field_count, set_count, row_count;
    int64_t last_ts;
};

static void refuse(struct encoder *e, const struct data_event_row *row, enum store_refusal why)
{
    static const struct {
        const char *text, *setting;
    } words[STORE_REFUSED_COUNT] = {
        [STORE_REFUSED_INVALID] = {"a row breaks the rules for its fields", NULL},
        [STORE_REFUSED_TOO_OLD] = {"a row is older than the retention", NULL},
        [STORE_REFUSED_TOO_NEW] = {"a row is too far in the future", "limits.future"},
        [STORE_REFUSED_LABEL_LIMIT] = {"a stream has too many or too long labels",
                                       "limits.label_count, limits.label_bytes"},
        [STORE_REFUSED_STREAM_LIMIT] = {"a new stream is over the limit", "limits.streams"},
        [STORE_REFUSED_LINE_SIZE] = {"a line is too long", "limits.line_size"},
        [STORE_REFUSED_FIELD_LIMIT] = {"a row has too many or too long fields",
                                       "limits.fields, limits.field_size"},
    };
    struct store_append_result *r = e->result;
    r->refused[why]++;
    if (r->first_refusal.code)
        return;
    struct arena *arena = arena_new(512, NULL);
    struct data_labels labels;
    struct buf name = {0};
    const char *setting =
        why == STORE_REFUSED_TOO_OLD ? e->rules->retention_setting : words[why].setting;
    if (!data_labels_decode(e->b->streams.items[row->stream].key, arena, &labels))
        data_labels_print(labels, &name);
    diag_set(&r->first_refusal, ERR_INVALID, "%s%s%s%s: time %lld ns, stream %.*s", words[why].text,
             setting ? " (" : "", setting ? setting : "", setting ? ")" : "", (long long)row->ts_ns,
             (int)MIN(name.len, (size_t)400), buf_cstr(&name));
    buf_deinit(&name);
    arena_free(arena);
}

static enum verdict bad(struct item *i, enum store_refusal why)
{
    i->why = why;
    return i->verdict = BAD;
}

static enum verdict judge_stream(struct encoder *e, uint32_t stream)
{
    struct item *i = &e->streams[stream];
    if (i->verdict != UNKNOWN)
        return i->verdict;
    const struct data_event_stream *s = &e->b->streams.items[stream];
    struct arena *arena = arena_new(1024, NULL);
    struct data_labels labels;
    if (data_labels_decode(s->key, arena, &labels) || !labels.count)
        bad(i, STORE_REFUSED_INVALID);
    else if (labels.count > e->rules->label_count_max)
        bad(i, STORE_REFUSED_LABEL_LIMIT);
    for (size_t k = 0; i->verdict == UNKNOWN && k < labels.count; k++) {
        struct data_label l = labels.items[k];
        if (l.name.len > e->rules->label_bytes_max || l.value.len > e->rules->label_bytes_max)
            bad(i, STORE_REFUSED_LABEL_LIMIT);
        else if (!codec_utf8_valid(l.name) || !codec_utf8_valid(l.value) ||
                 slice_find_char(l.name, '\0') >= 0)
            bad(i, STORE_REFUSED_INVALID);
    }
    arena_free(arena);
    if (i->verdict == UNKNOWN && !store_streams_has(e->registry, e->b->tenant, s->id)) {
        if (e->registry->count + e->new_streams >= e->rules->streams_max)
            bad(i, STORE_REFUSED_STREAM_LIMIT);
        else
            e->new_streams++;
    }
    if (i->verdict == UNKNOWN)
        i->verdict = GOOD;
    return i->verdict;
}

static enum verdict judge_field(struct encoder *e, uint32_t field)
{
    struct item *i = &e->fields[field];
    struct slice name = e->b->fields.items[field].name;
    if (i->verdict != UNKNOWN)
        return i->verdict;
    if (field < DATA_EVENT_INTRINSIC_COUNT)
        return data_event_intrinsic_kind(field) ? (i->verdict = GOOD)
                                                : bad(i, STORE_REFUSED_INVALID);
    if (name.len > e->rules->label_bytes_max)
        return bad(i, STORE_REFUSED_FIELD_LIMIT);
    if (!name.len || !codec_utf8_valid(name))
        return bad(i, STORE_REFUSED_INVALID);
    return i->verdict = GOOD;
}

static bool is_zero(struct slice id)
{
    for (size_t i = 0; i < id.len; i++) {
        if (id.ptr[i])
            return false;
    }
    return true;
}

static bool good_intrinsic(uint32_t field, struct data_value v)
{
    if (v.kind != data_event_intrinsic_kind(field))
        return false;
    switch (field) {
    case DATA_EVENT_TRACE_ID: return v.text.len == 16 && !is_zero(v.text);
    case DATA_EVENT_SPAN_ID:
    case DATA_EVENT_PARENT_ID: return v.text.len == 8 && !is_zero(v.text);
    case DATA_EVENT_DURATION: return v.i >= 0;
    default: return true;
    }
}

/* Of some attributes; STORE_REFUSED_COUNT when they are fine. */
static enum store_refusal judge_attrs(struct encoder *e, uint32_t first, uint32_t count)
{
    for (uint32_t i = first; i < first + count; i++) {
        const struct data_event_attr *a = &e->b->attrs.items[i];
        if (judge_field(e, a->field) == BAD)
            return e->fields[a->field].why;
        if (a->field < DATA_EVENT_INTRINSIC_COUNT && !good_intrinsic(a->field, a->value))
            return STORE_REFUSED_INVALID;
        if (!data_value_has_text(a->value.kind))
            continue;
        if (a->field == DATA_EVENT_LINE) {
            if (a->value.text.len > e->rules->line_bytes_max)
                return STORE_REFUSED_LINE_SIZE;
        } else if (a->value.text.len > e->rules->field_bytes_max) {
            return STORE_REFUSED_FIELD_LIMIT;
        }
    }
    return STORE_REFUSED_COUNT;
}

static enum verdict judge_set(struct encoder *e, uint32_t set)
{
    struct item *i = &e->sets[set];
    if (i->verdict == UNKNOWN) {
        i->why = judge_attrs(e, e->b->sets.items[set].first, e->b->sets.items[set].count);
        i->verdict = i->why == STORE_REFUSED_COUNT ? GOOD : BAD;
    }
    return i->verdict;
}

/* A span has to say which one it is. */
static bool is_whole(const struct encoder *e, const struct data_event_row *row)
{
    bool trace = false, span = false;
    for (uint32_t i = row->first; i < row->first + row->count; i++) {
        trace |= e->b->attrs.items[i].field == DATA_EVENT_TRACE_ID;
        span |= e->b->attrs.items[i].field == DATA_EVENT_SPAN_ID;
    }
    return e->b->table != DATA_EVENT_SPANS || (trace && span);
}

static enum store_refusal judge_children(const struct encoder *e, const struct data_event_row *row)
{
    size_t bytes = 0;
    for (uint32_t i = row->first_child; i < row->first_child + row->child_count; i++) {
        const struct data_event_child *c = &e->b->children.items[i];
        if (c->count > e->rules->field_count_max)
            return STORE_REFUSED_FIELD_LIMIT;
        bytes += c->name.len + c->trace_state.len;
        for (uint32_t k = c->first; k < c->first + c->count; k++) {
            struct data_value v = e->b->child_attrs.items[k].value;
            bytes += data_value_has_text(v.kind) ? v.text.len : 8;
        }
    }
    return bytes > 16 * e->rules->field_bytes_max ? STORE_REFUSED_FIELD_LIMIT : STORE_REFUSED_COUNT;
}

static enum store_refusal judge_row(struct encoder *e, const struct data_event_row *row)
{
    size_t count = (size_t)row->count +
                   (row->resource != DATA_EVENT_NONE ? e->b->sets.items[row->resource].count : 0) +
                   (row->scope != DATA_EVENT_NONE ? e->b->sets.items[row->scope].count : 0);
    if (row->ts_ns < e->rules->oldest_ns)
        return STORE_REFUSED_TOO_OLD;
    if (row->ts_ns > e->rules->newest_ns)
        return STORE_REFUSED_TOO_NEW;
    if (count > e->rules->field_count_max)
        return STORE_REFUSED_FIELD_LIMIT;
    if (!is_whole(e, row))
        return STORE_REFUSED_INVALID;
    if (row->resource != DATA_EVENT_NONE && judge_set(e, row->resource) == BAD)
        return e->sets[row->resource].why;
    if (row->scope != DATA_EVENT_NONE && judge_set(e, row->scope) == BAD)
        return e->sets[row->scope].why;
    enum store_refusal why = judge_attrs(e, row->first, row->count);
    if (why == STORE_REFUSED_COUNT && row->child_count)
        why = judge_children(e, row);
    /* Last, because it counts a new stream in. */
    if (why == STORE_REFUSED_COUNT && judge_stream(e, row->stream) == BAD)
        return e->streams[row->stream].why;
    return why;
}

/* --- writing --- */

static void put_text(struct buf *out, struct slice s)
{
    codec_append_varint(out, s.len);
    buf_append_slice(out, s);
}

static uint32_t stream_number(struct encoder *e, uint32_t stream)
{
    struct item *i = &e->streams[stream];
    if (!i->number) {
        put_text(&e->stream_bytes, e->b->streams.items[stream].key);
        i->number = ++e->stream_count;
    }
    return i->number - 1;
}

static uint32_t field_number(struct encoder *e, uint32_t field)
{
    struct item *i = &e->fields[field];
    if (field < DATA_EVENT_INTRINSIC_COUNT)
        return field;
    if (!i->number) {
        buf_append_char(&e->field_bytes, (char)e->b->fields.items[field].scope);
        put_text(&e->field_bytes, e->b->fields.items[field].name);
        i->number = ++e->field_count;
    }
    return DATA_EVENT_INTRINSIC_COUNT + i->number - 1;
}

static void put_attrs(struct encoder *e, uint32_t first, uint32_t count, struct buf *out)
{
    for (uint32_t i = first; i < first + count; i++) {
        const struct data_event_attr *a = &e->b->attrs.items[i];
        store_value_encode(field_number(e, a->field), a->value, out);
    }
}

static uint32_t set_number(struct encoder *e, uint32_t set)
{
    if (set == DATA_EVENT_NONE)
        return 0;
    struct item *i = &e->sets[set];
    if (!i->number) {
        const struct data_event_set *s = &e->b->sets.items[set];
        codec_append_varint(&e->set_bytes, s->count);
        put_attrs(e, s->first, s->count, &e->set_bytes);
        i->number = ++e->set_count;
    }
    return i->number;
}

static void put_row(struct encoder *e, const struct data_event_row *row)
{
    struct buf *out = &e->rows;
    codec_append_varint(out, codec_zigzag((int64_t)((uint64_t)row->ts_ns - (uint64_t)e->last_ts)));
    codec_append_varint(out, stream_number(e, row->stream));
    codec_append_varint(out, set_number(e, row->resource));
    codec_append_varint(out, set_number(e, row->scope));
    codec_append_varint(out, row->count + (row->child_count > 0));
    put_attrs(e, row->first, row->count, out);
    if (row->child_count) {
        buf_clear(&e->children);
        store_children_encode(e->b, row, &e->children);
        store_value_encode(STORE_FIELD_CHILDREN, data_value_bytes(buf_slice(&e->children)), out);
    }
    e->last_ts = row->ts_ns;
    e->row_count++;
}

size_t store_event_block_encode(const struct data_event_batch *b,
                                const struct store_event_block_rules *rules,
                                struct store_streams *streams, struct store_append_result *result,
                                struct buf *out)
{
    struct encoder e = {.b = b, .rules = rules, .registry = streams, .result = result};
    e.streams = mem_calloc(b->streams.len, sizeof(*e.streams));
    e.fields = mem_calloc(b->fields.len, sizeof(*e.fields));
    e.sets = mem_calloc(b->sets.len, sizeof(*e.sets));
    for (size_t i = 0; i < b->rows.len; i++) {
        enum store_refusal why = judge_row(&e, &b->rows.items[i]);
        if (b->row_refusals)
            b->row_refusals[i] = why == STORE_REFUSED_COUNT ? 0 : (uint8_t)(1 + why);
        if (why == STORE_REFUSED_COUNT)
            put_row(&e, &b->rows.items[i]);
        else
            refuse(&e, &b->rows.items[i], why);
    }
    if (e.row_count || b->notes.len) {
        buf_reserve(out, e.stream_bytes.len + e.field_bytes.len + e.set_bytes.len + e.rows.len +
                             b->tenant.len + 6 * CODEC_VARINT_MAX);
        codec_append_varint(out, b->notes.len ? STORE_BLOCK_NOTES : STORE_BLOCK_ROWS);
        put_text(out, b->tenant);
        codec_append_varint(out, e.stream_count);
        buf_append_slice(out, buf_slice(&e.stream_bytes));
        codec_append_varint(out, e.field_count);
        buf_append_slice(out, buf_slice(&e.field_bytes));
        codec_append_varint(out, e.set_count);
        buf_append_slice(out, buf_slice(&e.set_bytes));
        codec_append_varint(out, e.row_count);
        buf_append_slice(out, buf_slice(&e.rows));
        if (b->notes.len)
            codec_append_varint(out, b->notes.len);
        for (size_t i = 0; i < b->notes.len; i++) {
            put_text(out, b->notes.items[i].key);
            put_text(out, b->notes.items[i].value);
        }
    }
    buf_deinit(&e.stream_bytes);
    buf_deinit(&e.field_bytes);
    buf_deinit(&e.set_bytes);
    buf_deinit(&e.rows);
    buf_deinit(&e.children);
    mem_free(e.streams);
    mem_free(e.fields);
    mem_free(e.sets);
    return e.row_count;
}
