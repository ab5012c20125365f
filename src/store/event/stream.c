#include "store/event/stream.h"

#include "base/mem.h"
#include "codec/bytes.h"

#define TABLE_MIN 16

static struct hash128 id_of(struct slice tenant, struct hash128 labels_id)
{
    labels_id.lo ^= hash64(tenant.ptr, tenant.len, 1);
    return labels_id;
}

static struct store_stream_bucket *bucket_of(struct store_streams *r, struct hash128 id)
{
    return &r->buckets[id.hi % STORE__STREAM_LOCKS];
}

void store_streams_init(struct store_streams *r)
{
    for (size_t i = 0; i < STORE__STREAM_LOCKS; i++) {
        struct store_stream_bucket *b = &r->buckets[i];
        pthread_mutex_init(&b->lock, NULL);
        b->size = TABLE_MIN;
        b->table = mem_calloc(b->size, sizeof(struct store_stream *));
    }
}

void store_streams_deinit(struct store_streams *r)
{
    for (size_t i = 0; i < STORE__STREAM_LOCKS; i++) {
        pthread_mutex_destroy(&r->buckets[i].lock);
        mem_free(r->buckets[i].table);
    }
}

/* Labels of a key, without copying; false when it is none. */
static bool split_key(struct slice key, struct data_label *labels, size_t *out_count)
{
    size_t n = 0;
    struct slice last = {NULL, 0};
    while (key.len) {
        struct slice name, value;
        if (!codec_take_text(&key, &name) || !codec_take_text(&key, &value) || !value.len ||
            (n && slice_cmp(last, name) >= 0))
            return false;
        if (labels)
            labels[n] = (struct data_label){name, value};
        last = name;
        n++;
    }
    *out_count = n;
    return true;
}

static struct store_stream *find(const struct store_stream_bucket *b, struct hash128 id)
{
    struct store_stream *s = b->table[id.lo & (b->size - 1)];
    while (s && !hash128_eq(s->id, id))
        s = s->next;
    return s;
}

static void grow(struct store_stream_bucket *b)
{
    size_t size = b->size * 2;
    struct store_stream **table = mem_calloc(size, sizeof(struct store_stream *));
    for (size_t i = 0; i < b->size; i++) {
        for (struct store_stream *s = b->table[i], *next; s; s = next) {
            next = s->next;
            s->next = table[s->id.lo & (size - 1)];
            table[s->id.lo & (size - 1)] = s;
        }
    }
    mem_free(b->table);
    b->table = table;
    b->size = size;
}

static struct store_stream *new_stream(struct slice tenant, struct slice key, struct hash128 id,
                                       struct hash128 labels_id, size_t count)
{
    size_t bytes = sizeof(struct store_stream) + count * sizeof(struct data_label);
    struct store_stream *s = mem_alloc(bytes + tenant.len + key.len);
    struct data_label *labels = (struct data_label *)(void *)(s + 1);
    char *text = (char *)s + bytes;
    memset(s, 0, sizeof(*s));
    if (tenant.len)
        memcpy(text, tenant.ptr, tenant.len);
    if (key.len)
        memcpy(text + tenant.len, key.ptr, key.len);
    s->id = id;
    s->labels_id = labels_id;
    s->tenant = slice_make(text, tenant.len);
    s->key = slice_make(text + tenant.len, key.len);
    split_key(s->key, labels, &count);
    s->labels = (struct data_labels){labels, count};
    return s;
}

struct store_stream *store_streams_get(struct store_streams *r, struct slice tenant,
                                       struct slice key)
{
    struct hash128 labels_id = data_labels_key_hash(key), id = id_of(tenant, labels_id);
    struct store_stream_bucket *b = bucket_of(r, id);
    size_t count;
    pthread_mutex_lock(&b->lock);
    struct store_stream *s = find(b, id);
    if (!s && split_key(key, NULL, &count)) {
        s = new_stream(tenant, key, id, labels_id, count);
        if (b->count >= b->size)
            grow(b);
        s->next = b->table[id.lo & (b->size - 1)];
        b->table[id.lo & (b->size - 1)] = s;
        b->count++;
        r->count++;
    }
    if (s)
        s->refs++;
    pthread_mutex_unlock(&b->lock);
    return s;
}

bool store_streams_has(struct store_streams *r, struct slice tenant, struct hash128 labels_id)
{
    struct hash128 id = id_of(tenant, labels_id);
    struct store_stream_bucket *b = bucket_of(r, id);
    pthread_mutex_lock(&b->lock);
    bool has = find(b, id) != NULL;
    pthread_mutex_unlock(&b->lock);
    return has;
}

void store_streams_put(struct store_streams *r, struct store_stream *s)
{
    struct store_stream_bucket *b = bucket_of(r, s->id);
    pthread_mutex_lock(&b->lock);
    bool last = --s->refs == 0;
    if (last) {
        struct store_stream **at = &b->table[s->id.lo & (b->size - 1)];
        while (*at != s)
            at = &(*at)->next;
        *at = s->next;
        b->count--;
        r->count--;
    }
    pthread_mutex_unlock(&b->lock);
    if (last)
        mem_free(s);
}
