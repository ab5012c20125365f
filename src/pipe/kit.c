#include "pipe/kit.h"

#include <pthread.h>

#include "base/mem.h"

#define KEPT_BYTES ((size_t)8 << 20)

struct pipe_kits {
    enum pipe_kit_kind kind;
    size_t decoder_bytes;
    void (*decoder_deinit)(void *decoder);
    pthread_mutex_t lock; /* of idle */
    struct pipe_kit *idle;
};

struct pipe_kits *pipe_kits_new(enum pipe_kit_kind kind, size_t decoder_bytes,
                                void (*decoder_deinit)(void *decoder))
{
    struct pipe_kits *kits = mem_calloc(1, sizeof(*kits));
    kits->kind = kind;
    kits->decoder_bytes = decoder_bytes;
    kits->decoder_deinit = decoder_deinit;
    pthread_mutex_init(&kits->lock, NULL);
    return kits;
}

static struct slice *tenant_of(struct pipe_kit *kit)
{
    return kit->events ? &kit->events->tenant : &kit->metrics->tenant;
}

static void kit_free(struct pipe_kits *kits, struct pipe_kit *kit)
{
    *tenant_of(kit) = kit->own_tenant;
    if (kit->decoder && kits->decoder_deinit)
        kits->decoder_deinit(kit->decoder);
    mem_free(kit->decoder);
    buf_deinit(&kit->scratch);
    data_event_batch_free(kit->events);
    if (kit->metrics)
        data_metric_batch_free(kit->metrics);
    mem_free(kit);
}

void pipe_kits_free(struct pipe_kits *kits)
{
    if (!kits)
        return;
    for (struct pipe_kit *kit = kits->idle, *next; kit; kit = next) {
        next = kit->next;
        kit_free(kits, kit);
    }
    pthread_mutex_destroy(&kits->lock);
    mem_free(kits);
}

struct pipe_kit *pipe_kit_take(struct pipe_kits *kits, struct slice tenant)
{
    pthread_mutex_lock(&kits->lock);
    struct pipe_kit *kit = kits->idle;
    if (kit)
        kits->idle = kit->next;
    pthread_mutex_unlock(&kits->lock);
    if (!kit) {
        kit = mem_calloc(1, sizeof(*kit));
        if (kits->kind == PIPE_KIT_METRICS)
            kit->metrics = data_metric_batch_new(SLICE("default"));
        else
            kit->events = data_event_batch_new(
                kits->kind == PIPE_KIT_LOGS ? DATA_EVENT_LOGS : DATA_EVENT_SPANS, SLICE("default"));
        if (kits->decoder_bytes)
            kit->decoder = mem_calloc(1, kits->decoder_bytes);
        kit->own_tenant = *tenant_of(kit);
    }
    if (tenant.len)
        *tenant_of(kit) = tenant;
    return kit;
}

static size_t kit_bytes(const struct pipe_kit *kit)
{
    size_t bytes = kit->scratch.cap;
    if (kit->events)
        bytes += arena_size(kit->events->arena) +
                 kit->events->attrs.cap * sizeof(*kit->events->attrs.items);
    if (kit->metrics)
        bytes += arena_size(kit->metrics->arena);
    return bytes;
}

void pipe_kit_give(struct pipe_kits *kits, struct pipe_kit *kit)
{
    *tenant_of(kit) = kit->own_tenant;
    if (kit_bytes(kit) > KEPT_BYTES) {
        kit_free(kits, kit);
        return;
    }
    if (kit->events) {
        kit->events->row_refusals = NULL;
        data_event_batch_reset(kit->events);
    } else {
        data_metric_batch_reset(kit->metrics);
    }
    pthread_mutex_lock(&kits->lock);
    kit->next = kits->idle;
    kits->idle = kit;
    pthread_mutex_unlock(&kits->lock);
}
