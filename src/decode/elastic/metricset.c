/* A Beat's document of measurements to samples.
 *
 * It is one that has metricset.name. Its numbers and booleans are samples at @timestamp, called by
 * their path with underscores (system.cpu.user.pct: system_cpu_user_pct). What is text is a label:
 * below module.metricset by the rest of its path (system.network.name: name), of process,
 * container, kubernetes, service, user, labels, fields and cloud by its whole path; and host_name.
 * Numbers that name something (pid, id, port) are labels too. Text that is long, a time, or a state
 * rather than a name is left out, and so are lists. */
#include "codec/number.h"
#include "decode/elastic/bulk_priv.h"
#include "decode/timestamp.h"

#define LABEL_BYTES_MAX 200

static bool is_one_of(struct slice s, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (slice_eq_cstr(s, names[i]))
            return true;
    }
    return false;
}
#define IS_ONE_OF(s, names) is_one_of(s, names, ARRAY_LEN(names))

static struct slice root_of(struct slice path)
{
    ptrdiff_t dot = slice_find_char(path, '.');
    return dot < 0 ? path : slice_first(path, (size_t)dot);
}

static struct slice last_of(struct slice path)
{
    size_t i = path.len;
    while (i && path.ptr[i - 1] != '.')
        i--;
    return slice_from(path, i);
}

static bool cut_prefix(struct slice *path, struct slice name)
{
    if (!name.len || path->len <= name.len + 1 || !slice_starts_with(*path, name) ||
        path->ptr[name.len] != '.')
        return false;
    *path = slice_from(*path, name.len + 1);
    return true;
}

/* --- the walk --- */

static void read_object(struct decode__elastic *d, struct codec_json_reader *r);

static void read_leaf(struct decode__elastic *d, struct codec_json_reader *r)
{
    struct decode__elastic_leaf leaf = {0};
    enum codec_json_kind kind;
    struct slice text = SLICE("");
    bool b = false;
    if (!codec_json_peek(r, &kind))
        return;
    if (kind == CODEC_JSON_OBJECT) {
        read_object(d, r);
        return;
    }
    if (kind == CODEC_JSON_STRING) {
        codec_json_read_string(r, &text);
    } else if (kind == CODEC_JSON_BOOL) {
        codec_json_read_bool(r, &b);
        leaf.value = b;
    } else if (kind == CODEC_JSON_NUMBER) {
        codec_json_read_number_text(r, &text);
        if (!codec_text_to_double(text, &leaf.value, NULL))
            return;
    } else {
        codec_json_skip(r);
        return;
    }
    leaf.is_text = kind == CODEC_JSON_STRING;
    leaf.text = text;
    leaf.path = arena_slice(d->req->arena, buf_slice(&d->path));
    vec_push(&d->leaves, leaf);
}

static void read_object(struct decode__elastic *d, struct codec_json_reader *r)
{
    size_t depth = d->path.len;
    struct slice key;
    codec_json_read_object(r);
    while (codec_json_next_key(r, &key)) {
        d->path.len = depth;
        if (depth)
            buf_append_char(&d->path, '.');
        buf_append_slice(&d->path, key);
        read_leaf(d, r);
    }
    d->path.len = depth;
}

/* --- what a leaf is --- */

static struct slice text_of(const struct decode__elastic *d, const char *path)
{
    for (size_t i = 0; i < d->leaves.len; i++) {
        if (d->leaves.items[i].is_text && slice_eq_cstr(d->leaves.items[i].path, path))
            return d->leaves.items[i].text;
    }
    return SLICE("");
}

static bool names_something(struct slice path)
{
    static const char *const ids[] = {"pid", "id", "oid", "uid", "port"};
    return IS_ONE_OF(last_of(path), ids);
}

static bool is_about_sending(struct slice path)
{
    static const char *const roots[] = {"agent", "ecs",         "event",     "metricset", "input",
                                        "beat",  "data_stream", "@metadata", "@version",  "tags"};
    return IS_ONE_OF(root_of(path), roots);
}

static bool is_sample(const struct decode__elastic_leaf *l)
{
    static const char *const others[] = {"pgid", "ppid", "gid"};
    return !l->is_text && !is_about_sending(l->path) && !names_something(l->path) &&
           !IS_ONE_OF(last_of(l->path), others) && slice_find(l->path, SLICE(".parent.")) < 0;
}

