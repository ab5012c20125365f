#include "input/senders.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/vec.h"

struct sender {
    int64_t points, refused, last_ns;
};

struct input_senders {
    pthread_mutex_t lock;
    struct map *by_address;
    size_t max;
};

struct input_senders *input_senders_new(size_t max)
{
    struct input_senders *s = mem_calloc(1, sizeof(*s));
    pthread_mutex_init(&s->lock, NULL);
    s->by_address = map_new();
    s->max = max ? max : 1000;
    return s;
}

void input_senders_free(struct input_senders *s)
{
    size_t pos = 0;
    if (!s)
        return;
    for (struct map_entry *e; (e = map_next(s->by_address, &pos));)
        mem_free(e->value.ptr);
    map_free(s->by_address);
    pthread_mutex_destroy(&s->lock);
    mem_free(s);
}

static struct slice host_of(const char *peer)
{
    struct slice all = slice_cstr(peer);
    size_t n = all.len;
    while (n && all.ptr[n - 1] != ':')
        n--;
    return n > 1 ? slice_first(all, n - 1) : all;
}

static void make_room(struct input_senders *s)
{
    struct map_entry *least = NULL;
    size_t pos = 0;
    for (struct map_entry *e; (e = map_next(s->by_address, &pos));) {
        const struct sender *a = e->value.ptr, *b = least ? least->value.ptr : NULL;
        if (!b || a->points + a->refused < b->points + b->refused)
            least = e;
    }
    if (least) {
        mem_free(least->value.ptr);
        map_remove(s->by_address, least->key);
    }
}

void input_senders_add(struct input_senders *s, const char *peer, int64_t points, int64_t refused,
                       int64_t now_ns)
{
    struct slice host = host_of(peer);
    pthread_mutex_lock(&s->lock);
    struct map_entry *e = map_get(s->by_address, host);
    if (!e) {
        if (map_count(s->by_address) >= s->max)
            make_room(s);
        e = map_put(s->by_address, host, NULL);
        e->value.ptr = mem_calloc(1, sizeof(struct sender));
    }
    struct sender *sender = e->value.ptr;
    sender->points += points;
    sender->refused += refused;
    sender->last_ns = now_ns;
    pthread_mutex_unlock(&s->lock);
}

static int by_points(const void *a, const void *b)
{
    const struct sender *x = (*(struct map_entry *const *)a)->value.ptr;
    const struct sender *y = (*(struct map_entry *const *)b)->value.ptr;
    int64_t p = x->points + x->refused, q = y->points + y->refused;
    return (p < q) - (p > q);
}

void input_senders_look(struct input_senders *s, const char *kind, size_t max,
                        struct codec_json_writer *w)
{
    VEC(struct map_entry *) all = {0};
    size_t pos = 0;
    pthread_mutex_lock(&s->lock);
    for (struct map_entry *e; (e = map_next(s->by_address, &pos));)
        vec_push(&all, e);
    if (all.len)
        qsort(all.items, all.len, sizeof(*all.items), by_points);
    for (size_t i = 0; i < all.len && i < max; i++) {
        const struct sender *one = all.items[i]->value.ptr;
        codec_json_begin_object(w);
        codec_json_put_string(w, "kind", slice_cstr(kind));
        codec_json_put_string(w, "address", all.items[i]->key);
        codec_json_put_int(w, "points", one->points);
        codec_json_put_int(w, "refused", one->refused);
        codec_json_put_int(w, "last_ms", one->last_ns / NS_PER_MS);
        codec_json_end_object(w);
    }
    pthread_mutex_unlock(&s->lock);
    vec_free(&all);
}
