// All dashboards: folders, search, tags, stars; and the way in for those that people bring along.

import { useEffect, useState } from 'preact/hooks';
import { dashboards, recentDashboards, serverKeeps, type SearchHit } from '../../api/dashboards';
import { Icon } from '../../shell/icons';
import { basePath, current, go, href, path, setParams } from '../../shell/router';
import { toast } from '../../shell/toast';
import { ImportDialog } from './ImportDialog';
import '../view/forms.css';
import './list.css';

interface Group {
  uid: string;
  title: string;
  items: SearchHit[];
}

function groups(hits: SearchHit[]): Group[] {
  const by = new Map<string, Group>();
  for (const h of hits) {
    if (h.type === 'dash-folder') {
      if (!by.has(h.uid)) by.set(h.uid, { uid: h.uid, title: h.title, items: [] });
      else by.get(h.uid)!.title = h.title;
      continue;
    }
    const uid = h.folderUid ?? '';
    if (!by.has(uid)) by.set(uid, { uid, title: h.folderTitle ?? '', items: [] });
    by.get(uid)!.items.push(h);
  }
  return [...by.values()].sort((a, b) => Number(a.uid === '') - Number(b.uid === '') || a.title.localeCompare(b.title));
}

function hitHref(h: SearchHit): string {
  return basePath + h.url.replace(/^\//, '');
}

function Row({ h, onStar, onTag }: { h: SearchHit; onStar: () => void; onTag: (t: string) => void }) {
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
    </li>
  );
}

export default function DashboardsPage() {
  const params = current.value.params;
  const folder = /^\/dashboards\/f\/([^/]+)/.exec(path.value)?.[1];
  const query = params.get('query') ?? '';
  const tags = params.getAll('tag');
  const starred = params.get('starred') === 'true';
  const [hits, setHits] = useState<SearchHit[] | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const [again, setAgain] = useState(0);
  const [kept, setKept] = useState(true);
  const [closed, setClosed] = useState<Record<string, boolean>>({});
  const importing = path.value === '/dashboard/import';
  useEffect(() => void serverKeeps().then(setKept), []);
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
  const list = groups(hits ?? []).filter((g) => g.items.length > 0 || (query === '' && tags.length === 0 && !starred && g.uid !== folder));
  const recent = query === '' && tags.length === 0 && !starred && !folder ? recentDashboards() : [];
  const removeFolder = (g: Group) => {
    if (!confirm(g.items.length ? `Delete the folder “${g.title}” with its ${g.items.length} dashboards?` : `Delete the folder “${g.title}”?`)) return;
    dashboards.removeFolder(g.uid).then(
      () => setAgain((n) => n + 1),
      (e: Error) => toast(e.message),
    );
  };
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
                <h2>{g.uid === '' ? 'General' : g.title}</h2>
                <span class="dim">{g.items.length}</span>
              </button>
              <span class="grow" />
              {g.uid !== '' && g.uid !== 'pharos' && kept && (
                <button type="button" class="icon-btn quiet" aria-label={`Delete the folder ${g.title}`} title="Delete the folder" onClick={() => removeFolder(g)}>
                  <Icon name="trash" size={13} />
                </button>
              )}
            </header>
            {open && (
              <ul>
                {g.items.map((h) => (
                  <Row key={h.uid} h={h} onStar={() => star(h)} onTag={(t) => setParams({ tag: [...tags.filter((x) => x !== t), t] })} />
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
