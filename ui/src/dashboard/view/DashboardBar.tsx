// The bar over a dashboard: where it is, what it is called, star, edit, save, share.

import { useState } from 'preact/hooks';
import { dashboards } from '../../api/dashboards';
import { Icon } from '../../shell/icons';
import { Popover } from '../../shell/popover';
import { go, href, setParams } from '../../shell/router';
import { toast } from '../../shell/toast';
import { download } from '../../pages/explore/csv';
import { fromLibrary } from '../../api/library';
import { upgradePanel } from '../migrate/panels';
import type { Session } from '../model/session';
import type { Panel } from '../model/types';
import { addPanel, addRow, pastePanel } from '../edit/operations';
import { savePrompt } from './keys';
import { lazyPart } from './lazy';

const ShareDialog = lazyPart(() => import('../edit/ShareDialog'));
const LibraryDialog = lazyPart(() => import('../edit/LibraryDialog'));
const SaveDialog = lazyPart(() => import('../edit/SaveDialog'));

async function paste(s: Session): Promise<void> {
  try {
    const p = JSON.parse(await navigator.clipboard.readText()) as Panel;
    if (typeof p.type !== 'string') throw new Error();
    s.change(pastePanel(s.model.peek(), p));
  } catch {
    toast('The clipboard holds no panel');
  }
}

/** With inputs for its data sources and its library panels inside. */
async function exportShared(s: Session): Promise<void> {
  const [{ toShared }, { toStore }] = await Promise.all([import('../migrate/shared'), import('../edit/SaveDialog')]);
  const d = toStore(s, { variables: false, time: false });
  download(`${d.title}.json`, JSON.stringify(toShared(d, s.libraryElements), null, 2), 'application/json');
}

