// How Pharos itself is doing: doors, targets, ingest, limits, store, build.

import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { useLoad } from '../../api/live';
import { isAbort, prom, type Target } from '../../api/prom';
import { fetchStatus, type Door, type Limit, type Refusal, type Status } from '../../api/status';
import { Card, Failure, Panel } from '../../chart/Panel';
import { format, formatAgo, formatSpan, type Unit } from '../../format/units';
import { Figure } from '../../shell/Figure';
import { Icon } from '../../shell/icons';
import { Snippet } from '../../shell/Snippet';
import { formatInstant } from '../../time/grammar';
import { zone } from '../../time/state';
import { Outputs } from './Outputs';
import { doorSnippets } from './snippets';
import './status.css';

const DOOR_TAG = { open: 'good', off: '', failed: 'bad' } as const;

function DoorRow({ door, open, onToggle }: { door: Door; open: boolean; onToggle: () => void }) {
  // Nothing can be sent through a door that is not there.
  const snippets = door.state === 'off' ? [] : doorSnippets(door, location.origin);
  return (
    <>
      <tr class={open ? 'on' : ''}>
        <td>
          {snippets.length > 0 ? (
            <button type="button" class="door-name" aria-expanded={open} onClick={onToggle}>
              <span class={open ? 'turn on' : 'turn'}>
                <Icon name="right" size={12} />
              </span>
              {door.name}
            </button>
          ) : (
            <span class="door-name still">{door.name}</span>
          )}
        </td>
        <td>
          <span class={`tag ${DOOR_TAG[door.state] ?? ''}`}>{door.state}</span>
        </td>
        <td class="mono">{door.listen}</td>
        <td class="mono dim hide-s">{door.prefix || '–'}</td>
        <td class="hide-s">{door.speaks}</td>
        <td class={door.state === 'failed' ? 'bad' : 'dim'}>{door.detail}</td>
        <td class="num hide-s">
          {snippets.length > 0 && (
            <button type="button" class="btn small" onClick={onToggle}>
              {open ? 'Hide' : 'Send data'}
            </button>
          )}
        </td>
      </tr>
      {open && (
        <tr class="door-more">
          <td colSpan={7}>
            {door.state !== 'open' && door.prefix && (
              <p class="note">This door's own port is {door.state}; the same routes answer on the main door:</p>
            )}
            <div class="snippets">
              {snippets.map((s) => (
                <Snippet key={s.title} {...s} />
              ))}
            </div>
          </td>
        </tr>
      )}
    </>
  );
}

function Doors({ doors }: { doors: Door[] }) {
  const [open, setOpen] = useState<string | null>(null);
  const up = doors.filter((d) => d.state === 'open').length;
  return (
    <Card title="Doors" help="Every way in. A door whose port is taken still answers under its prefix on the main door." class="w12" actions={<span class="dim side">{up} of {doors.length} open</span>}>
      <div class="table-scroll">
        <table class="table doors">
          <thead>
            <tr>
              <th>Door</th>
              <th>State</th>
              <th>Listens on</th>
              <th class="hide-s">Prefix</th>
              <th class="hide-s">Speaks</th>
              <th>Note</th>
              <th class="hide-s" />
            </tr>
          </thead>
          <tbody>
            {doors.map((d) => {
              const key = `${d.name}|${d.listen}`;
              return <DoorRow key={key} door={d} open={open === key} onToggle={() => setOpen(open === key ? null : key)} />;
            })}
          </tbody>
        </table>
      </div>
      {doors.length === 0 && <div class="empty">No doors were reported.</div>}
    </Card>
  );
}

const healthTag = (h: string) => (h === 'up' ? 'good' : h === 'down' ? 'bad' : '');

function Targets() {
  const load = useLoad(async (signal) => (await prom.targets(signal)).data.activeTargets, []);
  const [only, setOnly] = useState(false);
  const all = load.value ?? [];
  const down = all.filter((t) => t.health === 'down').length;
  const shown = (only ? all.filter((t) => t.health !== 'up') : all)
    .slice()
    .sort((a, b) => Number(a.health === 'up') - Number(b.health === 'up') || a.scrapePool.localeCompare(b.scrapePool) || a.scrapeUrl.localeCompare(b.scrapeUrl));
  return (
    <Card
      title="Targets"
      help="What Pharos scrapes."
      class="w12"
      actions={
        all.length > 0 && (
          <>
            <span class="dim side">
              {all.length - down} of {all.length} up
            </span>
            {down > 0 && (
              <button type="button" class="btn small" aria-pressed={only} onClick={() => setOnly(!only)}>
                {only ? 'Show all' : 'Only trouble'}
              </button>
            )}
          </>
        )
      }
    >
      {load.error && <Failure error={load.error} />}
      {shown.length > 0 && (
        <div class="table-scroll" style={{ maxHeight: '420px' }}>
          <table class="table">
            <thead>
              <tr>
                <th>Job</th>
                <th>Health</th>
                <th>Target</th>
                <th class="hide-s">Labels</th>
                <th class="num">Last scrape</th>
                <th class="num hide-s">Took</th>
                <th class="num hide-s">Every</th>
                <th>Error</th>
              </tr>
            </thead>
            <tbody>
              {shown.map((t) => (
                <TargetRow key={t.scrapePool + t.scrapeUrl + JSON.stringify(t.labels)} t={t} />
              ))}
            </tbody>
          </table>
        </div>
      )}
      {load.value && all.length === 0 && (
        <div class="empty">
          <p>
            Nothing is scraped. Add <code>scrape_configs</code> to pharos.yml, or name an existing file with <code>prometheus.config_file</code>.
          </p>
        </div>
      )}
    </Card>
  );
}

