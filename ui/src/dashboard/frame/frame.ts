// Tables in columns: what queries answer, transformations rearrange and panels draw.

import type { FieldConfig } from '../model/types';

export type FieldType = 'time' | 'number' | 'string' | 'boolean' | 'other';

export interface Field {
  name: string;
  type: FieldType;
  /** Times are milliseconds since 1970. */
  values: unknown[];
  labels?: Record<string, string>;
  config: FieldConfig;
}

export interface Frame {
  name?: string;
  refId?: string;
  fields: Field[];
  length: number;
  /** 'timeseries' frames are one series each; 'heatmap-rows' are buckets, lowest first; 'heatmap-cells' a row a cell. */
  kind?: 'timeseries' | 'table' | 'heatmap-rows' | 'heatmap-cells' | 'logs' | 'nodes' | 'edges' | 'trace';
  /** Distance of the points of a regular grid. */
  stepMs?: number;
}

export function field(name: string, type: FieldType, values: unknown[], labels?: Record<string, string>, config: FieldConfig = {}): Field {
  return labels ? { name, type, values, labels, config } : { name, type, values, config };
}

export function frameOf(fields: Field[], more: Partial<Frame> = {}): Frame {
  return { fields, length: Math.max(0, ...fields.map((f) => f.values.length)), ...more };
}

export function timeField(f: Frame): Field | undefined {
  return f.fields.find((x) => x.type === 'time');
}

/** The type most values have. */
export function guessType(values: unknown[]): FieldType {
  for (const v of values) {
    if (v === null || v === undefined || v === '') continue;
    if (typeof v === 'number') return 'number';
    if (typeof v === 'boolean') return 'boolean';
    if (typeof v === 'string') return 'string';
    return 'other';
  }
  return 'string';
}

export function labelsText(labels: Record<string, string>): string {
  const { __name__: _n, ...rest } = labels;
  const keys = Object.keys(rest).sort();
  return keys.length ? `{${keys.map((k) => `${k}="${rest[k]}"`).join(', ')}}` : '';
}

/**
 * The name a column is shown by: the one configured, the one its query gave, or what tells it from
 * the others (frame name, column name, labels).
 */
export function displayName(f: Field, frame?: Frame, all?: Frame[]): string {
  const c = f.config;
  if (c.displayName) return fillName(c.displayName, f, frame);
  if (c.displayNameFromDS) return c.displayNameFromDS;
  if (f.type === 'time' && !f.labels) return f.name || 'Time';
  const parts: string[] = [];
  const plainName = f.name === 'Value' || f.name === '';
  if (all && frame?.name && new Set(all.map((x) => x.name)).size > 1 && frame.name !== f.name) parts.push(frame.name);
  if (!plainName && !(parts.length > 0 && f.name === 'Value')) parts.push(f.name);
  if (f.labels) {
    const keys = Object.keys(f.labels).filter((k) => k !== '__name__');
    const metric = f.labels['__name__'];
    if (metric && plainName && parts.length === 0) parts.push(metric);
    if (keys.length === 1 && parts.length === 0) parts.push(f.labels[keys[0]!]!);
    else if (keys.length) parts.push(labelsText(f.labels));
  }
  return parts.length ? parts.join(' ') : f.name || frame?.name || 'Value';
}

/** `${__field.labels.x}`, `${__series.name}`, `${__field.name}` inside a display name. */
function fillName(template: string, f: Field, frame?: Frame): string {
  if (!template.includes('$')) return template;
  return template.replace(
    /\$\{?__(?:field\.labels(?:\.([\w.-]+)|\["([^"]+)"\])|field\.labels|field\.name|field\.displayName|series\.name|data\.refId)\}?/g,
    (all, a: string | undefined, b: string | undefined) => {
      const key = a ?? b;
      if (key !== undefined) return f.labels?.[key] ?? '';
      if (all.includes('labels')) return f.labels ? labelsText(f.labels) : '';
      if (all.includes('refId')) return frame?.refId ?? '';
      if (all.includes('field.name')) return f.name;
      return f.config.displayNameFromDS ?? displayName({ ...f, config: { ...f.config, displayName: undefined } }, frame);
    },
  );
}

/** The column that holds a row's tables. */
export const NESTED = '__nestedFrames';

export function isNested(v: unknown): v is Frame[] {
  return Array.isArray(v) && v.length > 0 && typeof v[0] === 'object' && v[0] !== null && 'fields' in v[0];
}
