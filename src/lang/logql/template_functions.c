#include "lang/logql/template_functions.h"

#include "codec/base64.h"
#include "codec/hex.h"
#include "codec/json_dom.h"
#include "codec/utf8.h"
#include "lang/logql/units.h"

#define TEXT_MAX ((size_t)4 << 20) /* bytes of what repeat and indent make */

static int give(struct text_template_value *out, struct slice s)
{
    *out = text_template_string(s);
    return 0;
}

static int give_buf(struct text_template_call *call, struct buf *text,
                    struct text_template_value *out)
{
    *out = text_template_string(arena_slice(call->arena, buf_slice(text)));
    buf_deinit(text);
    return 0;
}

/* --- letters --- */

static int map_ascii(struct text_template_call *call, struct slice s, bool up, bool words,
                     struct text_template_value *out)
{
    char *p = arena_alloc(call->arena, s.len);
    bool first = true;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (words) {
            bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
                          c == '\'' || (c >= '0' && c <= '9') || (unsigned char)c >= 0x80;
            if (first && c >= 'a' && c <= 'z')
                c = (char)(c - 32);
            first = !letter;
        } else if (up && c >= 'a' && c <= 'z') {
            c = (char)(c - 32);
        } else if (!up && c >= 'A' && c <= 'Z') {
            c = (char)(c + 32);
        }
        p[i] = c;
    }
    return give(out, slice_make(p, s.len));
}

static LOGQL__FUNCTION(lower)
{
    return map_ascii(call, a->string, false, false, out);
}

static LOGQL__FUNCTION(upper)
{
    return map_ascii(call, a->string, true, false, out);
}

static LOGQL__FUNCTION(title)
{
    return map_ascii(call, a->string, false, true, out);
}

/* --- cutting --- */

static bool in_set(struct slice s, size_t at, size_t len, struct slice set)
{
    return slice_find(set, slice_make(s.ptr + at, len)) >= 0;
}

static struct slice trim_set(struct slice s, struct slice set, bool left, bool right)
{
    uint32_t code;
    while (left && s.len) {
        size_t n = codec_utf8_decode(s, &code);
        n = n ? n : 1;
        if (!in_set(s, 0, n, set))
            break;
        s = slice_from(s, n);
    }
    while (right && s.len) {
        size_t at = s.len - 1;
        while (at && ((unsigned char)s.ptr[at] & 0xc0) == 0x80)
            at--;
        if (!in_set(s, at, s.len - at, set))
            break;
        s = slice_first(s, at);
    }
    return s;
}

/* Go's order: the text, then what to trim; sprig's is the other way around. */
static LOGQL__FUNCTION(trim_go)
{
    return give(out, trim_set(a[0].string, a[1].string, true, true));
}

static LOGQL__FUNCTION(trim_left)
{
    return give(out, trim_set(a[0].string, a[1].string, true, false));
}

static LOGQL__FUNCTION(trim_right)
{
    return give(out, trim_set(a[0].string, a[1].string, false, true));
}

static LOGQL__FUNCTION(trim_all)
{
    return give(out, trim_set(a[1].string, a[0].string, true, true));
}

static struct slice cut_prefix(struct slice s, struct slice prefix)
{
    return slice_starts_with(s, prefix) ? slice_from(s, prefix.len) : s;
}

static struct slice cut_suffix(struct slice s, struct slice suffix)
{
    return slice_ends_with(s, suffix) ? slice_first(s, s.len - suffix.len) : s;
}

static LOGQL__FUNCTION(trim_prefix_go)
{
    return give(out, cut_prefix(a[0].string, a[1].string));
}

static LOGQL__FUNCTION(trim_suffix_go)
{
    return give(out, cut_suffix(a[0].string, a[1].string));
}

static LOGQL__FUNCTION(trim_prefix)
{
    return give(out, cut_prefix(a[1].string, a[0].string));
}

static LOGQL__FUNCTION(trim_suffix)
{
    return give(out, cut_suffix(a[1].string, a[0].string));
}

