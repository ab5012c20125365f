/* Users and tokens. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/auth.h"

static enum api_auth_result ask(struct api_auth *auth, const char *header, bool may_hash)
{
    return api_auth_check(auth, header ? slice_cstr(header) : (struct slice){NULL, 0}, may_hash);
}

static void nobody_means_everybody(void **state)
{
    struct api_auth *auth = api_auth_new();
    (void)state;
    assert_true(api_auth_is_empty(auth));
    assert_int_equal(ask(auth, NULL, false), API_AUTH_OK);
    api_auth_free(auth);
}

static void passwords(void **state)
{
    struct api_auth *auth = api_auth_new();
    char hash[256];
    (void)state;
    assert_int_equal(api_auth_hash(SLICE("open sesame"), hash, sizeof(hash), NULL), 0);
    assert_int_equal(api_auth_add_user(auth, SLICE("ali"), slice_cstr(hash), NULL), 0);
    /* ali:open sesame */
    const char *right = "Basic YWxpOm9wZW4gc2VzYW1l";
    assert_int_equal(ask(auth, right, false), API_AUTH_SLOW);
    assert_int_equal(ask(auth, right, true), API_AUTH_OK);
    assert_int_equal(ask(auth, right, false), API_AUTH_OK);               /* remembered */
    static const char *const wrong[] = {"Basic YWxpOm9wZW4gc2VzYW1",      /* ali:open sesam */
                                        "Basic YWxpOm9wZW4gc2VzYW1lIQ==", /* ali:open sesame! */
                                        "Basic Ym9iOm9wZW4gc2VzYW1l",     /* bob:open sesame */
                                        "Basic YWxp",                     /* ali */
                                        "Basic !!!",
                                        "Basic",
                                        "Bearer YWxpOm9wZW4gc2VzYW1l",
                                        "Digest x",
                                        ""};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        assert_int_equal(ask(auth, wrong[i], true), API_AUTH_DENIED);
    assert_int_equal(ask(auth, NULL, true), API_AUTH_DENIED);
    api_auth_free(auth);
}

static void tokens(void **state)
{
    struct api_auth *auth = api_auth_new();
    (void)state;
    assert_int_equal(api_auth_add_token(auth, SLICE("ci"), SLICE(" 0123456789abcdef\n"), NULL), 0);
    assert_int_equal(ask(auth, "Bearer 0123456789abcdef", false), API_AUTH_OK);
    assert_int_equal(ask(auth, "bearer  0123456789abcdef ", false), API_AUTH_OK);
    assert_int_equal(ask(auth, "Bearer 0123456789abcdeg", false), API_AUTH_DENIED);
    assert_int_equal(ask(auth, "Bearer 0123456789abcdef0123456789abcdef", false), API_AUTH_DENIED);
    assert_int_equal(ask(auth, "Bearer 0", false), API_AUTH_DENIED);
    assert_int_equal(ask(auth, "Bearer ", false), API_AUTH_DENIED);
    api_auth_free(auth);
}

static void refuses_bad_settings(void **state)
{
    struct api_auth *auth = api_auth_new();
    struct diag d;
    (void)state;
    diag_init(&d);
    assert_int_equal(api_auth_add_user(auth, SLICE("ali"), SLICE("secret"), &d), ERR_INVALID);
    assert_non_null(strstr(d.msg, "pharos password"));
    diag_init(&d);
    assert_int_equal(api_auth_add_user(auth, SLICE("a:b"), SLICE("$2b$10$x"), &d), ERR_INVALID);
    assert_int_equal(api_auth_add_token(auth, SLICE("ci"), SLICE("short"), NULL), ERR_INVALID);
    assert_true(api_auth_is_empty(auth));
    api_auth_free(auth);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(nobody_means_everybody),
                                       cmocka_unit_test(passwords), cmocka_unit_test(tokens),
                                       cmocka_unit_test(refuses_bad_settings)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
