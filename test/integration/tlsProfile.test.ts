// What the ways in agree to in TLS, asked one offer at a time. `npm run test:tls` asks with testssl.sh everything it knows.
import { once } from 'node:events';
import { connect, DEFAULT_CIPHERS, type ConnectionOptions } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { tlsDoors, type Doors } from '../support/tlsDoors.ts';

const ways = ['connect', 'enroll', 'tunnel'] as const;
type Way = (typeof ways)[number];

/** The protocol and cipher that are agreed on, or `none`. */
async function agreed(doors: Doors, way: Way, offer: ConnectionOptions): Promise<string> {
  const socket = connect({
    host: '127.0.0.1',
    port: doors.port,
    servername: doors[way],
    rejectUnauthorized: false,
    ...offer,
  });
  const outcome = await Promise.race([
    once(socket, 'secureConnect').then(() => `${socket.getProtocol()} ${socket.getCipher().name}`),
    new Promise<string>((resolve) => socket.once('close', () => resolve('none'))),
  ]).catch(() => 'none');
  socket.on('error', () => {}).destroy();
  return outcome;
}

/** So that this side would even do what it should not. */
const lax = `${DEFAULT_CIPHERS}:ALL:@SECLEVEL=0`;
const old = (maxVersion: 'TLSv1.2' | 'TLSv1.1' | 'TLSv1'): ConnectionOptions => {
  return { minVersion: 'TLSv1', maxVersion, ciphers: lax };
};
const only = (ciphers: string): ConnectionOptions => ({ ...old('TLSv1.2'), ciphers: `${ciphers}:@SECLEVEL=0` });

describe('TLS', () => {
  it('is 1.3 at the connectors’ door, and 1.2 or 1.3 elsewhere', async () => {
    const doors = await tlsDoors();
    for (const version of ['TLSv1', 'TLSv1.1'] as const) {
      for (const way of ways) expect(await agreed(doors, way, old(version)), `${way} ${version}`).toBe('none');
    }
    expect(await agreed(doors, 'connect', old('TLSv1.2'))).toBe('none');
    for (const way of ways) expect(await agreed(doors, way, {})).toMatch(/^TLSv1\.3 TLS_AES_/);
    for (const way of ['enroll', 'tunnel'] as const)
      expect(await agreed(doors, way, old('TLSv1.2'))).toMatch(/^TLSv1\.2/);
  });

  it('of 1.2 takes ciphers with forward secrecy and authenticated encryption only, in its own order', async () => {
    const doors = await tlsDoors();
    for (const way of ['enroll', 'tunnel'] as const) {
      for (const weak of [
        'ECDHE-ECDSA-AES128-SHA',
        'ECDHE-ECDSA-AES256-SHA384',
        'ECDHE-ECDSA-AES128-CCM8',
        'AES128-GCM-SHA256',
        'AECDH-AES128-SHA',
        'PSK-AES128-GCM-SHA256',
      ]) {
        expect(await agreed(doors, way, only(weak)), `${way} ${weak}`).toBe('none');
      }
      const theirs = 'ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256';
      expect(await agreed(doors, way, only(theirs))).toBe('TLSv1.2 ECDHE-ECDSA-AES128-GCM-SHA256');
    }
  });

  it('is not negotiated twice on a connection', async () => {
    const doors = await tlsDoors();
    for (const way of ['enroll', 'tunnel'] as const) {
      const socket = connect({
        host: '127.0.0.1',
        port: doors.port,
        servername: doors[way],
        rejectUnauthorized: false,
        maxVersion: 'TLSv1.2',
      });
      await once(socket, 'secureConnect');
      const ended = new Promise<string>((resolve) =>
        socket.on('error', () => resolve('refused')).on('close', () => resolve('refused')),
      );
      const renegotiated = new Promise<string>((resolve) => {
        socket.renegotiate({ rejectUnauthorized: false }, (error) => resolve(error ? 'refused' : 'done'));
      });
      expect(await Promise.race([renegotiated, ended]), way).toBe('refused');
      socket.destroy();
    }
  });
});
