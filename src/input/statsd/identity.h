/* What a name means: its plain name and its tags, in whatever dialect they were sent; and its two
 * spellings, as Prometheus' labels and as a Graphite path. */
#ifndef INPUT_STATSD_IDENTITY_H
#define INPUT_STATSD_IDENTITY_H

#include "base/arena.h"
#include "base/buf.h"
#include "data/labels.h"

struct statsd_identity {
    struct slice name;       /* without tags */
    struct data_label *tags; /* in the order of their sending; a bare tag has an empty value */
    size_t tag_count;
    /* "|c:" and "|e:": container_id, container_name, pod_uid, ... */
    struct data_label origin[6];
    size_t origin_count;
};

/* `name` and `tail` as a sample has them. Slices point into them and the arena. */
void statsd__identify(struct slice name, struct slice tail, bool is_node, struct arena *arena,
                      struct statsd_identity *out);
/* statsd_exporter's rule for names and labels: what is not [a-zA-Z0-9_] becomes '_' (the second of
 * two dashes nothing), a leading digit gets '_' before it. Appends. */
void statsd__escape(struct slice name, struct buf *out);
/* The Node daemon's rule: white space '_', '/' '-', all but [a-zA-Z0-9_.;=-] goes. Appends. */
void statsd__wash(struct slice name, struct buf *out);
/* "a.b;tag=value;...", tags sorted. */
void statsd__path(const struct statsd_identity *id, struct buf *out);

#endif