function TargetRow({ t }: { t: Target }) {
  const at = Date.parse(t.lastScrape);
  const never = !Number.isFinite(at) || at <= 0;
  return (
    <tr>
      <td>{t.labels['job'] ?? t.scrapePool}</td>
      <td>
        <span class={`tag ${healthTag(t.health)}`}>{t.health}</span>
      </td>
      <td class="mono">{t.scrapeUrl}</td>
      <td class="hide-s">
        {Object.entries(t.labels)
          .filter(([k]) => k !== 'job')
          .map(([k, v]) => (
            <span class="tag" key={k}>
              {k}={v}
            </span>
          ))}
      </td>
      <td class="num">{never ? 'never' : formatAgo(at, Date.now())}</td>
      <td class="num hide-s">{never ? '–' : format(t.lastScrapeDuration, 's')}</td>
      <td class="num hide-s">{t.scrapeInterval ?? '–'}</td>
      <td class="bad">{t.lastError}</td>
    </tr>
  );
}

function limitUnit(l: Limit): Unit {
  const u = l.unit ?? '';
  if (u === 'bytes' || u === 'B' || (u === '' && l.name.endsWith('_bytes'))) return 'bytes';
  if (u === 's' || u === 'seconds') return 'dtdurations';
  if (u === 'ms') return 'dtdurationms';
  return 'locale';
}

function LimitRow({ l }: { l: Limit }) {
  const unit = limitUnit(l);
  const none = l.value <= 0;
  const pct = l.used !== undefined && !none ? Math.min(100, (l.used / l.value) * 100) : null;
  const word = unit === 'locale' && l.unit ? ` ${l.unit}` : '';
  return (
    <tr>
      <td>
        <div class="mono">{l.name}</div>
        {l.help && <div class="dim">{l.help}</div>}
      </td>
      <td class="num">{l.used === undefined ? <span class="dim">–</span> : format(l.used, unit)}</td>
      <td style={{ width: '24%' }}>
        {pct !== null && (
          <div class={`bar ${pct >= 95 ? 'bad' : pct >= 80 ? 'warn' : ''}`} role="img" aria-label={`${pct.toFixed(0)} percent used`}>
            <i style={{ width: `${Math.max(pct, pct > 0 ? 0.6 : 0)}%` }} />
          </div>
        )}
      </td>
      <td class="num">
        {none ? 'no limit' : format(l.value, unit)}
        {!none && word}
      </td>
    </tr>
  );
}

function Limits({ limits }: { limits: Limit[] }) {
  return (
    <Card title="Limits" help="What keeps Pharos from growing without a bound. Each is moved by the setting it is named after." class="w7">
      <div class="table-scroll">
        <table class="table limits">
          <thead>
            <tr>
              <th>Setting</th>
              <th class="num">Used</th>
              <th />
              <th class="num">Limit</th>
            </tr>
          </thead>
          <tbody>
            {limits.map((l) => (
              <LimitRow key={l.name} l={l} />
            ))}
          </tbody>
        </table>
      </div>
      {limits.length === 0 && <div class="empty">No limits were reported.</div>}
    </Card>
  );
}

/** pharos_loki_refused_lines_total is what Loki's door refused: lines. */
export function refusedBy(counter: string): { input: string; what: string } {
  const m = /^pharos_(?:input_)?(\w+?)_(?:(\w+)_)?refused_(?:(\w+)_)?total$/.exec(counter);
  if (!m) return { input: counter, what: '' };
  return { input: m[1] === 'ingest' ? 'all inputs' : m[1]!.replace(/_/g, ' '), what: (m[2] ?? m[3] ?? '').replace(/_/g, ' ') };
}

function Refused({ list }: { list: Refusal[] }) {
  const rows = list.filter((r) => r.total > 0).sort((a, b) => b.total - a.total);
  return (
    <Card title="Refused since the start" help="Samples, log lines, spans and more that were not taken in, by input and reason. Where a protocol has answers, the sender was told." class="w4">
      {rows.length > 0 ? (
        <div class="table-scroll">
          <table class="table refused">
            <thead>
              <tr>
                <th>Input</th>
                <th>Reason</th>
                <th class="num">Count</th>
              </tr>
            </thead>
            <tbody>
              {rows.map((r) => {
                const by = refusedBy(r.counter);
                return (
                  <tr key={`${r.counter}|${r.reason}`} title={`${r.help}\n${r.counter}`}>
                    <td>
                      {by.input} {by.what && <span class="dim">{by.what}</span>}
                    </td>
                    <td class="mono">{r.reason || '–'}</td>
                    <td class="num bad">{format(r.total, 'locale')}</td>
                  </tr>
                );
              })}
            </tbody>
          </table>
        </div>
      ) : (
        <div class="empty">Nothing was refused.</div>
      )}
    </Card>
  );
}

