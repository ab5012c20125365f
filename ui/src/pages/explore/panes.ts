// What the explorer shows, kept in the address: `panes` is Grafana's parameter of the same name, so links travel
// both ways. One pane or two; each asks for metrics, logs or traces. Prometheus' own g0.expr and a plain `expr`
// are read as well.

import { sourceKind } from '../../dashboard/query/datasource';
import type { DataSourceRef } from '../../dashboard/model/types';

export type Signal = 'metrics' | 'logs' | 'traces';

export interface Query {
  /** A, B, … */
  refId: string;
  /** In the language of its signal. */
  expr: string;
  hide: boolean;
}

export type Tab = 'graph' | 'table' | 'json';

/** How a pane shows its answer. */
export interface View {
  tab?: Tab;
  stack?: boolean;
  step?: string;
  unit?: string;
  /** Queries are put together from parts instead of typed. */
  builder?: boolean;
  /** Exemplars are drawn; when unset, over percentiles only. */
  exemplars?: boolean;
  /** Columns of log lines beside the line. */
  columns?: string[];
  /** A time range of the pane's own; it has the page's otherwise. */
  time?: { from: string; to: string };
}

export interface Pane {
  id: string;
  signal: Signal;
  queries: Query[];
  view: View;
}

export interface Panes {
  panes: Pane[];
  /** Of a link that carries its range inside. */
  range: { from: string; to: string } | null;
}

export const SIGNALS: { signal: Signal; name: string; path: string; source: string }[] = [
  { signal: 'metrics', name: 'Metrics', path: '/explore', source: 'prometheus' },
  { signal: 'logs', name: 'Logs', path: '/logs', source: 'loki' },
  { signal: 'traces', name: 'Traces', path: '/traces', source: 'tempo' },
];

const MOST = 2;

export function refIdAt(i: number): string {
  return i < 26 ? String.fromCharCode(65 + i) : refIdAt(Math.floor(i / 26) - 1) + String.fromCharCode(65 + (i % 26));
}

/** The first id that is not taken. */
export function nextRefId(queries: Query[]): string {
  for (let i = 0; ; i++) {
    const id = refIdAt(i);
    if (!queries.some((q) => q.refId === id)) return id;
  }
}

/** The signal a page of its own shows. */
export function signalOfPath(path: string): Signal {
  return SIGNALS.find((s) => s.path === path)?.signal ?? 'metrics';
}

function signalOf(ref: unknown): Signal | null {
  const kind = sourceKind(ref as DataSourceRef | string | null | undefined);
  return kind === 'loki' ? 'logs' : kind === 'tempo' ? 'traces' : kind === 'prometheus' ? 'metrics' : null;
}

const text = (v: unknown): string | undefined => (typeof v === 'string' ? v : undefined);

function readView(v: unknown): View {
  if (typeof v !== 'object' || v === null) return {};
  const o = v as Record<string, unknown>;
  const out: View = {};
  if (o['tab'] === 'table' || o['tab'] === 'json') out.tab = o['tab'];
  if (o['stack'] === true) out.stack = true;
  if (o['builder'] === true) out.builder = true;
  if (typeof o['exemplars'] === 'boolean') out.exemplars = o['exemplars'];
  if (text(o['step'])) out.step = text(o['step'])!;
  if (text(o['unit'])) out.unit = text(o['unit'])!;
  const time = o['time'] as Record<string, unknown> | null | undefined;
  if (time && text(time['from']) && text(time['to'])) out.time = { from: text(time['from'])!, to: text(time['to'])! };
  if (Array.isArray(o['columns'])) {
    const list = o['columns'].filter((c): c is string => typeof c === 'string');
    if (list.length) out.columns = list;
  }
  return out;
}

function addQuery(list: Query[], expr: string, refId: unknown, hide: unknown): void {
  const id = typeof refId === 'string' && refId !== '' && !list.some((q) => q.refId === refId) ? refId : nextRefId(list);
  list.push({ refId: id, expr, hide: hide === true });
}

interface WirePane {
  datasource?: unknown;
  queries?: unknown;
  range?: { from?: unknown; to?: unknown };
  view?: unknown;
}

function readPane(id: string, p: WirePane, fallback: Signal): Pane {
  const wire = (Array.isArray(p.queries) ? p.queries : []) as Record<string, unknown>[];
  const first = wire[0] as Record<string, unknown> | undefined;
  const signal = signalOf(first?.['datasource']) ?? signalOf(p.datasource) ?? fallback;
  const queries: Query[] = [];
  for (const q of wire) {
    const t = typeof q === 'object' && q !== null ? (text(q['expr']) ?? text(q['query'])) : undefined;
    if (t !== undefined) addQuery(queries, t, q['refId'], q['hide']);
  }
  return { id, signal, queries, view: readView(p.view) };
}

export function parsePanes(p: URLSearchParams, fallback: Signal = 'metrics'): Panes {
  const panes: Pane[] = [];
  let range: Panes['range'] = null;
  const all = p.get('panes');
  if (all) {
    try {
      for (const [id, v] of Object.entries(JSON.parse(all) as Record<string, WirePane>)) {
        if (panes.length >= MOST || typeof v !== 'object' || v === null) continue;
        panes.push(readPane(id, v, fallback));
        const r = v.range;
        if (typeof r?.from !== 'string' || typeof r.to !== 'string') continue;
        if (!range) range = { from: r.from, to: r.to };
        // A link of Grafana's whose panes were set apart. One of our own says so itself.
        else if (!p.has('from') && (r.from !== range.from || r.to !== range.to)) panes[panes.length - 1]!.view.time ??= { from: r.from, to: r.to };
      }
    } catch {
      // A mangled link: an empty explorer is better than none.
    }
  }
  if (panes.length === 0) panes.push({ id: 'a', signal: fallback, queries: [], view: {} });
  const one = panes[0]!;
  for (const e of p.getAll('expr')) addQuery(one.queries, e, undefined, false);
  if (p.has('q') && one.queries.length === 0) addQuery(one.queries, p.get('q')!, undefined, false);
  for (let i = 0; p.has(`g${i}.expr`); i++) addQuery(one.queries, p.get(`g${i}.expr`)!, undefined, false);
  return { panes, range };
}

const sourceOf = (s: Signal): string => SIGNALS.find((x) => x.signal === s)!.source;

export function panesText(panes: Pane[], range?: { from: string; to: string }): string {
  const out: Record<string, unknown> = {};
  for (const p of panes) {
    const source = sourceOf(p.signal);
    out[p.id] = {
      datasource: source,
      queries: p.queries.map((q) => ({
        refId: q.refId,
        ...(p.signal === 'traces' ? { query: q.expr, queryType: 'traceql' } : { expr: q.expr }),
        ...(p.signal === 'metrics' ? {} : { datasource: { type: source, uid: source } }),
        ...(q.hide ? { hide: true } : {}),
      })),
      ...((p.view.time ?? range) ? { range: p.view.time ?? range } : {}),
      ...(Object.keys(p.view).length ? { view: p.view } : {}),
    };
  }
  return JSON.stringify(out);
}

/** One pane with one query, as links into the explorer have it. */
export function paneOf(signal: Signal, exprs: string[], id = 'a'): Pane {
  return { id, signal, queries: exprs.map((expr, i) => ({ refId: refIdAt(i), expr, hide: false })), view: {} };
}

/** An id that no other pane has. */
export function nextPaneId(panes: Pane[]): string {
  return ['a', 'b', 'c'].find((id) => !panes.some((p) => p.id === id)) ?? `p${panes.length}`;
}
