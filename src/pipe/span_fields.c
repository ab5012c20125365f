#include "pipe/span_fields_priv.h"

#include "base/map.h"
#include "base/mem.h"
#include "codec/number.h"

/* Attributes that are known by themselves; a span's slots begin with them. */
enum {
    SLOT_PEER_SERVICE,
    SLOT_SERVER_ADDRESS,
    SLOT_PEER_ADDRESS,
    SLOT_PEER_PORT,
    SLOT_DB_NAMESPACE,
    SLOT_DB_NAME,
    SLOT_DB_SYSTEM_NAME,
    SLOT_DB_SYSTEM,
    SLOT_SHARED,
    SLOT_SERVICE,
    SLOT_SERVICE_NAMESPACE,
    SLOT_INSTANCE,
    SLOTS_FIXED
};
static const char *const fixed_slots[SLOTS_FIXED] = {
    "peer.service",  "server.address", "network.peer.address", "network.peer.port",
    "db.namespace",  "db.name",        "db.system.name",       "db.system",
    "zipkin.shared", "service.name",   "service.namespace",    "service.instance.id"};

/* --- names --- */

int pipe__span_slot(struct pipe__span_names *n, const char *setting, struct slice name,
                    uint8_t *out, struct diag *diag)
{
    bool added;
    struct map_entry *e = map_put(n->slots, name, &added);
    if (added) {
        struct buf plain = {0};
        if (n->slot_count == PIPE__SPAN_SLOTS)
            return diag_set(diag, ERR_INVALID, "%s: more than %d attributes are looked for in all",
                            setting, PIPE__SPAN_SLOTS);
        uint64_t slot = e->value.u64 = n->slot_count++;
        data_event_name_sanitize(name, &plain);
        struct map_entry *other = map_put(n->slots, buf_slice(&plain), &added);
        if (added)
            other->value.u64 = slot;
        buf_deinit(&plain);
        *out = (uint8_t)slot;
        return 0;
    }
    *out = (uint8_t)e->value.u64;
    return 0;
}

static int too_many(const char *setting, struct diag *diag)
{
    return diag_set(diag, ERR_INVALID, "%s: more than %d attributes", setting,
                    PIPE_SPAN_DIMENSIONS);
}

static int read_list(struct pipe__span_names *n, const char *setting, const char *text,
                     uint8_t *slots, size_t *count, struct diag *diag)
{
    struct slice rest = slice_cstr(text ? text : ""), name;
    int err = 0;
    while (!err && slice_split(&rest, ',', &name)) {
        name = slice_trim(name);
        if (!name.len)
            continue;
        if (*count == PIPE_SPAN_DIMENSIONS)
            return too_many(setting, diag);
        err = pipe__span_slot(n, setting, name, &slots[(*count)++], diag);
    }
    return err;
}

/* The label of an attribute; those that would take the place of one of the fixed labels get "__"
 * in front, as Tempo does. */
static struct slice label_of(struct pipe__span_names *n, struct slice name)
{
    static const char *const taken[] = {"service",
                                        "service_name",
                                        "span_name",
                                        "span_kind",
                                        "status_code",
                                        "status_message",
                                        "job",
                                        "instance",
                                        "le",
                                        "metric_overflow",
                                        "otel_metric_overflow"};
    struct buf out = {0};
    data_event_name_sanitize(name, &out);
    bool is_taken = false;
    for (size_t i = 0; i < ARRAY_LEN(taken); i++)
        is_taken |= slice_eq_cstr(buf_slice(&out), taken[i]);
    struct slice label =
        arena_printf(n->arena, "%s%.*s", is_taken ? "__" : "", SLICE_FMT(buf_slice(&out)));
    buf_deinit(&out);
    return label;
}

static int read_labels(struct pipe__span_names *n, const char *setting, const char *text,
                       struct slice *labels, struct diag *diag)
{
    struct slice rest = slice_cstr(text ? text : ""), name;
    size_t count = 0;
    while (slice_split(&rest, ',', &name)) {
        name = slice_trim(name);
        if (!name.len)
            continue;
        labels[count] = label_of(n, name);
        for (size_t i = 0; i < count; i++) {
            if (slice_eq(labels[i], labels[count]))
                return diag_set(diag, ERR_INVALID, "%s: two attributes become the label %.*s",
                                setting, SLICE_FMT(labels[i]));
        }
        count++;
    }
    return 0;
}

