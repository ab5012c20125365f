// Single points over the lines of a drawing: exemplars. Each tells about itself under the pointer, and a click
// follows it to its trace.

import type uPlot from 'uplot';
import { go } from '../shell/router';
import { color } from './colors';

export interface ChartPoint {
  timeMs: number;
  value: number;
  title: string;
  rows: [name: string, text: string][];
  href?: string;
}

const NEAR = 9;
const SIZE = 5;

interface At {
  x: number;
  y: number;
}

/** In CSS pixels of the plot; what lies above or below it is drawn at its edge. */
function place(u: uPlot, p: ChartPoint): At | null {
  const x = u.valToPos(p.timeMs / 1000, 'x');
  if (!(x >= 0 && x <= u.over.clientWidth)) return null;
  const y = u.valToPos(p.value, 'y');
  return Number.isFinite(y) ? { x, y: Math.max(SIZE, Math.min(u.over.clientHeight - SIZE, y)) } : null;
}

/** Points that would cover each other are one: the first of them. */
export function apart<T extends At>(list: T[], gap: number): T[] {
  const taken = new Set<string>();
  return list.filter((p) => {
    const key = `${Math.round(p.x / gap)},${Math.round(p.y / gap)}`;
    return !taken.has(key) && taken.add(key);
  });
}

function placed(u: uPlot, points: ChartPoint[]): (At & { p: ChartPoint })[] {
  const all = points.flatMap((p) => {
    const at = place(u, p);
    return at ? [{ ...at, p }] : [];
  });
  return apart(all, 2 * SIZE);
}

export function drawPoints(u: uPlot, points: ChartPoint[]): void {
  const { ctx, bbox } = u;
  const k = devicePixelRatio || 1;
  ctx.save();
  ctx.fillStyle = color('amber');
  ctx.strokeStyle = getComputedStyle(u.root).getPropertyValue('--card');
  ctx.lineWidth = k;
  for (const at of placed(u, points)) {
    const x = bbox.left + at.x * k;
    const y = bbox.top + at.y * k;
    ctx.beginPath();
    ctx.moveTo(x, y - SIZE * k);
    ctx.lineTo(x + SIZE * k, y);
    ctx.lineTo(x, y + SIZE * k);
    ctx.lineTo(x - SIZE * k, y);
    ctx.closePath();
    ctx.fill();
    ctx.stroke();
  }
  ctx.restore();
}

/** The point under the pointer. */
export function pointAt(u: uPlot, points: ChartPoint[]): ChartPoint | null {
  const { left, top } = u.cursor;
  if (left === undefined || top === undefined || left < 0) return null;
  let best: ChartPoint | null = null;
  let near = NEAR * NEAR;
  for (const at of placed(u, points)) {
    const d = (at.x - left) ** 2 + (at.y - top) ** 2;
    if (d <= near) {
      near = d;
      best = at.p;
    }
  }
  return best;
}

/** Clicks follow the point under them; dragging is still for zooming. */
export function followPoints(u: uPlot, points: () => ChartPoint[]): void {
  u.over.addEventListener('click', () => {
    const p = pointAt(u, points());
    if (p?.href) go(p.href);
  });
}
