#include "shapes.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static void put(struct bench_labels *l, const char *name, const char *value)
{
    struct bench_label *label = &l->items[l->count++];
    label->name = name;
    snprintf(label->value, sizeof(label->value), "%s", value);
}

static void put_number(struct bench_labels *l, const char *name, const char *prefix, int n)
{
    char text[48];
    snprintf(text, sizeof(text), "%s%d", prefix, n);
    put(l, name, text);
}

/* --- node --- */

static void node_labels(int connection, int i, struct bench_labels *l)
{
    static const char *const metrics[] = {"node_cpu_seconds_total",
                                          "node_network_receive_bytes_total",
                                          "node_filesystem_avail_bytes",
                                          "node_disk_io_time_seconds_total",
                                          "node_memory_MemAvailable_bytes",
                                          "node_load1",
                                          "node_netstat_Tcp_InSegs",
                                          "node_systemd_unit_state",
                                          "node_network_transmit_packets_total",
                                          "node_vmstat_pgpgin"};
    char instance[48];
    snprintf(instance, sizeof(instance), "10.%d.%d.%d:9100", connection, i / 640 / 250,
             i / 640 % 250);
    put(l, "__name__", metrics[i % 10]);
    put(l, "cluster", "production-eu-1");
    put_number(l, "cpu", "", i / 10 % 64);
    put_number(l, "device", "device-", i / 10 % 7);
    put(l, "env", "prod");
    put(l, "instance", instance);
    put(l, "job", "node");
    put(l, "mode", i % 2 ? "user" : "system");
}

/* Counters with steady steps, gauges that wander a little, and some that never change. */
static double node_value(int connection, int i, int at)
{
    (void)connection;
    return i % 10 == 7  ? 1
           : i % 10 < 4 ? (double)(i * 7) + at * (double)(1 + i % 13) * 0.25
                        : (double)(((unsigned)i * 2654435761U + (unsigned)at * 40503U) >> 20);
}

static int node_phase(int connection, int i)
{
    (void)connection;
    (void)i;
    return 0;
}

/* --- service --- */

enum {
    PER_INSTANCE = 100,
    CPU = 0,
    REQUESTS = 32,
    BUCKETS = 56,
    DURATION_SUM = 80,
    DURATION_COUNT = 82,
    NETWORK = 84,
    DISK_FREE = 88,
    DISK_SIZE = 92,
    MEMORY = 96,
    LOAD = 97,
    UP = 98,
    BUILD = 99
};

static const char *const handlers[] = {"/api/items", "/api/orders", "/healthz"};
static const char *const bounds[] = {"0.005", "0.01", "0.025", "0.05", "0.1", "0.25",
                                     "0.5",   "1",    "2.5",   "5",    "10",  "+Inf"};

static int instance_of(int connection, int i)
{
    return connection * 10000 + i / PER_INSTANCE;
}

