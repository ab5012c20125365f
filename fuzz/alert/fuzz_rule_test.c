/* Files of unit tests of rules. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "alert/unit_test.h"
#include "base/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[] = "/tmp/fuzz-rule-test-XXXXXX";
    struct alert_unit_test_options options = {.promql = {.experimental = true}};
    struct buf out = {0};
    int fd = size > 2000 ? -1 : mkstemp(path);
    if (fd < 0)
        return 0;
    log_set_level(LOG_LEVEL_ERROR);
    /* The rules are the file itself, which is one when it has groups. */
    if (write(fd, data, size) == (ssize_t)size)
        (void)!alert_unit_test_run(path, &options, &out);
    close(fd);
    unlink(path);
    buf_deinit(&out);
    return 0;
}
