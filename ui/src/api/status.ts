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

export interface Status {
  version: string;
  started_at: number;
  uptime_s: number;
  hostname: string;
  data_dir?: string;
  doors?: Door[];
  limits?: Limit[];
  ingest?: { samples_total?: number; refused?: { reason: string; total: number }[] };
  store?: { series?: number; parts?: number; disk_bytes?: number; wal_bytes?: number; oldest_ns?: number };
}

export function fetchStatus(signal?: AbortSignal): Promise<Status> {
  return getJson<Status>('api/pharos/v1/status', { signal });
}
