// Which hosts there are, and which one the page shows.

import { matcher } from '../../api/expr';
import { useLoad } from '../../api/live';
import { prom, toNumber } from '../../api/prom';
import { fetchStatus } from '../../api/status';
import { medianGapMs, scrapeMs } from '../../api/interval';
import { current } from '../../shell/router';
import type { HostId } from './queries';

let hostname: string | undefined;

async function ownHostname(signal: AbortSignal): Promise<string> {
  if (hostname === undefined) {
    try {
      hostname = (await fetchStatus(signal)).hostname;
    } catch {
      return '';
    }
  }
  return hostname;
}

function sameHost(a: HostId, b: HostId): boolean {
  return a.job === b.job && a.instance === b.instance;
}

/** Hosts that sent node_load1 in the range, the own host first. */
export function useHosts() {
  return useLoad(async (signal, r) => {
    const [own, series] = await Promise.all([
      ownHostname(signal),
      prom.series(['node_load1'], r.fromMs, r.toMs, signal),
    ]);
    const hosts: HostId[] = [];
    for (const s of series.data) {
      const h = { job: s['job'] ?? '', instance: s['instance'] ?? '' };
      if (!hosts.some((x) => sameHost(x, h))) hosts.push(h);
    }
    const score = (h: HostId) => (h.instance === own ? 2 : 0) + (h.job === 'node' ? 1 : 0);
    hosts.sort((a, b) => score(b) - score(a) || a.instance.localeCompare(b.instance) || a.job.localeCompare(b.job));
    return hosts;
  }, []);
}

/** The host asked for in the address (var-instance, var-job), else the first. */
export function pickHost(hosts: HostId[]): HostId | undefined {
  const p = current.value.params;
  const instance = p.get('var-instance');
  const job = p.get('var-job');
  if (instance === null) return hosts[0];
  return (
    hosts.find((h) => h.instance === instance && (job === null || h.job === job)) ??
    // Asked for by name, silent in this range: say so for this one, not for another.
    { instance, job: job ?? hosts[0]?.job ?? 'node' }
  );
}

/** Learns how often the host is collected, from the distance of its raw samples. */
export async function learnInterval(h: HostId, signal: AbortSignal): Promise<void> {
  const expr = `node_load1{${matcher(['job', '=', h.job])},${matcher(['instance', '=', h.instance])}}[5m]`;
  const a = await prom.query(expr, undefined, signal);
  if (a.data.resultType !== 'matrix') return;
  const gap = medianGapMs((a.data.result[0]?.values ?? []).map(([t]) => t));
  if (gap !== null) scrapeMs.value = gap;
}

/** Facts that do not move: the value of an info metric's label, or a single number. */
export async function instantNumber(expr: string, timeMs: number, signal: AbortSignal): Promise<number | null> {
  const a = await prom.query(expr, timeMs, signal);
  if (a.data.resultType !== 'vector') return null;
  const v = a.data.result[0]?.value?.[1];
  return v === undefined ? null : toNumber(v);
}
