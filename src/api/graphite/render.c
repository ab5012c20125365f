/* /render: parameters, the run, the answer. */
#include <stdio.h>

#include "api/graphite/door_priv.h"
#include "codec/number.h"

static bool all_digits(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
    }
    return s.len > 0;
}

/* template[name]=value */
static void read_templates(struct net_request *req, struct graphite_api__render *r)
{
    struct arena *arena = net_request_arena(req);
    VEC(struct graphite_template_value) all = {0};
    struct slice sources[] = {net_request_query(req), net_request_body(req)}, pair;
    for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
        while (slice_split(&sources[i], '&', &pair)) {
            struct slice key;
            char name[200];
            slice_split(&pair, '=', &key);
            /* The brackets may be encoded. */
            size_t open = slice_starts_with(key, SLICE("template["))     ? 9
                          : slice_starts_with(key, SLICE("template%5B")) ? 11
                                                                         : 0;
            size_t close = slice_ends_with(key, SLICE("]")) ? 1 : 3;
            if (!open || key.len <= open + close || key.len >= 100)
                continue;
            struct slice inner = slice_make(key.ptr + open, key.len - open - close);
            snprintf(name, sizeof(name), "template[%.*s]", SLICE_FMT(inner));
            struct slice value = net_request_param(req, name);
            if (value.ptr)
                vec_push(&all,
                         ((struct graphite_template_value){arena_slice(arena, inner), value}));
        }
    }
    r->req.template_count = all.len;
    r->req.templates = arena_dup(arena, all.items, all.len * sizeof(*all.items));
    vec_free(&all);
}

/* Whatever is no format of data is a picture, as in graphite-web. */
static int read_picture(struct net_request *req, struct graphite_api__render *r, struct diag *diag)
{
    static const char *const modes[] = {"average", "maximum", "minimum"};
    bool known = false;
    r->picture = true;
    r->drawing.format = slice_eq(r->format, SLICE("svg"))   ? API_PICTURE_SVG
                        : slice_eq(r->format, SLICE("pdf")) ? API_PICTURE_PDF
                                                            : API_PICTURE_PNG;
    r->drawing.zone = r->req.zone;
    for (int i = 0; i < API_PICTURE_OPTION_COUNT; i++)
        r->drawing.options[i] = net_request_param(req, api_picture_option_names[i]);
    r->pie = slice_eq(net_request_param(req, "graphType"), SLICE("pie"));
    r->pie_mode = net_request_param(req, "pieMode");
    if (!r->pie_mode.len)
        r->pie_mode = SLICE("average");
    for (size_t i = 0; i < ARRAY_LEN(modes); i++)
        known |= slice_eq_cstr(r->pie_mode, modes[i]);
    return known ? 0
                 : diag_set(diag, ERR_INVALID,
                            "pieMode: average, maximum or minimum is expected, not %.*s",
                            SLICE_FMT(slice_first(r->pie_mode, 40)));
}

static int read_params(struct api_call *call, struct graphite_api__render *r, struct diag *diag)
{
    struct net_request *req = call->req;
    struct slice points = net_request_param(req, "maxDataPoints");
    struct slice xff = net_request_param(req, "xFilesFactor");
    int64_t now = graphite_api__now_s(call->api), from, until;
    r->format = net_request_param(req, "format");
    if (!r->format.len)
        r->format = net_request_param(req, "rawData").ptr  ? SLICE("raw")
                    : net_request_param(req, "pickle").ptr ? SLICE("pickle")
                                                           : SLICE("png");
    r->jsonp = net_request_param(req, "jsonp");
    r->no_nulls = net_request_param(req, "noNullPoints").ptr != NULL;
    if (all_digits(points) && !codec_text_to_int(points, &r->points))
        r->points = 0;
    struct text_zone *zone = NULL;
    /* A name that is not known is UTC, as in graphite-web. */
    (void)text_zone_load(net_request_param(req, "tz"), &zone, NULL);
    r->req.zone = zone;
    int err = graphite_api__param_time(req, "now", now, zone, now, &now, diag);
    if (!err)
        err = graphite_api__param_time(req, "until", now, zone, now, &until, diag);
    if (!err)
        err = graphite_api__param_time(req, "from", now, zone, now - 86400, &from, diag);
    if (err)
        return err;
    if (from == until)
        return diag_set(diag, ERR_INVALID, "Invalid empty time range");
    r->req.start_s = MIN(from, until);
    r->req.end_s = MAX(from, until);
    r->req.now_s = now;
    r->req.xff = __builtin_nan("");
    if (xff.len &&
        (!codec_text_to_double(xff, &r->req.xff, NULL) || !(r->req.xff >= 0 && r->req.xff <= 1)))
        return diag_set(diag, ERR_INVALID,
                        "xFilesFactor: a number from 0 to 1 is expected, not %.*s",
                        SLICE_FMT(slice_first(xff, 40)));
    r->targets = graphite_api__params(req, "target", &r->target_count);
    read_templates(req, r);
    return graphite_api__format_known(r->format) ? 0 : read_picture(req, r, diag);
}

static void cleanup(struct api_job *job)
{
    struct graphite_api__render *r = job->state;
    text_zone_free((struct text_zone *)(uintptr_t)r->req.zone);
    graphite_schemas_unref(r->schemas);
}

