#include "alert/order.h"

#include "base/map.h"
#include "base/mem.h"

#define NAME_ALERTS    "ALERTS"
#define NAME_FOR_STATE "ALERTS_FOR_STATE"

/* A name that rules of the group write. Batches count from 1; 0 = none. */
struct output {
    struct slice name; /* lives as long as the rules */
    uint32_t read_in;  /* the last batch with a rule that reads it */
    uint32_t written_in;
    VEC(uint32_t) writers;
};

struct analysis {
    const struct alert_group_def *def;
    struct map *by_name;
    VEC(struct output *) outputs;
    uint32_t *batch_of;  /* of each rule */
    uint32_t last;       /* the last batch of the rules so far */
    uint32_t read_all;   /* the last batch with a rule that reads everything */
    VEC(size_t) reading; /* the outputs the rule in hand reads */
    bool reads_all;      /* the rule in hand */
};

static struct output *output_of(struct analysis *a, struct slice name)
{
    bool added;
    struct map_entry *entry = map_put(a->by_name, name, &added);
    if (added) {
        struct output *o = mem_calloc(1, sizeof(*o));
        o->name = name;
        entry->value.u64 = a->outputs.len;
        vec_push(&a->outputs, o);
    }
    return a->outputs.items[entry->value.u64];
}

/* --- what a rule reads --- */

static bool is_name(const struct store_matcher *m)
{
    return slice_eq_cstr(m->name, DATA_METRIC_NAME);
}

static bool takes(const struct store_matcher *matchers, size_t count, struct slice name)
{
    for (size_t i = 0; i < count; i++) {
        if (is_name(&matchers[i]) && !store_matcher_matches(&matchers[i], name))
            return false;
    }
    return true;
}

static void add_selector(void *ctx, const struct store_matcher *matchers, size_t count)
{
    struct analysis *a = ctx;
    bool named = false;
    for (size_t i = 0; i < count; i++) {
        if (!is_name(&matchers[i]))
            continue;
        named = true;
        if (matchers[i].op != STORE_MATCH_EQ)
            continue;
        struct map_entry *entry = map_get(a->by_name, matchers[i].value);
        if (entry && takes(matchers, count, matchers[i].value))
            vec_push(&a->reading, (size_t)entry->value.u64);
        return;
    }
    a->reads_all |= !named;
    for (size_t i = 0; named && i < a->outputs.len; i++) {
        if (takes(matchers, count, a->outputs.items[i]->name))
            vec_push(&a->reading, i);
    }
}

/* Whether a text may ask a query of its own. */
static bool asks(const struct alert_text *texts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (texts[i].template && slice_find(texts[i].value, SLICE("query")) >= 0)
            return true;
    }
    return false;
}

static void find_reading(struct analysis *a, const struct alert_rule *rule)
{
    vec_clear(&a->reading);
    a->reads_all = rule->is_alert && (asks(rule->labels, rule->label_count) ||
                                      asks(rule->annotations, rule->annotation_count));
    if (a->def->language->each_selector)
        a->def->language->each_selector(rule->expr, add_selector, a);
}

/* --- what it writes --- */

/* Whether no series of one can be a series of the other: a label has two fixed values. */
static bool are_apart(const struct alert_rule *x, const struct alert_rule *y)
{
    if (x->is_alert != y->is_alert || !slice_eq(x->name, y->name))
        return true;
    for (size_t i = 0; i < x->label_count; i++) {
        for (size_t k = 0; k < y->label_count; k++) {
            const struct alert_text *p = &x->labels[i], *q = &y->labels[k];
            if (slice_eq(p->name, q->name) && !p->template && !q->template &&
                !slice_eq(p->value, q->value))
                return true;
        }
    }
    return false;
}

static size_t outputs_of(struct analysis *a, const struct alert_rule *rule, struct output *out[2])
{
    if (!rule->is_alert) {
        out[0] = output_of(a, rule->name);
        return 1;
    }
    out[0] = output_of(a, SLICE(NAME_ALERTS));
    out[1] = output_of(a, SLICE(NAME_FOR_STATE));
    return 2;
}

/* --- batches --- */

static void place(struct analysis *a, size_t index)
{
    const struct alert_rule *rule = &a->def->rules[index];
    struct output *writes[2], *o;
    uint32_t after = a->read_all; /* what read everything read this as well */
    find_reading(a, rule);
    if (a->reads_all)
        after = a->last;
    for (size_t i = 0; i < a->reading.len; i++)
        after = MAX(after, a->outputs.items[a->reading.items[i]]->written_in);
    size_t count = outputs_of(a, rule, writes);
    for (size_t i = 0; i < count; i++) {
        o = writes[i];
        after = MAX(after, o->read_in);
        for (size_t k = 0; i == 0 && k < o->writers.len; k++) {
            uint32_t other = o->writers.items[k];
            if (a->batch_of[other] > after && !are_apart(rule, &a->def->rules[other]))
                after = a->batch_of[other];
        }
    }
    uint32_t batch = after + 1;
    a->batch_of[index] = batch;
    a->last = MAX(a->last, batch);
    if (a->reads_all)
        a->read_all = MAX(a->read_all, batch);
    for (size_t i = 0; i < a->reading.len; i++) {
        o = a->outputs.items[a->reading.items[i]];
        o->read_in = MAX(o->read_in, batch);
    }
    for (size_t i = 0; i < count; i++) {
        writes[i]->written_in = MAX(writes[i]->written_in, batch);
        vec_push(&writes[i]->writers, (uint32_t)index);
    }
}

void alert__order_init(struct alert_order *order, const struct alert_group_def *def)
{
    struct analysis a = {.def = def, .by_name = map_new()};
    struct output *ignored[2];
    a.batch_of = mem_calloc(def->rule_count + 1, sizeof(*a.batch_of));
    for (size_t i = 0; i < def->rule_count; i++)
        (void)outputs_of(&a, &def->rules[i], ignored);
    for (size_t i = 0; i < def->rule_count; i++)
        place(&a, i);
    order->batch_count = a.last;
    order->rules = mem_calloc(def->rule_count + 1, sizeof(*order->rules));
    order->ends = mem_calloc((size_t)a.last + 1, sizeof(*order->ends));
    for (size_t i = 0; i < def->rule_count; i++)
        order->ends[a.batch_of[i]]++;
    for (size_t b = 1; b <= a.last; b++)
        order->ends[b] += order->ends[b - 1];
    /* ends[b - 1] is where batch b begins; filling it moves it to where it ends. */
    for (size_t i = 0; i < def->rule_count; i++)
        order->rules[order->ends[a.batch_of[i] - 1]++] = (uint32_t)i;
    for (size_t i = 0; i < a.outputs.len; i++) {
        vec_free(&a.outputs.items[i]->writers);
        mem_free(a.outputs.items[i]);
    }
    vec_free(&a.outputs);
    vec_free(&a.reading);
    mem_free(a.batch_of);
    map_free(a.by_name);
}

void alert__order_deinit(struct alert_order *order)
{
    mem_free(order->rules);
    mem_free(order->ends);
    *order = (struct alert_order){0};
}
