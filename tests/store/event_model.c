#include "event_model.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/hash.h"
#include "text/regex.h"

#define STREAMS 5

uint64_t model_random(struct event_model *m)
{
    return m->random = hash_u64(m->random + 0x9e3779b97f4a7c15);
}

void model_init(struct event_model *m, enum data_event_table table, uint64_t seed)
{
    *m = (struct event_model){.table = table,
                              .random = seed,
                              .now_ns = 1700000000 * NS_PER_SEC + 86000 * NS_PER_SEC,
                              .arena = arena_new(0, NULL)};
}

void model_deinit(struct event_model *m)
{
    arena_free(m->arena);
    vec_free(&m->rows);
}

/* What a row holds follows from its number, so that nothing of it has to be kept. */
static uint64_t mix(const struct model_row *r, uint64_t salt)
{
    return hash_u64((uint64_t)r->number * 64 + salt);
}

static const struct {
    enum data_event_scope scope;
    uint32_t intrinsic;
    const char *name;
} fields[MODEL_FIELDS] = {
    {DATA_SCOPE_ATTRIBUTE, 0, "n"},
    {DATA_SCOPE_INTRINSIC, DATA_EVENT_LINE, "line"},
    {DATA_SCOPE_INTRINSIC, DATA_EVENT_LEVEL, "level"},
    {DATA_SCOPE_INTRINSIC, DATA_EVENT_TRACE_ID, "trace_id"},
    {DATA_SCOPE_INTRINSIC, DATA_EVENT_SPAN_ID, "span_id"},
    {DATA_SCOPE_INTRINSIC, DATA_EVENT_DURATION, "duration"},
    {DATA_SCOPE_INTRINSIC, DATA_EVENT_PARENT_ID, "parent_id"},
    {DATA_SCOPE_ATTRIBUTE, 0, "http.status"}, /* digits, now and then with a letter */
    {DATA_SCOPE_ATTRIBUTE, 0, "mixed"},       /* of every kind */
    {DATA_SCOPE_ATTRIBUTE, 0, "request.id"},  /* hex, mostly different */
    {DATA_SCOPE_RESOURCE, 0, "host.name"},    /* of a set */
    {DATA_SCOPE_SCOPE, 0, "library"},         /* of a set */
    {DATA_SCOPE_ATTRIBUTE, 0, "took"},        /* double */
    {DATA_SCOPE_ATTRIBUTE, 0, "when"},        /* time as text */
};

struct store_event_field model_field(size_t field)
{
    return (struct store_event_field){.scopes = STORE_SCOPE_BIT(fields[field].scope),
                                      .intrinsic = fields[field].intrinsic,
                                      .name = slice_cstr(fields[field].name)};
}

struct data_labels model_labels(struct event_model *m, uint32_t stream)
{
    struct data_label *l = arena_calloc(m->arena, 2, sizeof(*l));
    l[0] = (struct data_label){SLICE("app"), arena_printf(m->arena, "app%u", stream % STREAMS)};
    l[1] = (struct data_label){SLICE("service.name"), arena_printf(m->arena, "s%u", stream)};
    return (struct data_labels){l, 2};
}

static struct data_value text(struct event_model *m, const char *fmt, uint64_t a, uint64_t b)
{
    (void)b;
    return data_value_string(arena_printf(m->arena, fmt, (unsigned)a, (unsigned)b));
}

static struct data_value mixed(struct event_model *m, uint64_t x)
{
    switch (x % 7) {
    case 0: return data_value_int((int64_t)(x >> 8) % 1000 - 500);
    case 1: return data_value_double((double)(x % 1000) / 8);
    case 2: return data_value_bool(x >> 8 & 1);
    case 3: return data_value_bytes(arena_slice(m->arena, slice_make(&x, x % 9)));
    case 4:
        return data_value_json(arena_printf(m->arena, "{\"a\": [%u, null]}", (unsigned)(x % 50)));
    case 5: return text(m, "word %u", x >> 8 & 63, 0);
    default: return (struct data_value){0};
    }
}

static struct data_value id_value(struct event_model *m, uint64_t a, uint64_t b, size_t len)
{
    uint64_t id[2] = {a | 1, b};
    return data_value_bytes(arena_slice(m->arena, slice_make(id, len)));
}

