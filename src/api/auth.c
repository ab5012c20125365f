#include "api/auth.h"

#include <crypt.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/random.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/vec.h"

#define REMEMBERED_MAX 1024
#define PASSWORD_MAX   512

struct user {
    char *name, *hash;
};

struct token {
    char *name, *text;
    size_t len;
};

struct api_auth {
    _Atomic int refs;
    VEC(struct user) users;
    VEC(struct token) tokens;
    unsigned char key[32]; /* of the remembered hashes */
    pthread_mutex_t lock;
    VEC(struct hash128) remembered;
};

struct api_auth *api_auth_new(void)
{
    struct api_auth *auth = mem_calloc(1, sizeof(*auth));
    auth->refs = 1;
    pthread_mutex_init(&auth->lock, NULL);
    if (getrandom(auth->key, sizeof(auth->key), 0) != (ssize_t)sizeof(auth->key))
        auth->key[0] ^= 1; /* a kernel without entropy: nothing better to do */
    return auth;
}

struct api_auth *api_auth_hold(struct api_auth *auth)
{
    if (auth)
        atomic_fetch_add(&auth->refs, 1);
    return auth;
}

void api_auth_free(struct api_auth *auth)
{
    if (!auth || atomic_fetch_sub(&auth->refs, 1) != 1)
        return;
    for (size_t i = 0; i < auth->users.len; i++) {
        mem_free(auth->users.items[i].name);
        mem_free(auth->users.items[i].hash);
    }
    for (size_t i = 0; i < auth->tokens.len; i++) {
        explicit_bzero(auth->tokens.items[i].text, auth->tokens.items[i].len);
        mem_free(auth->tokens.items[i].name);
        mem_free(auth->tokens.items[i].text);
    }
    vec_free(&auth->users);
    vec_free(&auth->tokens);
    vec_free(&auth->remembered);
    pthread_mutex_destroy(&auth->lock);
    mem_free(auth);
}

static char *dup_text(struct slice s)
{
    char *text = mem_calloc(s.len + 1, 1);
    if (s.len)
        memcpy(text, s.ptr, s.len);
    return text;
}

int api_auth_add_user(struct api_auth *auth, struct slice name, struct slice hash,
                      struct diag *diag)
{
    static const char *const kinds[] = {"$2a$", "$2b$", "$2y$", "$y$", "$6$", "$7$", "$gy$"};
    bool known = false;
    if (!name.len || slice_find_char(name, ':') >= 0)
        return diag_set(diag, ERR_INVALID, "a user's name is not empty and holds no ':'");
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        known |= slice_starts_with(hash, slice_cstr(kinds[i]));
    if (!known)
        return diag_set(diag, ERR_INVALID,
                        "user %.*s: the password is not a hash this program knows (bcrypt $2b$, "
                        "yescrypt $y$, SHA-512 $6$); `pharos password` makes one",
                        SLICE_FMT(name));
    vec_push(&auth->users, ((struct user){dup_text(name), dup_text(hash)}));
    return 0;
}

int api_auth_add_token(struct api_auth *auth, struct slice name, struct slice token,
                       struct diag *diag)
{
    token = slice_trim(token);
    if (token.len < 16)
        return diag_set(diag, ERR_INVALID,
                        "token %.*s: at least 16 characters are needed, there are %zu",
                        SLICE_FMT(name), token.len);
    vec_push(&auth->tokens, ((struct token){dup_text(name), dup_text(token), token.len}));
    return 0;
}

bool api_auth_is_empty(const struct api_auth *auth)
{
    return !auth || (!auth->users.len && !auth->tokens.len);
}

void api_auth_each(const struct api_auth *auth,
                   void (*each)(void *ctx, const char *name, bool is_token), void *ctx)
{
    for (size_t i = 0; i < auth->users.len; i++)
        each(ctx, auth->users.items[i].name, false);
    for (size_t i = 0; i < auth->tokens.len; i++)
        each(ctx, auth->tokens.items[i].name, true);
}

