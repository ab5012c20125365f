/* One file: open, read, back to where it was. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/log.h"
#include "decode/logfile/container.h"
#include "input/files/files_priv.h"

#define SHARE_BYTES   ((size_t)1 << 20) /* of a file in one turn */
#define CHUNK_BYTES   ((size_t)256 << 10)
#define UNPACK_MEMORY ((size_t)128 << 20)
#define COUNTED_MAX   1000 /* files with counters of their own */
#define DOCKER_CONFIG ((size_t)4 << 20)

struct slice files__dir_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return !slash          ? SLICE(".")
           : slash == path ? SLICE("/")
                           : slice_make(path, (size_t)(slash - path));
}

int64_t files__birth_ns(const char *path, int fd)
{
    struct statx st;
    if (statx(fd >= 0 ? fd : AT_FDCWD, fd >= 0 ? "" : path, fd >= 0 ? AT_EMPTY_PATH : 0,
              STATX_BTIME, &st) ||
        !(st.stx_mask & STATX_BTIME))
        return 0;
    return st.stx_btime.tv_sec * NS_PER_SEC + st.stx_btime.tv_nsec;
}

/* --- what identifies a file --- */

struct files_print files__print_of(struct slice bytes)
{
    return (struct files_print){(uint32_t)bytes.len, hash64(bytes.ptr, bytes.len, 0)};
}

bool files__print_matches(struct files_print print, struct slice begin)
{
    return begin.len >= print.len && hash64(begin.ptr, print.len, 0) == print.hash;
}

ssize_t files__read_at(int fd, char *to, size_t len, uint64_t at)
{
    size_t got = 0;
    while (got < len) {
        ssize_t n = pread(fd, to + got, len - got, (off_t)(at + got));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && !got)
            return -1;
        if (n <= 0)
            break;
        got += (size_t)n;
    }
    return (ssize_t)got;
}

size_t files__begin_of(int fd, enum codec_archive archive, char *out)
{
    char packed[16384];
    ssize_t n;
    if (!archive)
        return (n = files__read_at(fd, out, FILES_PRINT_MAX, 0)) > 0 ? (size_t)n : 0;
    struct codec_unpack *u = codec_unpack_new(archive, UNPACK_MEMORY);
    struct buf plain = {0};
    uint64_t at = 0;
    while (plain.len < FILES_PRINT_MAX &&
           (n = files__read_at(fd, packed, sizeof(packed), at)) > 0) {
        struct slice in = slice_make(packed, (size_t)n);
        if (codec_unpack_push(u, &in, FILES_PRINT_MAX - plain.len, &plain, NULL))
            break;
        at += (uint64_t)n;
    }
    size_t len = plain.len;
    if (len)
        memcpy(out, plain.ptr, len);
    buf_deinit(&plain);
    codec_unpack_free(u);
    return len;
}

struct files_print files__mark_at(int fd, uint64_t pos)
{
    char bytes[FILES_MARK_MAX];
    size_t len = (size_t)MIN(pos, (uint64_t)FILES_MARK_MAX);
    if (!len || files__read_at(fd, bytes, len, pos - len) != (ssize_t)len)
        return (struct files_print){0};
    return files__print_of(slice_make(bytes, len));
}

bool files__mark_matches(int fd, uint64_t pos, struct files_print mark)
{
    char bytes[FILES_MARK_MAX];
    if (!mark.len)
        return true;
    return mark.len <= pos &&
           files__read_at(fd, bytes, mark.len, pos - mark.len) == (ssize_t)mark.len &&
           hash64(bytes, mark.len, 0) == mark.hash;
}

/* --- labels --- */

