/* What waits for its target, oldest first, in memory and on the disk. A payload that is sent at
 * once never sees the disk; what has waited for a second is written there by a task of the pool,
 * and so survives a crash. When memory is used up, payloads far from their turn are only there, and
 * are read again shortly before it. */
#include <stdio.h>

#include "base/log.h"
#include "output/output_priv.h"

#define WRITE_AT_ONCE 64 /* payloads of a turn */
#define WAITS_NS      NS_PER_SEC

static int64_t wall_ns(const struct output__target *t)
{
    return t->env->os->ops->now_ns(t->env->os);
}

static void show_waiting(struct output__target *t)
{
    counter_set(&t->counters[OUTPUT__COUNT_WAITING], t->samples);
    counter_set(&t->counters[OUTPUT__COUNT_WAITING_BYTES], t->bytes);
    counter_set(&t->counters[OUTPUT__COUNT_DISK_BYTES], t->disk_bytes);
}

static int64_t memory_of(const struct output__payload *p)
{
    return (int64_t)(sizeof(*p) + (p->bytes.ptr ? p->bytes.len : 0));
}

static void free_payload(struct output__payload *p)
{
    mem_free((void *)(uintptr_t)p->bytes.ptr);
    mem_free(p);
}

static void leave_disk(struct output__target *t, struct output__payload *p)
{
    if (!p->place.segment)
        return;
    output__spool_release(t->spool, p->place);
    t->disk_bytes -= (int64_t)p->bytes.len;
    p->place.segment = 0;
}

/* Takes out what *at points to. */
static void take_out(struct output__target *t, struct output__payload **at)
{
    struct output__payload *p = *at;
    *at = p->next;
    if (!*at)
        t->tail = at;
    t->waiting--;
    t->bytes -= memory_of(p);
    t->samples -= (int64_t)p->samples;
    leave_disk(t, p);
    show_waiting(t);
    if (p->pinned)
        p->gone = true;
    else
        free_payload(p);
}

static struct output__payload **after_the_sent_one(struct output__target *t)
{
    return t->in_flight && t->head ? &t->head->next : &t->head;
}

/* The oldest give way; the one on its way stays. */
static void make_disk_room(struct output__target *t)
{
    struct output__payload **at = after_the_sent_one(t);
    while (*at && t->disk_bytes > t->settings->disk_bytes) {
        output__drop(t, OUTPUT__DROP_FULL, (*at)->samples);
        take_out(t, at);
    }
}

static void only_on_disk(struct output__target *t, struct output__payload *p)
{
    t->bytes -= (int64_t)p->bytes.len;
    mem_free((void *)(uintptr_t)p->bytes.ptr);
    p->bytes.ptr = NULL;
}

/* The same of memory. With a disk behind it, it may hold a little more until that has caught up;
 * what is there already costs none. */
static void make_room(struct output__target *t)
{
    int64_t max = t->settings->queue_bytes * (t->spool && !t->spool_failed ? 2 : 1);
    struct output__payload **at = after_the_sent_one(t);
    while (*at && t->bytes > max) {
        struct output__payload *p = *at;
        if (!p->bytes.ptr || p->pinned) {
            at = &p->next;
        } else if (p->place.segment) {
            only_on_disk(t, p);
            at = &p->next;
        } else {
            output__drop(t, OUTPUT__DROP_FULL, p->samples);
            take_out(t, at);
        }
    }
}

static void forget_old(struct output__target *t)
{
    int64_t oldest = wall_ns(t) - t->settings->retry_for_ns;
    while (t->head && t->failing && t->settings->retry_for_ns != INT64_MAX &&
           t->head->made_ns < oldest) {
        output__drop(t, OUTPUT__DROP_OLD, t->head->samples);
        take_out(t, &t->head);
    }
}

static void append(struct output__target *t, struct output__payload *p)
{
    *t->tail = p;
    t->tail = &p->next;
    t->waiting++;
    t->bytes += memory_of(p);
    t->samples += (int64_t)p->samples;
}

/* --- to the disk: a task of the pool --- */

/* Payloads beyond a quarter of the memory are on the disk alone. */
static void give_memory_back(struct output__target *t)
{
    int64_t kept = 0;
    for (struct output__payload *p = t->head; p && t->bytes > t->settings->queue_bytes / 2;
         p = p->next) {
        kept += memory_of(p);
        if (kept <= t->settings->queue_bytes / 4 || !p->place.segment || !p->bytes.ptr ||
            p->pinned || (p == t->head && t->in_flight))
            continue;
        only_on_disk(t, p);
    }
}

