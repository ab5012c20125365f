#include "store/event/block.h"

#include "base/assert.h"
#include "codec/bytes.h"

void store_value_encode(uint32_t field, struct data_value v, struct buf *out)
{
    char *at = buf_reserve(out, 2 * CODEC_VARINT_MAX + 8), *begin = at;
    at = codec_put_varint(at, (uint64_t)field << 3 | (uint64_t)v.kind);
    switch (v.kind) {
    case DATA_VALUE_INT: at = codec_put_varint(at, codec_zigzag(v.i)); break;
    case DATA_VALUE_BOOL: *at++ = (char)(v.i != 0); break;
    case DATA_VALUE_DOUBLE:
        codec_store64(at, codec_double_bits(v.d));
        at += 8;
        break;
    case DATA_VALUE_NULL: break;
    default: at = codec_put_varint(at, v.text.len);
    }
    out->len += (size_t)(at - begin);
    if (data_value_has_text(v.kind))
        buf_append_slice(out, v.text);
}

bool store_value_decode(struct slice *in, uint64_t *field, struct data_value *v)
{
    uint64_t head, zz;
    if (!codec_take_varint(in, &head) || (head & 7) >= DATA_VALUE_KIND_COUNT)
        return false;
    *field = head >> 3;
    v->kind = (enum data_value_kind)(head & 7);
    switch (v->kind) {
    case DATA_VALUE_NULL: return true;
    case DATA_VALUE_INT:
        if (!codec_take_varint(in, &zz))
            return false;
        v->i = codec_unzigzag(zz);
        return true;
    case DATA_VALUE_BOOL:
        if (!in->len)
            return false;
        v->i = in->ptr[0] != 0;
        *in = slice_from(*in, 1);
        return true;
    case DATA_VALUE_DOUBLE:
        if (in->len < 8)
            return false;
        v->d = codec_load_double(in->ptr);
        *in = slice_from(*in, 8);
        return true;
    default: return codec_take_text(in, &v->text);
    }
}

/* --- parsing --- */

struct parser {
    struct slice in;
    struct store_event_block *b;
    enum data_event_table table;
};

static bool take_count(struct slice *in, uint64_t *out)
{
    /* Everything counted takes a byte at least. */
    return codec_take_varint(in, out) && *out <= in->len;
}

static bool parse_streams(struct parser *p)
{
    uint64_t count;
    struct store_event_block *b = p->b;
    if (!take_count(&p->in, &count))
        return false;
    b->streams = mem_alloc(count * sizeof(struct store_stream *));
    for (uint64_t i = 0; i < count; i++) {
        struct slice key;
        if (!codec_take_text(&p->in, &key))
            return false;
        struct store_stream *s = store_streams_get(b->registry, b->tenant, key);
        if (!s)
            return false;
        b->streams[b->stream_count++] = s;
    }
    return true;
}

static bool parse_fields(struct parser *p)
{
    uint64_t count;
    struct store_event_block *b = p->b;
    if (!take_count(&p->in, &count))
        return false;
    b->fields = mem_calloc(count, sizeof(*b->fields));
    b->field_count = DATA_EVENT_INTRINSIC_COUNT;
    for (uint64_t i = 0; i < count; i++) {
        struct data_event_field *f = &b->fields[i];
        b->field_count++;
        if (!p->in.len)
            return false;
        unsigned scope = (unsigned char)p->in.ptr[0];
        p->in = slice_from(p->in, 1);
        if (scope == DATA_SCOPE_INTRINSIC || scope >= DATA_SCOPE_STREAM ||
            !codec_take_text(&p->in, &f->name))
            return false;
        f->scope = (enum data_event_scope)scope;
    }
    return true;
}

static bool good_kind(uint64_t field, enum data_value_kind kind)
{
    if (field >= DATA_EVENT_INTRINSIC_COUNT)
        return true;
    return kind == (field == STORE_FIELD_CHILDREN ? DATA_VALUE_BYTES
                                                  : data_event_intrinsic_kind((uint32_t)field));
}

uint8_t store_event_level_code(enum data_event_table table, struct data_value v)
{
    if (table != DATA_EVENT_LOGS)
        return v.kind == DATA_VALUE_INT && v.i >= 0 && v.i < DATA_LEVEL_COUNT ? (uint8_t)v.i : 0;
    if (v.kind != DATA_VALUE_STRING)
        return STORE_LEVEL_NONE;
    enum data_event_level level = data_event_level_parse(v.text);
    return level == DATA_LEVEL_UNKNOWN && !slice_eq(v.text, data_event_level_name(level))
               ? STORE_LEVEL_OTHER
               : (uint8_t)level;
}

/* Checks `count` attributes, and notes what rows keep beside them. */
static bool skip_attrs(struct parser *p, uint64_t count, struct store_event_block_row *row)
{
    uint64_t field;
    struct data_value v;
    for (uint64_t i = 0; i < count; i++) {
        if (!store_value_decode(&p->in, &field, &v) || field >= p->b->field_count ||
            v.kind == DATA_VALUE_NULL || !good_kind(field, v.kind))
            return false;
        if (!row || field >= DATA_EVENT_INTRINSIC_COUNT)
            continue;
        if (field == DATA_EVENT_LINE && data_value_has_text(v.kind))
            row->line_bytes = (uint32_t)MIN(v.text.len, (size_t)UINT32_MAX);
        else if (field == DATA_EVENT_LEVEL && v.kind == DATA_VALUE_STRING &&
                 p->table == DATA_EVENT_LOGS)
            row->level = store_event_level_code(p->table, v);
        else if (field == DATA_EVENT_STATUS && v.kind == DATA_VALUE_INT &&
                 p->table == DATA_EVENT_SPANS)
            row->level = store_event_level_code(p->table, v);
    }
    return true;
}

