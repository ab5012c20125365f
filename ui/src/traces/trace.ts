// A trace as Tempo answers it (OTLP JSON) to rows of a waterfall: depth first, siblings by start.

export interface AnyValue {
  stringValue?: string;
  intValue?: string | number;
  doubleValue?: number;
  boolValue?: boolean;
  bytesValue?: string;
  arrayValue?: { values?: AnyValue[] };
  kvlistValue?: { values?: KeyValue[] };
}

export interface KeyValue {
  key: string;
  value?: AnyValue;
}

interface WireSpan {
  traceId?: string;
  spanId?: string;
  parentSpanId?: string;
  name?: string;
  kind?: number | string;
  startTimeUnixNano?: string | number;
  endTimeUnixNano?: string | number;
  attributes?: KeyValue[];
  events?: { timeUnixNano?: string | number; name?: string; attributes?: KeyValue[] }[];
  links?: { traceId?: string; spanId?: string; attributes?: KeyValue[] }[];
  status?: { code?: number | string; message?: string };
}

interface WireResource {
  resource?: { attributes?: KeyValue[] };
  scopeSpans?: { scope?: { name?: string; version?: string }; spans?: WireSpan[] }[];
  instrumentationLibrarySpans?: { instrumentationLibrary?: { name?: string }; spans?: WireSpan[] }[];
}

export interface WireTrace {
  trace?: WireTrace;
  batches?: WireResource[];
  resourceSpans?: WireResource[];
}

export interface Span {
  id: string;
  parentId: string;
  name: string;
  service: string;
  kind: string;
  /** Nanoseconds since the trace began. */
  startNs: number;
  durationNs: number;
  error: boolean;
  statusMessage: string;
  scope: string;
  attributes: [string, string][];
  resource: [string, string][];
  events: { atNs: number; name: string; attributes: [string, string][] }[];
  links: { traceId: string; spanId: string }[];
  depth: number;
  /** Spans below it, at any depth: they follow it directly. */
  below: number;
  /** Its parent is not in the trace. */
  orphan: boolean;
}

export interface Trace {
  spans: Span[];
  startMs: number;
  durationNs: number;
  services: string[];
  errors: number;
}

export function valueText(v: AnyValue | undefined): string {
  if (!v) return '';
  if (v.arrayValue) return `[${(v.arrayValue.values ?? []).map(valueText).join(', ')}]`;
  if (v.kvlistValue) return `{${(v.kvlistValue.values ?? []).map((k) => `${k.key}: ${valueText(k.value)}`).join(', ')}}`;
  return String(v.stringValue ?? v.intValue ?? v.doubleValue ?? v.boolValue ?? v.bytesValue ?? '');
}

const pairs = (list: KeyValue[] | undefined): [string, string][] => (list ?? []).map((k): [string, string] => [k.key, valueText(k.value)]);

/** Ids are hexadecimal in OTLP JSON and base64 in Tempo's older answers. */
export function hexId(id: string | undefined): string {
  if (!id) return '';
  if (/^([0-9a-fA-F]{16}|[0-9a-fA-F]{32})$/.test(id)) return id.toLowerCase();
  try {
    return [...atob(id)].map((c) => c.charCodeAt(0).toString(16).padStart(2, '0')).join('');
  } catch {
    return id;
  }
}

const KINDS = ['', 'internal', 'server', 'client', 'producer', 'consumer'];

function kindText(k: number | string | undefined): string {
  return typeof k === 'number' ? (KINDS[k] ?? '') : (k ?? '').replace('SPAN_KIND_', '').toLowerCase();
}

