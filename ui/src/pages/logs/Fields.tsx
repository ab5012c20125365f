// Labels and fields of the lines that are there, with their values; a click keeps or leaves out.

import { useState } from 'preact/hooks';
import { Icon } from '../../shell/icons';
import type { LogQuery, Row } from './lines';
import type { FieldCount, FieldKind } from './query';
import { useRangeCount } from './range_counts';

const HEADS: Record<FieldKind, string> = { label: 'Labels', field: 'Fields', line: 'In the lines' };

function share({ lines, total }: { lines: number; total: number }): string {
  const p = total > 0 ? (lines / total) * 100 : 0;
  return lines > 0 && p < 0.5 ? '< 1%' : `${Math.round(p)}%`;
}

export function Fields({ counts, queries, rows, height, columns, onFilter, onColumn }: { counts: FieldCount[]; queries: LogQuery[]; rows: Row[]; height: number; columns: string[]; onFilter: (name: string, value: string, out: boolean) => void; onColumn: (name: string) => void }) {
  const [open, setOpen] = useState<string | null>(null);
  const [find, setFind] = useState('');
  // Those at hand are shown until the server has counted all.
  const all = useRangeCount(queries, counts.find((c) => c.name === open), rows);
  const shown = counts.filter((c) => c.name.toLowerCase().includes(find.toLowerCase()));
  return (
    <aside class="card lg-fields" style={{ maxHeight: `${height + 36}px` }} aria-label="Fields">
      <input type="search" placeholder="Search fields" aria-label="Search fields" value={find} onInput={(e) => setFind(e.currentTarget.value)} />
      {shown.map((c, i) => (
        <div key={c.name}>
          {(i === 0 || shown[i - 1]!.kind !== c.kind) && <h3>{HEADS[c.kind]}</h3>}
          <button type="button" class="row-btn lg-field" aria-expanded={open === c.name} onClick={() => setOpen(open === c.name ? null : c.name)}>
            <Icon name={open === c.name ? 'down' : 'right'} size={11} />
            <span class="cut grow">{c.name}</span>
            <span class="dim num" title={`${open === c.name && all.value ? all.value.distinct : c.distinct} values`}>
              {(open === c.name ? all.value?.distinct : undefined) ?? c.distinct}
            </span>
          </button>
          {open === c.name && (
            <p class="lg-share">
              <span class="dim grow" data-counted={all.value ? 'range' : 'loaded'} title={all.error ? `Not counted over the whole range: ${all.error}` : undefined}>
                {share(all.value ?? { lines: c.lines, total: rows.length })} of {(all.value?.total ?? rows.length).toLocaleString('en')} {all.value ? 'lines in the range' : 'loaded lines'}
                {all.error && <Icon name="warn" size={11} />}
              </span>
              <button type="button" class="btn small" aria-pressed={columns.includes(c.name)} onClick={() => onColumn(c.name)}>
                Column
              </button>
            </p>
          )}
          {open === c.name &&
            (all.value?.top ?? c.top).map(([v, n]) => (
              <div class="lg-value" key={v}>
                <span class="lg-bar" style={{ width: `${Math.min(100, (n / Math.max(1, all.value?.total ?? rows.length)) * 100)}%` }} />
                <span class="cut grow" title={v}>
                  {v || '(empty)'}
                </span>
                <span class="dim num" title={`${n.toLocaleString('en')} lines`}>{share({ lines: n, total: all.value?.total ?? rows.length })}</span>
                <button type="button" class="icon-btn" title="Only these" aria-label={`Only ${c.name} = ${v}`} onClick={() => onFilter(c.name, v, false)}>
                  <Icon name="plus" size={11} />
                </button>
                <button type="button" class="icon-btn" title="Not these" aria-label={`Not ${c.name} = ${v}`} onClick={() => onFilter(c.name, v, true)}>
                  <Icon name="close" size={11} />
                </button>
              </div>
            ))}
        </div>
      ))}
      {shown.length === 0 && <p class="note">No fields.</p>}
    </aside>
  );
}
