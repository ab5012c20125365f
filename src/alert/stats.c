#include "alert/stats.h"

#include "base/counter.h"
#include "base/mem.h"

enum row {
    ROW_INTERVAL,
    ROW_RULES,
    ROW_DURATION,
    ROW_TIMESTAMP,
    ROW_SAMPLES,
    ROW_ITERATIONS,
    ROW_MISSED,
    ROW_EVALUATIONS,
    ROW_FAILURES,
    ROW_COUNT
};

/* Prometheus' prometheus_rule_group_* under Pharos' name. */
static const struct counter rows[ROW_COUNT] = {
    [ROW_INTERVAL] = {.name = "pharos_rule_group_interval_seconds",
                      .help = "How often the group is evaluated.",
                      .kind = COUNTER_GAUGE,
                      .scale = 1e-9},
    [ROW_RULES] = {.name = "pharos_rule_group_rules",
                   .help = "Rules of the group.",
                   .kind = COUNTER_GAUGE},
    [ROW_DURATION] = {.name = "pharos_rule_group_last_duration_seconds",
                      .help = "How long the last evaluation of the group took.",
                      .kind = COUNTER_GAUGE,
                      .scale = 1e-9},
    [ROW_TIMESTAMP] = {.name = "pharos_rule_group_last_evaluation_timestamp_seconds",
                       .help = "When the group was evaluated last.",
                       .kind = COUNTER_GAUGE,
                       .scale = 1e-9},
    [ROW_SAMPLES] = {.name = "pharos_rule_group_last_evaluation_samples",
                     .help = "Samples that the last evaluation of the group gave.",
                     .kind = COUNTER_GAUGE},
    [ROW_ITERATIONS] = {.name = "pharos_rule_group_iterations_total",
                        .help = "Evaluations of the group that were due, missed ones among them."},
    [ROW_MISSED] = {.name = "pharos_rule_group_iterations_missed_total",
                    .help = "Evaluations of the group that were left out because the one before "
                            "took too long."},
    [ROW_EVALUATIONS] = {.name = "pharos_rule_evaluations_total",
                         .help = "Evaluations of single rules."},
    [ROW_FAILURES] = {.name = "pharos_rule_evaluation_failures_total",
                      .help = "Evaluations of rules that failed."},
};

struct alert__stats {
    struct counter rows[ROW_COUNT];
    char *labels;
};

/* As the text format wants label values. */
static void put_value(struct slice s, struct buf *out)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '\n') {
            buf_append_cstr(out, "\\n");
            continue;
        }
        if (s.ptr[i] == '"' || s.ptr[i] == '\\')
            buf_append_char(out, '\\');
        buf_append_char(out, s.ptr[i]);
    }
}

struct alert__stats *alert__stats_new(const struct alert_group_def *def)
{
    struct alert__stats *s = mem_calloc(1, sizeof(*s));
    struct buf labels = {0};
    buf_append_cstr(&labels, "rule_group=\"");
    put_value(def->file, &labels);
    buf_append_char(&labels, ';');
    put_value(def->name, &labels);
    buf_append_char(&labels, '"');
    s->labels = mem_strdup(buf_cstr(&labels));
    buf_deinit(&labels);
    memcpy(s->rows, rows, sizeof(rows));
    for (size_t i = 0; i < ROW_COUNT; i++)
        s->rows[i].labels = s->labels;
    counter_set(&s->rows[ROW_INTERVAL], def->interval_ns);
    counter_set(&s->rows[ROW_RULES], (int64_t)def->rule_count);
    counter_register(s->rows, ROW_COUNT);
    return s;
}

void alert__stats_free(struct alert__stats *s)
{
    if (!s)
        return;
    counter_unregister(s->rows, ROW_COUNT);
    mem_free(s->labels);
    mem_free(s);
}

void alert__stats_update(struct alert__stats *s, const struct alert_group *g, int64_t missed)
{
    counter_set(&s->rows[ROW_DURATION], g->duration_ns);
    counter_set(&s->rows[ROW_TIMESTAMP], g->last_eval_ns);
    counter_set(&s->rows[ROW_SAMPLES], g->last_samples);
    counter_add(&s->rows[ROW_ITERATIONS], missed + 1);
    counter_add(&s->rows[ROW_MISSED], missed);
    counter_add(&s->rows[ROW_EVALUATIONS], (int64_t)g->def->rule_count);
    counter_add(&s->rows[ROW_FAILURES], g->last_failures);
}
