/* Unit tests of rules, in the files that `promtool test rules` runs: series given by notation,
 * rules evaluated over them step by step, alerts and expressions compared with what is expected.
 * Specification: prometheus.io/docs/prometheus/latest/configuration/unit_testing_rules/. */
#ifndef ALERT_UNIT_TEST_H
#define ALERT_UNIT_TEST_H

#include "alert/rules.h"

struct alert_unit_test_options {
    struct promql_options promql;
    const struct text_regex *const *names; /* only tests whose name one of them matches */
    size_t name_count;                     /* 0 = all */
};

/* Runs one file. Appends what promtool would print below the file's name, "  SUCCESS" or " FAILED:"
 * and what went wrong. Returns 0, or ERR_INVALID when something did not hold or cannot be read. */
int alert_unit_test_run(const char *path, const struct alert_unit_test_options *options,
                        struct buf *out);

#endif
