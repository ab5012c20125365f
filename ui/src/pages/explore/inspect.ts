// Asks a query once more for the inspector: the raw answer, statistics, and the plan.

import { ApiError, getJson } from '../../api/prom';
import { isMetricsQuery } from '../../dashboard/query/tempo';
import { isLogQuery } from '../logs/query';
import type { Signal } from './panes';

export interface Inspected {
  response?: unknown;
  stats: [string, number][];
  plan: string;
  planNote: string;
  error: string;
  request: string;
}

interface Within {
  fromMs: number;
  toMs: number;
  stepMs: number;
}

const sec = (ms: number) => String(ms / 1000);

/** Numbers of nested statistics by their path; what is zero says nothing. */
export function flatStats(v: unknown, path = ''): [string, number][] {
  if (typeof v === 'number') return v === 0 ? [] : [[path, v]];
  if (typeof v === 'string' && v !== '' && Number.isFinite(Number(v))) return Number(v) === 0 ? [] : [[path, Number(v)]];
  if (typeof v !== 'object' || v === null) return [];
  return Object.entries(v).flatMap(([k, x]) => flatStats(x, path ? `${path}.${k}` : k));
}

interface Asked {
  url: string;
  plan: string;
  stats: (body: Record<string, unknown>) => unknown;
}

function urls(signal: Signal, expr: string, w: Within): Asked {
  const q = (o: Record<string, string>) => new URLSearchParams(o).toString();
  if (signal === 'logs') {
    const at = { query: expr, start: `${Math.round(w.fromMs)}000000`, end: `${Math.round(w.toMs)}000000` };
    const step: Record<string, string> = isLogQuery(expr) ? { limit: '100' } : { step: sec(w.stepMs) };
    return { url: `loki/loki/api/v1/query_range?${q({ ...at, ...step })}`, plan: `loki/loki/api/v1/explain?${q(at)}`, stats: (b) => (b['data'] as Record<string, unknown> | undefined)?.['stats'] };
  }
  if (signal === 'traces') {
    const at = { q: expr || '{}', start: String(Math.floor(w.fromMs / 1000)), end: String(Math.ceil(w.toMs / 1000)) };
    if (isMetricsQuery(expr)) return { url: `tempo/api/metrics/query_range?${q({ ...at, step: `${Math.max(1, Math.round(w.stepMs / 1000))}s` })}`, plan: `tempo/api/metrics/explain?${q(at)}`, stats: (b) => b['metrics'] };
    return { url: `tempo/api/search?${q({ ...at, limit: '20' })}`, plan: '', stats: (b) => b['metrics'] };
  }
  const at = { query: expr, start: sec(Math.floor(w.fromMs / w.stepMs) * w.stepMs), end: sec(Math.floor(w.toMs / w.stepMs) * w.stepMs), step: sec(w.stepMs) };
  return { url: `prometheus/api/v1/query_range?${q({ ...at, stats: 'all' })}`, plan: '', stats: (b) => (b['data'] as Record<string, unknown> | undefined)?.['stats'] };
}

/** The plan by the endpoint that takes every language. */
async function planOf(lang: string, expr: string, w: Within, signal: AbortSignal): Promise<string> {
  const res = await fetch(new URL('api/pharos/v1/query', document.baseURI), {
    method: 'POST',
    signal,
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ queries: [{ id: '0', lang, query: expr, from: w.fromMs, to: w.toMs, step_ms: w.stepMs, explain: true }] }),
  });
  for (const line of (await res.text()).split('\n')) {
    if (!line) continue;
    const l = JSON.parse(line) as { id?: string; plan?: string; error?: { message: string } | string };
    if (l.plan) return l.plan;
    if (l.error) throw new Error(typeof l.error === 'string' ? l.error : l.error.message);
  }
  return '';
}

export async function inspect(signal: Signal, expr: string, w: Within, abort: AbortSignal): Promise<Inspected> {
  const a = urls(signal, expr, w);
  const out: Inspected = { stats: [], plan: '', planNote: '', error: '', request: `GET ${new URL(a.url, document.baseURI).href}` };
  const began = performance.now();
  try {
    const body = await getJson<Record<string, unknown>>(a.url, { signal: abort });
    const ms = performance.now() - began;
    out.response = body;
    out.stats = [['seconds until the answer was here', ms / 1000], ...flatStats(a.stats(body))];
  } catch (e) {
    out.error = (e as Error).message;
  }
  try {
    if (a.plan) out.plan = (await getJson<{ plan?: string; data?: { plan?: string } }>(a.plan, { signal: abort }).then((p) => p.plan ?? p.data?.plan)) ?? '';
    else out.plan = await planOf({ metrics: 'promql', logs: 'logql', traces: 'traceql' }[signal], expr, w, abort);
  } catch (e) {
    out.planNote = e instanceof ApiError || e instanceof Error ? e.message : '';
  }
  return out;
}
