/* Lines as columns: they come back byte for byte, and what is found in them is what a search of the
 * lines themselves finds. */
#include <setjmp.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/log.h"
#include "os/sim.h"
#include "store/event/split.h"
#include "store/events.h"
#include "text/regex.h"

#define DAY   (1700006400 * NS_PER_SEC) /* begins */
#define LINES 4000

static uint64_t state_now = 11;
static uint64_t rnd(void)
{
    return state_now = hash_u64(state_now + 0x9e3779b97f4a7c15);
}

static unsigned below(unsigned n)
{
    return (unsigned)(rnd() % n);
}

static const char *const words[] = {"alpha", "beta", "gamma", "delta", "order", "cache"};
static const char *const levels[] = {"info", "warn", "error"};

static size_t when(char *out, const char *format, int64_t ts)
{
    time_t s = (time_t)(ts / NS_PER_SEC);
    struct tm tm;
    gmtime_r(&s, &tm);
    return strftime(out, 60, format, &tm);
}

static struct slice json_line(struct arena *a, int64_t ts)
{
    char t[64];
    when(t, "%Y-%m-%dT%H:%M:%S", ts);
    return arena_printf(
        a,
        "{\"ts\":\"%s.%03uZ\",\"level\":\"%s\",\"trace\":\"%016llx%016llx\",\"id\":\"%08x-%04x-%"
        "04x-"
        "%04x-%012llx\",\"user\":%u,\"ms\":%u.%u,\"ok\":%s,\"msg\":\"%s \\\"%s\\\" took %u "
        "steps\",\"n\":{\"a\": \"%s\"}}",
        t, (unsigned)(ts / 1000000 % 1000), levels[below(3)], (unsigned long long)rnd(),
        (unsigned long long)rnd(), (unsigned)rnd(), below(65536), below(65536), below(65536),
        (unsigned long long)(rnd() >> 16), below(100000), below(500), below(10),
        below(2) ? "true" : "false", words[below(6)], words[below(6)], below(1000),
        below(5) ? words[below(6)] : "");
}

static struct slice logfmt_line(struct arena *a, int64_t ts)
{
    char t[64];
    when(t, "%Y-%m-%d %H:%M:%S", ts);
    return arena_printf(
        a, "time=\"%s,%03u\" level=%s dur=%ums size=%03u msg=\"%s is %s\" ip=10.0.%u.%u", t,
        below(1000), levels[below(3)], below(3000), below(1000), words[below(6)], words[below(6)],
        below(4), below(256));
}

static struct slice access_line(struct arena *a, int64_t ts)
{
    char t[64];
    when(t, "%d/%b/%Y:%H:%M:%S", ts - 7200 * NS_PER_SEC);
    return arena_printf(
        a, "10.%u.%u.%u:80%u - %s [%s -0200] \"GET /%s/%u HTTP/1.1\" %u %u \"-\" 0.%03u", below(3),
        below(99), below(256), below(100), below(2) ? "-" : words[below(6)], t, words[below(6)],
        below(50), below(9) ? 200u : 404u, below(90000), below(1000));
}

static struct slice syslog_line(struct arena *a, int64_t ts)
{
    char t[64];
    when(t, "%b %e %H:%M:%S", ts);
    return arena_printf(
        a, "%s host%u sshd[%u]: Accepted publickey for %s from 192.168.%u.%u port %u ssh2", t,
        below(20), below(30000), words[below(6)], below(3), below(255), 1024 + below(60000));
}

static struct slice stack_line(struct arena *a, int64_t ts)
{
    (void)ts;
    return arena_printf(
        a,
        "java.lang.IllegalStateException: %s %u\n\tat com.shop.%s.Run.go(Run.java:%u)\n"
        "\tat com.shop.Main.main(Main.java:%u)\n",
        words[below(6)], below(100), words[below(6)], below(400), below(3));
}

