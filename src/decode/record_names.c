/* Which fields are labels of a record's stream, in the names that the OTLP and Loki doors give
 * them. */
#include <limits.h>

#include "decode/otlp/stream.h"
#include "decode/record.h"

#define ROW(field, label, only)                                                                    \
    {                                                                                              \
        SLICE_INIT(field), SLICE_INIT(label), only                                                 \
    }

/* Beyond OpenTelemetry's own names (decode/otlp/stream.h). */
static const struct {
    struct slice field, label;
    bool only;
} rows[] = {
    ROW("host.name", "host_name", true),
    ROW("host", "host_name", false), /* Vector, older Logstash */
    ROW("data_stream.type", "data_stream_type", true),
    ROW("data_stream.dataset", "data_stream_dataset", true),
    ROW("data_stream.namespace", "data_stream_namespace", true),
    ROW("service.environment", "deployment_environment", false),
    ROW("kubernetes.namespace", "k8s_namespace_name", false),
    ROW("kubernetes.pod.name", "k8s_pod_name", false),
    ROW("kubernetes.container.name", "k8s_container_name", false),
    ROW("kubernetes.deployment.name", "k8s_deployment_name", false),
    ROW("kubernetes.statefulset.name", "k8s_statefulset_name", false),
    ROW("kubernetes.daemonset.name", "k8s_daemonset_name", false),
    ROW("kubernetes.cronjob.name", "k8s_cronjob_name", false),
    ROW("kubernetes.job.name", "k8s_job_name", false),
    ROW("kubernetes.namespace_name", "k8s_namespace_name", false), /* Fluent Bit */
    ROW("kubernetes.pod_name", "k8s_pod_name", false),
    ROW("kubernetes.container_name", "k8s_container_name", false),
};

struct slice decode__record_label(struct slice field, bool *out_only)
{
    struct slice label = decode_otlp_stream_label(field);
    *out_only = true;
    for (size_t i = 0; !label.ptr && i < ARRAY_LEN(rows); i++) {
        if (slice_eq(rows[i].field, field)) {
            *out_only = rows[i].only;
            label = rows[i].label;
        }
    }
    return label;
}

unsigned decode__record_service_rank(struct slice field)
{
    static const struct slice names[] = {
        SLICE_INIT("service"),
        SLICE_INIT("app"),
        SLICE_INIT("application"),
        SLICE_INIT("app_name"),
        SLICE_INIT("kubernetes.labels.app_kubernetes_io/name"),
        SLICE_INIT("kubernetes.labels.app"),
        SLICE_INIT("kubernetes.container.name"),
        SLICE_INIT("kubernetes.container_name"),
        SLICE_INIT("container.name"),
        SLICE_INIT("process.name"),
        SLICE_INIT("service.type"),
        SLICE_INIT("data_stream.dataset"),
        SLICE_INIT("event.dataset"),
    };
    for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
        if (slice_eq(names[i], field))
            return i;
    }
    return UINT_MAX;
}
