// A card with a title and a drawing of one or more range queries: what every page is made of.

import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useMemo, useRef, useState } from 'preact/hooks';
import { exemplarPoints } from '../api/exemplars';
import { legendText } from '../api/expr';
import { useRange, useRanges, useVisible, type LiveRanges } from '../api/live';
import type { Labels } from '../api/prom';
import type { Unit } from '../format/units';
import { Icon } from '../shell/icons';
import { href } from '../shell/router';
import { Chart, type ChartSeries } from './Chart';
import type { ColorName } from './colors';
import { Legend } from './Legend';

export interface PanelQuery {
  expr: string;
  /** `{{label}}` is filled in. */
  legend?: string;
  color?: ColorName | ((labels: Labels) => ColorName | undefined);
  negate?: boolean;
  dash?: boolean;
  fill?: number;
}

export interface PanelProps {
  title: string;
  /** One sentence on how to read it, behind the (i). */
  help?: string;
  queries: PanelQuery[];
  unit: Unit;
  height?: number;
  stack?: boolean;
  min?: number;
  max?: number;
  softMax?: number;
  legend?: 'list' | 'table' | 'none';
  /** Order of the series; as they come otherwise. */
  sort?: (a: ChartSeries, b: ChartSeries) => number;
  /** At most so many series are drawn; the rest is said, not hidden. */
  limit?: number;
  /** Exemplars are drawn, and lead to their traces. */
  exemplars?: boolean;
  empty?: ComponentChildren;
  /** Leave the whole panel out while there is nothing in it. */
  hideEmpty?: boolean;
  class?: string;
  actions?: ComponentChildren;
}

export function exploreLink(exprs: string[]): string {
  return href('/explore', { panes: panesParam(exprs) });
}

export function panesParam(exprs: string[], extra: Record<string, unknown> = {}): string {
  return JSON.stringify({
    a: {
      datasource: 'prometheus',
      queries: exprs.map((expr, i) => ({ refId: String.fromCharCode(65 + i), expr, ...extra })),
    },
  });
}

/** Results of the queries as series to draw. */
export function toSeries(queries: PanelQuery[], live: LiveRanges): ChartSeries[] {
  const out: ChartSeries[] = [];
  let n = 0;
  queries.forEach((q, qi) => {
    const r = live.results[qi];
    if (!r || !live.grid || r.grid.startMs !== live.grid.startMs || r.grid.count !== live.grid.count) return;
    for (const s of r.series) {
      const c = typeof q.color === 'function' ? q.color(s.labels) : q.color;
      out.push({
        key: `${qi}|${s.key}`,
        label: legendText(q.legend, s.labels),
        color: c ?? n++,
        values: s.values,
        negate: q.negate,
        dash: q.dash,
        fill: q.fill,
      });
    }
  });
  return out;
}

export function Card(p: {
  title: ComponentChildren;
  help?: string;
  class?: string;
  busy?: boolean;
  actions?: ComponentChildren;
  children: ComponentChildren;
}) {
  return (
    <section class={`card ${p.class ?? ''}`}>
      <header class="card-head">
        <h2>{p.title}</h2>
        {p.help && (
          <span class="hint" tabIndex={0} role="note" aria-label={p.help} data-tip={p.help}>
            <Icon name="info" />
          </span>
        )}
        <span class="grow" />
        {p.actions}
      </header>
      {p.children}
    </section>
  );
}

export function Failure(p: { error: Error; stale?: boolean }) {
  return (
    <div class={p.stale ? 'failure stale' : 'failure'} role="alert">
      <Icon name="warn" />
      <span>{p.error.message}</span>
    </div>
  );
}

export function Panel(p: PanelProps) {
  const ref = useRef<HTMLDivElement>(null);
  const visible = useVisible(ref);
  const r = useRange();
  const live = useRanges(
    p.queries.map((q) => q.expr),
    { maxPoints: 360, enabled: visible, exemplars: p.exemplars },
  );
  const [off, setOff] = useState<Set<string>>(new Set());
  const [focus, setFocus] = useState<string | null>(null);
  const hover = useSignal<number | null>(null);
  const height = p.height ?? 200;

  const all = useMemo(() => {
    const s = toSeries(p.queries, live);
    return p.sort ? s.sort(p.sort) : s;
  }, [live.results, live.grid]);
  const points = useMemo(() => (p.exemplars ? exemplarPoints(live.results, p.unit) : undefined), [live.results, p.exemplars]);
  const limit = p.limit ?? 40;
  const series = all.slice(0, limit).map((s) => (off.has(s.key) ? { ...s, hidden: true } : s));

  const toggle = (key: string, only: boolean) => {
    setOff((prev) => {
      const shown = series.filter((s) => !prev.has(s.key));
      if (only) {
        if (shown.length === 1 && shown[0]!.key === key) return new Set();
        return new Set(series.filter((s) => s.key !== key).map((s) => s.key));
      }
      const next = new Set(prev);
      if (!next.delete(key)) next.add(key);
      return next.size === series.length ? new Set() : next;
    });
  };

  const error = live.errors.find((e) => e !== undefined);
  const warnings = live.results.flatMap((x) => x?.warnings ?? []);
  const has = series.length > 0;
  if (p.hideEmpty && !has && !live.first && !error) return <div ref={ref} class="gone" />;

  return (
    <Card
      title={p.title}
      help={p.help}
      class={`${p.class ?? ''}${live.loading && live.first ? ' waiting' : ''}`}
      actions={
        <>
          {p.actions}
          {warnings.length > 0 && (
            <span class="hint warn" tabIndex={0} aria-label={warnings.join('\n')} data-tip={warnings.join('\n')}>
              <Icon name="warn" />
            </span>
          )}
          <a class="icon-btn quiet" data-link href={exploreLink(p.queries.map((q) => q.expr))} title="Open in Explore" aria-label={`Open ${p.title} in Explore`}>
            <Icon name="explore" />
          </a>
        </>
      }
    >
      <div ref={ref} class="panel-body" style={{ minHeight: `${height}px` }} data-panel={p.title} data-points={live.grid?.count}>
        {error && <Failure error={error} stale={has} />}
        {has && live.grid ? (
          <Chart
            label={p.title}
            grid={live.grid}
            fromMs={r.fromMs}
            toMs={r.toMs}
            series={series}
            unit={p.unit}
            height={height}
            stack={p.stack}
            min={p.min}
            max={p.max}
            softMax={p.softMax}
            focus={focus}
            points={points}
            onHover={(i) => {
              hover.value = i;
            }}
          />
        ) : (
          !error && (live.first ? <div class="skeleton" style={{ height: `${height}px` }} /> : <div class="empty">{p.empty ?? 'No data in this time range.'}</div>)
        )}
      </div>
      {has && p.legend !== 'none' && (
        <Legend series={series} unit={p.unit} mode={p.legend ?? 'list'} hover={hover} onToggle={toggle} onFocus={setFocus} />
      )}
      {all.length > limit && <p class="note">Showing {limit} of {all.length} series.</p>}
    </Card>
  );
}