/* t->lock held; the payloads that should be there and are not, oldest first. */
static size_t pick_unsaved(struct output__target *t, bool all, struct output__payload **out)
{
    int64_t before = wall_ns(t) - WAITS_NS;
    bool crowded = t->bytes > t->settings->queue_bytes / 2;
    size_t n = 0;
    for (struct output__payload *p = t->head; p && n < WRITE_AT_ONCE; p = p->next) {
        if (p->place.segment)
            continue;
        if (!all && !crowded && p->made_ns > before)
            break;
        p->pinned = true;
        out[n++] = p;
    }
    return n;
}

static void say_failure(struct output__target *t, const struct diag *why)
{
    if (!t->spool_failed)
        LOG_ERROR("output", "the queue cannot be written to the disk; it stays in memory",
                  LOG_STR("output", t->settings->name), LOG_STR("error", why->msg));
    t->spool_failed = true;
    snprintf(t->spool_error, sizeof(t->spool_error), "%s", why->msg);
}

static void say_success(struct output__target *t)
{
    if (t->spool_failed)
        LOG_INFO("output", "the queue is written to the disk again",
                 LOG_STR("output", t->settings->name));
    t->spool_failed = false;
}

/* One turn; how many were written. Only one thread at a time. */
static size_t write_some(struct output__target *t, bool all, bool *out_failed)
{
    struct output__payload *list[WRITE_AT_ONCE];
    struct output__place places[WRITE_AT_ONCE] = {{0}};
    struct diag why;
    int err = 0;
    diag_init(&why);
    pthread_mutex_lock(&t->lock);
    size_t count = pick_unsaved(t, all, list), done = 0;
    pthread_mutex_unlock(&t->lock);
    for (; done < count && !err; done += !err)
        err = output__spool_append(t->spool, list[done]->bytes, list[done]->samples,
                                   list[done]->made_ns, &places[done], &why);
    if (!err && count)
        err = output__spool_sync(t->spool, &why);
    pthread_mutex_lock(&t->lock);
    for (size_t i = 0; i < count; i++) {
        struct output__payload *p = list[i];
        p->pinned = false;
        if (err || p->gone) {
            output__spool_release(t->spool, places[i]);
        } else {
            p->place = places[i];
            t->disk_bytes += (int64_t)p->bytes.len;
        }
        if (p->gone)
            free_payload(p);
    }
    if (err)
        say_failure(t, &why);
    else if (count)
        say_success(t);
    make_disk_room(t);
    give_memory_back(t);
    show_waiting(t);
    pthread_mutex_unlock(&t->lock);
    *out_failed = err != 0;
    return count;
}

static void tidy(struct output__target *t)
{
    struct output__place first = {0};
    pthread_mutex_lock(&t->lock);
    for (const struct output__payload *p = t->head; p && !first.segment; p = p->next)
        first = p->place;
    pthread_mutex_unlock(&t->lock);
    (void)output__spool_tidy(t->spool, first.segment ? &first : NULL, NULL);
}

/* --- and back --- */

/* Reads the first payloads again, up to a quarter of the memory. */
static void read_some(struct output__target *t)
{
    struct buf bytes = {0};
    int64_t got = 0;
    for (;;) {
        struct diag why;
        diag_init(&why);
        pthread_mutex_lock(&t->lock);
        struct output__payload *p = t->head;
        for (; p && p->bytes.ptr; p = p->next)
            got += (int64_t)p->bytes.len;
        if (p && got && got + (int64_t)p->bytes.len > t->settings->queue_bytes / 4)
            p = NULL;
        if (p)
            p->pinned = true;
        pthread_mutex_unlock(&t->lock);
        if (!p)
            break;
        int err = output__spool_read(t->spool, p->place, &bytes, &why);
        pthread_mutex_lock(&t->lock);
        p->pinned = false;
        if (p->gone) {
            free_payload(p);
        } else if (!err) {
            p->bytes.ptr = mem_dup(bytes.ptr, bytes.len);
            t->bytes += (int64_t)p->bytes.len;
        } else {
            LOG_ERROR("output", "a part of the queue on the disk is lost",
                      LOG_STR("output", t->settings->name), LOG_STR("error", why.msg));
            for (struct output__payload **at = &t->head; *at; at = &(*at)->next) {
                if (*at == p) {
                    output__drop(t, OUTPUT__DROP_DAMAGED, p->samples);
                    take_out(t, at);
                    break;
                }
            }
        }
        show_waiting(t);
        pthread_mutex_unlock(&t->lock);
        got = 0;
    }
    buf_deinit(&bytes);
}

