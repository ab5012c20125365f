// Other systems that get metrics as well, and how sending to them goes.

import { getJson } from './prom';

export interface Output {
  name: string;
  type: string;
  url: string;
  from: string;
  failing: boolean;
  last_error: string;
  last_failed_ms: number;
  last_sent_ms: number;
  queue_samples: number;
  queue_bytes: number;
  queue_bytes_max: number;
  /** Why the queue cannot be written to the disk; empty when it can. */
  disk_error: string;
  sent_samples: number;
  sent_bytes: number;
  requests: number;
  failed_requests: number;
  dropped: Record<string, number>;
}

export function fetchOutputs(signal?: AbortSignal): Promise<Output[]> {
  return getJson<Output[]>('api/pharos/v1/outputs', { signal });
}

export function droppedTotal(o: Output): number {
  return Object.values(o.dropped).reduce((a, b) => a + b, 0);
}

/** What is wrong on our side of it; empty when nothing is. */
export function diskText(o: Output): string {
  return o.disk_error && `What waits is in memory only: ${o.disk_error}`;
}

/** "queue_full 12, refused 3": only what happened. */
export function droppedText(o: Output): string {
  return Object.entries(o.dropped)
    .filter(([, n]) => n > 0)
    .map(([reason, n]) => `${reason} ${n}`)
    .join(', ');
}

/** In words and as a tone: what the last try came to. */
export function outputState(o: Output): [tone: 'good' | 'bad' | 'warn' | '', text: string] {
  if (o.failing) return ['bad', 'failing'];
  if (o.last_failed_ms > o.last_sent_ms) return ['warn', 'refused'];
  return o.last_sent_ms > 0 ? ['good', 'sending'] : ['', 'nothing sent yet'];
}
