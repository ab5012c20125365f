// Editors of the values that columns are configured with: colours, thresholds, mappings, units, links.

import { useState } from 'preact/hooks';
import { CURRENCIES, PLAIN, SCALES, UNIT_GROUPS } from '../../format/unit_table';
import { format } from '../../format/units';
import { Icon } from '../../shell/icons';
import { Popover } from '../../shell/popover';
import { resolveColor } from '../field/color';
import type { DataLink, FieldConfig, MappingResult, Thresholds, ValueMapping } from '../model/types';
import { NumberInput, Row, Select, TextInput } from './controls';
import { COLOR_MODES } from './schema';

const HUES = ['green', 'yellow', 'orange', 'red', 'blue', 'purple'];
const SHADES = ['dark-', 'semi-dark-', '', 'light-', 'super-light-'];

/** A named colour, or any that CSS knows. */
export function ColorPicker({ value, onChange, label = 'Colour', none }: { value: string; onChange: (c: string) => void; label?: string; none?: string }) {
  const [open, setOpen] = useState(false);
  const take = (c: string) => {
    onChange(c);
    setOpen(false);
  };
  return (
    <span class="anchor cp">
      <button type="button" class="cp-btn" aria-haspopup="dialog" aria-expanded={open} aria-label={`${label}: ${value || none || 'none'}`} title={value || none} onClick={() => setOpen(!open)}>
        <i class="cp-dot" style={{ background: value ? resolveColor(value) : 'transparent' }} />
      </button>
      {open && (
        <Popover onClose={() => setOpen(false)} label={label} class="cp-pop">
          <div class="cp-grid">
            {HUES.flatMap((h) =>
              SHADES.map((s) => (
                <button type="button" key={s + h} class={value === s + h ? 'cp-swatch on' : 'cp-swatch'} style={{ background: resolveColor(s + h) }} aria-label={s + h} title={s + h} onClick={() => take(s + h)} />
              )),
            )}
          </div>
          <div class="cp-more">
            <button type="button" class="btn small" onClick={() => take('text')}>
              Text
            </button>
            <button type="button" class="btn small" onClick={() => take('transparent')}>
              Transparent
            </button>
            {none && (
              <button type="button" class="btn small" onClick={() => take('')}>
                {none}
              </button>
            )}
          </div>
          <TextInput value={value} label="Colour as text" placeholder="#ff8800, rgb(0, 128, 0)" onChange={(v) => onChange(v.trim())} />
        </Popover>
      )}
    </span>
  );
}

export function ThresholdEdit({ value, onChange }: { value: Thresholds; onChange: (t: Thresholds) => void }) {
  const steps = value.steps ?? [];
  const set = (i: number, patch: Partial<Thresholds['steps'][number]>) => onChange({ ...value, steps: steps.map((s, k) => (k === i ? { ...s, ...patch } : s)) });
  // In their order, whatever was typed; the first holds from the very bottom.
  const sorted = (list: Thresholds['steps']) => [list[0]!, ...list.slice(1).sort((a, b) => (a.value ?? 0) - (b.value ?? 0))];
  return (
    <div class="opt tall">
      {steps.map((s, i) => (
        <span class="step" key={i}>
          <ColorPicker value={s.color} label={`Colour of threshold ${i + 1}`} onChange={(c) => set(i, { color: c || 'green' })} />
          {i === 0 ? <span class="dim">Base</span> : <NumberInput value={s.value ?? undefined} label="From" onChange={(v) => onChange({ ...value, steps: sorted(steps.map((x, k) => (k === i ? { ...x, value: v ?? 0 } : x))) })} />}
          {i > 0 && (
            <button type="button" class="icon-btn" aria-label="Remove the threshold" onClick={() => onChange({ ...value, steps: steps.filter((_, k) => k !== i) })}>
              <Icon name="close" size={12} />
            </button>
          )}
        </span>
      ))}
      <span class="step">
        <button type="button" class="btn small" onClick={() => onChange({ ...value, steps: [...steps, { value: (steps[steps.length - 1]?.value ?? 0) + 10, color: HUES[steps.length % HUES.length]! }] })}>
          <Icon name="plus" size={12} /> Threshold
        </button>
        <Select
          value={value.mode}
          label="Thresholds are"
          choices={[
            ['absolute', 'Absolute'],
            ['percentage', 'Percent of min to max'],
          ]}
          onChange={(m) => onChange({ ...value, mode: m as Thresholds['mode'] })}
        />
      </span>
    </div>
  );
}

const SPECIALS: [string, string][] = [
  ['null', 'Null'],
  ['nan', 'NaN'],
  ['null+nan', 'Null or NaN'],
  ['true', 'True'],
  ['false', 'False'],
  ['empty', 'Empty text'],
];

interface MapRow {
  type: ValueMapping['type'];
  value: string;
  from?: number;
  to?: number;
  result: MappingResult;
}

