/* The thread that reads: which file's turn it is, batches and their fate, what is kept. */
#include "input/files/files.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "input/files/files_priv.h"

#define IN_FLIGHT_MAX    4
#define BATCH_BYTES      ((size_t)4 << 20)
#define BATCH_ROWS       20000
#define SAVE_NS          (200 * NS_PER_MS)
#define RECALL_MS        20
#define TICK_NS          (200 * NS_PER_MS)
#define RETRY_MIN_NS     (NS_PER_SEC / 2)
#define RETRY_MAX_NS     (30 * NS_PER_SEC)
#define DELETED_QUIET_NS (3 * NS_PER_SEC)
#define LOST_QUIET_NS    (300 * NS_PER_SEC)
#define PENDING_BYTES    ((size_t)64 << 20)
#define RECORDS_MAX      10000
#define RECORD_KEPT_NS   (7 * 24 * 3600 * NS_PER_SEC)

#define REFUSED(reason)                                                                            \
    {                                                                                              \
        .name = "pharos_files_refused_lines_total",                                                \
        .help = "Lines of log files that were not taken, or not as they are, by reason.",          \
        .labels = "reason=\"" reason "\""                                                          \
    }
static struct counter refused[FILES_REFUSAL_COUNT] = {
    [FILES_TOO_LONG] = REFUSED("too_long"), /* cut at limits.line_size */
    [FILES_BAD_TIME] = REFUSED("bad_time"), /* in the future: another time was taken */
    [FILES_STORE] = REFUSED("store"),       /* pharos_ingest_refused_* says why */
    [FILES_DAMAGED] = REFUSED("damaged"),   /* archives */
};
static struct counter counts[FILES_COUNT] = {
    [FILES_LINES] = {.name = "pharos_files_lines_total", .help = "Lines read of log files."},
    [FILES_BYTES] = {.name = "pharos_files_read_bytes_total", .help = "Bytes read of log files."},
    [FILES_TRUNCATED] = {.name = "pharos_files_truncated_total",
                         .help = "Log files that were written over from their begin."},
    [FILES_ROTATED] = {.name = "pharos_files_rotated_total",
                       .help = "Log files that were renamed."},
    [FILES_ERRORS] = {.name = "pharos_files_errors_total",
                      .help = "Log files that could not be read, by attempt."},
};
enum { GAUGE_FILES, GAUGE_OPEN, GAUGE_LAG, GAUGE_COUNT };
static struct counter gauges[GAUGE_COUNT] = {
    [GAUGE_FILES] = {.name = "pharos_files_followed",
                     .help = "Log files that are followed.",
                     .kind = COUNTER_GAUGE},
    [GAUGE_OPEN] = {.name = "pharos_files_open",
                    .help = "Log files that are open.",
                    .kind = COUNTER_GAUGE},
    [GAUGE_LAG] = {.name = "pharos_files_total_lag_bytes",
                   .help = "Bytes of all log files that are not durable here yet.",
                   .kind = COUNTER_GAUGE},
};

int64_t files__now(struct input_files *f)
{
    return f->env.os->ops->now_ns(f->env.os);
}

int64_t files__clock(struct input_files *f)
{
    return f->env.os->ops->monotonic_ns(f->env.os);
}

void files__count_refused(enum files_refusal why, size_t n)
{
    counter_add(&refused[why], (int64_t)n);
}

void files__count(int what, int64_t n)
{
    counter_add(&counts[what], n);
}

/* --- the table --- */

static void remember(struct input_files *f, struct files_record r)
{
    r.path = mem_strdup(r.path);
    r.stream_path = mem_strdup(r.stream_path);
    vec_push(&f->old.records, r);
    f->positions_dirty = true;
}

void files__remember(struct input_files *f, const struct files_tail *t, bool is_gone)
{
    struct files_record r = files__record_of(t, files__now(f));
    r.pos = t->pos;
    r.mark = t->mark;
    r.is_gone = is_gone;
    if (r.pos && r.print.len)
        remember(f, r);
}

