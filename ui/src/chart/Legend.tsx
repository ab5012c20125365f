// The list of series under a drawing. A click shows one series alone, Ctrl or Cmd with a click
// hides or shows it; as a table it has the figures of the range.

import type { Signal } from '@preact/signals';
import { useState } from 'preact/hooks';
import { format, type Unit } from '../format/units';
import type { ChartSeries } from './Chart';
import { color } from './colors';
import { lastRecent, stats, type Stats } from './stack';

export interface LegendProps {
  series: ChartSeries[];
  unit: Unit;
  mode: 'list' | 'table';
  hover: Signal<number | null>;
  onToggle: (key: string, only: boolean) => void;
  onFocus: (key: string | null) => void;
}

type Column = 'name' | keyof Stats;
const COLUMNS: [Column, string][] = [
  ['last', 'Last'],
  ['min', 'Min'],
  ['max', 'Max'],
  ['avg', 'Avg'],
];

function handlers(p: LegendProps, s: ChartSeries) {
  return {
    onClick: (e: MouseEvent) => p.onToggle(s.key, !(e.ctrlKey || e.metaKey || e.shiftKey)),
    onMouseEnter: () => p.onFocus(s.hidden ? null : s.key),
    onMouseLeave: () => p.onFocus(null),
  };
}

export function Legend(p: LegendProps) {
  return p.mode === 'table' ? <LegendTable {...p} /> : <LegendList {...p} />;
}

function LegendList(p: LegendProps) {
  const idx = p.hover.value;
  return (
    <div class="legend" role="group" aria-label="Series">
      {p.series.map((s) => (
        <button
          type="button"
          key={s.key}
          class={s.hidden ? 'leg off' : 'leg'}
          aria-pressed={!s.hidden}
          title={`${s.label}\nClick: show alone. Ctrl+click: hide or show.`}
          {...handlers(p, s)}
        >
          <i class="dot" style={{ background: color(s.color) }} />
          <span class="leg-name">{s.label}</span>
          <span class="leg-val num">{format(idx === null ? lastRecent(s.values) : (s.values[idx] ?? null), p.unit)}</span>
        </button>
      ))}
    </div>
  );
}

function LegendTable(p: LegendProps) {
  const [sort, setSort] = useState<{ by: Column; desc: boolean }>({ by: 'name', desc: false });
  const idx = p.hover.value;
  const rows = p.series.map((s, i) => ({ s, i, st: stats(s.values) }));
  if (sort.by !== 'name') {
    const by = sort.by;
    rows.sort((a, b) => ((b.st[by] ?? -Infinity) - (a.st[by] ?? -Infinity)) * (sort.desc ? 1 : -1));
  } else if (sort.desc) rows.reverse();
  const th = (c: Column, text: string) => (
    <th
      key={c}
      class={c === 'name' ? '' : 'num'}
      aria-sort={sort.by === c ? (sort.desc ? 'descending' : 'ascending') : undefined}
    >
      <button type="button" onClick={() => setSort({ by: c, desc: sort.by === c ? !sort.desc : c !== 'name' })}>
        {text}
        {sort.by === c ? (sort.desc ? ' ↓' : ' ↑') : ''}
      </button>
    </th>
  );
  return (
    <div class="legend-scroll">
      <table class="legend-table">
        <thead>
          <tr>
            {th('name', 'Series')}
            {idx !== null && <th class="num at">At cursor</th>}
            {COLUMNS.map(([c, t]) => th(c, t))}
          </tr>
        </thead>
        <tbody>
          {rows.map(({ s, st }) => (
            <tr key={s.key} class={s.hidden ? 'off' : ''} {...handlers(p, s)}>
              <td class="name">
                <button type="button" aria-pressed={!s.hidden} title="Click: show alone. Ctrl+click: hide or show.">
                  <i class="dot" style={{ background: color(s.color) }} />
                  {s.label}
                </button>
              </td>
              {idx !== null && <td class="num at">{format(s.values[idx] ?? null, p.unit)}</td>}
              {COLUMNS.map(([c]) => (
                <td key={c} class="num">
                  {format(st[c as keyof Stats], p.unit)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
