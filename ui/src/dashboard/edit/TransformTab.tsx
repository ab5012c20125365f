// The transformations of a panel: their order, on and off, their options.

import { useMemo } from 'preact/hooks';
import { Icon } from '../../shell/icons';
import type { Session } from '../model/session';
import type { Panel, Transformation } from '../model/types';
import type { PanelState } from '../panels/usePanelData';
import { ALIASES, TRANSFORMATIONS } from '../transform/known';
import { applyTransformations } from '../transform/apply';
import { namesOf, type Names } from './OverrideEdit';
import { TransformForm } from './TransformForm';

/** What a fresh one starts with, so that its options can be seen. */
const START: Record<string, Record<string, unknown>> = {
  organize: { excludeByName: {}, renameByName: {}, indexByName: {} },
  joinByField: { byField: 'Time', mode: 'outer' },
  groupBy: { fields: { Value: { operation: 'aggregate', aggregations: ['sum'] } } },
  filterFieldsByName: { include: { names: [] } },
  renameByRegex: { regex: '(.*)', renamePattern: '$1' },
  calculateField: { mode: 'reduceRow', reduce: { reducer: 'sum' }, alias: 'Total' },
  reduce: { reducers: ['lastNotNull'] },
  sortBy: { sort: [{ field: 'Value', desc: true }] },
  labelsToFields: { mode: 'columns' },
  extractFields: { source: 'labels', format: 'auto' },
  filterByValue: { type: 'include', match: 'any', filters: [{ fieldName: 'Value', config: { id: 'greater', options: { value: 0 } } }] },
  filterByRefId: { include: 'A' },
  convertFieldType: { conversions: [{ targetField: '', destinationType: 'number' }] },
  limit: { limitField: 10 },
  groupingToMatrix: { columnField: '', rowField: '', valueField: 'Value' },
  joinByLabels: { value: '', join: [] },
};

export function TransformTab({ session: s, panel, state, onChange }: { session: Session; panel: Panel; state: PanelState | null; onChange: (p: Panel) => void }) {
  const list = panel.transformations ?? [];
  const set = (next: Transformation[]) => onChange({ ...panel, transformations: next });
  const data = state?.data;
  /** The columns that come into each step. */
  const before = useMemo((): Names[] => {
    const frames = (data?.frames ?? []).filter((f) => f.name !== 'exemplar');
    return list.map((_, i) => namesOf(applyTransformations(frames, list.slice(0, i), (t) => s.vars.fill(t)).frames));
  }, [data, JSON.stringify(list)]);
  const nameOf = (id: string) => TRANSFORMATIONS.find(([k]) => k === (ALIASES[id] ?? id));
  return (
    <div class="pe-tab">
      {list.length === 0 && <p class="note">Transformations change results before they are drawn: join, filter, calculate, rename.</p>}
      {list.map((t, i) => (
        <div class={t.disabled ? 'pe-query off' : 'pe-query'} key={i}>
          <div class="pe-query-head">
            <strong>{nameOf(t.id)?.[1] ?? t.id}</strong>
            <span class="dim cut">{nameOf(t.id)?.[2] ?? 'Not known; kept and passed over.'}</span>
            <span class="grow" />
            <button type="button" class="icon-btn" disabled={i === 0} title="Earlier" aria-label="Move up" onClick={() => set(list.map((x, k) => (k === i - 1 ? t : k === i ? list[i - 1]! : x)))}>
              ↑
            </button>
            <button type="button" class="icon-btn" title={t.disabled ? 'Switch on' : 'Switch off'} aria-label={t.disabled ? 'Switch on' : 'Switch off'} onClick={() => set(list.map((x, k) => (k === i ? { ...t, disabled: !t.disabled } : x)))}>
              <Icon name={t.disabled ? 'eyeoff' : 'eye'} />
            </button>
            <button type="button" class="icon-btn" title="Remove" aria-label="Remove" onClick={() => set(list.filter((_, k) => k !== i))}>
              <Icon name="trash" />
            </button>
          </div>
          <TransformForm id={ALIASES[t.id] ?? t.id} options={t.options ?? {}} names={before[i] ?? { fields: [], refIds: [] }} onChange={(options) => set(list.map((x, k) => (k === i ? { ...t, options } : x)))} />
        </div>
      ))}
      <select
        class="pe-add"
        aria-label="Add a transformation"
        value=""
        onChange={(e) => {
          const id = e.currentTarget.value;
          if (id) set([...list, { id, options: structuredClone(START[id] ?? {}) }]);
          e.currentTarget.value = '';
        }}
      >
        <option value="">Add a transformation…</option>
        {TRANSFORMATIONS.map(([id, name, help]) => (
          <option key={id} value={id}>
            {name}: {help}
          </option>
        ))}
      </select>
    </div>
  );
}
