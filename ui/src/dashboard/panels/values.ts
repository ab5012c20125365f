// The values that stat, gauge, bar gauge and pie panels show: each column reduced to one figure, or
// each row.

import { displayer, fieldRange, type Shown } from '../field/display';
import { reduce } from '../field/reduce';
import { toRegex } from '../field/mappings';
import { displayName, timeField, type Field, type Frame } from '../frame/frame';
import type { Loose, Panel } from '../model/types';

export interface OneValue {
  name: string;
  value: unknown;
  shown: Shown;
  field: Field;
  frame: Frame;
  min: number;
  max: number;
  /** Of the column, for sparklines. */
  series: (number | null)[] | null;
  times: number[] | null;
  row: number | null;
  percentChange: number | null;
}

interface ReduceOptions {
  values?: boolean;
  calcs?: string[];
  fields?: string;
  limit?: number;
}

const MOST = 200;

function wanted(f: Field, name: string, which: string): boolean {
  if (which === '') return f.type === 'number';
  if (which === '/.*/') return true;
  const re = which.startsWith('/') ? toRegex(which) : null;
  return re ? re.test(name) : name === which || f.name === which;
}

export function panelValues(p: Panel, frames: Frame[]): OneValue[] {
  const o = ((p.options ?? {})['reduceOptions'] ?? {}) as ReduceOptions;
  const calc = o.calcs?.[0] ?? 'lastNotNull';
  const which = o.fields ?? '';
  const out: OneValue[] = [];
  let index = 0;
  for (const frame of frames) {
    if (frame.name === 'exemplar') continue;
    const time = timeField(frame);
    for (const f of frame.fields) {
      const name = displayName(f, frame, frames);
      if (f === time && which === '') continue;
      if (!wanted(f, name, which)) continue;
      if ((f.config.custom?.['hideFrom'] as Loose | undefined)?.['viz'] === true) continue;
      const range = scale(f, frames, p);
      const show = displayer(f, range, index, name);
      const times = (time?.values as number[] | undefined) ?? null;
      const numeric = f.type === 'number' ? (f.values as (number | null)[]) : null;
      if (o.values) {
        const texts = frame.fields.filter((x) => x.type === 'string');
        const most = Math.min(f.values.length, o.limit ?? 25, MOST - out.length);
        for (let i = 0; i < most; i++) {
          const label = texts.length ? texts.map((x) => String(x.values[i] ?? '')).join(' ') : name;
          const rowName = frame.fields.filter((x) => x.type === 'number').length > 1 && texts.length ? `${label} ${name}` : label;
          const shown = displayer(f, range, index, rowName)(f.values[i]);
          out.push({ name: rowName, value: f.values[i], shown, field: f, frame, ...range, series: null, times: null, row: i, percentChange: null });
          index++;
        }
      } else {
        const value = reduce(f.values, calc);
        const shown = show(value);
        const change = numeric ? (reduce(numeric, 'diffperc') as number | null) : null;
        out.push({ name, value, shown: shown.text === '' && value === null ? { ...shown, text: f.config.noValue ?? 'No data' } : shown, field: f, frame, ...range, series: numeric, times, row: null, percentChange: change });
        index++;
      }
      if (out.length >= MOST) return out;
    }
  }
  return out;
}

/** Limits: the column's own when it has them, else of all columns together. */
function scale(f: Field, frames: Frame[], p: Panel): { min: number; max: number } {
  if (f.config.min !== undefined && f.config.max !== undefined && f.config.min !== null && f.config.max !== null) return { min: f.config.min, max: f.config.max };
  if (f.config.fieldMinMax) return fieldRange(f);
  if (p.type === 'gauge' && f.config.unit === 'percentunit') return { min: f.config.min ?? 0, max: f.config.max ?? 1 };
  if (p.type === 'gauge') return { min: f.config.min ?? 0, max: f.config.max ?? Math.max(100, f.config.unit === 'percent' ? 100 : niceMax(fieldRange(f).max)) };
  let lo = Infinity;
  let hi = -Infinity;
  for (const fr of frames) {
    for (const x of fr.fields) {
      if (x.type !== 'number') continue;
      const r = fieldRange(x);
      lo = Math.min(lo, r.min);
      hi = Math.max(hi, r.max);
    }
  }
  return { min: f.config.min ?? (Number.isFinite(lo) ? Math.min(lo, 0) : 0), max: f.config.max ?? (Number.isFinite(hi) ? hi : 100) };
}

function niceMax(v: number): number {
  if (!(v > 0)) return 100;
  const p = 10 ** Math.floor(Math.log10(v));
  return Math.ceil(v / p) * p;
}
