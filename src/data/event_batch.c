#include "data/event_batch.h"

#include "base/assert.h"
#include "codec/utf8.h"

#define TABLE_MIN 64

struct intrinsic {
    const char *name;
    enum data_value_kind kind;
};

static const struct intrinsic intrinsics[DATA_EVENT_INTRINSIC_COUNT] = {
    [DATA_EVENT_LINE] = {"line", DATA_VALUE_STRING},
    [DATA_EVENT_LEVEL] = {"level", DATA_VALUE_STRING},
    [DATA_EVENT_SEVERITY] = {"severity_number", DATA_VALUE_INT},
    [DATA_EVENT_SEVERITY_TEXT] = {"severity_text", DATA_VALUE_STRING},
    [DATA_EVENT_OBSERVED_TIME] = {"observed_time", DATA_VALUE_INT},
    [DATA_EVENT_EVENT_NAME] = {"event_name", DATA_VALUE_STRING},
    [DATA_EVENT_BODY_KIND] = {"body_kind", DATA_VALUE_INT},
    [DATA_EVENT_TRACE_ID] = {"trace_id", DATA_VALUE_BYTES},
    [DATA_EVENT_SPAN_ID] = {"span_id", DATA_VALUE_BYTES},
    [DATA_EVENT_FLAGS] = {"flags", DATA_VALUE_INT},
    [DATA_EVENT_DROPPED_ATTRIBUTES] = {"dropped_attributes_count", DATA_VALUE_INT},
    [DATA_EVENT_SCOPE_NAME] = {"scope_name", DATA_VALUE_STRING},
    [DATA_EVENT_SCOPE_VERSION] = {"scope_version", DATA_VALUE_STRING},
    [DATA_EVENT_SCOPE_DROPPED] = {"scope_dropped_attributes_count", DATA_VALUE_INT},
    [DATA_EVENT_RESOURCE_DROPPED] = {"resource_dropped_attributes_count", DATA_VALUE_INT},
    [DATA_EVENT_SCOPE_SCHEMA] = {"scope_schema_url", DATA_VALUE_STRING},
    [DATA_EVENT_RESOURCE_SCHEMA] = {"resource_schema_url", DATA_VALUE_STRING},
    [DATA_EVENT_PARENT_ID] = {"parent_id", DATA_VALUE_BYTES},
    [DATA_EVENT_NAME] = {"name", DATA_VALUE_STRING},
    [DATA_EVENT_KIND] = {"kind", DATA_VALUE_INT},
    [DATA_EVENT_STATUS] = {"status", DATA_VALUE_INT},
    [DATA_EVENT_STATUS_MESSAGE] = {"status_message", DATA_VALUE_STRING},
    [DATA_EVENT_DURATION] = {"duration", DATA_VALUE_INT},
    [DATA_EVENT_TRACE_STATE] = {"trace_state", DATA_VALUE_STRING},
    [DATA_EVENT_DROPPED_EVENTS] = {"dropped_events_count", DATA_VALUE_INT},
    [DATA_EVENT_DROPPED_LINKS] = {"dropped_links_count", DATA_VALUE_INT},
};

const char *data_event_intrinsic_name(uint32_t id)
{
    return id < DATA_EVENT_INTRINSIC_COUNT ? intrinsics[id].name : NULL;
}

enum data_value_kind data_event_intrinsic_kind(uint32_t id)
{
    return id < DATA_EVENT_INTRINSIC_COUNT ? intrinsics[id].kind : DATA_VALUE_NULL;
}

/* --- levels --- */

static const struct slice level_names[DATA_LEVEL_COUNT] = {
    SLICE_INIT("unknown"), SLICE_INIT("trace"), SLICE_INIT("debug"),    SLICE_INIT("info"),
    SLICE_INIT("warn"),    SLICE_INIT("error"), SLICE_INIT("critical"), SLICE_INIT("fatal")};

struct slice data_event_level_name(enum data_event_level level)
{
    base_assert(level < DATA_LEVEL_COUNT);
    return level_names[level];
}

enum data_event_level data_event_level_parse(struct slice name)
{
    for (int i = 1; i < DATA_LEVEL_COUNT && name.len; i++) {
        if (name.ptr[0] == level_names[i].ptr[0] && slice_eq(name, level_names[i]))
            return (enum data_event_level)i;
    }
    return DATA_LEVEL_UNKNOWN;
}