static void expire(struct input_files *f)
{
    int64_t before = files__now(f) - RECORD_KEPT_NS;
    size_t kept = 0, over = f->old.records.len > RECORDS_MAX ? f->old.records.len - RECORDS_MAX : 0;
    for (size_t i = 0; i < f->old.records.len; i++) {
        struct files_record *r = &f->old.records.items[i];
        if (i < over || r->seen_ns < before) {
            mem_free(r->path);
            mem_free(r->stream_path);
        } else {
            f->old.records.items[kept++] = *r;
        }
    }
    f->old.records.len = kept;
}

static void save(struct input_files *f)
{
    struct files_positions all = {0};
    struct diag why;
    int64_t now = files__now(f);
    diag_init(&why);
    expire(f);
    for (size_t i = 0; i < f->old.records.len; i++)
        vec_push(&all.records, f->old.records.items[i]);
    for (size_t i = 0; i < f->tails.len; i++) {
        if (f->tails.items[i]->is_settled)
            vec_push(&all.records, files__record_of(f->tails.items[i], now));
    }
    for (size_t i = 0; i < f->known_specs.len; i++)
        vec_push(&all.specs, f->known_specs.items[i]);
    f->saved_ns = files__clock(f);
    if (files__positions_save(f->env.os, f->dir, &all, &why))
        LOG_ERROR("files", "positions cannot be saved", LOG_STR("error", why.msg));
    else
        f->positions_dirty = false;
    vec_free(&all.records); /* their texts are others' */
    vec_free(&all.specs);
}

/* --- batches --- */

static void on_ack(void *ctx, int err, const struct pipe_result *result)
{
    struct files_sent *s = ctx;
    struct input_files *f = s->files;
    uint64_t one = 1;
    s->err = err;
    if (result)
        memcpy(s->refused, result->refused, sizeof(s->refused));
    pthread_mutex_lock(&f->lock);
    s->next = f->acked;
    f->acked = s;
    (void)!write(f->wake_fd, &one, sizeof(one)); /* under the lock: f is not freed meanwhile */
    pthread_mutex_unlock(&f->lock);
}

static void free_sent(struct files_sent *s)
{
    vec_free(&s->tails);
    mem_free(s);
}

static void settle_sent(struct input_files *f, struct files_sent *s)
{
    f->in_flight--;
    for (size_t i = 0; i < s->tails.len; i++) {
        struct files_tail *t = s->tails.items[i];
        t->is_busy = false;
        if (s->err) {
            t->is_ended = false;
            files__tail_rewind(t);
        } else {
            t->committed = t->safe;
            t->committed_mark = t->safe_mark;
            t->version = t->safe_version;
        }
        files__tail_show_lag(t);
        if (!t->is_ended)
            files__tail_list(f, t);
    }
    if (s->err) {
        f->backoff_ns = CLAMP(f->backoff_ns * 2, RETRY_MIN_NS, RETRY_MAX_NS);
        f->retry_ns = files__clock(f) + f->backoff_ns;
        LOG_WARN("files", "lines were not stored, they are read again",
                 LOG_STR("error", err_name(s->err)), LOG_INT("lines", s->rows),
                 LOG_INT("wait_ms", f->backoff_ns / NS_PER_MS));
    } else {
        f->backoff_ns = f->retry_ns = 0;
        f->positions_dirty = true;
        for (size_t i = 0; i < PIPE_REFUSED_COUNT; i++)
            files__count_refused(FILES_STORE, s->refused[i]);
    }
    free_sent(s);
}

static void take_acks(struct input_files *f)
{
    pthread_mutex_lock(&f->lock);
    struct files_sent *s = f->acked;
    f->acked = NULL;
    pthread_mutex_unlock(&f->lock);
    for (struct files_sent *next; s; s = next) {
        next = s->next;
        settle_sent(f, s);
    }
}

