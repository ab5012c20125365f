/* Which files there are: globs, inotify, rotation. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/log.h"
#include "input/files/files_priv.h"
#include "text/glob.h"

#define DEPTH_MAX 64
#define EVENTS                                                                                     \
    (IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CLOSE_WRITE | IN_ATTRIB)

struct found {
    char *path;
    const struct files_spec *spec;
    struct stat st;
    bool is_link;
};

struct walk {
    struct input_files *f;
    const struct files_spec *spec;
    struct slice pattern;
    struct map *dirs; /* device and inode of those that were gone into */
    struct map *seen; /* paths of `found` */
    VEC(struct found) found;
};

/* --- inotify --- */

static void watch(struct input_files *f, const char *dir)
{
    bool added;
    if (f->notify_fd < 0)
        return;
    struct map_entry *e = map_put(f->watches, slice_cstr(dir), &added);
    int wd = inotify_add_watch(f->notify_fd, dir, EVENTS | IN_ONLYDIR);
    if (wd < 0) {
        if (added)
            map_remove(f->watches, slice_cstr(dir));
        if (errno == ENOSPC && !f->watch_failed)
            LOG_WARN("files", "no more inotify watches: what is in other directories is polled",
                     LOG_STR("directory", dir), LOG_STR("sysctl", "fs.inotify.max_user_watches"));
        f->watch_failed |= errno == ENOSPC;
        return;
    }
    e->value.u64 = (uint64_t)wd;
    while (f->watch_dirs.len <= (size_t)wd)
        vec_push(&f->watch_dirs, NULL);
    char **at = &f->watch_dirs.items[wd];
    if (*at && strcmp(*at, dir) == 0)
        return;
    mem_free(*at); /* the same directory by another name: the last one counts */
    *at = mem_strdup(dir);
}

static bool is_watched(const struct input_files *f, const char *path)
{
    return f->notify_fd >= 0 && map_get(f->watches, files__dir_of(path));
}

static void take_event(struct input_files *f, const struct inotify_event *e)
{
    if (e->mask & IN_Q_OVERFLOW) {
        f->next_scan_ns = 0;
        return;
    }
    char **dir =
        e->wd >= 0 && (size_t)e->wd < f->watch_dirs.len ? &f->watch_dirs.items[e->wd] : NULL;
    if (!dir || !*dir)
        return;
    if (e->mask & IN_IGNORED) { /* the directory is gone */
        map_remove(f->watches, slice_cstr(*dir));
        mem_free(*dir);
        *dir = NULL;
        f->next_scan_ns = 0;
        return;
    }
    if (e->mask & (IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE))
        f->next_scan_ns = MIN(f->next_scan_ns, f->last_scan_ns + 50 * NS_PER_MS);
    if (e->len) {
        char path[4352];
        snprintf(path, sizeof(path), "%s%s%s", *dir, strcmp(*dir, "/") ? "/" : "", e->name);
        struct map_entry *known = map_get(f->by_path, slice_cstr(path));
        if (known)
            files__tail_list(f, known->value.ptr);
    }
}

void files__take_events(struct input_files *f)
{
    char bytes[65536] __attribute__((aligned(8)));
    ssize_t n;
    while ((n = read(f->notify_fd, bytes, sizeof(bytes))) > 0) {
        for (ssize_t at = 0; at + (ssize_t)sizeof(struct inotify_event) <= n;) {
            const struct inotify_event *e = (const void *)(bytes + at);
            take_event(f, e);
            at += (ssize_t)sizeof(*e) + e->len;
        }
    }
}

/* --- globs --- */

static void take_file(struct walk *w, const char *path, const struct stat *st, bool is_link)
{
    bool added;
    if (!S_ISREG(st->st_mode) || !files__spec_takes(w->spec, slice_cstr(path)))
        return;
    map_put(w->seen, slice_cstr(path), &added);
    if (!added)
        return;
    vec_push(&w->found, ((struct found){mem_strdup(path), w->spec, *st, is_link}));
}