/** Counters to draw: the one of all inputs, and those of single ones that have counted anything. */
function refusedQueries(list: Refusal[]) {
  const names = new Set(['pharos_ingest_refused_samples_total', ...list.filter((r) => r.total > 0).map((r) => r.counter)]);
  return [...names].map((n) => {
    const by = refusedBy(n);
    return { expr: `sum by (reason) (rate(${n}[$__rate_interval])) > 0`, legend: by.input === 'all inputs' ? '{{reason}}' : `${by.input}: {{reason}}` };
  });
}

function Pairs({ rows }: { rows: [string, ComponentChildren][] }) {
  return (
    <dl class="pairs">
      {rows.map(([k, v]) => (
        <div key={k}>
          <dt>{k}</dt>
          <dd class="mono">{v}</dd>
        </div>
      ))}
    </dl>
  );
}

function Build({ status }: { status: Status }) {
  const load = useLoad(
    async (signal) => {
      const quiet = (e: unknown) => {
        if (isAbort(e)) throw e;
        return null;
      };
      const [build, runtime] = await Promise.all([prom.buildinfo(signal).catch(quiet), prom.runtimeinfo(signal).catch(quiet)]);
      return { build: build?.data ?? {}, runtime: runtime?.data ?? {} };
    },
    [],
  );
  const rows: [string, ComponentChildren][] = [
    ['version', status.version],
    ['started', formatInstant(status.started_at * 1000, zone.value)],
  ];
  if (status.data_dir) rows.push(['data directory', status.data_dir]);
  const seen = new Set(['version']);
  for (const [k, v] of [...Object.entries(load.value?.build ?? {}), ...Object.entries(load.value?.runtime ?? {})]) {
    if (v === '' || v === null || typeof v === 'object' || seen.has(k) || k === 'startTime') continue;
    seen.add(k);
    rows.push([k, String(v)]);
  }
  return (
    <Card title="Build and run time" class="w5">
      <Pairs rows={rows} />
    </Card>
  );
}

export default function StatusPage() {
  const load = useLoad((signal) => fetchStatus(signal), []);
  const s = load.value;
  if (!s) {
    return (
      <div class="page">
        <div class="page-head">
          <h1>Status</h1>
        </div>
        {load.error ? <Failure error={load.error} /> : <div class="skeleton" style={{ height: '240px' }} />}
      </div>
    );
  }
  const st = s.store ?? {};
  const refusals = s.ingest?.refusals ?? [];
  const oldest = st.oldest_ns ? st.oldest_ns / 1e6 : 0;
  return (
    <div class="page">
      <div class="page-head">
        <h1>Status</h1>
        <span class="dim">
          Pharos {s.version} on {s.hostname}, up {formatSpan(s.uptime_s)}
        </span>
      </div>
      {load.error && <Failure error={load.error} />}
      <div class="figures">
        <Figure label="Samples taken in" value={format(s.ingest?.samples_total, 'short')} note={`${format(s.ingest?.log_lines_total ?? 0, 'short')} log lines, ${format(s.ingest?.spans_total ?? 0, 'short')} spans`} />
        <Figure label="Series" value={format(st.series, 'locale')} />
        <Figure label="On disk" value={format(st.disk_bytes, 'bytes')} note={st.parts !== undefined ? `${format(st.parts, 'locale')} part${st.parts === 1 ? '' : 's'}` : undefined} />
        <Figure label="Write-ahead log" value={format(st.wal_bytes, 'bytes')} />
        <Figure label="Oldest sample" value={oldest > 0 ? formatAgo(oldest, Date.now()) : '–'} note={oldest > 0 ? formatInstant(Math.round(oldest / 1000) * 1000, zone.value) : 'nothing stored yet'} />
        <Figure label="Up for" value={formatSpan(s.uptime_s)} note={`since ${formatInstant(s.started_at * 1000, zone.value)}`} />
      </div>
      <div class="grid">
        <Doors doors={s.doors ?? []} />
        <Panel
          title="Samples taken in a second"
          class="w4"
          unit="short"
          min={0}
          height={190}
          queries={[{ expr: 'sum(rate(pharos_ingest_samples_total[$__rate_interval]))', legend: 'samples/s', color: 'green' }]}
          empty={
            <>
              <code>pharos_ingest_samples_total</code> has no samples in this time range.
            </>
          }
        />
        <Panel
          title="Refused a second"
          class="w4"
          help="Samples that were not taken in, by reason."
          unit="short"
          min={0}
          height={190}
          queries={refusedQueries(refusals)}
          empty="Nothing was refused in this time range."
        />
        <Refused list={refusals} />
        <Targets />
        <Outputs />
        <Limits limits={s.limits ?? []} />
        <Build status={s} />
      </div>
    </div>
  );
}
