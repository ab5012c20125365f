// Range queries on an aligned grid, fetched incrementally: a refresh of a moving range asks only
// for the tail and keeps the rest. Equal requests made at the same time share one fetch.

import type { Grid } from '../time/step';
import { ask, type Exemplar, type MultiAnswer, type Named } from './multi';
import type { HistogramJson, Labels } from './prom';

export interface RangeSeries {
  key: string;
  labels: Labels;
  /** One value a grid point; null where there is none. */
  values: (number | null)[];
}

export interface RangeResult {
  grid: Grid;
  series: RangeSeries[];
  warnings: string[];
  infos: string[];
  /** Series that carry native histograms, which a line cannot show. */
  histograms: number;
  /** Those histograms, by index on the grid of the last fetch. */
  native: { labels: Labels; points: [number, HistogramJson][] }[];
  exemplars: Exemplar[];
}

/** How far back a refresh asks again, for samples that arrived late. */
export const OVERLAP_MS = 60_000;
const KEEP = 200;

export function labelKey(labels: Labels): string {
  return Object.keys(labels)
    .sort()
    .map((k) => `${k}\x01${labels[k]}`)
    .join('\x02');
}

/** Lays an answer's series onto a grid of the same step; what is no finite number is a gap. */
export function onGrid(answer: Pick<MultiAnswer, 'series' | 'grid'>, grid: Grid): RangeSeries[] {
  const out: RangeSeries[] = [];
  const shift = answer.grid ? Math.round((answer.grid.startMs - grid.startMs) / grid.stepMs) : 0;
  for (const s of answer.series) {
    if (s.values.length === 0) continue;
    const values = new Array<number | null>(grid.count).fill(null);
    for (let k = 0; k < s.values.length; k++) {
      const i = s.first + k + shift;
      const v = s.values[k]!;
      if (i >= 0 && i < grid.count && v !== null && Number.isFinite(v)) values[i] = v;
    }
    out.push({ key: labelKey(s.labels), labels: s.labels, values });
  }
  return out;
}

/** The first grid point that has to be asked for when `prev` is at hand; null when all of them. */
export function tailStart(prev: RangeResult | undefined, grid: Grid, overlapMs: number): number | null {
  if (!prev || prev.grid.stepMs !== grid.stepMs) return null;
  if (prev.grid.startMs > grid.startMs || prev.grid.endMs < grid.startMs) return null;
  const from = Math.floor((prev.grid.endMs - overlapMs) / grid.stepMs) * grid.stepMs;
  return from <= grid.startMs ? null : Math.min(from, grid.endMs);
}

/** Joins what is known with a freshly fetched tail; the tail wins from its first point on. */
export function mergeTail(prev: RangeResult, tail: RangeSeries[], tailGrid: Grid, grid: Grid): RangeSeries[] {
  const cut = Math.round((tailGrid.startMs - grid.startMs) / grid.stepMs);
  const off = Math.round((grid.startMs - prev.grid.startMs) / grid.stepMs);
  const fresh = new Map(tail.map((s) => [s.key, s]));
  const out: RangeSeries[] = [];
  const fill = (key: string, labels: Labels, old: RangeSeries | undefined) => {
    const values = new Array<number | null>(grid.count).fill(null);
    let any = false;
    if (old) {
      for (let i = 0; i < cut; i++) {
        const v = old.values[i + off] ?? null;
        values[i] = v;
        if (v !== null) any = true;
      }
    }
    const now = fresh.get(key);
    if (now) {
      for (let i = 0; i < now.values.length && cut + i < grid.count; i++) {
        const v = now.values[i]!;
        values[cut + i] = v;
        if (v !== null) any = true;
      }
    }
    if (any) out.push({ key, labels, values });
  };
  const seen = new Set<string>();
  for (const s of prev.series) {
    seen.add(s.key);
    fill(s.key, s.labels, s);
  }
  for (const s of tail) if (!seen.has(s.key)) fill(s.key, s.labels, undefined);
  return out;
}

