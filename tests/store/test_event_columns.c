/* Columns of events give back what they were given, in the form that fits; filters never deny what
 * is there. */
#include <math.h>
#include <setjmp.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/hash.h"
#include "store/event/column.h"
#include "store/event/filter.h"

static uint64_t state_now = 7;
static uint64_t rnd(void)
{
    return state_now = hash_u64(state_now + 0x9e3779b97f4a7c15);
}

#define ROWS 3000

struct kind {
    const char *what;
    struct data_value (*make)(struct arena *arena, uint32_t i);
    enum store_column_form form;
    enum store_style style;
};

static struct data_value text(struct arena *a, const char *fmt, unsigned long long x)
{
    return data_value_string(arena_printf(a, fmt, x));
}
#define MAKE(name, expr)                                                                           \
    static struct data_value name(struct arena *a, uint32_t i)                                     \
    {                                                                                              \
        (void)a;                                                                                   \
        (void)i;                                                                                   \
        return expr;                                                                               \
    }
MAKE(constant, data_value_string(SLICE("same")))
MAKE(few, text(a, "value %llu", rnd() % 20))
MAKE(booleans, data_value_bool(rnd() & 1))
MAKE(integers, data_value_int((int64_t)rnd()))
MAKE(doubles, data_value_double((double)(int64_t)(rnd() % 100000) / 100))
MAKE(odd_doubles, data_value_double(i % 7 ? (double)rnd() : i % 2 ? NAN : -0.0))
MAKE(digits, text(a, "%llu", rnd() >> 20))
MAKE(negative_digits, text(a, "-%llu", 1 + (rnd() >> 20)))
MAKE(padded, text(a, "%012llu", rnd() >> 40))
MAKE(sometimes_padded, text(a, "%05llu", i ? rnd() % 100000 : 54321))
MAKE(shortest, data_value_string(rnd() & 1 ? arena_printf(a, "%u.%u", (unsigned)(rnd() % 9000),
                                                          1 + (unsigned)(rnd() % 9))
                                           : arena_printf(a, "%u", (unsigned)(rnd() % 9000))))
MAKE(access_times,
     data_value_string(arena_printf(a, "%02u/Feb/20%02u:%02u:%02u:%02u", 1 + (unsigned)(rnd() % 28),
                                    (unsigned)(rnd() % 100), (unsigned)(rnd() % 24),
                                    (unsigned)(rnd() % 60), (unsigned)(rnd() % 60))))
MAKE(blank_times, data_value_string(arena_printf(a, "2024-05-%02u %02u:00:%02u,%03u",
                                                 1 + (unsigned)(rnd() % 28), (unsigned)(rnd() % 24),
                                                 (unsigned)(rnd() % 60), (unsigned)(rnd() % 1000))))
MAKE(decimals,
     data_value_string(arena_printf(a, "%s%u.%03u", rnd() & 1 ? "-" : "",
                                    1 + (unsigned)(rnd() % 9000), (unsigned)(rnd() % 1000))))
MAKE(addresses, data_value_string(arena_printf(a, "10.%u.%u.%u", (unsigned)(rnd() % 256),
                                               (unsigned)(rnd() % 256), (unsigned)(rnd() % 256))))
MAKE(times, data_value_string(arena_printf(a, "20%02u-%02u-%02uT%02u:%02u:%02u.%06uZ",
                                           (unsigned)(rnd() % 100), 1 + (unsigned)(rnd() % 12),
                                           1 + (unsigned)(rnd() % 28), (unsigned)(rnd() % 24),
                                           (unsigned)(rnd() % 60), (unsigned)(rnd() % 60),
                                           (unsigned)(rnd() % 1000000))))
MAKE(hex_ids, text(a, "%016llx", rnd()))
MAKE(uuids,
     data_value_string(arena_printf(a, "%08x-%04x-%04x-%04x-%012llx", (unsigned)rnd(),
                                    (unsigned)rnd() & 0xffff, (unsigned)rnd() & 0xffff,
                                    (unsigned)rnd() & 0xffff, (unsigned long long)(rnd() >> 16))))
