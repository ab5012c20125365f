/* pharos import whisper: a tree of whisper files into a running server, by remote write, so that
 * what is acknowledged is on the disk. A state file says which files are done: started again, it
 * goes on where it stopped. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/map.h"
#include "base/vec.h"
#include "codec/pb.h"
#include "codec/snappy.h"
#include "data/labels.h"
#include "decode/whisper/whisper.h"
#include "net/http_client.h"
#include "os/file.h"
#include "server/commands.h"

#define FILE_MAX      ((size_t)2 << 30)
#define BATCH_SAMPLES 100000
#define TRIES         8

struct import {
    const char *dir, *url, *state_path, *prefix, *user, *token, *tenant;
    bool dry_run;
    VEC(char *) files; /* below dir */
    struct map *done;  /* "url\tpath" */
    FILE *state;
    struct buf body;      /* the remote-write request so far */
    size_t samples;       /* in it */
    VEC(size_t) finished; /* files whose last samples are in it */
    size_t files_done, files_bad, refused_requests;
    uint64_t points;
    struct timespec begun;
    double told;
};

static void print_help(void)
{
    printf(
        "Usage: pharos import whisper [options] DIR\n\n"
        "Reads Graphite's whisper files below DIR and sends their points to a running server: of\n"
        "each file the finest archive, and of coarser ones what is older. DIR/a/b.wsp is the path "
        "a.b.\n\n"
        "  --url URL         the server; default $PHAROS_URL or "
        "http://127.0.0.1:3000/prometheus\n"
        "  --prefix P        what all paths begin with\n"
        "  --state FILE      what is done, to go on later; default pharos-import.state\n"
        "  --tenant T        the tenant that gets the points\n"
        "  --user NAME:PASS  basic authentication\n"
        "  --token TOKEN     bearer token\n"
        "  --dry-run         only say what there is\n\n"
        "Points older than retention.metrics are refused by the server: set it first.\n");
}

static int parse(int argc, char **argv, struct import *m)
{
    int bad = 0;
    for (int i = 2; i < argc && !bad; i++) {
        const char *v;
        struct {
            const char *name, **to;
        } options[] = {{"--url", &m->url},   {"--state", &m->state_path}, {"--prefix", &m->prefix},
                       {"--user", &m->user}, {"--token", &m->token},      {"--tenant", &m->tenant}};
        bool known = false;
        for (size_t k = 0; k < ARRAY_LEN(options) && !known && !bad; k++) {
            if ((v = server_arg_value(argc, argv, &i, options[k].name, &bad))) {
                *options[k].to = v;
                known = true;
            }
        }
        if (known || bad)
            continue;
        if (strcmp(argv[i], "--dry-run") == 0) {
            m->dry_run = true;
        } else if (argv[i][0] == '-') {
            fprintf(stderr, "pharos import: unknown option %s; `pharos import --help` lists them\n",
                    argv[i]);
            bad = 1;
        } else if (m->dir) {
            fprintf(stderr, "pharos import: one directory at a time\n");
            bad = 1;
        } else {
            m->dir = argv[i];
        }
    }
    if (!bad && !m->dir) {
        fprintf(stderr, "pharos import: a directory is needed, for example: pharos import whisper "
                        "/var/lib/graphite/whisper\n");
        bad = 1;
    }
    return bad ? SERVER_EXIT_USAGE : -1;
}

/* --- what there is --- */

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void walk(struct import *m, const char *below, int depth)
{
    char path[8192];
    snprintf(path, sizeof(path), "%s/%s", m->dir, below);
    DIR *d = opendir(path);
    if (!d) {
        fprintf(stderr, "pharos import: %s: %s\n", path, strerror(errno));
        m->files_bad++;
        return;
    }
    for (struct dirent *e; (e = readdir(d));) {
        struct stat st;
        char child[4096];
        if (e->d_name[0] == '.')
            continue;
        if ((size_t)snprintf(child, sizeof(child), "%s%s%s", below, below[0] ? "/" : "",
                             e->d_name) >= sizeof(child) ||
            fstatat(dirfd(d), e->d_name, &st, 0))
            continue;
        size_t n = strlen(child);
        if (S_ISDIR(st.st_mode) && depth < 200)
            walk(m, child, depth + 1);
        else if (S_ISREG(st.st_mode) && n > 4 && strcmp(child + n - 4, ".wsp") == 0)
            vec_push(&m->files, strdup(child));
    }
    closedir(d);
}

