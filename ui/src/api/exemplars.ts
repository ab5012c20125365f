// Exemplars of answers as points of a drawing, with the way to their traces.

import { format } from '../format/units';
import { href } from '../shell/router';
import type { ChartPoint } from '../chart/points';
import type { RangeResult } from './ranges';

const TRACE = ['trace_id', 'traceID', 'traceId', 'traceid'];
const MOST = 500;

/** The trace that labels name, or ''. */
export function traceIdOf(labels: Record<string, string>): string {
  for (const k of TRACE) if (/^[0-9a-fA-F]{16,32}$/.test(labels[k] ?? '')) return labels[k]!.toLowerCase();
  return '';
}

export function exemplarPoints(results: (RangeResult | undefined)[], unit: string): ChartPoint[] {
  const out: ChartPoint[] = [];
  const seen = new Set<string>();
  for (const r of results) {
    for (const e of r?.exemplars ?? []) {
      const trace = traceIdOf(e.labels);
      const key = `${e.timeMs}|${e.value}|${trace}`;
      if (!Number.isFinite(e.value) || seen.has(key) || out.length >= MOST) continue;
      seen.add(key);
      const { __name__: _, le: _le, ...series } = e.series;
      out.push({
        timeMs: e.timeMs,
        value: e.value,
        title: trace ? 'Exemplar, click for its trace' : 'Exemplar',
        rows: [['value', format(e.value, unit)], ...Object.entries({ ...series, ...e.labels }).map(([k, v]): [string, string] => [k, v])],
        ...(trace ? { href: href(`/trace/${trace}`, e.labels['span_id'] ? { span: e.labels['span_id'] } : {}) } : {}),
      });
    }
  }
  return out;
}
