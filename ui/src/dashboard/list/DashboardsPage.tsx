// All dashboards: folders, search, tags, stars; and the way in for those that people bring along.

import { useEffect, useState } from 'preact/hooks';
import { dashboards, recentDashboards, serverKeeps, type Folder, type SearchHit } from '../../api/dashboards';
import { Icon } from '../../shell/icons';
import { basePath, current, go, href, path, setParams } from '../../shell/router';
import { Popover } from '../../shell/popover';
import { toast } from '../../shell/toast';
import { ImportDialog } from './ImportDialog';
import { Playlists } from './Playlists';
import { Shared } from './Shared';
import '../view/forms.css';
import './list.css';

interface Group {
  uid: string;
  title: string;
  /** Titles of the folders it lies in, outermost first. */
  above: string[];
  parent: string;
  items: SearchHit[];
}

/** Dashboards by folder, folders after those they lie in; what is in none comes last. */
export function groups(hits: SearchHit[], folders: Folder[]): Group[] {
  const by = new Map<string, Group>();
  const of = (uid: string, title: string): Group => {
    let g = by.get(uid);
    if (!g) by.set(uid, (g = { uid, title, above: [], parent: '', items: [] }));
    return g;
  };
  for (const f of folders) of(f.uid, f.title).parent = f.parentUid ?? '';
  for (const h of hits) {
    if (h.type === 'dash-folder') {
      const g = of(h.uid, h.title);
      g.title = h.title;
      g.parent ||= h.folderUid ?? '';
    } else of(h.folderUid ?? '', h.folderTitle ?? '').items.push(h);
  }
  for (const g of by.values()) {
    const seen = new Set([g.uid]);
    for (let up = by.get(g.parent); up && up.uid !== '' && !seen.has(up.uid); up = by.get(up.parent)) {
      seen.add(up.uid);
      g.above.unshift(up.title);
    }
  }
  const path = (g: Group) => [...g.above, g.title].join('\x01').toLowerCase();
  return [...by.values()].sort((a, b) => Number(a.uid === '') - Number(b.uid === '') || (path(a) < path(b) ? -1 : path(a) > path(b) ? 1 : 0));
}

