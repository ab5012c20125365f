// Runs the queries of a panel: intervals and variables filled in, one answer a target, as frames.

import { ask, languages, newScope, type Named } from '../../api/multi';
import { isAbort } from '../../api/prom';
import { fetchRange } from '../../api/ranges';
import { resolveRange, parseDuration } from '../../time/grammar';
import { timeContext, zone } from '../../time/state';
import { gridFor } from '../../time/step';
import type { Frame } from '../frame/frame';
import type { Loose, Panel, Target } from '../model/types';
import { builtin } from '../variables/builtin';
import { interpolate, queryFormat, type DefaultFormat, type Lookup } from '../variables/interpolate';
import { intervalMs, parseInterval, queryStepMs, rateIntervalMs } from '../variables/interval';
import { sourceKind, type SourceKind } from './datasource';
import { answerSeries, exemplarFrame, expressionFrames, gridTimes, heatmapFrames, seriesFrames, stringFrame, tableFrame } from './frames';
import { loki } from './loki';
import { graphiteFrames, withReferences } from './graphite';
import { isMetric, logAnswerFrames, lokiFrames } from './logs';
import { serviceMap } from './service_map';
import { tempoFrames } from './tempo';

export interface QueryError {
  refId: string;
  message: string;
  query: string;
}

export interface Ran {
  refId: string;
  query: string;
  stepMs: number;
  kind: SourceKind;
  seconds: number;
}

export interface PanelData {
  frames: Frame[];
  errors: QueryError[];
  warnings: string[];
  fromMs: number;
  toMs: number;
  intervalMs: number;
  /** What was asked, for the inspector. */
  ran: Ran[];
}

export interface RunContext {
  fromMs: number;
  toMs: number;
  forced: boolean;
  /** Points a panel has room for. */
  maxDataPoints: number;
  /** How often samples are collected. */
  scrapeMs: number;
  /** The dashboard's variables and the panel's own. */
  lookup: Lookup;
  title?: string;
  uid?: string;
  /** Finds another panel, for targets that reuse its queries. */
  panel?: (id: number) => Panel | undefined;
  /** Adds the ad-hoc filters to a query, and the labels to group by. */
  filters?: (expr: string, lang: 'promql' | 'logql') => string;
}

/** The range a panel shows: its own relative time, moved back when it is shifted. */
export function panelRange(p: Panel, fromMs: number, toMs: number, fill: (t: string) => string): { fromMs: number; toMs: number; note: string } {
  let note = '';
  const own = p.timeFrom ? fill(p.timeFrom).trim() : '';
  if (own) {
    const raw = own.includes('now') ? { from: own, to: 'now' } : { from: `now-${own}`, to: 'now' };
    const r = resolveRange(raw, timeContext());
    if (r) {
      fromMs = r.fromMs;
      toMs = r.toMs;
      note = own.includes('now') ? own : `Last ${own}`;
    }
  }
  const shift = p.timeShift ? fill(p.timeShift).trim() : '';
  const by = shift ? parseDuration(shift.replace(/^-/, '')) : null;
  if (by !== null) {
    fromMs -= by;
    toMs -= by;
    note = `${note}${note ? ', ' : ''}${shift} earlier`;
  }
  return { fromMs, toMs, note };
}

interface TargetContext extends RunContext {
  spanMs: number;
  many: boolean;
  panelMinMs: number | null;
  intervalMs: number;
  signal: AbortSignal;
  /** Where the panel has expressions. */
  named?: Named;
}

interface TargetAnswer {
  frames: Frame[];
  warnings: string[];
  query: string;
  stepMs: number;
  kind: SourceKind;
}

function withBuiltins(c: RunContext, interval: number, rate: number): Lookup {
  const ctx = { fromMs: c.fromMs, toMs: c.toMs, intervalMs: interval, rateIntervalMs: rate, title: c.title, uid: c.uid, timezone: zone.peek() };
  return (name, path) => c.lookup(name, path) ?? builtin(name, path, ctx);
}

