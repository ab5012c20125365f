/* Prometheus' relabelling: rules that rewrite, keep or drop label sets. Used for targets, scraped
 * samples, remote write and alerts.
 * Specification: prometheus.io/docs/prometheus/latest/configuration/configuration/#relabel_config;
 * defaults and messages are Prometheus' own. Compiled rules are immutable: any thread may apply
 * them. */
#ifndef PIPE_RELABEL_H
#define PIPE_RELABEL_H

#include "base/arena.h"
#include "base/diag.h"
#include "data/labels.h"
#include "text/regex.h"
#include "text/yaml.h"

enum pipe_relabel_action {
    PIPE_RELABEL_REPLACE,
    PIPE_RELABEL_KEEP,
    PIPE_RELABEL_DROP,
    PIPE_RELABEL_KEEPEQUAL,
    PIPE_RELABEL_DROPEQUAL,
    PIPE_RELABEL_HASHMOD,
    PIPE_RELABEL_LABELMAP,
    PIPE_RELABEL_LABELDROP,
    PIPE_RELABEL_LABELKEEP,
    PIPE_RELABEL_LOWERCASE,
    PIPE_RELABEL_UPPERCASE,
    PIPE_RELABEL_ACTION_COUNT
};
const char *pipe_relabel_action_name(enum pipe_relabel_action action);

struct pipe_relabel_rule {
    enum pipe_relabel_action action;
    const struct slice *source_labels;
    size_t source_label_count;
    struct slice separator, target_label, replacement, regex_text;
    struct text_regex *regex;
    uint64_t modulus;
    bool default_regex, plain_target, plain_replacement; /* no $ in them */
};

struct pipe_relabel {
    struct pipe_relabel_rule *rules;
    size_t count;
};

/* A list of rules (NULL or null: none). Everything but the regular expressions lies in `arena`.
 * ERR_INVALID with line and column. */
int pipe_relabel_parse(const struct text_yaml *list, struct arena *arena, struct pipe_relabel *out,
                       struct diag *diag);
/* Frees the regular expressions. */
void pipe_relabel_deinit(struct pipe_relabel *r);

enum pipe_relabel_verdict {
    PIPE_RELABEL_DROPPED,
    PIPE_RELABEL_KEPT,
    PIPE_RELABEL_REFUSED, /* a regular expression took too long: nobody knows */
};
/* Applies all rules in order. New names and values are put into `arena`, which must live as long as
 * what is made of the builder. The diag (may be NULL) says why a set is REFUSED (ERR_LIMIT); the
 * labels are of no use then. */
enum pipe_relabel_verdict pipe_relabel_apply(const struct pipe_relabel *r,
                                             struct data_labels_builder *labels,
                                             struct arena *arena, struct diag *diag);
/* One rule, for showing the steps. */
enum pipe_relabel_verdict pipe_relabel_apply_rule(const struct pipe_relabel_rule *rule,
                                                  struct data_labels_builder *labels,
                                                  struct arena *arena, struct diag *diag);

#endif
