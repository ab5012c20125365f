// What differs between two JSON values, as lines a person can read.

export interface Change {
  path: string;
  kind: 'added' | 'removed' | 'changed';
  before?: unknown;
  after?: unknown;
}

const isObject = (v: unknown): v is Record<string, unknown> => typeof v === 'object' && v !== null && !Array.isArray(v);

function nameOf(v: unknown, i: number): string {
  if (isObject(v)) {
    const n = v['title'] ?? v['name'] ?? v['refId'] ?? v['id'];
    if (typeof n === 'string' && n !== '') return `[${n}]`;
    if (typeof n === 'number') return `[#${n}]`;
  }
  return `[${i}]`;
}

/** Elements of lists are matched by their id where they have one, else by place. */
function keyOf(v: unknown): string | null {
  if (!isObject(v)) return null;
  const k = v['id'] ?? v['refId'] ?? v['name'];
  return typeof k === 'string' || typeof k === 'number' ? String(k) : null;
}

export function diff(a: unknown, b: unknown, path = '', out: Change[] = []): Change[] {
  if (a === b) return out;
  if (Array.isArray(a) && Array.isArray(b)) {
    const keyed = [...a, ...b].every((x) => keyOf(x) !== null) && new Set(a.map(keyOf)).size === a.length && new Set(b.map(keyOf)).size === b.length;
    if (keyed) {
      const other = new Map(b.map((x) => [keyOf(x), x]));
      a.forEach((x, i) => {
        const y = other.get(keyOf(x));
        if (y === undefined) out.push({ path: path + nameOf(x, i), kind: 'removed', before: x });
        else diff(x, y, path + nameOf(y, i), out);
      });
      const had = new Set(a.map(keyOf));
      b.forEach((x, i) => !had.has(keyOf(x)) && out.push({ path: path + nameOf(x, i), kind: 'added', after: x }));
      return out;
    }
    for (let i = 0; i < Math.max(a.length, b.length); i++) {
      if (i >= a.length) out.push({ path: `${path}[${i}]`, kind: 'added', after: b[i] });
      else if (i >= b.length) out.push({ path: `${path}[${i}]`, kind: 'removed', before: a[i] });
      else diff(a[i], b[i], `${path}[${i}]`, out);
    }
    return out;
  }
  if (isObject(a) && isObject(b)) {
    for (const k of new Set([...Object.keys(a), ...Object.keys(b)])) {
      const p = path ? `${path}.${k}` : k;
      if (!(k in a) || a[k] === undefined) {
        if (b[k] !== undefined) out.push({ path: p, kind: 'added', after: b[k] });
      } else if (!(k in b) || b[k] === undefined) out.push({ path: p, kind: 'removed', before: a[k] });
      else diff(a[k], b[k], p, out);
    }
    return out;
  }
  out.push({ path, kind: 'changed', before: a, after: b });
  return out;
}

/** A value in one short line. */
export function short(v: unknown): string {
  const t = JSON.stringify(v) ?? '';
  return t.length > 160 ? `${t.slice(0, 157)}…` : t;
}