MAKE(upper_hex, text(a, "%016llX", rnd()))
MAKE(lines, text(a, "GET /%llx took long", rnd()))
MAKE(ids, data_value_bytes(arena_slice(a, slice_make(&(uint64_t){rnd()}, 8))))
MAKE(runs_of_ids, data_value_bytes(arena_slice(a, slice_make(&(uint64_t){hash_u64(i / 9)}, 8))))
MAKE(blobs, data_value_bytes(arena_slice(a, slice_make(&(uint64_t){rnd()}, rnd() % 9))))
MAKE(objects, data_value_json(arena_printf(a, "{\"a\":%llu}", (unsigned long long)rnd())))
MAKE(all_kinds, i % 4 == 0   ? data_value_int((int64_t)rnd())
                : i % 4 == 1 ? data_value_double((double)rnd())
                : i % 4 == 2 ? text(a, "%llu", rnd())
                             : data_value_bool(rnd() & 1))
MAKE(nearly_digits, i == ROWS - 3 ? data_value_string(SLICE("0x1f")) : text(a, "%llu", rnd()))
MAKE(empties,
     data_value_string(i % 3 ? SLICE("") : arena_printf(a, "%llx", (unsigned long long)rnd())))

static const struct kind kinds[] = {
    {"constant", constant, STORE_COLUMN_DICT, 0},
    {"few", few, STORE_COLUMN_DICT, 0},
    {"booleans", booleans, STORE_COLUMN_DICT, 0},
    {"integers", integers, STORE_COLUMN_NUMBERS, 0},
    {"doubles", doubles, STORE_COLUMN_DOUBLES, 0},
    {"odd doubles", odd_doubles, STORE_COLUMN_DOUBLES, 0},
    {"digits", digits, STORE_COLUMN_NUMBERS, STORE_STYLE_INT},
    {"negative digits", negative_digits, STORE_COLUMN_NUMBERS, STORE_STYLE_INT},
    {"padded", padded, STORE_COLUMN_NUMBERS, STORE_STYLE_PADDED},
    {"sometimes padded", sometimes_padded, STORE_COLUMN_NUMBERS, STORE_STYLE_PADDED},
    {"shortest", shortest, STORE_COLUMN_NUMBERS, STORE_STYLE_SHORT},
    {"access times", access_times, STORE_COLUMN_NUMBERS, STORE_STYLE_CLF},
    {"blank times", blank_times, STORE_COLUMN_NUMBERS, STORE_STYLE_TIME},
    {"decimals", decimals, STORE_COLUMN_NUMBERS, STORE_STYLE_DECIMAL},
    {"addresses", addresses, STORE_COLUMN_NUMBERS, STORE_STYLE_IPV4},
    {"times", times, STORE_COLUMN_NUMBERS, STORE_STYLE_TIME},
    {"hex ids", hex_ids, STORE_COLUMN_FIXED, STORE_STYLE_HEX},
    {"uuids", uuids, STORE_COLUMN_FIXED, STORE_STYLE_UUID},
    {"upper hex", upper_hex, STORE_COLUMN_TEXT, 0},
    {"lines", lines, STORE_COLUMN_TEXT, 0},
    {"ids", ids, STORE_COLUMN_FIXED, 0},
    {"runs of ids", runs_of_ids, STORE_COLUMN_FIXED, 0},
    {"blobs", blobs, STORE_COLUMN_TEXT, 0},
    {"objects", objects, STORE_COLUMN_TEXT, 0},
    {"all kinds", all_kinds, STORE_COLUMN_MIXED, 0},
    {"nearly digits", nearly_digits, STORE_COLUMN_TEXT, 0},
    {"empties", empties, STORE_COLUMN_TEXT, 0},
};