static void read_docker_config(struct files_tail *t, struct decode_container *c)
{
    char path[4352];
    struct slice dir = files__dir_of(t->path);
    snprintf(path, sizeof(path), "%.*s/config.v2.json", SLICE_FMT(dir));
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return;
    struct buf text = {0};
    ssize_t n;
    while (text.len < DOCKER_CONFIG &&
           (n = files__read_at(fd, buf_reserve(&text, CHUNK_BYTES), CHUNK_BYTES, text.len)) > 0)
        text.len += (size_t)n;
    close(fd);
    struct decode_container found = *c;
    if (decode_docker_config(arena_slice(t->arena, buf_slice(&text)), t->arena, &found))
        *c = found;
    buf_deinit(&text);
}

static void set_label(struct data_labels_builder *b, const char *name, struct slice value)
{
    if (value.len)
        data_labels_builder_set(b, slice_cstr(name), value);
}

/* "access" of "/var/log/nginx/access.log.1". */
static struct slice base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    struct slice s = slice_cstr(slash ? slash + 1 : path);
    ptrdiff_t dot = slice_find_char(s, '.');
    return dot > 0 ? slice_first(s, (size_t)dot) : s;
}

static void path_labels(struct files_tail *t, struct data_labels_builder *b)
{
    const struct text_regex *re = t->spec->path_regex;
    struct slice path = arena_slice(t->arena, slice_cstr(t->stream_path)), groups[32];
    size_t count = re ? MIN(text_regex_group_count(re), ARRAY_LEN(groups)) : 0;
    if (!count || !text_regex_groups(re, path, groups, count))
        return;
    for (size_t i = 1; i < count; i++) {
        struct slice name = text_regex_group_name(re, i);
        if (name.len && groups[i].len)
            data_labels_builder_set(b, name, groups[i]);
    }
}

static void make_labels(struct input_files *f, struct files_tail *t)
{
    struct data_labels_builder b = {0};
    struct data_labels labels;
    struct decode_container c;
    struct decode_logfile_attribute *attributes =
        ARENA_ARRAY(t->arena, struct decode_logfile_attribute, 6);
    struct slice path = arena_slice(t->arena, slice_cstr(t->stream_path));
    data_labels_builder_set(&b, SLICE("host_name"), slice_cstr(f->hostname));
    if (decode_container_path(path, &c)) {
        if (!c.pod.ptr)
            read_docker_config(t, &c);
        set_label(&b, "k8s_namespace_name", c.namespace);
        set_label(&b, "k8s_pod_name", c.pod);
        set_label(&b, c.pod.ptr ? "k8s_container_name" : "container_name", c.name);
        set_label(&b, "compose_project", c.compose_project);
        set_label(&b, "service_name", c.compose_service.len ? c.compose_service : c.name);
        const struct decode_logfile_attribute known[] = {
            {SLICE("container.id"), c.id},
            {SLICE("container.image.name"), c.image},
            {SLICE("k8s.pod.uid"), c.pod_uid},
            {SLICE("k8s.container.restart_count"), c.restart_count}};
        for (size_t i = 0; i < ARRAY_LEN(known); i++) {
            if (known[i].value.len)
                attributes[t->log.attribute_count++] = known[i];
        }
        if (!c.name.len)
            data_labels_builder_set(&b, SLICE("filename"), path);
        else
            attributes[t->log.attribute_count++] =
                (struct decode_logfile_attribute){SLICE("log.file.path"), path};
    } else {
        data_labels_builder_set(&b, SLICE("filename"), path);
    }
    path_labels(t, &b);
    for (size_t i = 0; i < t->spec->label_count; i++)
        data_labels_builder_set(&b, t->spec->labels[i].name, t->spec->labels[i].value);
    if (!data_labels_builder_get(&b, SLICE("service_name")).len) {
        data_labels_builder_set(&b, SLICE("service_name"), base_name(path.ptr));
        t->log.service_is_guess = true;
    }
    if (!data_labels_builder_finish(&b, &labels, NULL)) /* names are set, so distinct */
        t->log.labels = data_labels_copy(t->arena, labels);
    t->log.attributes = attributes;
    data_labels_builder_deinit(&b);
}

/* --- life --- */

static struct slice inode_key(uint64_t dev, uint64_t ino, uint64_t key[2])
{
    key[0] = dev;
    key[1] = ino;
    return slice_make(key, 16);
}

