// How one value of a column is shown: mapped, formatted with its unit, coloured.

import { format } from '../../format/units';
import { formatInstant } from '../../time/grammar';
import { zone } from '../../time/state';
import type { Field } from '../frame/frame';
import { isContinuous, resolveColor, valueColor } from './color';
import { mapValue } from './mappings';
import { reduce } from './reduce';

export interface Shown {
  text: string;
  /** CSS colour; always set. */
  color: string;
  /** Whether thresholds, a mapping or a fixed colour say so; a palette does not. */
  coloured: boolean;
  numeric: number | null;
}

export interface FieldRange {
  min: number;
  max: number;
}

/** Lowest and highest value of a column, or what its configuration says. */
export function fieldRange(f: Field): FieldRange {
  const lo = f.config.min ?? (reduce(f.values, 'min') as number | null);
  const hi = f.config.max ?? (reduce(f.values, 'max') as number | null);
  return { min: lo ?? 0, max: hi ?? 100 };
}

/** Makes the function that shows values of this column. `range` is what scales go by. */
export function displayer(f: Field, range?: FieldRange, index = 0, name = ''): (v: unknown) => Shown {
  const c = f.config;
  const mode = c.color?.mode ?? 'thresholds';
  let r = range;
  const said = mode === 'thresholds' || mode === 'fixed' || isContinuous(mode);
  return (v) => {
    const mapped = mapValue(c.mappings, v);
    let numeric: number | null = typeof v === 'number' ? v : typeof v === 'boolean' ? Number(v) : null;
    if (numeric === null && f.type === 'number' && typeof v === 'string' && v !== '') numeric = Number(v);
    let text: string;
    if (mapped?.text !== undefined && mapped.text !== '') text = mapped.text;
    else if (v === null || v === undefined) text = c.noValue ?? '';
    else if (f.type === 'time' && typeof v === 'number' && !c.unit) text = formatInstant(v, zone.value);
    else if (typeof v === 'number') text = Number.isNaN(v) ? 'NaN' : format(v, c.unit ?? 'none', c.decimals ?? undefined);
    else if (typeof v === 'boolean') text = String(v);
    else if (typeof v === 'string') {
      text = c.unit?.startsWith('suffix:') ? v + c.unit.slice(7) : c.unit?.startsWith('prefix:') ? c.unit.slice(7) + v : v;
    } else text = JSON.stringify(v);
    if (mapped?.color) return { text, color: resolveColor(mapped.color), coloured: true, numeric };
    if (numeric === null || Number.isNaN(numeric)) {
      const fixed = mode === 'fixed';
      return { text, color: fixed ? resolveColor(c.color?.fixedColor) : resolveColor(mode === 'thresholds' ? c.thresholds?.steps[0]?.color : 'text'), coloured: fixed, numeric: null };
    }
    r ??= fieldRange(f);
    return { text, color: valueColor(c, numeric, index, name, r.min, r.max), coloured: said, numeric };
  };
}
