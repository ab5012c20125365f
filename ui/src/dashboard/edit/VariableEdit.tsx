// One variable of a dashboard as a form, with the values it has now.

import { useState } from 'preact/hooks';
import type { VariableModel } from '../model/types';
import type { Session } from '../model/session';
import { sourceKind } from '../query/datasource';
import { queryText } from '../variables/prom_query';
import { ALL, type Filter } from '../variables/store';
import { JsonArea, NumberInput, Row, Select, TextInput } from './controls';

export const VAR_TYPES: [string, string][] = [
  ['query', 'Query'],
  ['custom', 'List'],
  ['textbox', 'Text'],
  ['constant', 'Constant'],
  ['interval', 'Interval'],
  ['datasource', 'Data source'],
  ['adhoc', 'Filters'],
  ['groupby', 'Group by'],
  ['switch', 'Switch'],
];

const SORTS: [string, string][] = [
  ['0', 'As it comes'],
  ['1', 'A to Z'],
  ['2', 'Z to A'],
  ['3', 'Numbers, rising'],
  ['4', 'Numbers, falling'],
  ['5', 'A to Z, any case'],
  ['6', 'Z to A, any case'],
  ['7', 'Natural, rising'],
  ['8', 'Natural, falling'],
];

/** What a variable of a type begins with; name, label and place stay. */
function asType(v: VariableModel, type: string): VariableModel {
  const base: VariableModel = { type, name: v.name, label: v.label, description: v.description, hide: v.hide, current: {}, options: [] };
  switch (type) {
    case 'query':
      return { ...base, query: { query: '', refId: `${v.name}-variable` }, refresh: 1, datasource: { type: 'prometheus', uid: 'prometheus' } };
    case 'interval':
      return { ...base, query: '1m,10m,30m,1h,6h,12h,1d', auto: false, auto_count: 30, auto_min: '10s' };
    case 'datasource':
      return { ...base, query: 'prometheus' };
    case 'adhoc':
    case 'groupby':
      return { ...base, datasource: { type: 'prometheus', uid: 'prometheus' }, ...(type === 'adhoc' ? { filters: [] } : {}) };
    case 'switch':
      return { ...base, enabledValue: 'true', disabledValue: 'false', current: { value: 'false', text: 'false' } };
    default:
      return { ...base, query: '' };
  }
}

function Source({ v, logs, onChange }: { v: VariableModel; logs: boolean; onChange: (v: VariableModel) => void }) {
  const kind = typeof v.datasource === 'object' && v.datasource?.type ? (sourceKind(v.datasource) ?? 'prometheus') : 'prometheus';
  return (
    <Row label="Of">
      <Select value={kind === 'loki' ? 'loki' : 'prometheus'} choices={logs ? [['prometheus', 'Metrics'], ['loki', 'Logs']] : [['prometheus', 'Metrics']]} onChange={(t) => onChange({ ...v, datasource: { type: t, uid: t } })} />
    </Row>
  );
}

const EXAMPLES: [string, string][] = [
  ['label_values(up, job)', 'values of a label'],
  ['label_names()', 'names of labels'],
  ['metrics(node_.*)', 'metrics by pattern'],
  ['query_result(topk(5, up))', 'what a query answers'],
];

const PREVIEW = 30;

