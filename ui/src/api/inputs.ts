// What came in through doors that nobody answers: StatsD, carbon.

import { getJson } from './prom';

export interface InputRefusal {
  reason: string;
  expected: string;
  total: number;
  example?: string;
  sender?: string;
  at_ms?: number;
}

export interface InputSender {
  kind?: string;
  address: string;
  points: number;
  refused: number;
  last_ms: number;
}

export interface InputListener {
  kind: string;
  port: number;
  points?: number;
  datagrams?: number;
  dropped_by_kernel?: number;
}

/** A daemon that StatsD's proxy sends names to. */
export interface ProxyDaemon {
  daemon: string;
  /** Its admin port is asked whether it is up. */
  checked: boolean;
  up: boolean;
  lines: number;
  packets: number;
  lost_packets: number;
}

/** One door's figures since the start; what an input does not count is left out. */
export interface InputLook {
  receiving?: boolean;
  points?: number;
  lines?: number;
  names?: number;
  last_message_ms?: number;
  listeners?: InputListener[];
  refused?: InputRefusal[];
  senders?: InputSender[];
  proxy?: ProxyDaemon[];
  names_seen?: string[];
  busiest_names?: { name: string; tags?: string; type?: string; samples_per_second: number }[];
}

export function fetchInput(name: 'statsd' | 'graphite', signal?: AbortSignal): Promise<InputLook> {
  return getJson<InputLook>(`api/pharos/v1/${name}`, { signal });
}
