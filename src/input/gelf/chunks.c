#include "input/gelf/chunks.h"

#include <pthread.h>

#include "base/map.h"
#include "base/mem.h"

/* A message of which chunks are missing. Oldest first in the list. */
struct partial {
    struct slice key; /* owned: the sender's address and the message's id */
    int64_t begun_ns;
    unsigned count, have;
    size_t bytes;
    struct slice chunks[DECODE_GELF_CHUNKS_MAX]; /* owned */
    struct partial *prev, *next;
};

struct gelf_chunks {
    size_t bytes_max, bytes;
    int64_t timeout_ns;
    pthread_mutex_t lock;
    struct map *by_key;
    struct partial *oldest, *newest;
};

struct gelf_chunks *gelf_chunks_new(size_t bytes_max, int64_t timeout_ns)
{
    struct gelf_chunks *c = mem_calloc(1, sizeof(*c));
    c->bytes_max = bytes_max;
    c->timeout_ns = timeout_ns;
    c->by_key = map_new();
    pthread_mutex_init(&c->lock, NULL);
    return c;
}

static void drop(struct gelf_chunks *c, struct partial *p)
{
    map_remove(c->by_key, p->key);
    *(p->prev ? &p->prev->next : &c->oldest) = p->next;
    *(p->next ? &p->next->prev : &c->newest) = p->prev;
    c->bytes -= p->bytes + sizeof(*p);
    for (unsigned i = 0; i < p->count; i++)
        mem_free((void *)(uintptr_t)p->chunks[i].ptr);
    mem_free((void *)(uintptr_t)p->key.ptr);
    mem_free(p);
}

void gelf_chunks_free(struct gelf_chunks *c)
{
    if (!c)
        return;
    while (c->oldest)
        drop(c, c->oldest);
    map_free(c->by_key);
    pthread_mutex_destroy(&c->lock);
    mem_free(c);
}

static struct partial *begin(struct gelf_chunks *c, struct slice key, unsigned count,
                             int64_t now_ns)
{
    struct partial *p = mem_calloc(1, sizeof(*p));
    p->key = slice_make(mem_dup(key.ptr, key.len), key.len);
    p->begun_ns = now_ns;
    p->count = count;
    p->prev = c->newest;
    *(c->newest ? &c->newest->next : &c->oldest) = p;
    c->newest = p;
    c->bytes += sizeof(*p);
    map_put(c->by_key, key, NULL)->value.ptr = p;
    return p;
}

bool gelf_chunks_add(struct gelf_chunks *c, struct slice sender,
                     const struct decode_gelf_chunk *chunk, int64_t now_ns, size_t bytes_max,
                     struct buf *out, size_t *expired)
{
    struct buf key = {0};
    bool whole = false;
    buf_append(&key, &chunk->id, sizeof(chunk->id));
    buf_append_slice(&key, sender);
    pthread_mutex_lock(&c->lock);
    while (c->oldest && now_ns - c->oldest->begun_ns > c->timeout_ns) {
        drop(c, c->oldest);
        ++*expired;
    }
    struct map_entry *e = map_get(c->by_key, buf_slice(&key));
    struct partial *p = e ? e->value.ptr : begin(c, buf_slice(&key), chunk->count, now_ns);
    if (chunk->count == p->count && !p->chunks[chunk->number].ptr) {
        p->chunks[chunk->number] = slice_make(
            mem_dup(chunk->bytes.len ? chunk->bytes.ptr : "", chunk->bytes.len + !chunk->bytes.len),
            chunk->bytes.len);
        p->bytes += chunk->bytes.len;
        c->bytes += chunk->bytes.len;
        p->have++;
    }
    if (p->bytes > bytes_max) {
        drop(c, p);
        ++*expired;
    } else if (p->have == p->count) {
        buf_clear(out);
        for (unsigned i = 0; i < p->count; i++)
            buf_append_slice(out, p->chunks[i]);
        drop(c, p);
        whole = true;
    }
    while (c->bytes > c->bytes_max && c->oldest) {
        drop(c, c->oldest);
        ++*expired;
    }
    pthread_mutex_unlock(&c->lock);
    buf_deinit(&key);
    return whole;
}