export function DashboardBar({ session: s, onReload, viewing }: { session: Session; onReload: () => void; viewing: boolean }) {
  const [menu, setMenu] = useState(false);
  const [add, setAdd] = useState(false);
  const [share, setShare] = useState(false);
  const [lib, setLib] = useState(false);
  const model = s.model.value;
  const meta = s.meta.value;
  const editing = s.editing.value;
  const canEdit = model.editable !== false && !s.publicToken && !model['snapshot'];
  const star = () => {
    if (!meta || !model.uid) return;
    const on = !meta.isStarred;
    dashboards.star(model.uid, on).then(
      () => (s.meta.value = { ...meta, isStarred: on }),
      (e: Error) => toast(e.message),
    );
  };
  const back = () => setParams({ viewPanel: null, editPanel: null }, true);
  const item = (text: string, run: () => void, note = '') => (
    <button
      type="button"
      role="menuitem"
      class="row-btn"
      onClick={() => {
        setMenu(false);
        run();
      }}
    >
      {text}
      {note && <kbd>{note}</kbd>}
    </button>
  );
  const remove = () => {
    if (!model.uid || !confirm(`Delete the dashboard “${model.title}”?`)) return;
    dashboards.remove(model.uid).then(
      () => {
        s.dirty.value = false;
        toast('Dashboard deleted');
        go(href('/dashboards'));
      },
      (e: Error) => toast(e.message),
    );
  };
  return (
    <div class="dash-bar">
      <nav class="crumbs" aria-label="Where this is">
        <a data-link href={href('/dashboards')}>
          Dashboards
        </a>
        {meta?.folderUid && (
          <a data-link href={href(`/dashboards/f/${meta.folderUid}`)}>
            {meta.folderTitle}
          </a>
        )}
        {viewing ? (
          <button type="button" class="crumb-here" onClick={back}>
            {model.title}
          </button>
        ) : (
          <h1 class="crumb-here cut" title={model.description}>
            {model.title}
          </h1>
        )}
      </nav>
      {meta && model.uid && (
        <button type="button" class={meta.isStarred ? 'icon-btn star on' : 'icon-btn star'} aria-pressed={meta.isStarred} aria-label="Star" title={meta.isStarred ? 'Starred' : 'Star this dashboard'} onClick={star}>
          <Icon name="star" />
        </button>
      )}
      {model.tags?.slice(0, 4).map((t) => (
        <a key={t} class="tag hide-s" data-link href={href('/dashboards', { tag: t })}>
          {t}
        </a>
      ))}
      {meta?.provisioned && <span class="tag" title={meta.provisionedExternalId}>{meta.canSave ? 'from a file' : 'read-only'}</span>}
      <span class="grow" />
      {viewing && (
        <button type="button" class="btn small" onClick={back}>
          Back to the dashboard
        </button>
      )}
      {editing && (
        <div class="anchor">
          <button type="button" class="btn small" aria-expanded={add} onClick={() => setAdd(!add)}>
            <Icon name="plus" size={13} /> Add
          </button>
          {add && (
            <Popover onClose={() => setAdd(false)} label="Add" class="menu right">
              <button
                type="button"
                role="menuitem"
                class="row-btn"
                onClick={() => {
                  setAdd(false);
                  const { dashboard, id } = addPanel(s.model.peek());
                  s.change(dashboard);
                  setParams({ editPanel: String(id) }, true);
                }}
              >
                Panel
              </button>
              <button
                type="button"
                role="menuitem"
                class="row-btn"
                onClick={() => {
                  setAdd(false);
                  s.change(addRow(s.model.peek()));
                }}
              >
                Row
              </button>
              <button
                type="button"
                role="menuitem"
                class="row-btn"
                onClick={() => {
                  setAdd(false);
                  void paste(s);
                }}
              >
                Copied panel
              </button>
              <button
                type="button"
                role="menuitem"
                class="row-btn"
                onClick={() => {
                  setAdd(false);
                  setLib(true);
                }}
              >
                Library panel
              </button>
            </Popover>
          )}
        </div>
      )}
      {editing && (
        <button type="button" class="btn small" onClick={() => setParams({ editview: 'settings' }, true)}>
          <Icon name="settings" size={13} /> <span class="hide-s">Settings</span>
        </button>
      )}
      {(editing || s.dirty.value) && (
        <button type="button" class="btn small primary" disabled={!s.dirty.value} onClick={() => (savePrompt.value = true)} data-save>
          <Icon name="save" size={13} /> Save
        </button>
      )}
      {editing && s.dirty.value && meta && (
        <button
          type="button"
          class="btn small"
          onClick={() => {
            s.dirty.value = false;
            setParams({ editPanel: null, editview: null });
            onReload();
          }}
        >
          Discard
        </button>
      )}
      {canEdit && (
        <button type="button" class="btn small" aria-pressed={editing} onClick={() => (s.editing.value = !editing)} data-edit>
          <Icon name={editing ? 'check' : 'edit'} size={13} /> {editing ? 'Done' : 'Edit'}
        </button>
      )}
      <div class="anchor">
        <button type="button" class="icon-btn" aria-haspopup="menu" aria-expanded={menu} aria-label="More" onClick={() => setMenu(!menu)}>
          <Icon name="dots" />
        </button>
        {menu && (
          <Popover onClose={() => setMenu(false)} label="Dashboard" class="menu right">
            {!s.publicToken && item('Share', () => setShare(true))}
            {item('Kiosk', () => setParams({ kiosk: '' }), 'd k')}
            {item('JSON and settings', () => setParams({ editview: 'json' }, true), 'd s')}
            {meta && item('Versions', () => setParams({ editview: 'versions' }, true))}
            {item('Download JSON', () => download(`${model.title}.json`, JSON.stringify(s.dirty.value ? model : s.raw, null, 2), 'application/json'))}
            {!s.publicToken && item('Download for another server', () => void exportShared(s))}
            {meta?.canSave && item('Delete', remove)}
          </Popover>
        )}
      </div>
      {lib && (
        <LibraryDialog
          onClose={() => setLib(false)}
          onPick={(e) => {
            setLib(false);
            s.libraryVersions.set(e.uid, e.version);
            s.change(pastePanel(s.model.peek(), upgradePanel(fromLibrary({ id: 0, type: e.type, gridPos: { x: 0, y: 0, w: 12, h: 8 } }, e))));
          }}
        />
      )}
      {share && <ShareDialog session={s} onClose={() => setShare(false)} />}
      {savePrompt.value && <SaveDialog session={s} onClose={() => (savePrompt.value = false)} onSaved={onReload} />}
    </div>
  );
}
