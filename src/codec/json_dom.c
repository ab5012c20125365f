#include "codec/json_dom.h"

#include "base/vec.h"
#include "codec/number.h"

static int parse_value(struct codec_json_reader *r, struct codec_json *out);

static int parse_items(struct codec_json_reader *r, struct codec_json *out)
{
    VEC(struct codec_json) items = {0};
    VEC(struct slice) keys = {0};
    bool object = out->kind == CODEC_JSON_OBJECT;
    struct slice key;
    if (object)
        codec_json_read_object(r);
    else
        codec_json_read_array(r);
    while (object ? codec_json_next_key(r, &key) : codec_json_next_item(r)) {
        struct codec_json item;
        if (object)
            vec_push(&keys, key);
        if (parse_value(r, &item))
            break;
        vec_push(&items, item);
    }
    if (!r->err) {
        out->count = items.len;
        out->items = arena_dup(r->arena, items.items, items.len * sizeof(*items.items));
        if (object)
            out->keys = arena_dup(r->arena, keys.items, keys.len * sizeof(*keys.items));
        if (!out->items || (object && !out->keys))
            codec_json_read_error(r, ERR_NOMEM, "no memory left");
    }
    vec_free(&items);
    vec_free(&keys);
    return r->err;
}

static int parse_value(struct codec_json_reader *r, struct codec_json *out)
{
    memset(out, 0, sizeof(*out));
    if (!codec_json_peek(r, &out->kind))
        return r->err;
    switch (out->kind) {
    case CODEC_JSON_OBJECT:
    case CODEC_JSON_ARRAY: return parse_items(r, out);
    case CODEC_JSON_STRING: codec_json_read_string(r, &out->text); break;
    case CODEC_JSON_BOOL: codec_json_read_bool(r, &out->boolean); break;
    case CODEC_JSON_NULL: codec_json_read_null(r); break;
    case CODEC_JSON_NUMBER:
        if (codec_json_read_number_text(r, &out->text))
            codec_text_to_double(out->text, &out->number, NULL);
        break;
    }
    return r->err;
}

int codec_json_parse(struct slice text, struct arena *arena, struct codec_json *out,
                     struct diag *diag)
{
    struct codec_json_reader r = codec_json_reader(text, arena, diag);
    int err = parse_value(&r, out);
    return err ? err : codec_json_read_end(&r);
}

const struct codec_json *codec_json_get(const struct codec_json *v, const char *key)
{
    if (!v || v->kind != CODEC_JSON_OBJECT)
        return NULL;
    for (size_t i = v->count; i-- > 0;) {
        if (slice_eq_cstr(v->keys[i], key))
            return &v->items[i];
    }
    return NULL;
}

struct slice codec_json_get_string(const struct codec_json *v, const char *key)
{
    const struct codec_json *found = codec_json_get(v, key);
    return found && found->kind == CODEC_JSON_STRING ? found->text : (struct slice){NULL, 0};
}
