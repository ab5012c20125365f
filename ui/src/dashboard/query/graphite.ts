// The Graphite render API under the main door's /graphite/ prefix.

import { getJson } from '../../api/prom';
import { pending } from '../../time/state';
import { field, frameOf, type Frame } from '../frame/frame';

interface Rendered {
  target: string;
  tags?: Record<string, string>;
  datapoints: [number | null, number][];
}

export async function graphiteFrames(refId: string, target: string, fromMs: number, toMs: number, maxDataPoints: number, signal: AbortSignal): Promise<Frame[]> {
  if (target.trim() === '') return [];
  const q = new URLSearchParams({ target, from: String(Math.floor(fromMs / 1000)), until: String(Math.ceil(toMs / 1000)), maxDataPoints: String(Math.max(1, Math.round(maxDataPoints))), format: 'json' });
  pending.value++;
  let list: Rendered[];
  try {
    list = await getJson<Rendered[]>(`graphite/render?${q}`, { signal });
  } finally {
    pending.value--;
  }
  return list.map((s) =>
    frameOf([field('Time', 'time', s.datapoints.map((d) => d[1] * 1000)), field('Value', 'number', s.datapoints.map((d) => d[0]), s.tags, { displayNameFromDS: s.target })], {
      refId,
      name: s.target,
      kind: 'timeseries',
      stepMs: s.datapoints.length > 1 ? (s.datapoints[1]![1] - s.datapoints[0]![1]) * 1000 : undefined,
    }),
  );
}
