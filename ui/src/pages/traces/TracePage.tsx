// One trace, by the id in the address: as a waterfall, as a flame graph, as the calls between its services.

import { useEffect, useMemo, useState } from 'preact/hooks';
import { ApiError } from '../../api/prom';
import { fetchTrace } from '../../api/tempo';
import { paletteColor } from '../../dashboard/field/color';
import { FlameGraph } from '../../flame/FlameGraph';
import { flameOfTrace } from '../../flame/model';
import { format } from '../../format/units';
import { NodeGraph } from '../../graph/NodeGraph';
import { Icon } from '../../shell/icons';
import { basePath, current, href, path, setParams } from '../../shell/router';
import { copyText } from '../../shell/toast';
import { formatInstant } from '../../time/grammar';
import { zone } from '../../time/state';
import { traceGraph } from '../../traces/calls';
import { nsText } from '../../traces/text';
import type { Trace } from '../../traces/trace';
import { Waterfall } from '../../traces/Waterfall';
import { useBox } from '../services/useBox';
import '../../dashboard/view/dashboard.css';
import '../../dashboard/view/panels.css';

const VIEWS: [string, string][] = [
  ['waterfall', 'Waterfall'],
  ['flame', 'Flame graph'],
  ['services', 'Services'],
];

function Drawing({ trace, view, height }: { trace: Trace; view: string; height: number }) {
  const { ref, width } = useBox();
  const flame = useMemo(() => (view === 'flame' ? flameOfTrace(trace) : null), [trace, view]);
  const graph = useMemo(() => (view === 'services' ? traceGraph(trace, (i) => paletteColor(i), (name) => href(`/service/${encodeURIComponent(name)}`)) : null), [trace, view]);
  return (
    <section class="card" ref={ref} style={{ minHeight: `${height}px` }}>
      {width > 0 && flame && (
        <div class="fg-pad">
          <FlameGraph flame={flame} text={(v) => format(v, 'ns')} width={width - 20} height={height - 16} label="Flame graph of the trace" />
        </div>
      )}
      {width > 0 && graph && <NodeGraph nodes={graph.nodes} edges={graph.edges} width={width} height={height} label="Services of the trace" />}
    </section>
  );
}

function One({ id }: { id: string }) {
  const [trace, setTrace] = useState<Trace | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const [height, setHeight] = useState(500);
  const params = current.value.params;
  const view = VIEWS.find(([v]) => v === params.get('view'))?.[0] ?? 'waterfall';
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
    const fit = () => setHeight(Math.max(260, innerHeight - 285));
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
            {trace.errors > 0 && <span class="bad">, {trace.errors} {trace.errors === 1 ? 'error' : 'errors'}</span>}
          </span>
        )}
        <span class="grow" />
        {trace && (
          <>
            <div class="seg" role="tablist" aria-label="View">
              {VIEWS.map(([v, name]) => (
                <button type="button" role="tab" key={v} aria-selected={view === v} onClick={() => setParams({ view: v === 'waterfall' ? null : v })}>
                  {name}
                </button>
              ))}
            </div>
            <button type="button" class="icon-btn" title="Copy the id of the trace" aria-label="Copy the id of the trace" onClick={() => void copyText(id, 'Trace id copied')}>
              <Icon name="copy" />
            </button>
            <a class="icon-btn" title="Download the trace as OTLP JSON" aria-label="Download the trace as OTLP JSON" download={`trace-${id}.json`} href={`${basePath}tempo/api/v2/traces/${encodeURIComponent(id)}`}>
              <Icon name="download" />
            </a>
          </>
        )}
      </div>
      {error && (
        <div class="empty big" role="alert">
          <Icon name="warn" size={20} />
          <p>{error instanceof ApiError && error.status === 404 ? `No trace ${id} is stored here.` : error.message}</p>
        </div>
      )}
      {!trace && !error && <div class="skeleton" style={{ height: `${height}px` }} />}
      {trace && view === 'waterfall' && (
        <section class="card">
          <Waterfall trace={trace} traceId={id} height={height} focus={params.get('span') ?? ''} />
        </section>
      )}
      {trace && view !== 'waterfall' && <Drawing trace={trace} view={view} height={height + 80} />}
    </div>
  );
}

export default function TracePage() {
  const id = /^\/trace\/([^/]+)/.exec(path.value)?.[1];
  if (!id) return <div class="empty big">An address of a trace ends with its id.</div>;
  return <One key={id} id={decodeURIComponent(id)} />;
}
