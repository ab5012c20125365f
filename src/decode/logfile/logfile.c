#include "decode/logfile/logfile.h"

#include "codec/utf8.h"
#include "decode/level.h"
#include "decode/logfile/container.h"
#include "decode/timestamp.h"

const char *const decode_logfile_formats[] = {"auto", "plain", "json", "docker", "cri", NULL};
const char *const decode_logfile_encodings[] = {"utf-8", "latin1", "utf-16le", "utf-16be", NULL};

/* --- encodings --- */

size_t decode_logfile_newline_bytes(enum decode_logfile_encoding e)
{
    return e >= DECODE_LOGFILE_UTF16LE ? 2 : 1;
}

ptrdiff_t decode_logfile_find_newline(enum decode_logfile_encoding e, struct slice s)
{
    if (e < DECODE_LOGFILE_UTF16LE)
        return slice_find_char(s, '\n');
    const char *want = e == DECODE_LOGFILE_UTF16LE ? "\n\0" : "\0\n";
    for (size_t i = 0; i + 1 < s.len; i += 2) {
        if (s.ptr[i] == want[0] && s.ptr[i + 1] == want[1])
            return (ptrdiff_t)i;
    }
    return -1;
}

static unsigned unit_at(enum decode_logfile_encoding e, struct slice s, size_t at)
{
    unsigned a = (unsigned char)s.ptr[at], b = (unsigned char)s.ptr[at + 1];
    return e == DECODE_LOGFILE_UTF16LE ? a | b << 8 : a << 8 | b;
}

/* As UTF-8, which lives as long as the batch. */
static struct slice to_utf8(enum decode_logfile_encoding e, struct slice s, struct arena *arena)
{
    if (e == DECODE_LOGFILE_UTF8) {
        if (codec_utf8_valid(s))
            return s;
        struct buf out = {0};
        codec_utf8_repair(s, &out);
        s = arena_slice(arena, buf_slice(&out));
        buf_deinit(&out);
        return s;
    }
    char *to = arena_alloc(arena, s.len * 2 + 4);
    size_t n = 0;
    if (e == DECODE_LOGFILE_LATIN1) {
        for (size_t i = 0; i < s.len; i++)
            n += codec_utf8_encode((unsigned char)s.ptr[i], to + n);
        return slice_make(to, n);
    }
    for (size_t i = 0; i + 1 < s.len; i += 2) {
        uint32_t c = unit_at(e, s, i);
        if (c >= 0xd800 && c < 0xdc00 && i + 3 < s.len) {
            unsigned low = unit_at(e, s, i + 2);
            if (low >= 0xdc00 && low < 0xe000) {
                c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
                i += 2;
            }
        }
        if (c >= 0xd800 && c < 0xe000)
            c = 0xfffd;
        if (c != 0xfeff || i)
            n += codec_utf8_encode(c, to + n);
    }
    return slice_make(to, n);
}

/* --- rows --- */

static void begin_batch(struct decode_logfile *f, struct decode_logfile_out *out)
{
    struct data_event_batch *b = out->batch;
    if (f->serial == out->serial)
        return;
    f->serial = out->serial;
    f->stream = data_event_batch_add_stream(b, f->labels);
    f->resource = DATA_EVENT_NONE;
    if (f->attribute_count)
        f->resource = data_event_batch_add_set(b);
    for (size_t i = 0; i < f->attribute_count; i++)
        data_event_put(b, data_event_batch_field(b, DATA_SCOPE_RESOURCE, f->attributes[i].name),
                       data_value_string(f->attributes[i].value));
}

/* The time of a row: the runtime's, else the line's, else that of the line before, else now. */
static int64_t choose_time(struct decode_logfile *f, struct decode_logfile_out *out, int64_t ts_ns,
                           bool found)
{
    if (found && ts_ns <= out->now_ns + out->future_ns) {
        f->last_ts_ns = ts_ns;
        return ts_ns;
    }
    out->bad_times += found;
    return f->last_ts_ns ? f->last_ts_ns : out->now_ns;
}

