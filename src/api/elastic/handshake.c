/* Fixed answers: what Beats, Logstash, Fluent Bit, Vector and Elasticsearch's clients want to know
 * before they send. There are no mappings, templates, pipelines or lifecycles; whoever asks for one
 * hears that it is there, so that nobody uploads any, and whoever uploads one hears that it is
 * taken. */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>

#include "api/elastic/door_priv.h"

/* What is answered to those that do not say their own version. */
#define VERSION "8.19.0"

void elastic__respond(struct net_request *req, int status, struct slice json)
{
    struct slice accept = net_request_header(req, "accept");
    if (!accept.len || slice_eq_cstr(accept, "*/*"))
        accept = net_request_header(req, "content-type");
    bool vendor = slice_find(accept, SLICE("application/vnd.elasticsearch+")) >= 0;
    ptrdiff_t at = slice_find(accept, SLICE("compatible-with="));
    char type[80] = "application/json";
    if (vendor && at >= 0 && (size_t)at + 16 < accept.len && isdigit((uint8_t)accept.ptr[at + 16]))
        snprintf(type, sizeof(type), "application/vnd.elasticsearch+json;compatible-with=%c",
                 accept.ptr[at + 16]);
    net_respond(req, status, type, json);
}

void elastic__respond_error(struct net_request *req, int status, const char *type, const char *fmt,
                            ...)
{
    struct buf reason = {0}, out = {0};
    struct codec_json_writer w;
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&reason, fmt, ap);
    va_end(ap);
    codec_json_init(&w, &out);
    codec_json_begin_object(&w);
    codec_json_key(&w, SLICE("error"));
    codec_json_begin_object(&w);
    codec_json_key(&w, SLICE("root_cause"));
    codec_json_begin_array(&w);
    codec_json_begin_object(&w);
    codec_json_put_string(&w, "type", slice_cstr(type));
    codec_json_put_string(&w, "reason", buf_slice(&reason));
    codec_json_end_object(&w);
    codec_json_end_array(&w);
    codec_json_put_string(&w, "type", slice_cstr(type));
    codec_json_put_string(&w, "reason", buf_slice(&reason));
    codec_json_end_object(&w);
    codec_json_put_int(&w, "status", status);
    codec_json_end_object(&w);
    elastic__respond(req, status, buf_slice(&out));
    buf_deinit(&reason);
    buf_deinit(&out);
}

/* A Beat refuses servers older than itself: it hears its own version, from
 * "Elastic-Filebeat/8.17.2 (linux; amd64; ...)". */
static struct slice version_for(struct net_request *req)
{
    struct slice agent = net_request_header(req, "user-agent"), v;
    ptrdiff_t slash = slice_find_char(agent, '/');
    size_t n = 0, dots = 0;
    if (slash < 0 || !slice_starts_with(agent, SLICE("Elastic-")))
        return SLICE(VERSION);
    v = slice_from(agent, (size_t)slash + 1);
    for (; n < v.len && n < 12 && (isdigit((uint8_t)v.ptr[n]) || v.ptr[n] == '.'); n++)
        dots += v.ptr[n] == '.';
    return dots == 2 ? slice_first(v, n) : SLICE(VERSION);
}

static void answer(struct api_call *call, struct buf *out)
{
    elastic__respond(call->req, 200, buf_slice(out));
    buf_deinit(out);
}

void elastic__info(struct api_call *call)
{
    struct buf out = {0};
    struct slice version = version_for(call->req);
    buf_printf(
        &out,
        "{\"name\":\"pharos\",\"cluster_name\":\"pharos\",\"cluster_uuid\":"
        "\"pharos0000000000000000\",\"version\":{\"number\":\"%.*s\",\"build_flavor\":"
        "\"default\",\"build_type\":\"deb\",\"build_hash\":\"unknown\",\"build_date\":"
        "\"2024-01-01T00:00:00.000Z\",\"build_snapshot\":false,\"lucene_version\":\"9.12.0\","
        "\"minimum_wire_compatibility_version\":\"7.17.0\","
        "\"minimum_index_compatibility_version\":\"7.0.0\"},"
        "\"tagline\":\"You Know, for Search\"}",
        SLICE_FMT(version));
    answer(call, &out);
}

