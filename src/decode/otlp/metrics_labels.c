/* Label sets of points: resource, scope and attributes made one, under their translated names. */
#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"
#include "decode/otlp/metrics_priv.h"

#define INSERTION_MAX 32

bool decode__otlp_label_name(struct decode__otlp_metrics *m, struct slice key, struct slice *out)
{
    struct decode_otlp_scratch *s = m->w.scratch;
    key = decode__otlp_utf8(&m->w, key);
    if (BASE_LIKELY(decode_otlp_label_is_plain(m->translation, key))) {
        *out = key;
        return true;
    }
    struct decode__otlp_name_slot *slot =
        &m->st->names[hash64(key.ptr, key.len, 0) % DECODE__OTLP_NAME_SLOTS];
    if (slot->name.len && slice_eq(slot->key, key)) {
        *out = slot->name;
        return true;
    }
    buf_clear(&s->text);
    if (!decode_otlp_label_name(m->translation, key, &s->text))
        return false;
    *out = arena_slice(s->arena, buf_slice(&s->text));
    slot->key = key;
    slot->name = *out;
    return true;
}

static int by_key(const void *a, const void *b)
{
    return slice_cmp(((const struct decode__otlp_attribute *)a)->key,
                     ((const struct decode__otlp_attribute *)b)->key);
}

/* Sorted by key, equal ones in the order they were sent. */
static void sort_attributes(decode__otlp_attributes *l)
{
    if (l->len > INSERTION_MAX) {
        qsort(l->items, l->len, sizeof(*l->items), by_key);
        return;
    }
    for (size_t i = 1; i < l->len; i++) {
        struct decode__otlp_attribute a = l->items[i];
        size_t k = i;
        for (; k && slice_cmp(l->items[k - 1].key, a.key) > 0; k--)
            l->items[k] = l->items[k - 1];
        l->items[k] = a;
    }
}