/** What can be picked now. */
function Preview({ session: s, v }: { session: Session; v: VariableModel }) {
  const [all, setAll] = useState(false);
  const st = s.vars.states.value.find((x) => x.model.name === v.name);
  if (!st || v.type === 'constant' || v.type === 'textbox') return null;
  if (st.error)
    return (
      <p class="bad note" role="alert">
        {st.error}
      </p>
    );
  if (st.loading) return <p class="note">Loading…</p>;
  if (v.type === 'adhoc') return <p class="note">{st.filters.length ? st.filters.map((f: Filter) => `${f.key} ${f.operator} ${f.value}`).join(', ') : 'No filter is set.'}</p>;
  if (st.options.length === 0) return <p class="note">It has no values{v.regex ? ' that match the pattern' : ''}.</p>;
  return (
    <div class="opt tall" data-preview={v.name}>
      <span class="opt-label">{st.options.length === 1 ? 'One value' : `${st.options.length} values`}</span>
      <span class="chips">
        {st.options.slice(0, all ? 1000 : PREVIEW).map((o) => (
          <span class={st.value.includes(o.value) || st.value[0] === ALL ? 'tag on' : 'tag'} key={o.value} title={o.value}>
            {o.text}
          </span>
        ))}
        {!all && st.options.length > PREVIEW && (
          <button type="button" class="linkish" onClick={() => setAll(true)}>
            all
          </button>
        )}
      </span>
    </div>
  );
}