#define LICENSE                                                                                    \
    "{\"uid\":\"pharos00-0000-0000-0000-000000000000\",\"type\":\"basic\",\"mode\":\"basic\","     \
    "\"status\":\"active\""

void elastic__license(struct api_call *call)
{
    elastic__respond(call->req, 200,
                     SLICE("{\"license\":" LICENSE
                           ",\"issue_date\":\"2024-01-01T00:00:00.000Z\",\"issue_date_in_millis\":"
                           "1704067200000,\"max_nodes\":1000,\"issued_to\":\"pharos\",\"issuer\":"
                           "\"pharos\",\"start_date_in_millis\":-1}}"));
}

void elastic__xpack(struct api_call *call)
{
    elastic__respond(
        call->req, 200,
        SLICE("{\"build\":{\"hash\":\"unknown\",\"date\":\"2024-01-01T00:00:00.000Z\"},"
              "\"license\":" LICENSE
              "},\"features\":{\"ilm\":{\"available\":true,\"enabled\":true},\"monitoring\""
              ":{\"available\":false,\"enabled\":false},\"security\":{\"available\":true,"
              "\"enabled\":false}},\"tagline\":\"You know, for X\"}"));
}

void elastic__health(struct api_call *call)
{
    struct diag diag;
    diag_init(&diag);
    bool bad = !call->api->ready || call->api->host->health(call->api->host->ctx, &diag);
    struct buf out = {0};
    buf_printf(&out,
               "{\"cluster_name\":\"pharos\",\"status\":\"%s\",\"timed_out\":false,"
               "\"number_of_nodes\":1,\"number_of_data_nodes\":1,\"active_primary_shards\":1,"
               "\"active_shards\":1,\"relocating_shards\":0,\"initializing_shards\":0,"
               "\"unassigned_shards\":0,\"delayed_unassigned_shards\":0,"
               "\"number_of_pending_tasks\":0,\"number_of_in_flight_fetch\":0,"
               "\"task_max_waiting_in_queue_millis\":0,\"active_shards_percent_as_number\":100.0}",
               bad ? "red" : "green");
    if (!bad) {
        answer(call, &out);
        return;
    }
    elastic__respond(call->req, 503, buf_slice(&out));
    buf_deinit(&out);
}

/* Clients that look for more nodes find the address they came by. */
void elastic__nodes(struct api_call *call)
{
    struct buf out = {0};
    struct codec_json_writer w;
    struct slice host = net_request_header(call->req, "host");
    codec_json_init(&w, &out);
    codec_json_begin_object(&w);
    codec_json_key(&w, SLICE("_nodes"));
    codec_json_raw(&w, SLICE("{\"total\":1,\"successful\":1,\"failed\":0}"));
    codec_json_put_string(&w, "cluster_name", SLICE("pharos"));
    codec_json_key(&w, SLICE("nodes"));
    codec_json_begin_object(&w);
    codec_json_key(&w, SLICE("pharos0000000000000000"));
    codec_json_begin_object(&w);
    codec_json_put_string(&w, "name", SLICE("pharos"));
    codec_json_put_string(&w, "version", version_for(call->req));
    codec_json_put_string(&w, "build_flavor", SLICE("default"));
    codec_json_key(&w, SLICE("roles"));
    codec_json_raw(&w, SLICE("[\"data\",\"ingest\",\"master\"]"));
    if (host.len) {
        codec_json_key(&w, SLICE("http"));
        codec_json_begin_object(&w);
        codec_json_put_string(&w, "publish_address", host);
        codec_json_end_object(&w);
    }
    codec_json_key(&w, SLICE("ingest"));
    codec_json_raw(&w, SLICE("{\"processors\":[]}"));
    codec_json_key(&w, SLICE("plugins"));
    codec_json_raw(&w, SLICE("[]"));
    codec_json_end_object(&w);
    codec_json_end_object(&w);
    codec_json_end_object(&w);
    answer(call, &out);
}

