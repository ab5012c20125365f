/* The host collectors over a made-up /proc and /sys, sample by sample. */
#include "input/host/host.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"

#define NOW_NS (1700000000 * NS_PER_SEC)

static char root[64];

static void write_file(const char *path, const char *content)
{
    char full[512];
    snprintf(full, sizeof(full), "%s%s", root, path);
    for (char *p = full + strlen(root) + 1; (p = strchr(p, '/')); p++) {
        *p = '\0';
        mkdir(full, 0755);
        *p = '/';
    }
    FILE *f = fopen(full, "w");
    assert_non_null(f);
    fputs(content, f);
    fclose(f);
}

static int make_root(void **state)
{
    (void)state;
    strcpy(root, "/tmp/pharos-host-XXXXXX");
    return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state)
{
    (void)state;
    char cmd[128];
    snprintf(cmd, sizeof(cmd), "rm -rf '%s'", root);
    return system(cmd);
}

static struct input_host *new_host(void)
{
    static char proc[128], sys[128];
    snprintf(proc, sizeof(proc), "%s/proc", root);
    snprintf(sys, sizeof(sys), "%s/sys", root);
    struct input_host_config config;
    input_host_config_init(&config);
    config.instance = "box";
    config.proc_path = proc;
    config.sys_path = sys;
    config.rootfs_path = root;
    return input_host_new(&config);
}

/* The collected samples, one a line: name{labels} value. job and instance are left out. */
static struct buf collect(struct input_host *h, int64_t now_ns)
{
    struct data_metric_batch *b = data_metric_batch_new(SLICE("default"));
    input_host_collect(h, b, now_ns);
    struct buf out = {0};
    struct arena *arena = arena_new(0, NULL);
    for (size_t i = 0; i < b->sample_ts.len; i++) {
        assert_int_equal(b->sample_ts.items[i], now_ns);
        struct data_labels labels, shown;
        assert_int_equal(
            data_labels_decode(b->series.items[b->sample_series.items[i]].key, arena, &labels), 0);
        assert_true(slice_eq_cstr(data_labels_get(labels, SLICE("instance")), "box"));
        assert_true(slice_eq_cstr(data_labels_get(labels, SLICE("job")), "node"));
        struct data_labels_builder lb = {0};
        data_labels_builder_from(&lb, labels);
        data_labels_builder_set(&lb, SLICE("instance"), SLICE(""));
        data_labels_builder_set(&lb, SLICE("job"), SLICE(""));
        assert_int_equal(data_labels_builder_finish(&lb, &shown, NULL), 0);
        data_labels_print(shown, &out);
        buf_printf(&out, " %.10g\n", b->sample_value.items[i]);
        data_labels_builder_deinit(&lb);
    }
    arena_free(arena);
    data_metric_batch_free(b);
    return out;
}

static void assert_has(struct buf *out, const char *line)
{
    struct buf needle = {0};
    buf_printf(&needle, "%s\n", line);
    bool found = slice_find(buf_slice(out), buf_slice(&needle)) >= 0;
    if (!found)
        print_message("not found: %sin:\n%s", buf_cstr(&needle), buf_cstr(out));
    buf_deinit(&needle);
    assert_true(found);
}

static void assert_lacks(struct buf *out, const char *text)
{
    if (slice_find(buf_slice(out), slice_cstr(text)) >= 0)
        fail_msg("should not be there: %s", text);
}