/* A file's name says _DOT_ where a tagged series has a dot, and / where a path has one. */
static struct slice with_dots(struct slice text, bool tagged, const char *before,
                              struct arena *arena)
{
    struct buf b = {0};
    buf_append_cstr(&b, before);
    for (size_t i = 0; i < text.len; i++) {
        if (tagged && slice_starts_with(slice_from(text, i), SLICE("_DOT_"))) {
            buf_append_char(&b, '.');
            i += 4;
        } else {
            buf_append_char(&b, text.ptr[i] == '/' ? '.' : text.ptr[i]);
        }
    }
    struct slice out = arena_slice(arena, buf_slice(&b));
    buf_deinit(&b);
    return out;
}

/* a/b.wsp -> {__name__="a.b"}; _tagged/xx/yy/name;t=v.wsp -> {__name__="name",t="v"}. False: only a
 * hash is left of the name. */
static bool labels_of(const struct import *m, const char *file, struct arena *arena,
                      struct data_labels_builder *b, struct data_labels *out)
{
    struct slice rest = slice_first(slice_cstr(file), strlen(file) - 4), part;
    bool tagged = slice_starts_with(rest, SLICE("_tagged/"));
    char prefix[1024] = "";
    if (tagged) {
        for (int i = 0; i < 3; i++)
            slice_split(&rest, '/', &part);
        if (!rest.ptr || slice_find_char(rest, ';') < 0)
            return false;
    }
    if (m->prefix && m->prefix[0])
        snprintf(prefix, sizeof(prefix), "%s%s", m->prefix,
                 m->prefix[strlen(m->prefix) - 1] == '.' ? "" : ".");
    data_labels_builder_reset(b);
    slice_split(&rest, tagged ? ';' : '\0', &part);
    data_labels_builder_add(b, SLICE(DATA_METRIC_NAME), with_dots(part, tagged, prefix, arena));
    while (rest.ptr && slice_split(&rest, ';', &part)) {
        ptrdiff_t eq = slice_find_char(part, '=');
        if (eq <= 0)
            return false;
        data_labels_builder_add(b, slice_first(part, (size_t)eq),
                                with_dots(slice_from(part, (size_t)eq + 1), true, "", arena));
    }
    return !data_labels_builder_finish(b, out, NULL);
}

/* --- the state --- */

static void state_key(const struct import *m, const char *file, struct buf *out)
{
    buf_clear(out);
    buf_printf(out, "%s\t%s\t%s/%s", m->url, m->tenant ? m->tenant : "", m->dir, file);
}

static int open_state(struct import *m)
{
    struct buf text = {0};
    struct slice rest, line;
    struct os *os = os_real();
    if (access(m->state_path, F_OK) == 0) {
        struct diag diag;
        diag_init(&diag);
        if (os_file_read(os, m->state_path, FILE_MAX, &text, &diag)) {
            fprintf(stderr, "pharos import: %s\n", diag.msg);
            buf_deinit(&text);
            return SERVER_EXIT_FAIL;
        }
    }
    /* A last line without its end was cut off. */
    rest = buf_slice(&text);
    while (slice_find_char(rest, '\n') >= 0 && slice_split(&rest, '\n', &line))
        map_put(m->done, line, NULL);
    buf_deinit(&text);
    m->state = fopen(m->state_path, "ae");
    if (!m->state) {
        fprintf(stderr, "pharos import: %s: %s; --state names another file\n", m->state_path,
                strerror(errno));
        return SERVER_EXIT_FAIL;
    }
    return -1;
}

static bool note_finished(struct import *m)
{
    struct buf key = {0};
    for (size_t i = 0; i < m->finished.len; i++) {
        state_key(m, m->files.items[m->finished.items[i]], &key);
        fprintf(m->state, "%s\n", buf_cstr(&key));
    }
    buf_deinit(&key);
    m->files_done += m->finished.len;
    vec_clear(&m->finished);
    if (!fflush(m->state) && !fsync(fileno(m->state)))
        return true;
    fprintf(stderr, "pharos import: %s: %s\n", m->state_path, strerror(errno));
    return false;
}

/* --- sending --- */

static double seconds_since(const struct timespec *t)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - t->tv_sec) + (double)(now.tv_nsec - t->tv_nsec) / 1e9;
}

