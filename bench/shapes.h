/* What the load consists of: series with labels, values and times. */
#ifndef BENCH_SHAPES_H
#define BENCH_SHAPES_H

#include <stdint.h>

#define BENCH_LABELS_MAX 10

struct bench_label {
    const char *name;
    char value[48];
};

struct bench_labels {
    struct bench_label items[BENCH_LABELS_MAX]; /* sorted by name */
    int count;
};

struct bench_shape {
    const char *name;
    /* Labels of the i-th series of a connection. */
    void (*labels)(int connection, int i, struct bench_labels *out);
    /* Its value in a round, and by how many ms its times lie behind the round's. */
    double (*value)(int connection, int i, int at);
    int (*phase_ms)(int connection, int i);
};

/* "node": 10 metrics like node_exporter's, all at one time; "service": 100 series an instance, with
 * histograms, counters that restart, gauges and a time of its own for each instance. NULL when
 * there is no such shape. */
const struct bench_shape *bench_shape_find(const char *name);

#endif
