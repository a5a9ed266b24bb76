// One node of an edge that has several: the registry they share, who is up, who serves what, and the links between them.
// The whole graph of it is built here.
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { Authority, authorityFile } from '../../certs/authority.ts';
import type { Clock, Random } from '../../core/clock.ts';
import { TunnelError } from '../../core/errors.ts';
import type { PrivateFiles } from '../../core/files.ts';
import { formatHostPort, type HostPort } from '../../core/hostname.ts';
import { Lifetime, type Closable } from '../../core/lifetime.ts';
import type { ClusterHost, EdgeCluster } from '../edgeCluster.ts';
import type { EdgeLog } from '../edgeLog.ts';
import { broughtServerIdentity, ownServerIdentity, type ServerSource } from '../serverIdentity.ts';
import type { Bucket, OpenBucket } from './bucket.ts';
import { ClusterState } from './clusterState.ts';
import { FarRoutes } from './farRoutes.ts';
import { NodeDoor } from './nodeDoor.ts';
import { nodeDoorOf, NodeIdentity } from './nodeIdentity.ts';
import { leaseMs, NodeLeases } from './nodeLeases.ts';
import { NodeLinks } from './nodeLinks.ts';
import { Records } from './records.ts';
import { RouteLeases } from './routeLeases.ts';
import { fingerprintOf, type Meta } from './sharedRecords.ts';
import { startSweeping } from './sweep.ts';
import { writeBack } from './writeBack.ts';

export type RegistryOptions = { servers: readonly string[]; credentials?: string; ca?: string };

export type ClusterOptions = {
  openBucket: OpenBucket;
  registry: RegistryOptions;
  files: PrivateFiles;
  folder: string;
  domain: string;
  /** Where the other nodes reach this one, and where connectors do; port 0 stands for the edge's own. */
  address: HostPort;
  publicAddress: HostPort;
  clock: Clock;
  random: Random;
  log: EdgeLog;
  /** A certificate for the doors; the edge's CA makes one where it is absent. */
  server?: ServerSource;
  connectorMs?: number;
  reserved?: readonly string[];
};

export class Cluster implements EdgeCluster {
  readonly state: ClusterState;
  readonly sharing: RouteLeases;
  readonly nodeDoor: string;
  /** Of this run of the node. */
  readonly id: string;
  readonly #options: ClusterOptions;
  readonly #records: Records;
  readonly #identity: NodeIdentity;
  readonly #links: NodeLinks;
  readonly #lifetime: Lifetime;
  #nodes: NodeLeases | undefined;
  #door: NodeDoor | undefined;

  /** Throws `TIMEOUT` where the registry cannot be reached, `CONFIG_INVALID` where it is another edge's. */
  static async join(options: ClusterOptions): Promise<Cluster> {
    const lifetime = new Lifetime();
    try {
      const { records, authority } = await openRecords(options, lifetime);
      const server = options.server
        ? await broughtServerIdentity(options.server, options.domain, options.clock)
        : await ownServerIdentity({ ...options, authority });
      const { domain, clock } = options;
      const state = new ClusterState({ ...options, records, authority, server, domain });
      const id = randomBytes(12).toString('hex');
      const identity = await NodeIdentity.make({ id, authority, clock });
      return new Cluster(options, { records, state, identity, lifetime });
    } catch (error) {
      await lifetime.close();
      throw error;
    }
  }

  private constructor(
    options: ClusterOptions,
    made: { records: Records; state: ClusterState; identity: NodeIdentity; lifetime: Lifetime },
  ) {
    const { domain, clock, log } = options;
    const { records, state, identity, lifetime } = made;
    this.#options = options;
    this.#records = records;
    this.#identity = identity;
    this.#lifetime = lifetime;
    this.id = identity.id;
    this.state = state;
    this.nodeDoor = nodeDoorOf(domain);
    this.#links = lifetime.add(new NodeLinks({ ...options, identity }));
    // A node that has lost the registry is still there: a link to it says so.
    const isUp = (node: string): boolean => this.#nodes?.isLive(node) === true || this.#links.isOpen(node);
    this.sharing = new RouteLeases({ records, state, clock, node: this.id, isUp });
    lifetime.defer(() => this.sharing.settled());
    records.onStoreLost(() => void writeBack(records, log));
    records.onState((isThere) => {
      if (isThere) log.info('registry-reached', 'the registry is reached again');
      else log.warn('registry-away', `the registry cannot be reached (${records.problem}): no new names are given out`);
    });
  }

