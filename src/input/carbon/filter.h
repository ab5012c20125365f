/* Carbon's rules between its ports and the store, shared by all of them: lists, rewriting, and
 * aggregation with a thread that stores what is due. */
#ifndef INPUT_CARBON_FILTER_H
#define INPUT_CARBON_FILTER_H

#include "decode/carbon/carbon.h"
#include "input/carbon/rules.h"

struct input_carbon_filter;

struct input_carbon_filter_config {
    struct input_carbon_files files;
    size_t aggregates_max; /* names that rules make; 0 = 100,000 */
};

int input_carbon_filter_new(const struct input_env *env,
                            const struct input_carbon_filter_config *config,
                            struct input_carbon_filter **out, struct diag *diag);
/* The rules anew; on an error the old ones stay. */
int input_carbon_filter_reload(struct input_carbon_filter *f,
                               const struct input_carbon_filter_config *config, struct diag *diag);
/* Stores what has been gathered; after the ports have stopped. NULL is fine. */
void input_carbon_filter_stop(struct input_carbon_filter *f);

/* What one decoder needs while it looks at a chunk; zero it before the first use. */
struct carbon_scratch {
    struct input_carbon_filter *filter;
    struct input_carbon_rules *rules;
    struct buf a, b;
};
/* Sets d's filter for a chunk, or none when there are no rules. */
void carbon_scratch_begin(struct carbon_scratch *s, struct input_carbon_filter *f,
                          struct decode_carbon *d);
void carbon_scratch_end(struct carbon_scratch *s);
void carbon_scratch_deinit(struct carbon_scratch *s);

#endif
