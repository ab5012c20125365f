// Values of plain series counted in cells of time and value.

import { field, frameOf, timeField, type Frame } from '../frame/frame';
import type { Loose } from '../model/types';
import { parseDuration } from '../../time/grammar';
import { niceWidth } from './histogram';

export interface Cells {
  /** Beginning of each column. */
  times: number[];
  stepMs: number;
  /** Row by row from the lowest, a count for each column. */
  counts: (number | null)[][];
  /** Lower ends of the rows, and the upper end of the last. */
  bounds: number[];
}

interface Buckets {
  mode?: string;
  value?: string;
  scale?: { type?: string; log?: number | string };
}

/** The distance that most points have. */
export function stepOf(times: number[], given?: number): number {
  if (given) return given;
  let s = Infinity;
  for (let i = 1; i < times.length; i++) if (times[i]! > times[i - 1]!) s = Math.min(s, times[i]! - times[i - 1]!);
  return Number.isFinite(s) ? s : 60_000;
}

const MOST_ROWS = 200;
const MOST_COLUMNS = 5000;

/** Ends of rows for values from lo to hi. */
function rowBounds(lo: number, hi: number, b: Buckets): number[] {
  const want = Number(b.value);
  if (b.scale?.type === 'log') {
    // A size is how many rows a power has, a count how many there are in all.
    const base = Number(b.scale.log) === 2 ? 2 : 10;
    const at = (v: number) => Math.log(v) / Math.log(base);
    const min = lo > 0 ? lo : hi > 0 ? hi / base ** 4 : 1;
    const first = Math.floor(at(min));
    const last = Math.max(first + 1, Math.ceil(at(Math.max(hi, min)) + 1e-9));
    const split = b.mode === 'count' && want > 0 ? want / (last - first) : want > 0 ? want : 1;
    const n = Math.max(1, Math.min(MOST_ROWS, Math.round((last - first) * split)));
    return Array.from({ length: n + 1 }, (_, i) => base ** (first + (i * (last - first)) / n));
  }
  const h = b.mode === 'count' && want > 0 ? (hi - lo) / want || 1 : want > 0 ? want : niceWidth(hi - lo || Math.abs(hi) || 1, 14);
  const first = b.mode === 'count' && want > 0 ? lo : Math.floor(lo / h) * h;
  const n = Math.max(1, Math.min(MOST_ROWS, b.mode === 'count' && want > 0 ? Math.round(want) : Math.floor((hi - first) / h) + 1));
  return Array.from({ length: n + 1 }, (_, i) => first + i * h);
}

function rowOf(v: number, bounds: number[]): number {
  let lo = 0;
  let hi = bounds.length - 2;
  while (lo < hi) {
    const mid = (lo + hi + 1) >> 1;
    if (bounds[mid]! <= v) lo = mid;
    else hi = mid - 1;
  }
  return lo;
}

/** Counts all numbers of the frames; null where there are none. `most`: columns there is room for. */
export function countCells(frames: Frame[], o: { xBuckets?: Buckets; yBuckets?: Buckets }, most: number): Cells | null {
  const list = frames.filter((f) => timeField(f) && f.name !== 'exemplar');
  let [t0, t1, lo, hi] = [Infinity, -Infinity, Infinity, -Infinity];
  const each = (fn: (t: number, v: number) => void) => {
    for (const f of list) {
      const t = timeField(f)!.values as number[];
      for (const x of f.fields) if (x.type === 'number') for (let i = 0; i < f.length; i++) if (Number.isFinite(x.values[i])) fn(t[i]!, x.values[i] as number);
    }
  };
  each((t, v) => {
    if (t < t0) t0 = t;
    if (t > t1) t1 = t;
    if (v < lo) lo = v;
    if (v > hi) hi = v;
  });
  if (t0 > t1) return null;
  const base = stepOf(timeField(list[0]!)!.values as number[], list[0]!.stepMs);
  const x = o.xBuckets ?? {};
  const wide = x.mode === 'size' && x.value ? parseDuration(x.value) : null;
  const stepMs = Math.max(
    x.mode === 'count' && Number(x.value) > 0 ? Math.max(1, (t1 - t0) / Number(x.value)) : (wide ?? base * Math.max(1, Math.ceil((t1 - t0) / base / most))),
    (t1 - t0) / MOST_COLUMNS,
  );
  const start = Math.floor(t0 / stepMs) * stepMs;
  const columns = Math.floor((t1 - start) / stepMs) + 1;
  const bounds = rowBounds(lo, hi, o.yBuckets ?? {});
  const counts = Array.from({ length: bounds.length - 1 }, () => new Array<number | null>(columns).fill(null));
  each((t, v) => {
    const row = counts[rowOf(v, bounds)]!;
    const c = Math.min(columns - 1, Math.floor((t - start) / stepMs));
    row[c] = (row[c] ?? 0) + 1;
  });
  return { times: Array.from({ length: columns }, (_, i) => start + i * stepMs), stepMs, counts, bounds };
}

/** One row a cell: when it begins, its lower and upper end, how many values lie in it. */
export function heatmap(frames: Frame[], o: Loose): Frame[] {
  const c = countCells(frames, o as { xBuckets?: Buckets; yBuckets?: Buckets }, 120);
  if (!c) return [];
  const cols: number[][] = [[], [], [], []];
  for (let i = 0; i < c.times.length; i++) {
    for (let r = 0; r < c.counts.length; r++) {
      cols[0]!.push(c.times[i]!);
      cols[1]!.push(c.bounds[r]!);
      cols[2]!.push(c.bounds[r + 1]!);
      cols[3]!.push(c.counts[r]![i] ?? 0);
    }
  }
  return [frameOf([field('xMin', 'time', cols[0]!), field('yMin', 'number', cols[1]!), field('yMax', 'number', cols[2]!), field('Count', 'number', cols[3]!)], { kind: 'heatmap-cells', refId: frames[0]?.refId, stepMs: c.stepMs })];
}

/** Cells back from their rows. */
export function cellsOf(f: Frame): Cells | null {
  const column = (n: string) => f.fields.find((x) => x.name === n)?.values as number[] | undefined;
  const [t, lo, hi, n] = [column('xMin'), column('yMin'), column('yMax'), column('Count')];
  if (!t || !lo || !hi || !n || t.length === 0) return null;
  const times = [...new Set(t)].sort((a, b) => a - b);
  const lows = [...new Set(lo)].sort((a, b) => a - b);
  const at = new Map(times.map((x, i) => [x, i]));
  const row = new Map(lows.map((x, i) => [x, i]));
  const counts = lows.map(() => new Array<number | null>(times.length).fill(null));
  let top = -Infinity;
  t.forEach((x, i) => {
    counts[row.get(lo[i]!)!]![at.get(x)!] = n[i]! > 0 ? n[i]! : null;
    if (hi[i]! > top) top = hi[i]!;
  });
  return { times, stepMs: stepOf(times, f.stepMs), counts, bounds: [...lows, top] };
}
