// Scatter: a column against another, points or lines, sized and coloured by further columns. Dragging
// zooms (over time it changes the time range), a double click shows all again.

import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { FONT } from '../../../chart/plot';
import { frameColors } from '../../../chart/colors';
import { theme } from '../../../shell/theme';
import { setAbsolute } from '../../../time/state';
import { displayer } from '../../field/display';
import { displayName, type Field } from '../../frame/frame';
import type { Loose } from '../../model/types';
import { PanelLegend } from '../Legend';
import { LinkAnchor } from '../Linked';
import { readyLinks, type ReadyLink } from '../links';
import type { PanelView } from '../props';
import { tint } from '../timeseries/marks';
import { useToggle } from '../toggle';
import { makeAxis, type Axis } from './scale';
import { xySeries, type XySeries } from './series';

const num = (v: unknown): number | undefined => (typeof v === 'number' && Number.isFinite(v) ? v : undefined);
const NEAR = 14;

interface Box {
  x: [number, number];
  y: [number, number];
}

interface Frame {
  left: number;
  top: number;
  w: number;
  h: number;
  x: Axis;
  y: Axis;
}

const isLog = (f: Field) => (f.config.custom?.['scaleDistribution'] as Loose | undefined)?.['type'] === 'log';

function span(shown: XySeries[], which: 'x' | 'y'): [number, number] {
  let lo = Infinity;
  let hi = -Infinity;
  for (const s of shown) {
    const log = isLog(s[which]);
    for (const v of s[which].values) {
      if (typeof v !== 'number' || !Number.isFinite(v) || (log && v <= 0)) continue;
      if (v < lo) lo = v;
      if (v > hi) hi = v;
    }
  }
  return [lo, hi];
}

function layout(shown: XySeries[], width: number, height: number, zoom: Box | null, p: PanelView): Frame | null {
  const first = shown[0];
  if (!first || width < 60 || height < 60) return null;
  const time = first.x.type === 'time';
  const [x0, x1] = zoom?.x ?? (time ? [p.data.fromMs, p.data.toMs] : span(shown, 'x'));
  const [y0, y1] = zoom?.y ?? span(shown, 'y');
  const exact = zoom !== null;
  const bottom = first.x.config.custom?.['axisLabel'] || !time ? 40 : 24;
  const h = height - bottom - 8;
  const y = makeAxis(y0, y1, { min: exact ? undefined : num(first.y.config.min), max: exact ? undefined : num(first.y.config.max), log: isLog(first.y), time: false, unit: first.y.config.unit ?? 'short', room: Math.max(2, h / 45), exact });
  const left = Math.max(34, ...y.ticks.map((t) => t.text.length * 6.4 + 14)) + (first.y.config.custom?.['axisLabel'] ? 16 : 0);
  const w = width - left - 12;
  const x = makeAxis(x0, x1, { min: exact ? undefined : num(first.x.config.min), max: exact ? undefined : num(first.x.config.max), log: isLog(first.x), time, unit: first.x.config.unit ?? 'short', room: Math.max(2, w / 90), exact });
  return { left, top: 8, w, h, x, y };
}

function axisLabel(f: Field, s: XySeries, all: PanelView['frames']): string {
  const own = f.config.custom?.['axisLabel'];
  return typeof own === 'string' && own !== '' ? own : f === s.x && f.type !== 'time' ? displayName(f, s.frame, all) : '';
}

