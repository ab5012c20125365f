// What has been given away: snapshots and public links, to look at or to take back.

import { useEffect, useState } from 'preact/hooks';
import { publicLinks, snapshots, type PublicLink, type Snapshot } from '../../api/shared';
import { Icon } from '../../shell/icons';
import { basePath } from '../../shell/router';
import { copyText, toast } from '../../shell/toast';

const day = (t: string | undefined) => (t && !t.startsWith('0001') ? t.replace('T', ' ').slice(0, 16) : '');

export function Shared() {
  const [snaps, setSnaps] = useState<Snapshot[] | null>(null);
  const [links, setLinks] = useState<PublicLink[] | null>(null);
  const [error, setError] = useState('');
  const load = () => {
    snapshots.list().then(setSnaps, (e: Error) => setError(e.message));
    publicLinks.list().then(setLinks, (e: Error) => setError(e.message));
  };
  useEffect(load, []);
  const after = (p: Promise<unknown>) => void p.then(load, (e: Error) => toast(e.message));
  const at = (path: string) => new URL(path, document.baseURI).href;
  return (
    <>
      {error && (
        <div class="failure" role="alert">
          {error}
        </div>
      )}
      <section class="card dl-group">
        <header class="card-head">
          <h2>Public links</h2>
        </header>
        <ul>
          {links?.map((p) => (
            <li class="dl-row" key={p.uid} data-public={p.dashboardUid}>
              <a class="dl-title cut" data-link href={`${basePath}public-dashboards/${p.accessToken}`}>
                {p.title}
              </a>
              <label class="check">
                <input type="checkbox" checked={p.isEnabled} onChange={(e) => after(publicLinks.change(p, e.currentTarget.checked))} /> Open
              </label>
              <button type="button" class="icon-btn" aria-label={`Copy the link to ${p.title}`} title="Copy the link" onClick={() => void copyText(at(`public-dashboards/${p.accessToken}`), 'Link copied')}>
                <Icon name="copy" size={14} />
              </button>
              <button type="button" class="icon-btn" aria-label={`Delete the link to ${p.title}`} title="Delete" onClick={() => confirm(`Nobody can use the link to “${p.title}” any more then. Delete it?`) && after(publicLinks.remove(p))}>
                <Icon name="trash" size={14} />
              </button>
            </li>
          ))}
          {links?.length === 0 && <li class="note">None. “Share” in the menu of a dashboard makes one.</li>}
        </ul>
      </section>
      <section class="card dl-group">
        <header class="card-head">
          <h2>Snapshots</h2>
        </header>
        <ul>
          {snaps?.map((s) => (
            <li class="dl-row" key={s.key} data-snap={s.name}>
              <a class="dl-title cut" data-link href={`${basePath}dashboard/snapshot/${s.key}`}>
                {s.name}
              </a>
              <span class="dim num">
                {day(s.created)}
                {day(s.expires) && `, until ${day(s.expires)}`}
              </span>
              <button type="button" class="icon-btn" aria-label={`Delete the snapshot ${s.name}`} title="Delete" onClick={() => confirm(`Delete the snapshot “${s.name}”?`) && after(snapshots.remove(s.key))}>
                <Icon name="trash" size={14} />
              </button>
            </li>
          ))}
          {snaps?.length === 0 && <li class="note">None. “Share” in the menu of a dashboard takes one.</li>}
        </ul>
      </section>
    </>
  );
}
