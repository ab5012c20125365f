// Playlists: dashboards shown one after the other, on a screen that nobody touches.

import { useEffect, useState } from 'preact/hooks';
import { dashboards, type SearchHit } from '../../api/dashboards';
import { playlists, type Playlist, type PlaylistItem } from '../../api/shared';
import { Icon } from '../../shell/icons';
import { Dialog } from '../../shell/popover';
import { toast } from '../../shell/toast';
import { parseDuration } from '../../time/grammar';
import { TextInput } from '../edit/controls';
import { play } from './player';

const KIOSKS: [string, string][] = [
  ['', 'As usual'],
  ['tv', 'Without Pharos\' bar'],
  ['1', 'Panels only'],
];

function Edit({ start, onClose, onSaved }: { start: Playlist | null; onClose: () => void; onSaved: () => void }) {
  const [name, setName] = useState(start?.name ?? '');
  const [interval, setEvery] = useState(start?.interval ?? '5m');
  const [items, setItems] = useState<PlaylistItem[]>(start?.items ?? []);
  const [boards, setBoards] = useState<SearchHit[]>([]);
  const [find, setFind] = useState('');
  const [error, setError] = useState('');
  useEffect(() => void dashboards.search({}).then((h) => setBoards(h.filter((x) => x.type === 'dash-db')), (e: Error) => setError(e.message)), []);
  const tags = [...new Set(boards.flatMap((b) => b.tags))].sort();
  const low = find.toLowerCase();
  const hits = boards.filter((b) => b.title.toLowerCase().includes(low)).slice(0, 30);
  const ms = parseDuration(interval);
  const bad = ms === null || ms < 1000 ? `“${interval}” is no time for one dashboard: write 30s, 5m or 1h, at least a second.` : '';
  const text = (i: PlaylistItem) => (i.type === 'dashboard_by_tag' ? `all with the tag ${i.value}` : (boards.find((b) => b.uid === i.value)?.title ?? i.title ?? `${i.value} (not there)`));
  const save = (e: Event) => {
    e.preventDefault();
    if (bad) return setError(bad);
    playlists.save({ uid: start?.uid, name: name.trim(), interval, items }).then(onSaved, (x: Error) => setError(x.message));
  };
  return (
    <Dialog onClose={onClose} label="Playlist" class="save playlist-edit">
      <form onSubmit={save}>
        <header class="dialog-head">
          <h2>{start ? 'Edit the playlist' : 'New playlist'}</h2>
          <button type="button" class="icon-btn" onClick={onClose} aria-label="Close">
            <Icon name="close" />
          </button>
        </header>
        <div class="form">
          <label>
            Name
            <input type="text" required data-autofocus value={name} onInput={(e) => setName(e.currentTarget.value)} />
          </label>
          <label>
            Each for
            <TextInput value={interval} placeholder="5m" onChange={setEvery} />
          </label>
          <ol class="playlist-items">
            {items.map((i, k) => (
              <li key={k}>
                <span class="cut grow">{text(i)}</span>
                <button type="button" class="icon-btn" disabled={k === 0} aria-label={`Move ${text(i)} up`} onClick={() => setItems(items.map((x, n) => (n === k - 1 ? i : n === k ? items[k - 1]! : x)))}>
                  ↑
                </button>
                <button type="button" class="icon-btn" aria-label={`Remove ${text(i)}`} onClick={() => setItems(items.filter((_, n) => n !== k))}>
                  <Icon name="close" size={12} />
                </button>
              </li>
            ))}
            {items.length === 0 && <li class="note">Add the dashboards to show, in their order.</li>}
          </ol>
          <input type="search" placeholder="Find a dashboard to add" aria-label="Find a dashboard to add" value={find} onInput={(e) => setFind(e.currentTarget.value)} />
          <div class="playlist-hits">
            {hits.map((b) => (
              <button type="button" class="row-btn" key={b.uid} onClick={() => setItems([...items, { type: 'dashboard_by_uid', value: b.uid, title: b.title }])}>
                <Icon name="plus" size={12} /> {b.title} <span class="dim">{b.folderTitle}</span>
              </button>
            ))}
            {tags.filter((t) => t.toLowerCase().includes(low)).map((t) => (
              <button type="button" class="row-btn" key={`t${t}`} onClick={() => setItems([...items, { type: 'dashboard_by_tag', value: t, title: t }])}>
                <Icon name="plus" size={12} /> all with the tag <span class="tag">{t}</span>
              </button>
            ))}
          </div>
          {error && (
            <div class="failure" role="alert">
              {error}
            </div>
          )}
        </div>
        <footer class="dialog-foot">
          <button type="button" class="btn" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class="btn primary" disabled={name.trim() === '' || items.length === 0} data-confirm>
            Save
          </button>
        </footer>
      </form>
    </Dialog>
  );
}

export function Playlists() {
  const [list, setList] = useState<Playlist[] | null>(null);
  const [error, setError] = useState('');
  const [edit, setEdit] = useState<{ start: Playlist | null } | null>(null);
  const [kiosk, setKiosk] = useState('1');
  const load = () => void playlists.list().then(setList, (e: Error) => setError(e.message));
  useEffect(load, []);
  const whole = (p: Playlist, then: (p: Playlist) => unknown) => void playlists.get(p.uid).then(then).catch((e: Error) => toast(e.message));
  const remove = (p: Playlist) => {
    if (!confirm(`Delete the playlist “${p.name}”?`)) return;
    playlists.remove(p.uid).then(load, (e: Error) => toast(e.message));
  };
  return (
    <>
      <div class="dl-find">
        <label class="check">
          Played{' '}
          <select aria-label="How it is played" value={kiosk} onChange={(e) => setKiosk(e.currentTarget.value)}>
            {KIOSKS.map(([v, t]) => (
              <option key={v} value={v}>
                {t}
              </option>
            ))}
          </select>
        </label>
        <span class="grow" />
        <button type="button" class="btn primary" onClick={() => setEdit({ start: null })}>
          <Icon name="plus" /> New playlist
        </button>
      </div>
      {error && (
        <div class="failure" role="alert">
          {error}
        </div>
      )}
      {list === null && !error && <div class="skeleton" style={{ height: '120px' }} />}
      {list?.length === 0 && (
        <div class="empty big">
          <h1>No playlists yet</h1>
          <p>A playlist shows dashboards one after the other, on a screen that nobody touches.</p>
        </div>
      )}
      {list && list.length > 0 && (
        <section class="card dl-group">
          <ul>
            {list.map((p) => (
              <li class="dl-row" key={p.uid} data-playlist={p.name}>
                <button type="button" class="btn small" onClick={() => whole(p, (x) => play(x, kiosk === '' ? null : kiosk))}>
                  <Icon name="play" size={12} /> Play
                </button>
                <span class="dl-title cut">{p.name}</span>
                <span class="dim num">each {p.interval}</span>
                <button type="button" class="icon-btn" aria-label={`Edit ${p.name}`} title="Edit" onClick={() => whole(p, (start) => setEdit({ start }))}>
                  <Icon name="edit" size={14} />
                </button>
                <button type="button" class="icon-btn" aria-label={`Delete ${p.name}`} title="Delete" onClick={() => remove(p)}>
                  <Icon name="trash" size={14} />
                </button>
              </li>
            ))}
          </ul>
        </section>
      )}
      {edit && (
        <Edit
          start={edit.start}
          onClose={() => setEdit(null)}
          onSaved={() => {
            setEdit(null);
            load();
          }}
        />
      )}
    </>
  );
}
