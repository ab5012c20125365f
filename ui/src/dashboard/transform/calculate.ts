// Calculated columns: over a row, between two columns, of one column, running along it.

import { matches } from '../field/config';
import { reduce } from '../field/reduce';
import { displayName, field, frameOf, timeField, type Field, type Frame } from '../frame/frame';
import type { Loose } from '../model/types';
import { toWide } from './series';

const OPS: Record<string, (a: number, b: number) => number> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
  '**': (a, b) => a ** b,
  '%': (a, b) => a % b,
  '==': (a, b) => Number(a === b),
  '!=': (a, b) => Number(a !== b),
  '>': (a, b) => Number(a > b),
  '>=': (a, b) => Number(a >= b),
  '<': (a, b) => Number(a < b),
  '<=': (a, b) => Number(a <= b),
};

const UNARY: Record<string, (a: number) => number> = {
  abs: Math.abs,
  exp: Math.exp,
  ln: Math.log,
  floor: Math.floor,
  ceil: Math.ceil,
  round: Math.round,
  percent: (a) => a * 100,
};

const num = (v: unknown): number | null => (typeof v === 'number' && !Number.isNaN(v) ? v : typeof v === 'boolean' ? Number(v) : null);

interface Operand {
  fixed?: string;
  matcher?: { id: string; options?: unknown };
}

function columnOf(o: unknown, f: Frame, all: Frame[]): Field | number | null {
  if (typeof o === 'string' || typeof o === 'number') {
    const hit = f.fields.find((x) => displayName(x, f, all) === o || x.name === o);
    if (hit) return hit;
    return o === '' || Number.isNaN(Number(o)) ? null : Number(o);
  }
  const x = (o ?? {}) as Operand;
  if (x.matcher) return f.fields.find((c) => matches(x.matcher!, c, f, all)) ?? null;
  return x.fixed === undefined || x.fixed === '' ? null : columnOf(x.fixed, f, all);
}

const at = (c: Field | number, i: number): number | null => (typeof c === 'number' ? c : num(c.values[i]));

function running(values: unknown[], reducer: string): unknown[] {
  let sum = 0;
  let n = 0;
  return values.map((v) => {
    const x = num(v);
    if (x === null) return null;
    sum += x;
    n++;
    return reducer === 'mean' ? sum / n : sum;
  });
}

function windowed(values: unknown[], o: Loose): unknown[] {
  const size = Number(o['windowSize'] ?? 0.1);
  const n = o['windowSizeMode'] === 'fixed' ? Math.max(1, Math.round(size)) : Math.max(1, Math.round(values.length * size));
  const centered = o['windowAlignment'] === 'centered';
  const reducer = String(o['reducer'] ?? 'mean');
  return values.map((_, i) => {
    const from = centered ? i - Math.floor((n - 1) / 2) : i - n + 1;
    return reduce(values.slice(Math.max(0, from), Math.max(0, from) + n + Math.min(0, from)), reducer);
  });
}

export function calculateField(frames: Frame[], o: Loose): Frame[] {
  const mode = String(o['mode'] ?? 'reduceRow');
  // Separate series of one grid are calculated with as one table.
  const input = frames.length > 1 && mode !== 'index' && frames.every((f) => timeField(f)) ? toWide(frames) : frames;
  const alias = typeof o['alias'] === 'string' && o['alias'] !== '' ? o['alias'] : null;
  return input.map((f) => {
    const numbers = f.fields.filter((x) => x.type === 'number');
    let made: Field[] = [];
    const add = (name: string, values: unknown[], like?: Field) => made.push(field(alias ?? name, 'number', values, undefined, like ? { unit: like.config.unit } : {}));
    switch (mode) {
      case 'binary': {
        const b = (o['binary'] ?? {}) as { left?: unknown; right?: unknown; operator?: string };
        const op = OPS[b.operator ?? '+'];
        const leftMatcher = (b.left as Operand | undefined)?.matcher;
        // A matcher of a type takes every such column in turn.
        const lefts = leftMatcher && leftMatcher.id === 'byType' ? f.fields.filter((x) => matches(leftMatcher, x, f, input)) : [columnOf(b.left, f, input)];
        const right = columnOf(b.right, f, input);
        for (const left of lefts) {
          if (!op || left === null || right === null) continue;
          const values = Array.from({ length: f.length }, (_, i) => {
            const x = at(left, i);
            const y = at(right, i);
            return x === null || y === null ? null : op(x, y);
          });
          const text = (c: Field | number) => (typeof c === 'number' ? String(c) : displayName(c, f, input));
          const name = `${text(left)} ${b.operator ?? '+'} ${text(right)}`;
          if (lefts.length > 1) made.push(field(name, 'number', values));
          else add(name, values);
        }
        break;
      }
      case 'unary': {
        const u = (o['unary'] ?? {}) as { fieldName?: string; operator?: string };
        const op = UNARY[u.operator ?? 'abs'];
        const col = columnOf(u.fieldName, f, input);
        if (op && col !== null && typeof col !== 'number') add(`${u.operator}(${displayName(col, f, input)})`, col.values.map((v) => (num(v) === null ? null : op(num(v)!))), col);
        break;
      }
      case 'cumulativeFunctions': {
        const c = (o['cumulative'] ?? {}) as { field?: string; reducer?: string };
        const col = columnOf(c.field, f, input);
        if (col !== null && typeof col !== 'number') add(`cumulative ${c.reducer === 'mean' ? 'mean' : 'total'} ${displayName(col, f, input)}`, running(col.values, c.reducer ?? 'sum'), col);
        break;
      }
      case 'windowFunctions': {
        const w = (o['window'] ?? {}) as Loose;
        const col = columnOf(w['field'], f, input);
        if (col !== null && typeof col !== 'number') add(`${String(w['windowAlignment'] ?? 'trailing')} moving ${String(w['reducer'] ?? 'mean')} ${displayName(col, f, input)}`, windowed(col.values, w), col);
        break;
      }
      case 'index': {
        const share = (o['index'] as Loose | undefined)?.['asPercentile'] === true;
        add('Row', Array.from({ length: f.length }, (_, i) => (share ? i / Math.max(1, f.length) : i)));
        break;
      }
      default: {
        const r = (o['reduce'] ?? {}) as { reducer?: string; include?: string[] };
        const id = r.reducer ?? 'sum';
        const cols = r.include?.length ? numbers.filter((x) => r.include!.includes(displayName(x, f, input)) || r.include!.includes(x.name)) : numbers;
        if (cols.length) add(id === 'sum' ? 'Total' : id.charAt(0).toUpperCase() + id.slice(1), Array.from({ length: f.length }, (_, i) => reduce(cols.map((c) => c.values[i]), id)), cols[0]);
      }
    }
    if (made.length === 0) return f;
    if (o['replaceFields'] === true) {
      const t = timeField(f);
      made = t ? [t, ...made] : made;
      return frameOf(made, { refId: f.refId, name: f.name, kind: f.kind, stepMs: f.stepMs });
    }
    return { ...f, fields: [...f.fields, ...made] };
  });
}
