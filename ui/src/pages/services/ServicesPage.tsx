// All services: a map of who calls whom, and a list with rate, errors and latency.

import { useMemo, useState } from 'preact/hooks';
import { useLoad, useRanges } from '../../api/live';
import { traceValues } from '../../api/tempo';
import { Failure } from '../../chart/Panel';
import { Spark } from '../../chart/Spark';
import { NodeGraph } from '../../graph/NodeGraph';
import { Icon } from '../../shell/icons';
import { current, href, path, setParams } from '../../shell/router';
import { paneOf, panesText } from '../explore/panes';
import { serviceLogs } from '../explore/signals';
import { loadCalls, loadServices, spanMetrics, sparkExpr, tracesOf, type Call, type Service } from './data';
import { FigureTable, Problems } from './Figures';
import { callGraph } from './graph';
import ServicePage from './ServicePage';
import { useBox } from './useBox';
import './services.css';

export const serviceHref = (name: string): string => href(`/service/${encodeURIComponent(name)}`);

export function serviceLinks(name: string, known: boolean) {
  if (!known) return [];
  return [
    { title: 'The service', href: serviceHref(name), inside: true },
    { title: 'Its traces', href: href('/traces', { panes: panesText([paneOf('traces', [tracesOf(name)])]) }), inside: true },
    { title: 'Its logs', href: href('/logs', { panes: panesText([paneOf('logs', [serviceLogs(name)])]) }), inside: true },
  ];
}

function Map({ calls, services }: { calls: Call[]; services: Service[] }) {
  const { ref, width } = useBox();
  const g = useMemo(() => callGraph(calls, services, serviceLinks), [calls, services]);
  const height = Math.max(320, Math.min(620, innerHeight * 0.55));
  return (
    <section class="card sv-map" ref={ref} aria-label="Service map">
      {g.nodes.length === 0 ? <div class="empty">No calls between services in this time range.</div> : width > 0 && <NodeGraph nodes={g.nodes} edges={g.edges} width={width} height={height} label="Service map" />}
    </section>
  );
}

function List() {
  const load = useLoad(async (signal, r) => {
    const names = await spanMetrics(r.fromMs, r.toMs, signal);
    if (!names) return { names, services: [] as Service[], calls: [] as Call[], problems: [] as string[], others: await traceValues('resource.service.name', undefined, r.fromMs, r.toMs, signal).catch(() => []) };
    const [services, calls] = await Promise.all([loadServices(names, r.fromMs, r.toMs, signal), loadCalls(null, r.fromMs, r.toMs, signal)]);
    return { names, services: services.list, calls: calls.list, problems: [...services.problems, ...calls.problems], others: [] as string[] };
  }, []);
  const [find, setFind] = useState('');
  const view = current.value.params.get('view') === 'list' ? 'list' : 'map';
  const v = load.value;
  const live = useRanges(v?.names ? [sparkExpr(v.names)] : [], { maxPoints: 60, enabled: !!v?.names });
  const sparks = useMemo(() => {
    const name = v?.names?.service ?? '';
    return new globalThis.Map((live.results[0]?.series ?? []).map((s) => [s.labels[name] ?? '', s.values]));
  }, [live.results, v?.names]);
  const shown = (v?.services ?? []).filter((s) => s.name.toLowerCase().includes(find.toLowerCase()));
  return (
    <div class="page sv">
      <div class="page-head">
        <h1>Services</h1>
        {v && v.services.length > 0 && <span class="dim num">{v.services.length}</span>}
        <span class="grow" />
        <input type="search" placeholder="Search services" aria-label="Search services" value={find} onInput={(e) => setFind(e.currentTarget.value)} />
        <div class="seg" role="tablist" aria-label="View">
          <button type="button" role="tab" aria-selected={view === 'map'} onClick={() => setParams({ view: null })}>
            Map
          </button>
          <button type="button" role="tab" aria-selected={view === 'list'} onClick={() => setParams({ view: 'list' })}>
            List
          </button>
        </div>
      </div>
      {load.error && <Failure error={load.error} stale={!!v} />}
      <Problems list={v?.problems ?? []} />
      {!v && !load.error && <div class="skeleton" style={{ height: '360px' }} />}
      {v && !v.names && (
        <div class="empty big">
          <h2>No metrics of spans in this time range</h2>
          <p>They are made as spans come in (`span_metrics.enabled`), a few seconds behind them.</p>
          {v.others.length > 0 && (
            <p>
              Services that sent spans:{' '}
              {v.others.map((s, i) => (
                <span key={s}>
                  {i > 0 && ', '}
                  <a data-link href={serviceHref(s)}>
                    {s}
                  </a>
                </span>
              ))}
            </p>
          )}
        </div>
      )}
      {v?.names && view === 'map' && <Map calls={find ? v.calls.filter((c) => shown.some((s) => s.name === c.client || s.name === c.server)) : v.calls} services={find ? shown : v.services} />}
      {v?.names && (
        <section class="card" aria-label="Services">
          <FigureTable
            list={shown}
            what="Service"
            keyOf={(s) => s.name}
            row={(s) => (
              <a data-link href={serviceHref(s.name)} class="sv-name">
                <Icon name="service" size={13} /> {s.name}
              </a>
            )}
            extra={{
              head: 'Requests',
              cell: (s) => (
                <span class="spark-cell">
                  <Spark values={sparks.get(s.name) ?? []} color="blue" min={0} width={110} height={22} />
                </span>
              ),
            }}
          />
          {shown.length === 0 && <div class="empty">No service has this name.</div>}
        </section>
      )}
    </div>
  );
}

export default function ServicesPage() {
  const name = /^\/service\/([^/]+)/.exec(path.value)?.[1];
  return name ? <ServicePage key={name} name={decodeURIComponent(name)} /> : <List />;
}