static void reads_cpu_and_memory(void **state)
{
    (void)state;
    write_file("/proc/stat", "cpu  30 0 20 100 0 0 0 0 0 0\n"
                             "cpu0 1234 5 678 90000 12 3 4 5 60 7\n"
                             "intr 987654321 1 2 3\nctxt 55\nbtime 1699990000\nprocesses 42\n"
                             "procs_running 3\nprocs_blocked 1\n");
    write_file("/proc/loadavg", "0.52 1.25 2.00 3/456 789\n");
    write_file("/proc/meminfo",
               "MemTotal:       16384 kB\nActive(anon):     100 kB\nHugePages_Total:       7\n");
    write_file("/proc/vmstat", "nr_free_pages 1\npgfault 77\noom_kill 2\n");
    write_file("/proc/pressure/io", "some avg10=0.00 avg60=0.00 avg300=0.00 total=2500000\n"
                                    "full avg10=0.00 avg60=0.00 avg300=0.00 total=1000\n");
    write_file("/proc/schedstat", "version 15\ncpu0 0 0 0 0 0 0 5000000000 2000000000 9\n");
    write_file("/proc/net/softnet_stat", "0000000a 00000001 00000002 0 0 0 0 0 0 0 0 0 00000000\n");
    struct input_host *h = new_host();
    struct buf out = collect(h, NOW_NS);
    assert_has(&out, "node_cpu_seconds_total{cpu=\"0\", mode=\"user\"} 12.34");
    assert_has(&out, "node_cpu_seconds_total{cpu=\"0\", mode=\"steal\"} 0.05");
    assert_has(&out, "node_cpu_guest_seconds_total{cpu=\"0\", mode=\"nice\"} 0.07");
    assert_has(&out, "node_intr_total 987654321");
    assert_has(&out, "node_boot_time_seconds 1699990000");
    assert_has(&out, "node_procs_blocked 1");
    assert_has(&out, "node_load5 1.25");
    assert_has(&out, "node_memory_MemTotal_bytes 16777216");
    assert_has(&out, "node_memory_Active_anon_bytes 102400");
    assert_has(&out, "node_memory_HugePages_Total 7");
    assert_has(&out, "node_vmstat_oom_kill 2");
    assert_lacks(&out, "nr_free_pages");
    assert_has(&out, "node_pressure_io_waiting_seconds_total 2.5");
    assert_has(&out, "node_pressure_io_stalled_seconds_total 0.001");
    assert_has(&out, "node_schedstat_running_seconds_total{cpu=\"0\"} 5");
    assert_has(&out, "node_softnet_processed_total{cpu=\"0\"} 10");
    assert_has(&out, "up 1");
    buf_deinit(&out);
    input_host_free(h);
}

static void reads_disks_and_file_systems(void **state)
{
    (void)state;
    write_file("/proc/diskstats", "   8       0 sda 10 1 16 250 20 2 32 500 0 750 1000\n"
                                  "   8       1 sda1 1 1 1 1 1 1 1 1 0 1 1\n"
                                  " 259       0 nvme0n1 5 0 8 1 1 1 1 1 0 1 1 3 0 4 5 6 7\n"
                                  " 259       1 nvme0n1p1 1 1 1 1 1 1 1 1 0 1 1\n"
                                  "   7       0 loop0 1 1 1 1 1 1 1 1 0 1 1\n");
    write_file("/proc/1/mounts", "proc /proc proc rw 0 0\n"
                                 "/dev/old /data ext4 rw 0 0\n"
                                 "/dev/sda1 /data ext4 rw,relatime 0 0\n"
                                 "/dev/sdb1 /with\\040space xfs ro,relatime 0 0\n"
                                 "tmpfs /run/user/0 tmpfs rw 0 0\n"
                                 "/dev/sdc1 /gone ext4 rw 0 0\n");
    write_file("/data/x", "");
    write_file("/with space/x", "");
    struct input_host *h = new_host();
    struct buf out = collect(h, NOW_NS);
    assert_has(&out, "node_disk_read_bytes_total{device=\"sda\"} 8192");
    assert_has(&out, "node_disk_write_time_seconds_total{device=\"sda\"} 0.5");
    assert_has(&out, "node_disk_flush_requests_time_seconds_total{device=\"nvme0n1\"} 0.007");
    assert_has(&out, "node_disk_info{device=\"sda\", major=\"8\", minor=\"0\"} 1");
    assert_lacks(&out, "sda1\"}");
    assert_lacks(&out, "nvme0n1p1");
    assert_lacks(&out, "loop0");
    assert_has(&out, "node_filesystem_device_error{device=\"/dev/sda1\", fstype=\"ext4\", "
                     "mountpoint=\"/data\"} 0");
    assert_has(&out, "node_filesystem_readonly{device=\"/dev/sdb1\", fstype=\"xfs\", "
                     "mountpoint=\"/with space\"} 1");
    assert_has(&out, "node_filesystem_device_error{device=\"/dev/sdc1\", fstype=\"ext4\", "
                     "mountpoint=\"/gone\"} 1");
    assert_lacks(&out, "/dev/old");
    assert_lacks(&out, "mountpoint=\"/proc\"");
    assert_lacks(&out, "/run/user");
    buf_deinit(&out);
    input_host_free(h);
}

