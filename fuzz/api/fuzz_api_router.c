/* Paths against the prometheus door's table, escaped label names, and Authorization headers. */
#include "api/api.h"
#include "api/auth.h"
#include "api/params.h"
#include "api/router.h"
#include "base/assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct api_auth *auth;
    struct slice in = slice_make(data, size);
    struct arena *arena = arena_new(0, NULL);
    struct api_call call = {.path = in};
    const struct api_route *route = NULL;
    unsigned allowed = 0;
    if (!auth) {
        auth = api_auth_new();
        (void)!api_auth_add_user(auth, SLICE("ali"), SLICE("$2b$10$abcdefghijklmnopqrstuv"), NULL);
        (void)!api_auth_add_token(auth, SLICE("ci"), SLICE("0123456789abcdef"), NULL);
    }
    for (int m = NET_GET; m <= NET_METHOD_OTHER; m++) {
        enum api_match r =
            api_route_match(api_door_prometheus.routes, api_door_prometheus.route_count,
                            (enum net_method)m, &call, arena, &route, &allowed);
        base_assert(r != API_MATCH_OK || (route && (route->methods & allowed)));
        base_assert(r == API_MATCH_NO_PATH || allowed);
        for (size_t i = 0; r == API_MATCH_OK && i < call.arg_count; i++)
            base_assert(call.args[i].len <= size);
    }
    base_assert(api_unescape_name(in, arena).len <= size * 4 + 1);
    enum api_auth_result a = api_auth_check(auth, in, false);
    base_assert(a != API_AUTH_OK || size > 16);
    arena_free(arena);
    return 0;
}
