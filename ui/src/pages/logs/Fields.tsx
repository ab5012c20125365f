// Labels and fields of the lines that are there, with their values; a click keeps or leaves out.

import { useState } from 'preact/hooks';
import { Icon } from '../../shell/icons';
import type { FieldCount, FieldKind } from './query';

const HEADS: Record<FieldKind, string> = { label: 'Labels', field: 'Fields', line: 'In the lines' };

export function Fields({ counts, total, height, columns, onFilter, onColumn }: { counts: FieldCount[]; total: number; height: number; columns: string[]; onFilter: (name: string, value: string, out: boolean) => void; onColumn: (name: string) => void }) {
  const [open, setOpen] = useState<string | null>(null);
  const [find, setFind] = useState('');
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
            <span class="dim num" title={`${c.distinct} values in ${c.lines} lines`}>
              {c.distinct}
            </span>
          </button>
          {open === c.name && (
            <p class="lg-share">
              <span class="dim grow">
                in {total ? Math.round((c.lines / total) * 100) : 0}% of {total.toLocaleString('en')} lines
              </span>
              <button type="button" class="btn small" aria-pressed={columns.includes(c.name)} onClick={() => onColumn(c.name)}>
                Column
              </button>
            </p>
          )}
          {open === c.name &&
            c.top.map(([v, n]) => (
              <div class="lg-value" key={v}>
                <span class="lg-bar" style={{ width: `${total ? (n / total) * 100 : 0}%` }} />
                <span class="cut grow" title={v}>
                  {v || '(empty)'}
                </span>
                <span class="dim num">{total ? Math.round((n / total) * 100) : 0}%</span>
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
