// A panel's lines as uPlot's options: scales, axes, styles.

import uPlot from 'uplot';
import { cursorSync, lonely, timeAxis, tzDate, unitIncrs, valueAxis, zoomToSelection } from '../../../chart/plot';
import { formatTicks, format } from '../../../format/units';
import { zoomOutIn, type TimeScope } from '../../../time/scope';
import { absoluteSteps, continuousStops, DEFAULT_THRESHOLDS, isContinuous } from '../../field/color';
import type { Loose } from '../../model/types';
import type { Line, Lines } from './series';
import { tint } from './marks';

const PATHS: Record<string, uPlot.Series.PathBuilder | undefined> = {};

function paths(l: Line): uPlot.Series.PathBuilder | undefined {
  const style = String(l.custom['drawStyle'] ?? 'line');
  if (style === 'points') return () => null;
  if (style === 'bars') {
    const align = Number(l.custom['barAlignment'] ?? 0) as -1 | 0 | 1;
    const width = Number(l.custom['barWidthFactor'] ?? 0.6) || 0.6;
    const max = Number(l.custom['barMaxWidth']) || 200;
    return (PATHS[`bars${align}|${width}|${max}`] ??= uPlot.paths.bars!({ size: [width, max], align }));
  }
  switch (l.custom['lineInterpolation']) {
    case 'smooth':
      return (PATHS['smooth'] ??= uPlot.paths.spline!());
    case 'stepBefore':
      return (PATHS['before'] ??= uPlot.paths.stepped!({ align: -1 }));
    case 'stepAfter':
      return (PATHS['after'] ??= uPlot.paths.stepped!({ align: 1 }));
    default:
      return (PATHS['linear'] ??= uPlot.paths.linear!());
  }
}

/** A vertical gradient in the colours that values have by thresholds or a continuous scale. */
function schemeGradient(u: uPlot, l: Line, opacity: number): CanvasGradient | string {
  const s = u.scales[l.scale];
  if (!s || s.min === undefined || s.min === null || s.max === undefined || s.max === null || s.max === s.min) return tint(l.color, opacity);
  const y0 = u.valToPos(s.min, l.scale, true);
  const y1 = u.valToPos(s.max, l.scale, true);
  if (!Number.isFinite(y0) || !Number.isFinite(y1)) return tint(l.color, opacity);
  const g = u.ctx.createLinearGradient(0, y0, 0, y1);
  const mode = l.field.config.color?.mode;
  if (isContinuous(mode)) {
    const stops = continuousStops(mode!);
    stops.forEach((c, i) => g.addColorStop(i / (stops.length - 1), tint(c, opacity)));
    return g;
  }
  const at = (v: number) => Math.min(Math.max((v - s.min!) / (s.max! - s.min!), 0), 1);
  let prev: string | null = null;
  for (const step of absoluteSteps(l.field.config.thresholds ?? DEFAULT_THRESHOLDS, s.min, s.max)) {
    const pos = at(step.value);
    if (prev !== null) g.addColorStop(pos, tint(prev, opacity));
    g.addColorStop(pos, tint(step.color, opacity));
    prev = step.color;
  }
  return g;
}

function fillOf(l: Line): uPlot.Series.Fill | undefined {
  const opacity = Number(l.custom['fillOpacity'] ?? 0) / 100;
  if (!(opacity > 0)) return undefined;
  const gradient = l.custom['gradientMode'];
  return (u) => {
    if (gradient === 'scheme') return schemeGradient(u, l, opacity);
    if (gradient === 'opacity' || gradient === 'hue') {
      const { top, height } = u.bbox;
      if (!Number.isFinite(top) || !(height > 0)) return tint(l.color, opacity);
      const g = u.ctx.createLinearGradient(0, top, 0, top + height);
      g.addColorStop(0, tint(l.color, opacity));
      g.addColorStop(1, tint(l.color, 0.01));
      return g;
    }
    return tint(l.color, opacity);
  };
}

function series(l: Line): uPlot.Series {
  const style = String(l.custom['drawStyle'] ?? 'line');
  const width = Number(l.custom['lineWidth'] ?? 1);
  const show = String(l.custom['showPoints'] ?? 'auto');
  const lineStyle = l.custom['lineStyle'] as { fill?: string; dash?: number[] } | undefined;
  const scheme = l.custom['gradientMode'] === 'scheme';
  const points = style === 'points' || show === 'always';
  return {
    label: l.name,
    scale: l.scale,
    show: !l.hidden,
    stroke: scheme ? (u) => schemeGradient(u, l, 1) : l.color,
    width,
    paths: paths(l),
    ...(style === 'points' ? {} : { fill: fillOf(l) }),
    ...(lineStyle?.fill === 'dash' ? { dash: lineStyle.dash?.length ? lineStyle.dash : [10, 10] } : lineStyle?.fill === 'dot' ? { dash: lineStyle.dash?.length ? lineStyle.dash : [0, 6], cap: 'round' as const } : {}),
    spanGaps: l.custom['spanNulls'] === true,
    points: {
      size: points ? Number(l.custom['pointSize'] ?? 5) : 4,
      fill: l.color,
      ...(points ? { show: true } : { filter: (u, si, shown) => (shown || style === 'bars' ? null : lonely(u.data[si]!, ...u.series[0]!.idxs!)) }),
      ...(show === 'never' || style === 'bars' ? { show: style === 'bars' ? false : undefined } : {}),
    },
  };
}

