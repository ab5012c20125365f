// Rules and alerts as they stand: what fires, since when and why; what could not be evaluated; who is told.
// The filters and the opened rules are in the address: `state`, `q`, `rule`.

import { useEffect, useMemo, useState } from 'preact/hooks';
import { fetchAlertsSummary, fetchRules, firing, type Alert, type Alertmanager, type RuleGroup } from '../../api/alerts';
import { useLoad } from '../../api/live';
import { toNumber, type Labels } from '../../api/prom';
import { Card, Failure, panesParam } from '../../chart/Panel';
import { format, formatAgo, formatSpan } from '../../format/units';
import { Icon } from '../../shell/icons';
import { current, href, setParams } from '../../shell/router';
import { Snippet } from '../../shell/Snippet';
import { copyText } from '../../shell/toast';
import { formatInstant, isRelative, parseDuration } from '../../time/grammar';
import { rawRange, refresh, zone } from '../../time/state';
import { count, linkify, parseStates, ruleState, select, STATES, timeMs, type Counts, type ShownGroup, type ShownRule, type State } from './model';
import './alerts.css';

/** More are drawn when asked for: a rule may have 100,000 alerts. */
const ALERTS_AT_ONCE = 50;
const RULES_AT_ONCE = 200;

const TAG: Record<string, string> = { firing: 'bad', pending: 'warn', inactive: 'good', recording: '' };

/** Alerts are of now, whatever the time range is: where the range rests, this goes on. */
function useBeat(): number {
  const [beat, set] = useState(0);
  const every = parseDuration(refresh.value);
  const moves = isRelative(rawRange.value.to) || isRelative(rawRange.value.from);
  useEffect(() => {
    if (moves || every === null || every < 1000) return;
    const timer = setInterval(() => !document.hidden && set((n) => n + 1), every);
    return () => clearInterval(timer);
  }, [every, moves]);
  return beat;
}

function When({ ms, never = 'never' }: { ms: number; never?: string }) {
  if (ms <= 0) return <span class="dim">{never}</span>;
  return <time dateTime={new Date(ms).toISOString()} title={formatInstant(ms, zone.value)}>{formatAgo(ms, Date.now())}</time>;
}

function LabelTags({ labels, except }: { labels: Labels | undefined; except?: string }) {
  const list = Object.entries(labels ?? {}).filter(([k]) => k !== except);
  if (list.length === 0) return null;
  return (
    <span class="al-labels">
      {list.map(([k, v]) => (
        <button type="button" class="tag" key={k} title={`Only what contains ${v}`} onClick={() => setParams({ q: v }, true)}>
          {k}={v}
        </button>
      ))}
    </span>
  );
}

function Linked({ text }: { text: string }) {
  return (
    <>
      {linkify(text).map((p, i) =>
        p.href ? (
          <a key={i} href={p.href} target="_blank" rel="noopener noreferrer">
            {p.text}
          </a>
        ) : (
          p.text
        ),
      )}
    </>
  );
}

function Annotations({ of }: { of: Labels | undefined }) {
  const list = Object.entries(of ?? {});
  if (list.length === 0) return null;
  return (
    <dl class="al-notes">
      {list.map(([k, v]) => (
        <div key={k}>
          <dt>{k}</dt>
          <dd>
            <Linked text={v} />
          </dd>
        </div>
      ))}
    </dl>
  );
}

function valueText(v: string | undefined): string {
  const n = toNumber(v ?? '');
  return Number.isFinite(n) ? String(Number(n.toPrecision(6))) : (v ?? '–');
}

/** The page that shows an expression; from half an hour before the alert began. */
function queryLink(query: string, language: RuleGroup['language'], activeMs = 0): string {
  const range: Record<string, string> = activeMs > 0 ? { from: String(activeMs - 30 * 60_000), to: 'now' } : {};
  return language === 'logql' ? href('/logs', { expr: query, ...range }) : href('/explore', { panes: panesParam([query]), ...range });
}

