// One uPlot drawing: lines, filled lines, stacks and mirrored stacks over a time axis, with a
// crosshair shared by all drawings of the page, a tooltip, and drag to zoom. It is given data and
// redraws in place; it is only built anew when the set of series or the way of drawing changes.

import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import { theme } from '../shell/theme';
import { formatTicks, type Unit } from '../format/units';
import type { Grid } from '../time/step';
import { setAbsolute, zone, zoomOut } from '../time/state';
import { alpha, color, frameColors, type ColorName } from './colors';
import { plainValues, stackBands, stackValues } from './stack';
import { Tooltip } from './tooltip';
import { timeTicks } from './timeaxis';

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
}

const SYNC = uPlot.sync('pharos').key;
const FONT = '11px system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif';
const BINARY = new Set(['bytes', 'bits', 'binBps', 'binbps']);
const BINARY_INCRS = Array.from({ length: 60 }, (_, i) => 2 ** (i - 3));

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

/** Points that have no neighbour: a line cannot show them, so they get a dot. */
function lonely(data: ArrayLike<number | null | undefined>, i0: number, i1: number): number[] {
  const out: number[] = [];
  for (let i = i0; i <= i1; i++) {
    if (data[i] == null) continue;
    if ((i === 0 || data[i - 1] == null) && (i === data.length - 1 || data[i + 1] == null)) out.push(i);
  }
  return out;
}

export function Chart(props: ChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
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

    const tzDate = (ts: number) =>
      zone.peek() === 'utc' ? uPlot.tzDate(new Date(ts * 1000), 'Etc/UTC') : new Date(ts * 1000);

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
        {
          stroke: () => frameColors().text,
          font: FONT,
          grid: { stroke: () => frameColors().grid, width: 1 },
          ticks: { show: false },
          size: 26,
          gap: 6,
          space: 76,
          values: (_u, splits, _a, _s, incr) => timeTicks(splits, incr, tzDate),
        },
        {
          stroke: () => frameColors().text,
          font: FONT,
          grid: { stroke: () => frameColors().grid, width: 1 },
          ticks: { show: false },
          gap: 6,
          space: 34,
          size: (_u, values) => Math.max(34, ...(values ?? []).map((v) => v.length * 6.4 + 14)),
          values: (_u, splits) =>
            formatTicks(
              splits.map((v) => (live().series.some((s) => s.negate) ? Math.abs(v) : v)),
              live().unit,
            ),
          ...(BINARY.has(live().unit) ? { incrs: BINARY_INCRS } : {}),
        },
      ],
      cursor: {
        drag: { x: true, y: false, setScale: false, dist: 4 },
        points: { show: !live().stack, size: 7, width: 2 },
        focus: { prox: -1 },
        bind: { dblclick: () => () => (zoomOut(), null) },
        sync: {
          key: SYNC,
          setSeries: false,
          scales: ['x', null],
          // Only the crosshair travels; a drag in one drawing is not a drag in all of them.
          filters: { pub: (type) => type === 'mousemove' || type === 'mouseleave' },
        },
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
        setSelect: [
          (u) => {
            const { left, width: w } = u.select;
            if (w < 4) return;
            const a = u.posToVal(left, 'x') * 1000;
            const b = u.posToVal(left + w, 'x') * 1000;
            u.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
            if (b - a >= 1000) setAbsolute(a, b);
          },
        ],
        setCursor: [
          (u) => {
            const p = live();
            const i = u.cursor.idx ?? null;
            const inside = u.cursor.left !== undefined && u.cursor.left >= 0;
            p.onHover?.(inside ? i : null);
            // `event` is only set where the pointer really is.
            if (inside && i !== null && u.cursor.event) tip.show(u, p, data.current, i);
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

    // A finger moves the crosshair; scrolling up and down stays with the page.
    const touch = (e: TouchEvent) => {
      const t = e.touches[0];
      if (!t) return;
      const r = u.over.getBoundingClientRect();
      u.over.dispatchEvent(
        new MouseEvent('mousemove', { clientX: t.clientX, clientY: Math.min(Math.max(t.clientY, r.top), r.bottom) }),
      );
    };
    const touchEnd = () => u.over.dispatchEvent(new MouseEvent('mouseleave'));
    u.over.style.touchAction = 'pan-y';
    u.over.addEventListener('touchstart', touch, { passive: true });
    u.over.addEventListener('touchmove', touch, { passive: true });
    u.over.addEventListener('touchend', touchEnd);

    const stop = theme.subscribe(() => {
      // The attribute that the variables hang on changes in the same turn.
      queueMicrotask(() => plot.current === u && u.redraw(false, true));
    });

    return () => {
      stop();
      ro.disconnect();
      tip.remove();
      u.destroy();
      plot.current = null;
    };
  }, [id]);

  useEffect(() => {
    const u = plot.current;
    if (!u) return;
    data.current = drawn(props);
    u.batch(() => {
      u.setData([xs(props.grid), ...data.current] as uPlot.AlignedData, false);
      u.setScale('x', { min: props.fromMs / 1000, max: props.toMs / 1000 });
    });
    if (u.height !== props.height) u.setSize({ width: u.width, height: props.height });
  }, [props.grid, props.series, props.fromMs, props.toMs, props.height, id]);

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