struct filling {
    struct pipe_kit *kit;
    struct decode_logfile_out out;
    struct files_sent *sent;
};

static void begin_filling(struct input_files *f, struct filling *x)
{
    int64_t now = files__now(f);
    x->kit = pipe_kit_take(f->kits, SLICE(""));
    x->out = (struct decode_logfile_out){.batch = x->kit->events,
                                         .serial = ++f->serial,
                                         .record = x->kit->decoder,
                                         .now_ns = now,
                                         .future_ns = f->settings.future_ns};
    x->sent = mem_calloc(1, sizeof(*x->sent));
    x->sent->files = f;
    /* The zone may have changed: summer time. */
    time_t seconds = (time_t)(now / NS_PER_SEC);
    struct tm tm;
    if (localtime_r(&seconds, &tm)) {
        for (size_t i = 0; i < f->config->specs.len; i++) {
            if (f->config->specs.items[i].zone_is_local)
                f->config->specs.items[i].rules.offset_s = (int32_t)tm.tm_gmtoff;
        }
    }
}

static void send(struct input_files *f, struct filling *x)
{
    struct files_sent *s = x->sent;
    files__count(FILES_LINES, (int64_t)x->out.lines);
    files__count_refused(FILES_TOO_LONG, x->out.cut);
    files__count_refused(FILES_BAD_TIME, x->out.bad_times);
    s->rows = x->kit->events->rows.len;
    if (s->rows) {
        f->in_flight++;
        f->env.sink->logs(f->env.sink, x->kit->events, on_ack, s);
    } else {
        free_sent(s);
    }
    pipe_kit_give(f->kits, x->kit);
}

/* What a turn left: the file waits for its rows to be durable, or is done with bytes that gave
 * none. */
static void end_turn(struct input_files *f, struct files_tail *t, struct filling *x,
                     size_t rows_before)
{
    uint64_t safe = decode_logfile_safe(&t->log, t->pos);
    struct files_print mark =
        safe == t->pos || t->fd < 0 || t->archive ? t->mark : files__mark_at(t->fd, safe);
    if (x->kit->events->rows.len > rows_before) {
        t->is_busy = true;
        t->safe = safe;
        t->safe_mark = mark;
        t->safe_version = ++f->version;
        files__note(t, x->kit->events, x->out.now_ns);
        vec_push(&x->sent->tails, t);
    } else if (t->committed != safe) {
        t->committed = safe;
        t->committed_mark = mark;
        t->version = ++f->version;
        f->positions_dirty = true;
        files__tail_show_lag(t);
    }
}

static bool is_due(const struct files_tail *t, int64_t now)
{
    if (t->is_deleted)
        return t->fd < 0 || now - MAX(t->lost_ns, t->read_ns) >= DELETED_QUIET_NS;
    return t->is_detached && now - MAX(t->lost_ns, t->read_ns) >= LOST_QUIET_NS;
}

static void read_one(struct input_files *f, struct files_tail *t, struct filling *x)
{
    size_t before = x->kit->events->rows.len;
    if (!files__settle(f, t)) {
        if (t->is_deleted && t->fd < 0)
            t->is_ended = true;
        return;
    }
    bool last = is_due(t, x->out.now_ns) && (files__tail_is_read(t) || t->partial_since_ns);
    bool more = files__tail_read(f, t, &x->out, last);
    if (last && t->fd < 0)
        decode_logfile_flush(&t->log, &t->spec->rules, &x->out, INT64_MAX);
    if (!more && t->spec->rules.multiline)
        decode_logfile_flush(&t->log, &t->spec->rules, &x->out,
                             x->out.now_ns - t->spec->multiline.timeout_ns);
    if (last || (t->is_deleted && t->fd < 0))
        t->is_ended = true;
    end_turn(f, t, x, before);
    if (more)
        files__tail_list(f, t);
}

