// Transformations that draw a simpler line beside or instead of a noisy one: a fitted curve, smoothing.

import { displayName, field, frameOf, timeField, type Field, type Frame } from '../frame/frame';
import type { Loose } from '../model/types';

const finite = (v: unknown): v is number => typeof v === 'number' && Number.isFinite(v);

/** Coefficients of the polynomial that lies nearest to the points (least squares), lowest power first; null when they do not determine one. */
export function fitPolynomial(xs: number[], ys: number[], degree: number): number[] | null {
  const n = degree + 1;
  if (xs.length < n) return null;
  // Orthogonalisation of the columns (modified Gram-Schmidt): stays exact where the normal equations would not.
  const q: number[][] = [];
  const r: number[][] = Array.from({ length: n }, () => new Array<number>(n).fill(0));
  const dot = (a: number[], b: number[]) => a.reduce((s, v, i) => s + v * b[i]!, 0);
  for (let k = 0; k < n; k++) {
    let col = xs.map((x) => x ** k);
    const size = Math.sqrt(dot(col, col));
    for (let j = 0; j < k; j++) {
      const f = dot(q[j]!, col);
      r[j]![k] = f;
      col = col.map((v, i) => v - f * q[j]![i]!);
    }
    const norm = Math.sqrt(dot(col, col));
    if (!(norm > size * 1e-12)) return null;
    r[k]![k] = norm;
    q.push(col.map((v) => v / norm));
  }
  const out = new Array<number>(n).fill(0);
  for (let k = n - 1; k >= 0; k--) {
    let v = dot(q[k]!, ys);
    for (let j = k + 1; j < n; j++) v -= r[k]![j]! * out[j]!;
    out[k] = v / r[k]![k]!;
  }
  return out;
}

const byName = (frames: Frame[], name: unknown): { f: Frame; x: Field } | undefined => {
  if (typeof name !== 'string' || name === '') return undefined;
  for (const f of frames) for (const x of f.fields) if (x.name === name || displayName(x, f, frames) === name) return { f, x };
  return undefined;
};

/** A line or polynomial through one column, as a frame of its own behind the others. */
export function regression(frames: Frame[], o: Loose): Frame[] {
  const kind = o['modelType'] === 'polynomial' ? 'polynomial' : 'linear';
  const degree = kind === 'linear' ? 1 : Math.min(6, Math.max(2, Math.round(Number(o['degree'] ?? 2)) || 2));
  const count = Math.min(10_000, Math.max(2, Math.round(Number(o['predictionCount'] ?? 100)) || 100));
  const yWanted = byName(frames, o['yFieldName']);
  const home = yWanted?.f ?? frames.find((f) => f.fields.some((x) => x.type === 'number') && (o['xFieldName'] || timeField(f)));
  if (!home) return frames;
  const xField = home.fields.find((x) => x.name === o['xFieldName'] || displayName(x, home, frames) === o['xFieldName']) ?? byName(frames, o['xFieldName'])?.x ?? timeField(home);
  const yField = yWanted?.x ?? home.fields.find((x) => x.type === 'number' && x !== xField);
  if (!xField || !yField) return frames;
  const points: [number, number][] = [];
  for (let i = 0; i < Math.min(xField.values.length, yField.values.length); i++) {
    const x = xField.values[i];
    const y = yField.values[i];
    if (finite(x) && finite(y)) points.push([x, y]);
  }
  if (points.length < 2) return frames;
  const first = points.reduce((m, p) => Math.min(m, p[0]), Infinity);
  const last = points.reduce((m, p) => Math.max(m, p[0]), -Infinity);
  const span = last - first;
  if (!(span > 0)) return frames;
  // Between 0 and 1: powers of milliseconds since 1970 are beyond what a number holds.
  const coefficients = fitPolynomial(points.map((p) => (p[0] - first) / span), points.map((p) => p[1]), Math.min(degree, points.length - 1));
  if (!coefficients) return frames;
  const at = Array.from({ length: count }, (_, i) => i / (count - 1));
  const xs = at.map((u) => first + u * span);
  const ys = at.map((u) => coefficients.reduceRight((sum, c) => sum * u + c, 0));
  const { unit, decimals } = yField.config;
  const name = `${kind} regression`;
  const config = { ...(unit ? { unit } : {}), ...(decimals !== undefined ? { decimals } : {}) };
  return [...frames, frameOf([field(xField.name, xField.type, xs), field(name, 'number', ys, undefined, config)], { name, refId: home.refId, kind: xField.type === 'time' ? 'timeseries' : 'table' })];
}

const mean = (v: number[]) => v.reduce((a, b) => a + b, 0) / v.length;

