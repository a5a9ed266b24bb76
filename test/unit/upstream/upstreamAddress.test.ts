import { describe, expect, it } from 'vitest';
import { mayDial, pinAddresses, portOf } from '../../../src/upstream/upstreamAddress.ts';

const all = (): boolean => true;
const none = (): boolean => false;

describe('mayDial', () => {
  it.each(['127.0.0.1', '127.255.255.254', '::1', '::ffff:127.0.0.1', '::ffff:7f00:1'])(
    'takes loopback: %s',
    (address) => {
      expect(mayDial(address, 80, none)).toBe(true);
    },
  );

  it.each(['10.0.0.1', '192.168.1.1', '8.8.8.8', 'fd00::1', '2001:db8::1', '::ffff:10.0.0.1'])(
    'takes %s only when it is permitted',
    (address) => {
      expect(mayDial(address, 80, none)).toBe(false);
      expect(mayDial(address, 80, all)).toBe(true);
    },
  );

  it.each([
    '169.254.169.254',
    '169.254.0.1',
    '::ffff:169.254.169.254',
    '::ffff:a9fe:a9fe',
    'fe80::1',
    'fe80::1%eth0',
    'fd00:ec2::254',
    '100.100.100.200',
    '0.0.0.0',
    '0.1.2.3',
    '::',
    '224.0.0.1',
    '255.255.255.255',
    'ff02::1',
    'localhost',
    '',
  ])('never takes %s, whatever is permitted', (address) => {
    expect(mayDial(address, 80, all)).toBe(false);
  });
});

describe('pinAddresses', () => {
  it.each(['http://localhost:1/', 'http://LOCALHOST/', 'http://x.localhost/'])(
    'knows both loopbacks of %s without asking',
    async (url) => {
      expect(await pinAddresses(new URL(url), none)).toEqual([
        { address: '127.0.0.1', family: 4 },
        { address: '::1', family: 6 },
      ]);
    },
  );

  it.each(['http://127.0.0.1:3000/mcp', 'http://[::1]:3000/', 'http://0x7f.1/', 'http://2130706433/'])(
    'takes %s',
    async (url) => {
      expect(await pinAddresses(new URL(url), none)).toHaveLength(1);
    },
  );

  it.each([
    'http://169.254.169.254/',
    'http://[fe80::1]/',
    'http://0.0.0.0/',
    'http://[::ffff:169.254.169.254]/',
    'http://0xa9fea9fe/',
  ])('refuses %s although all is permitted', async (url) => {
    await expect(pinAddresses(new URL(url), all)).rejects.toMatchObject({ code: 'UPSTREAM_DENIED' });
  });

  it('asks about the port too', async () => {
    const asked: unknown[] = [];
    await pinAddresses(new URL('https://10.0.0.1/'), (address, port) => asked.push([address, port]) > 0);
    expect(asked).toEqual([['10.0.0.1', 443]]);
  });

  it('says when a name has no address', async () => {
    await expect(pinAddresses(new URL('http://no-such-name.invalid/'), all)).rejects.toMatchObject({
      code: 'UPSTREAM_UNREACHABLE',
      message: 'the name no-such-name.invalid could not be resolved',
    });
  });
});

it('knows the ports that a URL does not name', () => {
  expect([portOf(new URL('http://a/')), portOf(new URL('https://a/')), portOf(new URL('http://a:8/'))]).toEqual([
    80, 443, 8,
  ]);
});