static void fill(struct input_files *f)
{
    struct filling x;
    if (!f->listed.len || f->in_flight >= IN_FLIGHT_MAX || files__clock(f) < f->retry_ns)
        return;
    begin_filling(f, &x);
    size_t turns = f->listed.len, done = 0;
    while (done < turns && x.kit->events->rows.len < BATCH_ROWS &&
           arena_size(x.kit->events->arena) < BATCH_BYTES) {
        struct files_tail *t = f->listed.items[done++];
        t->is_listed = false;
        if (!t->is_busy && !t->is_ended) /* else it is listed again when its rows are durable */
            read_one(f, t, &x);
    }
    /* Those whose turn it was go; what was listed meanwhile stands behind. */
    memmove(f->listed.items, f->listed.items + done,
            (f->listed.len - done) * sizeof(*f->listed.items));
    f->listed.len -= done;
    send(f, &x);
}

/* --- time --- */

static void free_ended(struct input_files *f)
{
    size_t kept = 0;
    for (size_t i = 0; i < f->tails.len; i++) {
        struct files_tail *t = f->tails.items[i];
        if (t->is_ended && !t->is_busy && !t->is_listed) {
            if (t->is_settled)
                files__remember(f, t, t->is_deleted);
            f->tails.items[i] = NULL;
            files__tail_free(f, t);
        } else {
            f->tails.items[kept++] = t;
        }
    }
    f->tails.len = kept;
}

/* Files that wait for time to pass: lines without an end, records without a next line, those that
 * go. */
static void tick(struct input_files *f, bool poll_now)
{
    int64_t now = files__now(f), lag = 0;
    size_t pending = 0;
    for (size_t i = 0; i < f->tails.len; i++) {
        struct files_tail *t = f->tails.items[i];
        pending += decode_logfile_pending_bytes(&t->log);
        int64_t timeout = t->spec->multiline.timeout_ns,
                since = decode_logfile_waits_since(&t->log);
        bool due = (t->partial_since_ns && t->spec->partial_ns &&
                    now - t->partial_since_ns >= t->spec->partial_ns) ||
                   (since != INT64_MAX && now - since >= timeout) || is_due(t, now) ||
                   (!t->is_settled && t->waits_size);
        if (!due && poll_now && (t->is_polled || f->notify_fd < 0)) {
            struct stat st;
            due = t->fd >= 0   ? !fstat(t->fd, &st) && (uint64_t)st.st_size != t->size
                  : t->path[0] ? !stat(t->path, &st) && ((uint64_t)st.st_size != t->size ||
                                                         (uint64_t)st.st_ino != t->ino)
                               : false;
        }
        if (due && !t->is_busy && !t->is_ended)
            files__tail_list(f, t);
        if (!t->archive && t->size > t->committed)
            lag += (int64_t)(t->size - t->committed);
    }
    if (pending > PENDING_BYTES && f->in_flight < IN_FLIGHT_MAX) {
        struct filling x;
        begin_filling(f, &x);
        for (size_t i = 0; i < f->tails.len; i++) {
            struct files_tail *t = f->tails.items[i];
            size_t before = x.kit->events->rows.len;
            if (t->is_busy)
                continue;
            decode_logfile_flush(&t->log, &t->spec->rules, &x.out, INT64_MAX);
            end_turn(f, t, &x, before);
        }
        send(f, &x);
    }
    free_ended(f);
    counter_set(&gauges[GAUGE_FILES], (int64_t)f->tails.len);
    counter_set(&gauges[GAUGE_OPEN], (int64_t)f->open_count);
    counter_set(&gauges[GAUGE_LAG], lag);
}

