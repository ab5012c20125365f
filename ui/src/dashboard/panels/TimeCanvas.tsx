// A drawing over the time axis that is not made of lines: rows of cells. Zooming, crosshair and
// tooltip are those of the time series.

import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import { cursorSync, followTheme, followTouch, timeAxis, tzDate, valueAxis, zoomToSelection } from '../../chart/plot';
import { Tooltip, type TipRow } from '../../chart/tooltip';
import { formatInstant } from '../../time/grammar';
import { useTime, zoomOutIn } from '../../time/scope';
import { zone } from '../../time/state';
import { drawAnnotations } from './timeseries/marks';
import type { PanelView } from './props';

export interface TimeCanvasProps {
  view: PanelView;
  /** Height of the value axis: 0 at the bottom. */
  rows: number;
  labels: { at: number; text: string }[];
  /** Draws in canvas pixels; `x(ms)` and `y(row)` give places. */
  draw: (ctx: CanvasRenderingContext2D, x: (ms: number) => number, y: (row: number) => number, u: uPlot) => void;
  /** What stands at a place, for the tooltip. */
  tip: (ms: number, row: number) => TipRow[];
  /** A click that was no drag. */
  onClick?: (ms: number, row: number) => void;
  label: string;
}

export const cutText = (t: string, most: number): string => (t.length > most ? `${t.slice(0, Math.max(1, most - 1))}…` : t);

export function TimeCanvas(p: TimeCanvasProps) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const time = useTime();
  const latest = useRef(p);
  latest.current = p;
  const shared = p.view.session.shared.value > 0;
  useLayoutEffect(() => {
    const el = box.current!;
    const tip = new Tooltip();
    const live = () => latest.current;
    const nameSpace = () => Math.max(60, el.clientWidth * 0.3);
    const size = () => ({ width: Math.max(60, el.clientWidth), height: Math.max(50, el.clientHeight) });
    const data = (): uPlot.AlignedData => [[live().view.data.fromMs / 1000, live().view.data.toMs / 1000], [0, 0]];
    const u = new uPlot(
      {
        ...size(),
        padding: [8, 8, 0, 0],
        legend: { show: false },
        tzDate,
        scales: { x: { time: true, range: () => [live().view.data.fromMs / 1000, live().view.data.toMs / 1000] }, y: { range: () => [0, Math.max(1, live().rows)] } },
        axes: [
          timeAxis(),
          {
            ...valueAxis(),
            grid: { show: false },
            splits: () => live().labels.map((l) => l.at),
            // As much of each as there is room for: uPlot writes them to the left of the drawing and cuts at the edge.
            values: () => live().labels.map((l) => cutText(l.text, Math.floor((nameSpace() - 14) / 6.4))),
            size: (_u, values) => Math.min(Math.max(34, ...(values ?? []).map((v) => v.length * 6.4 + 14)), nameSpace()),
          },
        ],
        cursor: {
          drag: { x: true, y: false, setScale: false, dist: 4 },
          points: { show: false },
          bind: { dblclick: () => () => (zoomOutIn(time), null) },
          ...(shared ? { sync: cursorSync } : {}),
        },
        series: [{}, { paths: () => null, points: { show: false } }],
        hooks: {
          setSelect: [(c) => zoomToSelection(c, time)],
          draw: [
            (c) => {
              const { ctx, bbox } = c;
              ctx.save();
              ctx.beginPath();
              ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
              ctx.clip();
              live().draw(ctx, (ms) => c.valToPos(ms / 1000, 'x', true), (row) => c.valToPos(row, 'y', true), c);
              ctx.restore();
              drawAnnotations(c, live().view.annotations);
            },
          ],
          setCursor: [
            (c) => {
              const { left, top, event } = c.cursor;
              if (!event || left === undefined || left < 0 || top === undefined || top < 0) return tip.hide();
              const ms = c.posToVal(left, 'x') * 1000;
              const rows = live().tip(ms, c.posToVal(top, 'y'));
              tip.show(c, formatInstant(Math.round(ms / 1000) * 1000, zone.peek()), rows);
            },
          ],
        },
      },
      data(),
      el,
    );
    plot.current = u;
    tip.mount(u.over);
    let downAt = 0;
    u.over.addEventListener('mousedown', (e) => (downAt = e.clientX));
    u.over.addEventListener('click', (e) => {
      const r = u.over.getBoundingClientRect();
      if (Math.abs(e.clientX - downAt) < 4) live().onClick?.(u.posToVal(e.clientX - r.left, 'x') * 1000, u.posToVal(e.clientY - r.top, 'y'));
    });
    followTouch(u);
    const ro = new ResizeObserver(() => {
      const s = size();
      if (s.width !== u.width || s.height !== u.height) u.setSize(s);
    });
    ro.observe(el);
    const stop = followTheme(() => (plot.current === u ? u : null));
    return () => {
      stop();
      ro.disconnect();
      tip.remove();
      u.destroy();
      plot.current = null;
    };
  }, [shared, time]);
  useEffect(() => {
    const d = p.view.data;
    plot.current?.setData([[d.fromMs / 1000, d.toMs / 1000], [0, 0]]);
  }, [p.view.frames, p.view.data, p.view.annotations, p.draw]);
  return <div class={p.onClick ? 'ts-plot cells' : 'ts-plot'} ref={box} role="img" aria-label={p.label} />;
}
