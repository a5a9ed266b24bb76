// While a certificate authority looks whether a name is ours (TLS-ALPN-01, RFC 8737), its connections come the same way
// as agents' do. The first bytes of each are looked at then: one that offers `acme-tls/1` and nothing else for that name
// is shown the proof and let go; any other goes on as if nobody had looked. At all other times nothing is looked at.
import type { Duplex } from 'node:stream';
import { TLSSocket, type SecureContext } from 'node:tls';
import type { Clock } from '../core/clock.ts';
import { maxClientHelloBytes, parseClientHello } from '../edge/clientHello.ts';

export const acmeProtocol = 'acme-tls/1';

/** For a hello, and again for the handshake. */
export const challengeMs = 10_000;
/** Connections whose hello is waited for at a time; the next are agents' without a look. */
export const maxLooks = 256;

export type ChallengeDoorOptions = {
  /** What is shown for a name that is just being looked at. */
  challenge: (serverName: string) => SecureContext | undefined;
  isPending: () => boolean;
  /** Takes agents' connections. */
  accept: (stream: Duplex, visitor: string) => void;
  clock: Clock;
};

export class ChallengeDoor {
  readonly #options: ChallengeDoorOptions;
  readonly #looking = new Set<Duplex>();

  constructor(options: ChallengeDoorOptions) {
    this.#options = options;
  }

  take(stream: Duplex, visitor: string): void {
    const { accept, isPending } = this.#options;
    if (!isPending() || this.#looking.size >= maxLooks) return accept(stream, visitor);
    this.#look(stream, (first, context) => {
      // Node hands a chunk out only once, so what was looked at goes back in front.
      stream.unshift(first);
      if (context) this.#prove(stream, context);
      else accept(stream, visitor);
    });
  }

  close(): void {
    for (const stream of this.#looking) stream.destroy();
  }

  #look(stream: Duplex, seen: (first: Buffer, context: SecureContext | undefined) => void): void {
    let first = Buffer.alloc(0);
    this.#looking.add(stream);
    const onData = (chunk: Buffer): void => {
      first = Buffer.concat([first, chunk]);
      const hello = parseClientHello(first);
      if (hello.kind === 'incomplete' && first.length < maxClientHelloBytes) return;
      stop();
      stream.pause();
      const isProof = hello.kind === 'hello' && hello.alpn.length === 1 && hello.alpn[0] === acmeProtocol;
      seen(first, isProof ? this.#options.challenge(hello.serverName ?? '') : undefined);
    };
    const gone = (): void => {
      stop();
      stream.destroy();
    };
    const deadline = this.#options.clock.after(challengeMs, gone);
    const stop = (): void => {
      deadline.cancel();
      this.#looking.delete(stream);
      stream.off('data', onData).off('end', gone).off('close', gone).off('error', gone);
    };
    stream.on('data', onData).on('end', gone).on('close', gone).on('error', gone);
  }

  #prove(stream: Duplex, secureContext: SecureContext): void {
    const socket = new TLSSocket(stream, { isServer: true, secureContext, ALPNProtocols: [acmeProtocol] });
    const deadline = this.#options.clock.after(challengeMs, () => socket.destroy());
    this.#looking.add(socket);
    socket.on('error', () => {}); // 'close' follows.
    socket.on('_tlsError', () => socket.destroy());
    socket.once('secure', () => socket.end()); // It has seen all there is.
    socket.once('close', () => {
      deadline.cancel();
      this.#looking.delete(socket);
      stream.destroy();
    });
  }
}
