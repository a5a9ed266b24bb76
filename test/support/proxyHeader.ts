// PROXY headers, version 2, as a load balancer would write them.
import ipaddr from 'ipaddr.js';
import type { HostPort } from '../../src/core/hostname.ts';

export type ProxyHeaderOptions = {
  source?: HostPort;
  local?: boolean;
  tlv?: Uint8Array;
  /** In place of what the source says. */
  family?: number;
  block?: Uint8Array;
};

export function proxyHeader({ source, local, tlv, family, block }: ProxyHeaderOptions): Buffer {
  const signature = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
  const address = source ? ipaddr.parse(source.host).toByteArray() : [];
  const ports = Buffer.alloc(4);
  ports.writeUInt16BE(source?.port ?? 0);
  ports.writeUInt16BE(443, 2);
  const own = source ? Buffer.concat([Buffer.from(address), Buffer.alloc(address.length, 1), ports]) : Buffer.alloc(0);
  const content = Buffer.concat([block ?? own, tlv ?? Buffer.alloc(0)]);
  const fixed = Buffer.of(local ? 0x20 : 0x21, family ?? (address.length === 4 ? 0x11 : 0x21), 0, 0);
  fixed.writeUInt16BE(content.length, 2);
  return Buffer.concat([signature, fixed, content]);
}
