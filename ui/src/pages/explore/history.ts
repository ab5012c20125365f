// Queries run before, newest first, kept in the browser. Starred ones are never dropped.

import { signal } from '@preact/signals';
import { safeGet, safeSet } from '../../shell/theme';
import type { Signal } from './panes';

export interface Past {
  expr: string;
  /** Metrics when it does not say. */
  signal?: Signal;
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

export const signalOfPast = (p: Past): Signal => p.signal ?? 'metrics';

const same = (p: Past, expr: string, s: Signal): boolean => p.expr === expr && signalOfPast(p) === s;

function write(list: Past[]): void {
  let room = KEEP;
  history_.value = list.filter((p) => p.star || room-- > 0);
  safeSet(STORE, JSON.stringify(history_.peek()));
}

export function remember(exprs: string[], s: Signal): void {
  let list = read();
  for (const expr of exprs) {
    if (expr.trim() === '') continue;
    const old = list.find((p) => same(p, expr, s));
    list = [{ expr, signal: s, atMs: Date.now(), ...(old?.star ? { star: true } : {}) }, ...list.filter((p) => p !== old)];
  }
  write(list);
}

export function toggleStar(past: Past): void {
  write(read().map((p) => (same(p, past.expr, signalOfPast(past)) ? { ...p, star: !p.star } : p)));
}

export function forget(past: Past): void {
  write(read().filter((p) => !same(p, past.expr, signalOfPast(past))));
}