function AlertItem({ alert, query, language }: { alert: Alert; query: string; language: RuleGroup['language'] }) {
  const active = timeMs(alert.activeAt);
  const kept = timeMs(alert.keepFiringSince);
  return (
    <li class={`al-alert ${alert.state}`}>
      <div class="al-line">
        <span class={`tag ${TAG[alert.state] ?? ''}`}>{alert.state}</span>
        <LabelTags labels={alert.labels} except="alertname" />
      </div>
      <div class="al-facts">
        <span>
          active <When ms={active} />
        </span>
        <span title={alert.value}>
          value <b class="num">{valueText(alert.value)}</b>
        </span>
        {kept > 0 && (
          <span>
            condition gone, kept firing: <When ms={kept} />
          </span>
        )}
        <a data-link href={queryLink(query, language, active)}>
          Explore
        </a>
      </div>
      <Annotations of={alert.annotations} />
    </li>
  );
}

function RuleRow({ shown, language, open, onToggle }: { shown: ShownRule; language: RuleGroup['language']; open: boolean; onToggle: () => void }) {
  const { rule, alerts } = shown;
  const [most, setMost] = useState(ALERTS_AT_ONCE);
  const state = ruleState(rule);
  const all = rule.alerts?.length ?? 0;
  return (
    <li class="al-rule" data-rule={shown.key}>
      <button type="button" class="al-head" aria-expanded={open} onClick={onToggle}>
        <span class={open ? 'al-turn on' : 'al-turn'}>
          <Icon name="right" size={12} />
        </span>
        <span class={`tag ${TAG[state]}`}>{state}</span>
        <strong class="al-name">{rule.name}</strong>
        {all > 0 && <span class="al-count num">{all === 1 ? '1 alert' : `${all} alerts`}</span>}
        {rule.health === 'err' && <span class="tag bad">failing</span>}
        <code class="al-expr cut">{rule.query}</code>
        <span class="dim num al-when">
          <When ms={timeMs(rule.lastEvaluation)} never="not evaluated yet" />
        </span>
      </button>
      {rule.lastError && (
        <div class="failure al-error">
          <Icon name="warn" />
          <span>{rule.lastError}</span>
        </div>
      )}
      {open && (
        <div class="al-body">
          <pre class="al-query" tabIndex={0}>
            {rule.query}
          </pre>
          <div class="al-facts">
            <a data-link href={queryLink(rule.query, language)}>
              Explore
            </a>
            <button type="button" class="link" onClick={() => void copyText(new URL(href('/alerts', { rule: shown.key }), location.href).href, 'Link copied')}>
              Copy link
            </button>
            {(rule.duration ?? 0) > 0 && <span>for {formatSpan(rule.duration!)}</span>}
            {(rule.keepFiringFor ?? 0) > 0 && <span>keeps firing for {formatSpan(rule.keepFiringFor!)}</span>}
            <span>
              health <span class={rule.health === 'err' ? 'bad' : ''}>{rule.health}</span>
            </span>
            <span>
              evaluated <When ms={timeMs(rule.lastEvaluation)} never="not yet" />
              {timeMs(rule.lastEvaluation) > 0 && <> in {format(rule.evaluationTime, 's')}</>}
            </span>
          </div>
          <LabelTags labels={rule.labels} />
          {all === 0 && <Annotations of={rule.annotations} />}
          {alerts.length > 0 && (
            <ul class="al-alerts">
              {alerts.slice(0, most).map((a) => (
                <AlertItem key={JSON.stringify(a.labels)} alert={a} query={rule.query} language={language} />
              ))}
            </ul>
          )}
          {alerts.length > most && (
            <button type="button" class="btn small" onClick={() => setMost(most * 4)}>
              Show more of {alerts.length} alerts
            </button>
          )}
          {alerts.length < all && <p class="dim">{all - alerts.length} other alerts of this rule do not contain these words.</p>}
        </div>
      )}
    </li>
  );
}