/* Spans come in traces of eight; the parent of most is an earlier one. */
static struct data_value intrinsic_value(struct event_model *m, const struct model_row *r,
                                         uint32_t id)
{
    bool spans = m->table == DATA_EVENT_SPANS;
    uint32_t trace = r->number / 8, in_trace = r->number % 8;
    switch (id) {
    case DATA_EVENT_LINE:
        if (spans)
            break;
        return data_value_string(
            arena_printf(m->arena, "level=%s user-%u did thing %016llx in %ums%s",
                         mix(r, 1) % 3 ? "info" : "error", (unsigned)(mix(r, 2) % 40),
                         (unsigned long long)mix(r, 3), (unsigned)(mix(r, 4) % 900),
                         mix(r, 5) % 50 ? "" : " with a very rare event"));
    case DATA_EVENT_LEVEL:
        if (spans || mix(r, 6) % 9 == 0)
            break;
        return data_value_string(
            data_event_level_name((enum data_event_level)(mix(r, 7) % DATA_LEVEL_COUNT)));
    case DATA_EVENT_TRACE_ID:
        if (!spans && mix(r, 8) % 2)
            break;
        return id_value(m, hash_u64(trace), trace, 16);
    case DATA_EVENT_SPAN_ID:
        if (!spans && mix(r, 8) % 2)
            break;
        return id_value(m, hash_u64(r->number + 77), 0, 8);
    case DATA_EVENT_DURATION:
        return spans ? data_value_int((int64_t)(mix(r, 9) % 1000000)) : (struct data_value){0};
    case DATA_EVENT_PARENT_ID:
        if (!spans || !in_trace)
            break;
        if (mix(r, 10) % 11 == 0) /* one that never comes */
            return id_value(m, hash_u64(r->number + 999999), 0, 8);
        return id_value(m, hash_u64(trace * 8 + mix(r, 11) % in_trace + 77), 0, 8);
    default: break;
    }
    return (struct data_value){0};
}

struct data_value model_value(struct event_model *m, const struct model_row *r, size_t field)
{
    uint64_t x = mix(r, 20 + field);
    switch (field) {
    case 0: return data_value_int(r->number);
    case 7: return mix(r, 12) % 40 ? text(m, "%u", 200 + x % 5, 0) : text(m, "%ux", x % 5, 0);
    case 8: return mixed(m, x);
    case 9:
        return mix(r, 13) % 3
                   ? data_value_string(arena_printf(m->arena, "%016llx", (unsigned long long)x))
                   : (struct data_value){0};
    /* In sets: of the append and of the stream. */
    case 10: return text(m, "host-%u", r->append % 3, 0);
    case 11: return r->append % 2 ? text(m, "lib %u", r->append % 5, 0) : (struct data_value){0};
    case 12:
        return mix(r, 14) % 4 ? data_value_double((double)(x % 10000) / 100)
                              : (struct data_value){0};
    case 13: return text(m, "2026-11-%02uT10:20:%02u.125Z", 1 + x % 28, x % 60);
    default: return intrinsic_value(m, r, fields[field].intrinsic);
    }
}

/* --- events and links of spans --- */

#define CHILDREN_MAX 4

static const char *const child_names[] = {"exception.type", "exception_type", "n", "code"};

