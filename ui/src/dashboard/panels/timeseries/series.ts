// Frames to lines: names, colours, scales, stacking and the values that are drawn.

import uPlot from 'uplot';
import { seriesColor } from '../../field/color';
import { fieldRange } from '../../field/display';
import { reduce } from '../../field/reduce';
import { displayName, timeField, type Field, type Frame } from '../../frame/frame';
import type { Loose, Panel } from '../../model/types';
import { stackValues } from '../../../chart/stack';

export type Maybe = number | null | undefined;

export interface Line {
  key: string;
  name: string;
  field: Field;
  frame: Frame;
  color: string;
  /** As measured, for tooltip and legend. */
  values: Maybe[];
  /** As drawn: mirrored, stacked. */
  drawn: Maybe[];
  scale: string;
  unit: string;
  side: 'left' | 'right' | 'hidden';
  custom: Loose;
  hidden: boolean;
  inTooltip: boolean;
  inLegend: boolean;
  stack: string | null;
  negative: boolean;
}

export interface Lines {
  /** Seconds, as uPlot wants them. */
  times: number[];
  lines: Line[];
  /** Pairs of neighbours in a stack, upper before lower. */
  bands: [number, number][];
  percent: boolean;
}

const hideFrom = (c: Loose, where: string): boolean => (c['hideFrom'] as Loose | undefined)?.[where] === true;

/** Puts all columns onto one time axis. Missing points are undefined, known gaps null. */
function align(list: { times: number[]; values: (number | null)[] }[]): { times: number[]; columns: Maybe[][] } {
  const first = list[0]?.times ?? [];
  const same = list.every((l) => l.times === first || (l.times.length === first.length && l.times[0] === first[0] && l.times[l.times.length - 1] === first[first.length - 1]));
  if (same) return { times: first, columns: list.map((l) => l.values) };
  const tables = list.map((l): uPlot.AlignedData => [l.times, l.values]);
  const [times, ...columns] = uPlot.join(tables, list.map(() => [0, 2]));
  return { times: times as number[], columns: columns as Maybe[][] };
}

/** Gaps shorter than the limit are bridged: null becomes undefined. */
export function bridge(values: Maybe[], times: number[], limitMs: number): Maybe[] {
  const out = values.slice();
  let last = -1;
  for (let i = 0; i < out.length; i++) {
    const v = out[i];
    if (v === null || v === undefined) continue;
    if (last >= 0 && i - last > 1 && times[i]! - times[last]! <= limitMs) for (let k = last + 1; k < i; k++) out[k] = undefined;
    last = i;
  }
  return out;
}

/** Where points lie further apart than the limit, a null between them breaks the line. */
export function breakAfter(times: number[], values: (number | null)[], limitMs: number): { times: number[]; values: (number | null)[] } {
  const t: number[] = [];
  const v: (number | null)[] = [];
  let last = -Infinity;
  for (let i = 0; i < times.length; i++) {
    if (values[i] !== null && values[i] !== undefined) {
      if (times[i]! - last > limitMs && t.length && t[t.length - 1] === last) {
        t.push(last + 1);
        v.push(null);
      }
      last = times[i]!;
    }
    t.push(times[i]!);
    v.push(values[i] ?? null);
  }
  return { times: t, values: v };
}