static LOGQL__FUNCTION(trim_space)
{
    return give(out, trim_set(a->string, SLICE(" \t\n\v\f\r\xc2\x85\xc2\xa0"), true, true));
}

static LOGQL__FUNCTION(trunc_text)
{
    int64_t c = logql__to_int(&a[0]);
    struct slice s = a[1].string;
    if (c < 0 && (uint64_t)-c < s.len)
        return give(out, slice_from(s, s.len - (size_t)-c));
    return give(out, c >= 0 ? slice_first(s, (size_t)c) : s);
}

static LOGQL__FUNCTION(substr)
{
    int64_t from = logql__to_int(&a[0]), to = logql__to_int(&a[1]);
    struct slice s = a[2].string;
    int64_t len = (int64_t)s.len;
    if (from < 0)
        return give(out, slice_first(s, (size_t)CLAMP(to, 0, len)));
    from = MIN(from, len);
    to = to < 0 || to > len ? len : to;
    return give(out, slice_first(slice_from(s, (size_t)from), (size_t)MAX(to - from, 0)));
}

static size_t rune_count(struct slice s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++)
        n += ((unsigned char)s.ptr[i] & 0xc0) != 0x80;
    return n;
}

/* Where the n-th character begins. */
static size_t rune_at(struct slice s, size_t n)
{
    size_t i = 0;
    for (; i < s.len; i++) {
        if (((unsigned char)s.ptr[i] & 0xc0) != 0x80 && !n--)
            break;
    }
    return i;
}

static int align(struct text_template_call *call, const struct text_template_value *a, bool left,
                 struct text_template_value *out, struct diag *diag)
{
    int64_t want = logql__to_int(&a[0]);
    struct slice s = a[1].string;
    size_t have = rune_count(s);
    struct buf text = {0};
    if (want < 0 || (size_t)want == have)
        return give(out, s);
    if ((size_t)want < have)
        return give(out, left ? slice_first(s, rune_at(s, (size_t)want))
                              : slice_from(s, rune_at(s, have - (size_t)want)));
    if ((size_t)want > TEXT_MAX)
        return diag_set(diag, ERR_LIMIT, "more than %zu characters", TEXT_MAX);
    if (left)
        buf_append_slice(&text, s);
    memset(buf_reserve(&text, (size_t)want - have), ' ', (size_t)want - have);
    text.len += (size_t)want - have;
    if (!left)
        buf_append_slice(&text, s);
    return give_buf(call, &text, out);
}

static LOGQL__FUNCTION(align_left)
{
    return align(call, a, true, out, diag);
}

static LOGQL__FUNCTION(align_right)
{
    return align(call, a, false, out, diag);
}

/* --- looking --- */

static int give_bool(struct text_template_value *out, bool v)
{
    *out = text_template_bool(v);
    return 0;
}

static LOGQL__FUNCTION(contains)
{
    return give_bool(out, slice_find(a[1].string, a[0].string) >= 0);
}

static LOGQL__FUNCTION(has_prefix)
{
    return give_bool(out, slice_starts_with(a[1].string, a[0].string));
}

static LOGQL__FUNCTION(has_suffix)
{
    return give_bool(out, slice_ends_with(a[1].string, a[0].string));
}

/* --- making --- */

static int replace_text(struct text_template_call *call, struct slice s, struct slice from,
                        struct slice to, int64_t max, struct text_template_value *out,
                        struct diag *diag)
{
    struct buf text = {0};
    while (max != 0) {
        ptrdiff_t at = from.len ? slice_find(s, from) : text.len || s.len ? 0 : -1;
        if (at < 0 || text.len > TEXT_MAX)
            break;
        if (from.len) {
            buf_append_slice(&text, slice_first(s, (size_t)at));
            buf_append_slice(&text, to);
            s = slice_from(s, (size_t)at + from.len);
        } else { /* between all characters */
            uint32_t code;
            size_t n = codec_utf8_decode(s, &code);
            buf_append_slice(&text, to);
            if (!s.len)
                break;
            n = n ? n : 1;
            buf_append_slice(&text, slice_first(s, n));
            s = slice_from(s, n);
        }
        max -= max > 0;
    }
    if (text.len > TEXT_MAX) {
        buf_deinit(&text);
        return diag_set(diag, ERR_LIMIT, "more than %zu characters", TEXT_MAX);
    }
    buf_append_slice(&text, s);
    return give_buf(call, &text, out);
}