static void walk(struct walk *w, const char *dir, unsigned depth)
{
    char path[4352];
    struct stat st;
    bool added;
    struct dirent *e;
    if (depth > DEPTH_MAX || stat(dir, &st))
        return;
    uint64_t key[2] = {(uint64_t)st.st_dev, (uint64_t)st.st_ino};
    map_put(w->dirs, slice_make(key, sizeof(key)), &added);
    if (!added) /* links that lead in a circle */
        return;
    watch(w->f, dir);
    DIR *d = opendir(dir);
    if (!d) {
        if (errno != ENOENT)
            LOG_DEBUG("files", "directory cannot be read", LOG_STR("directory", dir),
                      LOG_STR("error", strerror(errno)));
        return;
    }
    while ((e = readdir(d))) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        snprintf(path, sizeof(path), "%s%s%s", dir, strcmp(dir, "/") ? "/" : "", e->d_name);
        bool maybe_dir = e->d_type == DT_DIR || e->d_type == DT_LNK || e->d_type == DT_UNKNOWN;
        bool maybe_file = e->d_type == DT_REG || e->d_type == DT_LNK || e->d_type == DT_UNKNOWN;
        bool takes = maybe_file && text_glob_match(w->pattern, slice_cstr(path));
        bool below = maybe_dir && text_glob_may_match_below(w->pattern, slice_cstr(path));
        if ((!takes && !below) || stat(path, &st))
            continue;
        if (below && S_ISDIR(st.st_mode))
            walk(w, path, depth + 1);
        else if (takes)
            take_file(w, path, &st, e->d_type == DT_LNK);
    }
    closedir(d);
}

/* --- what became of files --- */

static struct files_tail *tail_of(struct input_files *f, const struct stat *st)
{
    uint64_t key[2] = {(uint64_t)st->st_dev, (uint64_t)st->st_ino};
    struct map_entry *e = map_get(f->by_inode, slice_make(key, sizeof(key)));
    return e ? e->value.ptr : NULL;
}

static bool leads_to(const char *path, const struct files_tail *t)
{
    struct stat st;
    return path[0] && !stat(path, &st) && (uint64_t)st.st_dev == t->dev &&
           (uint64_t)st.st_ino == t->ino;
}

static void lose(struct input_files *f, struct files_tail *t)
{
    if (!t->is_detached && !t->is_deleted)
        t->lost_ns = files__now(f);
    t->is_detached = true;
    files__tail_list(f, t);
}

/* Its inode under another name of the same directory. */
static bool find_renamed(struct input_files *f, struct files_tail *t, const char *near)
{
    char path[4352], dir[4352];
    struct stat st;
    struct dirent *e;
    bool found = false;
    snprintf(dir, sizeof(dir), "%.*s", SLICE_FMT(files__dir_of(near)));
    DIR *d = opendir(dir);
    while (d && !found && (e = readdir(d))) {
        if (e->d_ino != t->ino)
            continue;
        snprintf(path, sizeof(path), "%s%s%s", dir, strcmp(dir, "/") ? "/" : "", e->d_name);
        found = !stat(path, &st) && (uint64_t)st.st_dev == t->dev &&
                (uint64_t)st.st_ino == t->ino &&
                (!t->birth_ns || t->birth_ns == files__birth_ns(path, -1));
    }
    if (d)
        closedir(d);
    if (found)
        files__tail_set_path(f, t, path);
    return found;
}

/* A file that no glob leads to any more. */
static void look_for(struct input_files *f, struct files_tail *t)
{
    struct stat st;
    if (leads_to(t->path, t)) {
        if (!stat(t->path, &st) && (uint64_t)st.st_size != t->size)
            files__tail_list(f, t);
        lose(f, t);
        return;
    }
    if (t->fd >= 0 && !fstat(t->fd, &st) && !st.st_nlink) {
        if (!t->is_deleted && !t->is_detached)
            t->lost_ns = files__now(f);
        t->is_deleted = true;
        files__tail_set_path(f, t, "");
        files__tail_list(f, t);
        return;
    }
    if (t->path[0] && find_renamed(f, t, t->path)) {
        files__count(FILES_ROTATED, 1);
        lose(f, t);
        return;
    }
    if (t->fd < 0)
        t->is_deleted = true;
    lose(f, t);
    files__tail_set_path(f, t, "");
}

