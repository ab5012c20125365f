// The box beside the crosshair. Plain DOM, because it changes with every move of the pointer.

import type uPlot from 'uplot';
import { format } from '../format/units';
import { formatInstant } from '../time/grammar';
import { zone } from '../time/state';
import type { ChartProps } from './Chart';
import { color } from './colors';

const ROWS = 14;

export interface TipRow {
  color: string;
  label: string;
  text: string;
  /** The one the pointer is at. */
  near?: boolean;
}

export class Tooltip {
  private readonly el = document.createElement('div');
  private readonly head = document.createElement('div');
  private readonly body = document.createElement('table');

  constructor() {
    this.el.className = 'tip';
    this.el.hidden = true;
    this.head.className = 'tip-time';
    this.el.append(this.head, this.body);
  }

  mount(over: HTMLElement): void {
    over.append(this.el);
  }

  hide(): void {
    this.el.hidden = true;
  }

  remove(): void {
    this.el.remove();
  }

  /** Shows the rows in their order; when there are too many the nearest one stays among them. */
  show(u: uPlot, head: string, rows: TipRow[]): void {
    if (rows.length === 0) return this.hide();
    let shown = rows.slice(0, ROWS);
    const near = rows.find((r) => r.near);
    if (near && !shown.includes(near)) shown = [...shown.slice(0, ROWS - 1), near];
    this.head.textContent = head;
    this.body.replaceChildren(
      ...shown.map((r) => {
        const tr = document.createElement('tr');
        if (r.near && rows.length > 1) tr.className = 'near';
        const sw = document.createElement('td');
        const dot = document.createElement('i');
        dot.className = 'dot';
        dot.style.background = r.color;
        sw.append(dot);
        const name = document.createElement('td');
        name.className = 'name';
        name.textContent = r.label;
        const val = document.createElement('td');
        val.className = 'num';
        val.textContent = r.text;
        tr.append(sw, name, val);
        return tr;
      }),
    );
    if (rows.length > shown.length) {
      const tr = document.createElement('tr');
      const td = document.createElement('td');
      td.colSpan = 3;
      td.className = 'more';
      td.textContent = `and ${rows.length - shown.length} more`;
      tr.append(td);
      this.body.append(tr);
    }
    this.el.hidden = false;
    this.place(u.over, u.cursor.left ?? 0, u.cursor.top ?? 0);
  }

  /** Beside the point, on the side that has room, never off the screen. */
  place(over: HTMLElement, left: number, top: number): void {
    const w = this.el.offsetWidth;
    const x = left + 16 + w > over.clientWidth ? left - w - 16 : left + 16;
    const box = over.getBoundingClientRect();
    const clamped = Math.min(Math.max(x, 4 - box.left), document.documentElement.clientWidth - box.left - w - 4);
    this.el.style.transform = `translate(${Math.round(clamped)}px, ${Math.round(Math.min(top, over.clientHeight - 30))}px)`;
  }
}

/** The rows of a drawing's series at one grid point. */
export function showSeries(tip: Tooltip, u: uPlot, p: ChartProps, drawn: (number | null)[][], i: number): void {
  const rows = p.series
    .map((s, si) => ({ s, v: s.values[i] ?? null, at: drawn[si]![i] ?? null }))
    .filter((r) => !r.s.hidden && r.v !== null);
  if (rows.length === 0) return tip.hide();
  const top = u.cursor.top ?? 0;
  let near = rows[0]!;
  let best = Infinity;
  for (const r of rows) {
    const y = u.valToPos(r.at!, 'y');
    // In a stack the pointer is inside an area: the first upper edge above it.
    const d = p.stack ? (r.s.negate ? (y >= top ? y - top : Infinity) : y <= top ? top - y : Infinity) : Math.abs(y - top);
    if (d < best) {
      best = d;
      near = r;
    }
  }
  // A stack reads from its top downwards; lines from the largest value.
  const sorted = p.stack ? rows.slice().reverse() : rows.slice().sort((a, b) => b.v! - a.v!);
  tip.show(
    u,
    formatInstant(p.grid.startMs + i * p.grid.stepMs, zone.peek()),
    sorted.map((r) => ({ color: color(r.s.color), label: r.s.label, text: format(r.v, p.unit), near: r === near })),
  );
}
