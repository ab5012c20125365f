// The Prometheus HTTP API under the main door's /prometheus/ prefix.

import { pending } from '../time/state';

export class ApiError extends Error {
  constructor(
    message: string,
    /** Prometheus' errorType (bad_data, execution, timeout, …), or 'network' / 'http'. */
    readonly type: string,
    readonly status: number,
  ) {
    super(message);
  }
}

export interface Answer<T> {
  data: T;
  warnings: string[];
  infos: string[];
}

export type Labels = Record<string, string>;
export type Sample = [t: number, v: string];

export interface HistogramJson {
  count: string;
  sum: string;
  buckets?: [number, string, string, string][];
}

export interface VectorItem {
  metric: Labels;
  value?: Sample;
  histogram?: [number, HistogramJson];
}

export interface MatrixItem {
  metric: Labels;
  values?: Sample[];
  histograms?: [number, HistogramJson][];
}

export type QueryData =
  | { resultType: 'vector'; result: VectorItem[] }
  | { resultType: 'matrix'; result: MatrixItem[] }
  | { resultType: 'scalar' | 'string'; result: Sample };

export interface MetricMeta {
  type: string;
  help: string;
  unit: string;
}

export interface Target {
  labels: Labels;
  discoveredLabels: Labels;
  scrapePool: string;
  scrapeUrl: string;
  lastError: string;
  lastScrape: string;
  lastScrapeDuration: number;
  health: string;
  scrapeInterval: string;
  scrapeTimeout: string;
}

type Params = Record<string, string | number | string[] | undefined>;

export function isAbort(e: unknown): boolean {
  return e instanceof DOMException && e.name === 'AbortError';
}

export async function getJson<T>(path: string, init?: RequestInit): Promise<T> {
  let res: Response;
  try {
    res = await fetch(new URL(path, document.baseURI), init);
  } catch (e) {
    if (isAbort(e)) throw e;
    throw new ApiError('Pharos does not answer. Is it still running?', 'network', 0);
  }
  const text = await res.text();
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    // Loki's and Tempo's errors are plain text.
    const said = (res.headers.get('Content-Type') ?? '').startsWith('text/plain') ? text.trim().slice(0, 1000) : '';
    throw new ApiError(res.ok ? `The answer to ${path} is not JSON.` : said || `${res.status} ${res.statusText || text.slice(0, 120)}`, 'http', res.status);
  }
  if (!res.ok) {
    const e = body as { errorType?: string; error?: string };
    throw new ApiError(e.error ?? `${res.status} ${res.statusText}`, e.errorType ?? 'http', res.status);
  }
  return body as T;
}

async function call<T>(path: string, params: Params, signal?: AbortSignal): Promise<Answer<T>> {
  const q = new URLSearchParams();
  for (const [k, v] of Object.entries(params)) {
    if (Array.isArray(v)) for (const one of v) q.append(k, one);
    else if (v !== undefined) q.set(k, String(v));
  }
  const text = q.toString();
  const url = `prometheus/api/v1/${path}`;
  // Long expressions do not fit into a URL.
  const long = text.length > 4000;
  pending.value++;
  try {
    const r = await getJson<{ status: string; data: T; warnings?: string[]; infos?: string[] }>(
      long || text === '' ? url : `${url}?${text}`,
      long
        ? { signal, method: 'POST', body: text, headers: { 'Content-Type': 'application/x-www-form-urlencoded' } }
        : { signal },
    );
    return { data: r.data, warnings: r.warnings ?? [], infos: r.infos ?? [] };
  } finally {
    pending.value--;
  }
}

const sec = (ms: number) => (ms / 1000).toFixed(3);

/** Only what has samples between these instants. */
export interface Within {
  fromMs: number;
  toMs: number;
}
const times = (w: Within | undefined) => (w ? { start: sec(w.fromMs), end: sec(w.toMs) } : {});

export const prom = {
  query: (expr: string, timeMs: number | undefined, signal?: AbortSignal, limit?: number) =>
    call<QueryData>('query', { query: expr, time: timeMs === undefined ? undefined : sec(timeMs), limit }, signal),
  queryRange: (expr: string, startMs: number, endMs: number, stepMs: number, signal?: AbortSignal, limit?: number) =>
    call<{ resultType: 'matrix'; result: MatrixItem[] }>(
      'query_range',
      { query: expr, start: sec(startMs), end: sec(endMs), step: stepMs / 1000, limit },
      signal,
    ),
  series: (match: string[], startMs: number, endMs: number, signal?: AbortSignal) =>
    call<Labels[]>('series', { 'match[]': match, start: sec(startMs), end: sec(endMs) }, signal),
  labels: (match: string[] = [], signal?: AbortSignal, within?: Within) =>
    call<string[]>('labels', { 'match[]': match, ...times(within) }, signal),
  labelValues: (name: string, match: string[] = [], signal?: AbortSignal, within?: Within) =>
    call<string[]>(`label/${encodeURIComponent(name)}/values`, { 'match[]': match, ...times(within) }, signal),
  metadata: (signal?: AbortSignal) => call<Record<string, MetricMeta[]>>('metadata', {}, signal),
  targets: (signal?: AbortSignal) => call<{ activeTargets: Target[] }>('targets', { state: 'active' }, signal),
  buildinfo: (signal?: AbortSignal) => call<Record<string, string>>('status/buildinfo', {}, signal),
  runtimeinfo: (signal?: AbortSignal) => call<Record<string, unknown>>('status/runtimeinfo', {}, signal),
};

/** Sample text to a number; Prometheus writes NaN and ±Inf as words. */
export function toNumber(text: string): number {
  if (text === '+Inf') return Infinity;
  if (text === '-Inf') return -Infinity;
  return Number(text);
}