/* One "label=attribute+attribute". */
static int read_mapping(struct pipe__span_names *n, struct slice text, struct diag *diag)
{
    static const char setting[] = "span_metrics.dimension_mappings";
    struct slice label, rest = text, name;
    size_t at = n->dimension_count;
    (void)slice_split(&rest, '=', &label);
    label = slice_trim(label);
    if (!label.len || !slice_trim(rest).len)
        return diag_set(diag, ERR_INVALID, "%s: \"%.*s\" should be label=attribute+attribute",
                        setting, SLICE_FMT(text));
    if (at == PIPE_SPAN_DIMENSIONS)
        return too_many(setting, diag);
    while (slice_split(&rest, '+', &name)) {
        name = slice_trim(name);
        if (!name.len || n->source_count[at] == PIPE__SPAN_SOURCES)
            return diag_set(diag, ERR_INVALID, "%s: \"%.*s\" should have one to %d attributes",
                            setting, SLICE_FMT(text), PIPE__SPAN_SOURCES);
        int err = pipe__span_slot(n, setting, name, &n->sources[at][n->source_count[at]++], diag);
        if (err)
            return err;
    }
    n->dimension_labels[at] = label_of(n, label);
    for (size_t i = 0; i < at; i++) {
        if (slice_eq(n->dimension_labels[i], n->dimension_labels[at]))
            return diag_set(diag, ERR_INVALID, "%s: the label %.*s is there already", setting,
                            SLICE_FMT(n->dimension_labels[at]));
    }
    n->dimension_count++;
    return 0;
}

static int read_mappings(struct pipe__span_names *n, const char *text, struct diag *diag)
{
    struct slice rest = slice_cstr(text ? text : ""), one;
    int err = 0;
    n->mapped = n->dimension_count;
    while (!err && slice_split(&rest, ',', &one)) {
        if (slice_trim(one).len)
            err = read_mapping(n, slice_trim(one), diag);
    }
    return err;
}

static int read_intrinsics(struct pipe__span_names *n, const char *text, struct diag *diag)
{
    static const char *const names[PIPE__SPAN_INTRINSICS] = {"service", "span_name", "span_kind",
                                                             "status_code", "status_message"};
    struct slice rest = slice_cstr(text ? text : "service,span_name,span_kind,status_code"), name;
    while (slice_split(&rest, ',', &name)) {
        size_t i = 0;
        name = slice_trim(name);
        while (i < PIPE__SPAN_INTRINSICS && !slice_eq_cstr(name, names[i]))
            i++;
        if (name.len && i == PIPE__SPAN_INTRINSICS)
            return diag_set(diag, ERR_INVALID,
                            "span_metrics.intrinsic_dimensions: \"%.*s\" is none of service, "
                            "span_name, span_kind, status_code, status_message",
                            SLICE_FMT(name));
        n->intrinsics |= name.len ? 1u << i : 0;
    }
    return 0;
}

int pipe__span_names_new(const struct pipe_span_metrics_config *c, struct pipe__span_names **out,
                         struct diag *diag)
{
    struct pipe__span_names *n = *out = mem_calloc(1, sizeof(*n));
    n->arena = arena_new(1024, NULL);
    n->slots = map_new();
    n->tracestate = c->tracestate;
    for (size_t i = 0; i < SLOTS_FIXED; i++) {
        uint8_t slot;
        (void)pipe__span_slot(n, "", slice_cstr(fixed_slots[i]), &slot, NULL);
    }
    int err = read_list(n, "span_metrics.dimensions", c->dimensions, n->dimensions,
                        &n->dimension_count, diag);
    if (!err)
        err = read_labels(n, "span_metrics.dimensions", c->dimensions, n->dimension_labels, diag);
    if (!err)
        err = read_list(n, "service_graph.dimensions", c->graph_dimensions, n->graph_dimensions,
                        &n->graph_dimension_count, diag);
    if (!err)
        err =
            read_labels(n, "service_graph.dimensions", c->graph_dimensions, n->graph_labels, diag);
    if (!err)
        err = read_list(n, "service_graph.peer_attributes", c->peer_attributes, n->peers,
                        &n->peer_count, diag);
    if (!err)
        err = read_mappings(n, c->mappings, diag);
    if (!err)
        err = read_intrinsics(n, c->intrinsics, diag);
    if (!err && c->sampling_attribute && *c->sampling_attribute) {
        err = pipe__span_slot(n, "span_metrics.sampling_attribute",
                              slice_cstr(c->sampling_attribute), &n->sampling, diag);
        n->sampling++;
    }
    return err ? err : pipe__span_filter_new(c, n, &n->filter, diag);
}

