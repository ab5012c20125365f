/* Templates of line_format and label_format. */
#include "codec/utf8.h"
#include "lang/logql/pipeline.h"
#include "lang/logql/template_functions.h"

#define OUTPUT_MAX ((size_t)4 << 20) /* bytes that one template may write */
#define STEPS_MAX  100000

int logql__format_new(struct slice name, struct slice text, struct arena *arena,
                      struct logql_formatted *out, struct diag *diag)
{
    out->whole = !logql__format_names(text, NULL, NULL);
    return text_template_new(name, text, logql__functions, logql__function_count, arena,
                             &out->template, diag);
}

static bool get_label(struct text_template_call *call, const struct text_template_value *self,
                      struct slice key, struct text_template_value *out)
{
    struct slice value = logql_line_get(self->opaque, key);
    (void)call;
    if (!value.ptr)
        return false;
    *out = text_template_string(value);
    return true;
}

static const struct text_template_type lookup_type = {
    .name = "map[string]string", .string_zero = true, .get = get_label};
static const struct text_template_type pairs_type = {.name = "map[string]string",
                                                     .string_zero = true};

static struct text_template_value labels_of(const struct logql_formatted *f, struct logql_line *l)
{
    if (!f->whole)
        return (struct text_template_value){
            .kind = TEXT_TEMPLATE_MAP, .type = &lookup_type, .opaque = l};
    size_t n = l->labels.len;
    struct text_template_pair *pairs = ARENA_ARRAY(l->arena, struct text_template_pair, n + 1);
    struct text_template_value *values = ARENA_ARRAY(l->arena, struct text_template_value, n + 1);
    for (size_t i = 0; i < n; i++) {
        values[i] = text_template_string(l->labels.items[i].value);
        pairs[i] = (struct text_template_pair){l->labels.items[i].name, &values[i]};
    }
    return text_template_map(&pairs_type, pairs, n);
}

bool logql__format_run(const struct logql_formatted *f, struct logql_line *l, struct slice *out)
{
    const struct text_template_value data = labels_of(f, l);
    const struct text_template_env env = {
        .ctx = l, .arena = l->arena, .output_max = OUTPUT_MAX, .steps_max = STEPS_MAX};
    struct buf text = {0};
    struct diag d;
    diag_init(&d);
    int err = text_template_run(f->template, &data, &env, &text, &d);
    if (err)
        logql_line_fail(l, "TemplateFormatErr", slice_cstr(d.msg));
    else
        *out = arena_slice(l->arena, buf_slice(&text));
    buf_deinit(&text);
    return !err;
}

static bool is_name(char c, bool first)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           (!first && c >= '0' && c <= '9') || (unsigned char)c >= 0x80;
}

/* Good enough to know what may be left out: a name too many does no harm, and a dot that is none of
 * a field, number or word means that anything may be looked at. */
bool logql__format_names(struct slice text, void (*each)(void *ctx, struct slice name), void *ctx)
{
    bool inside = false, all = false;
    for (size_t i = 0; i + 1 < text.len; i++) {
        char c = text.ptr[i], next = text.ptr[i + 1];
        if (!inside) {
            inside = c == '{' && next == '{';
            i += inside;
            continue;
        }
        if (c == '}' && next == '}') {
            inside = false;
            i++;
        } else if (c == '"' || c == '`') {
            /* A text may still be a field's name: index . "a". */
            for (i++; i < text.len && text.ptr[i] != c; i++)
                i += text.ptr[i] == '\\' && c == '"';
        } else if (c == '.' && is_name(next, true)) {
            size_t begin = ++i;
            while (i < text.len && is_name(text.ptr[i], false))
                i++;
            if (each)
                each(ctx, slice_make(text.ptr + begin, i - begin));
            i--;
        } else if (c == '.' && !(next >= '0' && next <= '9')) {
            all = true;
        } else if (c == '$' && !is_name(next, true)) {
            all |= next != '.';
        }
    }
    return !all;
}
