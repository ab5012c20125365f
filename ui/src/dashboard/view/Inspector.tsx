// What is behind a panel: the result as a table, the queries that were sent, the panel's JSON.

import { useState } from 'preact/hooks';
import { download } from '../../pages/explore/csv';
import { Icon } from '../../shell/icons';
import { Dialog } from '../../shell/popover';
import { copyText } from '../../shell/toast';
import { formatDuration } from '../../time/grammar';
import { displayer } from '../field/display';
import { displayName } from '../frame/frame';
import type { Panel } from '../model/types';
import type { PanelState } from '../panels/usePanelData';
import { framesCsv } from './PanelMenu';

const ROWS = 200;

export default function Inspector({ state, panel, title, onClose }: { state: PanelState; panel: Panel; title: string; onClose: () => void }) {
  const [tab, setTab] = useState<'data' | 'query' | 'json'>('data');
  const [at, setAt] = useState(0);
  const frames = state.frames;
  const f = frames[Math.min(at, frames.length - 1)];
  const tabs: [typeof tab, string][] = [
    ['data', 'Data'],
    ['query', 'Queries'],
    ['json', 'JSON'],
  ];
  return (
    <Dialog onClose={onClose} label={`Inspect ${title}`} class="inspector">
      <header class="dialog-head">
        <h2 class="cut">Inspect: {title || panel.type}</h2>
        <button type="button" class="icon-btn" onClick={onClose} aria-label="Close" data-autofocus>
          <Icon name="close" />
        </button>
      </header>
      <div class="inspect-bar">
        <div class="seg" role="tablist">
          {tabs.map(([k, t]) => (
            <button type="button" role="tab" key={k} aria-selected={tab === k} onClick={() => setTab(k)}>
              {t}
            </button>
          ))}
        </div>
        <span class="grow" />
        {tab === 'data' && frames.length > 1 && (
          <select value={String(at)} onChange={(e) => setAt(Number(e.currentTarget.value))} aria-label="Result">
            {frames.slice(0, 500).map((x, i) => (
              <option key={i} value={String(i)}>
                {x.name ?? x.refId ?? `Result ${i + 1}`}
              </option>
            ))}
          </select>
        )}
        {tab === 'data' && (
          <button type="button" class="btn small" onClick={() => download(`${title || 'panel'}.csv`, framesCsv(state))}>
            <Icon name="download" size={13} /> CSV
          </button>
        )}
        {tab === 'json' && (
          <button type="button" class="btn small" onClick={() => void copyText(JSON.stringify(panel, null, 2))}>
            <Icon name="copy" size={13} /> Copy
          </button>
        )}
      </div>
      <div class="inspect-body">
        {tab === 'data' &&
          (f ? (
            <>
              <table class="table">
                <thead>
                  <tr>
                    {f.fields.map((x, i) => (
                      <th key={i} class={x.type === 'number' ? 'num' : ''}>
                        {displayName(x, f, frames)}
                      </th>
                    ))}
                  </tr>
                </thead>
                <tbody>
                  {Array.from({ length: Math.min(f.length, ROWS) }, (_, i) => f.length - 1 - i).map((i) => (
                    <tr key={i}>
                      {f.fields.map((x, k) => (
                        <td key={k} class={x.type === 'number' ? 'num' : ''}>
                          {displayer(x)(x.values[i]).text}
                        </td>
                      ))}
                    </tr>
                  ))}
                </tbody>
              </table>
              {f.length > ROWS && <p class="note">The last {ROWS} of {f.length} rows; the CSV has all.</p>}
            </>
          ) : (
            <div class="empty">No data</div>
          ))}
        {tab === 'query' && (
          <dl class="inspect-queries">
            {state.data?.ran.map((r) => (
              <div key={r.refId}>
                <dt>
                  <span class="tag">{r.refId}</span> {r.kind}, step {formatDuration(r.stepMs)}, answered in {(r.seconds * 1000).toFixed(0)} ms
                </dt>
                <dd>
                  <pre>{r.query}</pre>
                </dd>
              </div>
            ))}
            {state.data?.errors.map((e) => (
              <div key={e.refId}>
                <dt>
                  <span class="tag bad">{e.refId}</span> <span class="bad">{e.message}</span>
                </dt>
                <dd>
                  <pre>{e.query}</pre>
                </dd>
              </div>
            ))}
          </dl>
        )}
        {tab === 'json' && <pre>{JSON.stringify(panel, null, 2)}</pre>}
      </div>
    </Dialog>
  );
}
