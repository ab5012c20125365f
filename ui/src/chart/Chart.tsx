// One uPlot drawing: lines, filled lines, stacks and mirrored stacks over a time axis, with a
// crosshair shared by all drawings of the page, a tooltip, and drag to zoom. It is given data and
// redraws in place; it is only built anew when the set of series or the way of drawing changes.

import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import { formatTicks, type Unit } from '../format/units';
import type { Grid } from '../time/step';
import { useTime, zoomOutIn } from '../time/scope';
import { alpha, color, type ColorName } from './colors';
import { cursorSync, followTheme, followTouch, lonely, timeAxis, tzDate, unitIncrs, valueAxis, zoomToSelection } from './plot';
import { drawPoints, followPoints, pointAt, type ChartPoint } from './points';
import { plainValues, stackBands, stackValues } from './stack';
import { showSeries, Tooltip } from './tooltip';

export interface ChartSeries {
  key: string;
  label: string;
  color: ColorName | number | string;
  values: (number | null)[];
  hidden?: boolean;
  negate?: boolean;
  dash?: boolean;
  /** Opacity of the area under the line; a default by kind of drawing otherwise. */
  fill?: number;
}

export interface ChartProps {
  grid: Grid;
  fromMs: number;
  toMs: number;
  series: ChartSeries[];
  unit: Unit;
  height: number;
  stack?: boolean;
  /** Fixed or soft ends of the value axis: soft ones give way to the data. */
  min?: number;
  max?: number;
  softMax?: number;
  label: string;
  /** The grid point under the crosshair, null when it has left. */
  onHover?: (idx: number | null) => void;
  /** The series to lift out of the others. */
  focus?: string | null;
  /** Drawn over the lines. */
  points?: ChartPoint[];
}

function xs(grid: Grid): number[] {
  const out = new Array<number>(grid.count);
  for (let i = 0; i < grid.count; i++) out[i] = (grid.startMs + i * grid.stepMs) / 1000;
  return out;
}

function drawn(p: ChartProps): (number | null)[][] {
  const v = p.stack ? stackValues(p.series, p.grid.count) : plainValues(p.series);
  return p.series.map((s, i) => (s.hidden ? new Array<number | null>(p.grid.count).fill(null) : v[i]!));
}

function shape(p: ChartProps): string {
  return JSON.stringify([
    p.stack,
    p.unit,
    p.min,
    p.max,
    p.softMax,
    p.series.map((s) => [s.key, s.hidden, s.negate, s.dash, s.fill, s.color]),
  ]);
}

function valueRange(p: ChartProps, lo: number | null, hi: number | null): [number, number] {
  let min = lo ?? 0;
  let max = hi ?? 0;
  if (p.softMax !== undefined && max < p.softMax) max = p.softMax;
  if (min > 0) min = 0;
  if (min < 0 && max < 0) max = 0;
  if (max === min) max = min + 1;
  const pad = (max - min) * 0.08;
  if (hi !== null && (p.softMax === undefined || hi > p.softMax)) max += max > 0 ? pad : 0;
  if (min < 0) min -= pad;
  return [p.min ?? min, p.max ?? max];
}

