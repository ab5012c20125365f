// Data links, panel links and dashboard links: filled in, and never anything but a web address.

import { displayName, type Field, type Frame } from '../frame/frame';
import { displayer } from '../field/display';
import type { DataLink } from '../model/types';
import { basePath } from '../../shell/router';

export interface ReadyLink {
  title: string;
  href: string;
  newTab: boolean;
  /** Inside Pharos: opened without loading the page anew. */
  inside: boolean;
}

/** Only http(s), mail and addresses of our own; everything else (javascript:, data:) is dropped. */
export function safeUrl(url: string): string | null {
  const t = url.trim().replace(/[\u0000-\u001f\u007f\u200b-\u200f\u2028\u2029]/g, '');
  if (t === '') return null;
  if (/^(https?|mailto):/i.test(t)) return t;
  if (/^[a-z][a-z0-9+.-]*:/i.test(t)) return null;
  // Two slashes (or backslashes, which browsers take for slashes) would lead to another host.
  if (/^[\\/]{2}/.test(t) || t.startsWith('\\')) return null;
  return t.startsWith('/') ? basePath + t.slice(1) : t;
}

export interface LinkContext {
  field: Field;
  frame: Frame;
  all: Frame[];
  row: number | null;
  value: unknown;
}

/** Fills ${__value…}, ${__field…}, ${__series…}, ${__data.fields…}. */
export function fillData(text: string, c: LinkContext): string {
  return text.replace(
    /\$\{__(value|field|series|data)((?:\.[\w.]+|\["[^"]*"\]|\[\d+\])*)(?::(\w+))?\}/g,
    (all, what: string, rest: string, format: string | undefined) => {
      const path = [...rest.matchAll(/\.(\w+)|\["([^"]*)"\]|\[(\d+)\]/g)].map((m) => m[1] ?? m[2] ?? m[3]!);
      const v = dataValue(what, path, c);
      if (v === undefined) return all;
      const t = v === null ? '' : String(v);
      return format === 'percentencode' || format === 'queryparam' ? encodeURIComponent(t) : t;
    },
  );
}

function dataValue(what: string, path: string[], c: LinkContext): unknown {
  const [first, ...more] = path;
  if (what === 'value') {
    if (first === undefined || first === 'raw' || first === 'numeric') return c.value as string;
    if (first === 'text') return displayer(c.field)(c.value).text;
    if (first === 'time') return c.row === null ? '' : (c.frame.fields.find((f) => f.type === 'time')?.values[c.row] ?? '');
    return '';
  }
  if (what === 'series') return displayName(c.field, c.frame, c.all);
  if (what === 'field') {
    if (first === 'labels') return more.length ? (c.field.labels?.[more.join('.')] ?? '') : '';
    return first === 'displayName' ? displayName(c.field, c.frame, c.all) : c.field.name;
  }
  if (first === 'refId') return c.frame.refId ?? '';
  if (first === 'fields') {
    const key = more[0] ?? '';
    const f = /^\d+$/.test(key) ? c.frame.fields[Number(key)] : c.frame.fields.find((x) => x.name === key || displayName(x, c.frame, c.all) === key);
    if (!f || c.row === null) return '';
    const v = f.values[c.row];
    return more[1] === 'text' ? displayer(f)(v).text : (v as string);
  }
  return '';
}

export function readyLinks(links: DataLink[] | undefined, fill: (t: string) => string, c?: LinkContext): ReadyLink[] {
  const out: ReadyLink[] = [];
  for (const l of links ?? []) {
    if (typeof l?.url !== 'string') continue;
    const data = (t: string, encode: boolean) => (c ? fillData(encode ? encodeBare(t) : t, c) : t);
    const href = safeUrl(fill(data(l.url, true)));
    if (!href) continue;
    const title = fill(data(l.title ?? '', false)) || href;
    const inside = href.startsWith(basePath);
    out.push({ title, href, newTab: l.targetBlank === true || !inside, inside: inside && !l.targetBlank });
  }
  return out;
}

/** Values go into an address encoded, unless a format says otherwise. A link that is only a value is taken as an address. */
function encodeBare(url: string): string {
  if (/^\$\{__(value|data)[^}]*\}$/.test(url.trim())) return url;
  return url.replace(/\$\{__(value|data|field|series)([^}:]*)\}/g, '${__$1$2:percentencode}');
}
