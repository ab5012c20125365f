// TraceQL put together.

import { useState } from 'preact/hooks';
import { traceTags, traceValues } from '../../../api/tempo';
import { useTime } from '../../../time/scope';
import { BuilderFrame, Conditions, Names, Row, useParts } from './Parts';
import { emptyTrace, INTRINSICS, KEYWORDS, MEASURES, TRACE_OPS, traceParts, traceText, type TraceParts } from './traceql';

const SERVICE = 'resource.service.name';

/** Fields that have a place of their own, whether they are asked for or not. */
const FIXED: { name: string; label: string }[] = [
  { name: SERVICE, label: 'Service' },
  { name: 'name', label: 'Span' },
  { name: 'status', label: 'Status' },
];

export function TraceBuilder({ expr, onChange, onRun, onCode }: { expr: string; onChange: (expr: string) => void; onRun: (expr: string) => void; onCode: () => void }) {
  const { parts, put, latest } = useParts(expr, traceParts, traceText, onChange);
  const time = useTime();
  const run = () => onRun(latest());
  if (!parts) return <BuilderFrame text={expr} known={false} onCode={onCode} onFocus={() => undefined} children={null} />;
  const now = (p: TraceParts) => {
    put(p);
    run();
  };
  const r = () => time.range.peek();
  const others = (name: string) => traceText({ ...emptyTrace(), conditions: parts.conditions.filter((c) => c.name !== name) });
  const values = (name: string) => (KEYWORDS[name] ? Promise.resolve(KEYWORDS[name]!) : traceValues(name, others(name), r().fromMs, r().toMs));
  const names = () => traceTags(r().fromMs, r().toMs).then((l) => [...INTRINSICS, ...l]);
  const simple = (name: string) => parts.conditions.find((c) => c.name === name && c.op === '=');
  const set = (name: string, value: string) => {
    const rest = parts.conditions.filter((c) => !(c.name === name && c.op === '='));
    now({ ...parts, conditions: value ? [...rest, { name, op: '=', value }] : rest });
  };
  const shown = parts.conditions.filter((c) => !(FIXED.some((f) => f.name === c.name) && c.op === '='));
  const dep = JSON.stringify(parts.conditions);
  const fixed = (list: TraceParts['conditions']) => [...parts.conditions.filter((c) => FIXED.some((f) => f.name === c.name) && c.op === '='), ...list];
  return (
    <BuilderFrame text={expr} known onCode={onCode} onFocus={() => undefined}>
      <Row name="Spans">
        {FIXED.map((f) => (
          <Pick key={f.name} label={f.label} value={simple(f.name)?.value ?? ''} load={() => values(f.name)} dep={others(f.name)} onPick={(v) => set(f.name, v)} />
        ))}
        <Conditions list={shown} ops={TRACE_OPS} what="Field" names={names} values={values} dep={dep} onChange={(list) => put({ ...parts, conditions: fixed(list) })} onDone={run} />
      </Row>
      <Row name="Show">
        <select value={parts.measure} aria-label="What to show" onChange={(e) => now({ ...parts, measure: e.currentTarget.value })}>
          {MEASURES.map(([m, name]) => (
            <option key={m} value={m}>
              {name}
            </option>
          ))}
        </select>
        {parts.measure === 'quantile_over_time' && <input type="text" value={parts.quantiles} aria-label="Percentiles, from 0 to 1" onInput={(e) => put({ ...parts, quantiles: e.currentTarget.value })} onChange={run} />}
        {parts.measure && <Names list={parts.by} label="Field to group by" names={names} dep="" onChange={(by) => now({ ...parts, by })} />}
      </Row>
    </BuilderFrame>
  );
}

/** One value out of those there are, or any. */
function Pick(p: { label: string; value: string; load: () => Promise<string[]>; dep: string; onPick: (v: string) => void }) {
  const [list, setList] = useState<{ dep: string; values: string[] }>({ dep: '', values: [] });
  const fill = () => {
    if (list.dep !== p.dep || list.values.length === 0) p.load().then((values) => setList({ dep: p.dep, values }), () => undefined);
  };
  const all = p.value && !list.values.includes(p.value) ? [p.value, ...list.values] : list.values;
  return (
    <label class="bl-pick">
      <span class="dim">{p.label}</span>
      <select value={p.value} onFocus={fill} onPointerEnter={fill} onChange={(e) => p.onPick(e.currentTarget.value)}>
        <option value="">any</option>
        {all.slice(0, 500).map((v) => (
          <option key={v} value={v}>
            {v}
          </option>
        ))}
      </select>
    </label>
  );
}
