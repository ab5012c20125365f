// Frames as Grafana writes them, in snapshots and in the answers of public dashboards.

import { field, frameOf, type FieldType, type Frame } from '../frame/frame';
import type { FieldConfig } from '../model/types';

interface WireField {
  name?: string;
  type?: string;
  labels?: Record<string, string>;
  config?: FieldConfig;
  values?: unknown;
}

export interface WireFrame {
  schema?: { refId?: string; name?: string; meta?: { preferredVisualisationType?: string }; fields?: WireField[] };
  data?: { values?: unknown[][] };
  /** The flat form of snapshots. */
  fields?: WireField[];
  refId?: string;
  name?: string;
  kind?: string;
}

const TYPES: Record<string, FieldType> = { time: 'time', number: 'number', string: 'string', boolean: 'boolean' };

export function fromWire(list: unknown): Frame[] {
  if (!Array.isArray(list)) return [];
  return (list as WireFrame[]).map((w): Frame => {
    const fields = w.schema?.fields ?? w.fields ?? [];
    const made = fields.map((f, i) => {
      const values = w.data?.values?.[i] ?? f.values;
      return field(f.name ?? '', TYPES[f.type ?? ''] ?? 'other', Array.isArray(values) ? values : [], f.labels, f.config ?? {});
    });
    const series = made.length === 2 && made[0]!.type === 'time' && made[1]!.type === 'number';
    return frameOf(made, { refId: w.schema?.refId ?? w.refId, name: w.schema?.name ?? w.name, kind: (w.kind as Frame['kind']) ?? (series ? 'timeseries' : 'table') });
  });
}

export function toWire(frames: Frame[]): WireFrame[] {
  return frames.map((f) => ({ refId: f.refId, name: f.name, kind: f.kind, fields: f.fields.map((x) => ({ name: x.name, type: x.type, labels: x.labels, config: x.config, values: x.values })) }));
}
