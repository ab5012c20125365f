/* The command line: subcommands in a table. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "output/output.h"
#include "server/commands.h"
#include "server/config.h"
#include "server/version.h"
#include "text/yaml.h"

static int cmd_version(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    printf("pharos %s (%s)\n", SERVER_VERSION, SERVER_REVISION);
    return SERVER_EXIT_OK;
}

static int cmd_agent(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    fprintf(stderr, "pharos agent: not built yet. `pharos serve` collects, receives and scrapes; "
                    "forwarding to another server comes later.\n");
    return SERVER_EXIT_USAGE;
}

static int cmd_help(int argc, char **argv);

static const struct command {
    const char *name, *usage, *help;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"serve", "[-c pharos.yml] [--data DIR] [--set key=value]...",
     "collect, receive, store and answer (what `pharos` alone does)", server_cmd_serve},
    {"query", "[--start T --end T --step D] [--url URL] [--json] QUERY", "ask a running server",
     server_cmd_query},
    {"check", "[rules|log-rules|config] FILE...",
     "look for mistakes in pharos.yml, prometheus.yml and rule files", server_cmd_check},
    {"import", "whisper [--url URL] DIR", "send the points of Graphite's files to a running server",
     server_cmd_import},
    {"test", "rules [--run REGEX] FILE...", "run unit tests of rules, as promtool does",
     server_cmd_test},
    {"password", "", "read a password and print its hash for auth.users", server_cmd_password},
    {"help", "[config [--markdown] | outputs]",
     "this text, every key of the configuration, or those of an output", cmd_help},
    {"version", "", "print the version", cmd_version},
    {"agent", "", "not built yet", cmd_agent},
};

static void print_usage(FILE *to)
{
    fprintf(to, "Pharos %s: metrics, logs and traces in one program.\n\nUsage:\n", SERVER_VERSION);
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        fprintf(to, "  pharos %-9s %s\n  %-16s   %s\n", commands[i].name, commands[i].usage, "",
                commands[i].help);
    fprintf(to, "\n`pharos serve --help` lists every key of the configuration.\n");
}

static int cmd_help(int argc, char **argv)
{
    struct buf out = {0};
    if (argc > 1 && strcmp(argv[1], "config") == 0) {
        if (argc > 2 && strcmp(argv[2], "--markdown") == 0)
            server_config_print_reference(&out);
        else
            server_config_print_help(&out);
        fputs(buf_cstr(&out), stdout);
        buf_deinit(&out);
        return SERVER_EXIT_OK;
    }
    if (argc > 1 && strcmp(argv[1], "outputs") == 0) {
        output_print_reference(&out);
        fputs(buf_cstr(&out), stdout);
        buf_deinit(&out);
        return SERVER_EXIT_OK;
    }
    if (argc > 1) {
        fprintf(stderr, "pharos help: there is no help on \"%s\"; there are config and outputs\n",
                argv[1]);
        return SERVER_EXIT_USAGE;
    }
    print_usage(stdout);
    return SERVER_EXIT_OK;
}

const char *server_arg_value(int argc, char **argv, int *i, const char *name, int *bad)
{
    size_t n = strlen(name);
    if (strncmp(argv[*i], name, n) != 0)
        return NULL;
    if (argv[*i][n] == '=')
        return argv[*i] + n + 1;
    if (argv[*i][n])
        return NULL;
    if (*i + 1 >= argc) {
        fprintf(stderr, "pharos: %s needs a value\n", name);
        *bad = 1;
        return NULL;
    }
    return argv[++*i];
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return server_cmd_serve(argc, argv);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_usage(stdout);
        return SERVER_EXIT_OK;
    }
    if (strcmp(argv[1], "--version") == 0)
        return cmd_version(0, NULL);
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    }
    if (argv[1][0] == '-')
        return server_cmd_serve(argc, argv);
    const char *names[ARRAY_LEN(commands) + 1] = {0};
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        names[i] = commands[i].name;
    const char *near = text_nearest(slice_cstr(argv[1]), names);
    fprintf(stderr, "pharos: there is no subcommand \"%s\"%s%s%s\n", argv[1],
            near ? "; did you mean \"" : "; `pharos --help` lists them", near ? near : "",
            near ? "\"?" : "");
    return SERVER_EXIT_USAGE;
}
