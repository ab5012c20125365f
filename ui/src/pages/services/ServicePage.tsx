// One service: requests, errors, latency, its operations, who calls it and whom it calls, its failed and slow traces,
// its log lines.

import { useEffect, useMemo, useState } from 'preact/hooks';
import { useLoad } from '../../api/live';
import { searchTraces, type FoundTrace } from '../../api/tempo';
import { Card, Failure, Panel } from '../../chart/Panel';
import { Session } from '../../dashboard/model/session';
import { loki } from '../../dashboard/query/loki';
import { logRows } from '../../dashboard/query/logs';
import { PanelFrame } from '../../dashboard/view/PanelFrame';
import { format } from '../../format/units';
import { NodeGraph } from '../../graph/NodeGraph';
import { LogList } from '../../logs/LogList';
import { Icon } from '../../shell/icons';
import { current, href, setParams } from '../../shell/router';
import { formatInstant } from '../../time/grammar';
import { zone } from '../../time/state';
import { paneOf, panesText, type Signal, type View } from '../explore/panes';
import { serviceLogs, serviceSeries } from '../explore/signals';
import { volumePanel } from '../logs/panels';
import { toRow } from '../logs/lines';
import { loadCalls, loadOperations, loadServices, serviceExprs, share, spanMetrics, tracesOf, type Operation } from './data';
import { FigureTable, Problems } from './Figures';
import { callGraph, percent } from './graph';
import { serviceLinks } from './ServicesPage';
import { useBox } from './useBox';
import '../../dashboard/view/dashboard.css';
import '../../dashboard/view/panels.css';
import '../logs/logs-page.css';
import './services.css';

const to = (signal: Signal, path: string, expr: string, view: View = {}): string => href(path, { panes: panesText([{ ...paneOf(signal, [expr]), view }]) });
const LINES = 100;

