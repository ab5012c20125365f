/* Names of metrics, units and labels. */
#include "base/vec.h"
#include "codec/utf8.h"
#include "decode/otlp/translation.h"

struct word {
    struct slice from, to;
};
#define WORD(a, b)                                                                                 \
    {                                                                                              \
        SLICE_INIT(a), SLICE_INIT(b)                                                               \
    }

static const struct word units[] = {
    WORD("s", "seconds"),      WORD("ms", "milliseconds"),
    WORD("By", "bytes"),       WORD("1", ""),
    WORD("%", "percent"),      WORD("us", "microseconds"),
    WORD("ns", "nanoseconds"), WORD("min", "minutes"),
    WORD("h", "hours"),        WORD("d", "days"),
    WORD("KiBy", "kibibytes"), WORD("MiBy", "mebibytes"),
    WORD("GiBy", "gibibytes"), WORD("TiBy", "tibibytes"),
    WORD("KBy", "kilobytes"),  WORD("kBy", "kilobytes"),
    WORD("MBy", "megabytes"),  WORD("GBy", "gigabytes"),
    WORD("TBy", "terabytes"),  WORD("m", "meters"),
    WORD("V", "volts"),        WORD("A", "amperes"),
    WORD("J", "joules"),       WORD("W", "watts"),
    WORD("g", "grams"),        WORD("Cel", "celsius"),
    WORD("Hz", "hertz"),
};
static const struct word per_units[] = {
    WORD("s", "second"), WORD("m", "minute"), WORD("h", "hour"), WORD("d", "day"),
    WORD("w", "week"),   WORD("mo", "month"), WORD("y", "year"),
};

static struct slice translated(const struct word *words, size_t count, struct slice s)
{
    for (size_t i = 0; i < count; i++) {
        if (slice_eq(words[i].from, s))
            return words[i].to;
    }
    return s;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c);
}

/* Splits "By/s" into its words, untouched by the rules for characters; annotations are dropped. */
static void split_unit(struct slice unit, struct slice *main_unit, struct slice *per_unit)
{
    ptrdiff_t slash = slice_find_char(unit, '/');
    struct slice a = slice_trim(slash < 0 ? unit : slice_first(unit, (size_t)slash));
    struct slice b = slash < 0 ? SLICE("") : slice_trim(slice_from(unit, (size_t)slash + 1));
    bool noted_a = slice_find_char(a, '{') >= 0 || slice_find_char(a, '}') >= 0;
    bool noted_b = slice_find_char(b, '{') >= 0 || slice_find_char(b, '}') >= 0;
    *main_unit = noted_a ? SLICE("") : translated(units, ARRAY_LEN(units), a);
    *per_unit = noted_b ? SLICE("") : translated(per_units, ARRAY_LEN(per_units), b);
}

/* Runs of what is no letter, digit or colon become one underscore; none at the beginning. */
static void append_clean_unit(struct slice s, struct buf *out)
{
    bool pending = false;
    size_t begin = out->len;
    for (size_t i = 0; i < s.len; i++) {
        if (!is_letter_or_digit(s.ptr[i]) && s.ptr[i] != ':') {
            pending = true;
            continue;
        }
        if (pending && out->len > begin)
            buf_append_char(out, '_');
        pending = false;
        buf_append_char(out, s.ptr[i]);
    }
    if (pending && out->len > begin)
        buf_append_char(out, '_');
}

void decode_otlp_unit_name(const struct decode_otlp_translation *t, struct slice unit,
                           struct buf *out)
{
    struct slice a, b;
    size_t begin = out->len;
    split_unit(unit, &a, &b);
    if (t->escape)
        append_clean_unit(a, out);
    else
        buf_append_slice(out, a);
    if (b.len) {
        if (out->len > begin)
            buf_append_char(out, '_');
        buf_append_cstr(out, "per_");
        if (t->escape)
            append_clean_unit(b, out);
        else
            buf_append_slice(out, b);
    }
    if (out->len > begin && out->ptr[out->len - 1] == '_')
        out->len--;
}

typedef VEC(struct slice) token_list;

