#include "decode/syslog.h"

#include "codec/utf8.h"
#include "decode/timestamp.h"

#define PRI_DEFAULT 13 /* user.notice, as RFC 3164 has it */
#define PRI_MAX     191
#define COUNT_MAX   9 /* digits of a count of octets */

static const struct {
    struct slice name;
    enum data_event_level level;
    int severity; /* OTLP's */
} severities[8] = {
    {SLICE_INIT("emerg"), DATA_LEVEL_FATAL, 21},   {SLICE_INIT("alert"), DATA_LEVEL_CRITICAL, 19},
    {SLICE_INIT("crit"), DATA_LEVEL_CRITICAL, 18}, {SLICE_INIT("err"), DATA_LEVEL_ERROR, 17},
    {SLICE_INIT("warning"), DATA_LEVEL_WARN, 13},  {SLICE_INIT("notice"), DATA_LEVEL_INFO, 10},
    {SLICE_INIT("info"), DATA_LEVEL_INFO, 9},      {SLICE_INIT("debug"), DATA_LEVEL_DEBUG, 5}};

static const struct slice facilities[24] = {
    SLICE_INIT("kern"),   SLICE_INIT("user"),     SLICE_INIT("mail"),     SLICE_INIT("daemon"),
    SLICE_INIT("auth"),   SLICE_INIT("syslog"),   SLICE_INIT("lpr"),      SLICE_INIT("news"),
    SLICE_INIT("uucp"),   SLICE_INIT("cron"),     SLICE_INIT("authpriv"), SLICE_INIT("ftp"),
    SLICE_INIT("ntp"),    SLICE_INIT("security"), SLICE_INIT("console"),  SLICE_INIT("clock"),
    SLICE_INIT("local0"), SLICE_INIT("local1"),   SLICE_INIT("local2"),   SLICE_INIT("local3"),
    SLICE_INIT("local4"), SLICE_INIT("local5"),   SLICE_INIT("local6"),   SLICE_INIT("local7")};

/* What a message says; texts point into it. */
struct parts {
    unsigned pri;
    int64_t ts_ns;
    struct slice host, app, procid, msgid, line;
};

static bool is_digit(struct slice s, size_t at)
{
    return at < s.len && s.ptr[at] >= '0' && s.ptr[at] <= '9';
}

/* <13>: its length, 0 when there is none. */
static size_t take_pri(struct slice s, unsigned *out)
{
    unsigned pri = 0;
    size_t at = 1;
    if (!s.len || s.ptr[0] != '<')
        return 0;
    while (at < 4 && is_digit(s, at))
        pri = pri * 10 + (unsigned)(s.ptr[at++] - '0');
    if (at == 1 || at >= s.len || s.ptr[at] != '>' || pri > PRI_MAX)
        return 0;
    *out = pri;
    return at + 1;
}

static struct slice take_word(struct slice *s)
{
    ptrdiff_t end = slice_find_char(*s, ' ');
    struct slice word = end < 0 ? *s : slice_first(*s, (size_t)end);
    *s = slice_from(*s, word.len + (end >= 0));
    return word;
}

static struct slice not_nil(struct slice word)
{
    return slice_eq_cstr(word, "-") ? SLICE("") : word;
}

/* Valid UTF-8 that lives as long as the batch; bytes that are none become U+FFFD. */
static struct slice clean(struct decode_syslog *d, struct data_event_batch *b, struct slice s)
{
    if (codec_utf8_valid(s))
        return s;
    buf_clear(&d->text);
    codec_utf8_repair(s, &d->text);
    return data_event_batch_copy(b, buf_slice(&d->text));
}

/* --- RFC 5424 --- */

/* One element [id name="value" ...]: its length, 0 when it is none. With `b` its parameters become
 * attributes of the row. */