/* The part of the path that is the label's name; empty when it is none. */
static struct slice label_of(const struct decode__elastic_leaf *l, struct slice module,
                             struct slice metricset)
{
    static const char *const roots[] = {"process", "container", "kubernetes", "service",
                                        "user",    "labels",    "fields"};
    static const char *const clouds[] = {"cloud.region", "cloud.availability_zone",
                                         "cloud.instance.id"};
    static const char *const states[] = {
        "state",  "sub_state",    "phase",      "reason",           "message", "cmdline",
        "status", "args",         "start",      "created",          "command", "executable",
        "type",   "command_line", "start_time", "working_directory"};
    struct slice path = l->path, last = last_of(path);
    int64_t ns;
    size_t len;
    if (slice_eq_cstr(path, "host.name"))
        return path;
    if (!l->text.len || l->text.len > LABEL_BYTES_MAX || (!l->is_text && !names_something(path)) ||
        IS_ONE_OF(last, states) || slice_find(path, SLICE(".env.")) >= 0 ||
        slice_find(path, SLICE(".parent.")) >= 0 ||
        (l->is_text && !decode_timestamp_iso(l->text, &ns, &len)))
        return SLICE("");
    if (cut_prefix(&path, module)) {
        (void)cut_prefix(&path, metricset);
        return path;
    }
    return IS_ONE_OF(root_of(path), roots) || IS_ONE_OF(path, clouds) ? path : SLICE("");
}

static struct slice name_of(struct decode__elastic *d, struct slice path)
{
    struct buf name = {0};
    for (size_t i = 0; i < path.len; i++) {
        char c = path.ptr[i];
        bool digit = c >= '0' && c <= '9';
        if (digit && !i)
            buf_append_char(&name, '_');
        buf_append_char(&name, digit || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ? c : '_');
    }
    struct slice out = arena_slice(d->req->arena, buf_slice(&name));
    buf_deinit(&name);
    return out;
}

static bool read_time(struct slice text, int64_t *out_ns)
{
    int64_t ms;
    size_t len = 0;
    if (codec_text_to_int(text, &ms))
        return !__builtin_mul_overflow(ms, NS_PER_MS, out_ns);
    return !decode_timestamp_iso(text, out_ns, &len) && len == text.len;
}

/* --- the document --- */

static int add_samples(struct decode__elastic *d, int64_t ts_ns, uint32_t *out_samples)
{
    struct slice module = text_of(d, "event.module"), metricset = text_of(d, "metricset.name");
    if (!module.len)
        module = text_of(d, "metricset.module"); /* before 7.0 */
    data_labels_builder_reset(&d->labels);
    for (size_t i = 0; i < d->leaves.len; i++) {
        struct slice name = label_of(&d->leaves.items[i], module, metricset);
        if (name.len)
            data_labels_builder_set(&d->labels, name_of(d, name), d->leaves.items[i].text);
    }
    for (size_t i = 0; i < d->leaves.len; i++) {
        const struct decode__elastic_leaf *l = &d->leaves.items[i];
        struct data_labels labels;
        if (!is_sample(l))
            continue;
        data_labels_builder_set(&d->labels, SLICE(DATA_METRIC_NAME), name_of(d, l->path));
        (void)data_labels_builder_finish(&d->labels, &labels, NULL); /* names are set: distinct */
        data_metric_batch_add_sample(d->req->metrics,
                                     data_metric_batch_add_series(d->req->metrics, labels), ts_ns,
                                     l->value);
        ++*out_samples;
    }
    return 0;
}

int decode__elastic_metricset(struct decode__elastic *d, struct slice source, uint32_t *out_samples,
                              int64_t *out_ts_ns, enum decode_elastic_refusal *reason,
                              struct diag *why)
{
    struct codec_json_reader r = codec_json_reader(source, d->req->arena, why);
    int64_t ts_ns = d->req->received_ns;
    *out_samples = 0;
    if (!d->req->metrics || slice_find(source, SLICE("\"metricset")) < 0)
        return 0;
    r.utf8 = CODEC_JSON_UTF8_REPLACE;
    buf_clear(&d->path);
    vec_clear(&d->leaves);
    read_object(d, &r);
    if (codec_json_read_end(&r)) {
        *reason = DECODE_ELASTIC_BAD_JSON;
        return r.err;
    }
    if (!text_of(d, "metricset.name").len)
        return 0;
    for (size_t i = 0; i < d->leaves.len; i++) {
        const struct decode__elastic_leaf *l = &d->leaves.items[i];
        if (!slice_eq_cstr(l->path, "@timestamp") || read_time(l->text, &ts_ns))
            continue;
        *reason = DECODE_ELASTIC_BAD_TIME;
        return diag_set(why, ERR_INVALID,
                        "failed to parse field [@timestamp] of type [date]: '%.*s' is neither ISO "
                        "8601 nor milliseconds since 1970",
                        SLICE_FMT(slice_first(l->text, 100)));
    }
    *out_ts_ns = ts_ns;
    return add_samples(d, ts_ns, out_samples);
}
