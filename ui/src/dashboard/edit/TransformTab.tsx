// The transformations of a panel: their order, on and off, their options.

import { Icon } from '../../shell/icons';
import type { Panel, Transformation } from '../model/types';
import { ALIASES, TRANSFORMATIONS } from '../transform/known';
import { JsonArea } from './controls';

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

export function TransformTab({ panel, onChange }: { panel: Panel; onChange: (p: Panel) => void }) {
  const list = panel.transformations ?? [];
  const set = (next: Transformation[]) => onChange({ ...panel, transformations: next });
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
          <JsonArea label={`Options of ${t.id}`} value={t.options ?? {}} rows={Math.min(12, JSON.stringify(t.options ?? {}, null, 2).split('\n').length + 1)} onChange={(o) => set(list.map((x, k) => (k === i ? { ...t, options: o as Transformation['options'] } : x)))} />
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