export function VariableEdit({ session, v, others, onChange, acts }: { session: Session; v: VariableModel; others: string[]; onChange: (v: VariableModel) => void; acts: preact.ComponentChildren }) {
  const [bad, setBad] = useState('');
  const rename = (name: string) => {
    if (!/^\w+$/.test(name)) return setBad(`“${name}” cannot be a name: letters, digits and _ only.`);
    if (name.startsWith('__')) return setBad('Names that begin with __ are Pharos\' own.');
    if (others.includes(name)) return setBad(`There is a variable ${name} already.`);
    setBad('');
    onChange({ ...v, name });
  };
  const known = VAR_TYPES.some(([t]) => t === v.type);
  const listed = v.type === 'query' || v.type === 'custom' || v.type === 'datasource';
  const check = (key: string, text: string) => (
    <label class="opt check">
      <input type="checkbox" checked={v[key] === true} onChange={(e) => onChange({ ...v, [key]: e.currentTarget.checked })} /> {text}
    </label>
  );
  return (
    <details class="opt-group" data-variable={v.name}>
      <summary>
        <code>${v.name}</code> <span class="dim">{VAR_TYPES.find(([t]) => t === v.type)?.[1] ?? v.type}</span>
      </summary>
      <Row label="Name">
        <TextInput value={v.name} label="Name" onChange={rename} />
      </Row>
      {bad && (
        <p class="bad note" role="alert">
          {bad}
        </p>
      )}
      <Row label="Label">
        <TextInput value={v.label ?? ''} onChange={(label) => onChange({ ...v, label })} />
      </Row>
      <Row label="Description">
        <TextInput value={v.description ?? ''} onChange={(description) => onChange({ ...v, description })} />
      </Row>
      <Row label="Kind">
        <Select value={v.type} choices={VAR_TYPES} label="Kind" onChange={(type) => onChange(asType(v, type))} />
      </Row>
      {!known && <JsonArea label={`The variable ${v.name}`} value={v} onChange={(x) => onChange(x as VariableModel)} />}
      {v.type === 'query' && (
        <>
          <Source v={v} logs onChange={onChange} />
          <Row label="Query">
            <TextInput value={queryText(v.query)} label="Query" list="var-examples" placeholder="label_values(up, job)" onChange={(q) => onChange({ ...v, query: { query: q, refId: `${v.name}-variable` }, definition: q })} />
          </Row>
          <datalist id="var-examples">
            {EXAMPLES.map(([q, t]) => (
              <option key={q} value={q} label={t} />
            ))}
          </datalist>
          <Row label="Pattern" hint="/…/ with a group, or named groups text and value">
            <TextInput value={v.regex ?? ''} placeholder="/(.*)-exporter/" onChange={(regex) => onChange({ ...v, regex })} />
          </Row>
          {v.regex && (
            <Row label="Pattern is for">
              <Select value={String(v['regexApplyTo'] ?? 'value')} choices={[['value', 'The value'], ['text', 'The text']]} onChange={(regexApplyTo) => onChange({ ...v, regexApplyTo })} />
            </Row>
          )}
          <Row label="Load">
            <Select
              value={String(v.refresh ?? 1)}
              choices={[
                ['0', 'Never again'],
                ['1', 'When the dashboard opens'],
                ['2', 'When the time range changes'],
              ]}
              onChange={(r) => onChange({ ...v, refresh: Number(r) })}
            />
          </Row>
          <Row label="Order">
            <Select value={String(v.sort ?? 0)} choices={SORTS} onChange={(r) => onChange({ ...v, sort: Number(r) })} />
          </Row>
        </>
      )}
      {(v.type === 'custom' || v.type === 'interval') && (
        <Row label="Values" hint={v.type === 'custom' ? 'a, b, Text : value; or JSON' : 'Durations'}>
          <TextInput value={String(v.query ?? '')} label="Values" placeholder={v.type === 'custom' ? 'a, b, Shown : value' : '1m,10m,1h'} onChange={(query) => onChange({ ...v, query })} />
        </Row>
      )}
      {v.type === 'interval' && (
        <>
          {check('auto', 'Offer “auto”, by the time range')}
          {v.auto && (
            <>
              <Row label="Steps">
                <NumberInput value={v.auto_count ?? 30} min={1} max={1000} onChange={(n) => onChange({ ...v, auto_count: n ?? 30 })} />
              </Row>
              <Row label="At least">
                <TextInput value={v.auto_min ?? '10s'} onChange={(auto_min) => onChange({ ...v, auto_min })} />
              </Row>
            </>
          )}
        </>
      )}
      {(v.type === 'textbox' || v.type === 'constant') && (
        <Row label="Value">
          <TextInput value={String(v.query ?? '')} label="Value" onChange={(query) => onChange({ ...v, query, ...(v.type === 'textbox' ? { current: { text: query, value: query } } : {}) })} />
        </Row>
      )}
      {v.type === 'datasource' && (
        <Row label="Of type">
          <Select value={String(v.query ?? '')} choices={[['prometheus', 'Prometheus'], ['loki', 'Loki'], ['tempo', 'Tempo']]} onChange={(query) => onChange({ ...v, query })} />
        </Row>
      )}
      {(v.type === 'adhoc' || v.type === 'groupby') && <Source v={v} logs={v.type === 'adhoc'} onChange={onChange} />}
      {v.type === 'groupby' && <p class="note">The labels that are picked are added to what every aggregation of the metric queries groups by.</p>}
      {v.type === 'adhoc' && <p class="note">The filters are put into every selector of the queries of that data source.</p>}
      {v.type === 'switch' && (
        <>
          <Row label="On means">
            <TextInput value={String(v['enabledValue'] ?? 'true')} onChange={(enabledValue) => onChange({ ...v, enabledValue })} />
          </Row>
          <Row label="Off means">
            <TextInput value={String(v['disabledValue'] ?? 'false')} onChange={(disabledValue) => onChange({ ...v, disabledValue })} />
          </Row>
        </>
      )}
      {listed && (
        <>
          {check('multi', 'Several can be picked')}
          {check('includeAll', 'Offer “All”')}
          {v.includeAll && (
            <Row label="“All” means">
              <TextInput value={v.allValue ?? ''} placeholder="every value" onChange={(t) => onChange({ ...v, allValue: t || null })} />
            </Row>
          )}
          {v.type !== 'datasource' && (
            <label class="opt check">
              <input type="checkbox" checked={v['allowCustomValue'] !== false} onChange={(e) => onChange({ ...v, allowCustomValue: e.currentTarget.checked })} /> Other values can be typed
            </label>
          )}
        </>
      )}
      <Row label="Shown">
        <Select
          value={String(v.hide ?? 0)}
          choices={[
            ['0', 'Label and value'],
            ['1', 'Value only'],
            ['2', 'Not at all'],
          ]}
          onChange={(h) => onChange({ ...v, hide: Number(h) })}
        />
      </Row>
      {check('skipUrlSync', 'Not in the address')}
      <Preview session={session} v={v} />
      {acts}
    </details>
  );
}