void pipe__span_names_free(struct pipe__span_names *n)
{
    if (!n)
        return;
    pipe__span_filter_free(n->filter);
    map_free(n->slots);
    arena_free(n->arena);
    mem_free(n);
}

/* --- a batch --- */

struct pipe__span_walk {
    const struct pipe__span_names *names;
    const struct data_event_batch *batch;
    struct arena *arena;    /* of the resource */
    struct arena *texts;    /* of the row */
    uint8_t *slot_of_field; /* 1 + number; 0: not looked for */
    bool any;               /* the resource below was read */
    uint32_t stream, resource;
    struct data_labels labels; /* of the stream */
    struct slice job, instance;
    struct slice of_resource[PIPE__SPAN_SLOTS], of_span[PIPE__SPAN_SLOTS];
};

struct pipe__span_walk *pipe__span_walk_new(const struct pipe__span_names *names,
                                            const struct data_event_batch *batch)
{
    struct pipe__span_walk *w = mem_calloc(1, sizeof(*w));
    w->names = names;
    w->batch = batch;
    w->arena = arena_new(4096, NULL);
    w->texts = arena_new(1024, NULL);
    w->slot_of_field = mem_calloc(batch->fields.len, 1);
    for (size_t i = DATA_EVENT_INTRINSIC_COUNT; i < batch->fields.len; i++) {
        const struct data_event_field *f = &batch->fields.items[i];
        struct map_entry *e = f->scope == DATA_SCOPE_SCOPE ? NULL : map_get(names->slots, f->name);
        w->slot_of_field[i] = e ? (uint8_t)(e->value.u64 + 1) : 0;
    }
    return w;
}

void pipe__span_walk_free(struct pipe__span_walk *w)
{
    mem_free(w->slot_of_field);
    arena_free(w->texts);
    arena_free(w->arena);
    mem_free(w);
}

static struct slice text_of(struct data_value v, struct arena *arena)
{
    struct buf out = {0};
    if (v.kind == DATA_VALUE_STRING)
        return v.text;
    data_value_print(v, &out);
    struct slice text = arena_slice(arena, buf_slice(&out));
    buf_deinit(&out);
    return text;
}

static void read_resource(struct pipe__span_walk *w, const struct data_event_row *row)
{
    arena_reset(w->arena);
    memset(w->of_resource, 0, sizeof(w->of_resource));
    w->stream = row->stream;
    w->resource = row->resource;
    w->labels = (struct data_labels){0};
    (void)!data_labels_decode(w->batch->streams.items[row->stream].key, w->arena, &w->labels);
    for (size_t i = 0; i < w->labels.count; i++) {
        struct map_entry *e = map_get(w->names->slots, w->labels.items[i].name);
        if (e)
            w->of_resource[e->value.u64] = w->labels.items[i].value;
    }
    if (row->resource != DATA_EVENT_NONE) {
        const struct data_event_set *set = &w->batch->sets.items[row->resource];
        for (uint32_t i = 0; i < set->count; i++) {
            const struct data_event_attr *a = &w->batch->attrs.items[set->first + i];
            uint8_t slot = w->slot_of_field[a->field];
            if (slot)
                w->of_resource[slot - 1] = text_of(a->value, w->arena);
        }
    }
    struct slice name = w->of_resource[SLOT_SERVICE],
                 space = w->of_resource[SLOT_SERVICE_NAMESPACE];
    w->job =
        space.len ? arena_printf(w->arena, "%.*s/%.*s", SLICE_FMT(space), SLICE_FMT(name)) : name;
    w->instance = w->of_resource[SLOT_INSTANCE];
}

/* Bytes of a field of protobuf with a payload of this length. */
static size_t wire(size_t len)
{
    return len + (len < 128 ? 2 : len < 16384 ? 3 : 4);
}

static size_t wire_attribute(struct slice name, struct data_value v)
{
    size_t value = data_value_has_text(v.kind)   ? wire(v.text.len)
                   : v.kind == DATA_VALUE_DOUBLE ? 9
                                                 : 3;
    return wire(wire(name.len) + wire(value));
}

