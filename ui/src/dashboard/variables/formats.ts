// The formats of ${name:format}: how the values of a variable are written into a text.

import { escapeRegex } from '../../api/expr';

export type Value = string | string[];

const list = (v: Value): string[] => (Array.isArray(v) ? v : [v]);

function encodeStrict(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}

function lucene(text: string): string {
  return text.replace(/([!*+\-=<>\s&|()[\]{}^~?:\\/"])/g, '\\$1');
}

const HTML: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** Quotes a text for a PromQL or LogQL string that a variable with one value stands in. */
export function escapeExact(text: string): string {
  return text.replace(/\\/g, '\\\\').replace(/"/g, '\\"');
}

/** A regular expression inside a query's string: both escapes. */
export function escapeRegexInString(text: string): string {
  return text.replace(/[$^*{}[\]'+?.()|\\]/g, '\\\\$&').replace(/"/g, '\\"');
}

export function dateFormat(ms: number, args: string): string {
  if (args === '' || args === 'iso') return new Date(ms).toISOString();
  if (args === 'ms') return String(ms);
  if (args === 'seconds') return String(Math.round(ms / 1000));
  const t = new Date(ms);
  const p = (n: number, w = 2) => String(n).padStart(w, '0');
  const parts: Record<string, string> = {
    YYYY: String(t.getFullYear()),
    YY: p(t.getFullYear() % 100),
    MM: p(t.getMonth() + 1),
    M: String(t.getMonth() + 1),
    DD: p(t.getDate()),
    D: String(t.getDate()),
    HH: p(t.getHours()),
    H: String(t.getHours()),
    mm: p(t.getMinutes()),
    ss: p(t.getSeconds()),
    SSS: p(t.getMilliseconds(), 3),
  };
  return args.replace(/YYYY|YY|MM|M|DD|D|HH|H|mm|ss|SSS/g, (k) => parts[k]!);
}

/** Writes the value in the format; unknown formats are as `glob`. `text` is what the reader sees. */
export function formatValue(value: Value, spec: string, name: string, text: Value): string {
  const colon = spec.indexOf(':');
  const format = colon < 0 ? spec : spec.slice(0, colon);
  const args = colon < 0 ? '' : spec.slice(colon + 1);
  const vs = list(value);
  switch (format) {
    case 'raw':
    case 'csv':
      return vs.join(',');
    case 'pipe':
      return vs.join('|');
    case 'regex': {
      const esc = vs.map(escapeRegex);
      return Array.isArray(value) && esc.length !== 1 ? `(${esc.join('|')})` : esc[0]!;
    }
    case 'json':
      return Array.isArray(value) ? JSON.stringify(value) : value;
    case 'join':
      return vs.join(args || ',');
    case 'distributed':
      return vs.map((v, i) => (i === 0 ? v : `${name}=${v}`)).join(',');
    case 'lucene':
      if (Array.isArray(value)) return vs.length === 0 ? '__empty__' : `(${vs.map((v) => `"${lucene(v)}"`).join(' OR ')})`;
      return lucene(value);
    case 'singlequote':
      return vs.map((v) => `'${v.replace(/'/g, "\\'")}'`).join(',');
    case 'doublequote':
      return vs.map((v) => `"${v.replace(/"/g, '\\"')}"`).join(',');
    case 'sqlstring':
      return vs.map((v) => `'${v.replace(/'/g, "''")}'`).join(',');
    case 'html':
      return vs.map((v) => v.replace(/[&<>"']/g, (c) => HTML[c]!)).join(', ');
    case 'percentencode':
      return encodeStrict(vs.length > 1 ? `{${vs.join(',')}}` : (vs[0] ?? ''));
    case 'uriencode':
      return encodeURI(vs.length > 1 ? `{${vs.join(',')}}` : (vs[0] ?? ''));
    case 'queryparam':
      return vs.map((v) => `var-${encodeURIComponent(name)}=${encodeURIComponent(v)}`).join('&');
    case 'customqueryparam': {
      const [param = name, prefix = ''] = args.split(':');
      return vs.map((v) => `${encodeURIComponent(param || name)}=${encodeURIComponent(prefix + v)}`).join('&');
    }
    case 'text':
      return list(text).join(' + ');
    case 'date':
      return dateFormat(Number(vs[0]), args);
    default:
      return Array.isArray(value) && vs.length > 1 ? `{${vs.join(',')}}` : (vs[0] ?? '');
  }
}