/* Looks at every byte of `given`, whatever `known` holds. */
static bool equal_in_constant_time(const char *known, size_t known_len, struct slice given)
{
    unsigned char differ = known_len != given.len;
    for (size_t i = 0; i < given.len; i++)
        differ |=
            (unsigned char)given.ptr[i] ^ (unsigned char)(known_len ? known[i % known_len] : 0);
    return differ == 0;
}

static struct hash128 remember_key(struct api_auth *auth, struct slice pair)
{
    struct buf b = {0};
    buf_append(&b, auth->key, sizeof(auth->key));
    buf_append_slice(&b, pair);
    buf_append(&b, auth->key, sizeof(auth->key));
    struct hash128 h = hash128(b.ptr, b.len);
    explicit_bzero(b.ptr, b.len);
    buf_deinit(&b);
    return h;
}

static bool is_remembered(struct api_auth *auth, struct hash128 h)
{
    bool found = false;
    pthread_mutex_lock(&auth->lock);
    for (size_t i = 0; i < auth->remembered.len && !found; i++)
        found = hash128_eq(auth->remembered.items[i], h);
    pthread_mutex_unlock(&auth->lock);
    return found;
}

static void remember(struct api_auth *auth, struct hash128 h)
{
    pthread_mutex_lock(&auth->lock);
    if (auth->remembered.len >= REMEMBERED_MAX)
        vec_clear(&auth->remembered);
    vec_push(&auth->remembered, h);
    pthread_mutex_unlock(&auth->lock);
}

/* RFC 4648; false when it is not base64 or does not fit. */
static bool base64_decode(struct slice in, char *out, size_t out_size, size_t *out_len)
{
    unsigned bits = 0, have = 0;
    *out_len = 0;
    while (in.len && in.ptr[in.len - 1] == '=')
        in.len--;
    for (size_t i = 0; i < in.len; i++) {
        char c = in.ptr[i];
        unsigned v;
        if (c >= 'A' && c <= 'Z')
            v = (unsigned)(c - 'A');
        else if (c >= 'a' && c <= 'z')
            v = (unsigned)(c - 'a') + 26;
        else if (c >= '0' && c <= '9')
            v = (unsigned)(c - '0') + 52;
        else if (c == '+' || c == '/')
            v = c == '+' ? 62 : 63;
        else
            return false;
        bits = bits << 6 | v;
        have += 6;
        if (have >= 8) {
            have -= 8;
            if (*out_len >= out_size)
                return false;
            out[(*out_len)++] = (char)(bits >> have & 0xff);
        }
    }
    return true;
}

static enum api_auth_result check_password(struct api_auth *auth, struct slice pair, bool may_hash)
{
    struct hash128 h = remember_key(auth, pair);
    struct slice name = {NULL, 0}, password = pair;
    if (is_remembered(auth, h))
        return API_AUTH_OK;
    if (!may_hash)
        return API_AUTH_SLOW;
    slice_split(&password, ':', &name);
    char text[PASSWORD_MAX + 1];
    if (!password.ptr || password.len > PASSWORD_MAX)
        return API_AUTH_DENIED;
    memcpy(text, password.ptr, password.len);
    text[password.len] = 0;
    const struct user *user = NULL;
    for (size_t i = 0; i < auth->users.len; i++) {
        if (equal_in_constant_time(auth->users.items[i].name, strlen(auth->users.items[i].name),
                                   name))
            user = &auth->users.items[i];
    }
    /* An unknown user costs the same time as a wrong password. */
    const char *hash = user                  ? user->hash
                       : auth->users.len > 0 ? auth->users.items[0].hash
                                             : "$y$j9T$aaaaaaaaaaaaaaaaaaaaaa$";
    struct crypt_data *data = mem_calloc(1, sizeof(*data));
    const char *made = crypt_r(text, hash, data);
    bool ok = user && made && made[0] != '*' &&
              equal_in_constant_time(hash, strlen(hash), slice_cstr(made));
    explicit_bzero(data, sizeof(*data));
    explicit_bzero(text, sizeof(text));
    mem_free(data);
    if (ok)
        remember(auth, h);
    return ok ? API_AUTH_OK : API_AUTH_DENIED;
}

