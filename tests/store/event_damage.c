#include "event_damage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/diag.h"
#include "base/slice.h"

struct found {
    char *path;
    size_t size;
};

static void on_file(const char *name, void *ctx)
{
    struct found *f = ctx;
    if (slice_ends_with(slice_cstr(name), SLICE(".events")))
        snprintf(f->path, f->size, "data/events/%s", name);
}

static void find_part(struct os *os, char *out, size_t size)
{
    struct found f = {out, size};
    out[0] = 0;
    assert_int_equal(os->ops->list(os, "data/events", on_file, &f, NULL), 0);
    assert_int_not_equal(out[0], 0);
}

void event_damage_check(const struct event_damage *d)
{
    size_t missed = 0;
    bool flipped = true;
    for (uint64_t byte = 0; flipped; byte += d->stride) {
        struct os_sim *sim;
        struct os_stat st;
        char path[128], aside[144];
        int err = 0;
        void *world = d->fill(&sim);
        struct os *os = os_sim_os(sim);
        find_part(os, path, sizeof(path));
        snprintf(aside, sizeof(aside), "%s.corrupt", path);
        flipped = os_sim_flip(sim, path, byte, byte % 8);
        size_t n = d->read(world, &err);
        bool told = err || !os->ops->stat(os, aside, &st, NULL);
        assert_true(!err || err == ERR_CORRUPT);
        assert_true(n <= d->rows);
        if (n < d->rows && !told)
            fail_msg("byte %llu: %zu rows, and nothing told", (unsigned long long)byte, n);
        if (!flipped)
            assert_true(n == d->rows && !told);
        missed += n < d->rows;
        d->end(world);
    }
    assert_true(missed > 20);
}
