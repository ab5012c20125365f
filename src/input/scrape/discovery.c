#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "codec/json_dom.h"
#include "input/scrape/scrape_priv.h"

#define POLL_NS         (5 * NS_PER_SEC)
#define FILE_BYTES_MAX  ((size_t)64 << 20)
#define TOKEN_BYTES_MAX ((size_t)64 << 10)
#define HTTP_TIMEOUT_NS (30 * NS_PER_SEC)

/* --- files --- */

int input__read_file(struct os *os, const char *path, size_t max, struct buf *out,
                     struct diag *diag)
{
    struct os_file *f = NULL;
    uint64_t size = 0;
    int err = os->ops->open(os, path, OS_READ, &f, diag);
    if (err)
        return err;
    err = os->ops->size(f, &size, diag);
    if (!err && size > max)
        err = diag_set(diag, ERR_TOO_LARGE, "%s holds %llu bytes, at most %zu are read", path,
                       (unsigned long long)size, max);
    if (!err && size) {
        char *to = buf_reserve(out, (size_t)size);
        err = os->ops->read_at(f, 0, to, (size_t)size, diag);
        if (!err)
            out->len += (size_t)size;
    }
    os->ops->close(f);
    return err;
}

static void free_set(struct group_set *set)
{
    arena_free(set->arena);
    *set = (struct group_set){0};
}

/* Every group of `set` with one more label; in the set's arena. */
static void add_label(struct group_set *set, struct slice name, struct slice value)
{
    struct input__scrape_group *groups =
        arena_dup(set->arena, set->groups, set->count * sizeof(*groups));
    struct data_labels_builder b = {0};
    for (size_t i = 0; i < set->count; i++) {
        struct data_labels l;
        data_labels_builder_from(&b, groups[i].labels);
        data_labels_builder_set(&b, name, value);
        if (data_labels_builder_finish(&b, &l, NULL) == 0)
            groups[i].labels = data_labels_copy(set->arena, l);
    }
    data_labels_builder_deinit(&b);
    set->groups = groups;
}

int input__scrape_groups_json(struct slice text, struct arena *arena, struct slice source,
                              const struct input__scrape_group **out, size_t *out_count,
                              struct diag *diag)
{
    struct codec_json root;
    int err = codec_json_parse(text, arena, &root, diag);
    if (err)
        return err;
    if (root.kind != CODEC_JSON_ARRAY)
        return diag_set(diag, ERR_INVALID,
                        "a JSON list of {\"targets\": [...], \"labels\": {...}} is expected");
    struct input__scrape_group *groups = ARENA_ARRAY(arena, struct input__scrape_group, root.count);
    struct data_labels_builder b = {0};
    for (size_t i = 0; !err && i < root.count; i++) {
        const struct codec_json *g = &root.items[i], *targets = codec_json_get(g, "targets"),
                                *labels = codec_json_get(g, "labels");
        groups[i].source = arena_printf(arena, "%.*s:%zu", SLICE_FMT(source), i);
        if (g->kind != CODEC_JSON_OBJECT ||
            (targets && targets->kind != CODEC_JSON_ARRAY && targets->kind != CODEC_JSON_NULL) ||
            (labels && labels->kind != CODEC_JSON_OBJECT && labels->kind != CODEC_JSON_NULL)) {
            err =
                diag_set(diag, ERR_INVALID,
                         "target group %zu is not {\"targets\": [...], \"labels\": {...}}", i + 1);
            break;
        }
        for (size_t k = 0; !err && k < g->count; k++) {
            if (!slice_eq_cstr(g->keys[k], "targets") && !slice_eq_cstr(g->keys[k], "labels"))
                err = diag_set(diag, ERR_INVALID, "target group %zu has an unknown key \"%.*s\"",
                               i + 1, SLICE_FMT(g->keys[k]));
        }
        size_t count = targets && targets->kind == CODEC_JSON_ARRAY ? targets->count : 0;
        struct slice *addresses = ARENA_ARRAY(arena, struct slice, count);
        for (size_t k = 0; !err && k < count; k++) {
            if (targets->items[k].kind != CODEC_JSON_STRING)
                err = diag_set(diag, ERR_INVALID, "target %zu of group %zu is no string", k + 1,
                               i + 1);
            else
                addresses[k] = arena_slice(arena, targets->items[k].text);
        }
        groups[i].targets = addresses;
        groups[i].target_count = count;
        data_labels_builder_reset(&b);
        for (size_t k = 0; !err && labels && labels->kind == CODEC_JSON_OBJECT && k < labels->count;
             k++) {
            if (labels->items[k].kind != CODEC_JSON_STRING || !labels->keys[k].len)
                err = diag_set(diag, ERR_INVALID, "label \"%.*s\" of group %zu is no string",
                               SLICE_FMT(labels->keys[k]), i + 1);
            else
                data_labels_builder_set(&b, labels->keys[k], labels->items[k].text);
        }
        struct data_labels l;
        if (!err)
            err = data_labels_builder_finish(&b, &l, diag);
        if (!err)
            groups[i].labels = data_labels_copy(arena, l);
    }
    data_labels_builder_deinit(&b);
    if (!err) {
        *out = groups;
        *out_count = root.count;
    }
    return err;
}

