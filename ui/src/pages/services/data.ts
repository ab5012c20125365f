// Services and the calls between them, out of the metrics that spans leave behind. Tempo's names and the Collector's
// are both understood; all queries of a refresh go into one request.

import { escapeRegex, quote } from '../../api/expr';
import { ask, type MultiAnswer } from '../../api/multi';
import { isAbort, prom, type Labels } from '../../api/prom';
import { SPAN_METRICS, type SpanMetrics } from '../explore/signals';

/** Requests that a service answers; its calls of others are the callee's. */
const ANSWERED = 'span_kind=~"SPAN_KIND_SERVER|SPAN_KIND_CONSUMER"';
const FAILED = 'status_code="STATUS_CODE_ERROR"';
const CALLS = 'traces_service_graph_request';

export interface Figures {
  /** A second. */
  rate: number;
  failed: number;
  /** Seconds; null when nothing was measured. */
  p50: number | null;
  p95: number | null;
  p99: number | null;
}

export interface Service extends Figures {
  name: string;
  /** Spans of any kind a second: what a service without requests still does. */
  spans: number;
}

export interface Operation extends Figures {
  name: string;
  kind: string;
}

export interface Call {
  client: string;
  server: string;
  /** '' between services; database, messaging_system, virtual_node. */
  type: string;
  rate: number;
  failed: number;
  /** Mean, in seconds. */
  seconds: number | null;
  p95: number | null;
}

/** A window that holds all of the range, and two samples. */
export function windowOf(fromMs: number, toMs: number): string {
  return `${Math.max(60, Math.round((toMs - fromMs) / 1000))}s`;
}

export type Table = Map<string, number>;

/** Values by some labels of their series; what is no number is left out. */
export function tableOf(a: MultiAnswer | undefined, ...names: string[]): Table {
  const out: Table = new Map();
  for (const s of a?.series ?? []) {
    const v = s.values[0];
    if (v !== null && v !== undefined && Number.isFinite(v)) out.set(keyOf(s.labels, names), v);
  }
  return out;
}

export function keyOf(labels: Labels, names: string[]): string {
  return names.map((n) => labels[n] ?? '').join('\x01');
}

/** What was found, and what could not be: a percentile that fails does not take the rest with it. */
export interface Loaded<T> {
  list: T[];
  problems: string[];
}

async function instants<K extends string>(queries: Record<K, string>, first: NoInfer<K>, fromMs: number, toMs: number, signal: AbortSignal): Promise<{ a: Partial<Record<K, MultiAnswer>>; problems: string[] }> {
  const names = Object.keys(queries) as K[];
  const answers = await Promise.allSettled(names.map((n) => ask({ lang: 'promql', type: 'instant', query: queries[n], fromMs, toMs }, signal)));
  const a: Partial<Record<K, MultiAnswer>> = {};
  const problems = new Set<string>();
  answers.forEach((x, i) => {
    if (x.status === 'fulfilled') a[names[i]!] = x.value;
    // Without the first there is nothing to show the others beside.
    else if (names[i] === first || isAbort(x.reason)) throw x.reason;
    else problems.add((x.reason as Error).message);
  });
  return { a, problems: [...problems] };
}

/** Which names the metrics from spans have here; null when there are none in the range. */
export async function spanMetrics(fromMs: number, toMs: number, signal?: AbortSignal): Promise<SpanMetrics | null> {
  const found = await prom.labelValues('__name__', [`{__name__=~${quote(SPAN_METRICS.map((m) => m.calls).join('|'))}}`], signal, { fromMs, toMs });
  return SPAN_METRICS.find((m) => found.data.includes(m.calls)) ?? null;
}

const matchers = (...list: string[]) => `{${list.filter(Boolean).join(',')}}`;

/** Rate, failures and percentiles, grouped by labels. */
function figureQueries(m: SpanMetrics, by: string, sel: string[], over: string) {
  const quantile = (q: number) => `histogram_quantile(${q}, sum by (${by}, le) (rate(${m.latency}_bucket${matchers(...sel)}[${over}])))${m.scale === 1 ? '' : ` * ${m.scale}`}`;
  const rate = (...more: string[]) => `sum by (${by}) (rate(${m.calls}${matchers(...sel, ...more)}[${over}])) > 0`;
  return { rate: rate(), failed: rate(FAILED), p50: quantile(0.5), p95: quantile(0.95), p99: quantile(0.99) };
}

function figures(t: { rate: Table; failed: Table; p50: Table; p95: Table; p99: Table }, key: string): Figures {
  return { rate: t.rate.get(key) ?? 0, failed: t.failed.get(key) ?? 0, p50: t.p50.get(key) ?? null, p95: t.p95.get(key) ?? null, p99: t.p99.get(key) ?? null };
}

const tables = (a: Partial<Record<'rate' | 'failed' | 'p50' | 'p95' | 'p99', MultiAnswer>>, ...names: string[]) => ({
  rate: tableOf(a.rate, ...names),
  failed: tableOf(a.failed, ...names),
  p50: tableOf(a.p50, ...names),
  p95: tableOf(a.p95, ...names),
  p99: tableOf(a.p99, ...names),
});

