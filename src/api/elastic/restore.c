/* The ids of documents that were stored before the process began: out of the store, when a tenant
 * first sends one. What a shipper sends again after a restart is what was on its way then, so the
 * newest are enough. */
#include "api/elastic/door_priv.h"
#include "api/elastic/ids.h"
#include "decode/elastic/bulk.h"

#define DOCUMENTS_MAX 200000
#define ROWS_MAX      20000000 /* looked at for them */
#define SINCE         (24 * 3600 * NS_PER_SEC)
#define TIME_MAX      (2 * NS_PER_SEC)

static void take(struct elastic_ids *ids, struct slice tenant, const struct store_event_chunk *rows)
{
    for (size_t i = 0; i < rows->count; i++) {
        struct data_value id = rows->columns[0].values[i], line = rows->columns[1].values[i];
        struct slice index = data_labels_get(rows->streams[rows->stream[i]].labels, SLICE("index"));
        if (id.kind == DATA_VALUE_STRING && line.kind == DATA_VALUE_STRING && index.len)
            elastic_ids_restore(ids, (struct elastic_ids_key){tenant, index, id.text}, rows->ts[i],
                                line.text);
    }
}

void elastic__restore_ids(struct api *api, struct slice tenant)
{
    const struct store_event_ops *ops = api->logs->ops;
    int64_t now = api->host->now_ns(api->host->ctx);
    const struct store_event_field fields[] = {
        {.scopes = STORE_SCOPE_BIT(DATA_SCOPE_ATTRIBUTE), .name = SLICE_INIT("_id")},
        STORE_EVENT_INTRINSIC(DATA_EVENT_LINE)};
    const struct store_event_predicate has = {.op = STORE_EVENT_HAS, .field = fields[0]};
    const struct store_event_clause clause = {&has, 1};
    const struct store_event_scan scan = {.select = {.tenant = tenant,
                                                     .t_min_ns = now - SINCE,
                                                     .t_max_ns = INT64_MAX,
                                                     .limits = {.scan_rows_max = ROWS_MAX}},
                                          .clauses = &clause,
                                          .clause_count = 1,
                                          .order = STORE_EVENT_NEWEST_FIRST,
                                          .limit = DOCUMENTS_MAX,
                                          .fields = fields,
                                          .field_count = ARRAY_LEN(fields)};
    struct store_event_chunk rows = {0};
    struct store_event_cursor *c = NULL;
    struct diag diag;
    diag_init(&diag);
    if (!elastic_ids_begin_restore(api->elastic_ids, tenant))
        return;
    /* What cannot be read, or not in time, is not known: its documents may be there twice. */
    if (!ops->scan(api->logs, &scan, &c, &diag)) {
        while (!ops->next(c, &rows, &diag) && rows.count &&
               api->host->now_ns(api->host->ctx) - now < TIME_MAX)
            take(api->elastic_ids, tenant, &rows);
        store_event_chunk_free(&rows);
        ops->close(c);
    }
    elastic_ids_end_restore(api->elastic_ids, tenant);
}