export function parseTrace(wire: WireTrace): Trace | null {
  const w = wire.trace ?? wire;
  const read: { s: WireSpan; start: bigint; end: bigint; service: string; scope: string; resource: [string, string][] }[] = [];
  for (const r of w.resourceSpans ?? w.batches ?? []) {
    const resource = pairs(r.resource?.attributes);
    const service = resource.find(([k]) => k === 'service.name')?.[1] ?? 'unknown';
    const scopes = [...(r.scopeSpans ?? []).map((x) => ({ name: x.scope?.name ?? '', spans: x.spans })), ...(r.instrumentationLibrarySpans ?? []).map((x) => ({ name: x.instrumentationLibrary?.name ?? '', spans: x.spans }))];
    for (const sc of scopes) {
      for (const s of sc.spans ?? []) {
        const start = BigInt(s.startTimeUnixNano ?? 0);
        const end = BigInt(s.endTimeUnixNano ?? 0);
        read.push({ s, start, end: end > start ? end : start, service, scope: sc.name, resource });
      }
    }
  }
  if (read.length === 0) return null;
  const zero = read.reduce((a, x) => (x.start < a ? x.start : a), read[0]!.start);
  const last = read.reduce((a, x) => (x.end > a ? x.end : a), read[0]!.end);
  const byId = new Map<string, Span>();
  const all: Span[] = read.map(({ s, start, end, service, scope, resource }) => {
    const code = s.status?.code;
    const span: Span = {
      id: hexId(s.spanId),
      parentId: hexId(s.parentSpanId),
      name: s.name ?? '',
      service,
      kind: kindText(s.kind),
      startNs: Number(start - zero),
      durationNs: Number(end - start),
      error: code === 2 || code === 'STATUS_CODE_ERROR',
      statusMessage: s.status?.message ?? '',
      scope,
      attributes: pairs(s.attributes),
      resource,
      events: (s.events ?? []).map((e) => ({ atNs: Number(BigInt(e.timeUnixNano ?? 0) - zero), name: e.name ?? '', attributes: pairs(e.attributes) })),
      links: (s.links ?? []).map((l) => ({ traceId: hexId(l.traceId), spanId: hexId(l.spanId) })),
      depth: 0,
      below: 0,
      orphan: false,
    };
    if (!byId.has(span.id)) byId.set(span.id, span);
    return span;
  });
  const children = new Map<string, Span[]>();
  const roots: Span[] = [];
  for (const s of all) {
    const parent = s.parentId && s.parentId !== s.id ? byId.get(s.parentId) : undefined;
    if (!parent || parent === s) {
      s.orphan = s.parentId !== '';
      roots.push(s);
    } else {
      const list = children.get(parent.id);
      if (list) list.push(s);
      else children.set(parent.id, [s]);
    }
  }
  const order = (a: Span, b: Span) => a.startNs - b.startNs || b.durationNs - a.durationNs;
  const spans: Span[] = [];
  const seen = new Set<Span>();
  // Without recursion: a trace may be very deep. A stack entry is a span, or the mark that it is done.
  const walk = (from: Span[]) => {
    const stack: { s: Span; depth: number; at: number }[] = from.sort(order).reverse().map((s) => ({ s, depth: 0, at: -1 }));
    while (stack.length) {
      const top = stack[stack.length - 1]!;
      if (top.at >= 0) {
        top.s.below = spans.length - top.at - 1;
        stack.pop();
        continue;
      }
      if (seen.has(top.s)) {
        stack.pop();
        continue;
      }
      seen.add(top.s);
      top.at = spans.length;
      top.s.depth = top.depth;
      spans.push(top.s);
      for (const c of (children.get(top.s.id) ?? []).sort(order).reverse()) stack.push({ s: c, depth: top.depth + 1, at: -1 });
    }
  };
  walk(roots);
  // What hangs in a circle has no root: each such span begins one.
  for (const s of all) if (!seen.has(s)) walk([s]);
  return { spans, startMs: Number(zero / 1000000n), durationNs: Number(last - zero), services: [...new Set(spans.map((s) => s.service))], errors: spans.filter((s) => s.error).length };
}

/**
 * Ids of the spans that the trace's end waited for: backwards from the end of a span, the child that
 * finished last, then the one that finished before that began, and so on, each with its own children.
 */
export function criticalPath(t: Trace): Set<string> {
  const out = new Set<string>();
  const stack = t.spans.length ? [{ at: 0, until: Infinity }] : [];
  while (stack.length) {
    const { at, until } = stack.pop()!;
    const s = t.spans[at]!;
    out.add(s.id);
    const children: number[] = [];
    for (let k = at + 1; k <= at + s.below; k += t.spans[k]!.below + 1) children.push(k);
    const end = (k: number) => t.spans[k]!.startNs + t.spans[k]!.durationNs;
    children.sort((a, b) => end(b) - end(a));
    let cursor = Math.min(until, s.startNs + s.durationNs);
    for (const k of children) {
      if (end(k) > cursor) continue;
      stack.push({ at: k, until: cursor });
      cursor = t.spans[k]!.startNs;
    }
  }
  return out;
}