static void begin_counting(struct input_files *f, struct files_tail *t)
{
    struct buf label = {0};
    if (f->counted >= COUNTED_MAX)
        return;
    f->counted++;
    buf_append_cstr(&label, "path=\"");
    for (const char *p = t->stream_path; *p; p++) {
        if (*p == '"' || *p == '\\')
            buf_append_char(&label, '\\');
        buf_append_char(&label, *p == '\n' ? ' ' : *p);
    }
    buf_append_char(&label, '"');
    t->counter_label = mem_strdup(buf_cstr(&label));
    buf_deinit(&label);
    t->lag = (struct counter){.name = "pharos_files_lag_bytes",
                              .help = "Bytes of a log file that are not durable here yet.",
                              .labels = t->counter_label,
                              .kind = COUNTER_GAUGE};
    t->bytes = (struct counter){.name = "pharos_files_file_read_bytes_total",
                                .help = "Bytes read of a log file.",
                                .labels = t->counter_label};
    counter_register(&t->lag, 1);
    counter_register(&t->bytes, 1);
}

void files__tail_relabel(struct input_files *f, struct files_tail *t, const char *stream_path)
{
    char *own = mem_strdup(stream_path);
    mem_free(t->stream_path);
    t->stream_path = own;
    t->log.attribute_count = 0;
    t->log.service_is_guess = false;
    t->log.serial = 0;
    make_labels(f, t);
}

void files__tail_set_path(struct input_files *f, struct files_tail *t, const char *path)
{
    struct map_entry *e = map_get(f->by_path, slice_cstr(t->path));
    if (e && e->value.ptr == t)
        map_remove(f->by_path, slice_cstr(t->path));
    char *own = mem_strdup(path);
    mem_free(t->path);
    t->path = own;
    if (path[0])
        map_put(f->by_path, slice_cstr(path), NULL)->value.ptr = t;
}

struct files_tail *files__tail_new(struct input_files *f, const struct files_spec *spec,
                                   const char *path, const char *stream_path, const struct stat *st,
                                   int64_t birth_ns)
{
    struct files_tail *t = mem_calloc(1, sizeof(*t));
    uint64_t key[2];
    t->spec = spec;
    t->path = mem_strdup("");
    t->stream_path = mem_strdup(stream_path);
    t->dev = (uint64_t)st->st_dev;
    t->ino = (uint64_t)st->st_ino;
    t->birth_ns = birth_ns;
    t->size = (uint64_t)st->st_size;
    t->fd = -1;
    t->is_new = true;
    t->arena = arena_new(1024, NULL);
    files__tail_set_path(f, t, path);
    map_put(f->by_inode, inode_key(t->dev, t->ino, key), NULL)->value.ptr = t;
    vec_push(&f->tails, t);
    make_labels(f, t);
    begin_counting(f, t);
    files__tail_list(f, t);
    return t;
}

void files__tail_free(struct input_files *f, struct files_tail *t)
{
    uint64_t key[2];
    struct map_entry *e = map_get(f->by_inode, inode_key(t->dev, t->ino, key));
    if (e && e->value.ptr == t)
        map_remove(f->by_inode, inode_key(t->dev, t->ino, key));
    files__tail_set_path(f, t, "");
    files__tail_close(f, t);
    for (size_t i = 0; i < f->tails.len; i++) {
        if (f->tails.items[i] && f->tails.items[i]->copy_of == t)
            f->tails.items[i]->copy_of = NULL;
    }
    if (t->counter_label) {
        counter_unregister(&t->lag, 1);
        counter_unregister(&t->bytes, 1);
        mem_free(t->counter_label);
        f->counted--;
    }
    decode_logfile_deinit(&t->log);
    buf_deinit(&t->plain);
    arena_free(t->arena);
    mem_free(t->path);
    mem_free(t->stream_path);
    mem_free(t);
}

