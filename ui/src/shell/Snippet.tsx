// Text to copy into a file or a terminal.

import { Icon } from './icons';
import { copyText } from './toast';
import './snippet.css';

export function Snippet({ title, text }: { title: string; text: string }) {
  return (
    <div class="snippet">
      <div class="snippet-head">
        <span>{title}</span>
        <button type="button" class="btn small" onClick={() => void copyText(text)} aria-label={`Copy: ${title}`}>
          <Icon name="copy" size={14} /> Copy
        </button>
      </div>
      <pre tabIndex={0}>{text}</pre>
    </div>
  );
}
