// The two hosts that the tests run in, by exact version. code-server is VS Code itself, served to a browser: the same
// workbench and the same Node extension host. It insists on its own major version of Node, so that comes along.

/**
 * @typedef {'current' | 'older'} HostName
 * @typedef {{ module: string, gyp?: readonly string[] }} Native a folder below `node_modules/`, and what its binding.gyp wants defined
 *
 * @typedef {object} Host
 * @property {string} vscode the version that `vscode.version` reports
 * @property {string} codeServer
 * @property {string} node
 * @property {readonly Native[]} natives the modules to compile; the others come prebuilt
 * @property {readonly string[]} debian packages beyond those that every host needs
 * @property {readonly string[]} smokeTestDriver arguments that make the workbench obey an `extensionTestsPath`
 */

const vscodeModules = 'code-server/lib/vscode/node_modules';

/** @type {Readonly<Record<HostName, Host>>} */
export const hosts = {
  current: {
    vscode: '1.139.1',
    codeServer: '4.139.1',
    node: '24.21.0',
    natives: [{ module: `${vscodeModules}/@vscode/spdlog` }, { module: `${vscodeModules}/@vscode/native-watchdog` }],
    debian: [],
    smokeTestDriver: ['--vscode-option', 'enable-smoke-test-driver'],
  },
  older: {
    vscode: '1.103.2',
    codeServer: '4.103.2',
    node: '22.23.3',
    natives: [
      { module: `${vscodeModules}/@vscode/spdlog` },
      { module: `${vscodeModules}/native-watchdog` },
      { module: `${vscodeModules}/node-pty` },
      {
        module: 'argon2',
        gyp: ['--module_name=argon2', '--module_path=../lib/binding/napi-v3', '--napi_build_version=3'],
      },
    ],
    debian: ['ripgrep'],
    smokeTestDriver: [],
  },
};

/** The browser driver, the same for both hosts. */
export const playwrightVersion = '1.64.1';

/** Compiles `natives` against the host's Node. */
export const nodeGypVersion = '12.4.0';

/** @param {string} name @returns {HostName} */
export function parseHostName(name) {
  if (name === 'current' || name === 'older') return name;
  throw new Error(`no host is called ${name}; there are: ${Object.keys(hosts).join(', ')}`);
}
