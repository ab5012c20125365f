#include "decode/otlp/stream.h"

#define ROW(key, label)                                                                            \
    {                                                                                              \
        SLICE_INIT(key), SLICE_INIT(label)                                                         \
    }

static const struct {
    struct slice key, label;
} stream_labels[] = {
    ROW("service.name", "service_name"),
    ROW("service.namespace", "service_namespace"),
    ROW("service.instance.id", "service_instance_id"),
    ROW("deployment.environment", "deployment_environment"),
    ROW("deployment.environment.name", "deployment_environment_name"),
    ROW("cloud.region", "cloud_region"),
    ROW("cloud.availability_zone", "cloud_availability_zone"),
    ROW("k8s.cluster.name", "k8s_cluster_name"),
    ROW("k8s.namespace.name", "k8s_namespace_name"),
    ROW("k8s.pod.name", "k8s_pod_name"),
    ROW("k8s.container.name", "k8s_container_name"),
    ROW("container.name", "container_name"),
    ROW("k8s.replicaset.name", "k8s_replicaset_name"),
    ROW("k8s.deployment.name", "k8s_deployment_name"),
    ROW("k8s.statefulset.name", "k8s_statefulset_name"),
    ROW("k8s.daemonset.name", "k8s_daemonset_name"),
    ROW("k8s.cronjob.name", "k8s_cronjob_name"),
    ROW("k8s.job.name", "k8s_job_name"),
};

const char *const decode_otlp_service_labels[] = {"container_name", "k8s_container_name",
                                                  "k8s_job_name", NULL};

struct slice decode_otlp_stream_label(struct slice attribute_key)
{
    for (size_t i = 0; i < ARRAY_LEN(stream_labels); i++) {
        if (slice_eq(stream_labels[i].key, attribute_key))
            return stream_labels[i].label;
    }
    return (struct slice){NULL, 0};
}

struct slice decode_otlp_stream_attribute(struct slice label_name)
{
    for (size_t i = 0; i < ARRAY_LEN(stream_labels); i++) {
        if (slice_eq(stream_labels[i].label, label_name))
            return stream_labels[i].key;
    }
    return label_name;
}
