#include "base/counter.h"

#include <pthread.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct counter *first;

/* Kept grouped: a counter goes behind the last one of the same name, else at the end. */
static void insert(struct counter *c)
{
    struct counter **at = &first;
    struct counter **after_same = NULL;
    for (; *at; at = &(*at)->next) {
        if (strcmp((*at)->name, c->name) == 0)
            after_same = &(*at)->next;
    }
    if (after_same)
        at = after_same;
    c->next = *at;
    *at = c;
}

void counter_register(struct counter *counters, size_t count)
{
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < count; i++) {
        if (!atomic_exchange(&counters[i].registered, true))
            insert(&counters[i]);
    }
    pthread_mutex_unlock(&lock);
}

void counter_unregister(struct counter *counters, size_t count)
{
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < count; i++) {
        for (struct counter **at = &first; *at; at = &(*at)->next) {
            if (*at == &counters[i]) {
                *at = counters[i].next;
                break;
            }
        }
        atomic_store(&counters[i].registered, false);
    }
    pthread_mutex_unlock(&lock);
}

void counter_each(void (*fn)(const struct counter *c, void *ctx), void *ctx)
{
    pthread_mutex_lock(&lock);
    for (struct counter *c = first; c; c = c->next)
        fn(c, ctx);
    pthread_mutex_unlock(&lock);
}
