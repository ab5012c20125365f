#include "decode/logfile/container.h"

#include "codec/json_read.h"
#include "decode/timestamp.h"

bool decode_docker_line(struct slice line, struct arena *arena, struct decode_container_line *out)
{
    struct codec_json_reader r = codec_json_reader(line, arena, NULL);
    struct slice key, log = {NULL, 0}, stream = SLICE("stdout"), time = {NULL, 0};
    size_t len;
    r.utf8 = CODEC_JSON_UTF8_REPLACE;
    if (!line.len || line.ptr[0] != '{')
        return false;
    codec_json_read_object(&r);
    while (codec_json_next_key(&r, &key)) {
        if (slice_eq_cstr(key, "log"))
            codec_json_read_string(&r, &log);
        else if (slice_eq_cstr(key, "stream"))
            codec_json_read_string(&r, &stream);
        else if (slice_eq_cstr(key, "time"))
            codec_json_read_string(&r, &time);
    }
    if (codec_json_read_end(&r) || !log.ptr || decode_timestamp_iso(time, &out->ts_ns, &len) ||
        len != time.len)
        return false;
    out->is_partial = !log.len || log.ptr[log.len - 1] != '\n';
    if (!out->is_partial)
        log.len--;
    if (log.len && log.ptr[log.len - 1] == '\r' && !out->is_partial)
        log.len--;
    out->text = log;
    out->is_stderr = slice_eq_cstr(stream, "stderr");
    return true;
}

bool decode_cri_line(struct slice line, struct decode_container_line *out)
{
    size_t len;
    if (decode_timestamp_iso(slice_first(line, 40), &out->ts_ns, &len) || len < 20)
        return false;
    struct slice rest = slice_from(line, len);
    bool is_stdout = slice_starts_with(rest, SLICE(" stdout "));
    if (!is_stdout && !slice_starts_with(rest, SLICE(" stderr ")))
        return false;
    rest = slice_from(rest, 8);
    /* The tag: P or F, and more of them behind colons, as the CRI reserves. */
    ptrdiff_t space = slice_find_char(rest, ' ');
    struct slice tag = space < 0 ? rest : slice_first(rest, (size_t)space);
    if (!tag.len || (tag.ptr[0] != 'P' && tag.ptr[0] != 'F') || (tag.len > 1 && tag.ptr[1] != ':'))
        return false;
    out->is_partial = tag.ptr[0] == 'P';
    out->is_stderr = !is_stdout;
    out->text = space < 0 ? SLICE("") : slice_from(rest, (size_t)space + 1);
    return true;
}

/* The last component of *path, which loses it. */
static struct slice take_last(struct slice *path)
{
    size_t at = path->len;
    while (at && path->ptr[at - 1] != '/')
        at--;
    struct slice last = slice_from(*path, at);
    path->len = at ? at - 1 : 0;
    return last;
}

static bool is_hex(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!strchr("0123456789abcdef", s.ptr[i]) || !s.ptr[i])
            return false;
    }
    return s.len > 0;
}

static ptrdiff_t find_last(struct slice s, char c)
{
    for (size_t i = s.len; i; i--) {
        if (s.ptr[i - 1] == c)
            return (ptrdiff_t)i - 1;
    }
    return -1;
}

/* NAMESPACE_POD_UID */
static bool pod_directory(struct slice s, struct decode_container *out)
{
    ptrdiff_t first = slice_find_char(s, '_'), last = find_last(s, '_');
    if (first <= 0 || last <= first + 1 || (size_t)last + 1 >= s.len)
        return false;
    out->namespace = slice_first(s, (size_t)first);
    out->pod = slice_make(s.ptr + first + 1, (size_t)(last - first - 1));
    out->pod_uid = slice_from(s, (size_t)last + 1);
    return true;
}

/* POD_NAMESPACE_CONTAINER-ID.log */
static bool container_link(struct slice s, struct decode_container *out)
{
    if (!slice_ends_with(s, SLICE(".log")))
        return false;
    s.len -= 4;
    ptrdiff_t dash = find_last(s, '-'), first = slice_find_char(s, '_');
    if (dash < 0 || first <= 0 || dash < first)
        return false;
    struct slice id = slice_from(s, (size_t)dash + 1);
    struct slice middle = slice_make(s.ptr + first + 1, (size_t)(dash - first - 1));
    ptrdiff_t second = slice_find_char(middle, '_');
    if (id.len != 64 || !is_hex(id) || second <= 0 || (size_t)second + 1 >= middle.len)
        return false;
    out->pod = slice_first(s, (size_t)first);
    out->namespace = slice_first(middle, (size_t)second);
    out->name = slice_from(middle, (size_t)second + 1);
    out->id = id;
    return true;
}

bool decode_container_path(struct slice path, struct decode_container *out)
{
    struct slice rest = path, file = take_last(&rest), dir = take_last(&rest);
    *out = (struct decode_container){0};
    if (container_link(file, out))
        return true;
    if (slice_ends_with(file, SLICE("-json.log")) && is_hex(dir) && slice_starts_with(file, dir) &&
        file.len == dir.len + 9) {
        out->id = dir;
        return true;
    }
    /* A rotated one is RESTARTS.log.20240102-030405 */
    ptrdiff_t dot = slice_find(file, SLICE(".log"));
    struct slice pod = take_last(&rest), pods = take_last(&rest);
    if (dot <= 0 || !dir.len || !slice_eq_cstr(pods, "pods") || !pod_directory(pod, out))
        return false;
    struct slice restarts = slice_first(file, (size_t)dot);
    for (size_t i = 0; i < restarts.len; i++) {
        if (restarts.ptr[i] < '0' || restarts.ptr[i] > '9')
            return false;
    }
    out->restart_count = restarts;
    out->name = dir;
    return true;
}

static void read_labels(struct codec_json_reader *r, struct decode_container *out)
{
    struct slice key;
    if (codec_json_read_null(r))
        return;
    codec_json_read_object(r);
    while (codec_json_next_key(r, &key)) {
        if (slice_eq_cstr(key, "com.docker.compose.project"))
            codec_json_read_string(r, &out->compose_project);
        else if (slice_eq_cstr(key, "com.docker.compose.service"))
            codec_json_read_string(r, &out->compose_service);
    }
}

bool decode_docker_config(struct slice text, struct arena *arena, struct decode_container *out)
{
    struct codec_json_reader r = codec_json_reader(text, arena, NULL);
    struct slice key;
    r.utf8 = CODEC_JSON_UTF8_REPLACE;
    codec_json_read_object(&r);
    while (codec_json_next_key(&r, &key)) {
        if (slice_eq_cstr(key, "Name")) {
            if (codec_json_read_string(&r, &out->name) && out->name.len && out->name.ptr[0] == '/')
                out->name = slice_from(out->name, 1);
        } else if (slice_eq_cstr(key, "ID")) {
            codec_json_read_string(&r, &out->id);
        } else if (slice_eq_cstr(key, "Config")) {
            codec_json_read_object(&r);
            while (codec_json_next_key(&r, &key)) {
                if (slice_eq_cstr(key, "Image"))
                    codec_json_read_string(&r, &out->image);
                else if (slice_eq_cstr(key, "Labels"))
                    read_labels(&r, out);
            }
        }
    }
    return codec_json_read_end(&r) == 0;
}