int input__load_groups(struct os *os, const char *path, struct group_set *out, struct diag *diag)
{
    struct group_set set = {.arena = arena_new(0, NULL)};
    struct buf text = {0};
    struct slice source = arena_slice(set.arena, slice_cstr(path));
    int err = input__read_file(os, path, FILE_BYTES_MAX, &text, diag);
    if (!err && slice_ends_with(source, SLICE(".json"))) {
        err = input__scrape_groups_json(buf_slice(&text), set.arena, source, &set.groups,
                                        &set.count, diag);
    } else if (!err) {
        struct text_yaml *root = NULL;
        err = text_yaml_parse(buf_slice(&text), set.arena, &root, diag);
        if (!err)
            err = input__scrape_groups_yaml(root, set.arena, source, &set.groups, &set.count, diag);
    }
    buf_deinit(&text);
    if (err) {
        arena_free(set.arena);
        return err;
    }
    add_label(&set, SLICE("__meta_filepath"), source);
    *out = set;
    return 0;
}

/* Reads a file when it changed. True when its groups did. */
static bool look_at(struct provider *pr, const char *path)
{
    struct os *os = pr->pool->scrape->env.os;
    struct os_stat st;
    struct diag diag;
    diag_init(&diag);
    if (os->ops->stat(os, path, &st, &diag) || st.is_dir)
        return false;
    struct sd_file *f = NULL;
    for (size_t i = 0; i < pr->files.len && !f; i++)
        f = strcmp(pr->files.items[i].path, path) == 0 ? &pr->files.items[i] : NULL;
    bool added = !f;
    if (added) {
        f = vec_add(&pr->files);
        f->path = mem_strdup(path);
    }
    f->seen = true;
    if (!added && f->mtime_ns == st.mtime_ns && f->size == st.size && !f->failed)
        return false;
    f->mtime_ns = st.mtime_ns;
    f->size = st.size;
    struct group_set set;
    if (input__load_groups(os, path, &set, &diag)) {
        /* The old content stays in force until the file is right again. */
        if (!f->failed)
            LOG_WARN("input", "target file cannot be read; its old targets stay",
                     LOG_STR("file", path), LOG_STR("error", diag.msg));
        f->failed = true;
        snprintf(pr->last_error, sizeof(pr->last_error), "%.200s: %.250s", path, diag.msg);
        return false;
    }
    f->failed = false;
    free_set(&f->set);
    f->set = set;
    return true;
}

struct listing {
    struct provider *pr;
    const char *dir;
    struct slice before, after; /* around the star */
    VEC(char *) found;
};

static void on_name(const char *name, void *ctx)
{
    struct listing *l = ctx;
    struct slice s = slice_cstr(name);
    if (s.len < l->before.len + l->after.len || !slice_starts_with(s, l->before) ||
        !slice_ends_with(s, l->after))
        return;
    struct buf path = {0};
    buf_printf(&path, "%s/%s", l->dir, name);
    vec_push(&l->found, mem_strdup(buf_cstr(&path)));
    buf_deinit(&path);
}