function TraceList({ list, empty }: { list: FoundTrace[]; empty: string }) {
  if (list.length === 0) return <div class="empty">{empty}</div>;
  return (
    <table class="table">
      <tbody>
        {list.map((t) => (
          <tr key={t.traceID}>
            <td class="num dim">{formatInstant(Number((t.startTimeUnixNano ?? '0').slice(0, -6)), zone.value)}</td>
            <td>
              <a data-link href={href(`/trace/${t.traceID}`, t.spanSets?.[0]?.spans?.[0] ? { span: t.spanSets[0].spans[0].spanID } : {})}>
                {t.rootServiceName}: {t.rootTraceName || t.traceID}
              </a>
            </td>
            <td class="num">{format(t.durationMs ?? 0, 'ms')}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Traces({ name, slow }: { name: string; slow: number | null }) {
  // Twice the median would be too many; what is above the 95th percentile is few.
  const limit = slow !== null && slow > 0 ? `${Math.max(1, Math.round(slow * 1e6))}us` : null;
  const load = useLoad(
    async (signal, r) => {
      const [failed, long] = await Promise.all([searchTraces(tracesOf(name, undefined, 'status = error'), r.fromMs, r.toMs, 10, signal), limit ? searchTraces(tracesOf(name, undefined, `duration >= ${limit}`), r.fromMs, r.toMs, 10, signal) : searchTraces(tracesOf(name), r.fromMs, r.toMs, 10, signal)]);
      return { failed, long };
    },
    [name, limit],
  );
  return (
    <>
      <Card
        title="Failed"
        class="sv-half"
        actions={
          <a class="btn small" data-link href={to('traces', '/traces', tracesOf(name, undefined, 'status = error'))}>
            All
          </a>
        }
      >
        {load.error && <Failure error={load.error} />}
        {load.value && <TraceList list={load.value.failed} empty="No trace failed here in this time range." />}
      </Card>
      <Card
        title={limit ? `Slower than ${format(slow, 's')}` : 'Traces'}
        class="sv-half"
        actions={
          <a class="btn small" data-link href={to('traces', '/traces', limit ? tracesOf(name, undefined, `duration >= ${limit}`) : tracesOf(name))}>
            All
          </a>
        }
      >
        {load.value && <TraceList list={load.value.long} empty="No traces in this time range." />}
      </Card>
    </>
  );
}

function Logs({ name }: { name: string }) {
  const [bad, setBad] = useState(false);
  const query = `${serviceLogs(name)}${bad ? ' | detected_level=~"error|critical|fatal|warn"' : ''}`;
  const load = useLoad(
    async (signal, r) => {
      const d = await loki.queryRange(query, r.fromMs, r.toMs, { limit: LINES, direction: 'backward' }, signal);
      return d.resultType === 'streams' ? logRows(d.result).map(toRow) : [];
    },
    [query],
  );
  const session = useMemo(() => {
    const s = new Session({ title: name, panels: [], schemaVersion: 42, graphTooltip: 1 } as never, null, new URLSearchParams());
    void s.vars.start();
    return s;
  }, [name]);
  useEffect(() => () => session.stop(), [session]);
  const rows = load.value ?? [];
  return (
    <Card
      title="Logs"
      class="sv-whole"
      actions={
        <>
          <button type="button" class="btn small" aria-pressed={bad} onClick={() => setBad(!bad)}>
            Warnings and errors
          </button>
          <a class="btn small" data-link href={to('logs', '/logs', query)}>
            All
          </a>
        </>
      }
    >
      {load.error && <Failure error={load.error} />}
      <div class="lg-volume">
        <PanelFrame session={session} placed={{ key: 'v', panel: volumePanel([{ refId: 'A', expr: query }]), pos: { x: 0, y: 0, w: 24, h: 5 }, scoped: {}, copy: true }} annotations={[]} alone />
      </div>
      {rows.length > 0 ? (
        <LogList lines={rows} height={Math.min(320, rows.length * 22 + 4)} showTime showLabels={false} wrap={false} pretty={false} details dedup="none" actions={(l) => <TraceButton labels={l.labels} />} />
      ) : (
        load.value && <div class="empty">No lines of {name} in this time range.</div>
      )}
    </Card>
  );
}

function TraceButton({ labels }: { labels: Record<string, string> }) {
  const id = labels['trace_id'];
  if (!id || !/^[0-9a-f]{16,32}$/i.test(id)) return null;
  return (
    <a class="btn small" data-link href={href(`/trace/${id}`, labels['span_id'] ? { span: labels['span_id'] } : {})}>
      <Icon name="traces" size={12} /> Its trace
    </a>
  );
}

const KINDS: [string, string][] = [
  ['answered', 'Requests'],
  ['all', 'All spans'],
];

function Operations({ list, service }: { list: Operation[]; service: string }) {
  const kind = current.value.params.get('kind') === 'all' ? 'all' : 'answered';
  const shown = kind === 'all' ? list : list.filter((o) => o.kind === 'server' || o.kind === 'consumer');
  return (
    <Card
      title="Operations"
      class="sv-whole"
      actions={
        <div class="seg" role="group" aria-label="Which spans">
          {KINDS.map(([k, text]) => (
            <button type="button" key={k} aria-pressed={kind === k} onClick={() => setParams({ kind: k === 'all' ? 'all' : null })}>
              {text}
            </button>
          ))}
        </div>
      }
    >
      <FigureTable
        list={shown}
        what="Operation"
        keyOf={(o) => `${o.name}|${o.kind}`}
        row={(o) => (
          <a data-link href={to('traces', '/traces', tracesOf(service, o.name))} title={`Traces of ${o.name}`}>
            {o.name || '(no name)'}
          </a>
        )}
        extra={{ head: 'Kind', cell: (o) => <span class="dim">{o.kind}</span> }}
      />
      {shown.length === 0 && <div class="empty">{list.length ? 'It answers no requests; “All spans” shows what else it does.' : 'No spans in this time range.'}</div>}
    </Card>
  );
}

export default function ServicePage({ name }: { name: string }) {
  const load = useLoad(
    async (signal, r) => {
      const names = await spanMetrics(r.fromMs, r.toMs, signal);
      if (!names) return { names, services: [], operations: [], calls: [], problems: [] };
      const [services, operations, calls] = await Promise.all([loadServices(names, r.fromMs, r.toMs, signal), loadOperations(names, name, r.fromMs, r.toMs, signal), loadCalls(name, r.fromMs, r.toMs, signal)]);
      return { names, services: services.list, operations: operations.list, calls: calls.list, problems: [...services.problems, ...operations.problems, ...calls.problems] };
    },
    [name],
  );
  const v = load.value;
  const own = v?.services.find((s) => s.name === name);
  const { ref, width } = useBox();
  const g = useMemo(() => (v ? callGraph(v.calls, v.services.filter((s) => s.name === name || v.calls.some((c) => c.client === s.name || c.server === s.name)), serviceLinks) : null), [v]);
  const x = v?.names ? serviceExprs(v.names, name) : null;
  const figure = (label: string, text: string, bad = false) => (
    <div class="sv-figure">
      <span class="dim">{label}</span>
      <b class={bad ? 'num bad' : 'num'}>{text}</b>
    </div>
  );
  return (
    <div class="page sv">
      <div class="page-head">
        <a data-link href={href('/services')}>
          Services
        </a>
        <h1 class="cut">{name}</h1>
        <span class="grow" />
        <a class="btn small" data-link href={to('traces', '/traces', tracesOf(name))}>
          <Icon name="traces" size={12} /> Traces
        </a>
        <a class="btn small" data-link href={to('logs', '/logs', serviceLogs(name))}>
          <Icon name="logs" size={12} /> Logs
        </a>
        <a class="btn small" data-link href={to('metrics', '/explore', serviceSeries(name), { builder: true })} title={`All series with ${name} as their job`}>
          <Icon name="explore" size={12} /> Metrics
        </a>
      </div>
      {load.error && <Failure error={load.error} stale={!!v} />}
      <Problems list={v?.problems ?? []} />
      {v && !v.names && <p class="note">No metrics of spans in this time range; they are made as spans come in, a few seconds behind them.</p>}
      {own && (
        <section class="card sv-figures" aria-label="Figures of the time range">
          {figure('Requests', format(own.rate, 'reqps'))}
          {figure('Errors', percent(share(own)), share(own) >= 0.05)}
          {figure('p50', format(own.p50, 's'))}
          {figure('p95', format(own.p95, 's'))}
          {figure('p99', format(own.p99, 's'))}
        </section>
      )}
      <div class="sv-grid">
        {x && (
          <>
            <Panel title="Requests" class="sv-third" unit="reqps" stack queries={[{ expr: x.rate, legend: '{{span_name}}' }]} height={170} limit={12} />
            <Panel title="Errors" class="sv-third" unit="reqps" stack queries={[{ expr: x.failed, legend: '{{span_name}}' }]} height={170} limit={12} empty="Nothing failed in this time range." />
            <Panel
              title="Latency"
              class="sv-third"
              unit="s"
              exemplars
              queries={[
                { expr: x.p50, legend: 'p50', color: 'green' },
                { expr: x.p95, legend: 'p95', color: 'blue' },
                { expr: x.p99, legend: 'p99', color: 'red' },
              ]}
              height={170}
            />
          </>
        )}
        {v?.names && <Operations list={v.operations} service={name} />}
        <section class="card sv-whole sv-map" ref={ref} aria-label="Who calls it and whom it calls">
          {g && g.edges.length > 0 && width > 0 && <NodeGraph nodes={g.nodes} edges={g.edges} width={width} height={300} label={`Calls from and to ${name}`} />}
          {g && g.edges.length === 0 && <div class="empty">No calls from or to {name} in this time range.</div>}
        </section>
        <Traces name={name} slow={own?.p95 ?? null} />
        <Logs name={name} />
      </div>
    </div>
  );
}
