// The arithmetic of server-side expressions: `$A / $B * 100 > 80`. Parsed once, evaluated over numbers; how series
// meet is the caller's.

export type Node =
  | { kind: 'number'; value: number | null }
  | { kind: 'ref'; name: string }
  | { kind: 'call'; name: string; args: Node[] }
  | { kind: 'unary'; op: string; of: Node }
  | { kind: 'binary'; op: string; left: Node; right: Node };

type One = (v: number | null) => number | null;
const through = (f: (v: number) => number): One => (v) => (v === null ? null : f(v));

/** Functions of one value. */
export const FUNCTIONS: Record<string, One> = {
  abs: through(Math.abs),
  log: through(Math.log),
  round: through((v) => (v < 0 ? -Math.round(-v) : Math.round(v))),
  ceil: through(Math.ceil),
  floor: through(Math.floor),
  is_nan: (v) => (v !== null && Number.isNaN(v) ? 1 : 0),
  is_inf: (v) => (v === Infinity || v === -Infinity ? 1 : 0),
  is_null: (v) => (v === null ? 1 : 0),
  is_number: (v) => (v !== null && Number.isFinite(v) ? 1 : 0),
};
const CONSTANTS: Record<string, number | null> = { inf: Infinity, infn: -Infinity, nan: NaN, null: null };

const bool = (b: boolean) => (b ? 1 : 0);
export const BINARY: Record<string, (a: number, b: number) => number> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
  '%': (a, b) => a % b,
  '**': (a, b) => a ** b,
  '==': (a, b) => bool(a === b),
  '!=': (a, b) => bool(a !== b),
  '<': (a, b) => bool(a < b),
  '<=': (a, b) => bool(a <= b),
  '>': (a, b) => bool(a > b),
  '>=': (a, b) => bool(a >= b),
  '&&': (a, b) => bool(a !== 0 && b !== 0),
  '||': (a, b) => bool(a !== 0 || b !== 0),
};
export const UNARY: Record<string, One> = { '-': through((v) => -v), '!': through((v) => bool(v === 0)) };

/** From what binds weakest to what binds strongest. */
const LEVELS = [['||'], ['&&'], ['==', '!=', '<', '<=', '>', '>='], ['+', '-'], ['*', '/', '%'], ['**']];

const TOKEN = /\s*(?:(0x[\da-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|\$\{([^}]+)\}|\$([A-Za-z_]\w*)|([A-Za-z_]\w*)|(\*\*|&&|\|\||==|!=|<=|>=|[-+*/%<>!(),]))/y;

interface Token {
  at: number;
  number?: number;
  ref?: string;
  name?: string;
  op?: string;
}

function tokens(text: string): Token[] {
  const out: Token[] = [];
  TOKEN.lastIndex = 0;
  const end = text.trimEnd().length;
  while (TOKEN.lastIndex < end) {
    const at = TOKEN.lastIndex;
    const m = TOKEN.exec(text);
    if (!m) throw new Error(`“${text.slice(at).trim().slice(0, 12)}” is not understood at character ${at + 1}.`);
    out.push({ at: at + 1, ...(m[1] !== undefined ? { number: Number(m[1]) } : {}), ref: m[2]?.trim() ?? m[3], name: m[4], op: m[5] });
  }
  return out;
}

export function parseMath(text: string): Node {
  const list = tokens(text);
  let i = 0;
  const fail = (what: string): never => {
    throw new Error(list[i] ? `${what} at character ${list[i]!.at}.` : `${what} at the end.`);
  };
  const take = (op: string): boolean => list[i]?.op === op && (i++, true);
  const need = (op: string) => take(op) || fail(`“${op}” is missing`);
  const primary = (): Node => {
    const t = list[i];
    if (!t) return fail('A value is missing');
    if (t.number !== undefined) return (i++, { kind: 'number', value: t.number });
    if (t.ref !== undefined) return (i++, { kind: 'ref', name: t.ref });
    if (t.op === '(') {
      i++;
      const n = level(0);
      need(')');
      return n;
    }
    if (t.name !== undefined) {
      const name = t.name.toLowerCase();
      i++;
      need('(');
      if (name in CONSTANTS) {
        need(')');
        return { kind: 'number', value: CONSTANTS[name]! };
      }
      if (!FUNCTIONS[name]) {
        i -= 2;
        return fail(`There is no function “${t.name}”; there are ${[...Object.keys(FUNCTIONS), ...Object.keys(CONSTANTS)].join(', ')}. It stands`);
      }
      const of = level(0);
      need(')');
      return { kind: 'call', name, args: [of] };
    }
    return fail('A value is missing');
  };
  const unary = (): Node => {
    for (const op of Object.keys(UNARY)) if (take(op)) return { kind: 'unary', op, of: unary() };
    return primary();
  };
  const level = (k: number): Node => {
    if (k === LEVELS.length) return unary();
    let left = level(k + 1);
    for (;;) {
      const op = LEVELS[k]!.find((o) => take(o));
      if (!op) return left;
      left = { kind: 'binary', op, left, right: level(k + 1) };
    }
  };
  if (list.length === 0) throw new Error('The expression is empty.');
  const n = level(0);
  if (i < list.length) fail('Something else was expected');
  return n;
}

/** The queries a text names. */
export function mathRefs(n: Node): string[] {
  switch (n.kind) {
    case 'ref':
      return [n.name];
    case 'call':
      return n.args.flatMap(mathRefs);
    case 'unary':
      return mathRefs(n.of);
    case 'binary':
      return [...mathRefs(n.left), ...mathRefs(n.right)];
    default:
      return [];
  }
}
