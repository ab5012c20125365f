/* A group as a file: eight bytes of magic, the CRC-32C of the rest, and a protobuf message
 *   1 tenant, 2 label {1 name, 2 value}, 3 pushed ns, 4 failed ns, 5 prometheus.WriteRequest
 * whose samples have no time of their own. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "codec/crc32c.h"
#include "codec/pb.h"
#include "decode/remote_read.h"
#include "decode/remote_write.h"
#include "input/push/push_priv.h"
#include "os/file.h"

static const char magic[8] = "PHPUSH1\n";

static void put_metadata(const struct push__family *f, struct buf *out)
{
    size_t mark = codec_pb_begin(out, 3);
    codec_pb_put_varint(out, 1, f->type); /* the numbers of remote write are ours */
    codec_pb_put_bytes(out, 2, f->name);
    codec_pb_put_bytes(out, 4, f->help);
    codec_pb_put_bytes(out, 5, f->unit);
    codec_pb_end(out, mark);
}

void input__push_encode(const struct push__group *g, struct buf *out)
{
    static const int64_t no_time = 0;
    struct arena *arena = arena_new(0, NULL);
    struct data_labels labels;
    buf_append(out, magic, sizeof(magic));
    codec_append32(out, 0);
    size_t begin = out->len;
    codec_pb_put_bytes(out, 1, g->tenant);
    for (size_t i = 0; i < g->labels.count; i++) {
        size_t mark = codec_pb_begin(out, 2);
        codec_pb_put_bytes(out, 1, g->labels.items[i].name);
        codec_pb_put_bytes(out, 2, g->labels.items[i].value);
        codec_pb_end(out, mark);
    }
    codec_pb_put_varint(out, 3, (uint64_t)g->pushed_ns);
    codec_pb_put_varint(out, 4, (uint64_t)g->failed_ns);
    size_t request = codec_pb_begin(out, 5);
    for (size_t i = 0; i < g->families.len; i++) {
        const struct push__family *f = &g->families.items[i];
        put_metadata(f, out);
        for (size_t k = 0; k < f->series.len; k++) {
            const struct push__series *s = &f->series.items[k];
            const struct data_histogram *histograms[] = {s->histogram};
            (void)!data_labels_decode(s->key, arena, &labels);
            decode_read_put_series(labels, &no_time, &s->value, histograms, 1, out);
        }
        arena_reset(arena);
    }
    codec_pb_end(out, request);
    codec_store32(out->ptr + begin - 4, codec_crc32c(slice_from(buf_slice(out), begin)));
    arena_free(arena);
}

static int take_label(struct slice message, struct data_labels_builder *b, struct diag *diag)
{
    struct codec_pb_reader r = codec_pb_reader(message);
    struct codec_pb_field f;
    struct slice name = SLICE(""), value = SLICE("");
    while (codec_pb_next(&r, &f)) {
        if (f.number == 1 && f.wire == CODEC_PB_BYTES)
            name = f.bytes;
        else if (f.number == 2 && f.wire == CODEC_PB_BYTES)
            value = f.bytes;
    }
    data_labels_builder_set(b, name, value);
    return r.failed ? diag_set(diag, ERR_CORRUPT, "a label of its group is damaged") : 0;
}

