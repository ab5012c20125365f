// Metrics in a pane of the explorer: queries on top, their results below, the metrics there are on the left.

import { useEffect, useState } from 'preact/hooks';
import { suggestExpr } from '../../api/expr';
import { useRanges } from '../../api/live';
import type { Metric } from '../../api/catalogue';
import { format, type Unit } from '../../format/units';
import { QueryEditor } from '../../editor/QueryEditor';
import { Icon } from '../../shell/icons';
import { safeGet, safeSet } from '../../shell/theme';
import { formatDuration, parseDuration } from '../../time/grammar';
import { refreshNow } from '../../time/state';
import { PromBuilder } from './builder/PromBuilder';
import { download } from './csv';
import { history_, remember } from './history';
import { MetricBrowser } from './MetricBrowser';
import { PaneHead, type PaneProps } from './PaneHead';
import { nextRefId, type Query, type Tab, type View } from './panes';
import { graphCsv, GraphView, JsonView, Notices, TableView, useInstant } from './Results';
import { errorPlace, guessUnit, placeOffset } from './state';

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

const BLANK: Query = { refId: 'A', expr: '', hide: false };

export function MetricPane(p: PaneProps) {
  const { pane } = p;
  /** What was last run; the results belong to these. */
  const ran = pane.queries;
  const told = JSON.stringify(ran);
  const [queries, setQueries] = useState<Query[]>(ran.length ? ran : [BLANK]);
  const [focused, setFocused] = useState(queries[0]!.refId);
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

  useEffect(() => remember(ran.map((q) => q.expr), 'metrics'), []);
  // Back, forward and links into this page change the address from outside.
  useEffect(() => {
    const kept = queries.filter((q) => q.expr.trim() !== '');
    if (JSON.stringify(kept) === told) return;
    const list = ran.length ? ran : [BLANK];
    setQueries(list);
    if (!list.some((q) => q.refId === focused)) setFocused(list[0]!.refId);
  }, [told]);

  const run = (list: Query[] = queries) => {
    const kept = list.filter((q) => q.expr.trim() !== '').map((q) => ({ ...q }));
    p.change({ queries: kept }, true);
    remember(kept.map((q) => q.expr), 'metrics');
    refreshNow(false);
  };
  const patch = (refId: string, change: Partial<Query>) => setQueries((l) => l.map((q) => (q.refId === refId ? { ...q, ...change } : q)));
  const patchAndRun = (list: Query[]) => {
    setQueries(list);
    run(list);
  };
  const put = (expr: string) => patchAndRun(queries.map((q) => (q.refId === focused ? { ...q, expr, hide: false } : q)));

  // Their values lie on the scale of percentiles, and hardly on another.
  const exemplars = view.exemplars ?? ran.some((q) => /histogram_(quantile|avg)\s*\(/.test(q.expr));
  const active = ran.filter((q) => !q.hide && q.expr.trim() !== '');
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
  const addQuery = (expr: string, now: boolean) => {
    const empty = queries.find((q) => q.expr.trim() === '');
    const list = empty && expr !== '' ? queries.map((q) => (q === empty ? { ...q, expr } : q)) : [...queries, { refId: nextRefId(queries), expr, hide: false }];
    setFocused(empty && expr !== '' ? empty.refId : list[list.length - 1]!.refId);
    if (now) patchAndRun(list);
    else setQueries(list);
  };
  const showBrowser = (on: boolean) => {
    setBrowse(on);
    safeSet('pharos.browser', on ? 'open' : 'shut');
  };

  const dirty = JSON.stringify(queries.filter((q) => q.expr.trim() !== '')) !== JSON.stringify(ran);
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
          onAdd={(m) => addQuery(suggestExpr(m.name, m.type), true)}
          onExpr={put}
          onClose={() => showBrowser(false)}
        />
      )}
      <div class="ex-main">
        <section class="card ex-queries" aria-label="Queries">
          <PaneHead {...p} draft={queries} onPick={put} stepMs={live.grid?.stepMs ?? 15_000} />
          {queries.map((q) => {
            const error = errorOf(q.refId);
            const sent = ran.find((x) => x.refId === q.refId)?.expr;
            const place = error && sent === q.expr ? errorPlace(error.message) : null;
            const at = place ? placeOffset(q.expr, place.line, place.column) : 0;
            return (
              <div class={`q-row${q.hide ? ' off' : ''}`} key={q.refId}>
                <span class="ref" title={`Query ${q.refId}`}>
                  {q.refId}
                </span>
                {view.builder ? (
                  <PromBuilder expr={q.expr} onFocus={() => setFocused(q.refId)} onChange={(expr) => patch(q.refId, { expr })} onRun={(expr) => patchAndRun(queries.map((x) => (x.refId === q.refId ? { ...x, expr } : x)))} onCode={() => look({ builder: false })} />
                ) : (
                <QueryEditor
                  text={q.expr}
                  label={`Query ${q.refId}`}
                  autofocus={q.expr === ''}
                  onChange={(expr) => patch(q.refId, { expr })}
                  onRun={(expr) => run(queries.map((x) => (x.refId === q.refId ? { ...x, expr } : x)))}
                  onFocus={() => setFocused(q.refId)}
                  mark={place ? { from: at, to: at + 1, message: place.message } : null}
                />
                )}
                <button type="button" class="icon-btn" aria-pressed={q.hide} title={q.hide ? 'Show' : 'Hide'} aria-label={`${q.hide ? 'Show' : 'Hide'} query ${q.refId}`} onClick={() => patchAndRun(queries.map((x) => (x === q ? { ...x, hide: !x.hide } : x)))}>
                  <Icon name={q.hide ? 'eyeoff' : 'eye'} />
                </button>
                <button
                  type="button"
                  class="icon-btn"
                  title="Remove"
                  aria-label={`Remove query ${q.refId}`}
                  disabled={queries.length === 1 && q.expr === ''}
                  onClick={() => {
                    const rest = queries.filter((x) => x !== q);
                    patchAndRun(rest.length ? rest : [{ refId: 'A', expr: '', hide: false }]);
                  }}
                >
                  <Icon name="close" />
                </button>
                {error && (
                  <div class="q-error" role="alert">
                    <Icon name="warn" />
                    <span>
                      {place ? (
                        <>
                          Line {place.line}, column {place.column}: {place.message}
                        </>
                      ) : (
                        error.message
                      )}
                    </span>
                  </div>
                )}
              </div>
            );
          })}
          <div class="q-bar">
            <button type="button" class={dirty ? 'btn primary' : 'btn'} onClick={() => run()} title="Enter or Shift+Enter in a query">
              <Icon name="play" /> Run
            </button>
            <button type="button" class="btn" onClick={() => addQuery('', false)}>
              <Icon name="plus" /> Query
            </button>
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
      <h3>Start from one of these, from the metrics on the left, or just type</h3>
      <div class="starters">
        {STARTERS.map(([name, expr]) => (
          <button type="button" class="starter card" key={name} onClick={() => onPick(expr)}>
            <b>{name}</b>
            <code>{expr}</code>
          </button>
        ))}
      </div>
      <p class="dim">
        {format(history_.value.length)} queries in the history · Enter runs, Alt+Enter makes a new line, Ctrl+Space completes
      </p>
    </section>
  );
}
