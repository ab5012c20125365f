/* The busiest names, busiest first, a line each: time, count, name. Into a file, which grows at its
 * end, or to standard output. */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "input/statsd/statsd_priv.h"
#include "text/duration.h"

void statsd__key_flush_count(struct input_statsd *s, const struct statsd_entry *e, uint32_t samples)
{
    struct slice key = {e->key, (size_t)e->name_len + e->tail_len};
    if (!s->key_counts)
        s->key_counts = map_new();
    map_put(s->key_counts, key, NULL)->value.u64 += samples;
}

static int by_count(const void *a, const void *b)
{
    const struct map_entry *x = *(const struct map_entry *const *)a,
                           *y = *(const struct map_entry *const *)b;
    if (x->value.u64 != y->value.u64)
        return x->value.u64 < y->value.u64 ? 1 : -1;
    return slice_cmp(x->key, y->key);
}

static int append(struct input_statsd *s, struct slice text, struct diag *diag)
{
    struct os *os = s->env.os;
    struct os_file *file;
    uint64_t size = 0;
    int err =
        os->ops->open(os, s->config.key_flush_log, OS_READ | OS_WRITE | OS_CREATE, &file, diag);
    if (err)
        return err;
    err = os->ops->size(file, &size, diag);
    if (!err && text.len)
        err = os->ops->write_at(file, size, text.ptr, text.len, diag);
    os->ops->close(file);
    return err;
}

void statsd__key_flush_write(struct input_statsd *s, int64_t ts_ns)
{
    VEC(struct map_entry *) list = {0};
    struct buf text = {0}, time = {0};
    struct diag why;
    size_t pos = 0;
    if (!s->key_flushed_ns)
        s->key_flushed_ns = s->started_ns;
    if (ts_ns - s->key_flushed_ns < s->config.key_flush_interval_ns)
        return;
    s->key_flushed_ns = ts_ns;
    if (!s->key_counts)
        return;
    for (struct map_entry *e; (e = map_next(s->key_counts, &pos));)
        vec_push(&list, e);
    if (list.len)
        qsort(list.items, list.len, sizeof(*list.items), by_count);
    text_time_print(ts_ns, &time);
    for (size_t i = 0; i * 100 < list.len * (size_t)s->config.key_flush_percent; i++)
        buf_printf(&text, "%.*s count=%llu key=%.*s\n", SLICE_FMT(buf_slice(&time)),
                   (unsigned long long)list.items[i]->value.u64, SLICE_FMT(list.items[i]->key));
    diag_init(&why);
    if (!s->config.key_flush_log[0]) {
        fwrite(buf_cstr(&text), 1, text.len, stdout);
        fflush(stdout);
    } else if (append(s, buf_slice(&text), &why)) {
        LOG_ERROR("statsd", "the busiest names cannot be written to statsd.key_flush.log",
                  LOG_STR("error", why.msg));
    }
    statsd__key_flush_free(s); /* counting begins anew */
    buf_deinit(&text);
    buf_deinit(&time);
    vec_free(&list);
}

void statsd__key_flush_free(struct input_statsd *s)
{
    map_free(s->key_counts);
    s->key_counts = NULL;
}
