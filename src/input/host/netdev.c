/* Network devices: /proc/net/dev, /sys/class/net/, /proc/net/arp. */
#include <stdio.h>
#include <stdlib.h>

#include "input/host/host_priv.h"

static const struct host_metric columns[] = {
    HOST_COUNTER("node_network_receive_bytes_total", "Network device statistic receive_bytes."),
    HOST_COUNTER("node_network_receive_packets_total", "Network device statistic receive_packets."),
    HOST_COUNTER("node_network_receive_errs_total", "Network device statistic receive_errs."),
    HOST_COUNTER("node_network_receive_drop_total", "Network device statistic receive_drop."),
    HOST_COUNTER("node_network_receive_fifo_total", "Network device statistic receive_fifo."),
    HOST_COUNTER("node_network_receive_frame_total", "Network device statistic receive_frame."),
    HOST_COUNTER("node_network_receive_compressed_total",
                 "Network device statistic receive_compressed."),
    HOST_COUNTER("node_network_receive_multicast_total",
                 "Network device statistic receive_multicast."),
    HOST_COUNTER("node_network_transmit_bytes_total", "Network device statistic transmit_bytes."),
    HOST_COUNTER("node_network_transmit_packets_total",
                 "Network device statistic transmit_packets."),
    HOST_COUNTER("node_network_transmit_errs_total", "Network device statistic transmit_errs."),
    HOST_COUNTER("node_network_transmit_drop_total", "Network device statistic transmit_drop."),
    HOST_COUNTER("node_network_transmit_fifo_total", "Network device statistic transmit_fifo."),
    HOST_COUNTER("node_network_transmit_colls_total", "Network device statistic transmit_colls."),
    HOST_COUNTER("node_network_transmit_carrier_total",
                 "Network device statistic transmit_carrier."),
    HOST_COUNTER("node_network_transmit_compressed_total",
                 "Network device statistic transmit_compressed."),
};

/* "  eth0: 1 2 3 ..." behind two heading lines; the name may touch the first number. */
static void collect_traffic(struct host__ctx *ctx)
{
    struct slice rest = host__read(ctx, ctx->config.proc_path, "/net/dev"), line, word;
    while (host__line(&rest, &line)) {
        ptrdiff_t colon = slice_find_char(line, ':');
        if (colon < 0)
            continue;
        char device[64];
        host__text(device, sizeof(device), slice_trim(slice_first(line, (size_t)colon)));
        line = slice_from(line, (size_t)colon + 1);
        for (size_t i = 0; i < ARRAY_LEN(columns) && host__word(&line, &word); i++)
            host__put(ctx, &columns[i], host__double(word), "device", device, NULL);
    }
}

static void collect_device(struct host__ctx *ctx, const char *device, void *arg)
{
    static const struct {
        const char *file;
        double scale;
        struct host_metric metric;
    } files[] = {
        {"address_assign_type", 1,
         HOST_GAUGE("node_network_address_assign_type",
                    "Network device property: address_assign_type")},
        {"carrier", 1, HOST_GAUGE("node_network_carrier", "Network device property: carrier")},
        {"carrier_changes", 1,
         HOST_COUNTER("node_network_carrier_changes_total",
                      "Network device property: carrier_changes_total")},
        {"carrier_up_count", 1,
         HOST_COUNTER("node_network_carrier_up_changes_total",
                      "Network device property: carrier_up_changes_total")},
        {"carrier_down_count", 1,
         HOST_COUNTER("node_network_carrier_down_changes_total",
                      "Network device property: carrier_down_changes_total")},
        {"dev_id", 1, HOST_GAUGE("node_network_device_id", "Network device property: device_id")},
        {"dormant", 1, HOST_GAUGE("node_network_dormant", "Network device property: dormant")},
        {"flags", 1, HOST_GAUGE("node_network_flags", "Network device property: flags")},
        {"ifindex", 1, HOST_GAUGE("node_network_iface_id", "Network device property: iface_id")},
        {"iflink", 1, HOST_GAUGE("node_network_iface_link", "Network device property: iface_link")},
        {"link_mode", 1,
         HOST_GAUGE("node_network_iface_link_mode", "Network device property: iface_link_mode")},
        {"mtu", 1, HOST_GAUGE("node_network_mtu_bytes", "Network device property: mtu_bytes")},
        {"name_assign_type", 1,
         HOST_GAUGE("node_network_name_assign_type", "Network device property: name_assign_type")},
        {"netdev_group", 1,
         HOST_GAUGE("node_network_net_dev_group", "Network device property: net_dev_group")},
        {"tx_queue_len", 1,
         HOST_GAUGE("node_network_transmit_queue_length",
                    "Network device property: transmit_queue_length")},
        {"type", 1,
         HOST_GAUGE("node_network_protocol_type", "Network device property: protocol_type")},
        /* Mbit/s to bytes/s; -1 (unknown) is left out below. */
        {"speed", 125000,
         HOST_GAUGE("node_network_speed_bytes", "Network device property: speed_bytes")},
    };
    static const struct host_metric
        up = HOST_GAUGE("node_network_up", "Value is 1 if operstate is 'up', 0 otherwise."),
        info = HOST_GAUGE("node_network_info",
                          "Non-numeric data from /sys/class/net/<iface>, value is always 1.");
    (void)arg;
    char state[32] = "", duplex[32] = "", address[64] = "", broadcast[64] = "", alias[128] = "";
    const char *sys = ctx->config.sys_path;
    host__read_line(ctx, state, sizeof(state), sys, "/class/net/%s/operstate", device);
    host__read_line(ctx, duplex, sizeof(duplex), sys, "/class/net/%s/duplex", device);
    host__read_line(ctx, address, sizeof(address), sys, "/class/net/%s/address", device);
    host__read_line(ctx, broadcast, sizeof(broadcast), sys, "/class/net/%s/broadcast", device);
    host__read_line(ctx, alias, sizeof(alias), sys, "/class/net/%s/ifalias", device);
    if (!state[0])
        return; /* bonding_masters and the like are no devices */
    host__put(ctx, &up, strcmp(state, "up") == 0, "device", device, NULL);
    host__put(ctx, &info, 1, "device", device, "address", address, "broadcast", broadcast, "duplex",
              duplex, "operstate", state, "ifalias", alias, NULL);
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        double v;
        if (host__read_number(ctx, &v, sys, "/class/net/%s/%s", device, files[i].file) && v >= 0)
            host__put(ctx, &files[i].metric, v * files[i].scale, "device", device, NULL);
    }
}

/* ARP entries by device: the last column of each line but the first. */
static void collect_arp(struct host__ctx *ctx)
{
    static const struct host_metric entries =
        HOST_GAUGE("node_arp_entries", "ARP entries by device");
    struct slice rest = host__read(ctx, ctx->config.proc_path, "/net/arp"), line, word;
    struct map *count = map_new();
    (void)host__line(&rest, &line);
    while (host__line(&rest, &line)) {
        struct slice device = {NULL, 0};
        while (host__word(&line, &word))
            device = word;
        if (device.ptr)
            map_put(count, device, NULL)->value.u64++;
    }
    size_t pos = 0;
    for (struct map_entry *e; (e = map_next(count, &pos));)
        host__put(ctx, &entries, (double)e->value.u64, "device", e->key.ptr, NULL);
    map_free(count);
}

void host__collect_netdev(struct host__ctx *ctx)
{
    collect_traffic(ctx);
    host__each_entry(ctx, collect_device, NULL, ctx->config.sys_path, "/class/net");
    collect_arp(ctx);
}
