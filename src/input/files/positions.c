/* The durable table: eight bytes of magic, the CRC-32C of the rest, and a protobuf message
 *   1 record {1 dev, 2 ino, 3 birth ns, 4 print length, 5 print hash, 6 mark length, 7 mark hash,
 *             8 position, 9 gone, 10 seen ns, 11 path, 12 stream's path, 13 format, 14 done,
 *             15 version}
 *   2 id of a list of globs that was there before
 * replaced as a whole. */
#include <stdio.h>
#include <string.h>

#include "codec/bytes.h"
#include "codec/crc32c.h"
#include "codec/pb.h"
#include "input/files/files_priv.h"

static const char magic[8] = "PHFILES\n";

void files__positions_free(struct files_positions *p)
{
    for (size_t i = 0; i < p->records.len; i++) {
        mem_free(p->records.items[i].path);
        mem_free(p->records.items[i].stream_path);
    }
    vec_free(&p->records);
    vec_free(&p->specs);
}

void files__record_encode(const struct files_record *r, struct buf *out)
{
    codec_pb_put_varint(out, 1, r->dev);
    codec_pb_put_varint(out, 2, r->ino);
    codec_pb_put_varint(out, 3, (uint64_t)r->birth_ns);
    codec_pb_put_varint(out, 4, r->print.len);
    codec_pb_put_varint(out, 5, r->print.hash);
    codec_pb_put_varint(out, 6, r->mark.len);
    codec_pb_put_varint(out, 7, r->mark.hash);
    codec_pb_put_varint(out, 8, r->pos);
    codec_pb_put_varint(out, 9, r->is_gone);
    codec_pb_put_varint(out, 10, (uint64_t)r->seen_ns);
    codec_pb_put_bytes(out, 11, slice_cstr(r->path));
    codec_pb_put_bytes(out, 12, slice_cstr(r->stream_path));
    codec_pb_put_varint(out, 13, r->format);
    codec_pb_put_varint(out, 14, r->is_done);
    codec_pb_put_varint(out, 15, r->version);
}

void files__positions_encode(const struct files_positions *p, struct buf *out)
{
    buf_append(out, magic, sizeof(magic));
    codec_append32(out, 0);
    size_t begin = out->len;
    for (size_t i = 0; i < p->records.len; i++) {
        size_t mark = codec_pb_begin(out, 1);
        files__record_encode(&p->records.items[i], out);
        codec_pb_end(out, mark);
    }
    for (size_t i = 0; i < p->specs.len; i++)
        codec_pb_put_varint(out, 2, p->specs.items[i]);
    codec_store32(out->ptr + begin - 4, codec_crc32c(slice_from(buf_slice(out), begin)));
}

static char *copy_text(struct slice s)
{
    char *text = mem_alloc(s.len + 1);
    if (s.len)
        memcpy(text, s.ptr, s.len);
    text[s.len] = 0;
    return text;
}

bool files__record_decode(struct slice message, struct files_record *r)
{
    struct codec_pb_reader reader = codec_pb_reader(message);
    struct codec_pb_field f;
    struct slice path = SLICE(""), stream_path = SLICE("");
    while (codec_pb_next(&reader, &f)) {
        if (f.wire == CODEC_PB_BYTES) {
            if (f.number == 11)
                path = f.bytes;
            else if (f.number == 12)
                stream_path = f.bytes;
            continue;
        }
        if (f.wire != CODEC_PB_VARINT)
            continue;
        switch (f.number) {
        case 1: r->dev = f.num; break;
        case 2: r->ino = f.num; break;
        case 3: r->birth_ns = (int64_t)f.num; break;
        case 4: r->print.len = (uint32_t)MIN(f.num, FILES_PRINT_MAX); break;
        case 5: r->print.hash = f.num; break;
        case 6: r->mark.len = (uint32_t)MIN(f.num, FILES_MARK_MAX); break;
        case 7: r->mark.hash = f.num; break;
        case 8: r->pos = MIN(f.num, (uint64_t)INT64_MAX); break;
        case 9: r->is_gone = f.num != 0; break;
        case 10: r->seen_ns = (int64_t)f.num; break;
        case 13: r->format = f.num < DECODE_LOGFILE_FORMAT_COUNT ? (unsigned)f.num : 0; break;
        case 14: r->is_done = f.num != 0; break;
        case 15: r->version = f.num; break;
        default: break;
        }
    }
    r->path = copy_text(path);
    r->stream_path = copy_text(stream_path);
    return !reader.failed;
}

int files__positions_decode(struct slice text, struct files_positions *out, struct diag *diag)
{
    struct codec_pb_field f;
    int err = 0;
    *out = (struct files_positions){0};
    if (text.len < sizeof(magic) + 4 || memcmp(text.ptr, magic, sizeof(magic)) != 0)
        return diag_set(diag, ERR_CORRUPT, "it is no table of positions");
    struct slice message = slice_from(text, sizeof(magic) + 4);
    if (codec_load32(text.ptr + sizeof(magic)) != codec_crc32c(message))
        return diag_set(diag, ERR_CORRUPT, "its checksum does not match");
    struct codec_pb_reader r = codec_pb_reader(message);
    while (!err && codec_pb_next(&r, &f)) {
        if (f.number == 1 && f.wire == CODEC_PB_BYTES)
            err = files__record_decode(f.bytes, vec_add(&out->records)) ? 0 : ERR_CORRUPT;
        else if (f.number == 2 && f.wire == CODEC_PB_VARINT)
            vec_push(&out->specs, f.num);
    }
    if (!err && !r.failed)
        return 0;
    files__positions_free(out);
    *out = (struct files_positions){0};
    return diag_set(diag, ERR_CORRUPT, "its protobuf is damaged");
}

int files__positions_load(struct os *os, const char *dir, struct files_positions *out,
                          struct diag *diag)
{
    char path[4352];
    struct os_file *file = NULL;
    struct diag why;
    uint64_t size = 0;
    *out = (struct files_positions){0};
    diag_init(&why);
    snprintf(path, sizeof(path), "%s/positions", dir);
    int err = os->ops->open(os, path, OS_READ, &file, &why);
    if (err == ERR_NOT_FOUND)
        return 0;
    struct buf text = {0};
    if (!err && !(err = os->ops->size(file, &size, &why))) {
        err = os->ops->read_at(file, 0, buf_reserve(&text, size + 1), size, &why);
        text.len = size;
    }
    if (file)
        os->ops->close(file);
    if (!err)
        err = files__positions_decode(buf_slice(&text), out, &why);
    buf_deinit(&text);
    return err ? diag_set(diag, err, "%s: %s", path, why.msg) : 0;
}

int files__positions_save(struct os *os, const char *dir, const struct files_positions *p,
                          struct diag *diag)
{
    char path[4352], temporary[4352];
    struct os_file *file = NULL;
    struct buf text = {0};
    snprintf(path, sizeof(path), "%s/positions", dir);
    snprintf(temporary, sizeof(temporary), "%s/positions.tmp", dir);
    files__positions_encode(p, &text);
    int err = os->ops->open(os, temporary, OS_WRITE | OS_CREATE | OS_TRUNC, &file, diag);
    if (!err)
        err = os->ops->write_at(file, 0, text.ptr, text.len, diag);
    if (!err)
        err = os->ops->sync(file, diag);
    if (file)
        os->ops->close(file);
    if (!err)
        err = os->ops->rename(os, temporary, path, diag);
    if (!err)
        err = os->ops->sync_dir(os, dir, diag);
    buf_deinit(&text);
    return err;
}
