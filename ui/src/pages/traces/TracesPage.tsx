// Traces: found by TraceQL, or one of them as a waterfall.

import { useEffect, useState } from 'preact/hooks';
import { ApiError, getJson } from '../../api/prom';
import { useLoad } from '../../api/live';
import { Failure } from '../../chart/Panel';
import { QueryEditor } from '../../editor/QueryEditor';
import { Icon } from '../../shell/icons';
import { current, href, path, setParams } from '../../shell/router';
import { formatInstant } from '../../time/grammar';
import { refreshNow, zone } from '../../time/state';
import { format } from '../../format/units';
import { parseTrace, type Trace, type WireTrace } from '../../traces/trace';
import { nsText, Waterfall } from '../../traces/Waterfall';

interface Found {
  traceID: string;
  rootServiceName?: string;
  rootTraceName?: string;
  startTimeUnixNano?: string;
  durationMs?: number;
  spanSets?: { matched?: number }[];
}

const ALL = '{}';
const MOST = 100;

function Search() {
  const stored = current.value.params.get('q') ?? ALL;
  const [text, setText] = useState(stored);
  useEffect(() => setText(stored), [stored]);
  const load = useLoad(
    (signal, r) => {
      const q = new URLSearchParams({ q: stored, start: String(Math.floor(r.fromMs / 1000)), end: String(Math.ceil(r.toMs / 1000)), limit: String(MOST) });
      return getJson<{ traces?: Found[] }>(`tempo/api/search?${q}`, { signal });
    },
    [stored],
  );
  const run = (now: string) => (now === stored ? refreshNow() : setParams({ q: now }, true));
  const list = (load.value?.traces ?? []).slice().sort((a, b) => ((a.startTimeUnixNano ?? '') < (b.startTimeUnixNano ?? '') ? 1 : -1));
  const longest = Math.max(1, ...list.map((t) => t.durationMs ?? 0));
  const none = load.error instanceof ApiError && load.error.status === 404;
  return (
    <div class="page tr-page">
      <section class="card tr-query">
        <div class="lg-row" style={{ display: 'flex', gap: '8px' }}>
          <QueryEditor text={text} label="Query" lang="traceql" onChange={setText} onRun={run} onFocus={() => undefined} autofocus={false} mark={null} />
          <button type="button" class="btn primary" onClick={() => run(text)}>
            Run
          </button>
        </div>
      </section>
      {load.error && !none && <Failure error={load.error} />}
      {none ? (
        <div class="empty big">This server has no door for traces.</div>
      ) : (
        <section class="card table-scroll">
          <table class="table">
            <thead>
              <tr>
                <th>Start</th>
                <th>Service</th>
                <th>Name</th>
                <th>Spans found</th>
                <th>Duration</th>
              </tr>
            </thead>
            <tbody>
              {list.map((t) => (
                <tr key={t.traceID}>
                  <td class="num">{formatInstant(Number((t.startTimeUnixNano ?? '0').slice(0, -6)), zone.value)}</td>
                  <td>{t.rootServiceName}</td>
                  <td>
                    <a data-link href={href(`/trace/${t.traceID}`)}>
                      {t.rootTraceName || t.traceID}
                    </a>
                  </td>
                  <td class="num">{t.spanSets?.reduce((n, s) => n + (s.matched ?? 0), 0) || ''}</td>
                  <td>
                    <span style={{ display: 'grid', gridTemplateColumns: '1fr 90px', gap: '8px', alignItems: 'center', minWidth: '180px' }}>
                      <span class="bar">
                        <i style={{ width: `${((t.durationMs ?? 0) / longest) * 100}%` }} />
                      </span>
                      <span class="num">{format(t.durationMs ?? 0, 'ms')}</span>
                    </span>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
          {!load.loading && list.length === 0 && !load.error && <div class="empty">No traces match in this time range.</div>}
          {list.length >= MOST && <p class="note">The first {MOST}; narrow the query or the time range for others.</p>}
        </section>
      )}
    </div>
  );
}

/** Asks for the newer form first; its answer wraps the trace. */
async function fetchTrace(id: string, signal: AbortSignal): Promise<Trace | null> {
  const init = { signal, headers: { Accept: 'application/json' } };
  const at = (v: string) => `tempo/api/${v}traces/${encodeURIComponent(id)}`;
  const wire = await getJson<WireTrace>(at('v2/'), init).catch((e: unknown) => {
    if (e instanceof ApiError && e.status === 404) return getJson<WireTrace>(at(''), init);
    throw e;
  });
  return parseTrace(wire);
}

function One({ id }: { id: string }) {
  const [trace, setTrace] = useState<Trace | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const [height, setHeight] = useState(500);
  useEffect(() => {
    const abort = new AbortController();
    setTrace(null);
    setError(null);
    fetchTrace(id, abort.signal).then(
      (t) => (t ? setTrace(t) : setError(new Error('This trace has no spans.'))),
      (e: Error) => !abort.signal.aborted && setError(e),
    );
    return () => abort.abort();
  }, [id]);
  useEffect(() => {
    const fit = () => setHeight(Math.max(260, innerHeight - 210));
    fit();
    addEventListener('resize', fit);
    return () => removeEventListener('resize', fit);
  }, []);
  const root = trace?.spans[0];
  return (
    <div class="page tr-page">
      <div class="page-head">
        <a data-link href={href('/traces')}>
          Traces
        </a>
        <h1 class="cut">{root ? `${root.service}: ${root.name}` : id}</h1>
        {trace && (
          <span class="dim num">
            {formatInstant(trace.startMs, zone.value)}, {nsText(trace.durationNs)}, {trace.spans.length} spans, {trace.services.length} services
            {trace.errors > 0 && <span class="bad">, {trace.errors} errors</span>}
          </span>
        )}
      </div>
      {error && (
        <div class="empty big" role="alert">
          <Icon name="warn" size={20} />
          <p>{error instanceof ApiError && error.status === 404 ? `No trace ${id} is stored here.` : error.message}</p>
        </div>
      )}
      {trace && (
        <section class="card">
          <Waterfall trace={trace} traceId={id} height={height} />
        </section>
      )}
    </div>
  );
}

export default function TracesPage() {
  const id = /^\/trace\/([^/]+)/.exec(path.value)?.[1];
  return id ? <One key={id} id={decodeURIComponent(id)} /> : <Search />;
}