void elastic__cat(struct api_call *call)
{
    net_respond(call->req, 200, "text/plain; charset=UTF-8", SLICE(""));
}

void elastic__index_template(struct api_call *call)
{
    struct buf out = {0};
    struct codec_json_writer w;
    codec_json_init(&w, &out);
    codec_json_begin_object(&w);
    codec_json_key(&w, SLICE("index_templates"));
    codec_json_begin_array(&w);
    codec_json_begin_object(&w);
    codec_json_put_string(&w, "name", call->args[0]);
    codec_json_key(&w, SLICE("index_template"));
    codec_json_raw(&w, SLICE("{\"index_patterns\":[],\"template\":{},\"composed_of\":[]}"));
    codec_json_end_object(&w);
    codec_json_end_array(&w);
    codec_json_end_object(&w);
    answer(call, &out);
}

void elastic__named(struct api_call *call)
{
    struct buf out = {0};
    struct codec_json_writer w;
    codec_json_init(&w, &out);
    codec_json_begin_object(&w);
    codec_json_key(&w, call->args[0]);
    codec_json_raw(&w, SLICE("{}"));
    codec_json_end_object(&w);
    answer(call, &out);
}

void elastic__data_stream(struct api_call *call)
{
    struct buf out = {0};
    struct codec_json_writer w;
    codec_json_init(&w, &out);
    codec_json_begin_object(&w);
    codec_json_key(&w, SLICE("data_streams"));
    codec_json_begin_array(&w);
    codec_json_begin_object(&w);
    codec_json_put_string(&w, "name", call->args[0]);
    codec_json_put_string(&w, "status", SLICE("GREEN"));
    codec_json_put_int(&w, "generation", 1);
    codec_json_end_object(&w);
    codec_json_end_array(&w);
    codec_json_end_object(&w);
    answer(call, &out);
}

void elastic__ack(struct api_call *call)
{
    elastic__respond(call->req, 200, SLICE("{\"acknowledged\":true,\"shards_acknowledged\":true}"));
}

void elastic__warn_of_pipelines(struct net_request *req)
{
    net_response_header(req, "Warning",
                        SLICE("299 Pharos \"ingest pipelines do not run here: documents are taken "
                              "as they are sent, whatever their processors would do\""));
}

/* Acknowledged, since shippers go no further without; but with a warning. */
void elastic__pipeline(struct api_call *call)
{
    struct slice path = net_request_path(call->req);
    elastic__warn_of_pipelines(call->req);
    if (slice_ends_with(path, SLICE("/_simulate")))
        elastic__respond_error(call->req, 501, "unsupported_operation_exception",
                               "ingest pipelines do not run here, so none can be simulated");
    else
        elastic__ack(call);
}

void elastic__shards(struct api_call *call)
{
    elastic__respond(call->req, 200,
                     SLICE("{\"_shards\":{\"total\":1,\"successful\":1,\"failed\":0}}"));
}

void elastic__monitoring(struct api_call *call)
{
    elastic__respond(call->req, 200, SLICE("{\"took\":0,\"ignored\":true,\"errors\":false}"));
}

void elastic__exists(struct api_call *call)
{
    if (net_request_method(call->req) == NET_HEAD)
        net_respond(call->req, 200, "application/json", SLICE(""));
    else
        elastic__missing(call);
}

void elastic__search(struct api_call *call)
{
    elastic__respond_error(call->req, 501, "not_implemented_exception",
                           "this door takes documents and answers no searches: ask with LogQL, "
                           "/loki/api/v1/query_range or the log explorer of the web UI");
}

void elastic__missing(struct api_call *call)
{
    elastic__respond_error(call->req, 404, "resource_not_found_exception",
                           "Pharos' elastic door has nothing at [%.*s]",
                           SLICE_FMT(slice_first(call->path, 200)));
}
