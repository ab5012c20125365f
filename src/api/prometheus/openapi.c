/* openapi.yaml: what there is below /api/v1, for programs (OpenAPI 3.1 and 3.2). */
#include "api/prometheus/door_priv.h"

enum answer { ANSWER_JSON, ANSWER_LINES, ANSWER_EVENTS, ANSWER_NONE, ANSWER_YAML, ANSWER_PROTOBUF };

struct operation {
    const char *path;
    unsigned methods;
    const char *tag, *summary;
    /* "name type", with a ! behind the name when it must be there: query! string. */
    const char *params[18];
    enum answer answer;
    const char *body; /* media type, when it is none of a form */
};

#define RANGE "start time", "end time"
#define SEARCH                                                                                     \
    "search[] array", "match[] array", "fuzz_threshold integer", "fuzz_alg string",                \
        "case_sensitive boolean", "include_score boolean", "sort_by string", "sort_dir string",    \
        "limit integer", "batch_size integer", RANGE
#define PROTOBUF "application/x-protobuf"

static const struct operation operations[] = {
    {"/query",
     API_GET | API_POST,
     "query",
     "The value of an expression at one time",
     {"query! string", "time time", "timeout duration", "lookback_delta duration", "limit integer",
      "stats string"},
     ANSWER_JSON,
     NULL},
    {"/query_range",
     API_GET | API_POST,
     "query",
     "The values of an expression over a range",
     {"query! string", "start! time", "end! time", "step! duration", "timeout duration",
      "lookback_delta duration", "limit integer", "stats string"},
     ANSWER_JSON,
     NULL},
    {"/query_exemplars",
     API_GET | API_POST,
     "query",
     "Exemplars of an expression's series",
     {"query! string", RANGE},
     ANSWER_JSON,
     NULL},
    {"/format_query",
     API_GET | API_POST,
     "query",
     "An expression, formatted",
     {"query! string"},
     ANSWER_JSON,
     NULL},
    {"/parse_query",
     API_GET | API_POST,
     "query",
     "The syntax tree of an expression",
     {"query! string"},
     ANSWER_JSON,
     NULL},
    {"/labels",
     API_GET | API_POST,
     "labels",
     "Names of labels",
     {"match[] array", RANGE, "limit integer"},
     ANSWER_JSON,
     NULL},
    {"/label/{name}/values",
     API_GET,
     "labels",
     "Values of a label",
     {"match[] array", RANGE, "limit integer"},
     ANSWER_JSON,
     NULL},
    {"/search/metric_names",
     API_GET | API_POST,
     "labels",
     "Metric names for who types",
     {SEARCH, "include_metadata boolean"},
     ANSWER_LINES,
     NULL},
    {"/search/label_names",
     API_GET | API_POST,
     "labels",
     "Label names for who types",
     {SEARCH},
     ANSWER_LINES,
     NULL},
    {"/search/label_values",
     API_GET | API_POST,
     "labels",
     "Values of a label for who types",
     {"label! string", SEARCH},
     ANSWER_LINES,
     NULL},
    {"/series",
     API_GET | API_POST,
     "series",
     "Series that selectors pick",
     {"match[]! array", RANGE, "limit integer"},
     ANSWER_JSON,
     NULL},
    {"/metadata",
     API_GET,
     "metadata",
     "Type, unit and help of metrics",
     {"metric string", "limit integer", "limit_per_metric integer"},
     ANSWER_JSON,
     NULL},
    {"/scrape_pools", API_GET, "targets", "Names of the scrape pools", {NULL}, ANSWER_JSON, NULL},
    {"/scrape_pools/config",
     API_GET,
     "targets",
     "Configuration of a scrape pool",
     {"scrapePool! string"},
     ANSWER_JSON,
     NULL},
    {"/targets",
     API_GET,
     "targets",
     "Targets and how their scrapes went",
     {"state string", "scrapePool string"},
     ANSWER_JSON,
     NULL},
    {"/targets/metadata",
     API_GET,
     "targets",
     "What targets say about their metrics",
     {"match_target string", "metric string", "limit integer"},
     ANSWER_JSON,
     NULL},
    {"/targets/relabel_steps",
     API_GET,
     "targets",
     "What each relabelling rule does to a target",
     {"scrapePool! string", "labels! string"},
     ANSWER_JSON,
     NULL},
    {"/rules",
     API_GET,
     "rules",
     "Groups of rules and their state",
     {"type string", "rule_name[] array", "rule_group[] array", "file[] array", "match[] array",
      "exclude_alerts boolean", "group_limit integer", "group_next_token string"},
     ANSWER_JSON,
     NULL},
    {"/alerts", API_GET, "alerts", "Alerts that are pending or firing", {NULL}, ANSWER_JSON, NULL},
    {"/alertmanagers", API_GET, "alerts", "Alertmanagers in use", {NULL}, ANSWER_JSON, NULL},
    {"/status/config", API_GET, "status", "The configuration in force", {NULL}, ANSWER_JSON, NULL},
    {"/status/runtimeinfo", API_GET, "status", "The running program", {NULL}, ANSWER_JSON, NULL},
    {"/status/buildinfo", API_GET, "status", "Versions", {NULL}, ANSWER_JSON, NULL},
    {"/status/flags", API_GET, "status", "Settings", {NULL}, ANSWER_JSON, NULL},
    {"/status/tsdb",
     API_GET,
     "status",
     "How many series there are, by what",
     {"limit integer"},
     ANSWER_JSON,
     NULL},
    {"/status/tsdb/blocks", API_GET, "status", "What is on disk", {NULL}, ANSWER_JSON, NULL},
    {"/status/walreplay",
     API_GET,
     "status",
     "How far the log is read at the start",
     {NULL},
     ANSWER_JSON,
     NULL},
    {"/status/self_metrics",
     API_GET,
     "status",
     "The program's own metrics",
     {"metric_name_pattern string"},
     ANSWER_JSON,
     NULL},
    {"/admin/tsdb/delete_series",
     API_POST | API_PUT,
     "admin",
     "Deletes series",
     {"match[]! array", RANGE},
     ANSWER_NONE,
     NULL},
    {"/admin/tsdb/clean_tombstones",
     API_POST | API_PUT,
     "admin",
     "Frees what was deleted",
     {NULL},
     ANSWER_NONE,
     NULL},
    {"/admin/tsdb/snapshot",
     API_POST | API_PUT,
     "admin",
     "A snapshot of all data",
     {"skip_head boolean"},
     ANSWER_JSON,
     NULL},
    {"/read", API_POST, "remote", "Remote read", {NULL}, ANSWER_PROTOBUF, PROTOBUF},
    {"/write", API_POST, "remote", "Remote write", {NULL}, ANSWER_NONE, PROTOBUF},
    {"/otlp/v1/metrics",
     API_POST,
     "otlp",
     "Metrics of OpenTelemetry",
     {NULL},
     ANSWER_PROTOBUF,
     PROTOBUF},
    {"/notifications",
     API_GET,
     "notifications",
     "What whoever runs the server should know",
     {NULL},
     ANSWER_JSON,
     NULL},
    {"/notifications/live",
     API_GET,
     "notifications",
     "The same as it happens",
     {NULL},
     ANSWER_EVENTS,
     NULL},
    {"/features", API_GET, "features", "What is there and enabled", {NULL}, ANSWER_JSON, NULL},
    {"/openapi.yaml",
     API_GET,
     "status",
     "This document",
     {"openapi_version string"},
     ANSWER_YAML,
     NULL},
};