/** One row a rule, in their order; neighbouring values of one kind are one mapping in the JSON. */
export function mappingRows(list: ValueMapping[]): MapRow[] {
  return list.flatMap((m): MapRow[] => {
    const o = m.options ?? {};
    const num = (v: unknown) => (v === null || v === undefined || v === '' ? undefined : Number(v));
    if (m.type === 'value') return Object.entries(o).map(([value, result]) => ({ type: 'value', value, result: (result ?? {}) as MappingResult }));
    const result = (o['result'] ?? {}) as MappingResult;
    if (m.type === 'range') return [{ type: 'range', value: '', from: num(o['from']), to: num(o['to']), result }];
    return [{ type: m.type, value: String((m.type === 'regex' ? o['pattern'] : o['match']) ?? ''), result }];
  });
}

export function mappingsOf(rows: MapRow[]): ValueMapping[] {
  const out: ValueMapping[] = [];
  rows.forEach((r, index) => {
    const result = { ...r.result, index };
    const last = out[out.length - 1];
    if (r.type === 'value') {
      if (last?.type === 'value' && !(r.value in last.options)) last.options = { ...last.options, [r.value]: result };
      else out.push({ type: 'value', options: { [r.value]: result } });
    } else if (r.type === 'range') out.push({ type: 'range', options: { from: r.from ?? null, to: r.to ?? null, result } });
    else out.push({ type: r.type, options: r.type === 'regex' ? { pattern: r.value, result } : { match: r.value, result } });
  });
  return out;
}

const FRESH: Record<ValueMapping['type'], MapRow> = {
  value: { type: 'value', value: '0', result: { text: '' } },
  range: { type: 'range', value: '', from: 0, to: 10, result: { text: '' } },
  regex: { type: 'regex', value: '.*', result: { text: '' } },
  special: { type: 'special', value: 'null', result: { text: '' } },
};

export function MappingEdit({ value, onChange }: { value: ValueMapping[]; onChange: (m: ValueMapping[]) => void }) {
  const rows = mappingRows(value);
  const set = (list: MapRow[]) => onChange(mappingsOf(list));
  const patch = (i: number, p: Partial<MapRow>) => set(rows.map((r, k) => (k === i ? { ...r, ...p } : r)));
  return (
    <div class="opt tall">
      {rows.map((r, i) => (
        <div class="map-row" key={i} data-mapping={r.type}>
          <span class="map-what">
            {r.type === 'value' && <TextInput value={r.value} label="Value" onChange={(v) => patch(i, { value: v })} />}
            {r.type === 'range' && (
              <>
                <NumberInput value={r.from} label="From" placeholder="-∞" onChange={(v) => patch(i, { from: v })} />
                <span class="dim">to</span>
                <NumberInput value={r.to} label="To" placeholder="∞" onChange={(v) => patch(i, { to: v })} />
              </>
            )}
            {r.type === 'regex' && <TextInput value={r.value} label="Pattern" placeholder="/(.*)/" onChange={(v) => patch(i, { value: v })} />}
            {r.type === 'special' && <Select value={r.value} choices={SPECIALS} label="Special value" onChange={(v) => patch(i, { value: v })} />}
          </span>
          <span class="map-to">
            <span class="dim">→</span>
            <TextInput value={r.result.text ?? ''} label="Text" placeholder="text" onChange={(t) => patch(i, { result: { ...r.result, text: t || undefined } })} />
            <ColorPicker value={r.result.color ?? ''} none="No colour" onChange={(c) => patch(i, { result: { ...r.result, color: c || undefined } })} />
            <button type="button" class="icon-btn" disabled={i === 0} aria-label="Move up" title="Earlier" onClick={() => set(rows.map((x, k) => (k === i - 1 ? r : k === i ? rows[i - 1]! : x)))}>
              ↑
            </button>
            <button type="button" class="icon-btn" aria-label="Remove the mapping" onClick={() => set(rows.filter((_, k) => k !== i))}>
              <Icon name="close" size={12} />
            </button>
          </span>
        </div>
      ))}
      <select
        aria-label="Add a mapping"
        value=""
        onChange={(e) => {
          const t = e.currentTarget.value as ValueMapping['type'] | '';
          e.currentTarget.value = '';
          if (t) set([...rows, structuredClone(FRESH[t])]);
        }}
      >
        <option value="">Add a mapping…</option>
        <option value="value">Of a value</option>
        <option value="range">Of a range</option>
        <option value="regex">By a pattern</option>
        <option value="special">Of null, NaN, true, false, empty</option>
      </select>
    </div>
  );
}

const LISTED = new Set(UNIT_GROUPS.flatMap(([, list]) => list.map(([id]) => id)));
/** All others, shown by what they make of a number. */
const OTHERS = [...new Set([...Object.keys(SCALES), ...Object.keys(PLAIN), ...Object.keys(CURRENCIES)])].filter((id) => !LISTED.has(id)).sort();
const ALL_UNITS: [string, [string, string][]][] = [...UNIT_GROUPS, ['Others', OTHERS.map((id): [string, string] => [id, format(1, id)])]];

const NAMES = new Map(ALL_UNITS.flatMap(([, list]) => list.map(([id, name]): [string, string] => [id, name])));

