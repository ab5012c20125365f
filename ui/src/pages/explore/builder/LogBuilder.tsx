// LogQL put together.

import { lokiDetectedFields, lokiFieldValues, lokiLabels, lokiLabelValues } from '../../../dashboard/query/loki';
import { useTime } from '../../../time/scope';
import { Icon } from '../../../shell/icons';
import { COUNTS, FIELD_OPS, LINE_OPS, LOG_AGGREGATIONS, logParts, logText, PARSERS, type LogParts } from './logql';
import { BuilderFrame, Conditions, Names, Row, useParts } from './Parts';

/** The streams alone, to ask what there is in them; '' while nothing narrows them. */
function streams(p: LogParts, without = ''): string {
  return logText({ ...p, matchers: p.matchers.filter((m) => m.value && m.name !== without), lines: [], parser: '', fields: [], count: '' });
}

/** Every stream has a service: it is made up when it is missing. */
const ANY = '{service_name=~".+"}';

export function LogBuilder({ expr, onChange, onRun, onCode }: { expr: string; onChange: (expr: string) => void; onRun: (expr: string) => void; onCode: () => void }) {
  const { parts, put, latest } = useParts(expr, logParts, logText, onChange);
  const time = useTime();
  const run = () => onRun(latest());
  if (!parts) return <BuilderFrame text={expr} known={false} onCode={onCode} onFocus={() => undefined} children={null} />;
  const now = (p: LogParts) => {
    put(p);
    run();
  };
  const r = () => time.range.peek();
  const dep = JSON.stringify(parts.matchers);
  const labels = () => lokiLabels(r().fromMs, r().toMs);
  const fields = () => lokiDetectedFields(streams(parts) || ANY, r().fromMs, r().toMs).then((l) => l.map((f) => f.label));
  return (
    <BuilderFrame text={expr} known onCode={onCode} onFocus={() => undefined}>
      <Row name="Streams">
        <Conditions list={parts.matchers} ops={['=', '!=', '=~', '!~']} what="Label" names={labels} values={(n) => lokiLabelValues(n, streams(parts, n) || undefined, r().fromMs, r().toMs)} dep={dep} onChange={(matchers) => put({ ...parts, matchers })} onDone={run} />
      </Row>
      <Row name="Lines that">
        {parts.lines.map((l, i) => (
          <span class="bl-cond" key={i}>
            <select value={l.op} aria-label={`Line filter ${i + 1}, operator`} onChange={(e) => now({ ...parts, lines: parts.lines.map((x, k) => (k === i ? { ...x, op: e.currentTarget.value } : x)) })}>
              {LINE_OPS.map(([op, name]) => (
                <option key={op} value={op}>
                  {name}
                </option>
              ))}
            </select>
            <input type="text" value={l.text} aria-label={`Line filter ${i + 1}, text`} placeholder="text" spellcheck={false} onInput={(e) => put({ ...parts, lines: parts.lines.map((x, k) => (k === i ? { ...x, text: e.currentTarget.value } : x)) })} onChange={run} onKeyDown={(e) => e.key === 'Enter' && run()} />
            <button type="button" class="icon-btn" aria-label={`Remove line filter ${i + 1}`} onClick={() => now({ ...parts, lines: parts.lines.filter((_, k) => k !== i) })}>
              <Icon name="close" size={12} />
            </button>
          </span>
        ))}
        <button type="button" class="btn small" onClick={() => put({ ...parts, lines: [...parts.lines, { op: '|=', text: '' }] })}>
          <Icon name="plus" size={12} /> Line filter
        </button>
      </Row>
      <Row name="Fields">
        <select value={parts.parser} aria-label="Parser" onChange={(e) => now({ ...parts, parser: e.currentTarget.value })}>
          <option value="">no parser</option>
          {PARSERS.map((n) => (
            <option key={n} value={n}>
              {n}
            </option>
          ))}
        </select>
        <Conditions list={parts.fields} ops={FIELD_OPS} what="Field" names={fields} values={(n) => lokiFieldValues(n, streams(parts) || ANY, r().fromMs, r().toMs)} dep={dep} onChange={(list) => put({ ...parts, fields: list })} onDone={run} />
      </Row>
      <Row name="Show">
        <select value={parts.count} aria-label="What to show" onChange={(e) => now({ ...parts, count: e.currentTarget.value, aggregation: e.currentTarget.value ? parts.aggregation || 'sum' : '' })}>
          {COUNTS.map(([c, name]) => (
            <option key={c} value={c}>
              {name}
            </option>
          ))}
        </select>
        {parts.count && (
          <>
            <select value={parts.aggregation} aria-label="Aggregation" onChange={(e) => now({ ...parts, aggregation: e.currentTarget.value })}>
              <option value="">each stream</option>
              {LOG_AGGREGATIONS.map((a) => (
                <option key={a} value={a}>
                  {a}
                </option>
              ))}
            </select>
            {parts.aggregation && <Names list={parts.by} label="Label to group by" names={labels} dep={dep} onChange={(by) => now({ ...parts, by })} />}
          </>
        )}
      </Row>
    </BuilderFrame>
  );
}
