// Overrides: which columns, and what is different about them.

import { Icon } from '../../shell/icons';
import type { DataLink, FieldConfig, Loose, Override, Thresholds, ValueMapping } from '../model/types';
import { displayName, type Frame } from '../frame/frame';
import { REDUCERS } from '../field/reduce';
import { JsonArea, NumberInput, Select, TextInput } from './controls';
import { properties, type Property } from './fields';
import { ColorEdit, LinksEdit, MappingEdit, ThresholdEdit, UnitPicker } from './values';
import { OptionControl } from './OptionControl';
import { getAt, setAt } from './schema';

const MATCHERS: [string, string][] = [
  ['byName', 'The column named'],
  ['byNames', 'Columns named'],
  ['byRegexp', 'Columns whose name matches'],
  ['byType', 'Columns of type'],
  ['byFrameRefID', 'Columns of query'],
  ['byValue', 'Columns whose value'],
];

const START: Record<string, unknown> = { byName: '', byNames: { mode: 'include', names: [], readOnly: false }, byRegexp: '/.*/', byType: 'number', byFrameRefID: 'A', byValue: { reducer: 'allIsZero', op: 'gte', value: 0 } };

const OPS: [string, string][] = [
  ['gte', '≥'],
  ['gt', '>'],
  ['lte', '≤'],
  ['lt', '<'],
  ['eq', '='],
  ['neq', '≠'],
];

export interface Names {
  fields: string[];
  refIds: string[];
}

export function namesOf(frames: Frame[]): Names {
  const of = frames.filter((f) => f.name !== 'exemplar');
  return { fields: [...new Set(of.flatMap((f) => f.fields.map((x) => displayName(x, f, of))))].slice(0, 500), refIds: [...new Set(of.map((f) => f.refId ?? '').filter(Boolean))] };
}

function MatcherEdit({ o, names, onChange }: { o: Override; names: Names; onChange: (m: Override['matcher']) => void }) {
  const { id, options } = o.matcher;
  const set = (v: unknown) => onChange({ ...o.matcher, options: v });
  switch (id) {
    case 'byName':
      return <TextInput value={String(options ?? '')} label="Name of the column" list="field-names" placeholder="name" onChange={set} />;
    case 'byRegexp':
      return <TextInput value={String(options ?? '')} label="Pattern" placeholder="/node_.*/" onChange={set} />;
    case 'byType':
      return (
        <Select
          value={String(options ?? 'number')}
          label="Type"
          choices={[
            ['number', 'Numbers'],
            ['string', 'Texts'],
            ['time', 'Times'],
            ['boolean', 'True and false'],
            ['other', 'Other'],
          ]}
          onChange={set}
        />
      );
    case 'byFrameRefID':
      return <Select value={String(options ?? '')} label="Query" choices={names.refIds.map((r) => [r, r])} onChange={set} />;
    case 'byNames': {
      const m = (Array.isArray(options) ? { mode: 'include', names: options } : (options ?? {})) as { mode?: string; names?: string[] };
      const list = m.names ?? [];
      return (
        <span class="chips">
          <Select value={m.mode ?? 'include'} label="Which" choices={[['include', 'these'], ['exclude', 'all but these']]} onChange={(mode) => set({ ...m, mode })} />
          {list.map((n) => (
            <button type="button" key={n} class="tag on" title="Remove" onClick={() => set({ ...m, names: list.filter((x) => x !== n) })}>
              {n} ×
            </button>
          ))}
          <select value="" aria-label="Add a name" onChange={(e) => e.currentTarget.value && set({ ...m, names: [...list, e.currentTarget.value] })}>
            <option value="">Add…</option>
            {names.fields.filter((n) => !list.includes(n)).map((n) => (
              <option key={n}>{n}</option>
            ))}
          </select>
        </span>
      );
    }
    case 'byValue': {
      const m = (options ?? {}) as { reducer?: string; op?: string; value?: number };
      return (
        <span class="step">
          <Select value={m.reducer ?? 'allIsZero'} label="Figure" choices={REDUCERS.map((r) => [r.id, r.name])} onChange={(reducer) => set({ ...m, reducer })} />
          <Select value={m.op ?? 'gte'} label="Comparison" choices={OPS} onChange={(op) => set({ ...m, op })} />
          <NumberInput value={m.value ?? 0} label="With" onChange={(v) => set({ ...m, value: v ?? 0 })} />
        </span>
      );
    }
    default:
      return <JsonArea label={`Options of ${id}`} value={options ?? null} rows={3} onChange={set} />;
  }
}

