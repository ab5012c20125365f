/* Following files into a sink that fails at times: every line exactly once, positions that are
 * kept, what a damaged table does. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/map.h"
#include "base/mem.h"
#include "input/files/files_priv.h"
#include "os/os.h"

#define WAIT_MS 60000

/* A sink that keeps lines, and answers from a thread of its own. */
struct fixture {
    struct pipe_sink sink; /* first */
    char dir[64], path[128], data[128];
    pthread_mutex_t lock;
    struct map *lines; /* -> how often */
    size_t batches, accepted;
    size_t fail_every; /* so many-th batch; 0: none */
    struct input_files *files;
};

struct answer {
    pipe_ack_fn ack;
    void *ctx;
    int err;
};

static void *answer_later(void *ctx)
{
    struct answer a = *(struct answer *)ctx;
    struct pipe_result result = {0};
    mem_free(ctx);
    usleep(1000);
    a.ack(a.ctx, a.err, &result);
    return NULL;
}

static void take(struct pipe_sink *sink, const struct data_event_batch *b, pipe_ack_fn ack,
                 void *ctx)
{
    struct fixture *f = (struct fixture *)sink;
    struct answer *a = mem_calloc(1, sizeof(*a));
    pthread_t thread;
    *a = (struct answer){ack, ctx, 0};
    pthread_mutex_lock(&f->lock);
    if (f->fail_every && ++f->batches % f->fail_every == 0)
        a->err = ERR_NOSPACE;
    for (size_t i = 0; !a->err && i < b->rows.len; i++) {
        struct data_value line = data_event_get(b, (uint32_t)i, DATA_EVENT_LINE);
        map_put(f->lines, line.text, NULL)->value.u64++;
        f->accepted++;
    }
    pthread_mutex_unlock(&f->lock);
    assert_int_equal(pthread_create(&thread, NULL, answer_later, a), 0);
    pthread_detach(thread);
}

static int set_up(void **state)
{
    struct fixture *f = mem_calloc(1, sizeof(*f));
    f->sink.logs = take;
    f->lines = map_new();
    pthread_mutex_init(&f->lock, NULL);
    snprintf(f->dir, sizeof(f->dir), "/tmp/test_files.XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->path, sizeof(f->path), "%s/app.log", f->dir);
    snprintf(f->data, sizeof(f->data), "%s/data", f->dir);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    char command[200];
    input_files_stop(f->files);
    snprintf(command, sizeof(command), "rm -rf %s", f->dir);
    assert_int_equal(system(command), 0);
    map_free(f->lines);
    pthread_mutex_destroy(&f->lock);
    mem_free(f);
    return 0;
}

static void start(struct fixture *f, const char *more)
{
    struct arena *arena = arena_new(0, NULL);
    struct text_yaml *list;
    struct input_files_config *config;
    struct input_env env = {.os = os_real(), .sink = &f->sink};
    struct input_files_settings settings = {.dir = f->data,
                                            .hostname = "h",
                                            .line_bytes_max = 65536,
                                            .future_ns = 600 * NS_PER_SEC,
                                            .open_max = 8,
                                            .files_max = 100,
                                            .watch = true,
                                            .poll_ns = 50 * NS_PER_MS,
                                            .scan_ns = 100 * NS_PER_MS};
    char text[400];
    snprintf(text, sizeof(text), "- include: %s/app.log*\n%s", f->dir, more);
    assert_int_equal(text_yaml_parse(slice_cstr(text), arena, &list, NULL), 0);
    assert_int_equal(input_files_config_parse(list, &config, NULL), 0);
    assert_int_equal(input_files_start(&env, &settings, config, &f->files, NULL), 0);
    arena_free(arena);
}

static void stop(struct fixture *f)
{
    input_files_stop(f->files);
    f->files = NULL;
}

static void append(struct fixture *f, size_t from, size_t to)
{
    FILE *file = fopen(f->path, "a");
    assert_non_null(file);
    for (size_t i = from; i < to; i++)
        fprintf(file, "line %zu\n", i);
    fclose(file);
}

static size_t accepted(struct fixture *f)
{
    pthread_mutex_lock(&f->lock);
    size_t n = f->accepted;
    pthread_mutex_unlock(&f->lock);
    return n;
}

static void await_lines(struct fixture *f, size_t count)
{
    for (int i = 0; accepted(f) < count; i++) {
        if (i > WAIT_MS)
            fail_msg("%zu of %zu lines came", accepted(f), count);
        usleep(1000);
    }
}

/* line 0 to line count - 1 are there, each `times` times. */
static void expect(struct fixture *f, size_t count, size_t times)
{
    char line[40];
    await_lines(f, count * times);
    pthread_mutex_lock(&f->lock);
    assert_int_equal(map_count(f->lines), count);
    for (size_t i = 0; i < count; i++) {
        int len = snprintf(line, sizeof(line), "line %zu", i);
        struct map_entry *e = map_get(f->lines, slice_make(line, (size_t)len));
        if (!e || e->value.u64 != times)
            fail_msg("%s: %llu times", line, e ? (unsigned long long)e->value.u64 : 0);
    }
    pthread_mutex_unlock(&f->lock);
}

static void failing_sink(void **state)
{
    struct fixture *f = *state;
    f->fail_every = 2;
    start(f, "");
    for (size_t i = 0; i < 6; i++) {
        append(f, i * 500, (i + 1) * 500);
        usleep(120000);
    }
    expect(f, 3000, 1);
    stop(f);
    expect(f, 3000, 1);
}

static void rotation_while_failing(void **state)
{
    struct fixture *f = *state;
    char to[160];
    f->fail_every = 2;
    start(f, "");
    for (size_t i = 0; i < 4; i++) {
        append(f, i * 400, (i + 1) * 400);
        usleep(50000);
        snprintf(to, sizeof(to), "%s.%zu", f->path, i);
        assert_int_equal(rename(f->path, to), 0);
    }
    expect(f, 1600, 1);
}

static void restarts(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < 4; i++) {
        append(f, i * 100, (i + 1) * 100);
        start(f, "");
        await_lines(f, (i + 1) * 100);
        stop(f);
    }
    expect(f, 400, 1);
}

