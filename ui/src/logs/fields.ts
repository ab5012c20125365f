// What a line itself says in JSON or logfmt.

export type Format = 'json' | 'logfmt' | '';

const PAIR = /([A-Za-z_][\w.\-/]*)=(?:"((?:[^"\\]|\\.)*)"|([^\s"]*))(?=\s|$)/g;

function flat(v: unknown, path: string, out: Record<string, string>, depth: number): void {
  if (typeof v === 'object' && v !== null && !Array.isArray(v)) {
    if (depth > 4) return;
    for (const [k, x] of Object.entries(v)) flat(x, path ? `${path}_${k}` : k, out, depth + 1);
  } else if (path && v !== null && !Array.isArray(v)) out[path] = String(v);
}

/** Fields of the line as LogQL's parser of its format names them. */
export function lineFields(line: string): { format: Format; fields: Record<string, string> } {
  const fields: Record<string, string> = {};
  const t = line.trimStart();
  if (t.startsWith('{')) {
    try {
      flat(JSON.parse(t), '', fields, 0);
      return { format: 'json', fields };
    } catch {
      return { format: '', fields };
    }
  }
  let n = 0;
  for (const m of line.matchAll(PAIR)) {
    fields[m[1]!.replace(/\W/g, '_')] = m[2] !== undefined ? m[2].replace(/\\(.)/g, '$1') : m[3]!;
    n++;
  }
  return n >= 2 ? { format: 'logfmt', fields } : { format: '', fields: {} };
}

/** JSON indented, logfmt a pair a line; other lines stay. */
export function prettyLine(line: string): string {
  const t = line.trim();
  if (t.startsWith('{') || t.startsWith('[')) {
    try {
      return JSON.stringify(JSON.parse(t), null, 2);
    } catch {
      return line;
    }
  }
  if (lineFields(line).format !== 'logfmt') return line;
  let out = '';
  let at = 0;
  for (const m of line.matchAll(PAIR)) {
    const before = line.slice(at, m.index).trim();
    out += `${out && '\n'}${before ? `${before}\n` : ''}${m[0]}`;
    at = m.index + m[0].length;
  }
  const rest = line.slice(at).trim();
  return rest ? `${out}\n${rest}` : out;
}
