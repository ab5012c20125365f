// Variables that every dashboard has: times, intervals, who and what.

import type { VarValue } from './interpolate';
import { intervalText } from './interval';

export interface BuiltinContext {
  fromMs: number;
  toMs: number;
  intervalMs?: number;
  rateIntervalMs?: number;
  title?: string;
  uid?: string;
  timezone?: string;
}

const as = (value: string, verbatim = true): VarValue => ({ value, text: value, verbatim });

export function builtin(name: string, path: string | undefined, c: BuiltinContext): VarValue | undefined {
  const spanS = Math.max(1, Math.round((c.toMs - c.fromMs) / 1000));
  switch (name) {
    case '__interval':
      return c.intervalMs === undefined ? undefined : as(intervalText(c.intervalMs));
    case '__interval_ms':
      return c.intervalMs === undefined ? undefined : as(String(Math.round(c.intervalMs)));
    case '__rate_interval':
      return c.rateIntervalMs === undefined ? undefined : as(intervalText(c.rateIntervalMs));
    case '__rate_interval_ms':
      return c.rateIntervalMs === undefined ? undefined : as(String(Math.round(c.rateIntervalMs)));
    case '__auto':
      return c.intervalMs === undefined ? undefined : as(intervalText(c.intervalMs));
    case '__range':
      return as(`${spanS}s`);
    case '__range_s':
      return as(String(spanS));
    case '__range_ms':
      return as(String(c.toMs - c.fromMs));
    case '__from':
      return as(String(c.fromMs), false);
    case '__to':
      return as(String(c.toMs), false);
    case '__timezone':
      return as(c.timezone ?? 'browser');
    case '__dashboard':
      return as(path === 'uid' ? (c.uid ?? '') : (c.title ?? ''));
    case '__org':
      return as(path === 'name' ? 'Main Org.' : '1');
    case '__user':
      return as(path === 'id' ? '1' : path === 'email' ? '' : 'admin');
    case '__searchFilter':
      return as('');
    default:
      return undefined;
  }
}
