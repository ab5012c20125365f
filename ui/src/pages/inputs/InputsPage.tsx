// What senders without an answer sent: rates, names, what was refused and why, and who sends most.

import { useEffect, useState } from 'preact/hooks';
import { fetchInput, type InputListener, type InputLook, type InputRefusal, type InputSender, type ProxyDaemon } from '../../api/inputs';
import { isAbort } from '../../api/prom';
import { Card, Failure } from '../../chart/Panel';
import { format, formatAgo } from '../../format/units';
import { Figure } from '../../shell/Figure';
import './inputs.css';

const EVERY_MS = 5000;

interface Seen {
  look: InputLook;
  at: number;
}

interface Polled {
  now?: Seen;
  before?: Seen;
  error?: Error;
}

/** Asks every five seconds while the page is in sight; the last two answers make rates. */
function usePolled(name: 'statsd' | 'graphite'): Polled {
  const [state, set] = useState<Polled>({});
  useEffect(() => {
    const abort = new AbortController();
    const ask = () => {
      if (document.hidden) return;
      fetchInput(name, abort.signal)
        .then((look) => set((s) => ({ now: { look, at: performance.now() }, before: s.now })))
        .catch((e: unknown) => !isAbort(e) && set((s) => ({ ...s, error: e as Error })));
    };
    ask();
    const timer = setInterval(ask, EVERY_MS);
    return () => {
      clearInterval(timer);
      abort.abort();
    };
  }, [name]);
  return state;
}

const total = (l: InputLook) => l.points ?? l.lines ?? 0;
const refusedTotal = (l: InputLook) => (l.refused ?? []).reduce((n, r) => n + r.total, 0);

/** Per second between the last two answers; null before there are two, or after a restart. */
export function rateOf(p: { now?: Seen; before?: Seen }, count: (l: InputLook) => number): number | null {
  if (!p.now || !p.before) return null;
  const change = count(p.now.look) - count(p.before.look);
  const seconds = (p.now.at - p.before.at) / 1000;
  return change < 0 || seconds <= 0 ? null : change / seconds;
}

