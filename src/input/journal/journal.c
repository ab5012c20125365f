#include "input/journal/journal.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-journal.h>
#include <time.h>
/* Of syslog.h, which that brings in. */
#undef LOG_DEBUG
#undef LOG_INFO

#include "base/counter.h"
#include "base/log.h"
#include "base/mem.h"
#include "codec/number.h"
#include "codec/utf8.h"
#include "decode/record.h"
#include "pipe/kit.h"
#include "text/duration.h"

#define BATCH_ROWS   4096
#define BATCH_BYTES  ((size_t)4 << 20)
#define WAIT_US      (250 * 1000) /* also how long a stop takes */
#define RETRY_MAX_NS (30 * NS_PER_SEC)
#define CURSOR_MAX   4096
#define NOTE         "journal/cursor"

struct input_journal_config {
    struct arena *arena;
    const char *directory; /* NULL: the system's */
    const char **matches;  /* "_SYSTEMD_UNIT=nginx.service": any of them */
    size_t match_count;
    struct data_label *labels;
    size_t label_count;
    int64_t max_age_ns; /* of what the first run reads; 0: only what comes */
};

struct input_journal {
    struct input_env env;
    struct input_journal_settings settings;
    char *dir;
    struct input_journal_config *config;
    pthread_t thread;
    _Atomic bool stopping;

    sd_journal *journal;     /* NULL: not open */
    struct pipe_kits *kits;  /* their decoders are decode_record */
    char cursor[CURSOR_MAX]; /* of the last durable entry; "" = none */
    bool told;               /* that it is not there */

    pthread_mutex_t lock; /* of what follows: the batch under way */
    pthread_cond_t settled;
    bool is_settled;
    int err;
    size_t not_taken;
};

static struct counter counts[] = {
    {.name = "pharos_journal_entries_total", .help = "Entries read of systemd's journal."},
    {.name = "pharos_journal_refused_total",
     .help = "Entries of the journal that were not taken, or not whole, by reason.",
     .labels = "reason=\"too_long\""},
    {.name = "pharos_journal_refused_total",
     .help = "Entries of the journal that were not taken, or not whole, by reason.",
     .labels = "reason=\"store\""},
    {.name = "pharos_journal_errors_total", .help = "Failures to read the journal."},
};
enum { COUNT_ENTRIES, COUNT_TOO_LONG, COUNT_STORE, COUNT_ERRORS };

/* --- settings --- */

static int read_unit(const struct text_yaml *node, struct arena *arena, const char **out,
                     struct diag *diag)
{
    struct slice s;
    int err = text_yaml_string(node, &s, diag);
    if (!err && !s.len)
        err = text_yaml_error(node, diag, ERR_INVALID, "the name of a unit is expected");
    if (!err) /* as systemctl has it, a name alone is a service */
        *out = arena_printf(arena, "_SYSTEMD_UNIT=%.*s%s", SLICE_FMT(s),
                            slice_find_char(s, '.') < 0 ? ".service" : "")
                   .ptr;
    return err;
}

static int read_labels(const struct text_yaml *node, struct input_journal_config *c,
                       struct diag *diag)
{
    if (node->kind != TEXT_YAML_MAP)
        return text_yaml_error(node, diag, ERR_INVALID, "labels takes a map of names to values");
    c->labels = ARENA_ARRAY(c->arena, struct data_label, node->count);
    for (size_t i = 0; i < node->count; i++) {
        struct slice value;
        int err = text_yaml_string(node->items[i], &value, diag);
        if (err)
            return err;
        if (!data_label_name_is_legacy(node->keys[i]->value))
            return text_yaml_error(node->keys[i], diag, ERR_INVALID,
                                   "labels: \"%.*s\" is no label name",
                                   SLICE_FMT(node->keys[i]->value));
        c->labels[c->label_count].name = arena_slice(c->arena, node->keys[i]->value);
        c->labels[c->label_count++].value = arena_slice(c->arena, value);
    }
    return 0;
}