static void draw_line(struct api_job *job, struct graphite_api__render *r,
                      const struct graphite_list *list, struct diag *diag)
{
    int err = api_picture_line(&r->drawing, list, &job->out, diag);
    if (err)
        graphite_api__job_fail(job, err, diag);
}

/* A target is a path or a call, each of whose series is a slice, or "name:value". */
static int add_slices(struct graphite_api__render *r, struct slice target,
                      struct api_picture_slice **slices, size_t *count, struct diag *diag)
{
    struct graphite_run *run = NULL;
    struct graphite_list list;
    ptrdiff_t colon = slice_find_char(target, ':');
    if (colon >= 0) {
        struct api_picture_slice one = {.name = slice_first(target, (size_t)colon)};
        if (!codec_text_to_double(slice_trim(slice_from(target, (size_t)colon + 1)), &one.value,
                                  NULL))
            return diag_set(diag, ERR_INVALID,
                            "Invalid target '%.*s': a path, a function or name:number is expected",
                            SLICE_FMT(slice_first(target, 100)));
        (*slices)[(*count)++] = one;
        return 0;
    }
    int err = graphite_run_targets(&r->req, &target, 1, &run, &list, diag);
    if (!err) {
        struct arena *arena = r->drawing.arena;
        struct api_picture_slice *more =
            ARENA_ARRAY(arena, struct api_picture_slice, *count + list.len + r->target_count);
        for (size_t i = 0; more && i < *count; i++)
            more[i] = (*slices)[i];
        for (size_t i = 0; more && i < list.len; i++) {
            enum graphite_agg agg = slice_eq(r->pie_mode, SLICE("maximum"))   ? GRAPHITE_MAX
                                    : slice_eq(r->pie_mode, SLICE("minimum")) ? GRAPHITE_MIN
                                                                              : GRAPHITE_AVERAGE;
            double v = graphite_aggregate(agg, list.items[i]->values, list.items[i]->count);
            more[*count + i].name = arena_slice(arena, list.items[i]->name);
            more[*count + i].value = v != v ? 0 : v;
        }
        if (more) {
            *slices = more;
            *count += list.len;
        } else {
            err = diag_set(diag, ERR_NOMEM, "the picture takes more than limits.query.memory");
        }
    }
    graphite_run_free(run);
    return err;
}

static void draw_pie(struct api_job *job, struct graphite_api__render *r, struct diag *diag)
{
    struct api_picture_slice *slices =
        ARENA_ARRAY(r->drawing.arena, struct api_picture_slice, r->target_count + 1);
    size_t count = 0;
    int err =
        slices ? 0 : diag_set(diag, ERR_NOMEM, "the picture takes more than limits.query.memory");
    for (size_t i = 0; i < r->target_count && !err; i++)
        err = add_slices(r, r->targets[i], &slices, &count, diag);
    if (!err)
        err = api_picture_pie(&r->drawing, slices, count, &job->out, diag);
    if (err)
        graphite_api__job_fail(job, err, diag);
}

static void work(struct api_job *job)
{
    struct graphite_api__render *r = job->state;
    struct graphite_run *run = NULL;
    struct graphite_list list;
    struct diag diag;
    diag_init(&diag);
    if (!graphite_api__index(job))
        return;
    r->req.source = job->api->source;
    r->req.tenant = job->tenant;
    r->req.index = job->api->graphite;
    r->req.series_max = job->limits.query_series;
    r->req.points_max = job->limits.query_samples;
    r->req.memory = &job->memory;
    r->req.pool = job->api->pool;
    r->req.cancelled = &job->cancelled;
    r->req.deadline_ns = job->deadline_ns;
    r->req.events = graphite_api__event_times;
    r->req.events_ctx = job->api;
    if (r->picture) {
        r->drawing.arena = job->arena;
        r->drawing.memory = &job->memory;
        job->content_type = r->drawing.format == API_PICTURE_SVG   ? "image/svg+xml"
                            : r->drawing.format == API_PICTURE_PDF ? "application/x-pdf"
                                                                   : "image/png";
        if (r->pie) {
            draw_pie(job, r, &diag);
            return;
        }
    }
    int err = graphite_run_targets(&r->req, r->targets, r->target_count, &run, &list, &diag);
    if (err)
        graphite_api__job_fail(job, err, &diag);
    else if (r->picture)
        draw_line(job, r, &list, &diag);
    else
        graphite_api__format(job, r, &list);
    graphite_run_free(run);
}

void graphite_api__render(struct api_call *call)
{
    struct graphite_api__render *r =
        ARENA_NEW(net_request_arena(call->req), struct graphite_api__render);
    struct diag diag;
    diag_init(&diag);
    int err = read_params(call, r, &diag);
    if (err) {
        text_zone_free((struct text_zone *)(uintptr_t)r->req.zone);
        net_respond_text(call->req, 400, err == ERR_INVALID ? "Invalid parameters (%s)\n" : "%s\n",
                         diag.msg);
        return;
    }
    struct api_job *job = graphite_api__job_new(call, work);
    if (!job) {
        text_zone_free((struct text_zone *)(uintptr_t)r->req.zone);
        return;
    }
    r->schemas = graphite_api__schemas(call->api);
    r->req.schemas = r->schemas;
    job->cleanup = cleanup;
    job->state = r;
    api_job_start(job, true);
}
