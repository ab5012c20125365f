/* A dashboard's file in any of its forms: what is taken can be printed and read again as the same.
 * The same bytes as a time of Grafana's grammar. */
#include "api/dashboard_file.h"
#include "api/time_ref.h"
#include "base/assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new(0, NULL);
    struct store_dashboard_save save = {0}, again = {0};
    struct buf text = {0};
    struct diag diag;
    int64_t t_ns;
    diag_init(&diag);
    int err = api_dashboard_parse(slice_make(data, size), arena, &save, &diag);
    if (!err) {
        struct store_dashboard d = {
            .uid = SLICE("fuzz"), .body = save.body, .api_version = save.api_version};
        api_dashboard_print(&d, arena, &text);
        base_assert(!api_dashboard_parse(buf_slice(&text), arena, &again, &diag));
        base_assert(api_dashboard_same(save.body, again.body, arena));
        base_assert(slice_eq(save.title, again.title) && save.tag_count == again.tag_count);
    }
    err = api_time_ref(slice_make(data, size), 1700000000 * NS_PER_SEC, size & 1, &t_ns);
    base_assert(err == 0 || err == ERR_INVALID);
    buf_deinit(&text);
    arena_free(arena);
    return 0;
}
