/* Rows of an event table in a plain list, and what the store has to answer of them. */
#ifndef TESTS_STORE_EVENT_MODEL_H
#define TESTS_STORE_EVENT_MODEL_H

#include "base/vec.h"
#include "store/events.h"

#define MODEL_FIELDS 14

struct model_row {
    uint32_t number; /* also its attribute "n" */
    uint32_t append; /* which one brought it */
    int64_t ts;
    uint32_t stream;
    bool acked, deleted;
    bool perhaps; /* a deletion that failed may have taken it */
};

struct event_model {
    enum data_event_table table;
    uint64_t random;
    int64_t now_ns;
    uint32_t appends;
    struct arena *arena;
    VEC(struct model_row) rows; /* by number */
    bool many_streams;          /* each row in one of its own, as it were */
};

uint64_t model_random(struct event_model *m);
void model_init(struct event_model *m, enum data_event_table table, uint64_t seed);
void model_deinit(struct event_model *m);
/* A batch of some new rows, entered into the model as append `m->appends`, which counts up. */
struct data_event_batch *model_batch(struct event_model *m, size_t rows_max);
/* The row's value of a field of the model, by its place (model_field). */
struct data_value model_value(struct event_model *m, const struct model_row *r, size_t field);
struct store_event_field model_field(size_t field);
/* Labels of a stream; in the model's arena. */
struct data_labels model_labels(struct event_model *m, uint32_t stream);
/* Whether the row is one the scan selects. */
bool model_selects(struct event_model *m, const struct model_row *r,
                   const struct store_event_scan *scan);
/* Fails the test when the scan gives anything but the model's rows (those that are not deleted; all
 * of them count as there), in order, with their values. */
void model_check_scan(struct event_model *m, struct store_event_source *src,
                      const struct store_event_scan *scan);
/* Fails the test when row i of the chunk (of a scan for all fields) is not that row. */
void model_check_row(struct event_model *m, const struct store_event_scan *scan,
                     const struct store_event_chunk *c, size_t i, const struct model_row *want);
/* The number a row of the chunk has; false when it has none. */
bool model_number(const struct store_event_chunk *c, size_t i, uint32_t *out);
/* A random scan; its arrays are in the model's arena. */
struct store_event_scan model_scan(struct event_model *m);

#endif
