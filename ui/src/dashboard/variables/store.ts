// The variables of one open dashboard: their options, what is picked, and the order in which they
// are loaded. Values live in the address (var-<name>) as well.

import { signal } from '@preact/signals';
import { isAbort } from '../../api/prom';
import type { VariableModel } from '../model/types';
import { sourceKind, sourcesOfType } from '../query/datasource';
import { builtin } from './builtin';
import { interpolate, queryFormat, referenced, type DefaultFormat, type Lookup, type VarValue } from './interpolate';
import { intervalMs, intervalText, parseInterval } from './interval';
import { applyRegex, customOptions, sortOptions, unique, type Option } from './options';
import { queryText, runVariableQuery } from './prom_query';

export const ALL = '$__all';

export interface Filter {
  key: string;
  operator: string;
  value: string;
}

export interface VarState {
  model: VariableModel;
  options: Option[];
  /** What is picked; [ALL] for all. */
  value: string[];
  loading: boolean;
  error: string | null;
  /** Of ad-hoc variables. */
  filters: Filter[];
}

const list = (v: unknown): string[] => (Array.isArray(v) ? v.map(String) : v === undefined || v === null ? [] : [String(v)]);

export function hasAll(m: VariableModel): boolean {
  return m.includeAll === true;
}

/** What the address says about a variable; null when nothing. */
function fromParams(m: VariableModel, params: URLSearchParams): string[] | null {
  const all = params.getAll(`var-${m.name}`);
  if (all.length === 0 || m.skipUrlSync) return null;
  return all.map((v) => (v === 'All' && hasAll(m) ? ALL : v));
}

export function parseFilter(text: string): Filter | null {
  const [key, operator, ...rest] = text.split('|');
  if (!key || !operator) return null;
  const un = (t: string) => t.replace(/__gfp__/g, '|').replace(/__gfc__/g, ',');
  return { key: un(key), operator, value: un(rest.join('|')) };
}

export function filterText(f: Filter): string {
  const esc = (t: string) => t.replace(/\|/g, '__gfp__').replace(/,/g, '__gfc__');
  return `${esc(f.key)}|${f.operator}|${esc(f.value)}`;
}

export interface StoreContext {
  range: () => { fromMs: number; toMs: number };
  title: () => string;
  uid: () => string;
}

export class Variables {
  readonly states = signal<VarState[]>([]);
  /** Grows whenever a value changes; panels run their queries anew. */
  readonly version = signal(0);
  /** The first load is over: panels may query. */
  readonly ready = signal(false);
  private abort = new AbortController();

  constructor(
    models: VariableModel[],
    params: URLSearchParams,
    private readonly context: StoreContext,
  ) {
    this.states.value = models.map((model) => this.initial(model, params));
  }

  private initial(model: VariableModel, params: URLSearchParams): VarState {
    const asked = fromParams(model, params);
    const saved = list(model.current?.value);
    const s: VarState = { model, options: [], value: asked ?? saved, loading: false, error: null, filters: [] };
    switch (model.type) {
      case 'adhoc': {
        const kept = Array.isArray(model['filters']) ? (model['filters'] as Filter[]) : [];
        s.filters = asked ? asked.map(parseFilter).filter((f): f is Filter => f !== null) : kept;
        break;
      }
      case 'textbox':
        s.value = asked ?? (saved.length ? saved : [String(model.query ?? '')]);
        break;
      case 'constant':
        s.value = [String(model.query ?? saved[0] ?? '')];
        break;
      case 'custom':
        s.options = customOptions(String(model.query ?? ''));
        break;
      case 'interval':
        s.options = String(model.query ?? '1m,10m,30m,1h,6h,12h,1d').split(',').map((t) => t.trim()).filter(Boolean).map((t) => ({ text: t, value: t }));
        if (model.auto) s.options.unshift({ text: 'auto', value: `$__auto_interval_${model.name}` });
        break;
      case 'datasource':
        s.options = sourcesOfType(String(model.query ?? ''));
        break;
      case 'switch': {
        const on = String(model['enabledValue'] ?? 'true');
        const off = String(model['disabledValue'] ?? 'false');
        s.options = [{ text: 'On', value: on }, { text: 'Off', value: off }];
        break;
      }
      default:
        s.options = (model.options ?? []).map((o) => ({ text: String(o.text), value: String(o.value) })).filter((o) => o.value !== ALL);
    }
    if (['custom', 'interval', 'datasource', 'switch'].includes(model.type)) s.value = this.valid(s, asked !== null);
    return s;
  }