/* The name of the token of that text, or NULL. */
static const char *token_name(const struct api_auth *auth, struct slice text)
{
    const char *name = NULL;
    for (size_t i = 0; i < auth->tokens.len; i++) {
        if (equal_in_constant_time(auth->tokens.items[i].text, auth->tokens.items[i].len, text))
            name = auth->tokens.items[i].name;
    }
    return name;
}

/* Elasticsearch's clients send base64 of "id:key"; the key is the token. */
static struct slice api_key(struct slice text, char *pair, size_t size)
{
    size_t len;
    if (!base64_decode(text, pair, size, &len))
        return text;
    ptrdiff_t colon = slice_find_char(slice_make(pair, len), ':');
    return slice_from(slice_make(pair, len), (size_t)(colon + 1));
}

enum api_auth_result api_auth_check(struct api_auth *auth, struct slice header, bool may_hash)
{
    struct slice scheme, rest = slice_trim(header);
    if (api_auth_is_empty(auth))
        return API_AUTH_OK;
    if (!header.ptr || !slice_split(&rest, ' ', &scheme) || !rest.ptr)
        return API_AUTH_DENIED;
    rest = slice_trim(rest);
    if (slice_eq_nocase(scheme, SLICE("bearer")))
        return token_name(auth, rest) ? API_AUTH_OK : API_AUTH_DENIED;
    if (slice_eq_nocase(scheme, SLICE("apikey"))) {
        char pair[PASSWORD_MAX * 2];
        return token_name(auth, api_key(rest, pair, sizeof(pair))) ? API_AUTH_OK : API_AUTH_DENIED;
    }
    if (slice_eq_nocase(scheme, SLICE("basic"))) {
        char pair[PASSWORD_MAX * 2];
        size_t len;
        if (!base64_decode(rest, pair, sizeof(pair), &len))
            return API_AUTH_DENIED;
        enum api_auth_result r = check_password(auth, slice_make(pair, len), may_hash);
        explicit_bzero(pair, sizeof(pair));
        return r;
    }
    return API_AUTH_DENIED;
}

bool api_auth_name(struct api_auth *auth, struct slice header, char *out, size_t out_size)
{
    struct slice scheme, rest = slice_trim(header), name = {NULL, 0};
    char pair[PASSWORD_MAX * 2];
    size_t len;
    if (api_auth_is_empty(auth) || api_auth_check(auth, header, false) != API_AUTH_OK ||
        !slice_split(&rest, ' ', &scheme) || !rest.ptr)
        return false;
    rest = slice_trim(rest);
    if (slice_eq_nocase(scheme, SLICE("basic")) && base64_decode(rest, pair, sizeof(pair), &len)) {
        struct slice text = slice_make(pair, len);
        slice_split(&text, ':', &name);
    }
    if (slice_eq_nocase(scheme, SLICE("apikey")))
        rest = api_key(rest, pair, sizeof(pair));
    if (!name.ptr)
        name = slice_cstr(token_name(auth, rest));
    snprintf(out, out_size, "%.*s", SLICE_FMT(name));
    explicit_bzero(pair, sizeof(pair));
    return name.len > 0;
}

int api_auth_hash(struct slice password, char *out, size_t out_size, struct diag *diag)
{
    char text[PASSWORD_MAX + 1], salt[CRYPT_GENSALT_OUTPUT_SIZE];
    if (!password.len || password.len > PASSWORD_MAX)
        return diag_set(diag, ERR_INVALID, "a password has 1 to %d bytes", PASSWORD_MAX);
    memcpy(text, password.ptr, password.len);
    text[password.len] = 0;
    struct crypt_data *data = mem_calloc(1, sizeof(*data));
    const char *made = NULL;
    if (crypt_gensalt_rn("$2b$", 10, NULL, 0, salt, sizeof(salt)))
        made = crypt_r(text, salt, data);
    bool ok = made && made[0] != '*';
    if (ok)
        snprintf(out, out_size, "%s", made);
    explicit_bzero(text, sizeof(text));
    mem_free(data);
    return ok ? 0 : diag_set(diag, ERR_UNSUPPORTED, "this system's libcrypt makes no bcrypt hash");
}
