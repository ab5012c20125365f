// All queries of a refresh in one request: what is asked within one turn of the event loop goes to
// POST /api/pharos/v1/query together, and each answer is handed out as soon as its line arrives. Expressions
// compute with the answers of others there. Servers without that endpoint are asked query by query.

import { pending } from '../time/state';
import type { Grid } from '../time/step';
import { ApiError, getJson, prom, toNumber, type HistogramJson, type Labels, type MatrixItem, type VectorItem } from './prom';

/** What expressions know a query by. All that is asked in one scope goes in one request. */
export interface Named {
  scope: number;
  ref: string;
  /** Nothing comes back: it is asked for expressions alone. */
  hide: boolean;
}

export interface MultiQuery {
  /** The name of a language that the server has. */
  lang: string;
  query: string;
  type: 'range' | 'instant';
  fromMs: number;
  toMs: number;
  stepMs?: number;
  limit?: number;
  exemplars?: boolean;
  /** Exactly this range, not widened to the step. */
  exact?: boolean;
  named?: Named;
  /** Grafana's model of an expression, in place of a query. */
  expression?: Record<string, unknown>;
}

export interface MultiSeries {
  /** What it is shown as, where the language names its series. */
  name?: string;
  labels: Labels;
  /** Index on the grid of the first value. */
  first: number;
  values: (number | null)[];
  times?: number[];
  histograms?: [number, HistogramJson][];
}

export interface Exemplar {
  series: Labels;
  labels: Labels;
  value: number;
  timeMs: number;
}

export interface MultiAnswer {
  kind: 'matrix' | 'vector' | 'scalar' | 'string' | 'streams' | 'traces';
  grid?: Grid;
  timeMs?: number;
  series: MultiSeries[];
  text?: string;
  warnings: string[];
  infos: string[];
  exemplars: Exemplar[];
  /** Log lines, newest first; times are nanoseconds. */
  streams?: { labels: Labels; times: string[]; lines: string[] }[];
  /** As Tempo's search gives them. */
  traces?: unknown[];
  stats?: Record<string, number>;
  plan?: string;
}

interface Line {
  id?: string;
  done?: boolean;
  kind?: MultiAnswer['kind'];
  same_as?: string;
  error?: { type: string; message: string; status?: number };
  grid?: { start: number; step: number; count: number };
  time?: number;
  value?: number | string;
  series?: {
    name?: string;
    labels: Labels;
    first?: number;
    values?: (number | string | null)[];
    times?: number[];
    value?: number | string;
    histograms?: [number, HistogramJson][];
    histogram?: HistogramJson;
  }[];
  warnings?: string[];
  infos?: string[];
  exemplars?: { labels: Labels; exemplars: { labels: Labels; value: number | string; time: number }[] }[];
  streams?: MultiAnswer['streams'];
  traces?: unknown[];
  stats?: Record<string, number>;
  plan?: string;
}

const num = (v: number | string | null | undefined): number | null =>
  v === null || v === undefined ? null : typeof v === 'number' ? v : toNumber(v);

function read(l: Line): MultiAnswer {
  const a: MultiAnswer = {
    kind: l.kind ?? 'matrix',
    series: [],
    warnings: l.warnings ?? [],
    infos: l.infos ?? [],
    exemplars: [],
    streams: l.streams,
    traces: l.traces,
    stats: l.stats,
    plan: l.plan,
  };
  if (l.grid) {
    const { start, step, count } = l.grid;
    a.grid = { startMs: start, stepMs: step, count, endMs: start + (count - 1) * step };
  }
  a.timeMs = l.time;
  if (l.kind === 'scalar') a.series = [{ labels: {}, first: 0, values: [num(l.value)] }];
  else if (l.kind === 'string') a.text = String(l.value ?? '');
  for (const s of l.series ?? []) {
    a.series.push({
      ...(s.name === undefined ? {} : { name: s.name }),
      labels: s.labels ?? {},
      first: s.first ?? 0,
      values: s.values ? s.values.map(num) : 'value' in s ? [num(s.value)] : [],
      times: s.times,
      histograms: s.histograms ?? (s.histogram ? [[0, s.histogram]] : undefined),
    });
  }
  for (const e of l.exemplars ?? []) {
    for (const x of e.exemplars) a.exemplars.push({ series: e.labels, labels: x.labels, value: num(x.value) ?? NaN, timeMs: x.time });
  }
  return a;
}

