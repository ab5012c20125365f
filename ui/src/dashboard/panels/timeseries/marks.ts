// What is drawn over and under the lines: threshold lines and areas, annotations, exemplars.

import type uPlot from 'uplot';
import { absoluteSteps, DEFAULT_THRESHOLDS, resolveColor } from '../../field/color';
import { alpha } from '../../../chart/colors';
import type { AnnotationEvent } from '../../query/annotations';
import type { Line } from './series';

export function tint(color: string, a: number): string {
  const hex = alpha(color, a);
  if (hex !== color) return hex;
  const m = /^rgba?\(([^)]+)\)$/.exec(color);
  if (!m) return `color-mix(in srgb, ${color} ${Math.round(a * 100)}%, transparent)`;
  const parts = m[1]!.split(/[\s,/]+/).slice(0, 3);
  return `rgba(${parts.join(',')},${a})`;
}

/** Areas between thresholds lie under the lines, the lines of thresholds over them. */
export function drawThresholds(u: uPlot, line: Line, over: boolean): void {
  const style = (line.custom['thresholdsStyle'] as { mode?: string } | undefined)?.mode ?? 'off';
  if (style === 'off' || style === 'series') return;
  const scale = u.scales[line.scale];
  if (scale?.min === undefined || scale.min === null || scale.max === undefined || scale.max === null) return;
  const steps = absoluteSteps(line.field.config.thresholds ?? DEFAULT_THRESHOLDS, line.field.config.min ?? scale.min, line.field.config.max ?? scale.max);
  const { ctx } = u;
  const { left, top, width, height } = u.bbox;
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, top, width, height);
  ctx.clip();
  const y = (v: number) => u.valToPos(Math.min(Math.max(v, scale.min!), scale.max!), line.scale, true);
  steps.forEach((s, i) => {
    const next = steps[i + 1]?.value ?? Infinity;
    if (!over && style.includes('area') && s.color !== 'transparent') {
      ctx.fillStyle = tint(s.color, 0.12);
      const a = y(Math.max(s.value, scale.min!));
      const b = y(Math.min(next, scale.max!));
      ctx.fillRect(left, b, width, a - b);
    }
    if (over && (style.startsWith('line') || style.startsWith('dashed')) && Number.isFinite(s.value) && s.color !== 'transparent' && s.value >= scale.min! && s.value <= scale.max!) {
      ctx.strokeStyle = s.color;
      ctx.lineWidth = 2 * devicePixelRatio;
      ctx.setLineDash(style.startsWith('dashed') ? [8 * devicePixelRatio, 6 * devicePixelRatio] : []);
      ctx.beginPath();
      ctx.moveTo(left, y(s.value));
      ctx.lineTo(left + width, y(s.value));
      ctx.stroke();
    }
  });
  ctx.restore();
}

export function drawAnnotations(u: uPlot, events: AnnotationEvent[]): void {
  if (events.length === 0) return;
  const { ctx } = u;
  const { left, top, width, height } = u.bbox;
  const px = devicePixelRatio;
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, top, width, height + 8 * px);
  ctx.clip();
  for (const e of events) {
    const x0 = u.valToPos(e.timeMs / 1000, 'x', true);
    const x1 = e.endMs ? u.valToPos(e.endMs / 1000, 'x', true) : x0;
    if (x1 < left || x0 > left + width) continue;
    const color = resolveColor(e.color);
    if (e.endMs) {
      ctx.fillStyle = tint(color, 0.12);
      ctx.fillRect(x0, top, Math.max(1, x1 - x0), height);
    }
    ctx.strokeStyle = color;
    ctx.lineWidth = px;
    ctx.setLineDash([4 * px, 3 * px]);
    for (const x of e.endMs ? [x0, x1] : [x0]) {
      ctx.beginPath();
      ctx.moveTo(x, top);
      ctx.lineTo(x, top + height);
      ctx.stroke();
    }
    ctx.setLineDash([]);
    ctx.fillStyle = color;
    if (e.endMs) ctx.fillRect(x0, top + height, Math.max(2 * px, x1 - x0), 4 * px);
    else {
      ctx.beginPath();
      ctx.moveTo(x0, top + height);
      ctx.lineTo(x0 - 4 * px, top + height + 6 * px);
      ctx.lineTo(x0 + 4 * px, top + height + 6 * px);
      ctx.fill();
    }
  }
  ctx.restore();
}

export interface ExemplarPoint {
  timeMs: number;
  value: number;
  labels: Record<string, string>;
  /** Where its query's series are drawn. */
  scale: string;
}

/** CSS pixels within the drawing; beyond the axis' ends it lies on the edge. Null when out of time. */
export function exemplarPlace(u: uPlot, p: ExemplarPoint): { x: number; y: number } | null {
  const s = u.scales[p.scale];
  if (!s || s.min === undefined || s.min === null || s.max === undefined || s.max === null) return null;
  const x = u.valToPos(p.timeMs / 1000, 'x');
  const w = u.bbox.width / devicePixelRatio;
  if (!Number.isFinite(p.value) || x < 0 || x > w) return null;
  return { x, y: u.valToPos(Math.min(s.max, Math.max(s.min, p.value)), p.scale) };
}

const REACH = 9;

/** The exemplar under the pointer. */
export function exemplarAt(u: uPlot, points: ExemplarPoint[], left: number, top: number): ExemplarPoint | null {
  let best: ExemplarPoint | null = null;
  let least = REACH;
  for (const p of points) {
    const at = exemplarPlace(u, p);
    const d = at ? Math.hypot(at.x - left, at.y - top) : Infinity;
    if (d < least) {
      least = d;
      best = p;
    }
  }
  return best;
}

export function drawExemplars(u: uPlot, points: ExemplarPoint[], lit: ExemplarPoint | null): void {
  const { ctx } = u;
  const px = devicePixelRatio;
  ctx.save();
  ctx.strokeStyle = '#1f60c4';
  ctx.lineWidth = px;
  for (const p of points) {
    const at = exemplarPlace(u, p);
    if (!at) continue;
    const x = u.bbox.left + at.x * px;
    const y = u.bbox.top + at.y * px;
    const r = (p === lit ? 6 : 4) * px;
    ctx.fillStyle = p === lit ? '#f2cc0c' : '#8ab8ff';
    ctx.beginPath();
    ctx.moveTo(x, y - r);
    ctx.lineTo(x + r, y);
    ctx.lineTo(x, y + r);
    ctx.lineTo(x - r, y);
    ctx.closePath();
    ctx.fill();
    ctx.stroke();
  }
  ctx.restore();
}
