// Metrics in a pane of the explorer: queries on top, their results below, the metrics there are on the left.

import { useState } from 'preact/hooks';
import { suggestExpr } from '../../api/expr';
import { useRanges } from '../../api/live';
import type { Metric } from '../../api/catalogue';
import { format, type Unit } from '../../format/units';
import { QueryEditor } from '../../editor/QueryEditor';
import { Icon } from '../../shell/icons';
import { safeGet, safeSet } from '../../shell/theme';
import { formatDuration, parseDuration } from '../../time/grammar';
import { PromBuilder } from './builder/PromBuilder';
import { download } from './csv';
import { history_ } from './history';
import { MetricBrowser } from './MetricBrowser';
import { PaneHead, type PaneProps } from './PaneHead';
import type { Tab, View } from './panes';
import { AddButton, markOf, QueryRow, RunButton, useDraft } from './queries';
import { graphCsv, GraphView, JsonView, Notices, TableView, useInstant } from './Results';
import { guessUnit } from './state';

const UNITS: [Unit, string][] = [
  ['auto', 'Unit: automatic'],
  ['none', 'Plain number'],
  ['short', 'Short (K, Mil)'],
  ['bytes', 'Bytes (KiB)'],
  ['decbytes', 'Bytes (kB)'],
  ['binBps', 'Bytes/s'],
  ['bps', 'Bits/s'],
  ['percent', 'Percent (0–100)'],
  ['percentunit', 'Percent (0–1)'],
  ['s', 'Seconds'],
  ['ms', 'Milliseconds'],
  ['celsius', '°C'],
  ['ops', 'Operations/s'],
];

/** Series a query may return to the browser. */
const SERIES_LIMIT = 2000;