function Group({ shown, most, isOpen, onToggle }: { shown: ShownGroup; most: number; isOpen: (r: ShownRule) => boolean; onToggle: (r: ShownRule) => void }) {
  const g = shown.group;
  const last = timeMs(g.lastEvaluation);
  const slow = g.evaluationTime > g.interval;
  return (
    <Card
      title={g.name}
      class="al-group"
      actions={
        <span class="dim al-side">
          every {formatSpan(g.interval)}
          {g.limit ? `, at most ${g.limit} results a rule` : ''}, <When ms={last} never="not evaluated yet" />
          {last > 0 && (
            <>
              {' '}
              in <span class={slow ? 'bad' : ''} title={slow ? 'Longer than its interval: evaluations are left out' : undefined}>{format(g.evaluationTime, 's')}</span>
            </>
          )}
        </span>
      }
    >
      <p class="note mono al-file">
        {g.file}
        {g.language === 'logql' && ' · LogQL'}
      </p>
      <ul>
        {shown.rules.slice(0, most).map((r) => (
          <RuleRow key={r.key} shown={r} language={g.language} open={isOpen(r)} onToggle={() => onToggle(r)} />
        ))}
      </ul>
    </Card>
  );
}

const WORD: Record<State, string> = { firing: 'Firing', pending: 'Pending', inactive: 'Inactive', recording: 'Recording', failing: 'Failing' };
const rulesText = (n: number) => (n === 1 ? '1 rule' : `${n} rules`);

function Filters({ counts, states }: { counts: Counts; states: ReadonlySet<State> }) {
  const toggle = (s: State) => {
    const next = STATES.filter((x) => (x === s ? !states.has(x) : states.has(x)));
    setParams({ state: next.length ? next.join(',') : null }, true);
  };
  return (
    <div class="al-filters" role="group" aria-label="Show only">
      {STATES.map((s) => {
        const alerts = s === 'firing' || s === 'pending' ? counts[s] : null;
        const n = alerts ?? counts.rules[s];
        const tone = n === 0 ? '' : s === 'firing' || s === 'failing' ? 'bad' : s === 'pending' ? 'warn' : '';
        return (
          <button type="button" key={s} class="al-figure" aria-pressed={states.has(s)} onClick={() => toggle(s)} data-state={s}>
            <span>{WORD[s]}</span>
            <b class={`num ${tone}`}>{n}</b>
            <span class="dim">{alerts === null ? (n === 1 ? 'rule' : 'rules') : `in ${rulesText(counts.rules[s])}`}</span>
          </button>
        );
      })}
    </div>
  );
}

const TAKES: Record<Alertmanager['state'], [tone: string, text: string]> = {
  taking: ['good', 'takes alerts'],
  refusing: ['bad', 'does not take alerts'],
  unknown: ['', 'nothing sent yet'],
  dropped: ['', 'left out by relabelling'],
};

function Alertmanagers({ list }: { list: Alertmanager[] }) {
  return (
    <Card title="Alertmanagers" help="Who is told of firing alerts. A firing alert is sent again every rules.resend_delay." class="al-group">
      {list.length === 0 ? (
        <p class="note">
          Nobody is told of alerts. Name an Alertmanager in the section <code>alerting</code> of pharos.yml, in Prometheus' form.
        </p>
      ) : (
        <ul class="al-peers">
          {list.map((m, i) => {
            const [tone, text] = TAKES[m.state] ?? ['', m.state];
            return (
              <li key={`${m.url}${i}`}>
                <span class={`tag ${tone}`}>{text}</span>
                <span class="mono al-url">{m.url}</span>
                {m.state !== 'dropped' && (
                  <span class="dim">
                    last taken: <When ms={m.taken_ms ?? 0} />
                  </span>
                )}
                {m.error && (
                  <span class="bad al-why">
                    <When ms={m.answered_ms ?? 0} />: {m.error}
                  </span>
                )}
              </li>
            );
          })}
        </ul>
      )}
    </Card>
  );
}

const PHAROS_YML = `rule_files: ['rules/*.yml']
alerting:
  alertmanagers:
    - static_configs:
        - targets: ['127.0.0.1:9093']
`;