static bool has_token(const token_list *l, struct slice s)
{
    for (size_t i = 0; i < l->len; i++) {
        if (slice_eq(l->items[i], s))
            return true;
    }
    return false;
}

/* The word at the very end, and only there. */
static void move_to_end(token_list *l, struct slice word)
{
    size_t kept = 0;
    for (size_t i = 0; i < l->len; i++) {
        if (!slice_eq(l->items[i], word))
            l->items[kept++] = l->items[i];
    }
    l->len = kept;
    vec_push(l, word);
}

static void append_tokens(struct slice name, struct slice unit, enum decode_otlp_metric_kind kind,
                          struct buf *out)
{
    token_list tokens = {0};
    struct buf words = {0};
    struct slice a, b;
    for (size_t i = 0, from = 0; i <= name.len; i++) {
        if (i < name.len && (is_letter_or_digit(name.ptr[i]) || name.ptr[i] == ':'))
            continue;
        if (i > from)
            vec_push(&tokens, slice_make(name.ptr + from, i - from));
        from = i + 1;
    }
    split_unit(unit, &a, &b);
    (void)buf_reserve(&words, a.len + b.len + 8); /* no growth: slices point into it */
    append_clean_unit(a, &words);
    struct slice main_unit = slice_make(words.ptr, words.len);
    size_t per_begin = words.len;
    if (b.len) {
        buf_append_cstr(&words, "per_");
        append_clean_unit(b, &words);
    }
    struct slice per = slice_make(words.ptr + per_begin, words.len - per_begin);
    if (per.len && per.ptr[per.len - 1] == '_')
        per.len--;
    if (slice_eq_cstr(per, "per") || has_token(&tokens, per))
        per.len = 0;
    if (has_token(&tokens, main_unit))
        main_unit.len = 0;
    if (per.len && main_unit.len && main_unit.ptr[main_unit.len - 1] == '_')
        main_unit.len--;
    if (main_unit.len)
        vec_push(&tokens, main_unit);
    if (per.len)
        vec_push(&tokens, per);
    if (kind == DECODE_OTLP_KIND_COUNTER)
        move_to_end(&tokens, SLICE("total"));
    if (kind == DECODE_OTLP_KIND_GAUGE && slice_eq_cstr(unit, "1"))
        move_to_end(&tokens, SLICE("ratio"));
    if (tokens.len && is_digit(tokens.items[0].ptr[0]))
        buf_append_char(out, '_');
    for (size_t i = 0; i < tokens.len; i++) {
        if (i)
            buf_append_char(out, '_');
        buf_append_slice(out, tokens.items[i]);
    }
    vec_free(&tokens);
    buf_deinit(&words);
}

/* Runs of bad characters become one underscore; the underscores of the name itself stay. */
static void append_escaped(struct slice name, struct buf *out)
{
    size_t begin = out->len;
    bool pending = false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (!is_letter_or_digit(c) && c != ':' && c != '_') {
            pending = true;
            continue;
        }
        if (pending && out->len > begin)
            buf_append_char(out, '_');
        pending = false;
        if (out->len == begin && is_digit(c))
            buf_append_char(out, '_');
        buf_append_char(out, c);
    }
}

/* Without the suffix and the character before it. */
static struct slice without_suffix(struct slice name, struct slice suffix)
{
    if (slice_ends_with(name, suffix) && name.len > suffix.len + 1)
        name.len -= suffix.len + 1;
    return name;
}

static void append_utf8_with_suffixes(struct slice name, struct slice unit,
                                      enum decode_otlp_metric_kind kind, struct buf *out)
{
    struct slice a, b;
    struct buf per = {0};
    bool ratio = kind == DECODE_OTLP_KIND_GAUGE && slice_eq_cstr(unit, "1");
    split_unit(unit, &a, &b);
    if (b.len) {
        buf_append_cstr(&per, "per_");
        buf_append_slice(&per, b);
    }
    if (ratio)
        name = without_suffix(name, SLICE("ratio"));
    if (kind == DECODE_OTLP_KIND_COUNTER)
        name = without_suffix(name, SLICE("total"));
    if (per.len)
        name = without_suffix(name, buf_slice(&per));
    buf_append_slice(out, name);
    if (a.len && !slice_ends_with(name, a)) {
        buf_append_char(out, '_');
        buf_append_slice(out, a);
    }
    if (per.len) {
        buf_append_char(out, '_');
        buf_append_slice(out, buf_slice(&per));
    }
    if (kind == DECODE_OTLP_KIND_COUNTER)
        buf_append_cstr(out, "_total");
    if (ratio)
        buf_append_cstr(out, "_ratio");
    buf_deinit(&per);
}

