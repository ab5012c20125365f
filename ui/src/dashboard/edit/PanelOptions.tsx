// The right side of the panel editor: type, title, options of the drawing, fields, overrides.

import { UNIT_GROUPS } from '../../format/unit_table';
import { Icon } from '../../shell/icons';
import { resolveColor } from '../field/color';
import type { FieldConfig, Loose, Panel, Thresholds, ValueMapping } from '../model/types';
import { PANEL_TYPES } from '../panels/registry';
import type { Session } from '../model/session';
import { JsonArea, NumberInput, Row, Select, TextInput } from './controls';
import { COLOR_MODES, COLOR_NAMES, getAt, optionGroups, setAt, WITH_FIELDS, CALC_CHOICES, type OptionRow } from './schema';

interface Props {
  session: Session;
  panel: Panel;
  onChange: (p: Panel) => void;
}

/** options.… lies in the panel, custom.… in the field configuration. */
function pathIn(row: OptionRow): string {
  return row.path.startsWith('custom.') ? `fieldConfig.defaults.${row.path}` : row.path;
}

function Control({ row, panel, onChange }: { row: OptionRow; panel: Panel; onChange: (p: Panel) => void }) {
  const path = pathIn(row);
  const v = getAt(panel, path) ?? row.fallback;
  const set = (value: unknown) => onChange(setAt(panel, path, value));
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
          <NumberInput value={typeof v === 'number' ? v : undefined} min={row.min} max={row.max} onChange={set} />
        </Row>
      );
    case 'text':
      return (
        <Row label={row.label}>
          <TextInput value={typeof v === 'string' ? v : ''} onChange={(t) => set(t)} />
        </Row>
      );
    case 'area':
      return (
        <label class="opt tall">
          <span class="opt-label">{row.label}</span>
          <textarea rows={10} class="mono" value={typeof v === 'string' ? v : ''} onInput={(e) => set(e.currentTarget.value)} />
        </label>
      );
    case 'calcs': {
      const list = Array.isArray(v) ? (v as string[]) : [];
      return (
        <div class="opt tall">
          <span class="opt-label">{row.label}</span>
          <span class="chips">
            {list.map((c) => (
              <button type="button" key={c} class="tag on" title="Remove" onClick={() => set(list.filter((x) => x !== c))}>
                {CALC_CHOICES.find(([k]) => k === c)?.[1] ?? c} ×
              </button>
            ))}
            <select value="" aria-label={`Add to ${row.label}`} onChange={(e) => e.currentTarget.value && set([...list, e.currentTarget.value])}>
              <option value="">Add…</option>
              {CALC_CHOICES.filter(([k]) => !list.includes(k)).map(([k, t]) => (
                <option key={k} value={k}>
                  {t}
                </option>
              ))}
            </select>
          </span>
        </div>
      );
    }
    default: {
      const text = typeof v === 'boolean' ? String(v) : String(v ?? '');
      return (
        <Row label={row.label}>
          <Select value={text} choices={row.choices ?? []} onChange={(t) => set(t === 'true' ? true : t === 'false' ? false : t)} />
        </Row>
      );
    }
  }
}