int input__push_decode(struct slice text, struct push__group **out, struct diag *diag)
{
    struct data_labels_builder b = {0};
    struct data_metric_batch *batch = data_metric_batch_new(SLICE("default"));
    struct decode_write_result result;
    struct data_labels labels = {0};
    struct slice tenant = SLICE("default"), request = SLICE("");
    int64_t pushed_ns = 0, failed_ns = 0;
    struct codec_pb_field f;
    int err = 0;
    *out = NULL;
    if (text.len < sizeof(magic) + 4 || memcmp(text.ptr, magic, sizeof(magic)) != 0)
        err = diag_set(diag, ERR_CORRUPT, "it is no file of pushed metrics");
    struct slice message = slice_from(text, sizeof(magic) + 4);
    if (!err && codec_load32(text.ptr + sizeof(magic)) != codec_crc32c(message))
        err = diag_set(diag, ERR_CORRUPT, "its checksum does not match");
    struct codec_pb_reader r = codec_pb_reader(message);
    while (!err && codec_pb_next(&r, &f)) {
        if (f.number == 1 && f.wire == CODEC_PB_BYTES)
            tenant = f.bytes;
        else if (f.number == 2 && f.wire == CODEC_PB_BYTES)
            err = take_label(f.bytes, &b, diag);
        else if (f.number == 3 && f.wire == CODEC_PB_VARINT)
            pushed_ns = (int64_t)f.num;
        else if (f.number == 4 && f.wire == CODEC_PB_VARINT)
            failed_ns = (int64_t)f.num;
        else if (f.number == 5 && f.wire == CODEC_PB_BYTES)
            request = f.bytes;
    }
    if (!err && r.failed)
        err = diag_set(diag, ERR_CORRUPT, "its protobuf is damaged");
    struct diag why;
    diag_init(&why);
    if (!err && data_labels_builder_finish(&b, &labels, &why))
        err = diag_set(diag, ERR_CORRUPT, "the labels of its group: %s", why.msg);
    if (!err &&
        (decode_remote_write_v1(request, batch, &result, diag) || result.first_refusal.code))
        err = diag_set(diag, ERR_CORRUPT, "its samples are damaged: %s", result.first_refusal.msg);
    if (!err) {
        *out = input__push_group_new(tenant, labels);
        (*out)->pushed_ns = pushed_ns;
        (*out)->failed_ns = failed_ns;
        input__push_take_batch(*out, batch);
    }
    data_labels_builder_deinit(&b);
    data_metric_batch_free(batch);
    return err;
}

static void file_name(const char *dir, const struct push__group *g, const char *suffix, char *out,
                      size_t size)
{
    struct hash128 h = hash128(g->id.ptr, g->id.len);
    snprintf(out, size, "%s/%016llx%016llx%s", dir, (unsigned long long)h.hi,
             (unsigned long long)h.lo, suffix);
}

int input__push_save(struct os *os, const char *dir, const struct push__group *g, struct diag *diag)
{
    char path[4352];
    struct buf text = {0};
    file_name(dir, g, ".group", path, sizeof(path));
    input__push_encode(g, &text);
    int err = os_file_replace(os, path, buf_slice(&text), diag);
    buf_deinit(&text);
    return err;
}

int input__push_remove(struct os *os, const char *dir, const struct push__group *g,
                       struct diag *diag)
{
    char path[4352];
    file_name(dir, g, ".group", path, sizeof(path));
    int err = os->ops->unlink(os, path, diag);
    return err ? err : os->ops->sync_dir(os, dir, diag);
}

struct names {
    VEC(char *) list;
};

static void add_name(const char *name, void *ctx)
{
    struct names *names = ctx;
    size_t n = strlen(name);
    if (n > 6 && strcmp(name + n - 6, ".group") == 0)
        vec_push(&names->list, mem_strdup(name));
}

static int load_one(struct os *os, const char *path, struct push__group **out, struct diag *diag)
{
    struct os_file *file = NULL;
    struct slice text;
    int err = os->ops->open(os, path, OS_READ, &file, diag);
    if (err)
        return err;
    err = os->ops->map(file, &text, diag);
    if (!err) {
        err = input__push_decode(text, out, diag);
        os->ops->unmap(file, text);
    }
    os->ops->close(file);
    return err;
}

int input__push_load(struct os *os, const char *dir, void (*each)(void *ctx, struct push__group *g),
                     void *ctx, struct diag *diag)
{
    struct names names = {0};
    int err = os->ops->list(os, dir, add_name, &names, diag);
    for (size_t i = 0; i < names.list.len && !err; i++) {
        char path[4352], aside[4400];
        struct push__group *g;
        struct diag why;
        diag_init(&why);
        snprintf(path, sizeof(path), "%s/%s", dir, names.list.items[i]);
        int bad = load_one(os, path, &g, &why);
        if (!bad) {
            each(ctx, g);
            continue;
        }
        if (bad != ERR_CORRUPT) {
            err = diag_set(diag, bad, "%s: %s", path, why.msg);
            break;
        }
        snprintf(aside, sizeof(aside), "%s.damaged", path);
        LOG_WARN("input", "pushed metrics are damaged and put aside", LOG_STR("file", aside),
                 LOG_STR("error", why.msg));
        err = os->ops->rename(os, path, aside, diag);
    }
    for (size_t i = 0; i < names.list.len; i++)
        mem_free(names.list.items[i]);
    vec_free(&names.list);
    return err;
}
