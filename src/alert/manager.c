#include "alert/manager.h"

#include <stdlib.h>

#include "alert/pack.h"
#include "alert/stats.h"
#include "base/cond.h"
#include "base/counter.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "os/os.h"

static struct counter group_count = {
    .name = "pharos_rule_groups", .help = "Groups of rules at work.", .kind = COUNTER_GAUGE};
static struct counter rule_count = {
    .name = "pharos_rules", .help = "Rules at work.", .kind = COUNTER_GAUGE};

/* The settings of one apply(); evaluations hold on to theirs. */
struct settings {
    int refs; /* under the manager's lock */
    struct alert_env env;
    struct data_labels external_labels;
    char *external_url, *logs_url;
};

/* What waits on the pool: a slot that is taken out meanwhile leaves it empty-handed. */
struct ticket {
    struct alert_manager *manager;
    struct slot *slot;
};

enum phase { PHASE_IDLE, PHASE_QUEUED, PHASE_RUNNING, PHASE_TAKEN };

struct slot {
    struct alert_group *group;
    struct alert__stats *stats;
    struct ticket *ticket; /* while queued */
    int64_t next_ns;       /* the evaluation that is due next */
    unsigned done;         /* evaluations since the start, to count to two before restoring */
    bool restore;          /* its alerts have to be restored */
    enum phase phase;
    _Atomic bool cancelled; /* what runs has to end: nobody needs it any more */
    bool has_heir;          /* its group changed: another one has its state */
    bool kept;              /* scratch of apply(): goes on as it is */
    int64_t end_ns;         /* removed: when its series end */
};

typedef VEC(struct slot *) slot_list;

struct alert_manager {
    struct alert_manager_env env;
    pthread_t thread;
    pthread_mutex_t lock; /* of everything below */
    pthread_cond_t changed;
    slot_list slots;
    slot_list ended; /* whose series still have to end */
    struct settings *settings;
    size_t tickets; /* on the pool */
    bool stopping, applied;
};

static int64_t now_of(struct alert_manager *m)
{
    return m->env.os->ops->now_ns(m->env.os);
}

/* Prometheus' hash of a group, so that groups are spread over time alike. */
static uint64_t group_hash(const struct alert_group_def *def)
{
    struct buf b = {0};
    buf_append_cstr(&b, "file\xff");
    buf_append_slice(&b, def->file);
    buf_append_cstr(&b, "\xffname\xff");
    buf_append_slice(&b, def->name);
    buf_append_char(&b, (char)0xff);
    uint64_t h = hash_xxh64(b.ptr, b.len);
    buf_deinit(&b);
    return h;
}

/* The last instant of the group's own rhythm that is not after now_ns. */
static int64_t aligned(const struct alert_group_def *def, int64_t now_ns)
{
    int64_t offset = (int64_t)(group_hash(def) % (uint64_t)def->interval_ns);
    int64_t shifted = now_ns - offset;
    return shifted - shifted % def->interval_ns + offset;
}

/* --- settings --- */

static struct settings *settings_new(struct alert_manager *m,
                                     const struct alert_manager_settings *s)
{
    struct settings *out = mem_calloc(1, sizeof(*out));
    out->refs = 1;
    out->env = m->env.eval;
    out->external_labels = alert__pack(s->external_labels.items, s->external_labels.count);
    out->external_url = mem_strdup(s->external_url ? s->external_url : "");
    out->logs_url = mem_strdup(s->logs_url ? s->logs_url : "");
    out->env.external_labels = out->external_labels;
    out->env.external_url = out->external_url;
    out->env.resend_delay_ns = s->resend_delay_ns;
    out->env.timeout_ns = s->timeout_ns;
    out->env.query_memory_bytes = s->query_memory_bytes;
    out->env.samples_max = s->samples_max;
    out->env.series_max = s->series_max;
    out->env.log_rows_max = s->log_rows_max;
    out->env.log_bytes_max = s->log_bytes_max;
    out->env.alerts_max = s->alerts_max;
    out->env.concurrency = s->concurrency;
    out->env.promql = s->promql;
    return out;
}

