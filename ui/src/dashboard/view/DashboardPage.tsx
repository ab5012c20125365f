// One dashboard: loads it by its uid and draws it.

import { useEffect, useState } from 'preact/hooks';
import { languages } from '../../api/multi';
import { dashboards, rememberOpened, type Stored } from '../../api/dashboards';
import { ApiError, getJson } from '../../api/prom';
import { Icon } from '../../shell/icons';
import { current, href, path } from '../../shell/router';
import { parseDuration } from '../../time/grammar';
import { defaultRange, defaultRefresh, defaultZone, NO_RULES, timeRules } from '../../time/state';
import { Session } from '../model/session';
import type { Dashboard } from '../model/types';
import { playing } from '../list/player';
import { DashboardView } from './DashboardView';
import { lazyPart } from './lazy';
import './forms.css';
import './dashboard.css';
import './panels.css';

const PlayerBar = lazyPart(() => import('../list/PlayerBar'));

export const NEW: Dashboard = {
  title: 'New dashboard',
  tags: [],
  timezone: 'browser',
  editable: true,
  graphTooltip: 1,
  time: { from: 'now-1h', to: 'now' },
  refresh: '10s',
  schemaVersion: 42,
  panels: [],
  templating: { list: [] },
  annotations: { list: [] },
  links: [],
};

type Where = { kind: 'stored' | 'snapshot' | 'public'; id: string; solo: boolean } | { kind: 'new' };

export function parsePath(p: string): Where {
  const parts = p.split('/').filter(Boolean).map(decodeURIComponent);
  if (parts[0] === 'dashboard' && parts[1] === 'new') return { kind: 'new' };
  if (parts[0] === 'dashboard' && parts[1] === 'snapshot') return { kind: 'snapshot', id: parts[2] ?? '', solo: false };
  if (parts[0] === 'public-dashboards') return { kind: 'public', id: parts[1] ?? '', solo: false };
  return { kind: 'stored', id: parts[1] ?? '', solo: parts[0] === 'd-solo' };
}

async function load(w: Where, signal: AbortSignal): Promise<{ stored: Stored | null; raw: Record<string, unknown> }> {
  // Asked while the dashboard itself is: its first queries then go out together.
  if (w.kind === 'new' || w.kind === 'stored') void languages();
  if (w.kind === 'new') return { stored: null, raw: { ...NEW } };
  if (w.kind === 'stored') {
    const stored = await dashboards.get(w.id, signal);
    return { stored, raw: stored.dashboard };
  }
  const at = w.kind === 'snapshot' ? `api/snapshots/${encodeURIComponent(w.id)}` : `api/public/dashboards/${encodeURIComponent(w.id)}`;
  const stored = await getJson<Stored>(at, { signal });
  return { stored: { ...stored, meta: { ...stored.meta, canSave: false } }, raw: stored.dashboard };
}

/** What a dashboard brings for range, refresh and zone holds until the address says otherwise. */
function takeDefaults(d: Dashboard): void {
  const picker = (d.timepicker ?? {}) as { hidden?: boolean; nowDelay?: string; quick_ranges?: { display?: string; from?: string; to?: string }[]; refresh_intervals?: unknown[] };
  const quick = (Array.isArray(picker.quick_ranges) ? picker.quick_ranges : []).filter((q) => typeof q?.from === 'string' && typeof q.to === 'string').map((q) => ({ label: q.display || `${q.from} to ${q.to}`, from: q.from!, to: q.to! }));
  const choices = (Array.isArray(picker.refresh_intervals) ? picker.refresh_intervals : []).filter((x): x is string => typeof x === 'string' && parseDuration(x) !== null);
  const month = Number(d['fiscalYearStartMonth']);
  timeRules.value = {
    fiscalStart: Number.isInteger(month) && month > 0 && month < 12 ? month : 0,
    nowDelayMs: (picker.nowDelay && parseDuration(picker.nowDelay)) || 0,
    quickRanges: quick.length ? quick : null,
    refreshChoices: choices.length ? ['', ...choices] : null,
    hidden: picker.hidden === true,
  };
  defaultZone.value = d.timezone && d.timezone !== 'browser' ? d.timezone : '';
  defaultRange.value = d.time ? { from: d.time.from, to: d.time.to } : null;
  defaultRefresh.value = typeof d.refresh === 'string' ? d.refresh : '';
}

export default function DashboardPage() {
  const where = parsePath(path.value);
  const id = where.kind === 'new' ? 'new' : `${where.kind}/${where.id}`;
  const [session, setSession] = useState<Session | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const [again, setAgain] = useState(0);

  useEffect(() => {
    const abort = new AbortController();
    let made: Session | null = null;
    setSession(null);
    setError(null);
    load(where, abort.signal).then(
      ({ stored, raw }) => {
        if (abort.signal.aborted) return;
        try {
          made = new Session(raw, stored?.meta ?? null, current.peek().params);
        } catch (e) {
          return setError(e as Error);
        }
        if (where.kind === 'public') made.publicToken = where.id;
        takeDefaults(made.model.peek());
        if (where.kind === 'stored') rememberOpened(where.id, made.model.peek().title);
        if (where.kind === 'new') made.editing.value = true;
        void made.vars.start();
        const ready = made;
        void ready.loadLibrary(abort.signal).then(() => !abort.signal.aborted && setSession(ready));
      },
      (e: Error) => !abort.signal.aborted && setError(e),
    );
    return () => {
      abort.abort();
      made?.stop();
      defaultZone.value = '';
      timeRules.value = NO_RULES;
      defaultRange.value = null;
      defaultRefresh.value = null;
    };
  }, [id, again]);

  if (error) {
    const gone = error instanceof ApiError && error.status === 404;
    return (
      <div class="page">
        <div class="empty big" role="alert">
          <Icon name="warn" size={22} />
          <h1>{gone ? 'There is no such dashboard' : 'The dashboard could not be opened'}</h1>
          <p>{gone ? 'It may have been deleted or renamed.' : error.message}</p>
          <p>
            <a data-link href={href('/dashboards')}>
              All dashboards
            </a>
          </p>
        </div>
      </div>
    );
  }
  if (!session) return <div class="page dash" aria-busy="true" />;
  return (
    <>
      <DashboardView key={id} session={session} solo={where.kind === 'stored' && where.solo} onReload={() => setAgain((n) => n + 1)} />
      {playing.value && <PlayerBar />}
    </>
  );
}
