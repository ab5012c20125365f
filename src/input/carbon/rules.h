/* Carbon's rule files: blacklist.conf and whitelist.conf (a regular expression a line),
 * rewrite-rules.conf ([pre] and [post], "expression = replacement" as Python's re.sub has them) and
 * aggregation-rules.conf ("output (seconds) = method input"). In the order of
 * carbon-aggregator-cache: lists, [pre], aggregation, [post], the store. */
#ifndef INPUT_CARBON_RULES_H
#define INPUT_CARBON_RULES_H

#include "base/buf.h"
#include "base/diag.h"
#include "input/input.h"

struct input_carbon_files {
    const char *blacklist, *whitelist, *rewrite, *aggregation; /* "" = none */
    bool forward_all; /* what was aggregated is stored as well */
};

/* Immutable, counted; NULL everywhere is no rules. */
struct input_carbon_rules;

enum carbon_file {
    CARBON_BLACKLIST,
    CARBON_WHITELIST,
    CARBON_REWRITE,
    CARBON_AGGREGATION,
    CARBON_FILE_COUNT
};
/* From texts; `names` of the files are for messages. */
int input_carbon_rules_parse(const struct slice texts[CARBON_FILE_COUNT],
                             const char *const names[CARBON_FILE_COUNT], bool forward_all,
                             struct input_carbon_rules **out, struct diag *diag);
/* Reads and checks the files; *out is NULL when none is named. diag has file and line. */
int input_carbon_rules_load(struct os *os, const struct input_carbon_files *files,
                            struct input_carbon_rules **out, struct diag *diag);
struct input_carbon_rules *input_carbon_rules_ref(struct input_carbon_rules *r);
void input_carbon_rules_unref(struct input_carbon_rules *r);

enum input_carbon_listed {
    INPUT_CARBON_LISTED,
    INPUT_CARBON_BLACKLISTED,
    INPUT_CARBON_NOT_WHITELISTED
};
enum input_carbon_listed input_carbon_rules_listed(const struct input_carbon_rules *r,
                                                   struct slice name);
/* The name itself, or the new one in `a` or `b`. */
struct slice input_carbon_rules_rewrite(const struct input_carbon_rules *r, bool post,
                                        struct slice name, struct buf *a, struct buf *b);
bool input_carbon_rules_forward_all(const struct input_carbon_rules *r);

enum carbon_method {
    CARBON_SUM,
    CARBON_AVG,
    CARBON_MIN,
    CARBON_MAX,
    CARBON_COUNT,
    CARBON_PERCENTILE /* of carbon_aggregate.percentile */
};

/* What a point of `name` adds to; calls `each` for every rule that fits. */
struct carbon_aggregate {
    struct slice name; /* valid during the call */
    int64_t frequency_s;
    enum carbon_method method;
    double percentile;
};
void input_carbon_rules_aggregates(const struct input_carbon_rules *r, struct slice name,
                                   void (*each)(void *ctx, const struct carbon_aggregate *a),
                                   void *ctx);
bool input_carbon_rules_aggregate(const struct input_carbon_rules *r); /* are there any? */

#endif
