/* pharos test rules: unit tests of rules, as promtool runs them. */
#include <stdio.h>
#include <string.h>

#include "alert/unit_test.h"
#include "base/buf.h"
#include "base/log.h"
#include "server/commands.h"
#include "text/regex.h"

#define RUN_MAX 64

static int run_files(char **files, int count, const struct alert_unit_test_options *options)
{
    int status = SERVER_EXIT_OK;
    for (int i = 0; i < count; i++) {
        struct buf out = {0};
        printf("Unit Testing:  %s\n", files[i]);
        int err = alert_unit_test_run(files[i], options, &out);
        fflush(stdout);
        fputs(buf_cstr(&out), err ? stderr : stdout);
        printf("\n");
        buf_deinit(&out);
        if (err)
            status = SERVER_EXIT_FAIL;
    }
    return status;
}

int server_cmd_test(int argc, char **argv)
{
    struct alert_unit_test_options options = {.promql = {.experimental = true}};
    const struct text_regex *names[RUN_MAX];
    char *files[1024];
    int file_count = 0, bad = 0, status = SERVER_EXIT_USAGE;
    bool help = argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0);
    if (help || argc < 2 || strcmp(argv[1], "rules") != 0) {
        fprintf(help ? stdout : stderr,
                "Usage: pharos test rules [--run REGEX]... FILE...\n\n"
                "Runs unit tests of rules in the files that `promtool test rules` takes. Exit "
                "status 1 when one failed.\n\n"
                "  --run REGEX   only tests whose name matches; may be repeated\n");
        return help ? SERVER_EXIT_OK : SERVER_EXIT_USAGE;
    }
    for (int i = 2; i < argc && !bad; i++) {
        const char *v = server_arg_value(argc, argv, &i, "--run", &bad);
        struct text_regex *re;
        struct diag diag;
        diag_init(&diag);
        if (v && options.name_count < RUN_MAX) {
            if (text_regex_compile(slice_cstr(v), 0, &re, &diag)) {
                fprintf(stderr, "pharos test: --run: %s\n", diag.msg);
                bad = 1;
            } else {
                names[options.name_count++] = re;
            }
        } else if (v || (!bad && argv[i][0] == '-' && argv[i][1])) {
            fprintf(stderr,
                    v ? "pharos test: --run is given too often\n"
                      : "pharos test: unknown option %s\n",
                    argv[i]);
            bad = 1;
        } else if (!bad && file_count < (int)ARRAY_LEN(files)) {
            files[file_count++] = argv[i];
        } else if (!bad) {
            fprintf(stderr, "pharos test: more than %zu files\n", ARRAY_LEN(files));
            bad = 1;
        }
    }
    options.names = names;
    log_set_level(LOG_LEVEL_ERROR); /* what goes wrong is in the findings */
    if (!bad && !file_count)
        fprintf(stderr, "pharos test: a file is needed, for example: pharos test rules test.yml\n");
    else if (!bad)
        status = run_files(files, file_count, &options);
    for (size_t i = 0; i < options.name_count; i++)
        text_regex_free((struct text_regex *)(uintptr_t)names[i]);
    return status;
}
