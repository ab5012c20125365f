// The Loki HTTP API under the main door's /loki/ prefix.

import { getJson } from '../../api/prom';
import { pending } from '../../time/state';

export interface LokiStream {
  stream: Record<string, string>;
  /** The third is there when categories were asked for and there are any. */
  values: [ns: string, line: string, more?: { structuredMetadata?: Record<string, string>; parsed?: Record<string, string> }][];
}

export interface LokiMatrixItem {
  metric: Record<string, string>;
  values: [number, string][];
}

export interface LokiVectorItem {
  metric: Record<string, string>;
  value: [number, string];
}

/** `warnings` say what the answer lacks. */
export type LokiData = { warnings?: string[] } & (
  | { resultType: 'streams'; result: LokiStream[] }
  | { resultType: 'matrix'; result: LokiMatrixItem[] }
  | { resultType: 'vector'; result: LokiVectorItem[] }
);

async function ask<T>(path: string, params: Record<string, string | number | undefined>, signal?: AbortSignal): Promise<T> {
  const q = new URLSearchParams();
  for (const [k, v] of Object.entries(params)) if (v !== undefined) q.set(k, String(v));
  pending.value++;
  try {
    // Stream labels, structured metadata and parsed fields are told apart in answers; a limit that is reached ends in a
    // part of the answer with a warning.
    const headers = { 'X-Loki-Response-Encoding-Flags': 'categorize-labels', 'X-Pharos-Partial-Response': 'true' };
    const r = await getJson<{ status: string; data: T; warnings?: string[] }>(`loki/loki/api/v1/${path}?${q}`, { signal, headers });
    // Lists of names have no place for them.
    return r.warnings?.length && typeof r.data === 'object' && r.data !== null && !Array.isArray(r.data) ? { ...r.data, warnings: r.warnings } : r.data;
  } finally {
    pending.value--;
  }
}

const ns = (ms: number) => `${Math.round(ms)}000000`;

export const loki = {
  queryRange: (query: string, fromMs: number, toMs: number, o: { stepMs?: number; limit?: number; direction?: string }, signal?: AbortSignal) =>
    ask<LokiData>(
      'query_range',
      { query, start: ns(fromMs), end: ns(toMs), step: o.stepMs ? `${o.stepMs / 1000}s` : undefined, limit: o.limit, direction: o.direction },
      signal,
    ),
  query: (query: string, atMs: number, limit: number | undefined, signal?: AbortSignal) =>
    ask<LokiData>('query', { query, time: ns(atMs), limit }, signal),
};

export const lokiLabels = (fromMs: number, toMs: number, signal?: AbortSignal) =>
  ask<string[] | null>('labels', { start: ns(fromMs), end: ns(toMs) }, signal).then((d) => d ?? []);

export const lokiLabelValues = (name: string, query: string | undefined, fromMs: number, toMs: number, signal?: AbortSignal) =>
  ask<string[] | null>(`label/${encodeURIComponent(name)}/values`, { query, start: ns(fromMs), end: ns(toMs) }, signal).then((d) => d ?? []);

export interface DetectedField {
  label: string;
  type?: string;
  cardinality?: number;
  parsers?: string[] | null;
}

/** Fields that a sample of the lines has: structured metadata, and what JSON and logfmt lines hold. */
export async function lokiDetectedFields(query: string, fromMs: number, toMs: number, signal?: AbortSignal): Promise<DetectedField[]> {
  const q = new URLSearchParams({ query, start: ns(fromMs), end: ns(toMs), limit: '500', line_limit: '5000' });
  return (await getJson<{ fields?: DetectedField[] | null }>(`loki/loki/api/v1/detected_fields?${q}`, { signal })).fields ?? [];
}

export async function lokiFieldValues(name: string, query: string, fromMs: number, toMs: number, signal?: AbortSignal): Promise<string[]> {
  const q = new URLSearchParams({ query, start: ns(fromMs), end: ns(toMs), limit: '500' });
  return (await getJson<{ values?: string[] | null }>(`loki/loki/api/v1/detected_field/${encodeURIComponent(name)}/values?${q}`, { signal })).values ?? [];
}

export interface LogPattern {
  pattern: string;
  level: string;
  /** Seconds since 1970, and lines in the step that begins then. */
  samples: [number, number][];
}

/** What the newest lines of the range have in common. */
export async function lokiPatterns(query: string, fromMs: number, toMs: number, stepMs: number, signal?: AbortSignal): Promise<LogPattern[]> {
  const d = await ask<{ pattern?: string; level?: string; samples?: [number, number][] }[] | null>('patterns', { query, start: ns(fromMs), end: ns(toMs), step: `${Math.round(stepMs / 1000)}s` }, signal);
  return (d ?? []).map((p) => ({ pattern: p.pattern ?? '', level: p.level ?? '', samples: p.samples ?? [] }));
}
