// The Tempo HTTP API under the main door's /tempo/ prefix: TraceQL search and metrics as frames.

import { getJson } from '../../api/prom';
import { pending } from '../../time/state';
import { field, frameOf, type Frame } from '../frame/frame';
import type { Target } from '../model/types';
import { seriesFrames } from './frames';

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

export async function tempoFrames(t: Target, query: string, fromMs: number, toMs: number, stepMs: number, signal: AbortSignal): Promise<Frame[]> {
  const start = Math.floor(fromMs / 1000);
  const end = Math.ceil(toMs / 1000);
  if (isMetricsQuery(query)) {
    const a = await ask<{ series?: MetricsSeries[] }>('metrics/query_range', { q: query, start, end, step: `${Math.round(stepMs / 1000)}s` }, signal);
    const series = (a.series ?? []).map((s) => ({
      labels: Object.fromEntries((s.labels ?? []).map((l) => [l.key, anyText(l.value)])),
      times: (s.samples ?? []).map((x) => Number(x.timestampMs)),
      values: (s.samples ?? []).map((x) => x.value ?? 0),
    }));
    return seriesFrames(series, t.refId, t.legendFormat || '__auto', query, stepMs);
  }
  const a = await ask<{ traces?: SearchTrace[] }>('search', { q: query || '{}', start, end, limit: Number(t['limit']) || 20 }, signal);
  const rows = a.traces ?? [];
  const link = [{ title: 'Open the trace', url: '/trace/${__value.raw}' }];
  return [
    frameOf(
      [
        field('Trace ID', 'string', rows.map((r) => r.traceID), undefined, { links: link }),
        field('Start time', 'time', rows.map((r) => Number((r.startTimeUnixNano ?? '0').slice(0, -6)))),
        field('Service', 'string', rows.map((r) => r.rootServiceName ?? '')),
        field('Name', 'string', rows.map((r) => r.rootTraceName ?? '')),
        field('Duration', 'number', rows.map((r) => r.durationMs ?? 0), undefined, { unit: 'ms' }),
      ],
      { refId: t.refId, kind: 'table' },
    ),
  ];
}
