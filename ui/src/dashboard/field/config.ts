// Gives every column of a result its configuration: the panel's defaults, then the overrides whose
// matcher holds, in their order.

import { displayName, isNested, NESTED, type Field, type Frame } from '../frame/frame';
import type { FieldConfig, FieldConfigSource, Loose, Override } from '../model/types';
import { reduce } from './reduce';
import { toRegex } from './mappings';

/** Whether a column (with the name it is shown by) is meant by a matcher. */
export function matches(m: { id: string; options?: unknown }, f: Field, frame: Frame, all: Frame[]): boolean {
  const o = m.options;
  const names = () => [displayName(f, frame, all), f.name, f.config.displayNameFromDS ?? ''];
  switch (m.id) {
    case 'byName':
      return names().includes(String(o));
    case 'byNames': {
      const opt = o as { names?: string[]; mode?: string } | string[] | undefined;
      const list = Array.isArray(opt) ? opt : (opt?.names ?? []);
      const hit = names().some((n) => list.includes(n));
      return !Array.isArray(opt) && opt?.mode === 'exclude' ? !hit && f.type !== 'time' : hit;
    }
    case 'byRegexp': {
      const re = toRegex(String(o ?? ''));
      return re !== null && names().some((n) => ((re.lastIndex = 0), re.test(n)));
    }
    case 'byRegexpOrNames': {
      const opt = (o ?? {}) as { pattern?: string; names?: string[] };
      const re = opt.pattern ? toRegex(opt.pattern) : null;
      return names().some((n) => opt.names?.includes(n) || (re !== null && re.test(n)));
    }
    case 'byType':
      return f.type === o;
    case 'byTypes':
      return Array.isArray(o) && o.includes(f.type);
    case 'numeric':
      return f.type === 'number';
    case 'time':
      return f.type === 'time';
    case 'first':
      return frame.fields[0] === f;
    case 'firstTimeField':
      return frame.fields.find((x) => x.type === 'time') === f;
    case 'byFrameRefID':
      return frame.refId === o;
    case 'byValue': {
      const opt = (o ?? {}) as { reducer?: string; op?: string; value?: number };
      if (f.type !== 'number') return false;
      const v = reduce(f.values, opt.reducer ?? 'allIsZero');
      if (typeof v === 'boolean') return v;
      return typeof v === 'number' && compare(v, opt.op ?? 'eq', Number(opt.value ?? 0));
    }
    default:
      return false;
  }
}

function compare(a: number, op: string, b: number): boolean {
  switch (op) {
    case 'eq':
    case '==':
      return a === b;
    case 'neq':
    case '!=':
      return a !== b;
    case 'gt':
    case '>':
      return a > b;
    case 'gte':
    case '>=':
      return a >= b;
    case 'lt':
    case '<':
      return a < b;
    case 'lte':
    case '<=':
      return a <= b;
    default:
      return false;
  }
}

function setProperty(c: FieldConfig, id: string, value: unknown): void {
  if (id.startsWith('custom.')) {
    const path = id.slice(7).split('.');
    let at = (c.custom ??= {});
    for (const p of path.slice(0, -1)) {
      const next = at[p];
      at = (at[p] = typeof next === 'object' && next !== null ? { ...(next as Loose) } : {}) as Loose;
    }
    at[path[path.length - 1]!] = value;
    return;
  }
  // Overrides with an empty value mean "no longer set".
  (c as Loose)[id] = value === null ? undefined : value;
}

/**
 * Columns with their configuration. `fill` interpolates variables in names and units. The frames
 * given stay as they are.
 */
export function applyFieldConfig(frames: Frame[], source: FieldConfigSource | undefined, fill: (text: string) => string): Frame[] {
  const defaults = source?.defaults ?? {};
  const overrides: Override[] = source?.overrides ?? [];
  return frames.map((frame) => {
    const fields = frame.fields.map((f): Field => {
      const c: FieldConfig = { ...defaults, ...f.config, custom: { ...defaults.custom, ...f.config.custom } };
      // Only numbers have units and thresholds of their own.
      if (f.type !== 'number' && defaults.displayName) c.displayName = f.config.displayName;
      if (f.type === 'time' && defaults.unit && !f.config.unit) c.unit = undefined;
      for (const o of overrides) {
        if (!o.matcher || !matches(o.matcher, f, frame, frames)) continue;
        for (const p of o.properties ?? []) setProperty(c, p.id, p.value);
      }
      if (c.displayName?.includes('$')) c.displayName = keepNames(c.displayName, fill);
      if (c.unit?.includes('$')) c.unit = fill(c.unit);
      if (c.min !== undefined && typeof c.min === 'string') c.min = c.min === '' ? undefined : Number(c.min);
      if (c.max !== undefined && typeof c.max === 'string') c.max = c.max === '' ? undefined : Number(c.max);
      return { ...f, config: c, values: f.name === NESTED ? f.values.map((v) => (isNested(v) ? applyFieldConfig(v, source, fill) : v)) : f.values };
    });
    return { ...frame, fields };
  });
}

/** Variables of the dashboard, not those of the column itself. */
function keepNames(text: string, fill: (text: string) => string): string {
  return text
    .split(/(\$\{?__(?:field|series|data)[^}\s]*\}?)/)
    .map((part) => (part.startsWith('$__') || part.startsWith('${__') ? part : fill(part)))
    .join('');
}
