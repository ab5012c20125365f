/* JSON: any bytes end in a tree or an error with a place; the tree and the skipping reader agree on
 * what is a document. */
#include <stdlib.h>

#include "codec/json_dom.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t walk(const struct codec_json *v)
{
    size_t n = v->text.len;
    for (size_t i = 0; i < v->count; i++)
        n += walk(&v->items[i]);
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new(0, NULL);
    struct codec_json doc;
    struct slice text = slice_make(data, size);
    struct diag d;
    diag_init(&d);
    int err = codec_json_parse(text, arena, &doc, &d);
    if (err ? !d.code || !d.line : walk(&doc) > 4 * size + 16)
        abort();
    struct codec_json_reader r = codec_json_reader(text, NULL, NULL);
    if (codec_json_read_end(&r) != err)
        abort();
    /* Types that do not fit end in an error, never in a loop. */
    r = codec_json_reader(text, arena, NULL);
    r.utf8 = CODEC_JSON_UTF8_REPLACE;
    struct slice key;
    int64_t v;
    codec_json_read_object(&r);
    while (codec_json_next_key(&r, &key)) {
        codec_json_read_array(&r);
        while (codec_json_next_item(&r))
            codec_json_read_int(&r, &v);
    }
    arena_free(arena);
    return 0;
}