async function promTarget(t: Target, c: TargetContext): Promise<TargetAnswer> {
  const fillPlain = (text: string) => interpolate(text, withBuiltins(c, c.intervalMs, c.intervalMs));
  const minStep = parseInterval(t.interval ? fillPlain(t.interval) : undefined) ?? c.panelMinMs;
  const scrape = minStep ?? c.scrapeMs;
  const interval = Math.max(c.intervalMs, minStep ?? 0, c.panelMinMs === null && minStep === null ? c.scrapeMs : 0);
  const factor = typeof t['intervalFactor'] === 'number' ? t['intervalFactor'] : 1;
  const stepMs = queryStepMs(interval, c.spanMs, factor);
  const lookup = withBuiltins(c, stepMs, rateIntervalMs(interval, scrape));
  let expr = interpolate(t.expr ?? t.query ?? '', lookup, queryFormat as DefaultFormat).trim();
  if (expr === '') return { frames: [], warnings: [], query: '', stepMs, kind: 'prometheus' };
  if (c.filters) expr = c.filters(expr, 'promql');
  const legend = t.legendFormat === undefined ? undefined : t.legendFormat === '__auto' ? '__auto' : interpolate(t.legendFormat, lookup, 'glob');
  const frames: Frame[] = [];
  const warnings: string[] = [];
  const instant = t.instant === true;
  const range = (t.range === true || !instant) && !(instant && t.format === 'table');
  const value = c.many ? `Value #${t.refId}` : 'Value';
  try {
    if (range) {
      const grid = gridFor(c.fromMs, c.toMs, stepMs);
      const r = await fetchRange(expr, grid, { signal: c.signal, forced: c.forced, exemplars: t['exemplar'] === true, named: c.named });
      warnings.push(...r.warnings);
      if (t.format === 'heatmap' || (r.native.length > 0 && r.series.length === 0)) frames.push(...heatmapFrames(r, t.refId));
      else {
        const times = gridTimes(r.grid);
        const series = r.series.map((s) => ({ labels: s.labels, times, values: s.values }));
        if (t.format === 'table') frames.push(tableFrame(series, t.refId, value));
        else frames.push(...seriesFrames(series, t.refId, legend, expr, stepMs));
      }
      if (r.exemplars.length) frames.push(exemplarFrame(r.exemplars, t.refId));
    }
    if (instant) {
      // Of both kinds expressions take the range.
      const a = await ask({ lang: 'promql', type: 'instant', query: expr, fromMs: c.fromMs, toMs: c.toMs, named: range ? undefined : c.named }, c.signal);
      warnings.push(...a.warnings);
      if (a.kind === 'string') frames.push(stringFrame(a.text ?? '', c.toMs, t.refId));
      else if (t.format === 'heatmap') {
        const grid = { startMs: c.toMs, endMs: c.toMs, stepMs: 1, count: 1 };
        const series = a.series.map((s) => ({ key: '', labels: s.labels, values: s.values }));
        frames.push(...heatmapFrames({ grid, series, native: [], warnings: [], infos: [], histograms: 0, exemplars: [] }, t.refId));
      } else {
        const series = answerSeries(a, c.toMs);
        frames.push(...(t.format === 'table' ? [tableFrame(series, t.refId, value, false)] : seriesFrames(series, t.refId, legend, expr)));
      }
    }
  } catch (e) {
    throw Object.assign(e as Error, { query: expr });
  }
  return { frames, warnings, query: expr, stepMs, kind: 'prometheus' };
}