int input_journal_config_parse(const struct text_yaml *node, struct input_journal_config **out,
                               struct diag *diag)
{
    static const char *const keys[] = {"directory", "units", "max_age", "labels", NULL};
    const struct text_yaml *v;
    struct slice s;
    bool on = true;
    int err = 0;
    *out = NULL;
    if (text_yaml_is_null(node))
        return 0;
    if (node->kind == TEXT_YAML_SCALAR && (err = text_yaml_bool(node, &on, diag)))
        return err;
    if (!on)
        return 0;
    if (node->kind == TEXT_YAML_LIST)
        return text_yaml_error(node, diag, ERR_INVALID, "inputs.journal takes true, or a map");
    struct input_journal_config *c = mem_calloc(1, sizeof(*c));
    c->arena = arena_new(0, NULL);
    c->max_age_ns = 24 * 3600 * NS_PER_SEC;
    if (node->kind == TEXT_YAML_MAP)
        err = text_yaml_check_keys(node, "inputs.journal", keys, diag);
    if (!err && (v = text_yaml_get(node, "directory")) && !(err = text_yaml_string(v, &s, diag)))
        c->directory = arena_slice(c->arena, s).ptr;
    if (!err && (v = text_yaml_get(node, "max_age")))
        err = text_yaml_duration(v, &c->max_age_ns, diag);
    if (!err && (v = text_yaml_get(node, "labels")) && !text_yaml_is_null(v))
        err = read_labels(v, c, diag);
    if (!err && (v = text_yaml_get(node, "units")) && !text_yaml_is_null(v)) {
        bool list = v->kind == TEXT_YAML_LIST;
        c->match_count = list ? v->count : 1;
        c->matches = ARENA_ARRAY(c->arena, const char *, c->match_count);
        for (size_t i = 0; i < c->match_count && !err; i++)
            err = read_unit(list ? v->items[i] : v, c->arena, &c->matches[i], diag);
    }
    if (err) {
        input_journal_config_free(c);
        return err;
    }
    *out = c;
    return 0;
}

void input_journal_config_free(struct input_journal_config *c)
{
    if (!c)
        return;
    arena_free(c->arena);
    mem_free(c);
}

/* --- the cursor --- */

static void load_cursor(struct input_journal *j)
{
    char path[4352];
    struct os *os = j->env.os;
    struct os_file *file = NULL;
    uint64_t size;
    snprintf(path, sizeof(path), "%s/cursor", j->dir);
    if (os->ops->open(os, path, OS_READ, &file, NULL))
        return;
    if (!os->ops->size(file, &size, NULL) && size < sizeof(j->cursor) &&
        !os->ops->read_at(file, 0, j->cursor, size, NULL))
        j->cursor[size] = 0;
    os->ops->close(file);
}

static void save_cursor(struct input_journal *j)
{
    char path[4352], temporary[4352];
    struct os *os = j->env.os;
    struct os_file *file = NULL;
    struct diag why;
    diag_init(&why);
    snprintf(path, sizeof(path), "%s/cursor", j->dir);
    snprintf(temporary, sizeof(temporary), "%s/cursor.tmp", j->dir);
    int err = os->ops->open(os, temporary, OS_WRITE | OS_CREATE | OS_TRUNC, &file, &why);
    if (!err)
        err = os->ops->write_at(file, 0, j->cursor, strlen(j->cursor), &why);
    if (!err)
        err = os->ops->sync(file, &why);
    if (file)
        os->ops->close(file);
    if (!err)
        err = os->ops->rename(os, temporary, path, &why);
    if (!err)
        err = os->ops->sync_dir(os, j->dir, &why);
    if (err)
        LOG_ERROR("journal", "the cursor cannot be saved", LOG_STR("error", why.msg));
}

/* --- entries --- */

static struct slice keep_text(struct data_event_batch *b, struct slice s)
{
    if (codec_utf8_valid(s))
        return data_event_batch_copy(b, s);
    struct buf out = {0};
    codec_utf8_repair(s, &out);
    s = data_event_batch_copy(b, buf_slice(&out));
    buf_deinit(&out);
    return s;
}

static struct slice attribute_name(struct slice field, char *out, size_t size)
{
    size_t n = 0;
    while (field.len && field.ptr[0] == '_')
        field = slice_from(field, 1);
    for (size_t i = 0; i < field.len && n < size; i++)
        out[n++] =
            (char)(field.ptr[i] >= 'A' && field.ptr[i] <= 'Z' ? field.ptr[i] | 32 : field.ptr[i]);
    return slice_make(out, n);
}

