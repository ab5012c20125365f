/* Version 1 of Zipkin's JSON: what a span is follows from its annotations. "cs", "cr" are a
 * client's begin and end, "sr", "ss" a server's, "ms" and "mr" a message's; "sa", "ca" and "ma" say
 * who is at the other end. */
#include "base/mem.h"
#include "decode/zipkin_priv.h"

enum { CS, CR, SR, SS, MS, MR, CORE_COUNT };
static const char core_names[CORE_COUNT][3] = {"cs", "cr", "sr", "ss", "ms", "mr"};
enum { SA, CA, MA, ADDRESS_COUNT };
static const char address_names[ADDRESS_COUNT][3] = {"sa", "ca", "ma"};

struct note {
    struct decode__zipkin_annotation a;
    struct decode__zipkin_endpoint endpoint;
};

struct binary {
    struct decode__zipkin_tag tag;
    struct decode__zipkin_endpoint endpoint;
};

struct v1 {
    struct decode__zipkin *z;
    struct decode__zipkin_span base; /* ids, name, times */
    bool has_core[CORE_COUNT];
    struct note core[CORE_COUNT];
    struct decode__zipkin_endpoint addresses[ADDRESS_COUNT];
    VEC(struct note) notes;
    VEC(struct binary) binaries;
};

static int find(const char (*names)[3], int count, struct slice name)
{
    for (int i = 0; i < count; i++) {
        if (slice_eq_cstr(name, names[i]))
            return i;
    }
    return -1;
}

static void read_note(struct codec_json_reader *r, struct v1 *v)
{
    struct note n = {0};
    struct slice key;
    (void)codec_json_read_object(r);
    while (codec_json_next_key(r, &key)) {
        if (codec_json_read_null(r))
            continue;
        if (slice_eq_cstr(key, "timestamp"))
            (void)codec_json_read_int(r, &n.a.us);
        else if (slice_eq_cstr(key, "value"))
            (void)codec_json_read_string(r, &n.a.value);
        else if (slice_eq_cstr(key, "endpoint"))
            decode__zipkin_read_endpoint(r, &n.endpoint);
    }
    int core = find(core_names, CORE_COUNT, n.a.value);
    if (core >= 0) {
        v->has_core[core] = true;
        v->core[core] = n;
    } else {
        vec_push(&v->notes, n);
    }
}

static void read_binary(struct codec_json_reader *r, struct v1 *v)
{
    struct binary b = {.tag = {SLICE(""), SLICE("")}};
    struct slice key;
    bool is_true = false;
    (void)codec_json_read_object(r);
    while (codec_json_next_key(r, &key)) {
        enum codec_json_kind kind;
        if (codec_json_read_null(r))
            continue;
        if (slice_eq_cstr(key, "key")) {
            (void)codec_json_read_string(r, &b.tag.key);
        } else if (slice_eq_cstr(key, "value") && codec_json_peek(r, &kind)) {
            if (kind == CODEC_JSON_STRING)
                (void)codec_json_read_string(r, &b.tag.value);
            else
                (void)codec_json_read_raw(r, &b.tag.value);
            is_true = slice_eq_cstr(b.tag.value, "true");
        } else if (slice_eq_cstr(key, "endpoint")) {
            decode__zipkin_read_endpoint(r, &b.endpoint);
        }
    }
    int address = find(address_names, ADDRESS_COUNT, b.tag.key);
    if (address >= 0 && is_true)
        v->addresses[address] = b.endpoint;
    else
        vec_push(&v->binaries, b);
}

static void read_span(struct codec_json_reader *r, struct v1 *v)
{
    struct decode__zipkin_span *s = &v->base;
    struct slice key, text = {NULL, 0};
    (void)codec_json_read_object(r);
    while (codec_json_next_key(r, &key)) {
        if (codec_json_read_null(r))
            continue;
        if (slice_eq_cstr(key, "traceId") && codec_json_read_string(r, &text)) {
            s->has_trace_id = decode__zipkin_read_id(text, s->trace_id, 16);
        } else if (slice_eq_cstr(key, "id") && codec_json_read_string(r, &text)) {
            s->has_id = decode__zipkin_read_id(text, s->id, 8);
        } else if (slice_eq_cstr(key, "parentId") && codec_json_read_string(r, &text)) {
            s->has_parent_id = decode__zipkin_read_id(text, s->parent_id, 8);
        } else if (slice_eq_cstr(key, "name")) {
            (void)codec_json_read_string(r, &s->name);
        } else if (slice_eq_cstr(key, "timestamp")) {
            (void)codec_json_read_int(r, &s->us);
        } else if (slice_eq_cstr(key, "duration")) {
            (void)codec_json_read_int(r, &s->duration_us);
        } else if (slice_eq_cstr(key, "debug")) {
            (void)codec_json_read_bool(r, &s->debug);
        } else if (slice_eq_cstr(key, "annotations")) {
            (void)codec_json_read_array(r);
            while (codec_json_next_item(r))
                read_note(r, v);
        } else if (slice_eq_cstr(key, "binaryAnnotations")) {
            (void)codec_json_read_array(r);
            while (codec_json_next_item(r))
                read_binary(r, v);
        }
    }
}

