/* The subcommands of `pharos`; each returns the exit status. args[0] is the subcommand's name. */
#ifndef SERVER_COMMANDS_H
#define SERVER_COMMANDS_H

int server_cmd_serve(int argc, char **argv);
int server_cmd_check(int argc, char **argv);
int server_cmd_query(int argc, char **argv);
int server_cmd_import(int argc, char **argv);
int server_cmd_test(int argc, char **argv);
int server_cmd_password(int argc, char **argv);

/* Exit statuses. */
#define SERVER_EXIT_OK    0
#define SERVER_EXIT_FAIL  1 /* it did not work, or a check found something */
#define SERVER_EXIT_USAGE 2 /* the command line is wrong */

/* "--name VALUE" or "--name=VALUE" at argv[*i]: the value, moving *i; NULL when argv[*i] is another
 * word. When the value is missing *bad is set and the error printed. */
const char *server_arg_value(int argc, char **argv, int *i, const char *name, int *bad);

#endif