static struct slice find(const struct pipe__span_walk *w, size_t slot)
{
    return w->of_resource[slot].len ? w->of_resource[slot] : w->of_span[slot];
}

/* The database that a client calls, by the order of Tempo's rules. */
static struct slice database_of(struct pipe__span_walk *w)
{
    static const uint8_t marks[] = {SLOT_DB_NAMESPACE, SLOT_DB_NAME, SLOT_DB_SYSTEM_NAME,
                                    SLOT_DB_SYSTEM};
    struct slice name = {NULL, 0}, address;
    for (size_t i = 0; i < ARRAY_LEN(marks) && !name.len; i++)
        name = find(w, marks[i]);
    if (!name.len)
        return name;
    if (find(w, SLOT_PEER_SERVICE).len)
        return find(w, SLOT_PEER_SERVICE);
    if (find(w, SLOT_SERVER_ADDRESS).len)
        return find(w, SLOT_SERVER_ADDRESS);
    address = find(w, SLOT_PEER_ADDRESS);
    if (address.len && find(w, SLOT_PEER_PORT).len)
        return arena_printf(w->texts, "%.*s:%.*s", SLICE_FMT(address),
                            SLICE_FMT(find(w, SLOT_PEER_PORT)));
    return address.len ? address : name;
}

/* What the columns of fixed numbers say; false: no proper span. */
static bool read_fixed(struct pipe__span_walk *w, const struct data_event_row *row,
                       struct pipe__span_fields *out)
{
    const struct data_event_batch *b = w->batch;
    out->size = 18; /* both times */
    for (uint32_t i = 0; i < row->count; i++) {
        const struct data_event_attr *a = &b->attrs.items[row->first + i];
        switch (a->field) {
        case DATA_EVENT_TRACE_ID: out->trace_id = a->value.text; break;
        case DATA_EVENT_SPAN_ID: out->span_id = a->value.text; break;
        case DATA_EVENT_PARENT_ID: out->parent_id = a->value.text; break;
        case DATA_EVENT_NAME: out->name = a->value.text; break;
        case DATA_EVENT_KIND:
            out->kind = a->value.i < 0 || a->value.i > 5 ? 0 : (int)a->value.i;
            break;
        case DATA_EVENT_STATUS:
            out->status = a->value.i < 0 || a->value.i > 2 ? 0 : (int)a->value.i;
            break;
        case DATA_EVENT_DURATION: out->duration_ns = a->value.i; break;
        case DATA_EVENT_STATUS_MESSAGE: out->status_message = a->value.text; break;
        case DATA_EVENT_TRACE_STATE: out->trace_state = a->value.text; break;
        default:
            if (a->field < DATA_EVENT_INTRINSIC_COUNT)
                break;
            out->size += wire_attribute(b->fields.items[a->field].name, a->value);
            if (w->slot_of_field[a->field])
                w->of_span[w->slot_of_field[a->field] - 1] = text_of(a->value, w->texts);
            continue;
        }
        out->size += data_value_has_text(a->value.kind) ? wire(a->value.text.len) : 2;
    }
    return out->trace_id.len == 16 && out->span_id.len == 8 &&
           (!out->parent_id.len || out->parent_id.len == 8);
}

static size_t size_children(const struct data_event_batch *b, const struct data_event_row *row)
{
    size_t size = 0;
    for (uint32_t i = 0; i < row->child_count; i++) {
        const struct data_event_child *c = &b->children.items[row->first_child + i];
        size_t own =
            c->kind == DATA_CHILD_EVENT ? 9 + wire(c->name.len) : 28 + wire(c->trace_state.len);
        for (uint32_t k = 0; k < c->count; k++) {
            const struct data_event_attr *a = &b->child_attrs.items[c->first + k];
            own += wire_attribute(b->fields.items[a->field].name, a->value);
        }
        size += wire(own);
    }
    return size;
}

/* Of the attributes that are there, with slashes between. */
static struct slice joined(struct pipe__span_walk *w, size_t dimension)
{
    const struct pipe__span_names *n = w->names;
    struct buf out = {0};
    for (size_t i = 0; i < n->source_count[dimension]; i++) {
        struct slice v = find(w, n->sources[dimension][i]);
        if (v.len)
            buf_printf(&out, "%s%.*s", out.len ? "/" : "", SLICE_FMT(v));
    }
    struct slice text = arena_slice(w->texts, buf_slice(&out));
    buf_deinit(&out);
    return text;
}