/* --- one or two spans of it --- */

static const struct decode__zipkin_endpoint *endpoint_of(const struct v1 *v, int begin, int end)
{
    return &v->core[v->has_core[begin] ? begin : end].endpoint;
}

/* What is said by the server, of a span that both sides speak of; else all is of the one side. */
static bool is_servers(const struct v1 *v, const struct decode__zipkin_endpoint *by)
{
    return slice_eq_nocase(by->service, endpoint_of(v, SR, SS)->service) &&
           !slice_eq_nocase(by->service, endpoint_of(v, CS, CR)->service);
}

static const struct decode__zipkin_endpoint *remote_of(const struct v1 *v, int kind)
{
    switch (kind) {
    case 2: return &v->addresses[CA];
    case 3: return &v->addresses[SA];
    case 4:
    case 5: return &v->addresses[MA];
    default: return &v->addresses[v->addresses[SA].service.len ? SA : CA];
    }
}

/* `begin` and `end`: its core annotations; the same one for messages, -1 for none. `two`: the span
 * is one of two. */
static void put_span(struct v1 *v, int kind, int begin, int end, bool two, bool shared)
{
    struct decode__zipkin *z = v->z;
    decode__zipkin_begin_span(z);
    struct decode__zipkin_span *s = &z->span, fresh = v->base;
    bool server = kind == 2, begins = begin >= 0 && v->has_core[begin];
    fresh.annotations = s->annotations;
    fresh.tags = s->tags;
    *s = fresh;
    s->kind = kind;
    s->shared = shared;
    s->remote = *remote_of(v, kind);
    if (begin >= 0)
        s->local = *endpoint_of(v, begin, end);
    for (size_t i = 0; i < v->notes.len; i++) {
        if (!two || is_servers(v, &v->notes.items[i].endpoint) == server)
            vec_push(&s->annotations, v->notes.items[i].a);
        if (begin < 0 && !s->local.service.len)
            s->local = v->notes.items[i].endpoint;
    }
    for (size_t i = 0; i < v->binaries.len; i++) {
        if (!two || is_servers(v, &v->binaries.items[i].endpoint) == server)
            vec_push(&s->tags, v->binaries.items[i].tag);
        if (begin < 0 && !s->local.service.len)
            s->local = v->binaries.items[i].endpoint;
    }
    /* The span's own times are those of the side that began it. */
    if (two && server)
        s->us = s->duration_us = 0;
    if (!s->us && begin >= 0)
        s->us = v->core[begins ? begin : end].a.us;
    else if (!s->us && s->annotations.len)
        s->us = s->annotations.items[0].us;
    if (!s->duration_us && begins && v->has_core[end])
        s->duration_us = MAX(v->core[end].a.us - v->core[begin].a.us, 0);
    decode__zipkin_finish_span(z);
}

static void put_spans(struct v1 *v)
{
    bool client = v->has_core[CS] || v->has_core[CR], server = v->has_core[SR] || v->has_core[SS];
    if (client)
        put_span(v, 3, CS, CR, server, false);
    /* A server's span without times of its own joined the client's. */
    if (server)
        put_span(v, 2, SR, SS, client, client || !v->base.us);
    if (client || server)
        return;
    if (v->has_core[MS] || v->has_core[MR])
        put_span(v, v->has_core[MR] ? 5 : 4, v->has_core[MR] ? MR : MS, v->has_core[MR] ? MR : MS,
                 false, false);
    else
        put_span(v, v->addresses[SA].service.len ? 3 : 0, -1, -1, false, false);
}

int decode__zipkin_read_v1(struct decode__zipkin *z, struct slice body)
{
    struct codec_json_reader r = codec_json_reader(body, z->arena, z->diag);
    struct v1 v = {.z = z};
    (void)codec_json_read_array(&r);
    while (codec_json_next_item(&r)) {
        struct v1 fresh = {.z = z, .notes = v.notes, .binaries = v.binaries};
        vec_clear(&fresh.notes);
        vec_clear(&fresh.binaries);
        v = fresh;
        read_span(&r, &v);
        if (!r.err)
            put_spans(&v);
    }
    vec_free(&v.notes);
    vec_free(&v.binaries);
    return codec_json_read_end(&r);
}
