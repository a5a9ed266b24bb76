// Real certificate authorities that speak ACME, from Debian: Caddy with `acme_server`, and Pebble, Let's Encrypt's own
// server for tests, which issues certificates that live for seconds, has terms of service and refuses good nonces.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { Authority } from '../../src/certs/authority.ts';
import { makeKeyPair } from '../../src/certs/keyPair.ts';
import { systemClock } from '../../src/core/clock.ts';
import { debianPackages } from './debianPackages.ts';
import { anAuthority } from './certs.ts';
import type { PrivateNetwork } from './privateNetwork.ts';
import { temporaryFolder } from './temporaryFolder.ts';
import { until } from './until.ts';

export const caHost = 'ca.test';

export type AcmeServer = {
  directory: string;
  /** PEM of the CA of its own certificate. */
  caFile: string;
  stop(): Promise<void>;
};

/** Its site's certificate and those that it issues have one root. A `folder` that was used before is gone on with. */
export async function startCaddy(network: PrivateNetwork, folder: string): Promise<AcmeServer> {
  await debianPackages('caddy');
  const config = join(folder, 'Caddyfile');
  const site = `https://${caHost}:8443 {\n\ttls internal\n\tacme_server\n}\n`;
  const global = `{\n\tadmin off\n\tstorage file_system ${folder}\n\tskip_install_trust\n\tauto_https disable_redirects\n}\n`;
  await writeFile(config, global + site);
  const env = { ...process.env, HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder };
  const words = ['caddy', 'run', '--config', config, '--adapter', 'caddyfile'];
  const caFile = join(folder, 'pki/authorities/local/root.crt');
  const stop = await start(network, folder, words, env, (said) => said.includes('serving initial configuration'));
  await until(() => existsSync(caFile));
  return { directory: `https://${caHost}:8443/acme/local/directory`, caFile, stop };
}

export type PebbleOptions = { lifetimeS: number; tlsPort?: number };

/** The roots that it signs with are made anew at each start; only `caFile`, of its own site, is known. */
export async function startPebble(network: PrivateNetwork, options: PebbleOptions): Promise<AcmeServer> {
  await debianPackages('pebble');
  const folder = await temporaryFolder();
  const at = (name: string): string => join(folder, name);
  const authority: Authority = await anAuthority({ clock: systemClock });
  const key = await makeKeyPair();
  const certificate = authority.issueServer({ names: [caHost], publicKey: key.publicKey, days: 1 });
  const pebble = {
    listenAddress: '127.0.0.1:14000',
    managementListenAddress: '127.0.0.1:15000',
    certificate: at('site.pem'),
    privateKey: at('site.key'),
    httpPort: 80,
    tlsPort: options.tlsPort ?? 443,
    ocspResponderURL: '',
    externalAccountBindingRequired: false,
    certificateValidityPeriod: options.lifetimeS,
  };
  await writeFile(at('ca.pem'), authority.certificatePem);
  await writeFile(at('site.pem'), certificate);
  await writeFile(at('site.key'), key.privateKeyPem);
  await writeFile(at('config.json'), JSON.stringify({ pebble }));
  const env = { ...process.env, PEBBLE_VA_NOSLEEP: '1', PEBBLE_WFE_NONCEREJECT: '30', PEBBLE_AUTHZREUSE: '0' };
  const words = ['pebble', '-config', at('config.json'), '-strict', 'false'];
  const stop = await start(network, folder, words, env, (said) => said.includes('ACME directory available'));
  return { directory: `https://${caHost}:14000/dir`, caFile: at('ca.pem'), stop };
}

async function start(
  network: PrivateNetwork,
  folder: string,
  words: readonly string[],
  env: NodeJS.ProcessEnv,
  isUp: (said: string) => boolean,
): Promise<() => Promise<void>> {
  const whole = [...network.within(folder), ...words];
  const child = spawn(whole[0]!, whole.slice(1), { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(child, 'close');
  let said = '';
  let isOver = false;
  void ended.then(() => (isOver = true));
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const stop = async (): Promise<void> => {
    if (!isOver) child.kill('SIGTERM');
    await ended;
  };
  onTestFinished(stop);
  await until(
    () => isUp(said) || isOver,
    20_000,
    () => `${words[0]} did not start: ${said}`,
  );
  if (isOver) throw new Error(`${words[0]} ended: ${said}`);
  return stop;
}
