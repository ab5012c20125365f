/* pharos password: hashes what is typed. */
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "api/auth.h"
#include "server/commands.h"

int server_cmd_password(int argc, char **argv)
{
    char line[600], hash[256];
    struct termios before, quiet;
    struct diag diag;
    bool tty = isatty(STDIN_FILENO) && !tcgetattr(STDIN_FILENO, &before);
    (void)argv;
    if (argc > 1) {
        fprintf(stderr, "pharos password: the password is read from standard input, not from the "
                        "command line, where others could see it\n");
        return SERVER_EXIT_USAGE;
    }
    diag_init(&diag);
    if (tty) {
        fprintf(stderr, "Password: ");
        quiet = before;
        quiet.c_lflag &= ~(tcflag_t)ECHO;
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
    }
    bool got = fgets(line, sizeof(line), stdin) != NULL;
    if (tty) {
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
        fputc('\n', stderr);
    }
    if (!got) {
        fprintf(stderr, "pharos password: nothing was given\n");
        return SERVER_EXIT_FAIL;
    }
    line[strcspn(line, "\r\n")] = 0;
    int err = api_auth_hash(slice_cstr(line), hash, sizeof(hash), &diag);
    explicit_bzero(line, sizeof(line));
    if (err) {
        fprintf(stderr, "pharos password: %s\n", diag.msg);
        return SERVER_EXIT_FAIL;
    }
    puts(hash);
    return SERVER_EXIT_OK;
}