export function toLines(panel: Panel, frames: Frame[], hiddenKeys: Set<string>): Lines | null {
  const found: { f: Field; frame: Frame; times: number[] }[] = [];
  for (const frame of frames) {
    if (frame.name === 'exemplar') continue;
    const t = timeField(frame);
    if (!t) continue;
    for (const f of frame.fields) {
      if (f.type !== 'number' && f.type !== 'boolean') continue;
      if (hideFrom(f.config.custom ?? {}, 'viz')) continue;
      found.push({ f, frame, times: t.values as number[] });
    }
  }
  if (found.length === 0) return null;
  const columns = found.map((x) => {
    const values = x.f.values as (number | null)[];
    const limit = x.f.config.custom?.['insertNulls'];
    return typeof limit === 'number' && limit > 0 ? breakAfter(x.times, values, limit) : { times: x.times, values };
  });
  const a = align(columns);
  const counts = new Map<string, number>();
  const lines = found.map(({ f, frame }, i): Line => {
    const custom = f.config.custom ?? {};
    const name = displayName(f, frame, frames);
    const n = counts.get(name) ?? 0;
    counts.set(name, n + 1);
    const key = n === 0 ? name : `${name}#${n}`;
    const unit = f.config.unit ?? 'short';
    const place = String(custom['axisPlacement'] ?? 'auto');
    const dist = custom['scaleDistribution'] as { type?: string; log?: number } | undefined;
    const side = place === 'right' ? 'right' : place === 'hidden' ? 'hidden' : 'left';
    const stacking = custom['stacking'] as { mode?: string; group?: string } | undefined;
    const stack = stacking?.mode === 'normal' || stacking?.mode === 'percent' ? `${stacking.mode}:${stacking.group ?? 'A'}` : null;
    const negative = custom['transform'] === 'negative-Y';
    let values = a.columns[i]!;
    if (f.type === 'boolean') values = values.map((v) => (v === null || v === undefined ? v : Number(v)));
    if (custom['transform'] === 'constant') {
      const c = values.find((v) => v !== null && v !== undefined);
      values = values.map(() => c);
    }
    if (typeof custom['spanNulls'] === 'number') values = bridge(values, a.times, custom['spanNulls']);
    const r = fieldRange(f);
    const by = f.config.color?.seriesBy === 'min' ? 'min' : f.config.color?.seriesBy === 'max' ? 'max' : 'lastNotNull';
    return {
      key,
      name,
      field: f,
      frame,
      color: seriesColor(f.config, i, name, reduce(f.values, by) as number | null, r.min, r.max),
      values,
      drawn: values,
      scale: `${unit}|${side === 'right' ? 'r' : ''}|${dist?.type === 'log' ? `log${dist.log ?? 10}` : (dist?.type ?? '')}`,
      unit,
      side,
      custom,
      hidden: hiddenKeys.has(key),
      inTooltip: !hideFrom(custom, 'tooltip'),
      inLegend: !hideFrom(custom, 'legend'),
      stack,
      negative,
    };
  });
  return { times: a.times.map((t) => t / 1000), lines, ...stackLines(lines, a.times.length, panel) };
}

function stackLines(lines: Line[], count: number, _panel: Panel): { bands: [number, number][]; percent: boolean } {
  const bands: [number, number][] = [];
  let percent = false;
  const groups = new Map<string, number[]>();
  lines.forEach((l, i) => {
    if (!l.stack) {
      if (l.negative) l.drawn = l.values.map((v) => (v === null || v === undefined ? v : -v));
      return;
    }
    const k = `${l.stack}|${l.scale}`;
    const g = groups.get(k);
    if (g) g.push(i);
    else groups.set(k, [i]);
  });
  for (const [key, members] of groups) {
    const of = members.map((i) => lines[i]!);
    let inputs = of.map((l) => ({ values: l.values.map((v) => v ?? null), hidden: l.hidden, negate: l.negative }));
    if (key.startsWith('percent')) {
      percent = true;
      const total = new Float64Array(count);
      for (const s of inputs) if (!s.hidden) s.values.forEach((v, i) => (total[i]! += Math.abs(v ?? 0)));
      inputs = inputs.map((s) => ({ ...s, values: s.values.map((v, i) => (v === null ? null : total[i]! > 0 ? v / total[i]! : 0)) }));
    }
    const drawn = stackValues(inputs, count);
    of.forEach((l, k) => (l.drawn = drawn[k]!));
    for (const negate of [false, true]) {
      let below = -1;
      for (const i of members) {
        if (lines[i]!.hidden || lines[i]!.negative !== negate) continue;
        if (below >= 0) bands.push([i, below]);
        below = i;
      }
    }
  }
  // The area between a series and the one it fills down to.
  lines.forEach((l, i) => {
    const to = l.custom['fillBelowTo'];
    if (typeof to !== 'string' || to === '') return;
    const at = lines.findIndex((x) => x.name === to);
    if (at >= 0 && at !== i) bands.push([i, at]);
  });
  return { bands, percent };
}
