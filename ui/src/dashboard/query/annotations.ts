// Events to mark on time axes: those written by people, and those that queries give.

import { ask } from '../../api/multi';
import { dashboards } from '../../api/dashboards';
import { gridFor } from '../../time/step';
import type { AnnotationQuery } from '../model/types';
import { fillLegend } from './legend';
import { sourceKind } from './datasource';
import { loki } from './loki';
import { logRows } from './logs';

export interface AnnotationEvent {
  timeMs: number;
  endMs?: number;
  title: string;
  text: string;
  tags: string[];
  color: string;
  /** Of those written by people. */
  id?: number;
  /** Only on that panel; 0 for all of the dashboard. */
  panelId?: number;
  /** The panels its query is shown on, or not. */
  filter?: { exclude?: boolean; ids?: number[] };
}

/** Whether a panel marks an event. */
export function marksPanel(e: AnnotationEvent, panelId: number): boolean {
  if (e.panelId) return e.panelId === panelId;
  return !e.filter?.ids?.length || e.filter.ids.includes(panelId) !== (e.filter.exclude === true);
}

export interface AnnotationContext {
  fromMs: number;
  toMs: number;
  uid: string;
  stepMs: number;
  /** Fills variables into a query's text. */
  fill: (text: string) => string;
  filter: (text: string) => string;
}

const DEFAULT_COLOR = 'rgba(0, 211, 255, 1)';

async function own(a: AnnotationQuery, c: AnnotationContext, signal: AbortSignal): Promise<AnnotationEvent[]> {
  const t = (a['target'] ?? a) as { type?: string; tags?: string[]; matchAny?: boolean; limit?: number };
  const byTags = t.type === 'tags' && Array.isArray(t.tags);
  if (!byTags && !c.uid) return [];
  const list = await dashboards.annotations(
    { fromMs: c.fromMs, toMs: c.toMs, dashboardUid: byTags ? undefined : c.uid, tags: byTags ? t.tags!.map(c.filter) : undefined, matchAny: t.matchAny, limit: t.limit ?? 100 },
    signal,
  );
  return list.map((x) => ({ timeMs: x.time, endMs: x.timeEnd && x.timeEnd !== x.time ? x.timeEnd : undefined, title: '', text: x.text, tags: x.tags ?? [], color: a.iconColor ?? DEFAULT_COLOR, id: x.id, panelId: byTags ? 0 : x.panelId }));
}

/** Runs of points with a value become one event each. */
async function prometheus(a: AnnotationQuery, c: AnnotationContext, signal: AbortSignal): Promise<AnnotationEvent[]> {
  const expr = c.fill(String(a.expr ?? (a['target'] as { expr?: string } | undefined)?.expr ?? ''));
  if (expr.trim() === '') return [];
  const grid = gridFor(c.fromMs, c.toMs, c.stepMs);
  const r = await ask({ lang: 'promql', type: 'range', query: expr, fromMs: grid.startMs, toMs: grid.endMs, stepMs: grid.stepMs }, signal);
  const keys = String(a.tagKeys ?? '').split(',').map((k) => k.trim()).filter(Boolean);
  const out: AnnotationEvent[] = [];
  for (const s of r.series) {
    const labels = s.labels;
    const base = {
      title: a.titleFormat ? fillLegend(a.titleFormat, labels) : (labels['alertname'] ?? a.name),
      text: a.textFormat ? fillLegend(a.textFormat, labels) : '',
      tags: keys.map((k) => labels[k]).filter((v): v is string => v !== undefined),
      color: a.iconColor ?? DEFAULT_COLOR,
    };
    const start = r.grid?.startMs ?? grid.startMs;
    if (a.useValueForTime === true || a.useValueForTime === 'on') {
      const seen = new Set<number>();
      for (const v of s.values) {
        if (v === null || !Number.isFinite(v)) continue;
        // Times are in milliseconds; in seconds they would lie in 1970.
        const ms = v < 1e11 ? v * 1000 : v;
        if (!seen.has(ms) && ms >= c.fromMs && ms <= c.toMs) out.push({ ...base, timeMs: ms });
        seen.add(ms);
      }
      continue;
    }
    let from = -1;
    for (let i = 0; i <= s.values.length; i++) {
      const v = s.values[i];
      const on = v !== null && v !== undefined && v !== 0 && !Number.isNaN(v);
      if (on && from < 0) from = i;
      if (!on && from >= 0) {
        const t = start + (s.first + from) * grid.stepMs;
        const e = start + (s.first + i - 1) * grid.stepMs;
        out.push({ ...base, timeMs: t, endMs: e > t ? e : undefined });
        from = -1;
      }
    }
  }
  return out;
}

async function logs(a: AnnotationQuery, c: AnnotationContext, signal: AbortSignal): Promise<AnnotationEvent[]> {
  const expr = c.fill(String(a.expr ?? (a['target'] as { expr?: string } | undefined)?.expr ?? ''));
  if (expr.trim() === '') return [];
  const d = await loki.queryRange(expr, c.fromMs, c.toMs, { limit: Number(a['maxLines']) || 100 }, signal);
  if (d.resultType !== 'streams') return [];
  return logRows(d.result).map((r) => ({
    timeMs: r.timeMs,
    title: a.titleFormat ? fillLegend(a.titleFormat, r.labels) : '',
    text: a.textFormat ? fillLegend(a.textFormat, r.labels) : r.line,
    tags: String(a.tagKeys ?? '').split(',').map((k) => r.labels[k.trim()]).filter((v): v is string => v !== undefined),
    color: a.iconColor ?? DEFAULT_COLOR,
  }));
}

const LIMIT = 1000;

/** All events in the range; a query that fails is reported, the others are still shown. */
export async function annotationEvents(list: AnnotationQuery[], c: AnnotationContext, signal: AbortSignal): Promise<{ events: AnnotationEvent[]; problems: string[] }> {
  const problems: string[] = [];
  const parts = await Promise.all(
    list
      .filter((a) => a.enable !== false)
      .map(async (a) => {
        try {
          const kind = a.builtIn ? 'grafana' : (sourceKind(a.datasource, c.filter) ?? 'prometheus');
          const run = kind === 'grafana' ? own : kind === 'prometheus' ? prometheus : kind === 'loki' ? logs : null;
          if (run) {
            const filter = a['filter'] as AnnotationEvent['filter'];
            const events = await run(a, c, signal);
            return filter?.ids?.length ? events.map((e) => ({ ...e, filter })) : events;
          }
          problems.push(`Annotations “${a.name}”: no door for this data source.`);
        } catch (e) {
          if (signal.aborted) return [];
          problems.push(`Annotations “${a.name}”: ${(e as Error).message}`);
        }
        return [];
      }),
  );
  const events = parts.flat().sort((x, y) => x.timeMs - y.timeMs);
  if (events.length > LIMIT) problems.push(`Of ${events.length} annotations the first ${LIMIT} are shown.`);
  return { events: events.slice(0, LIMIT), problems };
}
