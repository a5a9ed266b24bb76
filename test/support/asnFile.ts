// A MMDB file with autonomous systems (MaxMind DB format 2.0): a search tree of 24-bit records, then the data, then the
// metadata. Small on purpose; `mmdblookup` reads what it writes.
import { parseNetwork } from '../../src/core/network.ts';

type Node = [left: Node | number | undefined, right: Node | number | undefined];

/** `{ '192.0.2.0/24': 64500 }` as the bytes of a file. */
export function asnFile(asns: Readonly<Record<string, number>>): Buffer {
  const root: Node = [undefined, undefined];
  const records: Buffer[] = [];
  let dataBytes = 0;
  for (const [network, asn] of Object.entries(asns)) {
    insert(root, bitsOf(network), dataBytes);
    records.push(map({ autonomous_system_number: uint(6, 4, asn) }));
    dataBytes += records.at(-1)!.length;
  }
  const nodes: Node[] = [];
  const number = (node: Node): void => {
    nodes.push(node);
    for (const child of node) if (Array.isArray(child)) number(child);
  };
  number(root);
  const tree = nodes.flatMap((node) =>
    node.map((child) => {
      const record = Buffer.alloc(3);
      const at = Array.isArray(child)
        ? nodes.indexOf(child)
        : child === undefined
          ? nodes.length
          : nodes.length + 16 + child;
      record.writeUIntBE(at, 0, 3);
      return record;
    }),
  );
  const metadata = map({
    binary_format_major_version: uint(5, 2, 2),
    binary_format_minor_version: uint(5, 2, 0),
    build_epoch: Buffer.concat([Buffer.of(8, 2), uint(0, 8, 1_700_000_000).subarray(1)]), // An extended type, uint64.
    database_type: text('Test-ASN'),
    description: map({ en: text('Autonomous systems of a test') }),
    ip_version: uint(5, 2, 6),
    languages: Buffer.of(0, 4), // An extended type, an array without elements.
    node_count: uint(6, 4, nodes.length),
    record_size: uint(5, 2, 24),
  });
  return Buffer.concat([
    ...tree,
    Buffer.alloc(16),
    ...records,
    Buffer.from('\xab\xcd\xefMaxMind.com', 'latin1'),
    metadata,
  ]);
}

function insert(root: Node, bits: readonly number[], data: number): void {
  let node = root;
  for (const bit of bits.slice(0, -1)) {
    const next = node[bit];
    if (Array.isArray(next)) node = next;
    else node = node[bit] = [undefined, undefined];
  }
  node[bits.at(-1)!] = data;
}

/** IPv4 lies at ::/96. */
function bitsOf(network: string): number[] {
  const { address, bits } = parseNetwork(network);
  const bytes = address.toByteArray();
  const all = [...(bytes.length === 4 ? Array<number>(12).fill(0) : []), ...bytes];
  const length = bytes.length === 4 ? bits + 96 : bits;
  return all.flatMap((byte) => [7, 6, 5, 4, 3, 2, 1, 0].map((at) => (byte >> at) & 1)).slice(0, length);
}

function map(members: Readonly<Record<string, Buffer>>): Buffer {
  const both = Object.entries(members).flatMap(([key, value]) => [text(key), value]);
  return Buffer.concat([head(7, Object.keys(members).length), ...both]);
}

const text = (of: string): Buffer => Buffer.concat([head(2, of.length), Buffer.from(of, 'latin1')]);

function uint(type: number, size: number, of: number): Buffer {
  const bytes = Buffer.alloc(1 + size);
  bytes[0] = head(type, size)[0]!;
  bytes.writeUIntBE(of, 1 + Math.max(0, size - 6), Math.min(size, 6));
  return bytes;
}

/** Lengths below 29 only. */
const head = (type: number, length: number): Buffer => Buffer.of((type << 5) | length);