function draw(g: CanvasRenderingContext2D, f: Frame, shown: XySeries[], width: number, height: number, all: PanelView['frames']): void {
  const { text, grid } = frameColors();
  g.clearRect(0, 0, width, height);
  g.font = FONT;
  g.lineWidth = 1;
  g.strokeStyle = grid;
  g.fillStyle = text;
  g.textBaseline = 'middle';
  g.textAlign = 'right';
  for (const t of f.y.ticks) {
    const y = Math.round(f.top + (1 - f.y.at(t.v)) * f.h) + 0.5;
    g.beginPath();
    g.moveTo(f.left, y);
    g.lineTo(f.left + f.w, y);
    g.stroke();
    g.fillText(t.text, f.left - 8, y);
  }
  g.textAlign = 'center';
  g.textBaseline = 'top';
  for (const t of f.x.ticks) {
    const x = Math.round(f.left + f.x.at(t.v) * f.w) + 0.5;
    g.beginPath();
    g.moveTo(x, f.top);
    g.lineTo(x, f.top + f.h);
    g.stroke();
    g.fillText(t.text, Math.min(Math.max(x, 16), width - 16), f.top + f.h + 6);
  }
  const xl = axisLabel(shown[0]!.x, shown[0]!, all);
  if (xl) g.fillText(xl, f.left + f.w / 2, f.top + f.h + 22);
  const yl = axisLabel(shown[0]!.y, shown[0]!, all);
  if (yl) {
    g.save();
    g.translate(6, f.top + f.h / 2);
    g.rotate(-Math.PI / 2);
    g.fillText(yl, 0, 0);
    g.restore();
  }
  g.save();
  g.beginPath();
  g.rect(f.left, f.top, f.w, f.h);
  g.clip();
  for (const s of shown) {
    const n = s.frame.length;
    const px = (i: number) => f.left + f.x.at(s.x.values[i] as number) * f.w;
    const py = (i: number) => f.top + (1 - f.y.at(s.y.values[i] as number)) * f.h;
    const ok = (i: number) => typeof s.x.values[i] === 'number' && typeof s.y.values[i] === 'number';
    if (s.lines) {
      g.strokeStyle = s.plain;
      g.lineWidth = s.lineWidth;
      g.setLineDash(s.dash);
      g.beginPath();
      let open = false;
      for (let i = 0; i < n; i++) {
        if (!ok(i)) {
          open = false;
          continue;
        }
        if (open) g.lineTo(px(i), py(i));
        else g.moveTo(px(i), py(i));
        open = true;
      }
      g.stroke();
      g.setLineDash([]);
    }
    if (!s.points) continue;
    g.lineWidth = s.stroke;
    for (let i = 0; i < n; i++) {
      if (!ok(i)) continue;
      const c = s.color(i);
      const r = s.size(i) / 2;
      g.beginPath();
      if (s.square) g.rect(px(i) - r, py(i) - r, 2 * r, 2 * r);
      else g.arc(px(i), py(i), r, 0, 2 * Math.PI);
      if (s.fill > 0) {
        g.fillStyle = tint(c, s.fill);
        g.fill();
      }
      if (s.stroke > 0) {
        g.strokeStyle = c;
        g.stroke();
      }
    }
  }
  g.restore();
}

interface Hit {
  s: XySeries;
  i: number;
  x: number;
  y: number;
}

function nearest(f: Frame, shown: XySeries[], x: number, y: number): Hit | null {
  let best: Hit | null = null;
  let least = Infinity;
  for (const s of shown) {
    for (let i = 0; i < s.frame.length; i++) {
      const a = s.x.values[i];
      const b = s.y.values[i];
      if (typeof a !== 'number' || typeof b !== 'number') continue;
      const px = f.left + f.x.at(a) * f.w;
      const py = f.top + (1 - f.y.at(b)) * f.h;
      const d = Math.hypot(px - x, py - y) - s.size(i) / 2;
      if (d < least && d < NEAR && px >= f.left - 1 && px <= f.left + f.w + 1) {
        least = d;
        best = { s, i, x: px, y: py };
      }
    }
  }
  return best;
}

