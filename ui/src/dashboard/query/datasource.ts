// Data sources by what they speak. Whatever uid a dashboard names, its queries go to Pharos' own
// door for that language.

import { sourceTypes } from '../../api/doors';
import type { DataSourceRef } from '../model/types';

export type SourceKind = 'prometheus' | 'loki' | 'tempo' | 'graphite' | 'testdata' | 'mixed' | 'dashboard' | 'grafana' | 'expression' | 'unknown';

/** Types of plugins that speak a language Pharos has a door for. */
const BY_TYPE: Record<string, SourceKind> = {
  prometheus: 'prometheus',
  'grafana-amazonprometheus-datasource': 'prometheus',
  'grafana-azureprometheus-datasource': 'prometheus',
  'victoriametrics-metrics-datasource': 'prometheus',
  'victoriametrics-datasource': 'prometheus',
  mimir: 'prometheus',
  loki: 'loki',
  tempo: 'tempo',
  jaeger: 'tempo',
  graphite: 'graphite',
  grafana: 'grafana',
  datasource: 'grafana',
  mixed: 'mixed',
  __expr__: 'expression',
};

/** What a reference means, or null when it says nothing (the default then holds). */
export function sourceKind(ref: DataSourceRef | string | null | undefined, resolve: (text: string) => string = (t) => t): SourceKind | null {
  if (ref === null || ref === undefined || ref === '') return null;
  const type = typeof ref === 'string' ? undefined : ref.type;
  const raw = typeof ref === 'string' ? ref : (ref.uid ?? '');
  if (raw === '-- Mixed --') return 'mixed';
  if (raw === '-- Dashboard --') return 'dashboard';
  if (raw === '-- Grafana --' || raw === 'grafana') return 'grafana';
  if (raw === '__expr__' || raw === '-100') return 'expression';
  if (type && BY_TYPE[type]) return BY_TYPE[type]!;
  const uid = resolve(raw);
  const known = BY_TYPE[sourceTypes.value.get(uid) ?? ''];
  if (known) return known;
  const low = uid.toLowerCase();
  if (BY_TYPE[low]) return BY_TYPE[low]!;
  if (/loki/.test(low)) return 'loki';
  if (/tempo/.test(low)) return 'tempo';
  if (/graphite/.test(low)) return 'graphite';
  if (/prom|mimir|thanos|cortex|victoria/.test(low)) return 'prometheus';
  if (type) return 'unknown';
  return uid === '' || uid.startsWith('$') || uid === 'default' ? null : 'prometheus';
}

/** The doors that hold data, as a data source variable offers them. */
export function sourcesOfType(type: string): { text: string; value: string }[] {
  const kind = BY_TYPE[type] ?? (type as SourceKind);
  if (kind === 'prometheus') return [{ text: 'Prometheus', value: 'prometheus' }];
  if (kind === 'loki') return [{ text: 'Loki', value: 'loki' }];
  if (kind === 'tempo') return [{ text: 'Tempo', value: 'tempo' }];
  if (kind === 'graphite') return [{ text: 'Graphite', value: 'graphite' }];
  return [];
}