/* How long there is nothing to do, at most, in milliseconds. */
static int pause_of(const struct input_files *f, int64_t now, int64_t next_tick)
{
    int64_t until = MIN(next_tick, f->next_scan_ns);
    if (f->listed.len && f->in_flight < IN_FLIGHT_MAX) {
        bool can = false; /* those under way are listed again by their acknowledgement */
        for (size_t i = 0; i < f->listed.len && !can; i++)
            can = !f->listed.items[i]->is_busy;
        if (can)
            until = MIN(until, MAX(now, f->retry_ns));
    }
    if (f->positions_dirty)
        until = MIN(until, f->saved_ns + SAVE_NS);
    return until <= now ? 0 : (int)((until - now) / NS_PER_MS) + 1;
}

static void await(struct input_files *f, int ms)
{
    struct pollfd fds[2] = {{.fd = f->wake_fd, .events = POLLIN},
                            {.fd = f->notify_fd, .events = POLLIN}};
    uint64_t n;
    if (poll(fds, f->notify_fd >= 0 ? 2 : 1, ms) <= 0)
        return;
    if (fds[0].revents)
        (void)!read(f->wake_fd, &n, sizeof(n));
    if (f->notify_fd >= 0 && fds[1].revents)
        files__take_events(f);
}

/* What is held back is stored where starting at its begin would double lines behind it. */
static void last_batch(struct input_files *f)
{
    struct filling x;
    begin_filling(f, &x);
    for (size_t i = 0; i < f->tails.len; i++) {
        struct files_tail *t = f->tails.items[i];
        size_t before = x.kit->events->rows.len;
        if (!decode_logfile_is_ahead(&t->log, t->pos))
            continue;
        decode_logfile_flush(&t->log, &t->spec->rules, &x.out, INT64_MAX);
        end_turn(f, t, &x, before);
    }
    send(f, &x);
}

/* What the store noted beside the lines is at least as new as the table. Once the table has it,
 * too, the store may forget it. */
static void recall(struct input_files *f)
{
    struct pipe_kit *kit;
    while (!f->stopping && files__recall(f) == ERR_AGAIN)
        await(f, RECALL_MS);
    if (!f->recalled.len)
        return;
    save(f);
    if (!f->positions_dirty) {
        kit = pipe_kit_take(f->kits, SLICE(""));
        for (size_t i = 0; i < f->recalled.len; i++)
            data_event_batch_note(kit->events, slice_cstr(f->recalled.items[i]), SLICE(""));
        f->env.sink->logs(f->env.sink, kit->events, NULL, NULL);
        pipe_kit_give(f->kits, kit);
    }
    for (size_t i = 0; i < f->recalled.len; i++)
        mem_free(f->recalled.items[i]);
    vec_clear(&f->recalled);
}

static void *run(void *ctx)
{
    struct input_files *f = ctx;
    int64_t next_tick = 0;
    recall(f);
    while (!f->stopping) {
        int64_t now = files__clock(f);
        take_acks(f);
        if (now >= f->next_scan_ns) {
            files__scan(f);
            f->last_scan_ns = files__clock(f);
            f->next_scan_ns = f->last_scan_ns + f->settings.scan_ns;
        }
        if (now >= next_tick) {
            bool poll_now = now >= f->next_poll_ns;
            if (poll_now)
                f->next_poll_ns = now + f->settings.poll_ns;
            tick(f, poll_now);
            next_tick = now + TICK_NS;
        }
        fill(f);
        now = files__clock(f);
        if (f->positions_dirty && now - f->saved_ns >= SAVE_NS)
            save(f);
        await(f, pause_of(f, now, next_tick));
    }
    while (f->in_flight) {
        await(f, 1000);
        take_acks(f);
    }
    last_batch(f);
    while (f->in_flight) {
        await(f, 1000);
        take_acks(f);
    }
    save(f);
    return NULL;
}

/* --- life --- */

static void deinit_record(void *decoder)
{
    decode_record_deinit(decoder);
}