/* Where a label of this name is, or would go. */
static size_t place_of(const struct data_label *items, size_t count, struct slice name,
                       bool *out_found)
{
    size_t low = 0, high = count;
    *out_found = false;
    /* Keys come sorted and their names nearly so: mostly it belongs at the end. */
    if (!count || slice_cmp(items[count - 1].name, name) < 0)
        return count;
    while (low < high) {
        size_t mid = (low + high) / 2;
        int c = slice_cmp(items[mid].name, name);
        if (!c)
            *out_found = true;
        if (c < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static const char *attribute_problem(int err)
{
    return err == ERR_LIMIT ? "is nested too deep" : "is damaged";
}

/* m->st->attributes from the point's. Two keys that became one name have their values joined. */
static bool attribute_labels(struct decode__otlp_metrics *m)
{
    struct decode__otlp_metric_state *st = m->st;
    decode__otlp_attributes *l = &m->w.scratch->point;
    vec_clear(&st->attributes);
    if (l->len > DECODE_OTLP_LABELS)
        return decode__otlp_refuse(&m->w, DECODE_OTLP_TOO_MANY, 1,
                                   "metric \"%.*s\": a point has %zu attributes, %d at most are "
                                   "labels",
                                   SLICE_FMT(slice_first(m->name, 200)), l->len,
                                   DECODE_OTLP_LABELS);
    sort_attributes(l);
    for (size_t i = 0; i < l->len; i++) {
        const struct decode__otlp_attribute *a = &l->items[i];
        struct data_label label;
        bool found;
        if (slice_eq_cstr(a->key, DATA_METRIC_NAME))
            continue; /* the metric's name is never an attribute */
        if (!decode__otlp_label_name(m, a->key, &label.name))
            return decode__otlp_refuse(
                &m->w, DECODE_OTLP_BAD_ATTRIBUTE, 1,
                "metric \"%.*s\": the attribute key \"%.*s\" makes no label name",
                SLICE_FMT(slice_first(m->name, 200)), SLICE_FMT(slice_first(a->key, 200)));
        int err = decode__otlp_text(&m->w, &a->value, &label.value);
        if (err)
            return decode__otlp_refuse(
                &m->w, err == ERR_LIMIT ? DECODE_OTLP_TOO_DEEP : DECODE_OTLP_BAD_ATTRIBUTE, 1,
                "metric \"%.*s\": the attribute \"%.*s\" %s", SLICE_FMT(slice_first(m->name, 200)),
                SLICE_FMT(slice_first(a->key, 200)), attribute_problem(err));
        size_t at = place_of(st->attributes.items, st->attributes.len, label.name, &found);
        if (found) {
            struct data_label *have = &st->attributes.items[at];
            have->value = have->value.len
                              ? arena_printf(m->w.scratch->arena, "%.*s;%.*s",
                                             SLICE_FMT(have->value), SLICE_FMT(label.value))
                              : label.value;
            continue;
        }
        vec_push(&st->attributes, label);
        struct data_label *items = st->attributes.items;
        memmove(&items[at + 1], &items[at], (st->attributes.len - 1 - at) * sizeof(*items));
        items[at] = label;
    }
    return true;
}

static void push_label(struct decode__otlp_metric_state *st, struct data_label l)
{
    vec_push(&st->labels, l);
    st->labels_room += 2 * CODEC_VARINT_MAX + l.name.len + l.value.len;
}

bool decode__otlp_labels(struct decode__otlp_metrics *m, const char *extra)
{
    struct decode__otlp_metric_state *st = m->st;
    if (!attribute_labels(m))
        return false;
    const struct slice names[2] = {SLICE(DATA_METRIC_NAME), slice_cstr(extra)};
    size_t places[2] = {DECODE__OTLP_NO_LABEL, DECODE__OTLP_NO_LABEL};
    size_t i = 0, k = 0, own = 0, own_count = extra ? 2 : 1;
    vec_clear(&st->labels);
    st->labels_room = 0;
    for (;;) {
        const struct data_label *a = i < st->attributes.len ? &st->attributes.items[i] : NULL;
        const struct decode__otlp_base_label *b = k < st->base.len ? &st->base.items[k] : NULL;
        int c = !a ? 1 : !b ? -1 : slice_cmp(a->name, b->label.name);
        if (!a && !b)
            break;
        const struct data_label *take = c < 0 || (!c && b->weak) ? a : &b->label;
        i += c <= 0;
        k += c >= 0;
        /* The own labels replace what has their names. */
        bool replaced = false;
        while (own < own_count) {
            int o = slice_cmp(names[own], take->name);
            if (o > 0)
                break;
            places[own] = st->labels.len;
            push_label(st, (struct data_label){names[own], {NULL, 0}});
            own++;
            replaced |= !o;
        }
        if (!replaced && take->value.len)
            push_label(st, *take);
    }
    for (; own < own_count; own++) {
        places[own] = st->labels.len;
        push_label(st, (struct data_label){names[own], {NULL, 0}});
    }
    st->name_at = places[0];
    st->extra_at = places[1];
    return true;
}

static char *put_text(char *at, struct slice s)
{
    if (s.len)
        memcpy(at, s.ptr, s.len);
    return at + s.len;
}

bool decode__otlp_has_room(struct decode__otlp_metrics *m, size_t count)
{
    size_t one = m->st->labels_room + m->st->family.len + sizeof(struct data_batch_series);
    if (count * one <= m->key_bytes_max - MIN(m->key_bytes, m->key_bytes_max))
        return true;
    return decode__otlp_refuse(&m->w, DECODE_OTLP_TOO_LARGE, 1,
                               "metric \"%.*s\": the labels of the request's series are more than "
                               "%zu bytes together",
                               SLICE_FMT(slice_first(m->name, 200)), m->key_bytes_max);
}

uint32_t decode__otlp_series(struct decode__otlp_metrics *m, struct slice suffix,
                             struct slice extra_value)
{
    struct decode__otlp_metric_state *st = m->st;
    struct slice family = buf_slice(&st->family);
    size_t room = st->labels_room + family.len + suffix.len + extra_value.len + 16;
    char *key = arena_alloc(m->batch->arena, room), *at = key;
    base_assert(key); /* a batch's arena has no budget */
    for (size_t i = 0; i < st->labels.len; i++) {
        struct data_label l = st->labels.items[i];
        if (i == st->extra_at) {
            l.value = extra_value;
            if (!extra_value.len)
                continue;
        }
        at = codec_put_varint(at, l.name.len);
        at = put_text(at, l.name);
        if (i == st->name_at) {
            at = codec_put_varint(at, family.len + suffix.len);
            at = put_text(at, family);
            at = put_text(at, suffix);
            continue;
        }
        at = codec_put_varint(at, l.value.len);
        at = put_text(at, l.value);
    }
    m->key_bytes += room;
    return data_metric_batch_add_series_key(m->batch, slice_make(key, (size_t)(at - key)));
}