static void settings_release(struct settings *s)
{
    if (!s || --s->refs)
        return;
    alert__unpack(&s->external_labels);
    mem_free(s->external_url);
    mem_free(s->logs_url);
    mem_free(s);
}

/* --- one evaluation; worker --- */

struct sending {
    struct alert_manager *manager;
    const struct settings *settings;
    const struct alert_language *language;
    bool any;
};

static void put_escaped(struct slice s, struct buf *out)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if ((c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '-' ||
            c == '_' || c == '.' || c == '~')
            buf_append_char(out, (char)c);
        else if (c == ' ')
            buf_append_char(out, '+');
        else
            buf_printf(out, "%%%02X", (unsigned)c);
    }
}

/* Where a person sees what the rule asks for. */
static void put_page(const struct sending *s, const struct alert_rule *rule, struct buf *out)
{
    if (s->language == &alert_logql) {
        buf_printf(out, "%s?expr=", s->settings->logs_url);
        put_escaped(rule->expr_text, out);
        return;
    }
    buf_printf(out, "%s/graph?g0.expr=", s->settings->external_url);
    put_escaped(rule->expr_text, out);
    buf_append_cstr(out, "&g0.tab=1");
}

static void send(void *ctx, const struct alert_rule *rule, const struct alert_active *a)
{
    struct sending *s = ctx;
    struct buf url = {0};
    if (!s->manager->env.notifier)
        return;
    put_page(s, rule, &url);
    struct alert_notice notice = {.labels = a->labels,
                                  .annotations = a->annotations,
                                  .starts_ns = a->fired_ns,
                                  .ends_ns = a->resolved_ns ? a->resolved_ns : a->valid_until_ns,
                                  .generator_url = buf_slice(&url)};
    alert_notifier_push(s->manager->env.notifier, &notice);
    s->any = true;
    buf_deinit(&url);
}

static void slot_free(struct slot *s)
{
    alert__stats_free(s->stats);
    alert_group_free(s->group);
    mem_free(s);
}

/* The evaluation for s->next_ns. */
static void evaluate(struct alert_manager *m, struct slot *s, const struct settings *settings)
{
    struct sending sending = {
        .manager = m, .settings = settings, .language = s->group->def->language};
    struct alert_env env = settings->env;
    env.cancelled = &s->cancelled;
    alert_group_eval(s->group, &env, s->next_ns, send, &sending);
    /* As Prometheus does, after the second evaluation: the first may see only half of the data. */
    if (s->restore && !s->cancelled && ++s->done >= 2) {
        alert_group_restore(s->group, &env, now_of(m), m->env.outage_tolerance_ns, m->env.grace_ns);
        s->restore = s->cancelled;
    }
    if (sending.any)
        alert_notifier_flush(m->env.notifier);
}

static void run_ticket(void *ctx)
{
    struct ticket *ticket = ctx;
    struct alert_manager *m = ticket->manager;
    pthread_mutex_lock(&m->lock);
    struct slot *s = ticket->slot;
    if (s) {
        struct settings *settings = m->settings;
        settings->refs++;
        s->phase = PHASE_RUNNING;
        s->ticket = NULL;
        pthread_mutex_unlock(&m->lock);
        evaluate(m, s, settings);
        pthread_mutex_lock(&m->lock);
        settings_release(settings);
        int64_t interval_ns = s->group->def->interval_ns;
        int64_t behind = MAX((now_of(m) - s->next_ns) / interval_ns - 1, 0);
        alert__stats_update(s->stats, s->group, behind);
        s->next_ns += (behind + 1) * interval_ns;
        s->phase = PHASE_IDLE;
    }
    mem_free(ticket);
    m->tickets--;
    pthread_cond_broadcast(&m->changed);
    pthread_mutex_unlock(&m->lock);
}

/* --- the thread that keeps the time --- */

