/* The streams that have rows in memory, of all tenants, found by identity. */
#ifndef STORE_EVENT_STREAM_H
#define STORE_EVENT_STREAM_H

#include <pthread.h>

#include "base/hash.h"
#include "data/labels.h"

/* Immutable but for its references; lives as long as there is one. */
struct store_stream {
    struct store_stream *next;
    size_t refs;
    struct hash128 id;        /* with the tenant */
    struct hash128 labels_id; /* data_labels_key_hash of the key */
    struct slice tenant, key;
    struct data_labels labels;
};

#define STORE__STREAM_LOCKS 16

struct store_streams {
    struct store_stream_bucket {
        pthread_mutex_t lock;
        struct store_stream **table; /* power of two */
        size_t size, count;
    } buckets[STORE__STREAM_LOCKS];
    _Atomic size_t count;
};

void store_streams_init(struct store_streams *r);
void store_streams_deinit(struct store_streams *r); /* no references are left */
/* One reference; NULL when the key is no canonical one. Thread-safe. */
struct store_stream *store_streams_get(struct store_streams *r, struct slice tenant,
                                       struct slice key);
bool store_streams_has(struct store_streams *r, struct slice tenant, struct hash128 labels_id);
void store_streams_put(struct store_streams *r, struct store_stream *s);

#endif
