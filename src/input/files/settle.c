/* Where a file that was just found begins: at its begin, where it was left before a restart, or,
 * when it is a copy or an archive of another, where that was left. */
#include <string.h>

#include "input/files/files_priv.h"

#define COPY_WAIT_NS    (5 * NS_PER_SEC) /* from a copy to the truncation of its original */
#define ARCHIVE_WAIT_NS (2 * NS_PER_SEC) /* an archive that does not grow is whole */
#define PRINT_SURE      256              /* bytes that are no coincidence */
#define LAST_LINE_MAX   65536

/* The first bytes of the file in hand, and the hashes of their begins that were asked for: there
 * may be thousands of others to compare with. */
struct begin {
    struct slice bytes;
    bool is_fresh; /* it was written to a moment ago */
    bool is_known[FILES_PRINT_MAX + 1];
    uint64_t hashes[FILES_PRINT_MAX + 1];
};

static bool begins_as(struct begin *b, struct files_print print)
{
    if (b->bytes.len < print.len)
        return false;
    if (!b->is_known[print.len]) {
        b->is_known[print.len] = true;
        b->hashes[print.len] = files__print_of(slice_first(b->bytes, print.len)).hash;
    }
    return b->hashes[print.len] == print.hash;
}

struct files_record files__record_of(const struct files_tail *t, int64_t now_ns)
{
    return (struct files_record){.dev = t->dev,
                                 .ino = t->ino,
                                 .birth_ns = t->birth_ns,
                                 .print = t->print,
                                 .mark = t->committed_mark,
                                 .pos = t->committed,
                                 .seen_ns = now_ns,
                                 .path = t->path,
                                 .stream_path = t->stream_path,
                                 .format = t->log.format,
                                 .version = t->version,
                                 .is_done = t->is_done && !t->is_busy && t->pos == t->committed};
}

static void take_record(struct input_files *f, struct files_tail *t, size_t at)
{
    struct files_record r = f->old.records.items[at];
    t->print = r.print;
    t->log.format = (enum decode_logfile_format)r.format;
    if (strcmp(t->stream_path, r.stream_path) != 0 && r.stream_path[0])
        files__tail_relabel(f, t, r.stream_path);
    files__tail_seek(f, t, r.pos, r.mark);
    t->is_done = r.is_done && r.ino == t->ino;
    mem_free(r.path);
    mem_free(r.stream_path);
    f->old.records.items[at] = vec_pop(&f->old.records);
}

static bool same_dir(const char *a, const char *b)
{
    return slice_eq(files__dir_of(a), files__dir_of(b));
}

/* Followed before a restart, by its inode. */
static bool was_followed(struct input_files *f, struct files_tail *t, struct begin *begin)
{
    for (size_t i = 0; i < f->old.records.len; i++) {
        struct files_record *r = &f->old.records.items[i];
        if (r->is_gone || r->dev != t->dev || r->ino != t->ino)
            continue;
        bool other_birth = r->birth_ns && t->birth_ns && r->birth_ns != t->birth_ns;
        if (other_birth || (t->archive && !begins_as(begin, r->print))) {
            r->is_gone = true; /* the number is another file's now */
            continue;
        }
        /* When it was written over meanwhile, reading it will tell. */
        take_record(f, t, i);
        return true;
    }
    return false;
}

/* What was read of a file that is gone now. */
static bool was_other(struct input_files *f, struct files_tail *t, struct begin *begin)
{
    for (size_t i = 0; i < f->old.records.len; i++) {
        struct files_record *r = &f->old.records.items[i];
        bool related = slice_starts_with(slice_cstr(t->path), slice_cstr(r->path)) ||
                       slice_starts_with(slice_cstr(t->path), slice_cstr(r->stream_path));
        if (!r->pos || !r->print.len || (r->print.len < PRINT_SURE && !related) ||
            !begins_as(begin, r->print))
            continue;
        if (!t->archive && (t->size < r->pos || !files__mark_matches(t->fd, r->pos, r->mark)))
            continue;
        take_record(f, t, i);
        if (t->archive)
            t->mark = t->committed_mark = (struct files_print){0};
        return true;
    }
    return false;
}

/* The copy's name begins as the original's does: app.log.1, app.log-20240102, app-20240102.log. */
static bool is_named_after(const char *copy, const char *original)
{
    struct slice c = slice_from(slice_cstr(copy), files__dir_of(copy).len),
                 o = slice_from(slice_cstr(original), files__dir_of(original).len);
    const char *dot = strrchr(o.ptr, '.');
    if (dot && dot > o.ptr + 1)
        o.len = (size_t)(dot - o.ptr);
    return slice_starts_with(c, o);
}