  /** What is picked, put right: values that are there no longer give way to the first one. */
  private valid(s: VarState, keepForeign = false): string[] {
    const m = s.model;
    if (hasAll(m) && s.value[0] === ALL) return [ALL];
    // A data source by another uid is the one there is.
    const known = new Set(s.options.map((o) => o.value));
    let v = s.value.filter((x) => x !== '' && x !== ALL && (known.has(x) || (keepForeign && m.type !== 'datasource')));
    if (!m.multi) v = v.slice(0, 1);
    if (v.length) return v;
    if (m.type === 'interval' && m.auto) return [s.options[0]!.value];
    if (s.options.length === 0) return hasAll(m) ? [ALL] : [];
    if (hasAll(m) && (m.multi || list(m.current?.value)[0] === ALL)) return [ALL];
    return [s.options[0]!.value];
  }

  /** The dashboard's variables were edited: those that stayed keep what is picked. */
  replace(models: VariableModel[], params: URLSearchParams): void {
    const before = this.states.peek();
    this.states.value = models.map((m) => {
      const fresh = this.initial(m, params);
      const old = before.find((s) => s.model.name === m.name);
      return old ? { ...fresh, value: old.value.length ? old.value : fresh.value, filters: old.filters } : fresh;
    });
    void this.start().then(() => this.version.value++);
  }

  state(name: string): VarState | undefined {
    return this.states.value.find((s) => s.model.name === name);
  }

  private patch(name: string, p: Partial<VarState>): void {
    this.states.value = this.states.peek().map((s) => (s.model.name === name ? { ...s, ...p } : s));
  }

  /** What a variable stands for now. */
  private valueOf(s: VarState, path: string | undefined): VarValue {
    const m = s.model;
    const multi = m.multi === true || hasAll(m);
    if (m.type === 'adhoc') {
      return { value: s.filters.map((f) => `${f.key}${f.operator}"${f.value}"`).join(','), verbatim: true };
    }
    if (s.value[0] === ALL) {
      if (path === 'text') return { value: 'All', text: 'All', verbatim: true };
      if (m.allValue) return { value: interpolate(m.allValue, this.lookup()), text: 'All', multi, verbatim: true };
      return { value: s.options.map((o) => o.value), text: 'All', multi };
    }
    const texts = s.value.map((v) => s.options.find((o) => o.value === v)?.text ?? v);
    if (path === 'text') return { value: texts, text: texts, multi };
    if (m.type === 'interval') {
      const v = s.value[0] ?? '';
      if (v.startsWith('$__auto_interval_')) {
        const r = this.context.range();
        const ms = intervalMs(r.toMs - r.fromMs, m.auto_count || 30, parseInterval(m.auto_min) ?? 10_000);
        return { value: intervalText(ms), text: 'auto', verbatim: true };
      }
      return { value: v, text: v, verbatim: true };
    }
    if (m.type === 'constant' || m.type === 'textbox') return { value: s.value[0] ?? '', text: texts[0] ?? '', multi: false };
    return m.multi ? { value: s.value, text: texts, multi } : { value: s.value[0] ?? '', text: texts[0] ?? '', multi };
  }

  /** Finds variables by name: first those given (of a repeated panel), then the dashboard's. */
  lookup(scoped?: Record<string, VarValue>): Lookup {
    return (name, path) => {
      const own = scoped?.[name];
      if (own) return path === 'text' ? { ...own, value: own.text ?? own.value } : own;
      const auto = /^__auto_interval_(\w+)$/.exec(name);
      const s = this.state(auto ? auto[1]! : name);
      if (s) return this.valueOf(s, path);
      if (name === '__all_variables' || name === '__url_time_range') return undefined;
      const r = this.context.range();
      return builtin(name, path, { ...r, title: this.context.title(), uid: this.context.uid() });
    };
  }

  fill(text: string, scoped?: Record<string, VarValue>, format: DefaultFormat = 'glob'): string {
    return interpolate(text, this.lookup(scoped), format);
  }

  /** Variables that this one's query mentions. */
  private needs(m: VariableModel): string[] {
    const text = [queryText(m.query), m.regex ?? '', m.allValue ?? '', typeof m.datasource === 'string' ? m.datasource : (m.datasource?.uid ?? '')].join(' ');
    const names = new Set(this.states.peek().map((s) => s.model.name));
    return m.type === 'query' ? referenced(text).filter((n) => names.has(n) && n !== m.name) : [];
  }

