// The metrics there are, with type and help, for the metric browser, the palette and the editor.
// Loaded on first use and kept for a minute.

import { signal } from '@preact/signals';
import { prom, type MetricMeta } from './prom';

export interface Metric {
  name: string;
  type?: string;
  help?: string;
  unit?: string;
}

export const metricNames = signal<Metric[]>([]);
export const catalogueError = signal<Error | null>(null);
let loadedAt = 0;
let loading: Promise<void> | null = null;

const FAMILY_SUFFIX = /_(bucket|count|sum|total|created|info)$/;

/** Metadata belongs to the family: http_seconds describes http_seconds_bucket too. */
export function metaFor(meta: Record<string, MetricMeta[]>, name: string): MetricMeta | undefined {
  return meta[name]?.[0] ?? meta[name.replace(FAMILY_SUFFIX, '')]?.[0];
}

export function loadCatalogue(maxAgeMs = 60_000): Promise<void> {
  if (loading) return loading;
  if (Date.now() - loadedAt < maxAgeMs) return Promise.resolve();
  loading = Promise.all([prom.labelValues('__name__'), prom.metadata().catch(() => null)])
    .then(([names, meta]) => {
      metricNames.value = names.data.map((name) => {
        const m = meta ? metaFor(meta.data, name) : undefined;
        return m ? { name, type: m.type, help: m.help, unit: m.unit } : { name };
      });
      catalogueError.value = null;
      loadedAt = Date.now();
    })
    .catch((e: unknown) => {
      catalogueError.value = e as Error;
    })
    .finally(() => {
      loading = null;
    });
  return loading;
}
