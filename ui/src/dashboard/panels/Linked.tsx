// A figure that leads somewhere when its column has data links: one link at once, several as a menu.

import type { ComponentChildren, JSX } from 'preact';
import { useState } from 'preact/hooks';
import { Popover } from '../../shell/popover';
import { readyLinks, type ReadyLink } from './links';
import type { PanelView } from './props';
import type { OneValue } from './values';

export function LinkAnchor({ link, class: name, children }: { link: ReadyLink; class?: string; children: ComponentChildren }) {
  return (
    <a class={name} href={link.href} title={link.title} {...(link.newTab ? { target: '_blank', rel: 'noopener noreferrer' } : {})} {...(link.inside ? { 'data-link': '' } : {})}>
      {children}
    </a>
  );
}

export function Linked(p: { view: PanelView; value: OneValue; class: string; style?: JSX.CSSProperties; children: ComponentChildren }) {
  const [open, setOpen] = useState(false);
  const { value: v, view } = p;
  const links = v.field.config.links?.length ? readyLinks(v.field.config.links, view.fill, { field: v.field, frame: v.frame, all: view.frames, row: v.row ?? v.frame.length - 1, value: v.value }) : [];
  if (links.length === 0) {
    return (
      <div class={p.class} style={p.style}>
        {p.children}
      </div>
    );
  }
  if (links.length === 1) {
    const l = links[0]!;
    return (
      <a class={`${p.class} linked`} style={p.style} href={l.href} title={l.title} {...(l.newTab ? { target: '_blank', rel: 'noopener noreferrer' } : {})} {...(l.inside ? { 'data-link': '' } : {})}>
        {p.children}
      </a>
    );
  }
  return (
    <div class={`${p.class} linked anchor`} style={p.style} role="button" tabIndex={0} onClick={() => setOpen(!open)} onKeyDown={(e) => e.key === 'Enter' && setOpen(!open)}>
      {p.children}
      {open && (
        <Popover onClose={() => setOpen(false)} label="Links" class="menu">
          {links.map((l, i) => (
            <LinkAnchor key={i} link={l} class="row-btn">
              {l.title}
            </LinkAnchor>
          ))}
        </Popover>
      )}
    </div>
  );
}
