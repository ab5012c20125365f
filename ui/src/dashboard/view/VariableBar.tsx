// The pickers of a dashboard's variables, and its links.

import { useEffect, useRef, useState } from 'preact/hooks';
import { dashboards, type SearchHit } from '../../api/dashboards';
import { prom } from '../../api/prom';
import { Icon } from '../../shell/icons';
import { Popover } from '../../shell/popover';
import { basePath } from '../../shell/router';
import { range } from '../../time/state';
import type { DashboardLink } from '../model/types';
import type { Session } from '../model/session';
import { LinkAnchor } from '../panels/Linked';
import { sourceKind } from '../query/datasource';
import { lokiLabels, lokiLabelValues } from '../query/loki';
import { safeUrl } from '../panels/links';
import { ALL, hasAll, type Filter, type VarState } from '../variables/store';

const MOST = 500;

function textOf(v: VarState): string {
  if (v.value[0] === ALL) return 'All';
  if (v.value.length === 0) return v.loading ? '…' : v.model.type === 'groupby' ? 'Nothing more' : 'None';
  return v.value.map((x) => v.options.find((o) => o.value === x)?.text ?? x).join(' + ');
}

function Choices({ s, v, onClose }: { s: Session; v: VarState; onClose: () => void }) {
  const grouping = v.model.type === 'groupby';
  const m = grouping ? { ...v.model, multi: true } : v.model;
  const [find, setFind] = useState('');
  // Several are picked first and taken when the menu closes.
  const [picked, setPicked] = useState<string[]>(v.value);
  const latest = useRef(picked);
  latest.current = picked;
  useEffect(
    () => () => {
      if (m.multi) s.vars.pick(m.name, latest.current.length || grouping ? latest.current : hasAll(m) ? [ALL] : v.options.slice(0, 1).map((o) => o.value));
    },
    [],
  );
  const low = find.toLowerCase();
  const hits = v.options.filter((o) => o.text.toLowerCase().includes(low));
  const one = (value: string) => {
    if (!m.multi) {
      s.vars.pick(m.name, [value]);
      return onClose();
    }
    setPicked((p) => {
      if (value === ALL) return [ALL];
      const without = p.filter((x) => x !== ALL && x !== value);
      return p.includes(value) ? without : [...without, value];
    });
  };
  const custom = find !== '' && !v.options.some((o) => o.value === find) && m['allowCustomValue'] !== false && ['query', 'custom', 'interval'].includes(m.type);
  const row = (value: string, text: string) => (
    <button type="button" role="option" class="row-btn var-opt" key={value} aria-selected={picked.includes(value)} onClick={() => one(value)}>
      {m.multi && <i class={picked.includes(value) ? 'tick on' : 'tick'}>{picked.includes(value) && <Icon name="check" size={11} />}</i>}
      <span class="cut">{text}</span>
    </button>
  );
  return (
    <Popover onClose={onClose} label={m.label || m.name} class="var-pop">
      <input
        type="search"
        placeholder="Search"
        aria-label={`Search ${m.label || m.name}`}
        data-autofocus
        value={find}
        onInput={(e) => setFind(e.currentTarget.value)}
        onKeyDown={(e) => {
          if (e.key !== 'Enter') return;
          if (hits[0]) one(hits[0].value);
          else if (custom) one(find);
        }}
      />
      <div class="var-list" role="listbox" aria-multiselectable={m.multi === true}>
        {hasAll(m) && 'all'.includes(low) && row(ALL, 'All')}
        {picked.filter((x) => x !== ALL && !v.options.some((o) => o.value === x) && x.toLowerCase().includes(low)).map((x) => row(x, x))}
        {hits.slice(0, MOST).map((o) => row(o.value, o.text))}
        {custom && row(find, `Use “${find}”`)}
        {hits.length === 0 && !custom && <p class="note">Nothing to pick.</p>}
        {hits.length > MOST && <p class="note">The first {MOST} of {hits.length}; search to narrow.</p>}
      </div>
      {m.multi && (
        <div class="var-foot">
          <button type="button" class="btn small" onClick={() => setPicked([])}>
            Clear
          </button>
          <button type="button" class="btn small primary" onClick={onClose}>
            Done
          </button>
        </div>
      )}
    </Popover>
  );
}

