/* Always-on assertions for invariants of our own code; never for input. */
#ifndef BASE_ASSERT_H
#define BASE_ASSERT_H

#include "base/types.h"

/* Stays on in release builds: a broken invariant stops the process before it can write bad data. */
#define base_assert(cond)                                                                          \
    (BASE_LIKELY(cond) ? (void)0 : base_assert_fail(#cond, __FILE__, __LINE__, __func__))

BASE_NORETURN void base_assert_fail(const char *cond, const char *file, int line, const char *func);

#endif