function Refusals({ rows }: { rows: InputRefusal[] }) {
  const sorted = rows.slice().sort((a, b) => b.total - a.total);
  return (
    <Card title="Refused" help="By reason since the start, with the last one of each." class="w12">
      {sorted.length === 0 && <div class="empty">Nothing was refused.</div>}
      {sorted.length > 0 && (
        <div class="table-scroll">
          <table class="table">
            <thead>
              <tr>
                <th>Reason</th>
                <th class="num">Count</th>
                <th>What would be right</th>
                <th>Last one</th>
                <th class="hide-s">From</th>
                <th class="num hide-s">When</th>
              </tr>
            </thead>
            <tbody>
              {sorted.map((r) => (
                <tr key={r.reason}>
                  <td class="mono">{r.reason}</td>
                  <td class="num bad">{format(r.total, 'locale')}</td>
                  <td class="dim">{r.expected}</td>
                  <td class="mono in-example">{r.example || '–'}</td>
                  <td class="mono hide-s">{r.sender || '–'}</td>
                  <td class="num hide-s">{r.at_ms ? formatAgo(r.at_ms, Date.now()) : '–'}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Card>
  );
}

function Senders({ rows }: { rows: InputSender[] }) {
  const sorted = rows.slice().sort((a, b) => b.points + b.refused - a.points - a.refused);
  const most = Math.max(1, ...sorted.map((s) => s.points));
  return (
    <Card title="Top senders" help="By address since the start, without the port." class="w6">
      {sorted.length === 0 && <div class="empty">Nobody has sent anything yet.</div>}
      {sorted.length > 0 && (
        <div class="table-scroll in-tall">
          <table class="table">
            <thead>
              <tr>
                <th>Address</th>
                <th class="hide-s">As</th>
                <th class="num">Points</th>
                <th style={{ width: '20%' }} />
                <th class="num">Refused</th>
                <th class="num hide-s">Last</th>
              </tr>
            </thead>
            <tbody>
              {sorted.map((s) => (
                <tr key={`${s.kind} ${s.address}`}>
                  <td class="mono">{s.address}</td>
                  <td class="hide-s">{s.kind}</td>
                  <td class="num">{format(s.points, 'short')}</td>
                  <td>
                    <div class="bar" role="img" aria-label={`${((s.points / most) * 100).toFixed(0)} percent of the most`}>
                      <i style={{ width: `${Math.max((s.points / most) * 100, s.points > 0 ? 0.6 : 0)}%` }} />
                    </div>
                  </td>
                  <td class={`num ${s.refused > 0 ? 'bad' : 'dim'}`}>{format(s.refused, 'locale')}</td>
                  <td class="num hide-s">{formatAgo(s.last_ms, Date.now())}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Card>
  );
}

function Names({ look }: { look: InputLook }) {
  const busiest = look.busiest_names ?? [];
  const seen = look.names_seen ?? [];
  return (
    <Card title={busiest.length > 0 ? 'Busiest names' : 'Names seen lately'} help="Some of what comes in, to see that it is what was meant." class="w6">
      {busiest.length === 0 && seen.length === 0 && <div class="empty">No names yet.</div>}
      <div class="table-scroll in-tall">
        <table class="table">
          <tbody>
            {busiest.map((n) => (
              <tr key={`${n.name} ${n.tags} ${n.type}`}>
                <td class="mono">
                  {n.name}
                  {n.tags && <span class="dim"> {n.tags}</span>}
                </td>
                <td class="hide-s">{n.type}</td>
                <td class="num">{format(n.samples_per_second, 'short')}/s</td>
              </tr>
            ))}
            {busiest.length === 0 &&
              seen.map((n) => (
                <tr key={n}>
                  <td class="mono">{n}</td>
                </tr>
              ))}
          </tbody>
        </table>
      </div>
    </Card>
  );
}

/** Where StatsD's proxy sends names, and who of them is up. */
function Daemons({ rows }: { rows: ProxyDaemon[] }) {
  return (
    <Card title="Proxy's daemons" help="Each name goes to one of them; one that is down leaves the ring until it is back." class="w12">
      <div class="table-scroll">
        <table class="table in-daemons">
          <thead>
            <tr>
              <th>Daemon</th>
              <th>State</th>
              <th class="num">Lines</th>
              <th class="num hide-s">Packets</th>
              <th class="num">Lost packets</th>
            </tr>
          </thead>
          <tbody>
            {rows.map((d) => (
              <tr key={d.daemon}>
                <td class="mono">{d.daemon}</td>
                <td class={d.up ? '' : 'bad'}>{d.up ? (d.checked ? 'up' : 'taken to be up') : 'down'}</td>
                <td class="num">{format(d.lines, 'short')}</td>
                <td class="num hide-s">{format(d.packets, 'short')}</td>
                <td class={`num ${d.lost_packets > 0 ? 'bad' : 'dim'}`}>{format(d.lost_packets, 'locale')}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Card>
  );
}

const listenerText = (l: InputListener) => `${l.kind} ${l.port}`;

function InputView({ name, title, unit, setting }: { name: 'statsd' | 'graphite'; title: string; unit: string; setting: string }) {
  const polled = usePolled(name);
  const look = polled.now?.look;
  // "receiving: false" is all that a closed door says.
  const closed = look !== undefined && look.receiving === false;
  const rate = rateOf(polled, total);
  const refusedRate = rateOf(polled, refusedTotal);
  const dropped = (look?.listeners ?? []).reduce((n, l) => n + (l.dropped_by_kernel ?? 0), 0);
  return (
    <section class="in-input" aria-label={title}>
      <h2>{title}</h2>
      {polled.error && !look && <Failure error={polled.error} />}
      {closed && (
        <p class="dim">
          Not received here: <code>{setting}</code> is off, or its port was taken.
        </p>
      )}
      {look && !closed && (
        <>
          <div class="figures">
            <Figure label={`${unit}/s`} value={rate === null ? '…' : format(rate, 'short')} note={`${format(total(look), 'short')} since the start`} />
            <Figure
              label="Refused/s"
              value={refusedRate === null ? '…' : format(refusedRate, 'short')}
              note={`${format(refusedTotal(look), 'locale')} since the start`}
              bad={(refusedRate ?? 0) > 0}
            />
            {look.names !== undefined && <Figure label="Names" value={format(look.names, 'short')} />}
            <Figure label="Dropped by the kernel" value={format(dropped, 'locale')} note="datagrams" bad={dropped > 0} />
            <Figure
              label="Last message"
              value={look.last_message_ms ? formatAgo(look.last_message_ms, Date.now()) : 'none yet'}
              note={(look.listeners ?? []).map(listenerText).join(', ')}
            />
          </div>
          <div class="grid">
            <Refusals rows={look.refused ?? []} />
            {look.proxy && <Daemons rows={look.proxy} />}
            {look.senders && <Senders rows={look.senders} />}
            <Names look={look} />
          </div>
        </>
      )}
    </section>
  );
}

export default function InputsPage() {
  return (
    <div class="page">
      <div class="page-head">
        <h1>Inputs</h1>
      </div>
      <InputView name="graphite" title="Graphite (carbon)" unit="Points" setting="doors.graphite" />
      <InputView name="statsd" title="StatsD" unit="Lines" setting="doors.statsd" />
    </div>
  );
}