static void service_labels(int connection, int i, struct bench_labels *l)
{
    static const char *const modes[] = {"idle",    "iowait", "irq",    "nice",
                                        "softirq", "steal",  "system", "user"};
    static const char *const codes[] = {"200", "404", "500", "503"};
    static const char *const mounts[] = {"/", "/boot", "/home", "/var"};
    int instance = instance_of(connection, i), k = i % PER_INSTANCE;
    const char *metric = k < REQUESTS         ? "node_cpu_seconds_total"
                         : k < BUCKETS        ? "http_requests_total"
                         : k < DURATION_SUM   ? "http_request_duration_seconds_bucket"
                         : k < DURATION_COUNT ? "http_request_duration_seconds_sum"
                         : k < NETWORK        ? "http_request_duration_seconds_count"
                         : k < DISK_FREE      ? "node_network_receive_bytes_total"
                         : k < DISK_SIZE      ? "node_filesystem_avail_bytes"
                         : k < MEMORY         ? "node_filesystem_size_bytes"
                         : k == MEMORY        ? "node_memory_MemAvailable_bytes"
                         : k == LOAD          ? "node_load1"
                         : k == UP            ? "up"
                                              : "build_info";
    put(l, "__name__", metric);
    if (k >= REQUESTS && k < BUCKETS)
        put(l, "code", codes[k % 4]);
    if (k < REQUESTS)
        put_number(l, "cpu", "", k / 8);
    if (k >= NETWORK && k < DISK_FREE)
        put_number(l, "device", "eth", k % 4);
    if (k >= REQUESTS && k < NETWORK)
        put(l, "handler", handlers[k < BUCKETS ? (k - REQUESTS) / 8 : k % 2]);
    char host[48];
    snprintf(host, sizeof(host), "web-%05d.eu.example:9100", instance);
    put(l, "instance", host);
    put_number(l, "job", "service-", instance % 10);
    if (k >= BUCKETS && k < DURATION_SUM)
        put(l, "le", bounds[(k - BUCKETS) / 2]);
    if (k >= REQUESTS && k < BUCKETS)
        put(l, "method", (k - REQUESTS) / 4 % 2 ? "POST" : "GET");
    if (k < REQUESTS)
        put(l, "mode", modes[k % 8]);
    if (k >= DISK_FREE && k < MEMORY)
        put(l, "mountpoint", mounts[k % 4]);
    if (k == BUILD)
        put_number(l, "version", "1.2", instance % 3);
}

/* In [0, 1), the same for the same numbers. */
static double noise(int a, int b, int c)
{
    uint64_t x = (uint64_t)(unsigned)a << 40 ^ (uint64_t)(unsigned)b << 24 ^ (unsigned)c;
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return (double)((x ^ x >> 31) >> 11) / 9007199254740992.0;
}

/* A counter that grows by about `step` a round and begins anew now and then. */
static double counter(int instance, int k, int at, double step)
{
    int age = 40 + (at + instance * 37) % 2000;
    return step * (age + noise(instance, k, at));
}

static double service_value(int connection, int i, int at)
{
    int instance = instance_of(connection, i), k = i % PER_INSTANCE;
    if (k < REQUESTS)
        return round(counter(instance, k, at, k % 8 ? 0.9 : 9) * 100) / 100;
    if (k < BUCKETS)
        return floor(counter(instance, k, at, 3 + 40 * noise(instance, k, -1)));
    if (k < DURATION_SUM) {
        int handler = k % 2, le = (k - BUCKETS) / 2;
        double all = counter(instance, DURATION_COUNT + handler, at, 120);
        return floor(all * (1 - pow(0.62, le + 1 + (le == 11) * 40)));
    }
    if (k < DURATION_COUNT)
        return counter(instance, DURATION_COUNT + k % 2, at, 120) * 0.0831;
    if (k < NETWORK)
        return floor(counter(instance, DURATION_COUNT + k % 2, at, 120));
    if (k < DISK_FREE)
        return floor(counter(instance, k, at, 40000 * (1 + 9 * noise(instance, k, -1))));
    if (k < DISK_SIZE)
        return 4096 * floor(2e7 + 1e6 * noise(instance, k, at / 8));
    if (k < MEMORY)
        return 4096 * 2.5e7;
    if (k == MEMORY)
        return 4096 * floor(1e6 + 5e5 * noise(instance, k, at));
    if (k == LOAD)
        return round(100 * (2 + sin(at / 97.0 + instance) + noise(instance, k, at))) / 100;
    return k == UP ? noise(instance, k, at) > 0.001 : 1;
}

static int service_phase(int connection, int i)
{
    return (int)(15000 * noise(instance_of(connection, i), 0, -2));
}

const struct bench_shape *bench_shape_find(const char *name)
{
    static const struct bench_shape shapes[] = {
        {"node", node_labels, node_value, node_phase},
        {"service", service_labels, service_value, service_phase}};
    for (unsigned i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        if (strcmp(shapes[i].name, name) == 0)
            return &shapes[i];
    }
    return NULL;
}