static void match_known(struct input_files *f, struct found *x)
{
    struct files_tail *t = tail_of(f, &x->st);
    if (!t || t->is_seen)
        return;
    int64_t birth = t->birth_ns ? files__birth_ns(x->path, -1) : 0;
    if (t->birth_ns && birth && birth != t->birth_ns) { /* the number was given again */
        uint64_t key[2] = {t->dev, t->ino};
        map_remove(f->by_inode, slice_make(key, sizeof(key)));
        files__tail_set_path(f, t, "");
        return;
    }
    t->is_seen = true;
    t->is_detached = false;
    if (strcmp(t->path, x->path) != 0 && !leads_to(t->path, t)) {
        files__count(FILES_ROTATED, 1);
        files__tail_set_path(f, t, x->path);
    }
    if ((uint64_t)x->st.st_size != t->size || !files__tail_is_read(t))
        files__tail_list(f, t);
}

static bool was_there(const struct input_files *f, uint64_t spec)
{
    for (size_t i = 0; i < f->known_specs.len; i++) {
        if (f->known_specs.items[i] == spec)
            return true;
    }
    return false;
}

static void take_new(struct input_files *f, struct found *x)
{
    if (tail_of(f, &x->st))
        return;
    if (f->tails.len >= f->settings.files_max) {
        if (!f->over_limit)
            LOG_WARN("files", "more files than limits.files.count are not read",
                     LOG_STR("file", x->path), LOG_INT("limit", f->settings.files_max));
        f->over_limit = true;
        files__count(FILES_ERRORS, 1);
        return;
    }
    struct files_tail *t =
        files__tail_new(f, x->spec, x->path, x->path, &x->st, files__birth_ns(x->path, -1));
    t->is_seen = true;
    t->is_polled = x->is_link || !is_watched(f, x->path);
    t->starts_at_end = x->spec->from_end && !f->scanned && !was_there(f, x->spec->id);
}

/* Records of files that were renamed while nobody looked, to names that no glob leads to. */
static void find_old(struct input_files *f)
{
    for (size_t i = 0; i < f->old.records.len; i++) {
        struct files_record *r = &f->old.records.items[i];
        struct stat st;
        const struct files_spec *spec = NULL;
        uint64_t key[2] = {r->dev, r->ino};
        /* Most were found where they were. */
        if (r->is_gone || map_get(f->by_inode, slice_make(key, sizeof(key))))
            continue;
        for (size_t k = 0; k < f->config->specs.len && !spec; k++) {
            if (files__spec_takes(&f->config->specs.items[k], slice_cstr(r->stream_path)) ||
                files__spec_takes(&f->config->specs.items[k], slice_cstr(r->path)))
                spec = &f->config->specs.items[k];
        }
        if (!spec)
            continue;
        struct files_tail probe = {.dev = r->dev, .ino = r->ino, .birth_ns = r->birth_ns, .fd = -1};
        probe.path = mem_strdup("");
        if (find_renamed(f, &probe, r->path) && !stat(probe.path, &st) && !tail_of(f, &st)) {
            char *path = mem_strdup(probe.path), *stream_path = mem_strdup(r->stream_path);
            files__tail_set_path(f, &probe, "");
            struct files_tail *t = files__tail_new(f, spec, path, stream_path, &st, r->birth_ns);
            t->is_polled = !is_watched(f, path);
            lose(f, t);
            mem_free(path);
            mem_free(stream_path);
        } else {
            files__tail_set_path(f, &probe, "");
            r->is_gone = true;
        }
        mem_free(probe.path);
    }
}

