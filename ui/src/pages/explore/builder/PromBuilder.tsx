// PromQL put together: metric, label filters, operations in the order they are done.

import { loadCatalogue, metricNames } from '../../../api/catalogue';
import { selector, type Matcher } from '../../../api/expr';
import { prom } from '../../../api/prom';
import { Icon } from '../../../shell/icons';
import { BuilderFrame, Conditions, Names, Row, Suggest, useParts } from './Parts';
import { AGGREGATIONS, FUNCTIONS, isAggregation, newOperation, OPERATORS, promParts, promText, QUANTILE, RANGE_FUNCTIONS, RANKED, type Operation, type PromParts } from './promql';

const GROUPS: [string, string[]][] = [
  ['Over time', RANGE_FUNCTIONS],
  ['Aggregate', [...AGGREGATIONS, ...RANKED]],
  ['Histogram', [QUANTILE]],
  ['Function', FUNCTIONS],
  ['Operator', OPERATORS],
];

/** All metrics, or those with the labels that were chosen first. */
async function metricsOf(p: PromParts): Promise<string[]> {
  const sel = match({ ...p, metric: '' });
  if (sel.length) return (await prom.labelValues('__name__', sel)).data;
  await loadCatalogue();
  return metricNames.peek().map((m) => m.name);
}

function match(p: PromParts, without = ''): string[] {
  const list = p.matchers.filter((m) => m.name && m.value && m.name !== without).map((m): Matcher => [m.name, m.op as Matcher[1], m.value]);
  return p.metric || list.length ? [selector(p.metric, list)] : [];
}

export function PromBuilder({ expr, onChange, onRun, onFocus, onCode }: { expr: string; onChange: (expr: string) => void; onRun: (expr: string) => void; onFocus: () => void; onCode: () => void }) {
  const { parts, put, latest } = useParts(expr, promParts, promText, onChange);
  const run = () => onRun(latest());
  if (!parts) return <BuilderFrame text={expr} known={false} onCode={onCode} onFocus={onFocus} children={null} />;
  const now = (p: PromParts) => {
    put(p);
    run();
  };
  const labels = () => prom.labels(match(parts)).then((a) => a.data.filter((n) => n !== '__name__'));
  const dep = JSON.stringify([parts.metric, parts.matchers]);
  const putOp = (i: number, patch: Partial<Operation>) => put({ ...parts, operations: parts.operations.map((o, k) => (k === i ? { ...o, ...patch } : o)) });
  return (
    <BuilderFrame text={expr} known onCode={onCode} onFocus={onFocus}>
      <Row name="Metric">
        <Suggest value={parts.metric} label="Metric" placeholder="metric" class="bl-metric" load={() => metricsOf(parts)} dep={JSON.stringify(parts.matchers)} onChange={(metric) => put({ ...parts, metric })} onDone={run} />
        <Conditions list={parts.matchers} ops={['=', '!=', '=~', '!~']} what="Label" names={labels} values={(n) => prom.labelValues(n, match(parts, n)).then((a) => a.data)} dep={dep} onChange={(matchers) => put({ ...parts, matchers })} onDone={run} />
      </Row>
      <Row name="Operations">
        {parts.operations.map((o, i) => (
          <span class="bl-op" key={i}>
            <b>{o.name}</b>
            {o.arg !== undefined && (
              <input type="text" value={o.arg} aria-label={RANGE_FUNCTIONS.includes(o.name) ? `Window of ${o.name}` : `Number of ${o.name}`} size={Math.max(4, o.arg.length)} spellcheck={false} onInput={(e) => putOp(i, { arg: e.currentTarget.value })} onChange={run} onKeyDown={(e) => e.key === 'Enter' && run()} />
            )}
            {isAggregation(o.name) && (
              <>
                {(o.by?.length ?? 0) > 0 && (
                  <select value={o.without ? 'without' : 'by'} aria-label={`Labels of ${o.name}`} onChange={(e) => now({ ...parts, operations: parts.operations.map((x, k) => (k === i ? { ...x, without: e.currentTarget.value === 'without' } : x)) })}>
                    <option value="by">by</option>
                    <option value="without">without</option>
                  </select>
                )}
                <Names list={o.by ?? []} label={`Label for ${o.name}`} names={labels} dep={dep} onChange={(by) => now({ ...parts, operations: parts.operations.map((x, k) => (k === i ? { ...x, by } : x)) })} />
              </>
            )}
            <button type="button" class="icon-btn" aria-label={`Remove ${o.name}`} onClick={() => now({ ...parts, operations: parts.operations.filter((_, k) => k !== i) })}>
              <Icon name="close" size={12} />
            </button>
          </span>
        ))}
        <select
          value=""
          aria-label="Add an operation"
          onChange={(e) => {
            const name = e.currentTarget.value;
            e.currentTarget.value = '';
            const o = newOperation(name);
            // Functions over time take the plain selector: they come first.
            if (name) now({ ...parts, operations: RANGE_FUNCTIONS.includes(name) ? [o, ...parts.operations.filter((x) => !RANGE_FUNCTIONS.includes(x.name))] : [...parts.operations, o] });
          }}
        >
          <option value="">+ Operation</option>
          {GROUPS.map(([name, list]) => (
            <optgroup key={name} label={name}>
              {list.map((f) => (
                <option key={f} value={f}>
                  {f}
                </option>
              ))}
            </optgroup>
          ))}
        </select>
      </Row>
    </BuilderFrame>
  );
}
