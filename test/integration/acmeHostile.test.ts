// What a certificate authority, or whoever answers in its place, can say to us. It is a double (`acmeDouble.ts`).
import { describe, expect, it } from 'vitest';
import { maxAcmeAnswerBytes } from '../../src/certs/acmeTransport.ts';
import { TunnelError } from '../../src/core/errors.ts';
import type { AcmeDouble, Reply } from '../support/acmeDouble.ts';
import { aProcess, makeWorld } from '../support/acmeWorld.ts';

describe('a hostile authority', () => {
  const hostile: [string, (double: AcmeDouble) => (path: string) => Reply | undefined, RegExp][] = [
    ['sends more than it may', () => () => ({ text: 'x'.repeat(maxAcmeAnswerBytes + 1) }), /longer than \d+ bytes/],
    [
      'redirects',
      () => () => ({ status: 302, headers: { location: '/directory' } }),
      /redirect, which is not followed/,
    ],
    [
      'sends no JSON',
      () => () => ({ json: undefined, text: '{', headers: { 'content-type': 'application/json' } }),
      /not JSON/,
    ],
    ['sends a directory of nothing', () => () => ({ json: {} }), /tried again at/],
    ['sends null', () => () => ({ json: null }), /tried again at/],
    [
      'names plain http',
      () => () => ({ json: { newNonce: 'http://ca.example/nonce', newAccount: 'http://ca.example/account' } }),
      /no https URL/,
    ],
    [
      'names a file',
      () => () => ({ json: { newNonce: 'file:///etc/passwd', newAccount: 'file:///etc/passwd' } }),
      /no https URL/,
    ],
    [
      'names another host that the policy lets through, on a private address',
      () => () => ({ json: { newNonce: 'https://inside.example/nonce', newAccount: 'https://inside.example/' } }),
      /inside\.example leads to an address where no such authority may be/,
    ],
    [
      'asks for proof of another name',
      (double) => (path) =>
        path === '/authorization'
          ? { json: double.authorization({ identifier: { type: 'dns', value: 'bank.example' } }) }
          : undefined,
      /asks for proof of another name/,
    ],
    [
      'offers no TLS-ALPN-01',
      (double) => (path) =>
        path === '/authorization' ? { json: double.authorization({ challenges: [] }) } : undefined,
      /does not look at names by TLS-ALPN-01/,
    ],
    [
      'has a thousand authorizations',
      (double) => (path) =>
        path === '/order'
          ? {
              status: 201,
              headers: { location: `${double.origin}/order/1` },
              json: double.order({
                authorizations: Array.from({ length: 1000 }, () => `${double.origin}/authorization`),
              }),
            }
          : undefined,
      /answered something that is not ACME/,
    ],
    [
      'says why in a stranger’s words',
      (double) => (path) =>
        path === '/order/1'
          ? { json: double.order({ status: 'invalid', error: { detail: 'bad\u001b[31m\u202e\nnews' } }) }
          : undefined,
      /made the order invalid: bad\?\[31m\?\?news/,
    ],
    [
      'names no reason at all',
      (double) => (path) => (path === '/order/1' ? { json: double.order({ status: 'invalid', error: 7 }) } : undefined),
      /does not say why/,
    ],
  ];

  it.each(hostile)('that %s becomes a warning', async (_name, behaviour, words) => {
    const world = await makeWorld();
    const answer = behaviour(world.double);
    world.double.answer = ({ path }) => answer(path);
    const one = await aProcess(world);
    one.run();
    await one.warned(words);
    expect(one.renewal.chain).toBeUndefined();
  });

  it('is not dialled where the policy says no, and its name not looked up', async () => {
    const world = await makeWorld();
    const asked: string[] = [];
    const one = await aProcess(world, {
      mayDial: (host) => {
        throw new TunnelError('DESTINATION_DENIED', `acme at ${host} is not allowed`);
      },
      resolve: async (host) => (asked.push(host), ['127.0.0.1']),
    });
    one.run();
    await one.warned(/acme at ca\.example:\d+ is not allowed/);
    expect(asked).toEqual([]);
    expect(world.double.calls).toEqual([]);
  });

  it.each(['169.254.169.254', 'fe80::1', 'fd00:ec2::254', '::ffff:169.254.169.254'])(
    'is not dialled at %s, whatever the policy says',
    async (address) => {
      const world = await makeWorld();
      const one = await aProcess(world, { resolve: async () => [address], isPublic: () => true });
      one.run();
      await one.warned(/leads to an address where no such authority may be/);
      expect(world.double.calls).toEqual([]);
    },
  );
});
