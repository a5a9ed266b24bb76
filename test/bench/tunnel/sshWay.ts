// What people do without a product: `ssh -R` to a machine of theirs, and haproxy in front of the port it opens there.
// Debian's sshd, ssh and haproxy, on loopback, with keys made for the occasion.
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, connect } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';

export type SshWay = {
  /** Where visitors go: haproxy. */
  port: number;
  /** sshd itself serves the connection in a child of its own, whose CPU counts for it when it has ended: not yet. */
  relays: ChildProcess[];
};

export type SshWayOptions = {
  folder: string;
  endpointPort: number;
  /** What ssh dials in place of sshd's own port, so that a line can be put between. */
  lineTo?: (sshdPort: number) => Promise<number>;
};

export async function openSshWay({ folder, endpointPort, lineTo }: SshWayOptions): Promise<SshWay> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  mkdirSync('/run/sshd', { recursive: true });
  for (const name of ['host', 'user']) {
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(folder, name)]);
  }
  const [sshdPort, remotePort, port] = [await freePort(), await freePort(), await freePort()];
  const sshd = startSshd(folder, sshdPort);
  await accepts(sshdPort);
  const dialled = lineTo ? await lineTo(sshdPort) : sshdPort;
  const ssh = startSsh(folder, dialled, `127.0.0.1:${remotePort}:127.0.0.1:${endpointPort}`);
  await accepts(remotePort);
  const haproxy = startHaproxy(folder, port, remotePort);
  await accepts(port);
  return { port, relays: [haproxy, sshd, ssh] };
}

function startSshd(folder: string, port: number): ChildProcess {
  const config = join(folder, 'sshd_config');
  const lines = [
    `Port ${port}`,
    'ListenAddress 127.0.0.1',
    `HostKey ${join(folder, 'host')}`,
    `AuthorizedKeysFile ${join(folder, 'user.pub')}`,
    `PidFile ${join(folder, 'sshd.pid')}`,
    'StrictModes no',
    'PermitRootLogin prohibit-password',
    'PasswordAuthentication no',
    'AllowTcpForwarding yes',
  ];
  writeFileSync(config, `${lines.join('\n')}\n`);
  return spawn('/usr/sbin/sshd', ['-D', '-e', '-f', config], { stdio: 'ignore' });
}

function startSsh(folder: string, port: number, forward: string): ChildProcess {
  const options = ['BatchMode=yes', 'ExitOnForwardFailure=yes', 'StrictHostKeyChecking=accept-new'];
  const hosts = `UserKnownHostsFile=${join(folder, 'known_hosts')}`;
  const words = [...options, hosts].flatMap((option) => ['-o', option]);
  const place = ['-F', 'none', '-i', join(folder, 'user'), '-p', String(port), '-R', forward];
  // With a terminal and a command, not -N: else ssh leaves Nagle's algorithm on, and a fresh connection waits 40 ms.
  const held = ['-tt', `${userInfo().username}@127.0.0.1`, 'sleep 86400'];
  return spawn('ssh', [...place, ...words, ...held], { stdio: ['pipe', 'ignore', 'ignore'] });
}

function startHaproxy(folder: string, port: number, to: number): ChildProcess {
  const config = join(folder, 'haproxy.cfg');
  const lines = [
    'global',
    '  nbthread 1',
    '  maxconn 8192',
    'defaults',
    '  mode tcp',
    '  timeout connect 5s',
    '  timeout client 1h',
    '  timeout server 1h',
    'frontend visitors',
    `  bind 127.0.0.1:${port}`,
    '  tcp-request inspect-delay 5s',
    '  tcp-request content accept if { req.ssl_hello_type 1 }',
    '  use_backend endpoint if { req.ssl_sni -m found }',
    'backend endpoint',
    `  server ssh 127.0.0.1:${to}`,
  ];
  writeFileSync(config, `${lines.join('\n')}\n`);
  return spawn('haproxy', ['-db', '-q', '-f', config], { stdio: 'ignore' });
}

export function freePort(): Promise<number> {
  const server = createServer();
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

/** Resolves when something listens; throws after ten seconds. */
export async function accepts(port: number): Promise<void> {
  for (const deadline = Date.now() + 10_000; Date.now() < deadline;) {
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect({ host: '127.0.0.1', port }, () => resolve(true));
      socket.once('error', () => resolve(false));
      socket.once('connect', () => socket.destroy());
    });
    if (isOpen) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`nothing listens at port ${port}`);
}