function ThresholdEdit({ value, onChange }: { value: Thresholds; onChange: (t: Thresholds) => void }) {
  const steps = value.steps ?? [];
  const set = (i: number, patch: Partial<Thresholds['steps'][number]>) => onChange({ ...value, steps: steps.map((s, k) => (k === i ? { ...s, ...patch } : s)) });
  return (
    <div class="opt tall">
      {steps.map((s, i) => (
        <span class="step" key={i}>
          <i class="dot" style={{ background: resolveColor(s.color) }} />
          <Select value={s.color} choices={COLOR_NAMES.map((c) => [c, c])} label="Colour" onChange={(c) => set(i, { color: c })} />
          {i === 0 ? <span class="dim">base</span> : <NumberInput value={s.value ?? undefined} label="From" onChange={(v) => set(i, { value: v ?? 0 })} />}
          {i > 0 && (
            <button type="button" class="icon-btn" aria-label="Remove the threshold" onClick={() => onChange({ ...value, steps: steps.filter((_, k) => k !== i) })}>
              <Icon name="close" size={12} />
            </button>
          )}
        </span>
      ))}
      <span class="step">
        <button type="button" class="btn small" onClick={() => onChange({ ...value, steps: [...steps, { value: (steps[steps.length - 1]?.value ?? 0) + 10, color: 'red' }] })}>
          <Icon name="plus" size={12} /> Threshold
        </button>
        <Select
          value={value.mode}
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

function MappingEdit({ value, onChange }: { value: ValueMapping[]; onChange: (m: ValueMapping[]) => void }) {
  const values = value.find((m) => m.type === 'value');
  const rows = Object.entries((values?.options ?? {}) as Record<string, { text?: string; color?: string }>);
  const others = value.filter((m) => m !== values);
  const setRows = (list: [string, { text?: string; color?: string }][]) => onChange([...(list.length ? [{ type: 'value' as const, options: Object.fromEntries(list) }] : []), ...others]);
  return (
    <div class="opt tall">
      {rows.map(([from, to], i) => (
        <span class="step" key={i}>
          <TextInput value={from} label="Value" onChange={(t) => setRows(rows.map((r, k) => (k === i ? [t, to] : r)))} />
          →
          <TextInput value={to.text ?? ''} label="Text" onChange={(t) => setRows(rows.map((r, k) => (k === i ? [from, { ...to, text: t }] : r)))} />
          <Select value={to.color ?? ''} choices={[['', 'no colour'], ...COLOR_NAMES.map((c): [string, string] => [c, c])]} onChange={(c) => setRows(rows.map((r, k) => (k === i ? [from, { ...to, color: c || undefined }] : r)))} />
          <button type="button" class="icon-btn" aria-label="Remove the mapping" onClick={() => setRows(rows.filter((_, k) => k !== i))}>
            <Icon name="close" size={12} />
          </button>
        </span>
      ))}
      <button type="button" class="btn small" onClick={() => setRows([...rows, [String(rows.length), { text: '' }]])}>
        <Icon name="plus" size={12} /> Value
      </button>
      {others.length > 0 && <p class="note">and {others.length} by range, pattern or special value (see JSON)</p>}
    </div>
  );
}

function Fields({ panel, onChange }: Props) {
  const c: FieldConfig = panel.fieldConfig?.defaults ?? {};
  const set = (patch: Partial<FieldConfig>) => onChange({ ...panel, fieldConfig: { overrides: panel.fieldConfig?.overrides ?? [], defaults: { ...c, ...patch } } });
  const mode = c.color?.mode ?? 'thresholds';
  return (
    <>
      <details class="opt-group" open>
        <summary>Fields</summary>
        <Row label="Unit">
          <TextInput value={c.unit ?? ''} list="units" placeholder="short" onChange={(v) => set({ unit: v || undefined })} />
        </Row>
        <datalist id="units">
          {UNIT_GROUPS.flatMap(([g, list]) => list.map(([id, name]) => <option key={id} value={id} label={`${g}: ${name}`} />))}
        </datalist>
        <Row label="Minimum">
          <NumberInput value={c.min ?? undefined} placeholder="auto" onChange={(v) => set({ min: v })} />
        </Row>
        <Row label="Maximum">
          <NumberInput value={c.max ?? undefined} placeholder="auto" onChange={(v) => set({ max: v })} />
        </Row>
        <Row label="Decimals">
          <NumberInput value={c.decimals ?? undefined} placeholder="auto" min={0} max={10} onChange={(v) => set({ decimals: v })} />
        </Row>
        <Row label="Name">
          <TextInput value={c.displayName ?? ''} placeholder="from the query" onChange={(v) => set({ displayName: v || undefined })} />
        </Row>
        <Row label="No value">
          <TextInput value={c.noValue ?? ''} placeholder="-" onChange={(v) => set({ noValue: v || undefined })} />
        </Row>
        <Row label="Colours">
          <Select value={mode} choices={COLOR_MODES} onChange={(m) => set({ color: { ...c.color, mode: m } })} />
        </Row>
        {(mode === 'fixed' || mode === 'shades') && (
          <Row label="Colour">
            <Select value={c.color?.fixedColor ?? 'green'} choices={COLOR_NAMES.map((n) => [n, n])} onChange={(f) => set({ color: { ...c.color, mode, fixedColor: f } })} />
          </Row>
        )}
      </details>
      <details class="opt-group">
        <summary>Thresholds</summary>
        <ThresholdEdit value={c.thresholds ?? { mode: 'absolute', steps: [{ value: null, color: 'green' }] }} onChange={(t) => set({ thresholds: t })} />
      </details>
      <details class="opt-group">
        <summary>Value mappings{c.mappings?.length ? ` (${c.mappings.length})` : ''}</summary>
        <MappingEdit value={c.mappings ?? []} onChange={(m) => set({ mappings: m })} />
      </details>
      <details class="opt-group">
        <summary>Data links{c.links?.length ? ` (${c.links.length})` : ''}</summary>
        <Links list={c.links ?? []} onChange={(links) => set({ links })} />
      </details>
      <details class="opt-group">
        <summary>Overrides{panel.fieldConfig?.overrides?.length ? ` (${panel.fieldConfig.overrides.length})` : ''}</summary>
        <p class="note">
          A list of <code>{'{"matcher": {"id": "byName", "options": "…"}, "properties": [{"id": "unit", "value": "s"}]}'}</code>
        </p>
        <JsonArea label="Overrides" rows={8} value={panel.fieldConfig?.overrides ?? []} onChange={(o) => Array.isArray(o) && onChange({ ...panel, fieldConfig: { defaults: c, overrides: o as NonNullable<Panel['fieldConfig']>['overrides'] } })} />
      </details>
    </>
  );
}

function Links({ list, onChange }: { list: NonNullable<FieldConfig['links']>; onChange: (l: NonNullable<FieldConfig['links']>) => void }) {
  const set = (i: number, patch: Loose) => onChange(list.map((l, k) => (k === i ? { ...l, ...patch } : l)));
  return (
    <div class="opt tall">
      {list.map((l, i) => (
        <div class="link-edit" key={i}>
          <TextInput value={l.title ?? ''} placeholder="Title" onChange={(t) => set(i, { title: t })} />
          <TextInput value={l.url ?? ''} placeholder="/d/…?var-host=${__field.labels.host}" onChange={(t) => set(i, { url: t })} />
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

export function PanelOptions({ session, panel, onChange }: Props) {
  const vars = session.vars.states.value.filter((v) => v.model.multi || v.model.includeAll).map((v): [string, string] => [v.model.name, v.model.label || v.model.name]);
  const known: [string, string][] = PANEL_TYPES.map((t) => [t.type, t.name]);
  return (
    <div class="pe-options">
      <Row label="Drawn as">
        <Select value={panel.type} choices={known} label="Panel type" onChange={(type) => onChange({ ...panel, type })} />
      </Row>
      <Row label="Title">
        <TextInput value={panel.title ?? ''} label="Panel title" onChange={(title) => onChange({ ...panel, title })} />
      </Row>
      <Row label="Description">
        <TextInput value={panel.description ?? ''} onChange={(description) => onChange({ ...panel, description })} />
      </Row>
      <label class="opt check">
        <input type="checkbox" checked={panel.transparent === true} onChange={(e) => onChange({ ...panel, transparent: e.currentTarget.checked })} /> No background
      </label>
      {(vars.length > 0 || panel.repeat) && (
        <>
          <Row label="Repeat for">
            <Select value={panel.repeat ?? ''} choices={[['', 'nothing'], ...vars]} onChange={(v) => onChange({ ...panel, repeat: v || null })} />
          </Row>
          {panel.repeat && (
            <Row label="Direction">
              <Select
                value={panel.repeatDirection ?? 'h'}
                choices={[
                  ['h', 'Across'],
                  ['v', 'Down'],
                ]}
                onChange={(v) => onChange({ ...panel, repeatDirection: v as 'h' | 'v' })}
              />
            </Row>
          )}
        </>
      )}
      {optionGroups(panel.type).map((g) => (
        <details class="opt-group" key={g.title} open>
          <summary>{g.title}</summary>
          {g.rows.map((r) => (
            <Control key={r.path} row={r} panel={panel} onChange={onChange} />
          ))}
        </details>
      ))}
      {WITH_FIELDS.has(panel.type) && <Fields session={session} panel={panel} onChange={onChange} />}
    </div>
  );
}
