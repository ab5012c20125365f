// Writing an annotation: a point or a stretch of time, on this dashboard.

import { useState } from 'preact/hooks';
import { dashboards } from '../../api/dashboards';
import { Dialog } from '../../shell/popover';
import { toast } from '../../shell/toast';
import { formatInstant, parseTime } from '../../time/grammar';
import { refreshNow, timeContext, zone } from '../../time/state';
import type { AnnotateAt, Session } from '../model/session';
import { Row, TextInput } from './controls';

/** As the time picker writes it, in the zone of the page. */
const iso = (ms: number) => formatInstant(Math.round(ms), zone.peek());

const instant = (text: string): number | null => parseTime(text, timeContext());

export default function AnnotateDialog({ session: s, at, onClose }: { session: Session; at: AnnotateAt; onClose: () => void }) {
  const [text, setText] = useState(at.text ?? '');
  const [tags, setTags] = useState((at.tags ?? []).join(', '));
  const [from, setFrom] = useState(iso(at.fromMs));
  const [to, setTo] = useState(at.toMs > at.fromMs ? iso(at.toMs) : '');
  const [error, setError] = useState('');
  const save = (e: Event) => {
    e.preventDefault();
    const time = instant(from);
    const timeEnd = to.trim() === '' ? null : instant(to);
    if (time === null) return setError(`“${from}” is no time; it is written like ${iso(Date.now())}.`);
    if (to.trim() !== '' && timeEnd === null) return setError(`“${to}” is no time; it is written like ${iso(Date.now())}.`);
    if (timeEnd !== null && timeEnd < time) return setError('It ends before it begins.');
    const a = { time, timeEnd: timeEnd ?? time, tags: tags.split(',').map((t) => t.trim()).filter(Boolean), text };
    const done =
      at.id === undefined
        ? dashboards.annotate({ dashboardUID: String(s.model.peek().uid ?? ''), panelId: at.panelId, ...a })
        : dashboards.changeAnnotation(at.id, a);
    done.then(
      () => {
        toast(at.id === undefined ? 'Annotation added' : 'Annotation changed');
        onClose();
        refreshNow();
      },
      (x: Error) => setError(x.message),
    );
  };
  const name = at.id === undefined ? 'Add an annotation' : 'Edit the annotation';
  return (
    <Dialog onClose={onClose} label={name} class="save">
      <form onSubmit={save}>
        <header class="dialog-head">
          <h2>{name}</h2>
        </header>
        <div class="form">
          <Row label="From">
            <TextInput value={from} label="From" onChange={setFrom} />
          </Row>
          <Row label="To">
            <TextInput value={to} label="To" placeholder="a moment" onChange={setTo} />
          </Row>
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
            {at.id === undefined ? 'Add' : 'Change'}
          </button>
        </footer>
      </form>
    </Dialog>
  );
}