const RULES_YML = `groups:
  - name: host
    rules:
      - alert: LittleMemory
        expr: node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes < 0.1
        for: 5m
        labels:
          severity: warning
        annotations:
          summary: 'Only {{ $value | humanizePercentage }} of the memory is free'
`;

function NoRules() {
  return (
    <div class="al-none">
      <h1>There are no rules yet</h1>
      <p>
        Rules are files in Prometheus' form. Name them with <code>rule_files</code> in pharos.yml (or keep those of the prometheus.yml that <code>prometheus.config_file</code> names), then send SIGHUP or restart.{' '}
        <code>pharos check rules/host.yml</code> finds mistakes before.
      </p>
      <div class="snippets">
        <Snippet title="pharos.yml" text={PHAROS_YML} />
        <Snippet title="rules/host.yml" text={RULES_YML} />
      </div>
    </div>
  );
}

export default function AlertsPage() {
  const beat = useBeat();
  const load = useLoad(
    async (signal) => {
      const [groups, summary] = await Promise.all([fetchRules(signal), fetchAlertsSummary(signal).catch(() => null)]);
      if (summary) firing.value = summary.firing;
      return { groups, summary };
    },
    [beat],
  );
  const params = current.value.params;
  const q = params.get('q') ?? '';
  const named = params.getAll('rule');
  const stateText = params.get('state');
  const states = useMemo(() => parseStates(stateText), [stateText]);
  const groups = load.value?.groups;
  const counts = useMemo(() => count(groups ?? []), [groups]);
  const shown = useMemo(() => select(groups ?? [], states, q), [groups, states, q]);
  const [most, setMost] = useState(RULES_AT_ONCE);
  const [flipped, setFlipped] = useState<ReadonlyMap<string, boolean>>(new Map());

  // What fires is open unless the link that led here names what to look at.
  const [linked] = useState(named.length > 0);
  const isOpen = (r: ShownRule) => flipped.get(r.key) ?? (named.includes(r.key) || (!linked && ruleState(r.rule) === 'firing'));
  const toggle = (r: ShownRule) => {
    const open = !isOpen(r);
    const others = named.filter((k) => k !== r.key);
    setFlipped(new Map(flipped).set(r.key, open));
    setParams({ rule: open ? [...others, r.key] : others });
  };

  const first = named[0];
  const there = groups !== undefined;
  useEffect(() => {
    if (there && first !== undefined) document.querySelector(`[data-rule="${CSS.escape(first)}"]`)?.scrollIntoView({ block: 'center' });
    // Only for the address the page was opened with.
  }, [there]);

  let room = most;
  const total = shown.reduce((n, g) => n + g.rules.length, 0);
  return (
    <div class="page al-page">
      {load.error && <Failure error={load.error} />}
      {groups && groups.length === 0 && <NoRules />}
      {groups && groups.length > 0 && (
        <>
          <Filters counts={counts} states={states} />
          <div class="al-find">
            <input
              type="search"
              placeholder="Find in rules, labels and annotations"
              aria-label="Find in rules, labels and annotations"
              value={q}
              onInput={(e) => setParams({ q: e.currentTarget.value || null })}
            />
            {(q !== '' || states.size > 0) && (
              <button type="button" class="btn" onClick={() => setParams({ q: null, state: null }, true)}>
                Show all
              </button>
            )}
          </div>
          {shown.map((g) => {
            const here = Math.min(room, g.rules.length);
            room -= here;
            return here > 0 && <Group key={`${g.group.language}\n${g.group.file}\n${g.group.name}`} shown={g} most={here} isOpen={isOpen} onToggle={toggle} />;
          })}
          {total > most && (
            <button type="button" class="btn" onClick={() => setMost(most + RULES_AT_ONCE)}>
              Show more of {total} rules
            </button>
          )}
          {total === 0 && <div class="empty">No rule is like this. There are {rulesText(groups.reduce((n, g) => n + g.rules.length, 0))} in all.</div>}
        </>
      )}
      {load.value?.summary && <Alertmanagers list={load.value.summary.alertmanagers} />}
      {load.loading && !load.value && !load.error && <div class="empty big">Loading rules…</div>}
    </div>
  );
}
