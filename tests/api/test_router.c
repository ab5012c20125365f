/* Method and path to handler. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/router.h"

static void handler_a(struct api_call *call)
{
    (void)call;
}

static void handler_b(struct api_call *call)
{
    (void)call;
}

static const struct api_route routes[] = {
    {API_GET | API_POST, "/api/v1/query", handler_a},
    {API_GET, "/api/v1/label/:name/values", handler_b},
    {API_DELETE, "/api/v1/label/:name/values", handler_a},
    {API_GET, "/files/*", handler_b},
};

static enum api_match match(enum net_method method, const char *path, struct arena *arena,
                            struct api_call *call, const struct api_route **route,
                            unsigned *allowed)
{
    *call = (struct api_call){.path = slice_cstr(path)};
    *route = NULL;
    return api_route_match(routes, ARRAY_LEN(routes), method, call, arena, route, allowed);
}

static void finds_routes(void **state)
{
    struct arena *arena = arena_new(0, NULL);
    struct api_call call;
    const struct api_route *route;
    unsigned allowed;
    (void)state;
    assert_int_equal(match(NET_HEAD, "/api/v1/query", arena, &call, &route, &allowed),
                     API_MATCH_OK);
    assert_ptr_equal(route, &routes[0]);
    assert_int_equal(
        match(NET_GET, "/api/v1/label/a%2Fb%20c/values", arena, &call, &route, &allowed),
        API_MATCH_OK);
    assert_ptr_equal(route, &routes[1]);
    assert_int_equal(call.arg_count, 1);
    assert_true(slice_eq_cstr(call.args[0], "a/b c"));
    assert_int_equal(match(NET_DELETE, "/api/v1/label/x/values", arena, &call, &route, &allowed),
                     API_MATCH_OK);
    assert_ptr_equal(route, &routes[2]);
    assert_int_equal(match(NET_GET, "/files/a/b", arena, &call, &route, &allowed), API_MATCH_OK);
    assert_true(slice_eq_cstr(call.args[0], "a/b"));
    arena_free(arena);
}

static void refuses(void **state)
{
    static const char *const nowhere[] = {"",
                                          "/",
                                          "/api/v1/quer",
                                          "/api/v1/query/",
                                          "/api/v1/queryx",
                                          "/api/v1/label//values",
                                          "/api/v1/label/a/b/values",
                                          "/api/v1/label/a/valuesx"};
    struct arena *arena = arena_new(0, NULL);
    struct api_call call;
    const struct api_route *route;
    unsigned allowed;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(nowhere); i++)
        assert_int_equal(match(NET_GET, nowhere[i], arena, &call, &route, &allowed),
                         API_MATCH_NO_PATH);
    assert_int_equal(match(NET_GET, "/api/v1/label/%zz/values", arena, &call, &route, &allowed),
                     API_MATCH_BAD_PATH);
    assert_int_equal(match(NET_PUT, "/api/v1/label/x/values", arena, &call, &route, &allowed),
                     API_MATCH_NO_METHOD);
    assert_int_equal(allowed, API_GET | API_DELETE);
    struct buf b = {0};
    api_route_allow(allowed, &b);
    assert_string_equal(buf_cstr(&b), "GET, HEAD, DELETE, OPTIONS");
    buf_deinit(&b);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(finds_routes), cmocka_unit_test(refuses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
