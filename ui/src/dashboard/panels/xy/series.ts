// Which columns of a result a scatter chart draws against which, by today's options (matchers) and by
// those of older versions (names).

import { mix, paletteColor, resolveColor, seriesColor, continuousStops, isContinuous, thresholdColor, DEFAULT_THRESHOLDS } from '../../field/color';
import { matches } from '../../field/config';
import { fieldRange } from '../../field/display';
import { displayName, type Field, type Frame } from '../../frame/frame';
import type { Loose, Panel } from '../../model/types';

export interface XySeries {
  key: string;
  name: string;
  frame: Frame;
  x: Field;
  y: Field;
  /** Of one point; its series' colour unless a column says otherwise. */
  color: (i: number) => string;
  plain: string;
  /** Pixels across. */
  size: (i: number) => number;
  sizeField?: Field;
  colorField?: Field;
  points: boolean;
  lines: boolean;
  square: boolean;
  lineWidth: number;
  dash: number[];
  /** 0 to 1. */
  fill: number;
  stroke: number;
}

interface Matcher {
  id: string;
  options?: unknown;
}

interface Spec {
  name?: string | { fixed?: string };
  x?: string | { matcher?: Matcher };
  y?: string | { matcher?: Matcher };
  color?: { matcher?: Matcher };
  size?: { matcher?: Matcher };
  pointColor?: { field?: string; fixed?: string };
  pointSize?: { field?: string; fixed?: number };
  frame?: { matcher?: Matcher } | number;
}

const drawable = (f: Field) => f.type === 'number' || f.type === 'time';
const hidden = (f: Field) => (f.config.custom?.['hideFrom'] as Loose | undefined)?.['viz'] === true;

function find(which: string | { matcher?: Matcher } | undefined, f: Frame, all: Frame[]): Field | undefined {
  if (which === undefined) return undefined;
  if (typeof which === 'string') return which === '' ? undefined : f.fields.find((x) => displayName(x, f, all) === which || x.name === which);
  return which.matcher ? f.fields.find((x) => drawable(x) && matches(which.matcher!, x, f, all)) : undefined;
}

function frameWanted(s: Spec, at: number): boolean {
  if (typeof s.frame === 'number') return s.frame === at;
  const m = s.frame?.matcher;
  return !m || m.id !== 'byIndex' || Number(m.options) === at;
}

function make(x: Field, y: Field, frame: Frame, all: Frame[], s: Spec, index: number, used: Map<string, number>): XySeries {
  const custom = y.config.custom ?? {};
  const said = typeof s.name === 'string' ? s.name : s.name?.fixed;
  const name = said || displayName(y, frame, all);
  const n = used.get(name) ?? 0;
  used.set(name, n + 1);
  const colorField = find(s.color ?? s.pointColor?.field, frame, all);
  const sizeField = find(s.size ?? s.pointSize?.field, frame, all);
  const range = fieldRange(y);
  const plain = s.pointColor?.fixed ? resolveColor(s.pointColor.fixed) : seriesColor({ ...y.config, color: y.config.color ?? { mode: 'palette-classic' } }, index, name, null, range.min, range.max) || paletteColor(index);
  const sizes = (custom['pointSize'] ?? {}) as { fixed?: number; min?: number; max?: number };
  const fixed = s.pointSize?.fixed ?? sizes.fixed ?? 5;
  const sr = sizeField && fieldRange(sizeField);
  const least = sizes.min ?? 4;
  const most = sizes.max ?? 40;
  const cr = colorField && fieldRange(colorField);
  const show = String(custom['show'] ?? 'points');
  const line = custom['lineStyle'] as { fill?: string; dash?: number[] } | undefined;
  const byValue = !colorField && (y.config.color?.mode === 'thresholds' || isContinuous(y.config.color?.mode));
  const cf = colorField ?? (byValue ? y : undefined);
  const cRange = cr ?? range;
  return {
    key: n === 0 ? name : `${name}#${n}`,
    name,
    frame,
    x,
    y,
    plain,
    colorField,
    sizeField,
    color: cf
      ? (i) => {
          const v = cf.values[i];
          if (typeof v === 'string') return resolveColor(v);
          if (typeof v !== 'number' || Number.isNaN(v)) return plain;
          const mode = cf.config.color?.mode ?? 'continuous-BlYlRd';
          if (mode === 'thresholds') return thresholdColor(v, cf.config.thresholds ?? DEFAULT_THRESHOLDS, cRange.min, cRange.max);
          return isContinuous(mode) ? mix(continuousStops(mode), cRange.max > cRange.min ? (v - cRange.min) / (cRange.max - cRange.min) : 0) : plain;
        }
      : () => plain,
    // The area stands for the value.
    size: sizeField && sr ? (i) => {
      const v = sizeField.values[i];
      const t = typeof v !== 'number' || Number.isNaN(v) ? 0 : sr.max > sr.min ? (v - sr.min) / (sr.max - sr.min) : 0.5;
      return least + (most - least) * Math.sqrt(Math.max(0, Math.min(1, t)));
    } : () => fixed,
    points: show.includes('points'),
    lines: show.includes('lines'),
    square: custom['pointShape'] === 'square',
    lineWidth: Number(custom['lineWidth'] ?? 1),
    dash: line?.fill === 'dash' ? (line.dash ?? [10, 10]) : line?.fill === 'dot' ? [1, 5] : [],
    fill: Number(custom['fillOpacity'] ?? 50) / 100,
    stroke: Number(custom['pointStrokeWidth'] ?? 1),
  };
}

export function xySeries(panel: Panel, frames: Frame[]): XySeries[] {
  const o = panel.options ?? {};
  const specs = (Array.isArray(o['series']) ? o['series'] : []) as Spec[];
  const manual = (o['mapping'] ?? o['seriesMapping']) === 'manual' && specs.length > 0;
  const of = frames.filter((f) => f.name !== 'exemplar');
  const used = new Map<string, number>();
  const out: XySeries[] = [];
  if (manual) {
    for (const s of specs) {
      of.forEach((f, at) => {
        if (!frameWanted(s, at)) return;
        const x = find(s.x, f, of) ?? (s.x === undefined ? f.fields.find(drawable) : undefined);
        if (!x) return;
        const others = [s.color, s.size].flatMap((m) => (m ? [find(m, f, of)] : []));
        const ys = s.y ? [find(s.y, f, of)] : f.fields.filter((c) => c.type === 'number' && c !== x && !others.includes(c));
        // One name for several columns would tell nothing apart.
        const spec = ys.length > 1 ? { ...s, name: undefined } : s;
        for (const y of ys) if (y && !hidden(y)) out.push(make(x, y, f, of, spec, out.length, used));
      });
    }
    return out;
  }
  const dims = (o['dims'] ?? {}) as { frame?: number; x?: string; exclude?: string[] };
  of.forEach((f, at) => {
    if (dims.frame !== undefined && dims.frame !== at) return;
    // Numbers first: over time there are better drawings, and here times mostly come along unasked.
    const numbers = f.fields.filter((c) => c.type === 'number' && !hidden(c));
    const x = find(dims.x, f, of) ?? (numbers.length > 1 ? numbers[0] : f.fields.find(drawable));
    if (!x) return;
    for (const y of numbers) if (y !== x && !dims.exclude?.includes(y.name)) out.push(make(x, y, f, of, {}, out.length, used));
  });
  return out;
}
