// The library panels there are, to put one on the dashboard.

import { useEffect, useState } from 'preact/hooks';
import { library, type LibraryElement } from '../../api/library';
import { Icon } from '../../shell/icons';
import { Dialog } from '../../shell/popover';
import { toast } from '../../shell/toast';

export default function LibraryDialog({ onPick, onClose }: { onPick: (e: LibraryElement) => void; onClose: () => void }) {
  const [list, setList] = useState<LibraryElement[] | null>(null);
  const [find, setFind] = useState('');
  const [error, setError] = useState('');
  const load = () => void library.list().then(setList, (e: Error) => setError(e.message));
  useEffect(load, []);
  const hits = (list ?? []).filter((e) => `${e.name} ${e.description}`.toLowerCase().includes(find.toLowerCase()));
  return (
    <Dialog onClose={onClose} label="Library panels" class="save">
      <header class="dialog-head">
        <h2>Library panels</h2>
        <button type="button" class="icon-btn" onClick={onClose} aria-label="Close">
          <Icon name="close" />
        </button>
      </header>
      <div class="form">
        <input type="search" data-autofocus placeholder="Search" aria-label="Search library panels" value={find} onInput={(e) => setFind(e.currentTarget.value)} />
        {error && (
          <div class="failure" role="alert">
            {error}
          </div>
        )}
        {list?.length === 0 && <p class="note">There are none yet. “Make a library panel” in the menu of a panel makes one.</p>}
        {hits.map((e) => (
          <span class="step" key={e.uid} data-library={e.name}>
            <button type="button" class="row-btn grow" onClick={() => onPick(e)}>
              <Icon name="plus" size={12} /> {e.name} <span class="dim">{e.type}</span>
            </button>
            <button
              type="button"
              class="icon-btn"
              aria-label={`Delete ${e.name}`}
              title="Delete"
              onClick={() => {
                if (confirm(`Delete the library panel “${e.name}”? Dashboards that use it show a placeholder then.`)) library.remove(e.uid).then(load, (x: Error) => toast(x.message));
              }}
            >
              <Icon name="trash" size={13} />
            </button>
          </span>
        ))}
      </div>
    </Dialog>
  );
}
