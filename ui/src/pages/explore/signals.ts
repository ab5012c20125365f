// From one signal to the others: which service a query is about, and what to ask of it elsewhere.

import { escapeRegex, quote } from '../../api/expr';
import { prom } from '../../api/prom';
import type { Query, Signal } from './panes';

/** Labels that name a service, the surest first. */
const NAMES = ['service_name', 'service', 'resource.service.name', 'service.name', 'job', 'app', 'container'];

const MATCHER = /([a-zA-Z_.][\w.:]*)\s*(=~|=)\s*(?:"((?:[^"\\]|\\.)*)"|`([^`]*)`)/g;

/** The service that the matchers of a query name, or ''. */
export function serviceOf(expr: string): string {
  const found = new Map<string, string>();
  for (const m of expr.matchAll(MATCHER)) {
    const value = m[3] !== undefined ? m[3].replace(/\\(.)/g, '$1') : m[4]!;
    const name = m[1]!;
    // A regular expression names one service only when nothing in it is special.
    const plain = m[2] === '=' ? value : /^\(\.\*\/\)\?([\w.-]+)$/.exec(value)?.[1] ?? (/^[\w-]+$/.test(value) ? value : '');
    if (plain && !found.has(name)) found.set(name, plain);
  }
  for (const n of NAMES) {
    const v = found.get(n);
    // A job may carry the namespace of its service before it.
    if (v) return n === 'job' ? v.slice(v.lastIndexOf('/') + 1) : v;
  }
  return '';
}

export const serviceLogs = (service: string): string => `{service_name=${quote(service)}}`;
export const serviceTraces = (service: string): string => `{ resource.service.name = ${quote(service)} }`;
/** All series that the service itself sent. */
export const serviceSeries = (service: string): string => `{job=~${quote(`(.*/)?${escapeRegex(service)}`)}}`;

export interface SpanMetrics {
  calls: string;
  latency: string;
  /** Of the latency's histogram, to seconds. */
  scale: number;
  service: string;
}

/** Tempo's names and those of the collector's connector. */
export const SPAN_METRICS: SpanMetrics[] = [
  { calls: 'traces_spanmetrics_calls_total', latency: 'traces_spanmetrics_latency', scale: 1, service: 'service' },
  { calls: 'traces_span_metrics_calls_total', latency: 'traces_span_metrics_duration_milliseconds', scale: 0.001, service: 'service_name' },
];

/** Queries that show a service's metrics: its calls and their duration, and the rest of what it sends. */
export async function serviceMetrics(service: string, fromMs: number, toMs: number, signal?: AbortSignal): Promise<string[]> {
  const within = { fromMs, toMs };
  for (const m of SPAN_METRICS) {
    const sel = `{${m.service}=${quote(service)}}`;
    const names = await prom.labelValues('__name__', [`${m.calls}${sel}`], signal, within).then((a) => a.data, () => []);
    if (names.length) {
      return [
        `sum by (span_name) (rate(${m.calls}${sel}[$__rate_interval]))`,
        `histogram_quantile(0.95, sum by (le) (rate(${m.latency}_bucket${sel}[$__rate_interval])))${m.scale === 1 ? '' : ` * ${m.scale}`}`,
      ];
    }
  }
  return [serviceSeries(service)];
}

/** What a pane of another signal asks about the same thing; empty when there is nothing to go by. */
export async function translate(from: Query[], to: Signal, fromMs: number, toMs: number): Promise<string[]> {
  const service = from.map((q) => serviceOf(q.expr)).find(Boolean) ?? '';
  if (!service) return [];
  if (to === 'logs') return [serviceLogs(service)];
  if (to === 'traces') return [serviceTraces(service)];
  return serviceMetrics(service, fromMs, toMs);
}
