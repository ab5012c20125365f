// Heat map: the count in each bucket over time, as colour.

import { useMemo } from 'preact/hooks';
import { format } from '../../format/units';
import { theme } from '../../shell/theme';
import { HEAT_SCHEMES, mix, resolveColor } from '../field/color';
import { displayName, timeField, type Frame } from '../frame/frame';
import { cellsOf, countCells, stepOf, type Cells } from '../transform/heatmap';
import type { PanelView } from './props';
import { TimeCanvas } from './TimeCanvas';
import { tint } from './timeseries/marks';

interface Rows {
  times: number[];
  stepMs: number;
  /** Lowest first. */
  values: (number | null)[][];
  labels: string[];
  /** Upper ends of the rows, where they are numbers. */
  ends: number[] | null;
  /** Labels stand at the upper edge of their row. */
  bounds: boolean;
}

/** Buckets as the query gave them: columns of one table, or one series each. */
function given(frames: Frame[], unit: string, decimals: number | undefined): Rows | null {
  const list = frames.filter((f) => timeField(f) && f.name !== 'exemplar');
  if (list.length === 0) return null;
  const times = timeField(list[0]!)!.values as number[];
  const cols = list.flatMap((f) => f.fields.filter((x) => x.type === 'number').map((x) => ({ name: x.labels?.['le'] ?? displayName(x, f, list), values: x.values as (number | null)[], kind: f.kind })));
  if (cols.length === 0) return null;
  const bound = (t: string) => (t === '+Inf' ? Infinity : Number(t));
  const numeric = cols.every((c) => !Number.isNaN(bound(c.name)));
  let sorted = cols;
  if (numeric) {
    sorted = cols.slice().sort((a, b) => bound(a.name) - bound(b.name));
    // Series named by "le" that were not asked for as a heat map are still cumulative.
    if (cols[0]!.kind === 'timeseries' && list.every((f) => f.fields.some((x) => x.labels?.['le'] !== undefined))) {
      sorted = sorted.map((c, k) => ({ ...c, values: c.values.map((v, i) => (v === null ? null : Math.max(0, v - (k > 0 ? (sorted[k - 1]!.values[i] ?? 0) : 0)))) }));
    }
  }
  return { times, stepMs: stepOf(times, list[0]!.stepMs), values: sorted.map((c) => c.values), ends: numeric ? sorted.map((c) => bound(c.name)) : null, labels: sorted.map((c) => (numeric ? (bound(c.name) === Infinity ? '+Inf' : format(bound(c.name), unit, decimals)) : c.name)), bounds: numeric };
}

/** Cells that were counted here, or by a transformation. */
function counted(c: Cells | null, unit: string, decimals: number | undefined): Rows | null {
  if (!c) return null;
  return { times: c.times, stepMs: c.stepMs, values: c.counts, ends: c.bounds.slice(1), labels: c.bounds.slice(1).map((b) => format(b, unit, decimals)), bounds: true };
}

const SEQUENTIAL = new Set(['Oranges', 'Blues', 'Greens', 'Reds', 'Greys', 'Purples']);