static void put_type(const char *type, const char *indent, struct buf *out)
{
    if (strcmp(type, "array") == 0)
        buf_printf(out, "%stype: array\n%sitems: {type: string}\n", indent, indent);
    else if (strcmp(type, "time") == 0 || strcmp(type, "duration") == 0)
        buf_printf(out, "%s$ref: '#/components/schemas/%s'\n", indent,
                   type[0] == 't' ? "Timestamp" : "Duration");
    else
        buf_printf(out, "%stype: %s\n", indent, type);
}

/* "name! type" in its parts. */
static struct slice split(const char *param, const char **out_type, bool *out_required)
{
    const char *space = strchr(param, ' ');
    struct slice name = slice_make(param, (size_t)(space - param));
    *out_type = space + 1;
    *out_required = name.ptr[name.len - 1] == '!';
    return slice_first(name, name.len - *out_required);
}

static void put_params(const struct operation *op, struct buf *out)
{
    const char *type;
    bool required, in_path = strchr(op->path, '{') != NULL;
    if (!op->params[0] && !in_path)
        return;
    buf_append_cstr(out, "      parameters:\n");
    if (in_path)
        buf_append_cstr(out, "        - name: name\n          in: path\n          required: true\n"
                             "          schema:\n            type: string\n");
    for (size_t i = 0; i < ARRAY_LEN(op->params) && op->params[i]; i++) {
        struct slice name = split(op->params[i], &type, &required);
        buf_printf(out,
                   "        - name: %.*s\n          in: query\n          required: %s\n"
                   "          schema:\n",
                   SLICE_FMT(name), required ? "true" : "false");
        put_type(type, "            ", out);
    }
}

static void put_form(const struct operation *op, struct buf *out)
{
    const char *type;
    bool required;
    buf_append_cstr(out, "      requestBody:\n        content:\n"
                         "          application/x-www-form-urlencoded:\n            schema:\n"
                         "              type: object\n              properties:\n");
    for (size_t i = 0; i < ARRAY_LEN(op->params) && op->params[i]; i++) {
        struct slice name = split(op->params[i], &type, &required);
        buf_printf(out, "                %.*s:\n", SLICE_FMT(name));
        put_type(type, "                  ", out);
    }
}

