#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

void base_assert_fail(const char *cond, const char *file, int line, const char *func)
{
    fprintf(stderr, "pharos: broken invariant: %s (%s:%d, %s)\n", cond, file, line, func);
    abort();
}
