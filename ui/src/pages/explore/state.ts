// What the explorer shows, kept in the address: `panes` is Grafana's parameter of the same name, so
// links travel both ways; Prometheus' own g0.expr and a plain `expr` are read as well.

export interface Query {
  /** A, B, … */
  refId: string;
  expr: string;
  hide: boolean;
}

export type Tab = 'graph' | 'table' | 'json';

interface PaneQuery {
  refId?: unknown;
  expr?: unknown;
  hide?: unknown;
}

export function refIdAt(i: number): string {
  return i < 26 ? String.fromCharCode(65 + i) : refIdAt(Math.floor(i / 26) - 1) + String.fromCharCode(65 + (i % 26));
}

/** The first id that is not taken. */
export function nextRefId(queries: Query[]): string {
  for (let i = 0; ; i++) {
    const id = refIdAt(i);
    if (!queries.some((q) => q.refId === id)) return id;
  }
}

export interface ParsedPanes {
  queries: Query[];
  range: { from: string; to: string } | null;
}

export function parsePanes(p: URLSearchParams): ParsedPanes {
  const queries: Query[] = [];
  let range: ParsedPanes['range'] = null;
  const add = (expr: string, refId: unknown, hide: unknown) => {
    const id = typeof refId === 'string' && refId !== '' && !queries.some((q) => q.refId === refId) ? refId : nextRefId(queries);
    queries.push({ refId: id, expr, hide: hide === true });
  };
  const panes = p.get('panes');
  if (panes) {
    try {
      const all = JSON.parse(panes) as Record<string, { queries?: PaneQuery[]; range?: { from?: unknown; to?: unknown } }>;
      const pane = Object.values(all)[0];
      for (const q of pane?.queries ?? []) if (typeof q.expr === 'string') add(q.expr, q.refId, q.hide);
      const r = pane?.range;
      if (typeof r?.from === 'string' && typeof r.to === 'string') range = { from: r.from, to: r.to };
    } catch {
      // A mangled link: an empty explorer is better than none.
    }
  }
  for (const e of p.getAll('expr')) add(e, undefined, false);
  for (let i = 0; p.has(`g${i}.expr`); i++) add(p.get(`g${i}.expr`)!, undefined, false);
  return { queries, range };
}

export function panesText(queries: Query[], range: { from: string; to: string }): string {
  return JSON.stringify({
    a: {
      datasource: 'prometheus',
      queries: queries.map((q) => ({ refId: q.refId, expr: q.expr, ...(q.hide ? { hide: true } : {}) })),
      range,
    },
  });
}

/** Unit that the metric names in an expression suggest; 'none' when they say nothing. */
export function guessUnit(expr: string): string {
  const rate = /\b(rate|irate|deriv)\s*\(/.test(expr);
  const names = expr.match(/[a-zA-Z_:][a-zA-Z0-9_:]*/g) ?? [];
  if (/histogram_quantile|histogram_avg/.test(expr) && names.some((n) => /_seconds(_bucket)?$/.test(n))) return 's';
  if (/^\s*(count|count_values|absent)\b/.test(expr)) return 'none';
  for (const n of names) {
    if (/_bytes(_total|_sum)?$/.test(n)) return rate ? 'binBps' : 'bytes';
    if (/_seconds_total$/.test(n)) return rate ? 'percentunit' : 's';
    if (/_seconds(_sum)?$/.test(n)) return rate ? 'none' : 's';
    if (/_celsius$/.test(n)) return 'celsius';
    if (/_ratio$/.test(n)) return 'percentunit';
    if (/_percent$/.test(n)) return 'percent';
    if (/_hertz$/.test(n)) return 'hertz';
    if (/_volts$/.test(n)) return 'volt';
    if (/_watts$/.test(n)) return 'watt';
  }
  return 'none';
}

export interface ErrorPlace {
  /** 1-based, as the server counts; columns are in bytes of the line. */
  line: number;
  column: number;
  message: string;
}

/** Takes the position out of `1:5: parse error: …`. */
export function errorPlace(message: string): ErrorPlace | null {
  const m = /(?:^|[\s:"])(\d+):(\d+):\s*(?:parse error:\s*)?(.+)$/s.exec(message);
  return m ? { line: Number(m[1]), column: Number(m[2]), message: m[3]!.trim() } : null;
}

/** Offset in the text of a place; the end of the text when it lies beyond. */
export function placeOffset(text: string, line: number, column: number): number {
  const lines = text.split('\n');
  if (line > lines.length) return text.length;
  let at = 0;
  for (let i = 0; i < line - 1; i++) at += lines[i]!.length + 1;
  const bytes = new TextEncoder().encode(lines[line - 1]!);
  const before = new TextDecoder().decode(bytes.subarray(0, Math.max(0, column - 1)));
  return Math.min(at + before.length, text.length);
}
