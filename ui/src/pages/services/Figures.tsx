// What tables of services and operations have in common: columns of rate, errors and percentiles, sorted by a click.

import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { format } from '../../format/units';
import { Icon } from '../../shell/icons';
import { share, type Figures } from './data';
import { percent } from './graph';

export type SortKey = 'name' | 'rate' | 'errors' | 'p50' | 'p95' | 'p99';

export function value(f: Figures & { name: string }, key: SortKey): number | string {
  if (key === 'name') return f.name;
  if (key === 'errors') return share(f);
  return f[key] ?? -1;
}

export function sorted<T extends Figures & { name: string }>(list: T[], by: SortKey, desc: boolean): T[] {
  return list.slice().sort((a, b) => {
    const [x, y] = [value(a, by), value(b, by)];
    const d = typeof x === 'string' ? x.localeCompare(y as string) : x - (y as number);
    return (desc ? -d : d) || a.name.localeCompare(b.name);
  });
}

/** Parts of an answer that are missing, and why. */
export function Problems({ list }: { list: string[] }) {
  return (
    <>
      {[...new Set(list)].map((t) => (
        <div key={t} class="failure stale" role="alert">
          <Icon name="warn" />
          <span>Some figures are missing: {t}</span>
        </div>
      ))}
    </>
  );
}

const COLUMNS: [SortKey, string][] = [
  ['rate', 'Rate'],
  ['errors', 'Errors'],
  ['p50', 'p50'],
  ['p95', 'p95'],
  ['p99', 'p99'],
];

export function FigureTable<T extends Figures & { name: string }>(p: { list: T[]; what: string; row: (t: T) => ComponentChildren; keyOf: (t: T) => string; extra?: { head: string; cell: (t: T) => ComponentChildren } }) {
  const [sort, setSort] = useState<{ by: SortKey; desc: boolean }>({ by: 'rate', desc: true });
  const head = (by: SortKey, name: string, more = '') => (
    <th key={by} class={more} aria-sort={sort.by === by ? (sort.desc ? 'descending' : 'ascending') : undefined}>
      <button type="button" onClick={() => setSort({ by, desc: sort.by === by ? !sort.desc : by !== 'name' })}>
        {name}
        {sort.by === by ? (sort.desc ? ' ↓' : ' ↑') : ''}
      </button>
    </th>
  );
  const most = Math.max(1e-12, ...p.list.map((f) => f.rate));
  const hide = (k: SortKey) => (k === 'p50' || k === 'p99' ? ' hide-s' : '');
  return (
    <div class="table-scroll">
      <table class="table sv-table">
        <thead>
          <tr>
            {head('name', p.what)}
            {p.extra && <th class="hide-s">{p.extra.head}</th>}
            {COLUMNS.map(([k, name]) => head(k, name, `num${hide(k)}`))}
          </tr>
        </thead>
        <tbody>
          {sorted(p.list, sort.by, sort.desc).map((f) => {
            const bad = share(f);
            return (
              <tr key={p.keyOf(f)}>
                <td>{p.row(f)}</td>
                {p.extra && <td class="hide-s">{p.extra.cell(f)}</td>}
                <td class="num sv-rate">
                  <span class="bar">
                    <i style={{ width: `${(f.rate / most) * 100}%` }} />
                  </span>
                  {f.rate > 0 ? format(f.rate, 'reqps') : '–'}
                </td>
                <td class={`num${bad >= 0.05 ? ' bad' : ''}`}>{f.rate > 0 ? percent(bad) : '–'}</td>
                {(['p50', 'p95', 'p99'] as const).map((k) => (
                  <td key={k} class={`num${hide(k)}`}>
                    {f[k] === null ? '–' : format(f[k], 's')}
                  </td>
                ))}
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}