interface ScaleLimits {
  min?: number;
  max?: number;
  softMin?: number;
  softMax?: number;
  centered: boolean;
  bars: boolean;
}

function limits(lines: Line[]): ScaleLimits {
  const out: ScaleLimits = { centered: false, bars: false };
  for (const l of lines) {
    const c = l.field.config;
    const num = (v: unknown) => (typeof v === 'number' && Number.isFinite(v) ? v : undefined);
    const min = num(c.min);
    const max = num(c.max);
    if (min !== undefined && !l.negative) out.min = Math.min(out.min ?? Infinity, min);
    if (max !== undefined) out.max = Math.max(out.max ?? -Infinity, max);
    const softMin = num(l.custom['axisSoftMin']);
    const softMax = num(l.custom['axisSoftMax']);
    if (softMin !== undefined) out.softMin = Math.min(out.softMin ?? Infinity, softMin);
    if (softMax !== undefined) out.softMax = Math.max(out.softMax ?? -Infinity, softMax);
    if (l.custom['axisCenteredZero'] === true) out.centered = true;
    if (l.custom['drawStyle'] === 'bars' || l.stack || Number(l.custom['fillOpacity'] ?? 0) > 0) out.bars = true;
  }
  if (lines.some((l) => l.negative)) out.min = undefined;
  return out;
}

/** Ends of a value axis: fixed ones, soft ones that give way to the data, zero for filled drawings. */
export function valueRange(lo: number | null, hi: number | null, l: ScaleLimits): [number, number] {
  let min = lo ?? l.softMin ?? l.min ?? 0;
  let max = hi ?? l.softMax ?? l.max ?? 1;
  if (l.bars && min > 0) min = 0;
  if (l.bars && max < 0) max = 0;
  if (l.softMin !== undefined) min = Math.min(min, l.softMin);
  if (l.softMax !== undefined) max = Math.max(max, l.softMax);
  const top = l.softMax === undefined || max > l.softMax;
  const bottom = l.softMin === undefined || min < l.softMin;
  if (min === max) {
    const d = Math.abs(min) || 1;
    if (min === 0) max = 1;
    else if (min > 0) {
      min = Math.min(0, min);
      max += d * 0.2;
    } else max = 0;
  } else {
    const pad = (max - min) * 0.06;
    if (top && max !== 0) max += pad;
    if (bottom && min !== 0) min -= min > 0 && min - pad < 0 ? min : pad;
  }
  if (l.centered) {
    const m = Math.max(Math.abs(min), Math.abs(max));
    min = -m;
    max = m;
  }
  if (l.min !== undefined) min = l.min;
  if (l.max !== undefined) max = l.max;
  return max > min ? [min, max] : [min, min + 1];
}

export interface Live {
  /** What a drag and a double click change. */
  time: TimeScope;
  fromMs: number;
  toMs: number;
  onCursor: (u: uPlot) => void;
  /** True when the selection meant something else than zooming. */
  onSelect: (u: uPlot) => boolean;
  draw: (u: uPlot, over: boolean) => void;
}

