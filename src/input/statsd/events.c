/* DogStatsD's events and service checks as log lines: the text is the line, the rest are fields.
 *
 *     _e{<title bytes>,<text
 * bytes>}:<title>|<text>|d:<unix>|h:<host>|k:<key>|p:<priority>|s:<source> |t:<alert
 * type>|#<tags>|c:<container> _sc|<name>|<status>|d:<unix>|h:<host>|#<tags>|m:<message>
 *
 * What is wrong in an optional part is left out, as Datadog's agent does. */
#include "input/statsd/statsd_priv.h"

static void put(struct data_event_batch *b, const char *name, struct slice value)
{
    if (value.len)
        data_event_put(b, data_event_batch_field(b, DATA_SCOPE_ATTRIBUTE, slice_cstr(name)),
                       data_value_string(data_event_batch_copy(b, value)));
}

/* "\n" as two characters is a new line. */
static struct slice unescaped(struct data_event_batch *b, struct slice s)
{
    struct slice out = data_event_batch_copy(b, s);
    char *to = (char *)(uintptr_t)out.ptr;
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++) {
        bool is_escape = s.ptr[i] == '\\' && i + 1 < s.len && s.ptr[i + 1] == 'n';
        to[n++] = is_escape ? '\n' : s.ptr[i];
        i += is_escape;
    }
    out.len = n;
    return out;
}

struct options {
    int64_t ts_ns;
    struct slice host, key, priority, source, type, tags, message, origin;
};

static void read_options(struct slice rest, bool is_check, int64_t now_ns, struct options *o)
{
    struct slice part;
    *o = (struct options){.ts_ns = now_ns};
    while (rest.ptr && slice_split(&rest, '|', &part)) {
        struct slice value = slice_from(part, 2);
        int64_t seconds;
        if (slice_starts_with(part, SLICE("d:"))) {
            if (codec_text_to_int(value, &seconds) && seconds > 0 && seconds < 9000000000)
                o->ts_ns = seconds * NS_PER_SEC;
        } else if (slice_starts_with(part, SLICE("h:"))) {
            o->host = value;
        } else if (slice_starts_with(part, SLICE("k:"))) {
            o->key = value;
        } else if (slice_starts_with(part, SLICE("p:"))) {
            o->priority = value;
        } else if (slice_starts_with(part, SLICE("s:"))) {
            o->source = value;
        } else if (slice_starts_with(part, SLICE("t:"))) {
            o->type = value;
        } else if (slice_starts_with(part, SLICE("#"))) {
            o->tags = slice_make(part.ptr - 1, part.len + 1);
        } else if (slice_starts_with(part, SLICE("c:"))) {
            o->origin = slice_make(part.ptr - 1, part.len + 1);
        } else if (is_check && slice_starts_with(part, SLICE("m:"))) {
            /* The last part: a bar in it is text. */
            o->message = slice_make(value.ptr, value.len + (rest.ptr ? rest.len + 1 : 0));
            return;
        }
    }
}

static void put_tags(struct data_event_batch *b, const struct options *o)
{
    const struct slice tails[] = {o->tags, o->origin};
    for (size_t k = 0; k < ARRAY_LEN(tails); k++) {
        struct statsd_identity id;
        if (!tails[k].len)
            continue;
        statsd__identify(SLICE(""), tails[k], false, b->arena, &id);
        for (size_t i = 0; i < id.tag_count + id.origin_count; i++) {
            const struct data_label *tag =
                i < id.tag_count ? &id.tags[i] : &id.origin[i - id.tag_count];
            struct slice value = tag->value.len ? tag->value : SLICE("true");
            data_event_put(b, data_event_batch_field(b, DATA_SCOPE_ATTRIBUTE, tag->name),
                           data_value_string(data_event_batch_copy(b, value)));
        }
    }
}

