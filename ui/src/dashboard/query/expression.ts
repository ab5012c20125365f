// Server-side expressions, evaluated here over the frames that the panel's other queries gave: math, reduce,
// resample, threshold and classic conditions, with the meaning they have in Grafana.

import { field, frameOf, timeField, type Frame } from '../frame/frame';
import { reduce } from '../field/reduce';
import { parseDuration } from '../../time/grammar';
import type { Loose, Target } from '../model/types';
import { BINARY, FUNCTIONS, mathRefs, parseMath, UNARY, type Node } from './expr_math';

type Labels = Record<string, string>;
type Item = { labels: Labels } & ({ value: number | null } | { times: number[]; values: (number | null)[] });
/** A number without labels that meets everything, or a set of numbers and series. */
type Value = { scalar: number | null } | { set: Item[] };

const isSeries = (x: Item): x is { labels: Labels; times: number[]; values: (number | null)[] } => 'times' in x;
const clean = (l: Labels | undefined): Labels => {
  const { __name__: _, ...rest } = l ?? {};
  return rest;
};
const toNumber = (v: unknown): number | null => (typeof v === 'number' ? v : typeof v === 'boolean' ? Number(v) : null);

/** Each column of numbers an item; tables without times are numbers labelled by their texts. */
function itemsOf(frames: Frame[], instant: boolean): Item[] {
  const out: Item[] = [];
  for (const f of frames) {
    if (f.name === 'exemplar') continue;
    const t = timeField(f);
    const texts = f.fields.filter((x) => x.type === 'string');
    for (const x of f.fields) {
      if (x.type !== 'number') continue;
      if (t && !instant && texts.length === 0) out.push({ labels: clean(x.labels), times: t.values as number[], values: x.values.map(toNumber) });
      else if (texts.length === 0 && f.length === 1) out.push({ labels: clean(x.labels), value: toNumber(x.values[0]) });
      else for (let i = 0; i < f.length; i++) out.push({ labels: { ...clean(x.labels), ...Object.fromEntries(texts.map((s) => [s.name, String(s.values[i] ?? '')])) }, value: toNumber(x.values[i]) });
    }
  }
  return out;
}

function framesOf(v: Value, refId: string): Frame[] {
  const set = 'set' in v ? v.set : [{ labels: {}, value: v.scalar }];
  return set.map((x) =>
    isSeries(x)
      ? frameOf([field('Time', 'time', x.times), field(refId, 'number', x.values, x.labels)], { refId, kind: 'timeseries', ...(x.times.length > 1 ? { stepMs: x.times[1]! - x.times[0]! } : {}) })
      : frameOf([field(refId, 'number', [x.value], x.labels)], { refId, kind: 'table' }),
  );
}

const within = (a: Labels, b: Labels) => Object.entries(a).every(([k, v]) => b[k] === v);

/** Which of the left meet which of the right: labels equal, or those of one among the other's; two lone ones always do. */
function pairs(a: Item[], b: Item[]): [Item, Item, Labels][] {
  const out: [Item, Item, Labels][] = [];
  for (const x of a) {
    for (const y of b) {
      if (within(y.labels, x.labels)) out.push([x, y, x.labels]);
      else if (within(x.labels, y.labels)) out.push([x, y, y.labels]);
    }
  }
  return out.length === 0 && a.length === 1 && b.length === 1 ? [[a[0]!, b[0]!, a[0]!.labels]] : out;
}

function each(x: Item, f: (v: number | null) => number | null): Item {
  return isSeries(x) ? { ...x, values: x.values.map(f) } : { ...x, value: f(x.value) };
}

function both(x: Item, y: Item, labels: Labels, f: (a: number | null, b: number | null) => number | null): Item {
  if (!isSeries(x)) return isSeries(y) ? { ...each(y, (b) => f(x.value, b)), labels } : { labels, value: f(x.value, y.value) };
  if (!isSeries(y)) return { ...each(x, (a) => f(a, y.value)), labels };
  const at = new Map(y.times.map((t, i) => [t, i]));
  const times: number[] = [];
  const values: (number | null)[] = [];
  x.times.forEach((t, i) => {
    const k = at.get(t);
    if (k === undefined) return;
    times.push(t);
    values.push(f(x.values[i]!, y.values[k]!));
  });
  return { labels, times, values };
}