/* A key of logfmt at *at, which moves behind its value; false when there is none. */
static bool take_pair(struct slice s, size_t *at, struct slice *key, struct slice *value,
                      struct arena *arena)
{
    size_t i = *at;
    while (i < s.len && s.ptr[i] == ' ')
        i++;
    size_t from = i;
    while (i < s.len && s.ptr[i] != '=' && s.ptr[i] != ' ' && s.ptr[i] != '"')
        i++;
    if (i == from || i >= s.len || s.ptr[i] != '=')
        return false;
    *key = slice_make(s.ptr + from, i - from);
    from = ++i;
    if (i < s.len && s.ptr[i] == '"') {
        bool escaped = false;
        for (i++; i < s.len && s.ptr[i] != '"'; i++) {
            if (s.ptr[i] == '\\' && i + 1 < s.len) {
                escaped = true;
                i++;
            }
        }
        if (i >= s.len)
            return false;
        i++;
        *value = slice_make(s.ptr + from + 1, i - from - 2);
        if (escaped) {
            struct codec_json_reader r =
                codec_json_reader(slice_make(s.ptr + from, i - from), arena, NULL);
            if (!codec_json_read_string(&r, value))
                *value = slice_make(s.ptr + from + 1, i - from - 2);
        }
    } else {
        while (i < s.len && s.ptr[i] != ' ')
            i++;
        *value = slice_make(s.ptr + from, i - from);
    }
    *at = i;
    return true;
}

/* All of the line is key=value, two at least. */
static bool put_logfmt(struct decode_record *r, struct slice line, struct arena *arena,
                       bool only_look)
{
    struct slice key, value;
    size_t at = 0, count = 0;
    while (at < line.len && take_pair(line, &at, &key, &value, arena)) {
        if (!only_look)
            decode_record_put(r, key, data_value_string(value), value);
        count++;
    }
    return count >= 2 && slice_trim(slice_from(line, at)).len == 0;
}

/* Lines of named fields: JSON, and logfmt when fields are asked for. False: it is none. */
static bool put_structured(struct decode_logfile *f, const struct decode_logfile_rules *rules,
                           struct decode_logfile_out *out, struct slice line, int64_t ts_ns)
{
    struct data_event_batch *b = out->batch;
    struct decode_record *r = out->record;
    struct slice trimmed = slice_trim(line);
    bool json = trimmed.len > 1 && trimmed.ptr[0] == '{';
    if (!json && (!rules->fields || !put_logfmt(r, line, b->arena, true)))
        return false;
    if (json && !rules->fields && f->format == DECODE_LOGFILE_PLAIN)
        return false;
    decode_record_begin(r, b, ts_ns ? ts_ns : out->now_ns);
    r->times = rules->received || ts_ns ? DECODE_RECORD_TIME_NONE : DECODE_RECORD_TIME_ANY;
    r->offset_s = rules->offset_s;
    r->keeps_none = !rules->fields;
    if (json) {
        struct codec_json_reader reader = codec_json_reader(trimmed, b->arena, NULL);
        reader.utf8 = CODEC_JSON_UTF8_REPLACE;
        decode_record_json(r, &reader, SLICE(""));
        if (codec_json_read_end(&reader))
            return false;
    } else {
        put_logfmt(r, line, b->arena, false);
    }
    if (!rules->fields)
        r->line = line;
    if (r->has_time || ts_ns)
        r->ts_ns = choose_time(f, out, r->ts_ns, true);
    else
        r->ts_ns = choose_time(f, out, 0, false);
    struct slice service = SLICE("");
    /* What the file says of its stream outranks what its lines say. */
    if (!rules->fields)
        data_labels_builder_reset(&r->labels);
    for (size_t i = 0; i < f->labels.count; i++) {
        const struct data_label *l = &f->labels.items[i];
        if (rules->fields && f->service_is_guess && slice_eq_cstr(l->name, "service_name"))
            service = l->value;
        else
            data_labels_builder_set(&r->labels, l->name, l->value);
    }
    uint32_t row = decode_record_end(r, line, service);
    b->rows.items[row].resource = f->resource;
    return true;
}

