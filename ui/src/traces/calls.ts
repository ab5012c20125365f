// The services of one trace and the calls between them.

import type { GraphEdge, GraphNode } from '../graph/NodeGraph';
import { nsText } from './text';
import type { Trace } from './trace';

export function traceGraph(t: Trace, color: (service: number) => string, link: (service: string) => string): { nodes: GraphNode[]; edges: GraphEdge[] } {
  const services = new Map(t.services.map((s, i) => [s, { i, spans: 0, errors: 0, longest: 0 }]));
  const calls = new Map<string, { from: string; to: string; n: number; errors: number; longest: number }>();
  // Spans lie depth first: the one above is the last of a depth less.
  const above: string[] = [];
  for (const s of t.spans) {
    const own = services.get(s.service)!;
    own.spans++;
    own.errors += Number(s.error);
    own.longest = Math.max(own.longest, s.durationNs);
    const parent = s.depth > 0 ? above[s.depth - 1] : undefined;
    above[s.depth] = s.service;
    if (parent === undefined || parent === s.service) continue;
    const key = `${parent}\x01${s.service}`;
    let c = calls.get(key);
    if (!c) calls.set(key, (c = { from: parent, to: s.service, n: 0, errors: 0, longest: 0 }));
    c.n++;
    c.errors += Number(s.error);
    c.longest = Math.max(c.longest, s.durationNs);
  }
  return {
    nodes: [...services].map(([name, s]) => ({
      id: name,
      title: name,
      mainStat: nsText(s.longest),
      secondaryStat: `${s.spans} ${s.spans === 1 ? 'span' : 'spans'}`,
      ...(s.errors > 0
        ? {
            arcs: [
              { color: color(s.i), share: 1 - s.errors / s.spans, label: 'Without error' },
              { color: 'var(--bad)', share: s.errors / s.spans, label: 'With error' },
            ],
          }
        : { color: color(s.i) }),
      links: [{ title: 'The service', href: link(name), inside: true }],
    })),
    edges: [...calls].map(([id, c]) => ({
      id,
      source: c.from,
      target: c.to,
      mainStat: `${c.n} ${c.n === 1 ? 'call' : 'calls'}`,
      secondaryStat: nsText(c.longest),
      ...(c.errors > 0 ? { color: 'var(--bad)' } : {}),
      details: [['Failed', String(c.errors)]],
    })),
  };
}