static struct slice without_service(struct slice unit)
{
    if (slice_ends_with(unit, SLICE(".service")))
        unit.len -= sizeof(".service") - 1;
    return unit;
}

static const struct {
    enum data_event_level level;
    int severity; /* OTLP's */
} priorities[8] = {{DATA_LEVEL_FATAL, 21}, {DATA_LEVEL_CRITICAL, 19}, {DATA_LEVEL_CRITICAL, 18},
                   {DATA_LEVEL_ERROR, 17}, {DATA_LEVEL_WARN, 13},     {DATA_LEVEL_INFO, 10},
                   {DATA_LEVEL_INFO, 9},   {DATA_LEVEL_DEBUG, 5}};

/* The entry that the journal stands at, as a row. */
static int take_entry(struct input_journal *j, struct pipe_kit *kit)
{
    struct decode_record *r = kit->decoder;
    struct data_event_batch *b = kit->events;
    struct slice unit = {NULL, 0}, identifier = {NULL, 0}, command = {NULL, 0}, line = SLICE("");
    const void *data;
    size_t len;
    uint64_t us = 0;
    int priority = -1, err = sd_journal_get_realtime_usec(j->journal, &us);
    if (err < 0)
        return err;
    r->times = DECODE_RECORD_TIME_NONE;
    decode_record_begin(r, b, (int64_t)us * NS_PER_US);
    SD_JOURNAL_FOREACH_DATA(j->journal, data, len)
    {
        struct slice field = slice_make(data, len);
        ptrdiff_t eq = slice_find_char(field, '=');
        char name[256];
        if (eq <= 0)
            continue;
        struct slice key = slice_first(field, (size_t)eq),
                     value = keep_text(b, slice_from(field, (size_t)eq + 1));
        if (slice_eq_cstr(key, "MESSAGE")) {
            line = value;
            continue;
        }
        if (slice_eq_cstr(key, "PRIORITY")) {
            if (value.len == 1 && value.ptr[0] >= '0' && value.ptr[0] <= '7')
                priority = value.ptr[0] - '0';
            continue;
        }
        if (slice_eq_cstr(key, "_HOSTNAME")) {
            data_labels_builder_set(&r->labels, SLICE("host_name"), value);
            continue;
        }
        if (slice_eq_cstr(key, "_SYSTEMD_UNIT")) {
            unit = value;
            data_labels_builder_set(&r->labels, SLICE("systemd_unit"), value);
            continue;
        }
        if (slice_eq_cstr(key, "SYSLOG_IDENTIFIER"))
            identifier = value;
        else if (slice_eq_cstr(key, "_COMM"))
            command = value;
        int64_t number;
        struct slice attribute = attribute_name(key, name, sizeof(name));
        bool plain = value.len && value.len < 19 && (value.ptr[0] != '0' || value.len == 1) &&
                     value.ptr[0] != '-' && value.ptr[0] != '+' &&
                     codec_text_to_int(value, &number);
        if (attribute.len && value.len <= j->settings.field_bytes_max)
            decode_record_keep(r, attribute,
                               plain ? data_value_int(number) : data_value_string(value));
    }
    if (line.len > j->settings.line_bytes_max) {
        line.len = j->settings.line_bytes_max;
        while (line.len && ((unsigned char)line.ptr[line.len] & 0xc0) == 0x80)
            line.len--;
        counter_add(&counts[COUNT_TOO_LONG], 1);
    }
    struct slice service = unit.len         ? without_service(unit)
                           : identifier.len ? identifier
                           : command.len    ? command
                                            : SLICE("unknown_service");
    for (size_t i = 0; i < j->config->label_count; i++)
        data_labels_builder_set(&r->labels, j->config->labels[i].name, j->config->labels[i].value);
    r->line = line;
    if (priority >= 0) {
        r->level = priorities[priority].level;
        r->level_rank = 0;
    }
    decode_record_end(r, line, service);
    if (priority >= 0)
        data_event_put(b, DATA_EVENT_SEVERITY, data_value_int(priorities[priority].severity));
    return 0;
}

/* --- the thread --- */