static void tell(struct import *m, bool always)
{
    double now = seconds_since(&m->begun);
    if (!always && now - m->told < 1)
        return;
    m->told = now;
    fprintf(stderr, "%zu of %zu files, %.2f M points, %.0f points/s%s", m->files_done, m->files.len,
            (double)m->points / 1e6, (double)m->points / (now > 0.001 ? now : 0.001),
            always || !isatty(2) ? "\n" : "   \r");
}

/* 0 taken, 1 given up. */
static int post(struct import *m, struct slice body)
{
    struct buf url = {0};
    struct net_client_header headers[5] = {
        {SLICE("Content-Type"), SLICE("application/x-protobuf")},
        {SLICE("Content-Encoding"), SLICE("snappy")},
        {SLICE("X-Prometheus-Remote-Write-Version"), SLICE("0.1.0")},
    };
    struct net_client_request req = {.method = "POST",
                                     .headers = headers,
                                     .header_count = 3,
                                     .body = body,
                                     .bearer_token = m->token,
                                     .timeout_ns = 300 * NS_PER_SEC};
    struct arena *arena = arena_new(0, NULL);
    int result = 1;
    buf_printf(&url, "%s/api/v1/write", m->url);
    req.url = buf_cstr(&url);
    if (m->tenant)
        headers[req.header_count++] =
            (struct net_client_header){SLICE("X-Scope-OrgID"), slice_cstr(m->tenant)};
    if (m->user) {
        struct slice rest = slice_cstr(m->user), name;
        slice_split(&rest, ':', &name);
        req.username = arena_slice(arena, name).ptr;
        req.password = rest.ptr ? rest.ptr : "";
    }
    for (int i = 0; i < TRIES; i++) {
        struct net_client_response resp = {0};
        struct diag diag;
        diag_init(&diag);
        int err = net_client_fetch(&req, arena, &resp, &diag);
        if (!err && resp.status / 100 == 2) {
            result = 0;
            break;
        }
        if (!err && resp.status == 400) { /* the rest of it was taken */
            if (m->refused_requests++ < 5)
                fprintf(stderr, "pharos import: some points were refused: %.*s\n",
                        SLICE_FMT(slice_first(slice_trim(resp.body), 500)));
            result = 0;
            break;
        }
        fprintf(stderr, "pharos import: %s: ", req.url);
        if (err)
            fprintf(stderr, "%s", diag.msg);
        else
            fprintf(stderr, "status %d: %.*s", resp.status,
                    SLICE_FMT(slice_first(slice_trim(resp.body), 300)));
        bool again = (err || resp.status >= 500 || resp.status == 429) && i + 1 < TRIES;
        fprintf(stderr, again ? "; trying again\n" : "\n");
        if (!again)
            break;
        nanosleep(&(struct timespec){.tv_sec = i < 4 ? 1 << i : 15}, NULL);
    }
    arena_free(arena);
    buf_deinit(&url);
    return result;
}

static int flush(struct import *m)
{
    struct buf packed = {0};
    int status = 0;
    if (m->samples) {
        codec_snappy_compress(buf_slice(&m->body), &packed);
        status = post(m, buf_slice(&packed));
        buf_deinit(&packed);
    }
    if (!status)
        m->points += m->samples;
    buf_clear(&m->body);
    m->samples = 0;
    if (!status && !note_finished(m))
        status = 1;
    tell(m, false);
    return status;
}

static int add_points(struct import *m, struct data_labels labels,
                      const decode_whisper_points_list *points)
{
    for (size_t i = 0; i < points->len;) {
        size_t n = MIN(points->len - i, (size_t)BATCH_SAMPLES - m->samples);
        size_t series = codec_pb_begin(&m->body, 1);
        for (size_t k = 0; k < labels.count; k++) {
            size_t label = codec_pb_begin(&m->body, 1);
            codec_pb_put_bytes(&m->body, 1, labels.items[k].name);
            codec_pb_put_bytes(&m->body, 2, labels.items[k].value);
            codec_pb_end(&m->body, label);
        }
        for (size_t k = 0; k < n; k++) {
            size_t sample = codec_pb_begin(&m->body, 2);
            codec_pb_put_double(&m->body, 1, points->items[i + k].value);
            codec_pb_put_varint(&m->body, 2, (uint64_t)points->items[i + k].ts_s * 1000);
            codec_pb_end(&m->body, sample);
        }
        codec_pb_end(&m->body, series);
        m->samples += n;
        i += n;
        if (m->samples >= BATCH_SAMPLES && flush(m))
            return 1;
    }
    return 0;
}

