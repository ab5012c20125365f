#include "data/labels.h"

#include <stdlib.h>

#include "base/assert.h"

struct slice data_labels_get(struct data_labels labels, struct slice name)
{
    for (size_t i = 0; i < labels.count; i++) {
        if (slice_eq(labels.items[i].name, name))
            return labels.items[i].value;
    }
    return (struct slice){NULL, 0};
}

int data_labels_cmp(struct data_labels a, struct data_labels b)
{
    size_t n = MIN(a.count, b.count);
    for (size_t i = 0; i < n; i++) {
        int c = slice_cmp(a.items[i].name, b.items[i].name);
        if (!c)
            c = slice_cmp(a.items[i].value, b.items[i].value);
        if (c)
            return c;
    }
    return (a.count > b.count) - (a.count < b.count);
}

bool data_labels_eq(struct data_labels a, struct data_labels b)
{
    return a.count == b.count && data_labels_cmp(a, b) == 0;
}

/* A double-quoted string as Go's strconv.Quote writes it for valid UTF-8. */
static void print_quoted(struct slice s, struct buf *out)
{
    buf_append_char(out, '"');
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        switch (c) {
        case '"': buf_append_cstr(out, "\\\""); break;
        case '\\': buf_append_cstr(out, "\\\\"); break;
        case '\n': buf_append_cstr(out, "\\n"); break;
        case '\r': buf_append_cstr(out, "\\r"); break;
        case '\t': buf_append_cstr(out, "\\t"); break;
        default:
            if (c < 0x20 || c == 0x7f)
                buf_printf(out, "\\x%02x", c);
            else
                buf_append_char(out, (char)c);
        }
    }
    buf_append_char(out, '"');
}

void data_labels_print(struct data_labels labels, struct buf *out)
{
    struct slice metric = data_labels_get(labels, SLICE(DATA_METRIC_NAME));
    bool bare_metric = metric.ptr && data_metric_name_is_legacy(metric);
    bool first = true;
    if (bare_metric)
        buf_append_slice(out, metric);
    if (labels.count == (bare_metric ? 1u : 0u)) {
        if (!bare_metric)
            buf_append_cstr(out, "{}");
        return;
    }
    buf_append_char(out, '{');
    if (metric.ptr && !bare_metric) {
        print_quoted(metric, out);
        first = false;
    }
    for (size_t i = 0; i < labels.count; i++) {
        struct data_label l = labels.items[i];
        if (slice_eq_cstr(l.name, DATA_METRIC_NAME))
            continue;
        if (!first)
            buf_append_cstr(out, ", ");
        first = false;
        if (data_label_name_is_legacy(l.name))
            buf_append_slice(out, l.name);
        else
            print_quoted(l.name, out);
        buf_append_char(out, '=');
        print_quoted(l.value, out);
    }
    buf_append_char(out, '}');
}

struct data_labels data_labels_copy(struct arena *arena, struct data_labels labels)
{
    size_t bytes = 0;
    for (size_t i = 0; i < labels.count; i++)
        bytes += labels.items[i].name.len + labels.items[i].value.len;
    struct data_label *items = arena_alloc(arena, labels.count * sizeof(*items) + bytes);
    if (!items)
        return (struct data_labels){NULL, 0};
    char *at = (char *)(items + labels.count);
    for (size_t i = 0; i < labels.count; i++) {
        struct data_label l = labels.items[i];
        items[i].name = slice_make(at, l.name.len);
        if (l.name.len)
            memcpy(at, l.name.ptr, l.name.len);
        at += l.name.len;
        items[i].value = slice_make(at, l.value.len);
        if (l.value.len)
            memcpy(at, l.value.ptr, l.value.len);
        at += l.value.len;
    }
    return (struct data_labels){items, labels.count};
}

static inline char *put_varint(char *at, size_t v)
{
    while (v >= 0x80) {
        *at++ = (char)(v | 0x80);
        v >>= 7;
    }
    *at++ = (char)v;
    return at;
}

static inline char *put_string(char *at, struct slice s)
{
    at = put_varint(at, s.len);
    if (s.len)
        memcpy(at, s.ptr, s.len);
    return at + s.len;
}

void data_labels_encode(struct data_labels labels, struct buf *out)
{
    size_t room = 0;
    for (size_t i = 0; i < labels.count; i++)
        room += 20 + labels.items[i].name.len + labels.items[i].value.len;
    char *begin = buf_reserve(out, room), *at = begin;
    for (size_t i = 0; i < labels.count; i++) {
        at = put_string(at, labels.items[i].name);
        at = put_string(at, labels.items[i].value);
    }
    out->len += (size_t)(at - begin);
}

