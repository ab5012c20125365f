// Importing: a file or pasted text, what it will look like, what it asks to be filled in.

import { useEffect, useRef, useState } from 'preact/hooks';
import { ConflictError, dashboards, type Folder, type Json } from '../../api/dashboards';
import { library } from '../../api/library';
import { Icon } from '../../shell/icons';
import { Dialog } from '../../shell/popover';
import { basePath, go } from '../../shell/router';
import { fillInputs, importDashboard, type Imported } from '../migrate/import';
import { allPanels } from '../model/ids';

export function ImportDialog({ onClose }: { onClose: () => void }) {
  const [text, setText] = useState('');
  const [got, setGot] = useState<Imported | null>(null);
  const [title, setTitle] = useState('');
  const [values, setValues] = useState<Record<string, string>>({});
  const [folders, setFolders] = useState<Folder[]>([]);
  const [folder, setFolder] = useState('');
  const [error, setError] = useState<string | null>(null);
  const [conflict, setConflict] = useState(false);
  const [over, setOver] = useState(false);
  const file = useRef<HTMLInputElement>(null);
  useEffect(() => void dashboards.folders().then(setFolders, () => setFolders([])), []);

  const read = (t: string) => {
    setText(t);
    setConflict(false);
    if (t.trim() === '') {
      setGot(null);
      return setError(null);
    }
    try {
      const r = importDashboard(t);
      setGot(r);
      setTitle(r.dashboard.title);
      setValues(Object.fromEntries(r.inputs.map((i) => [i.name, i.value])));
      setError(null);
    } catch (e) {
      setGot(null);
      setError((e as Error).message);
    }
  };
  const take = (f: File | undefined) => {
    if (f) void f.text().then(read, () => setError(`${f.name} could not be read.`));
  };
  const save = async (overwrite: boolean) => {
    if (!got) return;
    const filled = fillInputs(got.raw, got.inputs.map((i) => ({ ...i, value: values[i.name] ?? i.value })));
    const raw = filled.dashboard as Json;
    const v2 = got.form.endsWith('resource');
    if (!v2) {
      raw['title'] = title.trim();
      raw['id'] = null;
      delete raw['version'];
    } else if (title.trim() !== got.dashboard.title) raw['spec'] = { ...(raw['spec'] as Json), title: title.trim() };
    try {
      for (const e of filled.elements) await library.keep(e);
      const r = await dashboards.save(raw, { folderUid: folder, message: 'Imported', overwrite });
      go(basePath + r.url.replace(/^\//, ''));
    } catch (e) {
      setConflict(e instanceof ConflictError);
      setError((e as Error).message);
    }
  };
  const panels = got ? allPanels(got.dashboard.panels).filter((p) => p.type !== 'row').length : 0;
  const vars = got?.dashboard.templating?.list.length ?? 0;
  return (
    <Dialog onClose={onClose} label="Import a dashboard" class="save import">
      <form
        onSubmit={(e) => {
          e.preventDefault();
          void save(false);
        }}
      >
        <header class="dialog-head">
          <h2>Import a dashboard</h2>
          <button type="button" class="icon-btn" onClick={onClose} aria-label="Close">
            <Icon name="close" />
          </button>
        </header>
        <div class="form">
          <div
            class={over ? 'drop over' : 'drop'}
            onDragOver={(e) => {
              e.preventDefault();
              setOver(true);
            }}
            onDragLeave={() => setOver(false)}
            onDrop={(e) => {
              e.preventDefault();
              setOver(false);
              take(e.dataTransfer?.files[0]);
            }}
          >
            <Icon name="upload" size={20} />
            <span>
              Drop a JSON file here or{' '}
              <button type="button" class="linkish" onClick={() => file.current?.click()}>
                choose one
              </button>
            </span>
            <input ref={file} type="file" accept=".json,application/json" hidden onChange={(e) => take(e.currentTarget.files?.[0])} />
          </div>
          <label>
            or paste it
            <textarea data-autofocus rows={got ? 3 : 8} value={text} spellcheck={false} class="mono" placeholder={'{ "title": …, "panels": […] }'} onInput={(e) => read(e.currentTarget.value)} />
          </label>
          {error && (
            <div class="failure" role="alert">
              <Icon name="warn" />
              <span>{error}</span>
            </div>
          )}
          {got && (
            <>
              <p class="note" data-import-summary>
                {got.form}, {panels} {panels === 1 ? 'panel' : 'panels'}, {vars} {vars === 1 ? 'variable' : 'variables'}
                {got.elements.length > 0 && `, ${got.elements.length} for the panel library`}
              </p>
              <label>
                Title
                <input type="text" required value={title} onInput={(e) => setTitle(e.currentTarget.value)} />
              </label>
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
              {got.inputs.map((i) => (
                <label key={i.name}>
                  {i.label}
                  {i.type === 'constant' ? (
                    <input type="text" value={values[i.name] ?? ''} onInput={(e) => setValues({ ...values, [i.name]: e.currentTarget.value })} />
                  ) : (
                    <select value={values[i.name]} onChange={(e) => setValues({ ...values, [i.name]: e.currentTarget.value })}>
                      {[...new Set([i.value, 'prometheus', 'loki', 'tempo'])].map((v) => (
                        <option key={v} value={v}>
                          {v}
                        </option>
                      ))}
                    </select>
                  )}
                </label>
              ))}
              {got.warnings.length > 0 && (
                <ul class="import-warnings" aria-label="What will differ">
                  {got.warnings.map((w) => (
                    <li key={w}>
                      <Icon name="warn" size={13} /> {w}
                    </li>
                  ))}
                </ul>
              )}
            </>
          )}
        </div>
        <footer class="dialog-foot">
          <button type="button" class="btn" onClick={onClose}>
            Cancel
          </button>
          {conflict && (
            <button type="button" class="btn" onClick={() => void save(true)}>
              Replace it
            </button>
          )}
          <button type="submit" class="btn primary" disabled={!got || title.trim() === ''} data-confirm>
            Import
          </button>
        </footer>
      </form>
    </Dialog>
  );
}
