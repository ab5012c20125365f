// One number with its name, in a row of class `figures`.

import './figure.css';

export function Figure({ label, value, note, bad }: { label: string; value: string; note?: string; bad?: boolean }) {
  return (
    <div class="figure">
      <span class="figure-label">{label}</span>
      <span class={`figure-value num ${bad ? 'bad' : ''}`}>{value}</span>
      {note && <span class="dim cut">{note}</span>}
    </div>
  );
}
