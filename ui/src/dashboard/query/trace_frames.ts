// A trace as a frame with the columns Grafana gives it, and back. What lies in a frame can be transformed,
// kept in a snapshot and drawn by several panels.

import { hexId, parseTrace, type KeyValue, type Trace, type WireTrace } from '../../traces/trace';
import { field, frameOf, type Field, type Frame } from '../frame/frame';

const ms = (ns: string | number | undefined): number => Number(BigInt(ns ?? 0) / 1000n) / 1000;

interface Tag {
  key: string;
  value: unknown;
}

const tags = (list: KeyValue[] | undefined): Tag[] => (list ?? []).map((k) => ({ key: k.key, value: plain(k.value) }));

function plain(v: KeyValue['value']): unknown {
  if (!v) return '';
  if (v.arrayValue) return (v.arrayValue.values ?? []).map(plain);
  if (v.kvlistValue) return Object.fromEntries((v.kvlistValue.values ?? []).map((k) => [k.key, plain(k.value)]));
  return v.stringValue ?? v.intValue ?? v.doubleValue ?? v.boolValue ?? v.bytesValue ?? '';
}

/** Times are milliseconds with their fraction: a double keeps a quarter of a microsecond. */
export function traceFrame(wire: WireTrace, refId: string): Frame | null {
  const w = wire.trace ?? wire;
  const cols: Record<string, unknown[]> = { traceID: [], spanID: [], parentSpanID: [], operationName: [], serviceName: [], kind: [], statusCode: [], statusMessage: [], startTime: [], duration: [], serviceTags: [], tags: [], logs: [], references: [], instrumentationLibraryName: [] };
  for (const r of w.resourceSpans ?? w.batches ?? []) {
    const resource = tags(r.resource?.attributes);
    const service = String(resource.find((t) => t.key === 'service.name')?.value ?? 'unknown');
    const scopes = [...(r.scopeSpans ?? []).map((x) => ({ name: x.scope?.name ?? '', spans: x.spans })), ...(r.instrumentationLibrarySpans ?? []).map((x) => ({ name: x.instrumentationLibrary?.name ?? '', spans: x.spans }))];
    for (const sc of scopes) {
      for (const s of sc.spans ?? []) {
        const start = ms(s.startTimeUnixNano);
        const row: Record<string, unknown> = {
          traceID: hexId(s.traceId),
          spanID: hexId(s.spanId),
          parentSpanID: hexId(s.parentSpanId),
          operationName: s.name ?? '',
          serviceName: service,
          kind: s.kind ?? '',
          statusCode: s.status?.code === 'STATUS_CODE_ERROR' ? 2 : s.status?.code === 'STATUS_CODE_OK' ? 1 : (s.status?.code ?? 0),
          statusMessage: s.status?.message ?? '',
          startTime: start,
          duration: Math.max(0, ms(s.endTimeUnixNano) - start),
          serviceTags: resource,
          tags: tags(s.attributes),
          logs: (s.events ?? []).map((e) => ({ timestamp: ms(e.timeUnixNano), name: e.name ?? '', fields: tags(e.attributes) })),
          references: (s.links ?? []).map((l) => ({ traceID: hexId(l.traceId), spanID: hexId(l.spanId) })),
          instrumentationLibraryName: sc.name,
        };
        for (const k of Object.keys(cols)) cols[k]!.push(row[k]);
      }
    }
  }
  if (cols['spanID']!.length === 0) return null;
  const type = (k: string): Field['type'] => (k === 'startTime' ? 'time' : k === 'duration' || k === 'statusCode' ? 'number' : ['serviceTags', 'tags', 'logs', 'references'].includes(k) ? 'other' : 'string');
  return frameOf(Object.entries(cols).map(([k, values]) => field(k, type(k), values, undefined, k === 'duration' ? { unit: 'ms' } : {})), { refId, name: 'Trace', kind: 'trace' });
}

export function isTrace(f: Frame): boolean {
  return f.kind === 'trace' || ['spanID', 'parentSpanID', 'operationName', 'startTime', 'duration'].every((n) => f.fields.some((x) => x.name === n));
}

const ns = (v: unknown): string => String(BigInt(Math.round((Number(v) || 0) * 1000)) * 1000n);

function attributes(v: unknown): KeyValue[] {
  return (Array.isArray(v) ? (v as Tag[]) : []).map((t) => ({ key: String(t?.key ?? ''), value: { stringValue: typeof t?.value === 'object' ? JSON.stringify(t.value) : String(t?.value ?? '') } }));
}

export function traceOfFrame(f: Frame): { trace: Trace; id: string } | null {
  const at = (name: string, i: number): unknown => f.fields.find((x) => x.name === name)?.values[i];
  const text = (name: string, i: number) => String(at(name, i) ?? '');
  const resourceSpans = Array.from({ length: f.length }, (_, i) => {
    const own = attributes(at('serviceTags', i));
    const attrs = own.some((k) => k.key === 'service.name') ? own : [{ key: 'service.name', value: { stringValue: text('serviceName', i) } }, ...own];
    const logs = (at('logs', i) ?? []) as { timestamp?: number; name?: string; fields?: Tag[] }[];
    const refs = (at('references', i) ?? []) as { traceID?: string; spanID?: string }[];
    const kind = at('kind', i);
    return {
      resource: { attributes: attrs },
      scopeSpans: [
        {
          scope: { name: text('instrumentationLibraryName', i) },
          spans: [
            {
              spanId: text('spanID', i),
              parentSpanId: text('parentSpanID', i),
              name: text('operationName', i),
              kind: typeof kind === 'number' ? kind : String(kind ?? ''),
              startTimeUnixNano: ns(at('startTime', i)),
              endTimeUnixNano: ns(Number(at('startTime', i)) + (Number(at('duration', i)) || 0)),
              attributes: attributes(at('tags', i)),
              events: (Array.isArray(logs) ? logs : []).map((e) => ({ timeUnixNano: ns(e.timestamp), name: e.name ?? 'event', attributes: attributes(e.fields) })),
              links: (Array.isArray(refs) ? refs : []).map((l) => ({ traceId: l.traceID, spanId: l.spanID })),
              status: { code: Number(at('statusCode', i)) || 0, message: text('statusMessage', i) },
            },
          ],
        },
      ],
    };
  });
  const trace = parseTrace({ resourceSpans });
  return trace ? { trace, id: text('traceID', 0) } : null;
}
