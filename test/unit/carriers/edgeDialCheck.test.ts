// What a dishonest edge can do with the nodes it names: nothing that the policy has not allowed, and no door of the
// network around this machine.
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Dialled } from '../../../src/carriers/carrier.ts';
import { edgeDialCheck } from '../../../src/carriers/edge.ts';
import { certificateTools } from '../../../src/certs/certificateTools.ts';
import { systemClock } from '../../../src/core/clock.ts';
import type { HostPort } from '../../../src/core/hostname.ts';
import { mayFollow } from '../../../src/tunnel/addressScope.ts';
import type { DialOptions } from '../../../src/tunnel/dialEdge.ts';
import { openDoor } from '../../../src/tunnel/edgeDoor.ts';

const identity = { domain: 'edge.example.com', port: 443 } as DialOptions['identity'];

function asked(node: HostPort | undefined, more: Partial<DialOptions['identity']> = {}): (string | undefined)[] {
  const dialled: Dialled[] = [];
  edgeDialCheck((what) => void dialled.push(what))({ ...identity, ...more }, node);
  return dialled.map(({ host }) => host);
}

describe('edgeDialCheck', () => {
  it('asks for the edge itself at every dial, and for the address from enrolment', () => {
    expect(asked(undefined)).toEqual(['edge.example.com:443']);
    expect(asked(undefined, { address: '10.0.0.5' })).toEqual(['edge.example.com:443', '10.0.0.5:443']);
  });

  it('needs no entry for a node below the edge’s own name, but for another port', () => {
    expect(asked({ host: 'n2.edge.example.com', port: 443 })).toEqual(['edge.example.com:443']);
    expect(asked({ host: 'n2.edge.example.com', port: 22 })).toEqual(['edge.example.com:443', 'edge.example.com:22']);
  });

  it.each(['evil.example.org', '10.0.0.1', 'edge.example.com.evil.org', 'xedge.example.com', '::1'])(
    'needs one for %s',
    (host) => {
      expect(asked({ host, port: 443 })).toHaveLength(2);
      expect(asked({ host, port: 443 })[1]).toContain(host);
    },
  );

  it('asks with the pin', () => {
    const dialled: Dialled[] = [];
    edgeDialCheck((what) => void dialled.push(what))({ ...identity, pin: 'sha256/x' }, { host: 'n.org', port: 443 });
    expect(dialled).toEqual([
      { carrier: 'edge', host: 'edge.example.com:443', pin: 'sha256/x' },
      { carrier: 'edge', host: 'n.org:443', pin: 'sha256/x' },
    ]);
  });
});

describe('a node that an edge on the Internet names', () => {
  it('never leads to a port of this machine or its network, whatever its name resolves to', async () => {
    let knocks = 0;
    const server = createServer((socket) => {
      knocks += 1;
      socket.destroy();
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    for (const [host, resolved] of [
      ['n2.edge.example.com', '127.0.0.1'],
      ['127.0.0.1', '127.0.0.1'],
      ['n2.edge.example.com', '::ffff:127.0.0.1'],
    ] as const) {
      const opening = openDoor({
        edge: { host: 'edge.example.com', port: 443 },
        door: 'connect',
        alpn: ['x'],
        at: { host, port },
        lookup: async () => [resolved],
        mayConnect: (address) => mayFollow(address, '8.8.8.8'),
        certs: certificateTools,
        clock: systemClock,
        signal: new AbortController().signal,
      });
      await expect(opening).rejects.toThrow('an address of this network, where the edge itself is not');
    }
    expect(knocks).toBe(0);
  });
});