/** The same answer from Prometheus' own JSON. */
function fromMatrix(items: MatrixItem[], q: MultiQuery): MultiAnswer {
  const step = q.stepMs ?? 1000;
  const start = Math.floor(q.fromMs / step) * step;
  const end = Math.floor(q.toMs / step) * step;
  const grid: Grid = { startMs: start, endMs: end, stepMs: step, count: Math.round((end - start) / step) + 1 };
  const series = items.map((m): MultiSeries => {
    const values = new Array<number | null>(grid.count).fill(null);
    for (const [t, v] of m.values ?? []) {
      const i = Math.round((t * 1000 - start) / step);
      if (i >= 0 && i < grid.count) values[i] = toNumber(v);
    }
    const histograms = m.histograms?.map(([t, h]): [number, HistogramJson] => [Math.round((t * 1000 - start) / step), h]);
    return { labels: m.metric, first: 0, values, histograms };
  });
  return { kind: 'matrix', grid, series, warnings: [], infos: [], exemplars: [] };
}

async function one(q: MultiQuery, signal: AbortSignal): Promise<MultiAnswer> {
  if (q.lang !== 'promql') throw new ApiError(`This server takes no ${q.lang} here.`, 'not_found', 404);
  if (q.type === 'range') {
    const step = q.stepMs ?? 1000;
    const start = Math.floor(q.fromMs / step) * step;
    const end = Math.floor(q.toMs / step) * step;
    const a = await prom.queryRange(q.query, start, end, step, signal, q.limit);
    return { ...fromMatrix(a.data.result, q), warnings: a.warnings, infos: a.infos };
  }
  const a = await prom.query(q.query, q.toMs, signal, q.limit);
  const d = a.data;
  const base = { warnings: a.warnings, infos: a.infos, exemplars: [], timeMs: q.toMs };
  if (d.resultType === 'vector') {
    const series = d.result.map((v: VectorItem): MultiSeries => ({
      labels: v.metric,
      first: 0,
      values: v.value ? [toNumber(v.value[1])] : [],
      histograms: v.histogram ? [[0, v.histogram[1]]] : undefined,
    }));
    return { kind: 'vector', series, ...base };
  }
  if (d.resultType === 'matrix') {
    const series = d.result.map((m): MultiSeries => ({
      labels: m.metric,
      first: 0,
      values: (m.values ?? []).map(([, v]) => toNumber(v)),
      times: (m.values ?? []).map(([t]) => t * 1000),
    }));
    return { kind: 'matrix', series, ...base };
  }
  if (d.resultType === 'scalar') return { kind: 'scalar', series: [{ labels: {}, first: 0, values: [toNumber(d.result[1])] }], ...base };
  return { kind: 'string', series: [], text: d.result[1], ...base };
}

interface Waiting {
  q: MultiQuery;
  signal: AbortSignal;
  resolve: (a: MultiAnswer) => void;
  reject: (e: Error) => void;
}

let supported: boolean | null = null;
let queue: Waiting[] = [];
/** More would only make the first answers wait. */
const BATCH = 400;

const scopeOf = (w: Waiting | undefined): number => w?.q.named?.scope ?? 0;
let scopes = 0;
/** A scope of its own for queries and expressions that name each other. */
export const newScope = (): number => ++scopes;

function flush(): void {
  const all = queue.filter((w) => !w.signal.aborted).sort((a, b) => scopeOf(a) - scopeOf(b));
  queue = [];
  for (let from = 0, to; from < all.length; from = to) {
    to = Math.min(from + BATCH, all.length);
    // A scope is not torn.
    while (scopeOf(all[to]) && scopeOf(all[to]) === scopeOf(all[to - 1])) to++;
    void send(all.slice(from, to));
  }
}

function singly(batch: Waiting[]): void {
  for (const w of batch) one(w.q, w.signal).then(w.resolve, w.reject);
}

