// One host, top to bottom: summary, CPU, memory, disks, network, processes, the rest.

import { useEffect, useMemo } from 'preact/hooks';
import { useLoad } from '../../api/live';
import type { Labels } from '../../api/prom';
import { prom } from '../../api/prom';
import type { ColorName } from '../../chart/colors';
import { Failure, Panel } from '../../chart/Panel';
import { format } from '../../format/units';
import { Icon } from '../../shell/icons';
import { current, href, setParams } from '../../shell/router';
import { describeRange } from '../../time/grammar';
import { rawRange, setRange, zone } from '../../time/state';
import { Filesystems } from './Filesystems';
import { instantNumber, learnInterval, pickHost, useHosts } from './instances';
import { Processes } from './Processes';
import { hostQueries, type HostId, type HostQueries } from './queries';
import { Tiles } from './Tiles';
import './host.css';

const MODE_COLORS: Record<string, ColorName> = {
  user: 'blue',
  system: 'amber',
  iowait: 'red',
  nice: 'sky',
  irq: 'pink',
  softirq: 'purple',
  steal: 'orange',
  guest: 'green',
  guest_nice: 'lime',
};
const MODE_ORDER = ['system', 'user', 'nice', 'iowait', 'irq', 'softirq', 'steal', 'guest', 'guest_nice'];
const modeColor = (l: Labels) => MODE_COLORS[l['mode'] ?? ''];

function HostPicker({ hosts, host }: { hosts: HostId[]; host: HostId }) {
  const jobs = new Set(hosts.map((h) => h.job)).size;
  const list = hosts.some((h) => h.instance === host.instance && h.job === host.job) ? hosts : [host, ...hosts];
  if (list.length < 2) return null;
  return (
    <label class="host-pick">
      <span class="sr">Host</span>
      <select
        value={list.findIndex((h) => h.instance === host.instance && h.job === host.job)}
        onChange={(e) => {
          const h = list[Number(e.currentTarget.value)]!;
          setParams({ 'var-instance': h.instance, 'var-job': jobs > 1 ? h.job : null }, true);
        }}
      >
        {list.map((h, i) => (
          <option key={`${h.job}|${h.instance}`} value={i}>
            {jobs > 1 ? `${h.instance} (${h.job})` : h.instance}
          </option>
        ))}
      </select>
      <span class="dim">{list.length} hosts</span>
    </label>
  );
}

function Facts({ q, host }: { q: HostQueries; host: HostId }) {
  const facts = useLoad(
    async (signal, r) => {
      const at = Math.min(r.toMs, Date.now());
      const [uname, os, cores, mem] = await Promise.all([
        prom.query(q.uname, at, signal).catch(() => null),
        prom.query(q.os, at, signal).catch(() => null),
        instantNumber(q.cores, at, signal).catch(() => null),
        instantNumber(q.memTotal, at, signal).catch(() => null),
      ]);
      const label = (a: typeof uname, name: string) =>
        a && a.data.resultType === 'vector' ? a.data.result[0]?.metric[name] : undefined;
      return [
        label(os, 'pretty_name') ?? label(uname, 'sysname'),
        label(uname, 'release'),
        label(uname, 'machine'),
        cores ? `${cores} core${cores === 1 ? '' : 's'}` : undefined,
        mem ? format(mem, 'bytes') : undefined,
      ].filter((x): x is string => !!x);
    },
    [q.uname],
  );
  return (
    <div class="facts dim" aria-label={`About ${host.instance}`}>
      {(facts.value ?? []).map((f) => (
        <span key={f}>{f}</span>
      ))}
    </div>
  );
}

function NoHost() {
  const raw = rawRange.value;
  const said = describeRange(raw, { nowMs: Date.now(), zone: zone.value });
  return (
    <div class="page">
      <div class="empty big">
        <Icon name="host" size={34} />
        <h1>No host metrics in this time range</h1>
        <p>
          Nothing reported <code>node_load1</code> in “{said}”. Pharos watches its own host unless <code>host.collect</code> is <code>off</code>; a first
          sample appears within ten seconds of its start.
        </p>
        <p>
          Other hosts show up here as soon as a node_exporter is scraped, or a Prometheus sends its samples by remote write: the{' '}
          <a data-link href={href('/status')}>
            status page
          </a>{' '}
          has the lines to paste.
        </p>
        {raw.to !== 'now' && (
          <button type="button" class="btn primary" onClick={() => setRange({ from: 'now-30m', to: 'now' })}>
            Show the last 30 minutes
          </button>
        )}
      </div>
    </div>
  );
}

