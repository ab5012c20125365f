// What is behind an answer: the answer itself, what it cost, how it was computed, how to ask for it elsewhere.

import { useEffect, useState } from 'preact/hooks';
import { expandMacros } from '../../api/expr';
import { scrapeMs } from '../../api/interval';
import { format } from '../../format/units';
import { Icon } from '../../shell/icons';
import { Dialog } from '../../shell/popover';
import { copyText } from '../../shell/toast';
import { useTime } from '../../time/scope';
import { rateWindow } from '../../time/step';
import { download } from './csv';
import { inspect, type Inspected } from './inspect';
import type { Pane } from './panes';

const SHOWN = 200_000;
type Tab = 'response' | 'statistics' | 'plan' | 'request';
const TABS: [Tab, string][] = [
  ['response', 'Response'],
  ['statistics', 'Statistics'],
  ['plan', 'Plan'],
  ['request', 'Request'],
];

function unitOf(name: string): string {
  if (/seconds|[tT]ime$/.test(name)) return 's';
  if (/bytes/i.test(name)) return 'bytes';
  return 'locale';
}

export function Inspector({ pane, stepMs, onClose }: { pane: Pane; stepMs: number; onClose: () => void }) {
  const shown = pane.queries.filter((q) => q.expr.trim() !== '');
  const time = useTime();
  const [ref, setRef] = useState(shown[0]?.refId ?? '');
  const [tab, setTab] = useState<Tab>('response');
  const [got, setGot] = useState<Inspected | null>(null);
  const query = shown.find((q) => q.refId === ref);
  useEffect(() => {
    if (!query) return;
    const abort = new AbortController();
    const r = time.range.peek();
    setGot(null);
    const expr = expandMacros(query.expr, { stepMs, rateMs: rateWindow(stepMs, scrapeMs.peek()), rangeMs: r.toMs - r.fromMs });
    void inspect(pane.signal, expr, { fromMs: r.fromMs, toMs: r.toMs, stepMs }, abort.signal).then((i) => !abort.signal.aborted && setGot(i));
    return () => abort.abort();
  }, [ref, query?.expr]);
  const text = got?.response === undefined ? '' : JSON.stringify(got.response, null, 2);
  return (
    <Dialog onClose={onClose} label="Inspect" class="inspector">
      <header class="dialog-head">
        <h2>Inspect</h2>
        {shown.length > 1 && (
          <select aria-label="Query" value={ref} onChange={(e) => setRef(e.currentTarget.value)}>
            {shown.map((q) => (
              <option key={q.refId} value={q.refId}>
                {q.refId}
              </option>
            ))}
          </select>
        )}
        <div class="seg" role="tablist" aria-label="What to see">
          {TABS.map(([id, name]) => (
            <button type="button" role="tab" key={id} aria-selected={tab === id} onClick={() => setTab(id)}>
              {name}
            </button>
          ))}
        </div>
        <span class="grow" />
        <button type="button" class="icon-btn" onClick={onClose} aria-label="Close" data-autofocus>
          <Icon name="close" />
        </button>
      </header>
      <div class="inspect-body">
        {!got && <div class="skeleton" style={{ height: '200px' }} />}
        {got?.error && <div class="failure">{got.error}</div>}
        {got && tab === 'response' && text && (
          <>
            <p class="inspect-bar">
              <span class="dim">{format(text.length, 'decbytes')}</span>
              <button type="button" class="btn small" onClick={() => download(`pharos-${ref}.json`, text, 'application/json')}>
                <Icon name="download" size={12} /> JSON
              </button>
              <button type="button" class="btn small" onClick={() => void copyText(text, 'Answer copied')}>
                <Icon name="copy" size={12} /> Copy
              </button>
            </p>
            <pre class="json" tabIndex={0}>
              {text.slice(0, SHOWN)}
            </pre>
            {text.length > SHOWN && <p class="note">Cut here; the download has all of it.</p>}
          </>
        )}
        {got && tab === 'statistics' && (
          <table class="table">
            <tbody>
              {got.stats.map(([k, v]) => (
                <tr key={k}>
                  <td>{k}</td>
                  <td class="num">{format(v, unitOf(k))}</td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
        {got && tab === 'plan' && (got.plan ? <pre class="json" tabIndex={0}>{got.plan}</pre> : <div class="empty">{got.planNote || 'The server says nothing of how this query runs.'}</div>)}
        {got && tab === 'request' && (
          <pre class="json" tabIndex={0}>
            {got.request}
          </pre>
        )}
      </div>
    </Dialog>
  );
}
