#include "input/statsd/identity.h"

#include <stdlib.h>

#include "codec/utf8.h"

static void add_tag(struct statsd_identity *id, struct slice tag, char separator)
{
    struct data_label *to = &id->tags[id->tag_count];
    ptrdiff_t at = slice_find_char(tag, separator);
    tag = slice_trim(tag);
    if (!tag.len || at == 0)
        return;
    to->name = at < 0 ? tag : slice_trim(slice_first(tag, (size_t)at));
    to->value = at < 0 ? SLICE("") : slice_from(tag, (size_t)at + 1);
    id->tag_count += to->name.len > 0;
}

static size_t count_of(struct slice s, char c)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++)
        n += s.ptr[i] == c;
    return n;
}

static void add_tags(struct statsd_identity *id, struct slice list, char between, char separator)
{
    struct slice tag;
    while (slice_split(&list, between, &tag))
        add_tag(id, tag, separator);
}

static void add_origin(struct statsd_identity *id, const char *name, struct slice value)
{
    if (value.len && id->origin_count < ARRAY_LEN(id->origin))
        id->origin[id->origin_count++] = (struct data_label){slice_cstr(name), value};
}

/* DogStatsD 1.4: "ci-<id>", "in-<inode>"; before that just the id. */
static void read_container(struct statsd_identity *id, struct slice s)
{
    if (slice_starts_with(s, SLICE("in-")))
        add_origin(id, "container_inode", slice_from(s, 3));
    else
        add_origin(id, "container_id", slice_starts_with(s, SLICE("ci-")) ? slice_from(s, 3) : s);
}

/* DogStatsD 1.5: "it-false,cn-name,pu-uid". */
static void read_external(struct statsd_identity *id, struct slice s)
{
    struct slice part;
    while (slice_split(&s, ',', &part)) {
        if (slice_starts_with(part, SLICE("cn-")))
            add_origin(id, "container_name", slice_from(part, 3));
        else if (slice_starts_with(part, SLICE("pu-")))
            add_origin(id, "pod_uid", slice_from(part, 3));
    }
}

/* "|#a:b,c|c:id|e:it-..." */
static void read_tail(struct statsd_identity *id, struct slice tail)
{
    struct slice section;
    while (slice_split(&tail, '|', &section)) {
        if (slice_starts_with(section, SLICE("#")))
            add_tags(id, slice_from(section, 1), ',', ':');
        else if (slice_starts_with(section, SLICE("c:")))
            read_container(id, slice_from(section, 2));
        else if (slice_starts_with(section, SLICE("e:")))
            read_external(id, slice_from(section, 2));
    }
}

void statsd__identify(struct slice name, struct slice tail, bool is_node, struct arena *arena,
                      struct statsd_identity *out)
{
    size_t max =
        count_of(name, ',') + count_of(name, ';') + count_of(tail, ',') + count_of(tail, '|') + 2;
    *out = (struct statsd_identity){.name = name};
    out->tags = ARENA_ARRAY(arena, struct data_label, max);
    if (is_node) {
        ptrdiff_t at = slice_find_char(name, ';');
        if (at >= 0) {
            out->name = slice_first(name, (size_t)at);
            add_tags(out, slice_from(name, (size_t)at + 1), ';', '=');
        }
        return;
    }
    ptrdiff_t open = slice_find_char(name, '['), close = slice_find_char(name, ']');
    if (open >= 0 && close > open) { /* SignalFx: anywhere in the name */
        struct slice before = slice_first(name, (size_t)open);
        struct slice after = slice_from(name, (size_t)close + 1);
        out->name = after.len ? arena_printf(arena, "%.*s%.*s", SLICE_FMT(before), SLICE_FMT(after))
                              : before;
        add_tags(out, slice_make(name.ptr + open + 1, (size_t)(close - open - 1)), ',', '=');
    } else {
        size_t at = 0;
        while (at < name.len && name.ptr[at] != '#' && name.ptr[at] != ',')
            at++;
        if (at < name.len && at > 0) { /* Librato, Influx */
            out->name = slice_first(name, at);
            add_tags(out, slice_from(name, at + 1), ',', '=');
        }
    }
    read_tail(out, tail);
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

void statsd__escape(struct slice name, struct buf *out)
{
    if (name.len && name.ptr[0] >= '0' && name.ptr[0] <= '9')
        buf_append_char(out, '_');
    for (size_t i = 0; i < name.len;) {
        uint32_t code;
        size_t n = codec_utf8_decode(slice_from(name, i), &code);
        if (is_word(name.ptr[i]))
            buf_append_char(out, name.ptr[i]);
        else if (name.ptr[i] != '-' || i == 0 || name.ptr[i - 1] != '-')
            buf_append_char(out, '_');
        i += n ? n : 1;
    }
}

void statsd__wash(struct slice name, struct buf *out)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool space = c == ' ' || (c >= '\t' && c <= '\r');
        if (space && i + 1 < name.len &&
            (name.ptr[i + 1] == ' ' || (name.ptr[i + 1] >= '\t' && name.ptr[i + 1] <= '\r')))
            continue; /* a run of it is one */
        if (space)
            buf_append_char(out, '_');
        else if (c == '/')
            buf_append_char(out, '-');
        else if (is_word(c) || c == '-' || c == '.' || c == ';' || c == '=')
            buf_append_char(out, c);
    }
}

static int by_name(const void *a, const void *b)
{
    const struct data_label *x = a, *y = b;
    int c = slice_cmp(x->name, y->name);
    return c ? c : slice_cmp(x->value, y->value);
}

static void append_washed_tag(struct slice part, bool is_name, struct buf *out)
{
    size_t from = out->len;
    statsd__wash(part, out);
    for (size_t i = from; i < out->len; i++) {
        if (out->ptr[i] == ';' || (is_name && out->ptr[i] == '='))
            out->ptr[i] = '_';
    }
}

void statsd__path(const struct statsd_identity *id, struct buf *out)
{
    statsd__wash(id->name, out);
    if (id->tag_count > 1)
        qsort(id->tags, id->tag_count, sizeof(*id->tags), by_name);
    for (size_t i = 0; i < id->tag_count; i++) {
        buf_append_char(out, ';');
        append_washed_tag(id->tags[i].name, true, out);
        if (id->tags[i].value.len) {
            buf_append_char(out, '=');
            append_washed_tag(id->tags[i].value, false, out);
        }
    }
}