/* Records that wait for their next line stay unread at a stop, and come whole after it. */
static void pending_over_restart(void **state)
{
    struct fixture *f = *state;
    FILE *file = fopen(f->path, "w");
    fputs("1 a\nb\n2 c\n", file);
    fflush(file);
    start(f, "  multiline: {start: '^[0-9]', timeout: 1h}\n");
    await_lines(f, 1);
    stop(f);
    fputs("d\n3 e\n", file);
    fclose(file);
    start(f, "  multiline: {start: '^[0-9]', timeout: 1s}\n");
    await_lines(f, 3);
    assert_non_null(map_get(f->lines, SLICE("1 a\nb")));
    assert_non_null(map_get(f->lines, SLICE("2 c\nd")));
    assert_non_null(map_get(f->lines, SLICE("3 e")));
    assert_int_equal(map_count(f->lines), 3);
}

static void truncated_while_down(void **state)
{
    struct fixture *f = *state;
    append(f, 0, 100);
    start(f, "");
    await_lines(f, 100);
    stop(f);
    assert_int_equal(truncate(f->path, 0), 0);
    append(f, 100, 350); /* longer than what was read */
    start(f, "");
    expect(f, 350, 1);
}

static void damaged_positions(void **state)
{
    struct fixture *f = *state;
    char path[200];
    append(f, 0, 10);
    start(f, "");
    await_lines(f, 10);
    stop(f);
    snprintf(path, sizeof(path), "%s/positions", f->data);
    FILE *file = fopen(path, "r+");
    assert_non_null(file);
    fseek(file, 20, SEEK_SET);
    fputs("xxxx", file);
    fclose(file);
    start(f, "");
    expect(f, 10, 2);
    snprintf(path, sizeof(path), "%s/positions.damaged", f->data);
    assert_int_equal(access(path, F_OK), 0);
}

static void table(void **state)
{
    struct files_positions p = {0}, again;
    struct buf text = {0};
    (void)state;
    char a[] = "/a", b[] = "/b";
    struct files_record r = {.dev = 1,
                             .ino = UINT64_MAX,
                             .birth_ns = -5,
                             .print = {7, 8},
                             .mark = {9, 10},
                             .pos = 11,
                             .is_gone = true,
                             .is_done = true,
                             .seen_ns = 12,
                             .path = a,
                             .stream_path = b,
                             .format = 3};
    vec_push(&p.records, r);
    vec_push(&p.specs, 42);
    files__positions_encode(&p, &text);
    assert_int_equal(files__positions_decode(buf_slice(&text), &again, NULL), 0);
    const struct files_record *o = &again.records.items[0];
    assert_int_equal(again.records.len, 1);
    assert_true(o->dev == 1 && o->ino == UINT64_MAX && o->birth_ns == -5 && o->print.hash == 8 &&
                o->mark.len == 9 && o->pos == 11 && o->is_gone && o->is_done && o->seen_ns == 12 &&
                o->format == 3);
    assert_string_equal(o->stream_path, "/b");
    assert_int_equal(again.specs.items[0], 42);
    files__positions_free(&again);
    for (size_t i = 0; i < text.len; i++) {
        text.ptr[i] ^= 1;
        assert_int_equal(files__positions_decode(buf_slice(&text), &again, NULL), ERR_CORRUPT);
        text.ptr[i] ^= 1;
        assert_int_equal(files__positions_decode(slice_first(buf_slice(&text), i), &again, NULL),
                         ERR_CORRUPT);
    }
    vec_free(&p.records);
    vec_free(&p.specs);
    buf_deinit(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(failing_sink, set_up, tear_down),
        cmocka_unit_test_setup_teardown(rotation_while_failing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(restarts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(pending_over_restart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(truncated_while_down, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damaged_positions, set_up, tear_down),
        cmocka_unit_test(table)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