export function plotOptions(l: Lines, size: { width: number; height: number }, shared: boolean, live: () => Live): uPlot.Options {
  const scales: uPlot.Scales = { x: { time: true, range: () => [live().fromMs / 1000, live().toMs / 1000] } };
  const axes: uPlot.Axis[] = [timeAxis()];
  const keys = [...new Set(l.lines.map((x) => x.scale))];
  let anyLeft = false;
  let grid = true;
  keys.forEach((key, i) => {
    const of = l.lines.filter((x) => x.scale === key);
    const first = of[0]!;
    const lim = limits(of);
    const log = /log(\d+)$/.exec(key);
    const percent = of.some((x) => x.stack?.startsWith('percent'));
    scales[key] = log
      ? { distr: 3, log: Number(log[1]) === 2 ? 2 : 10, range: (_u, lo, hi) => logRange(lo, hi, lim, Number(log[1]) === 2 ? 2 : 10) }
      : key.endsWith('symlog')
        ? { distr: 4, asinh: 1, range: (_u, lo, hi) => valueRange(lo, hi, lim) }
        : { range: (_u, lo, hi) => (percent && lim.max === undefined ? [lo !== null && lo < 0 ? -1 : 0, hi !== null && hi <= 0 ? 0 : 1] : valueRange(lo, hi, lim)) };
    if (of.every((x) => x.side === 'hidden')) return;
    // The second unit goes to the right, unless its panel says where.
    const right = first.side === 'right' || (anyLeft && i > 0 && String(first.custom['axisPlacement'] ?? 'auto') === 'auto');
    if (!right) anyLeft = true;
    const negative = of.some((x) => x.negative);
    const label = of.map((x) => x.custom['axisLabel']).find((t): t is string => typeof t === 'string' && t !== '');
    const decimals = of.map((x) => x.field.config.decimals).find((d) => typeof d === 'number');
    const width = of.map((x) => x.custom['axisWidth']).find((t): t is number => typeof t === 'number' && t > 0);
    const unit = percent ? 'percentunit' : first.unit;
    axes.push({
      ...valueAxis(),
      scale: key,
      side: right ? 1 : 3,
      ...(grid && first.custom['axisGridShow'] !== false ? (log ? { grid: { ...valueAxis().grid, filter: wholePowers(Number(log[1])) } } : {}) : { grid: { show: false } }),
      ...(label ? { label, labelSize: 18, labelFont: '11px system-ui, sans-serif', labelGap: 0 } : {}),
      ...(width ? { size: width } : {}),
      ...(first.custom['axisColorMode'] === 'series' ? { stroke: first.color } : {}),
      values: (_u, splits) => {
        const s = negative ? splits.map(Math.abs) : splits;
        if (log) return s.map((v) => (v === null ? '' : format(v, unit)));
        return typeof decimals === 'number' && decimals > 0 && unit !== 'percentunit' ? formatTicks(s, unit) : formatTicks(s, unit);
      },
      ...(log ? {} : unitIncrs(unit)),
    });
    grid = false;
  });
  const bandFill = (i: number): Partial<uPlot.Band> => {
    const x = l.lines[i]!;
    const o = Number(x.custom['fillOpacity'] ?? 0) / 100;
    return typeof x.custom['fillBelowTo'] === 'string' && o > 0 ? { fill: () => tint(x.color, o) } : {};
  };
  return {
    ...size,
    padding: [8, axes.some((a) => a.side === 1) ? 0 : 8, 0, axes.some((a) => a.side === 3) ? 0 : 8],
    legend: { show: false },
    focus: { alpha: 0.25 },
    tzDate,
    scales,
    axes,
    cursor: {
      drag: { x: true, y: false, setScale: false, dist: 4 },
      points: { size: 7, width: 2 },
      focus: { prox: -1 },
      bind: { dblclick: () => () => (zoomOutIn(live().time), null) },
      ...(shared ? { sync: cursorSync } : {}),
    },
    series: [{}, ...l.lines.map(series)],
    bands: l.bands.map(([a, b]): uPlot.Band => ({ series: [a + 1, b + 1], ...bandFill(a) })),
    hooks: {
      setSelect: [(u) => live().onSelect(u) || zoomToSelection(u, live().time)],
      setCursor: [(u) => live().onCursor(u)],
      drawClear: [(u) => live().draw(u, false)],
      draw: [(u) => live().draw(u, true)],
    },
  };
}

/** Lines only at whole powers: the ones between would fill the drawing. */
const wholePowers = (base: number) => (_u: uPlot, splits: number[]) => splits.map((v) => (v > 0 && Math.abs((Math.log(v) / Math.log(base)) % 1) < 1e-9 ? v : null) as number);

function logRange(lo: number | null, hi: number | null, l: ScaleLimits, base: number): [number, number] {
  const down = (v: number) => base ** Math.floor(Math.log(v) / Math.log(base));
  const up = (v: number) => base ** Math.ceil(Math.log(v) / Math.log(base));
  const min = l.min !== undefined && l.min > 0 ? l.min : lo !== null && lo > 0 ? down(lo) : 1e-3;
  const max = l.max !== undefined && l.max > 0 ? l.max : hi !== null && hi > 0 ? up(hi) : 1;
  return max > min ? [min, max] : [min, min * base];
}

/** Everything that needs a new plot when it changes. */
export function plotKey(l: Lines, panel: { options?: Loose }, shared: boolean): string {
  return JSON.stringify([shared, panel.options?.['orientation'], l.bands, l.lines.map((x) => [x.key, x.scale, x.side, x.color, x.hidden, x.custom, x.field.config.min, x.field.config.max, x.field.config.thresholds, x.field.config.decimals])]);
}