const cache = new Map<string, RangeResult>();

interface Flight {
  promise: Promise<RangeResult>;
  abort: AbortController;
  users: number;
}
const flights = new Map<string, Flight>();

function remember(key: string, r: RangeResult): void {
  cache.delete(key);
  cache.set(key, r);
  if (cache.size > KEEP) cache.delete(cache.keys().next().value!);
}

/** What an earlier fetch of the same expression and step left, whatever its range. */
export function cached(expr: string, stepMs: number): RangeResult | undefined {
  return cache.get(`${stepMs}|${expr}`);
}

interface LoadOptions {
  forced: boolean;
  limit: number;
  exemplars: boolean;
  named?: Named;
}

async function load(expr: string, grid: Grid, o: LoadOptions, signal: AbortSignal): Promise<RangeResult> {
  const key = `${grid.stepMs}|${expr}`;
  const prev = o.forced || o.exemplars ? undefined : cache.get(key);
  const from = prev && prev.histograms > 0 ? null : tailStart(prev, grid, OVERLAP_MS);
  const startMs = from ?? grid.startMs;
  const a = await ask(
    { lang: 'promql', type: 'range', query: expr, fromMs: startMs, toMs: grid.endMs, stepMs: grid.stepMs, limit: o.limit, exemplars: o.exemplars, named: o.named },
    signal,
  );
  const part: Grid = {
    startMs,
    endMs: grid.endMs,
    stepMs: grid.stepMs,
    count: Math.round((grid.endMs - startMs) / grid.stepMs) + 1,
  };
  const tail = onGrid(a, part);
  const native = a.series.filter((s) => s.histograms && s.histograms.length > 0).map((s) => ({ labels: s.labels, points: s.histograms! }));
  const result: RangeResult = {
    grid,
    series: from === null || !prev ? tail : mergeTail(prev, tail, part, grid),
    warnings: a.warnings,
    infos: a.infos,
    histograms: native.length,
    native,
    exemplars: a.exemplars,
  };
  if (!o.named?.hide) remember(key, result);
  return result;
}

/** Fetches an expression over a grid. The fetch is aborted when all that share it have aborted. What is named is shared with nobody, and fetched whole. */
export function fetchRange(
  expr: string,
  grid: Grid,
  o: { signal: AbortSignal; forced?: boolean; limit?: number; exemplars?: boolean; named?: Named },
): Promise<RangeResult> {
  if (o.named) return load(expr, grid, { forced: true, limit: o.limit ?? 0, exemplars: o.exemplars ?? false, named: o.named }, o.signal);
  const id = `${grid.startMs}|${grid.endMs}|${grid.stepMs}|${o.limit ?? 0}|${o.exemplars ? 'x' : ''}|${expr}`;
  let f = flights.get(id);
  if (!f) {
    const abort = new AbortController();
    const made: Flight = {
      abort,
      users: 0,
      promise: load(expr, grid, { forced: o.forced ?? false, limit: o.limit ?? 0, exemplars: o.exemplars ?? false }, abort.signal).finally(() => {
        if (flights.get(id) === made) flights.delete(id);
      }),
    };
    f = made;
    flights.set(id, f);
  }
  const flight = f;
  flight.users++;
  const leave = () => {
    if (--flight.users === 0) {
      flight.abort.abort();
      if (flights.get(id) === flight) flights.delete(id);
    }
  };
  return new Promise((resolve, reject) => {
    const gone = () => {
      leave();
      reject(new DOMException('aborted', 'AbortError'));
    };
    if (o.signal.aborted) return gone();
    o.signal.addEventListener('abort', gone, { once: true });
    flight.promise.then(
      (r) => {
        o.signal.removeEventListener('abort', gone);
        resolve(r);
      },
      (e: unknown) => {
        o.signal.removeEventListener('abort', gone);
        reject(e instanceof Error ? e : new Error(String(e)));
      },
    );
    return undefined;
  });
}