static LOGQL__FUNCTION(replace_go)
{
    return replace_text(call, a[0].string, a[1].string, a[2].string, logql__to_int(&a[3]), out,
                        diag);
}

static LOGQL__FUNCTION(replace)
{
    return replace_text(call, a[2].string, a[0].string, a[1].string, -1, out, diag);
}

static LOGQL__FUNCTION(repeat)
{
    int64_t times = logql__to_int(&a[0]);
    struct slice s = a[1].string;
    struct buf text = {0};
    if (times < 0)
        return diag_set(diag, ERR_INVALID, "strings: negative Repeat count");
    if (s.len && (uint64_t)times > TEXT_MAX / s.len)
        return diag_set(diag, ERR_LIMIT, "more than %zu characters", TEXT_MAX);
    for (int64_t i = 0; s.len && i < times; i++)
        buf_append_slice(&text, s);
    return give_buf(call, &text, out);
}

static int indent_text(struct text_template_call *call, const struct text_template_value *a,
                       bool newline, struct text_template_value *out, struct diag *diag)
{
    int64_t spaces = logql__to_int(&a[0]);
    struct slice s = a[1].string;
    size_t lines = 1;
    struct buf text = {0};
    for (size_t i = 0; i < s.len; i++)
        lines += s.ptr[i] == '\n';
    if (spaces < 0)
        return diag_set(diag, ERR_INVALID, "strings: negative Repeat count");
    if ((uint64_t)spaces > TEXT_MAX / lines)
        return diag_set(diag, ERR_LIMIT, "more than %zu characters", TEXT_MAX);
    if (newline)
        buf_append_char(&text, '\n');
    for (size_t i = 0; i <= s.len; i++) {
        if (i == 0 || s.ptr[i - 1] == '\n')
            buf_printf(&text, "%*s", (int)spaces, "");
        if (i < s.len)
            buf_append_char(&text, s.ptr[i]);
    }
    return give_buf(call, &text, out);
}

static LOGQL__FUNCTION(indent)
{
    return indent_text(call, a, false, out, diag);
}

static LOGQL__FUNCTION(nindent)
{
    return indent_text(call, a, true, out, diag);
}

static LOGQL__FUNCTION(default_value)
{
    *out = n > 1 && text_template_truth(&a[1]) ? a[1] : a[0];
    return 0;
}

/* --- regular expressions --- */

static int replace_regex(struct text_template_call *call, const struct text_template_value *a,
                         struct slice template, struct text_template_value *out, struct diag *diag)
{
    const struct text_regex *re;
    struct buf text = {0};
    int err = logql_line_regex(call->ctx, a[0].string, &re, diag);
    if (err)
        return err;
    text_regex_replace_all(re, a[1].string, template, TEXT_MAX, &text);
    return give_buf(call, &text, out);
}

static LOGQL__FUNCTION(regex_replace_all)
{
    return replace_regex(call, a, a[2].string, out, diag);
}

static LOGQL__FUNCTION(regex_replace_all_literal)
{
    struct buf template = {0};
    for (size_t i = 0; i < a[2].string.len; i++) {
        if (a[2].string.ptr[i] == '$')
            buf_append_char(&template, '$');
        buf_append_char(&template, a[2].string.ptr[i]);
    }
    int err = replace_regex(call, a, buf_slice(&template), out, diag);
    buf_deinit(&template);
    return err;
}

