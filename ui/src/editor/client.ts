// What the editor's completion asks the server for. Answers are kept for a minute; a failing server
// means no suggestions, never an error while typing.

import type { PrometheusClient } from '@prometheus-io/codemirror-promql/dist/esm/client/prometheus';
import type { Matcher as EditorMatcher } from '@prometheus-io/codemirror-promql/dist/esm/types';
import { loadCatalogue, metricNames } from '../api/catalogue';
import { selector, type Matcher } from '../api/expr';
import { prom } from '../api/prom';
import { range } from '../time/state';

const KEEP_MS = 60_000;
const kept = new Map<string, { atMs: number; value: Promise<unknown> }>();

function keep<T>(key: string, make: () => Promise<T>, none: T): Promise<T> {
  const hit = kept.get(key);
  if (hit && Date.now() - hit.atMs < KEEP_MS) return hit.value as Promise<T>;
  const value = make().catch(() => {
    kept.delete(key);
    return none;
  });
  kept.set(key, { atMs: Date.now(), value });
  if (kept.size > 300) kept.delete(kept.keys().next().value!);
  return value;
}

function match(metric: string | undefined, matchers: EditorMatcher[] | undefined, without?: string): string[] {
  const ms: Matcher[] = [];
  for (const m of matchers ?? []) {
    // The label being completed must not narrow its own values.
    if (m.name === without || m.value === '' || m.name === '__name__') continue;
    ms.push([m.name, (['=', '!=', '=~', '!~'].includes(String(m.type)) ? String(m.type) : '=') as Matcher[1], m.value]);
  }
  return metric || ms.length > 0 ? [selector(metric ?? '', ms)] : [];
}

export const completionClient: PrometheusClient = {
  labelNames: (metric) =>
    keep(`n|${metric ?? ''}`, async () => (await prom.labels(match(metric, undefined))).data, [] as string[]),
  labelValues: (label, metric, matchers) => {
    const m = match(metric, matchers, label);
    return keep(`v|${label}|${m.join()}`, async () => (await prom.labelValues(label, m)).data, [] as string[]);
  },
  metricMetadata: async () => {
    await loadCatalogue();
    const out: Record<string, { type: string; help: string }[]> = {};
    for (const m of metricNames.peek()) if (m.type) out[m.name] = [{ type: m.type, help: m.help ?? '' }];
    return out;
  },
  series: (metric, matchers, label) => {
    const m = match(metric, matchers, label);
    if (m.length === 0) return Promise.resolve([]);
    const r = range.peek();
    return keep(
      `s|${m.join()}`,
      async () => (await prom.series(m, r.fromMs, r.toMs)).data.map((l) => new Map(Object.entries(l))),
      [] as Map<string, string>[],
    );
  },
  metricNames: async () => {
    await loadCatalogue();
    return metricNames.peek().map((m) => m.name);
  },
  flags: () => Promise.resolve({}),
};