static void on_ack(void *ctx, int err, const struct pipe_result *result)
{
    struct input_journal *j = ctx;
    pthread_mutex_lock(&j->lock);
    j->err = err;
    j->not_taken = result ? pipe_result_refused(result) : 0;
    j->is_settled = true;
    pthread_cond_signal(&j->settled);
    pthread_mutex_unlock(&j->lock);
}

/* Hands the batch over and waits until it is durable. */
static int store(struct input_journal *j, struct pipe_kit *kit)
{
    j->is_settled = false;
    size_t rows = kit->events->rows.len;
    j->env.sink->logs(j->env.sink, kit->events, on_ack, j);
    pthread_mutex_lock(&j->lock);
    while (!j->is_settled)
        pthread_cond_wait(&j->settled, &j->lock);
    int err = j->err;
    size_t not_taken = j->not_taken;
    pthread_mutex_unlock(&j->lock);
    if (!err) {
        counter_add(&counts[COUNT_ENTRIES], (int64_t)rows);
        counter_add(&counts[COUNT_STORE], (int64_t)not_taken);
    }
    return err;
}

/* Behind the cursor, else where the first run begins. */
static int seek(struct input_journal *j)
{
    int err;
    if (j->cursor[0]) {
        if ((err = sd_journal_seek_cursor(j->journal, j->cursor)) < 0)
            return err;
        /* The entry itself, or, when it was vacuumed, the next one. */
        if ((err = sd_journal_next(j->journal)) > 0 &&
            sd_journal_test_cursor(j->journal, j->cursor) <= 0)
            err = sd_journal_previous(j->journal);
        return err;
    }
    if (!j->config->max_age_ns) {
        char *at = NULL;
        err = sd_journal_seek_tail(j->journal);
        if (err >= 0 && (err = sd_journal_previous(j->journal)) > 0 &&
            sd_journal_get_cursor(j->journal, &at) >= 0) {
            snprintf(j->cursor, sizeof(j->cursor), "%s", at);
            save_cursor(j); /* so that it is from here on after a restart, too */
            free(at);
        }
        return err;
    }
    int64_t from = j->env.os->ops->now_ns(j->env.os) - j->config->max_age_ns;
    return sd_journal_seek_realtime_usec(j->journal, from > 0 ? (uint64_t)(from / NS_PER_US) : 0);
}

static void shut(struct input_journal *j)
{
    if (j->journal)
        sd_journal_close(j->journal);
    j->journal = NULL;
}

static bool open_journal(struct input_journal *j)
{
    const char *directory = j->config->directory;
    int err = directory ? sd_journal_open_directory(&j->journal, directory, 0)
                        : sd_journal_open(&j->journal, SD_JOURNAL_LOCAL_ONLY);
    if (err < 0)
        j->journal = NULL;
    for (size_t i = 0; err >= 0 && i < j->config->match_count; i++) {
        err = sd_journal_add_match(j->journal, j->config->matches[i], 0);
        if (err >= 0)
            err = sd_journal_add_disjunction(j->journal);
    }
    if (err >= 0)
        err = sd_journal_set_data_threshold(
            j->journal, MAX(j->settings.line_bytes_max, j->settings.field_bytes_max) + 64);
    if (err >= 0)
        err = seek(j);
    if (err >= 0) {
        j->told = false;
        return true;
    }
    counter_add(&counts[COUNT_ERRORS], 1);
    if (!j->told)
        LOG_WARN("journal", "cannot be read, it is tried again",
                 LOG_STR("directory", directory ? directory : "the system's"),
                 LOG_STR("error", strerror(-err)));
    j->told = true;
    shut(j);
    return false;
}

static void pause_ns(struct input_journal *j, int64_t ns)
{
    struct timespec step = {.tv_nsec = 50 * NS_PER_MS};
    for (; ns > 0 && !j->stopping; ns -= step.tv_nsec)
        nanosleep(&step, NULL);
}

/* Entries up to a batch. < 0: the journal cannot be read any more. */
static int read_batch(struct input_journal *j, struct pipe_kit *kit, char *cursor)
{
    int err = 0;
    while (!j->stopping && kit->events->rows.len < BATCH_ROWS &&
           arena_size(kit->events->arena) < BATCH_BYTES) {
        char *at = NULL;
        if ((err = sd_journal_next(j->journal)) <= 0)
            break;
        if ((err = take_entry(j, kit)) < 0 || (err = sd_journal_get_cursor(j->journal, &at)) < 0)
            break;
        snprintf(cursor, CURSOR_MAX, "%s", at);
        free(at);
    }
    return err;
}

