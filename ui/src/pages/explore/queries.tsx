// The queries of a pane while they are edited: what is typed and not run yet is the pane's own, what was run is in
// the address.

import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { Icon } from '../../shell/icons';
import { refreshNow } from '../../time/state';
import { remember } from './history';
import type { PaneProps } from './PaneHead';
import { nextRefId, type Query } from './panes';
import { errorPlace, placeOffset } from './state';

const BLANK: Query = { refId: 'A', expr: '', hide: false };

export interface Draft {
  queries: Query[];
  /** Those that were run and are not hidden. */
  active: Query[];
  /** Something was typed that has not been run. */
  dirty: boolean;
  /** Letter of the one that is edited. */
  focused: string;
  focus: (refId: string) => void;
  type: (refId: string, expr: string) => void;
  /** Runs all as they are, or these. */
  run: (list?: Query[]) => void;
  /** Runs one with this text, and the others as they are. */
  runOne: (refId: string, expr: string) => void;
  /** Puts a text in the query that is edited, and runs it. */
  put: (expr: string) => void;
  /** Another query; an empty one takes the text if there is one. */
  add: (expr: string, now: boolean) => void;
}

export function useDraft({ pane, change }: PaneProps): Draft {
  /** What was last run; the results belong to these. */
  const ran = pane.queries;
  const told = JSON.stringify(ran);
  const [queries, setQueries] = useState<Query[]>(ran.length ? ran : [BLANK]);
  const [focused, focus] = useState(queries[0]!.refId);
  const written = (list: Query[]) => list.filter((q) => q.expr.trim() !== '');

  useEffect(() => remember(ran.map((q) => q.expr), pane.signal), [told]);
  // Back, forward and links into this page change the address from outside.
  useEffect(() => {
    if (JSON.stringify(written(queries)) === told) return;
    const list = ran.length ? ran : [BLANK];
    setQueries(list);
    if (!list.some((q) => q.refId === focused)) focus(list[0]!.refId);
  }, [told]);

  const run = (list: Query[] = queries) => {
    setQueries(list);
    const kept = written(list).map((q) => ({ ...q }));
    if (JSON.stringify(kept) !== told) change({ queries: kept }, true);
    refreshNow(JSON.stringify(kept) === told);
  };
  const runOne = (refId: string, expr: string) => run(queries.map((q) => (q.refId === refId ? { ...q, expr } : q)));
  const add = (expr: string, now: boolean) => {
    const empty = queries.find((q) => q.expr.trim() === '');
    const list = empty && expr !== '' ? queries.map((q) => (q === empty ? { ...q, expr } : q)) : [...queries, { refId: nextRefId(queries), expr, hide: false }];
    focus(empty && expr !== '' ? empty.refId : list[list.length - 1]!.refId);
    if (now) run(list);
    else setQueries(list);
  };
  return {
    queries,
    active: ran.filter((q) => !q.hide && q.expr.trim() !== ''),
    dirty: JSON.stringify(written(queries)) !== told,
    focused,
    focus,
    type: (refId, expr) => setQueries((l) => l.map((q) => (q.refId === refId ? { ...q, expr } : q))),
    run,
    runOne,
    put: (expr) => run(queries.map((q) => (q.refId === focused ? { ...q, expr, hide: false } : q))),
    add,
  };
}

/** Where in the text of a query its error lies. */
export function markOf(q: Query, sent: string | undefined, error: Error | undefined): { mark: { from: number; to: number; message: string } | null; text: string } {
  const place = error && sent === q.expr ? errorPlace(error.message) : null;
  if (!place) return { mark: null, text: error?.message ?? '' };
  const at = placeOffset(q.expr, place.line, place.column);
  return { mark: { from: at, to: at + 1, message: place.message }, text: `Line ${place.line}, column ${place.column}: ${place.message}` };
}

/** One query: its letter, its editor, hiding and removing it, what is wrong with it. */
export function QueryRow({ q, draft, error, children }: { q: Query; draft: Draft; error: string; children: ComponentChildren }) {
  const { queries, run } = draft;
  return (
    <div class={`q-row${q.hide ? ' off' : ''}`}>
      <span class="ref" title={`Query ${q.refId}`}>
        {q.refId}
      </span>
      {children}
      <button type="button" class="icon-btn" aria-pressed={q.hide} title={q.hide ? 'Show' : 'Hide'} aria-label={`${q.hide ? 'Show' : 'Hide'} query ${q.refId}`} onClick={() => run(queries.map((x) => (x === q ? { ...x, hide: !x.hide } : x)))}>
        <Icon name={q.hide ? 'eyeoff' : 'eye'} />
      </button>
      <button
        type="button"
        class="icon-btn"
        title="Remove"
        aria-label={`Remove query ${q.refId}`}
        disabled={queries.length === 1 && q.expr === ''}
        onClick={() => {
          const rest = queries.filter((x) => x !== q);
          run(rest.length ? rest : [BLANK]);
        }}
      >
        <Icon name="close" />
      </button>
      {error && (
        <div class="q-error" role="alert">
          <Icon name="warn" />
          <span>{error}</span>
        </div>
      )}
    </div>
  );
}

export function RunButton({ draft }: { draft: Draft }) {
  return (
    <button type="button" class={draft.dirty ? 'btn primary' : 'btn'} onClick={() => draft.run()} title="Enter or Shift+Enter in a query">
      <Icon name="play" /> Run
    </button>
  );
}

export function AddButton({ draft }: { draft: Draft }) {
  return (
    <button type="button" class="btn" onClick={() => draft.add('', false)}>
      <Icon name="plus" /> Query
    </button>
  );
}