static void emit(struct decode_logfile *f, const struct decode_logfile_rules *rules,
                 struct decode_logfile_out *out, struct slice text, int64_t ts_ns, bool is_stderr,
                 uint64_t end)
{
    struct data_event_batch *b = out->batch;
    begin_batch(f, out);
    if (!put_structured(f, rules, out, text, ts_ns)) {
        int64_t found_ns = ts_ns;
        bool found =
            ts_ns || (!rules->received &&
                      decode_timestamp_of_line(text, out->now_ns, rules->offset_s, &found_ns));
        uint32_t row = data_event_batch_add_row(b, f->stream, choose_time(f, out, found_ns, found));
        b->rows.items[row].resource = f->resource;
        data_event_put(b, DATA_EVENT_LINE, data_value_string(text));
        data_event_put(b, DATA_EVENT_LEVEL,
                       data_value_string(data_event_level_name(decode_level_of_line(text))));
    }
    if (f->format >= DECODE_LOGFILE_DOCKER)
        data_event_put(b, data_event_batch_field(b, DATA_SCOPE_ATTRIBUTE, SLICE("log.iostream")),
                       data_value_string(is_stderr ? SLICE("stderr") : SLICE("stdout")));
    if (end > f->emitted_to)
        f->emitted_to = end;
}

/* --- records --- */

static void emit_pending(struct decode_logfile *f, const struct decode_logfile_rules *rules,
                         struct decode_logfile_out *out, bool is_stderr)
{
    struct decode_logfile_pending *p = &f->pending[is_stderr];
    if (!p->is_there)
        return;
    emit(f, rules, out, data_event_batch_copy(out->batch, buf_slice(&p->text)), p->ts_ns, is_stderr,
         p->end);
    p->is_there = p->is_partial = false;
    buf_clear(&p->text);
    if (p->text.cap > 64 * 1024)
        buf_deinit(&p->text);
}

static enum decode_logfile_format recognise(struct slice line, struct arena *arena)
{
    struct decode_container_line c;
    struct slice s = slice_trim(line);
    if (decode_cri_line(line, &c))
        return DECODE_LOGFILE_CRI;
    if (decode_docker_line(line, arena, &c))
        return DECODE_LOGFILE_DOCKER;
    return s.len > 1 && s.ptr[0] == '{' && s.ptr[s.len - 1] == '}' ? DECODE_LOGFILE_JSON
                                                                   : DECODE_LOGFILE_PLAIN;
}

static void begin_pending(struct decode_logfile_pending *p, struct slice text, uint64_t begin,
                          uint64_t end, const struct decode_container_line *c)
{
    p->is_there = true;
    p->lines = 1;
    p->begin = begin;
    p->end = end;
    p->ts_ns = c->ts_ns;
    buf_clear(&p->text);
    buf_append_slice(&p->text, text);
}

