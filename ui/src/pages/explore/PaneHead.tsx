// The head of a pane: which signal, parts or text, queries run before, the inspector, a second pane.

import { useState } from 'preact/hooks';
import { doors } from '../../api/doors';
import { Icon } from '../../shell/icons';
import { Popover } from '../../shell/popover';
import { href } from '../../shell/router';
import { HistoryMenu } from './HistoryMenu';
import { Inspector } from './Inspector';
import { SIGNALS, type Pane, type Query, type Signal } from './panes';
import type { RawRange } from '../../time/grammar';
import { RangePicker } from '../../time/TimePicker';
import { useTime } from '../../time/scope';
import { serviceOf } from './signals';

export interface PaneProps {
  pane: Pane;
  /** There are two panes. */
  split: boolean;
  /** New queries or another view, into the address; `push` makes a step that the back button undoes. */
  change: (patch: Partial<Omit<Pane, 'id'>>, push?: boolean) => void;
  /** Shows something in this pane, or beside it; null: about the same service as this pane; with a time of its own if given. */
  open: (signal: Signal, exprs: string[] | null, beside: boolean, time?: RawRange) => void;
  close: () => void;
}

export interface PaneHeadProps extends PaneProps {
  /** The queries as they stand in the editors. */
  draft: Query[];
  /** Takes a query of the history. */
  onPick: (expr: string) => void;
  /** Of the answers, for the inspector. */
  stepMs: number;
}

export const offered = (s: Signal): boolean => s === 'metrics' || doors.value.has(s === 'logs' ? 'loki' : 'tempo');

export function PaneHead(p: PaneHeadProps) {
  const { pane } = p;
  const [menu, setMenu] = useState<'history' | 'split' | null>(null);
  const [inspect, setInspect] = useState(false);
  const flip = (m: 'history' | 'split') => setMenu(menu === m ? null : m);
  const service = pane.queries.map((q) => serviceOf(q.expr)).find(Boolean) ?? '';
  const builder = pane.view.builder ?? false;
  const mode = (on: boolean) => {
    const { builder: _, ...rest } = pane.view;
    // What was typed and not run goes along.
    p.change({ view: on ? { ...rest, builder: true } : rest });
  };
  const time = useTime();
  const apart = pane.view.time !== undefined;
  const setApart = () => {
    const { time: _, ...rest } = pane.view;
    const { from, to } = time.raw.peek();
    p.change({ view: apart ? rest : { ...rest, time: { from, to } } }, true);
  };
  const signals = SIGNALS.filter((s) => offered(s.signal));
  return (
    <header class="pane-head">
      <div class="seg" role="tablist" aria-label="Signal">
        {signals.map((s) => (
          <button type="button" role="tab" key={s.signal} aria-selected={pane.signal === s.signal} title={service && pane.signal !== s.signal ? `${s.name} of ${service} at the same time` : s.name} onClick={() => pane.signal !== s.signal && p.open(s.signal, null, false)}>
            {s.name}
          </button>
        ))}
      </div>
      <div class="seg" role="group" aria-label="How to write the query">
        <button type="button" aria-pressed={builder} onClick={() => mode(true)}>
          Builder
        </button>
        <button type="button" aria-pressed={!builder} onClick={() => mode(false)}>
          Code
        </button>
      </div>
      {service && offered('traces') && (
        <a class="btn small" data-link href={href(`/service/${encodeURIComponent(service)}`)} title={`Operations, errors and latency of ${service}`}>
          <Icon name="service" size={13} /> <span class="cut pane-service">{service}</span>
        </a>
      )}
      <span class="grow" />
      {apart && <RangePicker time={time} small />}
      {(p.split || apart) && (
        <button type="button" class="icon-btn" aria-pressed={apart} title={apart ? 'Back to the time range of the page' : 'A time range of its own for this pane'} aria-label="Time range of its own" onClick={setApart}>
          <Icon name="clock" />
        </button>
      )}
      <div class="anchor">
        <button type="button" class="icon-btn" aria-haspopup="dialog" aria-expanded={menu === 'history'} title="Queries run before" aria-label="History" onClick={() => flip('history')}>
          <Icon name="history" />
        </button>
        {menu === 'history' && <HistoryMenu signal={pane.signal} onClose={() => setMenu(null)} onPick={p.onPick} />}
      </div>
      <button type="button" class="icon-btn" title="Inspect the answer, its statistics and its plan" aria-label="Inspect" disabled={pane.queries.length === 0} onClick={() => setInspect(true)}>
        <Icon name="json" />
      </button>
      {p.split ? (
        <button type="button" class="icon-btn" title="Close this pane" aria-label="Close this pane" onClick={p.close}>
          <Icon name="close" />
        </button>
      ) : (
        <div class="anchor">
          <button type="button" class="icon-btn" aria-haspopup="menu" aria-expanded={menu === 'split'} title="Open a second pane beside this one" aria-label="Split" onClick={() => flip('split')}>
            <Icon name="split" />
          </button>
          {menu === 'split' && (
            <Popover onClose={() => setMenu(null)} label="Open beside" class="split-menu">
              {signals.map((s) => (
                <button
                  type="button"
                  class="row-btn"
                  role="menuitem"
                  key={s.signal}
                  onClick={() => {
                    setMenu(null);
                    p.open(s.signal, s.signal === pane.signal ? pane.queries.map((q) => q.expr) : null, true);
                  }}
                >
                  {s.name} beside
                  {service && s.signal !== pane.signal && <span class="dim"> of {service}</span>}
                </button>
              ))}
            </Popover>
          )}
        </div>
      )}
      {inspect && <Inspector pane={pane} stepMs={p.stepMs} onClose={() => setInspect(false)} />}
    </header>
  );
}