/* What the row has of them, as a store gives them back: events first. */
static struct store_event_children model_children(struct event_model *m, const struct model_row *r)
{
    struct store_event_children out = {0};
    if (m->table != DATA_EVENT_SPANS || mix(r, 20) % 3)
        return out;
    size_t n = mix(r, 21) % (CHILDREN_MAX + 1);
    struct data_event_child *items = arena_calloc(m->arena, CHILDREN_MAX, sizeof(*items));
    struct data_event_attr *attrs = arena_calloc(m->arena, 4 * CHILDREN_MAX, sizeof(*attrs));
    struct slice *names = arena_calloc(m->arena, ARRAY_LEN(child_names), sizeof(*names));
    uint32_t used = 0;
    for (size_t i = 0; i < ARRAY_LEN(child_names); i++)
        names[i] = slice_cstr(child_names[i]);
    size_t events = n ? mix(r, 22) % (n + 1) : 0;
    for (size_t i = 0; i < n; i++) {
        struct data_event_child *c = &items[i];
        uint64_t x = mix(r, 23 + i);
        *c = (struct data_event_child){.kind = i < events ? DATA_CHILD_EVENT : DATA_CHILD_LINK,
                                       .dropped = x % 5 ? 0 : (uint32_t)(x % 1000),
                                       .first = used};
        if (i < events) {
            c->ts_ns = r->ts + (int64_t)(x % 1000) - 100;
            c->name = x % 9 ? text(m, "event %u", (unsigned)(x % 3), 0).text : SLICE("");
        } else {
            char *ids = arena_alloc(m->arena, 24);
            for (int k = 0; k < 24; k++)
                ids[k] = (char)(mix(r, 30 + i) >> k % 8 * 8);
            c->trace_id = slice_make(ids, 16);
            c->span_id = slice_make(ids + 16, 8);
            c->trace_state = x % 2 ? SLICE("") : SLICE("a=b");
            c->flags = (uint32_t)(x % 3);
        }
        for (uint32_t k = 0; k < ARRAY_LEN(child_names); k++) {
            struct data_value v;
            if (x >> (8 + k) & 1)
                continue;
            switch (k) {
            case 0: v = text(m, "type %u of %u", (unsigned)(x >> 20) % 7, 0); break;
            case 1: v = data_value_string(SLICE("other spelling")); break;
            case 2: v = data_value_int(r->number); break;
            default:
                v = x & 1
                        ? data_value_double(0.5)
                        : (struct data_value){.kind = DATA_VALUE_JSON, .text = SLICE("[\"a\",1]")};
            }
            attrs[used++] = (struct data_event_attr){k, v};
        }
        c->count = used - c->first;
    }
    out.items = items;
    out.count = n;
    out.attrs = attrs;
    out.names = names;
    return out;
}

static void put_children(struct event_model *m, struct data_event_batch *b,
                         const struct model_row *r)
{
    struct store_event_children all = model_children(m, r);
    for (size_t i = 0; i < all.count; i++) {
        const struct data_event_child *c = &all.items[i];
        data_event_batch_add_child(b, c);
        for (uint32_t k = c->first; k < c->first + c->count; k++)
            data_event_child_put(
                b, data_event_batch_field(b, DATA_SCOPE_ATTRIBUTE, all.names[all.attrs[k].field]),
                all.attrs[k].value);
    }
}

static struct data_value attribute(const struct store_event_children *all,
                                   const struct data_event_child *c, struct slice name)
{
    for (uint32_t k = c->first; k < c->first + c->count; k++) {
        if (slice_eq(all->names[all->attrs[k].field], name))
            return all->attrs[k].value;
    }
    return (struct data_value){0};
}

static void check_children(const struct store_event_children *want,
                           const struct store_event_children *got)
{
    assert_int_equal(got->count, want->count);
    for (size_t i = 0; i < want->count; i++) {
        const struct data_event_child *a = &want->items[i], *b = &got->items[i];
        assert_int_equal(a->kind, b->kind);
        assert_int_equal(a->ts_ns, b->ts_ns);
        assert_true(slice_eq(a->name, b->name));
        assert_true(slice_eq(a->trace_id, b->trace_id) && slice_eq(a->span_id, b->span_id));
        assert_true(slice_eq(a->trace_state, b->trace_state));
        assert_int_equal(a->flags, b->flags);
        assert_int_equal(a->dropped, b->dropped);
        assert_int_equal(a->count, b->count);
        for (uint32_t k = a->first; k < a->first + a->count; k++) {
            struct slice name = want->names[want->attrs[k].field];
            assert_true(data_value_eq(want->attrs[k].value, attribute(got, b, name)));
        }
    }
}

static void put_fields(struct event_model *m, struct data_event_batch *b, const struct model_row *r)
{
    for (size_t i = 0; i < MODEL_FIELDS; i++) {
        enum data_event_scope scope = fields[i].scope;
        if (scope == DATA_SCOPE_RESOURCE || scope == DATA_SCOPE_SCOPE)
            continue;
        uint32_t f = scope == DATA_SCOPE_INTRINSIC
                         ? fields[i].intrinsic
                         : data_event_batch_field(b, scope, slice_cstr(fields[i].name));
        struct data_value v = model_value(m, r, i);
        if (v.kind && mix(r, 15) % 30 == 0 && i == 7)
            data_event_put(b, f, data_value_string(SLICE("the last one counts")));
        data_event_put(b, f, v);
    }
}

