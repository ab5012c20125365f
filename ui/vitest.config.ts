import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

// Dashboards that people have lie beside the repository, not in it; without them their cases are left out.
const here = path.dirname(fileURLToPath(import.meta.url));
const folder = ['../../shared/conformance', '../../../shared/conformance', process.env.PHAROS_CONFORMANCE ?? '']
  .map((f) => path.resolve(here, f, 'dashboards'))
  .find((f) => existsSync(f));
const dashboards = Object.fromEntries((folder ? readdirSync(folder) : []).filter((f) => f.endsWith('.json')).map((f) => [f, readFileSync(path.join(folder!, f), 'utf8')]));

export default defineConfig({ test: { setupFiles: ['test/setup.ts'], provide: { dashboards } } });
