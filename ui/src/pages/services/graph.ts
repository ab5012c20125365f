// The calls between services as nodes and edges to draw.

import { format } from '../../format/units';
import type { GraphEdge, GraphLink, GraphNode } from '../../graph/NodeGraph';
import { share, type Call, type Service } from './data';

const TYPES: Record<string, string> = { database: 'database', messaging_system: 'messaging', virtual_node: 'outside' };

export const percent = (v: number): string => (v > 0 && v < 0.001 ? '<0.1%' : format(v * 100, 'percent', v > 0 && v < 0.1 ? 1 : 0));
const rateText = (v: number): string => format(v, 'reqps');
const secondsText = (v: number | null): string => (v === null ? '' : format(v, 's'));

/** Lines grow with the logarithm of what goes along them. */
export function thickness(rate: number, most: number): number {
  if (!(rate > 0) || !(most > 0)) return 1;
  return 1 + 4 * Math.min(1, Math.log1p(rate) / Math.log1p(most));
}

export function callGraph(calls: Call[], services: Service[], links: (name: string, known: boolean) => GraphLink[]): { nodes: GraphNode[]; edges: GraphEdge[] } {
  const known = new Map(services.map((s) => [s.name, s]));
  const nodes = new Map<string, { name: string; type: string; rate: number; failed: number; weighed: number; measured: number }>();
  const node = (name: string) => {
    let n = nodes.get(name);
    if (!n) nodes.set(name, (n = { name, type: '', rate: 0, failed: 0, weighed: 0, measured: 0 }));
    return n;
  };
  for (const c of calls) {
    const from = node(c.client);
    const to = node(c.server);
    if (c.type === 'database' || c.type === 'messaging_system') to.type = c.type;
    if (c.type === 'virtual_node' && !known.has(c.client)) from.type = c.type;
    if (c.type === 'virtual_node' && !known.has(c.server)) to.type = c.type;
    to.rate += c.rate;
    to.failed += c.failed;
    if (c.seconds !== null) {
      to.weighed += c.seconds * c.rate;
      to.measured += c.rate;
    }
  }
  for (const s of services) if (s.rate > 0) node(s.name);
  const most = Math.max(0, ...calls.map((c) => c.rate));
  return {
    nodes: [...nodes.values()].map((n) => {
      // A service's own spans know more than its callers.
      const s = known.get(n.name);
      const f = s && s.rate > 0 ? s : { rate: n.rate, failed: n.failed, p95: null };
      const bad = share(f);
      const mean = n.measured > 0 ? n.weighed / n.measured : null;
      const latency = s?.p95 ?? mean;
      const details: [string, string][] = [];
      if (s?.p50 != null) details.push(['p50', secondsText(s.p50)]);
      if (s?.p95 != null) details.push(['p95', secondsText(s.p95)]);
      if (s?.p99 != null) details.push(['p99', secondsText(s.p99)]);
      if (mean !== null) details.push(['Mean, as its callers see it', secondsText(mean)]);
      return {
        id: n.name,
        title: n.name,
        subtitle: TYPES[n.type] ?? '',
        mainStat: f.rate > 0 ? secondsText(latency) : '',
        secondaryStat: f.rate > 0 ? rateText(f.rate) : '',
        ...(f.rate > 0
          ? {
              arcs: [
                { color: 'var(--good)', share: 1 - bad, label: 'Succeeded' },
                { color: 'var(--bad)', share: bad, label: 'Failed' },
              ],
            }
          : { color: 'var(--line-2)' }),
        faint: !s,
        details,
        links: links(n.name, s !== undefined),
      };
    }),
    edges: calls.map((c) => ({
      id: `${c.client}\x01${c.server}\x01${c.type}`,
      source: c.client,
      target: c.server,
      mainStat: rateText(c.rate),
      secondaryStat: secondsText(c.seconds),
      ...(share(c) > 0 ? { color: 'var(--bad)' } : {}),
      thickness: thickness(c.rate, most),
      ...(c.type === 'messaging_system' ? { dash: '6 4' } : {}),
      details: [['Calls', rateText(c.rate)], ['Failed', percent(share(c))], ...(c.seconds !== null ? [['Mean', secondsText(c.seconds)]] : []), ...(c.p95 !== null ? [['p95', secondsText(c.p95)]] : [])] as [string, string][],
    })),
  };
}