static void reads_network(void **state)
{
    (void)state;
    write_file("/proc/net/dev", "Inter-|   Receive\n face |bytes\n"
                                "  eth0:1000 10 1 2 3 4 5 6 2000 20 7 8 9 1 2 3\n");
    write_file("/proc/net/snmp", "Tcp: RtoMin CurrEstab InSegs\nTcp: 200 5 123\n");
    write_file("/proc/net/netstat", "TcpExt: SyncookiesSent ListenDrops Other\nTcpExt: 1 2 3\n");
    write_file("/proc/net/snmp6", "Ip6InOctets 99\nIp6Nothing 1\nUdpLite6InErrors 4\n");
    write_file("/proc/net/sockstat",
               "sockets: used 200\nTCP: inuse 5 orphan 0 tw 1 alloc 9 mem 2\n");
    write_file("/proc/net/udp", "  sl  local_address rem_address   st tx_queue rx_queue\n"
                                "  1: 0100007F:1F90 00000000:0000 07 00000010:00000020 00:0 0\n");
    write_file("/proc/net/arp", "IP address HW type Flags HW address Mask Device\n"
                                "10.0.0.1 0x1 0x2 aa:bb * eth0\n10.0.0.2 0x1 0x2 aa:bc * eth0\n");
    write_file("/sys/class/net/eth0/operstate", "up\n");
    write_file("/sys/class/net/eth0/speed", "1000\n");
    write_file("/sys/class/net/eth0/mtu", "1500\n");
    write_file("/sys/class/net/eth0/flags", "0x1003\n");
    write_file("/sys/class/net/lo/operstate", "unknown\n");
    write_file("/sys/class/net/lo/speed", "-1\n");
    struct input_host *h = new_host();
    struct buf out = collect(h, NOW_NS);
    assert_has(&out, "node_network_receive_bytes_total{device=\"eth0\"} 1000");
    assert_has(&out, "node_network_transmit_compressed_total{device=\"eth0\"} 3");
    assert_has(&out, "node_netstat_Tcp_CurrEstab 5");
    assert_has(&out, "node_netstat_TcpExt_ListenDrops 2");
    assert_has(&out, "node_netstat_Ip6_InOctets 99");
    assert_has(&out, "node_netstat_UdpLite6_InErrors 4");
    assert_lacks(&out, "RtoMin");
    assert_has(&out, "node_sockstat_sockets_used 200");
    assert_has(&out, "node_sockstat_TCP_tw 1");
    assert_has(&out, "node_udp_queues{ip=\"v4\", queue=\"rx\"} 32");
    assert_has(&out, "node_arp_entries{device=\"eth0\"} 2");
    assert_has(&out, "node_network_up{device=\"eth0\"} 1");
    assert_has(&out, "node_network_up{device=\"lo\"} 0");
    assert_has(&out, "node_network_speed_bytes{device=\"eth0\"} 125000000");
    assert_lacks(&out, "node_network_speed_bytes{device=\"lo\"}");
    assert_has(&out, "node_network_flags{device=\"eth0\"} 4099");
    buf_deinit(&out);
    input_host_free(h);
}