static LOGQL__FUNCTION(count)
{
    const struct text_regex *re;
    struct slice s = a[1].string, group;
    int64_t found = 0;
    int err = logql_line_regex(call->ctx, a[0].string, &re, diag);
    for (size_t at = 0; !err && at <= s.len && text_regex_groups_from(re, s, at, &group, 1);
         found++)
        at = (size_t)(group.ptr - (s.ptr ? s.ptr : group.ptr)) + group.len + !group.len;
    *out = text_template_int(found);
    return err;
}

/* --- encodings --- */

static LOGQL__FUNCTION(b64enc)
{
    struct buf text = {0};
    codec_base64_append(&text, a->string, CODEC_BASE64_STANDARD);
    return give_buf(call, &text, out);
}

static LOGQL__FUNCTION(b64dec)
{
    struct buf text = {0};
    if (codec_base64_decode(a->string, &text))
        buf_append_cstr(&text, "illegal base64 data"); /* sprig gives the error as the text */
    return give_buf(call, &text, out);
}

static LOGQL__FUNCTION(urlencode)
{
    static const char hex[] = "0123456789ABCDEF";
    struct buf text = {0};
    for (size_t i = 0; i < a->string.len; i++) {
        unsigned char c = (unsigned char)a->string.ptr[i];
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
            (c && strchr("-_.~", c))) {
            buf_append_char(&text, (char)c);
        } else if (c == ' ') {
            buf_append_char(&text, '+');
        } else {
            buf_append_char(&text, '%');
            buf_append_char(&text, hex[c >> 4]);
            buf_append_char(&text, hex[c & 15]);
        }
    }
    return give_buf(call, &text, out);
}

static LOGQL__FUNCTION(urldecode)
{
    struct slice s = a->string;
    struct buf text = {0};
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] != '%') {
            buf_append_char(&text, s.ptr[i] == '+' ? ' ' : s.ptr[i]);
            continue;
        }
        int high = i + 2 < s.len ? codec_hex_value(s.ptr[i + 1]) : -1;
        int low = i + 2 < s.len ? codec_hex_value(s.ptr[i + 2]) : -1;
        if (high < 0 || low < 0) {
            buf_deinit(&text);
            return diag_set(diag, ERR_INVALID, "invalid URL escape \"%.*s\"",
                            SLICE_FMT(slice_first(slice_from(s, i), 3)));
        }
        buf_append_char(&text, (char)(high << 4 | low));
        i += 2;
    }
    return give_buf(call, &text, out);
}

static const struct text_template_type object_type = {.name = "map[string]interface {}"};

static struct text_template_value from_json(struct arena *arena, const struct codec_json *v)
{
    switch (v->kind) {
    case CODEC_JSON_BOOL: return text_template_bool(v->boolean);
    case CODEC_JSON_NUMBER: return text_template_float(v->number);
    case CODEC_JSON_STRING: return text_template_string(v->text);
    case CODEC_JSON_NULL: return text_template_nil();
    default: break;
    }
    struct text_template_value *items =
        ARENA_ARRAY(arena, struct text_template_value, v->count + 1);
    for (size_t i = 0; i < v->count; i++)
        items[i] = from_json(arena, &v->items[i]);
    if (v->kind == CODEC_JSON_ARRAY)
        return text_template_list(items, v->count);
    struct text_template_pair *pairs = ARENA_ARRAY(arena, struct text_template_pair, v->count + 1);
    for (size_t i = 0; i < v->count; i++)
        pairs[i] = (struct text_template_pair){v->keys[i], &items[i]};
    return text_template_map(&object_type, pairs, v->count);
}

static LOGQL__FUNCTION(from_json_text)
{
    struct codec_json v;
    *out = text_template_nil();
    if (!codec_json_parse(a->string, call->arena, &v, NULL))
        *out = from_json(call->arena, &v);
    return 0;
}

/* --- units --- */