static void begin_row(struct data_event_batch *b, const char *kind, const struct options *o,
                      struct slice line, enum data_event_level level)
{
    struct data_label items[] = {{SLICE("service_name"), SLICE("dogstatsd")},
                                 {SLICE("source"), slice_cstr(kind)}};
    uint32_t stream = data_event_batch_add_stream(b, (struct data_labels){items, ARRAY_LEN(items)});
    data_event_batch_add_row(b, stream, o->ts_ns);
    data_event_put(b, DATA_EVENT_LINE, data_value_string(line));
    data_event_put(b, DATA_EVENT_LEVEL, data_value_string(data_event_level_name(level)));
}

static enum statsd_reason read_event(struct slice line, int64_t now_ns, struct data_event_batch *b)
{
    struct slice rest = slice_from(line, 3), title_text, text_text;
    uint64_t title_len, text_len;
    struct options o;
    if (!slice_split(&rest, ',', &title_text) || !rest.ptr ||
        !slice_split(&rest, '}', &text_text) || !codec_text_to_uint(title_text, &title_len) ||
        !codec_text_to_uint(text_text, &text_len) || !title_len || !rest.len || rest.ptr[0] != ':')
        return STATSD_BAD_EVENT;
    rest = slice_from(rest, 1);
    if (title_len >= rest.len || text_len > rest.len - title_len - 1 || rest.ptr[title_len] != '|')
        return STATSD_BAD_EVENT;
    struct slice title = slice_first(rest, title_len);
    struct slice text = slice_make(rest.ptr + title_len + 1, text_len);
    rest = slice_from(rest, title_len + 1 + text_len);
    if (rest.len && rest.ptr[0] != '|')
        return STATSD_BAD_EVENT;
    if (!codec_utf8_valid(title) || !codec_utf8_valid(text))
        return STATSD_BAD_EVENT;
    read_options(slice_from(rest, 1), false, now_ns, &o);
    title = unescaped(b, title);
    text = unescaped(b, text);
    struct slice whole =
        text.len ? arena_printf(b->arena, "%.*s: %.*s", SLICE_FMT(title), SLICE_FMT(text)) : title;
    enum data_event_level level = data_event_level_guess(o.type);
    begin_row(b, "event", &o, whole, level ? level : DATA_LEVEL_INFO);
    put(b, "title", title);
    put(b, "text", text);
    put(b, "host", o.host);
    put(b, "aggregation_key", o.key);
    put(b, "priority", o.priority);
    put(b, "source_type", o.source);
    put(b, "alert_type", o.type);
    put_tags(b, &o);
    return STATSD_OK;
}

static enum statsd_reason read_check(struct slice line, int64_t now_ns, struct data_event_batch *b)
{
    static const struct {
        const char *name;
        enum data_event_level level;
    } states[] = {{"ok", DATA_LEVEL_INFO},
                  {"warning", DATA_LEVEL_WARN},
                  {"critical", DATA_LEVEL_CRITICAL},
                  {"unknown", DATA_LEVEL_UNKNOWN}};
    struct slice rest = slice_from(line, 4), name, status;
    struct options o;
    if (!slice_split(&rest, '|', &name) || !name.len || !rest.ptr ||
        !slice_split(&rest, '|', &status) || status.len != 1 || status.ptr[0] < '0' ||
        status.ptr[0] > '3' || !codec_utf8_valid(line))
        return STATSD_BAD_CHECK;
    size_t state = (size_t)(status.ptr[0] - '0');
    read_options(rest, true, now_ns, &o);
    struct slice message = unescaped(b, o.message);
    struct slice whole =
        arena_printf(b->arena, "%.*s is %s%s%.*s", SLICE_FMT(name), states[state].name,
                     message.len ? ": " : "", SLICE_FMT(message));
    begin_row(b, "service_check", &o, whole, states[state].level);
    put(b, "check", name);
    put(b, "status", slice_cstr(states[state].name));
    put(b, "message", message);
    put(b, "host", o.host);
    put_tags(b, &o);
    return STATSD_OK;
}

enum statsd_reason statsd__event(struct slice line, int64_t now_ns, struct data_event_batch *batch)
{
    return slice_starts_with(line, SLICE("_e{")) ? read_event(line, now_ns, batch)
                                                 : read_check(line, now_ns, batch);
}