struct data_event_batch *model_batch(struct event_model *m, size_t rows_max)
{
    struct data_event_batch *b = data_event_batch_new(m->table, SLICE("default"));
    size_t rows = 1 + model_random(m) % rows_max;
    struct model_row first = {.number = (uint32_t)m->rows.len, .append = m->appends};
    uint32_t resource = data_event_batch_add_set(b);
    data_event_put(b, data_event_batch_field(b, DATA_SCOPE_RESOURCE, SLICE("host.name")),
                   model_value(m, &first, 10));
    uint32_t scope = data_event_batch_add_set(b);
    data_event_put(b, data_event_batch_field(b, DATA_SCOPE_SCOPE, SLICE("library")),
                   model_value(m, &first, 11));
    for (size_t i = 0; i < rows; i++) {
        struct model_row r = {.number = (uint32_t)m->rows.len, .append = m->appends};
        r.stream = (uint32_t)(m->many_streams ? r.number : model_random(m) % STREAMS);
        /* Mostly forward, often the same time again, sometimes late, sometimes another day. */
        r.ts = m->now_ns + (int64_t)(model_random(m) % 4) * NS_PER_SEC;
        if (model_random(m) % 6 == 0)
            r.ts -= (int64_t)(model_random(m) % 600) * NS_PER_SEC;
        if (model_random(m) % 60 == 0)
            r.ts -= 86400 * NS_PER_SEC;
        /* Of spans that begin together in one stream the order is not promised. */
        if (m->table == DATA_EVENT_SPANS)
            r.ts += r.number;
        uint32_t s = data_event_batch_add_stream(b, model_labels(m, r.stream));
        uint32_t row = data_event_batch_add_row(b, s, r.ts);
        b->rows.items[row].resource = resource;
        b->rows.items[row].scope = scope;
        put_fields(m, b, &r);
        put_children(m, b, &r);
        vec_push(&m->rows, r);
    }
    m->appends++;
    return b;
}

/* --- what a scan has to give --- */

static struct data_value field_value(struct event_model *m, const struct model_row *r,
                                     struct store_event_field f)
{
    struct slice label = {NULL, 0};
    if (f.scopes & STORE_SCOPE_BIT(DATA_SCOPE_STREAM)) {
        struct data_labels labels = model_labels(m, r->stream);
        for (size_t i = 0; i < labels.count; i++) {
            if (data_event_name_matches(labels.items[i].name, f.name))
                label = labels.items[i].value;
        }
    }
    if (label.ptr && f.stream_first)
        return data_value_string(label);
    for (size_t i = 0; i < MODEL_FIELDS; i++) {
        if (!(f.scopes & STORE_SCOPE_BIT(fields[i].scope)))
            continue;
        bool same = fields[i].scope == DATA_SCOPE_INTRINSIC
                        ? f.intrinsic == fields[i].intrinsic
                        : data_event_name_matches(slice_cstr(fields[i].name), f.name);
        struct data_value v = same ? model_value(m, r, i) : (struct data_value){0};
        if (v.kind)
            return v;
    }
    return label.ptr ? data_value_string(label) : (struct data_value){0};
}

bool model_selects(struct event_model *m, const struct model_row *r,
                   const struct store_event_scan *scan)
{
    const struct store_event_select *s = &scan->select;
    struct buf scratch = {0};
    bool all = !r->deleted && r->ts >= s->t_min_ns && r->ts <= s->t_max_ns;
    for (size_t i = 0; i < s->matcher_count && all; i++) {
        struct store_event_field f = {.scopes = STORE_SCOPE_BIT(DATA_SCOPE_STREAM),
                                      .name = s->matchers[i].name};
        struct data_value v = field_value(m, r, f);
        all = store_matcher_matches(&s->matchers[i], v.kind ? v.text : SLICE(""));
    }
    for (size_t i = 0; i < scan->clause_count && all; i++) {
        bool any = false;
        for (size_t k = 0; k < scan->clauses[i].count; k++) {
            const struct store_event_predicate *p = &scan->clauses[i].any[k];
            struct store_event_children children = model_children(m, r);
            any |= store_event_is_of_children(p->field)
                       ? store_event_children_satisfy(p, &children, r->ts, &scratch)
                       : store_event_satisfies(p, field_value(m, r, p->field), &scratch);
        }
        all = any;
    }
    buf_deinit(&scratch);
    return all;
}

struct expected {
    const struct model_row *row;
    struct hash128 stream;
};