static size_t take_element(struct decode_syslog *d, struct slice s, struct data_event_batch *b)
{
    size_t at = 1;
    if (!s.len || s.ptr[0] != '[')
        return 0;
    while (at < s.len && s.ptr[at] != ' ' && s.ptr[at] != ']' && s.ptr[at] != '"')
        at++;
    struct slice id = slice_make(s.ptr + 1, at - 1);
    while (id.len && at < s.len && s.ptr[at] == ' ') {
        size_t name_at = ++at;
        while (at < s.len && s.ptr[at] != '=' && s.ptr[at] != ']' && s.ptr[at] != ' ')
            at++;
        struct slice name = slice_make(s.ptr + name_at, at - name_at);
        if (!name.len || at + 1 >= s.len || s.ptr[at] != '=' || s.ptr[at + 1] != '"')
            return 0;
        size_t value_at = at += 2;
        bool escaped = false;
        for (; at < s.len && s.ptr[at] != '"'; at++) {
            if (s.ptr[at] == '\\' && at + 1 < s.len && strchr("\"\\]", s.ptr[at + 1]) &&
                s.ptr[at + 1]) {
                escaped = true;
                at++;
            }
        }
        if (at >= s.len)
            return 0;
        if (b) {
            struct slice value = slice_make(s.ptr + value_at, at - value_at);
            struct buf key = {0};
            buf_append_slice(&key, id);
            buf_append_char(&key, '.');
            buf_append_slice(&key, name);
            uint32_t field =
                data_event_batch_field(b, DATA_SCOPE_ATTRIBUTE, clean(d, b, buf_slice(&key)));
            if (escaped) {
                buf_clear(&key);
                for (size_t i = 0; i < value.len; i++) {
                    if (value.ptr[i] == '\\' && i + 1 < value.len && value.ptr[i + 1] &&
                        strchr("\"\\]", value.ptr[i + 1]))
                        i++;
                    buf_append_char(&key, value.ptr[i]);
                }
                value = data_event_batch_copy(b, buf_slice(&key));
            }
            data_event_put(b, field, data_value_string(clean(d, b, value)));
            buf_deinit(&key);
        }
        at++;
    }
    return id.len && at < s.len && s.ptr[at] == ']' ? at + 1 : 0;
}

/* All elements, or '-': their length; SIZE_MAX when they are damaged. */
static size_t take_elements(struct decode_syslog *d, struct slice s, struct data_event_batch *b)
{
    size_t at = 0, n;
    if (s.len && s.ptr[0] == '-')
        return 1;
    while ((n = take_element(d, slice_from(s, at), b)))
        at += n;
    return at && (at == s.len || s.ptr[at] == ' ') ? at : SIZE_MAX;
}

/* Behind "<13>1 ". *out_data is the structured data. False: it is not in that form. */
static bool read_5424(struct decode_syslog *d, struct slice s, struct parts *p,
                      struct slice *out_data)
{
    struct slice time = take_word(&s);
    size_t len;
    p->ts_ns = d->received_ns;
    if (!slice_eq_cstr(time, "-") &&
        (decode_timestamp_iso(time, &p->ts_ns, &len) || len != time.len))
        return false;
    p->host = not_nil(take_word(&s));
    p->app = not_nil(take_word(&s));
    p->procid = not_nil(take_word(&s));
    p->msgid = not_nil(take_word(&s));
    size_t n = take_elements(d, s, NULL);
    if (n == SIZE_MAX) /* what is damaged is read as text */
        n = 0;
    *out_data = slice_first(s, n);
    p->line = slice_from(s, n);
    if (p->line.len && p->line.ptr[0] == ' ')
        p->line = slice_from(p->line, 1);
    if (slice_starts_with(p->line, SLICE("\xef\xbb\xbf")))
        p->line = slice_from(p->line, 3);
    return true;
}

/* --- RFC 3164 --- */

static bool is_tag(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c && strchr("_-./@+", c));
}

/* app[123]: or app: at the begin of the line. */
static void take_tag(struct parts *p)
{
    struct slice s = p->line, procid = SLICE("");
    size_t at = 0;
    while (at < s.len && at < 64 && is_tag(s.ptr[at]))
        at++;
    size_t tag = at;
    if (at < s.len && s.ptr[at] == '[') {
        ptrdiff_t end = slice_find_char(slice_from(s, at), ']');
        if (end < 0 || end > 64)
            return;
        procid = slice_make(s.ptr + at + 1, (size_t)end - 1);
        at += (size_t)end + 1;
    }
    if (!tag || at >= s.len || s.ptr[at] != ':')
        return;
    p->app = slice_first(s, tag);
    p->procid = procid;
    p->line = slice_from(s, at + 1);
    if (p->line.len && p->line.ptr[0] == ' ')
        p->line = slice_from(p->line, 1);
}

static void read_3164(struct decode_syslog *d, struct slice s, struct parts *p)
{
    size_t n = decode_timestamp_bsd(s, d->received_ns, d->offset_s, &p->ts_ns);
    p->line = s;
    if (!n && decode_timestamp_iso(s, &p->ts_ns, &n))
        n = 0;
    if (!n) {
        p->ts_ns = d->received_ns;
        take_tag(p);
        return;
    }
    s = slice_from(s, n);
    if (s.len && s.ptr[0] == ':')
        s = slice_from(s, 1);
    while (s.len && s.ptr[0] == ' ')
        s = slice_from(s, 1);
    p->line = s;
    struct slice rest = s, host = take_word(&rest);
    /* A first word that is a tag: there is no host, as in what programs send to the local daemon.
     * IPv6 addresses have colons, too, but inside. */
    if (rest.len && host.len && host.ptr[host.len - 1] != ':' && slice_find_char(host, '[') < 0) {
        p->host = host;
        p->line = rest;
    }
    take_tag(p);
}