enum data_event_level data_event_level_guess(struct slice word)
{
    static const struct {
        struct slice word;
        enum data_event_level level;
    } known[] = {
        {SLICE_INIT("trace"), DATA_LEVEL_TRACE},       {SLICE_INIT("trc"), DATA_LEVEL_TRACE},
        {SLICE_INIT("debug"), DATA_LEVEL_DEBUG},       {SLICE_INIT("dbg"), DATA_LEVEL_DEBUG},
        {SLICE_INIT("info"), DATA_LEVEL_INFO},         {SLICE_INIT("inf"), DATA_LEVEL_INFO},
        {SLICE_INIT("information"), DATA_LEVEL_INFO},  {SLICE_INIT("warn"), DATA_LEVEL_WARN},
        {SLICE_INIT("wrn"), DATA_LEVEL_WARN},          {SLICE_INIT("warning"), DATA_LEVEL_WARN},
        {SLICE_INIT("err"), DATA_LEVEL_ERROR},         {SLICE_INIT("error"), DATA_LEVEL_ERROR},
        {SLICE_INIT("critical"), DATA_LEVEL_CRITICAL}, {SLICE_INIT("fatal"), DATA_LEVEL_FATAL},
    };
    if (word.len < 3 || word.len > 11)
        return DATA_LEVEL_UNKNOWN;
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (slice_eq_nocase(word, known[i].word))
            return known[i].level;
    }
    return DATA_LEVEL_UNKNOWN;
}

enum data_event_level data_event_level_of_severity(int64_t severity)
{
    static const enum data_event_level of[6] = {DATA_LEVEL_TRACE, DATA_LEVEL_DEBUG,
                                                DATA_LEVEL_INFO,  DATA_LEVEL_WARN,
                                                DATA_LEVEL_ERROR, DATA_LEVEL_FATAL};
    return severity < 1 || severity > 24 ? DATA_LEVEL_UNKNOWN : of[(severity - 1) / 4];
}

/* --- the batch --- */

static void add_intrinsics(struct data_event_batch *b)
{
    for (uint32_t i = 0; i < DATA_EVENT_INTRINSIC_COUNT; i++)
        vec_push(&b->fields,
                 ((struct data_event_field){DATA_SCOPE_INTRINSIC, slice_cstr(intrinsics[i].name)}));
}

struct data_event_batch *data_event_batch_new(enum data_event_table table, struct slice tenant)
{
    struct data_event_batch *b = mem_calloc(1, sizeof(*b));
    b->table = table;
    b->arena = arena_new(0, NULL);
    b->tenant = slice_make(mem_dup(tenant.ptr, tenant.len), tenant.len);
    b->field_table_size = TABLE_MIN;
    b->field_table = mem_calloc(b->field_table_size, sizeof(*b->field_table));
    add_intrinsics(b);
    return b;
}

void data_event_batch_free(struct data_event_batch *b)
{
    if (!b)
        return;
    arena_free(b->arena);
    mem_free((void *)(uintptr_t)b->tenant.ptr);
    vec_free(&b->streams);
    vec_free(&b->fields);
    vec_free(&b->attrs);
    vec_free(&b->sets);
    vec_free(&b->rows);
    vec_free(&b->children);
    vec_free(&b->child_attrs);
    vec_free(&b->notes);
    mem_free(b->field_table);
    mem_free(b);
}

void data_event_batch_reset(struct data_event_batch *b)
{
    arena_reset(b->arena);
    vec_clear(&b->streams);
    vec_clear(&b->fields);
    vec_clear(&b->attrs);
    vec_clear(&b->sets);
    vec_clear(&b->rows);
    vec_clear(&b->children);
    vec_clear(&b->child_attrs);
    vec_clear(&b->notes);
    memset(b->field_table, 0, b->field_table_size * sizeof(*b->field_table));
    b->in_set = false;
    add_intrinsics(b);
}

void data_event_batch_note(struct data_event_batch *b, struct slice key, struct slice value)
{
    vec_push(&b->notes,
             ((struct data_event_note){arena_slice(b->arena, key), arena_slice(b->arena, value)}));
}

struct slice data_event_batch_copy(struct data_event_batch *b, struct slice text)
{
    return arena_slice(b->arena, text);
}

uint32_t data_event_batch_add_stream_key(struct data_event_batch *b, struct slice key)
{
    base_assert(b->streams.len < DATA_EVENT_NONE);
    vec_push(&b->streams, ((struct data_event_stream){key, data_labels_key_hash(key)}));
    return (uint32_t)(b->streams.len - 1);
}

uint32_t data_event_batch_add_stream(struct data_event_batch *b, struct data_labels labels)
{
    struct buf key = {0};
    size_t room = 0;
    for (size_t i = 0; i < labels.count; i++)
        room += 20 + labels.items[i].name.len + labels.items[i].value.len;
    /* Encoded straight into the arena: the buffer is a view of it that never has to grow. */
    key.ptr = arena_alloc(b->arena, room);
    key.cap = room;
    data_labels_encode(labels, &key);
    return data_event_batch_add_stream_key(b, buf_slice(&key));
}

static size_t field_slot(const struct data_event_batch *b, enum data_event_scope scope,
                         struct slice name)
{
    size_t mask = b->field_table_size - 1, at = hash64(name.ptr, name.len, scope) & mask;
    for (; b->field_table[at]; at = (at + 1) & mask) {
        const struct data_event_field *f = &b->fields.items[b->field_table[at]];
        if (f->scope == scope && slice_eq(f->name, name))
            break;
    }
    return at;
}