static struct slice odd_line(struct arena *a, int64_t ts)
{
    static const char letters[] = "ab01= :\"\\,{}[]/-.\xc3\xa4\n";
    char text[200];
    size_t len = below(sizeof(text));
    (void)ts;
    for (size_t i = 0; i < len; i++)
        text[i] = rnd() % 300 ? letters[rnd() % (sizeof(letters) - 1)] : '\0';
    return arena_slice(a, slice_make(text, len));
}

static struct slice mixed_line(struct arena *a, int64_t ts)
{
    switch (below(12)) {
    case 0: return odd_line(a, ts);
    case 1: return SLICE("");
    case 2: return stack_line(a, ts);
    case 3:
    case 4: return access_line(a, ts);
    case 5: return syslog_line(a, ts);
    default: return json_line(a, ts);
    }
}

typedef struct slice (*make_fn)(struct arena *a, int64_t ts);

static const struct {
    const char *what;
    make_fn make;
    bool splits;
} kinds[] = {
    {"JSON", json_line, true},     {"logfmt", logfmt_line, true}, {"access log", access_line, true},
    {"syslog", syslog_line, true}, {"stacks", stack_line, true},  {"noise", odd_line, false},
    {"mixed", mixed_line, true},
};

struct lines {
    struct arena *arena;
    uint32_t rows[LINES];
    int64_t times[LINES * 2]; /* of all rows */
    struct data_value values[LINES];
    struct buf out;
    struct store_column_info info;
};

static void make_lines(struct lines *l, make_fn make, bool gaps)
{
    *l = (struct lines){.arena = arena_new(0, NULL)};
    uint32_t row = 0;
    int64_t ts = DAY;
    for (uint32_t i = 0; i < LINES; i++, row++) {
        for (; gaps && below(4) == 0 && row + (LINES - i) < 2 * LINES; row++)
            l->times[row] = ts;
        ts += (int64_t)(rnd() % NS_PER_SEC);
        l->times[row] = ts;
        l->rows[i] = row;
        l->values[i] = data_value_string(make(l->arena, ts));
    }
    struct store_column_in in = {.total = row,
                                 .count = LINES,
                                 .rows = l->rows,
                                 .values = l->values,
                                 .level = 1,
                                 .split = STORE_SPLIT_DEPTH_MAX,
                                 .times = l->times};
    store_column_encode(&in, &l->out, &l->info);
}

static int open_lines(struct lines *l, struct store_column *c)
{
    struct store_column_context context = {.times = l->times};
    return store_column_decode(
        &l->info, l->rows[LINES - 1] + 1, slice_make(l->out.ptr, l->info.meta_len),
        slice_make(l->out.ptr + l->info.meta_len, l->info.pages_len), &context, c);
}

static void free_lines(struct lines *l)
{
    arena_free(l->arena);
    buf_deinit(&l->out);
}

static void lines_come_back(void **state)
{
    (void)state;
    for (size_t k = 0; k < ARRAY_LEN(kinds) * 2; k++) {
        static struct lines l;
        static uint32_t lengths[LINES];
        struct store_column c;
        make_lines(&l, kinds[k / 2].make, k & 1);
        if ((l.info.form == STORE_COLUMN_SPLIT) != kinds[k / 2].splits)
            fail_msg("%s: form %d", kinds[k / 2].what, l.info.form);
        assert_int_equal(open_lines(&l, &c), 0);
        assert_int_equal(store_column_unpack(&c), 0);
        assert_int_equal(store_column_lengths(&c, lengths), 0);
        for (uint32_t i = 0; i < LINES; i++) {
            struct data_value v;
            assert_int_equal(store_column_get(&c, l.rows[i], l.arena, &v), 0);
            if (!data_value_eq(v, l.values[i]))
                fail_msg("%s: %.*s came back as %.*s", kinds[k / 2].what,
                         SLICE_FMT(l.values[i].text), SLICE_FMT(v.text));
            assert_int_equal(lengths[i], v.text.len);
        }
        store_column_free(&c);
        free_lines(&l);
    }
}

