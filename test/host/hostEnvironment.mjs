// What the host sees of this machine: a home of its own and a short list of variables, so that a test means the same
// on every machine, and settings that keep VS Code from calling home or popping up.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Everything else stays outside: VSCODE_*, ELECTRON_*, npm_*, NODE_OPTIONS, tokens, proxies. */
const inherited = [
  'PATH',
  'LANG',
  'USER',
  'LOGNAME',
  'SHELL',
  'TZ',
  'NODE_EXTRA_CA_CERTS',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
];

/**
 * The host's environment, with its folders made below `dir`.
 * @param {string} dir short: sockets lie in it, and a socket's path has at most 107 bytes
 * @param {Readonly<Record<string, string>>} extra
 * @returns {Promise<Record<string, string>>}
 */
export async function hostEnvironment(dir, extra = {}) {
  const folders = {
    HOME: join(dir, 'home'),
    XDG_CONFIG_HOME: join(dir, 'config'),
    XDG_DATA_HOME: join(dir, 'data'),
    XDG_CACHE_HOME: join(dir, 'cache'),
    XDG_STATE_HOME: join(dir, 'state'),
    XDG_RUNTIME_DIR: join(dir, 'run'),
    TMPDIR: join(dir, 'tmp'),
  };
  // Sockets in a runtime folder that others can enter are refused by some programs.
  for (const folder of Object.values(folders)) await mkdir(folder, { recursive: true, mode: 0o700 });
  const kept = inherited.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]]));
  return {
    ...Object.fromEntries(kept),
    ...folders,
    // Without it VS Code asks a login shell for PATH, and gets another one.
    VSCODE_CLI: '1',
    EXTENSIONS_GALLERY: JSON.stringify({ serviceUrl: '' }),
    ...extra,
  };
}

/** The settings every host starts with; a test's own go on top. */
export const quietSettings = {
  'telemetry.telemetryLevel': 'off',
  'update.mode': 'none',
  'extensions.autoUpdate': false,
  'extensions.autoCheckUpdates': false,
  'extensions.ignoreRecommendations': true,
  'workbench.startupEditor': 'none',
  'workbench.enableExperiments': false,
  // Over the window it would cover what a test clicks next.
  'workbench.editor.useModal': 'off',
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'workbench.reduceMotion': 'on',
  'chat.disableAIFeatures': true,
  // Where trust is on, a window opens restricted; a dialog would take the focus from whatever a test does first.
  'security.workspace.trust.startupPrompt': 'never',
  'git.autofetch': false,
  'typescript.disableAutomaticTypeAcquisition': true,
  'npm.fetchOnlinePackageInfo': false,
  'json.schemaDownload.enable': false,
  'remote.autoForwardPorts': false,
};
