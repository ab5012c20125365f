// A panel of a public dashboard: the server runs the queries it has stored, whoever looks.

import { ApiError } from '../../api/prom';
import { pending } from '../../time/state';
import type { Panel } from '../model/types';
import { intervalMs } from '../variables/interval';
import type { PanelData } from './run';
import { fromWire } from './wire';

interface Answer {
  results?: Record<string, { status?: number; error?: string; frames?: unknown }>;
  message?: string;
}

export async function runPublic(token: string, p: Panel, c: { fromMs: number; toMs: number; maxDataPoints: number }, signal: AbortSignal): Promise<PanelData> {
  const interval = intervalMs(c.toMs - c.fromMs, c.maxDataPoints, 0);
  pending.value++;
  try {
    const res = await fetch(new URL(`api/public/dashboards/${encodeURIComponent(token)}/panels/${p.id}/query`, document.baseURI), {
      method: 'POST',
      signal,
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ intervalMs: interval, maxDataPoints: c.maxDataPoints, timeRange: { from: String(c.fromMs), to: String(c.toMs) } }),
    });
    const a = (await res.json().catch(() => ({}))) as Answer;
    if (!res.ok && !a.results) throw new ApiError(a.message ?? `${res.status} ${res.statusText}`, 'http', res.status);
    const data: PanelData = { frames: [], errors: [], warnings: [], fromMs: c.fromMs, toMs: c.toMs, intervalMs: interval, ran: [] };
    for (const [refId, r] of Object.entries(a.results ?? {})) {
      if (r.error) data.errors.push({ refId, message: r.error, query: '' });
      data.frames.push(...fromWire(r.frames).map((f) => ({ ...f, refId: f.refId ?? refId })));
    }
    return data;
  } finally {
    pending.value--;
  }
}