/* A stretch of a line, mostly short; at times with a letter changed. */
static struct slice some_needle(struct lines *l)
{
    struct slice line = l->values[below(LINES)].text;
    if (!line.len)
        return SLICE("a");
    size_t at = below((unsigned)line.len);
    size_t len = 1 + below(below(4) ? 12 : 60);
    struct slice s = slice_first(slice_from(line, at), len);
    if (below(4))
        return s;
    struct slice copy = arena_slice(l->arena, s);
    ((char *)(uintptr_t)copy.ptr)[below((unsigned)copy.len)] = "0a\" 9"[below(5)];
    return copy;
}

static void found_is_what_is_there(void **state)
{
    (void)state;
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        static struct lines l;
        static bool found[LINES];
        static uint32_t values[LINES];
        struct store_column c;
        make_lines(&l, kinds[k].make, false);
        assert_int_equal(open_lines(&l, &c), 0);
        for (int round = 0; round < 150; round++) {
            struct slice needle = some_needle(&l);
            size_t count = 0;
            for (uint32_t i = 0; i < LINES; i++) {
                if (round % 3 || below(3))
                    values[count++] = i;
            }
            memset(found, 1, sizeof(found));
            assert_int_equal(
                store_column_test(&c, STORE_TEXT_CONTAINS, needle, values, count, found), 0);
            for (size_t i = 0; i < count; i++) {
                struct slice line = l.values[values[i]].text;
                if (found[i] != (slice_find(line, needle) >= 0))
                    fail_msg("%s: '%.*s' in '%.*s'", kinds[k].what, SLICE_FMT(needle),
                             SLICE_FMT(line));
            }
        }
        store_column_free(&c);
        free_lines(&l);
    }
}

static void damage_is_noticed(void **state)
{
    (void)state;
    static struct lines l;
    make_lines(&l, mixed_line, true);
    for (int round = 0; round < 60; round++) {
        struct store_column c;
        size_t at = rnd() % l.out.len;
        l.out.ptr[at] = (char)(l.out.ptr[at] ^ 1 << below(8));
        int err = open_lines(&l, &c);
        if (at < l.info.meta_len)
            assert_int_equal(err, ERR_CORRUPT);
        if (!err) {
            assert_int_equal(store_column_check(&c), ERR_CORRUPT);
            err = 0;
            for (uint32_t i = 0; i < LINES && !err; i++) {
                struct data_value v;
                err = store_column_get(&c, l.rows[i], l.arena, &v);
            }
            assert_int_equal(err, ERR_CORRUPT);
            store_column_free(&c);
        }
        buf_clear(&l.out);
        struct store_column_in in = {.total = l.rows[LINES - 1] + 1,
                                     .count = LINES,
                                     .rows = l.rows,
                                     .values = l.values,
                                     .level = 1,
                                     .split = STORE_SPLIT_DEPTH_MAX,
                                     .times = l.times};
        store_column_encode(&in, &l.out, &l.info);
    }
    free_lines(&l);
}

/* --- the whole store --- */

static void on_ack(void *ctx, int err, const struct store_append_result *r)
{
    (void)r;
    *(int *)ctx = err;
}

static void append(struct store *s, const struct lines *l, size_t begin, size_t end)
{
    struct data_event_batch *b = data_event_batch_new(DATA_EVENT_LOGS, SLICE("default"));
    uint32_t streams[3];
    int err = 1;
    for (uint32_t i = 0; i < 3; i++) {
        struct data_label label = {SLICE("app"), slice_cstr(words[i])};
        streams[i] = data_event_batch_add_stream(b, (struct data_labels){&label, 1});
    }
    for (size_t i = begin; i < end; i++) {
        data_event_batch_add_row(b, streams[i % 3], l->times[l->rows[i]]);
        if (i % 50)
            data_event_put(b, DATA_EVENT_LINE, l->values[i]);
    }
    store_append_events(s, b, on_ack, &err);
    store_sync(s);
    assert_int_equal(err, 0);
    data_event_batch_free(b);
}