static bool look_at_pattern(struct provider *pr, const char *pattern)
{
    struct os *os = pr->pool->scrape->env.os;
    const char *slash = strrchr(pattern, '/'), *name = slash ? slash + 1 : pattern,
               *star = strchr(name, '*');
    if (!star)
        return look_at(pr, pattern);
    char *dir = slash ? mem_strdup(pattern) : mem_strdup(".");
    if (slash)
        dir[slash == pattern ? 1 : slash - pattern] = '\0';
    struct listing l = {.pr = pr,
                        .dir = dir,
                        .before = slice_make(name, (size_t)(star - name)),
                        .after = slice_cstr(star + 1)};
    bool changed = false;
    os->ops->list(os, dir, on_name, &l, NULL);
    for (size_t i = 0; i < l.found.len; i++) {
        changed |= look_at(pr, l.found.items[i]);
        mem_free(l.found.items[i]);
    }
    vec_free(&l.found);
    mem_free(dir);
    return changed;
}

static void refresh_files(struct provider *pr, bool sync)
{
    bool changed = false;
    pr->last_error[0] = '\0';
    for (size_t i = 0; i < pr->files.len; i++)
        pr->files.items[i].seen = false;
    for (size_t i = 0; i < pr->file_sd->pattern_count; i++)
        changed |= look_at_pattern(pr, pr->file_sd->patterns[i]);
    for (size_t i = pr->files.len; i-- > 0;) {
        struct sd_file *f = &pr->files.items[i];
        if (f->seen)
            continue;
        mem_free(f->path);
        free_set(&f->set);
        *f = pr->files.items[--pr->files.len];
        changed = true;
    }
    if (changed && sync)
        input__pool_sync(pr->pool);
}

/* --- HTTP --- */

int input__http_request(struct os *os, const struct input__scrape_http *http, struct arena *arena,
                        struct net_client_request *req, struct slice *auth_header,
                        struct diag *diag)
{
    struct buf text = {0};
    int err = 0;
    *auth_header = (struct slice){NULL, 0};
    const char *files[3] = {http->username_file, http->password_file, http->credentials_file};
    const char *values[3] = {http->username, http->password, http->credentials};
    for (int i = 0; !err && i < 3; i++) {
        if (!files[i])
            continue;
        buf_clear(&text);
        err = input__read_file(os, files[i], TOKEN_BYTES_MAX, &text, diag);
        values[i] = arena_slice(arena, slice_trim(buf_slice(&text))).ptr;
    }
    buf_deinit(&text);
    if (err)
        return err;
    if (http->username || http->username_file) {
        req->username = values[0] ? values[0] : "";
        req->password = values[1] ? values[1] : "";
    }
    if (http->auth_type && values[2]) {
        struct slice type = slice_trim(slice_cstr(http->auth_type));
        *auth_header = arena_printf(arena, "%.*s %s", SLICE_FMT(type), values[2]);
    }
    req->proxy_url = http->proxy_url;
    req->tls = http->has_tls ? &http->tls : NULL;
    req->follow_redirects = http->follow_redirects;
    return 0;
}

static void on_answer(const struct net_client_response *resp, void *ctx)
{
    struct provider *pr = ctx;
    struct input_scrape *s = pr->pool->scrape;
    struct group_set set = {.arena = arena_new(0, NULL)};
    struct diag diag;
    diag_init(&diag);
    pr->call = NULL;
    if (resp->err == ERR_CANCELLED) {
        arena_free(set.arena);
        input__scrape_arrived(s);
        return;
    }
    int err = resp->err;
    if (err)
        diag_set(&diag, err, "%s", resp->diag ? resp->diag->msg : err_name(err));
    else if (resp->status != 200)
        err = diag_set(&diag, ERR_INVALID, "server returned HTTP status %d", resp->status);
    else if (!slice_eq_nocase(
                 slice_trim(slice_first(resp->content_type,
                                        slice_find_char(resp->content_type, ';') < 0
                                            ? resp->content_type.len
                                            : (size_t)slice_find_char(resp->content_type, ';'))),
                 SLICE("application/json")))
        err = diag_set(&diag, ERR_INVALID, "unsupported content type \"%.*s\"",
                       SLICE_FMT(slice_first(resp->content_type, 100)));
    else
        err =
            input__scrape_groups_json(arena_slice(set.arena, resp->body), set.arena,
                                      slice_cstr(pr->http_sd->url), &set.groups, &set.count, &diag);
    if (err) {
        arena_free(set.arena);
        LOG_WARN("input", "HTTP discovery failed; its old targets stay",
                 LOG_STR("url", pr->http_sd->url), LOG_STR("error", diag.msg));
        snprintf(pr->last_error, sizeof(pr->last_error), "%.200s: %.250s", pr->http_sd->url,
                 diag.msg);
    } else {
        pr->last_error[0] = '\0';
        add_label(&set, SLICE("__meta_url"), slice_cstr(pr->http_sd->url));
        free_set(&pr->set);
        pr->set = set;
        input__pool_sync(pr->pool);
    }
    input__scrape_arrived(s);
}