function evaluate(n: Node, of: (ref: string) => Value): Value {
  const map = (v: Value, f: (x: number | null) => number | null): Value => ('set' in v ? { set: v.set.map((x) => each(x, f)) } : { scalar: f(v.scalar) });
  switch (n.kind) {
    case 'number':
      return { scalar: n.value };
    case 'ref':
      return of(n.name);
    case 'call':
      return map(evaluate(n.args[0]!, of), FUNCTIONS[n.name]!);
    case 'unary':
      return map(evaluate(n.of, of), UNARY[n.op]!);
    default: {
      const op = BINARY[n.op]!;
      const f = (a: number | null, b: number | null) => (a === null || b === null ? null : op(a, b));
      const l = evaluate(n.left, of);
      const r = evaluate(n.right, of);
      if (!('set' in l)) return map(r, (b) => f(l.scalar, b));
      if (!('set' in r)) return map(l, (a) => f(a, r.scalar));
      return { set: pairs(l.set, r.set).map(([x, y, labels]) => both(x, y, labels, f)) };
    }
  }
}

const REDUCERS: Record<string, string> = { avg: 'mean', last: 'last', mean: 'mean', min: 'min', max: 'max', sum: 'sum', count: 'countAll', median: 'median', stddev: 'stdDev', diff: 'diff', diff_abs: 'diff', percent_diff: 'diffperc', count_non_null: 'count' };

function reduceSeries(values: (number | null)[], reducer: string, mode: string, instead: number): number | null {
  const bad = (v: number | null) => v === null || !Number.isFinite(v);
  let list = values;
  if (mode === 'dropNN') list = values.filter((v) => !bad(v));
  else if (mode === 'replaceNN') list = values.map((v) => (bad(v) ? instead : v));
  if (reducer === 'count') return list.length;
  if (list.length === 0) return reducer === 'sum' ? 0 : null;
  // Strictly, what is not a number makes the whole not one.
  if (mode === '' && reducer !== 'last' && list.some((v) => v === null || Number.isNaN(v))) return NaN;
  return toNumber(reduce(list, REDUCERS[reducer] ?? reducer));
}

function resample(x: Item, windowMs: number, down: string, up: string, fromMs: number, toMs: number): Item {
  if (!isSeries(x)) throw new Error('Resampling needs series; one of its inputs is a number.');
  const count = Math.floor((toMs - fromMs) / windowMs) + 1;
  if (count > 11_000) throw new Error(`A window of ${windowMs} ms gives ${count.toLocaleString('en')} points, more than 11,000; choose a longer one.`);
  const times: number[] = [];
  const values: (number | null)[] = [];
  let k = 0;
  let before: number | null = null;
  for (let i = 0; i < count; i++) {
    const t = fromMs + i * windowMs;
    const inside: (number | null)[] = [];
    while (k < x.times.length && x.times[k]! <= t) {
      before = x.values[k]!;
      inside.push(before);
      k++;
    }
    times.push(t);
    if (inside.length) values.push(toNumber(reduce(inside, REDUCERS[down] ?? down)));
    else values.push(up === 'pad' ? before : up === 'backfilling' ? (x.values[k] ?? null) : null);
  }
  return { labels: x.labels, times, values };
}

interface Evaluator {
  type?: string;
  params?: unknown[];
}

/** Whether a value breaks the threshold. */
export function breaks(v: number | null, e: Evaluator): boolean {
  if (e.type === 'no_value') return v === null || Number.isNaN(v);
  if (v === null || Number.isNaN(v)) return false;
  const a = Number(e.params?.[0] ?? 0);
  const b = Number(e.params?.[1] ?? 0);
  switch (e.type) {
    case 'gt':
      return v > a;
    case 'lt':
      return v < a;
    case 'gte':
      return v >= a;
    case 'lte':
      return v <= a;
    case 'eq':
      return v === a;
    case 'ne':
      return v !== a;
    case 'within_range':
      return v > Math.min(a, b) && v < Math.max(a, b);
    case 'within_range_included':
      return v >= Math.min(a, b) && v <= Math.max(a, b);
    case 'outside_range':
      return v < Math.min(a, b) || v > Math.max(a, b);
    case 'outside_range_included':
      return v <= Math.min(a, b) || v >= Math.max(a, b);
    default:
      throw new Error(`There is no comparison “${String(e.type)}”.`);
  }
}