static void round_trip(const struct kind *k, unsigned of_hundred)
{
    struct arena *arena = arena_new(0, NULL);
    VEC(uint32_t) rows = {0};
    VEC(struct data_value) values = {0};
    for (uint32_t i = 0; i < ROWS; i++) {
        if (rnd() % 100 >= of_hundred && i != 5)
            continue;
        vec_push(&rows, i);
        vec_push(&values, k->make(arena, i));
    }
    struct store_column_in in = {
        .total = ROWS, .count = rows.len, .rows = rows.items, .values = values.items, .level = 1};
    struct store_column_info info;
    struct store_column c;
    struct buf out = {0};
    store_column_encode(&in, &out, &info);
    if (of_hundred == 100 && info.form != k->form)
        fail_msg("%s: form %d", k->what, info.form);
    struct slice meta = slice_make(out.ptr, info.meta_len),
                 pages = slice_make(out.ptr + info.meta_len, info.pages_len);
    assert_int_equal(info.meta_len + info.pages_len, out.len);
    if (store_column_decode(&info, ROWS, meta, pages, &(struct store_column_context){0}, &c))
        fail_msg("%s: does not decode", k->what);
    if (of_hundred == 100)
        assert_int_equal(c.style, k->style);
    size_t at = 0;
    for (uint32_t i = 0; i < ROWS; i++) {
        struct data_value v, want = {0};
        if (at < rows.len && rows.items[at] == i)
            want = values.items[at++];
        assert_int_equal(store_column_get(&c, i, arena, &v), 0);
        double x;
        if (!data_value_eq(v, want))
            fail_msg("%s: row %u", k->what, i);
        if (info.has_zone && data_value_number(v, true, &x))
            assert_true(x >= info.zone_min && x <= info.zone_max);
    }
    store_column_free(&c);
    /* Any flipped byte is noticed. */
    for (size_t i = 0; i < out.len; i += 1 + rnd() % 97) {
        out.ptr[i] = (char)(out.ptr[i] ^ 1 << rnd() % 8);
        int err =
            store_column_decode(&info, ROWS, meta, pages, &(struct store_column_context){0}, &c);
        if (i < info.meta_len)
            assert_int_equal(err, ERR_CORRUPT);
        for (uint32_t r = 0; !err && r < ROWS; r++) {
            struct data_value v;
            if (store_column_get(&c, r, arena, &v))
                err = ERR_CORRUPT;
        }
        assert_int_equal(err, ERR_CORRUPT);
        store_column_free(&c);
        buf_clear(&out);
        store_column_encode(&in, &out, &info);
    }
    buf_deinit(&out);
    vec_free(&rows);
    vec_free(&values);
    arena_free(arena);
}

static void columns_give_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        round_trip(&kinds[i], 100);
        round_trip(&kinds[i], 60);
        round_trip(&kinds[i], 1);
    }
}

static void styles(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum store_style style;
        bool exact;
    } cases[] = {
        {"0", STORE_STYLE_INT, true},
        {"-0", STORE_STYLE_INT, false},
        {"007", STORE_STYLE_PADDED, true},
        {"9223372036854775807", STORE_STYLE_INT, true},
        {"9223372036854775808", STORE_STYLE_INT, false},
        {"1.50", STORE_STYLE_DECIMAL, true},
        {"-0.5", STORE_STYLE_DECIMAL, true},
        {"-0.0", STORE_STYLE_DECIMAL, false},
        {"00.5", STORE_STYLE_DECIMAL, false},
        {"1.5e3", STORE_STYLE_NONE, false},
        {"2024-02-29 12:00:00,123", STORE_STYLE_TIME, true},
        {"2024-02-29T12:00:00.5", STORE_STYLE_TIME, true},
        {"2024-02-29T12:00:00.Z", STORE_STYLE_NONE, false},
        {"29/Feb/2024:23:59:59", STORE_STYLE_CLF, true},
        {"30/Feb/2024:23:59:59", STORE_STYLE_CLF, false},
        {"29/feb/2024:23:59:59", STORE_STYLE_CLF, false},
        {".5", STORE_STYLE_NONE, false},
        {"10.0.0.1", STORE_STYLE_IPV4, true},
        {"10.0.0.256", STORE_STYLE_IPV4, false},
        {"10.0.00.1", STORE_STYLE_IPV4, false},
        {"1970-01-01T00:00:00Z", STORE_STYLE_TIME, true},
        {"1969-12-31T23:59:59.5Z", STORE_STYLE_TIME, true},
        {"2024-02-30T00:00:00Z", STORE_STYLE_TIME, false},
        {"2024-02-29T24:00:00Z", STORE_STYLE_TIME, false},
        {"2024-02-29T12:00:00.123456789Z", STORE_STYLE_TIME, true},
        {"", STORE_STYLE_NONE, false},
        {"-", STORE_STYLE_NONE, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        unsigned param;
        int64_t v;
        struct slice t = slice_cstr(cases[i].text);
        enum store_style style = store_style_guess(t, &param);
        if (style != cases[i].style)
            fail_msg("%s: style %d", cases[i].text, style);
        if (store_style_parse(style, param, t, &v) != cases[i].exact)
            fail_msg("%s", cases[i].text);
    }
}

