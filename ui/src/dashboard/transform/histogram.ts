// Counting values in buckets of equal width.

import { displayName, type Frame } from '../frame/frame';

export interface Buckets {
  lo: number[];
  hi: number[];
  counts: { name: string; values: number[] }[];
}

const NICE = [1, 2, 2.5, 5, 10];

/** A round width near the one that gives `count` buckets. */
export function niceWidth(span: number, count: number): number {
  const raw = span / Math.max(1, count);
  if (!(raw > 0)) return 1;
  const p = 10 ** Math.floor(Math.log10(raw));
  return (NICE.find((n) => n * p >= raw) ?? 10) * p;
}

export function bucketize(frames: Frame[], o: { size: number; count: number; offset: number; combine: boolean }): Buckets | null {
  const cols = frames.flatMap((f) => f.fields.filter((x) => x.type === 'number').map((x) => ({ name: displayName(x, f, frames), values: x.values.filter((v): v is number => typeof v === 'number' && Number.isFinite(v)) })));
  let min = Infinity;
  let max = -Infinity;
  for (const c of cols) {
    for (const v of c.values) {
      if (v < min) min = v;
      if (v > max) max = v;
    }
  }
  if (min > max) return null;
  const width = o.size > 0 ? o.size : niceWidth(max - min || Math.abs(max) || 1, o.count);
  const first = Math.floor((min - o.offset) / width) * width + o.offset;
  const n = Math.min(10_000, Math.floor((max - first) / width) + 1);
  const lo = Array.from({ length: n }, (_, i) => first + i * width);
  const hi = lo.map((v) => v + width);
  const fill = (values: number[]) => {
    const out = new Array<number>(n).fill(0);
    for (const v of values) out[Math.min(n - 1, Math.max(0, Math.floor((v - first) / width)))]!++;
    return out;
  };
  const counts = o.combine ? [{ name: 'Count', values: fill(cols.flatMap((c) => c.values)) }] : cols.map((c) => ({ name: c.name, values: fill(c.values) }));
  return { lo, hi, counts };
}