void files__scan(struct input_files *f)
{
    struct walk w = {.f = f, .seen = map_new()};
    char base[4352];
    for (size_t i = 0; i < f->config->specs.len; i++) {
        w.spec = &f->config->specs.items[i];
        for (size_t k = 0; k < w.spec->include_count; k++) {
            struct slice dir = text_glob_base(w.spec->include[k]);
            w.pattern = w.spec->include[k];
            w.dirs = map_new();
            snprintf(base, sizeof(base), "%.*s", SLICE_FMT(dir));
            walk(&w, base, 0);
            map_free(w.dirs);
        }
    }
    for (size_t i = 0; i < f->tails.len; i++)
        f->tails.items[i]->is_seen = false;
    for (size_t i = 0; i < w.found.len; i++)
        match_known(f, &w.found.items[i]);
    for (size_t i = 0; i < f->tails.len; i++) {
        if (!f->tails.items[i]->is_seen)
            look_for(f, f->tails.items[i]);
    }
    f->over_limit = false;
    for (size_t i = 0; i < w.found.len; i++)
        take_new(f, &w.found.items[i]);
    if (!f->scanned)
        find_old(f);
    for (size_t i = 0; i < w.found.len; i++)
        mem_free(w.found.items[i].path);
    vec_free(&w.found);
    map_free(w.seen);
    if (!f->scanned) {
        for (size_t i = 0; i < f->config->specs.len; i++) {
            if (!was_there(f, f->config->specs.items[i].id)) {
                vec_push(&f->known_specs, f->config->specs.items[i].id);
                f->positions_dirty = true;
            }
        }
    }
    f->scanned = true;
}

/* --- copytruncate --- */

/* The copy that was made before the file was truncated: what was read of the one stands in the
 * other. */
static struct files_tail *find_copy(struct input_files *f, struct files_tail *t)
{
    char path[4352], dir[4352], best[4352] = "", begin[FILES_PRINT_MAX];
    struct stat st, best_st = {0};
    struct dirent *e;
    const char *near = t->path[0] ? t->path : t->stream_path;
    if (!t->print.len || !t->pos)
        return NULL;
    snprintf(dir, sizeof(dir), "%.*s", SLICE_FMT(files__dir_of(near)));
    DIR *d = opendir(dir);
    while (d && (e = readdir(d))) {
        if (e->d_type != DT_REG && e->d_type != DT_UNKNOWN)
            continue;
        snprintf(path, sizeof(path), "%s%s%s", dir, strcmp(dir, "/") ? "/" : "", e->d_name);
        if (stat(path, &st) || !S_ISREG(st.st_mode) || (uint64_t)st.st_ino == t->ino ||
            (uint64_t)st.st_size < t->pos)
            continue;
        struct files_tail *other = tail_of(f, &st);
        if (other && other->is_settled)
            continue;
        FILE *file = fopen(path, "re");
        if (!file)
            continue;
        size_t len = files__begin_of(fileno(file), CODEC_ARCHIVE_NONE, begin);
        if (files__print_matches(t->print, slice_make(begin, len)) &&
            files__mark_matches(fileno(file), t->pos, t->mark) &&
            (!best[0] || st.st_mtim.tv_sec > best_st.st_mtim.tv_sec)) {
            snprintf(best, sizeof(best), "%s", path);
            best_st = st;
        }
        fclose(file);
    }
    if (d)
        closedir(d);
    if (!best[0])
        return NULL;
    struct files_tail *copy = tail_of(f, &best_st);
    if (!copy) {
        copy =
            files__tail_new(f, t->spec, best, t->stream_path, &best_st, files__birth_ns(best, -1));
        copy->is_polled = !is_watched(f, best);
        if (!files__spec_takes(t->spec, slice_cstr(best)))
            lose(f, copy);
    } else {
        files__tail_relabel(f, copy, t->stream_path);
    }
    return copy;
}

void files__truncated(struct input_files *f, struct files_tail *t, struct decode_logfile_out *out)
{
    struct files_tail *copy = find_copy(f, t);
    files__count(FILES_TRUNCATED, 1);
    if (copy) {
        uint64_t safe = decode_logfile_safe(&t->log, t->pos);
        copy->is_settled = true;
        copy->copy_of = NULL;
        copy->print = t->print;
        copy->log.format = t->log.format;
        copy->log.last_ts_ns = t->log.last_ts_ns;
        files__tail_seek(f, copy, safe, safe == t->pos ? t->mark : (struct files_print){0});
        files__tail_list(f, copy);
        decode_logfile_drop(&t->log);
    } else {
        decode_logfile_flush(&t->log, &t->spec->rules, out, INT64_MAX);
        files__remember(f, t, true);
    }
    t->log.emitted_to = 0;
    t->log.format = DECODE_LOGFILE_AUTO;
    t->print = (struct files_print){0};
    t->partial_since_ns = 0;
    files__tail_seek(f, t, 0, (struct files_print){0});
}