static void end_unpacking(struct files_tail *t)
{
    codec_unpack_free(t->unpack);
    t->unpack = NULL;
    buf_deinit(&t->plain);
    t->packed_at = t->unpacked_at = 0;
}

void files__tail_close(struct input_files *f, struct files_tail *t)
{
    end_unpacking(t);
    if (t->fd < 0)
        return;
    close(t->fd);
    t->fd = -1;
    f->open_count--;
}

/* Closes what was read longest ago and can be found again. */
static void make_room(struct input_files *f)
{
    struct files_tail *oldest = NULL;
    for (size_t i = 0; i < f->tails.len; i++) {
        struct files_tail *t = f->tails.items[i];
        if (t->fd >= 0 && !t->is_deleted && t->path[0] && !t->unpack &&
            (!oldest || t->read_ns < oldest->read_ns))
            oldest = t;
    }
    if (oldest)
        files__tail_close(f, oldest);
}

bool files__tail_open(struct input_files *f, struct files_tail *t)
{
    struct stat st;
    if (t->fd >= 0)
        return true;
    if (!t->path[0])
        return false;
    if (f->open_count >= f->settings.open_max)
        make_room(f);
    t->fd = open(t->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (t->fd < 0) {
        if (errno != ENOENT)
            files__count(FILES_ERRORS, 1);
        if (errno != ENOENT && !t->was_told) {
            t->was_told = true;
            LOG_WARN("files", "cannot be read", LOG_STR("file", t->path),
                     LOG_STR("error", strerror(errno)));
        }
        return false;
    }
    f->open_count++;
    if (fstat(t->fd, &st) || (uint64_t)st.st_dev != t->dev || (uint64_t)st.st_ino != t->ino) {
        files__tail_close(f, t); /* another file stands there; the scan will see it */
        f->next_scan_ns = 0;
        return false;
    }
    return true;
}

void files__tail_list(struct input_files *f, struct files_tail *t)
{
    if (t->is_listed)
        return;
    t->is_listed = true;
    vec_push(&f->listed, t);
}

void files__tail_rewind(struct files_tail *t)
{
    end_unpacking(t);
    decode_logfile_drop(&t->log);
    t->log.emitted_to = 0;
    t->pos = t->committed;
    t->mark = t->committed_mark;
    t->is_done = false;
    t->skips = false;
}

void files__tail_seek(struct input_files *f, struct files_tail *t, uint64_t pos,
                      struct files_print mark)
{
    t->committed = pos;
    t->committed_mark = mark;
    t->version = ++f->version;
    files__tail_rewind(t);
    f->positions_dirty = true;
}

void files__tail_show_lag(struct files_tail *t)
{
    if (t->counter_label && !t->archive)
        counter_set(&t->lag, t->size > t->committed ? (int64_t)(t->size - t->committed) : 0);
}

bool files__tail_is_read(const struct files_tail *t)
{
    return t->archive ? t->is_done : t->pos >= t->size;
}

/* --- reading --- */

static size_t chunk_bytes(const struct files_tail *t)
{
    return MAX(CHUNK_BYTES, t->spec->rules.record_bytes_max * 2 + 4096) & ~(size_t)1;
}

/* NULs at the begin of a line: the hole that a writer leaves who goes on where it was after its
 * file was truncated. */
static size_t skip_hole(const struct files_tail *t, struct slice bytes, size_t at)
{
    if (t->spec->rules.encoding < DECODE_LOGFILE_UTF16LE) {
        while (at < bytes.len && !bytes.ptr[at])
            at++;
    }
    return at;
}

/* Lines that are whole; returns how many bytes they took. `full`: there is no room for a longer
 * one. */
static size_t take_lines(struct files_tail *t, struct decode_logfile_out *out, struct slice bytes,
                         bool full)
{
    const struct decode_logfile_rules *rules = &t->spec->rules;
    size_t at = 0, width = decode_logfile_newline_bytes(rules->encoding);
    for (;;) {
        at = skip_hole(t, bytes, at);
        ptrdiff_t newline = decode_logfile_find_newline(rules->encoding, slice_from(bytes, at));
        if (newline < 0)
            break;
        uint64_t begin = t->pos + at;
        struct slice line = slice_make(bytes.ptr + at, (size_t)newline);
        if (t->skips)
            t->skips = false;
        else
            decode_logfile_line(&t->log, rules, out, line, begin, begin + line.len + width);
        at += line.len + width;
    }
    if (at || !full)
        return at;
    if (!t->skips)
        decode_logfile_line(&t->log, rules, out, bytes, t->pos, t->pos + bytes.len);
    t->skips = true;
    return bytes.len;
}

/* What is behind the last newline is a line. */
static void take_rest(struct files_tail *t, struct decode_logfile_out *out, struct slice bytes)
{
    size_t at = skip_hole(t, bytes, 0);
    struct slice line = slice_from(bytes, at);
    if (line.len && !t->skips)
        decode_logfile_line(&t->log, &t->spec->rules, out, line, t->pos + at, t->pos + bytes.len);
    t->pos += bytes.len;
}

static void count_bytes(struct files_tail *t, size_t n)
{
    files__count(FILES_BYTES, (int64_t)n);
    if (t->counter_label)
        counter_add(&t->bytes, (int64_t)n);
}

/* Bytes from pos on into `plain`, until there are as many as a chunk has. False: there are no more.
 */
static bool unpack_more(struct files_tail *t, size_t chunk)
{
    char packed[65536];
    struct diag why;
    diag_init(&why);
    if (!t->unpack)
        t->unpack = codec_unpack_new(t->archive, UNPACK_MEMORY);
    while (t->plain.len < chunk) {
        ssize_t n = files__read_at(t->fd, packed, sizeof(packed), t->packed_at);
        struct slice in = slice_make(packed, n > 0 ? (size_t)n : 0);
        size_t before = t->plain.len;
        int err = codec_unpack_push(t->unpack, &in, chunk - t->plain.len, &t->plain, &why);
        size_t consumed = (n > 0 ? (size_t)n : 0) - in.len;
        t->packed_at += consumed;
        t->unpacked_at += t->plain.len - before;
        if (t->unpacked_at - t->plain.len < t->pos) /* read before */
            buf_consume(&t->plain, (size_t)MIN((uint64_t)t->plain.len,
                                               t->pos - (t->unpacked_at - t->plain.len)));
        if (err || (n <= 0 && !codec_unpack_is_whole(t->unpack) && t->plain.len == before)) {
            files__count_refused(FILES_DAMAGED, 1);
            LOG_WARN("files", "archive is damaged, what came before is taken",
                     LOG_STR("file", t->path), LOG_STR("error", err ? why.msg : "it is cut off"),
                     LOG_INT("bytes", t->unpacked_at));
            return false;
        }
        if (n <= 0 && !consumed && t->plain.len == before)
            return false;
    }
    return true;
}

static bool read_archive(struct files_tail *t, struct decode_logfile_out *out)
{
    size_t chunk = chunk_bytes(t), share = SHARE_BYTES;
    while (!t->is_done && share) {
        bool more = unpack_more(t, chunk);
        struct slice bytes =
            arena_slice(out->batch->arena, slice_first(buf_slice(&t->plain), chunk));
        size_t taken = take_lines(t, out, bytes, bytes.len >= chunk);
        t->pos += taken;
        if (!more && taken < bytes.len) {
            take_rest(t, out, slice_from(bytes, taken));
            taken = bytes.len;
        }
        buf_consume(&t->plain, taken);
        count_bytes(t, taken);
        share -= MIN(share, taken);
        if (!more) {
            t->is_done = true;
            decode_logfile_flush(&t->log, &t->spec->rules, out, INT64_MAX);
        }
    }
    return !t->is_done;
}

/* A position in the midst of a line longer than any: the rest of it goes. */
static void look_back(struct files_tail *t)
{
    size_t chunk = chunk_bytes(t);
    if (t->pos < chunk)
        return;
    char *bytes = mem_alloc(chunk);
    ssize_t n = files__read_at(t->fd, bytes, chunk, t->pos - chunk);
    t->skips = n == (ssize_t)chunk &&
               decode_logfile_find_newline(t->spec->rules.encoding, slice_make(bytes, chunk)) < 0;
    mem_free(bytes);
}

bool files__tail_read(struct input_files *f, struct files_tail *t, struct decode_logfile_out *out,
                      bool last)
{
    struct stat st;
    size_t chunk = chunk_bytes(t), share = SHARE_BYTES;
    char begin[FILES_PRINT_MAX];
    if (!files__tail_open(f, t))
        return false;
    if (t->archive)
        return read_archive(t, out);
    if (fstat(t->fd, &st))
        return false;
    t->size = (uint64_t)st.st_size;
    t->is_deleted |= st.st_nlink == 0;
    if (t->size < t->pos || (t->size == t->pos && !files__mark_matches(t->fd, t->pos, t->mark))) {
        files__truncated(f, t, out);
        return true;
    }
    if (t->is_new && t->pos)
        look_back(t);
    t->is_new = false;
    uint64_t from = t->pos;
    bool cut_off = false, failed = false;
    while (share && t->pos < t->size && !cut_off) {
        size_t want = (size_t)MIN((uint64_t)chunk, t->size - t->pos);
        char *to = arena_alloc(out->batch->arena, want);
        ssize_t n = files__read_at(t->fd, to, want, t->pos);
        if (n <= 0) {
            failed = true;
            if (n < 0) {
                files__count(FILES_ERRORS, 1);
                LOG_WARN("files", "cannot be read", LOG_STR("file", t->path),
                         LOG_STR("error", strerror(errno)));
            }
            break;
        }
        /* Only now: it may have been written over after the look above. */
        if (!files__mark_matches(t->fd, t->pos, t->mark)) {
            if (t->pos > from) /* what was taken has to be durable first */
                break;
            files__truncated(f, t, out);
            return true;
        }
        struct slice bytes = slice_make(to, (size_t)n);
        size_t taken = take_lines(t, out, bytes, bytes.len >= chunk);
        t->pos += taken;
        share -= MIN(share, taken);
        cut_off = taken < bytes.len && t->pos + (bytes.len - taken) >= t->size;
        if (taken >= FILES_MARK_MAX)
            t->mark = files__print_of(slice_make(to + taken - FILES_MARK_MAX, FILES_MARK_MAX));
        else if (taken)
            t->mark = files__mark_at(t->fd, t->pos);
    }
    if (t->pos > from) {
        t->read_ns = out->now_ns;
        t->partial_since_ns = 0;
    }
    if (cut_off) { /* a last line without its end */
        if (!t->partial_since_ns || t->partial_size != t->size) {
            t->partial_since_ns = out->now_ns;
            t->partial_size = t->size;
        }
        int64_t limit = t->spec->partial_ns;
        if (last || (limit && out->now_ns - t->partial_since_ns >= limit)) {
            size_t len = (size_t)(t->size - t->pos);
            char *to = arena_alloc(out->batch->arena, len);
            ssize_t n = files__read_at(t->fd, to, len, t->pos);
            if (n > 0)
                take_rest(t, out, slice_make(to, (size_t)n));
            t->partial_since_ns = 0;
            t->mark = files__mark_at(t->fd, t->pos);
        }
    }
    if (last)
        decode_logfile_flush(&t->log, &t->spec->rules, out, INT64_MAX);
    if (t->pos > from)
        count_bytes(t, (size_t)(t->pos - from));
    if (t->print.len < FILES_PRINT_MAX && t->size > t->print.len) {
        struct files_print print =
            files__print_of(slice_make(begin, files__begin_of(t->fd, t->archive, begin)));
        if (files__mark_matches(t->fd, t->pos, t->mark))
            t->print = print;
    }
    return t->pos < t->size && !t->partial_since_ns && !failed;
}
