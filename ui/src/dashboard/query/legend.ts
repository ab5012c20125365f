// Names of series: legendFormat templates, "__auto", and what an empty template gives.

import { seriesText } from '../../api/expr';
import { labelsText } from '../frame/frame';

/** `{{label}}` is filled in; other text stays. */
export function fillLegend(template: string, labels: Record<string, string>): string {
  return template.replace(/\{\{\s*([^}]+?)\s*\}\}/g, (_, name: string) => labels[name] ?? '');
}

/** Labels whose value is not the same for all series. */
export function differing(all: Record<string, string>[]): string[] {
  const first = all[0] ?? {};
  const keys = new Set(all.flatMap((l) => Object.keys(l)));
  keys.delete('__name__');
  return [...keys].filter((k) => all.some((l) => (l[k] ?? '') !== (first[k] ?? ''))).sort();
}

/** A name a series of one target. */
export function seriesNames(format: string | undefined, expr: string, all: Record<string, string>[]): string[] {
  if (format === '__auto') {
    if (all.length === 1) return [all[0]!['__name__'] ?? expr];
    const keys = differing(all);
    const names = new Set(all.map((l) => l['__name__'] ?? ''));
    return all.map((l) => {
      const part = keys.length === 1 ? (l[keys[0]!] ?? '') : labelsText(Object.fromEntries(keys.filter((k) => l[k] !== undefined).map((k) => [k, l[k]!])));
      const name = names.size > 1 ? (l['__name__'] ?? '') : '';
      return [name, part].filter(Boolean).join(' ') || labelsText(l) || expr;
    });
  }
  if (!format) return all.map((l) => (Object.keys(l).length === 0 ? expr : seriesText(l)));
  return all.map((l) => fillLegend(format, l));
}