static bool parse_sets(struct parser *p)
{
    uint64_t count, attrs;
    if (!take_count(&p->in, &count))
        return false;
    p->b->sets = mem_alloc(count * sizeof(struct slice));
    for (uint64_t i = 0; i < count; i++) {
        if (!take_count(&p->in, &attrs))
            return false;
        struct slice begin = p->in;
        if (!skip_attrs(p, attrs, NULL))
            return false;
        p->b->sets[p->b->set_count++] = slice_first(begin, begin.len - p->in.len);
    }
    return true;
}

static bool parse_rows(struct parser *p, bool may_be_none)
{
    struct store_event_block *b = p->b;
    uint64_t count, zz, stream, attrs, set;
    int64_t ts = 0;
    if (!take_count(&p->in, &count) || (!count && !may_be_none) || count > UINT32_MAX)
        return false;
    b->rows = mem_calloc(count, sizeof(*b->rows));
    b->t_min = INT64_MAX;
    b->t_max = INT64_MIN;
    for (uint64_t i = 0; i < count; i++) {
        struct store_event_block_row *row = &b->rows[b->row_count++];
        if (!codec_take_varint(&p->in, &zz) || !codec_take_varint(&p->in, &stream) ||
            stream >= b->stream_count)
            return false;
        ts = (int64_t)((uint64_t)ts + (uint64_t)codec_unzigzag(zz));
        row->ts = ts;
        row->stream = (uint32_t)stream;
        row->level = store_event_level_code(p->table, (struct data_value){0});
        row->offset = (uint32_t)(p->in.ptr - b->payload);
        for (int k = 0; k < 2; k++) {
            if (!codec_take_varint(&p->in, &set) || set > b->set_count)
                return false;
        }
        if (!take_count(&p->in, &attrs) || !skip_attrs(p, attrs, row))
            return false;
        row->length = (uint32_t)(p->in.ptr - b->payload) - row->offset;
        b->t_min = MIN(b->t_min, ts);
        b->t_max = MAX(b->t_max, ts);
    }
    return true;
}

static bool parse_notes(struct parser *p)
{
    uint64_t count;
    if (!take_count(&p->in, &count) || count > UINT32_MAX)
        return false;
    p->b->notes = mem_calloc(count, sizeof(*p->b->notes));
    for (; p->b->note_count < count; p->b->note_count++) {
        struct data_event_note *n = &p->b->notes[p->b->note_count];
        if (!codec_take_text(&p->in, &n->key) || !codec_take_text(&p->in, &n->value))
            return false;
    }
    return true;
}

struct store_event_block *store_event_block_parse(char *payload, size_t len,
                                                  enum data_event_table table,
                                                  struct store_streams *registry)
{
    struct store_event_block *b = mem_calloc(1, sizeof(*b));
    payload = mem_realloc(payload, len); /* encoders leave up to as much again behind it */
    struct parser p = {slice_make(payload, len), b, table};
    b->refs = 1;
    b->registry = registry;
    b->payload = payload;
    b->payload_len = len;
    uint64_t format;
    if (len > UINT32_MAX || !codec_take_varint(&p.in, &format) ||
        (format != STORE_BLOCK_ROWS && format != STORE_BLOCK_NOTES) ||
        !codec_take_text(&p.in, &b->tenant) || !parse_streams(&p) || !parse_fields(&p) ||
        !parse_sets(&p) || !parse_rows(&p, format == STORE_BLOCK_NOTES) ||
        (format == STORE_BLOCK_NOTES && !parse_notes(&p)) || p.in.len) {
        store_event_block_unref(b);
        return NULL;
    }
    b->memory = sizeof(*b) + len + b->stream_count * sizeof(*b->streams) +
                (b->field_count - DATA_EVENT_INTRINSIC_COUNT) * sizeof(*b->fields) +
                b->set_count * sizeof(*b->sets) + b->row_count * sizeof(*b->rows) +
                b->note_count * sizeof(*b->notes);
    return b;
}

struct store_event_block *store_event_block_ref(struct store_event_block *b)
{
    atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
    return b;
}

void store_event_block_unref(struct store_event_block *b)
{
    if (atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (uint32_t i = 0; i < b->stream_count; i++)
        store_streams_put(b->registry, b->streams[i]);
    mem_free(b->streams);
    mem_free(b->fields);
    mem_free(b->sets);
    mem_free(b->rows);
    mem_free(b->notes);
    mem_free(b->payload);
    mem_free(b);
}

/* --- reading rows --- */

struct store_event_block_fields store_event_block_row_fields(const struct store_event_block *b,
                                                             uint32_t row)
{
    struct slice in = slice_make(b->payload + b->rows[row].offset, b->rows[row].length);
    struct store_event_block_fields f = {.block = b};
    uint64_t resource = 0, scope = 0, attrs = 0;
    bool ok = codec_take_varint(&in, &resource) && codec_take_varint(&in, &scope) &&
              codec_take_varint(&in, &attrs);
    base_assert(ok); /* parsed before */
    f.rest[0] = in;
    f.rest[1] = resource ? b->sets[resource - 1] : (struct slice){NULL, 0};
    f.rest[2] = scope ? b->sets[scope - 1] : (struct slice){NULL, 0};
    return f;
}

bool store_event_block_next_field(struct store_event_block_fields *f, uint32_t *field,
                                  struct data_value *value)
{
    uint64_t n;
    while (f->at < 3 && !f->rest[f->at].len)
        f->at++;
    if (f->at == 3 || !store_value_decode(&f->rest[f->at], &n, value))
        return false;
    *field = (uint32_t)n;
    return true;
}
