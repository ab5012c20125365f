/* From a discovered address to a target, and from a scraped series to a stored one. */
#include <math.h>
#include <stdlib.h>

#include "base/assert.h"
#include "codec/utf8.h"
#include "input/scrape/scrape_priv.h"
#include "net/url.h"
#include "text/duration.h"

static bool has(const struct data_labels_builder *b, struct slice name)
{
    return data_labels_builder_get(b, name).len > 0;
}

static void set_default(struct data_labels_builder *b, struct slice name, struct slice value)
{
    if (!has(b, name))
        data_labels_builder_set(b, name, value);
}

static struct data_labels take(struct data_labels_builder *b, struct arena *arena)
{
    struct data_labels l;
    int err = data_labels_builder_finish(b, &l, NULL);
    base_assert(!err); /* set() never doubles a name */
    return data_labels_copy(arena, l);
}

static struct slice make_url(const struct input__scrape_job *job, struct data_labels all,
                             struct arena *arena)
{
    static const struct slice param_prefix = SLICE_INIT("__param_");
    struct buf url = {0};
    struct slice path = data_labels_get(all, SLICE("__metrics_path__"));
    buf_printf(&url, "%.*s://%.*s", SLICE_FMT(data_labels_get(all, SLICE("__scheme__"))),
               SLICE_FMT(data_labels_get(all, SLICE("__address__"))));
    if (!path.len || path.ptr[0] != '/')
        buf_append_char(&url, '/');
    for (size_t i = 0; i < path.len; i++) {
        unsigned char c = (unsigned char)path.ptr[i];
        if (c <= ' ' || c == '?' || c == '#' || c == '"' || c == '<' || c == '>' || c >= 0x7f)
            buf_printf(&url, "%%%02X", c);
        else
            buf_append_char(&url, (char)c);
    }
    /* A label __param_x stands in for the first value of parameter x; the others stay. */
    char sep = '?';
    for (size_t i = 0; i < job->param_count; i++) {
        struct input__scrape_param q = job->params[i];
        bool first = i == 0 || !slice_eq(job->params[i - 1].name, q.name);
        struct slice value = q.value;
        if (first) {
            struct slice label = arena_printf(arena, "__param_%.*s", SLICE_FMT(q.name));
            struct slice v = data_labels_get(all, label);
            if (v.ptr)
                value = v;
        }
        buf_append_char(&url, sep);
        sep = '&';
        net_url_encode(q.name, &url);
        buf_append_char(&url, '=');
        net_url_encode(value, &url);
    }
    for (size_t i = 0; i < all.count; i++) {
        if (!slice_starts_with(all.items[i].name, param_prefix))
            continue;
        struct slice name = slice_from(all.items[i].name, param_prefix.len);
        bool known = false;
        for (size_t k = 0; k < job->param_count; k++)
            known = known || slice_eq(job->params[k].name, name);
        if (known)
            continue;
        buf_append_char(&url, sep);
        sep = '&';
        net_url_encode(name, &url);
        buf_append_char(&url, '=');
        net_url_encode(all.items[i].value, &url);
    }
    struct slice done = arena_slice(arena, buf_slice(&url));
    buf_deinit(&url);
    return done;
}

static int read_times(const struct data_labels_builder *b, struct populated *out, struct diag *diag)
{
    struct slice interval = data_labels_builder_get(b, SLICE("__scrape_interval__")),
                 timeout = data_labels_builder_get(b, SLICE("__scrape_timeout__"));
    if (text_duration_parse(interval, &out->interval_ns))
        return diag_set(diag, ERR_INVALID, "error parsing scrape interval: \"%.*s\"",
                        SLICE_FMT(interval));
    if (!out->interval_ns)
        return diag_set(diag, ERR_INVALID, "scrape interval cannot be 0");
    if (text_duration_parse(timeout, &out->timeout_ns))
        return diag_set(diag, ERR_INVALID, "error parsing scrape timeout: \"%.*s\"",
                        SLICE_FMT(timeout));
    if (!out->timeout_ns)
        return diag_set(diag, ERR_INVALID, "scrape timeout cannot be 0");
    if (out->timeout_ns > out->interval_ns)
        return diag_set(diag, ERR_INVALID,
                        "scrape timeout cannot be greater than scrape interval (\"%.*s\" > "
                        "\"%.*s\")",
                        SLICE_FMT(timeout), SLICE_FMT(interval));
    return 0;
}

