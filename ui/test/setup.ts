// What modules ask of a browser while they load. Nothing is drawn in these tests.
const nothing = () => undefined;
const media = { matches: true, addEventListener: nothing };
Object.assign(globalThis, {
  document: { baseURI: 'http://localhost/', hidden: false, addEventListener: nothing, querySelector: () => null, documentElement: { dataset: {} } },
  location: { pathname: '/', search: '', href: 'http://localhost/' },
  history: { pushState: nothing, replaceState: nothing },
  matchMedia: () => media,
  addEventListener: nothing,
  dispatchEvent: nothing,
  CustomEvent: class {},
  devicePixelRatio: 1,
});
const g = globalThis as unknown as { window?: unknown };
g.window ??= globalThis;
// Node has had one of its own since version 21, which cannot be assigned.
(globalThis as { navigator?: unknown }).navigator ??= { userAgent: '' };
