// Rules and alerts: the rules of the Prometheus and the Loki door, and Pharos' own summary of them.

import { signal } from '@preact/signals';
import { getJson, type Labels } from './prom';

export interface Alert {
  labels: Labels;
  annotations: Labels;
  state: 'firing' | 'pending' | 'inactive';
  activeAt?: string;
  keepFiringSince?: string;
  value?: string;
}

export interface Rule {
  type: 'alerting' | 'recording';
  name: string;
  query: string;
  labels?: Labels;
  health: string;
  lastError?: string;
  evaluationTime: number;
  lastEvaluation: string;
  /** Of alerting rules only, as all below. */
  state?: 'firing' | 'pending' | 'inactive';
  duration?: number;
  keepFiringFor?: number;
  annotations?: Labels;
  alerts?: Alert[];
}

export interface RuleGroup {
  name: string;
  /** Of the expressions; set here, by the door that shows the group. */
  language: 'promql' | 'logql';
  file: string;
  interval: number;
  limit?: number;
  evaluationTime: number;
  lastEvaluation: string;
  rules: Rule[];
}

export interface Alertmanager {
  url: string;
  state: 'taking' | 'refusing' | 'unknown' | 'dropped';
  answered_ms?: number;
  taken_ms?: number;
  error?: string;
}

export interface AlertsSummary {
  rules: number;
  recording: number;
  failing: number;
  /** Alerts, not rules. */
  firing: number;
  pending: number;
  alertmanagers: Alertmanager[];
}

export async function fetchRules(signal?: AbortSignal): Promise<RuleGroup[]> {
  const of = async (path: string, language: RuleGroup['language']) =>
    (await getJson<{ data: { groups: RuleGroup[] } }>(path, { signal })).data.groups.map((g) => ({ ...g, language }));
  const [metrics, logs] = await Promise.all([of('prometheus/api/v1/rules', 'promql'), of('loki/prometheus/api/v1/rules', 'logql')]);
  return [...metrics, ...logs];
}

export function fetchAlertsSummary(signal?: AbortSignal): Promise<AlertsSummary> {
  return getJson<AlertsSummary>('api/pharos/v1/alerts', { signal });
}

/** How many alerts fire, for the navigation. */
export const firing = signal(0);

const EVERY_MS = 30_000;

/** Keeps `firing` true while somebody looks at the page; asks again at once on return. */
export function watchFiring(): void {
  let timer = 0;
  let dueMs = 0;
  let asking = false;
  const ask = async () => {
    if (asking) return;
    asking = true;
    try {
      const n = (await fetchAlertsSummary()).firing;
      firing.value = Number.isFinite(n) ? n : 0;
    } catch {
      // An older server, or none at all: the pages say so; an old count would be a lie.
      firing.value = 0;
    }
    asking = false;
    dueMs = Date.now() + EVERY_MS;
    next();
  };
  const next = () => {
    clearTimeout(timer);
    if (!document.hidden) timer = window.setTimeout(() => void ask(), Math.max(0, dueMs - Date.now()));
  };
  document.addEventListener('visibilitychange', next);
  next();
}