function Picker({ s, v }: { s: Session; v: VarState }) {
  const [open, setOpen] = useState(false);
  const m = v.model;
  const text = textOf(v);
  return (
    <div class="anchor var">
      <Label v={v} />
      <button type="button" class="btn small var-btn" aria-haspopup="listbox" aria-expanded={open} aria-label={`${m.label || m.name}: ${text}`} data-var={m.name} onClick={() => setOpen(!open)} title={text}>
        <span class="cut">{text}</span>
        {v.loading ? <span class="spin" /> : <Icon name="down" size={11} />}
      </button>
      {open && <Choices s={s} v={v} onClose={() => setOpen(false)} />}
    </div>
  );
}

function Label({ v }: { v: VarState }) {
  if (v.model.hide === 1) return null;
  return (
    <span class="var-label" title={v.model.description}>
      {v.model.label || v.model.name}
      {v.error && (
        <span class="hint warn" tabIndex={0} data-tip={v.error} aria-label={v.error}>
          <Icon name="warn" />
        </span>
      )}
    </span>
  );
}

function TextBox({ s, v }: { s: Session; v: VarState }) {
  const [text, setText] = useState(v.value[0] ?? '');
  useEffect(() => setText(v.value[0] ?? ''), [v.value[0]]);
  const take = () => s.vars.pick(v.model.name, [text]);
  return (
    <label class="var">
      <Label v={v} />
      <input type="text" class="var-text" data-var={v.model.name} value={text} aria-label={v.model.label || v.model.name} onInput={(e) => setText(e.currentTarget.value)} onBlur={take} onKeyDown={(e) => e.key === 'Enter' && take()} />
    </label>
  );
}

function Switch({ s, v }: { s: Session; v: VarState }) {
  const on = v.options[0]?.value ?? 'true';
  const off = v.options[1]?.value ?? 'false';
  return (
    <label class="var">
      <Label v={v} />
      <input type="checkbox" data-var={v.model.name} checked={v.value[0] === on} onChange={(e) => s.vars.pick(v.model.name, [e.currentTarget.checked ? on : off])} />
    </label>
  );
}

const OPERATORS = ['=', '!=', '=~', '!~', '=|', '!=|'];

function AdHoc({ s, v }: { s: Session; v: VarState }) {
  const [editing, setEditing] = useState<number | null>(null);
  const set = (f: Filter[]) => s.vars.setFilters(v.model.name, f);
  const logs = sourceKind(v.model.datasource, (t) => s.vars.fill(t)) === 'loki';
  return (
    <div class="var adhoc">
      <Label v={v} />
      {v.filters.map((f, i) => (
        <span class="anchor" key={i}>
          <button type="button" class="btn small" onClick={() => setEditing(i)}>
            {f.key} {f.operator} {f.value}
          </button>
          {editing === i && <FilterEdit logs={logs} f={f} onClose={() => setEditing(null)} onChange={(n) => set(n ? v.filters.map((x, k) => (k === i ? n : x)) : v.filters.filter((_, k) => k !== i))} />}
        </span>
      ))}
      <span class="anchor">
        <button type="button" class="btn small" aria-label="Add a filter" onClick={() => setEditing(-1)}>
          <Icon name="plus" size={11} />
        </button>
        {editing === -1 && <FilterEdit logs={logs} f={{ key: '', operator: '=', value: '' }} onClose={() => setEditing(null)} onChange={(n) => n && set([...v.filters, n])} />}
      </span>
    </div>
  );
}

function FilterEdit({ f, logs, onClose, onChange }: { f: Filter; logs: boolean; onClose: () => void; onChange: (f: Filter | null) => void }) {
  const [now, setNow] = useState(f);
  const [keys, setKeys] = useState<string[]>([]);
  const [values, setValues] = useState<string[]>([]);
  useEffect(() => {
    const r = range.peek();
    const found = logs ? lokiLabels(r.fromMs, r.toMs) : prom.labels([], undefined, r).then((a) => a.data.filter((k) => k !== '__name__'));
    found.then(setKeys, () => undefined);
  }, []);
  useEffect(() => {
    if (!keys.includes(now.key)) return;
    const r = range.peek();
    const found = logs ? lokiLabelValues(now.key, undefined, r.fromMs, r.toMs) : prom.labelValues(now.key, [], undefined, r).then((a) => a.data);
    found.then((list) => setValues(list.slice(0, 500)), () => undefined);
  }, [now.key, keys]);
  return (
    <Popover onClose={onClose} label="Filter" class="filter-pop">
      <input type="text" list="adhoc-keys" placeholder="label" aria-label="Label" value={now.key} onInput={(e) => setNow({ ...now, key: e.currentTarget.value })} />
      <datalist id="adhoc-keys">
        {keys.map((k) => (
          <option key={k} value={k} />
        ))}
      </datalist>
      <select aria-label="Operator" value={now.operator} onChange={(e) => setNow({ ...now, operator: e.currentTarget.value })}>
        {OPERATORS.map((o) => (
          <option key={o}>{o}</option>
        ))}
      </select>
      <input type="text" list="adhoc-values" placeholder="value" aria-label="Value" value={now.value} onInput={(e) => setNow({ ...now, value: e.currentTarget.value })} />
      <datalist id="adhoc-values">
        {values.map((k) => (
          <option key={k} value={k} />
        ))}
      </datalist>
      <button
        type="button"
        class="btn small primary"
        disabled={now.key === ''}
        onClick={() => {
          onChange(now);
          onClose();
        }}
      >
        Apply
      </button>
      {f.key !== '' && (
        <button
          type="button"
          class="btn small"
          onClick={() => {
            onChange(null);
            onClose();
          }}
        >
          Remove
        </button>
      )}
    </Popover>
  );
}

