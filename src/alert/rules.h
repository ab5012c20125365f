/* Rule files as Prometheus reads them: groups of recording and alerting rules in YAML.
 * Specification: prometheus.io/docs/prometheus/latest/configuration/recording_rules/ and
 * .../alerting_rules/; messages are spelled as Prometheus' are. Loki's rule files are the same but
 * for the language of their expressions. */
#ifndef ALERT_RULES_H
#define ALERT_RULES_H

#include <stdatomic.h>

#include "alert/language.h"
#include "base/arena.h"
#include "base/diag.h"
#include "base/vec.h"
#include "text/template/template.h"
#include "text/yaml.h"

/* A label or annotation. */
struct alert_text {
    struct slice name, value;
    struct text_template *template; /* NULL: the value as it is */
};

struct alert_rule {
    bool is_alert;
    struct slice name;                       /* of the series, or of the alert */
    struct slice expr_text;                  /* as it is printed */
    void *expr;                              /* a tree of the group's language */
    int64_t hold_ns, keep_firing_ns;         /* for, keep_firing_for */
    struct alert_text *labels, *annotations; /* by name; the group's labels among them */
    size_t label_count, annotation_count;
    uint32_t line;
};

struct alert_group_def {
    struct slice name, file;
    const struct alert_language *language;
    struct slice tenant; /* whose data is asked and written; empty = that of the environment */
    int64_t interval_ns; /* given, or the default */
    int64_t query_offset_ns;
    int64_t limit; /* 0 = none */
    struct alert_rule *rules;
    size_t rule_count;
    struct slice identity; /* all of it as text: equal groups are the same group */
};

/* What was read from some files. Immutable and counted: running groups hold on to it. */
struct alert_rules {
    struct arena *arena;
    _Atomic int refs;
    struct alert_group_def *groups; /* in the order of the files */
    size_t group_count;
};

struct alert_rules_options {
    int64_t interval_ns;     /* global.evaluation_interval; 0 = 1 m */
    int64_t query_offset_ns; /* global.rule_query_offset */
    struct promql_options promql;
    const struct alert_language *language; /* of the expressions; NULL: PromQL */
    struct slice tenant;
    const struct text_template_function *functions; /* of templates; NULL: Prometheus' */
    size_t function_count;
};

/* Reads one file's text. Every problem goes through `report` (may be NULL) with file, line and
 * column; returns how many. Groups are appended to *out only when there is none. */
typedef VEC(struct alert_group_def) alert_group_list;
size_t alert_rules_read(const char *file, const struct text_yaml *root,
                        const struct alert_rules_options *options, struct arena *arena,
                        alert_group_list *out, void (*report)(void *ctx, const struct diag *diag),
                        void *ctx);

/* Finds the files of the patterns (relative ones from base_dir, which may be NULL) and reads them.
 * On problems: the first in diag, *out NULL. A file that two patterns find is read once. */
int alert_rules_load(const struct slice *patterns, size_t pattern_count, const char *base_dir,
                     const struct alert_rules_options *options, struct alert_rules **out,
                     struct diag *diag);
/* The files of one pattern, sorted: itself when it has no star. ERR_INVALID for a pattern that
 * Prometheus would not take. In `arena`, appended to *out. */
typedef VEC(const char *) alert_path_list;
int alert_rules_glob(struct slice pattern, const char *base_dir, struct arena *arena,
                     alert_path_list *out, struct diag *diag);

struct alert_rules *alert_rules_ref(struct alert_rules *rules);
void alert_rules_free(struct alert_rules *rules); /* NULL is fine */
/* Frees the expressions of groups that are in no struct alert_rules. */
void alert_groups_deinit(struct alert_group_def *groups, size_t count);

#endif
