import { short, type Change } from './diff';

const MOST = 100;

export function DiffList({ changes }: { changes: Change[] }) {
  if (changes.length === 0) return <p class="note">Nothing differs from the stored version.</p>;
  return (
    <details class="diff" open={changes.length <= 12}>
      <summary>
        {changes.length} {changes.length === 1 ? 'change' : 'changes'}
      </summary>
      <ul>
        {changes.slice(0, MOST).map((c, i) => (
          <li key={i} class={c.kind}>
            <code>{c.path}</code>
            {c.kind !== 'added' && <del>{short(c.before)}</del>}
            {c.kind !== 'removed' && <ins>{short(c.after)}</ins>}
          </li>
        ))}
      </ul>
      {changes.length > MOST && <p class="note">and {changes.length - MOST} more</p>}
    </details>
  );
}
