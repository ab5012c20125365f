// Log lines as a frame: time, line, level, labels.

import { field, frameOf, type Frame } from '../frame/frame';
import type { MultiAnswer } from '../../api/multi';
import type { LokiData, LokiStream } from './loki';
import { answerSeries, seriesFrames, tableFrame } from './frames';

const LEVELS: [RegExp, string][] = [
  [/^(emerg|fatal|alert|crit|critical|panic)/i, 'critical'],
  [/^(err|error|eror)/i, 'error'],
  [/^(warn|warning)/i, 'warning'],
  [/^(info|information|notice)/i, 'info'],
  [/^(dbug|debug)/i, 'debug'],
  [/^trace/i, 'trace'],
];

/** The level by one of its names; '' when it is none. */
export function levelOf(text: string | undefined): string {
  if (!text) return '';
  for (const [re, level] of LEVELS) if (re.test(text)) return level;
  return '';
}

/** Level from the labels, else from a word of the line. */
export function lineLevel(labels: Record<string, string>, line: string): string {
  for (const k of ['detected_level', 'level', 'severity', 'severity_text', 'lvl', 'loglevel', 'log_level']) {
    const l = levelOf(labels[k]);
    if (l) return l;
  }
  const m = /(?:level|lvl|severity)["']?\s*[=:]\s*["']?(\w+)/i.exec(line) ?? /\b(FATAL|CRITICAL|ERROR|WARN(?:ING)?|INFO|DEBUG|TRACE)\b/.exec(line);
  return levelOf(m?.[1]) || 'unknown';
}

export interface LogRow {
  timeMs: number;
  ns: string;
  line: string;
  labels: Record<string, string>;
  structured: Record<string, string>;
  level: string;
  /** The query it comes from, where several are shown as one. */
  ref?: string;
}

/** Nanoseconds have more digits than numbers hold exactly. */
const order = (a: LogRow, b: LogRow): number => a.ns.length - b.ns.length || (a.ns < b.ns ? -1 : a.ns > b.ns ? 1 : 0);

/** Sorted in place. */
export function newestFirst(rows: LogRow[]): LogRow[] {
  return rows.sort((a, b) => order(b, a));
}

export function logRows(streams: LokiStream[]): LogRow[] {
  const rows: LogRow[] = [];
  for (const s of streams) {
    for (const [ns, line, more] of s.values) {
      const extra = { ...more?.structuredMetadata, ...more?.parsed };
      rows.push({ timeMs: Number(ns.slice(0, -6)), ns, line, labels: s.stream, structured: extra, level: lineLevel({ ...s.stream, ...extra }, line) });
    }
  }
  return newestFirst(rows);
}

export function lokiFrames(d: LokiData, refId: string, legend: string | undefined, expr: string, stepMs: number, asTable: boolean): Frame[] {
  if (d.resultType === 'streams') {
    const rows = logRows(d.result);
    return [
      frameOf(
        [
          field('Time', 'time', rows.map((r) => r.timeMs)),
          field('Line', 'string', rows.map((r) => r.line)),
          field('labels', 'other', rows.map((r) => ({ ...r.labels, ...r.structured }))),
          field('tsNs', 'string', rows.map((r) => r.ns), undefined, { custom: { hidden: true } }),
          field('level', 'string', rows.map((r) => r.level), undefined, { custom: { hidden: true } }),
        ],
        { refId, kind: 'logs' },
      ),
    ];
  }
  const series =
    d.resultType === 'matrix'
      ? d.result.map((m) => ({ labels: m.metric, times: m.values.map(([t]) => t * 1000), values: m.values.map(([, v]) => Number(v)) }))
      : d.result.map((m) => ({ labels: m.metric, times: [m.value[0] * 1000], values: [Number(m.value[1])] }));
  return asTable ? [tableFrame(series, refId, 'Value')] : seriesFrames(series, refId, legend, expr, stepMs);
}

/** Whether a LogQL query gives numbers: it begins with a function or an aggregation, not with a selector. */
export function isMetric(expr: string): boolean {
  return !/^\s*(?:#[^\n]*\n\s*)*\(*\s*\{/.test(expr) || /^\s*\(*\s*\{[^}]*\}\s*\)*\s*[-+*/%^]/.test(expr);
}

/** The same as lokiFrames, of what the endpoint for many queries answers. */
export function logAnswerFrames(a: MultiAnswer, refId: string, legend: string | undefined, expr: string, stepMs: number, asTable: boolean): Frame[] {
  if (a.kind === 'streams') {
    const result = (a.streams ?? []).map((s): LokiStream => ({ stream: s.labels, values: s.times.map((t, i): [string, string] => [t, s.lines[i] ?? '']) }));
    return lokiFrames({ resultType: 'streams', result }, refId, legend, expr, stepMs, asTable);
  }
  const series = answerSeries(a);
  return asTable ? [tableFrame(series, refId, 'Value')] : seriesFrames(series, refId, legend, expr, stepMs);
}
