/* Inside of pushed metrics: groups in memory, and as files. */
#ifndef INPUT_PUSH_PUSH_PRIV_H
#define INPUT_PUSH_PUSH_PRIV_H

#include <pthread.h>

#include "input/push/push.h"

struct push__series {
    struct slice key; /* canonical labels */
    double value;
    const struct data_histogram *histogram;
};

struct push__family {
    struct slice name, help, unit;
    enum data_metric_type type;
    VEC(struct push__series) series;
};

/* Its content changes only as a whole: a push makes another arena and list of families. */
struct push__group {
    struct slice tenant;
    struct data_labels labels;
    struct slice id;     /* tenant and canonical labels: its key in the map */
    struct arena *names; /* of the three above */
    struct arena *arena; /* of the families */
    VEC(struct push__family) families;
    int64_t pushed_ns, failed_ns;
};

struct push__group *input__push_group_new(struct slice tenant, struct data_labels labels);
void input__push_group_free(struct push__group *g);
/* Adds what the batch holds to `g`, family by family, everything copied. */
void input__push_take_batch(struct push__group *g, const struct data_metric_batch *batch);

/* push_file.c. The name of a group's file is a hash of its id. */
int input__push_save(struct os *os, const char *dir, const struct push__group *g,
                     struct diag *diag);
int input__push_remove(struct os *os, const char *dir, const struct push__group *g,
                       struct diag *diag);
/* Calls `each` with every group in the directory, which takes it over. Damaged files are renamed to
 * .damaged. */
int input__push_load(struct os *os, const char *dir, void (*each)(void *ctx, struct push__group *g),
                     void *ctx, struct diag *diag);
/* The content of a file; ERR_CORRUPT. */
int input__push_decode(struct slice text, struct push__group **out, struct diag *diag);
void input__push_encode(const struct push__group *g, struct buf *out);

#endif