/* --- rows --- */

static void put_text(struct decode_syslog *d, struct data_event_batch *b, struct slice name,
                     struct slice value)
{
    if (value.len)
        data_event_put(b, data_event_batch_field(b, DATA_SCOPE_ATTRIBUTE, name),
                       data_value_string(clean(d, b, value)));
}

bool decode_syslog_message(struct decode_syslog *d, struct slice message,
                           struct data_event_batch *b)
{
    struct parts p = {.pri = PRI_DEFAULT};
    struct slice data = SLICE("");
    struct data_labels labels;
    while (message.len && strchr("\n\r", message.ptr[message.len - 1])) /* NUL, too */
        message.len--;
    if (!message.len)
        return false;
    size_t n = take_pri(message, &p.pri);
    struct slice rest = slice_from(message, n);
    struct parts old = p;
    if (!n || !slice_starts_with(rest, SLICE("1 ")) ||
        !read_5424(d, slice_from(rest, 2), &p, &data)) {
        p = old;
        read_3164(d, rest, &p);
    }
    struct slice host = p.host.len ? p.host : d->peer;
    data_labels_builder_reset(&d->labels);
    data_labels_builder_set(&d->labels, SLICE("service_name"),
                            p.app.len ? clean(d, b, p.app) : SLICE("unknown_service"));
    if (host.len)
        data_labels_builder_set(&d->labels, SLICE("host_name"), clean(d, b, host));
    (void)data_labels_builder_finish(&d->labels, &labels, NULL); /* names are ours, distinct */
    data_event_batch_add_row(b, data_event_batch_add_stream(b, labels), p.ts_ns);
    data_event_put(b, DATA_EVENT_LINE, data_value_string(clean(d, b, p.line)));
    data_event_put(b, DATA_EVENT_LEVEL,
                   data_value_string(data_event_level_name(severities[p.pri & 7].level)));
    data_event_put(b, DATA_EVENT_SEVERITY, data_value_int(severities[p.pri & 7].severity));
    data_event_put(b, DATA_EVENT_SEVERITY_TEXT, data_value_string(severities[p.pri & 7].name));
    put_text(d, b, SLICE("facility"), facilities[p.pri >> 3]);
    put_text(d, b, SLICE("procid"), p.procid);
    put_text(d, b, SLICE("msgid"), p.msgid);
    if (!slice_eq(host, d->peer))
        put_text(d, b, SLICE("peer"), d->peer);
    (void)take_elements(d, data, b);
    return true;
}

void decode_syslog_deinit(struct decode_syslog *d)
{
    data_labels_builder_deinit(&d->labels);
    buf_deinit(&d->text);
}

/* --- frames --- */

enum decode_syslog_frame decode_syslog_frame(struct slice bytes, bool end, size_t bytes_max,
                                             struct slice *out_message, size_t *out_taken)
{
    size_t at = 0, count = 0;
    while (at < COUNT_MAX && is_digit(bytes, at))
        count = count * 10 + (size_t)(bytes.ptr[at++] - '0');
    if (at && bytes.ptr[0] != '0' && at + 1 >= bytes.len && !end &&
        (at == bytes.len || bytes.ptr[at] == ' '))
        return DECODE_SYSLOG_MORE; /* it may become a count */
    if (at && bytes.ptr[0] != '0' && at + 1 < bytes.len && bytes.ptr[at] == ' ' &&
        bytes.ptr[at + 1] == '<') {
        *out_taken = at + 1 + count;
        if (count > bytes_max)
            return DECODE_SYSLOG_LARGE;
        if (bytes.len < *out_taken) {
            if (!end)
                return DECODE_SYSLOG_MORE;
            *out_taken = bytes.len;
        }
        *out_message = slice_make(bytes.ptr + at + 1, *out_taken - at - 1);
        return DECODE_SYSLOG_WHOLE;
    }
    for (size_t i = 0; i < bytes.len; i++) {
        if (bytes.ptr[i] == '\n' || bytes.ptr[i] == 0) {
            *out_message = slice_first(bytes, i);
            *out_taken = i + 1;
            return DECODE_SYSLOG_WHOLE;
        }
    }
    if (!end || !bytes.len)
        return DECODE_SYSLOG_MORE;
    *out_message = bytes;
    *out_taken = bytes.len;
    return DECODE_SYSLOG_WHOLE;
}
