// What the alerts page shows of the rules there are: filters, their counts, names of rules in the address.

import type { Alert, Rule, RuleGroup } from '../../api/alerts';

export const STATES = ['firing', 'pending', 'inactive', 'recording', 'failing'] as const;
export type State = (typeof STATES)[number];

export function ruleState(r: Rule): Exclude<State, 'failing'> {
  if (r.type === 'recording') return 'recording';
  return r.state === 'firing' || r.state === 'pending' ? r.state : 'inactive';
}

export interface Counts {
  /** Rules in each state; failing ones are also counted where they belong. */
  rules: Record<State, number>;
  /** Alerts. */
  firing: number;
  pending: number;
}

export function count(groups: RuleGroup[]): Counts {
  const c: Counts = { rules: { firing: 0, pending: 0, inactive: 0, recording: 0, failing: 0 }, firing: 0, pending: 0 };
  for (const g of groups) {
    for (const r of g.rules) {
      c.rules[ruleState(r)]++;
      if (r.health === 'err') c.rules.failing++;
      for (const a of r.alerts ?? []) {
        if (a.state === 'firing') c.firing++;
        else if (a.state === 'pending') c.pending++;
      }
    }
  }
  return c;
}

export interface ShownRule {
  rule: Rule;
  /** Its name in the address. */
  key: string;
  /** Those that match when only alerts do, else all. */
  alerts: Alert[];
}

export interface ShownGroup {
  group: RuleGroup;
  rules: ShownRule[];
}

/** `group/rule`; a second rule of that name is `group/rule#2`. */
function keysOf(g: RuleGroup, taken: Map<string, number>): string[] {
  return g.rules.map((r) => {
    const key = `${g.name}/${r.name}`;
    const n = (taken.get(key) ?? 0) + 1;
    taken.set(key, n);
    return n === 1 ? key : `${key}#${n}`;
  });
}

const labelText = (l: Record<string, string> | undefined) => Object.entries(l ?? {}).map(([k, v]) => `${k}=${v} ${v}`).join('\n');

/** States as in the address: those it does not know are left out. */
export function parseStates(text: string | null): Set<State> {
  return new Set((text ?? '').split(',').filter((s): s is State => (STATES as readonly string[]).includes(s)));
}

/**
 * The rules in one of the states (none = all) that contain every word of the text: in the group, the
 * file, the rule, or one of its alerts.
 */
export function select(groups: RuleGroup[], states: ReadonlySet<State>, text: string): ShownGroup[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const taken = new Map<string, number>();
  const out: ShownGroup[] = [];
  for (const group of groups) {
    const keys = keysOf(group, taken);
    const rules: ShownRule[] = [];
    group.rules.forEach((rule, i) => {
      if (states.size > 0 && !states.has(ruleState(rule)) && !(states.has('failing') && rule.health === 'err')) return;
      const all = sortAlerts(rule.alerts ?? []);
      const own = [group.name, group.file, rule.name, rule.query, rule.lastError ?? '', labelText(rule.labels), labelText(rule.annotations)].join('\n').toLowerCase();
      const missing = words.filter((w) => !own.includes(w));
      const alerts = missing.length === 0 ? all : all.filter((a) => {
        const t = `${labelText(a.labels)}\n${labelText(a.annotations)}`.toLowerCase();
        return missing.every((w) => t.includes(w));
      });
      if (missing.length === 0 || alerts.length > 0) rules.push({ rule, key: keys[i]!, alerts });
    });
    if (rules.length > 0) out.push({ group, rules });
  }
  return out;
}

/** Firing before pending, those that began last first. */
function sortAlerts(alerts: Alert[]): Alert[] {
  return alerts.slice().sort((a, b) => Number(a.state !== 'firing') - Number(b.state !== 'firing') || timeMs(b.activeAt) - timeMs(a.activeAt));
}

/** Go's zero time and what is no time are 0. */
export function timeMs(text: string | undefined): number {
  const t = Date.parse(text ?? '');
  return Number.isFinite(t) && t > 0 ? t : 0;
}

export type Piece = { text: string; href?: string };

/** Text with the web addresses in it set apart; nothing but http and https becomes a link. */
export function linkify(text: string): Piece[] {
  const out: Piece[] = [];
  let at = 0;
  for (const m of text.matchAll(/\bhttps?:\/\/[^\s<>"'`\u0000-\u001f\u200b-\u200f\u202a-\u202e\u2028\u2029\u2066-\u2069]+/gi)) {
    // What ends a sentence, or closes a bracket opened before the address, is not part of it.
    let url = m[0].replace(/[.,;:!?*]+$/, '');
    while (/[)\]}]$/.test(url) && closes(url)) url = url.slice(0, -1).replace(/[.,;:!?*]+$/, '');
    if (!URL.canParse(url)) continue;
    if (m.index > at) out.push({ text: text.slice(at, m.index) });
    out.push({ text: url, href: url });
    at = m.index + url.length;
  }
  if (at < text.length) out.push({ text: text.slice(at) });
  return out;
}

/** Its last bracket was not opened inside. */
function closes(url: string): boolean {
  const close = url[url.length - 1]!;
  const open = { ')': '(', ']': '[', '}': '{' }[close]!;
  return url.split(close).length > url.split(open).length;
}
