// The Tempo HTTP API under the main door's /tempo/ prefix: TraceQL search and metrics as frames.

import { ask as askMany, languages, type Named } from '../../api/multi';
import { ApiError, getJson } from '../../api/prom';
import { pending } from '../../time/state';
import { gridFor } from '../../time/step';
import { field, frameOf, type Frame } from '../frame/frame';
import type { Target } from '../model/types';
import type { WireTrace } from '../../traces/trace';
import { answerSeries, exemplarFrame, seriesFrames } from './frames';
import { traceFrame } from './trace_frames';

interface AnyValue {
  stringValue?: string;
  intValue?: string | number;
  doubleValue?: number;
  boolValue?: boolean;
}

interface SearchTrace {
  traceID: string;
  rootServiceName?: string;
  rootTraceName?: string;
  startTimeUnixNano?: string;
  durationMs?: number;
  spanSets?: SpanSet[];
  spanSet?: SpanSet;
}

interface SpanSet {
  spans?: { spanID?: string; name?: string; startTimeUnixNano?: string; durationNanos?: string | number; attributes?: { key: string; value: AnyValue }[] }[];
}

interface MetricsSeries {
  labels?: { key: string; value: AnyValue }[];
  samples?: { timestampMs: string | number; value?: number }[];
}

export function anyText(v: AnyValue | undefined): string {
  if (!v) return '';
  return String(v.stringValue ?? v.intValue ?? v.doubleValue ?? v.boolValue ?? '');
}

async function ask<T>(path: string, params: Record<string, string | number>, signal: AbortSignal): Promise<T> {
  pending.value++;
  try {
    const q = new URLSearchParams(Object.entries(params).map(([k, v]): [string, string] => [k, String(v)]));
    return await getJson<T>(`tempo/api/${path}?${q}`, { signal, headers: { Accept: 'application/json' } });
  } finally {
    pending.value--;
  }
}

/** Whether a TraceQL query ends in a metric. */
export function isMetricsQuery(q: string): boolean {
  return /\|\s*(rate|count_over_time|min_over_time|max_over_time|avg_over_time|sum_over_time|quantile_over_time|histogram_over_time|compare)\s*\(/.test(q);
}

/** A query that is nothing but the id of a trace. */
export function traceIdOf(query: string): string | null {
  const t = query.trim();
  return /^[0-9a-fA-F]{16,32}$/.test(t) ? t.toLowerCase() : null;
}

export async function traceById(id: string, signal: AbortSignal): Promise<WireTrace> {
  return ask<WireTrace>(`v2/traces/${encodeURIComponent(id)}`, {}, signal).catch((e: unknown) => {
    if (e instanceof ApiError && e.status === 404) throw new ApiError(`No trace ${id} is stored here.`, e.type, 404);
    throw e;
  });
}

const TRACE_LINK = [{ title: 'Open the trace', url: '/trace/${__value.raw}' }];

function spanRows(rows: SearchTrace[], refId: string): Frame {
  const spans = rows.flatMap((t) => (t.spanSets ?? (t.spanSet ? [t.spanSet] : [])).flatMap((set) => (set.spans ?? []).map((s) => ({ t, s }))));
  const keys = [...new Set(spans.flatMap(({ s }) => (s.attributes ?? []).map((a) => a.key)))].slice(0, 30);
  return frameOf(
    [
      field('Trace ID', 'string', spans.map(({ t }) => t.traceID), undefined, { links: TRACE_LINK }),
      field('Span ID', 'string', spans.map(({ s }) => s.spanID ?? '')),
      field('Start time', 'time', spans.map(({ s }) => Number((s.startTimeUnixNano ?? '0').slice(0, -6)))),
      field('Service', 'string', spans.map(({ t }) => t.rootServiceName ?? '')),
      field('Name', 'string', spans.map(({ s, t }) => s.name ?? t.rootTraceName ?? '')),
      ...keys.map((k) => field(k, 'string', spans.map(({ s }) => anyText(s.attributes?.find((a) => a.key === k)?.value)))),
      field('Duration', 'number', spans.map(({ s }) => Number(s.durationNanos ?? 0)), undefined, { unit: 'ns' }),
    ],
    { refId, kind: 'table' },
  );
}

export async function tempoFrames(t: Target, query: string, fromMs: number, toMs: number, stepMs: number, signal: AbortSignal, named?: Named): Promise<Frame[]> {
  const start = Math.floor(fromMs / 1000);
  const end = Math.ceil(toMs / 1000);
  const many = (await languages()).has('traceql');
  if (isMetricsQuery(query)) {
    if (many) {
      const grid = gridFor(fromMs, toMs, stepMs);
      const m = await askMany({ lang: 'traceql', type: 'range', query, fromMs: grid.startMs, toMs: grid.endMs, stepMs, exemplars: t['exemplars'] !== 0, named }, signal);
      return [...seriesFrames(answerSeries(m), t.refId, t.legendFormat || '__auto', query, stepMs), ...(m.exemplars.length ? [exemplarFrame(m.exemplars, t.refId)] : [])];
    }
    const a = await ask<{ series?: MetricsSeries[] }>('metrics/query_range', { q: query, start, end, step: `${Math.round(stepMs / 1000)}s` }, signal);
    const series = (a.series ?? []).map((s) => ({
      labels: Object.fromEntries((s.labels ?? []).map((l) => [l.key, anyText(l.value)])),
      times: (s.samples ?? []).map((x) => Number(x.timestampMs)),
      values: (s.samples ?? []).map((x) => x.value ?? 0),
    }));
    return seriesFrames(series, t.refId, t.legendFormat || '__auto', query, stepMs);
  }
  const id = traceIdOf(query);
  if (id) {
    const f = traceFrame(await traceById(id, signal), t.refId);
    return f ? [f] : [];
  }
  const spans = t['tableType'] === 'spans' || t['tableType'] === 'raw';
  const a = many && !spans ? { traces: (await askMany({ lang: 'traceql', type: 'range', query: query || '{}', fromMs, toMs, stepMs: 1000 * Math.max(1, Math.ceil((toMs - fromMs) / 1e6)), limit: Number(t['limit']) || 20, exact: true, named }, signal)).traces as SearchTrace[] | undefined } : await ask<{ traces?: SearchTrace[] }>('search', { q: query || '{}', start, end, limit: Number(t['limit']) || 20, ...(spans ? { spss: Number(t['spss']) || 10 } : {}) }, signal);
  const rows = (a.traces ?? []).slice().sort((x, y) => ((x.startTimeUnixNano ?? '') < (y.startTimeUnixNano ?? '') ? 1 : -1));
  if (spans) return [spanRows(rows, t.refId)];
  return [
    frameOf(
      [
        field('Trace ID', 'string', rows.map((r) => r.traceID), undefined, { links: TRACE_LINK }),
        field('Start time', 'time', rows.map((r) => Number((r.startTimeUnixNano ?? '0').slice(0, -6)))),
        field('Service', 'string', rows.map((r) => r.rootServiceName ?? '')),
        field('Name', 'string', rows.map((r) => r.rootTraceName ?? '')),
        field('Duration', 'number', rows.map((r) => r.durationMs ?? 0), undefined, { unit: 'ms' }),
      ],
      { refId: t.refId, kind: 'table' },
    ),
  ];
}
