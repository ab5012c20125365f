// The expressions of the host page. All names are node_exporter's, so the page shows any host that
// anything scrapes or pushes with them; the per-process series are Pharos' own.

import { selector, type Matcher } from '../../api/expr';

export interface HostId {
  job: string;
  instance: string;
}

const VIRTUAL_NET = 'lo|veth.*|docker.*|br-.*|virbr.*|cni.*|flannel.*|cali.*|tunl.*|ifb.*|dummy.*';
const VIRTUAL_DISK = 'loop.*|ram.*|sr[0-9]+|fd[0-9]+|zram.*';

export function hostQueries(h: HostId) {
  const base: Matcher[] = [
    ['job', '=', h.job],
    ['instance', '=', h.instance],
  ];
  const m = (name: string, ...more: Matcher[]) => selector(name, [...base, ...more]);
  const rate = (name: string, ...more: Matcher[]) => `rate(${m(name, ...more)}[$__rate_interval])`;
  const disk: Matcher = ['device', '!~', VIRTUAL_DISK];
  const net: Matcher = ['device', '!~', VIRTUAL_NET];
  const own: Matcher[] = [['instance', '=', h.instance]];

  return {
    uname: m('node_uname_info'),
    os: m('node_os_info'),
    samples: `${m('node_load1')}[3m]`,
    cores: `count(count by (cpu) (${m('node_cpu_seconds_total')}))`,

    // By the time of all modes, not of the clock: in a window that is not yet full a rate is too low, and a new host looked busy.
    cpuBusy: `100 * (1 - sum(${rate('node_cpu_seconds_total', ['mode', '=', 'idle'])}) / sum(${rate('node_cpu_seconds_total')}))`,
    cpuModes: `100 * avg by (mode) (${rate('node_cpu_seconds_total', ['mode', '!=', 'idle'])})`,
    cpuCores: `100 * (1 - sum by (cpu) (${rate('node_cpu_seconds_total', ['mode', '=', 'idle'])}) / sum by (cpu) (${rate('node_cpu_seconds_total')}))`,
    load1: m('node_load1'),
    load5: m('node_load5'),
    load15: m('node_load15'),

    memTotal: m('node_memory_MemTotal_bytes'),
    memAvailable: m('node_memory_MemAvailable_bytes'),
    memUsedPct: `100 * (1 - ${m('node_memory_MemAvailable_bytes')} / ${m('node_memory_MemTotal_bytes')})`,
    memApps:
      `${m('node_memory_MemTotal_bytes')} - ${m('node_memory_MemFree_bytes')} - ${m('node_memory_Buffers_bytes')}` +
      ` - ${m('node_memory_Cached_bytes')} - ${m('node_memory_SReclaimable_bytes')}`,
    memShared: m('node_memory_Shmem_bytes'),
    memCache:
      `${m('node_memory_Cached_bytes')} + ${m('node_memory_SReclaimable_bytes')} - ${m('node_memory_Shmem_bytes')}`,
    memBuffers: m('node_memory_Buffers_bytes'),
    memFree: m('node_memory_MemFree_bytes'),
    swapTotal: m('node_memory_SwapTotal_bytes'),
    swapUsed: `${m('node_memory_SwapTotal_bytes')} - ${m('node_memory_SwapFree_bytes')}`,
    swapIn: rate('node_vmstat_pswpin'),
    swapOut: rate('node_vmstat_pswpout'),
    majorFaults: rate('node_vmstat_pgmajfault'),
    pressureCpu: rate('node_pressure_cpu_waiting_seconds_total'),
    pressureMemory: rate('node_pressure_memory_waiting_seconds_total'),
    pressureIo: rate('node_pressure_io_waiting_seconds_total'),

    fsSize: m('node_filesystem_size_bytes'),
    fsAvail: m('node_filesystem_avail_bytes'),
    fsFree: m('node_filesystem_free_bytes'),
    fsFiles: m('node_filesystem_files'),
    fsFilesFree: m('node_filesystem_files_free'),
    rootUsedPct:
      `100 * (1 - max(${m('node_filesystem_avail_bytes', ['mountpoint', '=', '/'])})` +
      ` / max(${m('node_filesystem_size_bytes', ['mountpoint', '=', '/'])}))`,
    rootSize: `max(${m('node_filesystem_size_bytes', ['mountpoint', '=', '/'])})`,
    rootAvail: `max(${m('node_filesystem_avail_bytes', ['mountpoint', '=', '/'])})`,

    diskRead: rate('node_disk_read_bytes_total', disk),
    diskWrite: rate('node_disk_written_bytes_total', disk),
    diskReads: rate('node_disk_reads_completed_total', disk),
    diskWrites: rate('node_disk_writes_completed_total', disk),
    diskBusy: rate('node_disk_io_time_seconds_total', disk),
    diskReadWait: `${rate('node_disk_read_time_seconds_total', disk)} / ${rate('node_disk_reads_completed_total', disk)}`,
    diskWriteWait: `${rate('node_disk_write_time_seconds_total', disk)} / ${rate('node_disk_writes_completed_total', disk)}`,

    netIn: `8 * ${rate('node_network_receive_bytes_total', net)}`,
    netOut: `8 * ${rate('node_network_transmit_bytes_total', net)}`,
    netInSum: `8 * sum(${rate('node_network_receive_bytes_total', net)})`,
    netOutSum: `8 * sum(${rate('node_network_transmit_bytes_total', net)})`,
    netInErrors: rate('node_network_receive_errs_total', net),
    netOutErrors: rate('node_network_transmit_errs_total', net),
    netInDrops: rate('node_network_receive_drop_total', net),
    netOutDrops: rate('node_network_transmit_drop_total', net),
    netPacketsIn: rate('node_network_receive_packets_total', net),
    netPacketsOut: rate('node_network_transmit_packets_total', net),
    tcpInUse: m('node_sockstat_TCP_inuse'),
    tcpAlloc: m('node_sockstat_TCP_alloc'),
    tcpTimeWait: m('node_sockstat_TCP_tw'),
    udpInUse: m('node_sockstat_UDP_inuse'),
    retransmits: rate('node_netstat_Tcp_RetransSegs'),

    running: m('node_procs_running'),
    blocked: m('node_procs_blocked'),
    forks: rate('node_forks_total'),
    switches: rate('node_context_switches_total'),
    interrupts: rate('node_intr_total'),
    fds: m('node_filefd_allocated'),
    fdsMax: m('node_filefd_maximum'),
    temps: m('node_hwmon_temp_celsius'),
    zones: m('node_thermal_zone_temp'),
    tempMax: `max(${m('node_hwmon_temp_celsius')}) or max(${m('node_thermal_zone_temp')})`,
    boot: m('node_boot_time_seconds'),
    uptime: `${m('node_time_seconds')} - ${m('node_boot_time_seconds')}`,

    procCpu: `rate(${selector('pharos_process_cpu_seconds_total', own)}[$__rate_interval])`,
    procMemory: selector('pharos_process_resident_memory_bytes', own),
    procRead: `rate(${selector('pharos_process_read_bytes_total', own)}[$__rate_interval])`,
    procWritten: `rate(${selector('pharos_process_written_bytes_total', own)}[$__rate_interval])`,
    procThreads: selector('pharos_process_threads', own),
  };
}

export type HostQueries = ReturnType<typeof hostQueries>;