export async function loadServices(m: SpanMetrics, fromMs: number, toMs: number, signal: AbortSignal): Promise<Loaded<Service>> {
  const over = windowOf(fromMs, toMs);
  const { a, problems } = await instants({ ...figureQueries(m, m.service, [ANSWERED], over), spans: `sum by (${m.service}) (rate(${m.calls}[${over}])) > 0` }, 'spans', fromMs, toMs, signal);
  const t = tables(a, m.service);
  return { list: [...tableOf(a.spans, m.service)].filter(([name]) => name !== '').map(([name, spans]) => ({ name, spans, ...figures(t, name) })), problems };
}

export async function loadOperations(m: SpanMetrics, service: string, fromMs: number, toMs: number, signal: AbortSignal): Promise<Loaded<Operation>> {
  const { a, problems } = await instants(figureQueries(m, 'span_name, span_kind', [`${m.service}=${quote(service)}`], windowOf(fromMs, toMs)), 'rate', fromMs, toMs, signal);
  const t = tables(a, 'span_name', 'span_kind');
  const list = [...t.rate.keys()].map((key) => {
    const [name = '', kind = ''] = key.split('\x01');
    return { name, kind: kind.replace('SPAN_KIND_', '').toLowerCase(), ...figures(t, key) };
  });
  return { list, problems };
}

/** All calls, or those from and to one service. */
export async function loadCalls(service: string | null, fromMs: number, toMs: number, signal: AbortSignal): Promise<Loaded<Call>> {
  const over = windowOf(fromMs, toMs);
  const by = 'client, server, connection_type';
  const either = (metric: string, wrap: (sel: string) => string) => (service === null ? wrap('') : `${wrap(`{client=${quote(service)}}`)} or ${wrap(`{server=${quote(service)}}`)}`).replaceAll('METRIC', metric);
  const rate = (metric: string) => either(metric, (sel) => `sum by (${by}) (rate(METRIC${sel}[${over}])) > 0`);
  const { a, problems } = await instants(
    {
      rate: rate(`${CALLS}_total`),
      failed: rate(`${CALLS}_failed_total`),
      sum: rate(`${CALLS}_server_seconds_sum`),
      count: rate(`${CALLS}_server_seconds_count`),
      p95: either(`${CALLS}_server_seconds_bucket`, (sel) => `histogram_quantile(0.95, sum by (${by}, le) (rate(METRIC${sel}[${over}])))`),
    },
    'rate',
    fromMs,
    toMs,
    signal,
  );
  const names = ['client', 'server', 'connection_type'];
  const [failed, sum, count, p95] = [tableOf(a.failed, ...names), tableOf(a.sum, ...names), tableOf(a.count, ...names), tableOf(a.p95, ...names)];
  const list = [...tableOf(a.rate, ...names)].map(([key, r]) => {
    const [client = '', server = '', type = ''] = key.split('\x01');
    const n = count.get(key) ?? 0;
    return { client: client || 'unknown', server: server || 'unknown', type, rate: r, failed: failed.get(key) ?? 0, seconds: n > 0 ? (sum.get(key) ?? 0) / n : null, p95: p95.get(key) ?? null };
  });
  return { list, problems };
}

export const share = (f: { rate: number; failed: number }): number => (f.rate > 0 ? Math.min(1, f.failed / f.rate) : 0);

/** Expressions of a service's drawings. */
export function serviceExprs(m: SpanMetrics, service: string) {
  const sel = (...more: string[]) => matchers(`${m.service}=${quote(service)}`, ...more);
  const quantile = (q: number) => `histogram_quantile(${q}, sum by (le) (rate(${m.latency}_bucket${sel(ANSWERED)}[$__rate_interval])))${m.scale === 1 ? '' : ` * ${m.scale}`}`;
  return {
    rate: `sum by (span_name) (rate(${m.calls}${sel(ANSWERED)}[$__rate_interval]))`,
    failed: `sum by (span_name) (rate(${m.calls}${sel(ANSWERED, FAILED)}[$__rate_interval]))`,
    p50: quantile(0.5),
    p95: quantile(0.95),
    p99: quantile(0.99),
  };
}

/** The rate of every service over time, for the small drawings of the list. */
export function sparkExpr(m: SpanMetrics): string {
  return `sum by (${m.service}) (rate(${m.calls}${matchers(ANSWERED)}[$__rate_interval]))`;
}

/** TraceQL for what a service did, by name of the operation and more. */
export function tracesOf(service: string, operation?: string, more?: string): string {
  return `{ resource.service.name = ${quote(service)}${operation === undefined ? '' : ` && name = ${quote(operation)}`}${more ? ` && ${more}` : ''} }`;
}

/** A selector of all metrics that carry the service as their job. */
export function jobSelector(service: string): string {
  return `{job=~${quote(`(.*/)?${escapeRegex(service)}`)}}`;
}
