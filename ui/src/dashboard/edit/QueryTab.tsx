// The queries of a panel. A text takes effect when it is run (Shift+Enter, or leaving it).

import { useEffect, useState } from 'preact/hooks';
import { QueryEditor } from '../../editor/QueryEditor';
import type { Language } from '../../editor/languages';
import { Icon } from '../../shell/icons';
import { formatDuration } from '../../time/grammar';
import { refreshNow } from '../../time/state';
import { nextRefId } from '../model/ids';
import type { Session } from '../model/session';
import type { Panel, Target } from '../model/types';
import type { PanelState } from '../panels/usePanelData';
import { sourceKind } from '../query/datasource';
import { Select, TextInput } from './controls';
import { ExpressionEdit } from './ExpressionEdit';

const SOURCES: [string, string][] = [
  ['prometheus', 'Metrics (Prometheus)'],
  ['loki', 'Logs (Loki)'],
  ['tempo', 'Traces (Tempo)'],
  ['graphite', 'Metrics (Graphite)'],
  ['expression', 'Expression'],
];
const LANGS: Record<string, Language> = { prometheus: 'promql', loki: 'logql', tempo: 'traceql', graphite: 'graphite' };

function textOf(t: Target, kind: string): string {
  return String((kind === 'tempo' ? t.query : kind === 'graphite' ? t['target'] : (t.expr ?? t.query)) ?? '');
}

function One({ s, panel, t, state, others, onChange, onRemove, onCopy }: { s: Session; panel: Panel; t: Target; state: PanelState | null; others: string[]; onChange: (t: Target) => void; onRemove: () => void; onCopy: () => void }) {
  const found = sourceKind(t.datasource ?? panel.datasource, (x) => s.vars.fill(x)) ?? sourceKind(panel.datasource, (x) => s.vars.fill(x)) ?? 'prometheus';
  const kind = LANGS[found] || found === 'expression' ? found : 'prometheus';
  const stored = textOf(t, kind);
  const [text, setText] = useState(stored);
  useEffect(() => setText(stored), [stored]);
  const error = state?.data?.errors.find((e) => e.refId === t.refId);
  const ran = state?.data?.ran.find((r) => r.refId === t.refId);
  const run = (now: string) => {
    if (now !== stored) onChange(kind === 'tempo' ? { ...t, query: now } : kind === 'graphite' ? { ...t, target: now, targetFull: undefined } : { ...t, expr: now });
    else refreshNow();
  };
  const setSource = (k: string) => onChange(k === 'expression' ? { refId: t.refId, datasource: { type: '__expr__', uid: '__expr__' }, type: 'math', expression: '' } : { ...t, datasource: { type: k, uid: k } });
  const type = t.instant ? (t.range ? 'both' : 'instant') : 'range';
  return (
    <div class={t.hide ? 'pe-query off' : 'pe-query'} data-ref={t.refId} onFocusOut={(e) => !(e.currentTarget as HTMLElement).contains(e.relatedTarget as Node | null) && text !== stored && run(text)}>
      <div class="pe-query-head">
        <span class="ref">{t.refId}</span>
        <Select label={`Data of query ${t.refId}`} value={kind} choices={SOURCES} onChange={setSource} />
        <span class="grow" />
        {ran && kind !== 'expression' && <span class="dim num">step {formatDuration(ran.stepMs)}, {(ran.seconds * 1000).toFixed(0)} ms</span>}
        <button type="button" class="icon-btn" title={t.hide ? 'Show' : 'Hide'} aria-label={`${t.hide ? 'Show' : 'Hide'} query ${t.refId}`} aria-pressed={t.hide === true} onClick={() => onChange({ ...t, hide: !t.hide })}>
          <Icon name={t.hide ? 'eyeoff' : 'eye'} />
        </button>
        <button type="button" class="icon-btn" title="Duplicate" aria-label={`Duplicate query ${t.refId}`} onClick={onCopy}>
          <Icon name="copy" />
        </button>
        <button type="button" class="icon-btn" title="Remove" aria-label={`Remove query ${t.refId}`} onClick={onRemove}>
          <Icon name="trash" />
        </button>
      </div>
      {kind === 'expression' ? (
        <ExpressionEdit t={t} others={others} onChange={onChange} />
      ) : (
      <div class="pe-query-text">
        <QueryEditor text={text} label={`Query ${t.refId}`} lang={LANGS[kind]} variables={() => s.vars.states.peek().map((v) => v.model.name)} onChange={setText} onRun={run} onFocus={() => undefined} autofocus={stored === ''} mark={null} />
        <button type="button" class="btn primary" onClick={() => run(text)} title="Run (Shift+Enter)">
          Run
        </button>
      </div>
      )}
      {error && (
        <p class="bad pe-error" role="alert">
          {error.message}
        </p>
      )}
      <div class="pe-query-opts">
        {(kind === 'prometheus' || kind === 'loki') && (
          <label>
            Legend <TextInput value={t.legendFormat ?? ''} placeholder="{{label}}" onChange={(v) => onChange({ ...t, legendFormat: v })} />
          </label>
        )}
        {kind === 'prometheus' && (
          <label>
            As{' '}
            <Select
              value={t.format ?? 'time_series'}
              choices={[
                ['time_series', 'Series'],
                ['table', 'Table'],
                ['heatmap', 'Heat map'],
              ]}
              onChange={(v) => onChange({ ...t, format: v })}
            />
          </label>
        )}
        {(kind === 'prometheus' || kind === 'loki') && (
          <label>
            Over{' '}
            <Select
              value={kind === 'loki' ? String(t['queryType'] ?? 'range') : type}
              choices={kind === 'loki' ? [['range', 'The range'], ['instant', 'Its end']] : [['range', 'The range'], ['instant', 'Its end'], ['both', 'Both']]}
              onChange={(v) => onChange(kind === 'loki' ? { ...t, queryType: v } : { ...t, instant: v !== 'range', range: v !== 'instant' })}
            />
          </label>
        )}
        {kind !== 'expression' && <label>
          Min step <TextInput value={t.interval ?? ''} placeholder="auto" onChange={(v) => onChange({ ...t, interval: v })} />
        </label>}
        {kind === 'prometheus' && (
          <label class="check">
            <input type="checkbox" checked={t['exemplar'] === true} onChange={(e) => onChange({ ...t, exemplar: e.currentTarget.checked })} /> Exemplars
          </label>
        )}
        {kind === 'tempo' && (
          <>
            <label>
              As{' '}
              <Select
                value={t['queryType'] === 'serviceMap' ? 'serviceMap' : String(t['tableType'] ?? 'traces')}
                choices={[
                  ['traces', 'Traces'],
                  ['spans', 'Spans'],
                  ['serviceMap', 'Service map'],
                ]}
                onChange={(v) => onChange(v === 'serviceMap' ? { ...t, queryType: v } : { ...t, queryType: 'traceql', tableType: v })}
              />
            </label>
            <label>
              At most <TextInput value={t['limit'] === undefined ? '' : String(t['limit'])} placeholder="20" onChange={(v) => onChange({ ...t, limit: Number(v) || undefined })} />
            </label>
          </>
        )}
        {kind === 'loki' && (
          <label>
            Lines <TextInput value={t['maxLines'] === undefined ? '' : String(t['maxLines'])} placeholder="1000" onChange={(v) => onChange({ ...t, maxLines: Number(v) || undefined })} />
          </label>
        )}
      </div>
    </div>
  );
}