interface Condition {
  evaluator?: Evaluator;
  query?: { params?: unknown[] };
  reducer?: { type?: string };
  operator?: { type?: string };
}

const conditionsOf = (t: Target): Condition[] => (Array.isArray(t['conditions']) ? (t['conditions'] as Condition[]) : []);
const refName = (v: unknown): string => String(v ?? '').trim().replace(/^\$\{?([^}]*)\}?$/, '$1');

/** What other queries an expression is made of. */
export function expressionRefs(t: Target): string[] {
  const type = String(t['type'] ?? 'math');
  if (type === 'classic_conditions') return conditionsOf(t).map((c) => refName(c.query?.params?.[0])).filter(Boolean);
  const text = String(t['expression'] ?? '');
  if (type !== 'math') return text.trim() ? [refName(text)] : [];
  try {
    return [...new Set(mathRefs(parseMath(text)))];
  } catch {
    return [];
  }
}

export interface Inputs {
  /** Of each query. */
  frames: Map<string, Frame[]>;
  /** Queries of one instant: their series are numbers. */
  instant: Set<string>;
  fromMs: number;
  toMs: number;
}

function run(t: Target, c: Inputs): Value {
  const type = String(t['type'] ?? 'math');
  const of = (ref: string): Value => {
    const f = c.frames.get(ref);
    if (!f) throw new Error(`There is no query ${ref}.`);
    return { set: itemsOf(f, c.instant.has(ref)) };
  };
  if (type === 'math') return evaluate(parseMath(String(t['expression'] ?? '')), of);
  if (type === 'classic_conditions') {
    let all: boolean | null = null;
    for (const k of conditionsOf(t)) {
      const v = of(refName(k.query?.params?.[0])) as { set: Item[] };
      const one = v.set.some((x) => breaks(isSeries(x) ? reduceSeries(x.values, k.reducer?.type ?? 'avg', 'dropNN', 0) : x.value, k.evaluator ?? {}));
      all = all === null ? one : k.operator?.type === 'or' ? all || one : all && one;
    }
    return { set: [{ labels: {}, value: all ? 1 : 0 }] };
  }
  const ref = refName(t['expression']);
  if (!ref) throw new Error('The expression names no query.');
  const { set } = of(ref) as { set: Item[] };
  const settings = (t['settings'] ?? {}) as Loose;
  switch (type) {
    case 'reduce': {
      const reducer = String(t['reducer'] ?? 'mean');
      const mode = String(settings['mode'] ?? '');
      return { set: set.map((x) => (isSeries(x) ? { labels: x.labels, value: reduceSeries(x.values, reducer, mode, Number(settings['replaceWithValue'] ?? 0)) } : x)) };
    }
    case 'resample': {
      const windowMs = parseDuration(String(t['window'] ?? ''));
      if (!windowMs || windowMs <= 0) throw new Error(`The window “${String(t['window'] ?? '')}” is no duration such as 30s or 5m.`);
      return { set: set.map((x) => resample(x, windowMs, String(t['downsampler'] ?? 'mean'), String(t['upsampler'] ?? 'fillna'), c.fromMs, c.toMs)) };
    }
    case 'threshold': {
      const e = conditionsOf(t)[0]?.evaluator ?? {};
      return { set: set.map((x) => each(x, (v) => (v === null ? null : breaks(v, e) ? 1 : 0))) };
    }
    default:
      throw new Error(`Expressions of the kind “${type}” are not evaluated here; math, reduce, resample, threshold and classic_conditions are.`);
  }
}

/** The frames of one expression. What its queries have nothing of gives nothing. */
export function runExpression(t: Target, c: Inputs): Frame[] {
  return framesOf(run(t, c), t.refId);
}

/** The order in which each comes behind what it is made of; those in a circle are left out. */
export function inOrder(list: Target[]): { order: Target[]; circle: Target[] } {
  const left = new Map(list.map((t) => [t.refId, t]));
  const order: Target[] = [];
  for (let found = true; found; ) {
    found = false;
    for (const t of left.values()) {
      if (expressionRefs(t).some((r) => left.has(r))) continue;
      left.delete(t.refId);
      order.push(t);
      found = true;
    }
  }
  return { order, circle: [...left.values()] };
}
