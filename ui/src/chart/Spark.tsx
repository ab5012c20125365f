// A word-sized drawing: one filled line, no axes.

import { color, alpha, type ColorName } from './colors';

export interface SparkProps {
  values: (number | null)[];
  color: ColorName;
  min?: number;
  max?: number;
  width?: number;
  height?: number;
}

const r1 = (n: number) => Math.round(n * 10) / 10;

/** SVG paths of the line and of the area under it; gaps split them. */
export function sparkPaths(
  values: (number | null)[],
  w: number,
  h: number,
  lo: number,
  hi: number,
): { line: string; area: string } {
  const span = hi - lo || 1;
  const dx = values.length > 1 ? w / (values.length - 1) : 0;
  let line = '';
  let area = '';
  let start = -1;
  const end = (i: number) => {
    if (start >= 0) area += `L${r1((i - 1) * dx)} ${h}L${r1(start * dx)} ${h}Z`;
    start = -1;
  };
  values.forEach((v, i) => {
    if (v === null) return end(i);
    const y = r1(h - 1 - ((Math.min(Math.max(v, lo), hi) - lo) / span) * (h - 2));
    const cmd = `${start < 0 ? 'M' : 'L'}${r1(i * dx)} ${y}`;
    if (start < 0) start = i;
    line += cmd;
    area += cmd;
  });
  end(values.length);
  return { line, area };
}

export function Spark(p: SparkProps) {
  const w = p.width ?? 160;
  const h = p.height ?? 36;
  const known = p.values.filter((v): v is number => v !== null);
  const c = color(p.color);
  if (known.length < 2) return <svg class="spark" viewBox={`0 0 ${w} ${h}`} aria-hidden="true" />;
  const lo = Math.min(p.min ?? Infinity, ...known);
  let hi = Math.max(p.max ?? -Infinity, ...known);
  if (hi === lo) hi = lo + 1;
  const { line, area } = sparkPaths(p.values, w, h, lo, hi);
  return (
    <svg class="spark" viewBox={`0 0 ${w} ${h}`} preserveAspectRatio="none" aria-hidden="true">
      <path d={area} fill={alpha(c, 0.16)} />
      <path d={line} fill="none" stroke={c} stroke-width="1.5" vector-effect="non-scaling-stroke" stroke-linejoin="round" />
    </svg>
  );
}