export function QueryTab({ session: s, panel, state, onChange }: { session: Session; panel: Panel; state: PanelState | null; onChange: (p: Panel) => void }) {
  const targets = panel.targets ?? [];
  const set = (list: Target[]) => onChange({ ...panel, targets: list });
  const add = () => {
    const last = targets[targets.length - 1];
    const source = last && sourceKind(last.datasource) === 'expression' ? undefined : last?.datasource;
    set([...targets, { refId: nextRefId(targets.map((t) => t.refId)), expr: '', datasource: source ?? panel.datasource ?? { type: 'prometheus', uid: 'prometheus' }, range: true }]);
  };
  return (
    <div class="pe-tab">
      {targets.map((t, i) => (
        <One
          key={t.refId}
          s={s}
          panel={panel}
          t={t}
          state={state}
          others={targets.filter((x) => x !== t).map((x) => x.refId)}
          onChange={(n) => set(targets.map((x, k) => (k === i ? n : x)))}
          onRemove={() => set(targets.filter((_, k) => k !== i))}
          onCopy={() => set([...targets, { ...structuredClone(t), refId: nextRefId(targets.map((x) => x.refId)) }])}
        />
      ))}
      <button type="button" class="btn" onClick={add}>
        <Icon name="plus" /> Add a query
      </button>
      <details class="pe-more">
        <summary>Query options</summary>
        <div class="pe-query-opts">
          <label>
            Min interval <TextInput value={panel.interval ?? ''} placeholder="auto" onChange={(v) => onChange({ ...panel, interval: v || undefined })} />
          </label>
          <label>
            Max points <TextInput value={panel.maxDataPoints ? String(panel.maxDataPoints) : ''} placeholder="width" onChange={(v) => onChange({ ...panel, maxDataPoints: Number(v) || null })} />
          </label>
          <label>
            Own range <TextInput value={panel.timeFrom ?? ''} placeholder="1h" onChange={(v) => onChange({ ...panel, timeFrom: v || null })} />
          </label>
          <label>
            Shifted by <TextInput value={panel.timeShift ?? ''} placeholder="1d" onChange={(v) => onChange({ ...panel, timeShift: v || null })} />
          </label>
        </div>
      </details>
    </div>
  );
}
