// One trace, by the id in the address.

import { useEffect, useState } from 'preact/hooks';
import { ApiError } from '../../api/prom';
import { fetchTrace } from '../../api/tempo';
import { Icon } from '../../shell/icons';
import { href, path } from '../../shell/router';
import { formatInstant } from '../../time/grammar';
import { zone } from '../../time/state';
import { nsText } from '../../traces/text';
import type { Trace } from '../../traces/trace';
import { Waterfall } from '../../traces/Waterfall';

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

export default function TracePage() {
  const id = /^\/trace\/([^/]+)/.exec(path.value)?.[1];
  if (!id) return <div class="empty big">An address of a trace ends with its id.</div>;
  return <One key={id} id={decodeURIComponent(id)} />;
}
