/* Push: body -> decode -> sink, acknowledged when the store says that it is durable. What can be
 * taken is; the first thing that cannot is told with a 400, which no sender tries again. */
#include "decode/loki/push.h"
#include "api/loki/door_priv.h"
#include "api/push.h"
#include "base/counter.h"
#include "base/mem.h"

#define INFLATED_BYTES_MAX ((size_t)256 << 20)

#define REQUESTS(result)                                                                           \
    {                                                                                              \
        .name = "pharos_loki_push_requests_total", .help = "Push requests answered.",              \
        .labels = "result=\"" result "\""                                                          \
    }
enum { COUNT_OK, COUNT_PARTIAL, COUNT_REFUSED, COUNT_FAILED };
static struct counter requests[] = {REQUESTS("ok"), REQUESTS("partial"), REQUESTS("refused"),
                                    REQUESTS("failed")};
#define REFUSED(reason)                                                                            \
    {                                                                                              \
        .name = "pharos_loki_refused_lines_total",                                                 \
        .help = "Pushed lines that broke a rule of the protocol, by reason.",                      \
        .labels = "reason=\"" reason "\""                                                          \
    }
static struct counter refused[DECODE_LOKI_REFUSED_COUNT] = {
    [DECODE_LOKI_MISSING_LABELS] = REFUSED("missing_labels"),
    [DECODE_LOKI_INVALID_LABELS] = REFUSED("invalid_labels"),
    [DECODE_LOKI_DUPLICATE_LABELS] = REFUSED("duplicate_label_names"),
    [DECODE_LOKI_BAD_TIME] = REFUSED("invalid_timestamp"),
};
#define REFUSED_REQUESTS(reason)                                                                   \
    {                                                                                              \
        .name = "pharos_loki_refused_requests_total",                                              \
        .help = "Pushes of which nothing was taken because of their form, by reason.",             \
        .labels = "reason=\"" reason "\""                                                          \
    }
enum { BODY_DAMAGED, BODY_TOO_LARGE, BODY_TENANT };
static struct counter bodies[] = {REFUSED_REQUESTS("damaged"), REFUSED_REQUESTS("too_large"),
                                  REFUSED_REQUESTS("tenant")};
static struct counter volume[] = {
    {.name = "pharos_loki_received_lines_total", .help = "Lines that pushes brought."},
    {.name = "pharos_loki_received_bytes_total", .help = "Bytes of these lines."},
    {.name = "pharos_loki_repeated_lines_total",
     .help = "Lines left out because they were sent twice in a row."},
};

void loki__init(struct api *api)
{
    api->loki_kits = pipe_kits_new(PIPE_KIT_LOGS, 0, NULL);
    pthread_cond_init(&api->loki_no_tails, NULL);
    counter_register(requests, ARRAY_LEN(requests));
    counter_register(refused, ARRAY_LEN(refused));
    counter_register(bodies, ARRAY_LEN(bodies));
    counter_register(volume, ARRAY_LEN(volume));
}

void loki__free(struct api *api)
{
    pipe_kits_free(api->loki_kits);
    loki__deletions_free(api);
    pthread_cond_destroy(&api->loki_no_tails);
}

struct push {
    struct api__push base; /* first */
    struct decode_loki_request in;
    struct decode_loki_result result;
};

static void respond(struct push *p, int status, int count, const char *text)
{
    counter_add(&requests[count], 1);
    if (status == 503)
        net_response_header(p->base.req, "Retry-After", SLICE("5"));
    if (status == 204)
        net_respond(p->base.req, 204, NULL, SLICE(""));
    else
        api__plain_error(p->base.req, status, "%s", text);
}

static void answer(struct api__push *base)
{
    struct push *p = BASE_CONTAINER_OF(base, struct push, base);
    const struct pipe_result *s = &base->events;
    size_t store_refused = pipe_result_refused(s);
    for (int i = 0; i < DECODE_LOKI_REFUSED_COUNT; i++)
        counter_add(&refused[i], (int64_t)p->result.refused[i]);
    counter_add(&volume[0], (int64_t)p->result.lines);
    counter_add(&volume[1], (int64_t)p->result.line_bytes);
    counter_add(&volume[2], (int64_t)p->result.duplicates);
    if (base->decode_err) {
        bool large = base->decode_err == ERR_TOO_LARGE;
        counter_add(&bodies[large ? BODY_TOO_LARGE : BODY_DAMAGED], 1);
        respond(p, large ? 413 : 400, COUNT_REFUSED, base->diag.msg);
    } else if (base->store_err) {
        bool again = base->store_err == ERR_NOSPACE || base->store_err == ERR_NOMEM;
        respond(p, again ? 503 : 500, COUNT_FAILED, api__push_store_words(base));
    } else if (p->result.refused_lines) {
        respond(p, 400, s->logs_accepted ? COUNT_PARTIAL : COUNT_REFUSED,
                p->result.first_refusal.msg);
    } else if (store_refused) {
        /* Streams over the limit may fit later: that is tried again. */
        bool streams = s->refused[PIPE_REFUSED_STREAM_LIMIT] == store_refused;
        respond(p, streams ? 429 : 400, s->logs_accepted ? COUNT_PARTIAL : COUNT_REFUSED,
                s->first_refusal.msg);
    } else {
        respond(p, 204, COUNT_OK, NULL);
    }
    mem_free(p);
}

static int decode(struct api__push *base, struct pipe_kit *kit, struct pipe_kit *metrics)
{
    struct push *p = BASE_CONTAINER_OF(base, struct push, base);
    (void)metrics;
    return decode_loki_push(&p->in, &kit->scratch, kit->events, &p->result, &base->diag);
}

void loki__push(struct api_call *call)
{
    struct net_request *req = call->req;
    struct slice tenant;
    if (!api__tenant_read(req, &tenant)) {
        counter_add(&bodies[BODY_TENANT], 1);
        api__plain_error(req, 400, "%s", API__TENANT_RULE);
        return;
    }
    if (!call->api->logs) {
        api__plain_error(req, 503, "this Pharos has no store for logs");
        return;
    }
    struct push *p = mem_calloc(1, sizeof(*p));
    api__push_init(&p->base, call, tenant);
    p->base.event_kits = call->api->loki_kits;
    p->base.decode = decode;
    p->base.answer = answer;
    p->in.content_type = net_request_header(req, "content-type");
    p->in.content_encoding = net_request_header(req, "content-encoding");
    p->in.body = net_request_body(req);
    p->in.inflated_bytes_max = INFLATED_BYTES_MAX;
    api__push_start(&p->base);
}
