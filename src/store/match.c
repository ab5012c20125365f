/* Matchers against label sets, and the keys of series. */
#include "codec/bytes.h"
#include "store/part.h"
#include "text/regex.h"

void store_series_key(struct slice tenant, struct slice labels_key, struct buf *out)
{
    codec_append_varint(out, tenant.len);
    buf_append_slice(out, tenant);
    buf_append_slice(out, labels_key);
}

bool store_series_key_split(struct slice key, struct slice *tenant, struct slice *labels_key)
{
    uint64_t len;
    if (!codec_take_varint(&key, &len) || len > key.len)
        return false;
    *tenant = slice_first(key, (size_t)len);
    *labels_key = slice_from(key, (size_t)len);
    return true;
}

bool store_matcher_matches(const struct store_matcher *m, struct slice value)
{
    switch (m->op) {
    case STORE_MATCH_EQ: return slice_eq(value, m->value);
    case STORE_MATCH_NE: return !slice_eq(value, m->value);
    case STORE_MATCH_RE: return text_regex_match(m->regex, value);
    case STORE_MATCH_NRE: return !text_regex_match(m->regex, value);
    }
    return false;
}

bool store_labels_match(struct data_labels labels, const struct store_matcher *matchers,
                        size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct slice v = data_labels_get(labels, matchers[i].name);
        if (!store_matcher_matches(&matchers[i], v.ptr ? v : SLICE("")))
            return false;
    }
    return true;
}
