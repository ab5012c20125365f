// A component whose code is loaded when it is first shown.

import type { ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';

export function lazyPart<P extends object>(load: () => Promise<{ default: ComponentType<P> }>): ComponentType<P> {
  let ready: ComponentType<P> | null = null;
  return function Lazy(props: P) {
    const [, bump] = useState(0);
    const [error, setError] = useState<string | null>(null);
    useEffect(() => {
      if (ready) return;
      load().then(
        (m) => {
          ready = m.default;
          bump((n) => n + 1);
        },
        () => setError('This part could not be loaded. Pharos may have been updated or stopped; load the page anew.'),
      );
    }, []);
    if (error) return <div class="failure">{error}</div>;
    const Body = ready;
    return Body ? <Body {...props} /> : null;
  };
}
