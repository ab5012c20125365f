// Reducers: a column to one value. The ids are those of dashboards.

export interface ReducerInfo {
  id: string;
  name: string;
}

export const REDUCERS: ReducerInfo[] = [
  { id: 'lastNotNull', name: 'Last *' },
  { id: 'last', name: 'Last' },
  { id: 'firstNotNull', name: 'First *' },
  { id: 'first', name: 'First' },
  { id: 'min', name: 'Min' },
  { id: 'max', name: 'Max' },
  { id: 'mean', name: 'Mean' },
  { id: 'median', name: 'Median' },
  { id: 'variance', name: 'Variance' },
  { id: 'stdDev', name: 'Std dev' },
  { id: 'sum', name: 'Total' },
  { id: 'count', name: 'Count' },
  { id: 'countAll', name: 'Count all' },
  { id: 'range', name: 'Range' },
  { id: 'delta', name: 'Delta' },
  { id: 'step', name: 'Step' },
  { id: 'diff', name: 'Difference' },
  { id: 'diffperc', name: 'Difference percent' },
  { id: 'logmin', name: 'Min (above zero)' },
  { id: 'allIsZero', name: 'All zeros' },
  { id: 'allIsNull', name: 'All nulls' },
  { id: 'changeCount', name: 'Change count' },
  { id: 'distinctCount', name: 'Distinct count' },
  { id: 'allValues', name: 'All values' },
  { id: 'uniqueValues', name: 'All unique values' },
];

export function reducerName(id: string): string {
  const p = /^p(\d{1,2})$/.exec(id);
  return p ? `${p[1]}th %` : (REDUCERS.find((r) => r.id === id)?.name ?? id);
}

const isNull = (v: unknown) => v === null || v === undefined || (typeof v === 'number' && Number.isNaN(v));

function numbers(values: unknown[]): number[] {
  const out: number[] = [];
  for (const v of values) {
    if (isNull(v)) continue;
    const n = typeof v === 'number' ? v : typeof v === 'boolean' ? Number(v) : NaN;
    if (!Number.isNaN(n)) out.push(n);
  }
  return out;
}

function quantile(sorted: number[], q: number): number {
  const at = (sorted.length - 1) * q;
  const lo = Math.floor(at);
  const hi = Math.ceil(at);
  return sorted[lo]! + (sorted[hi]! - sorted[lo]!) * (at - lo);
}

/** Reduces a column; null where there is nothing to reduce. Nulls do not count, except where said. */
export function reduce(values: unknown[], id: string): unknown {
  const n = values.length;
  switch (id) {
    case 'last':
      return n ? (values[n - 1] ?? null) : null;
    case 'first':
      return n ? (values[0] ?? null) : null;
    case 'lastNotNull':
    case 'current':
      for (let i = n - 1; i >= 0; i--) if (!isNull(values[i])) return values[i];
      return null;
    case 'firstNotNull':
      for (const v of values) if (!isNull(v)) return v;
      return null;
    case 'count':
      return values.reduce((c: number, v) => c + (isNull(v) ? 0 : 1), 0);
    case 'countAll':
      return n;
    case 'allIsNull':
      return values.every(isNull);
    case 'allIsZero':
      return n > 0 && values.every((v) => v === 0);
    case 'allValues':
      return values;
    case 'uniqueValues':
      return [...new Set(values)];
    case 'distinctCount':
      return new Set(values.filter((v) => !isNull(v))).size;
    case 'changeCount': {
      let c = 0;
      let prev: unknown;
      let any = false;
      for (const v of values) {
        if (isNull(v)) continue;
        if (any && v !== prev) c++;
        prev = v;
        any = true;
      }
      return c;
    }
    default:
      return reduceNumbers(numbers(values), id);
  }
}

function reduceNumbers(v: number[], id: string): number | null {
  if (v.length === 0) return null;
  const first = v[0]!;
  const last = v[v.length - 1]!;
  const sum = () => v.reduce((a, b) => a + b, 0);
  const min = () => v.reduce((a, b) => Math.min(a, b), Infinity);
  const max = () => v.reduce((a, b) => Math.max(a, b), -Infinity);
  const variance = () => {
    const m = sum() / v.length;
    return v.reduce((a, b) => a + (b - m) * (b - m), 0) / v.length;
  };
  switch (id) {
    case 'min':
      return min();
    case 'max':
      return max();
    case 'mean':
    case 'avg':
      return sum() / v.length;
    case 'sum':
    case 'total':
      return sum();
    case 'median':
      return quantile(v.slice().sort((a, b) => a - b), 0.5);
    case 'variance':
      return variance();
    case 'stdDev':
      return Math.sqrt(variance());
    case 'range':
      return max() - min();
    case 'diff':
      return last - first;
    case 'diffperc':
      return first === 0 ? null : (last - first) / first;
    case 'delta': {
      // The growth of a counter: a fall is a reset.
      let d = 0;
      for (let i = 1; i < v.length; i++) d += v[i]! >= v[i - 1]! ? v[i]! - v[i - 1]! : v[i]!;
      return d;
    }
    case 'step': {
      let s = Infinity;
      for (let i = 1; i < v.length; i++) s = Math.min(s, Math.abs(v[i]! - v[i - 1]!));
      return Number.isFinite(s) ? s : null;
    }
    case 'logmin': {
      const up = v.filter((x) => x > 0);
      return up.length ? Math.min(...up) : null;
    }
    default: {
      const p = /^p(\d{1,2})$/.exec(id);
      return p ? quantile(v.slice().sort((a, b) => a - b), Number(p[1]) / 100) : null;
    }
  }
}
