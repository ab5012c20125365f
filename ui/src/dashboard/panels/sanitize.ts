// Text of dashboards as safe DOM: Markdown to HTML, HTML through DOMPurify. Loaded when needed.

import DOMPurify from 'dompurify';
import { marked } from 'marked';
import { safeUrl } from './links';

const OPTIONS = {
  RETURN_DOM_FRAGMENT: true as const,
  FORBID_TAGS: ['form', 'input', 'textarea', 'select', 'option', 'button', 'style', 'iframe', 'object', 'embed', 'link', 'meta', 'base', 'audio', 'video', 'source', 'track', 'dialog'],
  FORBID_ATTR: ['srcset', 'action', 'formaction', 'ping', 'id', 'name', 'autofocus', 'tabindex', 'popover', 'popovertarget'],
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: true,
};

/** Positioned styles could cover the page and pretend to be part of it. */
const BAD_STYLE = /url\s*\(|expression|position\s*:\s*(fixed|sticky|absolute)|z-index|@import|behavior|-moz-binding/i;

let hooked = false;

function hook(): void {
  if (hooked) return;
  hooked = true;
  DOMPurify.addHook('afterSanitizeAttributes', (node) => {
    const style = node.getAttribute('style');
    if (style && BAD_STYLE.test(style)) node.removeAttribute('style');
    if (node.tagName === 'A' || node.hasAttribute('href') || node.hasAttribute('xlink:href')) {
      const href = safeUrl(node.getAttribute('href') ?? '');
      node.removeAttribute('xlink:href');
      if (node.tagName !== 'A' || href === null) node.removeAttribute('href');
      else {
        node.setAttribute('href', href);
        if (/^https?:/i.test(href)) {
          node.setAttribute('target', '_blank');
          node.setAttribute('rel', 'noopener noreferrer');
        } else node.setAttribute('data-link', '');
      }
    }
  });
}

/** Cleans Markdown or HTML; what is not harmless is left out. */
export function cleanText(text: string, mode: string): DocumentFragment {
  hook();
  const html = mode === 'html' ? text : (marked.parse(text, { async: false, gfm: true, breaks: false }) as string);
  return DOMPurify.sanitize(html, OPTIONS);
}