static bool take_string(struct slice *rest, struct slice *out)
{
    size_t len = 0;
    unsigned shift = 0;
    for (;;) {
        if (!rest->len || shift > 28)
            return false;
        unsigned char c = (unsigned char)*rest->ptr++;
        rest->len--;
        len |= (size_t)(c & 0x7f) << shift;
        if (!(c & 0x80)) {
            if (c == 0 && shift)
                return false; /* only the shortest spelling is canonical */
            break;
        }
        shift += 7;
    }
    if (len > rest->len)
        return false;
    *out = slice_first(*rest, len);
    *rest = slice_from(*rest, len);
    return true;
}

int data_labels_decode(struct slice key, struct arena *arena, struct data_labels *out)
{
    struct slice rest = key;
    size_t count = 0;
    struct slice name, value, before = {NULL, 0};
    while (rest.len) {
        if (!take_string(&rest, &name) || !take_string(&rest, &value) || !name.len || !value.len ||
            (before.ptr && slice_cmp(before, name) >= 0))
            return ERR_CORRUPT;
        before = name;
        count++;
    }
    struct data_label *items = arena_alloc(arena, count * sizeof(*items));
    if (!items)
        return ERR_NOMEM;
    rest = key;
    for (size_t i = 0; i < count; i++) {
        take_string(&rest, &items[i].name);
        take_string(&rest, &items[i].value);
    }
    *out = (struct data_labels){items, count};
    return 0;
}

struct hash128 data_labels_key_hash(struct slice key)
{
    return hash128(key.ptr, key.len);
}

/* --- builder --- */

void data_labels_builder_reset(struct data_labels_builder *b)
{
    vec_clear(&b->items);
}

void data_labels_builder_deinit(struct data_labels_builder *b)
{
    vec_free(&b->items);
}

void data_labels_builder_from(struct data_labels_builder *b, struct data_labels labels)
{
    vec_clear(&b->items);
    for (size_t i = 0; i < labels.count; i++)
        vec_push(&b->items, labels.items[i]);
}

void data_labels_builder_set(struct data_labels_builder *b, struct slice name, struct slice value)
{
    for (size_t i = 0; i < b->items.len; i++) {
        if (slice_eq(b->items.items[i].name, name)) {
            b->items.items[i].value = value;
            return;
        }
    }
    data_labels_builder_add(b, name, value);
}

struct slice data_labels_builder_get(const struct data_labels_builder *b, struct slice name)
{
    for (size_t i = 0; i < b->items.len; i++) {
        if (slice_eq(b->items.items[i].name, name))
            return b->items.items[i].value;
    }
    return (struct slice){NULL, 0};
}

void data_labels_builder_add(struct data_labels_builder *b, struct slice name, struct slice value)
{
    vec_push(&b->items, ((struct data_label){name, value}));
}

static int by_name(const void *a, const void *b)
{
    return slice_cmp(((const struct data_label *)a)->name, ((const struct data_label *)b)->name);
}

int data_labels_builder_finish(struct data_labels_builder *b, struct data_labels *out,
                               struct diag *diag)
{
    struct data_label *items = b->items.items;
    size_t kept = 0;
    bool sorted = true;
    for (size_t i = 0; i < b->items.len; i++) {
        if (!items[i].name.len)
            return diag_set(diag, ERR_INVALID, "a label has an empty name (value \"%.*s\")",
                            SLICE_FMT(items[i].value));
        if (!items[i].value.len)
            continue;
        items[kept++] = items[i];
        sorted = sorted && (kept < 2 || slice_cmp(items[kept - 2].name, items[kept - 1].name) < 0);
    }
    b->items.len = kept;
    if (!sorted)
        qsort(items, kept, sizeof(*items), by_name);
    for (size_t i = 1; i < kept; i++) {
        if (slice_eq(items[i - 1].name, items[i].name))
            return diag_set(diag, ERR_INVALID, "label \"%.*s\" is given twice",
                            SLICE_FMT(items[i].name));
    }
    *out = (struct data_labels){items, kept};
    return 0;
}

static bool is_name(struct slice s, bool colon)
{
    if (!s.len)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
                  (c >= '0' && c <= '9' && i) || (colon && c == ':');
        if (!ok)
            return false;
    }
    return true;
}

bool data_label_name_is_legacy(struct slice name)
{
    return is_name(name, false);
}

bool data_metric_name_is_legacy(struct slice name)
{
    return is_name(name, true);
}
