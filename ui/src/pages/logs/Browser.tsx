// The labels there are, and their values, to begin a query with.

import { useEffect, useState } from 'preact/hooks';
import { useRange } from '../../api/live';
import { lokiLabels, lokiLabelValues } from '../../dashboard/query/loki';
import { Popover } from '../../shell/popover';

export function Browser({ onPick, onClose }: { onPick: (label: string, value: string) => void; onClose: () => void }) {
  const r = useRange();
  const [labels, setLabels] = useState<string[] | null>(null);
  const [label, setLabel] = useState('');
  const [values, setValues] = useState<string[] | null>(null);
  const [find, setFind] = useState('');
  useEffect(() => void lokiLabels(r.fromMs, r.toMs).then((l) => (setLabels(l), setLabel((now) => now || (l.includes('service_name') ? 'service_name' : (l[0] ?? '')))), () => setLabels([])), []);
  useEffect(() => {
    if (!label) return;
    setValues(null);
    lokiLabelValues(label, undefined, r.fromMs, r.toMs).then(setValues, () => setValues([]));
  }, [label]);
  const shown = (values ?? []).filter((v) => v.toLowerCase().includes(find.toLowerCase()));
  return (
    <Popover onClose={onClose} label="Labels" class="lg-browse">
      <div class="lg-names">
        {labels?.map((l) => (
          <button type="button" key={l} class="row-btn" aria-current={l === label ? 'true' : undefined} onClick={() => setLabel(l)}>
            {l}
          </button>
        ))}
        {labels?.length === 0 && <p class="note">No logs in this time range.</p>}
      </div>
      <div class="lg-values">
        <input type="search" placeholder={`Values of ${label}`} aria-label="Search values" value={find} onInput={(e) => setFind(e.currentTarget.value)} />
        {shown.slice(0, 300).map((v) => (
          <button type="button" key={v} class="row-btn cut" onClick={() => onPick(label, v)}>
            {v}
          </button>
        ))}
      </div>
    </Popover>
  );
}