  private async loadOne(m: VariableModel, keepForeign: boolean, signal: AbortSignal): Promise<boolean> {
    const before = this.state(m.name)!;
    const grouping = m.type === 'groupby';
    const text = grouping ? 'label_names()' : this.fill(queryText(m.query), undefined, queryFormat as DefaultFormat).trim();
    const kind = sourceKind(m.datasource, (t) => this.fill(t)) ?? 'prometheus';
    this.patch(m.name, { loading: true, error: null });
    try {
      if (text === '') throw new Error('This variable has no query.');
      if (kind !== 'prometheus' && kind !== 'loki') throw new Error(`Variables cannot be asked of this data source (${kind}).`);
      const r = this.context.range();
      const found = await runVariableQuery(kind, text, r.fromMs, r.toMs, signal);
      const options = unique(sortOptions(applyRegex(found, this.fill(m.regex ?? ''), typeof m['regexApplyTo'] === 'string' ? m['regexApplyTo'] : undefined), m.sort ?? 0));
      const now = this.state(m.name)!;
      // Grouping by nothing more is a choice as well.
      const value = grouping ? now.value.filter((v) => v !== '' && v !== ALL) : this.valid({ ...now, options }, keepForeign);
      this.patch(m.name, { options, value, loading: false });
      const allGrew = value[0] === ALL && options.length !== before.options.length;
      return allGrew || value.join('\x01') !== before.value.join('\x01');
    } catch (e) {
      if (isAbort(e)) throw e;
      this.patch(m.name, { loading: false, error: (e as Error).message });
      return false;
    }
  }

  /**
   * Loads what `wanted` says and everything that hangs on a variable whose value changed by it, each
   * as soon as those it needs are there.
   */
  private async load(wanted: (m: VariableModel) => boolean, changedBefore: string[], keepForeign: boolean): Promise<void> {
    this.abort.abort();
    const abort = (this.abort = new AbortController());
    const jobs = new Map<string, Promise<boolean>>();
    const job = (s: VarState, path: string[]): Promise<boolean> => {
      const m = s.model;
      const had = jobs.get(m.name);
      if (had) return had;
      const made = (async () => {
        const deps = await Promise.all(
          this.needs(m)
            .filter((n) => !path.includes(n))
            .map((n) => job(this.state(n)!, [...path, m.name])),
        );
        const must = wanted(m) || deps.some(Boolean) || this.needs(m).some((n) => changedBefore.includes(n));
        if ((m.type !== 'query' && m.type !== 'groupby') || !must) return changedBefore.includes(m.name);
        return (await this.loadOne(m, keepForeign, abort.signal)) || changedBefore.includes(m.name);
      })();
      jobs.set(m.name, made);
      return made;
    };
    let changed: boolean[];
    try {
      changed = await Promise.all(this.states.peek().map((s) => job(s, [])));
    } catch (e) {
      if (isAbort(e)) return;
      throw e;
    }
    if (abort.signal.aborted) return;
    const first = !this.ready.peek();
    this.ready.value = true;
    if (first || changed.some(Boolean)) this.version.value++;
  }

  start(): Promise<void> {
    return this.load((m) => m.type === 'groupby' || (m.type === 'query' && (m.refresh !== 0 || this.state(m.name)!.options.length === 0)), [], true);
  }

  /** The time range has moved: variables that say so are asked anew. */
  timeChanged(): void {
    if (this.ready.peek() && this.states.peek().some((s) => s.model.refresh === 2)) void this.load((m) => m.refresh === 2, [], true);
  }

  pick(name: string, value: string[]): void {
    const s = this.state(name);
    if (!s || s.value.join('\x01') === value.join('\x01')) return;
    this.patch(name, { value });
    void this.load(() => false, [name], false);
  }

  setFilters(name: string, filters: Filter[]): void {
    this.patch(name, { filters });
    this.version.value++;
  }

  /** The address changed by going back or forward. */
  readParams(params: URLSearchParams): void {
    const changed: string[] = [];
    for (const s of this.states.peek()) {
      const asked = fromParams(s.model, params);
      if (!asked) continue;
      if (s.model.type === 'adhoc') {
        if (s.filters.map(filterText).join('\x01') !== asked.join('\x01')) {
          this.patch(s.model.name, { filters: asked.map(parseFilter).filter((f): f is Filter => f !== null) });
          changed.push(s.model.name);
        }
      } else if (asked.join('\x01') !== s.value.join('\x01')) {
        this.patch(s.model.name, { value: asked });
        changed.push(s.model.name);
      }
    }
    if (changed.length) void this.load(() => false, changed, true);
  }

  /** var-… parameters of what is picked, as Grafana writes them. */
  params(): Record<string, string[]> {
    const out: Record<string, string[]> = {};
    for (const s of this.states.peek()) {
      if (s.model.skipUrlSync || s.model.type === 'constant') continue;
      out[`var-${s.model.name}`] = s.model.type === 'adhoc' ? s.filters.map(filterText) : s.value;
    }
    return out;
  }

  stop(): void {
    this.abort.abort();
  }
}
