// Sharing: a link to what is seen, a public link, a snapshot with its data.

import { useState } from 'preact/hooks';
import { dashboards } from '../../api/dashboards';
import { Icon } from '../../shell/icons';
import { shareLink } from '../../shell/keys';
import { Dialog } from '../../shell/popover';
import { copyText } from '../../shell/toast';
import type { Session } from '../model/session';
import { takeSnapshot } from './snapshot';

const EXPIRY: [string, string][] = [
  ['0', 'Never'],
  ['3600', 'After an hour'],
  ['86400', 'After a day'],
  ['604800', 'After a week'],
];

function Copyable({ url }: { url: string }) {
  return (
    <span class="share-url">
      <input type="text" readOnly value={url} aria-label="Link" onFocus={(e) => e.currentTarget.select()} />
      <button type="button" class="btn" onClick={() => void copyText(url, 'Link copied')}>
        <Icon name="copy" size={13} /> Copy
      </button>
    </span>
  );
}

export default function ShareDialog({ session: s, onClose }: { session: Session; onClose: () => void }) {
  const [locked, setLocked] = useState(true);
  const [kiosk, setKiosk] = useState(false);
  const [pub, setPub] = useState('');
  const [snap, setSnap] = useState('');
  const [expires, setExpires] = useState('0');
  const [busy, setBusy] = useState('');
  const [error, setError] = useState('');
  const at = (path: string) => new URL(path, document.baseURI).href;
  const link = new URL(locked ? shareLink() : location.href);
  if (kiosk) link.searchParams.set('kiosk', '');
  const uid = s.meta.value ? String(s.model.value.uid ?? '') : '';
  const act = (what: string, f: () => Promise<void>) => {
    setBusy(what);
    setError('');
    f()
      .catch((e: Error) => setError(e.message))
      .finally(() => setBusy(''));
  };
  return (
    <Dialog onClose={onClose} label="Share" class="save">
      <header class="dialog-head">
        <h2>Share</h2>
        <button type="button" class="icon-btn" onClick={onClose} aria-label="Close" data-autofocus>
          <Icon name="close" />
        </button>
      </header>
      <div class="form">
        <h3>Link to what you see</h3>
        <Copyable url={link.href} />
        <label class="check">
          <input type="checkbox" checked={locked} onChange={(e) => setLocked(e.currentTarget.checked)} /> The same instants for everybody
        </label>
        <label class="check">
          <input type="checkbox" checked={kiosk} onChange={(e) => setKiosk(e.currentTarget.checked)} /> As a kiosk
        </label>
        {uid && (
          <>
            <h3>Public link</h3>
            {pub ? <Copyable url={pub} /> : <p class="note">Whoever has it can look at this dashboard without signing in, with the variables as they are stored.</p>}
            {!pub && (
              <div>
                <button type="button" class="btn" disabled={busy !== ''} onClick={() => act('public', async () => setPub(at(`public-dashboards/${(await dashboards.share(uid)).accessToken}`)))}>
                  Make a public link
                </button>
              </div>
            )}
          </>
        )}
        <h3>Snapshot</h3>
        {snap ? (
          <Copyable url={snap} />
        ) : (
          <>
            <p class="note">The dashboard with the data it shows now, without its queries.</p>
            <span class="share-url">
              <select aria-label="Expires" value={expires} onChange={(e) => setExpires(e.currentTarget.value)}>
                {EXPIRY.map(([v, t]) => (
                  <option key={v} value={v}>
                    {t}
                  </option>
                ))}
              </select>
              <button
                type="button"
                class="btn"
                disabled={busy !== ''}
                data-snapshot
                onClick={() => act('0', async () => setSnap(at(`dashboard/snapshot/${await takeSnapshot(s, s.model.peek().title, Number(expires), (d, n) => setBusy(`${d} of ${n} panels`))}`)))}
              >
                {busy && busy !== 'public' ? busy : 'Take a snapshot'}
              </button>
            </span>
          </>
        )}
        {error && (
          <div class="failure" role="alert">
            <Icon name="warn" />
            <span>{error}</span>
          </div>
        )}
      </div>
    </Dialog>
  );
}