static int unit_problem(void (*words)(struct slice s, struct buf *out), struct slice s,
                        struct diag *diag)
{
    struct buf text = {0};
    words(s, &text);
    int err = diag_set(diag, ERR_INVALID, "%s", buf_cstr(&text));
    buf_deinit(&text);
    return err;
}

static LOGQL__FUNCTION(bytes)
{
    double v;
    if (!logql_bytes_parse(a->string, &v))
        return unit_problem(logql_bytes_problem, a->string, diag);
    *out = text_template_float(v);
    return 0;
}

static LOGQL__FUNCTION(duration)
{
    int64_t ns;
    if (!logql_duration_parse(a->string, &ns))
        return unit_problem(logql_duration_problem, a->string, diag);
    *out = text_template_float((double)ns / 1e9);
    return 0;
}

static LOGQL__FUNCTION(line)
{
    const struct logql_line *l = call->ctx;
    return give(out, l->text);
}

const struct text_template_function logql__functions[] = {
    {"ToLower", "s", lower},
    {"ToUpper", "s", upper},
    {"Replace", "sssi", replace_go},
    {"Trim", "ss", trim_go},
    {"TrimLeft", "ss", trim_left},
    {"TrimRight", "ss", trim_right},
    {"TrimPrefix", "ss", trim_prefix_go},
    {"TrimSuffix", "ss", trim_suffix_go},
    {"TrimSpace", "s", trim_space},
    {"lower", "s", lower},
    {"upper", "s", upper},
    {"title", "s", title},
    {"trunc", "is", trunc_text},
    {"substr", "iis", substr},
    {"contains", "ss", contains},
    {"hasPrefix", "ss", has_prefix},
    {"hasSuffix", "ss", has_suffix},
    {"indent", "is", indent},
    {"nindent", "is", nindent},
    {"replace", "sss", replace},
    {"repeat", "is", repeat},
    {"trim", "s", trim_space},
    {"trimAll", "ss", trim_all},
    {"trimPrefix", "ss", trim_prefix},
    {"trimSuffix", "ss", trim_suffix},
    {"alignLeft", "is", align_left},
    {"alignRight", "is", align_right},
    {"regexReplaceAll", "sss", regex_replace_all},
    {"regexReplaceAllLiteral", "sss", regex_replace_all_literal},
    {"count", "ss", count},
    {"urlencode", "s", urlencode},
    {"urldecode", "s", urldecode},
    {"b64enc", "s", b64enc},
    {"b64dec", "s", b64dec},
    {"bytes", "s", bytes},
    {"duration", "s", duration},
    {"duration_seconds", "s", duration},
    {"fromJson", "s", from_json_text},
    {"default", "vv*", default_value},
    {"__line__", "", line},
    {"__timestamp__", "", logql__timestamp},
    {"unixEpoch", "v", logql__unix_epoch},
    {"unixEpochMillis", "v", logql__unix_epoch_millis},
    {"unixEpochNanos", "v", logql__unix_epoch_nanos},
    {"unixToTime", "s", logql__unix_to_time},
    {"toDate", "ss", logql__to_date},
    {"toDateInZone", "sss", logql__to_date_in_zone},
    {"date", "sv", logql__date},
    {"now", "", logql__now},
    {"int", "v", logql__int},
    {"float64", "v", logql__float64},
    {"add", "v*", logql__add},
    {"sub", "vv", logql__sub},
    {"mul", "vv*", logql__mul},
    {"div", "vv", logql__div},
    {"mod", "vv", logql__mod},
    {"addf", "v*", logql__addf},
    {"subf", "vv*", logql__subf},
    {"mulf", "vv*", logql__mulf},
    {"divf", "vv*", logql__divf},
    {"max", "vv*", logql__max},
    {"min", "vv*", logql__min},
    {"maxf", "vv*", logql__maxf},
    {"minf", "vv*", logql__minf},
    {"ceil", "v", logql__ceil},
    {"floor", "v", logql__floor},
    {"round", "vvv*", logql__round},
};
const size_t logql__function_count = ARRAY_LEN(logql__functions);