export default function Heatmap(p: PanelView) {
  const dark = theme.value === 'dark';
  const o = p.panel.options ?? {};
  const y = (o['yAxis'] ?? {}) as { unit?: string; decimals?: number; reverse?: boolean };
  const color = (o['color'] ?? {}) as { mode?: string; scheme?: string; fill?: string; steps?: number; exponent?: number; reverse?: boolean; min?: number; max?: number };
  const unit = y.unit ?? p.panel.fieldConfig?.defaults.unit ?? 'short';
  const cells = p.frames.find((f) => f.kind === 'heatmap-cells');
  // Cells of a transformation begin at their time, as those counted here do; buckets of a query end at it.
  const begins = cells !== undefined || o['calculate'] === true;
  const rows = useMemo(() => {
    if (cells) return counted(cellsOf(cells), unit, y.decimals);
    if (o['calculate'] !== true) return given(p.frames, unit, y.decimals);
    return counted(countCells(p.frames, (o['calculation'] ?? {}) as object, Math.max(10, Math.floor(p.width / 14))), unit, y.decimals);
  }, [p.frames, o, p.width]);
  const paint = useMemo(() => {
    let lo = Infinity;
    let hi = -Infinity;
    for (const r of rows?.values ?? []) for (const v of r) if (v !== null && v > 0) ((lo = Math.min(lo, v)), (hi = Math.max(hi, v)));
    lo = color.min ?? Math.min(0, lo);
    hi = color.max ?? hi;
    const scheme = color.scheme ?? 'Oranges';
    let stops = HEAT_SCHEMES[scheme] ?? HEAT_SCHEMES['Oranges']!;
    // The lowest values come near the background, whichever it is.
    if (SEQUENTIAL.has(scheme) && dark !== (color.reverse === true)) stops = stops.slice().reverse();
    else if (!SEQUENTIAL.has(scheme) && color.reverse) stops = stops.slice().reverse();
    const steps = Math.max(2, color.steps ?? 64);
    const exponent = color.exponent && color.exponent > 0 ? color.exponent : 0.5;
    const fill = resolveColor(color.fill ?? 'dark-orange');
    return (v: number) => {
      const t = hi > lo ? ((v - lo) / (hi - lo)) ** exponent : 1;
      if (color.mode === 'opacity') return tint(fill, Math.max(0.05, Math.min(1, t)));
      return mix(stops, Math.round(t * (steps - 1)) / (steps - 1));
    };
  }, [rows, o, dark]);
  const draw = useMemo(
    () => (ctx: CanvasRenderingContext2D, x: (ms: number) => number, yAt: (row: number) => number) => {
      if (!rows) return;
      const gap = Math.max(0, Number(o['cellGap'] ?? 1)) * devicePixelRatio;
      const n = rows.values.length;
      const w = Math.abs(x(rows.stepMs) - x(0));
      for (let r = 0; r < n; r++) {
        const at = y.reverse ? n - 1 - r : r;
        const top = yAt(at + 1);
        const h = yAt(at) - top;
        for (let i = 0; i < rows.times.length; i++) {
          const v = rows.values[r]![i];
          if (v === null || v === undefined || v <= 0) continue;
          ctx.fillStyle = paint(v);
          // A sample stands for the step that ends with it.
          const left = begins ? x(rows.times[i]!) : x(rows.times[i]!) - w;
          ctx.fillRect(Math.round(left), Math.round(top), Math.max(1, Math.ceil(w) - gap), Math.max(1, Math.ceil(h) - gap));
        }
      }
    },
    [rows, paint, o],
  );
  if (!rows) return <div class="empty">No data in this time range.</div>;
  const n = rows.values.length;
  const every = Math.max(1, Math.ceil((n * 18) / Math.max(1, p.height - 30)));
  const labels = rows.labels.map((text, k) => ({ at: (y.reverse ? n - 1 - k : k) + (rows.bounds ? (y.reverse ? 0 : 1) : 0.5), text })).filter((_, k) => k === n - 1 || (k % every === 0 && n - 1 - k >= every));
  const cellAt = (ms: number, row: number) => {
    const r = y.reverse ? n - 1 - Math.floor(row) : Math.floor(row);
    const i = Math.floor((ms + (begins ? 0 : rows.stepMs) - rows.times[0]!) / rows.stepMs);
    return { r, i, v: rows.values[r]?.[i] };
  };
  const click = (ms: number, row: number) => {
    const { r, i, v } = cellAt(ms, row);
    if (!v || !rows.ends) return;
    const fromMs = rows.times[i]! - (begins ? 0 : rows.stepMs);
    p.onCell!({ fromMs, toMs: fromMs + rows.stepMs, low: r > 0 ? rows.ends[r - 1]! : -Infinity, high: rows.ends[r]! });
  };
  const tip = (ms: number, row: number) => {
    const { r, v } = cellAt(ms, row);
    if (v === null || v === undefined) return [];
    const below = r > 0 ? rows.labels[r - 1]! : '';
    return [{ color: paint(v), label: rows.bounds ? `${below || '…'} – ${rows.labels[r]}` : rows.labels[r]!, text: format(v, 'short') }];
  };
  return (
    <div class="ts">
      <TimeCanvas view={p} rows={n} labels={labels} draw={draw} tip={tip} onClick={p.onCell && rows.ends ? click : undefined} label={`${p.panel.title ?? ''}: heat map of ${n} buckets over time`} />
    </div>
  );
}
