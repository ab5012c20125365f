// Settings of a dashboard: names, variables, annotations, links, its JSON, its versions.

import { useEffect, useState } from 'preact/hooks';
import { dashboards, type Version } from '../../api/dashboards';
import { Icon } from '../../shell/icons';
import { Dialog } from '../../shell/popover';
import { current, setParams } from '../../shell/router';
import { toast } from '../../shell/toast';
import { parseDashboard, toDashboard } from '../migrate/import';
import { Session } from '../model/session';
import type { AnnotationQuery, Dashboard, DashboardLink, Loose, VariableModel } from '../model/types';
import { allPanels } from '../model/ids';
import { AnnotationEdit } from './AnnotationEdit';
import { VariableEdit } from './VariableEdit';
import { Row, Select, TextInput } from './controls';
import { DiffList } from './DiffList';
import { diff } from './diff';
import './edit.css';

const TABS: [string, string][] = [
  ['settings', 'General'],
  ['variables', 'Variables'],
  ['annotations', 'Annotations'],
  ['links', 'Links'],
  ['json', 'JSON'],
  ['versions', 'Versions'],
];

const MONTHS = ['January', 'February', 'March', 'April', 'May', 'June', 'July', 'August', 'September', 'October', 'November', 'December'].map((m, i): [string, string] => [String(i), m]);

function General({ d, change }: { d: Dashboard; change: (d: Dashboard) => void }) {
  return (
    <div class="form">
      <Row label="Title">
        <TextInput value={d.title} onChange={(title) => title.trim() && change({ ...d, title })} />
      </Row>
      <Row label="Description">
        <TextInput value={d.description ?? ''} onChange={(description) => change({ ...d, description })} />
      </Row>
      <Row label="Tags" hint="Separated by commas">
        <TextInput value={(d.tags ?? []).join(', ')} placeholder="linux, hosts" onChange={(t) => change({ ...d, tags: [...new Set(t.split(',').map((x) => x.trim()).filter(Boolean))] })} />
      </Row>
      <Row label="Time zone">
        <TextInput value={d.timezone ?? ''} placeholder="browser, utc, Europe/Berlin" onChange={(timezone) => change({ ...d, timezone })} />
      </Row>
      <Row label="Range from">
        <TextInput value={d.time?.from ?? 'now-6h'} onChange={(from) => change({ ...d, time: { from, to: d.time?.to ?? 'now' } })} />
      </Row>
      <Row label="Range to">
        <TextInput value={d.time?.to ?? 'now'} onChange={(to) => change({ ...d, time: { from: d.time?.from ?? 'now-6h', to } })} />
      </Row>
      <Row label="Now lies back" hint="For data that comes late">
        <TextInput value={String((d.timepicker as { nowDelay?: string } | undefined)?.nowDelay ?? '')} placeholder="1m" onChange={(nowDelay) => change({ ...d, timepicker: { ...d.timepicker, nowDelay } })} />
      </Row>
      <Row label="Fiscal year begins in">
        <Select value={String(d['fiscalYearStartMonth'] ?? 0)} choices={MONTHS} onChange={(m) => change({ ...d, fiscalYearStartMonth: Number(m) })} />
      </Row>
      <Row label="Refresh">
        <TextInput value={typeof d.refresh === 'string' ? d.refresh : ''} placeholder="off" onChange={(refresh) => change({ ...d, refresh })} />
      </Row>
      <Row label="Crosshair">
        <Select
          value={String(d.graphTooltip ?? 0)}
          choices={[
            ['0', 'Each panel its own'],
            ['1', 'Shared crosshair'],
            ['2', 'Shared crosshair and tooltip'],
          ]}
          onChange={(v) => change({ ...d, graphTooltip: Number(v) })}
        />
      </Row>
    </div>
  );
}

/** Buttons at the end of each entry: earlier, twice, away. */
function Acts({ first, onUp, onCopy, onRemove }: { first: boolean; onUp: () => void; onCopy: () => void; onRemove: () => void }) {
  return (
    <span class="list-acts">
      <button type="button" class="icon-btn" disabled={first} title="Earlier" aria-label="Move up" onClick={onUp}>
        ↑
      </button>
      <button type="button" class="icon-btn" title="Duplicate" aria-label="Duplicate" onClick={onCopy}>
        <Icon name="copy" size={13} />
      </button>
      <button type="button" class="icon-btn" title="Remove" aria-label="Remove" onClick={onRemove}>
        <Icon name="trash" size={13} />
      </button>
    </span>
  );
}

