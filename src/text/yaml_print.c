#include "text/yaml.h"

bool text_yaml_is_secret(struct slice key)
{
    static const char *const keys[] = {
        "password",  "bearer_token", "credentials",   "client_secret", "secrets",    "secret_key",
        "secret",    "token",        "key",           "api_key",       "auth_token", "service_key",
        "sas_token", "routing_key",  "authorization", "Authorization", "x-api-key",  "X-Api-Key"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        if (slice_eq_cstr(key, keys[i]))
            return true;
    }
    return false;
}

/* The place of a password in scheme://user:password@host, or false. */
static bool find_password(struct slice url, size_t *begin, size_t *end)
{
    ptrdiff_t scheme = slice_find(url, SLICE("://"));
    if (scheme < 0)
        return false;
    struct slice rest = slice_from(url, (size_t)scheme + 3);
    ptrdiff_t slash = slice_find_char(rest, '/');
    struct slice authority = slash < 0 ? rest : slice_first(rest, (size_t)slash);
    ptrdiff_t at = slice_find_char(authority, '@'), colon = slice_find_char(authority, ':');
    if (at < 0 || colon < 0 || colon > at)
        return false;
    *begin = (size_t)(scheme + 3 + colon + 1);
    *end = (size_t)(scheme + 3 + at);
    return true;
}

void text_yaml_mask_url(struct slice text, struct buf *out)
{
    size_t begin, end;
    if (!find_password(text, &begin, &end)) {
        buf_append_slice(out, text);
        return;
    }
    buf_append_slice(out, slice_first(text, begin));
    buf_append_cstr(out, "xxxxx");
    buf_append_slice(out, slice_from(text, end));
}

static bool is_plain(const struct text_yaml *n)
{
    return !n->quoted && n->value.len && slice_find_char(n->value, '\n') < 0;
}

static void put_quoted(struct slice s, struct buf *out)
{
    buf_append_char(out, '"');
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c == '"' || c == '\\')
            buf_printf(out, "\\%c", c);
        else if (c == '\n')
            buf_append_cstr(out, "\\n");
        else if (c == '\t')
            buf_append_cstr(out, "\\t");
        else if (c < 0x20 || c == 0x7f)
            buf_printf(out, "\\x%02x", c);
        else
            buf_append_char(out, (char)c);
    }
    buf_append_char(out, '"');
}

static void put_scalar(const struct text_yaml *n, bool masked, struct buf *out)
{
    struct buf text = {0};
    if (text_yaml_is_null(n)) {
        buf_append_cstr(out, "null");
        return;
    }
    if (masked)
        text_yaml_mask_url(n->value, &text);
    else
        buf_append_slice(&text, n->value);
    if (is_plain(n))
        buf_append_slice(out, buf_slice(&text));
    else
        put_quoted(buf_slice(&text), out);
    buf_deinit(&text);
}

static void put_node(const struct text_yaml *n, unsigned indent, bool masked, bool secret,
                     struct buf *out);

/* A value behind "key:" or "-": on the same line when it is a scalar or empty. */
static void put_value(const struct text_yaml *n, unsigned indent, bool masked, bool secret,
                      bool item, struct buf *out)
{
    if (n && n->kind != TEXT_YAML_SCALAR && n->count) {
        if (item && n->kind == TEXT_YAML_MAP) { /* the first key goes behind the dash */
            size_t at = out->len;
            put_node(n, indent + 2, masked, secret, out);
            out->ptr[at + indent] = '-';
            return;
        }
        if (item)
            buf_printf(out, "%*s-", (int)indent, "");
        buf_append_char(out, '\n');
        put_node(n, item || n->kind == TEXT_YAML_MAP ? indent + 2 : indent, masked, secret, out);
        return;
    }
    if (item)
        buf_printf(out, "%*s-", (int)indent, "");
    buf_append_char(out, ' ');
    if (n && n->kind != TEXT_YAML_SCALAR)
        buf_append_cstr(out, n->kind == TEXT_YAML_MAP ? "{}" : "[]");
    else if (secret)
        buf_append_cstr(out, "<secret>");
    else if (n)
        put_scalar(n, masked, out);
    else
        buf_append_cstr(out, "null");
    buf_append_char(out, '\n');
}

static void put_node(const struct text_yaml *n, unsigned indent, bool masked, bool secret,
                     struct buf *out)
{
    for (size_t i = 0; i < n->count; i++) {
        const struct text_yaml *key = n->kind == TEXT_YAML_MAP ? n->keys[i] : NULL;
        bool hidden = secret || (masked && key && text_yaml_is_secret(key->value));
        if (!key) {
            put_value(n->items[i], indent, masked, hidden, true, out);
            continue;
        }
        buf_printf(out, "%*s", (int)indent, "");
        if (is_plain(key))
            buf_append_slice(out, key->value);
        else
            put_quoted(key->value, out);
        buf_append_char(out, ':');
        put_value(n->items[i], indent, masked, hidden, false, out);
    }
}

void text_yaml_print(const struct text_yaml *node, unsigned indent, bool masked, struct buf *out)
{
    if (node && node->kind != TEXT_YAML_SCALAR)
        put_node(node, indent, masked, false, out);
}