static int load(struct input_files *f, struct diag *diag)
{
    struct diag why;
    char path[4352], aside[4352];
    diag_init(&why);
    int err = f->env.os->ops->mkdir(f->env.os, f->dir, diag);
    if (err)
        return err;
    err = files__positions_load(f->env.os, f->dir, &f->old, &why);
    if (err == ERR_CORRUPT) { /* lines may come twice; that is better than none */
        snprintf(path, sizeof(path), "%s/positions", f->dir);
        snprintf(aside, sizeof(aside), "%s/positions.damaged", f->dir);
        LOG_ERROR("files", "positions are damaged: all files are read anew",
                  LOG_STR("error", why.msg), LOG_STR("kept_as", aside));
        return f->env.os->ops->rename(f->env.os, path, aside, diag);
    }
    if (err)
        return diag_set(diag, err, "%s", why.msg);
    for (size_t i = 0; i < f->old.specs.len; i++)
        vec_push(&f->known_specs, f->old.specs.items[i]);
    for (size_t i = 0; i < f->old.records.len; i++)
        f->version = MAX(f->version, f->old.records.items[i].version);
    return 0;
}

static void free_files(struct input_files *f)
{
    while (f->tails.len)
        files__tail_free(f, vec_pop(&f->tails));
    for (size_t i = 0; i < f->watch_dirs.len; i++)
        mem_free(f->watch_dirs.items[i]);
    vec_free(&f->watch_dirs);
    vec_free(&f->tails);
    vec_free(&f->listed);
    vec_free(&f->known_specs);
    vec_free(&f->recalled);
    map_free(f->by_path);
    map_free(f->by_inode);
    map_free(f->watches);
    files__positions_free(&f->old);
    pipe_kits_free(f->kits);
    input_files_config_free(f->config);
    if (f->wake_fd >= 0)
        close(f->wake_fd);
    if (f->notify_fd >= 0)
        close(f->notify_fd);
    pthread_mutex_destroy(&f->lock);
    mem_free(f->dir);
    mem_free(f->hostname);
    mem_free(f);
}

int input_files_start(const struct input_env *env, const struct input_files_settings *settings,
                      struct input_files_config *config, struct input_files **out,
                      struct diag *diag)
{
    struct input_files *f = mem_calloc(1, sizeof(*f));
    *out = NULL;
    f->env = *env;
    f->settings = *settings;
    f->dir = mem_strdup(settings->dir);
    f->hostname = mem_strdup(settings->hostname);
    f->config = config;
    f->by_path = map_new();
    f->by_inode = map_new();
    f->watches = map_new();
    f->kits = pipe_kits_new(PIPE_KIT_LOGS, sizeof(struct decode_record), deinit_record);
    f->notify_fd = settings->watch ? inotify_init1(IN_NONBLOCK | IN_CLOEXEC) : -1;
    f->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    pthread_mutex_init(&f->lock, NULL);
    for (size_t i = 0; i < config->specs.len; i++)
        config->specs.items[i].rules.record_bytes_max = settings->line_bytes_max;
    counter_register(counts, ARRAY_LEN(counts));
    counter_register(refused, ARRAY_LEN(refused));
    counter_register(gauges, ARRAY_LEN(gauges));
    int err = load(f, diag);
    if (!err && f->wake_fd < 0)
        err = diag_set(diag, ERR_IO, "eventfd: %s", strerror(errno));
    if (!err && pthread_create(&f->thread, NULL, run, f))
        err = diag_set(diag, ERR_IO, "no thread to read log files with");
    if (err) {
        free_files(f);
        return err;
    }
    *out = f;
    return 0;
}

void input_files_stop(struct input_files *f)
{
    uint64_t one = 1;
    if (!f)
        return;
    f->stopping = true;
    (void)!write(f->wake_fd, &one, sizeof(one));
    pthread_join(f->thread, NULL);
    pthread_mutex_lock(&f->lock); /* the last acknowledgement has left it */
    pthread_mutex_unlock(&f->lock);
    free_files(f);
}