static double weight_of(const struct pipe__span_walk *w, const struct pipe__span_fields *f)
{
    double out = w->names->tracestate ? pipe__span_adjusted_count(f->trace_state) : 0, ratio;
    if (out > 0 || !w->names->sampling)
        return out > 0 ? out : 1;
    size_t slot = w->names->sampling - 1u;
    struct slice text = w->of_span[slot].len ? w->of_span[slot] : w->of_resource[slot];
    /* A ratio so small says that something else was meant. */
    bool is_ratio = codec_text_to_double(text, &ratio, NULL) && ratio >= 1e-12 && ratio <= 1e12;
    return is_ratio ? 1 / ratio : 1;
}

bool pipe__span_walk_read(struct pipe__span_walk *w, size_t index, struct pipe__span_fields *out,
                          bool *out_new_resource)
{
    const struct data_event_row *row = &w->batch->rows.items[index];
    const struct pipe__span_names *n = w->names;
    *out_new_resource = !w->any || row->stream != w->stream || row->resource != w->resource;
    if (*out_new_resource)
        read_resource(w, row);
    w->any = true;
    memset(w->of_span, 0, n->slot_count * sizeof(*w->of_span));
    arena_reset(w->texts);
    memset(out, 0, offsetof(struct pipe__span_fields, dimensions));
    if (!read_fixed(w, row, out))
        return false;
    out->size += size_children(w->batch, row);
    out->tenant = w->batch->tenant;
    out->service = w->of_resource[SLOT_SERVICE];
    out->job = w->job;
    out->instance = w->instance;
    out->start_ns = row->ts_ns;
    out->is_shared = w->of_span[SLOT_SHARED].len == 4; /* true */
    out->weight = weight_of(w, out);
    out->of_resource = w->of_resource;
    out->of_span = w->of_span;
    for (size_t i = 0; i < n->mapped; i++)
        out->dimensions[i] = find(w, n->dimensions[i]);
    for (size_t i = n->mapped; i < n->dimension_count; i++)
        out->dimensions[i] = joined(w, i);
    for (size_t i = 0; i < n->graph_dimension_count; i++)
        out->graph_dimensions[i] = find(w, n->graph_dimensions[i]);
    out->peer = out->database = SLICE("");
    if (out->kind < 2)
        return true;
    for (size_t i = 0; i < n->peer_count && !out->peer.len; i++)
        out->peer = w->of_span[n->peers[i]];
    out->database = database_of(w);
    return true;
}

struct data_labels pipe__span_walk_target(struct pipe__span_walk *w,
                                          const struct pipe__span_fields *fields)
{
    struct data_labels_builder builder = {0};
    struct data_labels labels = {0};
    struct buf name = {0};
    for (size_t i = 0; i < w->labels.count; i++) {
        if (!slice_starts_with(w->labels.items[i].name, SLICE("service_")))
            data_labels_builder_set(&builder, w->labels.items[i].name, w->labels.items[i].value);
    }
    const struct data_event_set *set =
        w->resource == DATA_EVENT_NONE ? NULL : &w->batch->sets.items[w->resource];
    for (uint32_t i = 0; set && i < set->count; i++) {
        const struct data_event_attr *a = &w->batch->attrs.items[set->first + i];
        uint8_t slot = w->slot_of_field[a->field];
        if (a->field < DATA_EVENT_INTRINSIC_COUNT ||
            (slot > SLOT_SERVICE && slot <= SLOTS_FIXED)) /* in job and instance */
            continue;
        buf_clear(&name);
        data_event_name_sanitize(w->batch->fields.items[a->field].name, &name);
        data_labels_builder_set(&builder, arena_slice(w->texts, buf_slice(&name)),
                                slice_first(text_of(a->value, w->texts), 1024));
    }
    data_labels_builder_set(&builder, SLICE("job"), fields->job);
    data_labels_builder_set(&builder, SLICE("instance"), fields->instance);
    if (!data_labels_builder_finish(&builder, &labels, NULL))
        labels = data_labels_copy(w->texts, labels);
    data_labels_builder_deinit(&builder);
    buf_deinit(&name);
    return labels;
}
