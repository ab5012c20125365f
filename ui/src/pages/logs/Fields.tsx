// Labels and fields of the lines that are there, with their values; a click keeps or leaves out.

import { useState } from 'preact/hooks';
import { Icon } from '../../shell/icons';
import type { FieldCount } from './query';

export function Fields({ counts, total, height, onFilter }: { counts: FieldCount[]; total: number; height: number; onFilter: (name: string, value: string, out: boolean) => void }) {
  const [open, setOpen] = useState<string | null>(null);
  const [find, setFind] = useState('');
  const shown = counts.filter((c) => c.name.toLowerCase().includes(find.toLowerCase()));
  return (
    <aside class="card lg-fields" style={{ maxHeight: `${height + 36}px` }} aria-label="Fields">
      <input type="search" placeholder="Search fields" aria-label="Search fields" value={find} onInput={(e) => setFind(e.currentTarget.value)} />
      {shown.map((c, i) => (
        <div key={c.name}>
          {(i === 0 || shown[i - 1]!.stream !== c.stream) && <h3>{c.stream ? 'Labels' : 'Fields'}</h3>}
          <button type="button" class="row-btn lg-field" aria-expanded={open === c.name} onClick={() => setOpen(open === c.name ? null : c.name)}>
            <Icon name={open === c.name ? 'down' : 'right'} size={11} />
            <span class="cut grow">{c.name}</span>
            <span class="dim num">{c.distinct}</span>
          </button>
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