function moment(v: number[]): { deviation: number; kurtosis: number } {
  const m = mean(v);
  let two = 0;
  let four = 0;
  for (const x of v) {
    const d = (x - m) ** 2;
    two += d;
    four += d * d;
  }
  two /= v.length;
  return { deviation: Math.sqrt(two), kurtosis: two > 0 ? four / v.length / (two * two) : 0 };
}

const roughness = (v: number[]) => moment(v.slice(1).map((x, i) => x - v[i]!)).deviation;

function moving(v: number[], window: number): number[] {
  const out: number[] = [];
  let sum = 0;
  for (let i = 0; i < v.length; i++) {
    sum += v[i]!;
    if (i >= window) sum -= v[i - window]!;
    if (i >= window - 1) out.push(sum / window);
  }
  return out;
}

/** How much the values are like themselves, moved by each lag up to the largest. */
function autocorrelation(v: number[], most: number): number[] {
  const m = mean(v);
  const d = v.map((x) => x - m);
  const all = d.reduce((s, x) => s + x * x, 0) || 1;
  return Array.from({ length: most + 1 }, (_, lag) => {
    let s = 0;
    for (let i = lag; i < d.length; i++) s += d[i]! * d[i - lag]!;
    return s / all;
  });
}

/**
 * The window of a moving average that makes the line as smooth as it gets while what stands out still does: the
 * kurtosis does not fall. (Rong and Bailis, "ASAP: Prioritizing Attention via Time Series Smoothing", 2017.)
 */
export function asapWindow(v: number[]): number {
  const most = Math.max(2, Math.round(v.length / 10));
  if (v.length < 4) return 1;
  const { kurtosis } = moment(v);
  let best = 1;
  let least = roughness(v);
  const look = (w: number): boolean => {
    const s = moving(v, w);
    if (s.length < 3 || moment(s).kurtosis < kurtosis) return false;
    const r = roughness(s);
    if (r >= least) return false;
    least = r;
    best = w;
    return true;
  };
  const acf = autocorrelation(v, most);
  const peaks: number[] = [];
  for (let i = 2; i < acf.length - 1; i++) if (acf[i]! > acf[i - 1]! && acf[i]! > acf[i + 1]! && acf[i]! > 0.2) peaks.push(i);
  // Windows as long as a period take the period out; among them the longest first.
  for (const w of peaks.reverse()) look(w);
  let lo = best;
  let hi = most;
  while (lo <= hi) {
    const mid = (lo + hi) >> 1;
    if (mid > 1 && look(mid)) lo = mid + 1;
    else if (mid <= best) lo = mid + 1;
    else hi = mid - 1;
  }
  return best;
}

/** Values smoothed, at the places where they were. */
export function smooth(times: number[], values: unknown[], resolution: number): (number | null)[] {
  const points: [number, number][] = [];
  for (let i = 0; i < times.length; i++) if (finite(values[i])) points.push([times[i]!, values[i] as number]);
  if (points.length === 0) return values.map(() => null);
  const each = Math.max(1, Math.floor(points.length / Math.min(resolution, points.length)));
  const xs: number[] = [];
  const ys: number[] = [];
  for (let i = 0; i < points.length; i += each) {
    const part = points.slice(i, i + each);
    xs.push(mean(part.map((p) => p[0])));
    ys.push(mean(part.map((p) => p[1])));
  }
  const window = asapWindow(ys);
  const sy = moving(ys, window);
  const sx = moving(xs, window);
  let k = 0;
  return times.map((t) => {
    while (k < sx.length - 2 && sx[k + 1]! < t) k++;
    if (sx.length === 1 || t <= sx[0]!) return sy[0]!;
    if (t >= sx[sx.length - 1]!) return sy[sy.length - 1]!;
    const share = (t - sx[k]!) / (sx[k + 1]! - sx[k]!);
    return sy[k]! + (sy[k + 1]! - sy[k]!) * share;
  });
}

/** Each column of numbers smoothed, beside the one it comes from. */
export function smoothing(frames: Frame[], o: Loose): Frame[] {
  const resolution = Math.min(1000, Math.max(1, Number(o['resolution'] ?? 100) || 100));
  return frames.map((f) => {
    const t = timeField(f);
    if (!t) return f;
    const made = f.fields
      .filter((x) => x.type === 'number')
      .map((x) => ({ ...x, name: `${x.name} (smoothed)`, config: { ...x.config, displayName: undefined, displayNameFromDS: `${displayName(x, f, frames)} (smoothed)` }, values: smooth(t.values as number[], x.values, resolution) }));
    return { ...f, fields: [...f.fields, ...made] };
  });
}