async function lokiTarget(t: Target, c: TargetContext): Promise<TargetAnswer> {
  const minStep = parseInterval(typeof t['step'] === 'string' ? t['step'] : t.interval) ?? c.panelMinMs;
  const stepMs = Math.max(queryStepMs(Math.max(c.intervalMs, minStep ?? 0), c.spanMs), 1000);
  const lookup = withBuiltins(c, stepMs, stepMs);
  let expr = interpolate(t.expr ?? t.query ?? '', lookup, queryFormat as DefaultFormat).replace(/\[\$__auto\]/g, `[${Math.round(stepMs / 1000)}s]`).trim();
  if (expr === '') return { frames: [], warnings: [], query: '', stepMs, kind: 'loki' };
  if (c.filters) expr = c.filters(expr, 'logql');
  const legend = t.legendFormat === undefined ? undefined : interpolate(t.legendFormat, lookup, 'glob');
  const limit = Number(t['maxLines']) || 1000;
  try {
    const instant = t['queryType'] === 'instant' || (t.instant === true && t.range !== true);
    const forward = t['direction'] === 'forward';
    const lines = !isMetric(expr);
    // One request for all panels, where the server takes LogQL there; it gives lines newest first.
    if (!(lines && (forward || instant)) && (await languages()).has('logql')) {
      const grid = gridFor(c.fromMs, t['coversEnd'] ? c.toMs + stepMs - 1 : c.toMs, stepMs);
      const base = { lang: 'logql', query: expr, named: c.named, fromMs: c.fromMs, toMs: c.toMs };
      const a = await ask(
        lines
          ? { ...base, type: 'range', stepMs: 1000 * Math.max(1, Math.ceil(c.spanMs / 1e6)), limit, exact: true }
          : instant
            ? { ...base, type: 'instant' }
            : { ...base, type: 'range', fromMs: grid.startMs, toMs: grid.endMs, stepMs },
        c.signal,
      );
      return { frames: logAnswerFrames(a, t.refId, legend, expr, stepMs, t.format === 'table'), warnings: a.warnings, query: expr, stepMs, kind: 'loki' };
    }
    const d = instant
      ? await loki.query(expr, c.toMs, limit, c.signal)
      : await loki.queryRange(expr, c.fromMs, c.toMs, { stepMs, limit, direction: typeof t['direction'] === 'string' ? t['direction'] : undefined }, c.signal);
    return { frames: lokiFrames(d, t.refId, legend, expr, stepMs, t.format === 'table'), warnings: d.warnings ?? [], query: expr, stepMs, kind: 'loki' };
  } catch (e) {
    throw Object.assign(e as Error, { query: expr });
  }
}

/** What the editor shows where an expression says nothing. */
const EXPRESSION = { type: 'math', reducer: 'mean', downsampler: 'mean', upsampler: 'fillna', conditions: [{ evaluator: { type: 'gt', params: [0] } }] };

/** The server computes it, with what the panel's other queries give. */
async function expressionTarget(t: Target, c: TargetContext): Promise<TargetAnswer> {
  // References are `$A` like variables; those that no variable has stay.
  const lookup = withBuiltins(c, c.intervalMs, c.intervalMs);
  const fill = (key: string): Loose => (typeof t[key] === 'string' ? { [key]: interpolate(t[key], lookup) } : {});
  const expression: Loose = { ...EXPRESSION, ...t, ...fill('expression'), ...fill('window'), settings: { replaceWithValue: 0, ...(t['settings'] as Loose | undefined) } };
  const query = String(expression['expression'] || expression['type']);
  try {
    const a = await ask({ lang: 'expression', query, expression, type: 'range', fromMs: c.fromMs, toMs: c.toMs, named: c.named }, c.signal);
    return { frames: expressionFrames(a, t.refId), warnings: a.warnings, query, stepMs: a.grid?.stepMs ?? 0, kind: 'expression' };
  } catch (e) {
    throw Object.assign(e as Error, { query });
  }
}

const SAY: Partial<Record<SourceKind, string>> = {
  grafana: 'This query asks Grafana itself; there is nothing to ask here.',
};

async function runTarget(t: Target, p: Panel, c: TargetContext): Promise<TargetAnswer> {
  const fill = (text: string) => interpolate(text, c.lookup);
  let kind = sourceKind(t.datasource, fill);
  if (kind === null || kind === 'mixed') kind = sourceKind(p.datasource, fill);
  if (kind === null || kind === 'mixed') kind = 'prometheus';
  if (kind === 'expression') return expressionTarget(t, c);
  if (kind === 'prometheus') return promTarget(t, c);
  if (kind === 'loki') return lokiTarget(t, c);
  if (kind === 'tempo') {
    if (t['queryType'] === 'serviceMap') {
      const wanted = t['serviceMapQuery'];
      const selector = interpolate(String((Array.isArray(wanted) ? wanted[0] : wanted) ?? ''), withBuiltins(c, c.intervalMs, c.intervalMs), queryFormat as DefaultFormat);
      const m = await serviceMap(selector, t.refId, c.fromMs, c.toMs, c.signal);
      return { ...m, stepMs: c.spanMs, kind };
    }
    const text = interpolate(String(t.query ?? ''), withBuiltins(c, c.intervalMs, c.intervalMs));
    const stepMs = Math.max(c.intervalMs, 1000);
    return { frames: await tempoFrames(t, text, c.fromMs, c.toMs, stepMs, c.signal, c.named), warnings: [], query: text, stepMs, kind };
  }
  if (kind === 'graphite') {
    const text = interpolate(withReferences(t, p.targets ?? []), withBuiltins(c, c.intervalMs, c.intervalMs));
    return { frames: await graphiteFrames(t.refId, text, c.fromMs, c.toMs, c.maxDataPoints, c.signal, c.named), warnings: [], query: text, stepMs: c.intervalMs, kind };
  }
  const type = typeof t.datasource === 'object' ? t.datasource?.type : undefined;
  // Expressions over it say the same.
  if (c.named) ask({ lang: type ?? kind, query: '', type: 'range', fromMs: c.fromMs, toMs: c.toMs, named: { ...c.named, hide: true } }, c.signal).catch(() => undefined);
  throw new Error(SAY[kind] ?? `Pharos has no door for ${type ?? 'this data source'}; the query is kept as it is.`);
}

