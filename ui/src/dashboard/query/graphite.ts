// Graphite's targets: with all other queries of the refresh in one request where the server takes them there, else by
// the render API under the main door's /graphite/ prefix.

import { ask, languages, type MultiAnswer, type Named } from '../../api/multi';
import { getJson, type Labels } from '../../api/prom';
import { pending } from '../../time/state';
import { field, frameOf, type Frame } from '../frame/frame';
import type { Target } from '../model/types';
import { answerSeries } from './frames';

interface Rendered {
  target: string;
  tags?: Record<string, string>;
  datapoints: [number | null, number][];
}

function frame(refId: string, name: string, times: number[], values: (number | null)[], labels?: Labels): Frame {
  return frameOf([field('Time', 'time', times), field('Value', 'number', values, labels, { displayNameFromDS: name })], {
    refId,
    name,
    kind: 'timeseries',
    stepMs: times.length > 1 ? times[1]! - times[0]! : undefined,
  });
}

export function answerFrames(a: MultiAnswer, refId: string): Frame[] {
  return answerSeries(a).map((s, i) => frame(refId, a.series[i]!.name ?? s.labels['name'] ?? '', s.times, s.values, s.labels));
}

const textOf = (t: Target): string => String(t['target'] ?? t['targetFull'] ?? t.query ?? '');

/** The text of a target with `#A` replaced by the target it names; what names nothing stays. */
export function withReferences(t: Target, all: Target[], depth = 0): string {
  const text = textOf(t);
  // A circle ends where it is deep enough, with an error of the server about what is left.
  if (depth > 20 || !text.includes('#')) return text;
  return text.replace(/#([A-Z][A-Z0-9]*)\b/g, (whole, id: string) => {
    const other = all.find((x) => x.refId === id && x !== t);
    return other ? withReferences(other, all, depth + 1) : whole;
  });
}

export async function graphiteFrames(refId: string, target: string, fromMs: number, toMs: number, maxDataPoints: number, signal: AbortSignal, named?: Named): Promise<Frame[]> {
  if (target.trim() === '') return [];
  const points = Math.max(1, Math.round(maxDataPoints));
  if ((await languages()).has('graphite')) {
    const stepMs = Math.max(1, Math.ceil((toMs - fromMs) / points));
    return answerFrames(await ask({ lang: 'graphite', type: 'range', query: target, fromMs, toMs, stepMs, exact: true, named }, signal), refId);
  }
  const q = new URLSearchParams({ target, from: String(Math.floor(fromMs / 1000)), until: String(Math.ceil(toMs / 1000)), maxDataPoints: String(points), format: 'json' });
  pending.value++;
  try {
    const list = await getJson<Rendered[]>(`graphite/render?${q}`, { signal });
    return list.map((s) => frame(refId, s.target, s.datapoints.map((d) => d[1] * 1000), s.datapoints.map((d) => d[0]), s.tags));
  } finally {
    pending.value--;
  }
}
