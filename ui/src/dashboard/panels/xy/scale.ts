// An axis: from values to places and back, with ticks at round values.

import { timeTicks } from '../../../chart/timeaxis';
import { tzDate, unitIncrs } from '../../../chart/plot';
import { formatTicks } from '../../../format/units';
import { niceWidth } from '../../transform/histogram';

export interface Axis {
  min: number;
  max: number;
  log: boolean;
  /** 0 to 1. */
  at: (v: number) => number;
  value: (t: number) => number;
  ticks: { v: number; text: string }[];
}

const TIME_STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800, 2592000];

export interface AxisOptions {
  min?: number;
  max?: number;
  log: boolean;
  time: boolean;
  unit: string;
  /** Ticks there is room for. */
  room: number;
  /** Without air around the data: where the reader zoomed. */
  exact?: boolean;
}

export function makeAxis(lo: number, hi: number, o: AxisOptions): Axis {
  const log = o.log && !o.time && hi > 0;
  let min = o.min ?? lo;
  let max = o.max ?? hi;
  if (!Number.isFinite(min) || !Number.isFinite(max)) [min, max] = [0, 1];
  if (log) {
    if (!(min > 0)) min = max / 1e6 || 1e-3;
    if (o.min === undefined && !o.exact) min = 10 ** Math.floor(Math.log10(min) + 1e-9);
    if (o.max === undefined && !o.exact) max = 10 ** Math.ceil(Math.log10(max) - 1e-9);
    if (!(max > min)) max = min * 10;
    const span = Math.log10(max / min);
    const ticks: number[] = [];
    const by = Math.max(1, Math.ceil(span / Math.max(1, o.room)));
    for (let e = Math.ceil(Math.log10(min) - 1e-9); e <= Math.log10(max) + 1e-9; e += by) ticks.push(10 ** e);
    const texts = ticks.map((v) => formatTicks([v], o.unit)[0]!);
    return { min, max, log, at: (v) => (v > 0 ? Math.log10(v / min) / span : -1), value: (t) => min * 10 ** (t * span), ticks: ticks.map((v, i) => ({ v, text: texts[i]! })) };
  }
  if (max <= min) {
    const d = Math.abs(min) * 0.1 || 1;
    min -= d;
    max += d;
  } else if (!o.time && !o.exact) {
    const pad = (max - min) * 0.04;
    if (o.min === undefined) min = min >= 0 && min - pad < 0 ? 0 : min - pad;
    if (o.max === undefined) max += pad;
  }
  const span = max - min;
  const linear = { min, max, log: false, at: (v: number) => (v - min) / span, value: (t: number) => min + t * span };
  if (o.time) {
    const step = TIME_STEPS.find((s) => span / 1000 / s <= o.room) ?? TIME_STEPS[TIME_STEPS.length - 1]!;
    const ticks: number[] = [];
    for (let v = Math.ceil(min / 1000 / step) * step; v <= max / 1000; v += step) ticks.push(v);
    const texts = timeTicks(ticks, step, tzDate);
    return { ...linear, ticks: ticks.map((v, i) => ({ v: v * 1000, text: texts[i] ?? '' })) };
  }
  const step = 'incrs' in unitIncrs(o.unit) ? 2 ** Math.ceil(Math.log2(span / o.room)) : niceWidth(span, o.room);
  const ticks: number[] = [];
  for (let v = Math.ceil(min / step - 1e-9) * step; v <= max + step * 1e-9; v += step) ticks.push(Number(v.toPrecision(12)));
  const texts = formatTicks(ticks, o.unit);
  return { ...linear, ticks: ticks.map((v, i) => ({ v, text: texts[i]! })) };
}