  /** Why no names can be given out now; absent while they can. */
  get problem(): string | undefined {
    const why = this.#records.problem;
    return why === undefined ? undefined : `the registry cannot be reached (${why})`;
  }

  /** What the other nodes serve; none of it by links of this one. */
  routes(): { hostname: string; instance: string; sinceMs: number; links: 0; visitors: 0 }[] {
    const { domain } = this.#options;
    return this.sharing.others().map(({ label, instance, sinceMs }) => {
      return { hostname: `${label}.${domain}`, instance, sinceMs, links: 0, visitors: 0 };
    });
  }

  /** The other nodes that are up. */
  nodes(): string[] {
    return this.#nodes?.live().map(({ publicAddress }) => publicAddress) ?? [];
  }

  attach({ limits, onNode, onVisitor }: ClusterHost): FarRoutes {
    const { domain, clock, log, address, publicAddress } = this.#options;
    const self = { id: this.id, address: '', publicAddress: '', leaseMs, startedMs: clock.now() };
    this.#door = this.#lifetime.add(
      new NodeDoor({ identity: this.#identity, clock, log, handshakeMs: limits.handshakeMs, onNode, onVisitor }),
    );
    const nodes = new NodeLeases({
      records: this.#records,
      clock,
      self: (port) => ({ ...self, address: at(address, port), publicAddress: at(publicAddress, port) }),
      id: this.id,
    });
    nodes.onGone((node) => {
      this.#links.forget(node);
      log.warn('node-gone', `node ${node} is gone`, { node });
    });
    this.#nodes = nodes;
    return new FarRoutes({ domain, leases: this.sharing, nodes, links: this.#links, limits, clock });
  }

  acceptNode(socket: Socket): void {
    if (this.#door) this.#door.accept(socket);
    else socket.destroy();
  }

  async announce(port: number): Promise<Closable> {
    const { clock } = this.#options;
    const nodes = this.#nodes;
    if (!nodes) throw new Error('attach comes first');
    await nodes.start(port);
    const sweeping = startSweeping({ records: this.#records, nodes, self: this.id, clock });
    return {
      async close() {
        sweeping.close();
        await nodes.close();
      },
    };
  }

  /** After the edge: what it let go is told to the others first. */
  close(): Promise<void> {
    return this.#lifetime.close();
  }
}

/** The registry's records, and the CA that all nodes share; made here only for the first of them. */
async function openRecords(
  { openBucket, registry, files, folder, domain, clock, log }: ClusterOptions,
  lifetime: Lifetime,
): Promise<{ records: Records; authority: Authority }> {
  const load = (): Promise<Authority> =>
    Authority.loadOrCreate({ files, folder, clock, commonName: `MCP Tunnel edge ${domain}` });
  let authority = (await files.read(join(folder, authorityFile))) === undefined ? undefined : await load();

  const records = new Records({
    log,
    foreignness: (meta) => {
      if (!meta) return 'its bucket holds something that is no edge’s';
      if (meta.domain !== domain) return `it is the registry of ${meta.domain}`;
      if (authority && fingerprintOf(authority.certificatePem) === meta.ca) return undefined;
      const what = authority ? 'share another certificate authority' : 'have a certificate authority';
      return `its nodes ${what}: copy authority.pem and server-key.pem from the data folder of one of them into ${folder}`;
    },
  });
  const meta = async (): Promise<string> => {
    authority ??= await load();
    const first: Meta = {
      version: 1,
      bucket: randomBytes(12).toString('hex'),
      domain,
      ca: fingerprintOf(authority.certificatePem),
    };
    return JSON.stringify(first);
  };
  const bucket: Bucket = await openBucket({ ...registry, ...records.events, bucket: bucketOf(domain), meta }).catch(
    (cause: unknown) => {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new TunnelError('TIMEOUT', `the registry ${registry.servers.join(', ')} cannot be used: ${why}`, { cause });
    },
  );
  lifetime.add(bucket);
  records.use(bucket);
  if (records.problem !== undefined || !authority) {
    throw new TunnelError('CONFIG_INVALID', `this node cannot use the registry: ${records.problem ?? 'it was lost'}`);
  }
  return { records, authority };
}

/** One for each domain; hyphens and letters stay, and labels have no `_`. */
export const bucketOf = (domain: string): string => `MCP_TUNNEL_${domain.replaceAll('.', '_')}`;

const at = ({ host, port }: HostPort, own: number): string => formatHostPort({ host, port: port === 0 ? own : port });
