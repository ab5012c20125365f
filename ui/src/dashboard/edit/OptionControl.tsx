// One row of a schema as a control.

import { NumberInput, Row, Select, TextInput } from './controls';
import { CALC_CHOICES, type OptionRow } from './schema';
import { UnitPicker } from './values';

export function OptionControl({ row, value, onChange }: { row: OptionRow; value: unknown; onChange: (v: unknown) => void }) {
  const v = value ?? row.fallback;
  switch (row.kind) {
    case 'bool':
      return (
        <label class="opt check">
          <input type="checkbox" checked={v === true} onChange={(e) => onChange(e.currentTarget.checked)} /> {row.label || 'On'}
        </label>
      );
    case 'number':
      return (
        <Row label={row.label}>
          <NumberInput value={typeof v === 'number' ? v : undefined} min={row.min} max={row.max} onChange={onChange} />
        </Row>
      );
    case 'text':
      return (
        <Row label={row.label}>
          <TextInput value={typeof v === 'string' ? v : ''} list={row.names ? 'field-names' : undefined} onChange={onChange} />
        </Row>
      );
    case 'area':
      return (
        <label class="opt tall">
          <span class="opt-label">{row.label}</span>
          <textarea rows={10} class="mono" value={typeof v === 'string' ? v : ''} onInput={(e) => onChange(e.currentTarget.value)} />
        </label>
      );
    case 'unit':
      return (
        <div class="opt">
          <span class="opt-label">{row.label}</span>
          <UnitPicker value={typeof v === 'string' ? v : ''} onChange={onChange} />
        </div>
      );
    case 'calcs':
      return <Calcs label={row.label} list={Array.isArray(v) ? (v as string[]) : []} choices={row.choices} onChange={onChange} />;
    default: {
      const text = typeof v === 'boolean' ? String(v) : String(v ?? '');
      return (
        <Row label={row.label}>
          <Select value={text} choices={row.choices ?? []} onChange={(t) => onChange(t === 'true' ? true : t === 'false' ? false : t)} />
        </Row>
      );
    }
  }
}

/** Several of a list, by default of the reducers, in the order in which they were added. */
export function Calcs({ label, list, choices = CALC_CHOICES, onChange }: { label: string; list: string[]; choices?: [string, string][]; onChange: (l: string[]) => void }) {
  return (
    <div class="opt tall">
      {label && <span class="opt-label">{label}</span>}
      <span class="chips">
        {list.map((c) => (
          <button type="button" key={c} class="tag on" title="Remove" onClick={() => onChange(list.filter((x) => x !== c))}>
            {choices.find(([k]) => k === c)?.[1] ?? c} ×
          </button>
        ))}
        <select value="" aria-label={`Add to ${label || 'the figures'}`} onChange={(e) => e.currentTarget.value && onChange([...list, e.currentTarget.value])}>
          <option value="">Add…</option>
          {choices.filter(([k]) => !list.includes(k)).map(([k, t]) => (
            <option key={k} value={k}>
              {t}
            </option>
          ))}
        </select>
      </span>
    </div>
  );
}