function hitHref(h: SearchHit): string {
  return basePath + h.url.replace(/^\//, '');
}

function Row({ h, folders, onStar, onTag, onChanged }: { h: SearchHit; folders: Group[]; onStar: () => void; onTag: (t: string) => void; onChanged: () => void }) {
  const [menu, setMenu] = useState(false);
  const after = (p: Promise<unknown>) => void p.then(onChanged, (e: Error) => toast(e.message));
  const move = async (folderUid: string) => {
    const { dashboard, meta } = await dashboards.get(h.uid);
    await dashboards.save({ ...dashboard, version: meta.version }, { folderUid, message: 'Moved' });
  };
  const fixed = h.folderUid === 'pharos';
  return (
    <li class="dl-row">
      <button type="button" class={h.isStarred ? 'icon-btn star on' : 'icon-btn star'} aria-pressed={h.isStarred} aria-label={`Star ${h.title}`} onClick={onStar}>
        <Icon name="star" size={14} />
      </button>
      <a class="dl-title cut" data-link href={hitHref(h)}>
        {h.title}
      </a>
      <span class="dl-tags">
        {h.tags.map((t) => (
          <button type="button" class="tag" key={t} onClick={() => onTag(t)}>
            {t}
          </button>
        ))}
      </span>
      {fixed ? (
        <span class="dl-nomenu" />
      ) : (
        <span class="anchor">
          <button type="button" class="icon-btn quiet" aria-haspopup="menu" aria-expanded={menu} aria-label={`Menu of ${h.title}`} onClick={() => setMenu(!menu)}>
            <Icon name="dots" size={14} />
          </button>
          {menu && (
            <Popover onClose={() => setMenu(false)} label={h.title} class="menu right">
              <label class="dl-move">
                Move to{' '}
                <select
                  aria-label={`Move ${h.title} to`}
                  value={h.folderUid ?? ''}
                  onChange={(e) => {
                    setMenu(false);
                    after(move(e.currentTarget.value));
                  }}
                >
                  {!folders.some((f) => f.uid === '') && <option value="">General</option>}
                  {folders.filter((f) => f.uid !== 'pharos').map((f) => (
                    <option key={f.uid} value={f.uid}>
                      {f.uid === '' ? 'General' : [...f.above, f.title].join(' / ')}
                    </option>
                  ))}
                </select>
              </label>
              <button
                type="button"
                role="menuitem"
                class="row-btn"
                onClick={() => {
                  setMenu(false);
                  if (confirm(`Delete the dashboard “${h.title}”?`)) after(dashboards.remove(h.uid));
                }}
              >
                Delete
              </button>
            </Popover>
          )}
        </span>
      )}
    </li>
  );
}

function Tabs() {
  const here = path.value;
  const tab = (to: string, text: string, on: boolean) => (
    <a data-link href={href(to)} aria-current={on ? 'page' : undefined}>
      {text}
    </a>
  );
  const lists = here === '/playlists';
  const shared = here === '/dashboard/shared';
  return (
    <nav class="seg dl-tabs" aria-label="Kinds">
      {tab('/dashboards', 'Dashboards', !lists && !shared)}
      {tab('/playlists', 'Playlists', lists)}
      {tab('/dashboard/shared', 'Shared', shared)}
    </nav>
  );
}

export default function DashboardsPage() {
  const here = path.value;
  if (here !== '/playlists' && here !== '/dashboard/shared') return <List />;
  return (
    <div class="page dl">
      <div class="page-head">
        <h1>{here === '/playlists' ? 'Playlists' : 'Shared'}</h1>
      </div>
      <Tabs />
      {here === '/playlists' ? <Playlists /> : <Shared />}
    </div>
  );
}

function FolderMenu({ g, all, onChanged }: { g: Group; all: Group[]; onChanged: () => void }) {
  const [open, setOpen] = useState(false);
  const after = (p: Promise<unknown>) => void p.then(onChanged, (e: Error) => toast(e.message));
  const item = (text: string, run: () => void) => (
    <button
      type="button"
      role="menuitem"
      class="row-btn"
      onClick={() => {
        setOpen(false);
        run();
      }}
    >
      {text}
    </button>
  );
  const inside = (x: Group): boolean => {
    for (let k: Group | undefined = x; k && k.uid !== ''; k = all.find((y) => y.uid === k!.parent)) if (k.uid === g.uid) return true;
    return false;
  };
  return (
    <span class="anchor">
      <button type="button" class="icon-btn quiet" aria-haspopup="menu" aria-expanded={open} aria-label={`Menu of the folder ${g.title}`} onClick={() => setOpen(!open)}>
        <Icon name="dots" size={13} />
      </button>
      {open && (
        <Popover onClose={() => setOpen(false)} label={g.title} class="menu right">
          {item('New folder in it', () => {
            const title = prompt(`Name of the folder in ${g.title}`);
            if (title?.trim()) after(dashboards.makeFolder(title.trim(), g.uid));
          })}
          {item('Rename', () => {
            const title = prompt('Name of the folder', g.title);
            if (title?.trim() && title !== g.title) after(dashboards.renameFolder({ uid: g.uid, title: g.title }, title.trim()));
          })}
          <label class="dl-move">
            Move into{' '}
            <select
              aria-label={`Move the folder ${g.title} into`}
              value={g.parent}
              onChange={(e) => {
                setOpen(false);
                after(dashboards.moveFolder(g.uid, e.currentTarget.value));
              }}
            >
              <option value="">none</option>
              {all.filter((x) => x.uid !== '' && x.uid !== 'pharos' && !inside(x)).map((x) => (
                <option key={x.uid} value={x.uid}>
                  {[...x.above, x.title].join(' / ')}
                </option>
              ))}
            </select>
          </label>
          {item('Delete', () => {
            if (confirm(`Delete the folder “${g.title}” with all that is in it?`)) after(dashboards.removeFolder(g.uid));
          })}
        </Popover>
      )}
    </span>
  );
}

function List() {
  const params = current.value.params;
  const folder = /^\/dashboards\/f\/([^/]+)/.exec(path.value)?.[1];
  const query = params.get('query') ?? '';
  const tags = params.getAll('tag');
  const starred = params.get('starred') === 'true';
  const [hits, setHits] = useState<SearchHit[] | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const [again, setAgain] = useState(0);
  const [kept, setKept] = useState(true);
  const [folders, setFolders] = useState<Folder[]>([]);
  const [closed, setClosed] = useState<Record<string, boolean>>({});
  const importing = path.value === '/dashboard/import';
  useEffect(() => void serverKeeps().then(setKept), []);
  useEffect(() => void dashboards.folders().then(setFolders, () => undefined), [again]);
  useEffect(() => {
    const abort = new AbortController();
    const t = setTimeout(
      () =>
        dashboards.search({ query, tags, starred, folderUid: folder }, abort.signal).then(
          (h) => {
            setHits(h);
            setError(null);
          },
          (e: Error) => !abort.signal.aborted && setError(e),
        ),
      hits === null ? 0 : 150,
    );
    return () => {
      clearTimeout(t);
      abort.abort();
    };
  }, [query, tags.join('\x01'), starred, folder, again]);
  const star = (h: SearchHit) => {
    dashboards.star(h.uid, !h.isStarred).then(
      () => setAgain((n) => n + 1),
      (e: Error) => toast(e.message),
    );
  };
  const addFolder = () => {
    const title = prompt('Name of the folder');
    if (!title?.trim()) return;
    dashboards.makeFolder(title.trim(), folder).then(
      () => setAgain((n) => n + 1),
      (e: Error) => toast(e.message),
    );
  };
  const all = groups(hits ?? [], folders);
  const list = all.filter((g) => g.items.length > 0 || (query === '' && tags.length === 0 && !starred && g.uid !== folder));
  const recent = query === '' && tags.length === 0 && !starred && !folder ? recentDashboards() : [];
  return (
    <div class="page dl">
      <div class="page-head">
        <h1>Dashboards</h1>
        <span class="grow" />
        {kept && (
          <button type="button" class="btn" onClick={addFolder}>
            <Icon name="folder" /> <span class="hide-s">New folder</span>
          </button>
        )}
        <a class="btn" data-link href={href('/dashboard/import')}>
          <Icon name="upload" /> Import
        </a>
        <a class="btn primary" data-link href={href('/dashboard/new')}>
          <Icon name="plus" /> New
        </a>
      </div>
      {kept && <Tabs />}
      {!kept && <p class="note">This server keeps no dashboards: they are stored in this browser only.</p>}
      <div class="dl-find">
        <input type="search" placeholder="Search dashboards" aria-label="Search dashboards" value={query} onInput={(e) => setParams({ query: e.currentTarget.value || null })} />
        <label class="check">
          <input type="checkbox" checked={starred} onChange={(e) => setParams({ starred: e.currentTarget.checked ? 'true' : null })} /> Starred
        </label>
        {tags.map((t) => (
          <button type="button" class="tag on" key={t} title="Remove" onClick={() => setParams({ tag: tags.filter((x) => x !== t) })}>
            {t} ×
          </button>
        ))}
        {folder && (
          <a class="tag on" data-link href={href('/dashboards')}>
            {list.find((g) => g.uid === folder)?.title ?? 'folder'} ×
          </a>
        )}
      </div>
      {error && (
        <div class="failure" role="alert">
          <Icon name="warn" />
          <span>{error.message}</span>
        </div>
      )}
      {recent.length > 0 && (
        <section class="card dl-group">
          <header class="card-head">
            <h2>Opened lately</h2>
          </header>
          <ul class="dl-recent">
            {recent.slice(0, 6).map((r) => (
              <li key={r.uid}>
                <a data-link href={`${basePath}d/${encodeURIComponent(r.uid)}`}>
                  <Icon name="dashboards" size={14} /> {r.title}
                </a>
              </li>
            ))}
          </ul>
        </section>
      )}
      {hits === null && !error && <div class="skeleton" style={{ height: '120px' }} />}
      {list.map((g) => {
        const open = closed[g.uid] !== true;
        return (
          <section class="card dl-group" key={g.uid}>
            <header class="card-head">
              <button type="button" class="dl-head" aria-expanded={open} onClick={() => setClosed({ ...closed, [g.uid]: open })}>
                <Icon name={open ? 'down' : 'right'} size={12} />
                <Icon name="folder" size={14} />
                <h2>
                  {g.above.map((t) => (
                    <span class="dl-path" key={t}>
                      {t} /{' '}
                    </span>
                  ))}
                  {g.uid === '' ? 'General' : g.title}
                </h2>
                <span class="dim">{g.items.length}</span>
              </button>
              <span class="grow" />
              {g.uid !== '' && g.uid !== 'pharos' && kept && <FolderMenu g={g} all={all} onChanged={() => setAgain((n) => n + 1)} />}
            </header>
            {open && (
              <ul>
                {g.items.map((h) => (
                  <Row key={h.uid} h={h} folders={all} onChanged={() => setAgain((n) => n + 1)} onStar={() => star(h)} onTag={(t) => setParams({ tag: [...tags.filter((x) => x !== t), t] })} />
                ))}
                {g.items.length === 0 && <li class="note">This folder is empty.</li>}
              </ul>
            )}
          </section>
        );
      })}
      {hits !== null && list.length === 0 && (
        <div class="empty big">
          {query || tags.length || starred ? (
            <p>No dashboard matches.</p>
          ) : (
            <>
              <h1>No dashboards yet</h1>
              <p>Import the JSON of a dashboard you already have, or start a new one.</p>
            </>
          )}
        </div>
      )}
      {importing && <ImportDialog onClose={() => go(href('/dashboards'))} />}
    </div>
  );
}