function dashUrl(s: Session, hit: SearchHit, l: DashboardLink): string {
  const parts: string[] = [];
  if (l.keepTime) parts.push('${__url_time_range}');
  if (l.includeVars) parts.push('${__all_variables}');
  return basePath + hit.url.replace(/^\//, '') + (parts.length ? `?${s.fill(parts.join('&'))}` : '');
}

function TagLinks({ s, l }: { s: Session; l: DashboardLink }) {
  const [hits, setHits] = useState<SearchHit[] | null>(null);
  const [open, setOpen] = useState(false);
  useEffect(() => {
    if (!l.asDropdown || open) dashboards.search({ tags: l.tags, limit: 100 }).then((h) => setHits(h.filter((x) => x.type === 'dash-db')), () => setHits([]));
  }, [open, JSON.stringify(l.tags)]);
  const links = (hits ?? []).map((h) => (
    <a key={h.uid} class={l.asDropdown ? 'row-btn' : 'btn small'} data-link href={dashUrl(s, h, l)}>
      {h.title}
    </a>
  ));
  if (!l.asDropdown) return <>{links}</>;
  return (
    <span class="anchor">
      <button type="button" class="btn small" title={l.tooltip} aria-expanded={open} onClick={() => setOpen(!open)}>
        {s.fill(l.title ?? '') || 'Dashboards'} <Icon name="down" size={11} />
      </button>
      {open && (
        <Popover onClose={() => setOpen(false)} label={l.title ?? 'Dashboards'} class="menu">
          {links}
          {hits?.length === 0 && <p class="note">No dashboard has these tags.</p>}
        </Popover>
      )}
    </span>
  );
}

function Links({ s }: { s: Session }) {
  const list = s.model.value.links ?? [];
  void s.vars.version.value;
  void range.value;
  return (
    <>
      {list.map((l, i) => {
        if (l.type === 'dashboards') return <TagLinks key={i} s={s} l={l} />;
        let url = String(l.url ?? '');
        const more = [...(l.keepTime ? ['${__url_time_range}'] : []), ...(l.includeVars ? ['${__all_variables}'] : [])];
        if (more.length) url += (url.includes('?') ? '&' : '?') + more.join('&');
        const href = safeUrl(s.fill(url));
        if (!href) return null;
        const inside = href.startsWith(basePath);
        return (
          <LinkAnchor key={i} class="btn small" link={{ href, title: l.tooltip || l.title || href, newTab: l.targetBlank === true || !inside, inside: inside && !l.targetBlank }}>
            <Icon name="link" size={12} /> {s.fill(l.title ?? '') || href}
          </LinkAnchor>
        );
      })}
    </>
  );
}

export function VariableBar({ session: s }: { session: Session }) {
  const shown = s.vars.states.value.filter((v) => v.model.hide !== 2 && v.model.type !== 'constant' && v.model.type !== 'system' && v.model.type !== 'snapshot');
  const links = s.model.value.links ?? [];
  if (shown.length === 0 && links.length === 0) return null;
  return (
    <div class="vars">
      {shown.map((v) => {
        if (v.model.type === 'textbox') return <TextBox key={v.model.name} s={s} v={v} />;
        if (v.model.type === 'adhoc') return <AdHoc key={v.model.name} s={s} v={v} />;
        if (v.model.type === 'switch') return <Switch key={v.model.name} s={s} v={v} />;
        return <Picker key={v.model.name} s={s} v={v} />;
      })}
      <span class="grow" />
      <Links s={s} />
    </div>
  );
}
