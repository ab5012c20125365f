// The service map of Tempo's data source, made of the metrics that spans leave behind: a frame of
// services and a frame of the calls between them.

import { ask } from '../../api/multi';
import { field, frameOf, type Frame } from '../frame/frame';

const REQUESTS = 'traces_service_graph_request_total';
const FAILED = 'traces_service_graph_request_failed_total';
const SECONDS = 'traces_service_graph_request_server_seconds';

interface Edge {
  source: string;
  target: string;
  rate: number;
  failed: number;
  seconds: number;
}

/** `selector` is the inside of the braces (serviceMapQuery), or ''. */
export function serviceMapQueries(selector: string, seconds: number): { rate: string; failed: string; sum: string; count: string } {
  const inner = selector.trim().replace(/^\{|\}$/g, '');
  const over = (metric: string) => `sum by (client, server) (rate(${metric}${inner ? `{${inner}}` : ''}[${Math.max(60, Math.round(seconds))}s])) > 0`;
  return { rate: over(REQUESTS), failed: over(FAILED), sum: over(`${SECONDS}_sum`), count: over(`${SECONDS}_count`) };
}

export function serviceMapFrames(edges: Edge[], refId: string): Frame[] {
  interface Service {
    rate: number;
    failed: number;
    seconds: number;
  }
  const services = new Map<string, Service>();
  const of = (name: string): Service => {
    let s = services.get(name);
    if (!s) services.set(name, (s = { rate: 0, failed: 0, seconds: 0 }));
    return s;
  };
  for (const e of edges) {
    of(e.source);
    const s = of(e.target);
    s.rate += e.rate;
    s.failed += e.failed;
    s.seconds += e.seconds * e.rate;
  }
  const list = [...services];
  const share = (s: Service) => (s.rate > 0 ? Math.min(1, s.failed / s.rate) : 0);
  const link = (query: string) => [{ title: 'Traces of this service', url: `/traces?q=${query}` }];
  return [
    frameOf(
      [
        field('id', 'string', list.map(([n]) => n), undefined, { links: link('{resource.service.name="${__value.raw}"}') }),
        field('title', 'string', list.map(([n]) => n)),
        field('mainstat', 'number', list.map(([, s]) => (s.rate > 0 ? s.seconds / s.rate : null)), undefined, { unit: 's' }),
        field('secondarystat', 'number', list.map(([, s]) => (s.rate > 0 ? s.rate : null)), undefined, { unit: 'reqps' }),
        field('arc__success', 'number', list.map(([, s]) => 1 - share(s))),
        field('arc__failed', 'number', list.map(([, s]) => share(s))),
      ],
      { refId, kind: 'nodes', name: 'nodes' },
    ),
    frameOf(
      [
        field('id', 'string', edges.map((e) => `${e.source}_${e.target}`)),
        field('source', 'string', edges.map((e) => e.source)),
        field('target', 'string', edges.map((e) => e.target)),
        field('mainstat', 'number', edges.map((e) => e.rate), undefined, { unit: 'reqps' }),
        field('secondarystat', 'number', edges.map((e) => e.seconds), undefined, { unit: 's' }),
        field('color', 'string', edges.map((e) => (e.failed > 0 ? 'red' : ''))),
      ],
      { refId, kind: 'edges', name: 'edges' },
    ),
  ];
}

export async function serviceMap(selector: string, refId: string, fromMs: number, toMs: number, signal: AbortSignal): Promise<{ frames: Frame[]; query: string; warnings: string[] }> {
  const q = serviceMapQueries(selector, (toMs - fromMs) / 1000);
  const one = (query: string) => ask({ lang: 'promql', type: 'instant', query, fromMs, toMs }, signal);
  const [rate, failed, sum, count] = await Promise.all([one(q.rate), one(q.failed), one(q.sum), one(q.count)]);
  const key = (l: Record<string, string>) => `${l['client'] ?? ''}\x01${l['server'] ?? ''}`;
  const table = (a: typeof rate) => new Map(a.series.map((s) => [key(s.labels), s.values[0] ?? 0]));
  const f = table(failed);
  const s = table(sum);
  const n = table(count);
  const edges = rate.series.map((x): Edge => {
    const k = key(x.labels);
    return { source: x.labels['client'] ?? 'unknown', target: x.labels['server'] ?? 'unknown', rate: x.values[0] ?? 0, failed: f.get(k) ?? 0, seconds: (n.get(k) ?? 0) > 0 ? (s.get(k) ?? 0) / n.get(k)! : 0 };
  });
  const warnings = edges.length ? [] : [`No series ${REQUESTS} in this time range: spans of calls between services make them.`];
  return { frames: edges.length ? serviceMapFrames(edges, refId) : [], query: q.rate, warnings };
}
