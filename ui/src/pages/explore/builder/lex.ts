// What the builders' readers share: cutting the text of a query into words, and reading along them.

export interface Token {
  kind: 'word' | 'number' | 'string' | 'sign';
  /** Strings without their quotes. */
  text: string;
}

const SIGNS = ['=~', '!~', '!=', '>=', '<=', '==', '&&', '||', '|=', '|~', '!>', '|>', '>>', '<<'];

/** null where a character or a string's end has no meaning. Durations (5m) are words. */
export function tokens(text: string): Token[] | null {
  const out: Token[] = [];
  let i = 0;
  while (i < text.length) {
    const rest = text.slice(i);
    let m: RegExpExecArray | null;
    if ((m = /^\s+/.exec(rest))) {
      i += m[0].length;
    } else if ((m = /^"(?:[^"\\]|\\.)*"|^'(?:[^'\\]|\\.)*'/.exec(rest))) {
      out.push({ kind: 'string', text: m[0].slice(1, -1).replace(/\\(.)/g, (_, c: string) => (c === 'n' ? '\n' : c === 't' ? '\t' : c === 'r' ? '\r' : c)) });
      i += m[0].length;
    } else if ((m = /^`([^`]*)`/.exec(rest))) {
      out.push({ kind: 'string', text: m[1]! });
      i += m[0].length;
    } else if ((m = /^\d+(?:\.\d+)?(?:e[+-]?\d+)?(?![\w.])/i.exec(rest))) {
      out.push({ kind: 'number', text: m[0] });
      i += m[0].length;
    } else if ((m = /^[$\w][\w.:]*/.exec(rest))) {
      out.push({ kind: 'word', text: m[0] });
      i += m[0].length;
    } else {
      const s = SIGNS.find((x) => rest.startsWith(x)) ?? (/^[-{}()[\],=<>+*/%^|.]/.test(rest) ? rest[0]! : '');
      if (!s) return null;
      out.push({ kind: 'sign', text: s });
      i += s.length;
    }
  }
  return out;
}

/** Thrown where the text says something that the builder has no place for. */
export class Beyond extends Error {}

export class Reader {
  private at = 0;
  constructor(private readonly list: Token[]) {}

  get done(): boolean {
    return this.at >= this.list.length;
  }
  peek(ahead = 0): Token | undefined {
    return this.list[this.at + ahead];
  }
  is(text: string, ahead = 0): boolean {
    const t = this.peek(ahead);
    return t !== undefined && t.kind !== 'string' && t.text === text;
  }
  eat(text: string): boolean {
    if (!this.is(text)) return false;
    this.at++;
    return true;
  }
  need(text: string): void {
    if (!this.eat(text)) throw new Beyond(`${text} expected`);
  }
  take(kind: Token['kind']): string {
    const t = this.peek();
    if (t?.kind !== kind) throw new Beyond(`${kind} expected`);
    this.at++;
    return t.text;
  }
  any(): Token {
    const t = this.peek();
    if (!t) throw new Beyond('more expected');
    this.at++;
    return t;
  }
  /** (a, b, …) */
  names(): string[] {
    const out: string[] = [];
    this.need('(');
    while (!this.eat(')')) {
      const t = this.any();
      if (t.kind !== 'word' && t.kind !== 'string') throw new Beyond('name expected');
      out.push(t.text);
      if (!this.is(')')) this.need(',');
    }
    return out;
  }
}

/** Reads all of a text; null when it is beyond what the builder can show. */
export function readAll<T>(text: string, read: (r: Reader) => T): T | null {
  const list = tokens(text);
  if (!list) return null;
  const r = new Reader(list);
  try {
    const v = read(r);
    return r.done ? v : null;
  } catch (e) {
    if (e instanceof Beyond) return null;
    throw e;
  }
}

export interface Condition {
  name: string;
  op: string;
  value: string;
}
