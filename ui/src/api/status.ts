// Pharos' own status: what the doors, the limits and the store are doing.

import { getJson } from './prom';

export interface Door {
  name: string;
  listen: string;
  state: 'open' | 'off' | 'failed';
  detail?: string;
  prefix?: string;
  speaks?: string;
}

export interface Limit {
  name: string;
  value: number;
  used?: number;
  unit?: string;
  help?: string;
}

/** What an input did not take, since the start. */
export interface Refusal {
  counter: string;
  help: string;
  reason: string;
  total: number;
}

export interface Status {
  version: string;
  started_at: number;
  uptime_s: number;
  hostname: string;
  data_dir?: string;
  doors?: Door[];
  limits?: Limit[];
  ingest?: { samples_total?: number; log_lines_total?: number; spans_total?: number; refused?: { reason: string; total: number }[]; refusals?: Refusal[] };
  store?: { series?: number; parts?: number; disk_bytes?: number; wal_bytes?: number; oldest_ns?: number };
}

export function fetchStatus(signal?: AbortSignal): Promise<Status> {
  return getJson<Status>('api/pharos/v1/status', { signal });
}
