/* What container runtimes write: Docker's json-file logs, the Kubernetes CRI's (containerd, CRI-O),
 * and what their paths and Docker's description of a container say. */
#ifndef DECODE_LOGFILE_CONTAINER_H
#define DECODE_LOGFILE_CONTAINER_H

#include "base/arena.h"
#include "base/slice.h"

struct decode_container_line {
    struct slice text;
    bool is_stderr;
    bool is_partial; /* what follows on the same stream goes on with it */
    int64_t ts_ns;
};

/* {"log":"text\n","stream":"stdout","time":"2024-01-02T03:04:05.678901234Z"}. False: it is not in
 * that form. Texts are in `arena` or in the line. */
bool decode_docker_line(struct slice line, struct arena *arena, struct decode_container_line *out);
/* 2024-01-02T03:04:05.678901234Z stdout F text; P marks a part. */
bool decode_cri_line(struct slice line, struct decode_container_line *out);

/* Texts are ptr NULL where they are not known. */
struct decode_container {
    struct slice id, name, image;
    struct slice pod, namespace, pod_uid, restart_count; /* Kubernetes */
    struct slice compose_project, compose_service;       /* Docker's labels */
};

/* .../pods/NAMESPACE_POD_UID/CONTAINER/RESTARTS.log and
 * .../containers/POD_NAMESPACE_CONTAINER-ID.log; of Docker's .../ID/ID-json.log the id. False when
 * it is none of them. */
bool decode_container_path(struct slice path, struct decode_container *out);
/* Docker's config.v2.json beside its log: name, image, compose's labels. Texts are in `arena` or in
 * `text`. False: it is none. */
bool decode_docker_config(struct slice text, struct arena *arena, struct decode_container *out);

#endif