static void reads_sensors(void **state)
{
    (void)state;
    char target[256], link_path[256];
    write_file("/sys/devices/platform/coretemp.0/hwmon/hwmon0/name", "coretemp\n");
    write_file("/sys/devices/platform/coretemp.0/hwmon/hwmon0/temp1_input", "45500\n");
    write_file("/sys/devices/platform/coretemp.0/hwmon/hwmon0/temp1_crit", "100000\n");
    write_file("/sys/devices/platform/coretemp.0/hwmon/hwmon0/temp1_crit_alarm", "0\n");
    write_file("/sys/devices/platform/coretemp.0/hwmon/hwmon0/temp1_label", "Package id 0\n");
    write_file("/sys/devices/platform/coretemp.0/hwmon/hwmon0/fan2_input", "1200\n");
    write_file("/sys/class/hwmon/x", "");
    snprintf(target, sizeof(target), "%s/sys/devices/platform/coretemp.0/hwmon/hwmon0", root);
    snprintf(link_path, sizeof(link_path), "%s/sys/class/hwmon/hwmon0", root);
    assert_int_equal(symlink(target, link_path), 0);
    snprintf(link_path, sizeof(link_path), "%s/device", target);
    snprintf(target, sizeof(target), "%s/sys/devices/platform/coretemp.0", root);
    assert_int_equal(symlink(target, link_path), 0);
    write_file("/sys/class/thermal/thermal_zone0/type", "x86_pkg_temp\n");
    write_file("/sys/class/thermal/thermal_zone0/temp", "51000\n");
    write_file("/sys/class/power_supply/BAT0/capacity", "87\n");
    struct input_host *h = new_host();
    struct buf out = collect(h, NOW_NS);
    assert_has(&out,
               "node_hwmon_temp_celsius{chip=\"platform_coretemp_0\", sensor=\"temp1\"} 45.5");
    assert_has(&out,
               "node_hwmon_temp_crit_celsius{chip=\"platform_coretemp_0\", sensor=\"temp1\"} 100");
    assert_has(
        &out,
        "node_hwmon_temp_crit_alarm_celsius{chip=\"platform_coretemp_0\", sensor=\"temp1\"} 0");
    assert_has(&out, "node_hwmon_sensor_label{chip=\"platform_coretemp_0\", label=\"Package id "
                     "0\", sensor=\"temp1\"} 1");
    assert_has(&out,
               "node_hwmon_chip_names{chip=\"platform_coretemp_0\", chip_name=\"coretemp\"} 1");
    assert_has(&out, "node_hwmon_fan_rpm{chip=\"platform_coretemp_0\", sensor=\"fan2\"} 1200");
    assert_has(&out, "node_thermal_zone_temp{type=\"x86_pkg_temp\", zone=\"0\"} 51");
    assert_has(&out, "node_power_supply_capacity{power_supply=\"BAT0\"} 87");
    buf_deinit(&out);
    input_host_free(h);
}

static void write_process(int pid, const char *comm, int cpu_ticks, int rss_pages)
{
    char path[64], text[512];
    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    snprintf(text, sizeof(text), "%d (%s) S 1 1 1 0 -1 0 0 0 0 0 %d 0 0 0 20 0 2 0 %d 1000 %d 0\n",
             pid, comm, cpu_ticks, pid * 10, rss_pages);
    write_file(path, text);
}