async function send(batch: Waiting[]): Promise<void> {
  if (supported === false) return singly(batch);
  const abort = new AbortController();
  const open = new Map<string, Waiting>();
  batch.forEach((w, i) => (w.q.named?.hide ? w.resolve(read({})) : open.set(String(i), w)));
  if (open.size === 0) return;
  const answers = new Map<string, Line>();
  const left = () => {
    for (const [id, w] of open) if (w.signal.aborted) open.delete(id);
    if (open.size === 0) abort.abort();
  };
  for (const w of batch) w.signal.addEventListener('abort', left, { once: true });
  pending.value++;
  try {
    const res = await fetch(new URL('api/pharos/v1/query', document.baseURI), {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      signal: abort.signal,
      body: JSON.stringify({
        queries: batch.map((w, i) => ({
          id: String(i),
          ...(w.q.expression ? { expression: w.q.expression } : { lang: w.q.lang, query: w.q.query }),
          ...(w.q.named ? { ref: w.q.named.ref, scope: String(w.q.named.scope), hide: w.q.named.hide } : {}),
          ...(w.q.type === 'instant' ? { type: 'instant' } : { from: w.q.fromMs, step_ms: w.q.stepMs }),
          to: w.q.toMs,
          ...(w.q.limit ? { limit: w.q.limit } : {}),
          ...(w.q.exemplars ? { exemplars: true } : {}),
          ...(w.q.exact ? { align: false } : {}),
          ...(w.q.lang === 'logql' ? { partial: true } : {}),
        })),
      }),
    });
    if (res.status === 404 || res.status === 405) {
      supported = false;
      return singly([...open.values()]);
    }
    if (!res.ok || !res.body) {
      const text = await res.text();
      let message = `${res.status} ${res.statusText}`;
      try {
        message = (JSON.parse(text) as { error?: string }).error ?? message;
      } catch {
        // The status has to do.
      }
      throw new ApiError(message, 'http', res.status);
    }
    supported = true;
    for await (const l of lines(res.body)) {
      if (l.id === undefined) continue;
      const from = l.same_as !== undefined ? { ...answers.get(l.same_as), id: l.id } : l;
      answers.set(l.id, from);
      const w = open.get(l.id);
      if (!w) continue;
      open.delete(l.id);
      if (from.error) w.reject(new ApiError(from.error.message, from.error.type, from.error.status ?? 400));
      else w.resolve(read(from));
    }
    for (const w of open.values()) w.reject(new ApiError('The answer was cut off. Is Pharos still running?', 'network', 0));
  } catch (e) {
    const err = e instanceof ApiError || (e instanceof DOMException && e.name === 'AbortError') ? (e as Error) : new ApiError('Pharos does not answer. Is it still running?', 'network', 0);
    for (const w of open.values()) w.reject(err);
  } finally {
    for (const w of batch) w.signal.removeEventListener('abort', left);
    pending.value--;
  }
}

async function* lines(body: ReadableStream<Uint8Array>): AsyncGenerator<Line> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read();
    rest += done ? decoder.decode() : decoder.decode(value, { stream: true });
    let at: number;
    let from = 0;
    while ((at = rest.indexOf('\n', from)) >= 0) {
      if (at > from) yield JSON.parse(rest.slice(from, at)) as Line;
      from = at + 1;
    }
    rest = rest.slice(from);
    if (done) break;
  }
  if (rest.trim()) yield JSON.parse(rest) as Line;
}

/** Asks one query, together with what else is asked in this turn. */
export function ask(q: MultiQuery, signal: AbortSignal): Promise<MultiAnswer> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(new DOMException('aborted', 'AbortError'));
    const gone = () => reject(new DOMException('aborted', 'AbortError'));
    signal.addEventListener('abort', gone, { once: true });
    const done = () => signal.removeEventListener('abort', gone);
    if (queue.length === 0) setTimeout(flush, 0);
    queue.push({
      q,
      signal,
      resolve: (a) => (done(), resolve(a)),
      reject: (e) => (done(), reject(e)),
    });
    return undefined;
  });
}

let asked: Promise<Set<string>> | null = null;

/** Languages that the endpoint takes; only PromQL where there is no such endpoint. */
export function languages(): Promise<Set<string>> {
  asked ??= getJson<{ lang: string }[]>('api/pharos/v1/query/languages').then(
    (list) => new Set(list.map((l) => l.lang)),
    () => new Set(['promql']),
  );
  return asked;
}
