#include "net/listen.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 1024

static socklen_t make_address(const char *host, uint16_t port, struct sockaddr_storage *out)
{
    memset(out, 0, sizeof(*out));
    struct sockaddr_in *v4 = (struct sockaddr_in *)out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
    if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        return sizeof(*v4);
    }
    if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        return sizeof(*v6);
    }
    return 0;
}

static uint16_t bound_port(int fd)
{
    struct sockaddr_storage a;
    socklen_t len = sizeof(a);
    if (getsockname(fd, (struct sockaddr *)&a, &len))
        return 0;
    return ntohs(a.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&a)->sin6_port
                                         : ((struct sockaddr_in *)&a)->sin_port);
}

static int open_bound(int type, const char *host, uint16_t port, bool shared, int *out_fd)
{
    struct sockaddr_storage a;
    socklen_t len = make_address(host, port, &a);
    if (!len)
        return EINVAL;
    int fd = socket(a.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return errno;
    int on = 1;
    if (type == SOCK_STREAM) /* for datagrams it would let others take the port */
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (shared)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    if (a.ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    /* Listening too: two sockets may be bound, but only one may listen without SO_REUSEPORT. */
    if (bind(fd, (struct sockaddr *)&a, len) || (!shared && type == SOCK_STREAM && listen(fd, 1))) {
        int err = errno;
        close(fd);
        return err;
    }
    *out_fd = fd;
    return 0;
}

static unsigned long socket_inode(const char *file, uint16_t port, unsigned wanted_state)
{
    FILE *f = fopen(file, "re");
    char line[512];
    unsigned long found = 0;
    while (f && !found && fgets(line, sizeof(line), f)) {
        unsigned local_port, state;
        unsigned long inode;
        if (sscanf(line, " %*d: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x %*s %*s %*s %*d %*d %lu",
                   &local_port, &state, &inode) == 3 &&
            local_port == port && state == wanted_state)
            found = inode;
    }
    if (f)
        fclose(f);
    return found;
}

static bool holds(const char *pid, const char *socket_name)
{
    char path[64], link[64];
    snprintf(path, sizeof(path), "/proc/%s/fd", pid);
    DIR *dir = opendir(path);
    bool found = false;
    for (struct dirent *e; dir && !found && (e = readdir(dir));) {
        char fd_path[400];
        snprintf(fd_path, sizeof(fd_path), "%s/%s", path, e->d_name);
        ssize_t n = readlink(fd_path, link, sizeof(link) - 1);
        if (n > 0) {
            link[n] = '\0';
            found = strcmp(link, socket_name) == 0;
        }
    }
    if (dir)
        closedir(dir);
    return found;
}

void net__port_holder(int type, uint16_t port, char *out, size_t out_size)
{
    bool tcp = type == SOCK_STREAM;
    unsigned state = tcp ? 0x0a : 0x07; /* listening; unconnected */
    out[0] = '\0';
    unsigned long inode = socket_inode(tcp ? "/proc/net/tcp" : "/proc/net/udp", port, state);
    if (!inode)
        inode = socket_inode(tcp ? "/proc/net/tcp6" : "/proc/net/udp6", port, state);
    if (!inode)
        return;
    char name[64];
    snprintf(name, sizeof(name), "socket:[%lu]", inode);
    DIR *dir = opendir("/proc");
    for (struct dirent *e; dir && !out[0] && (e = readdir(dir));) {
        if (e->d_name[0] < '1' || e->d_name[0] > '9' || !holds(e->d_name, name))
            continue;
        char path[300], comm[64] = "?";
        snprintf(path, sizeof(path), "/proc/%s/comm", e->d_name);
        FILE *f = fopen(path, "re");
        if (f && fgets(comm, sizeof(comm), f))
            comm[strcspn(comm, "\n")] = '\0';
        if (f)
            fclose(f);
        snprintf(out, out_size, "%s (pid %s)", comm, e->d_name);
    }
    if (dir)
        closedir(dir);
}

static int bind_all(int type, const char *host, uint16_t port, size_t count, int *out_fds,
                    uint16_t *out_port, struct diag *diag)
{
    int probe = -1;
    int err = open_bound(type, host, port, false, &probe);
    if (!err) {
        if (!port)
            port = bound_port(probe);
        close(probe);
    }
    size_t opened = 0;
    for (; !err && opened < count; opened++)
        err = open_bound(type, host, port, true, &out_fds[opened]);
    if (err) {
        if (opened)
            opened--;
        while (opened)
            close(out_fds[--opened]);
        if (err == EADDRINUSE) {
            char holder[128];
            net__port_holder(type, port, holder, sizeof(holder));
            return diag_set(diag, ERR_EXISTS, "port %u is held by %s", port,
                            holder[0] ? holder : "another process");
        }
        return diag_set(diag, err_from_errno(err), "cannot listen on %s:%u: %s", host, port,
                        strerror(err));
    }
    *out_port = port;
    return 0;
}

int net__listen(const char *host, uint16_t port, size_t count, int *out_fds, uint16_t *out_port,
                struct diag *diag)
{
    return bind_all(SOCK_STREAM, host, port, count, out_fds, out_port, diag);
}

int net__bind_udp(const char *host, uint16_t port, size_t count, int *out_fds, uint16_t *out_port,
                  struct diag *diag)
{
    return bind_all(SOCK_DGRAM, host, port, count, out_fds, out_port, diag);
}

const char *net__unix_path(const char *listen)
{
    return strncmp(listen, "unix:", 5) == 0 ? listen + 5 : NULL;
}

/* True when a file is in the way: somebody's socket, or no socket at all. */
static bool is_taken(const struct sockaddr_un *a, int type)
{
    struct stat st;
    if (lstat(a->sun_path, &st))
        return false;
    if (!S_ISSOCK(st.st_mode))
        return true;
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool refused = connect(fd, (const struct sockaddr *)a, sizeof(*a)) && errno == ECONNREFUSED;
    close(fd);
    return !refused;
}

int net__bind_unix(const char *path, int type, unsigned mode, int *out_fd, struct diag *diag)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    if (!path[0] || strlen(path) >= sizeof(a.sun_path))
        return diag_set(diag, ERR_INVALID, "unix:%s: a socket's path has 1 to %zu bytes", path,
                        sizeof(a.sun_path) - 1);
    strncpy(a.sun_path, path, sizeof(a.sun_path) - 1);
    if (is_taken(&a, type))
        return diag_set(diag, ERR_EXISTS, "%s is in use by another process, or no socket", path);
    unlink(path);
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) || chmod(path, mode ? mode : 0666)) {
        int err = errno;
        if (fd >= 0)
            close(fd);
        return diag_set(diag, err_from_errno(err), "cannot listen on unix:%s: %s", path,
                        strerror(err));
    }
    *out_fd = fd;
    return 0;
}

void net__address_text(const struct sockaddr *a, char *out, size_t out_size)
{
    char ip[INET6_ADDRSTRLEN] = "?";
    if (a->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)a;
        inet_ntop(AF_INET, &v4->sin_addr, ip, sizeof(ip));
        snprintf(out, out_size, "%s:%u", ip, ntohs(v4->sin_port));
    } else if (a->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)a;
        inet_ntop(AF_INET6, &v6->sin6_addr, ip, sizeof(ip));
        snprintf(out, out_size, "[%s]:%u", ip, ntohs(v6->sin6_port));
    } else {
        snprintf(out, out_size, "unix");
    }
}