static int in_order(const void *a, const void *b)
{
    const struct expected *x = a, *y = b;
    if (x->row->ts != y->row->ts)
        return x->row->ts < y->row->ts ? -1 : 1;
    if (x->stream.hi != y->stream.hi)
        return x->stream.hi < y->stream.hi ? -1 : 1;
    if (x->stream.lo != y->stream.lo)
        return x->stream.lo < y->stream.lo ? -1 : 1;
    return (x->row->number > y->row->number) - (x->row->number < y->row->number);
}

typedef VEC(struct expected) expected_list;

static void expect(struct event_model *m, const struct store_event_scan *scan, expected_list *out)
{
    for (size_t i = 0; i < m->rows.len; i++) {
        if (!model_selects(m, &m->rows.items[i], scan))
            continue;
        struct buf key = {0};
        data_labels_encode(model_labels(m, m->rows.items[i].stream), &key);
        vec_push(out,
                 ((struct expected){&m->rows.items[i], data_labels_key_hash(buf_slice(&key))}));
        buf_deinit(&key);
    }
    if (out->len)
        qsort(out->items, out->len, sizeof(*out->items), in_order);
}

static struct data_value chunk_value(const struct store_event_chunk *c, size_t column, size_t row)
{
    return column == SIZE_MAX ? (struct data_value){0} : c->columns[column].values[row];
}

static size_t find_column(const struct store_event_chunk *c, size_t field)
{
    for (size_t i = 0; i < c->column_count; i++) {
        if (c->columns[i].scope == fields[field].scope &&
            slice_eq_cstr(c->columns[i].name, fields[field].name))
            return i;
    }
    return SIZE_MAX;
}

bool model_number(const struct store_event_chunk *c, size_t i, uint32_t *out)
{
    struct data_value v = chunk_value(c, find_column(c, 0), i);
    *out = (uint32_t)v.i;
    return v.kind == DATA_VALUE_INT;
}

void model_check_row(struct event_model *m, const struct store_event_scan *scan,
                     const struct store_event_chunk *c, size_t row, const struct model_row *want)
{
    assert_int_equal(c->ts[row], want->ts);
    assert_true(c->stream[row] < c->stream_count);
    assert_true(data_labels_eq(c->streams[c->stream[row]].labels, model_labels(m, want->stream)));
    for (size_t i = 0; i < MODEL_FIELDS && scan->all_fields; i++) {
        struct data_value v = model_value(m, want, i), got = chunk_value(c, find_column(c, i), row);
        if (!data_value_eq(v, got))
            fail_msg("row %u, field %s: %s instead of %s", want->number, fields[i].name,
                     data_value_kind_name(got.kind), data_value_kind_name(v.kind));
    }
    if (scan->children) {
        struct store_event_children children = model_children(m, want);
        check_children(&children, &c->children[row]);
    }
    for (size_t i = 0; i < scan->field_count && !scan->all_fields; i++)
        assert_true(data_value_eq(field_value(m, want, scan->fields[i]), chunk_value(c, i, row)));
}

static void check_ordered(struct event_model *m, struct store_event_source *src,
                          const struct store_event_scan *scan, const expected_list *want)
{
    struct store_event_cursor *cur;
    struct store_event_chunk c = {0};
    struct diag d;
    diag_init(&d);
    size_t n = 0, total = scan->limit ? MIN(want->len, scan->limit) : want->len;
    if (src->ops->scan(src, scan, &cur, &d))
        fail_msg("scan: %s", d.msg);
    do {
        if (src->ops->next(cur, &c, &d))
            fail_msg("next: %s", d.msg);
        for (size_t i = 0; i < c.count; i++, n++) {
            if (n >= total)
                fail_msg("more than %zu rows", total);
            size_t at = scan->order == STORE_EVENT_NEWEST_FIRST ? want->len - 1 - n : n;
            model_check_row(m, scan, &c, i, want->items[at].row);
        }
    } while (c.count);
    if (n != total)
        fail_msg("%zu rows instead of %zu", n, total);
    src->ops->close(cur);
    store_event_chunk_free(&c);
}

