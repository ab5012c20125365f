/* What an operator should know now: a list, and as server-sent events while it changes.
 *
 * There is one thing to tell so far: that the configuration on the disk was not taken. A stream
 * looks twice a second, on its loop. */
#include "api/prometheus/door_priv.h"
#include "base/mem.h"
#include "text/duration.h"

#define STREAMS_MAX 16 /* as Prometheus has it; more are answered 204 */
#define LOOK_NS     (NS_PER_SEC / 2)

static _Atomic int streams;

static void put_notification(struct api_host *host, bool active, struct codec_json_writer *w)
{
    codec_json_begin_object(w);
    api__put_text(w, "text", "Configuration reload has failed.");
    api__put_time(w, "date", host->reload_failed_ns);
    codec_json_put_bool(w, "active", active);
    codec_json_end_object(w);
}

void api__prom_notifications(struct api_call *call)
{
    struct api_host *host = call->api->host;
    struct buf out = {0};
    struct codec_json_writer w;
    api__begin(&w, &out);
    codec_json_begin_array(&w);
    if (!host->reload_ok)
        put_notification(host, true, &w);
    codec_json_end_array(&w);
    api__respond(call->req, &w);
}

struct stream {
    struct api *api;
    struct net_request *req;
    struct net_timer *timer;
    bool told; /* the client holds the notification as active */
    bool gone, was_ready;
};

static void end(struct stream *s)
{
    net_timer_stop(s->timer);
    net_respond_end(s->req);
    mem_free(s);
    atomic_fetch_sub(&streams, 1);
}

static void on_abort(void *ctx)
{
    struct stream *s = ctx;
    s->gone = true; /* the next look ends it */
}

static void look(void *ctx)
{
    struct stream *s = ctx;
    struct buf out = {0};
    struct codec_json_writer w;
    bool active = !s->api->host->reload_ok;
    if (s->gone || s->api->stopping || (s->was_ready && !s->api->ready)) {
        end(s);
        return;
    }
    s->was_ready = s->api->ready;
    if (active == s->told)
        return;
    s->told = active;
    buf_append_cstr(&out, "data: ");
    codec_json_init(&w, &out);
    put_notification(s->api->host, active, &w);
    buf_append_cstr(&out, "\n\n");
    net_respond_write(s->req, buf_slice(&out));
    buf_deinit(&out);
}

void api__prom_notifications_live(struct api_call *call)
{
    if (atomic_fetch_add(&streams, 1) >= STREAMS_MAX) {
        atomic_fetch_sub(&streams, 1);
        net_respond(call->req, 204, NULL, SLICE(""));
        return;
    }
    struct stream *s = mem_calloc(1, sizeof(*s));
    s->api = call->api;
    s->req = call->req;
    net_response_header(s->req, "Cache-Control", SLICE("no-cache"));
    net_respond_begin(s->req, 200, "text/event-stream");
    net_request_on_abort(s->req, on_abort, s);
    s->timer = net_timer_start(net_request_loop(s->req), 0, LOOK_NS, look, s);
}
