// Queries run before, newest first, kept in the browser. Starred ones are never dropped.

import { signal } from '@preact/signals';
import { safeGet, safeSet } from '../../shell/theme';

export interface Past {
  expr: string;
  atMs: number;
  star?: boolean;
}

const STORE = 'pharos.history';
const KEEP = 200;

function read(): Past[] {
  try {
    const v = JSON.parse(safeGet(STORE) ?? '[]') as Past[];
    return Array.isArray(v) ? v.filter((p) => typeof p.expr === 'string') : [];
  } catch {
    return [];
  }
}

export const history_ = signal<Past[]>(read());

function write(list: Past[]): void {
  let room = KEEP;
  history_.value = list.filter((p) => p.star || room-- > 0);
  safeSet(STORE, JSON.stringify(history_.peek()));
}

export function remember(exprs: string[]): void {
  let list = read();
  for (const expr of exprs) {
    if (expr.trim() === '') continue;
    const old = list.find((p) => p.expr === expr);
    list = [{ expr, atMs: Date.now(), ...(old?.star ? { star: true } : {}) }, ...list.filter((p) => p !== old)];
  }
  write(list);
}

export function toggleStar(expr: string): void {
  write(read().map((p) => (p.expr === expr ? { ...p, star: !p.star } : p)));
}

export function forget(expr: string): void {
  write(read().filter((p) => p.expr !== expr));
}
