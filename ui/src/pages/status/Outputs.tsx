// Other systems that get metrics as well: who takes them, what waits, what was given up.

import { useLoad } from '../../api/live';
import { diskText, droppedText, droppedTotal, fetchOutputs, outputState, type Output } from '../../api/outputs';
import { Card, Failure } from '../../chart/Panel';
import { format, formatAgo } from '../../format/units';

function Row({ o }: { o: Output }) {
  const [tone, text] = outputState(o);
  const filled = Math.min(100, (o.queue_bytes / Math.max(1, o.queue_bytes_max)) * 100);
  const dropped = droppedTotal(o);
  return (
    <tr>
      <td>
        {o.name}
        {o.type !== o.name && <span class="dim"> {o.type}</span>}
      </td>
      <td>
        <span class={`tag ${tone}`}>{text}</span>
      </td>
      <td class="mono hide-s">{o.url || '–'}</td>
      <td class="num">{format(o.sent_samples, 'short')}</td>
      <td class="num hide-s">{o.last_sent_ms > 0 ? formatAgo(o.last_sent_ms, Date.now()) : 'never'}</td>
      <td class="num">
        {format(o.queue_samples, 'short')}
        {o.queue_bytes > 0 && (
          <div class={`bar ${filled >= 95 ? 'bad' : filled >= 80 ? 'warn' : ''}`} role="img" aria-label={`${filled.toFixed(0)} percent of the queue`}>
            <i style={{ width: `${Math.max(filled, 0.6)}%` }} />
          </div>
        )}
      </td>
      <td class={`num ${dropped > 0 ? 'bad' : 'dim'}`} title={droppedText(o)}>
        {format(dropped, 'locale')}
      </td>
      <td class={tone === 'good' ? 'dim' : 'bad'}>
        {o.last_error}
        {o.last_error && <span class="dim"> {formatAgo(o.last_failed_ms, Date.now())}</span>}
        {o.disk_error && <div class="bad">{diskText(o)}</div>}
      </td>
    </tr>
  );
}

/** Nothing at all where there are none. */
export function Outputs() {
  const load = useLoad((signal) => fetchOutputs(signal), []);
  const list = load.value ?? [];
  if (!load.error && list.length === 0) return null;
  return (
    <Card title="Outputs" help="Other systems that get metrics as well. What they do not take waits in a queue and is tried again." class="w12">
      {load.error && <Failure error={load.error} />}
      <div class="table-scroll">
        <table class="table">
          <thead>
            <tr>
              <th>Output</th>
              <th>State</th>
              <th class="hide-s">Goes to</th>
              <th class="num">Sent</th>
              <th class="num hide-s">Last</th>
              <th class="num">Waiting</th>
              <th class="num">Given up</th>
              <th>Last trouble</th>
            </tr>
          </thead>
          <tbody>
            {list.map((o) => (
              <Row key={o.name} o={o} />
            ))}
          </tbody>
        </table>
      </div>
    </Card>
  );
}