/* The store has the cursor with the entries, in one record: it is the file's or a later one. */
static void recall(struct input_journal *j)
{
    int err = j->env.sink->notes ? ERR_AGAIN : 0;
    while (err == ERR_AGAIN && !j->stopping) {
        struct arena *arena = arena_new(0, NULL);
        struct data_event_note *notes;
        size_t count = 0;
        err = j->env.sink->notes(j->env.sink, SLICE(NOTE), arena, &notes, &count);
        if (!err && count && notes[0].value.len < sizeof(j->cursor)) {
            memcpy(j->cursor, notes[0].value.ptr, notes[0].value.len);
            j->cursor[notes[0].value.len] = 0;
            save_cursor(j);
        }
        arena_free(arena);
        if (err == ERR_AGAIN)
            pause_ns(j, 50 * NS_PER_MS);
    }
}

static void *run(void *ctx)
{
    struct input_journal *j = ctx;
    int64_t backoff = NS_PER_SEC / 2;
    recall(j);
    while (!j->stopping) {
        char cursor[CURSOR_MAX] = "";
        if (!j->journal && !open_journal(j)) {
            pause_ns(j, 5 * NS_PER_SEC);
            continue;
        }
        struct pipe_kit *kit = pipe_kit_take(j->kits, SLICE(""));
        int err = read_batch(j, kit, cursor), store_err = 0;
        if (kit->events->rows.len)
            data_event_batch_note(kit->events, SLICE(NOTE), slice_cstr(cursor));
        if (kit->events->rows.len && !(store_err = store(j, kit))) {
            memcpy(j->cursor, cursor, sizeof(cursor));
            save_cursor(j);
            backoff = NS_PER_SEC / 2;
        }
        bool more = kit->events->rows.len > 0;
        pipe_kit_give(j->kits, kit);
        if (store_err) { /* from the cursor on again */
            LOG_WARN("journal", "entries were not stored, they are read again",
                     LOG_STR("error", err_name(store_err)));
            shut(j);
            pause_ns(j, backoff);
            backoff = MIN(backoff * 2, RETRY_MAX_NS);
        } else if (err < 0) {
            counter_add(&counts[COUNT_ERRORS], 1);
            LOG_WARN("journal", "cannot be read on, it is opened again",
                     LOG_STR("error", strerror(-err)));
            shut(j);
            pause_ns(j, NS_PER_SEC);
        } else if (!more) {
            (void)sd_journal_wait(j->journal, WAIT_US);
        }
    }
    shut(j);
    return NULL;
}

static void deinit_record(void *decoder)
{
    decode_record_deinit(decoder);
}

static void free_journal(struct input_journal *j)
{
    pipe_kits_free(j->kits);
    input_journal_config_free(j->config);
    pthread_cond_destroy(&j->settled);
    pthread_mutex_destroy(&j->lock);
    mem_free(j->dir);
    mem_free(j);
}

int input_journal_start(const struct input_env *env, const struct input_journal_settings *settings,
                        struct input_journal_config *config, struct input_journal **out,
                        struct diag *diag)
{
    struct input_journal *j = mem_calloc(1, sizeof(*j));
    *out = NULL;
    j->env = *env;
    j->settings = *settings;
    j->dir = mem_strdup(settings->dir);
    j->config = config;
    j->kits = pipe_kits_new(PIPE_KIT_LOGS, sizeof(struct decode_record), deinit_record);
    pthread_mutex_init(&j->lock, NULL);
    pthread_cond_init(&j->settled, NULL);
    counter_register(counts, ARRAY_LEN(counts));
    int err = env->os->ops->mkdir(env->os, j->dir, diag);
    if (!err) {
        load_cursor(j);
        if (pthread_create(&j->thread, NULL, run, j))
            err = diag_set(diag, ERR_IO, "no thread to read the journal with");
    }
    if (err) {
        free_journal(j);
        return err;
    }
    *out = j;
    return 0;
}

void input_journal_stop(struct input_journal *j)
{
    if (!j)
        return;
    j->stopping = true;
    pthread_join(j->thread, NULL);
    free_journal(j);
}
