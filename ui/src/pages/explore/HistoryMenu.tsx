// The queries run before, of one signal, to search, keep and run again.

import { useState } from 'preact/hooks';
import { formatAgo } from '../../format/units';
import { Icon } from '../../shell/icons';
import { Popover } from '../../shell/popover';
import { forget, history_, signalOfPast, toggleStar } from './history';
import type { Signal } from './panes';

export function HistoryMenu({ signal, onPick, onClose }: { signal: Signal; onPick: (expr: string) => void; onClose: () => void }) {
  const [find, setFind] = useState('');
  const list = history_.value.filter((h) => signalOfPast(h) === signal && h.expr.toLowerCase().includes(find.toLowerCase()));
  list.sort((a, b) => Number(b.star ?? false) - Number(a.star ?? false) || b.atMs - a.atMs);
  return (
    <Popover onClose={onClose} label="Query history" class="hist">
      <input type="search" placeholder="Search queries run before" aria-label="Search queries run before" value={find} onInput={(e) => setFind(e.currentTarget.value)} />
      <div class="hist-list">
        {list.map((h) => (
          <div class="hist-row" key={h.expr}>
            <button type="button" class={h.star ? 'star on' : 'star'} aria-pressed={h.star ?? false} aria-label="Keep" title="Keep" onClick={() => toggleStar(h)}>
              {h.star ? '★' : '☆'}
            </button>
            <button
              type="button"
              class="hist-expr mono"
              role="menuitem"
              onClick={() => {
                onPick(h.expr);
                onClose();
              }}
            >
              {h.expr}
            </button>
            <span class="dim">{formatAgo(h.atMs, Date.now())}</span>
            <button type="button" class="icon-btn" aria-label="Forget" title="Forget" onClick={() => forget(h)}>
              <Icon name="close" size={12} />
            </button>
          </div>
        ))}
        {list.length === 0 && <div class="empty">{find ? 'Nothing matches.' : 'Queries you run are kept here, in this browser.'}</div>}
      </div>
    </Popover>
  );
}