function Section({ id, title }: { id: string; title: string }) {
  return (
    <h2 class="section" id={id}>
      {title}
    </h2>
  );
}

function Panels({ q, host }: { q: HostQueries; host: HostId }) {
  return (
    <div class="grid">
      <Section id="cpu" title="CPU" />
      <Panel
        title="CPU by mode"
        class="w6"
        help="Share of all cores spent in each mode; what is missing to 100 % was idle."
        unit="percent"
        stack
        min={0}
        softMax={20}
        height={230}
        queries={[{ expr: q.cpuModes, legend: '{{mode}}', color: modeColor }]}
        sort={(a, b) => MODE_ORDER.indexOf(a.label) - MODE_ORDER.indexOf(b.label)}
      />
      <Panel
        title="CPU by core"
        class="w3"
        help="How busy each core was."
        unit="percent"
        min={0}
        max={100}
        height={230}
        limit={64}
        queries={[{ expr: q.cpuCores, legend: 'core {{cpu}}' }]}
        sort={(a, b) => a.label.localeCompare(b.label, 'en', { numeric: true })}
      />
      <Panel
        title="Load"
        class="w3"
        help="Processes that run or wait to run, averaged over 1, 5 and 15 minutes. Above the number of cores they queue."
        unit="none"
        min={0}
        height={230}
        queries={[
          { expr: q.load1, legend: '1 min', color: 'blue', fill: 0.12 },
          { expr: q.load5, legend: '5 min', color: 'teal' },
          { expr: q.load15, legend: '15 min', color: 'purple' },
          { expr: q.cores, legend: 'cores', color: 'red', dash: true },
        ]}
      />
      <Panel
        title="Pressure"
        class="w6"
        help="Share of time in which at least one task waited for CPU, memory or I/O (Linux PSI)."
        unit="percentunit"
        min={0}
        softMax={0.05}
        height={170}
        hideEmpty
        queries={[
          { expr: q.pressureCpu, legend: 'CPU', color: 'blue' },
          { expr: q.pressureMemory, legend: 'memory', color: 'purple' },
          { expr: q.pressureIo, legend: 'I/O', color: 'red' },
        ]}
      />
      <Panel
        title="Scheduler"
        class="w6"
        help="Context switches and interrupts a second."
        unit="short"
        min={0}
        height={170}
        queries={[
          { expr: q.switches, legend: 'context switches', color: 'blue' },
          { expr: q.interrupts, legend: 'interrupts', color: 'amber' },
        ]}
      />

      <Section id="memory" title="Memory" />
      <Panel
        title="Memory"
        class="w6"
        help="What memory is used for. Cache and buffers are given back when programs need them."
        unit="bytes"
        stack
        min={0}
        height={230}
        queries={[
          { expr: q.memApps, legend: 'programs', color: 'purple' },
          { expr: q.memShared, legend: 'shared', color: 'pink' },
          { expr: q.memCache, legend: 'cache', color: 'blue', fill: 0.32 },
          { expr: q.memBuffers, legend: 'buffers', color: 'teal', fill: 0.32 },
          { expr: q.memFree, legend: 'free', color: 'gray', fill: 0.1 },
        ]}
      />
      <Panel
        title="Swap"
        class="w3"
        unit="bytes"
        min={0}
        height={230}
        queries={[
          { expr: q.swapUsed, legend: 'used', color: 'pink', fill: 0.2 },
          { expr: q.swapTotal, legend: 'size', color: 'gray', dash: true },
        ]}
        empty="This host reports no swap."
      />
      <Panel
        title="Paging"
        class="w3"
        help="Pages swapped in (up) and out (down) a second, and faults that had to read from disk."
        unit="short"
        height={230}
        queries={[
          { expr: q.majorFaults, legend: 'major faults', color: 'red' },
          { expr: q.swapIn, legend: 'swap in', color: 'blue' },
          { expr: q.swapOut, legend: 'swap out', color: 'amber', negate: true },
        ]}
      />

      <Section id="disk" title="Disks and file systems" />
      <Filesystems q={q} />
      <Panel
        title="Disk throughput"
        class="w3"
        help="Read above, written below the line."
        unit="binBps"
        height={200}
        queries={[
          { expr: q.diskRead, legend: '{{device}} read', fill: 0.14 },
          { expr: q.diskWrite, legend: '{{device}} written', negate: true, fill: 0.14 },
        ]}
        empty="No disks were reported. Inside a container there may be none."
      />
      <Panel
        title="Disk operations"
        class="w3"
        help="Reads above, writes below the line."
        unit="iops"
        height={200}
        queries={[
          { expr: q.diskReads, legend: '{{device}} reads', fill: 0.14 },
          { expr: q.diskWrites, legend: '{{device}} writes', negate: true, fill: 0.14 },
        ]}
      />
      <Panel
        title="Disk busy"
        class="w3"
        help="Share of time the device had work to do."
        unit="percentunit"
        min={0}
        softMax={0.1}
        height={200}
        queries={[{ expr: q.diskBusy, legend: '{{device}}' }]}
      />
      <Panel
        title="Disk latency"
        class="w3"
        help="Mean time a request took. Gaps are times without requests."
        unit="s"
        min={0}
        height={200}
        queries={[
          { expr: q.diskReadWait, legend: '{{device}} read' },
          { expr: q.diskWriteWait, legend: '{{device}} write' },
        ]}
        empty="No requests in this time range."
      />

      <Section id="network" title="Network" />
      <Panel
        title="Network traffic"
        class="w6"
        help="Received above, sent below the line. Loopback and container interfaces are left out."
        unit="bps"
        height={220}
        queries={[
          { expr: q.netIn, legend: '{{device}} in', fill: 0.16 },
          { expr: q.netOut, legend: '{{device}} out', negate: true, fill: 0.16 },
        ]}
        empty="No network interface besides loopback was reported."
      />
      <Panel
        title="Sockets"
        class="w3"
        unit="short"
        min={0}
        height={220}
        queries={[
          { expr: q.tcpInUse, legend: 'TCP in use', color: 'blue' },
          { expr: q.tcpAlloc, legend: 'TCP allocated', color: 'teal' },
          { expr: q.tcpTimeWait, legend: 'TCP time wait', color: 'amber' },
          { expr: q.udpInUse, legend: 'UDP in use', color: 'purple' },
        ]}
      />
      <Panel
        title="Network trouble"
        class="w3"
        help="Errors, drops and TCP retransmissions a second; the outgoing ones below the line."
        unit="short"
        height={220}
        queries={[
          { expr: q.netInErrors, legend: '{{device}} in errors' },
          { expr: q.netInDrops, legend: '{{device}} in drops' },
          { expr: q.netOutErrors, legend: '{{device}} out errors', negate: true },
          { expr: q.netOutDrops, legend: '{{device}} out drops', negate: true },
          { expr: q.retransmits, legend: 'retransmissions', color: 'red', negate: true },
        ]}
      />

      <Section id="processes" title="Processes" />
      <Processes q={q} host={host} />

      <Section id="system" title="System" />
      <Panel
        title="Tasks"
        class="w4"
        help="Processes that run or wait for the CPU, and those that wait for I/O."
        unit="short"
        min={0}
        height={180}
        queries={[
          { expr: q.running, legend: 'running', color: 'blue' },
          { expr: q.blocked, legend: 'blocked', color: 'red' },
        ]}
      />
      <Panel title="New processes" class="w4" help="Processes started a second." unit="short" min={0} height={180} queries={[{ expr: q.forks, legend: 'forks', color: 'teal' }]} />
      <Panel title="Open files" class="w4" help="File handles in use on the whole host." unit="short" min={0} height={180} queries={[{ expr: q.fds, legend: 'open', color: 'purple' }]} />
      <Panel
        title="Temperatures"
        class="w12"
        unit="celsius"
        height={200}
        hideEmpty
        queries={[
          { expr: q.temps, legend: '{{chip}} {{sensor}}' },
          { expr: q.zones, legend: '{{type}} {{zone}}' },
        ]}
      />
    </div>
  );
}

export function HostPage() {
  const hosts = useHosts();
  // Subscribes to var-instance.
  void current.value;
  const host = hosts.value ? pickHost(hosts.value) : undefined;
  const id = host ? `${host.job}|${host.instance}` : '';
  const q = useMemo(() => (host ? hostQueries(host) : undefined), [id]);

  useEffect(() => {
    if (!host) return;
    const abort = new AbortController();
    learnInterval(host, abort.signal).catch(() => undefined);
    return () => abort.abort();
  }, [id]);

  if (!host || !q) {
    if (hosts.error) {
      return (
        <div class="page">
          <Failure error={hosts.error} />
        </div>
      );
    }
    return hosts.value ? <NoHost /> : <div class="page" aria-busy="true" />;
  }
  return (
    <div class="page" key={id}>
      <div class="page-head">
        <h1>{host.instance || 'Host'}</h1>
        <HostPicker hosts={hosts.value ?? []} host={host} />
        <Facts q={q} host={host} />
      </div>
      {hosts.error && <Failure error={hosts.error} />}
      <Tiles q={q} />
      <Panels q={q} host={host} />
    </div>
  );
}