/* Lock held. The next instant at which something is due. */
static int64_t start_due(struct alert_manager *m, int64_t now_ns)
{
    int64_t next_ns = INT64_MAX;
    for (size_t i = 0; i < m->slots.len; i++) {
        struct slot *s = m->slots.items[i];
        if (s->phase != PHASE_IDLE)
            continue;
        if (s->next_ns <= now_ns) {
            struct ticket *ticket = mem_calloc(1, sizeof(*ticket));
            *ticket = (struct ticket){m, s};
            s->ticket = ticket;
            s->phase = PHASE_QUEUED;
            m->tickets++;
            m->env.pool->submit(m->env.pool, TASK_ALERTING, run_ticket, ticket);
        } else {
            next_ns = MIN(next_ns, s->next_ns);
        }
    }
    for (size_t i = m->ended.len; i-- > 0;) {
        struct slot *s = m->ended.items[i];
        if (s->end_ns > now_ns) {
            next_ns = MIN(next_ns, s->end_ns);
            continue;
        }
        m->ended.items[i] = m->ended.items[--m->ended.len];
        /* At the time it went: who gives the same series now has newer samples. */
        alert_group_end_series(s->group, &m->settings->env,
                               s->end_ns - 2 * s->group->def->interval_ns);
        slot_free(s);
    }
    return next_ns;
}

static void *keep_time(void *ctx)
{
    struct alert_manager *m = ctx;
    pthread_mutex_lock(&m->lock);
    while (!m->stopping) {
        int64_t now_ns = now_of(m), next_ns = start_due(m, now_ns);
        /* The clock may be set: never sleep past a second at once. */
        int64_t wait_ns = MIN(next_ns == INT64_MAX ? NS_PER_SEC : next_ns - now_ns, NS_PER_SEC);
        (void)cond_wait_for(&m->changed, &m->lock, MAX(wait_ns, NS_PER_MS));
    }
    pthread_mutex_unlock(&m->lock);
    return NULL;
}

/* --- life --- */

struct alert_manager *alert_manager_new(const struct alert_manager_env *env)
{
    struct alert_manager *m = mem_calloc(1, sizeof(*m));
    m->env = *env;
    pthread_mutex_init(&m->lock, NULL);
    cond_init(&m->changed);
    counter_register(&group_count, 1);
    counter_register(&rule_count, 1);
    pthread_create(&m->thread, NULL, keep_time, m);
    return m;
}

static struct slot *find(struct alert_manager *m, const struct alert_group_def *def)
{
    for (size_t i = 0; i < m->slots.len; i++) {
        const struct alert_group_def *d = m->slots.items[i]->group->def;
        if (slice_eq(d->name, def->name) && slice_eq(d->file, def->file) &&
            d->language == def->language && slice_eq(d->tenant, def->tenant))
            return m->slots.items[i];
    }
    return NULL;
}

static int by_place(const void *a, const void *b)
{
    const struct alert_group_def *x = (*(struct slot *const *)a)->group->def,
                                 *y = (*(struct slot *const *)b)->group->def;
    int c = slice_cmp(x->file, y->file);
    return c ? c : slice_cmp(x->name, y->name);
}

/* Lock held: ends what the slot runs, so that nobody does anything with it afterwards. What is
 * only queued never runs: the caller may be what the pool is busy with. */
static void take_out(struct alert_manager *m, struct slot *s)
{
    atomic_store(&s->cancelled, true);
    while (s->phase == PHASE_RUNNING)
        pthread_cond_wait(&m->changed, &m->lock);
    if (s->ticket)
        s->ticket->slot = NULL;
    s->ticket = NULL;
    s->phase = PHASE_TAKEN;
}

static struct slot *slot_new(struct alert_manager *m, struct alert_rules *rules,
                             const struct alert_group_def *def, struct slot *was, bool first)
{
    struct slot *s = mem_calloc(1, sizeof(*s));
    s->group = alert_group_new(rules, def);
    s->stats = alert__stats_new(def);
    s->restore = first;
    if (!first)
        alert_group_set_restored(s->group);
    if (was) {
        take_out(m, was);
        was->has_heir = true;
        alert_group_inherit(s->group, was->group);
        s->restore = was->restore;
        s->done = was->done;
    }
    s->next_ns = aligned(def, now_of(m)) + def->interval_ns;
    return s;
}

