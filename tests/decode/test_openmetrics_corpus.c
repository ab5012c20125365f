/* The OpenMetrics project's own corpus: every good exposition is accepted, every bad one refused.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "codec/json_dom.h"
#include "decode/prom_text.h"

static bool read_file(const char *dir, const char *name, struct buf *out)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    FILE *f = fopen(path, "rb");
    if (!f)
        return false;
    buf_clear(out);
    size_t n;
    while ((n = fread(buf_reserve(out, 65536), 1, 65536, f)) > 0)
        out->len += n;
    fclose(f);
    return true;
}

static void find_corpus(char *out, size_t size)
{
    const char *set = getenv("PHAROS_CONFORMANCE"), *root = getenv("PHAROS_SOURCE_ROOT");
    if (set)
        snprintf(out, size, "%s/openmetrics", set);
    else
        snprintf(out, size, "%s/../shared/conformance/openmetrics", root ? root : ".");
}

static void corpus(void **state)
{
    (void)state;
    char root[2048];
    find_corpus(root, sizeof(root));
    DIR *dir = opendir(root);
    if (!dir) {
        print_message("no OpenMetrics corpus at %s (set PHAROS_CONFORMANCE): skipped\n", root);
        skip();
    }
    struct buf text = {0};
    size_t good = 0, bad = 0, wrong = 0;
    for (struct dirent *e; (e = readdir(dir));) {
        char path[4096];
        snprintf(path, sizeof(path), "%s/%s", root, e->d_name);
        if (e->d_name[0] == '.' || !read_file(path, "test.json", &text))
            continue;
        struct arena *arena = arena_new(0, NULL);
        struct codec_json json;
        struct diag diag;
        diag_init(&diag);
        assert_int_equal(codec_json_parse(buf_slice(&text), arena, &json, &diag), 0);
        bool want = codec_json_get(&json, "shouldParse")->boolean;
        char file[256];
        snprintf(file, sizeof(file), "%.*s", SLICE_FMT(codec_json_get_string(&json, "file")));
        assert_true(read_file(path, file, &text));
        struct data_metric_batch *batch = data_metric_batch_new(SLICE("default"));
        int err = decode_text_body(DECODE_TEXT_OPENMETRICS, buf_slice(&text), 0, batch, &diag);
        if ((err == 0) != want) {
            print_error("%s: %s\n", e->d_name, want ? diag.msg : "accepted, but it is bad");
            wrong++;
        }
        if (err) {
            /* A refusal says where. */
            assert_true(diag.line > 0 && diag.col > 0 && diag.msg[0]);
        }
        good += want;
        bad += !want;
        data_metric_batch_free(batch);
        arena_free(arena);
    }
    closedir(dir);
    buf_deinit(&text);
    print_message("OpenMetrics corpus: %zu good, %zu bad, %zu decided wrongly\n", good, bad, wrong);
    assert_int_equal(wrong, 0);
    assert_true(good >= 44 && bad >= 167);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(corpus)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
