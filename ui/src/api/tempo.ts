// The Tempo HTTP API under the main door's /tempo/ prefix: searches, traces, tags and metrics over spans.

import { pending } from '../time/state';
import { parseTrace, valueText, type AnyValue, type Trace, type WireTrace } from '../traces/trace';
import { ApiError, getJson } from './prom';

async function ask<T>(path: string, params: Record<string, string | number | undefined>, signal?: AbortSignal): Promise<T> {
  const q = new URLSearchParams();
  for (const [k, v] of Object.entries(params)) if (v !== undefined) q.set(k, String(v));
  pending.value++;
  try {
    return await getJson<T>(`tempo/api/${path}?${q}`, { signal, headers: { Accept: 'application/json' } });
  } finally {
    pending.value--;
  }
}

const seconds = (fromMs: number, toMs: number) => ({ start: Math.floor(fromMs / 1000), end: Math.ceil(toMs / 1000) });

export interface FoundSpan {
  spanID: string;
  name?: string;
  startTimeUnixNano?: string;
  durationNanos?: string;
  attributes?: { key: string; value?: AnyValue }[];
}

export interface FoundTrace {
  traceID: string;
  rootServiceName?: string;
  rootTraceName?: string;
  startTimeUnixNano?: string;
  durationMs?: number;
  spanSets?: { spans?: FoundSpan[]; matched?: number }[];
  serviceStats?: Record<string, { spanCount?: number; errorCount?: number }>;
}

/** Newest first. */
export async function searchTraces(q: string, fromMs: number, toMs: number, limit: number, signal?: AbortSignal): Promise<FoundTrace[]> {
  const a = await ask<{ traces?: FoundTrace[] }>('search', { q, ...seconds(fromMs, toMs), limit, spss: 20 }, signal);
  const at = (t: FoundTrace) => (t.startTimeUnixNano ?? '0').padStart(20, '0');
  return (a.traces ?? []).slice().sort((x, y) => (at(x) < at(y) ? 1 : at(x) > at(y) ? -1 : 0));
}

/** Asks for the newer form first; its answer wraps the trace. */
export async function fetchTrace(id: string, signal: AbortSignal): Promise<Trace | null> {
  const init = { signal, headers: { Accept: 'application/json' } };
  const at = (v: string) => `tempo/api/${v}traces/${encodeURIComponent(id)}`;
  const wire = await getJson<WireTrace>(at('v2/'), init).catch((e: unknown) => {
    if (e instanceof ApiError && e.status === 404) return getJson<WireTrace>(at(''), init);
    throw e;
  });
  return parseTrace(wire);
}

/** Names of attributes with their scope, as TraceQL writes them. */
export async function traceTags(fromMs: number, toMs: number, signal?: AbortSignal): Promise<string[]> {
  const a = await ask<{ scopes?: { name: string; tags?: string[] }[] }>('v2/search/tags', { ...seconds(fromMs, toMs), limit: 1000 }, signal);
  // A name with anything else in it would not be read back.
  return (a.scopes ?? []).filter((s) => s.name !== 'intrinsic').flatMap((s) => (s.tags ?? []).map((t) => `${s.name}.${/^[\w.\-/]+$/.test(t) ? t : JSON.stringify(t)}`));
}

/** Values of a field, of the spans that a query finds. */
export async function traceValues(name: string, q: string | undefined, fromMs: number, toMs: number, signal?: AbortSignal): Promise<string[]> {
  const a = await ask<{ tagValues?: { type?: string; value?: string | number }[] }>(`v2/search/tag/${encodeURIComponent(name)}/values`, { ...seconds(fromMs, toMs), q, limit: 500 }, signal);
  return (a.tagValues ?? []).map((v) => String(v.value ?? '')).filter(Boolean);
}

export interface SpanSeries {
  labels: Record<string, string>;
  times: number[];
  values: number[];
  exemplars: { traceId: string; value: number; timeMs: number }[];
}

interface WireSeries {
  labels?: { key: string; value?: AnyValue }[];
  samples?: { timestampMs: string | number; value?: number | string }[];
  value?: number | string;
  exemplars?: { labels?: { key: string; value?: AnyValue }[]; value?: number; timestampMs?: string | number }[];
}

const number = (v: number | string | undefined): number => (v === undefined ? 0 : typeof v === 'number' ? v : v === 'NaN' ? NaN : Number(v));

function series(s: WireSeries): SpanSeries {
  return {
    labels: Object.fromEntries((s.labels ?? []).map((l) => [l.key, valueText(l.value)])),
    times: (s.samples ?? []).map((x) => Number(x.timestampMs)),
    values: s.samples ? s.samples.map((x) => number(x.value)) : [number(s.value)],
    exemplars: (s.exemplars ?? []).map((e) => ({ traceId: valueText(e.labels?.find((l) => l.key === 'trace:id')?.value), value: e.value ?? 0, timeMs: Number(e.timestampMs ?? 0) })),
  };
}

export async function traceMetrics(q: string, fromMs: number, toMs: number, stepMs: number, signal?: AbortSignal): Promise<SpanSeries[]> {
  const a = await ask<{ series?: WireSeries[] }>('metrics/query_range', { q, ...seconds(fromMs, toMs), step: `${Math.max(1, Math.round(stepMs / 1000))}s` }, signal);
  return (a.series ?? []).map(series);
}

/** One value a series over the whole range. */
export async function traceInstant(q: string, fromMs: number, toMs: number, signal?: AbortSignal): Promise<SpanSeries[]> {
  const a = await ask<{ series?: WireSeries[] }>('metrics/query', { q, ...seconds(fromMs, toMs) }, signal);
  return (a.series ?? []).map(series);
}