function ListOf<T>({ list, set, make, copy, add, render }: { list: T[]; set: (l: T[]) => void; make: () => T; copy: (x: T) => T; add: string; render: (x: T, on: (x: T) => void, acts: preact.ComponentChildren) => preact.ComponentChildren }) {
  return (
    <div class="form">
      {list.length === 0 && <p class="note">None yet.</p>}
      {list.map((x, i) => (
        <div key={i}>
          {render(
            x,
            (n) => set(list.map((y, k) => (k === i ? n : y))),
            <Acts first={i === 0} onUp={() => set(list.map((y, k) => (k === i - 1 ? x : k === i ? list[i - 1]! : y)))} onCopy={() => set([...list.slice(0, i + 1), copy(structuredClone(x)), ...list.slice(i + 1)])} onRemove={() => set(list.filter((_, k) => k !== i))} />,
          )}
        </div>
      ))}
      <div>
        <button type="button" class="btn" onClick={() => set([...list, make()])}>
          <Icon name="plus" size={13} /> {add}
        </button>
      </div>
    </div>
  );
}

function OneLink({ l, onChange, acts }: { l: DashboardLink; onChange: (l: DashboardLink) => void; acts: preact.ComponentChildren }) {
  const check = (key: keyof DashboardLink & string, text: string) => (
    <label class="opt check">
      <input type="checkbox" checked={l[key] === true} onChange={(e) => onChange({ ...l, [key]: e.currentTarget.checked })} /> {text}
    </label>
  );
  return (
    <details class="opt-group">
      <summary>{l.title || l.url || 'Link'}</summary>
      <Row label="Title">
        <TextInput value={l.title ?? ''} onChange={(title) => onChange({ ...l, title })} />
      </Row>
      <Row label="Leads to">
        <Select
          value={l.type ?? 'link'}
          choices={[
            ['link', 'An address'],
            ['dashboards', 'Dashboards with tags'],
          ]}
          onChange={(t) => onChange({ ...l, type: t as 'link' | 'dashboards' })}
        />
      </Row>
      {l.type === 'dashboards' ? (
        <Row label="Tags">
          <TextInput value={(l.tags ?? []).join(', ')} onChange={(t) => onChange({ ...l, tags: t.split(',').map((x) => x.trim()).filter(Boolean) })} />
        </Row>
      ) : (
        <Row label="Address">
          <TextInput value={l.url ?? ''} placeholder="/d/… or https://…" onChange={(url) => onChange({ ...l, url })} />
        </Row>
      )}
      <Row label="Hint">
        <TextInput value={l.tooltip ?? ''} onChange={(tooltip) => onChange({ ...l, tooltip })} />
      </Row>
      {l.type === 'dashboards' && check('asDropdown', 'As a menu')}
      {check('keepTime', 'With the time range')}
      {check('includeVars', 'With the variables')}
      {check('targetBlank', 'In a new tab')}
      {acts}
    </details>
  );
}

/** A name that no variable has yet. */
function freeName(d: Dashboard, base: string): string {
  const taken = new Set((d.templating?.list ?? []).map((v) => v.name));
  const stem = base.replace(/\d+$/, '') || 'var';
  for (let i = 1; ; i++) if (!taken.has(`${stem}${i}`)) return `${stem}${i}`;
}

function JsonTab({ s }: { s: Session }) {
  const start = JSON.stringify(s.dirty.value || !s.storedAsV2 ? s.model.value : s.raw, null, 2);
  const [text, setText] = useState(start);
  const [problem, setProblem] = useState('');
  const take = () => {
    try {
      const raw = parseDashboard(text);
      s.change(toDashboard(raw));
      setProblem('');
      toast('Taken; save to keep it');
    } catch (e) {
      setProblem((e as Error).message);
    }
  };
  return (
    <div class="form">
      <textarea class="mono opt-json" rows={22} spellcheck={false} value={text} aria-label="The dashboard as JSON" onInput={(e) => setText(e.currentTarget.value)} />
      {problem && <p class="bad">{problem}</p>}
      <div>
        <button type="button" class="btn primary" disabled={text === start} onClick={take}>
          Apply
        </button>
      </div>
    </div>
  );
}

