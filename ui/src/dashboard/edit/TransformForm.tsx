// The form of one transformation, from its schema; three have forms of their own.

import { useState } from 'preact/hooks';
import { Icon } from '../../shell/icons';
import type { Loose } from '../model/types';
import { JsonArea, NumberInput, Row, Select, TextInput } from './controls';
import { Calcs } from './OptionControl';
import type { Names } from './OverrideEdit';
import { CALC_CHOICES, getAt, setAt } from './schema';
import { TRANSFORM_FORMS, type FormRow } from './transform_schema';

interface Props {
  id: string;
  options: Loose;
  /** Of what comes into it. */
  names: Names;
  onChange: (o: Loose) => void;
}

function FieldInput({ value, label, names, hint, onChange }: { value: string; label: string; names: Names; hint?: string; onChange: (v: string) => void }) {
  // What was written elsewhere is kept though there is no such column now.
  const choices = names.fields.includes(value) || value === '' ? names.fields : [value, ...names.fields];
  if (choices.length === 0) return <TextInput value={value} label={label} placeholder={hint ?? 'name of a column'} onChange={onChange} />;
  return <Select value={value} label={label} choices={[...(value === '' ? ([['', 'Pick…']] as [string, string][]) : []), ...choices.map((c): [string, string] => [c, c])]} onChange={onChange} />;
}

function Control({ row, o, names, onChange }: { row: FormRow; o: Loose; names: Names; onChange: (o: Loose) => void }) {
  const v = getAt(o, row.path) ?? row.fallback;
  const set = (value: unknown) => onChange(setAt(o, row.path, value));
  const list = Array.isArray(v) ? (v as unknown[]) : [];
  switch (row.kind) {
    case 'bool':
      return (
        <label class="opt check">
          <input type="checkbox" checked={v === true} onChange={(e) => set(e.currentTarget.checked)} /> {row.label}
        </label>
      );
    case 'number':
      return (
        <Row label={row.label}>
          <NumberInput value={v === undefined || v === null || v === '' ? undefined : Number(v)} onChange={set} />
        </Row>
      );
    case 'select':
      return (
        <Row label={row.label}>
          <Select value={String(v ?? '')} choices={row.choices ?? []} onChange={set} />
        </Row>
      );
    case 'field':
      return (
        <Row label={row.label}>
          <FieldInput value={String(v ?? '')} label={row.label} names={names} hint={row.hint} onChange={set} />
        </Row>
      );
    case 'fields':
      return <Calcs label={row.label} list={list.map(String)} choices={names.fields.map((n) => [n, n])} onChange={set} />;
    case 'texts':
      return (
        <Row label={row.label} hint="Separated by commas">
          <TextInput value={list.join(', ')} placeholder={row.hint ?? 'a, b'} onChange={(t) => set(t.split(',').map((x) => x.trim()).filter(Boolean))} />
        </Row>
      );
    case 'calcs':
      return <Calcs label={row.label} list={list.map(String)} onChange={set} />;
    case 'query':
      return (
        <Row label={row.label}>
          {names.refIds.includes(String(v ?? '')) || v === undefined || v === '' ? (
            <Select value={String(v ?? '')} choices={[['', 'Pick…'], ...names.refIds.map((r): [string, string] => [r, r])]} onChange={set} />
          ) : (
            <TextInput value={String(v)} placeholder={row.hint} onChange={set} />
          )}
        </Row>
      );
    case 'operand': {
      const x = (typeof v === 'object' && v !== null ? v : { fixed: v === undefined ? '' : String(v) }) as { fixed?: string; matcher?: { id: string; options?: unknown } };
      const named = x.matcher ? String(x.matcher.options ?? '') : names.fields.includes(x.fixed ?? '') ? x.fixed! : '';
      const write = (t: string) => set(names.fields.includes(t) ? { matcher: { id: 'byName', options: t } } : { fixed: t });
      return (
        <Row label={row.label}>
          <TextInput value={named || (x.fixed ?? '')} list="transform-names" placeholder="column or number" onChange={write} />
        </Row>
      );
    }
    case 'matcher': {
      const m = (v ?? { id: 'byType', options: 'number' }) as { id: string; options?: unknown };
      return (
        <Row label={row.label}>
          <span class="step">
            <Select value={m.id} choices={[['byName', 'Name'], ['byRegexp', 'Pattern'], ['byType', 'Type'], ['byFrameRefID', 'Query']]} onChange={(id) => set({ id, options: '' })} />
            <TextInput value={String(m.options ?? '')} onChange={(t) => set({ ...m, options: t })} />
          </span>
        </Row>
      );
    }
    case 'list':
      return (
        <div class="opt tall">
          <span class="opt-label">{row.label}</span>
          {(list as Loose[]).map((item, i) => (
            <div class="tf-item" key={i}>
              {row.rows!.filter((r) => !r.when || r.when(item)).map((r) => (
                <Control key={r.path} row={r} o={item} names={names} onChange={(n) => set(list.map((x, k) => (k === i ? n : x)))} />
              ))}
              <button type="button" class="icon-btn" aria-label={`Remove from ${row.label}`} onClick={() => set(list.filter((_, k) => k !== i))}>
                <Icon name="close" size={12} />
              </button>
            </div>
          ))}
          <button type="button" class="btn small" onClick={() => set([...list, structuredClone(row.fresh ?? {})])}>
            <Icon name="plus" size={12} /> {row.label}
          </button>
        </div>
      );
    default:
      return (
        <Row label={row.label}>
          <TextInput value={v === undefined || v === null ? '' : String(v)} placeholder={row.hint} onChange={(t) => set(t)} />
        </Row>
      );
  }
}

