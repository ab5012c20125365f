#include "store_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

void store_world_begin(struct store_world *w, int64_t now_ns, unsigned threads)
{
    struct store_config config;
    struct diag d;
    diag_init(&d);
    w->sim = os_sim_new(9);
    os_sim_set_now(w->sim, now_ns);
    store_config_init(&config);
    config.dir = "data";
    config.background = false;
    config.disk_reserve_bytes = 0;
    if (store_open(&config, os_sim_os(w->sim), NULL, &w->store, &d))
        fail_msg("%s", d.msg);
    w->pool = os_pool_new(threads);
}

static void on_ack(void *ctx, int err, const struct store_append_result *r)
{
    *(int *)ctx = err ? err : r->first_refusal.code;
}

void store_world_append(struct store_world *w, struct data_event_batch *b)
{
    int err = 1;
    store_append_events(w->store, b, on_ack, &err);
    store_sync(w->store);
    assert_int_equal(err, 0);
    data_event_batch_free(b);
}

void store_world_flush(struct store_world *w)
{
    assert_int_equal(store_maintain(w->store, true, NULL), 0);
}

void store_world_end(struct store_world *w)
{
    os_pool_free(w->pool);
    store_close(w->store);
    os_sim_free(w->sim);
}
