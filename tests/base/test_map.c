#include "base/map.h"

#include <setjmp.h>
#include <stdio.h>

#include <cmocka.h>

static struct slice key_of(char *out, size_t size, int i)
{
    return slice_make(out, (size_t)snprintf(out, size, "key-%d", i));
}

static void holds_what_a_plain_array_holds(void **state)
{
    (void)state;
    enum { N = 3000 };
    static int model[N]; /* 0 = absent */
    struct map *m = map_new();
    char k[32];
    unsigned seed = 1;
    for (int step = 0; step < 40000; step++) {
        seed = seed * 1103515245u + 12345u;
        int i = (int)(seed >> 8) % N;
        if (seed & 64) {
            bool added;
            struct map_entry *e = map_put(m, key_of(k, sizeof(k), i), &added);
            assert_int_equal(added, model[i] == 0);
            model[i] = step + 1;
            e->value.u64 = (uint64_t)step + 1;
        } else {
            assert_int_equal(map_remove(m, key_of(k, sizeof(k), i)), model[i] != 0);
            model[i] = 0;
        }
    }
    size_t count = 0;
    for (int i = 0; i < N; i++) {
        struct map_entry *e = map_get(m, key_of(k, sizeof(k), i));
        assert_int_equal(e != NULL, model[i] != 0);
        if (e) {
            assert_int_equal(e->value.u64, model[i]);
            count++;
        }
    }
    assert_int_equal(map_count(m), count);
    size_t pos = 0, seen = 0;
    while (map_next(m, &pos))
        seen++;
    assert_int_equal(seen, count);
    map_free(m);
}

static void iterates_in_insertion_order(void **state)
{
    (void)state;
    struct map *m = map_new();
    char k[32];
    for (int i = 0; i < 100; i++)
        map_put(m, key_of(k, sizeof(k), i * 7 % 100), NULL)->value.u64 = (uint64_t)i;
    map_remove(m, SLICE("key-0"));
    size_t pos = 0;
    uint64_t expect = 1;
    for (struct map_entry *e; (e = map_next(m, &pos));)
        assert_int_equal(e->value.u64, expect++);
    assert_int_equal(expect, 100);
    assert_non_null(map_put(m, SLICE(""), NULL));
    assert_non_null(map_get(m, SLICE("")));
    map_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holds_what_a_plain_array_holds),
        cmocka_unit_test(iterates_in_insertion_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