/* Lock held: adds the groups' slots, old or new; returns how many rules they have. */
static size_t take_in(struct alert_manager *m, struct alert_rules *rules, bool first,
                      slot_list *next)
{
    size_t rule_total = 0;
    for (size_t i = 0; i < rules->group_count; i++) {
        const struct alert_group_def *def = &rules->groups[i];
        struct slot *was = find(m, def);
        rule_total += def->rule_count;
        if (was && slice_eq(was->group->def->identity, def->identity)) {
            was->kept = true;
            vec_push(next, was);
        } else {
            vec_push(next, slot_new(m, rules, def, was, first));
        }
    }
    return rule_total;
}

void alert_manager_apply(struct alert_manager *m, struct alert_rules *const *sets, size_t set_count,
                         const struct alert_manager_settings *settings)
{
    slot_list next = {0};
    size_t rule_total = 0;
    pthread_mutex_lock(&m->lock);
    bool first = !m->applied;
    m->applied = true;
    if (settings) {
        settings_release(m->settings);
        m->settings = settings_new(m, settings);
    }
    for (size_t i = 0; i < m->slots.len; i++)
        m->slots.items[i]->kept = false;
    for (size_t i = 0; i < set_count; i++) {
        if (sets[i])
            rule_total += take_in(m, sets[i], first, &next);
    }
    for (size_t i = 0; i < m->slots.len; i++) {
        if (!m->slots.items[i]->kept)
            take_out(m, m->slots.items[i]);
    }
    /* All waiting, in which others look at the slots, is over: from here to the new list nothing
     * lets go of the lock. */
    for (size_t i = 0; i < m->slots.len; i++) {
        struct slot *s = m->slots.items[i];
        if (s->kept)
            continue;
        if (s->has_heir) {
            slot_free(s);
            continue;
        }
        alert__stats_free(s->stats);
        s->stats = NULL;
        s->end_ns = now_of(m) + 2 * s->group->def->interval_ns;
        vec_push(&m->ended, s);
    }
    vec_clear(&m->slots);
    for (size_t i = 0; i < next.len; i++)
        vec_push(&m->slots, next.items[i]);
    if (m->slots.len)
        qsort(m->slots.items, m->slots.len, sizeof(*m->slots.items), by_place);
    counter_set(&group_count, (int64_t)m->slots.len);
    counter_set(&rule_count, (int64_t)rule_total);
    vec_free(&next);
    pthread_cond_broadcast(&m->changed);
    pthread_mutex_unlock(&m->lock);
    for (size_t i = 0; i < set_count; i++)
        alert_rules_free(sets[i]);
}

void alert_manager_cancel(struct alert_manager *m)
{
    pthread_mutex_lock(&m->lock);
    m->stopping = true;
    for (size_t i = 0; i < m->slots.len; i++)
        atomic_store(&m->slots.items[i]->cancelled, true);
    pthread_cond_broadcast(&m->changed);
    pthread_mutex_unlock(&m->lock);
}

void alert_manager_free(struct alert_manager *m)
{
    if (!m)
        return;
    alert_manager_cancel(m);
    pthread_join(m->thread, NULL);
    pthread_mutex_lock(&m->lock);
    for (size_t i = 0; i < m->slots.len; i++)
        take_out(m, m->slots.items[i]);
    while (m->tickets)
        pthread_cond_wait(&m->changed, &m->lock);
    pthread_mutex_unlock(&m->lock);
    for (size_t i = 0; i < m->slots.len; i++)
        slot_free(m->slots.items[i]);
    for (size_t i = 0; i < m->ended.len; i++)
        slot_free(m->ended.items[i]);
    vec_free(&m->slots);
    vec_free(&m->ended);
    settings_release(m->settings);
    pthread_mutex_destroy(&m->lock);
    pthread_cond_destroy(&m->changed);
    mem_free(m);
}

void alert_manager_each(struct alert_manager *m,
                        void (*each)(void *arg, const struct alert_group *g), void *arg)
{
    pthread_mutex_lock(&m->lock);
    for (size_t i = 0; i < m->slots.len; i++) {
        struct alert_group *g = m->slots.items[i]->group;
        pthread_mutex_lock(&g->lock);
        each(arg, g);
        pthread_mutex_unlock(&g->lock);
    }
    pthread_mutex_unlock(&m->lock);
}