void decode_logfile_line(struct decode_logfile *f, const struct decode_logfile_rules *rules,
                         struct decode_logfile_out *out, struct slice raw, uint64_t begin,
                         uint64_t end)
{
    struct decode_container_line c = {.ts_ns = 0};
    if (!begin && !rules->encoding && slice_starts_with(raw, SLICE("\xef\xbb\xbf")))
        raw = slice_from(raw, 3); /* a byte order mark */
    size_t max = rules->record_bytes_max;
    size_t raw_max = max * decode_logfile_newline_bytes(rules->encoding);
    out->lines++;
    if (f->format == DECODE_LOGFILE_AUTO) {
        f->format = rules->format;
        if (!f->format)
            f->format = recognise(raw, out->batch->arena);
    }
    bool container =
        (f->format == DECODE_LOGFILE_DOCKER && decode_docker_line(raw, out->batch->arena, &c)) ||
        (f->format == DECODE_LOGFILE_CRI && decode_cri_line(raw, &c));
    struct slice text = container ? c.text : raw;
    if (text.len > raw_max) {
        text.len = raw_max;
        out->cut++;
    }
    text = to_utf8(rules->encoding, text, out->batch->arena);
    if (text.len && text.ptr[text.len - 1] == '\r')
        text.len--;
    if (text.len > max) { /* it grew */
        text.len = max;
        while (text.len && ((unsigned char)text.ptr[text.len] & 0xc0) == 0x80)
            text.len--;
    }
    struct decode_logfile_pending *p = &f->pending[c.is_stderr];
    if (p->is_there && p->is_partial) {
        if (container && p->text.len + text.len <= max) {
            buf_append_slice(&p->text, text);
            p->is_partial = c.is_partial;
            p->since_ns = out->now_ns;
            p->end = end;
            if (!p->is_partial && !rules->multiline)
                emit_pending(f, rules, out, c.is_stderr);
            return;
        }
        emit_pending(f, rules, out, c.is_stderr);
    } else if (p->is_there) {
        bool goes_on = rules->multiline && p->lines < rules->multiline->lines_max &&
                       p->text.len + text.len < max &&
                       !decode_multiline_begins(rules->multiline, text);
        if (goes_on) {
            buf_append_char(&p->text, '\n');
            buf_append_slice(&p->text, text);
            p->lines++;
            p->end = end;
            p->is_partial = c.is_partial;
            p->since_ns = out->now_ns;
            return;
        }
        emit_pending(f, rules, out, c.is_stderr);
    }
    if (!text.len && !c.is_partial) { /* an empty line says nothing */
        if (end > f->emitted_to)
            f->emitted_to = end;
        return;
    }
    if (c.is_partial || rules->multiline) {
        begin_pending(p, text, begin, end, &c);
        p->is_partial = c.is_partial;
        p->since_ns = out->now_ns;
        return;
    }
    emit(f, rules, out, text, c.ts_ns, c.is_stderr, end);
}

void decode_logfile_flush(struct decode_logfile *f, const struct decode_logfile_rules *rules,
                          struct decode_logfile_out *out, int64_t before_ns)
{
    for (int i = 0; i < 2; i++) {
        struct decode_logfile_pending *p = &f->pending[i];
        if (p->is_there && p->since_ns <= before_ns && (!p->is_partial || before_ns == INT64_MAX))
            emit_pending(f, rules, out, i);
    }
}

uint64_t decode_logfile_safe(const struct decode_logfile *f, uint64_t at)
{
    for (int i = 0; i < 2; i++) {
        if (f->pending[i].is_there)
            at = MIN(at, f->pending[i].begin);
    }
    return at;
}

bool decode_logfile_is_ahead(const struct decode_logfile *f, uint64_t at)
{
    return f->emitted_to > decode_logfile_safe(f, at);
}

int64_t decode_logfile_waits_since(const struct decode_logfile *f)
{
    int64_t since = INT64_MAX;
    for (int i = 0; i < 2; i++) {
        if (f->pending[i].is_there && !f->pending[i].is_partial)
            since = MIN(since, f->pending[i].since_ns);
    }
    return since;
}

size_t decode_logfile_pending_bytes(const struct decode_logfile *f)
{
    return f->pending[0].text.cap + f->pending[1].text.cap;
}

void decode_logfile_drop(struct decode_logfile *f)
{
    for (int i = 0; i < 2; i++) {
        f->pending[i].is_there = f->pending[i].is_partial = false;
        buf_clear(&f->pending[i].text);
    }
}

void decode_logfile_deinit(struct decode_logfile *f)
{
    for (int i = 0; i < 2; i++)
        buf_deinit(&f->pending[i].text);
}
