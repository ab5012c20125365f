// What all uPlot drawings share: fonts, axes, the crosshair they have in common, dragging to zoom,
// touch, and a redraw when the theme changes.

import uPlot from 'uplot';
import { theme } from '../shell/theme';
import { dateInZone } from '../time/grammar';
import { setInstants, type TimeScope } from '../time/scope';
import { zone } from '../time/state';
import { frameColors } from './colors';
import { timeTicks } from './timeaxis';

export const SYNC = uPlot.sync('pharos').key;
export const FONT = '11px system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif';

const BINARY = /^(bytes|bits|binBps|binbps|[kmgtp]bytes|[KMGT]i?Bs|[KMG]ibits)$/;
const BINARY_INCRS = Array.from({ length: 60 }, (_, i) => 2 ** (i - 3));

/** Distances of the value axis' labels: powers of two where the unit counts in 1024s. */
export function unitIncrs(unit: string): Pick<uPlot.Axis, 'incrs'> {
  return BINARY.test(unit) && !/^[KMGT]Bs$/.test(unit) ? { incrs: BINARY_INCRS } : {};
}

export const tzDate = (ts: number): Date => {
  const z = zone.peek();
  return z === 'browser' ? new Date(ts * 1000) : dateInZone(ts * 1000, z);
};

function fits(u: uPlot, at: number, text: string): boolean {
  const right = u.width - u.valToPos(at, 'x') - u.bbox.left / devicePixelRatio;
  return u.bbox.width === 0 || right >= text.length * 2.9;
}

export function timeAxis(): uPlot.Axis {
  return {
    stroke: () => frameColors().text,
    font: FONT,
    grid: { stroke: () => frameColors().grid, width: 1 },
    ticks: { show: false },
    size: 26,
    gap: 6,
    space: 76,
    // A label that the edge would cut is left out.
    values: (u, splits, _a, _s, incr) => timeTicks(splits, incr, tzDate).map((t, i) => (fits(u, splits[i]!, t) ? t : '')),
  };
}

export function valueAxis(): uPlot.Axis {
  return {
    stroke: () => frameColors().text,
    font: FONT,
    grid: { stroke: () => frameColors().grid, width: 1 },
    ticks: { show: false },
    gap: 6,
    // Low drawings still say how much: at least two lines fit in.
    space: (_u, _axis, _min, _max, height) => Math.min(34, Math.max(14, height / 2.5)),
    size: (_u, values) => Math.max(34, ...(values ?? []).map((v) => (v?.length ?? 0) * 6.4 + 14)),
  };
}

/** The crosshair travels to the other drawings; a drag in one is not a drag in all of them. */
export const cursorSync: uPlot.Cursor.Sync = {
  key: SYNC,
  setSeries: false,
  scales: ['x', null],
  filters: { pub: (type) => type === 'mousemove' || type === 'mouseleave' },
};

/** A drag over the drawing becomes the time range. */
export function zoomToSelection(u: uPlot, time: TimeScope): void {
  const { left, width } = u.select;
  if (width < 4) return;
  const a = u.posToVal(left, 'x') * 1000;
  const b = u.posToVal(left + width, 'x') * 1000;
  u.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
  if (b - a >= 1000) setInstants(time, a, b);
}

/** Points that have no neighbour: a line cannot show them, so they get a dot. */
export function lonely(data: ArrayLike<number | null | undefined>, i0: number, i1: number): number[] {
  const out: number[] = [];
  for (let i = i0; i <= i1; i++) {
    if (data[i] == null) continue;
    if ((i === 0 || data[i - 1] == null) && (i === data.length - 1 || data[i + 1] == null)) out.push(i);
  }
  return out;
}

/** A finger moves the crosshair; scrolling up and down stays with the page. */
export function followTouch(u: uPlot): void {
  const touch = (e: TouchEvent) => {
    const t = e.touches[0];
    if (!t) return;
    const r = u.over.getBoundingClientRect();
    u.over.dispatchEvent(new MouseEvent('mousemove', { clientX: t.clientX, clientY: Math.min(Math.max(t.clientY, r.top), r.bottom) }));
  };
  const end = () => u.over.dispatchEvent(new MouseEvent('mouseleave'));
  u.over.style.touchAction = 'pan-y';
  u.over.addEventListener('touchstart', touch, { passive: true });
  u.over.addEventListener('touchmove', touch, { passive: true });
  u.over.addEventListener('touchend', end);
}

/** Redraws in the other theme's colours; gives the function that stops it. */
export function followTheme(alive: () => uPlot | null): () => void {
  return theme.subscribe(() => {
    // The attribute that the variables hang on changes in the same turn.
    queueMicrotask(() => alive()?.redraw(false, true));
  });
}