/* What is there of `t` is the begin of `o`: a copy, whole up to where that was read or still being
 * made. An archive is one when its text begins as `o` does. */
static bool is_copy(struct input_files *f, struct files_tail *t, struct files_tail *o,
                    struct begin *begin)
{
    char bytes[FILES_PRINT_MAX];
    if (begin->bytes.len >= o->print.len)
        return begins_as(begin, o->print) &&
               (t->archive || t->size < o->pos || files__mark_matches(t->fd, o->pos, o->mark));
    /* To compare with less than was hashed, the other has to be read: only where it may be. */
    return !t->archive && begin->is_fresh && is_named_after(t->path, o->stream_path) &&
           files__tail_open(f, o) &&
           slice_starts_with(slice_make(bytes, files__begin_of(o->fd, CODEC_ARCHIVE_NONE, bytes)),
                             begin->bytes);
}

static struct files_tail *original_of(struct input_files *f, struct files_tail *t,
                                      struct begin *begin)
{
    for (size_t i = 0; i < f->tails.len; i++) {
        struct files_tail *o = f->tails.items[i];
        if (o != t && o->is_settled && !o->archive && o->pos && o->print.len &&
            same_dir(t->path, o->stream_path) && is_copy(f, t, o, begin))
            return o;
    }
    return NULL;
}

/* Behind the last line's end. */
static uint64_t end_of(struct files_tail *t)
{
    enum decode_logfile_encoding e = t->spec->rules.encoding;
    size_t width = decode_logfile_newline_bytes(e);
    uint64_t from = t->size > LAST_LINE_MAX ? (t->size - LAST_LINE_MAX) & ~UINT64_C(1) : 0;
    size_t len = (size_t)(t->size - from), end = 0;
    char *bytes = mem_alloc(len + 1);
    if (files__read_at(t->fd, bytes, len, from) == (ssize_t)len) {
        ptrdiff_t next;
        while ((next = decode_logfile_find_newline(e, slice_make(bytes + end, len - end))) >= 0)
            end += (size_t)next + width;
    }
    mem_free(bytes);
    return end || !from ? from + end : t->size;
}

bool files__settle(struct input_files *f, struct files_tail *t)
{
    char bytes[FILES_PRINT_MAX];
    struct stat st;
    int64_t now = files__clock(f);
    if (t->is_settled)
        return true;
    if (!files__tail_open(f, t) || fstat(t->fd, &st))
        return false;
    if (!st.st_size) { /* it says nothing of itself */
        t->starts_at_end = false;
        return false;
    }
    int64_t age_ns = files__now(f) - (st.st_mtim.tv_sec * NS_PER_SEC + st.st_mtim.tv_nsec);
    bool grew = t->waits_size != (uint64_t)st.st_size;
    t->size = t->waits_size = (uint64_t)st.st_size;
    ssize_t n = files__read_at(t->fd, bytes, 8, 0);
    t->archive = codec_archive_of(slice_make(bytes, n > 0 ? (size_t)n : 0));
    if (t->archive) {
        if (grew)
            t->waits_until_ns = now + ARCHIVE_WAIT_NS;
        /* One that was not touched for a while needs no waiting. */
        if (now < t->waits_until_ns && age_ns < ARCHIVE_WAIT_NS)
            return false;
    }
    struct begin begin = {.is_fresh = age_ns < COPY_WAIT_NS};
    begin.bytes = slice_make(bytes, files__begin_of(t->fd, t->archive, bytes));
    struct files_tail *original = NULL;
    if (!was_followed(f, t, &begin) && !was_other(f, t, &begin) &&
        (original = original_of(f, t, &begin))) {
        if (t->archive && (!files__tail_is_read(original) || original->is_busy))
            return false;
        if (t->archive) {
            files__tail_relabel(f, t, original->stream_path);
            t->log.format = original->log.format;
            files__tail_seek(f, t, original->committed, (struct files_print){0});
        } else {
            if (grew || t->copy_of != original)
                t->waits_until_ns = now + COPY_WAIT_NS;
            t->copy_of = original;
            if (now < t->waits_until_ns)
                return false; /* files__truncated finds it meanwhile */
            original = NULL;
        }
    }
    t->copy_of = NULL;
    t->is_settled = true;
    if (!t->committed && t->starts_at_end && !original) {
        if (t->archive) {
            t->is_done = true;
        } else {
            uint64_t end = end_of(t);
            files__tail_seek(f, t, end, files__mark_at(t->fd, end));
        }
    }
    if (!t->print.len) /* a known one keeps that of its old content, should it be another now */
        t->print = files__print_of(begin.bytes);
    return true;
}