export function UnitPicker({ value, onChange, label = 'Unit' }: { value: string; onChange: (u: string) => void; label?: string }) {
  const [open, setOpen] = useState(false);
  const [find, setFind] = useState('');
  const low = find.trim().toLowerCase();
  const groups = ALL_UNITS.map(([g, list]): [string, [string, string][]] => [g, list.filter(([id, name]) => low === '' || `${g} ${name} ${id}`.toLowerCase().includes(low)) as [string, string][]]).filter(([, l]) => l.length);
  const take = (u: string) => {
    onChange(u);
    setOpen(false);
    setFind('');
  };
  return (
    <span class="anchor unit">
      <button type="button" class="btn small unit-btn" aria-haspopup="dialog" aria-expanded={open} aria-label={`${label}: ${NAMES.get(value) ?? (value || 'none')}`} onClick={() => setOpen(!open)}>
        <span class="cut">{NAMES.get(value) ?? (value || 'None')}</span>
        <Icon name="down" size={11} />
      </button>
      {open && (
        <Popover onClose={() => setOpen(false)} label={label} class="unit-pop">
          <input
            type="search"
            data-autofocus
            placeholder="Search, or a unit of your own"
            aria-label="Search units"
            value={find}
            onInput={(e) => setFind(e.currentTarget.value)}
            onKeyDown={(e) => {
              if (e.key !== 'Enter') return;
              e.preventDefault();
              take(groups[0]?.[1][0]?.[0] ?? (find.trim() ? `suffix:${find.trim()}` : ''));
            }}
          />
          <div class="unit-list" role="listbox" aria-label={label}>
            {low === '' && (
              <button type="button" role="option" aria-selected={value === ''} class="row-btn" onClick={() => take('')}>
                None
              </button>
            )}
            {groups.map(([g, list]) => (
              <div key={g} role="group" aria-label={g}>
                <h3>{g}</h3>
                {list.map(([id, name]) => (
                  <button type="button" role="option" key={id} aria-selected={id === value} class="row-btn" onClick={() => take(id)}>
                    {name} <span class="dim">{id}</span>
                  </button>
                ))}
              </div>
            ))}
            {find.trim() !== '' && (
              <>
                <button type="button" role="option" aria-selected={false} class="row-btn" onClick={() => take(`suffix:${find.trim()}`)}>
                  After the number: “{find.trim()}”
                </button>
                <button type="button" role="option" aria-selected={false} class="row-btn" onClick={() => take(`prefix:${find.trim()}`)}>
                  Before the number: “{find.trim()}”
                </button>
              </>
            )}
          </div>
        </Popover>
      )}
    </span>
  );
}

export function ColorEdit({ value, onChange }: { value: NonNullable<FieldConfig['color']>; onChange: (c: NonNullable<FieldConfig['color']>) => void }) {
  const fixed = value.mode === 'fixed' || value.mode === 'shades';
  const byValue = value.mode === 'thresholds' || value.mode.startsWith('continuous');
  return (
    <>
      <Row label="Colours">
        <Select value={value.mode} choices={COLOR_MODES} label="Colours" onChange={(mode) => onChange({ ...value, mode })} />
      </Row>
      {fixed && (
        <div class="opt">
          <span class="opt-label">Colour</span>
          <ColorPicker value={value.fixedColor ?? 'green'} onChange={(c) => onChange({ ...value, fixedColor: c || 'green' })} />
        </div>
      )}
      {byValue && (
        <Row label="Of a series by">
          <Select
            value={value.seriesBy ?? 'last'}
            choices={[
              ['last', 'Its last value'],
              ['min', 'Its least'],
              ['max', 'Its greatest'],
            ]}
            onChange={(seriesBy) => onChange({ ...value, seriesBy })}
          />
        </Row>
      )}
    </>
  );
}

export function LinksEdit({ list, onChange }: { list: DataLink[]; onChange: (l: DataLink[]) => void }) {
  const set = (i: number, patch: DataLink) => onChange(list.map((l, k) => (k === i ? { ...l, ...patch } : l)));
  return (
    <div class="opt tall">
      {list.map((l, i) => (
        <div class="link-edit" key={i}>
          <TextInput value={l.title ?? ''} label="Title of the link" placeholder="Title" onChange={(t) => set(i, { title: t })} />
          <TextInput value={l.url ?? ''} label="Address of the link" placeholder="/d/…?var-host=${__field.labels.host}" onChange={(t) => set(i, { url: t })} />
          <label class="check">
            <input type="checkbox" checked={l.targetBlank === true} onChange={(e) => set(i, { targetBlank: e.currentTarget.checked })} /> New tab
          </label>
          <button type="button" class="icon-btn" aria-label="Remove the link" onClick={() => onChange(list.filter((_, k) => k !== i))}>
            <Icon name="close" size={12} />
          </button>
        </div>
      ))}
      <button type="button" class="btn small" onClick={() => onChange([...list, { title: '', url: '' }])}>
        <Icon name="plus" size={12} /> Link
      </button>
    </div>
  );
}
