// What can be told from a query's text and its errors.

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

/** Takes the position out of `1:5: parse error: …`, and of Loki's and Tempo's `parse error at line 1, col 5: …`. */
export function errorPlace(message: string): ErrorPlace | null {
  const m = /\bline (\d+), col (\d+):\s*(.+)$/s.exec(message) ?? /(?:^|[\s:"])(\d+):(\d+):\s*(?:parse error:\s*)?(.+)$/s.exec(message);
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