/* 0 done or bad and told, 1 it cannot go on. */
static int import_file(struct import *m, size_t index, struct buf *bytes,
                       decode_whisper_points_list *points)
{
    const char *file = m->files.items[index];
    char path[8192];
    struct decode_whisper w;
    struct data_labels_builder b = {0};
    struct data_labels labels;
    struct arena *arena = arena_new(0, NULL);
    struct diag diag;
    int status = 0;
    diag_init(&diag);
    snprintf(path, sizeof(path), "%s/%s", m->dir, file);
    buf_clear(bytes);
    vec_clear(points);
    int err = os_file_read(os_real(), path, FILE_MAX, bytes, &diag);
    if (!err)
        err = decode_whisper_header(buf_slice(bytes), &w, &diag);
    if (!err && !labels_of(m, file, arena, &b, &labels))
        err = diag_set(&diag, ERR_INVALID,
                       "its name is only a hash; carbon keeps names with TAG_HASH_FILENAMES = "
                       "False");
    if (err) {
        fprintf(stderr, "pharos import: %s left out: %s\n", path, diag.msg);
        m->files_bad++;
    } else {
        decode_whisper_points(buf_slice(bytes), &w, (int64_t)time(NULL), points);
        if (m->dry_run)
            m->points += points->len;
        else
            status = add_points(m, labels, points);
        if (!status)
            vec_push(&m->finished, index);
    }
    data_labels_builder_deinit(&b);
    arena_free(arena);
    return status;
}

static int run(struct import *m)
{
    struct buf bytes = {0}, key = {0};
    decode_whisper_points_list points = {0};
    int status = 0;
    size_t before = 0;
    clock_gettime(CLOCK_MONOTONIC, &m->begun);
    for (size_t i = 0; i < m->files.len && !status; i++) {
        state_key(m, m->files.items[i], &key);
        if (!m->dry_run && map_get(m->done, buf_slice(&key))) {
            before++;
            m->files_done++;
            continue;
        }
        status = import_file(m, i, &bytes, &points);
    }
    if (!status && !m->dry_run)
        status = flush(m);
    if (m->dry_run)
        m->files_done = m->finished.len;
    tell(m, true);
    if (before)
        fprintf(stderr, "%zu of them were done before (%s)\n", before, m->state_path);
    if (m->files_bad)
        fprintf(stderr, "%zu files or directories could not be read\n", m->files_bad);
    if (m->refused_requests)
        fprintf(stderr, "%zu requests had points that were refused\n", m->refused_requests);
    if (status)
        fprintf(stderr, "pharos import: stopped; the same command goes on from here\n");
    buf_deinit(&bytes);
    buf_deinit(&key);
    vec_free(&points);
    return status || m->files_bad || m->refused_requests ? SERVER_EXIT_FAIL : SERVER_EXIT_OK;
}

int server_cmd_import(int argc, char **argv)
{
    struct import m = {.state_path = "pharos-import.state"};
    char dir[4096];
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            print_help();
            return SERVER_EXIT_OK;
        }
    }
    if (argc < 2 || strcmp(argv[1], "whisper") != 0) {
        fprintf(stderr, "pharos import: what is to be imported? `pharos import whisper DIR` is "
                        "known; `pharos import --help`\n");
        return SERVER_EXIT_USAGE;
    }
    int status = parse(argc, argv, &m);
    if (status >= 0)
        return status;
    if (!m.url)
        m.url = getenv("PHAROS_URL") ? getenv("PHAROS_URL") : "http://127.0.0.1:3000/prometheus";
    if (!realpath(m.dir, dir)) {
        fprintf(stderr, "pharos import: %s: %s\n", m.dir, strerror(errno));
        return SERVER_EXIT_FAIL;
    }
    m.dir = dir;
    m.done = map_new();
    walk(&m, "", 0);
    if (m.files.len)
        qsort(m.files.items, m.files.len, sizeof(*m.files.items), by_name);
    status = m.dry_run ? -1 : open_state(&m);
    if (status < 0)
        status = run(&m);
    if (m.state)
        fclose(m.state);
    for (size_t i = 0; i < m.files.len; i++)
        free(m.files.items[i]);
    vec_free(&m.files);
    vec_free(&m.finished);
    map_free(m.done);
    buf_deinit(&m.body);
    return status;
}