static bool has_more_than_underscores(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] != '_')
            return true;
    }
    return false;
}

bool decode_otlp_metric_name(const struct decode_otlp_translation *t, struct slice name,
                             struct slice unit, enum decode_otlp_metric_kind kind, struct buf *out)
{
    size_t begin = out->len;
    if (!name.len)
        return false;
    if (!t->escape && !t->suffixes)
        buf_append_slice(out, name);
    else if (!t->escape)
        append_utf8_with_suffixes(name, unit, kind, out);
    else if (!t->suffixes)
        append_escaped(name, out);
    else
        append_tokens(name, unit, kind, out);
    struct slice made = slice_make(out->ptr + begin, out->len - begin);
    if (made.len && (!t->escape || slice_eq(made, name) || has_more_than_underscores(made)))
        return true;
    out->len = begin;
    return false;
}

bool decode_otlp_label_is_plain(const struct decode_otlp_translation *t, struct slice key)
{
    if (!key.len)
        return false;
    if (!t->escape)
        return true;
    if (is_digit(key.ptr[0]) || key.ptr[0] == '_')
        return false; /* looked at more closely by decode_otlp_label_name */
    for (size_t i = 0; i < key.len; i++) {
        if (is_letter_or_digit(key.ptr[i]))
            continue;
        if (key.ptr[i] != '_' ||
            (key.ptr[i - 1] == '_' && !t->label_name_preserve_multiple_underscores))
            return false;
    }
    return true;
}

bool decode_otlp_label_name(const struct decode_otlp_translation *t, struct slice key,
                            struct buf *out)
{
    size_t begin = out->len;
    struct slice inner = key;
    bool keep_runs = t->label_name_preserve_multiple_underscores;
    if (!key.len)
        return false;
    if (!t->escape) {
        buf_append_slice(out, key);
        return true;
    }
    /* Names of the form __x__ are reserved, and keep that form. */
    bool reserved = !keep_runs && key.len >= 4 && slice_starts_with(key, SLICE("__")) &&
                    slice_ends_with(key, SLICE("__"));
    if (reserved) {
        inner = slice_make(key.ptr + 2, key.len - 4);
        buf_append_cstr(out, "__");
    }
    bool after_underscore = false;
    for (size_t i = 0; i < inner.len;) {
        uint32_t code;
        size_t n = codec_utf8_decode(slice_from(inner, i), &code);
        bool good = n == 1 && is_letter_or_digit(inner.ptr[i]);
        if (good)
            buf_append_char(out, inner.ptr[i]);
        else if (keep_runs || !after_underscore)
            buf_append_char(out, '_');
        after_underscore = !good;
        i += n ? n : 1;
    }
    if (reserved)
        buf_append_cstr(out, "__");
    struct slice made = slice_make(out->ptr + begin, out->len - begin);
    if (!slice_eq(made, key) && !has_more_than_underscores(made)) {
        out->len = begin;
        return false;
    }
    const char *prefix = is_digit(made.ptr[0]) ? "key_"
                         : t->label_name_underscore_sanitization && made.ptr[0] == '_' &&
                                 !slice_starts_with(made, SLICE("__"))
                             ? "key"
                             : "";
    size_t n = strlen(prefix);
    if (n) {
        (void)buf_reserve(out, n);
        memmove(out->ptr + begin + n, out->ptr + begin, out->len - begin);
        memcpy(out->ptr + begin, prefix, n);
        out->len += n;
    }
    return true;
}