static void grow_table(struct data_event_batch *b)
{
    b->field_table_size *= 2;
    mem_free(b->field_table);
    b->field_table = mem_calloc(b->field_table_size, sizeof(*b->field_table));
    for (size_t i = DATA_EVENT_INTRINSIC_COUNT; i < b->fields.len; i++)
        b->field_table[field_slot(b, b->fields.items[i].scope, b->fields.items[i].name)] =
            (uint32_t)i;
}

uint32_t data_event_batch_field(struct data_event_batch *b, enum data_event_scope scope,
                                struct slice name)
{
    base_assert(scope != DATA_SCOPE_INTRINSIC && scope < DATA_SCOPE_STREAM);
    size_t at = field_slot(b, scope, name);
    if (b->field_table[at])
        return b->field_table[at];
    if (b->fields.len * 2 >= b->field_table_size) {
        grow_table(b);
        at = field_slot(b, scope, name);
    }
    vec_push(&b->fields, ((struct data_event_field){scope, arena_slice(b->arena, name)}));
    return b->field_table[at] = (uint32_t)(b->fields.len - 1);
}

uint32_t data_event_batch_add_set(struct data_event_batch *b)
{
    vec_push(&b->sets, ((struct data_event_set){(uint32_t)b->attrs.len, 0}));
    b->in_set = true;
    return (uint32_t)(b->sets.len - 1);
}

uint32_t data_event_batch_add_row(struct data_event_batch *b, uint32_t stream, int64_t ts_ns)
{
    base_assert(stream < b->streams.len && b->rows.len < DATA_EVENT_NONE &&
                b->attrs.len < DATA_EVENT_NONE);
    vec_push(&b->rows, ((struct data_event_row){.ts_ns = ts_ns,
                                                .stream = stream,
                                                .first = (uint32_t)b->attrs.len,
                                                .resource = DATA_EVENT_NONE,
                                                .scope = DATA_EVENT_NONE,
                                                .first_child = (uint32_t)b->children.len}));
    b->in_set = false;
    return (uint32_t)(b->rows.len - 1);
}

void data_event_put(struct data_event_batch *b, uint32_t field, struct data_value value)
{
    base_assert(field < b->fields.len);
    if (value.kind == DATA_VALUE_NULL)
        return;
    vec_push(&b->attrs, ((struct data_event_attr){field, value}));
    if (b->in_set)
        b->sets.items[b->sets.len - 1].count++;
    else
        b->rows.items[b->rows.len - 1].count++;
}

void data_event_batch_add_child(struct data_event_batch *b, const struct data_event_child *child)
{
    base_assert(b->rows.len);
    struct data_event_child c = *child;
    c.first = (uint32_t)b->child_attrs.len;
    c.count = 0;
    vec_push(&b->children, c);
    b->rows.items[b->rows.len - 1].child_count++;
}

void data_event_child_put(struct data_event_batch *b, uint32_t field, struct data_value value)
{
    base_assert(field < b->fields.len && b->children.len);
    if (value.kind == DATA_VALUE_NULL)
        return;
    vec_push(&b->child_attrs, ((struct data_event_attr){field, value}));
    b->children.items[b->children.len - 1].count++;
}

struct data_value data_event_get(const struct data_event_batch *b, uint32_t row, uint32_t field)
{
    const struct data_event_row *r = &b->rows.items[row];
    for (uint32_t i = r->count; i-- > 0;) {
        if (b->attrs.items[r->first + i].field == field)
            return b->attrs.items[r->first + i].value;
    }
    return (struct data_value){0};
}

/* --- spellings --- */

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

void data_event_name_sanitize(struct slice name, struct buf *out)
{
    if (name.len && name.ptr[0] >= '0' && name.ptr[0] <= '9')
        buf_append_char(out, '_');
    while (name.len) {
        uint32_t code;
        size_t len = is_plain(name.ptr[0]) ? 1 : codec_utf8_decode(name, &code);
        buf_append_char(out, is_plain(name.ptr[0]) ? name.ptr[0] : '_');
        name = slice_from(name, len ? len : 1);
    }
}

/* The sanitised spelling of `name` is `spelling`. */
static bool is_spelling(struct slice name, struct slice spelling)
{
    size_t at = 0;
    if (name.len && name.ptr[0] >= '0' && name.ptr[0] <= '9') {
        if (!spelling.len || spelling.ptr[at++] != '_')
            return false;
    }
    while (name.len && at < spelling.len) {
        uint32_t code;
        size_t len = is_plain(name.ptr[0]) ? 1 : codec_utf8_decode(name, &code);
        if (spelling.ptr[at++] != (is_plain(name.ptr[0]) ? name.ptr[0] : '_'))
            return false;
        name = slice_from(name, len ? len : 1);
    }
    return !name.len && at == spelling.len;
}

bool data_event_name_matches(struct slice stored, struct slice asked)
{
    return slice_eq(stored, asked) || is_spelling(stored, asked) || is_spelling(asked, stored);
}