static void check_morsels(struct store_event_source *src, const struct store_event_scan *scan,
                          const expected_list *want)
{
    struct store_event_cursor *cur;
    struct store_event_chunk c = {0};
    struct diag d;
    diag_init(&d);
    size_t n = 0;
    int64_t sum = 0;
    assert_int_equal(src->ops->scan(src, scan, &cur, &d), 0);
    for (size_t i = 0; i < src->ops->morsel_count(cur); i++) {
        if (src->ops->morsel_read(cur, i, &c, &d))
            fail_msg("morsel: %s", d.msg);
        n += c.count;
        for (size_t k = 0; k < c.count; k++)
            sum += c.ts[k];
    }
    for (size_t i = 0; i < want->len; i++)
        sum -= want->items[i].row->ts;
    assert_int_equal(n, want->len);
    assert_int_equal(sum, 0);
    src->ops->close(cur);
    store_event_chunk_free(&c);
}

void model_check_scan(struct event_model *m, struct store_event_source *src,
                      const struct store_event_scan *scan)
{
    expected_list want = {0};
    expect(m, scan, &want);
    check_ordered(m, src, scan, &want);
    check_morsels(src, scan, &want);
    vec_free(&want);
}

/* --- random scans --- */

/* On a field of events or links. */
static struct store_event_predicate child_predicate(struct event_model *m)
{
    static const struct store_event_field of[] = {
        {.scopes = STORE_SCOPE_BIT(DATA_SCOPE_EVENT), .intrinsic = DATA_CHILD_NAME},
        {.scopes = STORE_SCOPE_BIT(DATA_SCOPE_EVENT), .intrinsic = DATA_CHILD_TIME},
        {.scopes = STORE_SCOPE_BIT(DATA_SCOPE_LINK), .intrinsic = DATA_CHILD_TRACE_ID},
        {.scopes = STORE_SCOPE_BIT(DATA_SCOPE_LINK), .intrinsic = DATA_CHILD_SPAN_ID},
        {.scopes = STORE_SCOPE_BIT(DATA_SCOPE_LINK), .intrinsic = DATA_CHILD_FLAGS},
        {.scopes = STORE_SCOPE_BIT(DATA_SCOPE_EVENT), .name = SLICE_INIT("exception.type")},
        {.scopes = STORE_SCOPE_BIT(DATA_SCOPE_LINK), .name = SLICE_INIT("exception_type")},
        {.scopes = STORE_SCOPE_BIT(DATA_SCOPE_EVENT), .name = SLICE_INIT("n")},
        {.scopes = STORE_SCOPE_BIT(DATA_SCOPE_EVENT), .name = SLICE_INIT("code")},
        {.scopes = STORE_SCOPE_BIT(DATA_SCOPE_LINK), .name = SLICE_INIT("nobody has it")}};
    struct store_event_predicate p = {.field = of[model_random(m) % ARRAY_LEN(of)],
                                      .op = STORE_EVENT_HAS,
                                      .as_text = model_random(m) & 1,
                                      .absent = model_random(m) % 4 == 0,
                                      .mismatch = model_random(m) % 8 == 0};
    const struct model_row *r = &m->rows.items[model_random(m) % m->rows.len];
    struct store_event_children all = model_children(m, r);
    for (size_t i = 0; i < all.count; i++) {
        struct data_value v = store_event_child_value(&all, &all.items[i], r->ts, p.field);
        if (!v.kind)
            continue;
        p.value = v;
        p.op = (enum store_event_op)(model_random(m) % (STORE_EVENT_GE + 1));
        if (v.kind == DATA_VALUE_BYTES && model_random(m) % 2) {
            struct slice *set = arena_calloc(m->arena, 1, sizeof(*set));
            *set = v.text;
            p.set = set;
            p.set_count = 1;
            p.op = STORE_EVENT_IN;
        } else if (v.kind == DATA_VALUE_JSON) {
            p.op = model_random(m) % 2 ? STORE_EVENT_CONTAINS : STORE_EVENT_HAS;
            p.value = data_value_string(SLICE("\"a\""));
            p.kinds = 1u << DATA_VALUE_JSON;
        }
    }
    return p;
}