static void keeps_the_busiest_processes(void **state)
{
    (void)state;
    for (int pid = 1; pid <= 40; pid++)
        write_process(pid, "idle", 0, 1);
    write_process(50, "big (mem) one", 0, 100000);
    write_process(51, "busy", 1000, 1);
    write_file("/proc/51/io", "rchar: 1\nread_bytes: 4096\nwrite_bytes: 8192\n");
    struct input_host *h = new_host();
    struct buf out = collect(h, NOW_NS);
    assert_has(&out, "node_processes_pids 42");
    assert_has(&out, "node_processes_threads 84");
    assert_has(&out, "node_processes_state{state=\"S\"} 42");
    buf_deinit(&out);
    /* From now on only what used CPU since counts as busy. */
    write_process(51, "busy", 1500, 1);
    write_process(7, "idle", 10, 1);
    out = collect(h, NOW_NS + 10 * NS_PER_SEC);
    struct buf line = {0};
    /* User of the file's owner; names come from <rootfs>/etc/passwd, which is not there. */
    buf_printf(&line, "pharos_process_cpu_seconds_total{comm=\"busy\", pid=\"51\", user=\"%u\"} 15",
               (unsigned)getuid());
    assert_has(&out, buf_cstr(&line));
    buf_clear(&line);
    buf_printf(
        &line,
        "pharos_process_resident_memory_bytes{comm=\"big (mem) one\", pid=\"50\", user=\"%u\"} %ld",
        (unsigned)getuid(), 100000L * sysconf(_SC_PAGESIZE));
    assert_has(&out, buf_cstr(&line));
    buf_clear(&line);
    buf_printf(&line,
               "pharos_process_written_bytes_total{comm=\"busy\", pid=\"51\", user=\"%u\"} 8192",
               (unsigned)getuid());
    assert_has(&out, buf_cstr(&line));
    size_t shown = 0;
    struct slice rest = buf_slice(&out), one;
    while (rest.len && slice_split(&rest, '\n', &one))
        shown += slice_starts_with(one, SLICE("pharos_process_threads{"));
    assert_in_range(shown, 2, 30);
    buf_deinit(&line);
    buf_deinit(&out);
    input_host_free(h);
}

static void reads_control_groups(void **state)
{
    (void)state;
    write_file("/sys/fs/cgroup/cgroup.controllers", "cpu memory\n");
    write_file("/sys/fs/cgroup/cgroup.procs", "");
    write_file("/sys/fs/cgroup/app.slice/cgroup.procs", "1\n");
    write_file("/sys/fs/cgroup/app.slice/cpu.stat",
               "usage_usec 1500000\nuser_usec 1000000\nthrottled_usec 2000000\nnr_throttled 3\n");
    write_file("/sys/fs/cgroup/app.slice/memory.current", "1000\n");
    write_file("/sys/fs/cgroup/app.slice/memory.max", "max\n");
    write_file("/sys/fs/cgroup/app.slice/memory.stat", "anon 300\nfile 500\ninactive_file 400\n");
    write_file("/sys/fs/cgroup/app.slice/io.stat",
               "8:0 rbytes=10 wbytes=20 rios=1\n8:16 rbytes=1 wbytes=2\n");
    write_file("/sys/fs/cgroup/app.slice/db.scope/cgroup.procs", "2\n");
    write_file("/sys/fs/cgroup/app.slice/db.scope/pids.current", "4\n");
    struct input_host *h = new_host();
    struct buf out = collect(h, NOW_NS);
    assert_has(&out, "container_cpu_usage_seconds_total{id=\"/app.slice\"} 1.5");
    assert_has(&out, "container_cpu_cfs_throttled_seconds_total{id=\"/app.slice\"} 2");
    assert_has(&out, "container_memory_working_set_bytes{id=\"/app.slice\"} 600");
    assert_has(&out, "container_spec_memory_limit_bytes{id=\"/app.slice\"} 0");
    assert_has(&out, "container_fs_writes_bytes_total{id=\"/app.slice\"} 22");
    assert_has(&out, "container_processes{id=\"/app.slice/db.scope\"} 4");
    buf_deinit(&out);
    input_host_free(h);
}

static void an_empty_machine_is_no_error(void **state)
{
    (void)state;
    struct input_host *h = new_host();
    struct buf out = collect(h, NOW_NS);
    assert_has(&out, "up 1");
    buf_deinit(&out);
    input_host_free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_cpu_and_memory, make_root, remove_root),
        cmocka_unit_test_setup_teardown(reads_disks_and_file_systems, make_root, remove_root),
        cmocka_unit_test_setup_teardown(reads_network, make_root, remove_root),
        cmocka_unit_test_setup_teardown(reads_sensors, make_root, remove_root),
        cmocka_unit_test_setup_teardown(keeps_the_busiest_processes, make_root, remove_root),
        cmocka_unit_test_setup_teardown(reads_control_groups, make_root, remove_root),
        cmocka_unit_test_setup_teardown(an_empty_machine_is_no_error, make_root, remove_root),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