export function MetricPane(p: PaneProps) {
  const { pane } = p;
  const draft = useDraft(p);
  const { queries, active, put, add } = draft;
  const [browse, setBrowse] = useState(() => !p.split && (safeGet('pharos.browser') ?? (innerWidth > 1200 ? 'open' : 'shut')) === 'open');

  const view = pane.view;
  const tab: Tab = view.tab ?? 'graph';
  const stack = view.stack ?? false;
  const stepText = view.step ?? '';
  const stepMs = parseDuration(stepText) ?? undefined;
  const unitParam = view.unit ?? 'auto';
  const look = (patch: Partial<View>) => {
    const next: Record<string, unknown> = { ...view, ...patch };
    for (const [k, v] of Object.entries(next)) if (v === undefined || (v === false && k !== 'exemplars') || v === '') delete next[k];
    p.change({ view: next });
  };

  // Their values lie on the scale of percentiles, and hardly on another.
  const exemplars = view.exemplars ?? pane.queries.some((q) => /histogram_(quantile|avg)\s*\(/.test(q.expr));
  const live = useRanges(
    active.map((q) => q.expr),
    { maxPoints: 500, enabled: active.length > 0, stepMs, limit: SERIES_LIMIT, exemplars },
  );
  const instant = useInstant(active, live.grid?.stepMs ?? 15_000, tab !== 'graph' && active.length > 0);
  const unit = unitParam === 'auto' ? (active.every((q) => guessUnit(q.expr) === guessUnit(active[0]!.expr)) && active[0] ? guessUnit(active[0].expr) : 'none') : unitParam;

  const errorOf = (refId: string): Error | undefined => {
    const i = active.findIndex((q) => q.refId === refId);
    if (i < 0) return undefined;
    if (tab === 'graph') return live.errors[i];
    const a = instant.value?.answers[i];
    return a instanceof Error ? a : undefined;
  };

  const useMetric = (m: Metric) => {
    put(suggestExpr(m.name, m.type));
  };
  const showBrowser = (on: boolean) => {
    setBrowse(on);
    safeSet('pharos.browser', on ? 'open' : 'shut');
  };

  const count = live.results.reduce((n, r) => n + (r?.series.length ?? 0), 0);
  const tabs: [Tab, string][] = [
    ['graph', 'Graph'],
    ['table', 'Table'],
    ['json', 'JSON'],
  ];

  return (
    <div class={`explore${browse && !p.split ? ' with-mb' : ''}`}>
      {browse && !p.split && (
        <MetricBrowser
          onUse={useMetric}
          onAdd={(m) => add(suggestExpr(m.name, m.type), true)}
          onExpr={put}
          onClose={() => showBrowser(false)}
        />
      )}
      <div class="ex-main">
        <section class="card ex-queries" aria-label="Queries">
          <PaneHead {...p} draft={queries} onPick={put} stepMs={live.grid?.stepMs ?? 15_000} />
          {queries.map((q) => {
            const { mark, text } = markOf(q, pane.queries.find((x) => x.refId === q.refId)?.expr, errorOf(q.refId));
            return (
              <QueryRow key={q.refId} q={q} draft={draft} error={text}>
                {view.builder ? (
                  <PromBuilder expr={q.expr} onFocus={() => draft.focus(q.refId)} onChange={(expr) => draft.type(q.refId, expr)} onRun={(expr) => draft.runOne(q.refId, expr)} onCode={() => look({ builder: false })} />
                ) : (
                  <QueryEditor
                    text={q.expr}
                    label={`Query ${q.refId}`}
                    autofocus={q.expr === ''}
                    onChange={(expr) => draft.type(q.refId, expr)}
                    onRun={(expr) => draft.runOne(q.refId, expr)}
                    onFocus={() => draft.focus(q.refId)}
                    mark={mark}
                  />
                )}
              </QueryRow>
            );
          })}
          <div class="q-bar">
            <RunButton draft={draft} />
            <AddButton draft={draft} />
            {!p.split && (
              <button type="button" class="btn" aria-pressed={browse} onClick={() => showBrowser(!browse)}>
                <Icon name="book" /> All metrics
              </button>
            )}
            <span class="grow" />
            <label class="step">
              <span class="dim">Step</span>
              <input
                type="text"
                placeholder={live.grid ? formatDuration(live.grid.stepMs) : 'auto'}
                value={stepText}
                aria-invalid={stepText !== '' && stepMs === undefined}
                title="Distance of two points, such as 30s or 5m; empty for automatic"
                spellcheck={false}
                onChange={(e) => look({ step: e.currentTarget.value.trim() })}
              />
            </label>
          </div>
        </section>

        {active.length > 0 ? (
          <section class="card ex-results" aria-label="Results">
            <div class="res-bar">
              <div class="seg" role="tablist" aria-label="View">
                {tabs.map(([id, text]) => (
                  <button type="button" role="tab" key={id} aria-selected={tab === id} onClick={() => look({ tab: id === 'graph' ? undefined : id })}>
                    {text}
                  </button>
                ))}
              </div>
              {tab === 'graph' && (
                <span class="dim num">
                  {count} series{live.grid ? ` · step ${formatDuration(live.grid.stepMs)}` : ''}
                </span>
              )}
              <span class="grow" />
              {tab === 'graph' && (
                <>
                  <div class="seg" role="group" aria-label="Drawing">
                    <button type="button" aria-pressed={!stack} onClick={() => look({ stack: false })}>
                      Lines
                    </button>
                    <button type="button" aria-pressed={stack} onClick={() => look({ stack: true })}>
                      Stacked
                    </button>
                  </div>
                  <button type="button" class="btn small" aria-pressed={exemplars} title="Single measurements that lead to their traces" onClick={() => look({ exemplars: !exemplars })}>
                    Exemplars
                  </button>
                  <select aria-label="Unit" value={unitParam} onChange={(e) => look({ unit: e.currentTarget.value === 'auto' ? '' : e.currentTarget.value })}>
                    {UNITS.map(([id, text]) => (
                      <option key={id} value={id}>
                        {text}
                      </option>
                    ))}
                    {!UNITS.some(([id]) => id === unitParam) && <option value={unitParam}>{unitParam}</option>}
                  </select>
                  <button type="button" class="btn small" disabled={count === 0} onClick={() => download('pharos.csv', graphCsv(active, live))}>
                    <Icon name="download" /> CSV
                  </button>
                </>
              )}
            </div>
            {tab === 'graph' && (
              <>
                <Notices warnings={live.results.flatMap((r) => r?.warnings ?? [])} infos={live.results.flatMap((r) => r?.infos ?? [])} />
                <GraphView queries={active} live={live} unit={unit} stack={stack} />
              </>
            )}
            {tab === 'table' && <TableView queries={active} unit={unit} instant={instant} />}
            {tab === 'json' && <JsonView queries={active} instant={instant} />}
          </section>
        ) : (
          <Start onPick={put} />
        )}
      </div>
    </div>
  );
}

const STARTERS: [string, string][] = [
  ['CPU by mode', 'sum by (mode) (rate(node_cpu_seconds_total{mode!="idle"}[$__rate_interval]))'],
  ['Memory in use', 'node_memory_MemTotal_bytes - node_memory_MemAvailable_bytes'],
  ['Busiest processes', 'topk(5, rate(pharos_process_cpu_seconds_total[$__rate_interval]))'],
  ['Network received', 'sum by (device) (rate(node_network_receive_bytes_total[$__rate_interval]))'],
  ['Samples ingested', 'sum(rate(pharos_ingest_samples_total[$__rate_interval]))'],
  ['Targets that are down', 'up == 0'],
];

function Start({ onPick }: { onPick: (expr: string) => void }) {
  return (
    <section class="ex-start">
      <h3>Start from one of these, from all metrics, or just type</h3>
      <div class="starters">
        {STARTERS.map(([name, expr]) => (
          <button type="button" class="starter card" key={name} onClick={() => onPick(expr)}>
            <b>{name}</b>
            <code>{expr}</code>
          </button>
        ))}
      </div>
      <p class="dim">
        {history_.value.length === 0 ? 'Nothing' : format(history_.value.length)} in the history · Enter runs, Alt+Enter makes a new line, Ctrl+Space completes
      </p>
    </section>
  );
}