static struct store_event_predicate random_predicate(struct event_model *m)
{
    struct store_event_predicate p = {0};
    if (m->table == DATA_EVENT_SPANS && model_random(m) % 3 == 0)
        return child_predicate(m);
    size_t field = model_random(m) % MODEL_FIELDS;
    p.field = model_field(field);
    if (model_random(m) % 8 == 0) {
        p.field = (struct store_event_field){.scopes = STORE_SCOPES_FIELDS |
                                                       STORE_SCOPE_BIT(DATA_SCOPE_STREAM),
                                             .name = SLICE("service_name"),
                                             .stream_first = model_random(m) & 1};
        p.value = data_value_string(SLICE("s1"));
        p.op = model_random(m) & 1 ? STORE_EVENT_EQ : STORE_EVENT_NE;
        return p;
    }
    if (fields[field].scope == DATA_SCOPE_ATTRIBUTE && model_random(m) % 2) {
        p.field.scopes = STORE_SCOPES_FIELDS;
        if (field == 9)
            p.field.name = SLICE("request_id");
    }
    /* Something that is there. */
    const struct model_row *r = &m->rows.items[model_random(m) % m->rows.len];
    p.value = model_value(m, r, field);
    p.as_text = model_random(m) & 1;
    p.absent = model_random(m) % 4 == 0;
    p.mismatch = model_random(m) % 4 == 0;
    p.op = (enum store_event_op)(model_random(m) % (STORE_EVENT_GE + 1));
    if (!p.value.kind)
        p.op = STORE_EVENT_HAS;
    if (p.value.kind == DATA_VALUE_STRING && model_random(m) % 2) {
        size_t from = model_random(m) % (p.value.text.len + 1);
        p.op = model_random(m) % 2 ? STORE_EVENT_CONTAINS : STORE_EVENT_NOT_CONTAINS;
        p.value.text = slice_first(slice_from(p.value.text, from), 1 + model_random(m) % 30);
    }
    if (model_random(m) % 8 == 0 && p.value.kind) {
        struct slice *set = arena_calloc(m->arena, 2, sizeof(*set));
        struct buf b = {0};
        store_event_text(p.field, p.value, &b);
        bool id = p.field.scopes == STORE_SCOPE_BIT(DATA_SCOPE_INTRINSIC) &&
                  p.value.kind == DATA_VALUE_BYTES;
        set[0] = id ? p.value.text : arena_slice(m->arena, buf_slice(&b));
        set[1] = SLICE("nothing");
        p.set = set;
        p.set_count = 2;
        p.op = STORE_EVENT_IN;
        buf_deinit(&b);
    }
    return p;
}

struct store_event_scan model_scan(struct event_model *m)
{
    struct store_event_scan s = {
        .select = {.tenant = SLICE("default"), .t_min_ns = INT64_MIN, .t_max_ns = INT64_MAX}};
    if (model_random(m) % 2) {
        s.select.t_min_ns = m->now_ns - (int64_t)(model_random(m) % 900) * NS_PER_SEC;
        s.select.t_max_ns = s.select.t_min_ns + (int64_t)(model_random(m) % 900) * NS_PER_SEC;
    }
    if (model_random(m) % 2) {
        struct store_matcher *k = arena_calloc(m->arena, 1, sizeof(*k));
        *k = (struct store_matcher){
            .op = model_random(m) % 2 ? STORE_MATCH_EQ : STORE_MATCH_NE,
            .name = SLICE("app"),
            .value = arena_printf(m->arena, "app%u", (unsigned)(model_random(m) % STREAMS))};
        s.select.matchers = k;
        s.select.matcher_count = 1;
    }
    size_t clauses = m->rows.len ? model_random(m) % 4 : 0;
    struct store_event_clause *c = arena_calloc(m->arena, clauses, sizeof(*c));
    for (size_t i = 0; i < clauses; i++) {
        size_t count = 1 + (model_random(m) % 4 == 0);
        struct store_event_predicate *p = arena_calloc(m->arena, count, sizeof(*p));
        for (size_t k = 0; k < count; k++)
            p[k] = random_predicate(m);
        c[i] = (struct store_event_clause){p, count};
    }
    s.clauses = c;
    s.clause_count = clauses;
    s.order = model_random(m) % 2 ? STORE_EVENT_NEWEST_FIRST : STORE_EVENT_OLDEST_FIRST;
    s.limit = model_random(m) % 3 ? 0 : 1 + model_random(m) % 20;
    s.all_fields = model_random(m) % 2;
    s.children = m->table == DATA_EVENT_SPANS && model_random(m) % 2;
    if (!s.all_fields) {
        s.field_count = model_random(m) % 4;
        struct store_event_field *f = arena_calloc(m->arena, s.field_count, sizeof(*f));
        for (size_t i = 0; i < s.field_count; i++)
            f[i] = model_field(model_random(m) % MODEL_FIELDS);
        s.fields = f;
    }
    return s;
}
