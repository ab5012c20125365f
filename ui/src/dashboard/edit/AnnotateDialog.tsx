// Writing an annotation: a point or a stretch of time, on this dashboard.

import { useState } from 'preact/hooks';
import { dashboards } from '../../api/dashboards';
import { Dialog } from '../../shell/popover';
import { toast } from '../../shell/toast';
import { formatInstant } from '../../time/grammar';
import { refreshNow, zone } from '../../time/state';
import type { Session } from '../model/session';

export interface AnnotateAt {
  fromMs: number;
  toMs: number;
  panelId: number;
}

export default function AnnotateDialog({ session: s, at, onClose }: { session: Session; at: AnnotateAt; onClose: () => void }) {
  const [text, setText] = useState('');
  const [tags, setTags] = useState('');
  const [error, setError] = useState('');
  const save = (e: Event) => {
    e.preventDefault();
    dashboards
      .annotate({
        dashboardUID: String(s.model.peek().uid ?? ''),
        panelId: at.panelId,
        time: Math.round(at.fromMs),
        ...(at.toMs > at.fromMs ? { timeEnd: Math.round(at.toMs) } : {}),
        tags: tags.split(',').map((t) => t.trim()).filter(Boolean),
        text,
      })
      .then(
        () => {
          toast('Annotation added');
          onClose();
          refreshNow();
        },
        (x: Error) => setError(x.message),
      );
  };
  return (
    <Dialog onClose={onClose} label="Add an annotation" class="save">
      <form onSubmit={save}>
        <header class="dialog-head">
          <h2>Add an annotation</h2>
        </header>
        <div class="form">
          <p class="note num">
            {formatInstant(Math.round(at.fromMs), zone.value)}
            {at.toMs > at.fromMs ? ` – ${formatInstant(Math.round(at.toMs), zone.value)}` : ''}
          </p>
          <label>
            What happened
            <textarea rows={3} required data-autofocus value={text} onInput={(e) => setText(e.currentTarget.value)} />
          </label>
          <label>
            Tags
            <input type="text" placeholder="deploy, api" value={tags} onInput={(e) => setTags(e.currentTarget.value)} />
          </label>
          {error && <div class="failure">{error}</div>}
        </div>
        <footer class="dialog-foot">
          <button type="button" class="btn" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class="btn primary" disabled={text.trim() === ''} data-confirm>
            Add
          </button>
        </footer>
      </form>
    </Dialog>
  );
}
