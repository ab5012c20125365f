// Bars beside or upon each other over named places: what bar chart and histogram are drawn with.

import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { frameColors } from '../../chart/colors';
import { unitIncrs } from '../../chart/plot';
import { theme } from '../../shell/theme';
import { formatTicks } from '../../format/units';
import { niceWidth } from '../transform/histogram';

export interface BarSeries {
  key: string;
  name: string;
  color: string;
  values: (number | null)[];
  text: (v: number) => string;
  hidden: boolean;
}

export interface BarsProps {
  names: string[];
  series: BarSeries[];
  unit: string;
  stack: 'none' | 'normal' | 'percent';
  horizontal: boolean;
  /** Bars touch: a histogram. */
  dense: boolean;
  groupWidth: number;
  barWidth: number;
  showValue: string;
  min?: number;
  max?: number;
  label: string;
}

interface Box {
  x: number;
  y: number;
  w: number;
  h: number;
  s: BarSeries;
  i: number;
  v: number;
}

/** A round distance of ticks; for units that count in 1024s a power of two. */
function tickStep(span: number, count: number, unit: string): number {
  return 'incrs' in unitIncrs(unit) ? 2 ** Math.ceil(Math.log2(span / count)) : niceWidth(span, count);
}

function layout(p: BarsProps, w: number, h: number): { boxes: Box[]; ticks: { at: number; text: string }[]; left: number; bottom: number; every: number; zero: number } {
  const shown = p.series.filter((s) => !s.hidden);
  const n = Math.max(1, p.names.length);
  let lo = 0;
  let hi = 0;
  const sums = p.names.map((_, i) => shown.reduce((a, s) => a + Math.abs(s.values[i] ?? 0), 0));
  if (p.stack === 'percent') hi = 1;
  else if (p.stack === 'normal') hi = Math.max(0, ...sums);
  else
    for (const s of shown)
      for (const v of s.values) {
        if (v === null) continue;
        lo = Math.min(lo, v);
        hi = Math.max(hi, v);
      }
  lo = p.min ?? lo;
  hi = p.max ?? hi;
  if (hi <= lo) hi = lo + 1;
  const step = tickStep(hi - lo, p.horizontal ? Math.max(2, w / 110) : Math.max(2, h / 45), p.unit);
  if (p.max === undefined && p.stack !== 'percent') hi = Math.ceil(hi / step - 1e-9) * step;
  if (p.min === undefined && lo < 0) lo = Math.floor(lo / step + 1e-9) * step;
  const at: number[] = [];
  for (let v = Math.ceil(lo / step) * step; v <= hi + step * 1e-6; v += step) at.push(Number(v.toPrecision(12)));
  const texts = formatTicks(at, p.stack === 'percent' ? 'percentunit' : p.unit);
  const nameLen = Math.max(0, ...p.names.map((t) => t.length));
  const left = p.horizontal ? Math.min(w * 0.35, nameLen * 6.4 + 12) : Math.max(28, ...texts.map((t) => t.length * 6.4 + 10));
  const bottom = 22;
  const iw = w - left - 6;
  const ih = h - bottom - 6;
  const along = p.horizontal ? ih : iw;
  const slot = along / n;
  const group = p.dense ? slot : slot * Math.min(1, p.groupWidth);
  const val = (v: number) => (v - lo) / (hi - lo);
  const boxes: Box[] = [];
  for (let i = 0; i < n; i++) {
    let base = 0;
    shown.forEach((s, k) => {
      const raw = s.values[i];
      if (raw === null || raw === undefined) return;
      const v = p.stack === 'percent' ? (sums[i]! > 0 ? Math.abs(raw) / sums[i]! : 0) : raw;
      const stacked = p.stack !== 'none';
      const part = stacked || p.dense ? group : group / shown.length;
      const thick = p.dense ? Math.max(1, part - 1) : Math.max(1, part * p.barWidth);
      const start = slot * i + (slot - group) / 2 + (stacked || p.dense ? 0 : part * k) + (part - thick) / 2;
      const a = val(Math.max(lo, stacked ? base : 0));
      const b = val(stacked ? base + v : v);
      if (stacked) base += v;
      const from = Math.min(a, b);
      const len = Math.abs(b - a);
      boxes.push(p.horizontal ? { x: left + from * iw, y: 6 + start, w: Math.max(len * iw, 0.5), h: thick, s, i, v: raw } : { x: left + start, y: 6 + (1 - from - len) * ih, w: thick, h: Math.max(len * ih, 0.5), s, i, v: raw });
    });
  }
  const room = p.horizontal ? 15 : Math.max(24, nameLen * 6.6);
  return { boxes, ticks: at.map((v, i) => ({ at: p.horizontal ? left + val(v) * iw : 6 + (1 - val(v)) * ih, text: texts[i]! })), left, bottom, every: Math.max(1, Math.ceil(room / slot)), zero: val(0) };
}

