import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseLsof, parseNetstat } from '../../../../src/discovery/listeners/otherListeners.ts';
import { parseTable } from '../../../../src/discovery/listeners/procListeners.ts';

describe('what systems tell of listeners', () => {
  it('is read from /proc/net/tcp and tcp6', () => {
    const head = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n';
    const rest = '00000000:00000000 00:00000000 00000000  1000        0 77001 1 0 100 0 0 10 0';
    const line = (local: string, state: string) => `   0: ${local} 00000000:0000 ${state} ${rest}\n`;
    const table = [
      head,
      line('0100007F:0BB9', '0A'),
      line('0100007F:0BBA', '01'),
      line('00000000000000000000000001000000:1F90', '0A'),
      line('00000000000000000000000000000000:1F91', '0A'),
      line('0000000000000000FFFF00000100007F:1F92', '0A'),
      'damaged\n',
    ].join('');
    expect(parseTable(table)).toEqual([
      { address: '127.0.0.1', port: 3001, uid: 1000, inode: '77001' },
      { address: '::1', port: 8080, uid: 1000, inode: '77001' },
      { address: '::', port: 8081, uid: 1000, inode: '77001' },
      { address: '::ffff:127.0.0.1', port: 8082, uid: 1000, inode: '77001' },
    ]);
  });

  it('is read from lsof, local addresses only', () => {
    const text =
      'p501\ncnode\nf22\nn127.0.0.1:3001\nf23\nn[::1]:3001\nf24\nn192.168.1.4:3002\np502\ncpython\nf3\nn*:8000\n';
    expect(parseLsof(text)).toEqual([
      { address: '127.0.0.1', port: 3001, pid: 501, command: 'node' },
      { address: '::1', port: 3001, pid: 501, command: 'node' },
      { address: '*', port: 8000, pid: 502, command: 'python' },
    ]);
  });

  it('is read from netstat in any language', () => {
    const text = [
      '  Proto  Lokale Adresse         Remoteadresse          Status           PID',
      '  TCP    127.0.0.1:3001         0.0.0.0:0              ABHÖREN          4711',
      '  TCP    [::1]:3002             [::]:0                 ABHÖREN          4712',
      '  TCP    127.0.0.1:50000        127.0.0.1:3001         HERGESTELLT      4713',
      '  TCP    10.0.0.4:139           0.0.0.0:0              ABHÖREN          4',
    ].join('\r\n');
    expect(parseNetstat(text)).toEqual([
      { address: '127.0.0.1', port: 3001, pid: 4711 },
      { address: '::1', port: 3002, pid: 4712 },
    ]);
  });

  it('never throws and never yields a port that is none', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.stringMatching(/^[pcnfTCP \d.:[\]*\n-]*$/), (any, shaped) => {
        for (const text of [any, shaped]) {
          for (const { port } of [...parseTable(text), ...parseLsof(text), ...parseNetstat(text)]) {
            expect(port).toBeLessThanOrEqual(65_535);
          }
        }
      }),
    );
  });
});
