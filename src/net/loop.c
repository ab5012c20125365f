#include "net/loop.h"

#include <signal.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "net/loop_priv.h"

struct net__post {
    struct net__post *next;
    void (*fn)(void *ctx);
    void *ctx;
};

struct net_loops {
    size_t count;
    _Atomic size_t turn;
    struct net_loop loops[];
};

struct net_timer {
    uv_timer_t uv;
    struct net_loop *loop;
    void (*fn)(void *ctx);
    void *ctx;
};

static struct net__post *take_posts(struct net_loop *loop)
{
    uv_mutex_lock(&loop->lock);
    struct net__post *list = loop->posted;
    loop->posted = NULL;
    loop->posted_tail = &loop->posted;
    uv_mutex_unlock(&loop->lock);
    return list;
}

static bool run_posts(struct net_loop *loop)
{
    struct net__post *list = take_posts(loop);
    bool any = list != NULL;
    while (list) {
        struct net__post *next = list->next;
        list->fn(list->ctx);
        mem_free(list);
        list = next;
    }
    return any;
}

static void on_wake(uv_async_t *wake)
{
    run_posts(wake->data);
}

static void run_loop(void *arg)
{
    struct net_loop *loop = arg;
    uv_run(&loop->uv, UV_RUN_DEFAULT);
}

int net_loops_start(size_t count, struct net_loops **out, struct diag *diag)
{
    signal(SIGPIPE, SIG_IGN); /* a peer that is gone is an error of its write, not of the process */
    if (!count)
        count = uv_available_parallelism();
    struct net_loops *all = mem_calloc(1, sizeof(*all) + count * sizeof(all->loops[0]));
    all->count = count;
    for (size_t i = 0; i < count; i++) {
        struct net_loop *loop = &all->loops[i];
        loop->index = i;
        loop->date_second = -1;
        loop->posted_tail = &loop->posted;
        loop->read_buffer = mem_alloc(NET__READ_BYTES);
        uv_mutex_init(&loop->lock);
        uv_loop_init(&loop->uv);
        loop->wake.data = loop;
        uv_async_init(&loop->uv, &loop->wake, on_wake);
        int r = uv_thread_create(&loop->thread, run_loop, loop);
        if (r)
            return diag_set(diag, ERR_LIMIT, "cannot start a thread: %s", uv_strerror(r));
    }
    *out = all;
    return 0;
}

static void close_handle(uv_handle_t *handle, void *arg)
{
    (void)arg;
    /* What is still open here belongs to nobody any more (servers and clients close theirs). */
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void stop_on_loop(void *arg)
{
    struct net_loop *loop = arg;
    loop->stopping = true;
    uv_stop(&loop->uv);
}

void net_loops_stop(struct net_loops *all, int64_t drain_ns)
{
    (void)drain_ns; /* servers drain their own connections before this */
    if (!all)
        return;
    for (size_t i = 0; i < all->count; i++)
        net_loop_post(&all->loops[i], stop_on_loop, &all->loops[i]);
    for (size_t i = 0; i < all->count; i++) {
        struct net_loop *loop = &all->loops[i];
        uv_thread_join(&loop->thread);
        while (run_posts(loop)) {
        }
        uv_mutex_lock(&loop->lock);
        loop->stopped = true;
        uv_mutex_unlock(&loop->lock);
        uv_walk(&loop->uv, close_handle, NULL);
        while (uv_run(&loop->uv, UV_RUN_DEFAULT)) {
        }
        uv_loop_close(&loop->uv);
        uv_mutex_destroy(&loop->lock);
        mem_free(loop->read_buffer);
    }
    mem_free(all);
}

size_t net_loops_count(const struct net_loops *all)
{
    return all->count;
}

struct net_loop *net_loops_at(struct net_loops *all, size_t i)
{
    return &all->loops[i];
}

struct net_loop *net_loops_pick(struct net_loops *all)
{
    return &all->loops[all->turn++ % all->count];
}

void net_loop_post(struct net_loop *loop, void (*fn)(void *ctx), void *ctx)
{
    struct net__post *p = mem_calloc(1, sizeof(*p));
    p->fn = fn;
    p->ctx = ctx;
    uv_mutex_lock(&loop->lock);
    bool stopped = loop->stopped;
    if (!stopped) {
        *loop->posted_tail = p;
        loop->posted_tail = &p->next;
        uv_async_send(&loop->wake);
    }
    uv_mutex_unlock(&loop->lock);
    if (stopped) {
        mem_free(p);
        fn(ctx);
    }
}

bool net_loop_is_current(const struct net_loop *loop)
{
    uv_thread_t self = uv_thread_self();
    return uv_thread_equal(&self, &loop->thread);
}

static void on_timer(uv_timer_t *uv)
{
    struct net_timer *t = uv->data;
    t->fn(t->ctx);
}

static uint64_t to_ms(int64_t ns)
{
    return ns <= 0 ? 0 : (uint64_t)((ns + NS_PER_MS - 1) / NS_PER_MS);
}

struct net_timer *net_timer_start(struct net_loop *loop, int64_t delay_ns, int64_t repeat_ns,
                                  void (*fn)(void *ctx), void *ctx)
{
    struct net_timer *t = mem_calloc(1, sizeof(*t));
    t->loop = loop;
    t->fn = fn;
    t->ctx = ctx;
    t->uv.data = t;
    uv_timer_init(&loop->uv, &t->uv);
    uv_update_time(&loop->uv);
    uv_timer_start(&t->uv, on_timer, to_ms(delay_ns), to_ms(repeat_ns));
    return t;
}

static void on_timer_closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

void net_timer_stop(struct net_timer *t)
{
    if (t)
        uv_close((uv_handle_t *)&t->uv, on_timer_closed);
}

int64_t net__loop_now(struct net_loop *loop)
{
    return (int64_t)uv_now(&loop->uv) * NS_PER_MS;
}

const char *net__loop_date(struct net_loop *loop)
{
    time_t now = time(NULL);
    if (now != loop->date_second) {
        struct tm tm;
        gmtime_r(&now, &tm);
        strftime(loop->date, sizeof(loop->date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
        loop->date_second = now;
    }
    return loop->date;
}