/** Columns in their order: shown or not, and what they are called. */
function Organize({ options: o, names, onChange }: Props) {
  const hidden = (o['excludeByName'] ?? {}) as Record<string, boolean>;
  const rename = (o['renameByName'] ?? {}) as Record<string, string>;
  const index = (o['indexByName'] ?? {}) as Record<string, number>;
  const known = [...new Set([...names.fields, ...Object.keys(hidden), ...Object.keys(rename)])];
  const order = known.map((n, i) => ({ n, i })).sort((a, b) => (index[a.n] ?? 1e6) - (index[b.n] ?? 1e6) || a.i - b.i).map((x) => x.n);
  const move = (from: number, to: number) => {
    const next = order.slice();
    next.splice(to, 0, ...next.splice(from, 1));
    onChange({ ...o, indexByName: Object.fromEntries(next.map((n, i) => [n, i])) });
  };
  const without = <T,>(m: Record<string, T>, key: string): Record<string, T> => Object.fromEntries(Object.entries(m).filter(([k]) => k !== key));
  if (order.length === 0) return <p class="note">There are no columns yet: the queries have no result.</p>;
  return (
    <div class="tf-org">
      {order.map((n, i) => (
        <div class="tf-col" key={n}>
          <button type="button" class="icon-btn" disabled={i === 0} aria-label={`Move ${n} up`} title="Up" onClick={() => move(i, i - 1)}>
            ↑
          </button>
          <button type="button" class="icon-btn" disabled={i === order.length - 1} aria-label={`Move ${n} down`} title="Down" onClick={() => move(i, i + 1)}>
            ↓
          </button>
          <button type="button" class="icon-btn" aria-pressed={hidden[n] === true} aria-label={`${hidden[n] ? 'Show' : 'Hide'} ${n}`} onClick={() => onChange({ ...o, excludeByName: hidden[n] ? without(hidden, n) : { ...hidden, [n]: true } })}>
            <Icon name={hidden[n] ? 'eyeoff' : 'eye'} size={13} />
          </button>
          <span class={hidden[n] ? 'cut dim' : 'cut'} title={n}>
            {n}
          </span>
          <TextInput value={rename[n] ?? ''} label={`Name for ${n}`} placeholder={n} onChange={(t) => onChange({ ...o, renameByName: t ? { ...rename, [n]: t } : without(rename, n) })} />
        </div>
      ))}
    </div>
  );
}

interface GroupSpec {
  operation?: string | null;
  aggregations?: string[];
}

function GroupBy({ options: o, names, onChange }: Props) {
  const spec = (o['fields'] ?? {}) as Record<string, GroupSpec>;
  const set = (n: string, s: GroupSpec) => onChange({ ...o, fields: { ...spec, [n]: s } });
  const all = [...new Set([...names.fields, ...Object.keys(spec)])];
  if (all.length === 0) return <p class="note">There are no columns yet: the queries have no result.</p>;
  return (
    <div class="tf-org">
      {all.map((n) => {
        const s = spec[n] ?? {};
        return (
          <div class="tf-group" key={n}>
            <span class="cut" title={n}>
              {n}
            </span>
            <Select value={s.operation ?? ''} label={`What to do with ${n}`} choices={[['', 'Leave out'], ['groupby', 'Group by'], ['aggregate', 'Calculate']]} onChange={(op) => set(n, op ? { operation: op, aggregations: s.aggregations ?? (op === 'aggregate' ? ['sum'] : []) } : { operation: null, aggregations: [] })} />
            {s.operation === 'aggregate' && <Calcs label="" list={s.aggregations ?? []} onChange={(aggregations) => set(n, { ...s, aggregations })} />}
          </div>
        );
      })}
    </div>
  );
}

function SeriesTable({ options: o, names, onChange }: Props) {
  if (names.refIds.length === 0) return <p class="note">The queries have no result yet.</p>;
  return (
    <>
      {names.refIds.map((r) => (
        <Row key={r} label={`Figure of ${r}`}>
          <Select value={String((o[r] as Loose | undefined)?.['stat'] ?? 'lastNotNull')} choices={CALC_CHOICES} onChange={(stat) => onChange({ ...o, [r]: { ...(o[r] as Loose), stat } })} />
        </Row>
      ))}
    </>
  );
}

const OWN: Record<string, (p: Props) => preact.JSX.Element> = { organize: Organize, groupBy: GroupBy, groupToNestedTable: GroupBy, timeSeriesTable: SeriesTable };

export function TransformForm(p: Props) {
  const [json, setJson] = useState(false);
  const rows = TRANSFORM_FORMS[p.id];
  const Own = OWN[p.id];
  const known = Own !== undefined || rows !== undefined;
  return (
    <div class="tf" data-transform={p.id}>
      <datalist id="transform-names">
        {p.names.fields.map((n) => (
          <option key={n} value={n} />
        ))}
      </datalist>
      {json || !known ? (
        <JsonArea label={`Options of ${p.id}`} value={p.options} rows={Math.min(14, JSON.stringify(p.options, null, 2).split('\n').length + 1)} onChange={(o) => p.onChange(o as Loose)} />
      ) : Own ? (
        <Own {...p} />
      ) : (
        <>
          {rows!.filter((r) => !r.when || r.when(p.options)).map((r) => (
            <Control key={r.path + r.label} row={r} o={p.options} names={p.names} onChange={p.onChange} />
          ))}
          {rows!.length === 0 && <p class="note">It has nothing to set.</p>}
        </>
      )}
      {known && (
        <button type="button" class="linkish tf-json" aria-pressed={json} onClick={() => setJson(!json)}>
          {json ? 'Form' : 'JSON'}
        </button>
      )}
    </div>
  );
}