/* --- the task --- */

static bool has_first(struct output__target *t)
{
    return !t->head || t->head->bytes.ptr;
}

static void work(void *arg)
{
    struct output__target *t = arg;
    bool failed = false;
    while (write_some(t, false, &failed) && !failed) {
    }
    read_some(t);
    tidy(t);
    pthread_mutex_lock(&t->lock);
    t->working = false;
    void (*pump)(void *arg) = t->pump;
    bool ready = pump && !t->ending && t->head && t->head->bytes.ptr && !t->in_flight;
    pthread_cond_broadcast(&t->changed);
    if (ready) /* under the lock: whoever ends the target waits for it */
        net_loop_post(t->loop, pump, t);
    pthread_mutex_unlock(&t->lock);
}

/* t->lock held. */
static void start_work(struct output__target *t)
{
    if (t->working || !t->spool || t->ending)
        return;
    t->working = true;
    t->env->pool->submit(t->env->pool, TASK_BACKGROUND, work, t);
}

void output__queue_tick(struct output__target *t)
{
    pthread_mutex_lock(&t->lock);
    if (t->spool &&
        (t->disk_bytes || t->tidy_due || (t->head && t->head->made_ns <= wall_ns(t) - WAITS_NS)))
        start_work(t);
    t->tidy_due = t->disk_bytes > 0;
    pthread_mutex_unlock(&t->lock);
}

/* --- the face --- */

static void found_on_disk(void *ctx, struct output__place at, size_t samples, int64_t made_ns)
{
    struct output__target *t = ctx;
    struct output__payload *p = mem_calloc(1, sizeof(*p));
    *p = (struct output__payload){
        .made_ns = made_ns, .samples = samples, .bytes = {NULL, at.len}, .place = at};
    append(t, p);
    t->disk_bytes += at.len;
}

void output__queue_open(struct output__target *t)
{
    const struct output__settings *s = t->settings;
    if (!t->env->dir || !s->disk_bytes)
        return;
    size_t losses[OUTPUT__SPOOL_LOSSES] = {0};
    t->spool =
        output__spool_open(t->env->os, t->env->dir, s->name, s->identity, found_on_disk, t, losses);
    for (size_t i = 0; i < OUTPUT__SPOOL_LOSSES; i++)
        counter_add(&t->losses[i], (int64_t)losses[i]);
    t->tidy_due = true;
    make_disk_room(t);
    show_waiting(t);
}

void output__queue_push(struct output__target *t, struct slice bytes, size_t samples,
                        int64_t made_ns)
{
    struct output__payload *p = mem_calloc(1, sizeof(*p));
    *p = (struct output__payload){.made_ns = made_ns, .samples = samples};
    p->bytes = slice_make(mem_dup(bytes.ptr, bytes.len), bytes.len);
    pthread_mutex_lock(&t->lock);
    append(t, p);
    if (t->bytes > t->settings->queue_bytes / 2)
        start_work(t);
    make_room(t);
    show_waiting(t);
    pthread_mutex_unlock(&t->lock);
}

struct output__payload *output__queue_first(struct output__target *t, void (*pump)(void *arg))
{
    forget_old(t);
    t->pump = pump;
    if (has_first(t))
        return t->head;
    start_work(t);
    return NULL;
}

void output__queue_pop(struct output__target *t)
{
    take_out(t, &t->head);
}

bool output__queue_close(struct output__target *t, int64_t *out_samples)
{
    bool failed = false;
    pthread_mutex_lock(&t->lock);
    while (t->working)
        pthread_cond_wait(&t->changed, &t->lock);
    pthread_mutex_unlock(&t->lock);
    while (t->spool && !failed && write_some(t, true, &failed)) {
    }
    *out_samples = 0;
    for (const struct output__payload *p = t->head; p; p = p->next)
        *out_samples += p->place.segment ? 0 : (int64_t)p->samples;
    if (t->spool)
        tidy(t);
    for (struct output__payload *p = t->head, *next; p; p = next) {
        next = p->next;
        free_payload(p);
    }
    t->head = NULL;
    output__spool_close(t->spool);
    return !*out_samples;
}