enum populate input__populate(const struct input__scrape_job *job,
                              const struct discovery_group *group, struct slice address,
                              struct arena *arena, struct populated *out, struct diag *diag)
{
    enum populate got = POPULATE_BAD;
    struct data_labels_builder b = {0};
    *out = (struct populated){0};
    data_labels_builder_from(&b, group->labels);
    data_labels_builder_set(&b, SLICE("__address__"), address);
    set_default(&b, SLICE("job"), job->name);
    set_default(&b, SLICE("__scrape_interval__"), job->interval_text);
    set_default(&b, SLICE("__scrape_timeout__"), job->timeout_text);
    set_default(&b, SLICE("__metrics_path__"), job->metrics_path);
    set_default(&b, SLICE("__scheme__"), job->scheme);
    for (size_t i = 0; i < job->param_count; i++) {
        if (i == 0 || !slice_eq(job->params[i - 1].name, job->params[i].name))
            data_labels_builder_set(
                &b, arena_printf(arena, "__param_%.*s", SLICE_FMT(job->params[i].name)),
                job->params[i].value);
    }
    out->discovered = take(&b, arena);
    data_labels_builder_from(&b, out->discovered);
    enum pipe_relabel_verdict v = pipe_relabel_apply(&job->relabel, &b, arena, diag);
    if (v != PIPE_RELABEL_KEPT) {
        got = v == PIPE_RELABEL_DROPPED ? POPULATE_DROPPED : POPULATE_BAD;
        goto out;
    }
    address = data_labels_builder_get(&b, SLICE("__address__"));
    if (!address.len) {
        diag_set(diag, ERR_INVALID, "no address");
        goto out;
    }
    if (slice_find_char(address, '/') >= 0) {
        diag_set(diag, ERR_INVALID, "\"%.*s\" is not a valid hostname", SLICE_FMT(address));
        goto out;
    }
    struct slice scheme = data_labels_builder_get(&b, SLICE("__scheme__"));
    if (!slice_eq_cstr(scheme, "http") && !slice_eq_cstr(scheme, "https")) {
        diag_set(diag, ERR_INVALID, "scheme \"%.*s\" is neither http nor https", SLICE_FMT(scheme));
        goto out;
    }
    if (read_times(&b, out, diag))
        goto out;
    for (size_t i = 0; i < b.items.len; i++) {
        if (slice_starts_with(b.items.items[i].name, SLICE("__meta_")))
            b.items.items[i].value = SLICE("");
        if (!codec_utf8_valid(b.items.items[i].value)) {
            diag_set(diag, ERR_INVALID, "the value of label \"%.*s\" is not valid UTF-8",
                     SLICE_FMT(b.items.items[i].name));
            goto out;
        }
    }
    set_default(&b, SLICE("instance"), address);
    out->all = take(&b, arena);
    for (size_t i = 0; i < b.items.len; i++) {
        if (slice_starts_with(b.items.items[i].name, SLICE("__")))
            b.items.items[i].value = SLICE("");
    }
    out->labels = take(&b, arena);
    out->url = make_url(job, out->all, arena);
    got = POPULATE_KEPT;
out:
    data_labels_builder_deinit(&b);
    return got;
}

static int by_name_length(const void *a, const void *b)
{
    size_t x = ((const struct data_label *)a)->name.len,
           y = ((const struct data_label *)b)->name.len;
    return (x > y) - (x < y);
}

void input__label_sample(struct data_labels scraped, struct data_labels target, bool honor,
                         struct data_labels_builder *b, struct arena *arena)
{
    data_labels_builder_from(b, scraped);
    if (honor) {
        for (size_t i = 0; i < target.count; i++)
            set_default(b, target.items[i].name, target.items[i].value);
        return;
    }
    struct data_label *clashes = arena_alloc(arena, (target.count + 1) * sizeof(*clashes));
    size_t count = 0;
    base_assert(clashes);
    for (size_t i = 0; i < target.count; i++) {
        struct data_label l = target.items[i];
        struct slice had = data_labels_builder_get(b, l.name);
        if (had.len)
            clashes[count++] = (struct data_label){l.name, had};
        data_labels_builder_set(b, l.name, l.value);
    }
    qsort(clashes, count, sizeof(*clashes), by_name_length);
    for (size_t i = 0; i < count; i++) {
        struct slice name = clashes[i].name;
        do {
            name = arena_printf(arena, "exported_%.*s", SLICE_FMT(name));
        } while (has(b, name));
        data_labels_builder_set(b, name, clashes[i].value);
    }
}