function PropertyEdit({ p, value, onChange }: { p: Property | undefined; value: unknown; onChange: (v: unknown) => void }) {
  if (!p) return <JsonArea label="Value" value={value ?? null} rows={3} onChange={onChange} />;
  switch (p.kind) {
    case 'unit':
      return <UnitPicker value={String(value ?? '')} onChange={onChange} />;
    case 'color':
      return <ColorEdit value={(value ?? { mode: 'fixed' }) as NonNullable<FieldConfig['color']>} onChange={onChange} />;
    case 'thresholds':
      return <ThresholdEdit value={(value ?? p.start) as Thresholds} onChange={onChange} />;
    case 'mappings':
      return <MappingEdit value={(Array.isArray(value) ? value : []) as ValueMapping[]} onChange={onChange} />;
    case 'links':
      return <LinksEdit list={(Array.isArray(value) ? value : []) as DataLink[]} onChange={onChange} />;
    case 'hideFrom': {
      const h = (value ?? {}) as Record<string, boolean>;
      return (
        <span class="chips">
          {(['viz', 'legend', 'tooltip'] as const).map((k) => (
            <label class="check" key={k}>
              <input type="checkbox" checked={h[k] === true} onChange={(e) => onChange({ ...h, [k]: e.currentTarget.checked })} /> {k === 'viz' ? 'Drawing' : k === 'legend' ? 'Legend' : 'Tooltip'}
            </label>
          ))}
        </span>
      );
    }
    case 'rows':
      return (
        <>
          {p.rows!.map((r) => (
            <OptionControl key={r.path} row={r} value={getAt(value, r.path)} onChange={(v) => onChange(setAt((value ?? {}) as Loose, r.path, v))} />
          ))}
        </>
      );
    default:
      return <OptionControl row={{ ...(p.row ?? { path: p.id, fallback: p.start }), label: '', kind: p.kind }} value={value} onChange={onChange} />;
  }
}

function One({ o, type, names, onChange, onRemove, onCopy }: { o: Override; type: string; names: Names; onChange: (o: Override) => void; onRemove: () => void; onCopy: () => void }) {
  const all = properties(type);
  const set = (i: number, value: unknown) => onChange({ ...o, properties: o.properties.map((p, k) => (k === i ? { ...p, value } : p)) });
  return (
    <div class="ov" data-override={o.matcher.id}>
      <div class="ov-head">
        <Select value={o.matcher.id} choices={MATCHERS} label="Which columns" onChange={(id) => onChange({ ...o, matcher: { id, options: structuredClone(START[id]) } })} />
        <button type="button" class="icon-btn" aria-label="Duplicate the override" title="Duplicate" onClick={onCopy}>
          <Icon name="copy" size={13} />
        </button>
        <button type="button" class="icon-btn" aria-label="Remove the override" title="Remove" onClick={onRemove}>
          <Icon name="trash" size={13} />
        </button>
      </div>
      <div class="ov-match">
        <MatcherEdit o={o} names={names} onChange={(matcher) => onChange({ ...o, matcher })} />
      </div>
      {o.properties.map((p, i) => {
        const known = all.find((x) => x.id === p.id);
        return (
          <div class="ov-prop" key={`${p.id}${i}`} data-property={p.id}>
            <span class="opt-label">
              {known?.label ?? p.id}
              <button type="button" class="icon-btn" aria-label={`Remove ${known?.label ?? p.id}`} onClick={() => onChange({ ...o, properties: o.properties.filter((_, k) => k !== i) })}>
                <Icon name="close" size={11} />
              </button>
            </span>
            <PropertyEdit p={known} value={p.value} onChange={(v) => set(i, v)} />
          </div>
        );
      })}
      <select
        aria-label="Add a property"
        value=""
        onChange={(e) => {
          const id = e.currentTarget.value;
          e.currentTarget.value = '';
          const p = all.find((x) => x.id === id);
          if (p) onChange({ ...o, properties: [...o.properties, { id, value: structuredClone(p.start) }] });
        }}
      >
        <option value="">Add a property…</option>
        {all.filter((p) => !o.properties.some((x) => x.id === p.id)).map((p) => (
          <option key={p.id} value={p.id}>
            {p.label}
          </option>
        ))}
      </select>
    </div>
  );
}

export function OverrideEdit({ list, type, names, onChange }: { list: Override[]; type: string; names: Names; onChange: (l: Override[]) => void }) {
  return (
    <>
      <datalist id="field-names">
        {names.fields.map((n) => (
          <option key={n} value={n} />
        ))}
      </datalist>
      {list.map((o, i) =>
        o?.matcher && Array.isArray(o.properties) ? (
          <One key={i} o={o} type={type} names={names} onChange={(n) => onChange(list.map((x, k) => (k === i ? n : x)))} onRemove={() => onChange(list.filter((_, k) => k !== i))} onCopy={() => onChange([...list.slice(0, i + 1), structuredClone(o), ...list.slice(i + 1)])} />
        ) : (
          <JsonArea key={i} label={`Override ${i + 1}`} value={o} rows={4} onChange={(v) => onChange(list.map((x, k) => (k === i ? (v as Override) : x)))} />
        ),
      )}
      <button type="button" class="btn small" onClick={() => onChange([...list, { matcher: { id: 'byName', options: names.fields.find((n) => n !== 'Time') ?? '' }, properties: [] }])}>
        <Icon name="plus" size={12} /> Override
      </button>
      <details class="pe-more">
        <summary>As JSON</summary>
        <JsonArea label="Overrides" rows={8} value={list} onChange={(o) => Array.isArray(o) && onChange(o as Override[])} />
      </details>
    </>
  );
}