static size_t count_rows(struct store *s, const struct store_event_predicate *p, bool check)
{
    struct store_event_source *src = store_events(s, DATA_EVENT_LOGS);
    struct store_event_clause clause = {p, 1};
    struct store_event_field line = STORE_EVENT_INTRINSIC(DATA_EVENT_LINE);
    struct store_event_scan scan = {
        .select = {.tenant = SLICE("default"), .t_min_ns = INT64_MIN, .t_max_ns = INT64_MAX},
        .clauses = &clause,
        .clause_count = 1,
        .fields = &line,
        .field_count = 1};
    struct store_event_cursor *c;
    struct store_event_chunk chunk = {0};
    struct buf scratch = {0};
    size_t n = 0;
    assert_int_equal(src->ops->scan(src, &scan, &c, NULL), 0);
    do {
        assert_int_equal(src->ops->next(c, &chunk, NULL), 0);
        for (size_t i = 0; i < chunk.count && check; i++)
            assert_true(store_event_satisfies(p, chunk.columns[0].values[i], &scratch));
        n += chunk.count;
    } while (chunk.count);
    src->ops->close(c);
    store_event_chunk_free(&chunk);
    buf_deinit(&scratch);
    return n;
}

static size_t count_plain(const struct lines *l, const struct store_event_predicate *p)
{
    struct buf scratch = {0};
    size_t n = 0;
    for (size_t i = 0; i < LINES; i++)
        n += store_event_satisfies(p, i % 50 ? l->values[i] : (struct data_value){0}, &scratch);
    buf_deinit(&scratch);
    return n;
}

static void scans_agree_with_the_lines(void **state)
{
    (void)state;
    static struct lines l;
    static const char *const patterns[] = {"took [0-9]+",    "order.*took 7", "(?i)CACHE",
                                           "ssh2$",          "^\\{",          "alpha|beta is",
                                           "nothing like it"};
    static const char *const literals[] = {"took ", "order", NULL, "ssh2", NULL, NULL, "nothing"};
    struct os_sim *sim = os_sim_new(3);
    struct store *s;
    struct store_config config;
    os_sim_set_now(sim, DAY + 86400 * NS_PER_SEC);
    store_config_init(&config);
    config.dir = "data";
    config.background = false;
    config.disk_reserve_bytes = 0;
    assert_int_equal(store_open(&config, os_sim_os(sim), NULL, &s, NULL), 0);
    make_lines(&l, mixed_line, false);
    /* Several flushes, and merges of them. */
    for (size_t i = 0; i < LINES; i += LINES / 5) {
        append(s, &l, i, i + LINES / 5);
        assert_int_equal(store_maintain(s, true, NULL), 0);
    }
    for (int round = 0; round < 60; round++) {
        struct store_event_predicate p = {.op = round & 1 ? STORE_EVENT_NOT_CONTAINS
                                                          : STORE_EVENT_CONTAINS,
                                          .field = STORE_EVENT_INTRINSIC(DATA_EVENT_LINE),
                                          .absent = round & 2,
                                          .value = data_value_string(some_needle(&l))};
        assert_int_equal(count_rows(s, &p, true), count_plain(&l, &p));
    }
    for (size_t i = 0; i < 2 * ARRAY_LEN(patterns); i++) {
        struct text_regex *regex;
        struct slice literal = slice_cstr(literals[i / 2] ? literals[i / 2] : "");
        assert_int_equal(text_regex_compile(slice_cstr(patterns[i / 2]), 0, &regex, NULL), 0);
        struct store_event_predicate p = {.op = i & 1 ? STORE_EVENT_NOT_MATCH : STORE_EVENT_MATCH,
                                          .field = STORE_EVENT_INTRINSIC(DATA_EVENT_LINE),
                                          .regex = regex,
                                          .literals = &literal,
                                          .literal_count = literals[i / 2] ? 1 : 0};
        assert_int_equal(count_rows(s, &p, true), count_plain(&l, &p));
        text_regex_free(regex);
    }
    store_close(s);
    os_sim_free(sim);
    free_lines(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_come_back),
        cmocka_unit_test(found_is_what_is_there),
        cmocka_unit_test(damage_is_noticed),
        cmocka_unit_test(scans_agree_with_the_lines),
    };
    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
