// The properties of columns: what the form of defaults offers, and what an override can set.

import { optionGroups, type OptionRow } from './schema';

export interface Property {
  /** As overrides write it: unit, custom.lineWidth, custom.stacking. */
  id: string;
  label: string;
  /** How its value is edited; 'rows' is an object whose parts are `rows`. */
  kind: OptionRow['kind'] | 'unit' | 'color' | 'thresholds' | 'mappings' | 'links' | 'hideFrom' | 'rows';
  row?: OptionRow;
  rows?: OptionRow[];
  /** What a fresh one starts with. */
  start?: unknown;
}

const STANDARD: Property[] = [
  { id: 'unit', label: 'Unit', kind: 'unit', start: 'short' },
  { id: 'min', label: 'Minimum', kind: 'number', start: 0 },
  { id: 'max', label: 'Maximum', kind: 'number', start: 100 },
  { id: 'decimals', label: 'Decimals', kind: 'number', start: 2 },
  { id: 'displayName', label: 'Name', kind: 'text', start: '' },
  { id: 'color', label: 'Colour', kind: 'color', start: { mode: 'fixed', fixedColor: 'blue' } },
  { id: 'noValue', label: 'No value', kind: 'text', start: '-' },
  { id: 'description', label: 'Description', kind: 'text', start: '' },
  { id: 'thresholds', label: 'Thresholds', kind: 'thresholds', start: { mode: 'absolute', steps: [{ value: null, color: 'green' }, { value: 80, color: 'red' }] } },
  { id: 'mappings', label: 'Value mappings', kind: 'mappings', start: [] },
  { id: 'links', label: 'Data links', kind: 'links', start: [] },
];

const HIDE: Property = { id: 'custom.hideFrom', label: 'Hide in', kind: 'hideFrom', start: { viz: true, legend: true, tooltip: true } };

/** Everything an override of this panel type can set, in the order of the forms. */
export function properties(type: string): Property[] {
  const out = [...STANDARD];
  const by = new Map<string, Property>();
  for (const g of optionGroups(type)) {
    for (const row of g.rows) {
      if (!row.path.startsWith('custom.')) continue;
      const parts = row.path.split('.');
      const id = parts.slice(0, 2).join('.');
      if (parts.length === 2) {
        by.set(id, { id, label: row.label, kind: row.kind, row, start: row.fallback });
        continue;
      }
      // Parts of one object (a stacking, a line style) are set together.
      const rows = [...(by.get(id)?.rows ?? []), { ...row, path: parts.slice(2).join('.') }];
      by.set(id, { id, label: rows[0]!.label, kind: 'rows', rows, start: rows.reduce<Record<string, unknown>>((o, r) => (r.fallback === undefined ? o : { ...o, [r.path]: r.fallback }), {}) });
    }
  }
  out.push(...by.values());
  if (type === 'timeseries' || type === 'trend' || type === 'barchart' || type === 'piechart' || type === 'histogram' || type === 'xychart') out.push(HIDE);
  if (type === 'table') out.push({ id: 'filterable', label: 'Can be filtered', kind: 'bool', start: true });
  return out;
}
