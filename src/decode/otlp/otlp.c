/* What the signals share: the scratch, refusals, damage, texts. */
#include "decode/otlp/otlp.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/mem.h"
#include "codec/utf8.h"
#include "decode/otlp/metrics_priv.h"
#include "decode/otlp/otlp_priv.h"

const char *decode_otlp_refusal_name(enum decode_otlp_refusal reason)
{
    static const char *const names[DECODE_OTLP_REFUSED_COUNT] = {
        "invalid_name", "invalid_timestamp", "invalid_attribute", "invalid_temporality",
        "no_value",     "invalid_histogram", "invalid_id",        "too_deep",
        "too_many",     "too_large"};
    base_assert(reason < DECODE_OTLP_REFUSED_COUNT);
    return names[reason];
}

struct decode_otlp_scratch *decode_otlp_scratch_new(void)
{
    struct decode_otlp_scratch *s = mem_calloc(1, sizeof(*s));
    s->arena = arena_new(0, NULL);
    return s;
}

void decode_otlp_scratch_free(struct decode_otlp_scratch *s)
{
    if (!s)
        return;
    decode__otlp_metric_state_free(s->metric);
    buf_deinit(&s->json);
    buf_deinit(&s->text);
    arena_free(s->arena);
    vec_free(&s->resource);
    vec_free(&s->scope);
    vec_free(&s->point);
    vec_free(&s->attrs);
    vec_free(&s->labels);
    mem_free(s);
}

size_t decode_otlp_scratch_size(const struct decode_otlp_scratch *s)
{
    return s->json.cap + s->text.cap + arena_size(s->arena);
}

int decode_otlp_content_type(struct slice content_type, enum decode_otlp_encoding *out,
                             struct diag *diag)
{
    struct slice rest = content_type, type = {NULL, 0};
    slice_split(&rest, ';', &type);
    type = slice_trim(type);
    *out = DECODE_OTLP_PROTOBUF;
    if (slice_eq_nocase(type, SLICE("application/x-protobuf")))
        return 0;
    *out = DECODE_OTLP_JSON;
    if (slice_eq_nocase(type, SLICE("application/json")))
        return 0;
    return diag_set(diag, ERR_UNSUPPORTED,
                    "OTLP: content type \"%.*s\" is neither application/x-protobuf nor "
                    "application/json",
                    SLICE_FMT(slice_first(type, 200)));
}

int decode__otlp_begin(enum decode_otlp_signal signal, enum decode_otlp_encoding encoding,
                       struct slice body, struct decode_otlp_scratch *scratch,
                       struct decode_otlp_result *out, struct slice *out_message, struct diag *diag)
{
    memset(out, 0, sizeof(*out));
    arena_reset(scratch->arena);
    *out_message = body;
    if (encoding == DECODE_OTLP_PROTOBUF)
        return 0;
    buf_clear(&scratch->json);
    int err = decode__otlp_json(signal, body, scratch->arena, &scratch->json, diag);
    *out_message = buf_slice(&scratch->json);
    return err;
}

bool decode__otlp_refuse(struct decode__otlp_walk *w, enum decode_otlp_refusal reason, size_t items,
                         const char *fmt, ...)
{
    w->out->refused += items;
    w->out->refused_by[reason] += items;
    if (items && !w->out->first_refusal.code) {
        char why[800];
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(why, sizeof(why), fmt, ap);
        va_end(ap);
        diag_set(&w->out->first_refusal, ERR_INVALID, "%s: %s", decode_otlp_refusal_name(reason),
                 why);
    }
    return false;
}

int decode__otlp_damaged_at(const struct decode__otlp_walk *w, struct slice at, const char *what)
{
    size_t offset = at.ptr ? (size_t)(at.ptr - w->body.ptr) : 0;
    return diag_set_range(w->diag, ERR_INVALID, offset, offset,
                          "OTLP: damaged protobuf in %s at byte %zu of %zu", what, offset,
                          w->body.len);
}

int decode__otlp_damaged(const struct decode__otlp_walk *w, const struct codec_pb_reader *r,
                         const char *what)
{
    return decode__otlp_damaged_at(w, r->rest, what);
}

static bool is_ascii(struct slice s)
{
    uint64_t any = 0;
    size_t i = 0;
    for (; i + 8 <= s.len; i += 8)
        any |= codec_load64(s.ptr + i);
    for (; i < s.len; i++)
        any |= (unsigned char)s.ptr[i];
    return !(any & UINT64_C(0x8080808080808080));
}

struct slice decode__otlp_utf8(struct decode__otlp_walk *w, struct slice s)
{
    if (BASE_LIKELY(is_ascii(s)) || codec_utf8_valid(s))
        return s;
    w->out->repaired_texts++;
    char *to = arena_alloc(w->scratch->arena, 3 * s.len);
    size_t len = 0;
    for (size_t i = 0; i < s.len;) {
        uint32_t code;
        size_t n = codec_utf8_decode(slice_from(s, i), &code);
        if (n) {
            memcpy(to + len, s.ptr + i, n);
            len += n;
            i += n;
        } else {
            memcpy(to + len, "\xef\xbf\xbd", 3);
            len += 3;
            i++;
        }
    }
    return slice_make(to, len);
}

int decode__otlp_text(struct decode__otlp_walk *w, const struct decode__otlp_value *v,
                      struct slice *out)
{
    if (BASE_LIKELY(v->kind == DECODE__OTLP_STRING)) {
        *out = decode__otlp_utf8(w, v->bytes);
        return 0;
    }
    buf_clear(&w->scratch->text);
    int err = decode__otlp_value_text(v, &w->scratch->text);
    *out = arena_slice(w->scratch->arena, buf_slice(&w->scratch->text));
    return err;
}
