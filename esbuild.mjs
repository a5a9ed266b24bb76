// Builds dist/: the helper (which holds the product once), the command, the extension and the inspector's page.
// `--watch` rebuilds on change, `--minify` is for the package.
import { chmod, cp, mkdir, readFile, rm } from 'node:fs/promises';
import { basename } from 'node:path';
import { build, context } from 'esbuild';

const flags = new Set(process.argv.slice(2));
const { version } = JSON.parse(await readFile('package.json', 'utf8'));

const common = {
  bundle: true,
  logLevel: 'warning',
  minify: flags.has('--minify'),
  sourcemap: flags.has('--minify') ? false : 'linked',
  define: { PRODUCT_VERSION: JSON.stringify(version) },
  legalComments: 'none',
};
/** What few commands need stays in a file of its own beside helper.js, loaded on demand. */
const onDemand = {
  name: 'on-demand',
  setup: ({ onResolve }) =>
    onResolve(
      { filter: /\/(demoAgent|authorizationServer|pairPrompts|inputPrompts|acmeLibrary|natsBucket)\.ts$/ },
      ({ kind, path }) =>
        kind === 'dynamic-import' ? { path: `./${basename(path, '.ts')}.js`, external: true } : undefined,
    ),
};
/** The provider has words for its operator on the console, which here belongs to the person at the terminal. */
const silent = {
  name: 'silent',
  setup: ({ onLoad }) =>
    onLoad({ filter: /oidc-provider[\\/]lib[\\/]helpers[\\/]attention\.js$/ }, () => ({
      contents: 'export const info = () => {}; export const warn = info;',
    })),
};
/** acme-client's way to the network is replaced (`certs/acmeLibrary.ts`): what it would load for it is left out. */
const noAxios = {
  name: 'no-axios',
  setup: ({ onLoad }) =>
    onLoad({ filter: /acme-client[\\/]src[\\/]axios\.js$/ }, () => ({
      contents: "module.exports = { request() { throw new Error('acme-client must not dial'); } };",
    })),
};
const node = {
  ...common,
  plugins: [onDemand],
  mainFields: ['module', 'main'],
  platform: 'node',
  format: 'cjs',
  target: 'node20.19',
};
const targets = [
  { ...node, entryPoints: ['src/cli/product.ts'], outfile: 'dist/helper.js' },
  { ...node, entryPoints: ['src/cli/demoAgent.ts'], outfile: 'dist/demoAgent.js' },
  { ...node, entryPoints: ['src/cli/pairPrompts.ts'], outfile: 'dist/pairPrompts.js' },
  { ...node, entryPoints: ['src/cli/tunnelBridge.ts'], outfile: 'dist/tunnelBridge.js' },
  { ...node, entryPoints: ['src/cli/inputPrompts.ts'], outfile: 'dist/inputPrompts.js' },
  { ...node, entryPoints: ['src/edge/cluster/natsBucket.ts'], outfile: 'dist/natsBucket.js' },
  {
    ...node,
    entryPoints: ['src/certs/acmeLibrary.ts'],
    outfile: 'dist/acmeLibrary.js',
    plugins: [noAxios],
  },
  {
    ...node,
    entryPoints: ['src/identity/oauth/authorizationServer.ts'],
    outfile: 'dist/authorizationServer.js',
    plugins: [silent],
    keepNames: true, // The provider calls its records by the names of its classes.
  },
  {
    ...node,
    entryPoints: ['src/cli/cli.ts'],
    outfile: 'dist/cli.js',
    external: ['./helper.js'],
    banner: { js: '#!/usr/bin/env node' },
  },
  { ...node, entryPoints: ['src/extension/extension.ts'], outfile: 'dist/extension.js', external: ['vscode'] },
  {
    ...common,
    platform: 'browser',
    format: 'esm',
    target: 'es2023',
    tsconfig: 'src/webview/tsconfig.json',
    entryPoints: ['src/webview/inspector.ts'],
    outdir: 'dist/webview',
  },
];

await rm('dist', { recursive: true, force: true });
await mkdir('dist/webview', { recursive: true });
if (flags.has('--watch')) {
  for (const target of targets) await (await context(target)).watch();
} else {
  await Promise.all(targets.map((target) => build(target)));
}
await cp('src/webview/inspector.css', 'dist/webview/inspector.css');
if (!flags.has('--watch')) await chmod('dist/cli.js', 0o755); // What `npm link` points at.
