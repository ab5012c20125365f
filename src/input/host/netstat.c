/* Protocol counters and sockets: /proc/net/{snmp,netstat,snmp6,sockstat,sockstat6,udp,udp6},
 * /proc/sys/net/netfilter/. */
#include <stdio.h>
#include <unistd.h>

#include "input/host/host_priv.h"

/* What node_exporter keeps of the several hundred fields. `fields` "*" keeps all that begin so. */
static const struct {
    const char *protocol;
    const char *const fields[12];
} wanted[] = {
    {"Icmp", {"InMsgs", "InErrors", "OutMsgs"}},
    {"Icmp6", {"InMsgs", "InErrors", "OutMsgs"}},
    {"Ip", {"Forwarding"}},
    {"IpExt", {"InOctets", "OutOctets"}},
    {"Ip6", {"InOctets", "OutOctets"}},
    {"Tcp",
     {"ActiveOpens", "InSegs", "OutSegs", "OutRsts", "PassiveOpens", "RetransSegs", "CurrEstab",
      "InErrs", "MaxConn"}},
    {"TcpExt",
     {"ListenOverflows", "ListenDrops", "SyncookiesSent", "SyncookiesRecv", "SyncookiesFailed",
      "TCPSynRetrans", "TCPTimeouts", "TCPOFOQueue", "TCPRcvQDrop"}},
    {"Udp", {"InDatagrams", "InErrors", "OutDatagrams", "NoPorts", "RcvbufErrors", "SndbufErrors"}},
    {"Udp6",
     {"InDatagrams", "InErrors", "OutDatagrams", "NoPorts", "RcvbufErrors", "SndbufErrors"}},
    {"UdpLite", {"InErrors"}},
    {"UdpLite6", {"InErrors"}},
};

static void put_field(struct host__ctx *ctx, struct slice protocol, struct slice field,
                      double value)
{
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        if (!slice_eq_cstr(protocol, wanted[i].protocol))
            continue;
        for (size_t f = 0; f < ARRAY_LEN(wanted[i].fields) && wanted[i].fields[f]; f++) {
            if (!slice_eq_cstr(field, wanted[i].fields[f]))
                continue;
            char name[128];
            snprintf(name, sizeof(name), "node_netstat_%s_%s", wanted[i].protocol,
                     wanted[i].fields[f]);
            host__put_named(ctx, name, DATA_METRIC_UNKNOWN, "Protocol statistic of /proc/net.",
                            value, NULL);
            return;
        }
    }
}

/* Pairs of lines: "Tcp: RtoMin RtoMax" and "Tcp: 200 120000". */
static void collect_pairs(struct host__ctx *ctx, const char *file)
{
    struct slice rest = host__read(ctx, ctx->config.proc_path, "/net/%s", file), names, values,
                 name, value;
    while (host__line(&rest, &names) && host__line(&rest, &values)) {
        struct slice protocol, again;
        if (!host__word(&names, &protocol) || !host__word(&values, &again) ||
            !slice_eq(protocol, again) || protocol.len < 2)
            return;
        protocol.len--; /* the colon */
        while (host__word(&names, &name) && host__word(&values, &value))
            put_field(ctx, protocol, name, host__double(value));
    }
}

/* "Ip6InOctets 123": the protocol is what precedes the "6", with it. */
static void collect_snmp6(struct host__ctx *ctx)
{
    struct slice rest = host__read(ctx, ctx->config.proc_path, "/net/snmp6"), line, key, value;
    while (host__line(&rest, &line)) {
        if (!host__word(&line, &key) || !host__word(&line, &value))
            continue;
        ptrdiff_t six = slice_find_char(key, '6');
        if (six > 0)
            put_field(ctx, slice_first(key, (size_t)six + 1), slice_from(key, (size_t)six + 1),
                      host__double(value));
    }
}

/* "TCP: inuse 5 orphan 0 tw 0 alloc 9 mem 1"; "sockets: used 200". mem is in pages and is given in
 * bytes too. */
static void collect_sockstat(struct host__ctx *ctx, const char *file)
{
    struct slice rest = host__read(ctx, ctx->config.proc_path, "/net/%s", file), line, protocol,
                 key, value;
    while (host__line(&rest, &line)) {
        if (!host__word(&line, &protocol) || protocol.len < 2)
            continue;
        protocol.len--;
        while (host__word(&line, &key) && host__word(&line, &value)) {
            char name[128];
            snprintf(name, sizeof(name), "node_sockstat_%.*s_%.*s", SLICE_FMT(protocol),
                     SLICE_FMT(key));
            host__put_named(ctx, name, DATA_METRIC_GAUGE, "Socket statistic of /proc/net/sockstat.",
                            host__double(value), NULL);
            if (slice_eq_cstr(key, "mem")) {
                snprintf(name, sizeof(name), "node_sockstat_%.*s_mem_bytes", SLICE_FMT(protocol));
                host__put_named(ctx, name, DATA_METRIC_GAUGE,
                                "Socket statistic of /proc/net/sockstat.",
                                host__double(value) * (double)sysconf(_SC_PAGESIZE), NULL);
            }
        }
    }
}

/* Column 5 of each socket is "tx_queue:rx_queue" in hexadecimal. */
static void collect_udp_queues(struct host__ctx *ctx, const char *file, const char *ip)
{
    static const struct host_metric queues = HOST_GAUGE(
        "node_udp_queues", "Number of allocated memory in the kernel for UDP datagrams in bytes.");
    struct slice rest = host__read(ctx, ctx->config.proc_path, "/net/%s", file), line,
                 word = {NULL, 0};
    if (!host__line(&rest, &line))
        return;
    uint64_t tx = 0, rx = 0;
    while (host__line(&rest, &line)) {
        for (int i = 0; i < 5 && host__word(&line, &word); i++) {
        }
        unsigned long t = 0, r = 0;
        char text[32];
        host__text(text, sizeof(text), word);
        if (sscanf(text, "%lx:%lx", &t, &r) == 2) {
            tx += t;
            rx += r;
        }
    }
    host__put(ctx, &queues, (double)tx, "ip", ip, "queue", "tx", NULL);
    host__put(ctx, &queues, (double)rx, "ip", ip, "queue", "rx", NULL);
}

static void collect_conntrack(struct host__ctx *ctx)
{
    static const struct host_metric
        entries = HOST_GAUGE("node_nf_conntrack_entries",
                             "Number of currently allocated flow entries for connection tracking."),
        limit = HOST_GAUGE("node_nf_conntrack_entries_limit",
                           "Maximum size of connection tracking table.");
    double v;
    if (host__read_number(ctx, &v, ctx->config.proc_path, "/sys/net/netfilter/nf_conntrack_count"))
        host__put(ctx, &entries, v, NULL);
    if (host__read_number(ctx, &v, ctx->config.proc_path, "/sys/net/netfilter/nf_conntrack_max"))
        host__put(ctx, &limit, v, NULL);
}

void host__collect_netstat(struct host__ctx *ctx)
{
    collect_pairs(ctx, "snmp");
    collect_pairs(ctx, "netstat");
    collect_snmp6(ctx);
    collect_sockstat(ctx, "sockstat");
    collect_sockstat(ctx, "sockstat6");
    collect_udp_queues(ctx, "udp", "v4");
    collect_udp_queues(ctx, "udp6", "v6");
    collect_conntrack(ctx);
}