static void put_answers(const struct operation *op, struct buf *out)
{
    static const char *const types[] = {[ANSWER_JSON] = "application/json",
                                        [ANSWER_LINES] = "application/x-ndjson",
                                        [ANSWER_EVENTS] = "text/event-stream",
                                        [ANSWER_YAML] = "application/yaml",
                                        [ANSWER_PROTOBUF] = "application/x-protobuf"};
    buf_append_cstr(out, "      responses:\n");
    if (op->answer == ANSWER_NONE)
        buf_append_cstr(out, "        \"204\":\n          description: done\n");
    else
        buf_printf(out,
                   "        \"200\":\n          description: the answer\n          content:\n"
                   "            %s:\n              schema:\n                %s\n",
                   types[op->answer],
                   op->answer == ANSWER_JSON ? "$ref: '#/components/schemas/Success'"
                                             : "type: string");
    buf_append_cstr(out, "        default:\n          description: an error\n          content:\n"
                         "            application/json:\n              schema:\n"
                         "                $ref: '#/components/schemas/Error'\n");
}

static void put_operation(const struct operation *op, const char *method, struct buf *out)
{
    buf_printf(out, "    %s:\n      operationId: ", method);
    for (const char *c = op->path + 1; *c; c++) {
        if (*c == '/' || *c == '_' || *c == '.')
            buf_append_char(out, '-');
        else if (*c != '{' && *c != '}')
            buf_append_char(out, *c);
    }
    bool form = strcmp(method, "post") == 0 && (op->methods & API_GET);
    buf_printf(out, "%s%s\n      tags: [%s]\n      summary: %s\n", strcmp(method, "get") ? "-" : "",
               strcmp(method, "get") ? method : "", op->tag, op->summary);
    if (form)
        put_form(op, out);
    else
        put_params(op, out);
    if (op->body)
        buf_printf(out,
                   "      requestBody:\n        required: true\n        content:\n          %s:\n"
                   "            schema:\n              type: string\n",
                   op->body);
    put_answers(op, out);
}

static const char components[] = "components:\n"
                                 "  schemas:\n"
                                 "    Timestamp:\n"
                                 "      description: seconds since 1970, or RFC 3339\n"
                                 "      oneOf:\n"
                                 "        - {type: number, format: unixtime}\n"
                                 "        - {type: string, format: date-time}\n"
                                 "    Duration:\n"
                                 "      description: seconds, or a duration like 1m30s\n"
                                 "      oneOf:\n"
                                 "        - {type: number}\n"
                                 "        - {type: string, format: duration}\n"
                                 "    Success:\n"
                                 "      type: object\n"
                                 "      required: [status, data]\n"
                                 "      properties:\n"
                                 "        status: {type: string, enum: [success]}\n"
                                 "        data: {}\n"
                                 "        warnings: {type: array, items: {type: string}}\n"
                                 "        infos: {type: array, items: {type: string}}\n"
                                 "    Error:\n"
                                 "      type: object\n"
                                 "      required: [status, errorType, error]\n"
                                 "      properties:\n"
                                 "        status: {type: string, enum: [error]}\n"
                                 "        errorType: {type: string}\n"
                                 "        error: {type: string}\n";

void api__prom_openapi(struct api_call *call)
{
    static const struct {
        unsigned bit;
        const char *name;
    } methods[] = {{API_GET, "get"}, {API_PUT, "put"}, {API_POST, "post"}};
    struct slice version = net_request_param(call->req, "openapi_version");
    bool newer = slice_eq_cstr(version, "3.2") || slice_eq_cstr(version, "3.2.0");
    struct buf out = {0};
    buf_printf(&out,
               "openapi: %s\ninfo:\n  title: Prometheus API of Pharos\n"
               "  description: The HTTP API of Prometheus 3.14, as Pharos answers it.\n"
               "  version: %s\nservers:\n  - url: /api/v1\npaths:\n",
               newer ? "3.2.0" : "3.1.0", call->api->host->version);
    for (size_t i = 0; i < ARRAY_LEN(operations); i++) {
        const struct operation *op = &operations[i];
        /* A stream of events cannot be said in 3.1. */
        if (op->answer == ANSWER_EVENTS && !newer)
            continue;
        buf_printf(&out, "  %s:\n", op->path);
        for (size_t k = 0; k < ARRAY_LEN(methods); k++) {
            if (op->methods & methods[k].bit)
                put_operation(op, methods[k].name, &out);
        }
    }
    buf_append_cstr(&out, components);
    net_response_header(call->req, "Cache-Control", SLICE("no-cache, no-store, must-revalidate"));
    net_respond(call->req, 200, "application/yaml; charset=utf-8", buf_slice(&out));
    buf_deinit(&out);
}
