// The right side of the panel editor: type, title, options of the drawing, fields, overrides.

import { useMemo } from 'preact/hooks';
import { DEFAULT_THRESHOLDS } from '../field/color';
import type { Frame } from '../frame/frame';
import type { FieldConfig, Panel } from '../model/types';
import { PANEL_TYPES } from '../panels/registry';
import type { Session } from '../model/session';
import { NumberInput, Row, Select, TextInput } from './controls';
import { OptionControl } from './OptionControl';
import { namesOf, OverrideEdit, type Names } from './OverrideEdit';
import { getAt, optionGroups, setAt, WITH_FIELDS, type OptionRow } from './schema';
import { ColorEdit, LinksEdit, MappingEdit, ThresholdEdit, UnitPicker } from './values';

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
  return (
    <OptionControl
      row={row}
      value={getAt(panel, path)}
      onChange={(v) => {
        const value = path.endsWith('barAlignment') ? Number(v) : v;
        // A matcher that is typed into needs its kind as well.
        const next = path.endsWith('.matcher.options') ? setAt(panel, path.replace(/options$/, 'id'), 'byName') : panel;
        onChange(setAt(next, path, value));
      }}
    />
  );
}

function Fields({ panel, names, onChange }: Props & { names: Names }) {
  const c: FieldConfig = panel.fieldConfig?.defaults ?? {};
  const set = (patch: Partial<FieldConfig>) => onChange({ ...panel, fieldConfig: { overrides: panel.fieldConfig?.overrides ?? [], defaults: { ...c, ...patch } } });
  return (
    <>
      <details class="opt-group" open>
        <summary>Fields</summary>
        <div class="opt">
          <span class="opt-label">Unit</span>
          <UnitPicker value={c.unit ?? ''} onChange={(v) => set({ unit: v || undefined })} />
        </div>
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
        <ColorEdit value={c.color ?? { mode: 'thresholds' }} onChange={(color) => set({ color })} />
      </details>
      <details class="opt-group">
        <summary>Thresholds</summary>
        <ThresholdEdit value={c.thresholds ?? DEFAULT_THRESHOLDS} onChange={(t) => set({ thresholds: t })} />
      </details>
      <details class="opt-group">
        <summary>Value mappings{c.mappings?.length ? ` (${c.mappings.length})` : ''}</summary>
        <MappingEdit value={c.mappings ?? []} onChange={(m) => set({ mappings: m })} />
      </details>
      <details class="opt-group">
        <summary>Data links{c.links?.length ? ` (${c.links.length})` : ''}</summary>
        <LinksEdit list={c.links ?? []} onChange={(links) => set({ links })} />
      </details>
      <details class="opt-group">
        <summary>Overrides{panel.fieldConfig?.overrides?.length ? ` (${panel.fieldConfig.overrides.length})` : ''}</summary>
        <OverrideEdit list={panel.fieldConfig?.overrides ?? []} type={panel.type} names={names} onChange={(overrides) => onChange({ ...panel, fieldConfig: { defaults: c, overrides } })} />
      </details>
    </>
  );
}

export function PanelOptions({ session, panel, frames, onChange }: Props & { frames: Frame[] }) {
  const names = useMemo(() => namesOf(frames), [frames]);
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
      {WITH_FIELDS.has(panel.type) && <Fields session={session} panel={panel} names={names} onChange={onChange} />}
    </div>
  );
}