export function Chart(props: ChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const time = useTime();
  const latest = useRef(props);
  const data = useRef<(number | null)[][]>([]);
  latest.current = props;
  const id = shape(props);

  useLayoutEffect(() => {
    const el = box.current!;
    data.current = drawn(latest.current);
    const tip = new Tooltip();
    const width = () => Math.max(60, el.clientWidth);
    const live = () => latest.current;

    const opts: uPlot.Options = {
      width: width(),
      height: live().height,
      padding: [8, 8, 0, 0],
      legend: { show: false },
      focus: { alpha: 0.25 },
      tzDate,
      scales: {
        x: { time: true, range: () => [live().fromMs / 1000, live().toMs / 1000] },
        y: { range: (_u, lo, hi) => valueRange(live(), lo, hi) },
      },
      axes: [
        timeAxis(),
        {
          ...valueAxis(),
          values: (_u, splits) =>
            formatTicks(
              splits.map((v) => (live().series.some((s) => s.negate) ? Math.abs(v) : v)),
              live().unit,
            ),
          ...unitIncrs(live().unit),
        },
      ],
      cursor: {
        drag: { x: true, y: false, setScale: false, dist: 4 },
        points: { show: !live().stack, size: 7, width: 2 },
        focus: { prox: -1 },
        bind: { dblclick: () => () => (zoomOutIn(time), null) },
        sync: cursorSync,
      },
      series: [
        {},
        ...live().series.map((s, i): uPlot.Series => {
          const fill = s.fill ?? (live().stack ? 0.55 : live().series.length === 1 ? 0.14 : 0);
          return {
            label: s.label,
            scale: 'y',
            show: !s.hidden,
            stroke: () => color(live().series[i]?.color ?? 0),
            width: live().stack ? 1 : 1.6,
            ...(fill > 0 ? { fill: () => alpha(color(live().series[i]?.color ?? 0), fill) } : {}),
            ...(s.dash ? { dash: [5, 4] } : {}),
            points: { size: 4, filter: (u, si, show) => (show ? null : lonely(u.data[si]!, ...u.series[0]!.idxs!)) },
          };
        }),
      ],
      bands: live().stack ? stackBands(live().series).map(([a, b]): uPlot.Band => ({ series: [a + 1, b + 1] })) : [],
      hooks: {
        setSelect: [(u) => zoomToSelection(u, time)],
        draw: [(u) => live().points?.length && drawPoints(u, live().points!)],
        setCursor: [
          (u) => {
            const p = live();
            const i = u.cursor.idx ?? null;
            const inside = u.cursor.left !== undefined && u.cursor.left >= 0;
            p.onHover?.(inside ? i : null);
            // `event` is only set where the pointer really is.
            const point = u.cursor.event && p.points?.length ? pointAt(u, p.points) : null;
            u.over.style.cursor = point?.href ? 'pointer' : '';
            if (point) tip.show(u, point.title, point.rows.map(([label, text]) => ({ color: color('amber'), label, text })));
            else if (inside && i !== null && u.cursor.event) showSeries(tip, u, p, data.current, i);
            else tip.hide();
          },
        ],
      },
    };
    const u = new uPlot(opts, [xs(live().grid), ...data.current] as uPlot.AlignedData, el);
    plot.current = u;
    tip.mount(u.over);

    const ro = new ResizeObserver(() => {
      const w = width();
      if (w !== u.width) u.setSize({ width: w, height: live().height });
    });
    ro.observe(el);

    followTouch(u);
    followPoints(u, () => live().points ?? []);
    const stop = followTheme(() => (plot.current === u ? u : null));

    return () => {
      stop();
      ro.disconnect();
      tip.remove();
      u.destroy();
      plot.current = null;
    };
  }, [id, time]);

  useEffect(() => {
    const u = plot.current;
    if (!u) return;
    data.current = drawn(props);
    u.batch(() => {
      u.setData([xs(props.grid), ...data.current] as uPlot.AlignedData, false);
      u.setScale('x', { min: props.fromMs / 1000, max: props.toMs / 1000 });
    });
    if (u.height !== props.height) u.setSize({ width: u.width, height: props.height });
  }, [props.grid, props.series, props.fromMs, props.toMs, props.height, props.points, id]);

  useEffect(() => {
    const u = plot.current;
    if (!u) return;
    const i = props.focus ? props.series.findIndex((s) => s.key === props.focus) : -1;
    u.setSeries(i < 0 ? (null as unknown as number) : i + 1, { focus: i >= 0 });
    if (i < 0) u.redraw(false);
  }, [props.focus, id]);

  return (
    <div
      class="chart"
      ref={box}
      role="img"
      aria-label={`${props.label}: ${props.series.length} series drawn over time`}
      style={{ height: `${props.height}px` }}
    />
  );
}