interface Owned {
  t: Target;
  owner: Panel;
  /** It is asked for an expression alone, and not shown. */
  hidden: boolean;
}

const isExpression = (t: Target, p: Panel): boolean => sourceKind(t.datasource ?? p.datasource) === 'expression';

/** The targets a panel runs: its own, or another panel's that it reuses. */
function targetsOf(p: Panel, c: RunContext, depth = 0): Owned[] {
  const out: Owned[] = [];
  const list = p.targets ?? [];
  // The server runs what is hidden when an expression that is shown is made of it.
  const computes = list.some((t) => !t.hide && isExpression(t, p));
  for (const t of list) {
    if (t.hide && !computes) continue;
    const kind = sourceKind(t.datasource ?? p.datasource);
    const id = t['panelId'];
    if (kind === 'dashboard' || (sourceKind(p.datasource) === 'dashboard' && typeof id === 'number')) {
      const other = typeof id === 'number' ? c.panel?.(id) : undefined;
      if (other && depth < 4) out.push(...targetsOf(other, c, depth + 1));
      continue;
    }
    out.push({ t, owner: p, hidden: t.hide === true });
  }
  return out;
}

/** Runs all targets of a panel at once. One that fails does not keep the others from being shown. */
export async function runPanel(p: Panel, context: RunContext, signal: AbortSignal): Promise<PanelData> {
  const fill = (t: string) => interpolate(t, withBuiltins(context, 60_000, 60_000));
  const own = panelRange(p, context.fromMs, context.toMs, fill);
  const c: RunContext = { ...context, fromMs: own.fromMs, toMs: own.toMs };
  const spanMs = c.toMs - c.fromMs;
  const panelMinMs = parseInterval(p.interval ? fill(p.interval) : undefined);
  const interval = intervalMs(spanMs, p.maxDataPoints || c.maxDataPoints, panelMinMs ?? 0);
  const targets = targetsOf(p, c);
  const expressions = targets.filter((x) => isExpression(x.t, x.owner));
  const tc: TargetContext = { ...c, spanMs, many: targets.length - expressions.length > 1, panelMinMs, intervalMs: interval, signal };
  const scopes = new Map(expressions.map((x) => [x.owner, newScope()]));
  // What is in one scope is asked in one turn: nothing may be waited for in between.
  if (scopes.size) await languages();
  const data: PanelData = { frames: [], errors: [], warnings: [], fromMs: c.fromMs, toMs: c.toMs, intervalMs: interval, ran: [] };
  const began = performance.now();
  const done = await Promise.allSettled(
    targets.map(async ({ t, owner, hidden }) => {
      const scope = scopes.get(owner);
      const a = await runTarget(t, owner, scope === undefined ? tc : { ...tc, named: { scope, ref: t.refId, hide: hidden } });
      return { ...a, seconds: (performance.now() - began) / 1000 };
    }),
  );
  done.forEach((d, i) => {
    const { t, hidden } = targets[i]!;
    if (d.status === 'fulfilled') {
      if (!hidden) data.frames.push(...d.value.frames);
      data.warnings.push(...d.value.warnings);
      if (d.value.query) data.ran.push({ refId: t.refId, query: d.value.query, stepMs: d.value.stepMs, kind: d.value.kind, seconds: d.value.seconds });
    } else {
      if (isAbort(d.reason)) throw d.reason;
      if (hidden) return; // it is told where it is needed
      const e = d.reason as Error & { query?: string };
      data.errors.push({ refId: t.refId, message: e.message, query: e.query ?? t.expr ?? String(t.query ?? '') });
    }
  });
  return data;
}
