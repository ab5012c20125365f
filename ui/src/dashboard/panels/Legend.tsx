// The legend of a drawing: a list or a table with figures. A click shows one series alone, Ctrl or
// Cmd with a click hides or shows it.

import { useState } from 'preact/hooks';
import { reducerName } from '../field/reduce';

export interface LegendItem {
  key: string;
  label: string;
  color: string;
  hidden: boolean;
  /** Right axis. */
  right?: boolean;
  /** Figures by reducer, as text and as number. */
  calcs: { text: string; value: number | null }[];
}

export interface LegendOptions {
  table: boolean;
  right: boolean;
  calcs: string[];
  sortBy?: string;
  sortDesc?: boolean;
}

/** What a table beside a drawing would like to have; with less, the names are cut before the figures are. */
export function tableWidth(items: LegendItem[], names: string[]): number {
  const most = (list: string[]) => list.reduce((n, t) => Math.max(n, t.length), 0);
  const name = Math.min(220, 30 + most(items.map((it) => it.label)) * 6.8);
  return Math.ceil(names.reduce((w, n, i) => w + 12 + 6.8 * Math.max(n.length, most(items.map((it) => it.calcs[i]?.text ?? ''))), 24 + name));
}

export function PanelLegend(p: {
  items: LegendItem[];
  options: LegendOptions;
  names?: string[];
  onToggle: (key: string, only: boolean) => void;
  onFocus: (key: string | null) => void;
}) {
  const [sort, setSort] = useState<{ by: number; desc: boolean } | null>(() => {
    const at = p.options.calcs.findIndex((c) => reducerName(c) === p.options.sortBy || c === p.options.sortBy);
    return at >= 0 ? { by: at, desc: p.options.sortDesc !== false } : p.options.sortBy === 'Name' ? { by: -1, desc: p.options.sortDesc === true } : null;
  });
  const names = p.names ?? p.options.calcs.map(reducerName);
  const items = p.items.slice();
  if (sort) {
    items.sort((a, b) => {
      if (sort.by < 0) return a.label.localeCompare(b.label, 'en', { numeric: true }) * (sort.desc ? -1 : 1);
      return ((b.calcs[sort.by]?.value ?? -Infinity) - (a.calcs[sort.by]?.value ?? -Infinity)) * (sort.desc ? 1 : -1);
    });
  }
  const handlers = (it: LegendItem) => ({
    onClick: (e: MouseEvent) => p.onToggle(it.key, !(e.ctrlKey || e.metaKey || e.shiftKey)),
    onMouseEnter: () => p.onFocus(it.hidden ? null : it.key),
    onMouseLeave: () => p.onFocus(null),
  });
  if (!p.options.table) {
    return (
      <div class={p.options.right ? 'pl pl-right' : 'pl'} role="group" aria-label="Series">
        {items.map((it) => (
          <button type="button" key={it.key} class={it.hidden ? 'leg off' : 'leg'} aria-pressed={!it.hidden} title={it.label} {...handlers(it)}>
            <i class="dot" style={{ background: it.color }} />
            <span class="leg-name">{it.label}</span>
            {it.right && <span class="dim">(right)</span>}
            {it.calcs.map((c, i) => (
              <span class="leg-val num" key={i}>
                <span class="dim">{names[i]}:</span> {c.text}
              </span>
            ))}
          </button>
        ))}
      </div>
    );
  }
  const head = (by: number, text: string) => (
    <th key={by} class={by < 0 ? '' : 'num'} aria-sort={sort?.by === by ? (sort.desc ? 'descending' : 'ascending') : undefined}>
      <button type="button" onClick={() => setSort({ by, desc: sort?.by === by ? !sort.desc : by >= 0 })}>
        {text}
        {sort?.by === by ? (sort.desc ? ' ↓' : ' ↑') : ''}
      </button>
    </th>
  );
  return (
    <div class={p.options.right ? 'pl pl-table pl-right' : 'pl pl-table'} style={p.options.right ? { width: `${tableWidth(items, names)}px` } : undefined}>
      <table>
        <thead>
          <tr>
            {head(-1, 'Name')}
            {names.map((n, i) => head(i, n))}
          </tr>
        </thead>
        <tbody>
          {items.map((it) => (
            <tr key={it.key} class={it.hidden ? 'off' : ''} {...handlers(it)}>
              <td class="name">
                <button type="button" aria-pressed={!it.hidden} title={it.label}>
                  <i class="dot" style={{ background: it.color }} />
                  <span class="cut">{it.label}</span>
                </button>
              </td>
              {it.calcs.map((c, i) => (
                <td class="num" key={i}>
                  {c.text}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