function TipBody({ h, p, links }: { h: Hit; p: PanelView; links: ReadyLink[] }) {
  const row = (f: Field) => [displayName(f, h.s.frame, p.frames), displayer(f)(f.values[h.i]).text];
  const texts = h.s.frame.fields.filter((f) => f.type === 'string').slice(0, 6);
  const rows = [...texts.map(row), row(h.s.x), row(h.s.y), ...(h.s.sizeField ? [row(h.s.sizeField)] : []), ...(h.s.colorField ? [row(h.s.colorField)] : [])];
  return (
    <>
      <div class="tip-time">
        <i class="dot" style={{ background: h.s.color(h.i) }} /> {h.s.name}
      </div>
      <table>
        <tbody>
          {rows.map(([k, v], i) => (
            <tr key={i}>
              <td class="name">{k}</td>
              <td class="num">{v}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {links.map((l, i) => (
        <LinkAnchor key={i} link={l} class="row-btn">
          {l.title}
        </LinkAnchor>
      ))}
    </>
  );
}

export default function XyChart(p: PanelView) {
  const dark = theme.value;
  const box = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const [size, setSize] = useState({ w: 0, h: 0 });
  const [hidden, toggle] = useToggle();
  const [zoom, setZoom] = useState<Box | null>(null);
  const [hit, setHit] = useState<Hit | null>(null);
  const [pinned, setPinned] = useState(false);
  const [drag, setDrag] = useState<{ x0: number; y0: number; x1: number; y1: number } | null>(null);
  const series = useMemo(() => xySeries(p.panel, p.frames), [p.frames, p.panel.options, dark]);
  const shown = series.filter((s) => !hidden.has(s.key));
  const f = layout(shown, size.w, size.h, zoom, p);
  useEffect(() => {
    const el = box.current;
    if (!el) return;
    const ro = new ResizeObserver(() => setSize({ w: el.clientWidth, h: el.clientHeight }));
    ro.observe(el);
    return () => ro.disconnect();
  }, [series.length > 0]);
  useEffect(() => {
    const c = canvas.current;
    if (!c || !f) return;
    const px = devicePixelRatio || 1;
    c.width = Math.round(size.w * px);
    c.height = Math.round(size.h * px);
    const g = c.getContext('2d')!;
    g.scale(px, px);
    draw(g, f, shown, size.w, size.h, p.frames);
  });
  if (series.length === 0) return <div class="empty">The result has no two columns of numbers to draw against each other.</div>;
  const place = (e: MouseEvent) => {
    const r = canvas.current!.getBoundingClientRect();
    return { x: e.clientX - r.left, y: e.clientY - r.top };
  };
  const links = hit ? readyLinks(hit.s.y.config.links, p.fill, { field: hit.s.y, frame: hit.s.frame, all: p.frames, row: hit.i, value: hit.s.y.values[hit.i] }) : [];
  const end = (e: MouseEvent) => {
    const d = drag;
    setDrag(null);
    if (!d || !f || Math.abs(d.x1 - d.x0) < 6) {
      const at = place(e);
      const h = f && nearest(f, shown, at.x, at.y);
      setHit(h);
      return setPinned(h !== null && !pinned);
    }
    const v = (a: Axis, t: number) => a.value(Math.min(1, Math.max(0, t)));
    const xs = [v(f.x, (d.x0 - f.left) / f.w), v(f.x, (d.x1 - f.left) / f.w)].sort((a, b) => a - b) as [number, number];
    if (series[0]!.x.type === 'time') return setAbsolute(xs[0], xs[1]);
    const ys = [v(f.y, 1 - (d.y0 - f.top) / f.h), v(f.y, 1 - (d.y1 - f.top) / f.h)].sort((a, b) => a - b) as [number, number];
    setZoom({ x: xs, y: Math.abs(d.y1 - d.y0) < 6 ? (zoom?.y ?? [f.y.min, f.y.max]) : ys });
  };
  const legend = (p.panel.options?.['legend'] ?? {}) as { showLegend?: boolean; placement?: string };
  const right = legend.placement === 'right' && p.width > 420;
  const tip = hit && (!drag || pinned);
  const none = shown.length > 0 && !shown.some((s) => s.y.values.some((v, i) => typeof v === 'number' && typeof s.x.values[i] === 'number'));
  return (
    <div class={right ? 'ts ts-right' : 'ts'}>
      <div class="ts-plot" ref={box} role="img" aria-label={`${p.panel.title ?? ''}: ${shown.reduce((n, s) => n + s.frame.length, 0)} points in ${shown.length} series`}>
        <canvas
          ref={canvas}
          class="xy-canvas"
          onPointerDown={(e) => {
            if (e.button !== 0) return;
            const at = place(e);
            e.currentTarget.setPointerCapture(e.pointerId);
            setDrag({ x0: at.x, y0: at.y, x1: at.x, y1: at.y });
          }}
          onPointerMove={(e) => {
            const at = place(e);
            if (drag) setDrag({ ...drag, x1: at.x, y1: at.y });
            else if (f && !pinned) setHit(nearest(f, shown, at.x, at.y));
          }}
          onPointerUp={end}
          onPointerLeave={() => !drag && !pinned && setHit(null)}
          onDblClick={() => setZoom(null)}
        />
        {drag && Math.abs(drag.x1 - drag.x0) > 3 && f && (
          <div class="xy-drag" style={{ left: `${Math.min(drag.x0, drag.x1)}px`, width: `${Math.abs(drag.x1 - drag.x0)}px`, ...(series[0]!.x.type === 'time' || Math.abs(drag.y1 - drag.y0) < 6 ? { top: `${f.top}px`, height: `${f.h}px` } : { top: `${Math.min(drag.y0, drag.y1)}px`, height: `${Math.abs(drag.y1 - drag.y0)}px` }) }} />
        )}
        {none && <div class="empty xy-none">No row has a number in both columns; joining or merging the queries may help.</div>}
        {zoom && (
          <button type="button" class="btn small xy-all" onClick={() => setZoom(null)}>
            Show all
          </button>
        )}
        {tip && (
          <div class={pinned ? 'tip pinned' : 'tip'} style={{ transform: `translate(${Math.round(hit.x + (hit.x > size.w - 240 ? -230 : 14))}px, ${Math.round(Math.min(hit.y, size.h - 60))}px)` }}>
            <TipBody h={hit} p={p} links={pinned ? links : []} />
          </div>
        )}
      </div>
      {legend.showLegend !== false && series.length > 1 && (
        <PanelLegend items={series.map((s) => ({ key: s.key, label: s.name, color: s.plain, hidden: hidden.has(s.key), calcs: [] }))} options={{ table: false, right, calcs: [] }} onToggle={(k, only) => toggle(k, only, series.map((s) => s.key))} onFocus={() => undefined} />
      )}
    </div>
  );
}
