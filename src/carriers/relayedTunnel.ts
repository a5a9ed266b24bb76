// What the embedded and the remote edge have in common: a connector that keeps the link up, and agents' TLS that ends
// in this process. The edge in between reads names only.
import type { Admission } from '../core/admission.ts';
import type { Clock, Random } from '../core/clock.ts';
import { Lifetime, type Closable } from '../core/lifetime.ts';
import { certificateTools } from '../certs/certificateTools.ts';
import { Connector } from '../tunnel/connector.ts';
import { dialEdge, type DialOptions } from '../tunnel/dialEdge.ts';
import type { IdentityRenewal } from '../tunnel/identityRenewal.ts';
import { InnerTls } from '../tunnel/innerTls.ts';
import type { CarrierOptions, CarrierState, OpenCarrier } from './carrier.ts';
import { checkedProxy, type Outbound } from './outbound.ts';
import { ChallengeDoor } from './challengeDoor.ts';
import type { InnerCertificate } from './innerCertificate.ts';

export type RelayedTunnelOptions = {
  kind: string;
  open: CarrierOptions;
  certificate: InnerCertificate;
  /** Asked at every dial: a machine may be enrolled again while its tunnel waits. */
  identity: () => Promise<DialOptions['identity']>;
  mayDial: DialOptions['mayDial'];
  /** Links to hold. */
  links: number;
  /** How the edge is reached from this machine, where it is not simply dialled. */
  outbound?: Outbound;
  /** Names that agents may put in `Host`. */
  hostnames: readonly string[];
  clock: Clock;
  random: Random;
};

/** What it could not do is told. */
export type Renewal = Closable & Pick<IdentityRenewal, 'warning' | 'onChange'>;

/** How it is shown, besides what the link itself knows. */
export type Shown = Pick<OpenCarrier, 'hostname' | 'url' | 'loopbackUrl' | 'caFile' | 'port'>;

export class RelayedTunnel {
  readonly #lifetime = new Lifetime();
  readonly #connector: Connector;
  readonly #certificate: InnerCertificate;
  #renewal: Renewal | undefined;
  /** Where the edge was last found, unless through a proxy. */
  #edgeAddress: string | undefined;

  constructor(options: RelayedTunnelOptions) {
    const { kind, open, certificate, identity, mayDial, links, outbound, hostnames, clock, random } = options;
    const { label, instance, admission, serve, clientAuthorities, log } = open;
    this.#certificate = this.#lifetime.add(certificate);
    const inner = this.#lifetime.add(
      new InnerTls({
        context: certificate.context,
        ...(clientAuthorities ? { clientAuthorities } : {}),
        onRequest: (request, response, visitor, clientChain) =>
          serve(request, response, { carrier: kind, visitor, hostnames, clientChain }),
        clock,
        onSilentLeave: silentLeaveLog(log, clock),
      }),
    );
    const leavingOf = new WeakMap<object, AbortSignal>();
    const door = this.#lifetime.add(
      new ChallengeDoor({
        challenge: (serverName) => certificate.challenge?.(serverName),
        isPending: () => certificate.isChallenged ?? false,
        accept: (stream, visitor) => inner.accept(stream, visitor, leavingOf.get(stream)),
        clock,
      }),
    );
    this.#connector = this.#lifetime.add(
      new Connector({
        label,
        instance,
        admission: withChallenges(admission, certificate),
        wanted: links,
        ...(outbound ? { onNetworkChange: outbound.onNetworkChange } : {}),
        clock,
        random,
        log,
        dial: async (signal, node) => {
          let isProxied = false;
          const proxyFor = outbound && checkedProxy(outbound, open.mayDial);
          const socket = await dialEdge(
            {
              identity: await identity(),
              ...(node ? { node } : {}),
              ...(this.#edgeAddress === undefined ? {} : { edgeAddress: this.#edgeAddress }),
              ...(proxyFor
                ? {
                    proxyFor: (names: readonly string[], toPort: number) => {
                      const proxy = proxyFor(names, toPort);
                      isProxied = proxy !== undefined;
                      return proxy;
                    },
                    authorities: outbound.authorities,
                  }
                : {}),
              mayDial,
              certs: certificateTools,
              clock,
            },
            signal,
          );
          // A proxy's address says nothing of where the edge is, and nodes may be no nearer than the edge.
          if (!node) this.#edgeAddress = isProxied ? undefined : socket.remoteAddress;
          return socket;
        },
        onStream: (stream, { visitor }, leaving) => {
          leavingOf.set(stream, leaving);
          door.take(stream, visitor);
        },
      }),
    );
  }

  /** Resolves when agents can reach it; rejects with nothing left open. */
  async start(signal: AbortSignal): Promise<void> {
    try {
      await this.#connector.start(signal);
      this.#certificate.start?.(() => this.#connector.state.kind === 'connected');
    } catch (error) {
      await this.#lifetime.close();
      throw error;
    }
  }

  get state(): CarrierState {
    return this.#connector.state;
  }

  /** Over the links that are up. */
  readonly renewCertificate: Connector['renewCertificate'] = (csr, signal) =>
    this.#connector.renewCertificate(csr, signal);

  /** What keeps this machine's certificate young; closed before the tunnel. */
  renewBy(renewal: Renewal): void {
    this.#renewal = this.#lifetime.add(renewal);
  }

  /** As an open carrier; closing it closes `alsoClose` after this tunnel. */
  shownAs(shown: Shown, alsoClose?: { close(): Promise<void> }): OpenCarrier {
    const connector = this.#connector;
    const certificate = this.#certificate;
    const renewal = this.#renewal;
    const { caFile, ...rest } = shown;
    return {
      ...rest,
      get caFile() {
        return certificate.info.kind === 'local' ? caFile : undefined;
      },
      get certificate() {
        return certificate.info;
      },
      onCertificate: (listener) => certificate.onChange(listener),
      get warning() {
        return renewal?.warning;
      },
      ...(renewal ? { onWarning: renewal.onChange } : {}),
      get state() {
        return connector.state;
      },
      onState: connector.onState,
      get links() {
        return connector.links;
      },
      onLinks: connector.onLinks,
      letIn: (admission) => connector.letIn(withChallenges(admission, certificate)),
      close: async () => {
        await this.#lifetime.close();
        await alsoClose?.close();
      },
    };
  }
}

/** A certificate that is ordered is looked for from addresses that nobody knows beforehand. */
function withChallenges(admission: Admission | undefined, certificate: InnerCertificate): Admission | undefined {
  return admission && certificate.challenge ? { ...admission, challenges: true } : admission;
}

/** The likeliest first mistake of somebody who connects a client leaves no other trace; said once a minute at most. */
function silentLeaveLog(log: (message: string) => void, clock: Clock): (visitor: string) => void {
  let saidMs = -Infinity;
  return (visitor) => {
    if (clock.now() - saidMs < 60_000) return;
    saidMs = clock.now();
    log(
      `the client at ${visitor} left without asking anything: does it trust the CA file (NODE_EXTRA_CA_CERTS for Node)?`,
    );
  };
}
