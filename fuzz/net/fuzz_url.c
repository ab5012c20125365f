/* Forms, escapes and listen addresses. */
#include <stdlib.h>

#include "base/buf.h"
#include "net/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice s = slice_make(data, size), out;
    struct arena *arena = arena_new(0, NULL);
    struct net_param *params;
    size_t count;
    char host[64];
    uint16_t port;
    net_form_parse(s, arena, &params, &count, NULL);
    net_address_parse(s, host, sizeof(host), &port, NULL);
    struct buf encoded = {0};
    net_url_encode(s, &encoded);
    if (net_url_decode(buf_slice(&encoded), false, arena, &out, NULL) || !slice_eq(out, s))
        abort();
    buf_deinit(&encoded);
    arena_free(arena);
    return 0;
}