export function Bars(p: BarsProps) {
  const box = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const [size, setSize] = useState({ w: 0, h: 0 });
  const [tip, setTip] = useState<{ x: number; y: number; b: Box } | null>(null);
  const dark = theme.value;
  useLayoutEffect(() => {
    const el = box.current!;
    const ro = new ResizeObserver(() => setSize({ w: el.clientWidth, h: el.clientHeight }));
    ro.observe(el);
    return () => ro.disconnect();
  }, []);
  const l = size.w > 40 && size.h > 40 ? layout(p, size.w, size.h) : null;
  useEffect(() => {
    const c = canvas.current;
    if (!c || !l) return;
    const px = devicePixelRatio;
    c.width = size.w * px;
    c.height = size.h * px;
    const ctx = c.getContext('2d')!;
    ctx.scale(px, px);
    const colors = frameColors();
    ctx.font = '11px system-ui, sans-serif';
    ctx.fillStyle = colors.text;
    ctx.strokeStyle = colors.grid;
    ctx.textBaseline = 'middle';
    for (const t of l.ticks) {
      ctx.beginPath();
      if (p.horizontal) {
        ctx.moveTo(t.at, 6);
        ctx.lineTo(t.at, size.h - l.bottom);
        ctx.textAlign = 'center';
        ctx.fillText(t.text, Math.min(t.at, size.w - 14), size.h - 10);
      } else {
        ctx.moveTo(l.left, t.at);
        ctx.lineTo(size.w - 6, t.at);
        ctx.textAlign = 'right';
        ctx.fillText(t.text, l.left - 6, t.at);
      }
      ctx.stroke();
    }
    const slot = (p.horizontal ? size.h - l.bottom - 6 : size.w - l.left - 6) / Math.max(1, p.names.length);
    p.names.forEach((name, i) => {
      if (i % l.every) return;
      if (p.horizontal) {
        ctx.textAlign = 'right';
        ctx.fillText(name, l.left - 6, 6 + slot * (i + 0.5), l.left - 8);
      } else {
        ctx.textAlign = p.dense ? 'left' : 'center';
        const wide = Math.min(ctx.measureText(name).width, Math.max(20, slot * l.every - 4));
        const at = l.left + slot * (p.dense ? i : i + 0.5);
        // Long names of the first and the last bar stay inside.
        ctx.fillText(name, p.dense ? at : Math.max(wide / 2, Math.min(at, size.w - wide / 2)), size.h - 10, wide);
      }
    });
    ctx.textAlign = 'center';
    for (const b of l.boxes) {
      ctx.fillStyle = b.s.color;
      ctx.globalAlpha = 0.85;
      ctx.fillRect(b.x, b.y, b.w, b.h);
      ctx.globalAlpha = 1;
      if (p.showValue === 'never' || p.dense) continue;
      const text = b.s.text(b.v);
      const tw = ctx.measureText(text).width;
      ctx.fillStyle = colors.text;
      if (p.horizontal) {
        if (p.showValue === 'always' || (b.h > 12 && b.x + b.w + tw + 8 < size.w)) {
          ctx.textAlign = 'left';
          ctx.fillText(text, b.x + b.w + 4, b.y + b.h / 2);
        }
      } else if (p.showValue === 'always' || (b.w > tw + 2 && p.stack === 'none')) {
        ctx.textAlign = 'center';
        ctx.fillText(text, b.x + b.w / 2, Math.max(8, b.y - 7));
      }
    }
  }, [l, dark]);
  const move = (e: PointerEvent) => {
    if (!l) return;
    const r = canvas.current!.getBoundingClientRect();
    const x = e.clientX - r.left;
    const y = e.clientY - r.top;
    const hit = l.boxes.find((b) => (p.horizontal ? y >= b.y && y <= b.y + b.h && x >= l.left : x >= b.x && x <= b.x + b.w && (p.stack === 'none' || (y >= b.y && y <= b.y + b.h))));
    setTip(hit ? { x, y, b: hit } : null);
  };
  return (
    <div class="ts-plot" ref={box} role="img" aria-label={p.label}>
      <canvas ref={canvas} style={{ position: 'absolute', inset: '0', width: '100%', height: '100%' }} onPointerMove={move} onPointerLeave={() => setTip(null)} />
      {tip && (
        <div class="tip" style={{ transform: `translate(${Math.round(tip.x + 190 > size.w ? tip.x - 180 : tip.x + 14)}px, ${Math.round(Math.min(tip.y, size.h - 50))}px)` }}>
          <div class="tip-time">{p.names[tip.b.i]}</div>
          <i class="dot" style={{ background: tip.b.s.color }} /> {tip.b.s.name} <strong class="num">{tip.b.s.text(tip.b.v)}</strong>
        </div>
      )}
    </div>
  );
}