static size_t random_text(char *out)
{
    static const char letters[] = "abcXYZ0189_- .,/\"{}\xc3\xa4";
    size_t len = rnd() % 150;
    bool wordy = rnd() & 1;
    for (size_t i = 0; i < len; i++)
        out[i] = letters[rnd() % (wordy ? 11 : sizeof(letters) - 1)];
    return len;
}

/* Whatever stretch of a text is looked for, in whatever case it was written: the filter has it. */
static void filters_never_deny(void **state)
{
    (void)state;
    struct store_filter_builder b = {0};
    struct buf bits = {0};
    size_t useful = 0;
    for (int round = 0; round < 3000; round++) {
        char text_now[160];
        struct slice t = slice_make(text_now, random_text(text_now));
        store_filter_clear(&b);
        store_filter_add_words(&b, t);
        uint64_t field = store_filter_field(SLICE("http.route"));
        assert_true(field == store_filter_field(SLICE("http_route")));
        store_filter_add(&b, store_filter_value(field, t));
        buf_clear(&bits);
        store_filter_write(&b, &bits);
        uint32_t blocks = store_filter_blocks(store_filter_count(&b), STORE_FILTER_BITS);
        assert_int_equal(bits.len, (size_t)blocks * STORE_FILTER_BLOCK);
        for (int i = 0; i < 20; i++) {
            size_t from = rnd() % (t.len + 1), n = rnd() % (t.len - from + 1);
            struct store_filter_probe p = {0};
            store_filter_probe_contains(&p, slice_make(t.ptr + from, n));
            useful += !p.useless;
            assert_true(store_filter_may_have(&p, bits.ptr, blocks, STORE_FILTER_BLOCK));
            store_filter_probe_deinit(&p);
        }
        struct store_filter_probe p = {0};
        store_filter_probe_value(&p, field, t);
        assert_true(store_filter_may_have(&p, bits.ptr, blocks, STORE_FILTER_BLOCK));
        store_filter_probe_deinit(&p);
    }
    assert_true(useful > 20000);
    store_filter_builder_deinit(&b);
    buf_deinit(&bits);
}

/* And it denies nearly all of what is not there. */
static void filters_mostly_deny(void **state)
{
    (void)state;
    struct store_filter_builder b = {0};
    struct buf bits = {0};
    char id[64];
    for (int i = 0; i < 50000; i++) {
        int n = snprintf(id, sizeof(id), "trace=%016llx%016llx ok", (unsigned long long)rnd(),
                         (unsigned long long)rnd());
        store_filter_add_words(&b, slice_make(id, (size_t)n));
    }
    store_filter_write(&b, &bits);
    uint32_t blocks = store_filter_blocks(store_filter_count(&b), STORE_FILTER_BITS);
    size_t wrong[3] = {0};
    for (int i = 0; i < 2000; i++) {
        const char *forms[3] = {"%016llx%016llx", "=%016llx%016llx ", "%016llx"};
        for (int k = 0; k < 3; k++) {
            struct store_filter_probe p = {0};
            int n = snprintf(id, sizeof(id), forms[k], (unsigned long long)rnd(),
                             (unsigned long long)rnd());
            store_filter_probe_contains(&p, slice_make(id, (size_t)n));
            assert_false(p.useless);
            wrong[k] += store_filter_may_have(&p, bits.ptr, blocks, STORE_FILTER_BLOCK);
            store_filter_probe_deinit(&p);
        }
    }
    assert_true(wrong[0] < 10 && wrong[1] < 10 && wrong[2] < 200);
    store_filter_builder_deinit(&b);
    buf_deinit(&bits);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_give_back),
        cmocka_unit_test(styles),
        cmocka_unit_test(filters_never_deny),
        cmocka_unit_test(filters_mostly_deny),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
