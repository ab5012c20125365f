// Last step of the build, after Vite: puts the style sheet of the first page into index.html (one
// round trip to the first paint), adds a content security policy that allows nothing foreign, and
// lays a gzip and a brotli form beside every file. tools/embed_ui.py turns the result into C.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const dist = path.join(path.dirname(fileURLToPath(import.meta.url)), '../dist');

function walk(dir) {
  return readdirSync(dir, { withFileTypes: true }).flatMap((e) =>
    e.isDirectory() ? walk(path.join(dir, e.name)) : [path.join(dir, e.name)],
  );
}

const indexFile = path.join(dist, 'index.html');
let html = readFileSync(indexFile, 'utf8');
const entryName = path.basename(/src="(\.\/assets\/[^"]+)"/.exec(html)[1]);
html = html.replace(/<link rel="stylesheet"[^>]*href="\.\/(assets\/[^"]+\.css)"[^>]*>\s*/g, (_, name) => {
  const css = readFileSync(path.join(dist, name), 'utf8').trim();
  rmSync(path.join(dist, name));
  // Lazy chunks that share code with the entry would load its style sheet with it; it is in the page
  // already, so that place in their list names the entry itself, which is loaded.
  for (const js of walk(dist).filter((f) => f.endsWith('.js'))) {
    const code = readFileSync(js, 'utf8');
    const sheet = path.basename(name);
    if (code.includes(sheet)) writeFileSync(js, code.replaceAll(sheet, entryName));
  }
  return `<style>${css}</style>\n    `;
});
const entry = /<script type="module"[^>]*src="(\.\/assets\/[^"]+)"[^>]*><\/script>/.exec(html);
if (!entry) throw new Error('index.html has no entry script');

// Inline scripts are allowed by their hash and no others. Styles are set by the editor and by the
// drawings at run time.
const hashes = [...html.matchAll(/<script>([\s\S]*?)<\/script>/g)].map(
  (m) => `'sha256-${createHash('sha256').update(m[1]).digest('base64')}'`,
);
const policy = [
  "default-src 'none'",
  `script-src 'self' ${hashes.join(' ')}`,
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "font-src 'self'",
  "base-uri 'self'",
  "form-action 'none'",
].join('; ');
html = html.replace(
  '<meta charset="utf-8" />',
  `<meta charset="utf-8" />\n    <meta http-equiv="Content-Security-Policy" content="${policy}" />`,
);
html = html.replace(entry[0], `<link rel="modulepreload" href="${entry[1]}">\n    ${entry[0]}`);
html = html.replace(/\n\s*\n/g, '\n');
writeFileSync(indexFile, html);

let raw = 0;
let gz = 0;
const rows = [];
for (const file of walk(dist)) {
  if (file.endsWith('.gz') || file.endsWith('.br')) continue;
  const bytes = readFileSync(file);
  const g = gzipSync(bytes, { level: 9 });
  // The header's time and system would make two equal builds differ.
  g.writeUInt32LE(0, 4);
  g[9] = 255;
  const b = brotliCompressSync(bytes, {
    params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length },
  });
  writeFileSync(`${file}.gz`, g);
  writeFileSync(`${file}.br`, b);
  raw += bytes.length;
  gz += g.length;
  rows.push([path.relative(dist, file), bytes.length, g.length, b.length]);
}
const kib = (n) => (n / 1024).toFixed(1).padStart(7);
rows.sort((a, b) => b[2] - a[2]);
for (const [name, r, g, b] of rows) console.log(`${kib(r)} KiB ${kib(g)} gz ${kib(b)} br  ${name}`);
console.log(`${kib(raw)} KiB ${kib(gz)} gz in all`);

// What must be loaded before the host page can be drawn stays small.
const first = rows.filter(([n]) => n === 'index.html' || `./${n}` === entry[1]).reduce((s, x) => s + x[2], 0);
const budget = 100 * 1024;
console.log(`${kib(first)} gz for shell and host page (at most ${budget / 1024})`);
if (first > budget || !statSync(indexFile).size) {
  console.error('the first page has outgrown its budget: load more of it lazily');
  process.exit(1);
}
const all = 550 * 1024;
if (gz > all) {
  console.error(`the UI has outgrown its ${all / 1024} KiB`);
  process.exit(1);
}
