#include "data/histogram_notation.h"

#include <math.h>

#include "base/vec.h"
#include "codec/number.h"
#include "data/histogram_math.h"

enum key {
    KEY_SCHEMA,
    KEY_SUM,
    KEY_COUNT,
    KEY_ZERO,
    KEY_ZERO_WIDTH,
    KEY_BUCKETS,
    KEY_OFFSET,
    KEY_N_BUCKETS,
    KEY_N_OFFSET,
    KEY_CUSTOM,
    KEY_HINT,
    KEY_NONE
};
static const char *const keys[] = {
    "schema", "sum",       "count",    "z_bucket",      "z_bucket_w",        "buckets",
    "offset", "n_buckets", "n_offset", "custom_values", "counter_reset_hint"};

static int bad(struct diag *diag, const char *what, struct slice text)
{
    return diag_set(diag, ERR_INVALID, "histogram: %s \"%.*s\"", what, SLICE_FMT(text));
}

static int read_list(struct slice text, struct arena *arena, double **out, uint32_t *count,
                     struct diag *diag)
{
    VEC(double) values = {0};
    struct slice word;
    int err = 0;
    while (!err && (text = slice_trim(text)).len) {
        double v;
        slice_split(&text, ' ', &word);
        if (!codec_text_to_double(word, &v, NULL))
            err = bad(diag, "not a number:", word);
        else
            vec_push(&values, v);
    }
    *count = (uint32_t)values.len;
    *out = arena_dup(arena, values.items, values.len * sizeof(double));
    vec_free(&values);
    return err;
}

static int set_hint(struct data_histogram *h, struct slice v, struct diag *diag)
{
    static const char *const hints[] = {"unknown", "reset", "not_reset", "gauge"};
    for (uint8_t i = 0; i < ARRAY_LEN(hints); i++) {
        if (slice_eq_cstr(v, hints[i])) {
            h->reset_hint = i;
            return 0;
        }
    }
    return bad(diag, "unknown counter_reset_hint", v);
}

static int set_key(struct data_histogram *h, enum key key, struct slice value, double *offsets,
                   struct arena *arena, struct diag *diag)
{
    double number = 0;
    bool list = key == KEY_BUCKETS || key == KEY_N_BUCKETS || key == KEY_CUSTOM;
    if (key == KEY_HINT)
        return set_hint(h, value, diag);
    if (!list && !codec_text_to_double(value, &number, NULL))
        return bad(diag, "not a number:", value);
    switch (key) {
    case KEY_SCHEMA: h->schema = (int32_t)number; return 0;
    case KEY_SUM: h->sum = number; return 0;
    case KEY_COUNT: h->count = number; return 0;
    case KEY_ZERO: h->zero_count = number; return 0;
    case KEY_ZERO_WIDTH: h->zero_threshold = number; return 0;
    case KEY_OFFSET: offsets[0] = number; return 0;
    case KEY_N_OFFSET: offsets[1] = number; return 0;
    case KEY_BUCKETS: return read_list(value, arena, &h->positive, &h->positive_count, diag);
    case KEY_N_BUCKETS: return read_list(value, arena, &h->negative, &h->negative_count, diag);
    default: return read_list(value, arena, &h->custom_bounds, &h->custom_bound_count, diag);
    }
}

static struct data_histogram_span *one_span(struct arena *arena, double offset, uint32_t length)
{
    struct data_histogram_span span = {(int32_t)offset, length};
    return arena_dup(arena, &span, sizeof(span));
}

int data_histogram_parse(struct slice text, struct arena *arena, struct data_histogram **out,
                         struct diag *diag)
{
    struct data_histogram *h = ARENA_NEW(arena, struct data_histogram);
    double offsets[2] = {0};
    unsigned seen = 0;
    text = slice_trim(text);
    if (!slice_starts_with(text, SLICE("{{")) || !slice_ends_with(text, SLICE("}}")) ||
        text.len < 4)
        return bad(diag, "must stand in {{ and }}:", text);
    text = slice_make(text.ptr + 2, text.len - 4);
    while ((text = slice_trim(text)).len) {
        ptrdiff_t colon = slice_find(text, SLICE(":"));
        if (colon < 0)
            return bad(diag, "a key without a value:", text);
        struct slice name = slice_trim(slice_first(text, (size_t)colon)), value;
        text = slice_trim(slice_from(text, (size_t)colon + 1));
        if (text.len && text.ptr[0] == '[') {
            ptrdiff_t end = slice_find(text, SLICE("]"));
            if (end < 0)
                return bad(diag, "a list without its end:", text);
            value = slice_make(text.ptr + 1, (size_t)end - 1);
            text = slice_from(text, (size_t)end + 1);
        } else {
            slice_split(&text, ' ', &value);
        }
        enum key key = 0;
        while (key < KEY_NONE && !slice_eq_cstr(name, keys[key]))
            key++;
        if (key == KEY_NONE)
            return bad(diag, "unknown key", name);
        if (seen & (1u << key))
            return bad(diag, "given twice:", name);
        seen |= 1u << key;
        int err = set_key(h, key, value, offsets, arena, diag);
        if (err)
            return err;
    }
    h->positive_span_count = h->positive_count > 0;
    h->negative_span_count = h->negative_count > 0;
    h->positive_spans = one_span(arena, offsets[0], h->positive_count);
    h->negative_spans = one_span(arena, offsets[1], h->negative_count);
    *out = h;
    return 0;
}

static void put(struct buf *out, double v)
{
    codec_append_double(out, v, CODEC_DOUBLE_GENERAL);
}

void data_histogram_print(const struct data_histogram *h, struct buf *out)
{
    data_histogram_bucket_list buckets = {0};
    data_histogram_buckets(h, &buckets);
    buf_append_cstr(out, "{count:");
    put(out, h->count);
    buf_append_cstr(out, ", sum:");
    put(out, h->sum);
    for (size_t i = 0; i < buckets.len; i++) {
        const struct data_histogram_bucket *b = &buckets.items[i];
        bool custom = data_histogram_is_custom(h), zero = b->lower < 0 && b->upper > 0 && !custom;
        if (b->count == 0)
            continue;
        bool closed_low = zero || (!custom && b->upper <= 0) || b->lower == -INFINITY;
        bool closed_high = zero || custom || b->lower >= 0;
        buf_append_cstr(out, closed_low ? ", [" : ", (");
        put(out, b->lower);
        buf_append_char(out, ',');
        put(out, b->upper);
        buf_append_cstr(out, closed_high ? "]:" : "):");
        put(out, b->count);
    }
    buf_append_char(out, '}');
    vec_free(&buckets);
}
