// All metrics with type and help. A click uses one in the current query, + adds it as another.

import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { catalogueError, loadCatalogue, metricNames, type Metric } from '../../api/catalogue';
import { selector } from '../../api/expr';
import { prom } from '../../api/prom';
import { Failure } from '../../chart/Panel';
import { Icon } from '../../shell/icons';
import { rank } from '../../shell/Palette';
import { useTime } from '../../time/scope';

const ROW = 46;

interface LabelInfo {
  name: string;
  values: number;
}

function Detail({ m, onUse }: { m: Metric; onUse: (expr: string) => void }) {
  const time = useTime();
  const [labels, setLabels] = useState<LabelInfo[] | null>(null);
  const [values, setValues] = useState<{ name: string; list: string[] } | null>(null);
  const [series, setSeries] = useState(0);
  const [error, setError] = useState<Error | null>(null);
  useEffect(() => {
    const abort = new AbortController();
    setLabels(null);
    setValues(null);
    const r = time.range.peek();
    prom.series([selector(m.name)], r.fromMs, r.toMs, abort.signal).then(
      (a) => {
        const by = new Map<string, Set<string>>();
        for (const s of a.data) {
          for (const [k, v] of Object.entries(s)) {
            if (k === '__name__') continue;
            if (!by.has(k)) by.set(k, new Set());
            by.get(k)!.add(v);
          }
        }
        setSeries(a.data.length);
        setLabels([...by].map(([name, set]) => ({ name, values: set.size })).sort((x, y) => x.name.localeCompare(y.name)));
      },
      (e: unknown) => !abort.signal.aborted && setError(e as Error),
    );
    return () => abort.abort();
  }, [m.name]);
  const open = (name: string) => {
    if (values?.name === name) return setValues(null);
    prom.labelValues(name, [selector(m.name)]).then(
      (a) => setValues({ name, list: a.data }),
      (e: unknown) => setError(e as Error),
    );
  };
  return (
    <div class="mb-detail">
      <div class="mb-title mono">{m.name}</div>
      {m.help && <p>{m.help}</p>}
      <p class="dim">
        {[m.type, m.unit, labels ? `${series} series in this range` : null].filter(Boolean).join(' · ')}
      </p>
      {error && <Failure error={error} />}
      <div class="chips">
        {(labels ?? []).map((l) => (
          <button type="button" key={l.name} class="chip" aria-expanded={values?.name === l.name} onClick={() => open(l.name)}>
            {l.name} <span class="dim">{l.values}</span>
          </button>
        ))}
      </div>
      {values && (
        <div class="chips values">
          {values.list.slice(0, 60).map((v) => (
            <button type="button" key={v} class="chip mono" title="Use this selector" onClick={() => onUse(selector(m.name, [[values.name, '=', v]]))}>
              {v === '' ? '""' : v}
            </button>
          ))}
          {values.list.length > 60 && <span class="dim">and {values.list.length - 60} more</span>}
        </div>
      )}
    </div>
  );
}

export function MetricBrowser(p: { onUse: (m: Metric) => void; onAdd: (m: Metric) => void; onExpr: (expr: string) => void; onClose: () => void }) {
  const [find, setFind] = useState('');
  const [type, setType] = useState('');
  const [picked, setPicked] = useState<Metric | null>(null);
  const [top, setTop] = useState(0);
  const [height, setHeight] = useState(500);
  const list = useRef<HTMLDivElement>(null);
  const all = metricNames.value;

  useEffect(() => void loadCatalogue(), []);
  useEffect(() => {
    const el = list.current;
    if (!el) return;
    const ro = new ResizeObserver(() => setHeight(el.clientHeight));
    ro.observe(el);
    return () => ro.disconnect();
  }, []);

  const types = useMemo(() => [...new Set(all.map((m) => m.type ?? 'unknown'))].sort(), [all]);
  const shown = useMemo(() => {
    const typed = type === '' ? all : all.filter((m) => (m.type ?? 'unknown') === type);
    if (find.trim() === '') return typed;
    return typed
      .map((m) => ({ m, s: Math.max(rank(m.name, find), m.help ? rank(m.help, find) - 25 : -1) }))
      .filter((x) => x.s >= 0 || rank(`${x.m.name} ${x.m.help ?? ''}`, find) >= 0)
      .sort((a, b) => b.s - a.s)
      .map((x) => x.m);
  }, [all, find, type]);
  useEffect(() => {
    list.current?.scrollTo(0, 0);
    setTop(0);
  }, [find, type]);

  const first = Math.max(0, Math.floor(top / ROW) - 4);
  const last = Math.min(shown.length, first + Math.ceil(height / ROW) + 8);
  return (
    <aside class="mb card" aria-label="Metrics">
      <header class="mb-head">
        <input type="search" placeholder={`Search ${all.length} metrics`} aria-label="Search metrics" value={find} onInput={(e) => setFind(e.currentTarget.value)} />
        <button type="button" class="icon-btn" onClick={p.onClose} title="Close the metric browser" aria-label="Close the metric browser">
          <Icon name="close" />
        </button>
      </header>
      {types.length > 1 && (
        <div class="chips mb-types">
          {types.map((t) => (
            <button type="button" key={t} class="chip" aria-pressed={type === t} onClick={() => setType(type === t ? '' : t)}>
              {t}
            </button>
          ))}
        </div>
      )}
      {catalogueError.value && <Failure error={catalogueError.value} />}
      <div class="mb-list" ref={list} onScroll={(e) => setTop(e.currentTarget.scrollTop)}>
        <div style={{ height: `${shown.length * ROW}px`, position: 'relative' }}>
          {shown.slice(first, last).map((m, i) => (
            <div key={m.name} class={`mb-row${picked?.name === m.name ? ' on' : ''}`} style={{ top: `${(first + i) * ROW}px`, height: `${ROW}px` }}>
              <button
                type="button"
                class="mb-use"
                title={m.help}
                onClick={() => {
                  setPicked(m);
                  p.onUse(m);
                }}
              >
                <span class="mono cut">{m.name}</span>
                <span class="dim cut">
                  {m.type && <b class={`ty ty-${m.type}`}>{m.type}</b>} {m.help ?? ''}
                </span>
              </button>
              <button type="button" class="icon-btn" title="Add as another query" aria-label={`Add ${m.name} as another query`} onClick={() => p.onAdd(m)}>
                <Icon name="plus" />
              </button>
            </div>
          ))}
        </div>
        {shown.length === 0 && <div class="empty">{all.length === 0 ? 'No metrics yet.' : `No metric matches “${find}”.`}</div>}
      </div>
      {picked && <Detail key={picked.name} m={picked} onUse={p.onExpr} />}
    </aside>
  );
}
