/* Answers of Pharos' languages as Grafana's. */
#ifndef API_GRAFANA_DS_TAKE_H
#define API_GRAFANA_DS_TAKE_H

#include "api/grafana/frames.h"
#include "api/job.h"

/* One query, as it is run. */
struct grafana_target {
    struct slice ref_id, legend;
    int64_t from_ns, to_ns, step_ns;
    bool instant;
    struct slice text; /* variables filled */
};

/* Copies what comes into `out`, all of it in `arena`. */
struct grafana_taker {
    struct api_query_taker face;
    const struct grafana_target *target;
    struct arena *arena;
    struct grafana_answer *out;
};
void grafana__taker_init(struct grafana_taker *t, const struct grafana_target *target,
                         struct arena *arena, struct grafana_answer *out);
/* The frame of a trace, by its id in hexadecimal digits; ERR_NOT_FOUND, and what reading it may
 * say. A worker of the job's. */
int grafana__trace_run(struct api_job *job, struct slice ref_id, struct slice id,
                       struct arena *arena, struct grafana_answer *out, struct diag *diag);

#endif