function Versions({ s }: { s: Session }) {
  const [list, setList] = useState<Version[] | null>(null);
  const [seen, setSeen] = useState<{ version: number; changes: ReturnType<typeof diff> } | null>(null);
  const [error, setError] = useState('');
  const uid = String(s.model.value.uid ?? '');
  useEffect(() => {
    dashboards.versions(uid).then(setList, (e: Error) => setError(e.message));
  }, [uid]);
  const compare = (v: number) => {
    dashboards.version(uid, v).then(
      (data) => setSeen({ version: v, changes: diff(toDashboard(data as Loose) as Loose, toDashboard(s.raw) as Loose).filter((c) => c.path !== 'version') }),
      (e: Error) => setError(e.message),
    );
  };
  const restore = (v: number) => {
    if (!confirm(`Go back to version ${v}? It is stored as a new version.`)) return;
    dashboards.restore(uid, v).then(
      () => location.reload(),
      (e: Error) => setError(e.message),
    );
  };
  return (
    <div class="form">
      {error && <div class="failure">{error}</div>}
      {list?.length === 0 && <p class="note">No versions are kept.</p>}
      <table class="table">
        <tbody>
          {list?.map((v, i) => (
            <tr key={v.version}>
              <td class="num">{v.version}</td>
              <td>{v.created.replace('T', ' ').slice(0, 19)}</td>
              <td>{v.message || (v.restoredFrom ? `Restored from ${v.restoredFrom}` : '')}</td>
              <td>
                {i > 0 && (
                  <>
                    <button type="button" class="btn small" onClick={() => compare(v.version)}>
                      Compare
                    </button>{' '}
                    <button type="button" class="btn small" onClick={() => restore(v.version)}>
                      Restore
                    </button>
                  </>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {seen && (
        <>
          <h3>From version {seen.version} to now</h3>
          <DiffList changes={seen.changes} />
        </>
      )}
    </div>
  );
}

export default function Settings({ session: s, tab }: { session: Session; tab: string }) {
  const d = s.model.value;
  const change = (next: Dashboard) => {
    s.editing.value = true;
    s.change(next);
  };
  const setVars = (list: VariableModel[]) => {
    change({ ...d, templating: { ...d.templating, list } });
    s.vars.replace(list, current.peek().params);
  };
  const close = () => setParams({ editview: null }, true);
  const here = TABS.some(([k]) => k === tab) ? tab : 'settings';
  return (
    <Dialog onClose={close} label="Settings of the dashboard" class="inspector settings">
      <header class="dialog-head">
        <h2 class="cut">{d.title}</h2>
        <button type="button" class="icon-btn" onClick={close} aria-label="Close" data-autofocus>
          <Icon name="close" />
        </button>
      </header>
      <div class="inspect-bar">
        <div class="seg" role="tablist">
          {TABS.map(([k, t]) => (
            <button type="button" role="tab" key={k} aria-selected={here === k} onClick={() => setParams({ editview: k })}>
              {t}
            </button>
          ))}
        </div>
      </div>
      <div class="inspect-body">
        {here === 'settings' && <General d={d} change={change} />}
        {here === 'variables' && (
          <ListOf
            list={d.templating?.list ?? []}
            set={setVars}
            add="Variable"
            make={(): VariableModel => ({ type: 'query', name: freeName(d, 'var'), query: { query: '', refId: 'variable' }, refresh: 1, hide: 0, current: {}, options: [] })}
            copy={(v) => ({ ...v, name: freeName(d, v.name) })}
            render={(v, on, acts) => <VariableEdit session={s} v={v} others={(d.templating?.list ?? []).filter((x) => x !== v).map((x) => x.name)} onChange={on} acts={acts} />}
          />
        )}
        {here === 'annotations' && (
          <ListOf
            list={d.annotations?.list ?? []}
            set={(list) => change({ ...d, annotations: { ...d.annotations, list } })}
            add="Annotation query"
            make={(): AnnotationQuery => ({ name: 'Events', enable: true, expr: '', iconColor: 'orange', datasource: { type: 'prometheus', uid: 'prometheus' } })}
            copy={(a) => ({ ...a, builtIn: undefined, name: `${a.name} (copy)` })}
            render={(a, on, acts) => <AnnotationEdit a={a} panels={allPanels(d.panels).filter((p) => p.type !== 'row')} onChange={on} acts={acts} />}
          />
        )}
        {here === 'links' && (
          <ListOf
            list={d.links ?? []}
            set={(links) => change({ ...d, links })}
            add="Link"
            make={(): DashboardLink => ({ title: '', type: 'link', url: '', keepTime: true })}
            copy={(l) => l}
            render={(l, on, acts) => <OneLink l={l} onChange={on} acts={acts} />}
          />
        )}
        {here === 'json' && <JsonTab s={s} />}
        {here === 'versions' && <Versions s={s} />}
      </div>
    </Dialog>
  );
}
