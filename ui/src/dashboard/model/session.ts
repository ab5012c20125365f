// One open dashboard: what is stored, the working copy that is drawn and edited, its variables.

import { computed, signal } from '@preact/signals';
import type { DashboardMeta, Json } from '../../api/dashboards';
import { toDashboard } from '../migrate/import';
import { upgradePanel } from '../migrate/panels';
import { isV2 } from '../migrate/v2';
import { range } from '../../time/state';
import type { VarValue } from '../variables/interpolate';
import { filterText, Variables } from '../variables/store';
import { addGroupBy, addMatchers, matcherText } from '../variables/filters';
import { sourceKind } from '../query/datasource';
import { fromLibrary, library, libraryUid, type LibraryElement } from '../../api/library';
import { allPanels } from './ids';
import type { Dashboard, Panel } from './types';

/** A new annotation, or with an id the one that is edited. */
export interface AnnotateAt {
  fromMs: number;
  toMs: number;
  panelId: number;
  id?: number;
  text?: string;
  tags?: string[];
}

export class Session {
  readonly model = signal<Dashboard>(null as unknown as Dashboard);
  /** The stored JSON, as the server gave it. */
  raw: Json;
  readonly meta = signal<DashboardMeta | null>(null);
  readonly editing = signal(false);
  /** The working copy differs from what is stored. */
  readonly dirty = signal(false);
  readonly vars: Variables;
  /** Of a dashboard looked at by its public link: the server runs its queries. */
  publicToken: string | null = null;
  /** Where an annotation is being written. */
  readonly annotating = signal<AnnotateAt | null>(null);
  /** Grafana's three: apart, a shared crosshair, shared tooltips too. */
  readonly shared = computed(() => this.model.value.graphTooltip ?? 0);

  constructor(raw: Json, meta: DashboardMeta | null, params: URLSearchParams) {
    this.raw = raw;
    this.meta.value = meta;
    this.model.value = toDashboard(raw);
    this.vars = new Variables(this.model.value.templating?.list ?? [], params, {
      range: () => range.peek(),
      title: () => this.model.peek().title,
      uid: () => String(this.model.peek().uid ?? ''),
    });
  }

  get storedAsV2(): boolean {
    return isV2(this.raw);
  }

  panel(id: number): Panel | undefined {
    return allPanels(this.model.peek().panels).find((p) => p.id === id);
  }

  /** Versions of the library panels in use, by their uid. */
  readonly libraryVersions = new Map<string, number>();
  /** And what they are, as the library has them. */
  readonly libraryElements = new Map<string, Pick<LibraryElement, 'uid' | 'name' | 'model'>>();

  /** Puts in what the dashboard only refers to. A panel whose element is gone stays a reference. */
  async loadLibrary(signal: AbortSignal): Promise<void> {
    const refs = new Set(allPanels(this.model.peek().panels).map(libraryUid).filter((u): u is string => u !== null));
    if (refs.size === 0) return;
    // An export brings the elements along.
    const kept = (this.raw['__elements'] ?? {}) as Record<string, { uid?: string; name?: string; model?: Record<string, unknown> }>;
    const found = new Map<string, Pick<LibraryElement, 'uid' | 'name' | 'model'>>();
    await Promise.all(
      [...refs].map(async (uid) => {
        const had = Array.isArray(kept) ? undefined : kept[uid];
        if (had?.model) found.set(uid, { uid, name: had.name ?? uid, model: had.model });
        // Viewers of a public link get what they may see with the dashboard.
        if (this.publicToken) return;
        try {
          const e = await library.get(uid, signal);
          this.libraryVersions.set(uid, e.version);
          found.set(uid, e);
          this.libraryElements.set(uid, e);
        } catch {
          // The placeholder says what is missing.
        }
      }),
    );
    const put = (list: Panel[]): Panel[] =>
      list.map((p) => {
        const e = found.get(libraryUid(p) ?? '');
        return e ? upgradePanel(fromLibrary(p, e)) : p.panels?.length ? { ...p, panels: put(p.panels) } : p;
      });
    const m = this.model.peek();
    this.model.value = { ...m, panels: put(m.panels) };
  }

  change(next: Dashboard): void {
    this.model.value = next;
    this.dirty.value = true;
  }

  /** Replaces one panel, wherever it stands. */
  changePanel(panel: Panel): void {
    const swap = (list: Panel[]): Panel[] => list.map((p) => (p.id === panel.id ? panel : p.panels?.length ? { ...p, panels: swap(p.panels) } : p));
    const m = this.model.peek();
    this.change({ ...m, panels: swap(m.panels) });
  }

  /** Puts the ad-hoc filters of the dashboard into a query, and what its variables group by. */
  filters(): ((expr: string, lang: 'promql' | 'logql') => string) | undefined {
    const states = this.vars.states.peek();
    const list = states.filter((s) => s.model.type === 'adhoc').flatMap((s) => s.filters.map((f) => ({ f, kind: sourceKind(s.model.datasource, (t) => this.vars.fill(t)) ?? 'prometheus' })));
    const keys = states.filter((s) => s.model.type === 'groupby').flatMap((s) => s.value);
    if (list.length === 0 && keys.length === 0) return undefined;
    return (expr, lang) => {
      // Filters are for the queries of their own data source.
      const ms = list.filter((x) => (x.kind === 'loki') === (lang === 'logql')).map((x) => matcherText(x.f)).filter((m): m is string => m !== null);
      const filtered = ms.length ? addMatchers(expr, ms, lang === 'promql') : expr;
      return lang === 'promql' ? addGroupBy(filtered, keys) : filtered;
    };
  }

  /** Fills variables, with the link variables that stand for the whole state. */
  fill(text: string, scoped?: Record<string, VarValue>): string {
    if (!text.includes('$') && !text.includes('[[')) return text;
    const r = range.peek();
    const whole = text
      .replace(/\$\{?__url_time_range\}?/g, () => `from=${r.fromMs}&to=${r.toMs}`)
      .replace(/\$\{?__all_variables\}?/g, () => this.query(scoped));
    return this.vars.fill(whole, scoped);
  }

  /** Panel titles and the like, where built-in intervals mean nothing. */
  title(text: string | undefined, scoped?: Record<string, VarValue>): string {
    return text ? this.fill(text, scoped) : '';
  }

  /** var-…=… of everything that is picked. */
  query(scoped?: Record<string, VarValue>): string {
    const parts: string[] = [];
    for (const s of this.vars.states.peek()) {
      const name = s.model.name;
      const own = scoped?.[name];
      const values = own ? (Array.isArray(own.value) ? own.value : [own.value]) : s.model.type === 'adhoc' ? s.filters.map(filterText) : s.value;
      for (const v of values) parts.push(`var-${encodeURIComponent(name)}=${encodeURIComponent(v)}`);
    }
    return parts.join('&');
  }


  stop(): void {
    this.vars.stop();
  }
}