static void ask(struct provider *pr)
{
    struct input_scrape *s = pr->pool->scrape;
    const struct input__scrape_http_sd *sd = pr->http_sd;
    if (pr->call)
        return;
    struct arena *arena = arena_new(0, NULL);
    struct net_client_request req = {.url = sd->url,
                                     .accept_compressed = true,
                                     .timeout_ns = MIN(HTTP_TIMEOUT_NS, sd->refresh_ns)};
    struct slice auth;
    struct diag diag;
    diag_init(&diag);
    if (input__http_request(s->env.os, &sd->http, arena, &req, &auth, &diag)) {
        snprintf(pr->last_error, sizeof(pr->last_error), "%.500s", diag.msg);
        arena_free(arena);
        return;
    }
    struct net_client_header *headers =
        ARENA_ARRAY(arena, struct net_client_header, sd->http.header_count + 4);
    size_t n = 0;
    for (; n < sd->http.header_count; n++)
        headers[n] = sd->http.headers[n];
    headers[n++] = (struct net_client_header){SLICE("Accept"), SLICE("application/json")};
    headers[n++] = (struct net_client_header){
        SLICE("X-Prometheus-Refresh-Interval-Seconds"),
        arena_printf(arena, "%g", (double)sd->refresh_ns / (double)NS_PER_SEC)};
    headers[n++] = (struct net_client_header){
        SLICE("User-Agent"),
        arena_printf(arena, "Pharos/%s", s->env.version ? s->env.version : "0")};
    if (auth.ptr)
        headers[n++] = (struct net_client_header){SLICE("Authorization"), auth};
    req.headers = headers;
    req.header_count = n;
    pthread_mutex_lock(&s->lock);
    s->waiting_for++;
    pthread_mutex_unlock(&s->lock);
    pr->call = net_client_send(s->client, &req, on_answer, pr);
    arena_free(arena);
}

/* --- providers --- */

struct provider *input__provider_new(struct pool *pool, enum provider_kind kind)
{
    struct provider *pr = mem_calloc(1, sizeof(*pr));
    pr->pool = pool;
    pr->kind = kind;
    return pr;
}

void input__provider_free(struct provider *pr)
{
    net_timer_stop(pr->timer);
    if (pr->call)
        net_client_cancel(pr->call);
    for (size_t i = 0; i < pr->files.len; i++) {
        mem_free(pr->files.items[i].path);
        free_set(&pr->files.items[i].set);
    }
    vec_free(&pr->files);
    free_set(&pr->set);
    mem_free(pr);
}

void input__provider_refresh(struct provider *pr, bool sync)
{
    if (pr->kind == PROVIDER_FILE)
        refresh_files(pr, sync);
    else if (pr->kind == PROVIDER_HTTP)
        ask(pr);
}

static void on_timer(void *ctx)
{
    input__provider_refresh(ctx, true);
}

void input__provider_start(struct provider *pr)
{
    struct input_scrape *s = pr->pool->scrape;
    if (s->manual || pr->kind == PROVIDER_STATIC)
        return;
    /* Files are looked at often, whatever the refresh interval says: it costs a stat. */
    int64_t every = pr->kind == PROVIDER_HTTP ? pr->http_sd->refresh_ns : POLL_NS;
    if (pr->kind == PROVIDER_FILE && pr->file_sd->refresh_ns > 0)
        every = MIN(every, pr->file_sd->refresh_ns);
    pr->timer = net_timer_start(s->home, every, every, on_timer, pr);
}
