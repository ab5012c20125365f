/* How fast remote write bodies become batches: ns a sample on one core, for a body of 2,000 series
 * with one sample each (what Prometheus sends), with and without snappy. */
#include <math.h>
#include <stdio.h>

#include "codec/compress.h"
#include "codec/pb.h"
#include "decode/remote_write.h"
#include "kit.h"

#define SERIES 2000
#define ROUNDS 500

static void put_label(struct buf *b, const char *name, const char *value)
{
    size_t m = codec_pb_begin(b, 1);
    codec_pb_put_bytes(b, 1, slice_cstr(name));
    codec_pb_put_bytes(b, 2, slice_cstr(value));
    codec_pb_end(b, m);
}

static void make_v1(struct buf *b)
{
    for (int i = 0; i < SERIES; i++) {
        char value[64];
        size_t m = codec_pb_begin(b, 1);
        put_label(b, "__name__", "node_cpu_seconds_total");
        snprintf(value, sizeof(value), "%d", i / 8);
        put_label(b, "cpu", value);
        put_label(b, "env", "production");
        snprintf(value, sizeof(value), "host-%04d.example.com:9100", i / 100);
        put_label(b, "instance", value);
        put_label(b, "job", "node");
        put_label(b, "mode", i % 8 ? "idle" : "system");
        put_label(b, "region", "eu-central-1");
        size_t s = codec_pb_begin(b, 2);
        codec_pb_put_double(b, 1, i * 1.25);
        codec_pb_put_varint(b, 2, UINT64_C(1790000000000) + (uint64_t)i);
        codec_pb_end(b, s);
        codec_pb_end(b, m);
    }
}

static void make_v2(struct buf *b)
{
    static const char *const fixed[] = {"",
                                        "__name__",
                                        "node_cpu_seconds_total",
                                        "cpu",
                                        "env",
                                        "production",
                                        "instance",
                                        "job",
                                        "node",
                                        "mode",
                                        "idle",
                                        "region",
                                        "eu-central-1"};
    for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
        codec_pb_put_bytes(b, 4, slice_cstr(fixed[i]));
    for (int i = 0; i < SERIES; i++) {
        char value[64];
        snprintf(value, sizeof(value), "host-%04d.example.com:9100", i);
        codec_pb_put_bytes(b, 4, slice_cstr(value));
    }
    for (int i = 0; i < SERIES; i++) {
        uint32_t host = (uint32_t)(ARRAY_LEN(fixed) + (size_t)i);
        uint32_t refs[] = {1, 2, 3, 5, 4, 5, 6, host, 7, 8, 9, 10, 11, 12};
        size_t m = codec_pb_begin(b, 5), r = codec_pb_begin(b, 1);
        for (size_t k = 0; k < ARRAY_LEN(refs); k++)
            codec_append_varint(b, refs[k]);
        codec_pb_end(b, r);
        size_t s = codec_pb_begin(b, 2);
        codec_pb_put_double(b, 1, i * 1.25);
        codec_pb_put_varint(b, 2, UINT64_C(1790000000000) + (uint64_t)i);
        codec_pb_end(b, s);
        codec_pb_end(b, m);
    }
}

static void run(const char *name, const struct decode_write_request *req)
{
    struct data_metric_batch *batch = data_metric_batch_new(SLICE("default"));
    struct buf scratch = {0};
    struct decode_write_result result;
    struct diag diag;
    diag_init(&diag);
    double best = INFINITY;
    for (int i = 0; i < ROUNDS; i++) {
        double begin = bench_clock_s(CLOCK_MONOTONIC);
        data_metric_batch_reset(batch);
        if (decode_remote_write(req, &scratch, batch, &result, &diag)) {
            fprintf(stderr, "%s\n", diag.msg);
            return;
        }
        best = MIN(best, bench_clock_s(CLOCK_MONOTONIC) - begin);
    }
    printf("%-24s %6.1f ns/sample  %5.2f M samples/s  (%zu bytes a body)\n", name,
           best * 1e9 / SERIES, SERIES / best / 1e6, req->body.len);
    buf_deinit(&scratch);
    data_metric_batch_free(batch);
}

int main(void)
{
    static const struct slice v2 =
        SLICE_INIT("application/x-protobuf;proto=io.prometheus.write.v2.Request");
    struct buf plain = {0}, packed = {0};
    for (int version = 1; version <= 2; version++) {
        struct decode_write_request req = {.content_type = version == 2 ? v2 : SLICE("")};
        buf_clear(&plain);
        buf_clear(&packed);
        if (version == 1)
            make_v1(&plain);
        else
            make_v2(&plain);
        codec_compress(CODEC_SNAPPY, 0, buf_slice(&plain), &packed);
        req.body = buf_slice(&plain);
        req.content_encoding = SLICE("identity");
        run(version == 1 ? "remote write 1.0" : "remote write 2.0", &req);
        req.body = buf_slice(&packed);
        req.content_encoding = SLICE("snappy");
        run(version == 1 ? "remote write 1.0, snappy" : "remote write 2.0, snappy", &req);
    }
    buf_deinit(&plain);
    buf_deinit(&packed);
    return 0;
}
