#include "codec/json_write.h"

#include <math.h>

#include "base/assert.h"
#include "codec/utf8.h"

void codec_json_init(struct codec_json_writer *w, struct buf *out)
{
    *w = (struct codec_json_writer){.out = out};
}

static void before_value(struct codec_json_writer *w)
{
    if (w->after_key) {
        w->after_key = false;
        return;
    }
    base_assert(!w->in_object[w->depth]);
    if (w->has_item[w->depth])
        buf_append_char(w->out, ',');
    w->has_item[w->depth] = true;
}

static void begin(struct codec_json_writer *w, char bracket, bool object)
{
    before_value(w);
    base_assert(w->depth < CODEC_JSON_DEPTH_MAX);
    buf_append_char(w->out, bracket);
    w->depth++;
    w->has_item[w->depth] = false;
    w->in_object[w->depth] = object;
}

static void end(struct codec_json_writer *w, char bracket, bool object)
{
    base_assert(w->depth && w->in_object[w->depth] == object && !w->after_key);
    w->depth--;
    buf_append_char(w->out, bracket);
}

void codec_json_begin_object(struct codec_json_writer *w)
{
    begin(w, '{', true);
}

void codec_json_end_object(struct codec_json_writer *w)
{
    end(w, '}', true);
}

void codec_json_begin_array(struct codec_json_writer *w)
{
    begin(w, '[', false);
}

void codec_json_end_array(struct codec_json_writer *w)
{
    end(w, ']', false);
}

void codec_json_append_string(struct buf *out, struct slice s)
{
    static const char hex[] = "0123456789abcdef";
    buf_append_char(out, '"');
    size_t plain = 0; /* begin of the run not yet written */
    for (size_t i = 0; i < s.len;) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c >= 0x20 && c != '"' && c != '\\' && c < 0x7f) {
            i++;
            continue;
        }
        size_t n = 1;
        uint32_t code = c;
        if (c >= 0x80) {
            n = codec_utf8_decode(slice_from(s, i), &code);
            if (n && code != 0x2028 && code != 0x2029) {
                i += n;
                continue;
            }
        } else if (c == 0x7f) {
            i++;
            continue;
        }
        buf_append(out, s.ptr + plain, i - plain);
        switch (n ? code : 0xfffd) {
        case '"': buf_append_cstr(out, "\\\""); break;
        case '\\': buf_append_cstr(out, "\\\\"); break;
        case '\n': buf_append_cstr(out, "\\n"); break;
        case '\r': buf_append_cstr(out, "\\r"); break;
        case '\t': buf_append_cstr(out, "\\t"); break;
        case '\b': buf_append_cstr(out, "\\b"); break;
        case '\f': buf_append_cstr(out, "\\f"); break;
        case 0x2028: buf_append_cstr(out, "\\u2028"); break;
        case 0x2029: buf_append_cstr(out, "\\u2029"); break;
        case 0xfffd: buf_append_cstr(out, "\\ufffd"); break;
        default:
            buf_append_cstr(out, "\\u00");
            buf_append_char(out, hex[c >> 4]);
            buf_append_char(out, hex[c & 15]);
        }
        i += n ? n : 1;
        plain = i;
    }
    buf_append(out, s.ptr + plain, s.len - plain);
    buf_append_char(out, '"');
}

void codec_json_key(struct codec_json_writer *w, struct slice key)
{
    base_assert(w->depth && w->in_object[w->depth] && !w->after_key);
    if (w->has_item[w->depth])
        buf_append_char(w->out, ',');
    w->has_item[w->depth] = true;
    codec_json_append_string(w->out, key);
    buf_append_char(w->out, ':');
    w->after_key = true;
}

void codec_json_string(struct codec_json_writer *w, struct slice s)
{
    before_value(w);
    codec_json_append_string(w->out, s);
}

void codec_json_int(struct codec_json_writer *w, int64_t v)
{
    before_value(w);
    codec_append_int(w->out, v);
}

void codec_json_double(struct codec_json_writer *w, double v)
{
    before_value(w);
    if (isfinite(v))
        codec_append_double(w->out, v, CODEC_DOUBLE_JSON);
    else
        buf_append_cstr(w->out, "null");
}

void codec_json_bool(struct codec_json_writer *w, bool v)
{
    before_value(w);
    buf_append_cstr(w->out, v ? "true" : "false");
}

void codec_json_null(struct codec_json_writer *w)
{
    before_value(w);
    buf_append_cstr(w->out, "null");
}

void codec_json_raw(struct codec_json_writer *w, struct slice json)
{
    before_value(w);
    buf_append_slice(w->out, json);
}

void codec_json_put_string(struct codec_json_writer *w, const char *key, struct slice s)
{
    codec_json_key(w, slice_cstr(key));
    codec_json_string(w, s);
}

void codec_json_put_int(struct codec_json_writer *w, const char *key, int64_t v)
{
    codec_json_key(w, slice_cstr(key));
    codec_json_int(w, v);
}

void codec_json_put_bool(struct codec_json_writer *w, const char *key, bool v)
{
    codec_json_key(w, slice_cstr(key));
    codec_json_bool(w, v);
}
