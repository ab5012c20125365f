// Saving: what changed since the stored version, a message, the folder of a new one, and what to do
// when somebody saved meanwhile.

import { useEffect, useMemo, useState } from 'preact/hooks';
import { ConflictError, dashboards, type Folder, type Json } from '../../api/dashboards';
import { libraryRef, libraryUid } from '../../api/library';
import { Icon } from '../../shell/icons';
import { Dialog } from '../../shell/popover';
import { basePath, current, setParams } from '../../shell/router';
import { toast } from '../../shell/toast';
import { rawRange, refresh } from '../../time/state';
import { toDashboard } from '../migrate/import';
import type { Session } from '../model/session';
import type { Dashboard, Panel, VariableModel } from '../model/types';
import { ALL } from '../variables/store';
import { DiffList } from './DiffList';
import { diff } from './diff';

/** The working copy as it is stored: with the picked values and range when that is wished. */
export function toStore(s: Session, o: { variables: boolean; time: boolean }): Dashboard {
  const m = s.model.peek();
  // What is kept in the library is only referred to.
  const refs = (list: Panel[]): Panel[] => list.map((p) => (s.libraryVersions.has(libraryUid(p) ?? '') ? libraryRef(p) : p.panels?.length ? { ...p, panels: refs(p.panels) } : p));
  const out: Dashboard = { ...m, panels: s.libraryVersions.size ? refs(m.panels) : m.panels };
  if (o.variables) {
    const list = (m.templating?.list ?? []).map((v): VariableModel => {
      const st = s.vars.state(v.name);
      if (!st || v.type === 'adhoc' || v.type === 'constant') return st && v.type === 'adhoc' ? { ...v, filters: st.filters } : v;
      const text = st.value.map((x) => (x === ALL ? 'All' : (st.options.find((p) => p.value === x)?.text ?? x)));
      return { ...v, current: v.multi ? { text, value: st.value } : { text: text[0] ?? '', value: st.value[0] ?? '' } };
    });
    out.templating = { ...m.templating, list };
  }
  if (o.time) {
    out.time = { ...rawRange.peek() };
    out.refresh = refresh.peek();
  }
  return out;
}

export default function SaveDialog({ session: s, onClose, onSaved }: { session: Session; onClose: () => void; onSaved: () => void }) {
  const meta = s.meta.value;
  const readOnly = meta !== null && !meta.canSave;
  const [asCopy, setAsCopy] = useState(meta === null || readOnly);
  const [title, setTitle] = useState(readOnly ? `${s.model.peek().title} (copy)` : s.model.peek().title);
  const [message, setMessage] = useState('');
  const [variables, setVariables] = useState(false);
  const [time, setTime] = useState(false);
  const [folders, setFolders] = useState<Folder[]>([]);
  const [folder, setFolder] = useState(readOnly ? '' : (meta?.folderUid ?? ''));
  const [error, setError] = useState<Error | null>(null);
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    if (asCopy) dashboards.folders().then(setFolders, () => setFolders([]));
  }, [asCopy]);
  const changes = useMemo(() => {
    if (meta === null) return [];
    const stored = toDashboard(structuredClone(s.raw)) as Record<string, unknown>;
    return diff(stored, toStore(s, { variables, time }) as Record<string, unknown>).filter((c) => c.path !== 'version' && c.path !== 'schemaVersion');
  }, [variables, time]);
  const conflict = error instanceof ConflictError ? error : null;

  const save = async (overwrite: boolean) => {
    setBusy(true);
    setError(null);
    const d = { ...toStore(s, { variables, time }), title: title.trim() } as unknown as Json;
    if (asCopy) {
      d['uid'] = null;
      d['id'] = null;
      delete d['version'];
    } else if (meta) d['version'] = meta.version;
    delete d['__inputs'];
    // Marks the ones that come with the program.
    delete d['__pharos'];
    delete d['__requires'];
    try {
      const r = await dashboards.save(d, { folderUid: folder, message, overwrite });
      s.dirty.value = false;
      s.editing.value = false;
      toast('Dashboard saved');
      onClose();
      // The address stays as it is, with what is picked; only the dashboard may have a new one.
      const q = new URLSearchParams(location.search);
      q.delete('editPanel');
      q.delete('editview');
      const to = basePath + r.url.replace(/^\//, '');
      if (location.pathname !== to) {
        history.replaceState(null, '', `${to}${q.size ? `?${q}` : ''}`);
        current.value = { path: `/${to.slice(basePath.length)}`, params: q };
        if (!asCopy) onSaved();
      } else {
        setParams({ editPanel: null, editview: null });
        onSaved();
      }
    } catch (e) {
      setError(e as Error);
    } finally {
      setBusy(false);
    }
  };

  return (
    <Dialog onClose={onClose} label="Save the dashboard" class="save">
      <form
        onSubmit={(e) => {
          e.preventDefault();
          void save(false);
        }}
      >
        <header class="dialog-head">
          <h2>{asCopy ? 'Save as a new dashboard' : 'Save the dashboard'}</h2>
          <button type="button" class="icon-btn" onClick={onClose} aria-label="Close">
            <Icon name="close" />
          </button>
        </header>
        <div class="form">
          {readOnly && <p class="note">This dashboard is read-only ({meta?.provisionedExternalId ?? 'it came with Pharos'}); your changes go into a copy.</p>}
          {s.storedAsV2 && !asCopy && <p class="note">It is stored in the newer resource form and will be saved in the classic one.</p>}
          <label>
            Title
            <input type="text" required value={title} data-autofocus onInput={(e) => setTitle(e.currentTarget.value)} />
          </label>
          {asCopy && (
            <label>
              Folder
              <select value={folder} onChange={(e) => setFolder(e.currentTarget.value)}>
                <option value="">General</option>
                {folders.map((f) => (
                  <option key={f.uid} value={f.uid}>
                    {f.path ?? f.title}
                  </option>
                ))}
              </select>
            </label>
          )}
          <label>
            What changed
            <input type="text" value={message} placeholder="Shown in the list of versions" onInput={(e) => setMessage(e.currentTarget.value)} />
          </label>
          <label class="check">
            <input type="checkbox" checked={variables} onChange={(e) => setVariables(e.currentTarget.checked)} /> Keep the values picked now as defaults
          </label>
          <label class="check">
            <input type="checkbox" checked={time} onChange={(e) => setTime(e.currentTarget.checked)} /> Keep the time range and refresh as defaults
          </label>
          {meta !== null && !readOnly && (
            <label class="check">
              <input
                type="checkbox"
                checked={asCopy}
                onChange={(e) => {
                  setAsCopy(e.currentTarget.checked);
                  if (e.currentTarget.checked && title === s.model.peek().title) setTitle(`${title} (copy)`);
                }}
              />{' '}
              Save as a new dashboard
            </label>
          )}
          {error && (
            <div class="failure" role="alert">
              <Icon name="warn" />
              <span>
                {conflict?.reason === 'version-mismatch' ? 'Somebody saved this dashboard meanwhile. ' : ''}
                {error.message}
              </span>
            </div>
          )}
          {meta !== null && <DiffList changes={changes} />}
        </div>
        <footer class="dialog-foot">
          <button type="button" class="btn" onClick={onClose}>
            Cancel
          </button>
          {conflict && (
            <button type="button" class="btn" onClick={() => void save(true)}>
              Save over it
            </button>
          )}
          <button type="submit" class="btn primary" disabled={busy || title.trim() === ''} data-confirm>
            Save
          </button>
        </footer>
      </form>
    </Dialog>
  );
}
